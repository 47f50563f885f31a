/*
 * terminal: the smallest runner. It runs a command on a terminal of its own
 * devpts, which has a /dev of its own; all else is the host's.
 *
 *	terminal [--init] [--console] [--size=ROWSxCOLUMNS] [--owner=UID]
 *		[--without=devpts|ptmx] COMMAND...
 *
 * --init: the command is PID 1 of a PID namespace. --without: /dev/pts is
 * another file system, or another file is mounted on its ptmx.
 * Exits as the command does, or with 99 when it has left something behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "host.h"
#include "need.h"
#include "terminal.h"

enum { LEFT_BEHIND = 99 };

struct wish {
	bool init, console;
	unsigned short rows, columns;
	uid_t owner;
	const char *without;
	char **command;
};

static void
read_options(struct wish *wish, int argc, char **argv)
{
	static const struct option options[] = {
		{"init", no_argument, NULL, 'i'},
		{"console", no_argument, NULL, 'c'},
		{"size", required_argument, NULL, 's'},
		{"owner", required_argument, NULL, 'o'},
		{"without", required_argument, NULL, 'w'}, {0}};
	int found;
	char *rest;

	while ((found = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (found) {
		case 'i':
			wish->init = true;
			break;
		case 'c':
			wish->console = true;
			break;
		case 's':
			wish->rows = (unsigned short)strtoul(optarg, &rest, 10);
			wish->columns =
				(unsigned short)strtoul(rest + 1, NULL, 10);
			break;
		case 'o':
			wish->owner = (uid_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			wish->without = optarg;
			break;
		default:
			exit(DIE_USAGE);
		}
	wish->command = argv + optind;
	if (wish->command[0] == NULL)
		die_plain(DIE_USAGE, "which command?");
}

/* The host's device, opened before its folder is covered. */
static void
bind_device(int device, const char *path)
{
	char *from;

	if (asprintf(&from, "/proc/self/fd/%d", device) == -1)
		die("malloc");
	if (mknod(path, S_IFREG | 0666, 0) == -1)
		die("mknod %s", path);
	if (mount(from, path, NULL, MS_BIND, NULL) == -1)
		die("mount %s", path);
	free(from);
	close(device);
}

static bool
is_without(const struct wish *wish, const char *what)
{
	return wish->without != NULL && strcmp(wish->without, what) == 0;
}

static void
make_dev(const struct wish *wish)
{
	int null = open("/dev/null", O_PATH | O_CLOEXEC);
	int tty = open("/dev/tty", O_PATH | O_CLOEXEC);

	if (null == -1 || tty == -1)
		die("open /dev/null and /dev/tty");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount private");
	if (mount("tmpfs", "/dev", "tmpfs", 0, "mode=755") == -1)
		die("mount tmpfs");
	bind_device(null, "/dev/null");
	bind_device(tty, "/dev/tty");
	if (mkdir("/dev/pts", 0755) == -1)
		die("mkdir /dev/pts");
	if (!is_without(wish, "devpts") &&
		mount("devpts", "/dev/pts", "devpts", 0,
			"newinstance,ptmxmode=0666,mode=620") == -1)
		die("mount devpts");
	if (is_without(wish, "ptmx") &&
		mount("/dev/null", "/dev/pts/ptmx", NULL, MS_BIND, NULL) == -1)
		die("mount on ptmx");
}

static void
container(const struct wish *wish, int parent, int socket)
{
	child_begin(parent);
	make_dev(wish);
	int slave =
		terminal_open(socket, wish->rows, wish->columns, wish->console);
	if (setsid() == -1)
		die("setsid");
	terminal_take(slave, wish->owner);
	child_close_fds();
	child_exec(wish->command);
}

static int
run(const struct wish *wish)
{
	unsigned long flags = CLONE_NEWNS | (wish->init ? CLONE_NEWPID : 0);
	int parent = child_self(), fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		die("socketpair");
	child_follow_begin();
	pid_t pid =
		(pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid == -1)
		die("clone");
	if (pid == 0)
		container(wish, parent, fd[1]);
	close(parent);
	close(fd[1]);
	int master = terminal_receive(fd[0]);
	close(fd[0]);
	if (master == -1)
		return child_wait(pid);
	return terminal_follow(pid, master, wish->init);
}

int
main(int argc, char **argv)
{
	struct wish wish = {0};
	struct host before, after;

	/* As options_parse does: a closed stream would be our next file. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 &&
			open("/dev/null", O_WRONLY) == -1)
			_exit(DIE_FAILED);
	read_options(&wish, argc, argv);
	need_privilege();
	if (host_take(&before, 0) == -1)
		die("host_take");
	int code = run(&wish);
	if (host_take(&after, 0) == -1)
		die("host_take");
	char *changes = host_difference(&before, &after);
	if (changes != NULL)
		die_plain(LEFT_BEHIND, "%s", changes);
	host_free(&before);
	host_free(&after);
	return code;
}
