/*
 * terminal: a terminal for the container. It is made by the container's own
 * devpts, so its name is right inside; the master side is with the runner, who
 * passes bytes, window size and keys on. See pts(4), termios(3), pty(7).
 */
#ifndef COMMON_TERMINAL_H
#define COMMON_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * In the container's init, after pivot_root and before the root becomes
 * read-only: open a new pair through /dev/pts/ptmx, which must be a devpts,
 * and send the master through the Unix socket to terminal_receive. The slave
 * is opened by TIOCGPTPEER (Linux 4.13), not by its name, which somebody could
 * change. Returns when the runner has the master and has given it the size of
 * its own window, so the socket must not be used for something else meanwhile.
 * rows, columns: consoleSize, for a runner without a window; 0 for none.
 * console: also make it /dev/console, by a bind mount. (An exec does not.)
 * Returns the slave's descriptor. Ends by die.
 */
int terminal_open(
	int socket, unsigned short rows, unsigned short columns, bool console);

/* In the same process, after setsid(2): make the slave the controlling
 * terminal and the three standard streams, and give it to this user. Ends by
 * die. */
void terminal_take(int slave, uid_t uid);

/* In the runner: receive the master. Returns it, or -1 with errno: ECHILD when
 * the other side has ended. */
int terminal_receive(int socket);

/*
 * In the runner: pass on between our standard streams and the master until the
 * child has ended and its last output is read; then wait for it. The master is
 * closed. child_follow_begin must have been called before the fork, and the
 * three standard streams must be open, as options_parse has left them.
 *
 * A terminal on standard input is put into raw mode, so that Ctrl-C and Ctrl-Z
 * are the container's; its window size is passed on, now and when it changes.
 * It is restored on every way out: when the child ends, when a signal ends us
 * (SIGHUP, SIGINT, SIGQUIT, SIGTERM are handed on to the child first; is_init
 * as in child_follow), when SIGTSTP stops us (and raw again when we go on),
 * and when we are killed by SIGKILL: a helper process sees to that. It is born
 * here, so the caller must not have changed the PID namespace of its children.
 * In the background the terminal is left alone until a shell gives it to us.
 *
 * From a pipe or file, the end of input is passed on as the terminal's end of
 * file character, whenever all that came before has been read. When nobody
 * reads our output any more, the child gets the signal that we would have got:
 * SIGPIPE for a pipe, SIGHUP for a terminal.
 *
 * Returns the exit code as child_follow does. Ends by die, restored.
 */
int terminal_follow(pid_t pid, int master, bool is_init);

#endif
