/*
 * The terminal module, from outside: the smallest runner (tests/bench/terminal)
 * on a pty of ours, or between pipes. It ends with 99 when it has left behind
 * a descriptor or a process.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "proc.h"
#include "support.h"

#define RUNNER "build/tests/bench/terminal"

enum { PATIENCE = 20000 /* ms */, KEY_INTERRUPT = 24 /* Ctrl-X */ };

/* --- Helpers -------------------------------------------------------------- */

/* Run a shell's script between pipes. $R is the runner. */
static struct run
script(const char *text)
{
	char *whole;

	if (asprintf(&whole, "R=%s; %s", RUNNER, text) == -1)
		die("malloc");
	struct run run = RUN("sh", "-c", whole);
	free(whole);
	return run;
}

static struct termios
settings(const struct session *session)
{
	struct termios found;

	memset(&found, 0, sizeof(found));
	ck_assert_int_eq(tcgetattr(session->terminal, &found), 0);
	return found;
}

static bool
is_raw(const struct session *session)
{
	struct termios found = settings(session);

	return (found.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == 0 &&
	       (found.c_oflag & OPOST) == 0 && (found.c_iflag & ICRNL) == 0;
}

static bool
is_as_before(const struct session *session, const struct termios *before)
{
	struct termios found = settings(session);

	return found.c_iflag == before->c_iflag &&
	       found.c_oflag == before->c_oflag &&
	       found.c_cflag == before->c_cflag &&
	       found.c_lflag == before->c_lflag &&
	       memcmp(found.c_cc, before->c_cc, sizeof(found.c_cc)) == 0;
}

/* A shell on a terminal of ours, with settings that no program would choose by
 * itself. It runs the script when they are made. */
static struct session
begin(const char *text, struct termios *before)
{
	char *whole;

	if (asprintf(&whole, "R=%s; echo set-it; read line; %s", RUNNER,
		    text) == -1)
		die("malloc");
	struct session session =
		support_start((char *[]){"sh", "-c", whole, NULL});
	free(whole);
	support_expect(&session, "set-it");
	*before = settings(&session);
	before->c_cc[VINTR] = KEY_INTERRUPT;
	before->c_lflag &= ~(tcflag_t)ECHOK;
	ck_assert_int_eq(tcsetattr(session.terminal, TCSANOW, before), 0);
	support_type(&session, "\n");
	return session;
}

static void
finish(struct session *session, int code)
{
	struct run run = support_finish(session);

	ck_run(run, code);
	support_run_free(&run);
}

/* The first or the last child of a process: a descriptor, so that anyone can
 * wait for it. Names it in *pid. */
static int
child_of(pid_t parent, bool first, pid_t *pid)
{
	char *path, *end;

	if (asprintf(&path, "task/%d/children", parent) == -1)
		die("malloc");
	char *list = proc_read(parent, path);
	ck_assert_ptr_nonnull(list);
	*pid = 0;
	for (char *next = list; strtol(next, &end, 10) != 0; next = end)
		if (!first || *pid == 0)
			*pid = (pid_t)strtol(next, NULL, 10);
	free(list);
	free(path);
	ck_assert_int_ne(*pid, 0);
	int fd = (int)syscall(SYS_pidfd_open, *pid, 0);
	ck_assert_int_ne(fd, -1);
	return fd;
}

static void
wait_for(int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	ck_assert_int_eq(poll(&ended, 1, PATIENCE), 1);
	close(pidfd);
}

/* --- The way out ---------------------------------------------------------- */

static const struct {
	const char *command; /* inside, after it has said that it is ready */
	int signal;	     /* to the runner; 0: Enter is typed */
	int code;
} ways[] = {
	{"read line; exit 3", 0, 3},
	{"read line; kill -9 $$", 0, 137},
	{"read line", SIGHUP, 129},
	{"read line", SIGINT, 130},
	{"read line", SIGQUIT, 131},
	{"read line", SIGTERM, 143},
	{"trap \"exit 4\" TERM; echo trap; while :; do read line; done",
		SIGTERM, 4},
	{"read line", SIGKILL, 137},
	{"read line", SIGUSR1, 138},
};

START_TEST(the_terminal_is_restored)
{
	struct termios before;
	char *text, *expected;
	pid_t runner, helper;

	ck_assert_int_ne(asprintf(&text,
				 "ulimit -c 0; $R sh -c 'echo ready; %s';"
				 " echo code $?; read line",
				 ways[_i].command),
		-1);
	struct session session = begin(text, &before);
	support_expect(&session,
		ways[_i].code == 4 ? "ready\r\ntrap\r\n" : "ready\r\n");
	ck_assert(is_raw(&session));
	close(child_of(session.pid, true, &runner));
	int fd = child_of(runner, false, &helper);
	if (ways[_i].signal == 0)
		support_type(&session, "\r");
	else
		ck_assert_int_eq(kill(runner, ways[_i].signal), 0);
	/* After these it is the helper that restores, and so later. */
	bool unhandled =
		ways[_i].signal == SIGKILL || ways[_i].signal == SIGUSR1;
	ck_assert_int_ne(asprintf(&expected, "code %d%s", ways[_i].code,
				 unhandled ? "" : "\r\n"),
		-1);
	if (unhandled)
		wait_for(fd);
	else
		close(fd);
	support_expect(&session, expected);
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
	free(text);
	free(expected);
}
END_TEST

/* A group is killed as a whole: a shell's kill -9 %1. */
START_TEST(the_terminal_is_restored_after_its_group)
{
	struct termios before;
	pid_t runner, helper;
	struct session session = begin("set -m; $R sh -c 'echo ready; read x';"
				       " echo code $?; read line",
		&before);

	support_expect(&session, "ready\r\n");
	close(child_of(session.pid, true, &runner));
	int fd = child_of(runner, false, &helper);
	ck_assert_int_eq(getpgid(runner), runner);
	ck_assert_int_eq(kill(-runner, SIGKILL), 0);
	wait_for(fd);
	support_expect(&session, "code 137");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

START_TEST(the_terminal_is_restored_before_a_message)
{
	struct termios before;
	struct session session =
		begin("$R sh -c 'read line; echo lost' >/dev/full;"
		      " echo code $?; read line",
			&before);

	support_type(&session, "\r");
	support_expect(&session, "write standard output: ENOSPC");
	support_expect(&session, "code 1\r\n");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* What the helper had open, others would wait for. */
START_TEST(the_helper_holds_only_what_it_needs)
{
	struct termios before;
	char *path;
	int count = 0;
	pid_t runner, helper;
	struct session session =
		begin("$R sh -c 'echo ready; read x'; exit 0", &before);

	support_expect(&session, "ready\r\n");
	close(child_of(session.pid, true, &runner));
	close(child_of(runner, false, &helper));
	ck_assert_int_ne(asprintf(&path, "/proc/%d/fd", helper), -1);
	for (int i = 0; i < PATIENCE && count != 2; i += 10) {
		DIR *dir = opendir(path);

		ck_assert_ptr_nonnull(dir);
		for (count = -2; readdir(dir) != NULL; count++)
			continue;
		closedir(dir);
		poll(NULL, 0, 10);
	}
	ck_assert_int_eq(count, 2);
	free(path);
	support_type(&session, "\r");
	finish(&session, 0);
}
END_TEST

/* Somebody has changed it meanwhile: it is theirs. */
START_TEST(settings_of_others_are_left_alone)
{
	struct termios before, others;
	struct session session = begin("$R sh -c 'echo ready; read line';"
				       " echo code $?; read line",
		&before);

	support_expect(&session, "ready\r\n");
	others = before;
	others.c_lflag &= ~(tcflag_t)ECHOE;
	ck_assert_int_eq(tcsetattr(session.terminal, TCSANOW, &others), 0);
	support_type(&session, "\n");
	support_expect(&session, "code 0\r\n");
	ck_assert(is_as_before(&session, &others));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* The session leader is killed, so the kernel hangs the terminal up. */
START_TEST(a_hangup_ends_it)
{
	struct termios before;
	struct session session =
		begin("$R sh -c 'echo ready; read line'; read line", &before);

	support_expect(&session, "ready\r\n");
	ck_assert_int_eq(kill(session.pid, SIGKILL), 0);
	finish(&session, 137);
}
END_TEST

/* --- Keys and jobs -------------------------------------------------------- */

static const struct {
	const char *key, *code;
} keys[] = {{"\003", "code 130\r\n"}, {"\034", "code 131\r\n"}};

/* cat has printed something, so it is there to be ended. */
START_TEST(keys_are_the_containers)
{
	struct termios before;
	struct session session =
		begin("ulimit -c 0; $R sh -c 'echo ready; exec cat';"
		      " echo code $?; read line",
			&before);

	support_expect(&session, "ready\r\n");
	support_type(&session, "abc\r");
	support_expect(&session, "abc\r\nabc\r\n");
	support_type(&session, keys[_i].key);
	support_expect(&session, keys[_i].code);
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* A shell inside stops and continues its job; nothing outside stops. */
START_TEST(a_shell_inside_controls_its_jobs)
{
	struct termios before;
	struct session session = begin("PS1='in$ ' $R sh -i; echo code $?;"
				       " read line",
		&before);

	support_expect(&session, "in$ ");
	support_type(
		&session, "sh -c 'echo job-$((1+1)); read x; echo got-$x'\r");
	support_expect(&session, "job-2\r\n");
	support_type(&session, "\032");
	support_expect(&session, "Stopped");
	support_type(&session, "echo prompt-$((1+2))\r");
	support_expect(&session, "prompt-3\r\n");
	ck_assert(is_raw(&session));
	support_type(&session, "fg\rabc\r");
	support_expect(&session, "got-abc\r\nin$ ");
	/* A shell that is about to start a command might lose the signal. */
	support_type(&session, "cat\rdef\r");
	support_expect(&session, "def\r\ndef\r\n");
	support_type(&session, "\003");
	support_expect(&session, "^C\r\nin$ ");
	support_type(&session, "echo ended-$?\r");
	support_expect(&session, "ended-130\r\n");
	support_type(&session, "exit 7\r");
	support_expect(&session, "code 7\r\n");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

START_TEST(a_stopped_runner_gives_the_terminal_back)
{
	struct termios before;
	pid_t runner;
	struct session session =
		begin("set -m; $R sh -c 'echo ready; while read x; do"
		      " echo got-$x; stty size; done'; echo stopped $?; read y;"
		      " fg; echo code $?; read y",
			&before);
	struct winsize size = {.ws_row = 17, .ws_col = 71};

	support_expect(&session, "ready\r\n");
	ck_assert(is_raw(&session));
	close(child_of(session.pid, true, &runner));
	ck_assert_int_eq(kill(runner, SIGTSTP), 0);
	support_expect(&session, "stopped 148");
	ck_assert(is_as_before(&session, &before));
	/* Only the foreground is told of the new size. */
	ck_assert_int_eq(ioctl(session.terminal, TIOCSWINSZ, &size), 0);
	support_type(&session, "\n");
	support_expect(&session, "echo ready");
	support_type(&session, "abc\n");
	support_expect(&session, "got-abc\r\n17 71\r\n");
	ck_assert(is_raw(&session));
	support_type(&session, "\004");
	support_expect(&session, "code 0\r\n");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* SIGSTOP cannot be caught. Some shells restore the terminal, some do not. */
START_TEST(a_runner_that_goes_on_is_raw)
{
	struct termios before;
	pid_t runner;
	struct session session =
		begin("set -m; $R sh -c 'echo ready; while read x; do"
		      " echo got-$x; done'; echo stopped $?; head -c 1;"
		      " fg; echo code $?; read y",
			&before);

	support_expect(&session, "ready\r\n");
	close(child_of(session.pid, true, &runner));
	ck_assert_int_eq(kill(runner, SIGSTOP), 0);
	support_expect(&session, "stopped 147");
	if (_i == 1)
		ck_assert_int_eq(
			tcsetattr(session.terminal, TCSANOW, &before), 0);
	support_type(&session, "\n");
	support_expect(&session, "echo ready");
	support_type(&session, "abc\n");
	support_expect(&session, "got-abc\r\n");
	ck_assert(is_raw(&session));
	support_type(&session, "\004");
	support_expect(&session, "code 0");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

START_TEST(in_the_background_the_terminal_is_the_shells)
{
	struct termios before;
	struct session session =
		begin("set -m; $R sh -c 'echo out-$((1+1)); read x;"
		      " echo got-$x; read x; exit 4' & read y;"
		      " echo shell-$y; fg; echo code $?; read y",
			&before);

	support_expect(&session, "out-2");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "xyz\n");
	support_expect(&session, "shell-xyz\r\n");
	support_type(&session, "abc\n");
	support_expect(&session, "got-abc\r\n");
	ck_assert(is_raw(&session));
	support_type(&session, "\r");
	support_expect(&session, "code 4\r\n");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* A PID 1 that does not handle the signal would not get it. */
START_TEST(an_init_is_ended)
{
	static const struct {
		const char *command, *code;
	} inits[] = {{"echo ready; exec sleep 1000", "code 143\r\n"},
		{"trap \"exit 3\" TERM; echo ready; while :; do read x; done",
			"code 3\r\n"}};

	for (int i = 0; i < 2; i++) {
		struct termios before;
		char *text;
		pid_t runner;

		ck_assert_int_ne(asprintf(&text,
					 "$R --init sh -c '%s'; echo code $?;"
					 " read line",
					 inits[i].command),
			-1);
		struct session session = begin(text, &before);
		support_expect(&session, "ready\r\n");
		close(child_of(session.pid, true, &runner));
		ck_assert_int_eq(kill(runner, SIGTERM), 0);
		support_expect(&session, inits[i].code);
		ck_assert(is_as_before(&session, &before));
		support_type(&session, "\n");
		finish(&session, 0);
		free(text);
	}
}
END_TEST

/* --- What is inside ------------------------------------------------------- */

START_TEST(the_window_has_the_same_size)
{
	struct termios before;
	struct winsize size = {.ws_row = 33, .ws_col = 77};
	struct session session =
		begin("read y; $R --size=5x6 sh -c 'stty size; trap \"stty"
		      " size; kill \\$!; wait; exit 3\" WINCH; sleep 1000 & "
		      " echo ready; wait'; echo code $?; read y",
			&before);

	ck_assert_int_eq(ioctl(session.terminal, TIOCSWINSZ, &size), 0);
	support_type(&session, "\n");
	support_expect(&session, "33 77\r\nready\r\n");
	size.ws_col = 99;
	ck_assert_int_eq(ioctl(session.terminal, TIOCSWINSZ, &size), 0);
	support_expect(&session, "33 99\r\n");
	support_expect(&session, "code 3\r\n");
	support_type(&session, "\n");
	finish(&session, 0);

	struct run run = script("$R --size=11x22 stty size");
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "11 22\r\n");
	support_run_free(&run);
}
END_TEST

START_TEST(it_is_the_first_of_its_own_devpts)
{
	struct run run = script("$R sh -c 'tty; ls /dev/pts; echo $(ls"
				" /proc/self/fd); echo hi >/dev/tty'");

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "/dev/pts/0\r\n0  ptmx\r\n0 1 2 3\r\nhi\r\n");
	support_run_free(&run);
}
END_TEST

START_TEST(it_is_the_users)
{
	struct run run = script("$R --owner=1234 stat -c '%u %a' /dev/pts/0");

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "1234 620\r\n");
	support_run_free(&run);
}
END_TEST

START_TEST(it_is_the_console)
{
	const char *same = "sh -c 'test /dev/console -ef /dev/pts/0 &&"
			   " echo same; echo hi >/dev/console'";
	char *with, *without;

	ck_assert_int_ne(asprintf(&with, "$R --console %s", same), -1);
	ck_assert_int_ne(
		asprintf(&without,
			"$R sh -c 'test -e /dev/console; echo found $?'"),
		-1);
	struct run run = script(with);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "same\r\nhi\r\n");
	support_run_free(&run);
	run = script(without);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "found 1\r\n");
	support_run_free(&run);
	free(with);
	free(without);
}
END_TEST

START_TEST(a_false_devpts_is_refused)
{
	struct run run = script("$R --without=devpts echo started");

	ck_run(run, 1);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, "expected a devpts"));
	support_run_free(&run);
	run = script("$R --without=ptmx echo started");
	ck_run(run, 1);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, "ptmx in the container: EXDEV"));
	support_run_free(&run);
}
END_TEST

