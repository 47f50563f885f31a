/*
 * The lessons, from outside: what they claim is asked of the kernel and of
 * other tools while their processes live. Every run is under the guard.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "display.h"
#include "gate.h"
#include "ns.h"
#include "proc.h"
#include "support.h"

static char *const lessons[] = {"./lesson01", "./lesson02", "./lesson03",
	"./lesson04", "./lesson05", "./lesson06", "./lesson07", "./lesson08",
	"./lesson09", "./lesson10"};

enum { LESSONS = sizeof(lessons) / sizeof(lessons[0]) };

static int
shared_types(pid_t a, pid_t b)
{
	int shared = 0;

	for (int i = 0; i < NS_TYPES; i++)
		shared += ns_same(support_look(a, ns_types[i].name),
			support_look(b, ns_types[i].name));
	return shared;
}

/* What another tool prints; a number of it. */
static long long
ask(char *const argv[])
{
	struct run run = support_run(argv);

	ck_run(run, 0);
	long long number = strtoll(run.out, NULL, 10);
	support_run_free(&run);
	return number;
}

#define ASK(...) ask((char *const[]){__VA_ARGS__, NULL})

static char *
text_of(long long number)
{
	char *text;

	ck_assert_int_ne(asprintf(&text, "%lld", number), -1);
	return text;
}

/* Start a lesson with --hold and wait until it holds. Returns the PID that it
 * names. */
static pid_t
start_held(struct session *session, char *lesson)
{
	*session = support_start((char *const[]){lesson, "--hold", NULL});
	support_expect(session, "Enter: go on");
	const char *at = strstr(session->seen, "press Enter. PID ");
	ck_assert_ptr_nonnull(at);
	return (pid_t)strtol(at + strlen("press Enter. PID "), NULL, 10);
}

static void
end_held(struct session *session)
{
	support_type(session, "\n");
	struct run run = support_finish(session);
	ck_run(run, 0);
	support_run_free(&run);
}

/* --- all lessons ------------------------------------------------------- */

START_TEST(json_is_one_document)
{
	struct run run = RUN(lessons[_i], "--json");
	json_error_t error;
	json_t *document, *steps, *list;
	int checks = 0;

	ck_run(run, 0);
	document = json_loads(run.out, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(document != NULL, "%s", error.text);
	steps = json_object_get(document, "steps");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		list = json_object_get(json_array_get(steps, i), "checks");
		for (size_t k = 0; k < json_array_size(list); k++) {
			const char *result = json_string_value(json_object_get(
				json_array_get(list, k), "result"));

			ck_assert_str_ne(result, "FAIL");
			checks += strcmp(result, "ok") == 0;
		}
	}
	ck_assert_int_gt(checks, 0);
	ck_assert_int_eq(checks,
		json_integer_value(json_object_get(document, "checks")));
	ck_assert(json_is_true(json_object_get(document, "host_unchanged")));
	json_decref(document);
	support_run_free(&run);
}
END_TEST

/* A projector shows 80 columns and 24 lines. */
static void
ck_line_fits(const char *line)
{
	ck_assert_msg(display_width(line) < 80, "too wide: %s", line);
	ck_assert_msg(strchr(line, '~') == NULL, "cut off: %s", line);
}

START_TEST(steps_fit_a_projector)
{
	struct run run = RUN(lessons[_i], "--color=never");
	char *rest, *line;
	int lines = 0, steps = 0;

	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "\nhost unchanged\n"));
	/* strsep, because strtok would drop the empty lines. */
	for (rest = run.out; (line = strsep(&rest, "\n")) != NULL; lines++) {
		ck_line_fits(line);
		if (strstr(line, "step ") == line + strlen(line) - 8) {
			ck_assert_int_le(lines, steps == 0 ? 0 : 21);
			lines = 0;
			steps++;
		}
	}
	ck_assert_int_gt(steps, 1);
	support_run_free(&run);
}
END_TEST

START_TEST(check_prints_checks_alone)
{
	struct run run = RUN(lessons[_i], "--check");
	char *rest, *line, *last = NULL;

	ck_run(run, 0);
	for (line = strtok_r(run.out, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		ck_assert(strncmp(line, "ok    ", 6) == 0 ||
			  strncmp(line, "skip  ", 6) == 0);
		last = line;
	}
	ck_assert_str_eq(last, "ok    host unchanged");
	support_run_free(&run);
}
END_TEST

START_TEST(explain_adds_lines)
{
	struct run plain = RUN(lessons[_i]);
	struct run more = RUN(lessons[_i], "--explain");
	char *rest, *line;

	ck_run(plain, 0);
	ck_run(more, 0);
	ck_assert_uint_gt(strlen(more.out), strlen(plain.out));
	for (rest = more.out; (line = strsep(&rest, "\n")) != NULL;)
		ck_line_fits(line);
	support_run_free(&plain);
	support_run_free(&more);
}
END_TEST

START_TEST(color_is_chosen)
{
	struct run pipe = RUN(lessons[_i]);
	struct run always =
		RUN("env", "NO_COLOR=1", lessons[_i], "--color=always");

	ck_run(pipe, 0);
	ck_run(always, 0);
	ck_assert_ptr_null(strchr(pipe.out, '\033'));
	ck_assert_ptr_nonnull(strchr(always.out, '\033'));
	support_run_free(&pipe);
	support_run_free(&always);
}
END_TEST

START_TEST(help_and_version_work)
{
	struct run help = RUN(lessons[_i], "--help");
	struct run version = RUN(lessons[_i], "-V");

	ck_run(help, 0);
	ck_run(version, 0);
	ck_assert_ptr_nonnull(strstr(help.out, "--explain"));
	ck_assert_ptr_nonnull(strstr(version.out, lessons[_i] + 2));
	support_run_free(&help);
	support_run_free(&version);
}
END_TEST

static void
expect_usage(struct run run)
{
	ck_run(run, 2);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, "--help"));
	support_run_free(&run);
}

