#include "cgfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
open_file(const char *folder, const char *file, int flags)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, file) == -1)
		return -1;
	int fd = open(path, flags | O_CLOEXEC);
	int error = errno;
	free(path);
	errno = error;
	return fd;
}

bool
cgfile_exists(const char *folder, const char *file)
{
	int fd = open_file(folder, file, O_PATH);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

bool
cgfile_is_unified(const char *folder)
{
	return cgfile_exists(folder, "cgroup.controllers");
}

int
cgfile_write(const char *folder, const char *file, const char *text)
{
	int fd = open_file(folder, file, O_WRONLY);

	if (fd == -1)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	int error = errno;
	close(fd);
	errno = error;
	return n == -1 ? -1 : 0;
}

int
cgfile_enter(const char *folder, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return cgfile_write(folder, "cgroup.procs", text);
}

char *
cgfile_read(const char *folder, const char *file)
{
	char *line = NULL, *path;
	size_t size = 0;

	if (asprintf(&path, "%s/%s", folder, file) == -1)
		return NULL;
	FILE *in = fopen(path, "re");
	int error = errno;
	if (in != NULL) {
		errno = 0;
		/* At the end of the file errno stays as it was. */
		if (getline(&line, &size, in) == -1) {
			error = errno;
			free(line);
			line = error == 0 ? strdup("") : NULL;
		} else {
			line[strcspn(line, "\n")] = '\0';
		}
		fclose(in);
	}
	free(path);
	errno = error;
	return line;
}
