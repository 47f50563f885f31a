/*
 * devices: which device nodes the processes of a cgroup may make, read and
 * write, whatever the owner and mode of the node are.
 *
 * A rule is about the nodes of one type or both, with one major and one minor
 * number or with any, and about some of the three accesses. Of all rules about
 * a node, the last that names an access decides on it; an access that no rule
 * names is denied.
 */
#ifndef COMMON_DEVICES_H
#define COMMON_DEVICES_H

#include <stddef.h>

#include "bundle.h"

/*
 * The rules of config.json, and after them those for what every container has:
 * the nodes that a runtime must supply (config-linux.md, "Default Devices"),
 * the pseudo-terminals of its own devpts, and the making of any node, which
 * is of no use to who may not open it. The same list as runc's, but for
 * /dev/net/tun, which runc gave up in version 1.2.
 * Returns an array of *all rules to be freed, or NULL with errno: EINVAL when
 * a number is larger than the kernel takes.
 */
struct bundle_device_rule *devices_complete(
	const struct bundle_device_rule *rules, size_t count, size_t *all);

/*
 * Version 1: into the files devices.deny and devices.allow of a folder without
 * children. They take one exception after the other from "all" or from "none",
 * and no exception from an exception: "c 10:* yes, but c 10:200 no" cannot be
 * said. Then, and where the cgroup above denies what a rule allows, the folder
 * becomes stricter than the rules, never less strict.
 * Returns 0, 1 when it is stricter, or -1 with errno.
 */
int devices_write(const char *folder, const struct bundle_device_rule *rules,
	size_t count);

/*
 * Version 2: as a BPF program (Linux 4.15) that the kernel runs at each access.
 * It is added to the programs of the cgroups above, all of which must agree,
 * and goes with the folder.
 * Returns 0, or -1 with errno of bpf(2): EPERM without CAP_SYS_ADMIN or CAP_BPF
 * and CAP_NET_ADMIN in the initial user namespace.
 */
int devices_attach(const char *folder, const struct bundle_device_rule *rules,
	size_t count);

#endif
