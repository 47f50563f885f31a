/*
 * watch: events of processes as lines on a terminal, or as JSON, one object a
 * line. The columns are those of forkstat(8) and the PID namespace.
 */
#ifndef COMMON_WATCH_H
#define COMMON_WATCH_H

#include <stdio.h>
#include <time.h>

#include "execs.h"

/* The members before the blank line are set by the caller. */
struct watch {
	/* Ask the connector for its messages. busy: so much happens that they
	 * need not wake us for what /proc tells. NULL: they are asked for. */
	void (*ask)(const struct watch *watch, bool busy);
	FILE *out;
	int types;  /* which events are shown, a mask of enum event_type */
	bool extra; /* also uid, effective uid and terminal */
	bool json;
	ino_t space; /* of this PID namespace alone; 0: of all */

	const struct execs *execs;
	uint64_t busy;	   /* when much happened last, 0: it is calm */
	long shown;	   /* lines so far */
	long unplaced;	   /* events whose namespace is not known */
	uint64_t to_clock; /* from an event's time to the time of day */
	int width;	   /* of a line, in columns; 0: no limit */
	time_t second;	   /* that `clock` tells */
	char clock[sizeof("23:59:59")];
};

/*
 * Watch until a signal comes (SIGINT, SIGTERM, SIGHUP, SIGQUIT): show the
 * events, and at the end how many were shown and how many were lost.
 * argv: a command to be run; then it and its descendants alone are watched,
 * and its end ends the watch. argv[0] is NULL: all processes are watched.
 * Returns the command's exit code, as a shell tells it, or 0. Ends by die.
 */
int watch_run(struct watch *watch, struct execs *execs, char **argv);

/* The PIDs of a process, from the outside in: "33052/1". What is not known is
 * a question mark. */
enum { WATCH_PIDS = sizeof("2147483647/2147483647") };
void watch_pids(char text[WATCH_PIDS], const struct execs *execs,
	const struct execs_process *process);

/* What an event tells beside its process: "by 33052", "exit 1". */
enum { WATCH_INFO = 32 };
void watch_info(char text[WATCH_INFO], const struct event *event);

#endif
