#include "cgroupfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cgroup.h"
#include "die.h"
#include "inside.h"
#include "mounts.h"
#include "ns.h"

/* The hierarchies of version 1, one after the other, below a tmpfs. */
struct hierarchies {
	int folder;
	unsigned long flags;
	bool own; /* a cgroup namespace shows the container's as the root */
};

/* "cpu" is a link to cpu,cpuacct where one hierarchy has both. */
static void
link_controllers(int folder, const char *controllers)
{
	char *names = strdup(controllers), *rest;

	if (names == NULL)
		die("malloc");
	for (char *name = strtok_r(names, ",", &rest);
		name != NULL && strcmp(name, controllers) != 0;
		name = strtok_r(NULL, ",", &rest))
		if (symlinkat(controllers, folder, name) == -1)
			die("symlinkat %s", name);
	free(names);
}

static int
bind_hierarchy(const char *mount_point, const char *path,
	const char *controllers, void *data)
{
	const struct hierarchies *to = data;
	const char *name = strncmp(controllers, "name=", 5) == 0
				   ? controllers + 5
				   : controllers;
	char *source;

	if (controllers[0] == '\0')
		return 0;
	if (asprintf(&source, "%s%s", mount_point, path) == -1)
		die("malloc");
	int from = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (from == -1)
		die("open %s", source);
	int tree = mounts_copy(from, false, source);
	int on = inside_make_below(to->folder, name, true);
	mounts_put(tree, on, source);
	mounts_change(tree, to->flags, source);
	link_controllers(to->folder, name);
	close(on);
	close(tree);
	close(from);
	free(source);
	return 0;
}

/* Version 2 has one tree. What is mounted here already is bound: to mount it
 * once more takes milliseconds, and is not allowed to everybody. */
static int
bind_unified(const char *mount_point, const char *path, const char *controllers,
	void *data)
{
	struct hierarchies *to = data;
	char *source;

	if (controllers[0] != '\0')
		return 0;
	if (asprintf(&source, "%s%s", mount_point, to->own ? path : "") == -1)
		die("malloc");
	int from = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (from == -1)
		die("open %s", source);
	int tree = mounts_copy(from, false, source);
	mounts_put(tree, to->folder, source);
	mounts_change(tree, to->flags, source);
	close(tree);
	close(from);
	free(source);
	return 1;
}

static int
count_hierarchies(const char *mount_point, const char *path,
	const char *controllers, void *data)
{
	(void)mount_point;
	(void)path;
	*(int *)data += controllers[0] != '\0';
	return 0;
}

void
cgroupfs_mount(
	int root, const struct bundle_mount *m, unsigned long flags, bool own)
{
	int on = inside_make(root, m->destination, true), old = 0;
	struct hierarchies to = {.folder = on, .flags = flags, .own = own};

	if (cgroup_each(NS_SELF, count_hierarchies, &old) == -1)
		die("read /proc/self/mountinfo");
	if (old == 0) {
		if (cgroup_each(NS_SELF, bind_unified, &to) != 1)
			die_plain(DIE_FAILED,
				"mounts: %s: no cgroups are"
				" mounted here",
				m->destination);
		close(on);
		return;
	}
	if (mounts_new(on, "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "mode=755") == -1)
		die("mount tmpfs on %s of the container", m->destination);
	close(on);
	to.folder = inside_open(root, m->destination, 0);
	if (cgroup_each(NS_SELF, bind_hierarchy, &to) == -1)
		die("read /proc/self/mountinfo");
	if ((flags & MS_RDONLY) != 0)
		mounts_readonly(to.folder, m->destination);
	close(to.folder);
}
