#include "pidfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"

/* Beside the file, under a name that nobody has. It is to be freed. */
static int
make_new(const char *path, char **name)
{
	if (asprintf(name, "%s.XXXXXX", path) == -1)
		die("malloc");
	return mkostemp(*name, O_CLOEXEC);
}

void
pidfile_check(const char *path)
{
	struct stat st;
	char *name;

	if (path == NULL)
		return;
	if (path[0] == '\0')
		die_plain(DIE_FAILED, "--pid-file: found ``, expected a path");
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		die_plain(DIE_FAILED, "--pid-file: %s is there, and is no file",
			path);
	int fd = make_new(path, &name);
	if (fd == -1)
		die("open %s", path);
	close(fd);
	if (unlink(name) == -1)
		die("unlink %s", name);
	free(name);
}

int
pidfile_write(const char *path, pid_t pid)
{
	char *name;

	if (path == NULL)
		return 0;
	int fd = make_new(path, &name);
	if (fd == -1) {
		die_say("open %s", path);
		free(name);
		return -1;
	}
	int done = dprintf(fd, "%d", pid) < 0 || fchmod(fd, 0644) == -1
			   ? die_say("write %s", name)
			   : 0;
	if (close(fd) == -1 && done == 0)
		done = die_say("close %s", name);
	if (done == 0 && rename(name, path) == -1)
		done = die_say("rename %s", path);
	if (done == -1)
		(void)unlink(name);
	free(name);
	return done;
}
