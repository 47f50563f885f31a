/*
 * crash: what is left when the runtime is killed at any moment, or a system
 * call fails, or a container runs a thousand times. Run from the top of the
 * project.
 *
 * FAULTS=7 takes every seventh system call, see inject.h. RUNS=100 is how
 * often a container runs; the default is 1000.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "inject.h"
#include "scratch.h"
#include "support.h"

/* Trials at the same time; how often one container is entered, which may not
 * live for long; seconds for a process to end; runs in a row; those that one
 * guard sees, which may not take long. */
enum {
	AT_A_TIME = 12,
	ENTRIES = 100,
	END_SECONDS = 10,
	RUNS = 1000,
	RUNS_AT_ONCE = 100
};

/* Each test's own: a folder, where states are kept, the container's name. */
static char *folder;
static char *state;
static char *name;

static void
set_up(void)
{
	folder = scratch_folder();
	state = scratch_text("%s/state", folder);
	name = scratch_name();
}

/* No state, and no cgroup with such a name. */
static void
tear_down(void)
{
	if (rmdir(state) == -1)
		ck_assert_msg(errno == ENOENT, "left in %s: %s", state,
			strerror(errno));
	ck_assert_str_eq(scratch_cgroups(name), "");
	scratch_forget();
}

/* A bundle whose command does this. */
static char *
bundle_of(const char *command, const char *argument)
{
	return scratch_bundle(json_pack(
		"{s:{s:[ss]}}", "process", "args", command, argument));
}

static struct session
begin(char *bundle)
{
	struct session session = support_start((char *const[]){"./lesson08",
		"run", "--root", state, "--bundle", bundle, name, NULL});

	support_expect(&session, "ready");
	return session;
}

/* The PIDs of its processes. */
static json_t *
pids_inside(void)
{
	struct run run =
		RUN("./lesson09", "ps", "--json", "--root", state, name);

	ck_run(run, 0);
	json_t *pids = json_loads(run.out, 0, NULL);
	ck_assert_uint_gt(json_array_size(pids), 0);
	support_run_free(&run);
	return pids;
}

static void
end(struct session *session)
{
	support_type(session, "\n");
	struct run run = support_finish(session);
	ck_run(run, 0);
	support_run_free(&run);
}

/* Nobody but its init is there in the end. */
static void
end_alone(struct session *session)
{
	json_t *pids = pids_inside();

	ck_assert_uint_eq(json_array_size(pids), 1);
	json_decref(pids);
	end(session);
}

/* --- A fault at each system call ------------------------------------------ */

/* A run or an exec with one fault. */
struct trial {
	char *fault;
	char *root, *name;
	struct started started;
};

struct sweep {
	struct session *container; /* for exec; NULL for run */
	const char *what;	   /* the fault, see inject_begin */
	char *bundle;
	char *command; /* the first word of it */
	/* What comes of it when all goes well. */
	int code;
	char *facts;
	struct trial trials[AT_A_TIME];
	int turn;
};

/* A text with another name of a container. */
static char *
renamed(const char *text, const char *from, const char *to)
{
	char *done = scratch_text("%s", ""), *next;
	const char *at;

	while ((at = strstr(text, from)) != NULL) {
		next = scratch_text(
			"%s%.*s%s", done, (int)(at - text), text, to);
		done = next;
		text = at + strlen(from);
	}
	return scratch_text("%s%s", done, text);
}

/* The first line in which a text differs from another. */
static char *
difference(const char *text, const char *other)
{
	size_t same = 0, line = 0;

	for (; text[same] != '\0' && text[same] == other[same]; same++)
		if (text[same] == '\n')
			line = same + 1;
	return scratch_text("%.*s, and not %.*s",
		(int)strcspn(text + line, "\n"), text + line,
		(int)strcspn(other + line, "\n"), other + line);
}

/* A call failed. It is told, and the container is as it should be, or there is
 * none: nothing that protects may be missing without a word. */
static void
ck_told(const struct sweep *sweep, const struct trial *trial,
	const struct run *run)
{
	char *facts = renamed(run->out, trial->name, "NAME");

	ck_assert_msg(run->code < 128, "%s: exit code %d: %s", trial->fault,
		run->code, run->err);
	/* A write that fails may be that of the message itself. */
	ck_assert_msg(run->code == 0 || run->err[0] != '\0' ||
			      strstr(trial->fault, "=write:") != NULL,
		"%s: exit code %d without a word", trial->fault, run->code);
	/* A device that may not be made is the host's, bound. */
	ck_assert_msg(run->code != 0 || run->err[0] != '\0' ||
			      strcmp(facts, sweep->facts) == 0 ||
			      strcmp(facts, "spoiled\n") == 0 ||
			      strstr(trial->fault, "=write:") != NULL ||
			      strstr(trial->fault, "=mknodat:") != NULL,
		"%s: not said, but different: %.1500s", trial->fault,
		difference(facts, sweep->facts));
}

