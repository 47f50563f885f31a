/* lesson03 setns-exec: What does `runc exec` do?
 *
 * Try:   sudo ./lesson03          sudo ./lesson03 -t PID -a sh
 * See:   A process joins the namespaces of a container's init, has a child,
 *        and the child becomes the command. All eight identities are equal.
 * Why:   It is setns(2), fork(2) and execve(2); no namespace is made. The fork
 *        is for the PID namespace: nobody changes his own PID (lesson01).
 * Break: In run_command, skip the fork: ps in the container does not show the
 *        command.
 * Shell: sudo nsenter -t PID -a sh
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "child.h"
#include "die.h"
#include "display.h"
#include "gate.h"
#include "idmap.h"
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
	.question = "What does `runc exec` do?",
	.operands = "[-t PID [-a] [COMMAND [ARGUMENT...]]]",
	.tool = "run COMMAND (or sh) in the namespaces of the process PID",
	.steps = 4,
	.own = own_options,
};

/* Link by link, as runc does. All are opened first: when the mount namespace
 * is joined, our /proc is gone. The user namespace is joined first: it gives
 * the right to join the others. */
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

/*
 * Join the namespaces of a process. A pidfd stands for the process, so it
 * cannot be mistaken for a later one with the same PID; -1 on a kernel that
 * has none. With the mount namespace, our root and working directory become
 * those of the container.
 * Returns whether the pidfd did it.
 */
static bool
enter(int pidfd, pid_t pid, int flags)
{
	bool by_pidfd = setns(pidfd, flags) == 0;

	/* Before Linux 5.8 it is EINVAL; for a pidfd of -1, EBADF. */
	if (!by_pidfd && errno != EINVAL && errno != EBADF)
		die("setns to all namespaces of %d", pid);
	if (!by_pidfd)
		enter_by_links(pid, flags);
	if ((flags & CLONE_NEWUSER) != 0)
		idmap_become_root();
	return by_pidfd;
}

/* How the host and the process that joins take turns. */
struct turns {
	struct gate fork; /* from the host: now have a child */
	/*
	 * To the host: first whether a pidfd was used, when setns is done; then
	 * the PID of the child. The pipe is closed when the child has become
	 * the command, because the child's end is close-on-exec.
	 */
	int news[2];
};

static void
command(int parent)
{
	char *top[] = {"/bin/top", "-b", NULL};
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	child_begin(parent);
	if (nothing == -1)
		die("open /dev/null");
	if (dup2(nothing, STDIN_FILENO) == -1 ||
		dup2(nothing, STDOUT_FILENO) == -1)
		die("dup2");
	child_exec(top);
}

static void
joiner(int host, const struct box *box, struct turns *turns)
{
	child_begin(host);
	int self = child_self();

	bool by_pidfd = enter(box->pidfd, box->pid, ns_different(box->pid));
	if (write(turns->news[1], &by_pidfd, sizeof(by_pidfd)) == -1)
		die("write news");
	/* Without an answer, the host has ended and has said why. */
	if (gate_wait(&turns->fork) == -1)
		_exit(DIE_FAILED);
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		command(self);
	if (write(turns->news[1], &pid, sizeof(pid)) == -1)
		die("write news");
	if (close(turns->news[1]) == -1)
		die("close");
	_exit(child_wait(pid) == -1);
}

/* How many of its namespaces a process shares with the container's init; pid
 * is counted only if that is asked. */
static int
shared_with_init(pid_t pid, pid_t init, bool pid_too)
{
	int shared = 0;

	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		if (!ns_exists(type) ||
			(!pid_too && type->flag == CLONE_NEWPID))
			continue;
		shared += ns_same(
			ns_look(init, type->name), ns_look(pid, type->name));
	}
	return shared;
}

static void
before(struct box *box)
{
	char *ps = box_ask(box, "/bin/ps -ef");

	report_step(
		"A15 A20", "A container runs; its init is the only process.");
	report_host("host# readlink /proc/%d/ns/pid", box->pid);
	report_host("pid:[%lu]", ns_look(box->pid, "pid").ino);
	report_container("container# /bin/ps -ef");
	report_container("%s", ps);
	report_equal(2, display_lines(ps) - 1,
		"processes that ps lists: sh and ps itself");
	free(ps);
}

/* The call, with the types in which the container differs from us. */
static void
ask_setns(bool by_pidfd, int flags)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("open_memstream");
	fprintf(out, by_pidfd ? "setns(pidfd," : "setns(link, flag) for each:");
	for (int i = 0; i < NS_TYPES; i++)
		if ((flags & ns_types[i].flag) != 0)
			fprintf(out, " %s", ns_types[i].macro + 6);
	if (fclose(out) == EOF)
		die("malloc");
	report_ask("%s%s", text, by_pidfd ? ")" : "");
	free(text);
}

