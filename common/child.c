#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "proc.h"

int
child_self(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd == -1 && errno != ENOSYS && errno != EPERM)
		die("pidfd_open");
	return fd;
}

void
child_begin(int parent)
{
	struct pollfd dead = {.fd = parent, .events = POLLIN};
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		die("prctl PR_SET_PDEATHSIG");
	/* A pidfd can be read from when its process has ended; poll passes over
	 * a descriptor of -1. */
	int ready = poll(&dead, 1, 0);
	if (ready == -1)
		die("poll");
	if (ready == 1)
		_exit(DIE_FAILED);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		die("sigprocmask");
	if (signal(SIGXFSZ, SIG_DFL) == SIG_ERR)
		die("signal SIGXFSZ");
}

int
child_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

int
child_wait(pid_t pid)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(pid, &status, 0);
	while (ended == -1 && errno == EINTR);
	return ended == -1 ? -1 : child_exit_code(status);
}

int
child_end(pid_t pid)
{
	if (kill(pid, SIGKILL) == -1)
		return -1;
	return child_wait(pid);
}

enum { FIRST = STDERR_FILENO + 1 };

void
child_keep_fds(int *const kept[], int count)
{
	int high;

	for (int i = 0; i < count; i++) {
		high = fcntl(*kept[i], F_DUPFD_CLOEXEC, FIRST + count);
		if (high == -1)
			die("fcntl F_DUPFD_CLOEXEC");
		*kept[i] = high;
	}
	for (int i = 0; i < count; i++) {
		if (dup3(*kept[i], FIRST + i, O_CLOEXEC) == -1)
			die("dup3");
		*kept[i] = FIRST + i;
	}
	if (syscall(SYS_close_range, FIRST + count, ~0U, 0) == -1)
		die("close_range");
}

void
child_close_fds(void)
{
	child_keep_fds(NULL, 0);
}

void
child_exec(char **argv)
{
	execvp(argv[0], argv);
	die_plain(errno == ENOENT ? 127 : 126, "exec %s: %s (%s)", argv[0],
		die_errno_name(errno), strerror(errno));
}

int
child_wait_exec(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n > 0 || (n == -1 && errno == EINTR));
	return (int)n;
}

/* A signal that our caller has made us ignore (nohup does) stays ignored. */
static void
followed_signals(sigset_t *set)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction old;

		if (sigaction(signals[i], NULL, &old) == 0 &&
			old.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
	}
}

void
child_follow_begin(void)
{
	sigset_t set;

	followed_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		die("sigprocmask");
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		die("signal SIGXFSZ");
}

int
child_follow_signals(void)
{
	sigset_t set;

	followed_signals(&set);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd == -1)
		die("signalfd");
	return fd;
}

/* Without SIGCHLD. */
static void
ending_signals(sigset_t *set)
{
	followed_signals(set);
	sigdelset(set, SIGCHLD);
}

int
child_await(int fd, int milliseconds)
{
	struct pollfd fds[2] = {
		{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
	sigset_t set;
	int ready;

	ending_signals(&set);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fds[1].fd == -1)
		die("signalfd");
	do
		ready = poll(fds, 2, milliseconds);
	while (ready == -1 && errno == EINTR);
	if (ready == -1)
		die("poll");
	close(fds[1].fd);
	if (fds[0].revents != 0)
		return 1;
	return fds[1].revents != 0 ? -1 : 0;
}

int
child_take_signal(void)
{
	const struct timespec none = {0};
	sigset_t set;

	ending_signals(&set);
	int found = sigtimedwait(&set, NULL, &none);
	return found == -1 ? 0 : found;
}

/*
 * The group that has the terminal is gone, and nobody would read what is
 * typed. If it lives, it is not ours to take: the reader's shell may have put
 * us into the background.
 */
void
child_take_terminal_back(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	if (group <= 0 || kill(-group, 0) == 0 || errno != ESRCH)
		return;
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(STDIN_FILENO, getpgrp()) == -1 && errno != EPERM)
		die("tcsetpgrp");
	signal(SIGTTOU, SIG_DFL);
}

static void
signal_child(pid_t pid, int signal)
{
	if (kill(pid, signal) == -1 && errno != ESRCH)
		die("kill %d", pid);
}

enum { LOOKS = 10, LOOK_AGAIN = 100 /* ms */ };

void
child_hand_on(struct child_followed *child, int signal)
{
	child->came = signal;
	child->looks = LOOKS;
	signal_child(child->pid, signal);
}

/*
 * A signal that a PID 1 does not handle is dropped by the kernel; then we kill
 * the child. A shell may catch the signal and, before it has acted, become a
 * command that does not: so we look again for a second.
 */
int
child_look(struct child_followed *child)
{
	if (!child->is_init || child->looks == 0)
		return -1;
	child->looks--;
	if (!proc_handles(child->pid, child->came)) {
		child->ended_by = child->came;
		child->looks = 0;
		signal_child(child->pid, SIGKILL);
	}
	return LOOK_AGAIN;
}

/* One that has ended by itself before we killed it keeps its own code. */
int
child_followed_code(const struct child_followed *child, int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	return killed && child->ended_by != 0 ? 128 + child->ended_by
					      : child_exit_code(status);
}

int
child_follow(pid_t pid, bool is_init)
{
	struct child_followed child = {.pid = pid, .is_init = is_init};
	int foreground = tcgetpgrp(STDIN_FILENO) == getpgrp();
	siginfo_t info;
	sigset_t set;
	pid_t ended;
	int status;

	followed_signals(&set);
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		int wait = child_look(&child);
		const struct timespec limit = {.tv_nsec = wait * 1000000L};
		int found = sigtimedwait(&set, &info, wait < 0 ? NULL : &limit);

		if (found == -1 && errno != EINTR && errno != EAGAIN)
			die("sigtimedwait");
		if (found <= 0 || found == SIGCHLD)
			continue;
		/* The terminal has sent its signals to both of us, unless the
		 * child has left our session. */
		if (info.si_code != SI_KERNEL || getsid(pid) != getsid(0)) {
			child_hand_on(&child, found);
		} else {
			child.came = found;
			child.looks = LOOKS;
		}
	}
	if (ended == -1)
		die("waitpid %d", pid);
	if (foreground)
		child_take_terminal_back();
	return child_followed_code(&child, status);
}
