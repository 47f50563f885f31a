/*
 * container: a process that becomes a container, stage by stage. Between the
 * stages it waits, and its runner does what can be done from outside only:
 * user maps, control groups, limits, hooks, the state. See runtime.md,
 * "Lifecycle"; the call that makes it is taught in lesson02.
 */
#ifndef COMMON_CONTAINER_H
#define COMMON_CONTAINER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bundle.h"
#include "state.h"
#include "talk.h"

struct container {
	const struct bundle *bundle;
	struct state *state;
	bool detach;	   /* it outlives its runner */
	struct talk *talk; /* its standard streams, or NULL: the runner's */
	pid_t pid;
	int step;     /* see sealed.h */
	bool born;    /* in its cgroup of version 2, see cgroup_enter */
	int pidfd;    /* stands for it, and never for another process */
	int sync;     /* our end of a socket, on which both take turns */
	int master;   /* of its terminal, or -1 */
	bool started; /* it has become its command */
};

/* Is it to have, or to join, a user namespace? */
bool container_has_user_namespace(const struct bundle *bundle);

/* Can programs of the container look at its process before that is the command?
 * Who is in a PID namespace that it joins can, and so can hooks of
 * startContainer. Then all of our program must be sealed, see sealed.h. */
bool container_needs_seal(const struct bundle *bundle);

/*
 * The stages, in this order. Each returns when the container has done its part
 * and waits. Where it has ended instead, and has said why, each returns -1;
 * container_reap gives the exit code. Otherwise they end by die.
 *
 * container_make: a process in new namespaces, and in those to be joined; user
 * maps, if it has a user namespace. Of the state's cgroups it is born in that
 * of version 2, if it can be.
 * container_build: it builds its root directory. Whoever wants to do something
 * to the process from outside, does it before. (Where no hook is to be run
 * after it, the container goes on by itself, and container_pivot waits for
 * both.)
 * container_pivot: that becomes its root; terminal and names.
 * container_start: it gets its limits, takes its identity and becomes its
 * command.
 */
int container_make(struct container *container);
int container_build(struct container *container);
int container_pivot(struct container *container);
int container_start(struct container *container);

/* All stages, with nothing between them but its oom_score_adj. */
int container_stages(struct container *container);

/* Wait for its end; pass on what is typed, printed and signalled, as
 * child_follow and terminal_follow do. Returns its exit code. */
int container_follow(const struct container *container);

/* After a failure, or a signal that came before the start had ended: a
 * container that waits for its turn ends when it hears that there is none, and
 * one that has started is killed. Wait for it, and for what it has left us. Returns
 * 128+signal; else its exit code, or 1 where there is no process (pid and sync
 * are -1, then) or where it had started. */
int container_reap(struct container *container);

#endif
