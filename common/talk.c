#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event.h"

/* Ends an answer: no command that a lesson types prints this byte. */
#define END_BYTE '\004'
#define PRINT_END "printf '\\004'\n"

/* Nothing that a lesson asks takes a second, or fills a screen. */
enum { PATIENCE = 10000 /* ms */, LONGEST = 1 << 20 /* bytes */ };

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

/* Read until the end of an answer. The shell prints nothing more until it is
 * asked again. Returns 0, or an errno. */
static int
listen_to(int fd, FILE *out)
{
	const uint64_t end = event_now(CLOCK_MONOTONIC) + PATIENCE * 1000000ULL;
	size_t size = 0;
	char bytes[4096];

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int64_t left =
			(int64_t)(end - event_now(CLOCK_MONOTONIC)) / 1000000;

		if (left <= 0 || poll(&ready, 1, (int)left) != 1)
			return ETIMEDOUT;
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			return ECHILD;
		bool ended = bytes[n - 1] == END_BYTE;
		fwrite(bytes, 1, n - ended, out);
		if (ended)
			return 0;
		size += n;
		if (size > LONGEST)
			return EFBIG;
	}
}

int
talk_ask(struct talk *talk, const char *command, char **answer)
{
	size_t size = 0;
	FILE *out = open_memstream(answer, &size);

	if (out == NULL)
		return -1;
	int error = ECHILD;
	if (type(talk->to[1], command) == 0 &&
		type(talk->to[1], "\n" PRINT_END) == 0)
		error = 0;
	/* A shell that has ended may have said why. */
	int heard = listen_to(talk->from[0], out);
	if (error == 0)
		error = heard;
	if (fclose(out) == EOF)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

void
talk_close(struct talk *talk)
{
	close(talk->to[1]);
	close(talk->from[0]);
}
