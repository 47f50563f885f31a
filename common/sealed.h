/*
 * sealed: programs in memory that nobody can write to. A process in the
 * container can make us execute /proc/self/exe, or open /proc/PID/exe of a
 * process of ours that it sees, and would otherwise write to the program on the
 * host's disk (CVE-2019-5736). See memfd_create(2), file sealing.
 *
 * Against the first, the last step into the container is made by a small
 * program, see step.c. Where the container can see us before that step, all of
 * our program is such a copy.
 */
#ifndef COMMON_SEALED_H
#define COMMON_SEALED_H

#include <stdbool.h>

/* Start again, with argv, from a copy of our program, unless this is it
 * already. To be called before anything is made that an exec would not close.
 * Ends by die. */
void sealed_begin(char **argv);

/* Is there a small program for this processor? If not, all of ours must be
 * sealed. */
bool sealed_has_step(void);

/* A descriptor of the small program, close-on-exec. Returns -1 with errno of
 * memfd_create(2), write(2) or fcntl(2). */
int sealed_step(void);

/*
 * Become a command by way of the small program. step: its descriptor, or -1:
 * without it. news: a descriptor that is closed when we have become the
 * command; if that fails, an errno is written to it, an int. signal: what the
 * command gets when its parent ends, or 0, see PR_SET_PDEATHSIG(2const).
 * argv[0] is looked up in the PATH. A text without "#!" is no program: ENOEXEC.
 * Ends the process with a shell's exit code, 127 or 126.
 */
void sealed_exec(int step, int news, int signal, char *const argv[])
	__attribute__((noreturn));

/* The path of our program, also when this is the copy. To be freed. Ends by
 * die. */
char *sealed_program(void);

#endif
