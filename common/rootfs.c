#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cgroupfs.h"
#include "die.h"
#include "inside.h"
#include "mountopts.h"
#include "mounts.h"
#include "nodes.h"

/* --- mounts --------------------------------------------------------------- */

/*
 * Make the directory a mount, which pivot_root(2) wants, and return its root.
 * Its name may come to mean another directory meanwhile; the descriptor does
 * not.
 */
static int
mount_rootfs(const char *rootfs)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int folder =
		(int)syscall(SYS_openat2, AT_FDCWD, rootfs, &how, sizeof(how));

	if (folder == -1)
		die("openat2 %s", rootfs);
	int tree = mounts_copy(folder, true, rootfs);
	mounts_put(tree, folder, rootfs);
	close(folder);
	return tree;
}

/* Options like "rslave": each is a mount(2) of its own. The path is looked up
 * once more, because what is mounted there now lies on top. */
static void
change_propagation(
	int root, const struct bundle_mount *m, const struct mountopts *opts)
{
	for (int i = 0; i < opts->propagation_count; i++) {
		int fd = inside_open(root, m->destination, 0);
		char *path = inside_fd_path(fd);

		if (mount(NULL, path, NULL, opts->propagation[i], NULL) == -1)
			die("mount propagation of %s", m->destination);
		free(path);
		close(fd);
	}
}

static void
bind(int root, const struct bundle_mount *m, const struct mountopts *opts)
{
	int source = open(m->source, O_PATH | O_CLOEXEC);

	if (source == -1)
		die("open %s for the mount %s", m->source, m->destination);
	int tree = mounts_copy(source, (opts->flags & MS_REC) != 0, m->source);
	int on = inside_make(root, m->destination, inside_is_folder(source));
	mounts_put(tree, on, m->destination);
	if (opts->changes)
		mounts_change(tree, opts->flags & ~(unsigned long)MS_REC,
			m->destination);
	close(on);
	close(tree);
	close(source);
}

/* A proc or a sysfs. No part of its path may be a symbolic link: one in the
 * rootfs could send the mount to another place, and what is then written to
 * /proc, such as the LSM label, would go to a file of the rootfs
 * (CVE-2019-19921). */
static void
mount_kernel(
	int root, const struct bundle_mount *m, const struct mountopts *opts)
{
	int on = inside_look(root, m->destination, RESOLVE_NO_SYMLINKS);

	if (on == -1 && errno == ENOENT)
		on = inside_make(root, m->destination, true);
	if (on == -1 || !inside_is_folder(on))
		die_plain(DIE_FAILED,
			"mounts: %s: expected a real folder in the rootfs for"
			" %s",
			m->destination, m->type);
	if (mounts_new(on, m->type, m->source, opts->flags, opts->data) == -1)
		die("mount %s on %s of the container", m->type, m->destination);
	close(on);
}

/* A tmpfs is filled before it becomes read-only: see rootfs_close. */
static void
mount_other(
	int root, const struct bundle_mount *m, const struct mountopts *opts)
{
	int on = inside_make(root, m->destination, true);
	unsigned long flags = opts->flags;

	if (strcmp(m->type, "tmpfs") == 0)
		flags &= ~(unsigned long)MS_RDONLY;
	if (mounts_new(on, m->type, m->source == NULL ? m->type : m->source,
		    flags, opts->data) == -1)
		die("mount %s on %s of the container", m->type, m->destination);
	close(on);
}

static void
mount_one(int root, const struct bundle_mount *m, const struct bundle *bundle)
{
	struct mountopts opts = mountopts_read(m->options);
	const char *type = m->type == NULL ? "" : m->type;

	if ((opts.flags & MS_BIND) != 0)
		bind(root, m, &opts);
	else if (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0)
		mount_kernel(root, m, &opts);
	else if (strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0)
		cgroupfs_mount(root, m, opts.flags,
			(bundle->namespaces & CLONE_NEWCGROUP) != 0);
	else
		mount_other(root, m, &opts);
	change_propagation(root, m, &opts);
	if ((opts.all_set | opts.all_clear) != 0) {
		int fd = inside_open(root, m->destination, 0);

		mounts_set(
			fd, true, opts.all_set, opts.all_clear, m->destination);
		close(fd);
	}
	free(opts.data);
}

/* --- /proc: settings, and what is not for the container ------------------- */

/* Through a /proc that is one: its root has inode 1. A link, or something
 * mounted there, would send the value elsewhere (CVE-2025-52881). */
static void
write_sysctl(int root, const struct bundle_pair *sysctl)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC,
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	int proc = inside_open(root, "/proc", RESOLVE_NO_SYMLINKS);
	struct statfs st;
	char *path;

	if (fstatfs(proc, &st) == -1)
		die("fstatfs /proc of the container");
	if (st.f_type != PROC_SUPER_MAGIC)
		die_plain(DIE_FAILED,
			"linux.sysctl: /proc of the container is none");
	if (asprintf(&path, "sys/%s", sysctl->name) == -1)
		die("malloc");
	for (char *dot = path; (dot = strchr(dot, '.')) != NULL;)
		*dot = '/';
	int fd = (int)syscall(SYS_openat2, proc, path, &how, sizeof(how));
	if (fd == -1)
		die("openat2 /proc/%s of the container", path);
	size_t length = strlen(sysctl->value);
	if (write(fd, sysctl->value, length) != (ssize_t)length)
		die("write /proc/%s of the container", path);
	close(fd);
	close(proc);
	free(path);
}

