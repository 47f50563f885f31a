#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "proc.h"

int
child_parent(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd == -1)
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
	/* A pidfd can be read from when its process has ended. */
	if (poll(&dead, 1, 0) != 0)
		_exit(DIE_FAILED);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		die("sigprocmask");
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
}

/*
 * A shell with job control made its own process group the foreground one of
 * the terminal. Without this we would be stopped at our next write to it.
 */
static void
take_terminal_back(void)
{
	if (tcgetpgrp(STDIN_FILENO) == -1)
		return;
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(STDIN_FILENO, getpgrp()) == -1 && errno != EPERM)
		die("tcsetpgrp");
	signal(SIGTTOU, SIG_DFL);
}

int
child_follow(pid_t pid)
{
	int foreground = tcgetpgrp(STDIN_FILENO) == getpgrp();
	int status, ended_by = 0;
	sigset_t set;
	siginfo_t info;

	followed_signals(&set);
	for (;;) {
		int caught = sigwaitinfo(&set, &info);

		if (caught == -1 && errno != EINTR)
			die("sigwaitinfo");
		pid_t ended = waitpid(pid, &status, WNOHANG);
		if (ended == -1)
			die("waitpid %d", pid);
		if (ended == pid)
			break;
		if (caught == -1 || caught == SIGCHLD)
			continue;
		/* The terminal has sent it to the child, too. */
		if (proc_catches(pid, caught) && info.si_code == SI_KERNEL)
			continue;
		if (!proc_catches(pid, caught)) {
			ended_by = caught;
			caught = SIGKILL;
		}
		if (kill(pid, caught) == -1 && errno != ESRCH)
			die("kill %d", pid);
	}
	if (foreground)
		take_terminal_back();
	return ended_by != 0 ? 128 + ended_by : child_exit_code(status);
}
