/*
 * Bad luck: each lesson again with each of its system calls made to fail, with
 * SIGKILL at each, and with signals at every step. Whatever happens, it ends,
 * says why, and leaves the host as it was.
 *
 * FAULTS=7 takes every seventh system call, see inject.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "inject.h"
#include "proc.h"
#include "support.h"

static const struct {
	char *path;
	int steps;
} lessons[] = {{"./lesson01", 4}, {"./lesson02", 3}, {"./lesson03", 4},
	{"./lesson04", 5}, {"./lesson05", 5}, {"./lesson06", 5},
	{"./lesson07", 5}, {"./lesson08", 5}, {"./lesson09", 6},
	{"./lesson10", 6}};

enum { LESSONS = sizeof(lessons) / sizeof(lessons[0]) };

enum { AT_A_TIME = 12 };

/* What lesson06 would run of the machine's programs is runc, whose faults are
 * its own: there it is not found. */
static char *
path_for(const char *lesson)
{
	return strcmp(lesson, "./lesson06") == 0 ? "PATH=/nowhere" : "NOTHING";
}

/* A run of a lesson with one fault. */
struct trial {
	char *lesson;
	char *fault; /* in strace's words */
	bool signal; /* the fault is a signal */
	struct started started;
};

/* Hold the lesson to its promises. */
static void
end_trial(struct trial *trial)
{
	struct run run = support_end(&trial->started);

	ck_assert_msg(run.code != 124, "%s %s: hangs; %s%s", trial->lesson,
		trial->fault, run.out, run.err);
	ck_assert_msg(run.changes == NULL, "%s %s: the host has changed: %s",
		trial->lesson, trial->fault, run.changes);
	if (!trial->signal) {
		ck_assert_msg(run.code < 128, "%s %s: exit code %d: %s",
			trial->lesson, trial->fault, run.code, run.err);
		/* A write that fails may be that of the message itself. */
		ck_assert_msg(run.code == 0 || run.err[0] != '\0' ||
				      strstr(trial->fault, "=write:") != NULL ||
				      strstr(run.out, "FAIL") != NULL ||
				      strstr(run.out, "CHANGED") != NULL,
			"%s %s: exit code %d without a word: %s", trial->lesson,
			trial->fault, run.code, run.out);
	}
	free(trial->fault);
	support_run_free(&run);
}

/*
 * Some at a time: where a shell loses its output, its lesson waits 10 seconds
 * before it gives up.
 */
struct sweep {
	char *lesson;
	const char *what;
	struct trial trials[AT_A_TIME];
	int turn;
};

static void
try_fault(const char *call, int when, void *data)
{
	struct sweep *sweep = data;
	struct trial *slot = &sweep->trials[sweep->turn++ % AT_A_TIME];

	if (slot->fault != NULL)
		end_trial(slot);
	slot->lesson = sweep->lesson;
	slot->signal = strncmp(sweep->what, "signal", 6) == 0;
	slot->fault = inject_begin(&slot->started,
		(char *const[]){
			"-E", path_for(sweep->lesson), sweep->lesson, NULL},
		call, sweep->what, when);
}

/* What --version needs is left out, but for its write: these are the calls of
 * the dynamic loader, before there is a lesson. */
static void
sweep(char *lesson, const char *what)
{
	struct sweep sweep = {.lesson = lesson, .what = what};
	struct inject_calls calls, loader;
	char *path = path_for(lesson);

	inject_count(
		&calls, (char *const[]){"-E", path, lesson, "--json", NULL}, 0);
	inject_count(&loader,
		(char *const[]){"-E", path, lesson, "--version", NULL}, 0);
	*inject_times(&loader, "write") = 0;
	inject_each(&calls, &loader, try_fault, &sweep);
	for (int i = 0; i < AT_A_TIME; i++)
		if (sweep.trials[i].fault != NULL)
			end_trial(&sweep.trials[i]);
}

START_TEST(each_call_fails)
{
	sweep(lessons[_i].path, "error=EPERM");
}
END_TEST

START_TEST(killed_at_each_call)
{
	sweep(lessons[_i].path, "signal=KILL");
}
END_TEST

