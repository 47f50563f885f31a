/*
 * gate: one byte through a pipe. One process waits at the gate until another
 * opens it. It never sleeps and it never guesses how long the other needs.
 */
#ifndef COMMON_GATE_H
#define COMMON_GATE_H

struct gate {
	int fd[2];
};

/* Make a gate before the fork, so that both sides have it. It serves once.
 * Returns 0, or -1 with errno of pipe2(2). */
int gate_make(struct gate *gate);

/* Let the other side pass. Returns 0, or -1 with errno of write(2). */
int gate_open(struct gate *gate);

/*
 * Wait until the other side opens the gate. Closes our own writing end first,
 * so that a dead partner is noticed.
 * Returns 0, or -1: errno ECHILD when the partner ended without opening it.
 */
int gate_wait(struct gate *gate);

/* Close what is still open of it on this side. */
void gate_close(struct gate *gate);

#endif
