/*
 * lesson09 as a tool, on containers of lesson08: what is put into a container
 * is asked where it is, who it is, and what it has; from inside and from
 * outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "ns.h"
#include "proc.h"
#include "state.h"
#include "support.h"

/* Whose folders are these, and the container that a test has. */
static char *top, *root, *bundle;
static struct session runner;
static pid_t init;

/* An ordinary user gets a user namespace, and what it does not allow is left
 * out. */
static void
make_rootless(json_t *config)
{
	json_t *linux_ = json_object_get(config, "linux"), *mount, *options;
	json_t *mounts = json_object_get(config, "mounts");
	size_t i, k;

	json_array_append_new(json_object_get(linux_, "namespaces"),
		json_pack("{s:s}", "type", "user"));
	json_object_set_new(linux_, "uidMappings",
		json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID",
			(int)getuid(), "size", 1));
	json_object_set_new(linux_, "gidMappings",
		json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID",
			(int)getgid(), "size", 1));
	json_object_del(linux_, "resources");
	json_array_remove(mounts, json_array_size(mounts) - 1);
	json_array_foreach(mounts, i, mount) {
		options = json_object_get(mount, "options");
		for (k = 0; k < json_array_size(options); k++)
			if (strcmp(json_string_value(
					   json_array_get(options, k)),
				    "gid=5") == 0)
				json_array_remove(options, k);
	}
}

/* Our bundle with a command that says when it is there, and that knows two
 * signals. */
static void
write_bundle(void)
{
	json_t *config = json_load_file("bundle/config.json", 0, NULL);
	json_t *process = json_object_get(config, "process");
	char *rootfs = realpath("bundle/rootfs", NULL),
	     *file = support_path(bundle, "config.json");

	ck_assert_msg(rootfs != NULL, "run me from the top of the project");
	json_object_set_new(process, "terminal", json_false());
	json_object_set_new(process, "args",
		json_pack("[sss]", "sh", "-c",
			"trap 'echo heard USR1' USR1; echo ready;"
			" while :; do sleep 1000 & wait; done"));
	json_object_set_new(
		json_object_get(config, "root"), "path", json_string(rootfs));
	if (geteuid() != 0)
		make_rootless(config);
	ck_assert_int_eq(json_dump_file(config, file, 0), 0);
	json_decref(config);
	free(file);
	free(rootfs);
}

static void
set_up_case(void)
{
	top = support_folder("exec");
	bundle = support_path(top, "bundle");
	ck_assert_int_eq(mkdir(bundle, 0755), 0);
	write_bundle();
}

static void
tear_down_case(void)
{
	support_remove(top);
	free(bundle);
	free(top);
}

static struct state
found(int *pidfd)
{
	struct state state;
	char *error;

	ck_assert_msg(state_find(&state, root, "box", pidfd, &error) == 0, "%s",
		error);
	return state;
}

