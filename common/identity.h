/*
 * identity: who a process of the container is: user, groups, capabilities,
 * limits. The order is the lesson: who has given up a right cannot take it
 * back. See credentials(7) and capabilities(7).
 */
#ifndef COMMON_IDENTITY_H
#define COMMON_IDENTITY_H

#include "bundle.h"

/*
 * In the runner, for a child that waits. From outside, because in a user
 * namespace of its own the child may not raise them.
 * identity_limit: its resource limits (prlimit(2)). identity_score: its
 * oom_score_adj, to be called as long as the child is dumpable.
 * Return 0, or -1 when they have said why not.
 */
int identity_limit(pid_t pid, const struct bundle_process *process);
int identity_score(pid_t pid, const struct bundle_process *process);

/*
 * In the process itself, last before exec: umask, no_new_privs, bounding set,
 * groups, user, the working directory, the other capability sets. What the
 * runner itself has not cannot be given. Ends by die.
 */
void identity_take(const struct bundle_process *process);

/* The environment becomes that of the process, with HOME as the container's
 * /etc/passwd has it where it is not given. Ends by die. */
void identity_environment(const struct bundle_process *process);

#endif
