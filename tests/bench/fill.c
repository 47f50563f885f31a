/*
 * fill: a busy machine. Makes PROCESSES processes in SETS sets of new mnt, uts,
 * ipc, pid and net namespaces, says "ready", and ends when its input does.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"

/* They live until their group's first one dies; that one, until we do. */
static void
rest(void)
{
	while (1)
		pause();
}

/* The first process of a PID namespace: its end is the end of all in it. */
static void
lead(long others, int ready)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		die("prctl PR_SET_PDEATHSIG");
	while (others-- > 0) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0)
			rest();
	}
	if (write(ready, "", 1) != 1)
		die("write ready");
	rest();
}

int
main(int argc, char **argv)
{
	int ready[2];
	char byte;

	if (argc != 3)
		die_plain(DIE_USAGE, "usage: fill PROCESSES SETS");
	long processes = strtol(argv[1], NULL, 10);
	long sets = strtol(argv[2], NULL, 10);
	if (sets < 1 || processes < sets)
		die_plain(DIE_USAGE, "at least a set, and a process for each");
	pid_t *leaders = calloc(sets, sizeof(*leaders));
	if (leaders == NULL)
		die("malloc");
	if (pipe2(ready, O_CLOEXEC) == -1)
		die("pipe2");
	for (long i = 0; i < sets; i++) {
		/* Each unshare makes a set for the children that follow. */
		if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			    CLONE_NEWNET) == -1)
			die("unshare of a set of namespaces");
		pid_t pid = (pid_t)syscall(
			SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0);
		if (pid == -1)
			die("clone CLONE_NEWPID");
		if (pid == 0)
			lead(processes / sets - 1, ready[1]);
		leaders[i] = pid;
		if (read(ready[0], &byte, 1) != 1)
			die("read ready");
	}
	puts("ready");
	if (fflush(stdout) == EOF)
		die("write standard output");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	/* The leaders die with us; to wait for them, we end them. */
	for (long i = 0; i < sets; i++)
		if (kill(leaders[i], SIGKILL) == -1 ||
			waitpid(leaders[i], NULL, 0) == -1)
			die("kill %d", leaders[i]);
	free(leaders);
	return 0;
}
