#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends an answer: no command that a lesson types prints this byte. */
#define END_BYTE '\004'
#define PRINT_END "printf '\\004'\n"

/* Nothing that a lesson asks takes a second. In milliseconds. */
enum { PATIENCE = 10000 };

int
talk_make(struct talk *talk)
{
	/* Sockets, because a write to a dead shell must not end us by SIGPIPE:
	 * send(2) can say so. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk->to) == -1)
		return -1;
	return pipe2(talk->from, O_CLOEXEC);
}

int
talk_child(struct talk *talk)
{
	return dup2(talk->to[0], STDIN_FILENO) == -1 ||
			       dup2(talk->from[1], STDOUT_FILENO) == -1 ||
			       dup2(talk->from[1], STDERR_FILENO) == -1
		       ? -1
		       : 0;
}

void
talk_parent(struct talk *talk)
{
	close(talk->to[0]);
	close(talk->from[1]);
}

static int
type(int fd, const char *text)
{
	ssize_t length = (ssize_t)strlen(text);

	if (send(fd, text, length, MSG_NOSIGNAL) == length)
		return 0;
	errno = ECHILD;
	return -1;
}

char *
talk_ask(struct talk *talk, const char *command)
{
	char *answer = NULL, bytes[4096];
	size_t size = 0;
	bool ended = false;
	ssize_t n = 1;

	if (type(talk->to[1], command) == -1 ||
		type(talk->to[1], "\n" PRINT_END) == -1)
		return NULL;
	FILE *out = open_memstream(&answer, &size);
	if (out == NULL)
		return NULL;
	/* The shell prints nothing more until it is asked again. */
	while (!ended && n > 0) {
		struct pollfd ready = {.fd = talk->from[0], .events = POLLIN};

		if (poll(&ready, 1, PATIENCE) != 1)
			break;
		n = read(talk->from[0], bytes, sizeof(bytes));
		ended = n > 0 && bytes[n - 1] == END_BYTE;
		if (n > 0)
			fwrite(bytes, 1, n - ended, out);
	}
	if (fclose(out) == 0 && ended)
		return answer;
	free(answer);
	errno = n == 0 ? ECHILD : ETIMEDOUT;
	return NULL;
}

void
talk_close(struct talk *talk)
{
	close(talk->to[1]);
	close(talk->from[0]);
}
