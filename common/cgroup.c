#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cgfile.h"
#include "cglimits.h"
#include "inside.h"
#include "lines.h"
#include "ns.h"
#include "proc.h"

/* --- where the hierarchies are -------------------------------------------- */

/* A line of mountinfo. The texts are parts of the line. */
struct mount {
	unsigned long long id;
	char *root;	     /* what of the hierarchy is mounted */
	char *point;	     /* and where */
	const char *type;    /* of the file system */
	const char *options; /* of the file system: "rw,cpu,cpuacct" */
};

/* Blanks, newlines and backslashes are written as \040, see proc_pid_mountinfo(5). */
static void
unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; to++)
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to = (char)((text[1] - '0') << 6 |
				     (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to = *text++;
		}
	*to = '\0';
}

/* 42 31 0:38 / /sys/fs/cgroup/unified rw shared:1 - cgroup2 cgroup2 rw */
static bool
parse_mount(char *line, struct mount *mount)
{
	char *rest = line, *word;

	mount->id = strtoull(rest, NULL, 10);
	for (int i = 0; i < 3; i++)
		strsep(&rest, " ");
	mount->root = strsep(&rest, " ");
	mount->point = strsep(&rest, " ");
	do
		word = strsep(&rest, " ");
	while (word != NULL && strcmp(word, "-") != 0);
	mount->type = strsep(&rest, " ");
	strsep(&rest, " ");
	mount->options = rest;
	if (mount->options == NULL)
		return false;
	unescape(mount->root);
	unescape(mount->point);
	return true;
}

/* Does its path lead to it, or has another mount covered the place? */
static bool
is_visible(const struct mount *mount)
{
	struct statx found;

	return statx(AT_FDCWD, mount->point, AT_NO_AUTOMOUNT, STATX_MNT_ID,
		       &found) == 0 &&
	       (found.stx_mask & STATX_MNT_ID) != 0 &&
	       found.stx_mnt_id == mount->id;
}

/* Is that mount of the hierarchy of these controllers? One controller is in
 * one hierarchy only. */
static bool
is_hierarchy(const struct mount *mount, const char *controllers)
{
	size_t length = strcspn(controllers, ",");

	if (length == 0)
		return strcmp(mount->type, "cgroup2") == 0;
	if (strcmp(mount->type, "cgroup") != 0)
		return false;
	for (const char *word = mount->options; word != NULL;
		word = strchr(word, ',')) {
		word += *word == ',';
		if (strncmp(word, controllers, length) == 0 &&
			(word[length] == ',' || word[length] == '\0'))
			return true;
	}
	return false;
}

/*
 * The part of a path below the root of a mount, or NULL when it is not below.
 * In a cgroup namespace both can begin with "/..": cgroup_namespaces(7). As
 * long as the rest does not, we know the way.
 */
static const char *
below(const char *root, const char *path)
{
	size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(root, path, length) != 0 ||
		(path[length] != '/' && path[length] != '\0'))
		return NULL;
	path += length;
	if (strcmp(path, "/..") == 0 || strncmp(path, "/../", 4) == 0)
		return NULL;
	return path[0] == '\0' ? "/" : path;
}

/* All mounts of control groups in a text of mountinfo. *mounts is to be freed,
 * also after -1. Returns how many, or -1 with errno. */
static int
parse_mounts(char *text, struct mount **mounts)
{
	int count = 0;
	char *line;

	*mounts = NULL;
	while ((line = strsep(&text, "\n")) != NULL) {
		struct mount mount, *more;

		if (!parse_mount(line, &mount) ||
			strncmp(mount.type, "cgroup", 6) != 0 ||
			!is_visible(&mount))
			continue;
		more = reallocarray(*mounts, count + 1, sizeof(*more));
		if (more == NULL)
			return -1;
		more[count++] = mount;
		*mounts = more;
	}
	return count;
}

