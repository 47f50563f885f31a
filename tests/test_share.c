/*
 * lesson10: containers that share a namespace. What it claims is asked of the
 * kernel while they live, and its tool is tried in all its forms.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "ns.h"
#include "proc.h"
#include "support.h"

/* Those that the bundle asks for. */
enum {
	OWN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID |
	      CLONE_NEWNET
};

/* CLONE_NEW* of the types that two processes share. */
static int
shared(pid_t a, pid_t b)
{
	int flags = 0;

	for (int i = 0; i < NS_TYPES; i++)
		if (ns_exists(&ns_types[i]) &&
			ns_same(support_look(a, ns_types[i].name),
				support_look(b, ns_types[i].name)))
			flags |= ns_types[i].flag;
	return flags;
}

static int
all_types(void)
{
	return shared(NS_SELF, NS_SELF);
}

static bool
is_root(void)
{
	return geteuid() == 0;
}

static pid_t
parent_of(pid_t pid)
{
	char *text = proc_status(pid, "PPid");

	ck_assert_ptr_nonnull(text);
	pid_t parent = (pid_t)strtol(text, NULL, 10);
	free(text);
	return parent;
}

static void
expect(struct run run, int code, const char *out)
{
	ck_run(run, code);
	ck_assert_str_eq(run.out, out);
	support_run_free(&run);
}

static void
expect_error(struct run run, int code, const char *text)
{
	ck_run(run, code);
	ck_assert_str_eq(run.out, "");
	ck_assert_msg(
		strstr(run.err, text) != NULL, "no `%s` in: %s", text, run.err);
	support_run_free(&run);
}

/* --- containers ---------------------------------------------------------- */

/* A copy of our config.json without a terminal, whose command gets what is
 * typed as it is, and with one capability more, in a folder of the test's own. */
static char *
make_bundle(const char *hostname)
{
	static const char *const names[] = {
		"bounding", "effective", "permitted"};
	char *dir = support_folder("share"), *file,
	     *rootfs = realpath("bundle/rootfs", NULL);
	json_t *config = json_load_file("bundle/config.json", 0, NULL);

	ck_assert_ptr_nonnull(config);
	ck_assert_int_ne(asprintf(&file, "%s/config.json", dir), -1);
	json_object_set_new(
		json_object_get(config, "process"), "terminal", json_false());
	json_object_set_new(
		json_object_get(config, "root"), "path", json_string(rootfs));
	json_object_set_new(config, "hostname", json_string(hostname));
	json_t *sets = json_object_get(
		json_object_get(config, "process"), "capabilities");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_array_append_new(json_object_get(sets, names[i]),
			json_string("CAP_SYS_PTRACE"));
	ck_assert_int_eq(json_dump_file(config, file, 0), 0);
	json_decref(config);
	free(rootfs);
	free(file);
	return dir;
}

static void
remove_bundle(char *dir)
{
	char *file;

	ck_assert_int_ne(asprintf(&file, "%s/config.json", dir), -1);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	free(file);
	free(dir);
}

/* A container that does what is typed at it, a line each. */
struct container {
	struct session session;
	pid_t init;
	char *bundle;
	int commands; /* how many were typed */
};

/* The only child of the program is the container's first process. */
static pid_t
find_init(pid_t program)
{
	char *file = support_text("task/%d/children", program);
	char *list = proc_read(program, file);

	ck_assert_ptr_nonnull(list);
	pid_t pid = (pid_t)strtol(list, NULL, 10);
	ck_assert_int_gt(pid, 0);
	free(list);
	free(file);
	return pid;
}

/* extra: an ordinary user is in another user namespace than the container that
 * he joins, and joins that, too. NULL for none. */
