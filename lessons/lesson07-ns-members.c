/* lesson07 ns-members: Who is in this namespace?
 *
 * Try:   sudo ./lesson07          sudo ./lesson07 --list
 *        sudo ./lesson07 --pid $$
 * See:   A container's PID namespace has one member, its init; then a second
 *        process is put in. A namespace can also live without any member.
 * Why:   A process points to its namespaces, but there is no call that goes
 *        from a namespace to its processes. So we ask all: a walk of /proc.
 * Break: In find_members, give AT_SYMLINK_NOFOLLOW to fstatat: it looks at the
 *        link and not at the namespace, and nobody is a member.
 * Shell: for p in /proc/[0-9]*; do ls -l $p/ns/pid; done; lsns
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "child.h"
#include "die.h"
#include "display.h"
#include "gate.h"
#include "listing.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"
#include "scan.h"

static const struct lesson lesson = {
	.number = "lesson07",
	.name = "ns-members",
	.question = "Who is in this namespace?",
	.operands = "[NAMESPACE]",
	.tool = "list the processes in NAMESPACE, such as pid:[4026531836]",
	.steps = 5,
	.own = listing_options,
	.mixed = true,
};

/* More are counted, but not kept. */
enum { MOST = 8 };

/*
 * The walk. The kernel knows the namespaces of each process, and tells them by
 * /proc/PID/ns; it has no call for the other direction.
 * Returns how many members there are; found has the first MOST of them.
 */
static int
find_members(struct ns_id space, const char *type, pid_t found[MOST])
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct stat st;
	int count = 0;

	if (proc == NULL)
		die("open /proc");
	while ((entry = readdir(proc)) != NULL) {
		char *link;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (asprintf(&link, "%s/ns/%s", entry->d_name, type) == -1)
			die("malloc");
		/* It fails for a process that has ended meanwhile, and for
		 * another user's: so an ordinary user's list is short. */
		if (fstatat(dirfd(proc), link, &st, 0) == 0 &&
			st.st_dev == space.dev && st.st_ino == space.ino) {
			if (count < MOST)
				found[count] =
					(pid_t)strtol(entry->d_name, NULL, 10);
			count++;
		}
		free(link);
	}
	closedir(proc);
	return count;
}

static struct scan
look_around(bool holders)
{
	struct scan scan;

	if (scan_take(&scan, holders) == -1)
		die("read /proc");
	return scan;
}

/* Of the cgroups, the end of one path: of version 2 where there is one. Cuts
 * off what follows it in the text. */
static const char *
cgroup_of(char *cgroups)
{
	enum { WIDTH = 20 };
	char *line = strstr(cgroups, "0::");
	char *path = strchr(line == NULL ? cgroups : line, '/');

	if (path == NULL)
		return "-";
	path[strcspn(path, "\n")] = '\0';
	size_t length = strlen(path);
	return length > WIDTH ? path + length - WIDTH : path;
}

/* A line as cinf has it, with both PIDs. */
static void
show_process(pid_t pid)
{
	struct scan scan = look_around(false);
	int index = scan_find_process(&scan, pid);
	struct scan_process *process = &scan.processes[index];
	char *pids;

	if (index == SCAN_NONE || scan_details(process) == -1)
		die_plain(DIE_FAILED, "%d has ended", pid);
	if (asprintf(&pids, "%d/%d", pid, process->pids[process->levels - 1]) ==
		-1)
		die("malloc");
	report_host("%-11s %-7d %-8.8s %-8.8s %-8d %-20s %c", pids,
		process->ppid, process->name, process->command,
		process->threads, cgroup_of(process->cgroups), process->state);
	free(pids);
	scan_free(&scan);
}

/* Right after its start, the container has one process. */
static void
one_member(const struct box *box)
{
	struct ns_id space = ns_look(box->pid, "pid");
	pid_t found[MOST] = {0}, pids[PROC_LEVELS];
	int count = find_members(space, "pid", found);
	int levels = proc_nspids(box->pid, pids);

	if (levels == -1)
		die("read /proc/%d/status", box->pid);
	report_step("A14 A15", "A new container: a walk finds its members.");
	report_ask("for each PID in /proc: stat(\"/proc/PID/ns/pid\")");
	report_host("%-11s %-7s %-8s %-8s %-8s %-20s %s", "PID", "PPID", "NAME",
		"CMD", "NTHREADS", "CGROUPS", "STATE");
	for (int i = 0; i < count && i < MOST; i++)
		show_process(found[i]);
	report_equal(1, count, "members of its PID namespace");
	report_equal(box->pid, found[0], "it is the init: the PID from clone");
	report_equal(1, pids[levels - 1], "its PID inside");
	report_explain("namespaces(7), proc(5): /proc/PID/ns");
	report_explain("listns(2), Linux 6.19, lists namespaces, not members");
}

