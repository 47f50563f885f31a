#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
gate_make(struct gate *gate)
{
	return pipe2(gate->fd, O_CLOEXEC);
}

/* Keeps its own reading end open: a write to a pipe without a reader would
 * end us by SIGPIPE. */
int
gate_open(struct gate *gate)
{
	ssize_t n = write(gate->fd[1], "", 1);

	gate_close(gate);
	return n == 1 ? 0 : -1;
}

int
gate_wait(struct gate *gate)
{
	char byte;
	ssize_t n;

	if (close(gate->fd[1]) == -1)
		return -1;
	gate->fd[1] = -1;
	do
		n = read(gate->fd[0], &byte, 1);
	while (n == -1 && errno == EINTR);
	int error = n == 0 ? ECHILD : errno;
	gate_close(gate);
	errno = error;
	return n == 1 ? 0 : -1;
}

void
gate_close(struct gate *gate)
{
	int error = errno;

	for (int i = 0; i < 2; i++) {
		if (gate->fd[i] != -1)
			close(gate->fd[i]);
		gate->fd[i] = -1;
	}
	errno = error;
}
