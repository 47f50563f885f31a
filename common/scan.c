#include "scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tasks.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* listns(2) came with Linux 6.19; older headers do not have it. This is from
 * nsfs.h, fcntl.h and unistd.h in the kernel's include/uapi. */
#ifndef SYS_listns
#define SYS_listns 470
#endif
enum { NSFS_ROOT = -10003, NSFS_HANDLE = 0xf1 };

struct listns_request {
	uint32_t size, spare;
	uint64_t after; /* the id to go on from; 0 at first */
	uint32_t types, spare2;
	uint64_t owner;
};

struct nsfs_handle {
	uint32_t bytes; /* of what follows the kind */
	int32_t kind;
	uint64_t id;
	uint32_t type, ino; /* 0, 0: the id says enough */
};

/* What is known of a namespace during the walk only. */
struct work {
	bool asked;	  /* the kernel was asked for its owner and parent */
	bool mounts_read; /* mnt: its bind mounts are known */
	int child;	  /* one that keeps it alive, or SCAN_NONE */
	uid_t owner_uid;  /* user: of who made it */
};

struct walk {
	struct scan scan; /* what is found */
	bool holders;
	bool known[NS_TYPES]; /* the types that this kernel has */
	bool fd_counts; /* stat of /proc/PID/fd tells how many (Linux 6.2) */
	dev_t dev;	/* of all namespaces: the file system nsfs */
	int process_room, space_room;
	struct work *work; /* beside scan.spaces */
	int *table;	   /* from inodes to indices: a hash table */
	size_t table_size;
	char *text; /* room for a file */
	size_t text_room;
	int error; /* the errno that has ended the walk */
};

/* One process. `dir` is its folder in /proc. */
struct visit {
	struct walk *walk;
	struct scan_process *process;
	int dir;
	long long guessed; /* the descriptors below it were looked at */
};

/* A process that ends meanwhile is left out. That we have no descriptor or no
 * memory left is no such case: the rest would be missing in silence. */
