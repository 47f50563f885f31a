/* lesson02 clone-init: What does `runc run` make?
 *
 * Try:   sudo ./lesson02          sudo ./lesson02 bundle
 * See:   One system call makes five namespaces and the process that is in
 *        them. The container calls it PID 1, the host calls it by another PID.
 * Why:   A process has one PID in each PID namespace from its own up to the
 *        first. runc gets there by unshare and fork, as in lesson01; one
 *        clone3 does the same. Then come a root directory and exec.
 * Break: Take CLONE_NEWIPC away: its ipc line turns from "is new" to "is its
 *        parent's", and the container sees the host's message queues.
 * Shell: sudo unshare -muinpf chroot bundle/rootfs sh
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "child.h"
#include "die.h"
#include "display.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"

static const struct lesson lesson = {
	.number = "lesson02",
	.name = "clone-init",
	.question = "What does `runc run` make?",
	.operands = "[BUNDLE [COMMAND [ARGUMENT...]]]",
	.tool = "run COMMAND (or what config.json says) in BUNDLE",
	.steps = 3,
};

enum {
	NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			 CLONE_NEWPID | CLONE_NEWNET
};

/* Like fork(2): it returns twice, and 0 in the child. The child is born in
 * five new namespaces; cgroup, user and time are those of its parent. */
static pid_t
clone_init(int *pidfd)
{
	struct clone_args args = {
		.flags = NEW_NAMESPACES | CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	/* A seccomp filter older than clone3 answers ENOSYS; the older clone
	 * does the same. EPERM would be a real no. */
	if (pid == -1 && errno == ENOSYS)
		pid = (pid_t)syscall(SYS_clone,
			(unsigned long)NEW_NAMESPACES | CLONE_PIDFD | SIGCHLD,
			NULL, pidfd, NULL, 0);
	if (pid == -1)
		die("clone3 of five namespaces");
	return pid;
}

/* Five types are new, three are those of the parent: of this program. */
static void
five_are_new(const struct box *box)
{
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		if (!ns_exists(type)) {
			report_skip(type->name, "this kernel has none");
			continue;
		}
		struct ns_id host = ns_look(NS_SELF, type->name);
		struct ns_id container = ns_look(box->pid, type->name);

		if ((NEW_NAMESPACES & type->flag) != 0)
			report_other(host, container, "its %s namespace is new",
				type->name);
		else
			report_same(host, container,
				"its %s namespace is its parent's", type->name);
	}
	report_explain("clone(2), namespaces(7); /proc/%d/ns", box->pid);
}

static void
two_numbers(struct box *box)
{
	pid_t pids[PROC_LEVELS];
	int count = proc_nspids(box->pid, pids);
	char *ps = box_ask(box, "/bin/ps");

	if (count < 1)
		die("read /proc/%d/status", box->pid);
	report_host("host# grep NSpid /proc/%d/status", box->pid);
	report_host("NSpid: %d %d", pids[0], pids[count - 1]);
	report_container("container# /bin/ps");
	report_container("%s", ps);
	report_equal(2, count, "numbers in its NSpid line");
	report_equal(box->pid, pids[0], "the first: its PID on the host");
	report_equal(1, pids[count - 1], "the last: its PID in the container");
	report_equal(
		1, box_ask_number(box, "echo $$"), "echo $$ in the container");
	report_equal(2, display_lines(ps) - 1, "processes that ps lists");
	report_explain("NSpid: proc(5). Only PID 1 and ps are in the new PID"
		       " namespace.");
	free(ps);
}

/* A PID namespace has one PID 1. So it is one process if both sides mean the
 * same PID namespace; and its start time is a number that both can read. */
static void
one_process(struct box *box)
{
	long long inside = box_ask_number(box, "cut -d' ' -f22 /proc/1/stat");
	char *link = box_ask(box, "readlink /proc/1/ns/pid");
	unsigned long long outside;
	struct ns_id pid_ns = ns_look(box->pid, "pid");

	if (proc_start_time(box->pid, &outside) == -1)
		die("read /proc/%d/stat", box->pid);
	report_host("host# readlink /proc/%d/ns/pid", box->pid);
	report_host("pid:[%lu]", pid_ns.ino);
	report_host("host# cut -d' ' -f22 /proc/%d/stat", box->pid);
	report_host("%llu", outside);
	report_container("container# readlink /proc/1/ns/pid");
	report_container("%s", link);
	report_container("container# cut -d' ' -f22 /proc/1/stat");
	report_container("%lld", inside);
	report_equal((long long)outside, inside,
		"start time, clock ticks since boot");
	report_same(pid_ns, box_ns(box, 1, "pid"),
		"its PID namespace, from both sides");
	report_explain("Field 22 of stat is the start time: proc(5)");
	free(link);
}

/* With operands: `runc run` in its simplest form. */
static int
run_bundle(char **argv)
{
	struct bundle bundle = box_load(argv[0]);
	int parent = child_self(), pidfd;

	box_say_unapplied(&bundle);
	child_follow_begin();
	pid_t pid = clone_init(&pidfd);
	if (pid == 0) {
		child_begin(parent);
		box_init(&bundle, argv[1] == NULL ? NULL : argv + 1);
	}
	int code = child_follow(pid, true);
	bundle_free(&bundle);
	return code;
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);

	need_proc();
	need_privilege();
	need_namespaces(NEW_NAMESPACES);
	need_mount_proc();
	if (first < argc)
		return run_bundle(argv + first);

	char *dir = need_bundle();
	struct bundle bundle = box_load(dir);
	struct box box;
	char *shell[] = {"sh", NULL};
	report_begin(&lesson);

	report_step("A22", "One call makes a process in five new namespaces.");
	report_ask("clone3(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |\n"
		   "       CLONE_NEWPID | CLONE_NEWNET)");
	box_prepare(&box);
	box.pid = clone_init(&box.pidfd);
	if (box.pid == 0) {
		box_child(&box);
		box_init(&bundle, shell);
	}
	box_parent(&box);
	five_are_new(&box);

	report_step("A03 A05 A06", "The host's view and the container's view.");
	two_numbers(&box);

	report_step("A05", "Both views are of one and the same process.");
	one_process(&box);
	report_hold(box.pid);

	box_stop(&box);
	bundle_free(&bundle);
	free(dir);
	return report_end();
}
