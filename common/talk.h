/*
 * talk: type a line at the container's shell and read what it prints. The
 * shell is PID 1 of the container; its input and output are two pipes.
 */
#ifndef COMMON_TALK_H
#define COMMON_TALK_H

struct talk {
	int to[2];   /* we write, the shell reads */
	int from[2]; /* the shell writes, we read */
};

/* Before the fork. Returns 0, or -1 with errno of pipe2(2). */
int talk_make(struct talk *talk);

/* In the child: the pipes become standard input, output and error. Returns 0,
 * or -1 with errno of dup2(2). */
int talk_child(struct talk *talk);

/* In the parent: close the child's ends. */
void talk_parent(struct talk *talk);

/*
 * Type one command and wait until it has ended.
 * *answer is what it has printed, also when that is not all; the caller frees
 * it. Returns 0, or -1 with errno: ECHILD when the shell has ended, ETIMEDOUT
 * when it takes 10 seconds, EFBIG when it prints more than 1 MiB.
 */
int talk_ask(struct talk *talk, const char *command, char **answer);

/* Close the parent's ends; the shell reads the end of its input. */
void talk_close(struct talk *talk);

#endif
