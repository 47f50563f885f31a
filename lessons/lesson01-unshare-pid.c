/* lesson01 unshare-pid: Who enters a new PID namespace: caller or child?
 *
 * Try:   sudo ./lesson01          sudo ./lesson01 sh -c 'echo $$'
 * See:   unshare(CLONE_NEWPID) moves nobody. It changes one link of the caller,
 *        pid_for_children, and the next child of the caller is PID 1.
 * Why:   A PID never changes while a process lives. To enter a PID namespace
 *        would change it, so only who is born later can be in it.
 * Break: In run_command, exec in the parent too, without the fork: `echo $$`
 *        then prints a large number.
 * Shell: sudo unshare --pid --fork sh -c 'echo $$'
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "gate.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"

static const struct lesson lesson = {
	.number = "lesson01",
	.name = "unshare-pid",
	.question = "Who enters a new PID namespace: caller or child?",
	.operands = "[COMMAND [ARGUMENT...]]",
	.tool = "run COMMAND as PID 1 of a new PID namespace",
	.steps = 4,
};

/* Three actors: the host (this program), the caller of unshare, and the two
 * children of the caller. This is how they take turns. */
struct turns {
	struct gate unshare; /* host to caller: call unshare now */
	struct gate done;    /* caller to host: I have */
	struct gate fork;    /* host to caller: have two children now */
	struct gate forked;  /* caller to host: I have them */
	struct gate born[2]; /* each child to host: I am here */
};

/* What they tell each other, in memory that all of them share. */
struct news {
	pid_t fork_said[2];   /* to the caller */
	pid_t getpid_said[2]; /* to the child itself */
};

static void
make_turns(struct turns *turns)
{
	if (gate_make(&turns->unshare) == -1 || gate_make(&turns->done) == -1 ||
		gate_make(&turns->fork) == -1 ||
		gate_make(&turns->forked) == -1 ||
		gate_make(&turns->born[0]) == -1 ||
		gate_make(&turns->born[1]) == -1)
		die("pipe2");
}

static void
child(int which, int parent, struct news *news, struct turns *turns)
{
	child_begin(parent);
	news->getpid_said[which] = getpid();
	if (gate_open(&turns->born[which]) == -1)
		die("write gate");
	for (;;)
		pause();
}

static void
caller(int host, struct news *news, struct turns *turns)
{
	child_begin(host);
	int self = child_self();

	/* Without an answer, the host has ended and has said why. */
	if (gate_wait(&turns->unshare) == -1)
		_exit(DIE_FAILED);
	/* The caller: the new namespace is for its children, not for it. */
	if (unshare(CLONE_NEWPID) == -1)
		die("unshare CLONE_NEWPID");
	if (gate_open(&turns->done) == -1)
		die("write gate");

	/* Without an answer, the host has ended and has said why. */
	if (gate_wait(&turns->fork) == -1)
		_exit(DIE_FAILED);
	for (int i = 0; i < 2; i++) {
		/* The first to be born is PID 1 of the new namespace. */
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0)
			child(i, self, news, turns);
		news->fork_said[i] = pid;
		/* Only the child may hold it: its death must not go unseen. */
		gate_close(&turns->born[i]);
	}
	if (gate_open(&turns->forked) == -1)
		die("write gate");
	/* The host ends the children; the caller stays until they are gone. */
	while (wait(NULL) > 0)
		continue;
	_exit(0);
}

