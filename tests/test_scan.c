/*
 * The walk of /proc, against the kernel and against other tools. The machine
 * is not idle: what is compared are processes and namespaces of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "child.h"
#include "gate.h"
#include "idmap.h"
#include "ns.h"
#include "scan.h"
#include "support.h"

/* All is tried in both ways: as it comes, and by the walk. */
static int way;

static void
as_it_comes(void)
{
	way = 0;
}

static void
by_the_walk(void)
{
	way = SCAN_WALK;
}

enum { CGROUP, IPC, MNT, NET, PID, TIME, USER, UTS };

/* Where children of children say that they are ready. */
struct crowd {
	int ready[2];
	uid_t uid;
	gid_t gid;
};

static void
crowd_make(struct crowd *crowd)
{
	*crowd = (struct crowd){.uid = geteuid(), .gid = getegid()};
	ck_assert_int_eq(pipe2(crowd->ready, O_CLOEXEC), 0);
}

/* Read what they say. When all have ended, it is the end of the file. */
static void
crowd_read(struct crowd *crowd, void *what, size_t size)
{
	if (crowd->ready[1] != -1)
		close(crowd->ready[1]);
	crowd->ready[1] = -1;
	ck_assert_int_eq(read(crowd->ready[0], what, size), (ssize_t)size);
}

static void
crowd_wait(struct crowd *crowd, int count)
{
	char byte;

	while (count-- > 0)
		crowd_read(crowd, &byte, 1);
}

/* The right to make namespaces is root's, or one's own in a user namespace. */
static int
allowed(int flags)
{
	return caps_have(CAP_SYS_ADMIN) ? flags : flags | CLONE_NEWUSER;
}

/* A process in new namespaces that lives as it is told and then waits to be
 * killed. It must not assert: where it fails, it ends. */
