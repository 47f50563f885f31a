/*
 * event: what the kernel tells about processes: one has forked, has become
 * another program, has ended. Its sources are `connector` and `perf`.
 */
#ifndef COMMON_EVENT_H
#define COMMON_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A set of them is a bit mask. */
enum event_type {
	EVENT_FORK = 1,
	EVENT_EXEC = 2,
	EVENT_EXIT = 4,
	EVENT_COMM = 8,	       /* the name was changed, without an exec */
	EVENT_NAMESPACES = 16, /* unshare(2) or setns(2) */
	EVENT_UID = 32,
	EVENT_GID = 64,
	EVENT_SID = 128,
	EVENT_PTRACE = 256,
	EVENT_CORE = 512,
	EVENT_NONZERO = 1024, /* an exit that is not `exit 0` */
	EVENT_ANSWER = 2048,  /* the connector agrees to tell */
};

/* Of threads that are not the first of their process, only the births and ends
 * are told: a process ends with its last thread, whichever that is. */
struct event {
	enum event_type type;
	bool thread;   /* it is about such a thread */
	uint64_t time; /* in nanoseconds, CLOCK_MONOTONIC */
	pid_t pid;
	pid_t other; /* fork: the parent; ptrace: the tracer, or 0; answer: the
			number of the request */
	int status;  /* exit: as waitpid(2) tells it, or EVENT_UNKNOWN */
	/* uid, gid: the real and the effective one. */
	unsigned real, effective;
	char name[16]; /* exec, comm: the new name; "": not told */
	ino_t space;   /* fork, namespaces: the PID namespace, or 0 */
};

enum { EVENT_UNKNOWN = -1 };

/* What a source calls for each event. */
typedef void event_taker(void *data, const struct event *event);

/* The time of a clock, such as CLOCK_MONOTONIC, in nanoseconds. Ends by die. */
uint64_t event_now(clockid_t clock);

/* "exec" for EVENT_EXEC. */
const char *event_name(enum event_type type);

/*
 * Read a list such as "exec,fork", or "all". What forkstat(8) calls ptrce and
 * nonzeroexit is known, too.
 * Returns the bit mask, or 0: *wrong is then the word that is no event, and is
 * to be freed. Ends by die when memory is short.
 */
int event_parse(const char *list, char **wrong);

/* Print the names, with a sentence of help for each. */
void event_help(void);

/* The end of a process in words: "exit 1", "killed by SIGKILL". */
void event_status(char *text, size_t size, int status);

#endif