/* As in lesson03, but into the PID namespace alone. The child's end of the
 * pipe closes when the child has become sleep. */
static void
joiner(int host, const struct box *box, const int *news)
{
	char *sleep[] = {"sleep", "1000", NULL};
	char *path = ns_path(box->pid, "pid");

	child_begin(host);
	int self = child_self();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		die("open %s", path);
	if (setns(fd, CLONE_NEWPID) == -1)
		die("setns %s", path);
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(self);
		child_exec(sleep);
	}
	if (write(news[1], &pid, sizeof(pid)) == -1)
		die("write news");
	if (close(news[1]) == -1)
		die("close");
	_exit(child_wait(pid) == -1);
}

/* Returns the PID of the joiner; *pid is that of its child. */
static pid_t
put_in(const struct box *box, pid_t *pid)
{
	int news[2], host = child_self();

	if (pipe2(news, O_CLOEXEC) == -1)
		die("pipe2");
	pid_t joiner_pid = fork();
	if (joiner_pid == -1)
		die("fork");
	if (joiner_pid == 0)
		joiner(host, box, news);
	if (close(news[1]) == -1)
		die("close");
	if (read(news[0], pid, sizeof(*pid)) != sizeof(*pid) ||
		child_wait_exec(news[0]) == -1)
		die_plain(DIE_FAILED, "the process that joins has ended");
	close(news[0]);
	close(host);
	return joiner_pid;
}

static void
two_members(struct box *box, pid_t second)
{
	pid_t found[MOST] = {0}, pids[PROC_LEVELS], inside = 0;
	int count = find_members(ns_look(box->pid, "pid"), "pid", found);
	char *ps = box_ask(box, "ps");

	report_step("A20", "A second process joins, the PID namespace only.");
	report_ask(
		"setns(fd of /proc/%d/ns/pid, CLONE_NEWPID); fork()", box->pid);
	report_container("container# ps");
	report_container("%s", ps);
	report_host("PID outside/inside   NAME");
	for (int i = 0; i < count && i < MOST; i++) {
		int levels = proc_nspids(found[i], pids);
		char *name = proc_name(found[i]);

		if (levels == -1 || name == NULL)
			die_plain(DIE_FAILED, "%d has ended", found[i]);
		report_host("%7d / %-10d %s", pids[0], pids[levels - 1], name);
		if (found[i] == second)
			inside = pids[levels - 1];
		free(name);
	}
	report_equal(2, count, "members of its PID namespace");
	/* ps lists the two, itself, and a line above. */
	report_equal(2, display_lines(ps) - 2,
		"processes that ps lists, without ps");
	report_equal(box_ask_number(box, "pidof sleep"), inside,
		"PID of sleep inside: NSpid, and pidof");
	free(ps);
}

/* The second process has joined one namespace of the container, not five. As
 * an ordinary user the lesson itself is in another user namespace than the
 * host, see need_privilege. */
static void
all_types(const struct box *box, const struct ns_id *host)
{
	struct scan scan = look_around(false);
	int shared = 0, in_pid = 0, elsewhere = 0;
	pid_t found[MOST];

	report_step("A07 A14", "The init's namespaces, and who else is there.");
	report_host("TYPE     INODE        PROCESSES  WHOSE");
	for (int i = 0; i < NS_TYPES; i++) {
		const char *type = ns_types[i].name;

		if (!ns_exists(&ns_types[i]))
			continue;
		struct ns_id space = ns_look(box->pid, type);
		int count = find_members(space, type, found);
		bool ours = ns_same(space, ns_look(NS_SELF, type));
		report_host("%-8s %-12lu %-10d %s", type, space.ino, count,
			ns_same(space, host[i]) ? "the host's"
			: ours			? "this lesson's"
						: "the container's");
		shared += ours;
		if (ns_types[i].flag == CLONE_NEWPID)
			in_pid = count;
		else if (!ours)
			elsewhere += count;
	}
	report_host(
		"processes whose links we may not read: %d", scan.unreadable);
	report_equal(ns_count() - 5, shared,
		"types that it shares with this lesson");
	report_equal(2, in_pid, "processes in its PID namespace");
	report_equal(4, elsewhere, "in its four other ones, together");
	scan_free(&scan);
}