static void
set_up(void)
{
	root = support_path(top, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	runner = support_start((char *[]){"./lesson08", "run", "--root", root,
		"--bundle", bundle, "box", NULL});
	support_expect(&runner, "ready");
	struct state state = found(NULL);
	init = state.pid;
	state_free(&state);
}

/* The container ends, and nothing is left of it. */
static void
tear_down(void)
{
	if (kill(init, SIGKILL) == -1)
		ck_assert_int_eq(errno, ESRCH);
	struct run run = support_finish(&runner);
	ck_run(run, 128 + SIGKILL);
	support_run_free(&run);
	ck_assert_int_eq(rmdir(root), 0);
	free(root);
}

#define LESSON(verb, ...) RUN("./lesson09", verb, "--root", root, __VA_ARGS__)

/* What a run has printed, and that it went well. */
static void
prints(struct run run, int code, const char *out, const char *err)
{
	ck_run(run, code);
	ck_assert_str_eq(run.out, out);
	ck_assert_msg(strstr(run.err, err) != NULL &&
			      (*err != '\0' || *run.err == '\0'),
		"stderr: %s", run.err);
	support_run_free(&run);
}

/* Of the init, as the host sees it: pid:[4026532395] and a newline each. */
static char *
namespaces_of(pid_t pid)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	for (int i = 0; i < NS_TYPES; i++)
		if (ns_exists(&ns_types[i]))
			fprintf(out, "%s:[%lu]\n", ns_types[i].name,
				ns_look(pid, ns_types[i].name).ino);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* A19: all eight. */
START_TEST(it_is_in_all_namespaces)
{
	char *expected = namespaces_of(init);

	prints(LESSON("exec", "box", "sh", "-c",
		       ("cd /proc/self/ns; for n in cgroup ipc mnt net pid time"
			" user uts; do readlink $n; done")),
		0, expected, "");
	free(expected);
}
END_TEST

START_TEST(it_is_in_the_cgroups)
{
	prints(LESSON("exec", "box", "sh", "-c",
		       ("[ \"$(cat /proc/1/cgroup)\" ="
			" \"$(cat /proc/self/cgroup)\" ] && echo same")),
		0, "same\n", "");
}
END_TEST

START_TEST(it_is_who_config_json_says)
{
	prints(LESSON("exec", "box", "sh", "-c",
		       ("id -u; id -g; pwd; ulimit -n; umask;"
			" grep -E 'CapInh|NoNew' /proc/self/status")),
		0,
		("0\n0\n/\n1024\n0022\nCapInh:\t0000000000000000\n"
		 "NoNewPrivs:\t1\n"),
		"");
}
END_TEST

START_TEST(it_has_the_sets_of_the_init)
{
	prints(LESSON("exec", "box", "sh", "-c",
		       ("[ \"$(grep ^Cap /proc/1/status)\" ="
			" \"$(grep ^Cap /proc/self/status)\" ] && echo same")),
		0, "same\n", "");
	prints(LESSON("exec", "--cap", "CAP_SETUID", "--cap", "net_raw", "box",
		       "grep", "-E", "Cap(Inh|Eff|Bnd)", "/proc/self/status"),
		0,
		("CapInh:\t0000000000000000\nCapEff:\t00000000200024a0\n"
		 "CapBnd:\t00000000200024a0\n"),
		"");
}
END_TEST

START_TEST(options_change_it)
{
	prints(LESSON("exec", "--cwd", "/tmp", "-e", "A=1 2", "-e", "TERM=x",
		       "-e", "A=3", "box", "sh", "-c",
		       "pwd; echo $A $TERM $HOME"),
		0, "/tmp\n3 x /root\n", "");
}
END_TEST

START_TEST(another_user)
{
	prints(LESSON("exec", "-u", "5:6", "box", "sh", "-c",
		       "id -u; id -g; grep CapEff /proc/self/status"),
		0, "5\n6\nCapEff:\t0000000000000000\n", "");
	prints(LESSON("exec", "--user", "7", "box", "id"), 0,
		"uid=7 gid=0(root)\n", "");
}
END_TEST

START_TEST(a_file_says_who_it_is)
{
	char *file = support_path(root, "process.json");
	FILE *out = fopen(file, "we");

	ck_assert_ptr_nonnull(out);
	fputs("{\"args\":[\"pwd\"],\"cwd\":\"/etc\"}", out);
	ck_assert_int_eq(fclose(out), 0);
	prints(LESSON("exec", "--process", file, "box"), 0, "/etc\n", "");
	prints(LESSON("exec", "--process", file, "box", "echo", "a"), 0, "a\n",
		"");
	out = fopen(file, "we");
	ck_assert_ptr_nonnull(out);
	fputs("{\"args\":[\"pwd\"],\"cwd\":\"etc\"}", out);
	ck_assert_int_eq(fclose(out), 0);
	prints(LESSON("exec", "--process", file, "box"), 1, "", "cwd");
	ck_assert_int_eq(unlink(file), 0);
	free(file);
}
END_TEST

START_TEST(exit_codes_are_passed_on)
{
	prints(LESSON("exec", "box", "sh", "-c", "exit 7"), 7, "", "");
	prints(LESSON("exec", "box", "sh", "-c", "kill -TERM $$"),
		128 + SIGTERM, "", "");
	prints(LESSON("exec", "box", "/etc"), 126, "", "exec /etc: EACCES");
	prints(LESSON("exec", "box", "nosuch"), 127, "", "exec nosuch: ENOENT");
}
END_TEST

START_TEST(wrong_usage_is_refused)
{
	static char *const wrong[][3] = {{"--user", "5x", "UID"},
		{"--user", "+5", "UID"}, {"--user", " 5", "UID"},
		{"--user", "5:", "UID"}, {"--user", "5:6:7", "UID"},
		{"--user", "-1", "UID"}, {"--user", "4294967295", "UID"},
		{"--user", "", "UID"}, {"--user", "root", "UID"},
		{"--env", "A", "NAME=VALUE"}, {"--env", "=A", "NAME=VALUE"},
		{"--cwd", "tmp", "absolute"}, {"--cap", "FOO", "capability"},
		{"--cap", "7", "capability"}, {"--cap", "cap_7", "capability"},
		{"--cap", "cap_kill=", "capability"},
		{"--cap", "kill,chown", "capability"},
		{"--force", "--", "--force is for delete, not for exec"}};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		prints(LESSON("exec", wrong[i][0], wrong[i][1], "box", "true"),
			2, "", wrong[i][2]);
	prints(LESSON("exec", "box"), 2, "", "which command");
	prints(LESSON("exec", "-d", "-t", "box", "sh"), 2, "", "terminal");
	prints(LESSON("exec", "../box", "sh"), 2, "", "no name");
	prints(LESSON("kill", "box", "FOO"), 2, "", "unknown signal \"FOO\"");
	prints(LESSON("kill", "box", "0"), 2, "", "unknown signal");
	prints(LESSON("kill", "box", "999"), 2, "", "unknown signal");
	prints(LESSON("frob", "box"), 2, "", "`frob` is no verb");
	prints(LESSON("exec", "other", "sh"), 1, "",
		"there is no container other\n");
}
END_TEST

/* What our caller has open is not there, and is no way out (CVE-2024-21626). */
START_TEST(no_descriptor_is_left)
{
	enum { LEFT = 77 };
	int dir = open("/", O_RDONLY | O_DIRECTORY);

	ck_assert_int_eq(dup2(dir, LEFT), LEFT);
	prints(LESSON("exec", "box", "sh", "-c", "ls /proc/$$/fd; :"), 0,
		"0\n1\n2\n", "");
	prints(LESSON("exec", "--cwd", "/proc/self/fd/77", "box", "true"), 1,
		"", "chdir /proc/self/fd/77");
	close(LEFT);
	close(dir);
}
END_TEST

/* The line of ps -f that begins with this, or has this PID, with one blank
 * between its fields: how wide they are depends on the machine. Without C,
 * which changes. */
static char *
line_of(const char *text, const char *heading, pid_t pid)
{
	char *copy = strdup(text), *line, *field, *rest, *more, *found = NULL;
	size_t size;

	for (line = strtok_r(copy, "\n", &rest); line != NULL && found == NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		if (heading != NULL
				? strncmp(line, heading, strlen(heading)) != 0
				: strtol(strchrnul(line, ' '), NULL, 10) != pid)
			continue;
		FILE *out = open_memstream(&found, &size);
		int i = 0;

		ck_assert_ptr_nonnull(out);

		for (field = strtok_r(line, " ", &more); field != NULL;
			field = strtok_r(NULL, " ", &more))
			if (i++ != 3)
				fprintf(out, "%s ", field);
		ck_assert_int_eq(fclose(out), 0);
	}
	free(copy);
	ck_assert_ptr_nonnull(found);
	return found;
}

START_TEST(ps_is_that_of_the_host)
{
	char *number, *expected, *line;

	ck_assert_int_ne(asprintf(&number, "%d", init), -1);
	struct run theirs = RUN("ps", "-fp", number),
		   ours = LESSON("ps", "box");
	ck_run(theirs, 0);
	ck_run(ours, 0);
	for (int i = 0; i < 2; i++) {
		expected = line_of(theirs.out, i == 0 ? "UID" : NULL, init);
		line = line_of(ours.out, i == 0 ? "UID" : NULL, init);
		ck_assert_str_eq(line, expected);
		free(expected);
		free(line);
	}
	support_run_free(&theirs);
	support_run_free(&ours);
	free(number);
}
END_TEST

/* A18: by their PIDs outside. */
START_TEST(ps_lists_who_is_in_it)
{
	struct ns_id space = ns_look(init, "pid");
	struct run run;
	json_t *pids = NULL, *pid;
	bool has_init = false;
	size_t i;

	/* The shell says that it is ready before it starts its sleep. */
	do {
		json_decref(pids);
		run = LESSON("ps", "--json", "box");
		ck_run(run, 0);
		pids = json_loads(run.out, 0, NULL);
		if (json_array_size(pids) < 2)
			support_run_free(&run);
	} while (json_array_size(pids) < 2);
	ck_assert_uint_eq(json_array_size(pids), 2);
	json_array_foreach(pids, i, pid) {
		pid_t one = (pid_t)json_integer_value(pid);

		ck_assert(ns_same(space, ns_look(one, "pid")));
		has_init |= one == init;
	}
	ck_assert(has_init);
	json_decref(pids);
	support_run_free(&run);
}
END_TEST

START_TEST(state_is_that_of_the_specification)
{
	struct run run = LESSON("state", "box");
	json_t *state;
	int pid;
	const char *status, *id, *dir, *version;

	ck_run(run, 0);
	state = json_loads(run.out, 0, NULL);
	ck_assert_int_eq(json_unpack(state, "{s:s,s:s,s:s,s:s,s:i}",
				 "ociVersion", &version, "id", &id, "status",
				 &status, "bundle", &dir, "pid", &pid),
		0);
	ck_assert_str_eq(id, "box");
	ck_assert_str_eq(status, "running");
	ck_assert_str_eq(dir, bundle);
	ck_assert_int_eq(pid, init);
	json_decref(state);
	support_run_free(&run);
}
END_TEST

START_TEST(signals_have_names_and_numbers)
{
	static char *const names[] = {
		"USR1", "SIGUSR1", "usr1", "sigusr1", "10"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		prints(LESSON("kill", "box", names[i]), 0, "", "");
		support_expect(&runner, "heard USR1");
		runner.seen[0] = '\0';
	}
}
END_TEST

START_TEST(delete_wants_it_stopped)
{
	prints(LESSON("delete", "box"), 1, "", "is not stopped");
	ck_assert_int_eq(kill(init, 0), 0);
	prints(LESSON("delete", "--force", "box"), 0, "", "");
	prints(LESSON("state", "box"), 1, "", "there is no container box\n");
}
END_TEST

/* The process is there, but it is not the one that was written down. */
START_TEST(a_pid_used_again_is_not_entered)
{
	char *folder = support_path(root, "box"),
	     *file = support_path(folder, "state.json");
	json_t *state = json_load_file(file, 0, NULL);
	json_int_t start = json_integer_value(json_object_get(state, "start"));

	json_object_set_new(state, "start", json_integer(start - 1));
	ck_assert_int_eq(json_dump_file(state, file, 0), 0);
	char *why =
		support_text("box is stopped; PID %d is used again\n", init);
	prints(LESSON("exec", "box", "true"), 1, "", why);
	prints(LESSON("kill", "box", "KILL"), 1, "", why);
	prints(LESSON("ps", "box"), 1, "", why);
	ck_assert_int_eq(kill(init, 0), 0);
	free(why);
	json_decref(state);
	free(file);
	free(folder);
}
END_TEST

/* Start it without a guard, which would wait for what goes on. */
static pid_t
start_exec(char *const *argv)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0)
		child_exec((char **)argv);
	return pid;
}