static void
check_errno(struct walk *walk)
{
	if (walk->error == 0 &&
		(errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		walk->error = errno;
}

/* openat(2) for the walk. */
static int
open_at(struct walk *walk, int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags | O_CLOEXEC);

	if (fd == -1)
		check_errno(walk);
	return fd;
}

/* --- the namespaces that were found --------------------------------------- */

/* Where an inode is in the table, or where it would be. The numbers follow
 * each other, so they need no mixing. The kernel gives the number of one that
 * has ended to the next, of whatever type: so the type counts, too. */
static size_t
slot(const struct walk *walk, ino_t ino, int type)
{
	const struct scan_space *spaces = walk->scan.spaces;
	size_t at = ino & (walk->table_size - 1);

	while (walk->table[at] != SCAN_NONE &&
		(spaces[walk->table[at]].id.ino != ino ||
			spaces[walk->table[at]].type != type))
		at = (at + 1) & (walk->table_size - 1);
	return at;
}

/* Make room for twice as many; the table is never more than half full. Its
 * size is a power of two. */
static int
grow_spaces(struct walk *walk)
{
	struct scan *scan = &walk->scan;
	int room = walk->space_room == 0 ? 64 : 2 * walk->space_room;
	struct scan_space *spaces =
		reallocarray(scan->spaces, room, sizeof(*spaces));

	if (spaces == NULL)
		return -1;
	scan->spaces = spaces;
	struct work *work = reallocarray(walk->work, room, sizeof(*work));
	if (work == NULL)
		return -1;
	walk->work = work;
	free(walk->table);
	walk->table_size = 2 * (size_t)room;
	walk->table = reallocarray(NULL, walk->table_size, sizeof(int));
	if (walk->table == NULL)
		return -1;
	for (size_t i = 0; i < walk->table_size; i++)
		walk->table[i] = SCAN_NONE;
	for (int i = 0; i < scan->space_count; i++)
		walk->table[slot(walk, spaces[i].id.ino, spaces[i].type)] = i;
	walk->space_room = room;
	return 0;
}

/* The index of a namespace; a new one is added. SCAN_NONE without memory. */
static int
space_at(struct walk *walk, ino_t ino, int type)
{
	struct scan *scan = &walk->scan;

	if (walk->error != 0)
		return SCAN_NONE;
	if (scan->space_count == walk->space_room && grow_spaces(walk) == -1) {
		walk->error = ENOMEM;
		return SCAN_NONE;
	}
	int *index = &walk->table[slot(walk, ino, type)];
	if (*index != SCAN_NONE)
		return *index;
	*index = scan->space_count++;
	scan->spaces[*index] = (struct scan_space){
		.id = {walk->dev, ino},
		.type = type,
		.oldest = SCAN_NONE,
		.uid = (uid_t)-1,
		.parent = SCAN_NONE,
		.owner = SCAN_NONE,
	};
	walk->work[*index] =
		(struct work){.child = SCAN_NONE, .owner_uid = (uid_t)-1};
	return *index;
}

/* Note what keeps a namespace alive. The first keeper has its words, which
 * count only where no process is in it. */
static void keep(struct walk *walk, int index, int how, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void
keep(struct walk *walk, int index, int how, const char *format, ...)
{
	struct scan_space *space = &walk->scan.spaces[index];
	va_list arguments;

	space->keepers |= how;
	if (space->keeper != NULL)
		return;
	va_start(arguments, format);
	if (vasprintf(&space->keeper, format, arguments) == -1) {
		space->keeper = NULL;
		walk->error = ENOMEM;
	}
	va_end(arguments);
}

static void learn(struct walk *walk, int index, int fd);

/* The namespace above one. At the edge of what we may see the kernel answers
 * EPERM. */
static int
above( // NOLINT(misc-no-recursion)
	struct walk *walk, int index, int fd, unsigned long request, int type)
{
	int other = ioctl(fd, request), found = SCAN_NONE;
	struct stat st;

	if (other == -1) {
		check_errno(walk);
		return SCAN_NONE;
	}
	if (fstat(other, &st) == 0)
		found = space_at(walk, st.st_ino, type);
	if (found != SCAN_NONE) {
		walk->scan.spaces[found].keepers |= SCAN_CHILD;
		walk->work[found].child = index;
		if (!walk->work[found].asked)
			learn(walk, found, other);
	}
	close(other);
	return found;
}

/* Ask the kernel about a namespace, once: ioctl_ns(2). A user namespace is
 * owned by its parent. They are nested at most 32 deep. */
static void
learn( // NOLINT(misc-no-recursion)
	struct walk *walk, int index, int fd)
{
	const int type = walk->scan.spaces[index].type;
	const int flag = ns_types[type].flag;
	int parent = SCAN_NONE, owner = SCAN_NONE;

	walk->work[index].asked = true;
	if (flag == CLONE_NEWPID || flag == CLONE_NEWUSER)
		parent = above(walk, index, fd, NS_GET_PARENT, type);
	if (flag == CLONE_NEWUSER)
		owner = parent;
	else
		owner = above(walk, index, fd, NS_GET_USERNS,
			ns_type_of(CLONE_NEWUSER));
	if (flag == CLONE_NEWUSER)
		ioctl(fd, NS_GET_OWNER_UID, &walk->work[index].owner_uid);
	walk->scan.spaces[index].parent = parent;
	walk->scan.spaces[index].owner = owner;
}

/* The namespace of an open file. SCAN_NONE if it is none. */
static int
space_of_fd(struct walk *walk, int fd)
{
	struct stat st;
	int type, index;

	if (fstat(fd, &st) == -1 || st.st_dev != walk->dev)
		return SCAN_NONE;
	type = ns_type_of(ioctl(fd, NS_GET_NSTYPE));
	if (type == NS_TYPES)
		return SCAN_NONE;
	index = space_at(walk, st.st_ino, type);
	if (index != SCAN_NONE && walk->holders && !walk->work[index].asked)
		learn(walk, index, fd);
	return index;
}

/*
 * The same by a path. By now it may lead elsewhere, even to a FIFO, whose
 * opening would wait for ever, or to a device. So a look comes before the
 * opening.
 */
static int
space_of_path(struct walk *walk, int dir, const char *path)
{
	int place = open_at(walk, dir, path, O_PATH), index = SCAN_NONE;
	char self[sizeof("/proc/self/fd/2147483647")];
	struct stat st;

	if (place == -1)
		return SCAN_NONE;
	if (fstat(place, &st) == 0 && st.st_dev == walk->dev) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
		int fd = open_at(walk, AT_FDCWD, self, O_RDONLY);
		if (fd != -1) {
			index = space_of_fd(walk, fd);
			close(fd);
		}
	}
	close(place);
	return index;
}

/* --- links ---------------------------------------------------------------- */

/* A link names its type; an inode alone is no link. */
static bool
parse_link(const char *text, int *type, ino_t *ino)
{
	return ns_parse(text, type, ino) && *type < NS_TYPES;
}

/* A namespace's name is short; of a longer one the beginning is enough. */
static bool
read_link(int dir, const char *path, char text[64])
{
	ssize_t length = readlinkat(dir, path, text, 63);

	text[length == -1 ? 0 : length] = '\0';
	return length != -1;
}

static bool
must_learn(const struct walk *walk, int index)
{
	return index != SCAN_NONE && walk->holders && !walk->work[index].asked;
}

/* The process may have moved meanwhile: is it still this namespace? */
static void
learn_by_link(struct walk *walk, int index, int dir, const char *link)
{
	int fd = open_at(walk, dir, link, O_RDONLY);
	struct stat st;

	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && st.st_ino == walk->scan.spaces[index].id.ino)
		learn(walk, index, fd);
	close(fd);
}