/* A walk sees what its /proc shows, and each /proc is of one PID namespace. */
static void
from_inside(struct box *box)
{
	struct scan scan = look_around(false);
	char *seen = box_ask(box,
		"for p in /proc/[0-9]*; do readlink $p/ns/pid; done | sort -u");
	int spaces = 0, ours = 0;
	ino_t pid = ns_look(box->pid, "pid").ino;
	ino_t host = ns_look(NS_SELF, "pid").ino;

	report_step("A14", "The same walk, by the container in its own /proc.");
	report_ask("for p in /proc/[0-9]*; do readlink $p/ns/pid; done"
		   " | sort -u");
	report_host("from the host:");
	report_host("pid:[%lu]", host);
	report_host("pid:[%lu]", pid);
	report_container("container#");
	report_container("%s", seen);
	for (int i = 0; i < scan.space_count; i++) {
		const struct scan_space *space = &scan.spaces[i];

		if (ns_types[space->type].flag != CLONE_NEWPID)
			continue;
		spaces++;
		ours += space->id.ino == pid || space->id.ino == host;
	}
	if (spaces > 2)
		report_host(
			"and %d other%s", spaces - 2, spaces == 3 ? "" : "s");
	report_equal(2, ours, "the two of these, seen from outside");
	report_equal(
		1, display_lines(seen), "PID namespaces, seen from inside");
	report_equal((long long)pid,
		(long long)strtoul(
			seen + strcspn(seen, "0123456789"), NULL, 10),
		"it is the container's own");
	free(seen);
	scan_free(&scan);
}

/* A child makes a UTS namespace and ends; we keep it open. Returns the
 * descriptor. */
static int
keep_open(void)
{
	int self = child_self();
	struct gate made;

	if (gate_make(&made) == -1)
		die("pipe2");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(self);
		if (unshare(CLONE_NEWUTS) == -1)
			die("unshare CLONE_NEWUTS");
		if (gate_open(&made) == -1)
			die("write gate");
		for (;;)
			pause();
	}
	/* Without an answer, the child has ended and has said why. */
	if (gate_wait(&made) == -1)
		_exit(DIE_FAILED);
	char *path = ns_path(pid, "uts");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		die("open %s", path);
	free(path);
	if (child_end(pid) == -1)
		die("waitpid %d", pid);
	close(self);
	return fd;
}

/* Nobody is in it, and it lives. */
static void
no_member(void)
{
	int fd = keep_open();
	pid_t found[MOST];
	struct stat st;

	if (fstat(fd, &st) == -1)
		die("fstat");
	struct ns_id space = {st.st_dev, st.st_ino};
	int count = find_members(space, "uts", found);
	struct scan scan = look_around(true);
	int index = scan_find_space(&scan, space.ino);

	report_step("A14", "What a walk misses: a namespace without members.");
	report_ask("fd = open(\"/proc/PID/ns/uts\"), and the process PID ends");
	report_host("TYPE  INODE       PROCESSES  KEPT BY");
	if (index != SCAN_NONE)
		report_host("uts   %lu  %-9d  %s", space.ino,
			scan.spaces[index].processes,
			scan.spaces[index].keeper);
	report_equal(0, count, "members that the walk finds");
	report_equal(1, index != SCAN_NONE, "found by looking at fds (1: yes)");
	report_equal(1,
		index != SCAN_NONE && scan.spaces[index].keepers == SCAN_FD,
		"kept by an open fd and nothing else");
	report_explain(
		"Bind mounts, threads and child namespaces keep one, too.");
	scan_free(&scan);
	close(fd);
}

/* cinf writes -namespace, -pid and -cgroup, with one dash. For us each letter
 * behind one dash is an option. */
static void
two_dashes(int argc, char **argv)
{
	static const char *const names[] = {"-namespace", "-pid", "-cgroup"};

	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			size_t length = strlen(names[k]);

			if (strncmp(argv[i], names[k], length) == 0 &&
				(argv[i][length] == '=' ||
					argv[i][length] == '\0') &&
				asprintf(&argv[i], "-%s", argv[i]) == -1)
				die("malloc");
		}
}

int
main(int argc, char **argv)
{
	two_dashes(argc, argv);
	int first = options_parse(&lesson, argc, argv);
	struct ns_id host[NS_TYPES];
	struct box box;
	pid_t second;

	if (first < argc || listing_wanted())
		return listing_tool(&lesson, argv + first, argc - first);
	need_proc();
	/* Before need_privilege may take us into another user namespace. */
	ns_own(host);
	need_privilege();
	need_namespaces(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWPID | CLONE_NEWNET);
	need_mount_proc();
	report_begin(&lesson);

	box_start_default(&box);
	one_member(&box);
	pid_t joiner_pid = put_in(&box, &second);
	two_members(&box, second);
	all_types(&box, host);
	from_inside(&box);
	report_hold(box.pid);
	/* The end of its init ends the container, and sleep with it. */
	box_stop(&box);
	if (child_wait(joiner_pid) == -1 && errno != ECHILD)
		die("waitpid %d", joiner_pid);
	no_member();
	return report_end();
}
