/*
 * rootfs: another root directory, with /proc and /dev, in a mount namespace
 * of our own. See mount_namespaces(7) and pivot_root(2).
 */
#ifndef COMMON_ROOTFS_H
#define COMMON_ROOTFS_H

#include <stdbool.h>

/*
 * Make a directory the root of the calling process. To be called by a process
 * that is alone in a new mount namespace, and that is PID 1 of a new PID
 * namespace or its descendant: the new /proc shows that one.
 *
 * The mount points proc and dev are looked up inside the directory. A symbolic
 * link is refused there and in the path of the directory itself: it cannot
 * lead a mount elsewhere, not even one that is put there meanwhile
 * (openat2(2), Linux 5.6; open_tree and move_mount, Linux 5.2).
 *
 * rootfs: an absolute path without symbolic links. readonly: make the root
 * read-only in the end. Ends by die.
 */
void rootfs_enter(const char *rootfs, bool readonly);

#endif