START_TEST(wrong_usage_is_told)
{
	expect_usage(RUN(lessons[_i], "--no-such-option"));
	expect_usage(RUN(lessons[_i], "-Z"));
	expect_usage(RUN(lessons[_i], "--color=sometimes"));
	expect_usage(RUN(lessons[_i], "--color"));
	/* There is no terminal, so nobody could press Enter. */
	expect_usage(RUN(lessons[_i], "--step"));
	expect_usage(RUN(lessons[_i], "--hold"));
}
END_TEST

START_TEST(output_that_is_lost_is_a_failure)
{
	struct run full =
		support_run_to("/dev/full", (char *const[]){lessons[_i], NULL});
	struct run json = support_run_to(
		"/dev/full", (char *const[]){lessons[_i], "--json", NULL});
	char *command;

	ck_run(full, 1);
	ck_run(json, 1);
	ck_assert_ptr_nonnull(strstr(full.err, "ENOSPC"));
	ck_assert_ptr_nonnull(strstr(json.err, "ENOSPC"));
	ck_assert_int_ne(asprintf(&command, "%s >&-", lessons[_i]), -1);
	struct run closed = RUN("sh", "-c", command);
	ck_run(closed, 1);
	ck_assert_ptr_nonnull(strstr(closed.err, "EBADF"));
	free(command);
	support_run_free(&full);
	support_run_free(&json);
	support_run_free(&closed);
}
END_TEST

/* The limit is that of a user namespace of the test's own. */
START_TEST(exhausted_namespaces_are_named)
{
	char *command;

	ck_assert_int_ne(asprintf(&command,
				 "echo 0 >/proc/sys/user/max_pid_namespaces &&"
				 " exec %s --json",
				 lessons[_i]),
		-1);
	struct run run = RUN("unshare", "-r", "sh", "-c", command);
	ck_run(run, 77);
	ck_assert_ptr_nonnull(strstr(run.err, "ENOSPC"));
	ck_assert_ptr_nonnull(strstr(run.err, "cure:"));
	json_t *document = json_loads(run.out, 0, NULL);
	ck_assert_ptr_nonnull(document);
	ck_assert_str_eq(json_string_value(json_object_get(document, "result")),
		"cannot run");
	json_decref(document);
	free(command);
	support_run_free(&run);
}
END_TEST

/* A user that the user namespace does not map may not make another one. */
START_TEST(missing_privilege_is_named)
{
	struct run run = RUN("unshare", "-U", lessons[_i]);

	ck_run(run, 77);
	ck_assert_ptr_nonnull(strstr(run.err, "no CAP_SYS_ADMIN"));
	ck_assert_ptr_nonnull(strstr(run.err, "cure:"));
	support_run_free(&run);
}
END_TEST

START_TEST(missing_proc_is_named)
{
	char *command;

	ck_assert_int_ne(
		asprintf(&command, "mount -t tmpfs none /proc && exec %s",
			lessons[_i]),
		-1);
	struct run run = RUN("unshare", "-rm", "sh", "-c", command);
	ck_run(run, 77);
	ck_assert_ptr_nonnull(strstr(run.err, "/proc is not mounted"));
	free(command);
	support_run_free(&run);
}
END_TEST

/* The path of a program says where its bundle is: any directory will do. */
START_TEST(works_from_elsewhere)
{
	char *path = realpath(lessons[_i], NULL), *command;

	ck_assert_int_ne(asprintf(&command, "cd / && '%s' --check", path), -1);
	struct run run = RUN("sh", "-c", command);
	ck_run(run, 0);
	free(command);
	free(path);
	support_run_free(&run);
}
END_TEST

/* --- what each lesson claims, while its processes live ------------------ */

/* A06: the first child of who has called unshare is PID 1. */
START_TEST(lesson01_child_is_in_a_new_namespace)
{
	struct session session;
	pid_t child = start_held(&session, "./lesson01"), pids[PROC_LEVELS];
	char *parent = proc_status(child, "PPid");
	pid_t caller = (pid_t)strtol(parent, NULL, 10);
	int count = proc_nspids(child, pids);

	ck_assert_int_ge(count, 2);
	ck_assert_int_eq(pids[count - 1], 1);
	ck_assert(!ns_same(
		support_look(NS_SELF, "pid"), support_look(child, "pid")));
	ck_assert(ns_same(
		support_look(NS_SELF, "pid"), support_look(caller, "pid")));
	ck_assert(ns_same(support_look(child, "pid"),
		support_look(caller, "pid_for_children")));
	free(parent);
	end_held(&session);
}
END_TEST

