/*
 * load: many short lives. WORKERS processes start PROGRAM, one after the
 * other, COUNT times in all. Prints how long that took, in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"

static void
work(char *program, long count)
{
	char *argv[] = {program, NULL};

	while (count-- > 0) {
		/* The child does nothing but exec: fork would cost more. */
		pid_t pid = vfork(); // NOLINT(*-security.insecureAPI.vfork)

		if (pid == -1)
			die("vfork");
		if (pid == 0) {
			execv(program, argv);
			_exit(127);
		}
		int status;
		if (waitpid(pid, &status, 0) == -1)
			die("waitpid %d", pid);
		if (status != 0)
			die_plain(DIE_FAILED, "%s has failed", program);
	}
	_exit(0);
}

int
main(int argc, char **argv)
{
	struct timespec begin, end;
	int failed = 0, status;

	if (argc != 4)
		die_plain(DIE_USAGE, "usage: load WORKERS COUNT PROGRAM");
	long workers = strtol(argv[1], NULL, 10);
	long count = strtol(argv[2], NULL, 10);
	if (workers < 1 || count < workers)
		die_plain(DIE_USAGE, "at least one worker, and a life for it");
	if (clock_gettime(CLOCK_MONOTONIC, &begin) == -1)
		die("clock_gettime");
	for (long i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		/* The remainder is the first one's. */
		if (pid == 0)
			work(argv[3], count / workers +
					      (i == 0 ? count % workers : 0));
	}
	while (wait(&status) > 0)
		failed |= status;
	if (clock_gettime(CLOCK_MONOTONIC, &end) == -1)
		die("clock_gettime");
	printf("%ld\n", (end.tv_sec - begin.tv_sec) * 1000000 +
				(end.tv_nsec - begin.tv_nsec) / 1000);
	return failed == 0 ? 0 : DIE_FAILED;
}
