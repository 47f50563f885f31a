/*
 * The documents are true: their excerpts equal the source, and their console
 * blocks, run here and now, print what they say they print.
 */
#include "documents.h"
#include "support.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE "tests/documents/sample.md"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SECONDS = 60 }; /* the time limit of a command */

/* Exit codes: ours, a lesson's that cannot run here, and two of a shell. */
enum { TIMED_OUT = -1, UNABLE = 77, NO_EXEC = 126, NOT_FOUND = 127 };

static const char *const documents[] = {"README.md", "TUTORIAL.md"};

/* Returns NULL with errno when there is no such text. It is used by main, too,
 * where libcheck does not allow to assert. */
static char *
read_text(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "re");
	bool whole;

	if (file == NULL)
		return NULL;
	whole = getdelim(&text, &size, '\0', file) != -1 && feof(file) != 0;
	if (fclose(file) != EOF && whole)
		return text;
	free(text);
	errno = EILSEQ;
	return NULL;
}

/* Be the shell of a command. Nothing of it outlives a test that is
 * interrupted, and its process group is ended as one. */
static void
be_shell(const char *script, int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (setpgid(0, 0) == -1 || prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
		null == -1 || dup2(null, STDIN_FILENO) == -1 ||
		dup2(output, STDOUT_FILENO) == -1 ||
		dup2(output, STDERR_FILENO) == -1 ||
		setenv("LC_ALL", "C.UTF-8", 1) == -1 ||
		setenv("COLUMNS", "80", 1) == -1 ||
		setenv("TERM", "dumb", 1) == -1 || unsetenv("NO_COLOR") == -1)
		_exit(NO_EXEC);
	execl("/bin/sh", "sh", "-c", script, (char *)NULL);
	_exit(NO_EXEC);
}

/* Add what there is to read to the output. Returns false at its end. A NUL is
 * dropped: a terminal does not show it either. */
static bool
copy(int input, FILE *output)
{
	char bytes[4096];
	ssize_t length = read(input, bytes, sizeof(bytes)), i;

	ck_assert_int_ne(length, -1);
	for (i = 0; i < length; i++)
		if (bytes[i] != '\0')
			ck_assert_int_ne(fputc(bytes[i], output), EOF);
	return length > 0;
}

