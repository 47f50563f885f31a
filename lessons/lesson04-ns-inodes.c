/* lesson04 ns-inodes: When are two processes in the same namespace?
 *
 * Try:   sudo ./lesson04          sudo ./lesson04 $$ $PPID
 * See:   /proc/PID/ns has a link for each type. Two processes are in one
 *        namespace exactly when both links lead to one object, and an object
 *        is its device and its inode.
 * Why:   A namespace has no name. The inode is a number for as long as it
 *        lives; when it is gone, the next one may get the same number.
 * Break: In short_lived, leave out child_wait and let the child pause: no
 *        number comes twice, and the report says that processes are left.
 * Shell: ls -l /proc/$$/ns; ps -o pid,pidns,comm; lsns
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "box.h"
#include "child.h"
#include "die.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"
#include "table.h"

static const struct lesson lesson = {
	.number = "lesson04",
	.name = "ns-inodes",
	.question = "When are two processes in the same namespace?",
	.operands = "[PID...]",
	.tool = "show the namespaces of the processes PID, a column each",
	.steps = 5,
};

/* The text of a link, such as pid:[4026531836]. The caller frees it. */
static char *
read_link(pid_t pid, const char *link)
{
	char *path = ns_path(pid, link);
	char target[64];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length == -1)
		die("readlink %s", path);
	free(path);
	target[length] = '\0';
	char *copy = strdup(target);
	if (copy == NULL)
		die("malloc");
	return copy;
}

static int
not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The links are counted as the kernel lists them, not as we know them. */
static void
ten_links(void)
{
	int types = 0, named = 0, links;
	struct dirent **entries;

	links = scandir("/proc/self/ns", &entries, not_hidden, alphasort);
	if (links == -1)
		die("open /proc/self/ns");
	report_step("A08 A09", "A process has a link for each type.");
	report_host("host# ls -l /proc/%d/ns", getpid());
	for (int i = 0; i < links; i++) {
		const char *link = entries[i]->d_name;
		char *target = read_link(NS_SELF, link);
		size_t length = strcspn(target, ":");

		report_host("%s -> %s", link, target);
		/* pid_for_children leads to a pid, too: it is no type. */
		types += strlen(link) == length;
		named += strncmp(link, target, length) == 0;
		free(target);
		free(entries[i]);
	}
	free(entries);
	report_equal(10, links, "links in /proc/PID/ns");
	report_equal(
		NS_TYPES, types, "types: two of the links are for children");
	report_equal(links, named, "links whose name begins with their type");
	report_explain("namespaces(7): time came with Linux 5.6");
}

/* In how many types two processes are in one namespace. */
static int
shared_types(pid_t a, pid_t b)
{
	int shared = 0;

	for (int i = 0; i < NS_TYPES; i++)
		shared += ns_exists(&ns_types[i]) &&
			  ns_same(ns_look(a, ns_types[i].name),
				  ns_look(b, ns_types[i].name));
	return shared;
}

/* All four processes live while their namespaces are compared. */
static void
same_or_not(struct box *a, struct box *b)
{
	pid_t inner = (pid_t)box_ask_number(
		a, "/bin/sleep 1000 >/dev/null 2>&1 & echo $!");
	pid_t sleeper = proc_outside(a->pid, inner), self = getpid();

	if (sleeper == 0)
		die_plain(DIE_FAILED, "the sleep in the container has ended");
	report_step("A07 A10", "Two containers: who shares what with whom?");
	report_host("%-7s %-13s %-13s %-13s %s", "", "this", "container 1",
		"sleep in it", "container 2");
	report_host("%-7s %-13d %-13d %-13d %d", "PID", self, a->pid, sleeper,
		b->pid);
	for (int i = 0; i < NS_TYPES; i++) {
		const char *link = ns_types[i].name;

		if (!ns_exists(&ns_types[i]))
			continue;
		report_host("%-7s %-13lu %-13lu %-13lu %lu", link,
			ns_look(self, link).ino, ns_look(a->pid, link).ino,
			ns_look(sleeper, link).ino, ns_look(b->pid, link).ino);
	}
	report_equal(ns_count(), shared_types(a->pid, sleeper),
		"types shared by the two in container 1");
	report_equal(ns_count() - 5, shared_types(self, a->pid),
		"types shared by this and container 1");
	report_equal(ns_count() - 5, shared_types(a->pid, b->pid),
		"types shared by the two containers");
}

