/*
 * cgroup: a folder of the container's own in each hierarchy of control groups
 * that is mounted here, and limits in it. Three layouts exist: version 1 (a
 * hierarchy for each controller), version 2 (one for all), and both side by
 * side, "hybrid". See cgroups(7).
 */
#ifndef COMMON_CGROUP_H
#define COMMON_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "bundle.h"

struct cgroup {
	/*
	 * As the host sees them, one in each hierarchy; ends with NULL. In
	 * "/sys/fs/cgroup/pids/a//b/c" the double slash says that b was not
	 * there before, and is removed with c if nobody else uses it.
	 */
	char **folders;
	char **missing; /* what was asked for and cannot be enforced here, a
			   line each, by JSON path; ends with NULL */
	char *fault;	/* after -1: the folder or the JSON path that it is
			   about, or NULL */
};

/*
 * Find out where the folders will be, and make nothing. So who wants to clean
 * up after a crash can write them down before they are there.
 *
 * path: linux.cgroupsPath. Absolute: below the root of each hierarchy as it is
 * mounted here; relative: below the cgroup that the caller is in, or, in
 * version 2, beside it: with the caller's processes in it, it could not hand
 * its controllers on. ".." does not lead out of either. NULL:
 * "nslessons-NAME", relative.
 *
 * Returns 0, or -1 with errno: EEXIST when a folder is there already and not
 * empty of processes (an empty one will be used, and be removed in the end),
 * EINVAL when the path names no folder. A folder that somebody is in never
 * gets into `folders`. cgroup_free gives back what cgroup holds, also after -1.
 */
int cgroup_plan(struct cgroup *cgroup, const char *path, const char *name);

/*
 * Make the folders of a plan and write the limits, before anybody is in them.
 * What the kernel or the privilege here does not allow is told in `missing`,
 * and folders that may not be made are taken out of `folders`.
 *
 * Returns 0, or -1 with errno, and what was made is removed again: EEXIST as
 * above, EINVAL when a limit is wrong by itself.
 */
int
cgroup_make(struct cgroup *cgroup, const struct bundle_resources *resources);

/*
 * Like fork(2), by clone3(2), Linux 5.5: it returns twice, and 0 in the child.
 * flags: CLONE_NEW... and CLONE_PARENT of clone(2). pidfd: where not NULL, set
 * to a descriptor that stands for the child.
 * folders: NULL, or the child is born in that of version 2 among them
 * (CLONE_INTO_CGROUP, Linux 5.7). To move a process there afterwards takes
 * longer: the kernel stops all forks and exits for it, and so waits for each
 * processor, some milliseconds. *born tells whether it was: not where there is
 * no such folder, or where a seccomp filter that is older than clone3 has
 * allowed clone alone.
 * Returns -1 with errno when there is no child.
 */
pid_t cgroup_clone(char *const *folders, int flags, int *pidfd, bool *born);

/* Move a process into the folders; born: it is already in that of version 2,
 * see cgroup_clone. Returns 0, or -1 with errno. */
int cgroup_enter(char *const *folders, pid_t pid, bool born);

/* Open the folder of version 2 for CLONE_INTO_CGROUP (clone3(2), Linux 5.7).
 * Returns the descriptor, or -1 with errno: ENOENT where there is none. */
int cgroup_open_unified(char *const *folders);

/* Is nobody in the folder of version 2 among these, nor below it? Version 1
 * does not tell of processes that have no PID for the caller, so without such a
 * folder nobody knows: false, but where all of them are gone. */
bool cgroup_is_empty(char *const *folders);

/* All processes in the folders and below that have a PID for the caller, each
 * once, sorted. *pids is to be freed. Returns how many, or -1 with errno.
 * Folders that are gone are empty. */
int cgroup_pids(char *const *folders, pid_t **pids);

/*
 * Kill all that is in them, wait until they are empty (at most 2 s), and
 * remove them with what is below. Folders that are gone do no harm. Returns 0,
 * or -1 with errno: EBUSY when a process does not end. Nothing is touched, and
 * it is EBUSY, when the caller is in one of them, and EINVAL when one is the top
 * of what is mounted.
 */
int cgroup_remove(char *const *folders);

/*
 * Where each hierarchy is mounted here and which cgroup of it a process is
 * in, for who shows a container its own: called with the mount point, the
 * process's path below it, the controllers as in /proc/PID/cgroup
 * ("cpu,cpuacct", "name=systemd"; "" for version 2) and data. Hierarchies that
 * are not mounted, hidden below another mount, or mounted without the
 * process's cgroup are left out. pid: NS_SELF (ns.h) for the caller.
 * Stops when `with` returns not 0, and returns that; -1 with errno when /proc
 * cannot be read.
 */
int cgroup_each(pid_t pid,
	int (*with)(const char *mount_point, const char *path,
		const char *controllers, void *data),
	void *data);

void cgroup_free(struct cgroup *cgroup);

#endif