static long
milliseconds(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Copy what a shell and its children print until all of them are gone, or have
 * let go of the pipe. Returns false when the time is up. */
static bool
follow(int input, FILE *output, int seconds)
{
	struct pollfd fd = {.fd = input, .events = POLLIN};
	long end = milliseconds() + seconds * 1000L, left;

	while ((left = end - milliseconds()) > 0) {
		ck_assert_int_ne(poll(&fd, 1, (int)left), -1);
		if (fd.revents != 0 && !copy(input, output))
			return true;
	}
	return false;
}

/* Run a command and add what it prints to the output. We run it as whoever we
 * are, so sudo is a function that does nothing more than to call. In the end
 * the process group is killed in any case: there may be more in it than the
 * shell. Returns the exit code of the shell, or TIMED_OUT. */
static int
run(const char *command, int seconds, FILE *output)
{
	char *script;
	int ends[2], status;
	pid_t shell;
	bool in_time;

	ck_assert_int_ne(
		asprintf(&script, "sudo() { \"$@\"; }; %s", command), -1);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	shell = fork();
	ck_assert_int_ne(shell, -1);
	if (shell == 0)
		be_shell(script, ends[1]);
	free(script);
	ck_assert_int_eq(close(ends[1]), 0);
	in_time = follow(ends[0], output, seconds);
	ck_assert_int_eq(kill(-shell, SIGKILL), 0);
	ck_assert_int_eq(waitpid(shell, &status, 0), shell);
	ck_assert_int_eq(close(ends[0]), 0);
	if (!in_time)
		return TIMED_OUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Run a command of a document, and write it with what it prints into the
 * transcript. Returns its exit code. */
static int
run_line(const char *line, char *const *transcript, FILE *output)
{
	int length = (int)strcspn(line, "\n"), prompt = (int)strlen("host# ");
	char *command = strndup(line + prompt, (size_t)(length - prompt));
	int code;

	ck_assert_ptr_nonnull(command);
	ck_assert_int_ge(fprintf(output, "%.*s\n", length, line), 0);
	code = run(command, SECONDS, output);
	free(command);
	ck_assert_int_eq(fflush(output), 0);
	if ((*transcript)[strlen(*transcript) - 1] != '\n')
		ck_assert_int_ne(fputc('\n', output), EOF);
	return code;
}

/* The documents were written by root. To others a lesson says in one line that
 * it uses a user namespace, which the reader was told. */
static void
drop_notes(char *text)
{
	while (*text != '\0') {
		size_t length = documents_line(text);

		if (memmem(text, length, ": not root: ", 12) != NULL)
			memmove(text, text + length, strlen(text + length) + 1);
		else
			text += length;
	}
}

/* Returns what is wrong with a fence, or NULL. Where a lesson says that this
 * machine cannot run it, there is nothing to compare. */
static char *
check_fence(const char *name, const struct fence *fence)
{
	const char *line = fence->body;
	char *transcript, *message = NULL;
	size_t size, number = fence->line + 1;
	FILE *output = open_memstream(&transcript, &size);
	bool able = true;
	int code;

	ck_assert_ptr_nonnull(output);
	for (; *line != '\0'; line += documents_line(line), number++) {
		if (message != NULL || !documents_is_command(line))
			continue;
		code = run_line(line, &transcript, output);
		able = able && code != UNABLE;
		if (code == TIMED_OUT)
			message = documents_message(name, number,
				"no end after %d seconds", SECONDS);
		else if (code == NO_EXEC || code == NOT_FOUND)
			message = documents_message(name, number,
				"no such command (exit %d)", code);
	}
	ck_assert_int_eq(fclose(output), 0);
	drop_notes(transcript);
	if (message == NULL)
		message = documents_compare(
			name, fence->line + 1, fence->body, transcript);
	free(transcript);
	if (message == NULL || able)
		return message;
	printf("SKIP documents: %s:%zu has a lesson that cannot run here\n",
		name, fence->line);
	free(message);
	return NULL;
}

/* Runs scripts/tutorial on a document. Returns its exit code and, to be freed,
 * what it prints. */
static int
tutorial(const char *option, const char *path, char **text)
{
	size_t size;
	FILE *output = open_memstream(text, &size);
	int code;

	ck_assert_ptr_nonnull(output);
	ck_assert_int_eq(setenv("DOCUMENT", path, 1), 0);
	ck_assert_int_eq(setenv("OPTION", option, 1), 0);
	code = run("scripts/tutorial $OPTION \"$DOCUMENT\"", SECONDS, output);
	ck_assert_int_eq(fclose(output), 0);
	return code;
}

/* What is wrong with a document without its console blocks, or NULL. */
static char *
check_form(const char *path)
{
	char *text = read_text(path), *message;

	if (text == NULL)
		return documents_message(path, 1, "%s", strerror(errno));
	message = documents_lint(path, text);
	free(text);
	if (message == NULL && tutorial("--check", path, &message) == 0) {
		free(message);
		message = NULL;
	}
	return message;
}

/* Is this a fence with commands that are to be run? */
static bool
is_console(const struct fence *fence)
{
	return strcmp(fence->info, "console") == 0 ||
	       strcmp(fence->info, "console root") == 0;
}

static bool
runs_here(const struct fence *fence)
{
	return is_console(fence) &&
	       (strcmp(fence->info, "console") == 0 || geteuid() == 0);
}

/* What is wrong with a document, or NULL. */
static char *
check_document(const char *path)
{
	char *message = check_form(path), *text = read_text(path);
	struct fence fence = {.rest = text, .next = 1};

	while (message == NULL && documents_next(&fence))
		if (runs_here(&fence))
			message = check_fence(path, &fence);
	free(text);
	return message;
}

/* Two transcripts, and how the message of their comparison goes on behind the
 * name; NULL when they agree. */
static const struct {
	const char *body, *transcript, *verdict;
} comparisons[] = {
	{"", "", NULL},
	{"a 10 10 11\n", "a 98 98 99\n", NULL},
	{"a 10\nb 11\n", "a 11\nb 10\n", NULL},
	{"a 10\na 10\n", "a 11\na 12\n",
		"2: one number stands for two different numbers: "
		"10 is 11, and 10 is 12"},
	{"a 10\na 11\n", "a 12\na 12\n",
		"2: two numbers of the document are one number here: "
		"10 is 12, and 11 is 12"},
	{"a 10\na 10 b\n", "a 11\na 12 c\n", "2: the output differs"},
	{"7\n", "8\n", "1: the output differs"},
	{"10\n", "9\n", "1: the output differs"},
	{"02 x02 x_11 lesson11\n", "02 x02 x_11 lesson11\n", NULL},
	{"02\n", "03\n", "1: the output differs"},
	{"lesson11\n", "lesson12\n", "1: the output differs"},
	{"x_11\n", "x_12\n", "1: the output differs"},
	{"33052/1 pid:[33]\n", "812/1 pid:[4026532395]\n", NULL},
	{"→33\n", "→4026532395\n", NULL},
	{"0.31 s\n", "12.5  s\n", NULL},
	{"0.31 sec\n", "0.32 sec\n", NULL},
	{"0.31 sec\n", "0.5 sec\n", "1: the output differs"},
	{"  a   33 \t b  \n", "a 4026532395 b\n", NULL},
	{"a\n", " a\n", NULL},
	{"a b\n", "ab\n", "1: the output differs"},
	{"---  --\n", "----- ---\n", NULL},
	{"--- a\n", "---- a\n", "1: the output differs"},
	{"a\nb\n", "a\n", "2: the output differs"},
	{"a\n", "a\nb\n", "2: the output differs"},
	{"...\nb 20\n", "a 10\nb 10\nb 11\n", NULL},
	{"a 20\n...\n", "a 10\nb 10\nb 11\n", NULL},
	{"a 20\n...\nb 20\n", "a 10\nb 11\nb 10\n", NULL},
	{"a 20\n...\nb 21\n", "a 10\nb 10\n",
		"3: two numbers of the document are one number here"},
	{"...\nc\n", "a\nb\n",
		"2: the output differs\nexpected: c\nfound:    (no more lines)"},
	{"...\n", "", NULL},
	{"host# a\n...\nhost# b\nc\n", "host# a\nb\nhost# b\nc\n", NULL},
	{"host# a\n...\nc\n", "host# a\nhost# b\nc\n", "3: the output differs"},
	{"...\n20 sh\n...\nhost# b\n20\n", "10 sh\n11 sh\n12 sh\nhost# b\n11\n",
		NULL},
	{"host# a 10\n20\n", "host# a 10\n10\n", NULL},
};

/* The first place where the old text stands in the sample gets the new one:
 * then the document is wrong, and the message starts so behind its name. */
static const struct {
	const char *old, *new, *verdict;
} defects[] = {
	{"2 * number", "3 * number",
		"5: excerpt of twice in tests/documents/sample.c differs from "
		"the source\n  line 12 has:   \treturn 3 * number;\n"
		"  the source has: \treturn 2 * number;\n"},
	{"number;\n}\n```", "number;\n```", "5: excerpt of twice in "},
	{"STEP 3\n", "STEP 3\n\n",
		"16: excerpt of /#define LIMIT/ /#define "
		"STEP/ in tests/documents/sample.c differs"},
	{"sample.c twice", "sample.c half",
		"5: tests/documents/sample.c has no function half\n"},
	{"sample.c twice", "gone.c twice",
		"5: no such file: tests/documents/gone.c\n"},
	{"/#define STEP/", "/#define WIDTH/",
		"16: tests/documents/sample.c has no line with #define WIDTH "
		"after #define LIMIT\n"},
	{"sample.c twice", "sample.c", "5: a c fence names SOURCE FUNCTION "},
	{"sh 33052", "zsh 33052", "25: the output differs"},
	{"33053 pid:[4026532395]", "33053 pid:[4026532399]",
		"26: two numbers of the document are one number here: "
		"4026532395 is 777, and 4026532399 is 777"},
	{"pid:[4026532396]", "pid:[4026532395]",
		"27: one number stands for two different numbers: "
		"4026532395 is 777, and 4026532395 is 888"},
	{"sh 33054 pid:[4026532396]\n", "", "27: the output differs"},
	{"the end\n```", "the end\nmore\n```", "37: the output differs"},
	{"11\n...", "more\n11\n...", "34: the output differs"},
	{"; echo the end", "; nocommand", "33: no such command (exit 127)"},
	{"eighty", "eighty1", "41: wider than 80 columns"},
	{"\treturn 2", "\t\t\t\t\t\t\t\t\t\treturn 2",
		"12: wider than 80 columns"},
	{"sh 33052", "s\xff 33052", "25: wider than 80 columns, or not a text"},
	{"not-run", "norun", "39: not one of console, "},
	{"```console not-run", "```sh", "40: a command outside"},
	{"The numbers", "host$ ", "21: a command outside"},
	{"The numbers", "> ```console", "21: a fence that is not ```"},
	{"0\n```\n", "0\n", "44: the fence has no end"},
	{"the end\n```", "the end\n", "39: a fence begins"},
};

static void
assert_verdict(const char *message, const char *name, const char *verdict)
{
	if (verdict == NULL)
		ck_assert_msg(message == NULL, "%s", message);
	else
		ck_assert_msg(
			message != NULL && strstr(message, verdict) ==
						   message + strlen(name) + 1,
			"expected: %s:%s\nfound:    %s", name, verdict,
			message != NULL ? message : "nothing wrong");
}

/* The sample with the first "old" in it replaced. */
static char *
changed_sample(const char *old, const char *new)
{
	char *sample = read_text(SAMPLE), *at, *changed;

	ck_assert_ptr_nonnull(sample);
	at = strstr(sample, old);
	ck_assert_msg(at != NULL, "%s is not in " SAMPLE, old);
	ck_assert_int_ne(asprintf(&changed, "%.*s%s%s", (int)(at - sample),
				 sample, new, at + strlen(old)),
		-1);
	free(sample);
	return changed;
}

/* Write a document into a directory of its own. Returns its path. */
static char *
make_document(const char *text)
{
	const char *base = getenv("TMPDIR");
	char *directory, *path;
	FILE *file;

	ck_assert_int_ne(asprintf(&directory, "%s/documents.XXXXXX",
				 base != NULL ? base : "/tmp"),
		-1);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_ne(asprintf(&path, "%s/sample.md", directory), -1);
	free(directory);
	file = fopen(path, "wxe");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ne(fputs(text, file), EOF);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

static void
remove_document(const char *path)
{
	char *directory = strdup(path);

	ck_assert_ptr_nonnull(directory);
	*strrchr(directory, '/') = '\0';
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(directory), 0);
	free(directory);
}

START_TEST(numbers_are_renamed)
{
	char *message = documents_compare(
		"text", 1, comparisons[_i].body, comparisons[_i].transcript);

	assert_verdict(message, "text", comparisons[_i].verdict);
	free(message);
}
END_TEST

START_TEST(true_document_passes)
{
	assert_verdict(check_document(SAMPLE), SAMPLE, NULL);
}
END_TEST

START_TEST(defect_is_found)
{
	char *text = changed_sample(defects[_i].old, defects[_i].new);
	char *path = make_document(text), *message = check_document(path);

	remove_document(path);
	assert_verdict(message, path, defects[_i].verdict);
	free(message);
	free(text);
	free(path);
}
END_TEST

/* Run scripts/tutorial and compare what becomes of the document. */
static void
assert_tutorial(const char *option, char *path, int code, const char *text)
{
	char *output, *found;

	ck_assert_int_eq(tutorial(option, path, &output), code);
	found = read_text(path);
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found, text);
	free(output);
	free(found);
}

START_TEST(excerpts_are_refreshed)
{
	char *text = changed_sample("2 * number", "3 * number");
	char *path = make_document(text), *sample = read_text(SAMPLE);
	struct stat before, after;

	assert_tutorial("--check", path, 1, text);
	ck_assert_int_eq(chmod(path, 0640), 0);
	assert_tutorial("", path, 0, sample);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(before.st_mode & 0777, 0640);
	/* What is right already is not written again. */
	assert_tutorial("", path, 0, sample);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_ino, before.st_ino);
	remove_document(path);
	free(text);
	free(sample);
	free(path);
}
END_TEST

