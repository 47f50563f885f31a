/* lesson04 ns-inodes: When are two processes in the same namespace?
 *
 * Try:   sudo ./lesson04          sudo ./lesson04 $$ 1
 * See:   /proc/PID/ns has a link for each type. Two processes are in one
 *        namespace exactly when both links lead to one object, and an object
 *        is its device and its inode.
 * Why:   A namespace has no name. The inode is a number for as long as it
 *        lives; when it is gone, the next one may get the same number.
 * Break: In number_again, let the children live on: no number comes twice.
 * Shell: ls -l /proc/$$/ns; ps -o pid,pidns,comm; lsns
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
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
	.number = "lesson04",
	.name = "ns-inodes",
	.question = "When are two processes in the same namespace?",
	.operands = "[PID...]",
	.tool = "show the namespaces of the processes PID, a column each",
	.steps = 5,
};

static struct ns_id
look(pid_t pid, const char *link)
{
	struct ns_id id;

	if (ns_get(pid, link, &id) == -1)
		die("stat /proc/%d/ns/%s", pid, link);
	return id;
}

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
		types += strlen(link) == length;
		named += strncmp(link, target, length) == 0;
		free(target);
		free(entries[i]);
	}
	free(entries);
	report_equal(10, links, "links");
	report_equal(
		NS_TYPES, types, "types: two of the links are for children");
	report_equal(links, named, "links that bear the name of their type");
	report_explain("namespaces(7): time came with Linux 5.6");
}

/* In how many types two processes are in one namespace. */
static int
shared_types(pid_t a, pid_t b)
{
	int shared = 0;

	for (int i = 0; i < NS_TYPES; i++)
		shared += ns_same(
			look(a, ns_types[i].name), look(b, ns_types[i].name));
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

		report_host("%-7s %-13lu %-13lu %-13lu %lu", link,
			look(self, link).ino, look(a->pid, link).ino,
			look(sleeper, link).ino, look(b->pid, link).ino);
	}
	report_equal(NS_TYPES, shared_types(a->pid, sleeper),
		"shared by the two in container 1");
	report_equal(3, shared_types(self, a->pid),
		"shared by this process and container 1");
	report_equal(3, shared_types(a->pid, b->pid),
		"shared by the two containers");
}

/* The numbers do not depend on who reads them, or where. */
static void
from_inside(struct box *box)
{
	int links = 0, equal = 0;

	report_step(
		"A13", "The same links, read from outside and from inside.");
	report_host("host# ls -l /proc/%d/ns", box->pid);
	report_container("container# ls -l /proc/1/ns");
	for (int i = 0; i < NS_LINKS; i++) {
		struct ns_id id;

		if (ns_get(box->pid, ns_links[i], &id) == -1)
			continue;
		char *outside = read_link(box->pid, ns_links[i]);
		char *inside =
			box_ask(box, "readlink /proc/1/ns/%s", ns_links[i]);

		report_host("%s", outside);
		report_container("%s", inside);
		links++;
		equal += ns_same(id, box_ns(box, 1, ns_links[i]));
		free(outside);
		free(inside);
	}
	report_equal(links, equal, "links to one (device, inode)");
	report_hold(box->pid);
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
				"our %s is the first", ns_types[i].name);
		else
			report_skip(
				ns_types[i].name, "a later one is used here");
	}
	report_explain("include/linux/proc_ns.h; mnt and net since Linux 6.18");
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
		ino = look(NS_SELF, "uts").ino;
		if (write(fd[1], &ino, sizeof(ino)) == -1)
			die("write");
		_exit(0);
	}
	close(fd[1]);
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
	int parent = child_parent(), again = 0, tries = 0;
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
		report_equal(1, again, "two dead namespaces had one number");
	else
		report_skip("a number comes again",
			"others took it: a busy machine");
	report_explain("So compare only namespaces that are alive together.");
	close(parent);
}

/* With operands: a table, one column a process. */
struct column {
	pid_t pid;
	char *name;
	struct ns_id spaces[NS_TYPES]; /* inode 0: not to be read */
	char letters[NS_TYPES];
};

