#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "die.h"
#include "inside.h"
#include "mountopts.h"
#include "mounts.h"

void
nodes_check(int fd, const char *path, mode_t type, dev_t number)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		die("fstat %s", path);
	if ((st.st_mode & S_IFMT) != type || st.st_rdev != number)
		die_plain(DIE_FAILED,
			"%s of the container is not the device of that name",
			path);
}

/* Where the host's device is to be: a file, which a start before this one may
 * have made. */
static int
open_place(int folder, const char *name)
{
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		return inside_make_below(folder, name, false);
	if (fd == -1)
		die("openat %s in the container", name);
	return fd;
}

/* A user namespace may not make device nodes, but it may bind the host's. */
static void
bind_device(int folder, const char *name, const char *path, mode_t type,
	dev_t number)
{
	int from = open(path, O_PATH | O_CLOEXEC);

	if (from == -1)
		die("open %s of the host", path);
	nodes_check(from, path, type, number);
	int tree = mounts_copy(from, false, path);
	int on = open_place(folder, name);
	mounts_put(tree, on, path);
	close(on);
	close(tree);
	close(from);
}

/* An empty file, on which a device can be bound. */
static bool
is_place(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == 0;
}

static void
make_device(int root, const struct bundle_device *d)
{
	mode_t type = d->type == 'b'   ? S_IFBLK
		      : d->type == 'p' ? S_IFIFO
				       : S_IFCHR;
	dev_t number = d->type == 'p' ? 0 : makedev(d->major, d->minor);
	char *above = strdup(d->path);

	if (above == NULL)
		die("malloc");
	char *name = strrchr(above, '/');
	*name++ = '\0';
	int folder = inside_make(root, above[0] == '\0' ? "/" : above, true);
	/* The mode is as asked for: rootfs_build has taken the umask away. */
	bool made = mknodat(folder, name, type | d->mode, number) == 0;
	if (!made && errno != EPERM && errno != EEXIST)
		die("mknodat %s in the container", d->path);
	if (!made && (errno == EPERM || is_place(folder, name)))
		bind_device(folder, name, d->path, type, number);
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		die("openat %s in the container", d->path);
	nodes_check(fd, d->path, type, number);
	/* By the descriptor: the name may mean something else by now. */
	if (made && fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH) == -1)
		die("fchownat %s in the container", d->path);
	close(fd);
	close(folder);
	free(above);
}

/* What a runtime must supply whatever config.json says: config-linux.md. */
static void
default_devices(int root)
{
	static char *const paths[] = {"/dev/null", "/dev/zero", "/dev/full",
		"/dev/random", "/dev/urandom", "/dev/tty"};
	static const unsigned numbers[][2] = {
		{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct bundle_device d = {.type = 'c',
			.path = paths[i],
			.major = numbers[i][0],
			.minor = numbers[i][1],
			.mode = 0666};

		make_device(root, &d);
	}
}

static void
default_links(int root)
{
	static const char *const links[][2] = {{"/proc/self/fd", "fd"},
		{"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"},
		{"pts/ptmx", "ptmx"}};
	int dev = inside_open(root, "/dev", 0);

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (strcmp(links[i][1], "core") == 0 &&
			access("/proc/kcore", F_OK) == -1)
			continue;
		if (symlinkat(links[i][0], dev, links[i][1]) == -1 &&
			errno != EEXIST)
			die("symlinkat /dev/%s in the container", links[i][1]);
	}
	close(dev);
}

/* The host's /dev, bound, has all that it has. */
static bool
dev_is_bound(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->mount_count; i++) {
		const struct bundle_mount *m = &bundle->mounts[i];

		if (strcmp(m->destination, "/dev") == 0 ||
			strcmp(m->destination, "/dev/") == 0) {
			struct mountopts opts = mountopts_read(m->options);

			free(opts.data);
			return (opts.flags & MS_BIND) != 0;
		}
	}
	return false;
}

void
nodes_make(int root, const struct bundle *bundle)
{
	if (dev_is_bound(bundle))
		return;
	default_devices(root);
	for (size_t i = 0; i < bundle->device_count; i++)
		make_device(root, &bundle->devices[i]);
	default_links(root);
}