/* When one excerpt has no source, a stale one is not refreshed either. */
START_TEST(document_is_kept)
{
	char *text = changed_sample(
		"2 * number;\n}\n```\n\n```c tests/documents/sample.c /#define",
		"3 * number;\n}\n```\n\n```c tests/documents/sample.c /#undef");
	char *path = make_document(text);

	assert_tutorial("", path, 1, text);
	remove_document(path);
	free(text);
	free(path);
}
END_TEST

/* Whatever a command has left behind has a copy of this pipe, too: when the
 * pipe ends, nothing is left. */
START_TEST(commands_end)
{
	FILE *output = fopen("/dev/null", "we");
	int ends[2];
	char byte;

	ck_assert_ptr_nonnull(output);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(run("sleep 100 & sleep 100", 1, output), TIMED_OUT);
	ck_assert_int_eq(
		run("sleep 100 >/dev/null 2>&1 & exit 3", SECONDS, output), 3);
	ck_assert_int_eq(close(ends[1]), 0);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	ck_assert_int_eq(close(ends[0]), 0);
	ck_assert_int_eq(fclose(output), 0);
}
END_TEST

/* Find the wanted one of the fences with commands of both documents. Returns
 * the text that it is a part of, or NULL. */
static char *
find_fence(int wanted, const char **name, struct fence *fence)
{
	char *text;
	size_t i;

	for (i = 0; i < COUNT(documents); i++) {
		text = read_text(documents[i]);
		if (text == NULL)
			continue;
		*name = documents[i];
		*fence = (struct fence){.rest = text, .next = 1};
		while (documents_next(fence))
			if (is_console(fence) && wanted-- == 0)
				return text;
		free(text);
	}
	return NULL;
}