/* --- Bytes ---------------------------------------------------------------- */

/* A folder of the script's own, $D, with a file of 10 MB. */
#define WITH_FILE                                         \
	"D=$(mktemp -d) && trap 'rm -rf \"$D\"' EXIT && " \
	"head -c 10000000 /dev/urandom >$D/in; "
#define COMPARE "cmp $D/in $D/out && echo same"

static const char *const outputs[] = {
	/* To a file, whose offset is kept. */
	WITH_FILE "{ printf head; $R sh -c \"stty -opost; cat $D/in\"; }"
		  " >$D/all; tail -c +5 $D/all >$D/out; " COMPARE,
	/* To a slow reader, of a pipe that is full all the time. */
	WITH_FILE "$R sh -c \"stty -opost; cat $D/in\" |"
		  " dd bs=100 of=$D/out 2>/dev/null; " COMPARE,
};

START_TEST(output_is_unchanged)
{
	struct run run = script(outputs[_i]);

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "same\n");
	support_run_free(&run);
}
END_TEST

/* What was printed last must not be lost; it is the kernel that is slow. */
START_TEST(the_last_words_are_heard)
{
	for (int i = 0; i < 50; i++) {
		struct run run = script("$R sh -c 'seq 500; echo last'");

		ck_run(run, 0);
		ck_assert_uint_gt(strlen(run.out), 1890);
		ck_assert_str_eq(run.out + strlen(run.out) - 6, "last\r\n");
		support_run_free(&run);
	}
}
END_TEST

