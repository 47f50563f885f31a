/* The helper library, module by module. No privilege is needed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "display.h"
#include "gate.h"
#include "host.h"
#include "ns.h"
#include "proc.h"
#include "support.h"
#include "talk.h"

/* --- die ------------------------------------------------------------------ */

/* The C library knows the names, too (glibc 2.32). */
START_TEST(die_names_agree_with_the_library)
{
#ifdef __GLIBC__
	int known = 0;

	for (int error = 1; error < 134; error++) {
		const char *name = die_errno_name(error);

		if (strcmp(name, "E?") == 0)
			continue;
		ck_assert_str_eq(name, strerrorname_np(error));
		known++;
	}
	ck_assert_int_gt(known, 30);
#endif
	ck_assert_str_eq(die_errno_name(4242), "E?");
}
END_TEST

START_TEST(die_hints_match_call_part_and_errno)
{
	const char *cause = NULL, *cure = NULL;

	ck_assert_int_eq(die_hint("fork", ENOMEM, &cause, &cure), 1);
	ck_assert_ptr_nonnull(strstr(cause, "PID 1"));
	ck_assert_int_eq(
		die_hint("write /proc/self/uid_map", EPERM, &cause, &cure), 1);
	ck_assert_ptr_nonnull(strstr(cure, "apparmor_restrict"));
	ck_assert_int_eq(die_hint("write gate", EPERM, &cause, &cure), 0);
	ck_assert_int_eq(die_hint("fork", EXDEV, &cause, &cure), 0);
}
END_TEST

/* --- ns and proc ------------------------------------------------------------
 */

/* A09: the link leads to an object with a device and an inode. */
START_TEST(ns_get_is_device_and_inode)
{
	struct stat st;
	struct ns_id id;

	ck_assert_int_eq(stat("/proc/self/ns/uts", &st), 0);
	ck_assert_int_eq(ns_get(NS_SELF, "uts", &id), 0);
	ck_assert_uint_eq(id.dev, st.st_dev);
	ck_assert_uint_eq(id.ino, st.st_ino);
	ck_assert_int_eq(ns_get(getpid(), "uts", &id), 0);
	ck_assert_uint_eq(id.ino, st.st_ino);
	ck_assert_int_eq(ns_get(NS_SELF, "no-such-type", &id), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert(!ns_same((struct ns_id){1, 2}, (struct ns_id){2, 2}));
	ck_assert(!ns_same((struct ns_id){1, 2}, (struct ns_id){1, 3}));
}
END_TEST

/* A08: one for each type, and two more for children. A kernel without time
 * namespaces has but one of these. */
START_TEST(ns_links_are_those_of_the_kernel)
{
	DIR *folder = opendir("/proc/self/ns");
	struct dirent *entry;
	int found = 0, types = ns_count();

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder)) != NULL) {
		int i = 0;

		if (entry->d_name[0] == '.')
			continue;
		while (i < NS_LINKS && strcmp(ns_links[i], entry->d_name) != 0)
			i++;
		ck_assert_msg(i < NS_LINKS, "unknown: %s", entry->d_name);
		found++;
	}
	ck_assert_int_eq(closedir(folder), 0);
	ck_assert_int_eq(found, types == NS_TYPES ? NS_LINKS : types + 1);
}
END_TEST