static void
begin(struct container *container, char *name, char *share, char *extra)
{
	static char commands[] = "n=0; echo ready; while read line; do"
				 " eval \"$line\"; echo done-$((n += 1));"
				 " done";
	char *also = extra == NULL || is_root() ? share : extra;

	container->bundle = make_bundle(name);
	container->commands = 0;
	container->session = support_start((char *const[]){"./lesson10", "-b",
		container->bundle, "--share", also, "--share", share, "sh",
		"-c", commands, NULL});
	support_expect(&container->session, "ready\r\n");
	container->init = find_init(container->session.pid);
}

static void
begin_alone(struct container *container, char *name)
{
	begin(container, name, "cgroup=host", NULL);
}

static void
begin_with(struct container *container, char *name, char *type,
	const struct container *other)
{
	char *share = support_text("%s=%d", type, other->init);
	char *user = support_text("user=%d", other->init);

	begin(container, name, share, user);
	free(share);
	free(user);
}

static void
finish(struct container *container, int code)
{
	struct run run = support_finish(&container->session);

	ck_run(run, code);
	support_run_free(&run);
	remove_bundle(container->bundle);
}

static void
end(struct container *container)
{
	support_type(&container->session, "exit 7\n");
	finish(container, 7);
}

/* Type a command, and wait until it has ended. Returns what is on the terminal
 * since then. */
static const char *
type(struct container *container, const char *command)
{
	size_t before = strlen(container->session.seen);
	char *done = support_text("done-%d\r\n", ++container->commands);

	support_type(&container->session, command);
	support_type(&container->session, "\n");
	support_expect(&container->session, done);
	free(done);
	return container->session.seen + before;
}

/* The same for a command that prints a line WORD=NUMBER. Returns the number. */
static pid_t
ask(struct container *container, const char *command, const char *word)
{
	char *line = support_text("\n%s=", word);
	const char *at = strstr(type(container, command), line);

	ck_assert_msg(at != NULL, "%s: %s", command, container->session.seen);
	pid_t number = (pid_t)strtol(at + strlen(line), NULL, 10);
	free(line);
	return number;
}

/* --- the demonstration --------------------------------------------------- */

/* A12 A23: the first has five namespaces of its own, the second four. */
START_TEST(demonstration_shares_one_type)
{
	struct session session =
		support_start((char *const[]){"./lesson10", "--hold", NULL});
	pid_t pids[PROC_LEVELS];

	support_expect(&session, "Enter: go on");
	const char *at = strstr(session.seen, "press Enter. PID ");
	ck_assert_ptr_nonnull(at);
	pid_t second =
		(pid_t)strtol(at + strlen("press Enter. PID "), NULL, 10);
	pid_t first = proc_outside(second, 1);
	ck_assert_int_ne(first, 0);
	ck_assert_int_ne(first, second);
	ck_assert_int_eq(
		shared(first, second), all_types() & ~(OWN & ~CLONE_NEWPID));
	ck_assert_int_eq(shared(session.pid, first), all_types() & ~OWN);
	ck_assert_int_eq(shared(session.pid, second), all_types() & ~OWN);
	/* Both are children of the lesson, and none is the other's. */
	ck_assert_int_eq(parent_of(first), session.pid);
	ck_assert_int_eq(parent_of(second), session.pid);
	int levels = proc_nspids(second, pids);
	ck_assert_int_gt(pids[levels - 1], 1);
	support_type(&session, "\n");
	struct run run = support_finish(&session);
	ck_run(run, 0);
	support_run_free(&run);
}
END_TEST

/* --- one PID namespace ---------------------------------------------------- */