/* The namespace that a link of /proc/PID/ns names, or SCAN_NONE with errno. To
 * read the link is cheaper than stat(2), which goes to the namespace. */
static int
follow(struct walk *walk, int dir, const char *link)
{
	char text[64];
	int type, index;
	ino_t ino;

	if (!read_link(dir, link, text))
		return SCAN_NONE;
	errno = ENOENT;
	if (!parse_link(text, &type, &ino))
		return SCAN_NONE;
	index = space_at(walk, ino, type);
	if (must_learn(walk, index))
		learn_by_link(walk, index, dir, link);
	return index;
}

/*
 * All links of a folder /proc/PID/ns. The permission is that of ptrace(2), the
 * same for all: after one refusal we do not try the others.
 * Returns how many could be read.
 */
static int
follow_all(struct walk *walk, int dir, int *spaces, bool *denied)
{
	int count = 0;

	*denied = false;
	for (int i = 0; i < NS_TYPES; i++) {
		spaces[i] = SCAN_NONE;
		if (!walk->known[i] || *denied)
			continue;
		spaces[i] = follow(walk, dir, ns_types[i].name);
		if (spaces[i] != SCAN_NONE)
			count++;
		else
			*denied = errno == EACCES || errno == EPERM;
	}
	return count;
}

/* --- what keeps a namespace alive besides processes ----------------------- */

static void
read_futures(struct visit *visit, int dir)
{
	static const char *const links[] = {
		"pid_for_children", "time_for_children"};
	static const int flags[] = {CLONE_NEWPID, CLONE_NEWTIME};
	struct scan_process *process = visit->process;

	for (int i = 0; i < 2; i++) {
		int type = ns_type_of(flags[i]);
		int found = follow(visit->walk, dir, links[i]);

		if (found == SCAN_NONE || found == process->space[type])
			continue;
		process->future[type] = found;
		keep(visit->walk, found, SCAN_FUTURE, "%s of %d (%s)", links[i],
			process->pid, process->name);
	}
}

/* Call a function for each number that is a name in a folder. It is done for
 * each process, so it saves the calls that opendir(3) needs besides. */
