#include "rootfs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"

/* Of linux/mount.h and linux/fcntl.h, which older C libraries do not have and
 * newer ones have in other headers. */
enum {
	TREE_CLONE = 1,
	TREE_RECURSIVE = 0x8000,
	TREE_CLOEXEC = O_CLOEXEC,
	MOVE_FROM_FD = 4,
	MOVE_TO_FD = 0x40
};

/* Open a directory without passing a symbolic link. */
static int
open_directory(int root, const char *name, unsigned resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));

	if (fd == -1)
		die("openat2 %s", name);
	return fd;
}

/*
 * Make the directory a mount, which pivot_root(2) wants, and return its root.
 * It is opened once, and all that follows goes through descriptors: its name
 * may come to mean another directory meanwhile.
 */
static int
mount_rootfs(const char *rootfs)
{
	int directory = open_directory(AT_FDCWD, rootfs, 0);
	int tree = (int)syscall(SYS_open_tree, directory, "",
		AT_EMPTY_PATH | TREE_CLONE | TREE_RECURSIVE | TREE_CLOEXEC);

	if (tree == -1)
		die("open_tree %s", rootfs);
	if (syscall(SYS_move_mount, tree, "", directory, "",
		    MOVE_FROM_FD | MOVE_TO_FD) == -1)
		die("move_mount %s", rootfs);
	close(directory);
	return tree;
}

/* A path that names what the descriptor names, for mount(2), which takes no
 * descriptor. The caller frees it. */
static char *
fd_path(int fd, const char *below)
{
	char *path;

	if (asprintf(&path, "/proc/self/fd/%d%s", fd, below) == -1)
		die("malloc");
	return path;
}

static void
mount_inside(int root, const char *name, const char *type, const char *data)
{
	int fd = open_directory(root, name, RESOLVE_IN_ROOT);
	char *path = fd_path(fd, "");

	if (mount(type, path, type, MS_NOSUID, data) == -1)
		die("mount %s on /%s of the container", type, name);
	free(path);
	close(fd);
}

static void
bind_device(const char *device, const char *path)
{
	int file = open(path,
		O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);

	if (file == -1)
		die("open %s in the container", device);
	close(file);
	if (mount(device, path, NULL, MS_BIND, NULL) == -1)
		die("mount %s", device);
}

/* A user namespace may not make device nodes, but it may bind the host's. */
static void
bind_devices(int root)
{
	static const char *const devices[] = {
		"/full", "/null", "/random", "/tty", "/urandom", "/zero"};
	int fd = open_directory(root, "dev", RESOLVE_IN_ROOT);

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char *path = fd_path(fd, devices[i]), *device;

		if (asprintf(&device, "/dev%s", devices[i]) == -1)
			die("malloc");
		if (access(device, F_OK) == 0)
			bind_device(device, path);
		free(device);
		free(path);
	}
	close(fd);
}

/* The flags that the mount has must be given again: a user namespace may not
 * clear those that it has inherited (mount_namespaces(7)). */
static void
make_readonly(void)
{
	struct statvfs st;

	if (statvfs("/", &st) == -1)
		die("statvfs /");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | st.f_flag,
		    NULL) == -1)
		die("mount / read-only");
}

void
rootfs_enter(const char *rootfs, bool readonly)
{
	/* Where systemd runs, / is shared: without this, all that follows
	 * would happen on the host, too. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount / private");
	int root = mount_rootfs(rootfs);
	mount_inside(root, "proc", "proc", NULL);
	mount_inside(root, "dev", "tmpfs", "mode=755,size=65536k");
	bind_devices(root);

	/* The old root is put on top of the new one, and taken off again. */
	if (fchdir(root) == -1)
		die("fchdir %s", rootfs);
	close(root);
	if (syscall(SYS_pivot_root, ".", ".") == -1)
		die("pivot_root %s", rootfs);
	if (umount2(".", MNT_DETACH) == -1)
		die("umount2 the old root");
	if (chdir("/") == -1)
		die("chdir /");
	if (readonly)
		make_readonly();
}