static pid_t
born(struct crowd *crowd, int flags, void (*life)(struct crowd *))
{
	pid_t pid = (pid_t)syscall(
		SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(crowd->ready[0]);
	if (life != NULL)
		life(crowd);
	if (write(crowd->ready[1], "", 1) != 1)
		_exit(3);
	for (;;)
		pause();
}

static void
take(struct scan *scan)
{
	ck_assert_int_eq(scan_take(scan, way | SCAN_HOLDERS), 0);
}

static struct scan_process *
process_of(struct scan *scan, pid_t pid)
{
	int index = scan_find_process(scan, pid);

	ck_assert_int_ne(index, SCAN_NONE);
	ck_assert_int_eq(scan->processes[index].pid, pid);
	return &scan->processes[index];
}

static struct scan_space *
space_of(struct scan *scan, ino_t ino)
{
	int index = scan_find_space(scan, ino);

	ck_assert_msg(index != SCAN_NONE, "%lu is not found", ino);
	ck_assert_uint_eq(scan->spaces[index].id.ino, ino);
	return &scan->spaces[index];
}

static bool
descends(const struct scan *scan, const struct scan_process *process)
{
	while (process->ppid != getpid()) {
		int parent = scan_find_process(scan, process->ppid);

		if (parent == SCAN_NONE)
			return false;
		process = &scan->processes[parent];
	}
	return true;
}

/* --- who is where --------------------------------------------------------- */

static void
inner_life(struct crowd *crowd)
{
	/* The middle of three levels of PID namespaces. */
	if (born(crowd, allowed(CLONE_NEWPID), NULL) == -1)
		_exit(3);
}

static void
family_life(struct crowd *crowd)
{
	if (born(crowd, 0, NULL) == -1 ||
		born(crowd, allowed(CLONE_NEWPID), inner_life) == -1 ||
		born(crowd, allowed(CLONE_NEWNET | CLONE_NEWIPC), NULL) == -1)
		_exit(3);
}

enum { FAMILY = 5 };

/* Five processes: an outer PID namespace with three, below it one with one,
 * below that another. */
static pid_t
make_family(struct crowd *crowd)
{
	crowd_make(crowd);
	pid_t pid =
		born(crowd, allowed(CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS),
			family_life);
	ck_assert_int_gt(pid, 0);
	crowd_wait(crowd, FAMILY);
	return pid;
}

/* A process says that it is ready, and sleeps a moment later: look until all of
 * ours do. Where one never does, the test's time ends. */
static void
take_at_rest(struct scan *scan)
{
	bool rest = false;

	while (!rest) {
		take(scan);
		rest = true;
		for (int i = 0; i < scan->process_count; i++)
			rest = rest && (!descends(scan, &scan->processes[i]) ||
					       scan->processes[i].state == 'S');
		if (!rest)
			scan_free(scan);
	}
}

/* A11 A14: the walk finds our processes, each in one namespace of each type. */
START_TEST(scan_agrees_with_the_kernel)
{
	struct crowd crowd;
	pid_t family = make_family(&crowd);
	struct scan scan;
	int seen = 0, deepest = 0;

	take_at_rest(&scan);
	for (int i = 0; i < scan.process_count; i++) {
		struct scan_process *process = &scan.processes[i];

		if (!descends(&scan, process))
			continue;
		seen++;
		for (int type = 0; type < NS_TYPES; type++) {
			struct ns_id id;

			if (ns_get(process->pid, ns_types[type].name, &id) ==
				-1)
				continue;
			ck_assert_int_ne(process->space[type], SCAN_NONE);
			ck_assert(ns_same(
				scan.spaces[process->space[type]].id, id));
			ck_assert_int_eq(
				scan.spaces[process->space[type]].type, type);
		}
		ck_assert_int_eq(process->threads, 1);
		ck_assert_uint_eq(process->uid, geteuid());
		ck_assert_int_eq(process->state, 'S');
		ck_assert_int_eq(scan_details(process), 0);
		if (process->levels > deepest)
			deepest = process->levels;
	}
	ck_assert_int_eq(seen, FAMILY);

	pid_t ours[PROC_LEVELS];
	ck_assert_int_eq(deepest - proc_nspids(getpid(), ours), 3);
	struct scan_process *first = process_of(&scan, family);
	struct scan_space *pid = &scan.spaces[first->space[PID]];
	ck_assert_int_eq(pid->processes, 3);
	ck_assert_int_eq(scan.processes[pid->oldest].pid, family);
	ck_assert_uint_eq(pid->uid, geteuid());
	ck_assert_int_eq(pid->keepers, SCAN_PROCESS | SCAN_CHILD);
	ck_assert_ptr_null(pid->keeper);
	ck_assert_int_eq(scan.spaces[first->space[UTS]].processes, FAMILY);
	scan_free(&scan);
	child_end(family);
}
END_TEST

/* The parent and the owner, asked of the kernel by other means: the links of
 * processes that are in them. */
START_TEST(scan_knows_parents_and_owners)
{
	struct crowd crowd;
	pid_t family = make_family(&crowd);
	struct scan scan;
	int below = 0;

	take(&scan);
	struct scan_process *first = process_of(&scan, family);
	struct scan_process *self = process_of(&scan, getpid());
	int pid = first->space[PID];
	ck_assert_int_eq(scan.spaces[pid].parent, self->space[PID]);
	ck_assert_int_eq(scan.spaces[pid].owner, first->space[USER]);
	for (int i = 0; i < scan.space_count; i++)
		below += scan.spaces[i].parent == pid;
	ck_assert_int_eq(below, 1);
	if (first->space[USER] != self->space[USER])
		ck_assert_int_eq(scan.spaces[first->space[USER]].parent,
			self->space[USER]);
	/* Not asked for: not there. */
	scan_free(&scan);
	ck_assert_int_eq(scan_take(&scan, way), 0);
	first = process_of(&scan, family);
	ck_assert_int_eq(scan.spaces[first->space[PID]].parent, SCAN_NONE);
	ck_assert_int_eq(scan.spaces[first->space[PID]].processes, 3);
	scan_free(&scan);
	child_end(family);
}
END_TEST

START_TEST(scan_is_in_order)
{
	struct ns_id ours;
	struct scan scan;

	take(&scan);
	for (int i = 1; i < scan.process_count; i++)
		ck_assert_int_lt(
			scan.processes[i - 1].pid, scan.processes[i].pid);
	for (int i = 1; i < scan.space_count; i++) {
		const struct scan_space *a = &scan.spaces[i - 1], *b = a + 1;

		ck_assert(a->type < b->type ||
			  (a->type == b->type && a->id.ino < b->id.ino));
	}
	for (int type = 0; type < NS_TYPES; type++)
		if (ns_get(NS_SELF, ns_types[type].name, &ours) == 0)
			ck_assert(ns_same(ours, scan.host[type]));
	ck_assert_int_eq(scan_find_process(&scan, 0), SCAN_NONE);
	ck_assert_int_eq(scan_find_space(&scan, 1), SCAN_NONE);
	/* listns(2): where the kernel does not have it, we do without. */
	bool has = syscall(470, NULL, NULL, 0, 0) == 0 || errno != ENOSYS;
	ck_assert_int_eq(strstr(scan.way, "listns(2)") != NULL, has);
	/* Where it may be had, the kernel's own list of tasks is taken. */
	if (way == SCAN_WALK)
		ck_assert_ptr_null(strstr(scan.way, "eBPF"));
	else if (support_have("btf", "the kernel's own list of tasks"))
		ck_assert_ptr_nonnull(strstr(scan.way, "eBPF"));
	scan_free(&scan);
}
END_TEST

/* --- namespaces in which nobody is ----------------------------------------- */

/* How the kernel calls this program, and its children. */
static const char *
own_name(char name[16])
{
	ck_assert_int_eq(prctl(PR_GET_NAME, name), 0);
	return name;
}

static void
check_keeper(
	struct scan *scan, ino_t ino, int type, int keepers, const char *words)
{
	const struct scan_space *space = space_of(scan, ino);

	ck_assert_int_eq(space->type, type);
	ck_assert_int_eq(space->processes, 0);
	ck_assert_int_eq(space->oldest, SCAN_NONE);
	ck_assert_int_eq(space->keepers, keepers);
	ck_assert_str_eq(space->keeper, words);
}

/* A descriptor of a new namespace whose maker has ended. */
static int
kept_open(int flags, const char *link, struct ns_id *id, struct ns_id *owner)
{
	struct crowd crowd;

	crowd_make(&crowd);
	pid_t pid = born(&crowd, flags, NULL);
	ck_assert_int_gt(pid, 0);
	crowd_wait(&crowd, 1);
	ck_assert_int_eq(ns_get(pid, link, id), 0);
	ck_assert_int_eq(ns_get(pid, "user", owner), 0);
	char *path = ns_path(pid, link);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	free(path);
	child_end(pid);
	return fd;
}

/* Behind a hole in the numbers, and after it. */
START_TEST(scan_finds_what_an_fd_keeps)
{
	struct ns_id id, owner;
	struct scan scan;
	int low = kept_open(CLONE_NEWUSER | CLONE_NEWNET, "net", &id, &owner);
	int numbers[] = {low, 700};
	char name[16];

	for (int i = 0; i < 2; i++) {
		if (i == 1) {
			ck_assert_int_eq(dup3(low, 700, O_CLOEXEC), 700);
			close(low);
		}
		char *words = support_text("fd %d of %d (%s)", numbers[i],
			getpid(), own_name(name));
		char *above = support_text("owner of net:[%lu]", id.ino);
		take(&scan);
		check_keeper(&scan, id.ino, NET, SCAN_FD, words);
		check_keeper(&scan, owner.ino, USER, SCAN_CHILD, above);
		ck_assert_uint_eq(space_of(&scan, id.ino)->uid, geteuid());
		ck_assert_int_eq(space_of(&scan, id.ino)->owner,
			scan_find_space(&scan, owner.ino));
		scan_free(&scan);
		free(words);
		free(above);
	}
	/* Only who looks for holders finds it. */
	ck_assert_int_eq(scan_take(&scan, way), 0);
	ck_assert_int_eq(scan_find_space(&scan, id.ino), SCAN_NONE);
	scan_free(&scan);
	close(700);
}
END_TEST

/* Mounts a namespace in which nobody is. */
static void
bind_life(const char *path)
{
	struct crowd crowd;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
		pipe2(crowd.ready, O_CLOEXEC) == -1)
		_exit(3);
	char byte;
	pid_t pid = born(&crowd, CLONE_NEWUTS, NULL);
	if (pid == -1 || read(crowd.ready[0], &byte, 1) != 1)
		_exit(4);
	char *link = ns_path(pid, "uts");
	if (mount(link, path, NULL, MS_BIND, NULL) == -1)
		_exit(5);
	free(link);
	child_end(pid);
}