static void
each_number(struct visit *visit, const char *folder,
	void (*call)(struct visit *, const char *))
{
	int fd = open_at(
		visit->walk, visit->dir, folder, O_RDONLY | O_DIRECTORY);
	_Alignas(struct dirent64) char entries[4096];
	ssize_t n;

	if (fd == -1)
		return;
	while ((n = getdents64(fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry =
				(const struct dirent64 *)(entries + at);

			at += entry->d_reclen;
			if (isdigit((unsigned char)entry->d_name[0]))
				call(visit, entry->d_name);
		}
	close(fd);
}

/*
 * An open namespace is named as its link in /proc/PID/ns is. One that was
 * opened by the path of a bind mount is named by this path, and the mount
 * keeps it alive, too. When it is unmounted, the name becomes "/".
 * Returns false when there is no such descriptor.
 */
static bool
look_at_fd(struct visit *visit, long long number)
{
	const struct scan_process *process = visit->process;
	char path[32], text[64];
	ino_t ino;
	int type;

	snprintf(path, sizeof(path), "fd/%lld", number);
	if (!read_link(visit->dir, path, text))
		return false;
	if (strcmp(text, "/") != 0 && !parse_link(text, &type, &ino))
		return true;
	int index = space_of_path(visit->walk, visit->dir, path);
	if (index != SCAN_NONE)
		keep(visit->walk, index, SCAN_FD, "fd %lld of %d (%s)", number,
			process->pid, process->name);
	return true;
}

static void
read_fd(struct visit *visit, const char *name)
{
	long long number = strtoll(name, NULL, 10);

	if (number >= visit->guessed)
		look_at_fd(visit, number);
}

/*
 * Most processes have a few descriptors, with the numbers 0, 1, 2 and so on.
 * To guess them costs half of what it costs to list them. Those behind a
 * number that is not in use are listed.
 */
static void
read_fds(struct visit *visit)
{
	struct stat st;

	if (fstatat(visit->dir, "fd", &st, 0) == -1)
		return;
	errno = 0;
	while (visit->walk->fd_counts && visit->guessed < st.st_size &&
		look_at_fd(visit, visit->guessed))
		visit->guessed++;
	/* EACCES: another user's. It is not ours to list, either. */
	if (!visit->walk->fd_counts ||
		(visit->guessed < st.st_size && errno != EACCES))
		each_number(visit, "fd", read_fd);
}

/* Read a whole file into walk->text. */
static bool
read_text(struct walk *walk, int dir, const char *path)
{
	int fd = open_at(walk, dir, path, O_RDONLY);
	size_t used = 0;
	ssize_t n = 1;

	while (fd != -1 && n > 0) {
		if (walk->text_room - used < 4096) {
			size_t room = 2 * walk->text_room + 16384;
			char *text = realloc(walk->text, room);

			if (text == NULL) {
				walk->error = ENOMEM;
				break;
			}
			walk->text = text;
			walk->text_room = room;
		}
		n = read(fd, walk->text + used, walk->text_room - used - 1);
		used += n > 0 ? n : 0;
	}
	if (fd == -1)
		return false;
	close(fd);
	if (walk->text != NULL)
		walk->text[used] = '\0';
	return n == 0;
}

/* mountinfo writes blanks, newlines and backslashes as \040, see proc(5). */
static void
decode(char *path)
{
	char *to = path;

	for (const char *from = path; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] != '\0' && from[2] != '\0' &&
			from[3] != '\0') {
			*to = (char)((from[1] - '0') * 64 +
				     (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* A line is "ID PARENT DEVICE ROOT PLACE ... - TYPE SOURCE OPTIONS"; here ROOT
 * is the namespace's name. mounts: the mount namespace. */
static void
read_mount(struct visit *visit, int mounts, char *line)
{
	const struct scan_process *process = visit->process;
	struct walk *walk = visit->walk;
	char *field = NULL, *root = NULL, *rest, *path;
	int type, index;
	ino_t ino;

	for (int i = 1; i <= 5; i++) {
		root = field;
		field = strtok_r(i == 1 ? line : NULL, " ", &rest);
	}
	if (field == NULL || !parse_link(root, &type, &ino))
		return;
	index = space_at(walk, ino, type);
	decode(field);
	if (index == SCAN_NONE || asprintf(&path, "root%s", field) == -1)
		return;
	if (!walk->work[index].asked)
		space_of_path(walk, visit->dir, path);
	free(path);
	if (ns_same(walk->scan.spaces[mounts].id,
		    walk->scan.host[ns_type_of(CLONE_NEWNS)]))
		keep(walk, index, SCAN_MOUNT, "bind mount %s", field);
	else
		keep(walk, index, SCAN_MOUNT, "bind mount %s seen by %d (%s)",
			field, process->pid, process->name);
}

/* One process for each mount namespace: the first that may be read. One that
 * has called chroot(2) does not see all mounts: so the next is read, too. */
static void
read_mounts(struct visit *visit, int space)
{
	struct walk *walk = visit->walk;
	char root[64];

	if (space == SCAN_NONE || walk->work[space].mounts_read ||
		!read_text(walk, visit->dir, "mountinfo"))
		return;
	walk->work[space].mounts_read =
		read_link(visit->dir, "root", root) && strcmp(root, "/") == 0;
	for (char *line = walk->text, *end; *line != '\0'; line = end) {
		end = strchrnul(line, '\n');
		if (*end == '\n')
			*end++ = '\0';
		if (strstr(line, " - nsfs ") != NULL)
			read_mount(visit, space, line);
	}
}

/*
 * A thread may be elsewhere than its process, and may have descriptors of its
 * own: the kernel tells whether two have the same table (kcmp(2)). The first in
 * /proc/PID/task is the process itself, and differs in nothing; but when it has
 * ended before the others, it has no table.
 */
static void
read_thread(struct visit *visit, const char *tid)
{
	enum { FILES = 2 }; /* KCMP_FILES */
	const int mnt = ns_type_of(CLONE_NEWNS);
	const struct scan_process *process = visit->process;
	struct visit thread = {.walk = visit->walk, .process = visit->process};
	int spaces[NS_TYPES];
	char path[40];
	bool denied;

	snprintf(path, sizeof(path), "task/%.20s", tid);
	thread.dir =
		open_at(visit->walk, visit->dir, path, O_PATH | O_DIRECTORY);
	if (thread.dir == -1)
		return;
	int dir = open_at(visit->walk, thread.dir, "ns", O_PATH | O_DIRECTORY);
	if (dir == -1) {
		close(thread.dir);
		return;
	}
	follow_all(visit->walk, dir, spaces, &denied);
	close(dir);
	for (int i = 0; i < NS_TYPES; i++)
		if (spaces[i] != SCAN_NONE && spaces[i] != process->space[i])
			keep(visit->walk, spaces[i], SCAN_THREAD,
				"thread %s of %d (%s)", tid, process->pid,
				process->name);
	if (!denied && spaces[mnt] != process->space[mnt])
		read_mounts(&thread, spaces[mnt]);
	if (!denied && syscall(SYS_kcmp, process->pid, strtol(tid, NULL, 10),
			       FILES, 0, 0) > 0)
		read_fds(&thread);
	close(thread.dir);
}

/* --- the walk ------------------------------------------------------------- */

/*
 * A line of /proc/PID/stat: "PID (NAME) STATE PPID ...". The name may hold
 * parentheses, blanks and newlines; what follows it may not.
 */
static bool
parse_stat(char *text, struct scan_process *process)
{
	char *name = strchr(text, '('), *end = strrchr(text, ')');
	int field = 2;

	if (name == NULL || end == NULL || end < name || end[1] != ' ')
		return false;
	*end = '\0';
	process->name = strdup(name + 1);
	process->state = end[2];
	for (char *at = end + 1; at != NULL; at = strchr(at + 1, ' ')) {
		field++;
		if (field == 4)
			process->ppid = (pid_t)strtol(at, NULL, 10);
		else if (field == 20)
			process->threads = (int)strtol(at, NULL, 10);
		else if (field == 22)
			process->start = strtoull(at, NULL, 10);
		if (field == 22)
			break;
	}
	return field == 22;
}

/* Enough for all fields up to the start time. */
static bool
read_stat(struct walk *walk, int dir, struct scan_process *process)
{
	char text[1024];
	int fd = open_at(walk, dir, "stat", O_RDONLY);

	if (fd == -1)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	errno = ESRCH;
	if (n <= 0 || !parse_stat(text, process))
		return false;
	if (process->name == NULL)
		walk->error = ENOMEM;
	return process->name != NULL;
}

/* Returns false when the process has ended before it told anything. */
static bool
read_process(struct visit *visit)
{
	struct scan_process *process = visit->process;
	struct walk *walk = visit->walk;
	struct stat st;
	bool denied;

	if (fstat(visit->dir, &st) == -1)
		return false;
	if (!read_stat(walk, visit->dir, process)) {
		/* With hidepid=1, of another user's nothing but the PID. */
		walk->scan.unreadable += errno == EACCES || errno == EPERM;
		return false;
	}
	process->uid = st.st_uid;
	int dir = open_at(walk, visit->dir, "ns", O_PATH | O_DIRECTORY);
	if (dir == -1)
		return false;
	int links = follow_all(walk, dir, process->space, &denied);
	if (walk->holders && !denied)
		read_futures(visit, dir);
	close(dir);
	/* A zombie has left all its namespaces but pid and user. */
	if (denied && process->state != 'Z')
		walk->scan.unreadable++;
	if (walk->holders && process->threads > 1)
		each_number(visit, "task", read_thread);
	if (walk->holders && !denied && process->state != 'Z') {
		read_fds(visit);
		read_mounts(visit, process->space[ns_type_of(CLONE_NEWNS)]);
	}
	return links > 0 || denied || process->state == 'Z';
}

/* Room for one process more, which counts only when it is read. NULL without
 * memory. */
static struct scan_process *
next_process(struct walk *walk, pid_t pid)
{
	struct scan *scan = &walk->scan;

	if (scan->process_count == walk->process_room) {
		int room = 2 * walk->process_room + 256;
		struct scan_process *more = reallocarray(
			scan->processes, room, sizeof(*scan->processes));

		if (more == NULL) {
			walk->error = ENOMEM;
			return NULL;
		}
		scan->processes = more;
		walk->process_room = room;
	}
	struct scan_process *process = &scan->processes[scan->process_count];
	*process = (struct scan_process){.pid = pid};
	for (int i = 0; i < NS_TYPES; i++)
		process->future[i] = SCAN_NONE;
	return process;
}

/*
 * The descriptor of the folder stands for the process, not for its PID: when
 * the process has ended, all that is read through it fails, and never tells of
 * another process that has the PID now.
 */
static void
visit_process(struct walk *walk, int proc, const char *name)
{
	struct visit visit = {.walk = walk,
		.process = next_process(walk, (pid_t)strtol(name, NULL, 10)),
		.dir = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC)};

	if (visit.dir == -1 && errno != ENOENT && errno != ESRCH)
		walk->error = errno;
	if (visit.dir == -1)
		return;
	if (walk->error == 0 && read_process(&visit))
		walk->scan.process_count++;
	else if (visit.process != NULL)
		free(visit.process->name);
	close(visit.dir);
}

static int
compare_processes(const void *a, const void *b)
{
	pid_t left = ((const struct scan_process *)a)->pid;
	pid_t right = ((const struct scan_process *)b)->pid;

	return (left > right) - (left < right);
}

static void
sort_processes(struct scan *scan)
{
	if (scan->process_count > 0)
		qsort(scan->processes, scan->process_count,
			sizeof(*scan->processes), compare_processes);
}

static void
walk_proc(struct walk *walk)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (proc == NULL) {
		walk->error = errno;
		return;
	}
	while (walk->error == 0 && (errno = 0, entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			visit_process(walk, dirfd(proc), entry->d_name);
	if (walk->error == 0 && errno != 0)
		walk->error = errno;
	closedir(proc);
	sort_processes(&walk->scan);
}

/* --- what the kernel tells of its tasks ----------------------------------- */

static int
open_process(struct walk *walk, pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	if (pid == tid)
		snprintf(path, sizeof(path), "/proc/%d", pid);
	return open_at(walk, AT_FDCWD, path, O_PATH | O_DIRECTORY);
}

/* What a task does not tell, its folder in /proc does. For most, all of it is
 * known from the process before. */
static void
complete_process(struct visit *visit)
{
	const struct scan_process *process = visit->process;
	const int mnt = process->space[ns_type_of(CLONE_NEWNS)];
	struct walk *walk = visit->walk;
	bool complete = mnt == SCAN_NONE || walk->work[mnt].mounts_read;
	char link[32];

	for (int i = 0; i < NS_TYPES; i++)
		complete = complete && !must_learn(walk, process->space[i]) &&
			   process->future[i] == SCAN_NONE;
	if (complete)
		return;
	visit->dir = open_process(walk, process->pid, process->pid);
	if (visit->dir == -1)
		return;
	for (int i = 0; i < NS_TYPES; i++) {
		snprintf(link, sizeof(link), "ns/%s", ns_types[i].name);
		if (must_learn(walk, process->space[i]))
			learn_by_link(
				walk, process->space[i], visit->dir, link);
	}
	int dir = open_at(walk, visit->dir, "ns", O_PATH | O_DIRECTORY);
	if (dir != -1) {
		read_futures(visit, dir);
		close(dir);
	}
	read_mounts(visit, mnt);
	close(visit->dir);
}

static int
space_of_inode(struct walk *walk, ino_t ino, int type)
{
	return ino == 0 ? SCAN_NONE : space_at(walk, ino, type);
}

static void
add_task(struct walk *walk, const struct task *task)
{
	const struct {
		int flag;
		ino_t ino;
	} futures[] = {{CLONE_NEWPID, task->pid_for_children},
		{CLONE_NEWTIME, task->time_for_children}};
	const long ticks = sysconf(_SC_CLK_TCK);
	struct scan_process *process = next_process(walk, (pid_t)task->pid);

	if (process == NULL)
		return;
	process->ppid = (pid_t)task->ppid;
	process->uid = task->uid;
	process->start = task->start / (1000000000 / (uint64_t)ticks);
	process->state = tasks_state(task);
	process->threads = (int)task->threads;
	process->name = tasks_is_kernel(task) ? proc_name(process->pid) : NULL;
	if (process->name == NULL)
		process->name = strndup(task->name, sizeof(task->name));
	if (process->name == NULL)
		walk->error = ENOMEM;
	for (int i = 0; i < NS_TYPES; i++)
		process->space[i] = space_of_inode(walk, task->space[i], i);
	for (int i = 0; walk->holders && i < 2; i++) {
		int type = ns_type_of(futures[i].flag);
		int found = space_of_inode(walk, futures[i].ino, type);

		if (found != process->space[type])
			process->future[type] = found;
	}
	walk->scan.process_count++;
	if (walk->holders)
		complete_process(&(struct visit){
			.walk = walk, .process = process, .dir = -1});
}

/* A thread that is elsewhere than its process. */
static void
add_thread(struct walk *walk, const struct task *task)
{
	struct visit visit = {.walk = walk};
	int index = scan_find_process(&walk->scan, (pid_t)task->pid);
	bool elsewhere = false;
	char tid[16];

	if (index == SCAN_NONE)
		return;
	visit.process = &walk->scan.processes[index];
	for (int i = 0; i < NS_TYPES; i++)
		elsewhere = elsewhere || space_of_inode(walk, task->space[i],
						 i) != visit.process->space[i];
	visit.dir = elsewhere ? open_process(walk, (pid_t)task->pid,
					(pid_t)task->pid)
			      : -1;
	if (visit.dir == -1)
		return;
	snprintf(tid, sizeof(tid), "%u", task->tid);
	read_thread(&visit, tid);
	close(visit.dir);
}

static void
add_file(struct walk *walk, const struct task_file *file)
{
	struct visit visit = {.walk = walk};
	int index = scan_find_process(&walk->scan, (pid_t)file->pid);

	if (index == SCAN_NONE)
		return;
	visit.process = &walk->scan.processes[index];
	visit.dir = open_process(walk, (pid_t)file->pid, (pid_t)file->tid);
	if (visit.dir == -1)
		return;
	look_at_fd(&visit, file->fd);
	close(visit.dir);
}

/* Parents that the kernel has left out of its list, but not out of /proc: a
 * security module may do that. */
static void
add_parents(struct walk *walk)
{
	int proc = open_at(walk, AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
	char name[16];

	for (int i = 0; proc != -1 && i < walk->scan.process_count; i++) {
		pid_t ppid = walk->scan.processes[i].ppid;

		if (ppid == 0 ||
			scan_find_process(&walk->scan, ppid) != SCAN_NONE)
			continue;
		snprintf(name, sizeof(name), "%d", ppid);
		visit_process(walk, proc, name);
		sort_processes(&walk->scan);
	}
	if (proc != -1)
		close(proc);
}

/* As walk_proc. Returns whether the kernel told us. */
static bool
ask_for_tasks(struct walk *walk)
{
	struct tasks tasks;

	if (tasks_take(&tasks, walk->holders) == -1)
		return false;
	for (size_t i = 0; walk->error == 0 && i < tasks.count; i++)
		if (tasks.task[i].tid == tasks.task[i].pid)
			add_task(walk, &tasks.task[i]);
	sort_processes(&walk->scan);
	add_parents(walk);
	for (size_t i = 0; walk->holders && i < tasks.count; i++)
		if (tasks.task[i].tid != tasks.task[i].pid)
			add_thread(walk, &tasks.task[i]);
	for (size_t i = 0; i < tasks.file_count; i++)
		add_file(walk, &tasks.file[i]);
	tasks_free(&tasks);
	return true;
}

/*
 * The kernel's own list of the namespaces that we may see. It is taken before
 * the walk: then a namespace in which nobody was found had nobody, or has
 * ended since. Returns whether the kernel has the call.
 */
static bool
list_all(struct walk *walk)
{
	struct listns_request request = {.size = sizeof(request)};
	uint64_t ids[512];
	long count;

	while ((count = syscall(SYS_listns, &request, ids, 512, 0)) > 0) {
		for (long i = 0; i < count; i++) {
			struct nsfs_handle handle = {
				.bytes = 16, .kind = NSFS_HANDLE, .id = ids[i]};
			int fd = (int)syscall(SYS_open_by_handle_at, NSFS_ROOT,
				&handle, O_RDONLY | O_CLOEXEC);

			if (fd == -1)
				continue;
			space_of_fd(walk, fd);
			close(fd);
		}
		request.after = ids[count - 1];
	}
	/* ENOENT: there is none behind the last one. */
	return count == 0 || (request.after != 0 && errno == ENOENT);
}

/* --- what follows from it ------------------------------------------------- */

static void
count_members(struct scan *scan)
{
	for (int i = 0; i < scan->process_count; i++) {
		const struct scan_process *process = &scan->processes[i];

		for (int type = 0; type < NS_TYPES; type++) {
			if (process->space[type] == SCAN_NONE)
				continue;
			struct scan_space *space =
				&scan->spaces[process->space[type]];
			space->keepers |= SCAN_PROCESS;
			if (space->processes++ == 0 ||
				process->start <
					scan->processes[space->oldest].start)
				space->oldest = i;
			space->uid = scan->processes[space->oldest].uid;
		}
	}
}

/* Of each namespace in which no process is: whose it is, and what keeps it. */
static void
explain_empty(struct walk *walk)
{
	struct scan *scan = &walk->scan;

	for (int i = 0; i < scan->space_count; i++) {
		struct scan_space *space = &scan->spaces[i];
		bool user = ns_types[space->type].flag == CLONE_NEWUSER;
		int child = walk->work[i].child;
		int owner = user ? i : space->owner;

		if (space->processes > 0) {
			free(space->keeper);
			space->keeper = NULL;
			continue;
		}
		if (owner != SCAN_NONE)
			space->uid = walk->work[owner].owner_uid;
		if (child == SCAN_NONE) {
			keep(walk, i, 0, "found by listns(2) alone");
			continue;
		}
		const struct scan_space *below = &scan->spaces[child];
		keep(walk, i, 0, "%s of %s:[%lu]",
			below->parent == i ? "parent" : "owner",
			ns_types[below->type].name, below->id.ino);
	}
}

/* For qsort_r: indices, by type, then by inode. */
static int
compare_spaces(const void *a, const void *b, void *spaces)
{
	const struct scan_space *left =
		(const struct scan_space *)spaces + *(const int *)a;
	const struct scan_space *right =
		(const struct scan_space *)spaces + *(const int *)b;

	if (left->type != right->type)
		return left->type < right->type ? -1 : 1;
	return (left->id.ino > right->id.ino) - (left->id.ino < right->id.ino);
}

static void
move(int *index, const int *places)
{
	if (*index != SCAN_NONE)
		*index = places[*index];
}

/* Bring the namespaces into order, and all indices after them. */
static int
sort_spaces(struct scan *scan)
{
	int count = scan->space_count;
	struct scan_space *sorted = calloc(count + 1, sizeof(*sorted));
	int *order = calloc(count + 1, sizeof(int));
	int *places = calloc(count + 1, sizeof(int));

	if (sorted == NULL || order == NULL || places == NULL) {
		free(sorted);
		free(order);
		free(places);
		return -1;
	}
	for (int i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(int), compare_spaces, scan->spaces);
	for (int i = 0; i < count; i++) {
		sorted[i] = scan->spaces[order[i]];
		places[order[i]] = i;
	}
	for (int i = 0; i < count; i++) {
		move(&sorted[i].parent, places);
		move(&sorted[i].owner, places);
	}
	for (int i = 0; i < scan->process_count; i++)
		for (int type = 0; type < NS_TYPES; type++) {
			move(&scan->processes[i].space[type], places);
			move(&scan->processes[i].future[type], places);
		}
	free(scan->spaces);
	scan->spaces = sorted;
	free(order);
	free(places);
	return 0;
}

/* --- for all --------------------------------------------------------------- */

/* What we are is what we compare with; and it tells which types there are. */
static int
look_at_ourselves(struct walk *walk)
{
	struct stat st;

	for (int i = 0; i < NS_TYPES; i++) {
		struct ns_id *id = &walk->scan.host[i];

		walk->known[i] = ns_get(NS_SELF, ns_types[i].name, id) == 0;
		if (walk->known[i])
			walk->dev = id->dev;
		else if (errno != ENOENT)
			return -1;
	}
	if (stat("/proc/self/fd", &st) == -1)
		return -1;
	walk->fd_counts = st.st_size > 0;
	return 0;
}

int
scan_take(struct scan *scan, int how)
{
	static const char *const ways[2][2] = {
		{"walk of /proc", "eBPF and /proc"},
		{"listns(2) and /proc", "listns(2), eBPF and /proc"}};
	struct walk walk = {.holders = (how & SCAN_HOLDERS) != 0};

	if (look_at_ourselves(&walk) == -1 || grow_spaces(&walk) == -1) {
		walk.error = errno;
	} else {
		bool listed = list_all(&walk);
		bool told = (how & SCAN_WALK) == 0 && ask_for_tasks(&walk);

		if (!told)
			walk_proc(&walk);
		walk.scan.way = ways[listed][told];
	}
	if (walk.error == 0) {
		/* A /proc of which one may read shows PID 1 to all. */
		walk.scan.hidden = access("/proc/1", F_OK) == -1;
		count_members(&walk.scan);
		explain_empty(&walk);
	}
	free(walk.work);
	free(walk.table);
	free(walk.text);
	*scan = walk.scan;
	if (walk.error == 0 && sort_spaces(scan) == -1)
		walk.error = ENOMEM;
	if (walk.error == 0)
		return 0;
	scan_free(scan);
	errno = walk.error;
	return -1;
}

/* The arguments with blanks between them: of 2 MB, only what anyone reads. */
static char *
read_command(pid_t pid)
{
	enum { MOST = 4096 };
	char *text = malloc(MOST + 1);
	ssize_t n =
		text == NULL ? -1 : proc_peek(pid, "cmdline", text, MOST + 1);

	if (n == -1) {
		free(text);
		return NULL;
	}
	while (n > 0 && text[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return text;
}

static bool
is_still(const struct scan_process *process)
{
	unsigned long long start;

	return proc_start_time(process->pid, &start) == 0 &&
	       start == process->start;
}

int
scan_details(struct scan_process *process)
{
	if (process->detailed)
		return 0;
	/* What was read between two equal start times is of this process. */
	bool alive = is_still(process);
	char *command = alive ? read_command(process->pid) : NULL;
	char *cgroups = alive ? proc_read(process->pid, "cgroup") : NULL;
	int levels = alive ? proc_nspids(process->pid, process->pids) : -1;

	if (levels == -1 || command == NULL || cgroups == NULL ||
		!is_still(process)) {
		free(command);
		free(cgroups);
		errno = ESRCH;
		return -1;
	}
	process->command = command;
	process->cgroups = cgroups;
	process->levels = levels;
	process->detailed = true;
	return 0;
}

int
scan_find_space(const struct scan *scan, ino_t ino)
{
	for (int i = 0; i < scan->space_count; i++)
		if (scan->spaces[i].id.ino == ino)
			return i;
	return SCAN_NONE;
}

int
scan_find_process(const struct scan *scan, pid_t pid)
{
	const struct scan_process key = {.pid = pid};
	const struct scan_process *found =
		scan->process_count == 0
			? NULL
			: bsearch(&key, scan->processes, scan->process_count,
				  sizeof(key), compare_processes);

	return found == NULL ? SCAN_NONE : (int)(found - scan->processes);
}

void
scan_free(struct scan *scan)
{
	for (int i = 0; i < scan->process_count; i++) {
		free(scan->processes[i].name);
		free(scan->processes[i].command);
		free(scan->processes[i].cgroups);
	}
	for (int i = 0; i < scan->space_count; i++)
		free(scan->spaces[i].keeper);
	free(scan->processes);
	free(scan->spaces);
	*scan = (struct scan){0};
}
