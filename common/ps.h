/*
 * ps: processes as `ps -f` shows them, made from /proc/PID/stat, status and
 * cmdline; see ps(1) and proc(5). PIDs are those of the /proc that is here.
 */
#ifndef COMMON_PS_H
#define COMMON_PS_H

#include <stdio.h>
#include <sys/types.h>

/* Print a heading and a line for each process; who has ended meanwhile is left
 * out. Ends by die. */
void ps_print(FILE *out, const pid_t *pids, int count);

#endif
