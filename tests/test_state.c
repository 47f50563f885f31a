/*
 * What a runtime remembers of its containers, and what becomes of it when the
 * runner, the container or the file come to an untimely end.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "gate.h"
#include "idmap.h"
#include "proc.h"
#include "state.h"
#include "support.h"

enum { NOBODY = 12345, TOPS = 3 };

/* Where a cgroup can be made on one machine or another. */
static const char *const cgroup_tops[TOPS] = {
	"/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup"};

static char *top;
static char *root; /* of the states, a folder for each test, below top */
static char *cgroup_name;
static int spoken; /* what stands in for standard error */

/* Around all tests, in the process that starts them: a test that fails does
 * not come to clean up. */
static void
set_up_case(void)
{
	top = support_folder("state");
	ck_assert_int_eq(chmod(top, 0711), 0);
	ck_assert_int_ne(
		asprintf(&cgroup_name, "nslessons-test-%d", getpid()), -1);
}

/* Its processes have died with the test that has failed. */
static void
remove_cgroup(const char *in)
{
	char *folder = support_path(in, cgroup_name);

	ck_assert(rmdir(folder) == 0 || errno == ENOENT || errno == EACCES);
	free(folder);
}

static void
tear_down_case(void)
{
	for (size_t i = 0; i < TOPS; i++)
		remove_cgroup(cgroup_tops[i]);
	free(cgroup_name);
	support_remove(top);
	free(top);
}

