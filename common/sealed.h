/*
 * sealed: run from a copy of our program that nobody can write to. A process
 * in the container can open /proc/PID/exe of a process of ours that enters,
 * or make us execute /proc/self/exe, and would otherwise write to the program
 * on the host's disk (CVE-2019-5736). See memfd_create(2), file sealing.
 */
#ifndef COMMON_SEALED_H
#define COMMON_SEALED_H

/* The first call of main: start again from a copy in memory with seals, unless
 * this is it already. Ends by die. */
void sealed_begin(char **argv);

/* The path of our program, also when this is the copy. To be freed. Ends by
 * die. */
char *sealed_program(void);

#endif
