/*
 * rootfs: another root directory, with the mounts, devices and masks of a
 * container, in a mount namespace of our own. See mount_namespaces(7) and
 * pivot_root(2).
 *
 * A path of the container is looked up with its root as the root (openat2(2),
 * RESOLVE_IN_ROOT, Linux 5.6), each time, and what is done goes through the
 * descriptor. So no symbolic link leads a mount, a mask or a device outside,
 * not even one that is put there meanwhile (CVE-2021-30465).
 */
#ifndef COMMON_ROOTFS_H
#define COMMON_ROOTFS_H

#include <stdbool.h>

#include "bundle.h"

/*
 * All at once, for the lessons before 08: a plain /proc and /dev, and the
 * directory as root of the calling process. To be called by a process that is
 * alone in a new mount namespace, and that is PID 1 of a new PID namespace or
 * its descendant: the new /proc shows that one.
 *
 * rootfs: an absolute path without symbolic links. readonly: make the root
 * read-only in the end. Ends by die.
 */
void rootfs_enter(const char *rootfs, bool readonly);

/*
 * What config.json asks for, in three parts, because hooks and the terminal
 * come between them. All end by die.
 *
 * rootfs_build: the root as a mount, and in it the mounts, devices, sysctls,
 * read-only and masked paths. Returns its descriptor. The old root is still
 * ours.
 * rootfs_pivot: make it our root, and the old one unreachable.
 * rootfs_close: what had to be writable until now becomes read-only.
 */
int rootfs_build(const struct bundle *bundle);
void rootfs_pivot(int root, const struct bundle *bundle);
void rootfs_close(const struct bundle *bundle);

#endif