/* The numbers do not depend on who reads them, or where. */
static void
from_inside(struct box *box)
{
	int links = 0, equal = 0;
	char *inside =
		box_ask(box, "(cd /proc/1/ns && /bin/stat -Lc '%%i %%n' *)");

	report_step(
		"A13", "The same links, read from outside and from inside.");
	report_host("host# cd /proc/%d/ns", box->pid);
	report_host("host# stat -Lc '%%i %%n' *");
	report_container("container# cd /proc/1/ns");
	report_container("container# stat -Lc '%%i %%n' *");
	report_container("%s", inside);
	for (int i = 0; i < NS_LINKS; i++) {
		struct ns_id id;

		if (ns_get(NS_SELF, ns_links[i], &id) == -1)
			continue;
		id = ns_look(box->pid, ns_links[i]);
		report_host("%lu %s", id.ino, ns_links[i]);
		links++;
		equal += ns_same(id, box_ns(box, 1, ns_links[i]));
	}
	report_equal(
		links, equal, "of %d links, equal outside and inside", links);
	free(inside);
}

/* The kernel makes the first set at boot, with numbers that are fixed in its
 * source. In a container, or on a kernel without them, ours are others. */
static void
first_set(const struct ns_id *at_start)
{
	report_step("A11", "The first set was made by the kernel at boot.");
	for (int i = 0; i < NS_TYPES; i++) {
		if (at_start[i].ino == ns_types[i].first)
			report_equal((long long)ns_types[i].first,
				(long long)at_start[i].ino,
				"%s: the number in the kernel's source",
				ns_types[i].name);
		else
			report_skip(
				ns_types[i].name, "no fixed number, or later");
	}
	report_explain("include/linux/proc_ns.h. Old kernels fix no number for"
		       " mnt and net.");
}

/* A child makes a UTS namespace, tells its inode by a pipe and is gone. */
static ino_t
short_lived(int parent)
{
	int fd[2];
	ino_t ino;

	if (pipe2(fd, O_CLOEXEC) == -1)
		die("pipe2");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		if (unshare(CLONE_NEWUTS) == -1)
			die("unshare CLONE_NEWUTS");
		ino = ns_look(NS_SELF, "uts").ino;
		if (write(fd[1], &ino, sizeof(ino)) == -1)
			die("write");
		_exit(0);
	}
	if (close(fd[1]) == -1)
		die("close");
	if (read(fd[0], &ino, sizeof(ino)) != sizeof(ino))
		die_plain(DIE_FAILED, "the child ended too early");
	close(fd[0]);
	if (child_wait(pid) == -1)
		die("waitpid %d", pid);
	return ino;
}

/* Another program may take the number between two of our children. */
static void
number_again(void)
{
	int parent = child_self(), again = 0, tries = 0;
	ino_t before = short_lived(parent);

	report_step(
		"A10", "A number is used again after the death of its owner.");
	report_host(
		"host# unshare -u readlink /proc/self/ns/uts   (some times)");
	report_host("uts:[%lu]", before);
	while (again == 0 && tries++ < 100) {
		ino_t now = short_lived(parent);

		if (tries <= 4)
			report_host("uts:[%lu]", now);
		again = now == before;
		before = now;
	}
	if (again)
		report_equal(
			1, again, "a later one got the same number (1: yes)");
	else
		report_skip("a number comes again",
			"others took it: a busy machine");
	report_explain("So compare only namespaces that are alive together.");
	close(parent);
}

/* With operands: a table. */
static int
compare_processes(char **words, int count)
{
	pid_t *pids = calloc(count, sizeof(*pids));

	if (pids == NULL)
		die("malloc");
	for (int i = 0; i < count; i++)
		pids[i] = options_pid(&lesson, words[i]);
	int missing = table_print(pids, count);
	free(pids);
	return missing == 0 ? 0 : DIE_FAILED;
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);
	struct ns_id at_start[NS_TYPES];
	struct box one, two;

	need_proc();
	if (first < argc)
		return compare_processes(argv + first, argc - first);
	/* Before need_privilege may take us into another user namespace. */
	ns_own(at_start);
	need_privilege();
	need_namespaces(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWPID | CLONE_NEWNET);
	need_mount_proc();
	report_begin(&lesson);

	ten_links();
	box_start_default(&one);
	box_start_default(&two);
	same_or_not(&one, &two);
	from_inside(&one);
	first_set(at_start);
	report_hold(one.pid);
	box_stop(&two);
	box_stop(&one);
	number_again();
	return report_end();
}