/* A07: ps and lsns, where they are, must name the inode that we see. */
START_TEST(lesson01_agrees_with_ps_and_lsns)
{
	struct session session;
	pid_t child = start_held(&session, "./lesson01");
	char *pid = text_of(child);
	long long inode = (long long)support_look(child, "pid").ino;

	ck_assert_int_eq(ASK("ps", "-o", "pidns=", "-p", pid), inode);
	ck_assert_int_eq(
		ASK("lsns", "-n", "-t", "pid", "-o", "NS", "-p", pid), inode);
	free(pid);
	end_held(&session);
}
END_TEST

/* A05 A10 A22: the links of the five types that were asked for differ, the
 * three others are equal; and the process has two PIDs, the inner one is 1. */
START_TEST(lesson02_makes_five_and_shares_three)
{
	struct session session;
	pid_t init = start_held(&session, "./lesson02"), pids[PROC_LEVELS];
	pid_t parent = session.pid;
	int new = 0;

	/* Compared with the lesson itself, which may be in a user namespace. */
	for (int i = 0; i < NS_TYPES; i++)
		if (!ns_same(support_look(parent, ns_types[i].name),
			    support_look(init, ns_types[i].name)))
			new |= ns_types[i].flag;
	ck_assert_int_eq(new, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
				      CLONE_NEWPID | CLONE_NEWNET);
	int count = proc_nspids(init, pids);
	ck_assert_int_eq(pids[count - 1], 1);
	ck_assert_int_eq(pids[0], init);
	end_held(&session);
}
END_TEST

START_TEST(lesson02_agrees_with_nsenter_and_lsns)
{
	struct session session;
	pid_t init = start_held(&session, "./lesson02");
	char *pid = text_of(init);
	struct run run = RUN("nsenter", "-t", pid, "-a", "/bin/hostname");

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "nslessons\n");
	support_run_free(&run);
	for (int i = 0; i < NS_TYPES; i++) {
		/* lsns needs the new /proc's view for time, which 2.38 has. */
		ck_assert_int_eq(
			ASK("lsns", "-n", "-t", (char *)ns_types[i].name, "-o",
				"NS", "-p", pid),
			(long long)support_look(init, ns_types[i].name).ino);
	}
	/* Its PID 1 and ps, seen by a ps of the host through nsenter's eyes. */
	ck_assert_int_eq(ASK("nsenter", "-t", pid, "-a", "/bin/sh", "-c",
				 "set -- /proc/[0-9]*; echo $#"),
		2);
	free(pid);
	end_held(&session);
}
END_TEST

/* A19 A22: all namespaces of the command are those of the init. */
START_TEST(lesson03_command_is_where_init_is)
{
	struct session session;
	pid_t top = start_held(&session, "./lesson03"), init = 0;
	char *name = proc_name(top), *parent = proc_status(top, "PPid");
	pid_t joiner = (pid_t)strtol(parent, NULL, 10);

	ck_assert_str_eq(name, "top");
	init = proc_outside(top, 1);
	ck_assert_int_ne(init, 0);
	ck_assert_int_ne(init, top);
	ck_assert_int_eq(shared_types(init, top), NS_TYPES);
	/* The one that joined could not change its own PID. */
	ck_assert(ns_same(
		support_look(joiner, "pid"), support_look(NS_SELF, "pid")));
	ck_assert(ns_same(
		support_look(joiner, "mnt"), support_look(init, "mnt")));
	free(name);
	free(parent);
	end_held(&session);
}
END_TEST

START_TEST(lesson05_mounts_proc_inside_alone)
{
	struct session session;
	pid_t inside = start_held(&session, "./lesson05");
	char *its = proc_read(inside, "mountinfo");
	char *ours = proc_read(NS_SELF, "mountinfo"), *at;
	int mounts = 0, before = 0;

	for (at = its; (at = strstr(at, " /proc ")) != NULL; at++)
		mounts++;
	for (at = ours; (at = strstr(at, " /proc ")) != NULL; at++)
		before++;
	ck_assert_int_eq(mounts, before + 1);
	ck_assert(!ns_same(
		support_look(inside, "pid"), support_look(NS_SELF, "pid")));
	ck_assert(!ns_same(
		support_look(inside, "mnt"), support_look(NS_SELF, "mnt")));
	free(its);
	free(ours);
	end_held(&session);
}
END_TEST

/* --- the tools ----------------------------------------------------------- */

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
	ck_assert_msg(
		strstr(run.err, text) != NULL, "no `%s` in: %s", text, run.err);
	support_run_free(&run);
}

/* A06: what the command itself says of its PID. */
START_TEST(lesson01_runs_a_command_as_pid_1)
{
	expect(RUN("./lesson01", "sh", "-c", "echo $$; exit 7"), 7, "1\n");
	/* The PID inside is small, the one in the old /proc is not. */
	struct run run = RUN("./lesson01", "readlink", "/proc/self");
	ck_run(run, 0);
	ck_assert_int_gt(strtol(run.out, NULL, 10), 1);
	support_run_free(&run);
}
END_TEST

