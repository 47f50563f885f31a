/*
 * mounts: mounts by descriptor. See open_tree(2), move_mount(2) (Linux 5.2) and
 * mount_setattr(2) (Linux 5.12). The names are for messages. All end by die but
 * mounts_new.
 */
#ifndef COMMON_MOUNTS_H
#define COMMON_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* A copy of the mount that a descriptor is in, from there on downwards, not yet
 * mounted anywhere; all: with what is mounted below. */
int mounts_copy(int fd, bool all, const char *name);

/* Mount such a copy on what a descriptor names. The copy's descriptor then
 * names the root of the new mount. */
void mounts_put(int tree, int on, const char *name);

/* Give a mount these flags (MS_*) and no others, but for those that a user
 * namespace may not take away. */
void mounts_change(int mount_fd, unsigned long flags, const char *name);

/* Set and clear attributes (MOUNT_ATTR_*), of this mount or of all below. */
void mounts_set(
	int mount_fd, bool all, uint64_t set, uint64_t clear, const char *name);

void mounts_readonly(int mount_fd, const char *name);

/* mount(2) of a new file system on what a descriptor names. Returns 0, or -1
 * with errno. */
int mounts_new(int on, const char *type, const char *source,
	unsigned long flags, const char *data);

#endif
