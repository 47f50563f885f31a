#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "event.h"
#include "mounts.h"

/* --- In the container ----------------------------------------------------- */

/*
 * What is at /dev/pts must be a devpts, and not only bear its name. Nobody but
 * the kernel makes files in one, so its ptmx is the right one when nothing has
 * been mounted on it.
 */
static int
open_master(void)
{
	struct open_how how = {
		.flags = O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	struct statfs found;
	int unlocked = 0;
	int dir =
		open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir == -1)
		die("open /dev/pts in the container");
	if (fstatfs(dir, &found) == -1)
		die("fstatfs /dev/pts");
	if (found.f_type != DEVPTS_SUPER_MAGIC)
		die_plain(DIE_FAILED,
			"/dev/pts in the container: found another file system,"
			" expected a devpts, which makes the terminal");
	int master = (int)syscall(SYS_openat2, dir, "ptmx", &how, sizeof(how));
	if (master == -1)
		die("openat2 /dev/pts/ptmx in the container");
	close(dir);
	if (ioctl(master, TIOCSPTLCK, &unlocked) == -1)
		die("ioctl TIOCSPTLCK");
	return master;
}

static int
open_slave(int master)
{
	return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int
open_console(void)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(
		SYS_openat2, AT_FDCWD, "/dev/console", &how, sizeof(how));

	if (fd == -1)
		die("openat2 /dev/console in the container");
	return fd;
}

/*
 * What is mounted, and on what, is named by descriptors: a name could have
 * come to mean something of the host's. We look at the result all the same.
 */
static void
make_console(int slave)
{
	struct stat ours, found;

	if (mknod("/dev/console", S_IFREG | 0600, 0) == -1 && errno != EEXIST)
		die("mknod /dev/console in the container");
	int file = open_console();
	int tree = mounts_copy(slave, false, "the terminal");
	mounts_put(tree, file, "/dev/console in the container");
	close(tree);
	close(file);
	file = open_console();
	if (fstat(slave, &ours) == -1 || fstat(file, &found) == -1)
		die("fstat /dev/console in the container");
	close(file);
	if (found.st_dev != ours.st_dev || found.st_ino != ours.st_ino)
		die_plain(DIE_FAILED, "/dev/console in the container: found"
				      " another file, expected its terminal");
}

/* Room for one descriptor beside the one byte that it travels with. */
struct parcel {
	char byte;
	struct iovec part;
	struct msghdr message;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
};

static void
prepare_parcel(struct parcel *parcel)
{
	memset(parcel, 0, sizeof(*parcel));
	parcel->part.iov_base = &parcel->byte;
	parcel->part.iov_len = 1;
	parcel->message.msg_iov = &parcel->part;
	parcel->message.msg_iovlen = 1;
	parcel->message.msg_control = &parcel->control;
	parcel->message.msg_controllen = sizeof(parcel->control);
}

/* Returns when the other side has it. */
static void
send_master(int socket, int master)
{
	struct parcel parcel;
	char byte;
	ssize_t n;

	prepare_parcel(&parcel);
	parcel.control.header.cmsg_level = SOL_SOCKET;
	parcel.control.header.cmsg_type = SCM_RIGHTS;
	parcel.control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&parcel.control.header), &master, sizeof(master));
	if (sendmsg(socket, &parcel.message, MSG_NOSIGNAL) == -1)
		die("sendmsg the terminal");
	do
		n = read(socket, &byte, 1);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		die("read the runner's answer");
	if (n == 0)
		_exit(DIE_FAILED);
}

int
terminal_open(
	int socket, unsigned short rows, unsigned short columns, bool console)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	int master = open_master();
	int slave = open_slave(master);

	if (slave == -1)
		die("ioctl TIOCGPTPEER");
	if (ioctl(slave, TIOCSWINSZ, &size) == -1)
		die("ioctl TIOCSWINSZ");
	if (console)
		make_console(slave);
	send_master(socket, master);
	close(master);
	return slave;
}

void
terminal_take(int slave, uid_t uid)
{
	if (fchown(slave, uid, (gid_t)-1) == -1)
		die("fchown the terminal to %u", uid);
	if (ioctl(slave, TIOCSCTTY, 0) == -1)
		die("ioctl TIOCSCTTY");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(slave, fd) == -1)
			die("dup2");
	close(slave);
}

/* --- Our own terminal ----------------------------------------------------- */

