#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "child.h"
#include "die.h"
#include "host.h"
#include "proc.h"

enum { RUN_SECONDS = 60, LEFT_SECONDS = 10, EXPECT_SECONDS = 30 };

static bool
can_make_user_namespace(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) == -1);
	return pid > 0 && child_wait(pid) == 0;
}

static bool
in_path(const char *program)
{
	const char *list = getenv("PATH");
	char *path = strdup(list == NULL ? "/usr/bin:/bin" : list), *rest, *dir;
	bool found = false;

	if (path == NULL)
		die("malloc");
	for (dir = strtok_r(path, ":", &rest); dir != NULL && !found;
		dir = strtok_r(NULL, ":", &rest)) {
		char *file;

		if (asprintf(&file, "%s/%s", dir, program) == -1)
			die("malloc");
		found = access(file, X_OK) == 0;
		free(file);
	}
	free(path);
	return found;
}

/* A cgroup can be made, and is removed at once. */
static bool
can_make_cgroup(void)
{
	static const char *const tops[] = {"/sys/fs/cgroup/unified",
		"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
	bool made = false;

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]) && !made; i++) {
		char *path;

		if (asprintf(&path, "%s/nslessons-try-%d", tops[i], getpid()) ==
			-1)
			die("malloc");
		made = mkdir(path, 0755) == 0 && rmdir(path) == 0;
		free(path);
	}
	return made;
}

static bool
python_has(const char *module)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		char *statement;

		if (dup2(null, 2) == -1 ||
			asprintf(&statement, "import %s", module) == -1)
			_exit(1);
		execlp("python3", "python3", "-c", statement, (char *)NULL);
		_exit(1);
	}
	return pid > 0 && child_wait(pid) == 0;
}

/* Needs that REQUIRE names and that are missing. */
static int missing;

bool
support_have(const char *need, const char *test)
{
	const char *require = getenv("REQUIRE");
	bool root = geteuid() == 0 && caps_have(CAP_SYS_ADMIN);
	bool have;

	if (strcmp(need, "root") == 0)
		have = root;
	else if (strcmp(need, "userns") == 0)
		have = can_make_user_namespace();
	else if (strcmp(need, "namespaces") == 0)
		have = root || can_make_user_namespace();
	else if (strcmp(need, "cgroup") == 0)
		have = can_make_cgroup();
	else if (strcmp(need, "btf") == 0)
		have = root && access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	else if (strcmp(need, "schema") == 0)
		have = access(SUPPORT_SCHEMA "/state-schema.json", R_OK) == 0;
	else if (strcmp(need, "jsonschema") == 0)
		have = python_has(need);
	else
		have = in_path(need);
	if (have)
		return true;
	printf("SKIP %s: needs %s\n", test, need);
	if (require != NULL && strstr(require, need) != NULL) {
		printf("REQUIRE names %s, and it is missing\n", need);
		missing++;
	}
	return false;
}

int
support_missing(void)
{
	return missing;
}

bool
support_have_all(const char *test, const char *const needs[])
{
	for (; *needs != NULL; needs++)
		if (!support_have(*needs, test))
			return false;
	return true;
}

char *
support_text(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	ck_assert_int_ne(vasprintf(&text, format, arguments), -1);
	va_end(arguments);
	return text;
}

char *
support_path(const char *folder, const char *name)
{
	return support_text("%s/%s", folder, name);
}

