/*
 * die: which call failed, with which errno, what that means here, and what to
 * do next.
 *
 * One checked call has one shape everywhere in this project:
 *
 *	if (setns(fd, CLONE_NEWPID) == -1)
 *		die("setns %s", path);
 */
#ifndef COMMON_DIE_H
#define COMMON_DIE_H

/* Exit codes that all lessons share. */
enum {
	DIE_FAILED = 1, /* a check or a call failed */
	DIE_USAGE = 2,	/* wrong usage */
	DIE_CANNOT = 77 /* this machine cannot run the lesson */
};

/*
 * Print "PROGRAM: MESSAGE: ENAME (text of errno)" to standard error, then the
 * cause and the cure where the call and the errno are a known pair, and end
 * the process with DIE_FAILED. The first word of the message is the name of
 * the call. Takes errno as the failed call has left it.
 *
 * It ends with _exit(2): no atexit handler and no buffer of the parent runs in
 * a child. Reports are flushed at the end of each step, so nothing is lost.
 */
void
die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The same message, for who has something to clean up and does not end yet.
 * Returns -1, and leaves errno as it was. */
int die_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As die, for a fault that has no errno: the message stands alone. */
void die_plain(int code, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* The same message as die_plain. Returns -1. */
int
die_say_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "EPERM" for EPERM; "errno 4242" is "E?" for numbers that are not known. */
const char *die_errno_name(int error);

/*
 * Find the cause and the cure for a failed call.
 * message: its first word is the call; error: the errno.
 * Returns 1 and sets both texts when the pair is known, else 0.
 */
int
die_hint(const char *message, int error, const char **cause, const char **cure);

#endif