/* The numbers from 1 on, a line each, as seq(1) prints them. */
static char *
numbers(size_t size)
{
	char *text = malloc(size + 16);
	size_t length = 0;

	ck_assert_ptr_nonnull(text);
	for (int i = 1; length < size; i++)
		length += (size_t)sprintf(text + length, "%d\n", i);
	return text;
}

/* Paste as a terminal emulator does: it goes on reading. */
static void
paste(const struct session *session, size_t size)
{
	char *text = numbers(size), seen[4096];
	size_t sent = 0;
	int flags = fcntl(session->terminal, F_GETFL);

	ck_assert_int_eq(
		fcntl(session->terminal, F_SETFL, flags | O_NONBLOCK), 0);
	while (sent < size) {
		struct pollfd ready = {
			.fd = session->terminal, .events = POLLIN | POLLOUT};

		ck_assert_int_eq(poll(&ready, 1, PATIENCE), 1);
		if (ready.revents & POLLIN)
			ck_assert_int_gt(
				read(session->terminal, seen, sizeof(seen)), 0);
		if (ready.revents & POLLOUT) {
			ssize_t n = write(
				session->terminal, text + sent, size - sent);
			ck_assert(n > 0 || errno == EAGAIN);
			sent += n > 0 ? (size_t)n : 0;
		}
	}
	ck_assert_int_eq(fcntl(session->terminal, F_SETFL, flags), 0);
	free(text);
}