static void
set_up(void)
{
	root = support_path(top, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void
tear_down(void)
{
	free(root);
}

/* From now on, standard error is kept for said. */
static void
listen_to_us(void)
{
	spoken = memfd_create("stderr", MFD_CLOEXEC);
	ck_assert_int_ne(spoken, -1);
	ck_assert_int_ne(dup2(spoken, STDERR_FILENO), -1);
}

/* Exactly these lines have been said, or none; and forget them. */
static void
said(const char *part, int lines)
{
	char text[4096] = "";
	int count = 0;

	ck_assert_int_ne(pread(spoken, text, sizeof(text) - 1, 0), -1);
	for (const char *c = text; (c = strchr(c, '\n')) != NULL; c++)
		count++;
	ck_assert_msg(count == lines && strstr(text, part) != NULL,
		"expected %d lines with `%s`, found: %s", lines, part, text);
	ck_assert_int_eq(ftruncate(spoken, 0), 0);
	ck_assert_int_eq(lseek(spoken, 0, SEEK_SET), 0);
}

/* A process to be a container's init. */
static pid_t
init(void)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static bool
lives(pid_t pid)
{
	return kill(pid, 0) == 0 && proc_state(pid) != 'Z';
}

static void
claim(struct state *state, const char *name)
{
	char *error;

	ck_assert_msg(state_claim(state, root, name, &error) == 0, "%s", error);
}

/* The errno of a claim that is refused. */
static int
refused(const char *in, const char *name, const char *line)
{
	struct state state;
	char *error;

	ck_assert_int_eq(state_claim(&state, in, name, &error), -1);
	int code = errno;
	ck_assert_msg(strstr(error, line) != NULL, "%s", error);
	ck_assert_ptr_null(strchr(error, '\n'));
	free(error);
	return code;
}

static void
run_by(struct state *state, const char *name, pid_t pid)
{
	claim(state, name);
	state->pid = pid;
	ck_assert_int_eq(proc_start_time(pid, &state->start), 0);
	state->bundle = "/bundle";
	state->rootfs = "/bundle/rootfs";
	ck_assert_int_eq(state_write(state), 0);
}

/* A container that goes on without a runner. */
static void
detached(const char *name, pid_t pid)
{
	struct state state;

	run_by(&state, name, pid);
	ck_assert_int_eq(state_release(&state), 0);
	state_free(&state);
}

/* How many there are; *status is that of the last. */
static int
count_all(enum state_status *status)
{
	struct state *states;
	char *error;
	int count = state_each(root, &states, &error);

	ck_assert_msg(count != -1, "%s", error);
	for (int i = 0; i < count; i++) {
		if (status != NULL)
			*status = states[i].status;
		state_free(&states[i]);
	}
	free(states);
	return count;
}

/* The status of one, or -1 when it is not there. */
static int
status_of(const char *name)
{
	struct state state;
	char *error;

	if (state_find(&state, root, name, NULL, &error) == -1) {
		ck_assert_int_eq(errno, ENOENT);
		free(error);
		return -1;
	}
	int status = (int)state.status;
	state_free(&state);
	return status;
}

static int
entries(void)
{
	struct stat st;

	ck_assert_int_eq(stat(root, &st), 0);
	/* tmpfs, ext4 and their kin: two, and one for each folder in it. */
	return (int)st.st_nlink - 2;
}

START_TEST(names_are_runcs)
{
	static const char *const good[] = {"a", "A-z_0+9.", "-a", "_", "+"};
	static const char *const bad[] = {
		"", ".", "..", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "a:b"};
	char name[257];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(state_is_name(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!state_is_name(bad[i]), "%s", bad[i]);
		ck_assert_int_eq(refused(root, bad[i], "is no name"), EINVAL);
	}
	memset(name, 'x', 256);
	name[256] = '\0';
	ck_assert(!state_is_name(name));
	name[255] = '\0';
	ck_assert(state_is_name(name));
}
END_TEST

/* The PID that a pidfd stands for, as the kernel tells it. */
static pid_t
pid_of(int pidfd)
{
	char *file, *line;

	ck_assert_int_ne(asprintf(&file, "fdinfo/%d", pidfd), -1);
	char *text = proc_read(getpid(), file);
	ck_assert_ptr_nonnull(text);
	line = strstr(text, "\nPid:");
	ck_assert_ptr_nonnull(line);
	pid_t pid = (pid_t)strtol(line + 5, NULL, 10);
	free(text);
	free(file);
	return pid;
}

START_TEST(what_is_written_is_found)
{
	pid_t pid = init();
	json_t *process = json_pack("{s:[ss]}", "args", "/bin/sh", "-c"),
	       *annotations = json_pack("{s:s}", "a.b", "\xc3\xa4");
	char *cgroups[] = {"/sys/fs/cgroup/nslessons-test-none", NULL};
	struct state state, found;
	struct stat st;
	char *error;
	int pidfd;

	listen_to_us();
	run_by(&state, "box", pid);
	state.process = process;
	state.annotations = annotations;
	state.cgroups = cgroups;
	ck_assert_int_eq(state_write(&state), 0);
	ck_assert_int_eq(state_find(&found, root, "box", &pidfd, &error), 0);
	ck_assert_int_eq(pid_of(pidfd), pid);
	ck_assert_int_eq(found.status, STATE_RUNNING);
	ck_assert_int_eq(found.pid, pid);
	ck_assert_uint_eq(found.start, state.start);
	ck_assert_str_eq(found.bundle, "/bundle");
	ck_assert_str_eq(found.rootfs, "/bundle/rootfs");
	ck_assert_str_eq(found.created, state.created);
	ck_assert_uint_eq(found.owner, geteuid());
	ck_assert_str_eq(found.cgroups[0], cgroups[0]);
	ck_assert_ptr_null(found.cgroups[1]);
	ck_assert(json_equal(found.process, process));
	ck_assert(json_equal(found.annotations, annotations));
	char *file = support_path(found.folder, "state.json");
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(stat(found.folder, &st), 0);
	ck_assert_int_eq(st.st_mode, S_IFDIR | 0700);
	free(file);
	close(pidfd);
	state_free(&found);
	ck_assert_int_eq(child_end(pid), 128 + SIGKILL);
	ck_assert_int_eq(state_remove(&state), 0);
	state_free(&state);
	json_decref(process);
	json_decref(annotations);
	ck_assert_int_eq(status_of("box"), -1);
	ck_assert_int_eq(entries(), 0);
	said("", 0);
}
END_TEST

START_TEST(a_life_in_three_states)
{
	enum state_status status;
	struct state state;
	pid_t pid = init();

	listen_to_us();
	claim(&state, "box");
	ck_assert_int_eq(count_all(&status), 1);
	ck_assert_int_eq(status, STATE_CREATING);
	ck_assert_int_eq(refused(root, "box", "being started"), EEXIST);
	state.pid = pid;
	ck_assert_int_eq(proc_start_time(pid, &state.start), 0);
	ck_assert_int_eq(state_write(&state), 0);
	ck_assert_int_eq(count_all(&status), 1);
	ck_assert_int_eq(status, STATE_RUNNING);
	ck_assert_int_eq(state_release(&state), 0);
	ck_assert_int_eq(state.lock, -1);
	ck_assert_int_eq(count_all(&status), 1);
	ck_assert_int_eq(status, STATE_RUNNING);
	ck_assert_int_eq(refused(root, "box", "is running"), EEXIST);
	ck_assert_int_eq(state_remove(&state), -1);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert(lives(pid));
	ck_assert_int_eq(child_end(pid), 128 + SIGKILL);
	ck_assert_int_eq(count_all(&status), 1);
	ck_assert_int_eq(status, STATE_STOPPED);
	said("", 0);
	state_free(&state);
	claim(&state, "box");
	said("box: cleaned up: it has ended", 1);
	ck_assert_int_eq(state_remove(&state), 0);
	state_free(&state);
	ck_assert_int_eq(entries(), 0);
}
END_TEST

START_TEST(all_come_in_order)
{
	static const char *const names[] = {"c", "a", "b"};
	struct state states[3], *found;
	char *error;

	for (int i = 0; i < 3; i++)
		claim(&states[i], names[i]);
	ck_assert_int_eq(state_each(root, &found, &error), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(found[i].name[0], "abc"[i]);
		state_free(&found[i]);
		ck_assert_int_eq(state_remove(&states[i]), 0);
		state_free(&states[i]);
	}
	free(found);
}
END_TEST

/* Nothing is made by who only looks. */
START_TEST(without_a_folder_there_is_none)
{
	struct state *states, state;
	char *none = support_path(root, "none"), *error;
	struct stat st;

	ck_assert_int_eq(state_each(none, &states, &error), 0);
	ck_assert_int_eq(state_find(&state, none, "box", NULL, &error), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(error, "there is no container box");
	free(error);
	ck_assert_int_eq(lstat(none, &st), -1);
	free(none);
}
END_TEST

/* An init that does not hear of its runner's death. It has no copy of the lock
 * when this returns. */
static pid_t
deaf_init(const struct state *state)
{
	struct gate ready;

	if (gate_make(&ready) == -1)
		_exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		close(state->lock);
		if (gate_open(&ready) == -1)
			_exit(1);
		for (;;)
			pause();
	}
	if (pid == -1 || gate_wait(&ready) == -1)
		_exit(1);
	return pid;
}

/* A runner that does this much and is killed. Returns the PID of the init that
 * it has started, or 0. */
static pid_t
killed_after(int stage)
{
	int news[2];
	pid_t pid = 0;

	ck_assert_int_eq(pipe2(news, O_CLOEXEC), 0);
	pid_t runner = fork();
	ck_assert_int_ne(runner, -1);
	if (runner == 0) {
		struct state state;

		claim(&state, "box");
		state.bundle = "/bundle";
		if (stage > 0 && state_write(&state) == -1)
			_exit(1);
		if (stage > 1)
			state.pid = pid = deaf_init(&state);
		if (stage > 1 && (proc_start_time(pid, &state.start) == -1 ||
					 state_write(&state) == -1))
			_exit(1);
		if (write(news[1], &pid, sizeof(pid)) == -1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(news[0], &pid, sizeof(pid)), sizeof(pid));
	close(news[0]);
	close(news[1]);
	ck_assert_int_eq(child_end(runner), 128 + SIGKILL);
	return pid;
}

/* Its runner's end is its end. As we are its reaper, its zombie stays ours. */
START_TEST(a_killed_runner_is_cleaned_up)
{
	struct state state;

	listen_to_us();
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (int way = 0; way < 3; way++) {
		pid_t pid = killed_after(_i);

		if (way == 0)
			ck_assert_int_eq(count_all(NULL), 0);
		else if (way == 1)
			ck_assert_int_eq(status_of("box"), -1);
		else
			claim(&state, "box");
		said("box: cleaned up: its runner is gone", 1);
		if (pid > 0)
			ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
		ck_assert_int_eq(entries(), way == 2);
	}
	ck_assert_int_eq(state_remove(&state), 0);
	state_free(&state);
}
END_TEST

static char *
read_text(const char *name)
{
	char *folder = support_path(root, name),
	     *file = support_path(folder, "state.json");
	FILE *in = fopen(file, "re");
	char *text = NULL;
	size_t size = 0;

	ck_assert_ptr_nonnull(in);
	ck_assert_int_gt(getdelim(&text, &size, '\0', in), 0);
	ck_assert_int_eq(fclose(in), 0);
	free(file);
	free(folder);
	return text;
}

static void
write_text(const char *name, const char *text, size_t length)
{
	char *folder = support_path(root, name),
	     *file = support_path(folder, "state.json");

	ck_assert(mkdir(folder, 0700) == 0 || errno == EEXIST);
	FILE *out = fopen(file, "we");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(text, 1, length, out), length);
	ck_assert_int_eq(fclose(out), 0);
	free(file);
	free(folder);
}

START_TEST(a_state_cut_off_is_cleaned_up)
{
	pid_t pid = init();
	size_t length = 1;

	listen_to_us();
	detached("box", pid);
	char *text = read_text("box");
	ck_assert_uint_gt(strlen(text), 100);
	for (size_t i = 0; i < strlen(text); i += length) {
		write_text("box", text, i);
		if (i % 2 == 0)
			ck_assert_int_eq(count_all(NULL), 0);
		else
			ck_assert_int_eq(status_of("box"), -1);
		said("box: cleaned up: its state is damaged: ", 1);
		ck_assert_int_eq(entries(), 0);
	}
	ck_assert(lives(pid));
	write_text("box", text, strlen(text));
	ck_assert_int_eq(status_of("box"), STATE_RUNNING);
	free(text);
	child_end(pid);
}
END_TEST

/* Write the state of a running container with one value changed. */
static void
change(const char *name, const char *member, json_t *value)
{
	char *text = read_text(name);
	json_t *file = json_loads(text, 0, NULL);

	free(text);
	ck_assert_ptr_nonnull(json_object_get(file, member));
	ck_assert_int_eq(json_object_set_new(file, member, value), 0);
	text = json_dumps(file, 0);
	write_text(name, text, strlen(text));
	free(text);
	json_decref(file);
}

START_TEST(wrong_values_are_not_believed)
{
	static const char *const numbers[] = {
		"version", "pid", "start", "owner"};
	static const char *const texts[] = {
		"name", "boot", "viewpoint", "created", "bundle", "rootfs"};
	static const char *const others[] = {"detached", "cgroups"};
	pid_t pid = init();

	listen_to_us();
	for (int i = 0; i < 4 + 6 + 2 + 4; i++) {
		detached("box", pid);
		if (i < 4)
			change("box", numbers[i], json_string("1"));
		else if (i < 10)
			change("box", texts[i - 4], json_integer(pid));
		else if (i < 12)
			change("box", others[i - 10], json_null());
		else if (i == 12)
			change("box", "pid", json_integer(-pid));
		else if (i == 13)
			change("box", "pid", json_integer(4194305));
		else if (i == 14)
			change("box", "name", json_string("another"));
		else
			change("box", "cgroups", json_pack("[i]", 1));
		ck_assert_int_eq(count_all(NULL), 0);
		said("box: cleaned up: its state is damaged: ", 1);
		ck_assert_int_eq(entries(), 0);
	}
	ck_assert(lives(pid));
	child_end(pid);
}
END_TEST

START_TEST(another_boot_or_process_is_not_it)
{
	pid_t pid = init();

	listen_to_us();
	detached("box", pid);
	change("box", "boot", json_string("00000000-0000-0000-0000-0"));
	ck_assert_int_eq(status_of("box"), -1);
	said("box: cleaned up: it is from before the last boot", 1);
	detached("box", pid);
	change("box", "start", json_integer(1));
	ck_assert_int_eq(status_of("box"), -1);
	said("another process now", 1);
	/* Not even with a runner that was killed. */
	detached("box", pid);
	change("box", "start", json_integer(1));
	change("box", "detached", json_false());
	ck_assert_int_eq(count_all(NULL), 0);
	said("box: cleaned up: its runner is gone", 1);
	ck_assert_int_eq(entries(), 0);
	ck_assert(lives(pid));
	child_end(pid);
}
END_TEST

/* There, the PID is somebody else's number. */
START_TEST(another_pid_namespace_is_left_alone)
{
	pid_t pid = init();

	listen_to_us();
	detached("box", pid);
	change("box", "viewpoint", json_string("pid:[1] time:[1]"));
	ck_assert_int_eq(count_all(NULL), 0);
	said("box: left alone", 1);
	ck_assert_int_eq(status_of("box"), -1);
	said("box: left alone", 1);
	ck_assert_int_eq(
		refused(root, "box", "another PID, time or cgroup"), EEXIST);
	free(read_text("box"));
	ck_assert(lives(pid));
	child_end(pid);
}
END_TEST

START_TEST(what_is_not_ours_is_left_alone)
{
	char *folder = support_path(root, "folder"),
	     *link = support_path(root, "link"),
	     *file = support_path(root, "file");

	listen_to_us();
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_int_eq(symlink(folder, link), 0);
	ck_assert_int_eq(mknod(file, S_IFREG | 0600, 0), 0);
	write_text("runc", "{\"id\":\"runc\",\"format\":1}", 24);
	write_text("cargo", "{\"format\":\"cargo\"}", 18);
	ck_assert_int_eq(count_all(NULL), 0);
	ck_assert_int_eq(refused(root, "folder", "not ours"), EEXIST);
	ck_assert_int_eq(refused(root, "link", "not ours"), EEXIST);
	ck_assert_int_eq(refused(root, "file", "not ours"), EEXIST);
	ck_assert_int_eq(refused(root, "runc", "not ours"), EEXIST);
	ck_assert_int_eq(refused(root, "cargo", "not ours"), EEXIST);
	said("", 0);
	free(read_text("runc"));
	ck_assert_int_eq(rmdir(folder), 0);
	free(folder);
	free(link);
	free(file);
}
END_TEST

START_TEST(a_folder_that_others_write_to_is_refused)
{
	char *link = support_path(root, "link");
	struct state *states, state;
	char *error;

	ck_assert_int_eq(symlink(root, link), 0);
	ck_assert_int_eq(refused(link, "box", "open "), ENOTDIR);
	ck_assert_int_eq(chmod(root, 0720), 0);
	ck_assert_int_eq(refused(root, "box", "others can write"), EPERM);
	ck_assert_int_eq(chmod(root, 0702), 0);
	ck_assert_int_eq(state_find(&state, root, "box", NULL, &error), -1);
	ck_assert_int_eq(errno, EPERM);
	free(error);
	ck_assert_int_eq(state_each(root, &states, &error), -1);
	ck_assert_int_eq(errno, EPERM);
	free(error);
	free(link);
}
END_TEST

/* Root, too, must not believe what another user has written. */
START_TEST(a_folder_of_another_user_is_refused)
{
	struct state *states;
	char *error;

	ck_assert_int_eq(chown(root, NOBODY, NOBODY), 0);
	ck_assert_int_eq(refused(root, "box", "another user"), EPERM);
	ck_assert_int_eq(state_each(root, &states, &error), -1);
	ck_assert_int_eq(errno, EPERM);
	free(error);
}
END_TEST

/* Twenty processes want one name at once. Each says whether it has got it, and
 * holds it until all have said so. */
static int
winners(void)
{
	enum { MANY = 20 };
	int start[2], news[2], won = 0;
	struct gate end[MANY];
	pid_t pids[MANY];

	ck_assert_int_eq(pipe2(start, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(news, O_CLOEXEC), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(gate_make(&end[i]), 0);
		pids[i] = fork();
		ck_assert_int_ne(pids[i], -1);
		if (pids[i] != 0)
			continue;
		struct state state;
		char *error, byte;
		close(start[1]);
		while (read(start[0], &byte, 1) > 0)
			continue;
		byte = state_claim(&state, root, "box", &error) == 0 ? 1
		       : errno == EEXIST			     ? 0
								     : 2;
		if (write(news[1], &byte, 1) != 1 || gate_wait(&end[i]) == -1)
			_exit(1);
		_exit(byte == 1 && state_remove(&state) == -1);
	}
	close(start[1]);
	for (int i = 0; i < MANY; i++) {
		char byte;

		ck_assert_int_eq(read(news[0], &byte, 1), 1);
		ck_assert_int_lt(byte, 2);
		won += byte;
	}
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(gate_open(&end[i]), 0);
		ck_assert_int_eq(child_wait(pids[i]), 0);
	}
	close(start[0]);
	close(news[0]);
	close(news[1]);
	return won;
}

START_TEST(of_many_one_gets_the_name)
{
	listen_to_us();
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(winners(), 1);
		ck_assert_int_eq(entries(), 0);
		said("", 0);
		killed_after(0);
		ck_assert_int_eq(winners(), 1);
		ck_assert_int_eq(entries(), 0);
		said("its runner is gone", 1);
	}
}
END_TEST

/* What a runner does with its state from the beginning to the end. */
static void
whole_life(pid_t pid, bool detach)
{
	struct state state;
	char *error;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 ||
		raise(SIGSTOP) != 0 ||
		state_claim(&state, root, "box", &error) == -1 ||
		state_write(&state) == -1)
		_exit(1);
	state.pid = pid;
	if (proc_start_time(pid, &state.start) == -1 ||
		state_write(&state) == -1)
		_exit(1);
	_exit((detach ? state_release(&state) : state_remove(&state)) == -1);
}

