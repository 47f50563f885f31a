/*
 * idmap: the user and group map of a new user namespace, written in the one
 * order that the kernel allows. See user_namespaces(7).
 */
#ifndef COMMON_IDMAP_H
#define COMMON_IDMAP_H

#include <sys/types.h>

/*
 * Make uid and gid (numbers of the parent user namespace) root of the user
 * namespace that the process is in. setgroups is denied first: without that
 * a process without privilege may not write gid_map (Linux 3.19), because it
 * could drop a group that is there to keep it out.
 * pid: NS_SELF or a PID. Ends by die, which knows the causes.
 */
void idmap_root(pid_t pid, uid_t uid, gid_t gid);

/* After setns(2) to another user namespace: be its root, where it has mapped
 * one. Groups are dropped unless setgroups is denied there. Ends by die. */
void idmap_become_root(void);

/* Write a text to /proc/PID/FILE, in one write. Returns 0, or -1 when it has
 * said why not. */
int idmap_put(pid_t pid, const char *file, const char *text);

#endif