/* A16 A20 A23: two members, and the PIDs of both are the same for both. */
START_TEST(second_joins_the_first)
{
	struct container first, second;
	pid_t pids[PROC_LEVELS];

	begin_alone(&first, "first");
	begin_with(&second, "second", "pid", &first);
	ck_assert_int_eq(shared(first.init, second.init),
		all_types() & ~(OWN & ~CLONE_NEWPID));
	int levels = proc_nspids(second.init, pids);
	ck_assert_int_eq(
		ask(&second, "echo self=$$", "self"), pids[levels - 1]);
	ck_assert_int_eq(ask(&first, "echo self=$$", "self"), 1);
	/* Its /proc shows the first's init as PID 1. */
	unsigned long long outside, inside;
	char *stat = proc_read(second.init, "root/proc/1/stat");
	ck_assert_ptr_nonnull(stat);
	ck_assert_int_eq(proc_parse_start_time(stat, &inside), 0);
	ck_assert_int_eq(proc_start_time(first.init, &outside), 0);
	ck_assert_uint_eq(inside, outside);
	free(stat);
	end(&second);
	end(&first);
}
END_TEST

/* The orphan stays in the second container, as a child of the first's init;
 * it lives when the second has ended, and ends with the first. */
START_TEST(orphan_is_the_firsts)
{
	static const char orphan[] =
		"p=$(sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!');"
		" echo orphan=$p";
	struct container first, second;
	unsigned long long born, found;

	begin_alone(&first, "first");
	begin_with(&second, "second", "pid", &first);
	pid_t pid = proc_outside(first.init, ask(&second, orphan, "orphan"));
	ck_assert_int_ne(pid, 0);
	ck_assert_int_eq(parent_of(pid), first.init);
	ck_assert(ns_same(
		support_look(pid, "mnt"), support_look(second.init, "mnt")));
	ck_assert_int_eq(proc_start_time(pid, &born), 0);
	end(&second);
	ck_assert_int_eq(proc_start_time(pid, &found), 0);
	ck_assert_uint_eq(found, born);
	ck_assert_int_eq(parent_of(pid), first.init);
	end(&first);
	ck_assert(proc_start_time(pid, &found) == -1 || found != born);
}
END_TEST

/* It was killed, and its zombie is there until the first's shell waits. */
START_TEST(first_reaps)
{
	static const char orphan[] =
		"p=$(sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!');"
		" echo orphan=$p";
	struct container first, second;

	begin_alone(&first, "first");
	begin_with(&second, "second", "pid", &first);
	pid_t inner = ask(&second, orphan, "orphan");
	pid_t pid = proc_outside(first.init, inner);
	ck_assert_int_ne(pid, 0);
	char *command = support_text("kill -9 %d; (:); echo killed=1", inner);
	ck_assert_int_eq(ask(&second, command, "killed"), 1);
	/* SIGKILL is on its way; nobody but the first can take the zombie. */
	while (proc_state(pid) != 'Z')
		ck_assert_int_ne(proc_state(pid), 0);
	ck_assert_int_eq(ask(&second, "(:); echo waited=1", "waited"), 1);
	ck_assert_int_eq(proc_state(pid), 'Z');
	ck_assert_int_eq(ask(&first, "(:); echo waited=1", "waited"), 1);
	ck_assert_int_eq(proc_state(pid), 0);
	free(command);
	end(&second);
	end(&first);
}
END_TEST

START_TEST(signals_go_both_ways)
{
	struct container first, second;

	begin_alone(&first, "first");
	begin_with(&second, "second", "pid", &first);
	pid_t inner = ask(&second, "echo self=$$", "self");
	char *command = support_text("kill -0 %d; echo sent=$?", inner);
	ck_assert_int_eq(ask(&first, command, "sent"), 0);
	ck_assert_int_eq(ask(&second, "kill -0 1; echo sent=$?", "sent"), 0);
	/* No error, and no effect. */
	ck_assert_int_eq(
		ask(&second, "kill -9 1; echo killed=$?", "killed"), 0);
	ck_assert_int_eq(ask(&first, "echo alive=$$", "alive"), 1);
	free(command);
	/* From the first, the second's first process is one like any other. */
	command = support_text("kill -9 %d", inner);
	support_type(&first.session, command);
	support_type(&first.session, "\n");
	finish(&second, 128 + SIGKILL);
	free(command);
	end(&first);
}
END_TEST

