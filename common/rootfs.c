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

/* Open a directory of the container; the path of the result is safe to mount
 * on, whatever the container's files are. */
static int
open_inside(int root, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));

	if (fd == -1)
		die("openat2 %s in the rootfs", name);
	return fd;
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
	int fd = open_inside(root, name);
	char *path = fd_path(fd, "");

	if (mount(type, path, type, MS_NOSUID, data) == -1)
		die("mount %s on /%s of the container", type, name);
	free(path);
	close(fd);
}

/* A user namespace may not make device nodes, but it may bind the host's. */
static void
bind_devices(int root)
{
	static const char *const devices[] = {
		"/full", "/null", "/random", "/tty", "/urandom", "/zero"};
	int fd = open_inside(root, "dev");

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char *path = fd_path(fd, devices[i]), *device;
		int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

		if (file == -1)
			die("open %s in the container", devices[i]);
		close(file);
		if (asprintf(&device, "/dev%s", devices[i]) == -1)
			die("malloc");
		if (mount(device, path, NULL, MS_BIND, NULL) == -1)
			die("mount %s", device);
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
	/* pivot_root wants a mount point. */
	if (mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) == -1)
		die("mount %s", rootfs);
	int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root == -1)
		die("open %s", rootfs);
	mount_inside(root, "proc", "proc", NULL);
	mount_inside(root, "dev", "tmpfs", "mode=755,size=64k");
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
