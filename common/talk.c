#include "talk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends an answer: no command that a lesson types prints this byte. */
#define END_BYTE '\004'
#define PRINT_END "printf '\\004'\n"

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
	char *answer = NULL, byte = 0;
	size_t size = 0;

	if (type(talk->to[1], command) == -1 ||
		type(talk->to[1], "\n" PRINT_END) == -1)
		return NULL;
	FILE *out = open_memstream(&answer, &size);
	if (out == NULL)
		return NULL;
	for (;;) {
		ssize_t n = read(talk->from[0], &byte, 1);

		if (n == -1 && errno == EINTR)
			continue;
		if (n != 1 || byte == END_BYTE)
			break;
		fputc(byte, out);
	}
	if (fclose(out) == 0 && byte == END_BYTE)
		return answer;
	free(answer);
	errno = ECHILD;
	return NULL;
}

void
talk_close(struct talk *talk)
{
	close(talk->to[1]);
	close(talk->from[0]);
}
