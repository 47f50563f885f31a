/*
 * host: what a lesson could have changed on the machine, taken before and
 * after it. See mountinfo in proc(5), and PR_SET_CHILD_SUBREAPER(2const).
 */
#ifndef COMMON_HOST_H
#define COMMON_HOST_H

#include <stdbool.h>

#include "ns.h"

struct host {
	char *mounts;		      /* /proc/self/mountinfo */
	char *cgroup;		      /* /proc/self/cgroup */
	char *cgroups;		      /* those named nslessons-PID */
	struct ns_id links[NS_LINKS]; /* our own namespaces */
	int descriptors;	      /* how many are open */
	bool alone;		      /* we have no child, living or dead */
};

/*
 * Take the fingerprint. The first call also makes the calling process the
 * reaper of all its descendants, so that none can get lost unseen.
 * pid: cgroups count whose name begins with nslessons-PID of this process;
 * another lesson may run at the same time.
 * Returns 0, or -1 with errno.
 */
int host_take(struct host *host, pid_t pid);

/*
 * Compare two fingerprints. A child is a change only if there was none before:
 * who becomes a lesson by exec may have had some.
 * Returns NULL when the host is unchanged, else a text that says what has
 * changed, one line each. The caller frees it.
 */
char *host_difference(const struct host *before, const struct host *after);

/* Free what a fingerprint holds. */
void host_free(struct host *host);

#endif