START_TEST(end_of_the_first_ends_both)
{
	struct container first, second;

	begin_alone(&first, "first");
	begin_with(&second, "second", "pid", &first);
	ck_assert_int_eq(kill(first.init, SIGKILL), 0);
	finish(&second, 128 + SIGKILL);
	finish(&first, 128 + SIGKILL);
}
END_TEST

/* Before it has a root of its own, the second's process sees the host's files.
 * The first could reach them through /proc/PID/root, if it may look there: it
 * has CAP_SYS_PTRACE in the user namespace that both have. */
START_TEST(nobody_looks_into_a_start)
{
	struct container first;

	begin_alone(&first, "first");
	char *command = support_text(
		"(while :; do for p in /proc/[0-9]*; do [ ! -d $p/root%s ] ||"
		" echo outside; done; done) &",
		first.bundle);
	char *user = support_text("user=%d", first.init);
	char *pid = support_text("pid=%d", first.init);
	type(&first, command);
	for (int i = 0; i < 20; i++)
		expect(RUN("./lesson10", "--share", user, "--share", pid,
			       "true"),
			0, "");
	type(&first, "kill $!");
	ck_assert_ptr_null(strstr(first.session.seen, "\noutside"));
	free(pid);
	free(user);
	free(command);
	end(&first);
}
END_TEST

/* --- one network namespace ----------------------------------------------- */

/* A23: without the shared namespace, nobody answers at that port. */
START_TEST(pod_talks_over_loopback)
{
	static const char server[] =
		"nc -l -p 8080 -e echo hello &"
		" until netstat -ltn | grep -q ':8080 '; do :; done;"
		" echo listens=1";
	struct container web, aside;

	begin_alone(&web, "web");
	begin_with(&aside, "aside", "net", &web);
	ck_assert_int_eq(shared(web.init, aside.init),
		all_types() & ~(OWN & ~CLONE_NEWNET));
	ck_assert_int_eq(ask(&web, server, "listens"), 1);
	expect_error(RUN("./lesson10", "--share", "cgroup=host", "nc",
			     "127.0.0.1", "8080"),
		1, "can't connect");
	ck_assert_ptr_nonnull(strstr(
		type(&aside,
			"nc 127.0.0.1 8080 </dev/null; echo $(hostname) $$"),
		"\nhello\r\naside 1\r\n"));
	end(&aside);
	end(&web);
}
END_TEST

/* A12 A23: a type that config.json does not name is not new. */
START_TEST(host_network_is_ours)
{
	struct run run = RUN("./lesson10", "--share", "network=host", "sh",
		"-c", "readlink /proc/self/ns/net; cat /proc/net/dev");
	char *ours = proc_read(NS_SELF, "net/dev"), *rest;
	char *answer =
		support_text("net:[%lu]", support_look(NS_SELF, "net").ino);

	ck_run(run, 0);
	ck_assert_int_eq(strncmp(run.out, answer, strlen(answer)), 0);
	for (char *line = strtok_r(ours, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		char *colon = strchr(line, ':');

		if (colon == NULL)
			continue;
		colon[1] = '\0';
		ck_assert_ptr_nonnull(strstr(run.out, line));
	}
	free(answer);
	free(ours);
	support_run_free(&run);
}
END_TEST

/* --- the tool ------------------------------------------------------------- */

/* Both in one mount namespace, which the guard may have made. */
static void
expect_host(const char *name, const char *link)
{
	static char compare[] =
		"test \"$(./lesson10 --share $1=host readlink"
		" /proc/self/ns/$2)\" = \"$(readlink /proc/self/ns/$2)\"";

	expect(RUN("sh", "-c", compare, "sh", (char *)name, (char *)link), 0,
		"");
}

START_TEST(each_type_of_the_host)
{
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		/* An ordinary user gets a user namespace in any case, and of
		 * the host's mqueue what is mounted there, if it is. */
		if (!is_root() &&
			(type->flag == CLONE_NEWUSER ||
				(type->flag == CLONE_NEWIPC &&
					access("/dev/mqueue", F_OK) == -1)))
			continue;
		if (ns_exists(type))
			expect_host(type->name, type->name);
	}
	expect_host("network", "net");
	expect_host("mount", "mnt");
}
END_TEST