/* The signal reaches the lesson alone, as kill(1) sends it. */
START_TEST(signals_at_every_step)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGKILL};

	for (int k = 0; k < 4; k++)
		for (int step = 1; step < lessons[_i].steps; step++) {
			struct session session = support_start((char *const[]){
				lessons[_i].path, "--step", NULL});

			for (int i = 1; i < step; i++) {
				char *next;

				ck_assert_int_ne(asprintf(&next, "step %d/%d",
							 i, lessons[_i].steps),
					-1);
				support_expect(&session, next);
				support_type(&session, "\n");
				free(next);
			}
			char *here;
			ck_assert_int_ne(asprintf(&here, "step %d/%d", step,
						 lessons[_i].steps),
				-1);
			support_expect(&session, here);
			ck_assert_int_eq(kill(session.pid, signals[k]), 0);
			struct run run = support_finish(&session);
			ck_run(run, 128 + signals[k]);
			free(here);
			support_run_free(&run);
		}
}
END_TEST

/* Ctrl-C reaches all processes of the lesson. */
START_TEST(ctrl_c_at_every_step)
{
	for (int step = 1; step < lessons[_i].steps; step++) {
		struct session session = support_start(
			(char *const[]){lessons[_i].path, "--step", NULL});
		char *here;

		ck_assert_int_ne(
			asprintf(&here, "step %d/%d", step, lessons[_i].steps),
			-1);
		for (int i = 1; i < step; i++)
			support_type(&session, "\n");
		support_expect(&session, here);
		support_type(&session, "\003");
		struct run run = support_finish(&session);
		ck_run(run, 130);
		free(here);
		support_run_free(&run);
	}
}
END_TEST

/* What has joined the container is killed, and its child is left over: the
 * container's init cannot end before somebody waits for that child. */
START_TEST(killed_joiner)
{
	static char *const joiners[] = {"./lesson03", "./lesson07"};
	struct session session =
		support_start((char *const[]){joiners[_i], "--step", NULL});
	char *path, *end;

	for (int i = 0; i < 2; i++)
		support_type(&session, "\n");
	support_expect(&session, "step 3/");
	ck_assert_int_ne(asprintf(&path, "task/%d/children", session.pid), -1);
	char *children = proc_read(session.pid, path);
	ck_assert_ptr_nonnull(children);
	/* The first is the container's init. */
	strtol(children, &end, 10);
	pid_t joiner = (pid_t)strtol(end, NULL, 10);
	ck_assert_int_gt(joiner, 0);
	ck_assert_int_eq(kill(joiner, SIGKILL), 0);
	support_type(&session, "\n\n\n");
	struct run run = support_finish(&session);
	/* Some steps do not need it. */
	ck_assert_int_le(run.code, 1);
	ck_assert_ptr_null(run.changes);
	free(children);
	free(path);
	support_run_free(&run);
}
END_TEST

/* The tools: their child must not outlive them. */
START_TEST(killed_tools_take_their_command_along)
{
	static char *const tools[][4] = {
		{"./lesson01", "sh", "-c", "echo ready; sleep 1000"},
		{"./lesson05", "sh", "-c", "echo ready; sleep 1000"},
	};
	static const int signals[] = {SIGHUP, SIGKILL};

	for (int k = 0; k < 2; k++) {
		struct session session = support_start(
			(char *const[]){tools[_i][0], tools[_i][1],
				tools[_i][2], tools[_i][3], NULL});

		support_expect(&session, "ready");
		ck_assert_int_eq(kill(session.pid, signals[k]), 0);
		struct run run = support_finish(&session);
		ck_run(run, 128 + signals[k]);
		support_run_free(&run);
	}
}
END_TEST

Suite *
suite_faults(void)
{
	Suite *suite = suite_create("faults");
	TCase *steps = tcase_create("steps"), *calls = tcase_create("calls");

	suite_add_tcase(suite, steps);
	suite_add_tcase(suite, calls);
	tcase_set_timeout(steps, 300);
	tcase_set_timeout(calls, 1200);
	if (!support_have("namespaces", "faults"))
		return suite;
	tcase_add_loop_test(steps, signals_at_every_step, 0, LESSONS);
	tcase_add_loop_test(steps, ctrl_c_at_every_step, 0, LESSONS);
	tcase_add_loop_test(steps, killed_joiner, 0, 2);
	tcase_add_loop_test(steps, killed_tools_take_their_command_along, 0, 2);
	if (support_have("strace", "each call fails, killed at each call")) {
		tcase_add_loop_test(calls, each_call_fails, 0, LESSONS);
		tcase_add_loop_test(calls, killed_at_each_call, 0, LESSONS);
	}
	return suite;
}
