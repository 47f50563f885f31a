/*
 * execs: the events of all sources in the order of their times, and for each
 * event the process that it is about: its name, its command line, its
 * namespace, who has made it.
 *
 * The connector tells PIDs; a name must be read from /proc afterwards, when a
 * short-lived process is gone. perf tells names and namespaces, but not how a
 * process has ended. With both, each tells what it knows best.
 */
#ifndef COMMON_EXECS_H
#define COMMON_EXECS_H

#include <poll.h>
#include <stdbool.h>

#include "event.h"
#include "perf.h"
#include "proc.h"

/* Who owns a process, and its terminal as proc(5) tells tty_nr; only read
 * with `execs.owners`. */
struct execs_owner {
	unsigned uid, effective;
	unsigned tty;
	bool known;
};

/* What perf tells. Where it does, the connector's message is left out. */
enum {
	EXECS_TOLD_BY_PERF =
		EVENT_FORK | EVENT_EXEC | EVENT_COMM | EVENT_NAMESPACES,
};

/* What is known of a process. */
struct execs_process {
	pid_t pid;
	pid_t parent;  /* that called fork(2), or its real parent, or 0 */
	pid_t inside;  /* its PID in its own PID namespace, or 0 */
	ino_t space;   /* its PID namespace, or 0: not known */
	uint64_t born; /* the time of the fork, or 0: before we looked */
	int depth;     /* how many of its ancestors were born meanwhile */
	bool followed; /* to be shown */
	int threads;   /* how many more than one it has */
	int status;    /* of a thread that has ended, when it is not 0 */
	bool unplaced; /* born, and perf has not yet told where */
	char name[16]; /* "": not known */
	char *command; /* its arguments, each ending in a zero byte; NULL: it
			   has made no exec, or /proc was read too late */
	size_t length; /* of the command, in bytes */
	struct execs_owner owner;
};

/* An event that is waiting for its turn; it belongs to the module. */
struct execs_event {
	struct event event;
	int sequence;
	char *command; /* as read from /proc when the event came */
	size_t length;
	bool unread; /* /proc is still to be asked */
	pid_t inside;
	struct execs_owner owner;
};

struct execs {
	bool told_spaces; /* perf tells namespaces; else /proc is asked */
	bool owners;	  /* read the owners of processes, too */

	pid_t root;    /* see execs_follow, or 0 */
	int connector; /* its socket, or -1 */
	struct perf_ring *rings;
	int ring_count;
	ino_t space;		     /* our own PID namespace */
	struct execs_event *waiting; /* from `first` on, in order of time */
	int first, count, room;
	uint64_t time;			  /* when we last looked */
	bool shown;			  /* the first was given out */
	struct execs_process **processes; /* by PID */
	pid_t highest;			  /* of those */
	bool *gone; /* by PID: a later event tells its end */
};

/* Begin, without a source. The members before the blank line may be set then.
 * Ends by die. */
void execs_begin(struct execs *execs);

/* Add the connector's socket. It belongs to the module then. */
void execs_add_connector(struct execs *execs, int fd);

/* Add a processor's event. It belongs to the module then, also after a failure.
 * Returns 0, or -1 with errno of perf_map. */
int execs_add_perf(struct execs *execs, int fd, size_t size);

/* Take the events of perf away again. */
void execs_drop_perf(struct execs *execs);

/* Follow only those descendants of our process that are born from now on.
 * Without it all processes are followed. */
void execs_follow(struct execs *execs);

/* Remember the processes that are there: their names and parents. */
void execs_remember(struct execs *execs);

/*
 * Wait until an event has come, one of the descriptors in `more` is ready, or
 * the time is over (milliseconds, -1: never), and read what is there.
 * more: count entries, whose revents are set. Ends by die.
 */
void
execs_wait(struct execs *execs, struct pollfd *more, int count, int timeout);

/* Does so much happen that /proc is mostly read too late? */
bool execs_is_busy(const struct execs *execs);

/*
 * The next event whose turn has come, and its process; both stay until
 * execs_next or execs_wait is called again. At EVENT_COMM, the process still
 * has its old name. all: the sources have ended, give the latest ones, too.
 * Returns false when there is none.
 */
bool execs_next(struct execs *execs, bool all, const struct event **event,
	const struct execs_process **process);

/* What is known of a process, or NULL. */
const struct execs_process *execs_find(const struct execs *execs, pid_t pid);

/*
 * Wait for the ends that are still to be told: the connector tells one after
 * wait(2) has returned to the parent (do_exit in kernel/exit.c of Linux). When
 * one was lost, we do not wait for ever.
 * end: until then at most, as event_now tells it. Returns false when there is
 * nothing to wait for; else whether to call execs_next, and this, again.
 */
bool execs_wait_exit(struct execs *execs, uint64_t end);

/* How long to wait so, in nanoseconds. */
enum { EXECS_EXITS = 100000000 };

/* How many events were lost so far. Ends by die. */
long execs_lost(struct execs *execs);

void execs_end(struct execs *execs);

#endif
