/*
 * nodes: the devices that a container has in its /dev. See config-linux.md,
 * "Default Devices", and mknod(2).
 */
#ifndef COMMON_NODES_H
#define COMMON_NODES_H

#include <sys/types.h>

#include "bundle.h"

/* Make the devices that every container has, those of linux.devices, and the
 * links; none where /dev is bound from the host. root: a descriptor of the
 * container's root. Ends by die. */
void nodes_make(int root, const struct bundle *bundle);

/* Ends by die when a descriptor is not the device that it should be: type is
 * S_IFCHR, S_IFBLK or S_IFIFO. */
void nodes_check(int fd, const char *path, mode_t type, dev_t number);

#endif
