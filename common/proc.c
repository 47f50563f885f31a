#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ns.h"

static char *
read_all(int fd)
{
	size_t size = 4096, used = 0;
	char *text = malloc(size + 1);
	ssize_t n = 0;

	while (text != NULL) {
		n = read(fd, text + used, size - used);
		if (n <= 0)
			break;
		used += n;
		if (used == size) {
			size *= 2;
			char *larger = realloc(text, size + 1);
			if (larger == NULL)
				n = -1;
			else
				text = larger;
		}
		if (n == -1)
			break;
	}
	if (text == NULL || n == -1) {
		free(text);
		return NULL;
	}
	text[used] = '\0';
	return text;
}

char *
proc_read(pid_t pid, const char *file)
{
	char *path, *text;

	if ((pid == NS_SELF ? asprintf(&path, "/proc/self/%s", file)
			    : asprintf(&path, "/proc/%d/%s", pid, file)) == -1)
		return NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd == -1)
		return NULL;
	text = read_all(fd);
	int error = errno;
	close(fd);
	errno = error;
	return text;
}

ssize_t
proc_peek(pid_t pid, const char *file, char *to, size_t size)
{
	char *path;

	if (asprintf(&path, "/proc/%d/%s", pid, file) == -1)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd == -1)
		return -1;
	ssize_t n = read(fd, to, size - 1);
	int error = errno;
	close(fd);
	errno = error;
	to[n > 0 ? n : 0] = '\0';
	return n;
}

char *
proc_status(pid_t pid, const char *field)
{
	char *status = proc_read(pid, "status"), *line, *rest, *value = NULL;
	size_t length = strlen(field);

	if (status == NULL)
		return NULL;
	for (line = strtok_r(status, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, field, length) == 0 && line[length] == ':') {
			line += length + 1;
			value = strdup(line + strspn(line, " \t"));
			break;
		}
	}
	free(status);
	if (line == NULL)
		errno = ENOENT;
	return value;
}

int
proc_nspids(pid_t pid, pid_t *pids)
{
	char *text = proc_status(pid, "NSpid"), *next;
	int count = 0;

	if (text == NULL)
		return -1;
	next = text;
	while (count < PROC_LEVELS) {
		char *end;
		long number = strtol(next, &end, 10);

		if (end == next)
			break;
		pids[count++] = (pid_t)number;
		next = end;
	}
	free(text);
	return count;
}

/* We count from the last parenthesis: field 3 follows it. */
const char *
proc_stat_field(const char *stat, int field)
{
	const char *at = strrchr(stat, ')');

	for (int i = 2; at != NULL && i < field; i++)
		at = strchr(at + 1, ' ');
	return at == NULL ? NULL : at + 1;
}

int
proc_parse_start_time(const char *stat, unsigned long long *ticks)
{
	const char *at = proc_stat_field(stat, 22);

	if (at == NULL) {
		errno = EINVAL;
		return -1;
	}
	*ticks = strtoull(at, NULL, 10);
	return 0;
}

int
proc_start_time(pid_t pid, unsigned long long *ticks)
{
	char *stat = proc_read(pid, "stat");

	if (stat == NULL)
		return -1;
	int result = proc_parse_start_time(stat, ticks);
	free(stat);
	return result;
}

char *
proc_name(pid_t pid)
{
	char *name = proc_read(pid, "comm");

	/* The kernel ends it with a newline; it may hold others. */
	char *end = name == NULL ? NULL : strrchr(name, '\n');
	if (end != NULL)
		*end = '\0';
	return name;
}

static bool
has_signal(pid_t pid, const char *field, int signal)
{
	char *mask = proc_status(pid, field);
	bool has = mask != NULL &&
		   ((strtoull(mask, NULL, 16) >> (signal - 1)) & 1) != 0;

	free(mask);
	return has;
}

bool
proc_handles(pid_t pid, int signal)
{
	return has_signal(pid, "SigCgt", signal) ||
	       has_signal(pid, "SigIgn", signal);
}

char
proc_state(pid_t pid)
{
	char *state = proc_status(pid, "State");
	char letter = '\0';

	if (state != NULL)
		letter = state[0];
	free(state);
	return letter;
}

/* Is it that process? One that vanishes meanwhile is not. */
static bool
is_inner(pid_t pid, struct ns_id space, pid_t inner)
{
	pid_t pids[PROC_LEVELS];
	struct ns_id own;
	int count;

	if (ns_get(pid, "pid", &own) == -1 || !ns_same(own, space))
		return false;
	count = proc_nspids(pid, pids);
	return count > 0 && pids[count - 1] == inner;
}

pid_t
proc_outside(pid_t member, pid_t inner)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	struct ns_id space;
	pid_t found = 0, pid;

	if (dir == NULL)
		return 0;
	if (ns_get(member, "pid", &space) == 0)
		while (found == 0 && (entry = readdir(dir)) != NULL)
			if (proc_parse_pid(entry->d_name, &pid) == 0 &&
				is_inner(pid, space, inner))
				found = pid;
	closedir(dir);
	return found;
}

int
proc_parse_pid(const char *text, pid_t *pid)
{
	char *end;

	errno = 0;
	long number = strtol(text, &end, 10);
	/* strtol takes blanks and a sign before the number. */
	if (strchr("-0123456789", text[0]) == NULL || end == text ||
		*end != '\0') {
		errno = EINVAL;
		return -1;
	}
	if (errno == ERANGE || number < 1 || number > PROC_PID_LIMIT) {
		errno = ERANGE;
		return -1;
	}
	*pid = (pid_t)number;
	return 0;
}