int
cgroup_each(pid_t pid,
	int (*with)(const char *mount_point, const char *path,
		const char *controllers, void *data),
	void *data)
{
	char *text = proc_read(NS_SELF, "mountinfo");
	char *memberships = proc_read(pid, "cgroup"), *rest, *line;
	struct mount *mounts = NULL;
	int result = -1, count = -1;

	if (text != NULL && memberships != NULL)
		count = parse_mounts(text, &mounts);
	if (count != -1)
		result = 0;
	/* 5:cpu,cpuacct:/user.slice */
	for (rest = memberships; result == 0 && rest != NULL;) {
		line = strsep(&rest, "\n");
		strsep(&line, ":");
		const char *controllers = strsep(&line, ":");
		const char *path = NULL;
		int i = 0;

		for (; line != NULL && i < count && path == NULL; i++)
			if (is_hierarchy(&mounts[i], controllers))
				path = below(mounts[i].root, line);
		if (path != NULL)
			result = with(
				mounts[i - 1].point, path, controllers, data);
	}
	int error = errno;
	free(mounts);
	free(memberships);
	free(text);
	errno = error;
	return result;
}

/* --- who is in them ------------------------------------------------------- */

/* The names of the folders in a folder. Returns 0, or -1 with errno; the list
 * is to be freed in both cases. */
static int
list_folders(int folder, char ***names)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int result = 0;

	*names = NULL;
	if (fd == -1)
		return -1;
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while (result == 0 && (entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_DIR &&
			strcmp(entry->d_name, ".") != 0 &&
			strcmp(entry->d_name, "..") != 0)
			result = lines_append(names, strdup(entry->d_name));
	int error = errno;
	closedir(dir);
	errno = error;
	return result;
}

typedef int visit(int parent, const char *name, void *data);

/*
 * Call `with` for all below a folder, the deepest first. One that vanishes
 * meanwhile is passed over. A container can nest more folders than we may open:
 * a folder is closed on the way down and found again by ".." on the way up.
 * *folder is then another descriptor, -1 when it could not be found.
 * Returns 0, or -1 with errno.
 */
