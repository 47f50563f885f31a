/*
 * child: how a child process begins, how it is waited for, and what its end
 * means as the exit code of a shell.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * To be called before the fork: a file descriptor that stands for the calling
 * process (pidfd_open(2), Linux 5.3), or -1 where there is none. The child
 * gives it to child_begin, which must know whether its parent still lives;
 * getppid(2) cannot tell, because it is 0 for a parent in another PID
 * namespace. Ends by die.
 */
int child_self(void);

/*
 * The first call in every child. The child dies with its parent
 * (PR_SET_PDEATHSIG(2const)); if the parent is dead already, it ends at once.
 * Signals that the parent has blocked are unblocked, and SIGXFSZ, which a
 * sealed program ignores, kills again.
 * parent: what child_self returned, which stays open.
 */
void child_begin(int parent);

/* The status of waitpid(2) as a shell's exit code: 128+signal for a process
 * that a signal has ended. */
int child_exit_code(int status);

/* Wait for a child. Returns its exit code as child_exit_code does, or -1 with
 * errno of waitpid(2). */
int child_wait(pid_t pid);

/* Kill a child by SIGKILL and wait for it. Returns as child_wait. */
int child_end(pid_t pid);

/* Close all descriptors but the three standard ones, and those that are named,
 * which get the numbers from 3 on: a container gets nothing of ours. What a
 * process of the container finds in our /proc/PID/fd leads it to where we have
 * it from; a folder of the host would be a way out (CVE-2024-21626). End by
 * die. See close_range(2), Linux 5.9. */
void child_close_fds(void);
void child_keep_fds(int *const kept[], int count);

/*
 * Replace the calling child by a command, which is looked up in the PATH. Ends
 * by die_plain with a shell's exit codes: 127 not found, 126 not executable.
 */
void child_exec(char **argv) __attribute__((noreturn));

/* Wait until a child has ended or has stopped being our business by exec:
 * both close the last copy of a close-on-exec writing end of this pipe.
 * Returns 0, or -1 with errno. Reads from fd; anything read is dropped. */
int child_wait_exec(int fd);

/*
 * Run a command for the reader as a shell does. child_follow_begin blocks the
 * signals before the fork, and ignores SIGXFSZ: where our own files may not
 * grow (RLIMIT_FSIZE), a write is to fail and be told. child_follow waits for
 * the child, hands on what it catches of SIGINT, SIGQUIT, SIGTERM and SIGHUP,
 * and takes the terminal back in the end.
 * is_init: the child is PID 1 of a PID namespace. The kernel drops a signal
 * that a PID 1 neither catches nor ignores (pid_namespaces(7)), and the reader
 * would wait in vain; so such a child is killed.
 * Returns the exit code of the child, or 128+signal. Ends by die.
 */
void child_follow_begin(void);
int child_follow(pid_t pid, bool is_init);

/*
 * The parts of child_follow, for a parent that waits in another way: a
 * signalfd(2) of the signals that child_follow_begin has blocked (SIGCHLD is
 * one of them), and what is to be done with the others. End by die.
 */
int child_follow_signals(void);

/*
 * Wait until a descriptor can be read or its other side is closed, at most so
 * many milliseconds (-1: for ever), and no longer than until one of the blocked
 * signals but SIGCHLD has come, which stays pending.
 * Returns 1, 0 when the time is over, or -1 for a signal. Ends by die.
 */
int child_await(int fd, int milliseconds);

/* Take the pending one of these signals. Returns it, or 0: there is none. */
int child_take_signal(void);

struct child_followed {
	pid_t pid;
	bool is_init;
	int came, looks, ended_by; /* zero at first */
};

/* Hand a signal on. */
void child_hand_on(struct child_followed *child, int signal);

/*
 * To be called before each wait: kills a PID 1 that drops what was handed on.
 * Returns after how many milliseconds it wants to be called again, or -1.
 */
int child_look(struct child_followed *child);

/* The exit code that belongs to its status of waitpid(2). */
int child_followed_code(const struct child_followed *child, int status);

/* Likewise: a shell with job control has made its own
 * process group the foreground one of the terminal; take it back. To be called
 * when the child has ended, if we were in the foreground. */
void child_take_terminal_back(void);

#endif
