#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"
#include "inside.h"

/* Of linux/mount.h and linux/fcntl.h, which older C libraries do not have and
 * newer ones have in other headers. */
enum {
	TREE_CLONE = 1,
	TREE_RECURSIVE = 0x8000,
	TREE_CLOEXEC = O_CLOEXEC,
	MOVE_FROM_FD = 4,
	MOVE_TO_FD = 0x40,
	ATTR_RDONLY = 1
};

struct attributes {
	uint64_t set, clear, propagation, userns;
};

/* A copy of the mount that a descriptor is in, not yet mounted anywhere. */
int
mounts_copy(int fd, bool all, const char *name)
{
	int tree = (int)syscall(SYS_open_tree, fd, "",
		AT_EMPTY_PATH | TREE_CLONE | TREE_CLOEXEC |
			(all ? TREE_RECURSIVE : 0));

	if (tree == -1)
		die("open_tree %s", name);
	return tree;
}

void
mounts_put(int tree, int on, const char *name)
{
	if (syscall(SYS_move_mount, tree, "", on, "",
		    MOVE_FROM_FD | MOVE_TO_FD) == -1)
		die("move_mount %s", name);
}

/* Flags of a mount that is there. Those that it has inherited must be given
 * again: a user namespace may not clear them (mount_namespaces(7)). */
void
mounts_change(int mount_fd, unsigned long flags, const char *name)
{
	enum { LOCKED = ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY };
	char *path = inside_fd_path(mount_fd);
	struct statvfs st;

	flags |= MS_REMOUNT | MS_BIND;
	if (mount(NULL, path, NULL, flags, NULL) == -1) {
		if (errno != EPERM || fstatvfs(mount_fd, &st) == -1 ||
			mount(NULL, path, NULL, flags | (st.f_flag & LOCKED),
				NULL) == -1)
			die("mount with the options of %s", name);
	}
	free(path);
}

/* For this mount alone, or for all below it, too. Before Linux 5.12 there is
 * the older way, for one. */
void
mounts_set(
	int mount_fd, bool all, uint64_t set, uint64_t clear, const char *name)
{
	struct attributes attributes = {.set = set, .clear = clear};
	struct statvfs st;

	if (syscall(SYS_mount_setattr, mount_fd, "",
		    AT_EMPTY_PATH | (all ? TREE_RECURSIVE : 0), &attributes,
		    sizeof(attributes)) == 0)
		return;
	if (errno != ENOSYS || all || set != ATTR_RDONLY)
		die("mount_setattr %s", name);
	if (fstatvfs(mount_fd, &st) == -1)
		die("fstatvfs %s", name);
	mounts_change(mount_fd, MS_RDONLY | st.f_flag, name);
}

void
mounts_readonly(int mount_fd, const char *name)
{
	mounts_set(mount_fd, false, ATTR_RDONLY, 0, name);
}

/* A path through /proc/self/fd names what the descriptor names, and nothing
 * else: mount(2) takes no descriptor. */
int
mounts_new(int on, const char *type, const char *source, unsigned long flags,
	const char *data)
{
	char *path = inside_fd_path(on);
	int done = mount(source, path, type, flags, data);

	free(path);
	return done;
}
