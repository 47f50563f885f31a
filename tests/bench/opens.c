/*
 * opens: the least that a listing costs which asks as cinf does. It goes
 * through /proc once, and for each of six types of namespace it opens three
 * files of each process anew: 18 opens a process. It prints one number.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "die.h"
#include "proc.h"

static const char *const types[] = {
	"ns/mnt", "ns/uts", "ns/ipc", "ns/pid", "ns/net", "ns/user"};
static const char *const files[] = {"status", "cgroup", "cmdline"};

enum {
	TYPES = sizeof(types) / sizeof(types[0]),
	FILES = sizeof(files) / sizeof(files[0])
};

/* A process may have ended meanwhile. */
static void
look(const char *pid, size_t *bytes)
{
	char path[64], text[4096];

	for (int i = 0; i < TYPES; i++) {
		snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, types[i]);
		ssize_t n = readlink(path, text, sizeof(text));

		*bytes += n > 0 ? (size_t)n : 0;
		for (int k = 0; k < FILES; k++) {
			snprintf(path, sizeof(path), "/proc/%.20s/%s", pid,
				files[k]);
			int fd = open(path, O_RDONLY | O_CLOEXEC);

			if (fd == -1)
				continue;
			while ((n = read(fd, text, sizeof(text))) > 0)
				*bytes += (size_t)n;
			close(fd);
		}
	}
}

int
main(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t bytes = 0;
	pid_t pid;

	if (proc == NULL)
		die("open /proc");
	while ((entry = readdir(proc)) != NULL)
		if (proc_parse_pid(entry->d_name, &pid) == 0)
			look(entry->d_name, &bytes);
	closedir(proc);
	printf("%zu bytes\n", bytes);
	return 0;
}
