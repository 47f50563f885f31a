/*
 * threads: a process whose first thread is not its last. `threads exec PROGRAM`:
 * another thread becomes PROGRAM. `threads exit`: the first one ends, and then
 * another one ends the process with 3.
 */
#include <err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *
become(void *program)
{
	execl(program, program, NULL);
	err(1, "exec %s", (char *)program);
}

static void *
end(void *first)
{
	if (pthread_join(*(pthread_t *)first, NULL) != 0)
		errx(1, "the first thread cannot be joined");
	exit(3);
}

int
main(int argc, char **argv)
{
	static pthread_t first;
	pthread_t other;

	if (argc < 2 || (strcmp(argv[1], "exec") == 0) != (argc == 3))
		errx(2, "usage: threads exec PROGRAM | exit");
	first = pthread_self();
	if (pthread_create(&other, NULL, argc == 3 ? become : end,
		    argc == 3 ? (void *)argv[2] : &first) != 0)
		errx(1, "no second thread");
	if (argc == 3)
		pthread_join(other, NULL);
	pthread_exit(NULL);
}