START_TEST(commands_end_as_in_a_shell)
{
	char *tool = _i == 0 ? "./lesson01" : "./lesson05";

	expect(RUN(tool, "true"), 0, "");
	expect(RUN(tool, "false"), 1, "");
	expect(RUN(tool, "sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137, "");
	/* A folder of the PATH that is closed to us would make it EACCES. */
	expect_error(RUN("env", "PATH=/usr/bin:/bin", tool, "no-such-command"),
		127, "ENOENT");
	expect_error(RUN(tool, "/etc/passwd"), 126, "EACCES");
}
END_TEST

/* The kernel drops a signal to a PID 1 without a handler: util-linux 2.38's
 * unshare waits on for the sleep to end by itself. */
START_TEST(ctrl_c_ends_a_command)
{
	struct session session = support_start(
		(char *const[]){_i == 0 ? "./lesson01" : "./lesson05", "sh",
			"-c", "echo ready; exec sleep 1000", NULL});

	support_expect(&session, "ready");
	support_type(&session, "\003");
	struct run run = support_finish(&session);
	ck_run(run, 130);
	support_run_free(&run);
}
END_TEST

START_TEST(sigterm_ends_a_command)
{
	struct session session = support_start((char *const[]){
		"./lesson01", "sh", "-c", "echo ready; exec sleep 1000", NULL});

	support_expect(&session, "ready");
	ck_assert_int_eq(kill(session.pid, SIGTERM), 0);
	struct run run = support_finish(&session);
	ck_run(run, 143);
	support_run_free(&run);
}
END_TEST

START_TEST(a_signal_that_is_caught_is_handed_on)
{
	struct session session = support_start((char *const[]){"./lesson01",
		"sh", "-c",
		"trap 'echo caught; exit 9' TERM; echo ready; read x", NULL});

	support_expect(&session, "ready");
	ck_assert_int_eq(kill(session.pid, SIGTERM), 0);
	struct run run = support_finish(&session);
	ck_run(run, 9);
	ck_assert_ptr_nonnull(strstr(run.out, "caught"));
	support_run_free(&run);
}
END_TEST

/* One that is no PID 1 gets its signals from the kernel; nobody kills it. */
START_TEST(lesson03_hands_signals_on)
{
	struct session box, session;
	pid_t init = start_held(&box, "./lesson02");
	char *pid = text_of(init);

	session = support_start((char *const[]){"./lesson03", "-t", pid, "sh",
		"-c", "trap 'echo caught; exit 9' TERM; echo ready; read x",
		NULL});
	support_expect(&session, "ready");
	ck_assert_int_eq(kill(session.pid, SIGTERM), 0);
	struct run run = support_finish(&session);
	ck_run(run, 9);
	ck_assert_ptr_nonnull(strstr(run.out, "caught"));
	support_run_free(&run);
	session = support_start((char *const[]){"./lesson03", "-t", pid, "sh",
		"-c", "echo ready; exec sleep 1000", NULL});
	support_expect(&session, "ready");
	support_type(&session, "\003");
	run = support_finish(&session);
	ck_run(run, 130);
	support_run_free(&run);
	free(pid);
	end_held(&box);
}
END_TEST

START_TEST(lesson02_runs_a_command_of_the_bundle)
{
	expect(RUN("./lesson02", "bundle", "echo", "hello"), 0, "hello\n");
	expect(RUN("./lesson02", "bundle", "sh", "-c", "exit 42"), 42, "");
	expect(RUN("./lesson02", "bundle", "hostname"), 0, "nslessons\n");
	expect(RUN("./lesson02", "bundle", "sh", "-c", "echo $$"), 0, "1\n");
	expect_error(
		RUN("./lesson02", "bundle", "no-such-command"), 127, "ENOENT");
	/* What config.json asks for and is not done is said, not dropped. */
	expect_error(
		RUN("./lesson02", "bundle", "true"), 0, "process.capabilities");
}
END_TEST

/* A03: a ps that is typed in the container's shell. */
START_TEST(lesson02_ps_shows_sh_and_itself)
{
	expect(RUN("./lesson02", "bundle", "sh", "-c",
		       "/bin/ps -o pid,comm; :"),
		0, "PID   COMMAND\n    1 sh\n    2 ps\n");
}
END_TEST

START_TEST(lesson02_root_is_the_bundle)
{
	struct run run = RUN("./lesson02", "bundle", "sh", "-c",
		"stat -c %i /bin/busybox; touch /new 2>&1; ls /proc/self/fd");
	struct stat st;
	char *rest, *line;

	ck_assert_int_eq(stat("bundle/rootfs/bin/busybox", &st), 0);
	ck_run(run, 0);
	line = strtok_r(run.out, "\n", &rest);
	ck_assert_int_eq(strtoll(line, NULL, 10), (long long)st.st_ino);
	line = strtok_r(NULL, "\n", &rest);
	ck_assert_ptr_nonnull(strstr(line, "Read-only file system"));
	/* Standard streams, and the one by which ls reads the folder. */
	ck_assert_str_eq(rest, "0\n1\n2\n3\n");
	support_run_free(&run);
}
END_TEST

/* As a reader uses it: a prompt, a job, Ctrl-C, an exit status. */
START_TEST(lesson02_is_interactive)
{
	struct session session =
		support_start((char *const[]){"./lesson02", "bundle", NULL});

	support_expect(&session, "# ");
	support_type(&session, "echo pid-$$-\n");
	support_expect(&session, "pid-1-");
	/* The job is in the foreground before it can print. */
	support_type(&session, "sh -c 'echo job-$$-; sleep 1000'\n");
	support_expect(&session, "job-2-");
	support_type(&session, "\003");
	support_type(&session, "sleep 1000 & jobs; echo jobs-$?-; kill %1\n");
	support_expect(&session, "jobs-0-");
	support_type(&session, "exit 5\n");
	struct run run = support_finish(&session);
	ck_run(run, 5);
	ck_assert_ptr_null(strstr(run.out, "job control turned off"));
	support_run_free(&run);
}
END_TEST

START_TEST(lesson02_refuses_a_bad_bundle)
{
	const char *tmp = getenv("TMPDIR");
	char *dir, *command;

	ck_assert_int_ne(
		asprintf(&dir, "%s/bundle-XXXXXX", tmp == NULL ? "/tmp" : tmp),
		-1);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	expect_error(RUN("./lesson02", dir), 1, "config.json");
	expect_error(
		RUN("./lesson02", "/no/such/bundle"), 1, "/no/such/bundle");
	ck_assert_int_ne(
		asprintf(&command,
			"cp bundle/config.json %s && mkdir -p"
			" %s/rootfs/bin %s/rootfs/dev &&"
			" cp bundle/rootfs/bin/busybox %s/rootfs/bin/sh",
			dir, dir, dir, dir),
		-1);
	ck_assert_int_eq(ask((char *const[]){"sh", "-c", command, NULL}), 0);
	free(command);
	/* A folder to mount on is made; a link out of the rootfs is refused. */
	expect(RUN("./lesson02", dir, "sh", "-c", "echo /proc/[1]"), 0,
		"/proc/1\n");
	ck_assert_int_ne(asprintf(&command,
				 "rmdir %s/rootfs/proc &&"
				 " ln -s /proc %s/rootfs/proc",
				 dir, dir),
		-1);
	ck_assert_int_eq(ask((char *const[]){"sh", "-c", command, NULL}), 0);
	expect_error(RUN("./lesson02", dir), 1, "real folder");
	free(command);
	ck_assert_int_eq(ASK("rm", "-r", dir), 0);
	free(dir);
}
END_TEST

/* What a container's process says before it is the command must reach the
 * reader, and the terminal must not get what config.json has put into it. */
START_TEST(lesson02_says_why_it_failed)
{
	struct run run = RUN("sh", "-ec",
		"d=$(mktemp -d); trap 'rm -r $d' EXIT\n"
		"scripts/build-bundle --no-terminal $d/b >&2\n"
		"sed -i 's,\"sh\",\"\\\\u001b[31mevil\",' $d/b/config.json\n"
		"./lesson02 $d/b\n");

	ck_run(run, 127);
	ck_assert_ptr_nonnull(strstr(run.err, "exec ?[31mevil: ENOENT"));
	ck_assert_ptr_null(strchr(run.err, '\033'));
	support_run_free(&run);
}
END_TEST

/* Thirty uts namespaces at once: no two of them may look like one. */
START_TEST(more_types_than_letters)
{
	enum { MANY = 30 };
	char *argv[MANY + 2] = {"./lesson04"}, *rest, *word;
	pid_t pids[MANY];
	bool seen[256] = {false};
	int letters = 0;

	for (int i = 0; i < MANY; i++) {
		struct gate gate;

		ck_assert_int_eq(gate_make(&gate), 0);
		pids[i] = fork();
		if (pids[i] == 0) {
			if (unshare(CLONE_NEWUSER | CLONE_NEWUTS) == -1 ||
				gate_open(&gate) == -1)
				_exit(1);
			for (;;)
				pause();
		}
		ck_assert_int_eq(gate_wait(&gate), 0);
		argv[i + 1] = text_of(pids[i]);
	}
	struct run run = support_run(argv);
	ck_run(run, 0);
	/* Rows of five, six of them: the last line of each is uts. */
	for (word = strstr(run.out, "uts "); word != NULL;
		word = strstr(rest, "uts ")) {
		rest = strchr(word, '\n');
		ck_assert_ptr_nonnull(rest);
		for (char *at = word; at < rest; at++)
			if (isalpha((unsigned char)*at) && at[-1] == ' ' &&
				strchr(" \n", at[1]) != NULL) {
				ck_assert(!seen[(unsigned char)*at]);
				seen[(unsigned char)*at] = true;
				letters++;
			}
	}
	ck_assert_int_eq(letters, MANY);
	for (int i = 0; i < MANY; i++) {
		child_end(pids[i]);
		free(argv[i + 1]);
	}
	support_run_free(&run);
}
END_TEST

/* A09 A13 A19: the container is ours. What has entered it reads its own links
 * and those of PID 1, and they name what we see outside. */
START_TEST(lesson03_enters_a_container)
{
	struct session session;
	pid_t init = start_held(&session, "./lesson02");
	char *pid = text_of(init);

	expect(RUN("./lesson03", "-t", pid, "-a", "hostname"), 0,
		"nslessons\n");
	expect(RUN("./lesson03", "--target", pid, "sh", "-c", "exit 6"), 6, "");
	for (int i = 0; i < NS_TYPES; i++) {
		const char *type = ns_types[i].name;
		unsigned long ino = support_look(init, type).ino;
		char *command, *answer;

		ck_assert_int_ne(asprintf(&command,
					 "readlink /proc/self/ns/%s\n"
					 "readlink /proc/1/ns/%s",
					 type, type),
			-1);
		ck_assert_int_ne(asprintf(&answer, "%s:[%lu]\n%s:[%lu]\n", type,
					 ino, type, ino),
			-1);
		expect(RUN("./lesson03", "-t", pid, "sh", "-c", command), 0,
			answer);
		free(command);
		free(answer);
	}
	free(pid);
	end_held(&session);
}
END_TEST

/* A19 A20: what runc started, and what runc says of it. The container gets a
 * name and a state directory of the test's own. */
START_TEST(lesson03_enters_a_container_of_runc)
{
	struct run run = RUN("sh", "-ec",
		"d=$(mktemp -d)\n"
		"r=\"runc --root $d/state\"\n"
		"scripts/build-bundle --no-terminal $d/bundle >&2\n"
		"sed -i 's/\"sh\"/\"sleep\", \"1000\"/' $d/bundle/config.json\n"
		"$r run -d -b $d/bundle --pid-file $d/pid test-$$ </dev/null\n"
		"trap '$r delete -f test-'$$'; rm -r $d' EXIT\n"
		"pid=$(cat $d/pid)\n"
		"./lesson03 -t $pid -a hostname\n"
		"for type in cgroup ipc mnt net pid time user uts; do\n"
		"  test \"$(./lesson03 -t $pid readlink /proc/self/ns/$type)\""
		" = \"$(readlink /proc/$pid/ns/$type)\"\n"
		"done\n"
		"./lesson03 -t $pid ps | grep -c -v PID\n"
		"./lesson04 $$ $pid | grep -c ' B$'\n");

	ck_run(run, 0);
	/* Our ps and its sleep; and the five types that runc has made. */
	ck_assert_str_eq(run.out, "nslessons\n2\n5\n");
	support_run_free(&run);
}
END_TEST

/* Without pidfds (before Linux 5.3) and without setns by them (before 5.8). */
START_TEST(lesson03_enters_by_links)
{
	static char *const faults[] = {"inject=pidfd_open:error=ENOSYS:when=1",
		"inject=setns:error=EINVAL:when=1"};
	struct session session;
	pid_t init = start_held(&session, "./lesson02");
	char *pid = text_of(init);
	/* LeakSanitizer does not work under a tracer. */
	struct run run = RUN("strace", "-E", "ASAN_OPTIONS=detect_leaks=0",
		"-qq", "-o", "/dev/null", "-e", faults[_i], "./lesson03", "-t",
		pid, "hostname");

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "nslessons\n");
	support_run_free(&run);
	free(pid);
	end_held(&session);
}
END_TEST

/* A PID that a reader could type; the tools must say what is wrong with it. */
START_TEST(bad_pids_are_refused)
{
	static char *const words[] = {"0", "-1", "abc", "", "1x", "4194305",
		"99999999999999999999", "1.5"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct run run = RUN("./lesson03", "-t", words[i], "true");
		ck_run(run, 2);
		support_run_free(&run);
		run = RUN("./lesson04", "--", words[i]);
		ck_run(run, 2);
		support_run_free(&run);
	}
}
END_TEST

START_TEST(dead_pids_are_refused)
{
	pid_t pid = fork();
	siginfo_t info;
	char *text;

	if (pid == 0)
		_exit(0);
	/* It has ended, but is not waited for: a zombie. */
	ck_assert_int_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	text = text_of(pid);
	expect_error(RUN("./lesson03", "-t", text, "true"), 1, "zombie");
	expect_error(RUN("./lesson04", text), 1, "zombie");
	ck_assert_int_eq(child_wait(pid), 0);
	expect_error(
		RUN("./lesson03", "-t", text, "true"), 1, "no such process");
	expect_error(RUN("./lesson04", text), 1, "no such process");
	free(text);
}
END_TEST

/* kthreadd is in the first namespaces; who may look at it can enter. */
START_TEST(kernel_threads_are_processes)
{
	int code = geteuid() == 0 ? 0 : 1;
	struct run table = RUN("./lesson04", "2");
	struct run entered = RUN("./lesson03", "-t", "2", "true");

	ck_run(table, code);
	ck_run(entered, code);
	ck_assert(code == 0 || strstr(entered.err, "EACCES") != NULL);
	support_run_free(&table);
	support_run_free(&entered);
}
END_TEST

enum { KTHREADD = 2 };

/* Where PID 2 is another process, or is another user's, nobody knows. */
static bool
sees_kthreadd(void)
{
	struct ns_id id;
	char *name = proc_name(KTHREADD);
	bool seen = name != NULL && strcmp(name, "kthreadd") == 0 &&
		    ns_get(KTHREADD, "pid", &id) == 0;

	free(name);
	return seen;
}

/* A11: what the kernel has started at boot is in namespaces with fixed numbers.
 * Old kernels fix none for mnt and net. */
START_TEST(kthreadd_is_in_the_first_set)
{
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		if (ns_exists(type) && type->flag != CLONE_NEWNS &&
			type->flag != CLONE_NEWNET)
			ck_assert_uint_eq(
				support_look(KTHREADD, type->name).ino,
				type->first);
	}
}
END_TEST