START_TEST(detached_it_goes_on)
{
	char *file = support_path(root, "pid"), text[32] = "";

	pid_t pid = start_exec((char *[]){"./lesson09", "exec", "--root", root,
		"-d", "--pid-file", file, "box", "sleep", "987", NULL});
	ck_assert_int_eq(child_wait(pid), 0);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	pid_t command = (pid_t)strtol(text, NULL, 10);
	ck_assert(ns_same(ns_look(init, "pid"), ns_look(command, "pid")));
	char *name = proc_name(command);
	ck_assert_str_eq(name, "sleep");
	free(name);
	ck_assert_int_eq(unlink(file), 0);
	free(file);
	/* One that cannot start says so. */
	pid = start_exec((char *[]){"./lesson09", "exec", "--root", root, "-d",
		"box", "/nosuch", NULL});
	ck_assert_int_eq(child_wait(pid), 127);
}
END_TEST

/* The init cannot end before the runner of exec has waited for its command. */
START_TEST(delete_does_not_wait_for_ever)
{
	char *file = support_path(root, "pid");
	pid_t pid = start_exec((char *[]){"./lesson09", "exec", "--root", root,
		"--pid-file", file, "box", "sleep", "1000", NULL});
	char *told = support_text("and PID %d, its parent", pid);

	while (access(file, F_OK) == -1)
		sched_yield();
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	prints(LESSON("delete", "--force", "box"), 1, "", told);
	prints(LESSON("exec", "box", "true"), 1, "", "box is ending\n");
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
	ck_assert_int_eq(unlink(file), 0);
	free(told);
	free(file);
}
END_TEST