/* also: what must be shared, too. */
static void
expect_same(const char *type, const char *what, char *user, char *also,
	struct ns_id id)
{
	char *share = support_text("%s=%s", type, what);
	char *path = support_text("/proc/self/ns/%s", type);
	char *answer = support_text("%s:[%lu]\n", type, id.ino);

	expect(RUN("./lesson10", "--share", is_root() ? also : user, "--share",
		       also, "--share", share, "readlink", path),
		0, answer);
	free(answer);
	free(path);
	free(share);
}

/* By its PID, and by a path. In its mount namespace there is its /proc, which
 * shows a process of its PID namespace only. */
START_TEST(each_type_of_a_container)
{
	struct container other;

	begin_alone(&other, "other");
	char *user = support_text("user=%d", other.init);
	char *pid = support_text("%d", other.init);
	char *also = support_text("pid=%d", other.init);
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];
		char *path = ns_path(other.init, type->name);
		char *more = type->flag == CLONE_NEWNS ? also : "cgroup=host";

		if ((type->flag & OWN) != 0) {
			expect_same(type->name, pid, user, more,
				support_look(other.init, type->name));
			expect_same(type->name, path, user, more,
				support_look(other.init, type->name));
		}
		free(path);
	}
	free(also);
	free(pid);
	free(user);
	end(&other);
}
END_TEST

/* The container's name is that of its bundle; in another's UTS namespace it
 * keeps that one's, and the host's stays as it was. */
START_TEST(nobody_is_renamed)
{
	struct container first, second;
	char before[256], after[256];

	ck_assert_int_eq(gethostname(before, sizeof(before)), 0);
	begin_alone(&first, "first");
	begin_with(&second, "second", "uts", &first);
	ck_assert_ptr_nonnull(strstr(type(&second, "hostname"), "\nfirst\r\n"));
	end(&second);
	ck_assert_ptr_nonnull(strstr(type(&first, "hostname"), "\nfirst\r\n"));
	end(&first);
	struct run run = RUN("./lesson10", "--share", "uts=host", "hostname");
	ck_run(run, 0);
	run.out[strcspn(run.out, "\n")] = '\0';
	ck_assert_str_eq(run.out, before);
	ck_assert_int_eq(gethostname(after, sizeof(after)), 0);
	ck_assert_str_eq(after, before);
	support_run_free(&run);
}
END_TEST

START_TEST(exit_codes_are_the_commands)
{
	char *share = _i == 0 ? "pid=host" : "net=host";

	expect(RUN("./lesson10", "--share", share, "true"), 0, "");
	expect(RUN("./lesson10", "--share", share, "sh", "-c", "exit 42"), 42,
		"");
	expect(RUN("./lesson10", "--share", share, "sh", "-c",
		       "sh -c 'kill -9 $$'; exit $?"),
		137, "");
	expect_error(RUN("./lesson10", "--share", share, "no-such-command"),
		127, "exec no-such-command: ENOENT");
	expect_error(RUN("./lesson10", "--share", share, "/proc/version"), 126,
		"exec /proc/version: EACCES");
}
END_TEST

/* What config.json says, where no command is given: a shell that reads the end
 * of its input. */
START_TEST(command_is_that_of_config_json)
{
	expect(RUN("./lesson10", "--share", "net=host"), 0, "");
	expect_error(RUN("./lesson10", "-b", "/no/such/bundle", "--share",
			     "net=host"),
		1, "/no/such/bundle");
}
END_TEST

