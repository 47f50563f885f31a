#include "event.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "die.h"

static const struct {
	const char *name;
	int types;
	const char *help;
} words[] = {
	{"fork", EVENT_FORK, "a process was born"},
	{"exec", EVENT_EXEC, "a process has become another program"},
	{"exit", EVENT_EXIT, "a process has ended"},
	{"comm", EVENT_COMM, "a process has changed its name, without an exec"},
	{"ns", EVENT_NAMESPACES, "a process has called unshare or setns"},
	{"uid", EVENT_UID, "its user has changed: real/effective"},
	{"gid", EVENT_GID, "its group has changed: real/effective"},
	{"sid", EVENT_SID, "it has made a session of its own"},
	{"ptrace", EVENT_PTRACE, "it is traced, or no longer"},
	{"core", EVENT_CORE, "it dies by a signal that writes a core file"},
	{"nonzero", EVENT_NONZERO, "a process has ended, but not by exit 0"},
	{"all", EVENT_NONZERO - 1, "all of these"},
	/* forkstat(8) calls them so. */
	{"ptrce", EVENT_PTRACE, "the same as ptrace"},
	{"nonzeroexit", EVENT_NONZERO, "the same as nonzero"},
};

enum { WORDS = sizeof(words) / sizeof(words[0]) };

uint64_t
event_now(clockid_t clock)
{
	struct timespec time;

	if (clock_gettime(clock, &time) == -1)
		die("clock_gettime");
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

const char *
event_name(enum event_type type)
{
	int i = 0;

	while (words[i].types != (int)type)
		i++;
	return words[i].name;
}

void
event_help(void)
{
	for (int i = 0; i < WORDS; i++)
		printf("%-12s %s\n", words[i].name, words[i].help);
}

int
event_parse(const char *list, char **wrong)
{
	char *copy = strdup(list), *rest = copy, *word;
	int types = 0;

	if (copy == NULL)
		die("malloc");
	while ((word = strsep(&rest, ",")) != NULL) {
		int i = 0;

		while (i < WORDS && strcmp(words[i].name, word) != 0)
			i++;
		if (i == WORDS) {
			*wrong = strdup(word);
			if (*wrong == NULL)
				die("malloc");
			free(copy);
			return 0;
		}
		types |= words[i].types;
	}
	free(copy);
	return types;
}

void
event_status(char *text, size_t size, int status)
{
	if (status == EVENT_UNKNOWN)
		snprintf(text, size, "exit ?");
	else if (!WIFSIGNALED(status))
		snprintf(text, size, "exit %d", WEXITSTATUS(status));
	else if (sigabbrev_np(WTERMSIG(status)) != NULL)
		snprintf(text, size, "killed by SIG%s",
			sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, size, "killed by signal %d", WTERMSIG(status));
}