static void
after_setns(const struct box *box, pid_t pid, struct turns *turns)
{
	bool by_pidfd;

	report_step("A19 A22", "A process of the host joins its namespaces.");
	if (read(turns->news[0], &by_pidfd, sizeof(by_pidfd)) !=
		sizeof(by_pidfd))
		die_plain(DIE_FAILED, "the process that joins has ended");
	ask_setns(by_pidfd, ns_different(box->pid));
	report_host("host# readlink /proc/%d/ns/pid", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid").ino);
	report_host("host# readlink /proc/%d/ns/pid_for_children", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid_for_children").ino);
	report_equal(ns_count() - 1, shared_with_init(pid, box->pid, false),
		"apart from pid, shared with the init");
	report_same(ns_look(NS_SELF, "pid"), ns_look(pid, "pid"),
		"its PID namespace is still the host's");
	report_same(ns_look(box->pid, "pid"), ns_look(pid, "pid_for_children"),
		"a child of it would be in the container's");
	report_explain("setns(2): a pidfd will do since Linux 5.8");
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
		die_plain(DIE_FAILED, "the process that joins has ended");
	int count = proc_nspids(pid, pids);
	if (count == -1)
		die("read /proc/%d/status", pid);
	report_host("host# readlink /proc/%d/ns/pid", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid").ino);
	report_container("host# grep NSpid /proc/%d/status", pid);
	report_container("NSpid: %d %d", pids[0], pids[count - 1]);
	report_equal(ns_count(), shared_with_init(pid, box->pid, true),
		"its namespaces, shared with the init");
	report_same(ns_look(box->pid, "pid"), ns_look(pid, "pid"),
		"among them the PID namespace");
	report_equal(2, count, "numbers in its NSpid line");
	return pid;
}

static void
both_inside(struct box *box, pid_t top)
{
	char *ps = box_ask(box, "/bin/ps -ef");
	pid_t pids[PROC_LEVELS];
	int count = proc_nspids(top, pids);

	if (count == -1)
		die("read /proc/%d/status", top);
	report_step("A20 A21", "Inside, both have PIDs of the container.");
	report_host("host# grep NSpid /proc/%d/status", top);
	report_host("NSpid: %d %d", pids[0], pids[count - 1]);
	report_container("container# /bin/ps -ef");
	report_container("%s", ps);
	report_equal(3, display_lines(ps) - 1,
		"processes that ps lists: sh, top, ps");
	report_equal(pids[count - 1], box_ask_number(box, "pidof top"),
		"the container's pidof top, and NSpid");
	report_equal(1, box_ask_number(box, "echo $$"), "the init's own $$");
	free(ps);
}

/* With operands: what `nsenter -t PID -a COMMAND` does. */
static int
run_command(char **argv)
{
	pid_t pid = options_pid(&lesson, target);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char *shell[] = {"/bin/sh", NULL};

	if (pidfd == -1 && errno != ENOSYS)
		die("pidfd_open %d", pid);
	if (proc_state(pid) == 'Z')
		die_plain(DIE_FAILED,
			"%d is a zombie: it has ended, and most"
			" of its namespaces are gone",
			pid);
	int parent = child_self();
	child_follow_begin();
	int flags = ns_different(pid);
	/* If it has ended meanwhile, its PID may be another process's now. */
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	if (poll(&ended, 1, 0) != 0)
		die_plain(DIE_FAILED, "%d has ended", pid);
	enter(pidfd, pid, flags);
	pid_t child = fork();
	if (child == -1)
		die("fork");
	if (child == 0) {
		child_begin(parent);
		child_close_fds();
		child_exec(argv[0] == NULL ? shell : argv);
	}
	/* Not exit(3): what runs there may want a thread, and none can be made
	 * by a process whose children are born in another PID namespace. */
	_exit(child_follow(child, false));
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

	if (gate_make(&turns.fork) == -1 || pipe2(turns.news, O_CLOEXEC) == -1)
		die("pipe2");
	int host = child_self();
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		joiner(host, &box, &turns);
	/* While we held it, too, we would never see it closed. */
	if (close(turns.news[1]) == -1)
		die("close news");
	after_setns(&box, pid, &turns);
	pid_t top = after_exec(&box, &turns);
	both_inside(&box, top);
	report_hold(top);

	/* The end of its init ends the container, and top with it. */
	box_stop(&box);
	if (child_wait(pid) == -1 && errno != ECHILD)
		die("waitpid %d", pid);
	close(turns.news[0]);
	close(host);
	return report_end();
}