/*
 * The terminal on our standard input. This stands in memory that we share with
 * the helper process: it needs to know what to restore, and whether to.
 */
struct outer {
	bool here;   /* there is one */
	bool is_raw; /* we have made it so */
	struct termios saved, raw;
};

/* A shell has given the terminal to us; or we have it alone, because it is no
 * controlling terminal of ours. */
static bool
in_foreground(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	return group == -1 || group == getpgrp();
}

static bool
same_settings(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_lflag == b->c_lflag;
}

/*
 * If the shell has taken the terminal from us since we looked, tcsetattr stops
 * us by SIGTTOU and is begun again when we go on. A terminal that is gone is an
 * input like others, at its end.
 */
static void
make_raw(struct outer *outer)
{
	if (tcgetattr(STDIN_FILENO, &outer->saved) == -1) {
		outer->here = false;
		return;
	}
	outer->raw = outer->saved;
	cfmakeraw(&outer->raw);
	outer->is_raw = true;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &outer->raw) == -1)
		outer->here = outer->is_raw = false;
}

/*
 * Settings that are no longer ours are somebody else's business. We may be in
 * the background: SIGTTOU must not stop us. That a terminal is gone and cannot
 * be restored is no error.
 */
static void
restore(struct outer *outer)
{
	struct termios found;
	sigset_t output, old;

	if (outer->is_raw && tcgetattr(STDIN_FILENO, &found) == 0 &&
		same_settings(&found, &outer->raw)) {
		sigemptyset(&output);
		sigaddset(&output, SIGTTOU);
		sigprocmask(SIG_BLOCK, &output, &old);
		tcsetattr(STDIN_FILENO, TCSANOW, &outer->saved);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	outer->is_raw = false;
}

/*
 * The helper: it outlives us by a moment, and has nothing open but the
 * terminal and what stands for us. A signal to our process group must not
 * reach it, nor one that is meant for all of our name. So it gets a group of
 * its own, and before we change anything: it may not have run yet.
 */
static void
restore_after(int runner, struct outer *outer)
{
	struct pollfd ended = {.fd = STDOUT_FILENO, .events = POLLIN};
	sigset_t all;

	sigfillset(&all);
	if (sigprocmask(SIG_BLOCK, &all, NULL) == -1)
		die("sigprocmask");
	if (prctl(PR_SET_NAME, "terminal") == -1)
		die("prctl PR_SET_NAME");
	if (dup2(runner, STDOUT_FILENO) == -1)
		die("dup2");
	if (syscall(SYS_close_range, STDERR_FILENO, ~0U, 0) == -1)
		die("close_range");
	while (poll(&ended, 1, -1) == -1)
		continue;
	restore(outer);
	_exit(0);
}

static pid_t
start_helper(struct outer *outer)
{
	int runner = child_self();

	if (runner == -1)
		die("pidfd_open");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		restore_after(runner, outer);
	if (setpgid(pid, pid) == -1)
		die("setpgid");
	close(runner);
	return pid;
}

/* The size of the window that we are in, if we are in one. Returns 0, or -1
 * with errno. */
static int
pass_size(int master)
{
	struct winsize size;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row != 0)
			return ioctl(master, TIOCSWINSZ, &size);
	return 0;
}

int
terminal_receive(int socket)
{
	const struct cmsghdr *header = NULL;
	struct parcel parcel;
	int master;
	ssize_t n;

	prepare_parcel(&parcel);
	do
		n = recvmsg(socket, &parcel.message, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == 1)
		header = CMSG_FIRSTHDR(&parcel.message);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS) {
		errno = n == -1 ? errno : ECHILD;
		return -1;
	}
	memcpy(&master, CMSG_DATA(header), sizeof(master));
	if (pass_size(master) == -1 ||
		send(socket, "", 1, MSG_NOSIGNAL) == -1) {
		close(master);
		return -1;
	}
	return master;
}

/* --- Passing on ----------------------------------------------------------- */

/* How often we look for what no event tells. */
enum { TICK = 100 /* ms */ };

/* A pipe that poll(2) has found ready takes as much without blocking. */
enum { ROOM = 4096 };

/* On its way from one side to the other; filled only when it is empty. */
struct buffer {
	size_t start, length;
	char bytes[ROOM];
};

