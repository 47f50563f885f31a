/*
 * pidfile: the PID of a process in a file, for who waits for it or wants to
 * send it signals. He finds the whole number or no file, and finds it when there is
 * such a process, not before.
 */
#ifndef COMMON_PIDFILE_H
#define COMMON_PIDFILE_H

#include <sys/types.h>

/* In both, a path of NULL asks for nothing. */

/* Before the start: may the file be written? What is there under the name must
 * be a file: a FIFO would make us wait, a link lead us elsewhere. Ends by
 * die. */
void pidfile_check(const char *path);

/* After the start, in one step (rename(2)). Returns 0, or -1 when it has said
 * why not. */
int pidfile_write(const char *path, pid_t pid);

#endif