static int
walk_below( // NOLINT(misc-no-recursion)
	int *folder, visit *with, void *data)
{
	char **names;
	int result = list_folders(*folder, &names);

	for (char **name = names; result == 0 && name != NULL && *name != NULL;
		name++) {
		int child = openat(*folder, *name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (child == -1 && errno == ENOENT)
			continue;
		if (child == -1) {
			result = -1;
			break;
		}
		close(*folder);
		*folder = -1;
		result = walk_below(&child, with, data);
		if (result == 0)
			*folder = openat(child, "..",
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int error = errno;
		if (child != -1)
			close(child);
		errno = error;
		if (result == 0)
			result =
				*folder == -1 ? -1 : with(*folder, *name, data);
	}
	int error = errno;
	lines_free(names);
	errno = error;
	return result;
}

/* The same, and then for the folder itself. */
static int
walk(const char *path, visit *with, void *data)
{
	int folder =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder == -1)
		return errno == ENOENT ? 0 : -1;
	int result = walk_below(&folder, with, data);
	int error = errno;
	if (folder != -1)
		close(folder);
	errno = error;
	return result == 0 ? with(AT_FDCWD, path, data) : -1;
}

struct pids {
	pid_t *pids;
	size_t count;
};

static int
add_pid(struct pids *all, pid_t pid)
{
	pid_t *more = reallocarray(all->pids, all->count + 1, sizeof(*more));

	if (more == NULL)
		return -1;
	all->pids = more;
	all->pids[all->count++] = pid;
	return 0;
}

/* In a "threaded" folder of version 2 the file cannot be read (EOPNOTSUPP);
 * its processes stand in the folder above. */
static int
add_pids(int parent, const char *name, void *data)
{
	char *path, *line = NULL;
	size_t size = 0;
	int result = 0;

	if (asprintf(&path, "%s/cgroup.procs", name) == -1)
		return -1;
	int fd = openat(parent, path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	FILE *in = fdopen(fd, "r");
	if (in == NULL) {
		close(fd);
		return -1;
	}
	while (result == 0 && getline(&line, &size, in) != -1)
		result = add_pid(data, (pid_t)strtol(line, NULL, 10));
	free(line);
	fclose(in);
	return result;
}

static int
compare_pids(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return first < second ? -1 : first > second;
}

/* Each PID once, sorted. Returns 0, or -1 with errno. */
static int
list_pids(char *const *folders, struct pids *all)
{
	size_t kept = 0;

	*all = (struct pids){NULL, 0};
	for (; *folders != NULL; folders++)
		if (walk(*folders, add_pids, all) == -1) {
			free(all->pids);
			return -1;
		}
	if (all->count > 0)
		qsort(all->pids, all->count, sizeof(pid_t), compare_pids);
	for (size_t i = 0; i < all->count; i++)
		if (kept == 0 || all->pids[kept - 1] != all->pids[i])
			all->pids[kept++] = all->pids[i];
	all->count = kept;
	return 0;
}

/* A process of a PID namespace that is not below ours is listed as 0 by version
 * 2, and not at all by version 1. */
int
cgroup_pids(char *const *folders, pid_t **pids)
{
	struct pids all;

	if (list_pids(folders, &all) == -1)
		return -1;
	if (all.count > 0 && all.pids[0] == 0) {
		all.count--;
		memmove(all.pids, all.pids + 1, all.count * sizeof(pid_t));
	}
	*pids = all.pids;
	return (int)all.count;
}

/* A folder whose processes cannot be counted counts as one that has some. */
static bool
is_busy(char *folder)
{
	struct pids all;
	bool listed = list_pids((char *const[]){folder, NULL}, &all) == 0;

	if (listed)
		free(all.pids);
	return !listed || all.count > 0;
}

/* A folder that is gone was a cgroup, if what is left of its path is one. */
static bool
is_gone(const char *folder)
{
	char *path = strdup(folder), *slash;
	struct statfs fs;
	bool gone = false;

	if (path == NULL || access(path, F_OK) == 0) {
		free(path);
		return false;
	}
	while ((slash = strrchr(path, '/')) != NULL && slash > path) {
		*slash = '\0';
		if (statfs(path, &fs) == 0) {
			gone = fs.f_type == CGROUP_SUPER_MAGIC ||
			       fs.f_type == CGROUP2_SUPER_MAGIC;
			break;
		}
	}
	free(path);
	return gone;
}

bool
cgroup_is_empty(char *const *folders)
{
	bool empty = folders[0] != NULL;

	for (; *folders != NULL; folders++) {
		if (cgfile_is_unified(*folders))
			return !is_busy(*folders);
		empty = empty && is_gone(*folders);
	}
	return empty;
}

/* --- plan ----------------------------------------------------------------- */

struct plan {
	struct cgroup *cgroup;
	const char *path; /* without a slash in front, see inside_clean */
	bool absolute;
};

/* Put a second slash before the first part of the path below `base` that is
 * not there yet, unless this is the last. Returns the folder to be freed. */
static char *
mark(const char *base, const char *path)
{
	char *folder = NULL;
	struct stat st;

	for (const char *slash = strchr(path, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		size_t end = slash - path;
		size_t start = end;

		while (start > 0 && path[start - 1] != '/')
			start--;
		if (asprintf(&folder, "%s/%.*s", base, (int)end, path) == -1)
			return NULL;
		bool there = stat(folder, &st) == 0;
		free(folder);
		if (there)
			continue;
		if (asprintf(&folder, "%s/%.*s/%s", base, (int)start, path,
			    path + start) == -1)
			return NULL;
		return folder;
	}
	return asprintf(&folder, "%s/%s", base, path) == -1 ? NULL : folder;
}

static int
plan_folder(const char *mount_point, const char *own, const char *controllers,
	void *data)
{
	struct plan *plan = data;
	char *base;
	int own_length = (int)strlen(own);

	if (controllers[0] == '\0')
		own_length = (int)(strrchr(own, '/') - own);
	if (plan->absolute || strcmp(own, "/") == 0)
		own_length = 0;
	if (asprintf(&base, "%s%.*s", mount_point, own_length, own) == -1)
		return -1;
	char *folder = mark(base, plan->path);
	free(base);
	if (folder != NULL && is_busy(folder)) {
		plan->cgroup->fault = folder;
		errno = EEXIST;
		return -1;
	}
	return lines_append(&plan->cgroup->folders, folder);
}

int
cgroup_plan(struct cgroup *cgroup, const char *path, const char *name)
{
	struct plan plan = {
		.cgroup = cgroup, .absolute = path != NULL && path[0] == '/'};
	char *usual = NULL;
	int result = -1;

	*cgroup = (struct cgroup){.folders = calloc(1, sizeof(char *)),
		.missing = calloc(1, sizeof(char *))};
	if (cgroup->folders == NULL || cgroup->missing == NULL)
		return -1;
	if (path == NULL && asprintf(&usual, "nslessons-%s", name) == -1)
		return -1;
	char *whole = inside_clean(path == NULL ? usual : path);
	free(usual);
	if (whole == NULL)
		return -1;
	plan.path = whole + strspn(whole, "/");
	if (plan.path[0] != '\0') {
		result = cgroup_each(NS_SELF, plan_folder, &plan);
	} else {
		cgroup->fault = strdup("linux.cgroupsPath");
		errno = EINVAL;
	}
	int error = errno;
	free(whole);
	errno = error;
	return result;
}

/* --- folders without processes -------------------------------------------- */

static int
remove_folder(int parent, const char *name, void *data)
{
	(void)data;
	return unlinkat(parent, name, AT_REMOVEDIR) == -1 && errno != ENOENT
		       ? -1
		       : 0;
}

/* What was made on the way to the folder, up to the mark. Others may have
 * come to use it: then it stays. */
static void
remove_way(const char *folder)
{
	const char *mark_at = strstr(folder, "//");
	char *path = mark_at == NULL ? NULL : strdup(folder), *slash;

	while (path != NULL) {
		slash = strrchr(path, '/');
		if (slash - path <= mark_at - folder + 1)
			break;
		*slash = '\0';
		if (rmdir(path) == -1)
			break;
	}
	free(path);
}

/* Remove what has no process in it. Returns 0, or -1 with errno. */
static int
remove_empty(char *const *folders)
{
	int error = 0;

	for (; *folders != NULL; folders++)
		if (walk(*folders, remove_folder, NULL) == 0)
			remove_way(*folders);
		else if (error == 0 || error == EBUSY)
			error = errno;
	errno = error;
	return error == 0 ? 0 : -1;
}

/* --- make and enter ------------------------------------------------------- */

/* Make what is not there of the part of the path that may be ours. */
static int
make_folder(char *folder)
{
	char *mark_at = strstr(folder, "//");
	int result = 0;

	for (char *slash = mark_at == NULL ? NULL : strchr(mark_at + 2, '/');
		slash != NULL && result == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		result = mkdir(folder, 0755);
		if (result == -1 && errno == EEXIST)
			result = 0;
		*slash = '/';
	}
	if (result == 0)
		result = mkdir(folder, 0755);
	if (result == -1 && errno == EEXIST) {
		result = is_busy(folder) ? -1 : 0;
		errno = EEXIST;
	}
	return result;
}

/*
 * In version 1 a new cpuset has no processors and no memory, and no process
 * may enter it. Give it what the one above has, which may be as empty.
 */
static int
inherit_cpuset( // NOLINT(misc-no-recursion)
	const char *folder, const char *file)
{
	char *above, *own = cgfile_read(folder, file), *theirs;
	int result = 0;

	/* No such controller, or there is something already. */
	if (own == NULL || own[0] != '\0') {
		free(own);
		return 0;
	}
	free(own);
	if (asprintf(&above, "%s/..", folder) == -1)
		return -1;
	result = inherit_cpuset(above, file);
	theirs = result == -1 ? NULL : cgfile_read(above, file);
	result = theirs == NULL ? -1 : cgfile_write(folder, file, theirs);
	int error = errno;
	free(theirs);
	free(above);
	errno = error;
	return result;
}

/* Returns 0, or -1 with errno, and nothing of it is left. */
static int
make_usable(char *folder)
{
	if (make_folder(folder) == 0 &&
		(cgfile_is_unified(folder) ||
			(inherit_cpuset(folder, "cpuset.cpus") == 0 &&
				inherit_cpuset(folder, "cpuset.mems") == 0)))
		return 0;
	int error = errno;
	/* Somebody else's stays. */
	if (error != EEXIST)
		(void)remove_empty((char *const[]){folder, NULL});
	errno = error;
	return -1;
}

/* ENOENT: the cgroup that we are in has been removed. */
static bool
is_not_for_us(int error)
{
	return error == EACCES || error == EPERM || error == EROFS ||
	       error == ENOENT;
}

int
cgroup_make(struct cgroup *cgroup, const struct bundle_resources *resources)
{
	char **folders = cgroup->folders;
	size_t made = 0;
	int error = 0;

	for (size_t i = 0; folders[i] != NULL; i++) {
		char *folder = folders[i];

		folders[i] = NULL;
		if (error == 0 && make_usable(folder) == 0) {
			folders[made++] = folder;
			continue;
		}
		if (error == 0 && !is_not_for_us(errno)) {
			error = errno;
			cgroup->fault = folder;
		} else {
			free(folder);
		}
	}
	if (error == 0 && cglimits_write(folders, resources, &cgroup->missing,
				  &cgroup->fault) == -1)
		error = errno;
	if (error != 0)
		(void)cgroup_remove(folders);
	errno = error;
	return error == 0 ? 0 : -1;
}

pid_t
cgroup_clone(char *const *folders, int flags, int *pidfd, bool *born)
{
	int folder = folders == NULL ? -1 : cgroup_open_unified(folders);
	struct clone_args args = {.flags = (unsigned)flags,
		.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD};

	if (pidfd != NULL) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)pidfd;
	}
	*born = folder != -1;
	if (*born) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)folder;
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	/* As in lesson02: EPERM would be a real no. */
	if (pid == -1 && errno == ENOSYS) {
		*born = false;
		args.flags &= ~CLONE_INTO_CGROUP;
		pid = (pid_t)syscall(SYS_clone, args.flags | args.exit_signal,
			NULL, pidfd, NULL, 0);
	}
	/* In both: a folder of the host is nothing to be taken inside. */
	int error = errno;
	if (folder != -1)
		close(folder);
	errno = error;
	return pid;
}

