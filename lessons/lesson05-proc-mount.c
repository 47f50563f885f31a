/* lesson05 proc-mount: Why does `ps` inside see so little?
 *
 * Try:   sudo ./lesson05          sudo ./lesson05 ps -ef
 * See:   Under the old /proc, a process in a new PID namespace sees the whole
 *        host. Under a /proc that is mounted inside, it sees itself and ps.
 * Why:   ps reads /proc, and a /proc shows the PID namespace of the process
 *        that mounted it. The namespace hides nothing from an old /proc.
 * Break: Leave out mount_proc in run_command: `ps` shows the whole host. But
 *        never leave out make_private: where / is shared, as systemd makes it,
 *        the host loses its /proc. Step 5 does that to a host we only play.
 * Shell: sudo unshare --pid --fork --mount-proc ps -ef
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "box.h"
#include "child.h"
#include "die.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"

static const struct lesson lesson = {
	.number = "lesson05",
	.name = "proc-mount",
	.question = "Why does `ps` inside see so little?",
	.operands = "[COMMAND [ARGUMENT...]]",
	.tool = "run COMMAND in new PID and mount namespaces, with its own /proc",
	.steps = 5,
};

/* Without this, what is mounted below would be mounted on the host as well,
 * wherever / is shared (mount_namespaces(7)). */
static void
make_private(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount / private");
}

/* Must be called by a process that is in the new PID namespace: the caller's
 * own PID namespace is what the new /proc will show. */
static void
mount_proc(void)
{
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    NULL) == -1)
		die("mount proc on /proc");
}

/* A shell that is PID 1 of a new PID namespace, in a new mount namespace but
 * with the host's files; under the old /proc or under a new one. */
static void
start_shell(struct box *box, const char *busybox, bool new_proc)
{
	if (box_fork(box, CLONE_NEWPID | CLONE_NEWNS) == 0) {
		make_private();
		if (new_proc)
			mount_proc();
		execl(busybox, "sh", NULL);
		die("exec %s", busybox);
	}
	box_parent(box);
}

/* It sees the processes of the host, but their PIDs mean nothing to it. */
static void
old_proc(struct box *box)
{
	pid_t self = getpid();
	char *ps = box_ask(box, "ps | wc -l");
	char *refused = box_ask(box, "kill -0 %d", self);

	report_step("A13 A16",
		"A new PID namespace on the host's files, under the old /proc.");
	report_host("host# readlink /proc/%d/ns/pid", self);
	report_host("pid:[%lu]", ns_look(self, "pid").ino);
	report_container("container# readlink /proc/%d/ns/pid", self);
	report_container("pid:[%lu]", box_ns(box, self, "pid").ino);
	report_host("container# ps | wc -l");
	report_host("%s", ps);
	report_host("container# kill -0 %d", self);
	report_host("%s", refused);
	report_equal(1, box_ask_number(box, "echo $$"), "echo $$ in it");
	report_same(ns_look(self, "pid"), box_ns(box, self, "pid"),
		"it sees this program of the host: pid");
	if (self == 1)
		report_skip("but kill finds no such process",
			"PID 1 is there, too");
	else
		report_equal(1, strstr(refused, "No such process") != NULL,
			"but kill finds no such process (1: yes)");
	free(ps);
	free(refused);
}

static void
new_proc(struct box *box)
{
	char *ps = box_ask(box, "ps");

	report_step(
		"A03 A16", "The same, under a /proc that is mounted inside.");
	report_ask("mount(\"proc\", \"/proc\", \"proc\", ...)");
	report_host("host# ls -d /proc/%d", getpid());
	report_host("/proc/%d", getpid());
	report_container("container# ps");
	report_container("%s", ps);
	report_equal(1, box_ask_number(box, "set -- /proc/[0-9]*; echo $#"),
		"numbered folders in /proc: the shell only");
	if (getpid() == 1)
		report_skip(
			"it does not see this program", "PID 1 is there, too");
	else
		report_equal(1,
			box_ask_number(
				box, "test -d /proc/%d; echo $?", getpid()),
			"test -d /proc/PID of this program: exit");
	report_explain("proc(5), pid_namespaces(7), section /proc");
	free(ps);
}