/* Nothing but time was lost. */
static void
ck_as_always(const struct sweep *sweep, const struct trial *trial,
	const struct run *run)
{
	char *facts = renamed(run->out, trial->name, "NAME");

	ck_assert_msg(
		run->code == sweep->code && strcmp(facts, sweep->facts) == 0,
		"%s: exit code %d, not %d: %.1000s%.1000s", trial->fault,
		run->code, sweep->code, run->out, run->err);
}

/* What comes next, list or run, cleans up what the dead runner has left. */
static void
ck_cleaned_up(const struct sweep *sweep, const struct trial *trial, bool list)
{
	char *left = scratch_text("%s/%s", trial->root, trial->name);
	bool stale = access(left, F_OK) == 0;
	struct run run = list ? RUN("./lesson08", "list", "--quiet", "--root",
					trial->root)
			      : RUN("./lesson08", "run", "--root", trial->root,
					"--bundle", sweep->bundle, trial->name);

	ck_assert_msg(
		run.code == (list ? 0 : sweep->code) && run.changes == NULL,
		"%s: then: exit code %d: %s%s", trial->fault, run.code, run.err,
		run.changes == NULL ? "" : run.changes);
	ck_assert_msg(!list || run.out[0] == '\0', "%s: still there: %s",
		trial->fault, run.out);
	ck_assert_msg(!stale || strstr(run.err, trial->name) != NULL,
		"%s: cleaned up without a word: %s", trial->fault, run.err);
	ck_assert_msg(rmdir(trial->root) == 0 || errno == ENOENT,
		"%s: left in %s", trial->fault, trial->root);
	support_run_free(&run);
}

static void
end_trial(struct sweep *sweep, struct trial *trial)
{
	struct run run = support_end(&trial->started);

	ck_assert_msg(run.code != 124, "%s: hangs; %s%s", trial->fault, run.out,
		run.err);
	ck_assert_msg(run.changes == NULL, "%s: the host has changed: %s",
		trial->fault, run.changes);
	if (strncmp(sweep->what, "error", 5) == 0)
		ck_told(sweep, trial, &run);
	if (strncmp(sweep->what, "delay", 5) == 0)
		ck_as_always(sweep, trial, &run);
	if (sweep->container == NULL)
		ck_cleaned_up(sweep, trial, sweep->turn % 2 == 0);
	free(trial->fault);
	trial->fault = NULL;
	support_run_free(&run);
}

static void
end_trials(struct sweep *sweep)
{
	for (int i = 0; i < AT_A_TIME; i++)
		if (sweep->trials[i].fault != NULL)
			end_trial(sweep, &sweep->trials[i]);
}

/* What becomes of a container into which many have entered: nobody of them is
 * left, it ends as always, and there is another one. */
static void
renew_container(struct sweep *sweep)
{
	end_trials(sweep);
	end_alone(sweep->container);
	*sweep->container = begin(sweep->bundle);
}

static void
try_fault(const char *call, int when, void *data)
{
	struct sweep *sweep = data;
	struct trial *slot = &sweep->trials[sweep->turn++ % AT_A_TIME];

	if (slot->fault != NULL)
		end_trial(sweep, slot);
	if (sweep->container != NULL && sweep->turn % ENTRIES == 0)
		renew_container(sweep);
	slot->name = name;
	slot->root = state;
	if (sweep->container == NULL) {
		slot->name = scratch_text("%s-%d", name, sweep->turn);
		slot->root = scratch_text("%s/%d", folder, sweep->turn);
	}
	char *const run[] = {"./lesson08", "run", "--root", slot->root,
		"--bundle", sweep->bundle, slot->name, NULL};
	char *const exec[] = {"./lesson09", "exec", "--root", slot->root,
		slot->name, sweep->command, "facts", NULL};
	slot->fault = inject_begin(&slot->started,
		sweep->container != NULL ? exec : run, call, sweep->what, when);
}

/* What --version needs is left out: these are the calls of the dynamic loader,
 * before there is a runtime. */