/* A process that ends while it is looked at: any of the reads may be the one
 * that finds nothing. */
START_TEST(a_pid_that_dies_meanwhile_is_no_crash)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		char *text = text_of(pid);
		struct session session = support_start((char *const[]){
			"./lesson04", text, text, text, text, text, text, text,
			text, text, text, text, text, NULL});
		child_end(pid);
		struct run run = support_finish(&session);
		ck_assert_ptr_null(run.changes);
		ck_assert_int_le(run.code, 1);
		support_run_free(&run);
		free(text);
	}
}
END_TEST

/* A10: the same letter where the links name the same object, and only there. */
START_TEST(lesson04_shows_who_is_with_whom)
{
	struct session session;
	pid_t init = start_held(&session, "./lesson02");
	char *inside = text_of(init), *self = text_of(getpid());
	struct run run = RUN("./lesson04", self, inside, self);
	struct run json = RUN("./lesson04", "--json", inside);
	char *rest, *line;
	json_t *document, *space;

	ck_run(run, 0);
	strtok_r(run.out, "\n", &rest);
	strtok_r(NULL, "\n", &rest);
	for (int i = 0; i < NS_TYPES; i++) {
		char *expected;
		struct ns_id ours = support_look(NS_SELF, ns_types[i].name);
		struct ns_id its = support_look(init, ns_types[i].name);

		line = strtok_r(NULL, "\n", &rest);
		ck_assert_int_ne(
			asprintf(&expected, "%-6s  %lu A  %lu %c  %lu A",
				ns_types[i].name, ours.ino, its.ino,
				ns_same(ours, its) ? 'A' : 'B', ours.ino),
			-1);
		ck_assert_str_eq(line, expected);
		free(expected);
	}
	ck_run(json, 0);
	document = json_loads(json.out, 0, NULL);
	ck_assert_ptr_nonnull(document);
	space = json_object_get(
		json_object_get(
			json_array_get(
				json_object_get(document, "processes"), 0),
			"namespaces"),
		"pid");
	ck_assert_int_eq(json_integer_value(json_object_get(space, "inode")),
		(long long)support_look(init, "pid").ino);
	ck_assert_int_eq(json_integer_value(json_object_get(space, "device")),
		(long long)support_look(init, "pid").dev);
	json_decref(document);
	support_run_free(&run);
	support_run_free(&json);
	free(inside);
	free(self);
	end_held(&session);
}
END_TEST

