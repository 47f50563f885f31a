/*
 * inject: a program again and again, each time with bad luck at another of its
 * system calls: that one fails, or a signal comes (strace(1)).
 *
 * FAULTS=7 takes every seventh place; the default is each.
 */
#ifndef TESTS_INJECT_H
#define TESTS_INJECT_H

#include "support.h"

/* One system call and how often at most one process makes it. */
struct inject_call {
	char name[32];
	int times;
};

enum { INJECT_CALLS = 200 };

struct inject_calls {
	struct inject_call call[INJECT_CALLS];
	int count;
};

/*
 * Run a program and count its calls, those of its children, too. words: its
 * name and arguments, before them what strace is to be told. code: with which it
 * must end. Calls that cannot fail are not counted.
 */
void inject_count(struct inject_calls *calls, char *const words[], int code);

/* How often it makes this call. */
int *inject_times(struct inject_calls *calls, const char *name);

/*
 * Start it with a fault at one call of each of its processes: error=EPERM,
 * signal=KILL, or delay_exit=20000, so many microseconds. Returns strace's
 * words for the fault, to be freed.
 */
char *inject_begin(struct started *started, char *const words[],
	const char *call, const char *what, int when);

/* Call back for each place at which a fault can be, but not for the first ones
 * that are in `without`. */
void inject_each(struct inject_calls *calls, struct inject_calls *without,
	void (*with)(const char *call, int when, void *data), void *data);

#endif
