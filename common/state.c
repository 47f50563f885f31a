#include "state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "die.h"
#include "display.h"
#include "jsonfile.h"
#include "ns.h"
#include "proc.h"
#include "user.h"

static const char format_name[] = "nslessons-state";
static const char file_name[] = "state.json";
static const char new_file[] = "state.json.new";
/* Becomes a container's folder, or was one. It is no name. */
static const char scrap[] = ".scrap";

const char *const state_words[] = {"creating", "running", "stopped"};

enum { VERSION = 1, PATIENCE = 5000 /* ms */ };

static char *
make_line(const char *format, va_list arguments)
{
	char *text, *line;

	if (vasprintf(&text, format, arguments) == -1)
		die("malloc");
	line = display_clean(text);
	free(text);
	return line;
}

/* Set errno and *error. Returns -1. */
static int __attribute__((format(printf, 3, 4)))
fail(char **error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	*error = make_line(format, arguments);
	va_end(arguments);
	errno = code;
	return -1;
}

static void __attribute__((format(printf, 2, 3)))
say(const char *name, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *line = make_line(format, arguments);
	va_end(arguments);
	display_message(stderr, 2, "%s: %s: %s", program_invocation_short_name,
		name, line);
	free(line);
}

bool
state_is_name(const char *name)
{
	size_t length = strlen(name);

	for (const char *c = name; *c != '\0'; c++)
		if (!isascii(*c) || (!isalnum(*c) && !strchr("_+-.", *c)))
			return false;
	return length >= 1 && length <= NAME_MAX && name[0] != '.';
}

/* --- The folder of all states -------------------------------------------- */

/* Our user as the host knows him: need_privilege has made us uid 0 of a user
 * namespace, in which the host's root has no number. */
static uid_t
host_uid(void)
{
	uid_t uid = geteuid();
	struct stat run;
	char *rest;

	if (uid != 0 || (stat("/run", &run) == 0 && run.st_uid == 0))
		return uid;
	/* Lines of three numbers: inside, outside, how many. */
	char *map = proc_read(NS_SELF, "uid_map");
	for (char *line = map; line != NULL; line = strchr(line + 1, '\n'))
		if (strtoul(line, &rest, 10) == 0 && rest != line)
			uid = (uid_t)strtoul(rest, NULL, 10);
	free(map);
	return uid;
}

/* Who becomes another user by su(1) keeps XDG_RUNTIME_DIR, which is then that
 * of the first. */
static char *
usual_root(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	uid_t uid = host_uid();
	struct stat st;
	char *path;
	int n;

	if (uid == 0)
		n = asprintf(&path, "/run/nslessons");
	else if (runtime != NULL && runtime[0] == '/' &&
		 stat(runtime, &st) == 0 && st.st_uid == geteuid())
		n = asprintf(&path, "%s/nslessons", runtime);
	else
		n = asprintf(&path, "/tmp/nslessons-%u", uid);
	if (n == -1)
		die("malloc");
	return path;
}

struct store {
	char *path;
	int fd;	    /* locked */
	bool usual; /* it is where we have put it, not where somebody said */
};

/* Our own is there as long as there is something in it. */
static void
close_store(struct store *store)
{
	int error = errno;

	if (store->usual)
		(void)rmdir(store->path);
	/* We would wait for ourselves if close(2) failed. */
	(void)flock(store->fd, LOCK_UN);
	close(store->fd);
	free(store->path);
	errno = error;
}

/* In /tmp, another may have made it before us; so we look at what we have
 * opened. Returns 0, or -1 with errno and *error. */
static int
check_store(const struct store *store, char **error)
{
	struct stat st;

	if (fstat(store->fd, &st) == -1)
		return fail(error, errno, "fstat %s: %m", store->path);
	if (st.st_uid != geteuid())
		return fail(error, EPERM, "%s belongs to another user",
			store->path);
	if ((st.st_mode & 022) != 0)
		return fail(
			error, EPERM, "others can write to %s", store->path);
	while (flock(store->fd, LOCK_EX) == -1)
		if (errno != EINTR)
			return fail(error, errno, "flock %s: %m", store->path);
	return 0;
}