/* First by the mount; then by a descriptor that was opened through it and
 * that has lost its path by a lazy unmount. */
START_TEST(scan_finds_what_a_mount_keeps)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = support_text(
		"%s/nslessons-scan-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	char name[16];
	struct gate mounted, go, gone;
	struct scan scan;
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	char *path = support_text("%s/a b\\c", dir);
	int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ne(file, -1);
	close(file);
	ck_assert_int_eq(gate_make(&mounted), 0);
	ck_assert_int_eq(gate_make(&go), 0);
	ck_assert_int_eq(gate_make(&gone), 0);
	pid_t pid = (pid_t)syscall(SYS_clone,
		(unsigned long)allowed(CLONE_NEWNS) | SIGCHLD, NULL, NULL, NULL,
		0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bind_life(path);
		if (gate_open(&mounted) == -1 || gate_wait(&go) == -1)
			_exit(3);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd == -1 || umount2(path, MNT_DETACH) == -1 ||
			dup3(fd, 40, O_CLOEXEC) == -1)
			_exit(4);
		close(fd);
		if (gate_open(&gone) == -1)
			_exit(5);
		for (;;)
			pause();
	}
	ck_assert_int_eq(gate_wait(&mounted), 0);
	char *through = support_text("/proc/%d/root%s", pid, path);
	ck_assert_int_eq(stat(through, &st), 0);
	char *words = support_text(
		"bind mount %s seen by %d (%s)", path, pid, own_name(name));
	take(&scan);
	check_keeper(&scan, st.st_ino, UTS, SCAN_MOUNT, words);
	ck_assert_int_eq(space_of(&scan, st.st_ino)->owner,
		process_of(&scan, pid)->space[USER]);
	scan_free(&scan);
	free(words);

	ck_assert_int_eq(gate_open(&go), 0);
	ck_assert_int_eq(gate_wait(&gone), 0);
	words = support_text("fd 40 of %d (%s)", pid, own_name(name));
	take(&scan);
	check_keeper(&scan, st.st_ino, UTS, SCAN_FD, words);
	scan_free(&scan);
	child_end(pid);
	free(words);
	free(through);
	unlink(path);
	free(path);
	ck_assert_int_eq(rmdir(dir), 0);
	free(dir);
}
END_TEST