static void
sweep_all(struct sweep *sweep, char *const *words)
{
	struct inject_calls calls, loader;
	struct run run = support_run(words);

	ck_run(run, sweep->code);
	sweep->facts = renamed(run.out, name, "NAME");
	support_run_free(&run);
	inject_count(&calls, words, sweep->code);
	inject_count(&loader, (char *const[]){words[0], "--version", NULL}, 0);
	*inject_times(&loader, "write") = 0;
	inject_each(&calls, &loader, try_fault, sweep);
	end_trials(sweep);
	printf("crash: %d faults\n", sweep->turn);
}

/* Who is slow must not be taken for somebody else, nor his news for others':
 * the last two look for races. */
static const struct {
	const char *what;
	char *command;
	int code;
} faults[] = {{"error=EPERM", "attack", 0}, {"signal=KILL", "attack", 0},
	{"delay_exit=20000", "attack", 0},
	{"delay_exit=20000", "nowhere", 127}};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

START_TEST(run_with_a_fault)
{
	struct sweep sweep = {.what = faults[_i].what,
		.bundle = bundle_of(faults[_i].command, "facts"),
		.code = faults[_i].code};

	sweep_all(&sweep, (char *const[]){"./lesson08", "run", "--root", state,
				  "--bundle", sweep.bundle, name, NULL});
}
END_TEST

/* The container is not concerned. */
START_TEST(exec_with_a_fault)
{
	struct sweep sweep = {.what = faults[_i].what,
		.bundle = bundle_of("attack", "wait"),
		.command = faults[_i].command,
		.code = faults[_i].code};
	struct session session = begin(sweep.bundle);

	sweep.container = &session;
	sweep_all(&sweep, (char *const[]){"./lesson09", "exec", "--root", state,
				  name, sweep.command, "facts", NULL});
	end_alone(&session);
}
END_TEST

/* --- The runner's end ------------------------------------------------------ */

/* A descriptor that stands for its oldest process, or for the youngest. */
static int
open_process(bool youngest)
{
	json_t *pids = pids_inside();
	size_t count = json_array_size(pids);
	json_t *pid = json_array_get(pids, youngest ? count - 1 : 0);
	int fd = pidfd_open((pid_t)json_integer_value(pid), 0);

	ck_assert_int_ne(fd, -1);
	json_decref(pids);
	return fd;
}

static void
ck_ends(int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	ck_assert_int_eq(poll(&ended, 1, END_SECONDS * 1000), 1);
	close(pidfd);
}

START_TEST(container_dies_with_its_runner)
{
	struct session session = begin(bundle_of("attack", "wait"));
	int pidfd = open_process(false);

	ck_assert_int_eq(kill(session.pid, SIGKILL), 0);
	ck_ends(pidfd);
	struct run run = support_finish(&session);
	ck_run(run, 128 + SIGKILL);
	support_run_free(&run);
	run = RUN("./lesson08", "list", "--quiet", "--root", state);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, name));
	support_run_free(&run);
}
END_TEST

START_TEST(command_dies_with_its_exec)
{
	struct session session = begin(bundle_of("attack", "wait"));
	struct session other = support_start((char *const[]){"./lesson09",
		"exec", "--root", state, name, "attack", "wait", NULL});

	support_expect(&other, "ready");
	int pidfd = open_process(true);
	ck_assert_int_eq(kill(other.pid, SIGKILL), 0);
	ck_ends(pidfd);
	struct run run = support_finish(&other);
	ck_run(run, 128 + SIGKILL);
	support_run_free(&run);
	end_alone(&session);
}
END_TEST

/* All under one guard, which reaps what is detached. */
START_TEST(detached_outlives_its_runner)
{
	char *script = scratch_text(
		"set -e; ./lesson08 run -d --pid-file %s/pid --root %s -b %s "
		"%s; pid=$(cat %s/pid); kill -0 $pid; ./lesson09 exec --root "
		"%s %s true; ./lesson09 delete --force --root %s %s; rm "
		"%s/pid; ! kill -0 $pid",
		folder, state, bundle_of("sleep", "1000"), name, folder, state,
		name, state, name, folder);
	struct run run = RUN("sh", "-c", script);

	ck_run(run, 0);
	support_run_free(&run);
}
END_TEST

/* --- Again and again -------------------------------------------------------- */