/* The kernel says of each flag whether it is the right one for the link. */
START_TEST(ns_types_have_their_flags)
{
	for (int i = 0; i < NS_TYPES; i++) {
		char *path = ns_path(NS_SELF, ns_types[i].name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		free(path);
		if (fd == -1)
			continue;
		/* Of another type: EINVAL. Without the right to it: EPERM.
		 * One's own user namespace: EINVAL, see setns(2). */
		int other = ns_types[(i + 1) % NS_TYPES].flag;
		ck_assert_int_eq(setns(fd, other), -1);
		ck_assert_int_eq(errno, EINVAL);
		if (ns_types[i].flag != CLONE_NEWUSER)
			ck_assert(setns(fd, ns_types[i].flag) == 0 ||
				  errno == EPERM);
		close(fd);
	}
}
END_TEST

START_TEST(proc_knows_a_process)
{
	pid_t pids[PROC_LEVELS];
	unsigned long long ours, childs;
	int parent = child_self();
	pid_t pid = fork();

	if (pid == 0) {
		child_begin(parent);
		prctl(PR_SET_NAME, "a) b\n(c");
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
	char *name = proc_name(pid);
	ck_assert_str_eq(name, "a) b\n(c");
	free(name);
	ck_assert_int_ge(proc_nspids(pid, pids), 1);
	ck_assert_int_eq(pids[0], pid);
	ck_assert_int_eq(proc_state(pid), 'T');
	ck_assert_int_eq(proc_start_time(getpid(), &ours), 0);
	ck_assert_int_eq(proc_start_time(pid, &childs), 0);
	ck_assert_uint_ge(childs, ours);
	ck_assert_int_eq(proc_outside(getpid(), pids[0]), pid);
	child_end(pid);
	ck_assert_int_eq(proc_nspids(pid, pids), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(proc_start_time(pid, &ours), -1);
	ck_assert_ptr_null(proc_name(pid));
	ck_assert_int_eq(proc_state(pid), 0);
	ck_assert(!proc_handles(pid, SIGINT));
}
END_TEST

static void
nothing(int signal)
{
	(void)signal;
}

START_TEST(proc_knows_what_is_handled)
{
	ck_assert(!proc_handles(NS_SELF, SIGUSR1));
	signal(SIGUSR1, nothing);
	ck_assert(proc_handles(NS_SELF, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	ck_assert(proc_handles(NS_SELF, SIGUSR1));
	signal(SIGUSR1, SIG_DFL);
	ck_assert(!proc_handles(NS_SELF, SIGUSR1));
}
END_TEST

START_TEST(proc_parses_start_times)
{
	unsigned long long ticks;
	const char *good = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"
			   " 17 18 4711 20";

	ck_assert_int_eq(proc_parse_start_time(good, &ticks), 0);
	ck_assert_uint_eq(ticks, 4711);
	ck_assert_int_eq(proc_parse_start_time("7 (a S 1", &ticks), -1);
	ck_assert_int_eq(proc_parse_start_time("7 (a) S 1", &ticks), -1);
	ck_assert_int_eq(proc_parse_start_time("", &ticks), -1);
}
END_TEST

START_TEST(proc_parses_pids)
{
	pid_t pid = 0;

	ck_assert_int_eq(proc_parse_pid("1", &pid), 0);
	ck_assert_int_eq(pid, 1);
	ck_assert_int_eq(proc_parse_pid("4194304", &pid), 0);
	ck_assert_int_eq(pid, 4194304);
	ck_assert_int_eq(proc_parse_pid("4194305", &pid), -1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(proc_parse_pid("0", &pid), -1);
	ck_assert_int_eq(proc_parse_pid("-1", &pid), -1);
	ck_assert_int_eq(proc_parse_pid("", &pid), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(proc_parse_pid("12 ", &pid), -1);
	ck_assert_int_eq(proc_parse_pid(" 12", &pid), -1);
	ck_assert_int_eq(proc_parse_pid("+12", &pid), -1);
	ck_assert_int_eq(proc_parse_pid("99999999999999999999", &pid), -1);
}
END_TEST

/* --- gate, child, talk ---------------------------------------------------- */

START_TEST(gate_passes_or_notices_death)
{
	struct gate gate;

	for (int opens = 0; opens < 2; opens++) {
		ck_assert_int_eq(gate_make(&gate), 0);
		pid_t pid = fork();
		if (pid == 0)
			_exit(opens && gate_open(&gate) == -1);
		ck_assert_int_eq(gate_wait(&gate), opens ? 0 : -1);
		if (!opens)
			ck_assert_int_eq(errno, ECHILD);
		ck_assert_int_eq(child_wait(pid), 0);
	}
	/* Nobody reads: no SIGPIPE. */
	ck_assert_int_eq(gate_make(&gate), 0);
	ck_assert_int_eq(gate_open(&gate), 0);
}
END_TEST

START_TEST(child_codes_are_a_shells)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	ck_assert_int_eq(child_wait(pid), 7);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ck_assert_int_eq(child_end(pid), 128 + SIGKILL);
	ck_assert_int_eq(child_wait(pid), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* The parent dies by SIGKILL; its child must not outlive it, whether it had
 * begun already or had not. We are the reaper of both. */
START_TEST(child_dies_with_its_parent)
{
	for (int begun = 0; begun < 2; begun++) {
		struct gate gate;
		int hold[2];

		ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
		ck_assert_int_eq(gate_make(&gate), 0);
		ck_assert_int_eq(pipe2(hold, O_CLOEXEC), 0);
		pid_t parent = fork();
		if (parent == 0) {
			int self = child_self();

			if (fork() == 0) {
				char byte;

				close(hold[1]);
				if (begun)
					child_begin(self);
				if (gate_open(&gate) == -1)
					_exit(3);
				if (!begun) {
					/* Until the parent is dead. */
					if (read(hold[0], &byte, 1) != 0)
						_exit(4);
					child_begin(self);
				}
				for (;;)
					pause();
			}
			for (;;)
				pause();
		}
		close(hold[1]);
		ck_assert_int_eq(gate_wait(&gate), 0);
		ck_assert_int_eq(child_end(parent), 128 + SIGKILL);
		int code = child_wait(-1);
		ck_assert(code == 128 + SIGKILL ||
			  (!begun && code == DIE_FAILED));
		close(hold[0]);
	}
}
END_TEST

/* A hostile shell: it prints for ever. */
START_TEST(talk_gives_up)
{
	struct talk talk;
	char *answer;

	ck_assert_int_eq(talk_make(&talk), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (talk_child(&talk) == -1)
			_exit(3);
		execlp("yes", "yes", NULL);
		_exit(4);
	}
	talk_parent(&talk);
	ck_assert_int_eq(talk_ask(&talk, "echo", &answer), -1);
	ck_assert_int_eq(errno, EFBIG);
	free(answer);
	child_end(pid);
	talk_close(&talk);
}
END_TEST

START_TEST(talk_asks_a_shell)
{
	struct talk talk;
	char *answer;

	ck_assert_int_eq(talk_make(&talk), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (talk_child(&talk) == -1)
			_exit(3);
		execl("/bin/sh", "sh", NULL);
		_exit(4);
	}
	talk_parent(&talk);
	ck_assert_int_eq(talk_ask(&talk, "echo one; echo two >&2; printf three",
				 &answer),
		0);
	ck_assert_str_eq(answer, "one\ntwo\nthree");
	free(answer);
	/* What it has said before its end is not lost. */
	ck_assert_int_eq(talk_ask(&talk, "echo why; exit 5", &answer), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_str_eq(answer, "why\n");
	free(answer);
	ck_assert_int_eq(child_wait(pid), 5);
	ck_assert_int_eq(talk_ask(&talk, "echo", &answer), -1);
	ck_assert_int_eq(errno, ECHILD);
	free(answer);
	talk_close(&talk);
}
END_TEST

/* --- display ----------------------------------------------------------------
 */

static char *
cut(const char *text, int columns, bool pad)
{
	char *out;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	if (pad)
		display_column(file, text, columns);
	else
		display_cut(file, text, columns);
	fclose(file);
	return out;
}

START_TEST(display_counts_columns_not_bytes)
{
	static const struct {
		const char *text;
		int columns;
		const char *expected;
	} rows[] = {
		{"abc", 5, "abc  "},
		{"abcdef", 5, "abcd~"},
		{"\xe5\xae\xb9\xe5\x99\xa8", 5, "\xe5\xae\xb9\xe5\x99\xa8 "},
		{"\xe5\xae\xb9\xe5\x99\xa8\xe5\x99\xa8", 5,
			"\xe5\xae\xb9\xe5\x99\xa8~"},
		{"", 2, "  "},
	};

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *found = cut(rows[i].text, rows[i].columns, true);

		ck_assert_str_eq(found, rows[i].expected);
		free(found);
	}
	char *found = cut("ab", 5, false);
	ck_assert_str_eq(found, "ab");
	free(found);
	ck_assert_int_eq(display_width("\xe5\xae\xb9"
				       "a"),
		3);
}
END_TEST

/* A file gets one line; a terminal none that is longer than it is wide. */
START_TEST(messages_are_folded_on_a_terminal)
{
	static const char text[] = "  cure:  one two three four\n";
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	struct winsize size = {.ws_row = 10, .ws_col = 20};
	char *name, found[100];
	size_t length;
	FILE *file = open_memstream(&name, &length);

	display_message(file, 9, "  cure:  %s", "one two three four");
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_str_eq(name, text);
	free(name);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
	file = fdopen(slave, "w");
	display_message(file, 9, "  cure:  %s", "one two three four");
	ck_assert_int_eq(fflush(file), 0);
	static const char folded[] = "  cure:  one two\r\n"
				     "         three four\r\n";
	/* It comes in parts. */
	for (length = 0; length < strlen(folded);) {
		ssize_t n = read(
			master, found + length, sizeof(found) - 1 - length);

		ck_assert_int_gt(n, 0);
		length += (size_t)n;
		found[length] = '\0';
	}
	ck_assert_str_eq(found, folded);
	fclose(file);
	close(master);
}
END_TEST

START_TEST(display_cleans_what_others_chose)
{
	static const char *const rows[][2] = {
		{"plain", "plain"},
		{"\033[31mred\033[0m", "?[31mred?[0m"},
		{"tab\there\177", "tab?here?"},
		{"\xff\xc3(\xe5\xae", "???"
				      "(??"},
		{"\xc2\x9b"
		 "31m",
			"?31m"},
		{"\xed\xa0\x80", "???"},
		{"\xe5\xae\xb9", "\xe5\xae\xb9"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *clean = display_clean(rows[i][0]);

		/* The second byte pair: C3 is no character without the next. */
		if (i != 3)
			ck_assert_str_eq(clean, rows[i][1]);
		json_t *json = json_string(clean);
		ck_assert_ptr_nonnull(json);
		json_decref(json);
		free(clean);
	}
}
END_TEST

/* --- host --------------------------------------------------------------- */

START_TEST(host_finds_what_is_left)
{
	struct host before, after;
	char *found;

	ck_assert_int_eq(host_take(&before, getpid()), 0);
	ck_assert_int_eq(host_take(&after, getpid()), 0);
	found = host_difference(&before, &after);
	ck_assert_msg(found == NULL, "%s", found);
	host_free(&after);

	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ck_assert_int_eq(host_take(&after, getpid()), 0);
	found = host_difference(&before, &after);
	ck_assert_ptr_nonnull(strstr(found, "file descriptors"));
	ck_assert_ptr_nonnull(strstr(found, "processes"));
	free(found);
	host_free(&after);
	host_free(&before);
	child_end(pid);
	close(fd);
}
END_TEST

Suite *
suite_modules(void)
{
	Suite *suite = suite_create("modules");
	TCase *tcase = tcase_create("modules");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, die_names_agree_with_the_library);
	tcase_add_test(tcase, die_hints_match_call_part_and_errno);
	tcase_add_test(tcase, ns_get_is_device_and_inode);
	tcase_add_test(tcase, ns_links_are_those_of_the_kernel);
	tcase_add_test(tcase, ns_types_have_their_flags);
	tcase_add_test(tcase, proc_knows_a_process);
	tcase_add_test(tcase, proc_knows_what_is_handled);
	tcase_add_test(tcase, proc_parses_start_times);
	tcase_add_test(tcase, proc_parses_pids);
	tcase_add_test(tcase, gate_passes_or_notices_death);
	tcase_add_test(tcase, child_codes_are_a_shells);
	tcase_add_test(tcase, child_dies_with_its_parent);
	tcase_add_test(tcase, talk_asks_a_shell);
	tcase_add_test(tcase, talk_gives_up);
	tcase_add_test(tcase, display_counts_columns_not_bytes);
	tcase_add_test(tcase, display_cleans_what_others_chose);
	tcase_add_test(tcase, messages_are_folded_on_a_terminal);
	tcase_add_test(tcase, host_finds_what_is_left);
	suite_add_tcase(suite, tcase);
	return suite;
}