/* As a reader uses it: what config.json says, on a terminal of its own. */
START_TEST(is_interactive)
{
	struct session session = support_start(
		(char *const[]){"./lesson10", "--share", "net=host", NULL});

	support_expect(&session, "# ");
	support_type(&session, "tty; echo pid-$$-\n");
	support_expect(&session, "/dev/pts/0");
	support_expect(&session, "pid-1-");
	support_type(&session, "sh -c 'echo job-$$-; sleep 1000'\n");
	support_expect(&session, "job-3-");
	support_type(&session, "\003");
	support_type(&session, "exit 5\n");
	struct run run = support_finish(&session);
	ck_run(run, 5);
	ck_assert_ptr_null(strstr(run.out, "job control turned off"));
	support_run_free(&run);
}
END_TEST

/* Standard streams, and the one by which ls reads the folder. */
START_TEST(no_descriptor_of_ours)
{
	expect(RUN("./lesson10", "--share", "pid=host", "ls", "/proc/self/fd"),
		0, "0\n1\n2\n3\n");
}
END_TEST

START_TEST(a_signal_ends_the_container)
{
	char *share = _i == 0 ? "pid=host" : "net=host";
	char *dir = make_bundle("other");
	struct session session = support_start(
		(char *const[]){"./lesson10", "-b", dir, "--share", share, "sh",
			"-c", "echo ready; exec sleep 1000", NULL});

	support_expect(&session, "ready");
	ck_assert_int_eq(kill(session.pid, SIGTERM), 0);
	struct run run = support_finish(&session);
	ck_run(run, 128 + SIGTERM);
	support_run_free(&run);
	/* It does not outlive its runner: the guard would find it. */
	session = support_start(
		(char *const[]){"./lesson10", "-b", dir, "--share", share, "sh",
			"-c", "echo ready; exec sleep 1000", NULL});
	support_expect(&session, "ready");
	ck_assert_int_eq(kill(session.pid, SIGKILL), 0);
	run = support_finish(&session);
	ck_run(run, 128 + SIGKILL);
	support_run_free(&run);
	remove_bundle(dir);
}
END_TEST

START_TEST(wrong_usage_is_told)
{
	static char *const wrong[] = {"net", "net=", "=host", "foo=host",
		"nets=1", "NET=1", "", "net=0", "net=99999999999"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_error(RUN("./lesson10", "--share", wrong[i], "true"), 2,
			"expected");
	expect_error(RUN("./lesson10", "true"), 2, "--share");
	expect_error(RUN("./lesson10", "-b", "bundle"), 2, "--share");
}
END_TEST

/* A PID that was one a moment ago. */
static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(child_wait(pid), 0);
	return pid;
}

START_TEST(what_is_no_namespace_is_told)
{
	char *dead = support_text("net=%d", dead_pid());
	char *dir = make_bundle("other"), *fifo = support_text("%s/fifo", dir);
	char *share = support_text("net=%s", fifo);

	expect_error(RUN("./lesson10", "--share", dead, "true"), 1,
		"there is no such process");
	expect_error(RUN("./lesson10", "--share", "net=/no/such/file", "true"),
		1, "open /no/such/file: ENOENT");
	expect_error(RUN("./lesson10", "--share", "net=/etc/passwd", "true"), 1,
		"/etc/passwd: found no namespace, expected a net namespace");
	expect_error(
		RUN("./lesson10", "--share", "net=/proc/self/ns/uts", "true"),
		1, "/proc/self/ns/uts: found uts, expected a net namespace");
	/* Nobody will ever write into it. */
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	expect_error(RUN("./lesson10", "--share", share, "true"), 1,
		"found no namespace");
	ck_assert_int_eq(unlink(fifo), 0);
	remove_bundle(dir);
	free(share);
	free(fifo);
	free(dead);
}
END_TEST