static void *
thread_life(void *crowd)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (unshare(CLONE_NEWUTS) == -1 ||
		write(((struct crowd *)crowd)->ready[1], &tid, sizeof(tid)) !=
			sizeof(tid))
		_exit(3);
	for (;;)
		pause();
}

static void
threaded_life(struct crowd *crowd)
{
	pthread_t thread;

	prctl(PR_SET_NAME, "a) R\n(b");
	if (pthread_create(&thread, NULL, thread_life, crowd) != 0)
		_exit(3);
	for (;;)
		pause();
}

START_TEST(scan_finds_what_a_thread_keeps)
{
	struct crowd crowd;
	struct scan scan;
	struct stat st;
	pid_t tid;

	crowd_make(&crowd);
	pid_t pid = born(&crowd, allowed(0), threaded_life);
	ck_assert_int_gt(pid, 0);
	crowd_read(&crowd, &tid, sizeof(tid));
	char *link = support_text("/proc/%d/task/%d/ns/uts", pid, tid);
	ck_assert_int_eq(stat(link, &st), 0);
	char *words = support_text("thread %d of %d (a) R\n(b)", tid, pid);
	take(&scan);
	check_keeper(&scan, st.st_ino, UTS, SCAN_THREAD, words);
	ck_assert_int_eq(process_of(&scan, pid)->threads, 2);
	ck_assert_int_eq(process_of(&scan, pid)->state, 'S');
	ck_assert_int_eq(process_of(&scan, pid)->ppid, getpid());
	scan_free(&scan);
	free(words);
	free(link);
	child_end(pid);
}
END_TEST