START_TEST(form_is_right)
{
	char *message = NULL;

	if (access(documents[_i], F_OK) == 0)
		message = check_form(documents[_i]);
	else
		printf("SKIP documents: no %s\n", documents[_i]);
	ck_assert_msg(message == NULL, "%s", message);
}
END_TEST

START_TEST(console_is_true)
{
	const char *name;
	struct fence fence;
	char *text = find_fence(_i, &name, &fence), *message = NULL;

	ck_assert_ptr_nonnull(text);
	if (runs_here(&fence))
		message = check_fence(name, &fence);
	else
		printf("SKIP documents: %s:%zu needs root\n", name, fence.line);
	ck_assert_msg(message == NULL, "%s", message);
	free(text);
}
END_TEST

Suite *
suite_documents(void)
{
	Suite *suite = suite_create("documents");
	TCase *self = tcase_create("the checker itself");
	TCase *real = tcase_create("the documents");
	struct fence fence;
	const char *name;
	char *text;
	int fences = 0;

	suite_add_tcase(suite, self);
	tcase_set_timeout(self, SECONDS);
	tcase_add_loop_test(self, numbers_are_renamed, 0, COUNT(comparisons));
	tcase_add_test(self, true_document_passes);
	tcase_add_loop_test(self, defect_is_found, 0, COUNT(defects));
	tcase_add_test(self, excerpts_are_refreshed);
	tcase_add_test(self, document_is_kept);
	tcase_add_test(self, commands_end);

	/* As long as a fence needs for several slow commands. */
	suite_add_tcase(suite, real);
	tcase_set_timeout(real, 10 * SECONDS);
	while ((text = find_fence(fences, &name, &fence)) != NULL) {
		fences++;
		free(text);
	}
	tcase_add_loop_test(real, form_is_right, 0, COUNT(documents));
	tcase_add_loop_test(real, console_is_true, 0, fences);
	return suite;
}