/* Returns 0, or -1 with errno and *error. */
static int
open_once(struct store *store, bool make, char **error)
{
	const char *path = store->path;

	if (make && mkdir(path, 0700) == -1 && errno != EEXIST)
		return fail(error, errno, "mkdir %s: %m", path);
	store->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->fd == -1)
		return fail(error, errno, "open %s: %m", path);
	return check_store(store, error);
}

/* While we waited for the lock, the folder may have been removed. */
static bool
is_gone(const struct store *store)
{
	struct stat st;

	return fstat(store->fd, &st) == 0 && st.st_nlink == 0;
}

static int
open_store(struct store *store, const char *root, bool make, char **error)
{
	char *usual = usual_root(), *real = NULL;
	int opened;

	*store = (struct store){.fd = -1};
	store->path = strdup(root == NULL ? usual : root);
	if (store->path == NULL)
		die("malloc");
	while ((opened = open_once(store, make, error)) == 0 && is_gone(store))
		close(store->fd);
	if (opened == 0)
		real = realpath(store->path, NULL);
	if (opened == 0 && real == NULL)
		fail(error, errno, "realpath %s: %m", store->path);
	int code = errno;
	free(store->path);
	if (real == NULL && store->fd != -1)
		close(store->fd);
	store->path = real;
	store->usual = real != NULL && strcmp(real, usual) == 0;
	free(usual);
	errno = code;
	return real == NULL ? -1 : 0;
}

/* --- Writing ------------------------------------------------------------- */

/* Takes the value. */
static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) == -1)
		die("malloc");
}

/* Of this boot; NULL with errno when it cannot be read. To be freed. */
static char *
boot_id(void)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char *line = NULL;
	size_t size = 0;

	if (file == NULL)
		return NULL;
	if (getline(&line, &size, file) == -1) {
		free(line);
		line = NULL;
	}
	(void)fclose(file);
	if (line != NULL)
		line[strcspn(line, "\n")] = '\0';
	return line;
}

static const char of_cgroup[] = " cgroup:";

/* Where a PID, a start time and the path of a cgroup mean what they mean here.
 * To be freed. */
static char *
viewpoint(void)
{
	struct ns_id pid = {0}, clock = {0}, cgroup = {0};
	char *text;

	/* Before Linux 5.6 there is but one clock. */
	(void)ns_get(NS_SELF, "pid", &pid);
	(void)ns_get(NS_SELF, "time", &clock);
	(void)ns_get(NS_SELF, "cgroup", &cgroup);
	if (asprintf(&text, "pid:[%lu] time:[%lu]%s[%lu]", pid.ino, clock.ino,
		    of_cgroup, cgroup.ino) == -1)
		die("malloc");
	return text;
}

/* Returns NULL with errno. */
static char *
make_text(const struct state *state)
{
	char *boot = boot_id(), *view = viewpoint(), *text = NULL;
	json_t *top = json_object(), *cgroups = json_array();

	for (char *const *c = state->cgroups; c != NULL && *c != NULL; c++)
		if (json_array_append_new(cgroups, json_string(*c)) == -1)
			die("malloc");
	if (boot != NULL) {
		set(top, "format", json_string(format_name));
		set(top, "version", json_integer(VERSION));
		set(top, "name", json_string(state->name));
		set(top, "boot", json_string(boot));
		set(top, "viewpoint", json_string(view));
		set(top, "detached", json_boolean(state->detached));
		set(top, "pid", json_integer(state->pid));
		set(top, "start", json_integer((json_int_t)state->start));
		set(top, "created", json_string(state->created));
		set(top, "owner", json_integer(state->owner));
		set(top, "bundle", json_string(state->bundle));
		set(top, "rootfs", json_string(state->rootfs));
		set(top, "cgroups", json_incref(cgroups));
		if (state->process != NULL)
			set(top, "process", json_incref(state->process));
		if (state->annotations != NULL)
			set(top, "annotations",
				json_incref(state->annotations));
		text = json_dumps(top, JSON_COMPACT);
		if (text == NULL)
			die("malloc");
	}
	json_decref(cgroups);
	json_decref(top);
	free(view);
	free(boot);
	return text;
}