enum { PASTED = 1 << 20 };

/* Into a program that takes each byte, and into one that takes lines while the
 * terminal echoes them. */
static const char *const pastes[] = {
	"E=$(seq 200000 | head -c 1048576 | cksum); $R sh -c 'stty raw -echo;"
	" echo ready; test \"$(head -c 1048576 | cksum)\" = \"'\"$E\"'\" &&"
	" echo same-$((1+1))'; echo code $?; read line",
	"E=$(seq 200000 | head -c 1048576 | cksum); $R sh -c 'echo ready;"
	" test \"$(head -c 1048576 | cksum)\" = \"'\"$E\"'\" &&"
	" echo same-$((1+1))'; echo code $?; read line"};

START_TEST(input_is_unchanged)
{
	struct termios before;
	struct session session = begin(pastes[_i], &before);

	support_expect(&session, "ready");
	paste(&session, PASTED);
	/* The last line is cut off: it is sent by the end of file key. */
	if (_i == 1)
		support_type(&session, "\004");
	support_expect(&session, "same-2");
	support_expect(&session, "code 0\r\n");
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* Standard inputs that are no terminal, and what comes out. */
static const struct {
	const char *script, *expected;
} inputs[] = {
	{"$R sh -c 'cat; echo end' </dev/null", "end\r\n"},
	{"$R sh -c 'cat; echo end' <&-", "end\r\n"},
	{"$R sh -c 'cat; echo end' </", "end\r\n"},
	{"printf 'a\\nb' | $R sh -c 'tr ab AB'", "A\r\nB"},
	{"printf 'a\\nb\\n' | $R sh -c 'read x; cat; cat; cat; echo end-$x'",
		"end-a\r\n"},
	{"F=$(mktemp); echo abc >$F; $R sh -c 'read x; echo got-$x; cat' <$F;"
	 " rm $F",
		"got-abc\r\n"},
	/* A shell reads its commands, and ends. */
	{"echo 'cat; echo end-$((1+1))' | $R sh", "end-2\r\n"},
	{"echo 'cat; echo end-$((1+1))' | $R busybox sh", "end-2\r\n"},
	{"printf 'sleep 1; echo end-$((1+1))' | $R busybox sh", "end-2\r\n"},
	/* An end that nobody reads is not typed again. */
	{"$R sh -c 'sleep 1; stty raw -echo min 0 time 0; wc -c' </dev/null",
		"1\n"},
	/* Nothing comes in half a second to one who takes bytes as they are. */
	{"export F=$(mktemp -u); mkfifo $F; cat $F | $R sh -c 'stty raw -echo"
	 " min 0 time 5; : >$F; wc -c; stty sane; cat; echo end'; rm $F",
		"0\nend\r\n"},
};

START_TEST(any_input_has_an_end)
{
	if (strstr(inputs[_i].script, "busybox") != NULL &&
		!support_have("busybox", "terminal and busybox"))
		return;
	struct run run = script(inputs[_i].script);
	ck_run(run, 0);
	ck_assert_msg(strstr(run.out, inputs[_i].expected) != NULL,
		"found %.500s", run.out);
	support_run_free(&run);
}
END_TEST

/* Nobody reads any more. */
START_TEST(a_broken_pipe_ends_it)
{
	struct run run = script("{ $R sh -c 'while :; do echo y; done';"
				" echo code $? >&2; } | head -n 1");

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "y\r\n");
	ck_assert_ptr_nonnull(strstr(run.err, "code 141\n"));
	support_run_free(&run);
	/* One that has ignored the signal goes on. */
	run = script("{ $R sh -c 'trap \"\" PIPE; seq 100000; exit 5';"
		     " echo code $? >&2; } | head -n 1");
	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.err, "code 5\n"));
	support_run_free(&run);
}
END_TEST