/* Also when it has become another user. */
START_TEST(it_dies_with_its_runner)
{
	char *file = support_path(root, "pid"), text[32] = "";
	struct pollfd ended = {.events = POLLIN};
	pid_t pid = start_exec((char *[]){"./lesson09", "exec", "--root", root,
		"--pid-file", file, "--user", geteuid() == 0 ? "5" : "0", "box",
		"sleep", "987", NULL});
	int fd = -1;

	while (fd == -1 || pread(fd, text, sizeof(text) - 1, 0) < 1) {
		if (fd != -1)
			close(fd);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		sched_yield();
	}
	close(fd);
	ended.fd =
		(int)syscall(SYS_pidfd_open, (pid_t)strtol(text, NULL, 10), 0);
	ck_assert_int_ne(ended.fd, -1);
	ck_assert_int_eq(poll(&ended, 1, 0), 0);
	ck_assert_int_eq(child_end(pid), 128 + SIGKILL);
	ck_assert_int_eq(poll(&ended, 1, 10000), 1);
	close(ended.fd);
	ck_assert_int_eq(unlink(file), 0);
	free(file);
}
END_TEST

START_TEST(a_terminal_of_the_container)
{
	struct session session = support_start((char *[]){"./lesson09", "exec",
		"--root", root, "--tty", "box", "sh", NULL});

	support_type(&session, "tty; exit 6\n");
	support_expect(&session, "/dev/pts/0");
	struct run run = support_finish(&session);
	ck_run(run, 6);
	support_run_free(&run);
}
END_TEST

