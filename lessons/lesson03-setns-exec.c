/* lesson03 setns-exec: What does `runc exec` do? It makes no namespace.
 *
 * Try:   sudo ./lesson03          sudo ./lesson03 -t PID -a sh
 * See:   A process joins the namespaces of a container's init, has a child,
 *        and the child becomes the command. All eight identities are equal.
 * Why:   `exec` is setns(2), fork(2) and execve(2). The fork is needed for the
 *        PID namespace: a process cannot change its own PID (lesson01).
 * Break: In run_command, skip the fork: ps in the container does not show the
 *        command.
 * Shell: sudo nsenter -t PID -a sh
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "child.h"
#include "die.h"
#include "gate.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"

static const char *target;
static bool all;

static const struct option_entry own_options[] = {
	{'t', "target", "PID", "a process of the container", NULL, &target},
	{'a', "all", NULL, "all its namespaces (always so)", &all, NULL},
	{0, NULL, NULL, NULL, NULL, NULL},
};

static const struct lesson lesson = {
	.number = "lesson03",
	.name = "setns-exec",
	.question = "What does `runc exec` do? It makes no namespace.",
	.operands = "[-t PID [-a] [COMMAND [ARGUMENT...]]]",
	.tool = "run COMMAND (or sh) in the namespaces of the process PID",
	.steps = 4,
	.own = own_options,
};

/* The types in which a process is elsewhere than we. To join one's own user
 * namespace once more is an error, so we ask for no more than these. */
static int
different(pid_t pid)
{
	int flags = 0;

	for (int i = 0; i < NS_TYPES; i++) {
		struct ns_id ours, theirs;

		if (ns_get(NS_SELF, ns_types[i].name, &ours) == -1)
			continue;
		if (ns_get(pid, ns_types[i].name, &theirs) == -1)
			die("stat /proc/%d/ns/%s", pid, ns_types[i].name);
		if (!ns_same(ours, theirs))
			flags |= ns_types[i].flag;
	}
	return flags;
}

/* Before Linux 5.8: link by link. All are opened first, because our /proc is
 * gone as soon as the mount namespace is joined. The user namespace comes
 * first: it gives the right to join the others. */
static void
enter_by_links(pid_t pid, int flags)
{
	int fds[NS_TYPES];

	for (int i = 0; i < NS_TYPES; i++) {
		char *path = ns_path(pid, ns_types[i].name);

		fds[i] = -1;
		if ((flags & ns_types[i].flag) != 0)
			fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if ((flags & ns_types[i].flag) != 0 && fds[i] == -1)
			die("open %s", path);
		free(path);
	}
	for (int user = 1; user >= 0; user--)
		for (int i = 0; i < NS_TYPES; i++) {
			const struct ns_type *type = &ns_types[i];

			if (fds[i] == -1 ||
				(type->flag == CLONE_NEWUSER) != user)
				continue;
			if (setns(fds[i], type->flag) == -1)
				die("setns %s of %d", type->name, pid);
			close(fds[i]);
		}
}

static void
enter(int pidfd, pid_t pid, int flags)
{
	/* Older kernels have no pidfd (EBADF here) or cannot join by it. */
	if (setns(pidfd, flags) == -1) {
		if (errno != EINVAL && errno != EBADF)
			die("setns to all namespaces of %d", pid);
		enter_by_links(pid, flags);
	}
	/* In another user namespace we are its root, if it has one. */
	if ((flags & CLONE_NEWUSER) != 0 &&
		(setgid(0) == -1 || setuid(0) == -1) && errno != EINVAL)
		die("setuid 0");
}

/* How the host and the process that joins take turns. */
struct turns {
	struct gate joined; /* to the host: setns is done */
	struct gate fork;   /* from the host: now have a child */
	int news[2];	    /* to the host: the PID of the child; the pipe is
			       closed when the child has become the command */
};

static void
joiner(int host, const struct box *box, struct turns *turns)
{
	char *top[] = {"top", "-b", NULL};

	child_begin(host);
	int self = child_parent();

	enter(box->pidfd, box->pid, different(box->pid));
	if (gate_open(&turns->joined) == -1 || gate_wait(&turns->fork) == -1)
		die("take turns with the host");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

		child_begin(self);
		if (dup2(nothing, STDIN_FILENO) == -1 ||
			dup2(nothing, STDOUT_FILENO) == -1)
			die("dup2");
		child_exec(top);
	}
	if (write(turns->news[1], &pid, sizeof(pid)) == -1)
		die("write");
	close(turns->news[1]);
	_exit(child_wait(pid) == -1);
}

/* Compare, link by link, with the container's init. */
static void
compare_with_init(pid_t pid, pid_t init, bool pid_too)
{
	int types = 0, equal = 0;

	for (int i = 0; i < NS_TYPES; i++) {
		struct ns_id ours, its;

		if (ns_get(init, ns_types[i].name, &its) == -1 ||
			(!pid_too && ns_types[i].flag == CLONE_NEWPID))
			continue;
		if (ns_get(pid, ns_types[i].name, &ours) == -1)
			die("stat /proc/%d/ns/%s", pid, ns_types[i].name);
		types++;
		equal += ns_same(ours, its);
	}
	report_equal(types, equal,
		pid_too ? "of its eight namespaces, init's are"
			: "of the seven without pid, init's are");
}

static struct ns_id
look(pid_t pid, const char *link)
{
	struct ns_id id;

	if (ns_get(pid, link, &id) == -1)
		die("stat /proc/%d/ns/%s", pid, link);
	return id;
}