static void
before(pid_t pid)
{
	struct ns_id host = ns_look(NS_SELF, "pid");

	report_step("A06 A11", "The caller, before: an ordinary process.");
	report_host("host# readlink /proc/%d/ns/pid", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid").ino);
	report_host("host# readlink /proc/%d/ns/pid_for_children", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid_for_children").ino);
	report_same(host, ns_look(pid, "pid"),
		"the caller's PID namespace is the host's");
	report_same(host, ns_look(pid, "pid_for_children"),
		"its children would be born there, too");
	report_explain("The links: namespaces(7). Same (device, inode), same"
		       " namespace.");
}

/* The namespace for children can be named only when it has a PID 1: before
 * that the kernel answers ENOENT. */
static void
after_unshare(pid_t pid, struct turns *turns)
{
	struct ns_id host = ns_look(NS_SELF, "pid"), none;

	report_step("A06", "The caller asks for a new PID namespace.");
	report_ask("caller: unshare(CLONE_NEWPID)");
	if (gate_open(&turns->unshare) == -1 || gate_wait(&turns->done) == -1)
		die("wait for the caller");
	int error = ns_get(pid, "pid_for_children", &none) == -1 ? errno : 0;

	report_host("host# readlink /proc/%d/ns/pid", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid").ino);
	report_host("host# readlink /proc/%d/ns/pid_for_children", pid);
	report_host("expected: ENOENT, because nobody is PID 1 in it yet");
	report_same(host, ns_look(pid, "pid"), "the caller has not moved");
	report_error(ENOENT, error, "no PID 1 yet: its link leads nowhere");
	report_explain("unshare(2), pid_namespaces(7)");
}

static void
after_fork(pid_t pid, const struct news *news, struct turns *turns)
{
	pid_t numbers[PROC_LEVELS];

	report_step("A06", "The caller has two children.");
	report_ask("caller: fork(), and fork() again");
	if (gate_open(&turns->fork) == -1 || gate_wait(&turns->forked) == -1 ||
		gate_wait(&turns->born[0]) == -1 ||
		gate_wait(&turns->born[1]) == -1)
		die("wait for the children");
	struct ns_id new = ns_look(pid, "pid_for_children");

	for (int i = 0; i < 2; i++) {
		pid_t child_pid = news->fork_said[i];
		int count = proc_nspids(child_pid, numbers);

		if (count == -1)
			die("read /proc/%d/status", child_pid);
		report_host("caller: fork() returned %d", child_pid);
		report_container(
			"child: getpid() said %d", news->getpid_said[i]);
		report_equal(i + 1, news->getpid_said[i],
			"child %d calls itself", i + 1);
		report_equal(i + 1, numbers[count - 1],
			"the last number in its NSpid line");
		report_same(new, ns_look(child_pid, "pid"),
			"child %d is in the caller's new one", i + 1);
	}
	report_other(ns_look(NS_SELF, "pid"), new,
		"the new namespace is not the host's");
	report_explain("NSpid in /proc/PID/status lists all PIDs of a process:"
		       " proc(5)");
}

/* Whoever looks at the process that called unshare sees the host. */
static void
the_trap(pid_t pid, const struct news *news)
{
	report_step("A06 A10", "The trap: whom do we ask, caller or child?");
	report_host("host# readlink /proc/%d/ns/pid", pid);
	report_host("pid:[%lu]", ns_look(pid, "pid").ino);
	report_host("   the caller of unshare");
	report_container("host# readlink /proc/%d/ns/pid", news->fork_said[0]);
	report_container("pid:[%lu]", ns_look(news->fork_said[0], "pid").ino);
	report_container("   its child");
	report_same(ns_look(NS_SELF, "pid"), ns_look(pid, "pid"),
		"the caller is in the host's");
	report_other(ns_look(NS_SELF, "pid"),
		ns_look(news->fork_said[0], "pid"), "its child is not");
	report_hold(news->fork_said[0]);
}

/* With operands: what `unshare --pid --fork COMMAND` does. */
static int
run_command(char **argv)
{
	int parent = child_self();

	child_follow_begin();
	if (unshare(CLONE_NEWPID) == -1)
		die("unshare CLONE_NEWPID");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		child_exec(argv);
	}
	/* Not exit(3): what runs there may want a thread, and none can be made
	 * by a process whose children are born in another PID namespace. */
	_exit(child_follow(pid, true));
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);
	struct turns turns;
	struct news *news;

	need_proc();
	need_privilege();
	need_namespaces(CLONE_NEWPID);
	if (first < argc)
		return run_command(argv + first);

	report_begin(&lesson);
	news = mmap(NULL, sizeof(*news), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (news == MAP_FAILED)
		die("mmap");
	make_turns(&turns);
	int host = child_self();

	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		caller(host, news, &turns);
	before(pid);
	after_unshare(pid, &turns);
	after_fork(pid, news, &turns);
	the_trap(pid, news);

	/* The death of PID 1 ends the other child; then the caller ends. */
	if (kill(news->fork_said[0], SIGKILL) == -1)
		die("kill %d", news->fork_said[0]);
	if (child_wait(pid) != 0)
		die_plain(DIE_FAILED, "the caller has failed");
	close(host);
	return report_end();
}