struct proxy {
	struct child_followed child;
	struct outer *outer;
	pid_t helper; /* 0: none */
	int master;
	int slave;   /* -1, or held open by us, see hold_slave */
	int output;  /* standard output */
	int pidfd;   /* the child */
	int signals; /* a signalfd: what child_follow_begin has blocked */
	int keys;    /* another: what a terminal's user does */
	bool input_ended, output_lost, child_ended;
	bool half_line; /* the last line has no end */
	bool looks;	/* child_look wants to be called again */
	uint64_t next;	/* when the next tick is, see event_now */
	struct buffer to_child, from_child;
};

static void
broken(struct proxy *proxy, const char *call) __attribute__((noreturn));

/* A message is printed on a terminal that is as it was. */
static void
broken(struct proxy *proxy, const char *call)
{
	int error = errno;

	restore(proxy->outer);
	errno = error;
	die("%s", call);
}

static void
resize(struct proxy *proxy)
{
	if (pass_size(proxy->master) == -1)
		broken(proxy, "ioctl TIOCSWINSZ");
}

/* Returns 0, also when there was no room; or -1 with errno. */
static int
drain(struct buffer *buffer, int fd)
{
	ssize_t n = write(fd, buffer->bytes + buffer->start, buffer->length);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	buffer->start += (size_t)n;
	buffer->length -= (size_t)n;
	return 0;
}

/*
 * While no process has the slave open, the master is in a state of error
 * (EIO), and poll would never wait again. But somebody may yet open it by its
 * name or as /dev/tty; so we keep it open ourselves.
 */
static void
hold_slave(struct proxy *proxy)
{
	if (proxy->slave != -1)
		close(proxy->slave);
	proxy->slave = open_slave(proxy->master);
	if (proxy->slave == -1)
		broken(proxy, "ioctl TIOCGPTPEER");
}

/* What is not there, not readable, or gone is at its end. */
static void
take_input(struct proxy *proxy)
{
	struct buffer *buffer = &proxy->to_child;
	ssize_t n = read(STDIN_FILENO, buffer->bytes, ROOM);

	buffer->start = 0;
	if (n > 0) {
		buffer->length = (size_t)n;
		proxy->half_line = buffer->bytes[n - 1] != '\n';
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		proxy->input_ended = true;
	}
}

/*
 * A pipe at its end stays there for each who reads it. A terminal has only a
 * character, and it ends one read; so it is typed again whenever all has been
 * read. A shell's line editor wants no lines, but means the same by it when
 * its line is empty. What can be in its line is an end that was meant for a
 * command that did not read, or a last line without an end. A program that
 * wants neither lines nor its output made fit for a screen takes all for data.
 */
static void
pass_end(struct proxy *proxy)
{
	struct buffer *buffer = &proxy->to_child;
	struct termios inner;

	if (proxy->slave == -1)
		hold_slave(proxy);
	struct pollfd unread = {.fd = proxy->slave, .events = POLLIN};
	if (poll(&unread, 1, 0) != 0 || tcgetattr(proxy->slave, &inner) == -1)
		return;
	bool lines = inner.c_lflag & ICANON;
	if (!lines && !(inner.c_oflag & OPOST))
		return;
	bool enter = !lines && proxy->half_line;
	proxy->half_line = false;
	buffer->bytes[0] = (char)inner.c_cc[VKILL];
	if (enter)
		buffer->bytes[0] = '\r';
	buffer->bytes[1] = (char)inner.c_cc[VEOF];
	buffer->start = lines ? 1 : 0;
	buffer->length = lines || enter ? 1 : 2;
}

static void
pass_input(struct proxy *proxy)
{
	if (drain(&proxy->to_child, proxy->master) == 0)
		return;
	if (errno != EIO)
		broken(proxy, "write to the container's terminal");
	hold_slave(proxy);
}

/* Returns false when there is nothing more for now. */
static bool
take_output(struct proxy *proxy)
{
	struct buffer *buffer = &proxy->from_child;
	ssize_t n = read(proxy->master, buffer->bytes, ROOM);

	buffer->start = 0;
	if (n > 0 && !proxy->output_lost)
		buffer->length = (size_t)n;
	if (n == -1 && errno == EIO)
		hold_slave(proxy);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		broken(proxy, "read from the container's terminal");
	return n > 0;
}

