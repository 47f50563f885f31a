#include "inject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Processes of one run; words of a command; places of one call that are
 * tried, of more some are enough. */
enum { MOST_PIDS = 200, MOST_WORDS = 40, PLACES = 100 };

static struct inject_call *
find_call(struct inject_calls *calls, const char *name, size_t length)
{
	int i = 0;

	while (i < calls->count &&
		(strncmp(calls->call[i].name, name, length) != 0 ||
			calls->call[i].name[length] != '\0'))
		i++;
	ck_assert_int_lt(i, INJECT_CALLS);
	if (i == calls->count) {
		calls->call[calls->count++].times = 0;
		snprintf(calls->call[i].name, sizeof(calls->call[i].name),
			"%.*s", (int)length, name);
	}
	return &calls->call[i];
}

int *
inject_times(struct inject_calls *calls, const char *name)
{
	return &find_call(calls, name, strlen(name))->times;
}

/* Count the calls of one process in one line: "4711  openat(AT_FDCWD, …". What
 * the program itself says stands between such lines. */
static void
count_line(struct inject_calls *calls, int (*times)[MOST_PIDS], int *pids,
	char *line)
{
	char *name;
	int pid = (int)strtol(line, &name, 10), slot = 0;
	struct inject_call *call;

	if (name == line)
		return;
	name += strspn(name, " ");
	size_t length = strcspn(name, "(");
	if (name[0] == '<' || name[0] == '+' || name[0] == '-' ||
		name[length] != '(')
		return;
	while (pids[slot] != 0 && pids[slot] != pid)
		slot++;
	ck_assert_int_lt(slot, MOST_PIDS - 1);
	pids[slot] = pid;
	call = find_call(calls, name, length);
	int now = ++times[call - calls->call][slot];
	if (now > call->times)
		call->times = now;
}

/* strace's own words, then the others. */
static void
join(char **argv, char *const *own, char *const *words)
{
	int n = 0;

	while (*own != NULL)
		argv[n++] = *own++;
	while (*words != NULL) {
		ck_assert_int_lt(n, MOST_WORDS - 1);
		argv[n++] = *words++;
	}
	argv[n] = NULL;
}

void
inject_count(struct inject_calls *calls, char *const words[], int code)
{
	int(*times)[MOST_PIDS] = calloc(INJECT_CALLS, sizeof(*times));
	int pids[MOST_PIDS] = {0};
	char *argv[MOST_WORDS], *rest, *line;

	calls->count = 0;
	join(argv,
		(char *const[]){
			"strace", "-f", "-qq", "-o", "/dev/stderr", NULL},
		words);
	struct run run = support_run(argv);
	ck_run(run, code);
	for (line = strtok_r(run.err, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		count_line(calls, times, pids, line);
	support_run_free(&run);
	free(times);
	/* brk(2) reports failure by its old value; strace's -1 looks like an
	 * address to malloc(3), which then crashes. */
	*inject_times(calls, "brk") = 0;
	/* Nor can this one fail: the shell would handle one signal for ever. */
	*inject_times(calls, "rt_sigreturn") = 0;
	/* Nor a wake: the C library would end the program. */
	*inject_times(calls, "futex") = 0;
	/* Nor this one, says getpid(2). */
	*inject_times(calls, "getpid") = 0;
}

char *
inject_begin(struct started *started, char *const words[], const char *call,
	const char *what, int when)
{
	char *fault, *only, *argv[MOST_WORDS];

	ck_assert_int_ne(
		asprintf(&fault, "inject=%s:%s:when=%d", call, what, when), -1);
	ck_assert_int_ne(asprintf(&only, "trace=%s", call), -1);
	/* The filter lets all other calls run at full speed. */
	join(argv,
		(char *const[]){"strace", "-f", "-qq", "-o", "/dev/null",
			"--seccomp-bpf", "-e", only, "-e", fault, NULL},
		words);
	*started = support_begin(NULL, argv);
	free(only);
	return fault;
}

/* A walk of /proc makes one call for each process of the machine: of those,
 * some are enough. */
void
inject_each(struct inject_calls *calls, struct inject_calls *without,
	void (*with)(const char *call, int when, void *data), void *data)
{
	const char *every = getenv("FAULTS");
	long stride = every == NULL ? 1 : strtol(every, NULL, 10);
	int fault = 0;

	ck_assert_int_gt(calls->count, without->count);
	for (int i = 0; i < calls->count; i++) {
		const struct inject_call *call = &calls->call[i];
		int when = *inject_times(without, call->name);
		int step = 1 + (call->times - when) / PLACES;

		for (when++; when <= call->times; when += step)
			if (fault++ % stride == 0)
				with(call->name, when, data);
	}
}