/* Not every kernel has each file that is to be protected: -1 where there is
 * nothing. */
static int
open_if_there(int root, const char *path)
{
	int fd = inside_look(root, path, 0);

	if (fd == -1 && errno != ENOENT && errno != ENOTDIR)
		die("openat2 %s in the container", path);
	return fd;
}

/* A mount of the path on itself can be read-only where the other is not. */
static void
protect(int root, const char *path)
{
	int fd = open_if_there(root, path);

	if (fd == -1)
		return;
	int tree = mounts_copy(fd, true, path);
	mounts_put(tree, fd, path);
	mounts_readonly(tree, path);
	close(tree);
	close(fd);
}

/* A folder is hidden by an empty one, a file by /dev/null. Which must be just
 * that: in its place, any file would show through (CVE-2025-31133). */
static void
mask(int root, const char *path)
{
	int fd = open_if_there(root, path);

	if (fd == -1)
		return;
	if (inside_is_folder(fd)) {
		if (mounts_new(fd, "tmpfs", "tmpfs", MS_RDONLY, NULL) == -1)
			die("mount tmpfs on %s of the container", path);
	} else {
		int null = inside_open(root, "/dev/null", RESOLVE_NO_SYMLINKS);

		nodes_check(null, "/dev/null", S_IFCHR, makedev(1, 3));
		int tree = mounts_copy(null, false, "/dev/null");
		mounts_put(tree, fd, path);
		close(tree);
		close(null);
	}
	close(fd);
}

/* --- all together --------------------------------------------------------- */

int
rootfs_build(const struct bundle *bundle)
{
	mode_t old = umask(0);
	bool is_private =
		(bundle->propagation & (MS_PRIVATE | MS_UNBINDABLE)) != 0;

	/* Where systemd runs, / is shared: without this, all that follows
	 * would happen on the host, too. A slave still gets what the host
	 * mounts later. */
	if (mount(NULL, "/", NULL,
		    MS_REC | (is_private ? MS_PRIVATE : MS_SLAVE), NULL) == -1)
		die("mount / %s", is_private ? "private" : "as a slave");
	int root = mount_rootfs(bundle->rootfs);
	for (size_t i = 0; i < bundle->mount_count; i++)
		mount_one(root, &bundle->mounts[i], bundle);
	nodes_make(root, bundle);
	for (size_t i = 0; i < bundle->sysctl_count; i++)
		write_sysctl(root, &bundle->sysctls[i]);
	for (char **path = bundle->readonly_paths; *path != NULL; path++)
		protect(root, *path);
	for (char **path = bundle->masked_paths; *path != NULL; path++)
		mask(root, *path);
	umask(old);
	return root;
}

/* The old root is put on top of the new one, and taken off again. */
static void
pivot(int root)
{
	if (fchdir(root) == -1)
		die("fchdir to the rootfs");
	close(root);
	if (syscall(SYS_pivot_root, ".", ".") == -1)
		die("pivot_root");
	if (umount2(".", MNT_DETACH) == -1)
		die("umount2 the old root");
	if (chdir("/") == -1)
		die("chdir /");
}

void
rootfs_pivot(int root, const struct bundle *bundle)
{
	pivot(root);
	if (bundle->propagation != 0 &&
		mount(NULL, "/", NULL, bundle->propagation, NULL) == -1)
		die("mount / with linux.rootfsPropagation");
}

void
rootfs_close(const struct bundle *bundle)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root == -1)
		die("open /");
	for (size_t i = 0; i < bundle->mount_count; i++) {
		const struct bundle_mount *m = &bundle->mounts[i];
		struct mountopts opts = mountopts_read(m->options);

		if (m->type != NULL && strcmp(m->type, "tmpfs") == 0 &&
			(opts.flags & (MS_RDONLY | MS_BIND)) == MS_RDONLY) {
			int fd = inside_open(root, m->destination, 0);

			mounts_readonly(fd, m->destination);
			close(fd);
		}
		free(opts.data);
	}
	/* The command is to start there, so it is made, as runc does. */
	if (bundle->process.cwd != NULL)
		close(inside_make(root, bundle->process.cwd, true));
	if (bundle->readonly)
		mounts_readonly(root, "/");
	close(root);
}

void
rootfs_enter(const char *rootfs, bool readonly)
{
	char *none[] = {NULL},
	     *dev[] = {"nosuid", "mode=755", "size=65536k", NULL};
	struct bundle_mount mounts[] = {
		{.destination = "/proc",
			.type = "proc",
			.source = "proc",
			.options = none},
		{.destination = "/dev",
			.type = "tmpfs",
			.source = "tmpfs",
			.options = dev},
	};
	struct bundle bundle = {.rootfs = (char *)rootfs,
		.readonly = readonly,
		.mounts = mounts,
		.mount_count = 2,
		.propagation = MS_PRIVATE | MS_REC,
		.masked_paths = none,
		.readonly_paths = none};
	int root = rootfs_build(&bundle);

	rootfs_pivot(root, &bundle);
	rootfs_close(&bundle);
}