START_TEST(the_demonstration)
{
	struct run run = RUN("./lesson09", "--json");
	json_t *report;

	ck_run(run, 0);
	report = json_loads(run.out, 0, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(report, "steps")), 6);
	json_decref(report);
	support_run_free(&run);
}
END_TEST

Suite *
suite_exec(void)
{
	Suite *suite = suite_create("exec");
	TCase *c = tcase_create("tool"), *demo = tcase_create("demonstration");

	suite_add_tcase(suite, c);
	suite_add_tcase(suite, demo);
	if (!support_have("namespaces", "exec"))
		return suite;
	tcase_add_unchecked_fixture(c, set_up_case, tear_down_case);
	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, it_is_in_all_namespaces);
	tcase_add_test(c, it_is_in_the_cgroups);
	tcase_add_test(c, it_is_who_config_json_says);
	tcase_add_test(c, it_has_the_sets_of_the_init);
	tcase_add_test(c, options_change_it);
	tcase_add_test(c, a_file_says_who_it_is);
	tcase_add_test(c, exit_codes_are_passed_on);
	tcase_add_test(c, wrong_usage_is_refused);
	tcase_add_test(c, no_descriptor_is_left);
	tcase_add_test(c, ps_lists_who_is_in_it);
	tcase_add_test(c, state_is_that_of_the_specification);
	tcase_add_test(c, signals_have_names_and_numbers);
	tcase_add_test(c, delete_wants_it_stopped);
	tcase_add_test(c, a_pid_used_again_is_not_entered);
	tcase_add_test(c, detached_it_goes_on);
	tcase_add_test(c, delete_does_not_wait_for_ever);
	tcase_add_test(c, it_dies_with_its_runner);
	tcase_add_test(c, a_terminal_of_the_container);
	if (support_have("root", "another_user"))
		tcase_add_test(c, another_user);
	if (support_have("ps", "ps_is_that_of_the_host"))
		tcase_add_test(c, ps_is_that_of_the_host);
	tcase_set_timeout(demo, 60);
	tcase_add_test(demo, the_demonstration);
	return suite;
}