/* In a user namespace it is the same config.json, and what is left out of it
 * is said. */
START_TEST(lesson08_shows_its_bundle_to_all)
{
	struct run run = RUN("unshare", "-r", "./lesson08", "--check");

	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "net: asked for, and new"));
	ck_assert_ptr_nonnull(strstr(run.err, "not done: the option gid="));
	support_run_free(&run);
}
END_TEST

/* A16: the shell is the only process in its PID namespace. */
START_TEST(lesson05_shows_its_own_processes)
{
	expect(RUN("./lesson05", "sh", "-c", "set -- /proc/[0-9]*; echo $*"), 0,
		"/proc/1\n");
	expect(RUN("./lesson05", "readlink", "/proc/self"), 0, "1\n");
}
END_TEST

/* --- the guard itself ---------------------------------------------------- */

/* What a careless lesson could leave behind must be seen. */
START_TEST(guard_sees_a_mount)
{
	struct run run = RUN("mount", "-t", "tmpfs", "none", "/mnt");

	ck_assert_int_eq(run.code, 0);
	ck_assert_ptr_nonnull(run.changes);
	ck_assert_ptr_nonnull(strstr(run.changes, " /mnt "));
	support_run_free(&run);
}
END_TEST

START_TEST(guard_sees_a_mount_that_propagates)
{
	struct run run = RUN("unshare", "--mount", "--propagation", "unchanged",
		"mount", "-t", "proc", "proc", "/mnt");

	ck_assert_int_eq(run.code, 0);
	ck_assert_ptr_nonnull(run.changes);
	ck_assert_ptr_nonnull(strstr(run.changes, " /mnt "));
	support_run_free(&run);
}
END_TEST