/* Returns 0, or -1 with errno. */
static int
write_text(int folder, const char *text)
{
	if (unlinkat(folder, new_file, 0) == -1 && errno != ENOENT)
		return -1;
	int fd = openat(folder, new_file,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	FILE *file = fdopen(fd, "w");
	if (file == NULL)
		die("fdopen");
	bool good = fputs(text, file) != EOF;
	if (fclose(file) == EOF || !good)
		return -1;
	/* To rename over a file makes ext4 write the new one to the disk first
	 * (see auto_da_alloc in ext4(5)). A state need not outlive the
	 * machine's boot, so the two change places, and the old one goes. */
	if (renameat2(folder, new_file, folder, file_name, RENAME_EXCHANGE) ==
		0)
		return unlinkat(folder, new_file, 0);
	return renameat(folder, new_file, folder, file_name);
}

int
state_write(const struct state *state)
{
	char *text = make_text(state);
	int result = -1;

	if (text == NULL)
		return -1;
	/* More we would not read. */
	if (strlen(text) > JSONFILE_MAX)
		errno = EFBIG;
	else
		result = write_text(state->lock, text);
	int error = errno;
	free(text);
	errno = error;
	return result;
}

/* --- Reading ------------------------------------------------------------- */

#define REQUIRED JSONFILE_REQUIRED

static const struct jsonfile_field format_fields[] = {
	{"", "format", JSONFILE_STRING, REQUIRED},
};

static const struct jsonfile_field fields[] = {
	{"", "version", JSONFILE_INT32, REQUIRED},
	{"", "name", JSONFILE_STRING, REQUIRED},
	{"", "boot", JSONFILE_STRING, REQUIRED},
	{"", "viewpoint", JSONFILE_STRING, REQUIRED},
	{"", "detached", JSONFILE_BOOLEAN, REQUIRED},
	{"", "pid", JSONFILE_INT32, REQUIRED},
	{"", "start", JSONFILE_UINT64, REQUIRED},
	{"", "created", JSONFILE_STRING, REQUIRED},
	{"", "owner", JSONFILE_UINT32, REQUIRED},
	{"", "bundle", JSONFILE_STRING, REQUIRED},
	{"", "rootfs", JSONFILE_STRING, REQUIRED},
	{"", "cgroups", JSONFILE_STRING | JSONFILE_ARRAY, REQUIRED},
	{"", "process", JSONFILE_OBJECT, 0},
	{"", "annotations", JSONFILE_STRING | JSONFILE_MAP, 0},
};

enum content {
	CONTENT_GOOD,
	CONTENT_DAMAGED,
	CONTENT_OLD,	   /* of another boot */
	CONTENT_ELSEWHERE, /* of other PID or time namespaces */
	CONTENT_FOREIGN	   /* nothing that we have written */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *
text_of(const json_t *file, const char *name)
{
	return json_string_value(json_object_get(file, name));
}

static long long
number_of(const json_t *file, const char *name)
{
	return json_integer_value(json_object_get(file, name));
}

/* What the types do not tell. */
static void
check_values(struct jsonfile *f, const char *name)
{
	long long pid;

	jsonfile_check(f, fields, COUNT(fields));
	if (f->code != 0)
		return;
	pid = number_of(f->root, "pid");
	if (number_of(f->root, "version") != VERSION)
		jsonfile_fault(
			f, json_object_get(f->root, "version"), "1", "version");
	if (strcmp(text_of(f->root, "name"), name) != 0)
		jsonfile_fault(f, json_object_get(f->root, "name"),
			"the name of its folder", "name");
	if (pid < 0 || pid > PROC_PID_LIMIT)
		jsonfile_fault(f, json_object_get(f->root, "pid"), "a PID or 0",
			"pid");
}

/* Takes the contents. */
static void
take_values(struct state *state, struct jsonfile *f)
{
	json_t *file = json_incref(f->root);

	state->file = file;
	state->detached = json_is_true(json_object_get(file, "detached"));
	state->pid = (pid_t)number_of(file, "pid");
	state->start = (unsigned long long)number_of(file, "start");
	state->owner = (uid_t)number_of(file, "owner");
	state->bundle = text_of(file, "bundle");
	state->rootfs = text_of(file, "rootfs");
	state->list = jsonfile_strings(f, json_object_get(file, "cgroups"));
	state->cgroups = state->list;
	state->process = json_object_get(file, "process");
	state->annotations = json_object_get(file, "annotations");
	free(state->created);
	state->created = jsonfile_checked(f, strdup(text_of(file, "created")));
}

/* Was it written in this boot, and do its numbers mean here what they meant
 * there? Returns -1 with errno when that cannot be found out. */
static int
compare_place(const json_t *file)
{
	char *boot = boot_id(), *view = viewpoint();
	int found = CONTENT_GOOD;

	if (boot == NULL)
		found = -1;
	else if (strcmp(text_of(file, "boot"), boot) != 0)
		found = CONTENT_OLD;
	else if (strcmp(text_of(file, "viewpoint"), view) != 0)
		found = CONTENT_ELSEWHERE;
	free(boot);
	free(view);
	return found;
}

/*
 * Read state.json. why: what is wrong with it, one line, to be freed.
 * Returns what it is, or -1 with errno when it could not be read.
 */
static int
read_state(struct state *state, int folder, char **why)
{
	struct jsonfile f;
	int found = CONTENT_GOOD;

	jsonfile_load(&f, folder, state->folder, file_name);
	if (f.code == 0) {
		jsonfile_check(&f, format_fields, COUNT(format_fields));
		if (f.code != 0 ||
			strcmp(text_of(f.root, "format"), format_name) != 0)
			found = CONTENT_FOREIGN;
		else
			check_values(&f, state->name);
	} else if (f.code == ENOENT) {
		found = CONTENT_FOREIGN;
	}
	if (found == CONTENT_GOOD && f.code == 0) {
		take_values(state, &f);
		found = compare_place(f.root);
	} else if (found == CONTENT_GOOD) {
		found = f.code == EINVAL || f.code == EFBIG || f.code == EISDIR
				? CONTENT_DAMAGED
				: -1;
	}
	int error = f.code == 0 ? errno : f.code;
	*why = f.error == NULL ? NULL : strdup(f.error);
	jsonfile_free(&f);
	errno = error;
	return found;
}

/* --- What became of it --------------------------------------------------- */

enum life { LIFE_NONE, LIFE_OTHER, LIFE_RUNS };

/* Is there a process with that PID, and is it the container's? *pidfd is set
 * for LIFE_RUNS only. Returns -1 with errno when it cannot be told. */
static int
look_at_init(const struct state *state, int *pidfd)
{
	struct pollfd ended = {.events = POLLIN};
	unsigned long long start;
	int life = LIFE_RUNS;

	if (state->pid == 0)
		return LIFE_NONE;
	ended.fd = (int)syscall(SYS_pidfd_open, state->pid, 0);
	/* The number may be that of a thread now. */
	if (ended.fd == -1 && (errno == EINVAL || errno == ENOENT))
		return LIFE_OTHER;
	if (ended.fd == -1)
		return errno == ESRCH ? LIFE_NONE : -1;
	if (proc_start_time(state->pid, &start) == -1)
		life = errno == ENOENT || errno == ESRCH ? LIFE_NONE : -1;
	else if (start != state->start)
		life = LIFE_OTHER;
	else if (poll(&ended, 1, 0) != 0)
		life = LIFE_NONE;
	int error = errno;
	if (life == LIFE_RUNS)
		*pidfd = ended.fd;
	else
		close(ended.fd);
	errno = error;
	return life;
}

/* The cgroups of a state from another PID namespace: are its paths those of
 * here, and is nobody in them? */
static bool
is_deserted(const struct state *state)
{
	char *here = viewpoint();
	const char *there =
		json_string_value(json_object_get(state->file, "viewpoint"));
	const char *mine = strstr(here, of_cgroup), *its = NULL;

	if (there != NULL)
		its = strstr(there, of_cgroup);
	bool same = its != NULL && strcmp(its, mine) == 0;
	free(here);
	return same && cgroup_is_empty(state->cgroups);
}

enum verdict {
	VERDICT_ABSENT,
	VERDICT_FOREIGN,   /* not ours: nothing is done to it */
	VERDICT_ELSEWHERE, /* nor to this */
	VERDICT_STALE,	   /* to be cleaned up; why says so */
	VERDICT_THERE	   /* a container, its status is set */
};

/* A look at one folder; the folder of all is locked meanwhile. */
struct look {
	struct state state;
	int folder; /* if the runner has ended, it is locked by us */
	bool ended; /* has it? */
	int content;
	int life;
	int pidfd; /* of the init if it runs, else -1 */
	char *why;
};

static void
end_look(struct look *look)
{
	int error = errno;

	if (look->folder != -1)
		close(look->folder);
	if (look->pidfd != -1)
		close(look->pidfd);
	free(look->why);
	state_free(&look->state);
	errno = error;
}

static enum verdict __attribute__((format(printf, 2, 3)))
because(struct look *look, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *why = make_line(format, arguments);
	va_end(arguments);
	free(look->why);
	look->why = why;
	return VERDICT_STALE;
}

static enum verdict
judge(struct look *look)
{
	struct state *state = &look->state;

	state->status = look->life == LIFE_RUNS ? STATE_RUNNING
			: state->pid == 0	? STATE_CREATING
						: STATE_STOPPED;
	if (look->content == CONTENT_FOREIGN)
		return VERDICT_FOREIGN;
	if (look->content == CONTENT_ELSEWHERE && look->ended &&
		is_deserted(state))
		return because(look, "it was of another PID namespace, and its"
				     " cgroup is empty");
	if (look->content == CONTENT_ELSEWHERE)
		return VERDICT_ELSEWHERE;
	/* A runner writes anew what is damaged, and nobody else's runner has
	 * the lock. */
	if (!look->ended)
		return VERDICT_THERE;
	if (look->content == CONTENT_DAMAGED)
		return because(look, "its state is damaged: %s", look->why);
	if (look->content == CONTENT_OLD)
		return because(look, "it is from before the last boot");
	if (!state->detached)
		return because(look, "its runner is gone");
	if (look->life == LIFE_OTHER)
		return because(look,
			"it has ended, and PID %d is another process now",
			state->pid);
	return VERDICT_THERE;
}

static int
open_folder(int store, const char *name)
{
	return openat(
		store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Returns a verdict, or -1 with errno and *error; then, too, end_look gives
 * back what the look holds. */
static int
take_look(struct look *look, const struct store *store, const char *name,
	char **error)
{
	struct state *state = &look->state;

	*look = (struct look){.folder = -1, .pidfd = -1, .state.lock = -1};
	state->bundle = state->rootfs = "";
	state->name = strdup(name);
	state->created = strdup("");
	if (state->name == NULL || state->created == NULL ||
		asprintf(&state->folder, "%s/%s", store->path, name) == -1)
		die("malloc");
	look->folder = open_folder(store->fd, name);
	if (look->folder == -1 && errno == ENOENT)
		return VERDICT_ABSENT;
	if (look->folder == -1 && (errno == ENOTDIR || errno == ELOOP))
		return VERDICT_FOREIGN;
	if (look->folder == -1)
		return fail(error, errno, "open %s: %m", state->folder);
	look->ended = flock(look->folder, LOCK_EX | LOCK_NB) == 0;
	if (!look->ended && errno != EWOULDBLOCK)
		return fail(error, errno, "flock %s: %m", state->folder);
	look->content = read_state(state, look->folder, &look->why);
	if (look->content == -1)
		return fail(
			error, errno, "%s/%s: %m", state->folder, file_name);
	look->life = LIFE_NONE;
	if (look->content == CONTENT_GOOD)
		look->life = look_at_init(state, &look->pidfd);
	if (look->life == -1)
		return fail(error, errno, "look at PID %d: %m", state->pid);
	return judge(look);
}

/* --- Cleaning up --------------------------------------------------------- */

/* Is it a cgroup, and not the first of its hierarchy? All that is in it will
 * be killed. One that is gone does no harm. */
static bool
is_cgroup(const char *folder)
{
	struct stat own, above;
	struct statfs fs;
	char *parent;

	if (statfs(folder, &fs) == -1)
		return errno == ENOENT;
	if (asprintf(&parent, "%s/..", folder) == -1)
		die("malloc");
	bool below = stat(folder, &own) == 0 && stat(parent, &above) == 0 &&
		     own.st_dev == above.st_dev && own.st_ino != above.st_ino;
	free(parent);
	return folder[0] == '/' && below &&
	       (fs.f_type == CGROUP_SUPER_MAGIC ||
		       fs.f_type == CGROUP2_SUPER_MAGIC);
}

static int
remove_cgroups(const struct state *state)
{
	size_t count = 0, kept = 0;

	while (state->cgroups != NULL && state->cgroups[count] != NULL)
		count++;
	char **folders = calloc(count + 1, sizeof(*folders));
	if (folders == NULL)
		die("malloc");
	for (size_t i = 0; i < count; i++)
		if (is_cgroup(state->cgroups[i]))
			folders[kept++] = state->cgroups[i];
		else
			say(state->name, "%s is no cgroup: left alone",
				state->cgroups[i]);
	int result = cgroup_remove(folders);
	free(folders);
	return result;
}

/* What a process that was killed has left there, too: nobody is at work in it
 * while the folder of all is locked by us. Returns 0, or -1 with errno. */
static int
remove_scrap(int store)
{
	int folder = open_folder(store, scrap);

	if (folder == -1 && errno == ENOENT)
		return 0;
	/* Where no file can be opened, it may be empty all the same. */
	if (folder != -1) {
		(void)unlinkat(folder, new_file, 0);
		(void)unlinkat(folder, file_name, 0);
		close(folder);
	}
	return unlinkat(store, scrap, AT_REMOVEDIR);
}

/* A container's folder must never be seen without its state.json: it would be
 * no longer known as ours. So it loses its name first. */
static int
remove_folder(int store, const char *name)
{
	if (remove_scrap(store) == -1 ||
		renameat(store, name, store, scrap) == -1)
		return -1;
	return remove_scrap(store);
}

/* The end of its runner is the end of a container that is not detached. Its
 * PID and start time are right, so we kill no other. */
static int
kill_init(int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == -1 &&
		errno != ESRCH)
		return -1;
	int n = poll(&ended, 1, PATIENCE);
	if (n == 0)
		errno = EBUSY;
	return n == 1 ? 0 : -1;
}

/* After a boot, the same path may be a cgroup of somebody else. Returns 0, or
 * -1 with errno. */
static int
clean(const struct look *look, const struct store *store)
{
	if (look->pidfd != -1 && kill_init(look->pidfd) == -1)
		return -1;
	if ((look->content == CONTENT_GOOD ||
		    look->content == CONTENT_ELSEWHERE) &&
		remove_cgroups(&look->state) == -1)
		return -1;
	return remove_folder(store->fd, look->state.name);
}

static int
clean_and_say(
	const struct look *look, const struct store *store, const char *why)
{
	const char *name = look->state.name;
	int result = clean(look, store);
	int error = errno;

	if (result == 0)
		say(name, "cleaned up: %s", why);
	else
		say(name, "cannot be cleaned up: %m (%s)", why);
	errno = error;
	return result;
}

/* --- For the runner ------------------------------------------------------ */

/* With state.json in it, the folder gets its name. */
static int
make_folder(struct state *state, int store)
{
	if (remove_scrap(store) == -1 || mkdirat(store, scrap, 0700) == -1)
		return -1;
	state->lock = open_folder(store, scrap);
	if (state->lock == -1 || flock(state->lock, LOCK_EX | LOCK_NB) == -1 ||
		state_write(state) == -1)
		return -1;
	return renameat(store, scrap, store, state->name);
}

static void
set_created(struct state *state)
{
	time_t now = time(NULL);
	char text[sizeof("2025-01-02T03:04:05Z")];
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		die("strftime");
	free(state->created);
	state->created = strdup(text);
	if (state->created == NULL)
		die("malloc");
}

/* Is the name free, or can it be made free? Returns 0, or -1 with errno and
 * *error. */
static int
free_name(
	struct look *look, int verdict, const struct store *store, char **error)
{
	const struct state *state = &look->state;

	if (verdict == VERDICT_ABSENT)
		return 0;
	if (verdict == VERDICT_FOREIGN)
		return fail(error, EEXIST, "%s is there, and not ours",
			state->folder);
	if (verdict == VERDICT_ELSEWHERE)
		return fail(error, EEXIST,
			"container %s is of another PID, time or cgroup"
			" namespace",
			state->name);
	if (verdict == VERDICT_THERE && state->status == STATE_RUNNING)
		return fail(error, EEXIST,
			"container %s is running, its init is PID %d",
			state->name, state->pid);
	if (verdict == VERDICT_THERE && !look->ended)
		return fail(error, EEXIST, "container %s is being %s",
			state->name, state->pid == 0 ? "started" : "ended");
	if (clean_and_say(look, store,
		    verdict == VERDICT_THERE ? "it has ended" : look->why) == 0)
		return 0;
	return fail(error, errno, "%s: %m", state->folder);
}

int
state_claim(
	struct state *state, const char *root, const char *name, char **error)
{
	struct store store;
	struct look look;

	*error = NULL;
	if (!state_is_name(name))
		return fail(error, EINVAL, STATE_NO_NAME, name);
	if (open_store(&store, root, true, error) == -1)
		return -1;
	int verdict = take_look(&look, &store, name, error);
	int result =
		verdict == -1 ? -1 : free_name(&look, verdict, &store, error);
	if (result == 0) {
		*state = (struct state){.lock = -1,
			.owner = host_uid(),
			.owner_name = user_name(host_uid()),
			.bundle = "",
			.rootfs = "",
			.name = strdup(name),
			.folder = strdup(look.state.folder)};
		if (state->name == NULL || state->folder == NULL)
			die("malloc");
		set_created(state);
		result = make_folder(state, store.fd);
		if (result == -1) {
			fail(error, errno, "make %s: %m", state->folder);
			state_free(state);
			int code = errno;
			(void)remove_scrap(store.fd);
			errno = code;
		}
	}
	end_look(&look);
	close_store(&store);
	return result;
}

int
state_release(struct state *state)
{
	state->detached = true;
	if (state_write(state) == -1) {
		state->detached = false;
		return -1;
	}
	/* Children may have copies, so to close it is not enough. */
	if (flock(state->lock, LOCK_UN) == -1)
		return -1;
	close(state->lock);
	state->lock = -1;
	return 0;
}

/* --- For the others ------------------------------------------------------ */

/* One try of state_remove. Returns 0, or -1 with errno: EAGAIN when the runner
 * is still alive. */
static int
try_remove(struct state *state, const struct store *store)
{
	struct look look;
	char *error = NULL;
	int result = -1, verdict;

	verdict = take_look(&look, store, state->name, &error);
	free(error);
	if (verdict == VERDICT_ABSENT ||
		(verdict != -1 && look.content == CONTENT_GOOD &&
			(look.state.pid != state->pid ||
				look.state.start != state->start)))
		result = 0;
	else if (verdict == VERDICT_FOREIGN || verdict == VERDICT_ELSEWHERE)
		errno = EEXIST;
	else if (verdict != -1 && look.life == LIFE_RUNS)
		errno = EBUSY;
	else if (verdict != -1 && !look.ended)
		errno = EAGAIN;
	else if (verdict != -1)
		result = clean(&look, store);
	end_look(&look);
	return result;
}

int
state_remove(struct state *state)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	char *root = strdup(state->folder), *error = NULL;
	struct store store;
	int result = -1, tries = PATIENCE / 10;

	if (root == NULL)
		die("malloc");
	*strrchr(root, '/') = '\0';
	while (open_store(&store, root, false, &error) == 0) {
		if (state->lock == -1)
			result = try_remove(state, &store);
		else if (remove_cgroups(state) == 0)
			result = remove_folder(store.fd, state->name);
		close_store(&store);
		if (result == 0 || errno != EAGAIN || --tries == 0)
			break;
		nanosleep(&moment, NULL);
	}
	/* The runner was quicker, and there is not even a place for states. */
	if (errno == ENOENT && state->lock == -1)
		result = 0;
	int code = errno == EAGAIN ? EBUSY : errno;
	free(root);
	free(error);
	errno = code;
	return result;
}

/* Returns 1 and the state in *state (and *pidfd) when it is there, 0 when it
 * is not or is cleaned up, or -1 with errno and *error. */
static int
settle(struct state *state, int *pidfd, const struct store *store,
	const char *name, char **error)
{
	struct look look;
	int verdict = take_look(&look, store, name, error);
	int result = verdict == -1 ? -1 : verdict == VERDICT_THERE;

	if (verdict == VERDICT_STALE)
		(void)clean_and_say(&look, store, look.why);
	if (verdict == VERDICT_ELSEWHERE)
		say(name, "left alone: it is of another PID, time or cgroup"
			  " namespace");
	if (result == 1) {
		*state = look.state;
		look.state = (struct state){.lock = -1};
		*pidfd = look.pidfd;
		look.pidfd = -1;
	}
	end_look(&look);
	return result;
}

int
state_find(struct state *state, const char *root, const char *name, int *pidfd,
	char **error)
{
	struct store store;
	int found = 0, fd = -1;

	*error = NULL;
	if (!state_is_name(name))
		return fail(error, EINVAL, STATE_NO_NAME, name);
	if (open_store(&store, root, false, error) == 0) {
		found = settle(state, &fd, &store, name, error);
		close_store(&store);
	} else if (errno != ENOENT) {
		return -1;
	}
	if (found == 0) {
		free(*error);
		return fail(error, ENOENT, "there is no container %s", name);
	}
	if (pidfd != NULL)
		*pidfd = fd;
	else if (fd != -1)
		close(fd);
	return found == 1 ? 0 : -1;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the folder, sorted, ending with NULL. */
static char **
read_names(const struct store *store)
{
	DIR *dir = opendir(store->path);
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;

	if (dir == NULL)
		return NULL;
	do {
		entry = readdir(dir);
		if (entry != NULL && !state_is_name(entry->d_name))
			continue;
		names = reallocarray(names, count + 1, sizeof(*names));
		if (names == NULL)
			die("malloc");
		names[count] = entry == NULL ? NULL : strdup(entry->d_name);
		count++;
	} while (entry != NULL);
	closedir(dir);
	qsort(names, count - 1, sizeof(*names), by_name);
	return names;
}

static int
find_all(const struct store *store, struct state **states, char **error)
{
	char **names = read_names(store);
	int count = 0, found = 0, fd;

	*states = NULL;
	if (names == NULL)
		return fail(error, errno, "read %s: %m", store->path);
	for (char **name = names; *name != NULL; name++) {
		*states = reallocarray(*states, count + 1, sizeof(**states));
		if (*states == NULL)
			die("malloc");
		if (found != -1)
			found = settle(
				&(*states)[count], &fd, store, *name, error);
		if (found == 1) {
			count++;
			if (fd != -1)
				close(fd);
		}
		free(*name);
	}
	free(names);
	if (found != -1)
		return count;
	int code = errno;
	while (count > 0)
		state_free(&(*states)[--count]);
	free(*states);
	*states = NULL;
	errno = code;
	return -1;
}

int
state_each(const char *root, struct state **states, char **error)
{
	struct store store;

	*error = NULL;
	*states = NULL;
	if (open_store(&store, root, false, error) == -1) {
		if (errno != ENOENT)
			return -1;
		free(*error);
		*error = NULL;
		return 0;
	}
	if (remove_scrap(store.fd) == -1)
		say(scrap, "cannot be cleaned up: %m");
	int count = find_all(&store, states, error);
	close_store(&store);
	return count;
}

json_t *
state_json(const struct state *state)
{
	json_t *object = json_object();
	/* In the container, for its hooks, /etc/passwd is the container's. */
	char *owner = state->owner_name == NULL ? user_name(state->owner)
						: strdup(state->owner_name);

	set(object, "ociVersion", json_string("1.0.2"));
	set(object, "id", json_string(state->name));
	if (state->status != STATE_STOPPED && state->pid != 0)
		set(object, "pid", json_integer(state->pid));
	set(object, "status", json_string(state_words[state->status]));
	set(object, "bundle", json_string(state->bundle));
	set(object, "rootfs", json_string(state->rootfs));
	set(object, "created", json_string(state->created));
	set(object, "owner", json_string(owner));
	if (state->annotations != NULL)
		set(object, "annotations", json_incref(state->annotations));
	free(owner);
	return object;
}

void
state_free(struct state *state)
{
	int error = errno;

	free(state->name);
	free(state->folder);
	free(state->created);
	free(state->owner_name);
	free(state->list);
	json_decref(state->file);
	if (state->lock != -1)
		close(state->lock);
	*state = (struct state){.lock = -1};
	errno = error;
}