static void
pass_output(struct proxy *proxy)
{
	if (drain(&proxy->from_child, proxy->output) == 0)
		return;
	if (errno != EPIPE && errno != EIO)
		broken(proxy, "write standard output");
	child_hand_on(&proxy->child, errno == EPIPE ? SIGPIPE : SIGHUP);
	proxy->output_lost = true;
	proxy->from_child.length = 0;
}

/* The signals that a terminal's user causes. */
static void
key_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTSTP);
	sigaddset(set, SIGCONT);
	sigaddset(set, SIGWINCH);
}

/* Stop as if we had not caught the signal. Here we are while we are stopped. */
static void
stop(struct proxy *proxy)
{
	sigset_t set;

	restore(proxy->outer);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	if (raise(SIGTSTP) != 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) == -1 ||
		sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		broken(proxy, "raise SIGTSTP");
}

/*
 * The child is not in our terminal's session, so no signal has reached it. When
 * we go on after a stop, our settings are to be made again, if at all: the
 * shell may have put us into the background.
 * Returns how many signals there were, but those of ended children.
 */
static int
take_signals(struct proxy *proxy, int fd)
{
	struct signalfd_siginfo info;
	int count = 0;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		count += info.ssi_signo != SIGCHLD;
		if (info.ssi_signo == SIGTSTP)
			stop(proxy);
		else if (info.ssi_signo == SIGCONT)
			restore(proxy->outer);
		else if (info.ssi_signo == SIGWINCH)
			resize(proxy);
		else if (info.ssi_signo != SIGCHLD)
			child_hand_on(&proxy->child, (int)info.ssi_signo);
	}
	return count;
}

/* The shell has given the terminal to us. The window may have another size than
 * when we last had it. */
static void
look_at_terminal(struct proxy *proxy)
{
	if (!proxy->outer->here || proxy->outer->is_raw || !in_foreground())
		return;
	make_raw(proxy->outer);
	resize(proxy);
}

/* A descriptor of -1 is passed over: one of which we want nothing now must not
 * wake us. */
static struct pollfd
watched(int fd, int events)
{
	return (struct pollfd){
		.fd = events == 0 ? -1 : fd, .events = (short)events};
}

enum { INPUT, OUTPUT, MASTER, CHILD, SIGNALS, KEYS, WATCHED };

/* Input is read, and output is read, when what was read before is passed on. A
 * terminal that is not raw is not ours to read. */
static void
watch(const struct proxy *proxy, struct pollfd *set)
{
	bool typed = proxy->to_child.length > 0;
	bool printed = proxy->from_child.length > 0;
	bool reads = !typed && !proxy->input_ended &&
		     proxy->outer->here == proxy->outer->is_raw;

	set[INPUT] = watched(STDIN_FILENO, reads ? POLLIN : 0);
	set[OUTPUT] = watched(proxy->output, printed ? POLLOUT : 0);
	set[MASTER] = watched(
		proxy->master, (printed ? 0 : POLLIN) | (typed ? POLLOUT : 0));
	set[CHILD] = watched(proxy->pidfd, POLLIN);
	set[SIGNALS] = watched(proxy->signals, POLLIN);
	set[KEYS] = watched(proxy->keys, POLLIN);
}

/*
 * What no event tells, or what must not be done at each: our shell gives us the
 * terminal, a PID 1 drops a signal, somebody has read all there was.
 */
static void
tick(struct proxy *proxy)
{
	proxy->looks = child_look(&proxy->child) != -1;
	look_at_terminal(proxy);
	if (proxy->input_ended && proxy->to_child.length == 0)
		pass_end(proxy);
}

/* Wait until something can be done, and do it. A signal may have changed all
 * that a tick looks at, and the terminal may no longer be ours. */
static void
pass_on(struct proxy *proxy)
{
	struct pollfd set[WATCHED];

	if (event_now(CLOCK_MONOTONIC) >= proxy->next) {
		tick(proxy);
		proxy->next = event_now(CLOCK_MONOTONIC) + TICK * 1000000ULL;
	}
	int limit = proxy->looks || proxy->input_ended ||
				    proxy->outer->here != proxy->outer->is_raw
			    ? TICK
			    : -1;
	watch(proxy, set);
	if (poll(set, WATCHED, limit) == -1 && errno != EINTR)
		broken(proxy, "poll");
	if (set[SIGNALS].revents != 0 || set[KEYS].revents != 0) {
		take_signals(proxy, proxy->signals);
		take_signals(proxy, proxy->keys);
		proxy->next = 0;
		return;
	}
	if (set[INPUT].revents != 0)
		take_input(proxy);
	if (set[OUTPUT].revents != 0)
		pass_output(proxy);
	if (set[MASTER].revents != 0 && set[MASTER].events & POLLOUT)
		pass_input(proxy);
	if (set[MASTER].revents != 0 && set[MASTER].events & POLLIN)
		take_output(proxy);
	proxy->child_ended = set[CHILD].revents != 0;
}

