/*
 * family: namespaces as a tree. A PID namespace has a parent
 * (NS_GET_PARENT), and every namespace is owned by a user namespace
 * (NS_GET_USERNS); see ioctl_nsfs(2). Processes are the leaves.
 */
#ifndef COMMON_FAMILY_H
#define COMMON_FAMILY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "look.h"

struct family_wish {
	bool owner; /* who owns whom; else: PID namespaces and their parents */
	bool all;   /* each process of the host's own namespaces, too */
	int root;   /* begin with this namespace, or SCAN_NONE: with all */
};

/*
 * An array of nodes: {namespace, type, host, nprocs, pid, name, kept,
 * processes, namespaces}. pid and name are those of the oldest process, kept
 * is there when it has none. A process is {pids, name}, with its PIDs from the
 * outside in; in the owner's tree it stands below its user namespace.
 * Ends by die when memory is short.
 */
json_t *family_json(struct look *look, struct family_wish wish);

/* Draw what family_json has made; limit as in tree.h. */
void family_draw(FILE *out, const json_t *nodes, int limit);

#endif