/* How many lines of a text hold a word. */
static int
count_lines(const char *text, const char *word)
{
	char *copy = strdup(text), *rest, *line;
	int count = 0;

	if (copy == NULL)
		die("malloc");
	for (line = strtok_r(copy, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		count += strstr(line, word) != NULL;
	free(copy);
	return count;
}

static void
before(struct box *box)
{
	char *ps = box_ask(box, "/bin/ps -ef");

	report_step(
		"A15 A20", "A container runs; its init is the only process.");
	report_host("host# readlink /proc/%d/ns/pid", box->pid);
	report_host("pid:[%lu]", look(box->pid, "pid").ino);
	report_container("container# /bin/ps -ef");
	report_container("%s", ps);
	report_equal(2, count_lines(ps, "/bin/"),
		"processes in it: sh, and ps itself");
	free(ps);
}

static void
after_setns(const struct box *box, pid_t joiner_pid, struct turns *turns)
{
	report_step("A19 A22", "A process of the host joins them all at once.");
	report_ask("setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |\n"
		   "      CLONE_NEWPID | CLONE_NEWNET)");
	if (gate_wait(&turns->joined) == -1)
		die("wait for the process that joins");
	report_host("host# readlink /proc/%d/ns/pid", joiner_pid);
	report_host("pid:[%lu]", look(joiner_pid, "pid").ino);
	report_container("host# readlink .../ns/pid_for_children");
	report_container("pid:[%lu]", look(joiner_pid, "pid_for_children").ino);
	compare_with_init(joiner_pid, box->pid, false);
	report_same(look(NS_SELF, "pid"), look(joiner_pid, "pid"),
		"its PID namespace is still the host's");
	report_same(look(box->pid, "pid"), look(joiner_pid, "pid_for_children"),
		"a child would be in the container's");
	report_explain("setns(2): by pidfd since Linux 5.8, else link by link");
}

/* Returns the PID of the command, which is `top -b`. */
static pid_t
after_exec(const struct box *box, struct turns *turns)
{
	pid_t pid, pids[PROC_LEVELS];

	report_step("A19 A22", "It has a child, and the child becomes top -b.");
	report_ask("fork(); in the child: execve(\"/bin/top\", ...)");
	if (gate_open(&turns->fork) == -1 ||
		read(turns->news[0], &pid, sizeof(pid)) != sizeof(pid) ||
		child_wait_exec(turns->news[0]) == -1)
		die("wait for the command");
	int count = proc_nspids(pid, pids);
	if (count == -1)
		die("read /proc/%d/status", pid);
	report_host("host# readlink /proc/%d/ns/pid", pid);
	report_host("pid:[%lu]", look(pid, "pid").ino);
	report_container("host# grep NSpid /proc/%d/status", pid);
	report_container("NSpid: %d %d", pids[0], pids[count - 1]);
	compare_with_init(pid, box->pid, true);
	report_same(look(box->pid, "pid"), look(pid, "pid"),
		"top is in the container's PID namespace");
	report_equal(2, count, "so top has this many PIDs");
	return pid;
}

static void
both_inside(struct box *box, pid_t top)
{
	char *ps = box_ask(box, "/bin/ps -ef");
	pid_t pids[PROC_LEVELS];
	int count = proc_nspids(top, pids);
	char *line;

	if (count == -1)
		die("read /proc/%d/status", top);
	report_step("A20 A21", "Inside, both have small PIDs.");
	report_host("host# grep NSpid /proc/%d/status", top);
	report_host("NSpid: %d %d", pids[0], pids[count - 1]);
	report_container("container# /bin/ps -ef");
	report_container("%s", ps);
	report_equal(
		1, count_lines(ps, "/bin/sh"), "lines of ps with the init");
	report_equal(1, count_lines(ps, "top -b"), "lines of ps with top");
	line = strstr(ps, "top -b");
	while (line != NULL && line > ps && line[-1] != '\n')
		line--;
	report_equal(pids[count - 1], line == NULL ? 0 : strtol(line, NULL, 10),
		"ps and NSpid agree on the PID of top");
	free(ps);
}

/* With operands: what `nsenter -t PID -a COMMAND` does. */
static int
run_command(char **argv)
{
	pid_t pid = options_pid(&lesson, target);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char *shell[] = {"sh", NULL};

	if (pidfd == -1 && errno != ENOSYS)
		die("pidfd_open %d", pid);
	if (proc_state(pid) == 'Z')
		die_plain(DIE_FAILED,
			"%d is a zombie: it has ended, and is in"
			" no namespace any more",
			pid);
	int parent = child_parent();
	child_follow_begin();
	enter(pidfd, pid, different(pid));
	pid_t child = fork();
	if (child == -1)
		die("fork");
	if (child == 0) {
		child_begin(parent);
		child_exec(argv[0] == NULL ? shell : argv);
	}
	return child_follow(child);
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);

	need_proc();
	if (target != NULL)
		return run_command(argv + first);
	if (first < argc)
		options_wrong(&lesson, "`%s`: which container? Give -t PID",
			argv[first]);
	need_privilege();
	need_namespaces(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWPID | CLONE_NEWNET);
	need_mount_proc();
	report_begin(&lesson);

	struct turns turns;
	struct box box;
	box_start_default(&box);
	before(&box);

	if (gate_make(&turns.joined) == -1 || gate_make(&turns.fork) == -1 ||
		pipe2(turns.news, O_CLOEXEC) == -1)
		die("pipe2");
	int host = child_parent();
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		joiner(host, &box, &turns);
	close(turns.news[1]);
	after_setns(&box, pid, &turns);
	pid_t top = after_exec(&box, &turns);
	both_inside(&box, top);
	report_hold(top);

	/* The end of its init ends the container, and top with it. */
	box_stop(&box);
	if (child_wait(pid) == -1)
		die("waitpid %d", pid);
	close(turns.news[0]);
	close(host);
	return report_end();
}