int
cgroup_enter(char *const *folders, pid_t pid, bool born)
{
	int result = 0;

	for (; *folders != NULL && result == 0; folders++)
		if (!born || !cgfile_is_unified(*folders))
			result = cgfile_enter(*folders, pid);
	return result;
}

int
cgroup_open_unified(char *const *folders)
{
	for (; *folders != NULL; folders++)
		if (cgfile_is_unified(*folders))
			return open(
				*folders, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = ENOENT;
	return -1;
}

/* --- remove --------------------------------------------------------------- */

static bool
is_among(pid_t pid, const pid_t *pids, int count)
{
	return count > 0 &&
	       bsearch(&pid, pids, count, sizeof(pid_t), compare_pids) != NULL;
}

static int
milliseconds_until(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	long long left = (end->tv_sec - now.tv_sec) * 1000LL +
			 (end->tv_nsec - now.tv_nsec) / 1000000;
	return left < 0 ? 0 : (int)left;
}

/*
 * Kill each process of a list by a descriptor that stands for it. Between the
 * listing and the opening the PID may have gone to a stranger; if it is in a
 * second listing, the process that we have opened is in the folders, or dead.
 */
static void
kill_listed(
	char *const *folders, struct pollfd *fds, const pid_t *pids, int count)
{
	pid_t *again = NULL;
	int still = cgroup_pids(folders, &again);

	for (int i = 0; i < count; i++)
		if (fds[i].fd != -1 && is_among(pids[i], again, still))
			(void)syscall(SYS_pidfd_send_signal, fds[i].fd, SIGKILL,
				NULL, 0);
	if (still != -1)
		free(again);
}

/* Kill what is in the folders now and wait for it. Returns 0, or -1. */
static int
kill_members(char *const *folders, const struct timespec *end)
{
	pid_t *pids;
	int count;

	/* Linux 5.14, version 2: all at once, also what is just forking. */
	for (char *const *f = folders; *f != NULL; f++)
		(void)cgfile_write(*f, "cgroup.kill", "1");
	count = cgroup_pids(folders, &pids);
	if (count == -1)
		return -1;
	struct pollfd *fds = calloc(count + 1, sizeof(*fds));
	for (int i = 0; fds != NULL && i < count; i++) {
		fds[i].fd = (int)syscall(SYS_pidfd_open, pids[i], 0);
		fds[i].events = POLLIN;
	}
	if (fds != NULL && count > 0)
		kill_listed(folders, fds, pids, count);
	for (int i = 0; fds != NULL && i < count; i++)
		if (fds[i].fd != -1) {
			poll(&fds[i], 1, milliseconds_until(end));
			close(fds[i].fd);
		}
	free(pids);
	free(fds);
	return fds == NULL ? -1 : 0;
}

/* The top of a hierarchy, or of what is mounted of it: never made by us. */
static bool
is_top(const char *folder)
{
	return cgfile_exists(folder, "cgroup.procs") &&
	       !cgfile_exists(folder, "../cgroup.procs");
}

/* Is it safe to kill what is in them? */
static int
check_removable(char *const *folders)
{
	pid_t *pids;
	int count;

	for (char *const *f = folders; *f != NULL; f++)
		if (is_top(*f)) {
			errno = EINVAL;
			return -1;
		}
	count = cgroup_pids(folders, &pids);
	if (count == -1)
		return -1;
	bool ours = is_among(getpid(), pids, count);
	free(pids);
	errno = EBUSY;
	return ours ? -1 : 0;
}

/* Mostly there is one, and it is empty by now: rmdir(2) removes no other. */
static bool
is_removed(char *const *folders)
{
	if (folders[0] == NULL || folders[1] != NULL ||
		(rmdir(folders[0]) == -1 && errno != ENOENT))
		return false;
	remove_way(folders[0]);
	return true;
}

int
cgroup_remove(char *const *folders)
{
	enum { SECONDS = 2 };
	struct timespec end;

	if (is_removed(folders))
		return 0;
	if (check_removable(folders) == -1)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SECONDS;
	/* Who lives could make folders as fast as we remove them. */
	for (;;) {
		if (kill_members(folders, &end) == -1)
			return -1;
		if (remove_empty(folders) == 0)
			return 0;
		if (errno != EBUSY || milliseconds_until(&end) == 0)
			return -1;
		/* The kernel takes a dead process out a moment after it has
		 * died. */
		poll(NULL, 0, 1);
	}
}

void
cgroup_free(struct cgroup *cgroup)
{
	lines_free(cgroup->folders);
	lines_free(cgroup->missing);
	free(cgroup->fault);
	*cgroup = (struct cgroup){NULL, NULL, NULL};
}