char *
support_folder(const char *name)
{
	const char *tmp = getenv("TMPDIR");
	char *made =
		support_text("%s/%s.XXXXXX", tmp == NULL ? "/tmp" : tmp, name);

	ck_assert_ptr_nonnull(mkdtemp(made));
	char *folder = realpath(made, NULL);
	ck_assert_ptr_nonnull(folder);
	free(made);
	return folder;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
support_remove(const char *folder)
{
	ck_assert_int_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct ns_id
support_look(pid_t pid, const char *link)
{
	struct ns_id id = {0};

	ck_assert_msg(ns_get(pid, link, &id) == 0, "/proc/%d/ns/%s: %s", pid,
		link, strerror(errno));
	return id;
}

/* What a guard runs, and on what. */
struct plan {
	char *const *argv;
	int in, out, err;
	const char *slave; /* the terminal, or NULL */
};

static void
program(const struct plan *plan)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || setsid() == -1)
		die("setsid");
	/* Under nohup(1), or in the background of a shell, they would stay
	 * ignored. */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	if (plan->slave != NULL) {
		/* The first terminal that a session leader opens is its own. */
		int fd = open(plan->slave, O_RDWR);

		if (fd == -1 || dup2(fd, 0) == -1 || dup2(fd, 1) == -1 ||
			dup2(fd, 2) == -1)
			die("open %s", plan->slave);
		if (fd > 2)
			close(fd);
	} else if (dup2(plan->in, 0) == -1 || dup2(plan->out, 1) == -1 ||
		   dup2(plan->err, 2) == -1) {
		die("dup2");
	}
	child_exec((char **)plan->argv);
}

/*
 * Wait for the program and for all that it has left. These come to the guard,
 * which must reap them at once: the PID 1 of a PID namespace cannot end before
 * that. What is there LEFT_SECONDS after the last news is a leak.
 * Returns the program's exit code, 124 when it took too long.
 */
static int
wait_for_all(pid_t program_pid, const sigset_t *child_signal, bool *alone)
{
	struct timespec limit = {.tv_sec = RUN_SECONDS};
	int code = -1, status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) != -1) {
		if (pid == program_pid) {
			code = code == -1 ? child_exit_code(status) : code;
			limit.tv_sec = LEFT_SECONDS;
		}
		if (pid != 0 ||
			sigtimedwait(child_signal, NULL, &limit) != -1 ||
			errno != EAGAIN)
			continue;
		if (code != -1)
			break;
		code = 124;
		if (kill(program_pid, SIGKILL) == -1)
			die("kill %d", program_pid);
	}
	*alone = pid == -1;
	return code;
}

static void
kill_the_rest(void)
{
	char *list, *path, *next, *end;

	if (asprintf(&path, "task/%d/children", getpid()) == -1)
		die("malloc");
	list = proc_read(getpid(), path);
	for (next = list; next != NULL; next = end) {
		pid_t pid = (pid_t)strtol(next, &end, 10);

		if (end == next)
			break;
		child_end(pid);
	}
	free(list);
	free(path);
}

/* The guard: its own mount namespace with a shared /, where it may make one. */
static void
guard(const struct plan *plan, int report)
{
	struct host before, after;
	sigset_t child_signal;
	char *changes;

	if (caps_have(CAP_SYS_ADMIN) &&
		(unshare(CLONE_NEWNS) == -1 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ==
				-1 ||
			mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == -1))
		die("make / shared");
	sigemptyset(&child_signal);
	sigaddset(&child_signal, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child_signal, NULL) == -1)
		die("sigprocmask");
	if (host_take(&before, 0) == -1)
		die("host_take");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &child_signal, NULL);
		program(plan);
	}
	if (write(report, &pid, sizeof(pid)) == -1)
		die("write");
	bool alone;
	int code = wait_for_all(pid, &child_signal, &alone);
	if (host_take(&after, pid) == -1)
		die("host_take");
	changes = host_difference(&before, &after);
	if (!alone)
		kill_the_rest();
	dprintf(report, "%d\n%s", code, changes == NULL ? "" : changes);
	_exit(0);
}

/* Start a guard. Returns its PID; *report is the end to read from. */
static pid_t
start_guard(const struct plan *plan, int *report, pid_t *program_pid)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	pid_t pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		close(fd[0]);
		guard(plan, fd[1]);
	}
	close(fd[1]);
	*report = fd[0];
	ck_assert_int_eq(read(fd[0], program_pid, sizeof(pid_t)),
		(ssize_t)sizeof(pid_t));
	return pid;
}