/* Start the runner and a command, with this as its standard output. */
static pid_t
start_to(int fd, char *const command[])
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
			dup2(fd, STDOUT_FILENO) == -1)
			_exit(DIE_FAILED);
		execv(RUNNER, command);
		_exit(DIE_FAILED);
	}
	return pid;
}

START_TEST(output_to_a_socket_is_unchanged)
{
	char *expected = numbers(PASTED), *found = malloc(PASTED + 200);
	char *const command[] = {
		RUNNER, "sh", "-c", "stty -opost; seq 165669", NULL};
	size_t length = 0;
	ssize_t n;
	int fd[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	pid_t runner = start_to(fd[1], command);
	close(fd[1]);
	/* A little more than is expected has room, and would be seen. */
	while (length < PASTED + 100 &&
		(n = read(fd[0], found + length, 100)) > 0)
		length += (size_t)n;
	ck_assert_int_eq(child_wait(runner), 0);
	ck_assert_uint_eq(length, strlen(expected));
	ck_assert_int_eq(memcmp(found, expected, length), 0);
	close(fd[0]);
	free(expected);
	free(found);
}
END_TEST

static void
wait_until_full(int fd)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};

	for (int i = 0; i < PATIENCE && poll(&room, 1, 0) == 1; i += 10)
		poll(NULL, 0, 10);
	ck_assert_int_eq(poll(&room, 1, 0), 0);
}