/* Nothing that protects is dropped in silence. */
START_TEST(what_is_not_done_is_said)
{
	char *dir = make_bundle("other"), *file;

	ck_assert_int_ne(asprintf(&file, "%s/config.json", dir), -1);
	json_t *config = json_load_file(file, 0, NULL);
	expect_error(
		RUN("./lesson10", "-b", dir, "--share", "net=host", "true"), 0,
		"linux.resources");
	json_object_set_new(json_object_get(config, "linux"), "seccomp",
		json_pack("{s:s}", "defaultAction", "SCMP_ACT_ALLOW"));
	ck_assert_int_eq(json_dump_file(config, file, 0), 0);
	expect_error(
		RUN("./lesson10", "-b", dir, "--share", "net=host", "true"), 1,
		"linux.seccomp");
	json_decref(config);
	free(file);
	remove_bundle(dir);
}
END_TEST

/* runc joins what this lesson started, and this lesson what runc started. */
START_TEST(agrees_with_runc)
{
	struct container first;

	begin_alone(&first, "first");
	char *pid = support_text("%d", first.init);
	struct run run = RUN("sh", "-ec",
		"d=$(mktemp -d); r=\"runc --root $d/state\"\n"
		"scripts/build-bundle --no-terminal $d/b >&2\n"
		"sed -i 's,\"type\": \"pid\",&\\,\"path\":\"/proc/'$1'/ns/pid\",;"
		"  s/\"sh\"/\"sleep\"\\,\"1000\"/' $d/b/config.json\n"
		"trap '$r delete -f share-'$$'; rm -r $d' EXIT\n"
		"$r run -d -b $d/b --pid-file $d/pid share-$$ </dev/null\n"
		"p=$(cat $d/pid)\n"
		"for type in ipc net pid uts; do\n"
		"  test \"$(./lesson10 --share $type=$p readlink"
		"    /proc/self/ns/$type)\" = \"$(readlink /proc/$p/ns/$type)\"\n"
		"done\n"
		"readlink /proc/$p/ns/pid",
		"sh", pid);
	char *answer = support_text(
		"pid:[%lu]\n", support_look(first.init, "pid").ino);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, answer);
	support_run_free(&run);
	free(answer);
	free(pid);
	end(&first);
}
END_TEST

Suite *
suite_share(void)
{
	Suite *suite = suite_create("share");
	TCase *tcase = tcase_create("share");

	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, wrong_usage_is_told);
	if (!support_have("namespaces", "share"))
		return suite;
	tcase_add_test(tcase, demonstration_shares_one_type);
	tcase_add_test(tcase, second_joins_the_first);
	tcase_add_test(tcase, orphan_is_the_firsts);
	tcase_add_test(tcase, first_reaps);
	tcase_add_test(tcase, signals_go_both_ways);
	tcase_add_test(tcase, end_of_the_first_ends_both);
	if (!is_root())
		tcase_add_test(tcase, nobody_looks_into_a_start);
	tcase_add_test(tcase, pod_talks_over_loopback);
	tcase_add_test(tcase, host_network_is_ours);
	tcase_add_test(tcase, each_type_of_the_host);
	tcase_add_test(tcase, each_type_of_a_container);
	tcase_add_test(tcase, nobody_is_renamed);
	tcase_add_loop_test(tcase, exit_codes_are_the_commands, 0, 2);
	tcase_add_test(tcase, command_is_that_of_config_json);
	tcase_add_test(tcase, is_interactive);
	tcase_add_test(tcase, no_descriptor_of_ours);
	tcase_add_loop_test(tcase, a_signal_ends_the_container, 0, 2);
	tcase_add_test(tcase, what_is_no_namespace_is_told);
	tcase_add_test(tcase, what_is_not_done_is_said);
	if (support_have("root", "agrees_with_runc") &&
		support_have("runc", "agrees_with_runc"))
		tcase_add_test(tcase, agrees_with_runc);
	return suite;
}