START_TEST(guard_sees_a_process)
{
	struct run run = RUN("sh", "-c", "sleep 1000 & exit 0");

	ck_assert_int_eq(run.code, 0);
	ck_assert_ptr_nonnull(run.changes);
	ck_assert_ptr_nonnull(strstr(run.changes, "processes"));
	support_run_free(&run);
}
END_TEST

START_TEST(guard_sees_a_cgroup)
{
	struct run run = RUN("sh", "-c",
		"d=$(ls -d /sys/fs/cgroup/unified /sys/fs/cgroup/pids"
		" /sys/fs/cgroup | head -n 1) && mkdir $d/nslessons-$$-x");
	char *dir;

	ck_assert_int_eq(run.code, 0);
	ck_assert_ptr_nonnull(run.changes);
	dir = strstr(run.changes, "/sys/fs/cgroup");
	ck_assert_ptr_nonnull(dir);
	dir[strcspn(dir, "\n")] = '\0';
	ck_assert_int_eq(rmdir(dir), 0);
	support_run_free(&run);
}
END_TEST

/* -------------------------------------------------------------------------- */

static TCase *
new_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 180);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void
add_common(Suite *suite)
{
	TCase *all = new_case(suite, "all");

	tcase_add_loop_test(all, help_and_version_work, 0, LESSONS);
	tcase_add_loop_test(all, wrong_usage_is_told, 0, LESSONS);
	if (!support_have("namespaces", "lessons"))
		return;
	tcase_add_loop_test(all, json_is_one_document, 0, LESSONS);
	tcase_add_loop_test(all, steps_fit_a_projector, 0, LESSONS);
	tcase_add_loop_test(all, check_prints_checks_alone, 0, LESSONS);
	tcase_add_loop_test(all, explain_adds_lines, 0, LESSONS);
	tcase_add_loop_test(all, color_is_chosen, 0, LESSONS);
	tcase_add_loop_test(all, output_that_is_lost_is_a_failure, 0, LESSONS);
	tcase_add_loop_test(all, works_from_elsewhere, 0, LESSONS);
	if (SUPPORT_HAVE("exhausted_namespaces", "userns", "unshare"))
		tcase_add_loop_test(
			all, exhausted_namespaces_are_named, 0, LESSONS);
	if (SUPPORT_HAVE("missing_privilege", "userns", "unshare"))
		tcase_add_loop_test(
			all, missing_privilege_is_named, 0, LESSONS);
	if (SUPPORT_HAVE("missing_proc", "userns", "unshare"))
		tcase_add_loop_test(all, missing_proc_is_named, 0, LESSONS);
}