static void
deeper_life(struct crowd *crowd)
{
	struct ns_id id;

	/* The user namespace in the middle: nobody stays in it. Who is nobody
	 * there can make no other. */
	idmap_root(NS_SELF, crowd->uid, crowd->gid);
	if (ns_get(NS_SELF, "user", &id) == -1 ||
		unshare(CLONE_NEWUSER) == -1 ||
		write(crowd->ready[1], &id, sizeof(id)) != sizeof(id))
		_exit(3);
}

START_TEST(scan_finds_what_a_child_namespace_keeps)
{
	struct ns_id middle, inner;
	struct crowd crowd;
	struct scan scan;

	crowd_make(&crowd);
	pid_t pid = born(&crowd, CLONE_NEWUSER, deeper_life);
	ck_assert_int_gt(pid, 0);
	crowd_read(&crowd, &middle, sizeof(middle));
	crowd_wait(&crowd, 1);
	ck_assert_int_eq(ns_get(pid, "user", &inner), 0);
	ck_assert_uint_ne(inner.ino, middle.ino);
	char *words = support_text("parent of user:[%lu]", inner.ino);
	take(&scan);
	check_keeper(&scan, middle.ino, USER, SCAN_CHILD, words);
	ck_assert_uint_eq(space_of(&scan, middle.ino)->uid, geteuid());
	ck_assert_int_eq(space_of(&scan, inner.ino)->parent,
		scan_find_space(&scan, middle.ino));
	scan_free(&scan);
	free(words);
	child_end(pid);
}
END_TEST

static void
future_life(struct crowd *crowd)
{
	(void)crowd;
	if (unshare(0x80 /* CLONE_NEWTIME */) == -1)
		_exit(3);
}

START_TEST(scan_finds_what_is_for_children)
{
	struct crowd crowd;
	struct ns_id id;
	char name[16];
	struct scan scan;

	crowd_make(&crowd);
	pid_t pid = born(&crowd, allowed(0), future_life);
	ck_assert_int_gt(pid, 0);
	crowd_wait(&crowd, 1);
	ck_assert_int_eq(ns_get(pid, "time_for_children", &id), 0);
	char *words = support_text(
		"time_for_children of %d (%s)", pid, own_name(name));
	take(&scan);
	check_keeper(&scan, id.ino, TIME, SCAN_FUTURE, words);
	const struct scan_process *process = process_of(&scan, pid);
	ck_assert_int_eq(process->future[TIME], scan_find_space(&scan, id.ino));
	ck_assert_int_eq(process->future[PID], SCAN_NONE);
	scan_free(&scan);
	free(words);
	child_end(pid);
}
END_TEST

/* --- other tools ---------------------------------------------------------- */

/* A14: lsns 2.38 knows namespaces with processes only, and gives up without a
 * word when a process vanishes under its eyes: then it is asked again. */
START_TEST(scan_agrees_with_lsns)
{
	struct crowd crowd;
	pid_t family = make_family(&crowd);
	struct scan scan;
	int compared = 0;

	take(&scan);
	struct run run = RUN("lsns", "--json", "--output", "NS,TYPE,NPROCS");
	for (int tries = 0; run.code != 0 && tries < 50; tries++) {
		support_run_free(&run);
		run = RUN("lsns", "--json", "--output", "NS,TYPE,NPROCS");
	}
	ck_run(run, 0);
	json_error_t error;
	json_t *document = json_loads(run.out, 0, &error);
	ck_assert_msg(document != NULL, "%s", error.text);
	json_t *rows = json_object_get(document, "namespaces");
	for (int i = 0; i < scan.process_count; i++) {
		if (!descends(&scan, &scan.processes[i]))
			continue;
		for (int type = 0; type < NS_TYPES; type++) {
			int at = scan.processes[i].space[type];
			json_t *row;
			size_t k;

			if (at == SCAN_NONE ||
				ns_same(scan.spaces[at].id, scan.host[type]))
				continue;
			json_int_t found = -1;
			json_array_foreach(rows, k, row)
				if ((ino_t)json_integer_value(
					    json_object_get(row, "ns")) ==
					scan.spaces[at].id.ino) {
					ck_assert_str_eq(
						json_string_value(
							json_object_get(
								row, "type")),
						ns_types[type].name);
					found = json_integer_value(
						json_object_get(row, "nprocs"));
				}
			ck_assert_int_eq(found, scan.spaces[at].processes);
			compared++;
		}
	}
	ck_assert_int_gt(compared, FAMILY);
	json_decref(document);
	support_run_free(&run);
	scan_free(&scan);
	child_end(family);
}
END_TEST