/* A terminal that was full makes room by itself, when what it holds goes from
 * one buffer into another, and wakes nobody. So we do not look at the terminal:
 * it is full for a runner that has slept for a while. */
static void
wait_until_asleep(pid_t runner)
{
	int asleep = 0;

	for (int i = 0; i < PATIENCE && asleep < 20; i += 10) {
		asleep = proc_state(runner) == 'S' ? asleep + 1 : 0;
		poll(NULL, 0, 10);
	}
	ck_assert_int_eq(asleep, 20);
}

/* Nobody reads, but might. The pipe is also ours, and must not become
 * non-blocking for us. */
START_TEST(a_full_pipe_does_not_make_it_deaf)
{
	char *const command[] = {RUNNER, "yes", NULL};
	int fd[2], status = 0;
	pid_t child;

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	pid_t runner = start_to(fd[1], command);
	wait_until_full(fd[1]);
	ck_assert_int_eq(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
	int ended = child_of(runner, true, &child);
	ck_assert_int_eq(kill(runner, SIGTERM), 0);
	wait_for(ended);
	ck_assert_int_eq(waitpid(runner, &status, WNOHANG), 0);
	/* It waits for a reader of what is left, until it is told again. Two
	 * signals that come at once may count as one. */
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, runner, 0),
		.events = POLLIN};
	ck_assert_int_ne(end.fd, -1);
	do
		ck_assert_int_eq(kill(runner, SIGTERM), 0);
	while (poll(&end, 1, 100) == 0);
	close(end.fd);
	ck_assert_int_eq(child_wait(runner), 143);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* The same with a terminal, which may take less than it is offered. */