/* Let a runner live until it enters its n-th system call. Returns whether it
 * was killed then; it may have ended before. */
static bool
killed_at(int n, pid_t pid, bool detach)
{
	pid_t runner = fork();
	int status;

	ck_assert_int_ne(runner, -1);
	if (runner == 0)
		whole_life(pid, detach);
	ck_assert_int_eq(waitpid(runner, &status, 0), runner);
	/* It stops when it enters a call, and when it leaves one. */
	for (n = 2 * n - 1; WIFSTOPPED(status) && n > 0; n--) {
		ck_assert_int_ne(
			ptrace(PTRACE_SYSCALL, runner, NULL, NULL), -1);
		ck_assert_int_eq(waitpid(runner, &status, 0), runner);
	}
	if (WIFSTOPPED(status)) {
		ck_assert_int_eq(child_end(runner), 128 + SIGKILL);
		return true;
	}
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

START_TEST(a_runner_may_die_at_any_call)
{
	bool detach = _i == 1, more = true;
	enum state_status status;
	int n;

	listen_to_us();
	for (n = 1; more; n++) {
		pid_t pid = init();

		more = killed_at(n, pid, detach);
		int count = count_all(&status);
		/* Detached, it goes on; else all is cleaned up. */
		if (count == 1) {
			struct state state;

			ck_assert(detach);
			ck_assert_int_eq(status, STATE_RUNNING);
			ck_assert(lives(pid));
			child_end(pid);
			claim(&state, "box");
			ck_assert_int_eq(state_remove(&state), 0);
			state_free(&state);
		} else {
			ck_assert_int_eq(count, 0);
			child_end(pid);
		}
		ck_assert_msg(entries() == 0, "something is left after %d", n);
	}
	ck_assert_int_gt(n, 40);
}
END_TEST

/* A folder in some hierarchy of cgroups, and a process in it. */
static char *
cgroup_with(pid_t pid)
{
	char *folder = NULL, *file;

	for (size_t i = 0; i < TOPS; i++) {
		folder = support_path(cgroup_tops[i], cgroup_name);
		if (mkdir(folder, 0755) == 0)
			break;
		free(folder);
		folder = NULL;
	}
	ck_assert_ptr_nonnull(folder);
	file = support_path(folder, "cgroup.procs");
	FILE *out = fopen(file, "we");
	ck_assert_ptr_nonnull(out);
	fprintf(out, "%d\n", pid);
	ck_assert_int_eq(fclose(out), 0);
	free(file);
	return folder;
}

/* Never record here a cgroup that others are in: what a broken program kills
 * would be the machine. */
START_TEST(cgroups_are_cleaned_up)
{
	pid_t pid = init();
	char *folder = cgroup_with(pid);
	struct stat st;

	listen_to_us();
	detached("box", getpid());
	change("box", "cgroups", json_pack("[s]", root));
	change("box", "detached", json_false());
	change("box", "pid", json_integer(0));
	ck_assert_int_eq(count_all(NULL), 0);
	said("is no cgroup: left alone", 2);
	/* After a boot, it is somebody else's. */
	detached("box", getpid());
	change("box", "cgroups", json_pack("[s]", folder));
	change("box", "boot", json_string("another"));
	ck_assert_int_eq(count_all(NULL), 0);
	ck_assert(lives(pid));
	detached("box", getpid());
	change("box", "cgroups", json_pack("[s]", folder));
	change("box", "detached", json_false());
	change("box", "pid", json_integer(0));
	ck_assert_int_eq(count_all(NULL), 0);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
	ck_assert_int_eq(lstat(folder, &st), -1);
	ck_assert_int_eq(entries(), 0);
	free(folder);
}
END_TEST

/* Wait until a process has waited for something this often. */
static void
has_waited(pid_t pid, long times)
{
	char *text;

	do {
		text = proc_status(pid, "voluntary_ctxt_switches");
		ck_assert_ptr_nonnull(text);
		times -= strtol(text, NULL, 10) >= times ? times : 0;
		free(text);
		sched_yield();
	} while (times > 0);
}

/* Who removes a container while its runner is still at it waits for the
 * runner; and a container that has taken the name is not touched. */
START_TEST(removal_by_another)
{
	struct state state, found;
	char *error;
	pid_t pid = init();

	listen_to_us();
	run_by(&state, "box", pid);
	ck_assert_int_eq(state_find(&found, root, "box", NULL, &error), 0);
	child_end(pid);
	pid_t other = fork();
	if (other == 0) {
		close(state.lock);
		_exit(state_remove(&found) == -1);
	}
	has_waited(other, 5);
	ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
	ck_assert_int_eq(entries(), 1);
	ck_assert_int_eq(state_remove(&state), 0);
	state_free(&state);
	ck_assert_int_eq(child_wait(other), 0);
	ck_assert_int_eq(entries(), 0);
	claim(&state, "box");
	ck_assert_int_eq(state_remove(&found), 0);
	ck_assert_int_eq(entries(), 1);
	ck_assert_int_eq(state_remove(&state), 0);
	state_free(&state);
	state_free(&found);
	said("", 0);
}
END_TEST

/* In a user namespace of one's own, one is uid 0 and still the same user. */
START_TEST(the_usual_folder_is_that_of_the_user)
{
	uid_t uid = geteuid() == 0 ? NOBODY : geteuid();
	struct state *states, state;
	char *error, *own = support_path(root, "nslessons");

	ck_assert_int_eq(chown(root, uid, (gid_t)-1), 0);
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", root, 1), 0);
	if (uid != geteuid() && (setgid(uid) == -1 || setuid(uid) == -1))
		ck_abort_msg("setuid");
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
	ck_assert_msg(
		state_claim(&state, NULL, "box", &error) == 0, "%s", error);
	ck_assert_int_eq(strncmp(state.folder, own, strlen(own)), 0);
	ck_assert_uint_eq(state.owner, uid);
	gid_t gid = getegid();
	ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
	idmap_root(0, uid, gid);
	ck_assert_uint_eq(geteuid(), 0);
	ck_assert_int_eq(state_each(NULL, &states, &error), 1);
	ck_assert_uint_eq(states[0].owner, uid);
	ck_assert_int_eq(state_remove(&state), 0);
	state_free(&state);
	state_free(states);
	free(states);
	free(own);
}
END_TEST

START_TEST(the_state_of_the_specification)
{
	json_t *annotations = json_pack("{s:s}", "a", "b");
	struct state state = {.name = (char *)"box",
		.pid = 77,
		.created = (char *)"2025-01-02T03:04:05Z",
		.bundle = "/b",
		.rootfs = "/b/rootfs",
		.owner = 0,
		.annotations = annotations,
		.status = STATE_RUNNING};
	json_t *expected = json_pack(
		"{s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:{s:s}}", "ociVersion",
		"1.0.2", "id", "box", "status", "running", "pid", 77, "bundle",
		"/b", "rootfs", "/b/rootfs", "created", "2025-01-02T03:04:05Z",
		"owner", "root", "annotations", "a", "b");
	json_t *found = state_json(&state);

	ck_assert(json_equal(found, expected));
	json_decref(found);
	state.status = STATE_STOPPED;
	found = state_json(&state);
	json_object_del(expected, "pid");
	json_object_set_new(expected, "status", json_string("stopped"));
	ck_assert(json_equal(found, expected));
	json_decref(found);
	json_decref(expected);
	json_decref(annotations);
}
END_TEST

Suite *
suite_state(void)
{
	Suite *suite = suite_create("state");
	TCase *c = tcase_create("state");

	tcase_add_unchecked_fixture(c, set_up_case, tear_down_case);
	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, names_are_runcs);
	tcase_add_test(c, what_is_written_is_found);
	tcase_add_test(c, a_life_in_three_states);
	tcase_add_test(c, all_come_in_order);
	tcase_add_test(c, without_a_folder_there_is_none);
	tcase_add_loop_test(c, a_killed_runner_is_cleaned_up, 0, 3);
	tcase_add_test(c, a_state_cut_off_is_cleaned_up);
	tcase_add_test(c, wrong_values_are_not_believed);
	tcase_add_test(c, another_boot_or_process_is_not_it);
	tcase_add_test(c, another_pid_namespace_is_left_alone);
	tcase_add_test(c, what_is_not_ours_is_left_alone);
	tcase_add_test(c, a_folder_that_others_write_to_is_refused);
	tcase_add_test(c, of_many_one_gets_the_name);
	tcase_add_loop_test(c, a_runner_may_die_at_any_call, 0, 2);
	tcase_add_test(c, removal_by_another);
	tcase_add_test(c, the_state_of_the_specification);
	if (support_have("root", "a_folder_of_another_user_is_refused"))
		tcase_add_test(c, a_folder_of_another_user_is_refused);
	if (support_have("cgroup", "cgroups_are_cleaned_up"))
		tcase_add_test(c, cgroups_are_cleaned_up);
	if (support_have("userns", "the_usual_folder_is_that_of_the_user"))
		tcase_add_test(c, the_usual_folder_is_that_of_the_user);
	suite_add_tcase(suite, c);
	return suite;
}