/*
 * The child has ended, and what it has printed is all in the terminal. While
 * nobody reads it we wait, but a signal to us is now for us alone.
 */
static void
pass_the_rest(struct proxy *proxy)
{
	do {
		while (proxy->from_child.length > 0) {
			struct pollfd set[] = {watched(proxy->output, POLLOUT),
				watched(proxy->signals, POLLIN)};

			if (poll(set, 2, -1) == -1 && errno != EINTR)
				broken(proxy, "poll");
			if (take_signals(proxy, proxy->signals) > 0)
				return;
			if (set[0].revents != 0)
				pass_output(proxy);
		}
	} while (take_output(proxy));
}

/*
 * A write must not block us: while nobody reads, a signal must still be handed
 * on. To a pipe it does not when poll has found room (see ROOM), to a file
 * never; but a terminal may have less room than we want. O_NONBLOCK would hold
 * for all who have it open, the reader's shell among them, so it is opened
 * anew. Where that is not allowed (it is another user's), poll must do.
 */
static int
open_output(void)
{
	int fd = -1;

	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1",
			O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd == -1 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : fd;
}

static void
begin(struct proxy *proxy)
{
	sigset_t keys;
	int flags = fcntl(proxy->master, F_GETFL);

	if (flags == -1 ||
		fcntl(proxy->master, F_SETFL, flags | O_NONBLOCK) == -1)
		die("fcntl F_SETFL");
	proxy->output = open_output();
	if (proxy->output == -1)
		die("open standard output");
	proxy->pidfd = (int)syscall(SYS_pidfd_open, proxy->child.pid, 0);
	if (proxy->pidfd == -1)
		die("pidfd_open");
	proxy->signals = child_follow_signals();
	key_signals(&keys);
	proxy->keys = signalfd(-1, &keys, SFD_CLOEXEC | SFD_NONBLOCK);
	if (proxy->keys == -1)
		die("signalfd");
	if (sigprocmask(SIG_BLOCK, &keys, NULL) == -1)
		die("sigprocmask");
	proxy->outer = mmap(NULL, sizeof(*proxy->outer), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (proxy->outer == MAP_FAILED)
		die("mmap");
	proxy->outer->here = isatty(STDIN_FILENO);
	if (proxy->outer->here)
		proxy->helper = start_helper(proxy->outer);
	resize(proxy);
}

/* The terminal comes first, and the signals that could stop us last. */
static int
finish(struct proxy *proxy)
{
	int status;
	sigset_t keys;

	restore(proxy->outer);
	if (proxy->helper != 0 && child_end(proxy->helper) == -1)
		die("kill the helper process");
	if (waitpid(proxy->child.pid, &status, 0) == -1)
		die("waitpid %d", proxy->child.pid);
	munmap(proxy->outer, sizeof(*proxy->outer));
	close(proxy->keys);
	close(proxy->signals);
	close(proxy->pidfd);
	close(proxy->output);
	close(proxy->master);
	if (proxy->slave != -1)
		close(proxy->slave);
	key_signals(&keys);
	if (sigprocmask(SIG_UNBLOCK, &keys, NULL) == -1)
		die("sigprocmask");
	return child_followed_code(&proxy->child, status);
}

int
terminal_follow(pid_t pid, int master, bool is_init)
{
	struct proxy proxy = {
		.child = {.pid = pid, .is_init = is_init},
		.master = master,
		.slave = -1,
	};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction old;

	/* EPIPE says the same, and leaves us time to restore the terminal. */
	if (sigaction(SIGPIPE, &ignore, &old) == -1)
		die("sigaction SIGPIPE");
	begin(&proxy);
	while (!proxy.child_ended)
		pass_on(&proxy);
	pass_the_rest(&proxy);
	if (sigaction(SIGPIPE, &old, NULL) == -1)
		broken(&proxy, "sigaction SIGPIPE");
	return finish(&proxy);
}