START_TEST(a_full_terminal_does_not_make_it_deaf)
{
	struct termios before;
	pid_t runner, child;
	struct session session =
		begin("$R sh -c 'echo ready; exec yes'; echo code $?; read x",
			&before);

	support_expect(&session, "ready\r\n");
	close(child_of(session.pid, true, &runner));
	wait_until_asleep(runner);
	int ended = child_of(runner, true, &child);
	ck_assert_int_eq(kill(runner, SIGTERM), 0);
	wait_for(ended);
	support_expect(&session, "code 143\r\n");
	ck_assert(is_as_before(&session, &before));
	support_type(&session, "\n");
	finish(&session, 0);
}
END_TEST

/* For a second nobody has the terminal open. It can be opened again, and the
 * runner waits for that without work. */
START_TEST(a_terminal_that_nobody_has_open)
{
	struct rusage used;
	struct run run = script("$R sh -c 'exec <&- >&- 2>&-; sleep 1;"
				" echo back >/dev/tty; exit 6'");

	ck_run(run, 6);
	ck_assert_str_eq(run.out, "back\r\n");
	support_run_free(&run);
	ck_assert_int_eq(getrusage(RUSAGE_CHILDREN, &used), 0);
	ck_assert_int_lt(used.ru_utime.tv_usec + used.ru_stime.tv_usec, 600000);
	ck_assert_int_eq(used.ru_utime.tv_sec + used.ru_stime.tv_sec, 0);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *
suite_terminal(void)
{
	Suite *suite = suite_create("terminal");
	TCase *tcase = tcase_create("terminal");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 120);
	if (!support_have("namespaces", "terminal"))
		return suite;
	tcase_add_loop_test(tcase, the_terminal_is_restored, 0, COUNT(ways));
	tcase_add_test(tcase, the_terminal_is_restored_after_its_group);
	tcase_add_test(tcase, the_terminal_is_restored_before_a_message);
	tcase_add_test(tcase, the_helper_holds_only_what_it_needs);
	tcase_add_test(tcase, settings_of_others_are_left_alone);
	tcase_add_test(tcase, a_hangup_ends_it);
	tcase_add_loop_test(tcase, keys_are_the_containers, 0, COUNT(keys));
	tcase_add_test(tcase, a_shell_inside_controls_its_jobs);
	tcase_add_test(tcase, a_stopped_runner_gives_the_terminal_back);
	tcase_add_loop_test(tcase, a_runner_that_goes_on_is_raw, 0, 2);
	tcase_add_test(tcase, in_the_background_the_terminal_is_the_shells);
	tcase_add_test(tcase, an_init_is_ended);
	tcase_add_test(tcase, the_window_has_the_same_size);
	tcase_add_test(tcase, it_is_the_first_of_its_own_devpts);
	if (support_have("root", "terminal of another user"))
		tcase_add_test(tcase, it_is_the_users);
	tcase_add_test(tcase, it_is_the_console);
	tcase_add_test(tcase, a_false_devpts_is_refused);
	tcase_add_loop_test(tcase, output_is_unchanged, 0, COUNT(outputs));
	tcase_add_test(tcase, output_to_a_socket_is_unchanged);
	tcase_add_test(tcase, the_last_words_are_heard);
	tcase_add_loop_test(tcase, input_is_unchanged, 0, COUNT(pastes));
	tcase_add_loop_test(tcase, any_input_has_an_end, 0, COUNT(inputs));
	tcase_add_test(tcase, a_broken_pipe_ends_it);
	tcase_add_test(tcase, a_full_pipe_does_not_make_it_deaf);
	tcase_add_loop_test(tcase, a_full_terminal_does_not_make_it_deaf, 0, 5);
	tcase_add_test(tcase, a_terminal_that_nobody_has_open);
	return suite;
}