static void
add_demonstrations(Suite *suite)
{
	TCase *held = new_case(suite, "held");

	tcase_add_test(held, lesson01_child_is_in_a_new_namespace);
	tcase_add_test(held, lesson02_makes_five_and_shares_three);
	tcase_add_test(held, lesson03_command_is_where_init_is);
	tcase_add_test(held, lesson05_mounts_proc_inside_alone);
	if (SUPPORT_HAVE("lesson01_agrees_with_ps_and_lsns", "ps", "lsns"))
		tcase_add_test(held, lesson01_agrees_with_ps_and_lsns);
	if (SUPPORT_HAVE("lesson02_agrees_with_nsenter_and_lsns", "root",
		    "nsenter", "lsns"))
		tcase_add_test(held, lesson02_agrees_with_nsenter_and_lsns);
}

static void
add_tools(Suite *suite)
{
	TCase *tools = new_case(suite, "tools");

	tcase_add_test(tools, lesson01_runs_a_command_as_pid_1);
	tcase_add_loop_test(tools, commands_end_as_in_a_shell, 0, 2);
	tcase_add_loop_test(tools, ctrl_c_ends_a_command, 0, 2);
	tcase_add_test(tools, sigterm_ends_a_command);
	tcase_add_test(tools, a_signal_that_is_caught_is_handed_on);
	tcase_add_test(tools, lesson03_hands_signals_on);
	tcase_add_test(tools, lesson02_runs_a_command_of_the_bundle);
	tcase_add_test(tools, lesson02_says_why_it_failed);
	if (SUPPORT_HAVE("more_types_than_letters", "userns"))
		tcase_add_test(tools, more_types_than_letters);
	tcase_add_test(tools, lesson02_ps_shows_sh_and_itself);
	tcase_add_test(tools, lesson02_root_is_the_bundle);
	tcase_add_test(tools, lesson02_is_interactive);
	tcase_add_test(tools, lesson02_refuses_a_bad_bundle);
	tcase_add_test(tools, lesson03_enters_a_container);
	tcase_add_test(tools, bad_pids_are_refused);
	tcase_add_test(tools, dead_pids_are_refused);
	tcase_add_test(tools, a_pid_that_dies_meanwhile_is_no_crash);
	tcase_add_test(tools, lesson04_shows_who_is_with_whom);
	tcase_add_test(tools, lesson05_shows_its_own_processes);
	if (SUPPORT_HAVE(
		    "lesson08_shows_its_bundle_to_all", "userns", "unshare"))
		tcase_add_test(tools, lesson08_shows_its_bundle_to_all);
	if (SUPPORT_HAVE("lesson03_enters_a_container_of_runc", "root", "runc"))
		tcase_add_test(tools, lesson03_enters_a_container_of_runc);
	if (access("/proc/2/ns", F_OK) == 0)
		tcase_add_test(tools, kernel_threads_are_processes);
	else
		printf("SKIP kernel_threads_are_processes: none is seen\n");
	if (sees_kthreadd())
		tcase_add_test(tools, kthreadd_is_in_the_first_set);
	else
		printf("SKIP kthreadd_is_in_the_first_set: it is not seen\n");
	if (SUPPORT_HAVE("lesson03_enters_by_links", "strace"))
		tcase_add_loop_test(tools, lesson03_enters_by_links, 0, 2);
}

static void
add_guard(Suite *suite)
{
	TCase *guard = new_case(suite, "guard");

	tcase_add_test(guard, guard_sees_a_process);
	if (SUPPORT_HAVE("guard_sees_a_mount", "root", "unshare")) {
		tcase_add_test(guard, guard_sees_a_mount);
		tcase_add_test(guard, guard_sees_a_mount_that_propagates);
	}
	if (SUPPORT_HAVE("guard_sees_a_cgroup", "root", "cgroup"))
		tcase_add_test(guard, guard_sees_a_cgroup);
}

Suite *
suite_lessons(void)
{
	Suite *suite = suite_create("lessons");

	add_common(suite);
	if (support_have("namespaces", "demonstrations and tools")) {
		add_demonstrations(suite);
		add_tools(suite);
	}
	add_guard(suite);
	return suite;
}