static char *
read_file(int fd)
{
	char *text = NULL, buffer[4096];
	size_t size;
	ssize_t n;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("malloc");
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, n, out);
	fclose(out);
	return text;
}

/* Read the guard's findings to their end. */
static void
finish_guard(pid_t pid, int report, struct run *run)
{
	char *text = read_file(report), *rest;

	close(report);
	ck_assert_int_eq(child_wait(pid), 0);
	run->code = (int)strtol(text, &rest, 10);
	run->changes =
		rest[0] == '\n' && rest[1] != '\0' ? strdup(rest + 1) : NULL;
	free(text);
}

static char *
rewound(int fd)
{
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	char *text = read_file(fd);
	close(fd);
	return text;
}

struct started
support_begin(const char *stdout_path, char *const argv[])
{
	struct started started = {.out = memfd_create("out", MFD_CLOEXEC),
		.err = memfd_create("err", MFD_CLOEXEC)};
	pid_t pid;
	struct plan plan = {.argv = argv,
		.in = open("/dev/null", O_RDONLY | O_CLOEXEC),
		.out = stdout_path == NULL
			       ? started.out
			       : open(stdout_path, O_WRONLY | O_CLOEXEC),
		.err = started.err};

	started.guard = start_guard(&plan, &started.report, &pid);
	close(plan.in);
	if (plan.out != started.out)
		close(plan.out);
	return started;
}

struct run
support_end(struct started *started)
{
	struct run run = {0};

	finish_guard(started->guard, started->report, &run);
	run.out = rewound(started->out);
	run.err = rewound(started->err);
	return run;
}

struct run
support_run_to(const char *stdout_path, char *const argv[])
{
	struct started started = support_begin(stdout_path, argv);

	return support_end(&started);
}

struct run
support_run(char *const argv[])
{
	return support_run_to(NULL, argv);
}

void
support_run_free(struct run *run)
{
	free(run->out);
	free(run->err);
	free(run->changes);
}

struct session
support_start(char *const argv[])
{
	struct session session = {
		.terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
	struct plan plan = {.argv = argv};

	ck_assert_int_ne(session.terminal, -1);
	ck_assert_int_eq(grantpt(session.terminal), 0);
	ck_assert_int_eq(unlockpt(session.terminal), 0);
	plan.slave = ptsname(session.terminal);
	session.guard = start_guard(&plan, &session.report, &session.pid);
	return session;
}

static const char *
seen(const struct session *session)
{
	return session->seen == NULL ? "" : session->seen;
}

/* Append what there is to read. Returns 0 at the end of the session: reading
 * a pty whose other side is closed fails with EIO. */
static int
read_terminal(struct session *session, int seconds)
{
	struct pollfd ready = {.fd = session->terminal, .events = POLLIN};
	char buffer[4096], *longer;

	if (poll(&ready, 1, seconds * 1000) != 1)
		ck_abort_msg("nothing for %d s after: %.1500s", seconds,
			seen(session));
	ssize_t n = read(session->terminal, buffer, sizeof(buffer));
	if (n <= 0)
		return 0;
	if (asprintf(&longer, "%s%.*s", seen(session), (int)n, buffer) == -1)
		die("malloc");
	free(session->seen);
	session->seen = longer;
	return 1;
}

void
support_expect(struct session *session, const char *text)
{
	while (strstr(seen(session), text) == NULL)
		if (read_terminal(session, EXPECT_SECONDS) == 0)
			ck_abort_msg("ended before it printed `%s`: %.1500s",
				text, seen(session));
}

void
support_type(struct session *session, const char *text)
{
	ck_assert_int_eq(write(session->terminal, text, strlen(text)),
		(ssize_t)strlen(text));
}

struct run
support_finish(struct session *session)
{
	struct run run = {0};

	while (read_terminal(session, RUN_SECONDS + 2 * LEFT_SECONDS) != 0)
		continue;
	finish_guard(session->guard, session->report, &run);
	close(session->terminal);
	run.out = session->seen == NULL ? strdup("") : session->seen;
	run.err = strdup("");
	return run;
}
