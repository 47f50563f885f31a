#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"

/* Returns -1 with errno when it is not there. Where somebody renames things at
 * the same time, the kernel cannot tell whether ".." stayed inside: EAGAIN. */
int
inside_look(int root, const char *path, unsigned resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd == -1 && errno == EAGAIN);
	return fd;
}

int
inside_open(int root, const char *path, unsigned resolve)
{
	int fd = inside_look(root, path, resolve);

	if (fd == -1)
		die("openat2 %s in the container", path);
	return fd;
}

/* Make the last part of a path. A link that leads nowhere is in the way. */
int
inside_make_below(int folder, const char *name, bool folder_wanted)
{
	int flags = O_NOFOLLOW | O_CLOEXEC;

	if (folder_wanted && mkdirat(folder, name, 0755) == -1 &&
		errno != EEXIST)
		die("mkdirat %s in the container", name);
	int fd = openat(folder, name,
		folder_wanted ? flags | O_PATH | O_DIRECTORY
			      : flags | O_CREAT | O_EXCL | O_WRONLY,
		0644);
	if (fd == -1)
		die("openat %s in the container", name);
	return fd;
}

/* Open a path of the container, and make what is missing of it, one part at a
 * time. */
int
inside_make( // NOLINT(misc-no-recursion)
	int root, const char *path, bool folder_wanted)
{
	int fd = inside_look(root, path, 0);

	if (fd != -1)
		return fd;
	if (errno != ENOENT)
		die("openat2 %s in the container", path);
	char *above = strdup(path);
	if (above == NULL)
		die("malloc");
	size_t length = strlen(above);
	while (length > 1 && above[length - 1] == '/')
		above[--length] = '\0';
	char *name = strrchr(above, '/');
	*name++ = '\0';
	int folder = inside_make(root, above[0] == '\0' ? "/" : above, true);
	/* ".." of the root itself would be outside. */
	fd = strcmp(name, "..") == 0
		     ? inside_open(root, path, 0)
		     : inside_make_below(folder, name, folder_wanted);
	close(folder);
	free(above);
	return fd;
}

/* A path that names what the descriptor names, for mount(2), which takes no
 * descriptor. The caller frees it. */
char *
inside_fd_path(int fd)
{
	char *path;

	if (asprintf(&path, "/proc/self/fd/%d", fd) == -1)
		die("malloc");
	return path;
}

bool
inside_is_folder(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		die("fstat");
	return S_ISDIR(st.st_mode);
}

char *
inside_clean(const char *path)
{
	char *clean = malloc(strlen(path) + 2), *end = clean;

	if (clean == NULL)
		return NULL;
	for (size_t length; *path != '\0'; path += length) {
		path += strspn(path, "/");
		length = strcspn(path, "/");
		*end = '\0';
		if (length == 2 && strncmp(path, "..", 2) == 0) {
			char *slash = strrchr(clean, '/');

			end = slash == NULL ? clean : slash;
		} else if (length > 1 || (length == 1 && path[0] != '.')) {
			*end = '/';
			end = mempcpy(end + 1, path, length);
		}
	}
	*end = '\0';
	return clean;
}
