/*
 * cglimits: linux.resources of config.json as files of the container's cgroup
 * folders. The two versions have other names and other units for the same; see
 * cgroups(7) and the kernel's admin-guide/cgroup-v1/ and cgroup-v2.rst.
 */
#ifndef COMMON_CGLIMITS_H
#define COMMON_CGLIMITS_H

#include "bundle.h"

/*
 * Write them into the folders, while nobody is in them. A version 1 folder is
 * used before the version 2 one, which has what version 1 has left. There, a
 * controller must be enabled from the top down in all cgroups above; that is
 * tried, stays so for the others, and is refused where processes are in one.
 *
 * 0 stands for "not given", and a number below 0 for "without limit".
 * Devices: see devices.h. They are limited even where config.json has no rule.
 *
 * missing: gets a line for each limit that cannot be enforced here, see
 * lines.h.
 * fault: after -1, the JSON path of the value that it is about, to be freed.
 * Returns 0, or -1 with errno: EINVAL when a value is wrong by itself.
 */
int
cglimits_write(char *const *folders, const struct bundle_resources *resources,
	char ***missing, char **fault);

#endif