static int
lines_of(const char *path)
{
	FILE *file = fopen(path, "re");
	int lines = 0, c;

	ck_assert_ptr_nonnull(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

/* How many files are open on the whole machine. */
static long
open_files(void)
{
	FILE *file = fopen("/proc/sys/fs/file-nr", "re");
	char line[64];

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	fclose(file);
	return strtol(line, NULL, 10);
}

#define LOOP "i=0; while [ $i -lt %d ]; do \"$@\" || exit; i=$((i + 1)); done"

/* Others are at work on the machine; but what each run leaves would count. */
START_TEST(runs_in_a_row)
{
	const char *often = getenv("RUNS");
	int runs = often == NULL ? RUNS : (int)strtol(often, NULL, 10);
	char *bundle = bundle_of("true", "");
	int mounts = lines_of("/proc/self/mountinfo");
	long files = open_files();

	for (int left = runs; left > 0; left -= RUNS_AT_ONCE) {
		struct run run = RUN("sh", "-c",
			scratch_text(LOOP,
				left < RUNS_AT_ONCE ? left : RUNS_AT_ONCE),
			"sh", "./lesson08", "run", "--root", state, "--bundle",
			bundle, name);
		ck_run(run, 0);
		support_run_free(&run);
	}
	ck_assert_int_eq(lines_of("/proc/self/mountinfo"), mounts);
	ck_assert_int_lt(open_files() - files, runs / 2 + RUNS_AT_ONCE);
	printf("crash: %d runs\n", runs);
}
END_TEST

/* In a user namespace there may be no more than so many namespaces at a time:
 * those that a container leaves would soon be too many. Network namespaces end
 * a while after their last process, so there must be room. */
START_TEST(namespaces_are_given_back)
{
	char *script =
		scratch_text("cd /proc/sys/user && for type in ipc mnt net pid "
			     "uts; do echo %d >max_${type}_namespaces || "
			     "exit; done; cd - >/dev/null; " LOOP,
			RUNS_AT_ONCE * 3 / 4, RUNS_AT_ONCE);
	char *bundle = bundle_of("true", "");

	/* Here is but one group, and the default config wants another one. */
	scratch_change(
		bundle, json_pack("{s:[{s:s,s:s,s:s},{s:s,s:s,s:s}]}", "mounts",
				"destination", "/proc", "type", "proc",
				"source", "proc", "destination", "/dev", "type",
				"tmpfs", "source", "tmpfs"));
	struct run run = RUN("unshare", "--user", "--map-root-user", "sh", "-c",
		script, "sh", "./lesson08", "run", "--root", state, "--bundle",
		bundle, name);

	ck_run(run, 0);
	support_run_free(&run);
}
END_TEST

/* Where no device can be made, those of the host are bound on files, and these
 * stay in a rootfs on whose dev nothing is mounted. They are no hindrance. */
START_TEST(second_start_without_dev)
{
	char *bundle = bundle_of("true", "");

	scratch_change(
		bundle, json_pack("{s:[{s:s,s:s,s:s}],s:{s:b}}", "mounts",
				"destination", "/proc", "type", "proc",
				"source", "proc", "root", "readonly", 0));
	for (int i = 0; i < 2; i++) {
		struct run run = RUN("unshare", "--user", "--map-root-user",
			"./lesson08", "run", "--root", state, "--bundle",
			bundle, name);
		ck_run(run, 0);
		support_run_free(&run);
	}
}
END_TEST

Suite *
suite_crash(void)
{
	Suite *suite = suite_create("crash");
	TCase *sweeps = tcase_create("faults"), *ends = tcase_create("ends"),
	      *runs = tcase_create("runs");
	TCase *const cases[] = {sweeps, ends, runs};

	for (int i = 0; i < 3; i++) {
		suite_add_tcase(suite, cases[i]);
		tcase_set_timeout(cases[i], 1200);
		tcase_add_unchecked_fixture(
			cases[i], scratch_begin, scratch_end);
		tcase_add_checked_fixture(cases[i], set_up, tear_down);
	}
	if (!support_have("namespaces", "crash"))
		return suite;
	tcase_add_test(ends, container_dies_with_its_runner);
	tcase_add_test(ends, command_dies_with_its_exec);
	tcase_add_test(ends, detached_outlives_its_runner);
	tcase_add_test(runs, runs_in_a_row);
	if (support_have("userns", "runs in a user namespace") &&
		support_have("unshare", "runs in a user namespace")) {
		tcase_add_test(runs, namespaces_are_given_back);
		tcase_add_test(runs, second_start_without_dev);
	}
	if (support_have("strace", "each call fails, killed at each call")) {
		tcase_add_loop_test(sweeps, run_with_a_fault, 0, FAULTS);
		tcase_add_loop_test(sweeps, exec_with_a_fault, 0, FAULTS);
	}
	return suite;
}
