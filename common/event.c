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
} words[] = {
	{"fork", EVENT_FORK},
	{"exec", EVENT_EXEC},
	{"exit", EVENT_EXIT},
	{"comm", EVENT_COMM},
	{"ns", EVENT_NAMESPACES},
	{"uid", EVENT_UID},
	{"gid", EVENT_GID},
	{"sid", EVENT_SID},
	{"ptrace", EVENT_PTRACE},
	{"core", EVENT_CORE},
	{"nonzero", EVENT_NONZERO},
	{"ptrce", EVENT_PTRACE},
	{"nonzeroexit", EVENT_NONZERO},
	{"all", EVENT_NONZERO - 1},
};

enum { WORDS = sizeof(words) / sizeof(words[0]) };

const char *
event_name(enum event_type type)
{
	int i = 0;

	while (words[i].types != (int)type)
		i++;
	return words[i].name;
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