/* The folder of one process, under its two names. */
static void
same_links(struct box *box)
{
	int equal = 0;
	char *inside = box_ask(box, "readlink /proc/1/ns/pid");

	report_step("A13", "/proc/1/ns inside is /proc/PID/ns outside.");
	report_host("host# readlink /proc/%d/ns/pid", box->pid);
	report_host("pid:[%lu]", ns_look(box->pid, "pid").ino);
	report_container("container# readlink /proc/1/ns/pid");
	report_container("%s", inside);
	for (int i = 0; i < NS_TYPES; i++) {
		const char *link = ns_types[i].name;

		equal += ns_exists(&ns_types[i]) &&
			 ns_same(ns_look(box->pid, link), box_ns(box, 1, link));
	}
	report_equal(ns_count(), equal, "of %d types, equal inside and outside",
		ns_count());
	report_hold(box->pid);
	free(inside);
}

/* How many mounts lie on /proc itself, in our own mount namespace. */
static int
mounts_on_proc(void)
{
	char *text = proc_read(NS_SELF, "mountinfo"), *at = text;
	int count = 0;

	if (text == NULL)
		die("open /proc/self/mountinfo");
	while ((at = strstr(at, " /proc ")) != NULL) {
		at++;
		count++;
	}
	free(text);
	return count;
}

static void
host_keeps_its_own(struct box *box, int before)
{
	report_step("", "The host's /proc is as it was.");
	report_host("host# grep -c ' /proc ' /proc/self/mountinfo");
	report_host("%d", mounts_on_proc());
	report_host("container# grep -c ' /proc ' /proc/self/mountinfo");
	report_host("%lld",
		box_ask_number(box, "grep -c ' /proc ' /proc/self/mountinfo"));
	report_equal(before, mounts_on_proc(),
		"mounts on the host's /proc, as before");
	report_equal(before + 1,
		box_ask_number(box, "grep -c ' /proc ' /proc/self/mountinfo"),
		"mounts on /proc in it: one more");
}

/* PID 1 of a new PID namespace mounts its /proc and ends. */
static void
mounter(int parent, bool careful)
{
	child_begin(parent);
	if (unshare(CLONE_NEWNS) == -1)
		die("unshare CLONE_NEWNS");
	if (careful)
		make_private();
	mount_proc();
	_exit(0);
}

/* A host to play with: a mount namespace whose / is shared, as systemd makes
 * it. Its exit code is the errno of a look at its own /proc/self, or 0. */
static void
played_host(int parent, bool careful)
{
	child_begin(parent);
	if (unshare(CLONE_NEWNS) == -1)
		die("unshare CLONE_NEWNS");
	/* Private first, or it would be shared with the real host. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount / private");
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == -1)
		die("mount / shared");

	int self = child_self();
	if (unshare(CLONE_NEWPID) == -1)
		die("unshare CLONE_NEWPID");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		mounter(self, careful);
	if (child_wait(pid) != 0)
		die_plain(DIE_FAILED, "the child that mounts has failed");
	_exit(access("/proc/self", F_OK) == 0 ? 0 : errno);
}

static int
look_at_played_host(bool careful)
{
	int parent = child_self();
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0)
		played_host(parent, careful);
	close(parent);
	return child_wait(pid);
}

static void
why_private(void)
{
	report_step("", "Why private first? We play a host whose / is shared.");
	report_ask("mount(NULL, \"/\", NULL, MS_REC | MS_PRIVATE, NULL)");
	report_error(0, look_at_played_host(true),
		"child made / private: look at /proc/self");
	report_error(ENOENT, look_at_played_host(false),
		"child left / shared: look at /proc/self");
	report_explain("mount_namespaces(7), section SHARED SUBTREES");
}

/* With operands: what `unshare -pf --mount-proc COMMAND` does. */
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
		if (unshare(CLONE_NEWNS) == -1)
			die("unshare CLONE_NEWNS");
		make_private();
		mount_proc();
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
	struct box old, new;

	need_proc();
	need_privilege();
	need_namespaces(CLONE_NEWPID | CLONE_NEWNS);
	need_mount_proc();
	if (first < argc)
		return run_command(argv + first);

	char *bundle = need_bundle(), *busybox;
	if (asprintf(&busybox, "%s/rootfs/bin/busybox", bundle) == -1)
		die("malloc");
	report_begin(&lesson);
	int before = mounts_on_proc();

	start_shell(&old, busybox, false);
	old_proc(&old);
	box_stop(&old);

	start_shell(&new, busybox, true);
	new_proc(&new);
	same_links(&new);
	host_keeps_its_own(&new, before);
	box_stop(&new);

	why_private();
	free(busybox);
	free(bundle);
	return report_end();
}
