/*
 * box: a container from a bundle, and a shell in it that one can talk to. The
 * call that makes it is taught in lesson02.
 */
#ifndef COMMON_BOX_H
#define COMMON_BOX_H

#include <sys/types.h>

#include "bundle.h"
#include "ns.h"
#include "talk.h"

struct box {
	pid_t pid; /* of the container's init, as the host sees it */
	int pidfd; /* stands for it, and never for another process */
	struct talk talk;
	int parent; /* stands for us until the child has begun */
};

/*
 * What the container's init does from its birth until it becomes the command:
 * the rootfs, the hostname, the working directory, no descriptor of ours. To
 * be called by a child in new namespaces. Ends by exec or by die.
 * command: NULL for the bundle's process.args.
 */
void
box_init(const struct bundle *bundle, char **command) __attribute__((noreturn));

/*
 * The frame around the call that makes the container: box_prepare before it,
 * box_child in the child, which makes the pipes its standard streams, and
 * box_parent in the parent, which returns when the shell is ready. All end by
 * die.
 */
void box_prepare(struct box *box);
void box_child(struct box *box);
void box_parent(struct box *box);

/*
 * The same with the call itself: box_prepare, clone(2) with these CLONE_NEW*
 * flags, and box_child. It returns twice, as fork(2) does: 0 in the child. The
 * parent calls box_parent next. Ends by die.
 */
pid_t box_fork(struct box *box, int flags);

/*
 * Start a container: new mnt, uts, ipc, pid and net namespaces, and the
 * bundle's own busybox sh as PID 1. Ends by die.
 */
void box_start(struct box *box, const struct bundle *bundle);

/*
 * Start one with all that config.json asks for, but a terminal: its command
 * must be a shell. See container.h. Ends by die.
 */
void box_obey(struct box *box, const struct bundle *bundle);

/* box_start from the bundle that stands beside the program. */
void box_start_default(struct box *box);

/* Name, on standard error, what config.json asks for and box_init does not do.
 * Nothing that protects is dropped in silence. */
void box_say_unapplied(const struct bundle *bundle);

/* Load a bundle; dir: NULL for the working directory. Ends by die with the
 * bundle's own error. */
struct bundle box_load(const char *dir);

/* Type a command at its shell. Returns what was printed; the caller frees it.
 * Ends by die when the shell has ended. */
char *box_ask(struct box *box, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, for a command that prints one number. */
long long box_ask_number(struct box *box, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What the container's busybox finds at the end of /proc/PID/ns/LINK. Ends by
 * die. */
struct ns_id box_ns(struct box *box, pid_t pid, const char *link);

/* End the container and wait for its end, and for each child that ends
 * meanwhile: a later waitpid(2) for such a one gives ECHILD. */
void box_stop(struct box *box);

#endif
