/*
 * cgroupfs: what a container sees of control groups below /sys/fs/cgroup. With
 * version 1 a folder for each hierarchy, with version 2 one tree.
 */
#ifndef COMMON_CGROUPFS_H
#define COMMON_CGROUPFS_H

#include <stdbool.h>

#include "bundle.h"

/* Mount it for the calling process, which is in its cgroups already. flags:
 * MS_*, from the options; own: it has a cgroup namespace of its own. Ends by
 * die. */
void cgroupfs_mount(
	int root, const struct bundle_mount *m, unsigned long flags, bool own);

#endif