/* Returns false, after a line on standard error, if something is missing. */
static bool
fill_column(struct column *column, pid_t pid)
{
	char *name = proc_name(pid), state = proc_state(pid);
	bool whole = true;

	column->pid = pid;
	column->name = display_clean(name == NULL ? "?" : name);
	free(name);
	if (state == 0 || state == 'Z') {
		report_note("%d: %s", pid,
			state == 'Z' ? "a zombie has no namespaces any more"
				     : "there is no such process");
		return false;
	}
	for (int i = 0; i < NS_TYPES; i++)
		if (ns_get(pid, ns_types[i].name, &column->spaces[i]) == -1 &&
			whole) {
			report_note("%d: stat %s: %s", pid, ns_types[i].name,
				strerror(errno));
			whole = false;
		}
	return whole;
}

/* Equal namespaces in a row get the same letter, A for the first. */
static void
set_letters(struct column *columns, int count)
{
	for (int row = 0; row < NS_TYPES; row++) {
		char next = 'A';

		for (int i = 0; i < count; i++) {
			struct ns_id id = columns[i].spaces[row];
			int same = 0;

			while (!ns_same(columns[same].spaces[row], id))
				same++;
			if (same < i)
				columns[i].letters[row] =
					columns[same].letters[row];
			else
				columns[i].letters[row] = next;
			if (same == i && id.ino != 0 && next < 'Z')
				next++;
		}
	}
}

static void
print_table(const struct column *columns, int count)
{
	printf("%-6s", "");
	for (int i = 0; i < count; i++)
		printf("  %-12d", columns[i].pid);
	printf("\n%-6s", "");
	for (int i = 0; i < count; i++) {
		printf("  ");
		display_column(stdout, columns[i].name, 12);
	}
	putchar('\n');
	for (int row = 0; row < NS_TYPES; row++) {
		printf("%-6s", ns_types[row].name);
		for (int i = 0; i < count; i++) {
			char letter = columns[i].letters[row];

			if (columns[i].spaces[row].ino == 0)
				printf("  %-12s", "-");
			else if (options.color)
				printf("  %lu \033[%dm%c\033[0m",
					columns[i].spaces[row].ino,
					31 + (letter - 'A') % 6, letter);
			else
				printf("  %lu %c", columns[i].spaces[row].ino,
					letter);
		}
		putchar('\n');
	}
}

static void
print_json(const struct column *columns, int count)
{
	json_t *array = json_array();

	for (int i = 0; i < count; i++) {
		json_t *spaces = json_object();

		for (int row = 0; row < NS_TYPES; row++)
			if (columns[i].spaces[row].ino != 0)
				json_object_set_new(spaces, ns_types[row].name,
					json_pack("{s:I, s:I}", "device",
						(json_int_t)columns[i]
							.spaces[row]
							.dev,
						"inode",
						(json_int_t)columns[i]
							.spaces[row]
							.ino));
		json_array_append_new(array,
			json_pack("{s:i, s:s, s:o}", "pid", columns[i].pid,
				"name", columns[i].name, "namespaces", spaces));
	}
	report_document(json_pack("{s:o}", "processes", array));
}

static int
compare_processes(char **pids, int count)
{
	enum { PER_PAGE = 5 };
	struct column *columns = calloc(count, sizeof(*columns));
	bool whole = true;

	if (columns == NULL)
		die("malloc");
	for (int i = 0; i < count; i++)
		whole &=
			fill_column(&columns[i], options_pid(&lesson, pids[i]));
	set_letters(columns, count);
	if (options.json)
		print_json(columns, count);
	else
		for (int i = 0; i < count; i += PER_PAGE) {
			if (i > 0)
				putchar('\n');
			print_table(columns + i,
				count - i < PER_PAGE ? count - i : PER_PAGE);
		}
	if (fflush(stdout) == EOF)
		die("write standard output");
	for (int i = 0; i < count; i++)
		free(columns[i].name);
	free(columns);
	return whole ? 0 : DIE_FAILED;
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);
	struct ns_id at_start[NS_TYPES] = {{0}};
	struct box one, two;

	need_proc();
	if (first < argc)
		return compare_processes(argv + first, argc - first);
	/* Before need_privilege may take us into another user namespace. */
	for (int i = 0; i < NS_TYPES; i++)
		if (ns_get(NS_SELF, ns_types[i].name, &at_start[i]) == -1)
			at_start[i].ino = 0;
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
	box_stop(&two);
	box_stop(&one);
	number_again();
	return report_end();
}