/* A07: the numbers that ps prints are those of our walk. */
START_TEST(scan_agrees_with_ps)
{
	struct crowd crowd;
	pid_t family = make_family(&crowd);
	struct scan scan;
	int compared = 0;

	take(&scan);
	struct run run = RUN("ps", "-eo",
		"pid=,cgroupns=,ipcns=,mntns=,netns=,pidns=,timens=,userns=,"
		"utsns=");
	ck_run(run, 0);
	char *rest, *line;
	for (line = strtok_r(run.out, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		char *at;
		int index =
			scan_find_process(&scan, (pid_t)strtol(line, &at, 10));

		if (index == SCAN_NONE ||
			!descends(&scan, &scan.processes[index]))
			continue;
		for (int type = 0; type < NS_TYPES; type++) {
			int space = scan.processes[index].space[type];
			ino_t ino = strtoul(at, &at, 10);

			ck_assert_uint_eq(ino, scan.spaces[space].id.ino);
		}
		compared++;
	}
	ck_assert_int_eq(compared, FAMILY);
	support_run_free(&run);
	scan_free(&scan);
	child_end(family);
}
END_TEST

/* --- what other processes choose ------------------------------------------ */

static const char *const names[] = {"two\nlines", ") S 1 1 1 1 1", "\033[31m",
	"\xff\xfe", "15 bytes long..", "", "a b"};

static pid_t
start_named(const char *name)
{
	struct gate gate;

	ck_assert_int_eq(gate_make(&gate), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		if (gate_open(&gate) == -1)
			_exit(3);
		for (;;)
			pause();
	}
	ck_assert_int_eq(gate_wait(&gate), 0);
	return pid;
}

START_TEST(scan_takes_any_name)
{
	pid_t pid = start_named(names[_i]);
	struct scan scan;

	take(&scan);
	const struct scan_process *process = process_of(&scan, pid);
	ck_assert_str_eq(process->name, names[_i]);
	ck_assert_int_eq(process->ppid, getpid());
	ck_assert_int_eq(process->threads, 1);
	unsigned long long start;
	ck_assert_int_eq(proc_start_time(pid, &start), 0);
	ck_assert_uint_eq(process->start, start);
	scan_free(&scan);
	child_end(pid);
}
END_TEST

enum { ARGUMENTS = 15, LONG = 125000 };

START_TEST(details_of_a_long_command_line)
{
	char *argv[ARGUMENTS + 5] = {"sh", "-c", "echo; read x", "a\nb\xff"};
	char *long_word = malloc(LONG + 1);
	int in[2], out[2];
	struct scan scan;
	char byte;

	ck_assert_ptr_nonnull(long_word);
	memset(long_word, 'x', LONG);
	long_word[LONG] = '\0';
	for (int i = 0; i < ARGUMENTS; i++)
		argv[4 + i] = long_word;
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv("/bin/sh", argv);
		_exit(3);
	}
	close(out[1]);
	ck_assert_int_eq(read(out[0], &byte, 1), 1);
	take(&scan);
	struct scan_process *process = process_of(&scan, pid);
	ck_assert_int_eq(scan_details(process), 0);
	ck_assert_int_eq(scan_details(process), 0);
	const char *start = "sh -c echo; read x a\nb\xff xxxxx";
	ck_assert_int_eq(strncmp(process->command, start, strlen(start)), 0);
	ck_assert_uint_eq(strlen(process->command), 4096);
	ck_assert_ptr_nonnull(strchr(process->cgroups, ':'));
	ck_assert_int_ge(process->levels, 1);
	ck_assert_int_eq(process->pids[0], pid);
	scan_free(&scan);
	free(long_word);
	child_end(pid);
}
END_TEST

START_TEST(details_of_a_process_that_has_ended)
{
	pid_t pid = start_named("short");
	struct scan scan;

	take(&scan);
	child_end(pid);
	struct scan_process *process = process_of(&scan, pid);
	ck_assert_int_eq(scan_details(process), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert(!process->detailed);
	scan_free(&scan);
}
END_TEST

/* The kernel gives the number again when it is told to: clone3(2), set_tid.
 * Start times are counted in ticks, so the next one comes some ticks later. */
START_TEST(details_of_a_number_that_is_used_again)
{
	pid_t pid = start_named("first");
	const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
	struct timespec now;
	struct scan scan;

	take(&scan);
	struct scan_process *process = process_of(&scan, pid);
	do
		ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 <
		tick * (double)(process->start + 3));
	child_end(pid);
	struct clone_args again = {.exit_signal = SIGCHLD,
		.set_tid = (__u64)(uintptr_t)&pid,
		.set_tid_size = 1};
	pid_t second = (pid_t)syscall(SYS_clone3, &again, sizeof(again));
	if (second == 0)
		for (;;)
			pause();
	/* EEXIST: somebody else has got it by chance, which is as good. */
	ck_assert(second == pid || errno == EEXIST);
	ck_assert_int_eq(scan_details(process), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_ptr_null(process->command);
	scan_free(&scan);
	if (second == pid)
		child_end(pid);
}
END_TEST

START_TEST(scan_knows_a_zombie)
{
	struct scan before, after;
	siginfo_t info;

	take(&before);
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	take(&after);
	const struct scan_process *process = process_of(&after, pid);
	ck_assert_int_eq(process->state, 'Z');
	ck_assert_int_eq(process->space[MNT], SCAN_NONE);
	ck_assert_int_eq(process->space[NET], SCAN_NONE);
	/* Of other users' processes some may begin or end meanwhile. */
	if (geteuid() == 0)
		ck_assert_int_eq(before.unreadable, after.unreadable);
	scan_free(&before);
	scan_free(&after);
	ck_assert_int_eq(child_wait(pid), 0);
}
END_TEST

/* Two processes have short-lived children, one after the other, until they
 * have had enough. Each walk meets some that vanish. */
START_TEST(scan_survives_a_storm)
{
	enum { CHILDREN = 3000 };
	pid_t storm[2];
	int walks = 0, left = 2;

	for (int i = 0; i < 2; i++) {
		storm[i] = fork();
		if (storm[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (int k = 0; k < CHILDREN; k++) {
				pid_t pid = fork();

				if (pid == 0) {
					unshare(allowed(CLONE_NEWUTS));
					_exit(0);
				}
				if (pid == -1 || child_wait(pid) == -1)
					_exit(3);
			}
			_exit(0);
		}
	}
	for (; left > 0; walks++) {
		struct scan scan;
		int status;

		ck_assert_int_eq(scan_take(&scan, way | walks % 2), 0);
		for (int i = 0; i < scan.process_count; i++) {
			ck_assert_ptr_nonnull(scan.processes[i].name);
			for (int type = 0; type < NS_TYPES; type++)
				ck_assert_int_lt(scan.processes[i].space[type],
					scan.space_count);
			if (i % 16 == 0)
				scan_details(&scan.processes[i]);
		}
		process_of(&scan, getpid());
		scan_free(&scan);
		while (waitpid(-1, &status, WNOHANG) > 0) {
			ck_assert_int_eq(status, 0);
			left--;
		}
	}
	ck_assert_int_gt(walks, 3);
}
END_TEST

/* As another user we may read nobody's links but our own. */
START_TEST(scan_counts_what_it_may_not_read)
{
	pid_t pid = start_named("root's");
	int result[2];

	ck_assert_int_eq(pipe2(result, O_CLOEXEC), 0);
	pid_t other = fork();
	if (other == 0) {
		struct scan scan;

		if (setgid(12345) == -1 || setuid(12345) == -1 ||
			scan_take(&scan, way | SCAN_HOLDERS) == -1)
			_exit(3);
		int index = scan_find_process(&scan, pid);
		/* Itself it may read, unless it is not dumpable after setuid. */
		int facts[] = {index, scan.processes[index].space[PID],
			scan.unreadable, scan.process_count};
		_exit(write(result[1], facts, sizeof(facts)) == -1);
	}
	int facts[4];
	ck_assert_int_eq(
		read(result[0], facts, sizeof(facts)), (ssize_t)sizeof(facts));
	ck_assert_int_ge(facts[0], 0);
	ck_assert_int_eq(facts[1], SCAN_NONE);
	ck_assert_int_gt(facts[2], 1);
	ck_assert_int_le(facts[2], facts[3]);
	ck_assert_int_eq(child_wait(other), 0);
	child_end(pid);
}
END_TEST

/* What both ways tell of a process that is at rest, each from other sources. */
static void
ck_same_process(const struct scan *a, const struct scan_process *one,
	const struct scan *b, const struct scan_process *other)
{
	/* A worker of the kernel is named after what it is doing now. */
	if (strncmp(one->name, "kworker/", 8) != 0)
		ck_assert_str_eq(one->name, other->name);
	ck_assert_int_eq(one->ppid, other->ppid);
	ck_assert_int_eq(one->threads, other->threads);
	/* The walk has no more than the owner of a folder. */
	if (one->uid == geteuid())
		ck_assert_uint_eq(one->uid, other->uid);
	for (int i = 0; i < NS_TYPES; i++) {
		ck_assert_int_eq(one->space[i] == SCAN_NONE,
			other->space[i] == SCAN_NONE);
		if (one->space[i] != SCAN_NONE)
			ck_assert(ns_same(a->spaces[one->space[i]].id,
				b->spaces[other->space[i]].id));
	}
}

/* Threads of the kernel, too: each process that sleeps all the time. */
START_TEST(both_ways_see_the_same)
{
	struct crowd crowd;
	pid_t family = make_family(&crowd);
	struct scan asked, walked;
	int same = 0;

	way = 0;
	take_at_rest(&asked);
	way = SCAN_WALK;
	take(&walked);
	for (int i = 0; i < asked.process_count; i++) {
		struct scan_process *one = &asked.processes[i];
		int k = scan_find_process(&walked, one->pid);

		if (k == SCAN_NONE || walked.processes[k].start != one->start ||
			one->state != walked.processes[k].state ||
			(!descends(&asked, one) && one->ppid != 2))
			continue;
		ck_same_process(&asked, one, &walked, &walked.processes[k]);
		same++;
	}
	ck_assert_int_ge(same, FAMILY);
	scan_free(&asked);
	scan_free(&walked);
	child_end(family);
}
END_TEST

/* All in one way. */
static TCase *
tests_of(const char *name, void (*choose)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, choose, NULL);
	tcase_add_test(tcase, scan_is_in_order);
	tcase_add_loop_test(tcase, scan_takes_any_name, 0,
		sizeof(names) / sizeof(names[0]));
	tcase_add_test(tcase, details_of_a_long_command_line);
	tcase_add_test(tcase, details_of_a_process_that_has_ended);
	tcase_add_test(tcase, scan_knows_a_zombie);
	tcase_add_test(tcase, scan_survives_a_storm);
	if (support_have("root", "scan of another user")) {
		tcase_add_test(tcase, scan_counts_what_it_may_not_read);
		tcase_add_test(tcase, details_of_a_number_that_is_used_again);
	}
	if (support_have("userns", "scan of user namespaces")) {
		tcase_add_test(tcase, scan_finds_what_an_fd_keeps);
		tcase_add_test(tcase, scan_finds_what_a_child_namespace_keeps);
	}
	if (support_have("namespaces", "scan of namespaces")) {
		tcase_add_test(tcase, scan_agrees_with_the_kernel);
		tcase_add_test(tcase, scan_knows_parents_and_owners);
		tcase_add_test(tcase, scan_finds_what_a_mount_keeps);
		tcase_add_test(tcase, scan_finds_what_a_thread_keeps);
		if (ns_exists(&ns_types[TIME]))
			tcase_add_test(tcase, scan_finds_what_is_for_children);
		if (support_have("lsns", "scan and lsns"))
			tcase_add_test(tcase, scan_agrees_with_lsns);
		if (support_have("ps", "scan and ps"))
			tcase_add_test(tcase, scan_agrees_with_ps);
	}
	return tcase;
}

Suite *
suite_scan(void)
{
	Suite *suite = suite_create("scan");
	TCase *tcase = tests_of("scan", as_it_comes);

	if (support_have("namespaces", "scan in both ways"))
		tcase_add_test(tcase, both_ways_see_the_same);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, tests_of("walk", by_the_walk));
	return suite;
}
