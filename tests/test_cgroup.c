/*
 * cgroup: folders are made, limits in them hold, and nothing is left. As root
 * each test runs in three layouts: as this machine has it, with version 2
 * alone, and with version 1 alone, as far as the machine has both.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgfile.h"
#include "cgroup.h"
#include "child.h"
#include "devices.h"
#include "gate.h"
#include "lines.h"
#include "ns.h"
#include "proc.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NUMBER(n)              \
	(struct bundle_number) \
	{                      \
		true, (n)      \
	}

enum { SECONDS = 60, NOBODY = 12345 };

#define MEGABYTE (1LL << 20)

enum layout { HERE, VERSION_2, VERSION_1, LAYOUTS };

/* The container's name in all tests, and the same in a path; a folder to
 * mount things on. */
static char *name;
static char *folder_name;
static char *dir;

/* The controllers that version 2 hands on, from the folder where ours are made
 * to the top: before the tests. */
static char **handed_on;

/* Hierarchies that cgroup_each tells, of version 1 and of version 2. */
struct found {
	int one, two;
	char *unified; /* the mount point of version 2 */
	char *lines;   /* "MOUNT_POINT PATH CONTROLLERS\n"... */
};

static int
find(const char *mount_point, const char *path, const char *controllers,
	void *data)
{
	struct found *found = data;
	char *longer;

	if (controllers[0] == '\0') {
		found->two++;
		free(found->unified);
		found->unified = strdup(mount_point);
	} else {
		found->one++;
	}
	ck_assert_int_ne(asprintf(&longer, "%s%s %s %s\n", found->lines,
				 mount_point, path, controllers),
		-1);
	free(found->lines);
	found->lines = longer;
	return 0;
}

static struct found
find_all(pid_t pid)
{
	struct found found = {.one = 0};

	found.lines = strdup("");
	ck_assert_int_eq(cgroup_each(pid, find, &found), 0);
	return found;
}

static void
free_found(struct found *found)
{
	free(found->unified);
	free(found->lines);
}

static int
hide_unified(const char *mount_point, const char *path, const char *controllers,
	void *data)
{
	(void)path;
	(void)data;
	if (controllers[0] == '\0')
		ck_assert_int_eq(umount2(mount_point, MNT_DETACH), 0);
	return 0;
}

/* They go with the test. */
static void
own_mounts(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

/* A file system of our own, for whatever a test needs. */
static void
own_files(void)
{
	own_mounts();
	ck_assert_int_eq(mount("none", dir, "tmpfs", 0, NULL), 0);
}

static void
take_layout(int layout)
{
	struct found found = find_all(NS_SELF);

	if (layout == VERSION_2 && found.one > 0) {
		own_mounts();
		ck_assert_int_eq(
			mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL),
			0);
	}
	if (layout == VERSION_1 && found.one > 0) {
		own_mounts();
		ck_assert_int_eq(cgroup_each(NS_SELF, hide_unified, NULL), 0);
	}
	free_found(&found);
}

/* --- what a test makes ---------------------------------------------------- */

static struct cgroup
planned(const char *path)
{
	struct cgroup cgroup;

	ck_assert_int_eq(cgroup_plan(&cgroup, path, name), 0);
	return cgroup;
}

static struct cgroup
made(const char *path, const struct bundle_resources *resources)
{
	struct cgroup cgroup = planned(path);
	int result = cgroup_make(&cgroup, resources);

	ck_assert_msg(result == 0, "cgroup_make: %s", strerror(errno));
	return cgroup;
}

static void
removed(struct cgroup *cgroup)
{
	int result = cgroup_remove(cgroup->folders);

	ck_assert_msg(result == 0, "cgroup_remove: %s", strerror(errno));
	for (char **f = cgroup->folders; *f != NULL; f++)
		ck_assert_msg(access(*f, F_OK) == -1, "%s is left", *f);
	cgroup_free(cgroup);
}

static bool
is_missing(const struct cgroup *cgroup, const char *what)
{
	size_t length = strlen("linux.resources.");

	for (char **line = cgroup->missing; *line != NULL; line++)
		if (strncmp(*line, "linux.resources.", length) == 0 &&
			strncmp(*line + length, what, strlen(what)) == 0 &&
			(*line)[length + strlen(what)] == ':')
			return true;
	return false;
}

static size_t
count_lines(char *const *lines)
{
	size_t count = 0;

	while (lines[count] != NULL)
		count++;
	return count;
}

static bool
has_word(const char *text, const char *wanted)
{
	char *copy = strdup(text), *rest = copy, *word;
	bool has = false;

	while ((word = strsep(&rest, " ,\n")) != NULL)
		has = has || strcmp(word, wanted) == 0;
	free(copy);
	return has;
}

/* Does this layout have the controller, as the kernel tells it? */
static bool
has_controller(const char *controller)
{
	struct found found = find_all(NS_SELF);
	bool has = has_word(found.lines, controller);

	if (found.unified != NULL) {
		char *all = cgfile_read(found.unified, "cgroup.controllers");

		has = has || has_word(all, controller);
		free(all);
	}
	free_found(&found);
	return has;
}

/* Start a child of ours in the folders; what it returns is its exit code. */
static pid_t
start_inside(char *const *folders, int (*inside)(void *data), void *data)
{
	struct gate gate;
	int parent = child_self();

	ck_assert_int_eq(gate_make(&gate), 0);
	pid_t pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		child_begin(parent);
		_exit(gate_wait(&gate) == 0 ? inside(data) : 99);
	}
	close(parent);
	ck_assert_int_eq(cgroup_enter(folders, pid, false), 0);
	ck_assert_int_eq(gate_open(&gate), 0);
	return pid;
}

static int
run_inside(char *const *folders, int (*inside)(void *data), void *data)
{
	return child_wait(start_inside(folders, inside, data));
}

static int
stay(void *data)
{
	(void)data;
	while (pause() == -1)
		continue;
	return 0;
}

static bool
is_alive(pid_t pid)
{
	char state = proc_state(pid);

	return state != 0 && state != 'Z';
}

/* The first folder that has such a file, and what stands in it. */
static char *
value_of(const struct cgroup *cgroup, const char *file)
{
	char *value = NULL;

	for (char **f = cgroup->folders; *f != NULL && value == NULL; f++)
		value = cgfile_read(*f, file);
	return value;
}

static void
ck_value(const struct cgroup *cgroup, const char *file, const char *expected)
{
	char *value = value_of(cgroup, file);

	ck_assert_msg(value != NULL, "no %s", file);
	ck_assert_str_eq(value, expected);
	free(value);
}

/* --- folders -------------------------------------------------------------- */

START_TEST(one_folder_in_each_hierarchy)
{
	struct bundle_resources none = {.device_count = 0};
	char *own = proc_read(NS_SELF, "cgroup"), *after;
	pid_t *pids;

	take_layout(_i);
	struct found hierarchies = find_all(NS_SELF);
	struct cgroup cgroup = planned(NULL);
	for (char **f = cgroup.folders; *f != NULL; f++)
		ck_assert_int_eq(access(*f, F_OK), -1);
	ck_assert_int_eq(cgroup_make(&cgroup, &none), 0);
	ck_assert_uint_eq(
		count_lines(cgroup.folders), hierarchies.one + hierarchies.two);
	ck_assert_uint_eq(count_lines(cgroup.missing), 0);

	pid_t pid = start_inside(cgroup.folders, stay, NULL);
	struct found inside = find_all(pid);
	char *line, *rest = inside.lines;
	while (*(line = strsep(&rest, "\n")) != '\0')
		ck_assert_msg(strstr(line, folder_name) != NULL, "%s", line);
	ck_assert_int_eq(cgroup_pids(cgroup.folders, &pids), 1);
	ck_assert_int_eq(pids[0], pid);
	free(pids);
	removed(&cgroup);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
	after = proc_read(NS_SELF, "cgroup");
	ck_assert_str_eq(own, after);
	free(own);
	free(after);
	free_found(&inside);
	free_found(&hierarchies);
}
END_TEST

START_TEST(a_process_can_be_born_inside)
{
	struct bundle_resources none = {.device_count = 0};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &none);
	int fd = cgroup_open_unified(cgroup.folders);
	bool born;
	if (fd == -1) {
		ck_assert_int_eq(errno, ENOENT);
		ck_assert_int_eq(_i, VERSION_1);
		removed(&cgroup);
		return;
	}
	pid_t pid = cgroup_clone(cgroup.folders, 0, NULL, &born);
	if (pid == 0)
		_exit(stay(NULL));
	ck_assert(born);
	char *memberships = proc_read(pid, "cgroup");
	ck_assert_ptr_nonnull(strstr(strstr(memberships, "0::"), folder_name));
	free(memberships);
	/* The others are still to be entered. */
	ck_assert_int_eq(cgroup_enter(cgroup.folders, pid, true), 0);
	memberships = proc_read(pid, "cgroup");
	int entered = 0, folders = 0;
	for (char *at = memberships; (at = strstr(at, folder_name)); at++)
		entered++;
	while (cgroup.folders[folders] != NULL)
		folders++;
	ck_assert_int_eq(entered, folders);
	free(memberships);
	close(fd);
	removed(&cgroup);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
}
END_TEST

/* Version 1 does not tell all. What is gone is empty, if it was a cgroup. */
START_TEST(emptiness_is_known)
{
	struct bundle_resources none = {.device_count = 0};
	char *const nowhere[] = {"/nowhere/at/all", NULL};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &none);
	int fd = cgroup_open_unified(cgroup.folders);

	ck_assert_int_eq(cgroup_is_empty(cgroup.folders), fd != -1);
	pid_t pid = start_inside(cgroup.folders, stay, NULL);
	ck_assert(!cgroup_is_empty(cgroup.folders));
	ck_assert_int_eq(cgroup_remove(cgroup.folders), 0);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
	ck_assert(cgroup_is_empty(cgroup.folders));
	ck_assert(!cgroup_is_empty(nowhere));
	ck_assert(!cgroup_is_empty((char *const[]){NULL}));
	if (fd != -1)
		close(fd);
	cgroup_free(&cgroup);
}
END_TEST

START_TEST(paths_stay_below_the_top)
{
	static const char *const wrong[] = {
		"", "/", ".", "..", "/../..", "a/..", "/a/../../."};
	struct cgroup cgroup;
	char *path;

	take_layout(_i);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		ck_assert_int_eq(cgroup_plan(&cgroup, wrong[i], name), -1);
		ck_assert_int_eq(errno, EINVAL);
		cgroup_free(&cgroup);
	}
	struct found hierarchies = find_all(NS_SELF);
	struct cgroup plain = planned(NULL);
	ck_assert_int_ne(
		asprintf(&path, "../../a/.././../%s", folder_name), -1);
	cgroup = planned(path);
	for (size_t i = 0; plain.folders[i] != NULL; i++)
		ck_assert_str_eq(cgroup.folders[i], plain.folders[i]);
	cgroup_free(&cgroup);
	cgroup_free(&plain);
	free(path);
	ck_assert_int_ne(asprintf(&path, "/../..//%s/./", folder_name), -1);
	cgroup = planned(path);
	for (char **f = cgroup.folders; *f != NULL; f++) {
		char *line, *slash = strrchr(*f, '/');

		ck_assert_str_eq(slash + 1, folder_name);
		/* What is before it is a mount point. */
		ck_assert_int_ne(
			asprintf(&line, "%.*s ", (int)(slash - *f), *f), -1);
		ck_assert_ptr_nonnull(strstr(hierarchies.lines, line));
		free(line);
	}
	cgroup_free(&cgroup);
	free(path);
	free_found(&hierarchies);
}
END_TEST

/* In version 2 the caller's own cgroup could not hand controllers on. */
START_TEST(relative_is_below_us_or_beside_us)
{
	struct bundle_resources none = {.device_count = 0};

	take_layout(_i);
	struct cgroup outer = made(NULL, &none);
	pid_t pid = fork();
	if (pid == 0) {
		struct cgroup inner;
		int wrong = 0;

		if (cgroup_enter(outer.folders, getpid(), false) == -1 ||
			cgroup_plan(&inner, "nslessons-inner", name) == -1)
			_exit(1);
		for (size_t i = 0; inner.folders[i] != NULL; i++) {
			bool below = strncmp(inner.folders[i], outer.folders[i],
					     strlen(outer.folders[i])) == 0;
			bool two = cgfile_exists(
				outer.folders[i], "cgroup.controllers");

			wrong += below == two;
		}
		_exit(wrong == 0 ? 0 : 2);
	}
	ck_assert_int_eq(child_wait(pid), 0);
	removed(&outer);
}
END_TEST

/* The folder's path without its last part. */
static char *
way_to(const char *folder)
{
	return strndup(folder, strrchr(folder, '/') - folder);
}

START_TEST(the_way_is_removed_too)
{
	struct bundle_resources none = {.device_count = 0};
	char *path, *other_path, *top_path;

	take_layout(_i);
	ck_assert_int_ne(asprintf(&top_path, "/%s", folder_name), -1);
	ck_assert_int_ne(asprintf(&path, "%s/way/a", top_path), -1);
	ck_assert_int_ne(asprintf(&other_path, "%s/way/b", top_path), -1);
	struct cgroup cgroup = made(path, &none);
	char *way = way_to(cgroup.folders[0]), *top = way_to(way);
	ck_assert_int_eq(access(way, F_OK), 0);
	removed(&cgroup);
	ck_assert_int_eq(access(top, F_OK), -1);

	/* Who comes later uses the way, and does not remove it. */
	cgroup = made(path, &none);
	struct cgroup other = made(other_path, &none);
	removed(&cgroup);
	ck_assert_int_eq(access(way, F_OK), 0);
	removed(&other);
	ck_assert_int_eq(access(way, F_OK), 0);

	/* What was there before stays. */
	ck_assert_int_eq(rmdir(way), 0);
	cgroup = made(path, &none);
	ck_assert_ptr_nonnull(strstr(cgroup.folders[0], "//way/a"));
	removed(&cgroup);
	ck_assert_int_eq(access(way, F_OK), -1);
	ck_assert_int_eq(access(top, F_OK), 0);

	/* An empty folder is taken over, with what is below. */
	cgroup = made(top_path, &none);
	removed(&cgroup);
	ck_assert_int_eq(access(top, F_OK), -1);
	free(top);
	free(way);
	free(top_path);
	free(path);
	free(other_path);
}
END_TEST

START_TEST(a_busy_folder_is_refused)
{
	struct bundle_resources none = {.device_count = 0};
	struct cgroup second;

	take_layout(_i);
	struct cgroup early = planned(NULL);
	struct cgroup cgroup = made(NULL, &none);
	pid_t pid = start_inside(cgroup.folders, stay, NULL);

	ck_assert_int_eq(cgroup_plan(&second, NULL, name), -1);
	ck_assert_int_eq(errno, EEXIST);
	cgroup_free(&second);
	ck_assert_int_eq(cgroup_make(&early, &none), -1);
	ck_assert_int_eq(errno, EEXIST);
	cgroup_free(&early);
	ck_assert(is_alive(pid));
	for (char **f = cgroup.folders; *f != NULL; f++)
		ck_assert_int_eq(access(*f, F_OK), 0);

	/* In a folder below it counts, too. */
	char *below;
	ck_assert_int_ne(asprintf(&below, "%s/below", cgroup.folders[0]), -1);
	child_end(pid);
	ck_assert_int_eq(mkdir(below, 0755), 0);
	pid = start_inside((char *[]){below, NULL}, stay, NULL);
	ck_assert_int_eq(cgroup_plan(&second, NULL, name), -1);
	ck_assert_int_eq(errno, EEXIST);
	cgroup_free(&second);
	child_end(pid);
	free(below);

	/* An empty one is used. */
	early = made(NULL, &none);
	removed(&early);
	removed(&cgroup);
}
END_TEST

START_TEST(nested_folders_are_removed_with_all_in_them)
{
	struct bundle_resources none = {.device_count = 0};
	enum { DEEP = 5 };
	pid_t pids[DEEP], *listed;

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &none);
	char *path = strdup(cgroup.folders[0]), *longer;
	for (int i = 0; i < DEEP; i++) {
		ck_assert_int_ne(asprintf(&longer, "%s/%d", path, i), -1);
		free(path);
		path = longer;
		ck_assert_int_eq(mkdir(path, 0755), 0);
		pids[i] = start_inside((char *[]){path, NULL}, stay, NULL);
	}
	ck_assert_int_eq(cgroup_pids(cgroup.folders, &listed), DEEP);
	for (int i = 1; i < DEEP; i++)
		ck_assert_int_lt(listed[i - 1], listed[i]);
	free(listed);
	free(path);
	char *const *again = cgroup.folders;
	ck_assert_int_eq(cgroup_remove(again), 0);
	/* Folders that are gone do no harm. */
	ck_assert_int_eq(cgroup_pids(again, &listed), 0);
	free(listed);
	removed(&cgroup);
	for (int i = 0; i < DEEP; i++)
		ck_assert_int_eq(child_wait(pids[i]), 128 + SIGKILL);
}
END_TEST

/* Deeper than we may have files open. */
START_TEST(deep_folders_are_removed)
{
	struct bundle_resources none = {.device_count = 0};
	enum { FILES = 20, DEEP = 100 };
	struct rlimit few = {FILES, FILES};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &none);
	char *path = strdup(cgroup.folders[0]), *longer;
	for (int i = 0; i < DEEP; i++) {
		ck_assert_int_ne(asprintf(&longer, "%s/d", path), -1);
		free(path);
		path = longer;
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	pid_t pid = start_inside((char *[]){path, NULL}, stay, NULL);
	free(path);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	removed(&cgroup);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
}
END_TEST

START_TEST(our_own_cgroup_is_not_touched)
{
	struct bundle_resources none = {.device_count = 0};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &none);
	pid_t other = start_inside(cgroup.folders, stay, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		/* One hierarchy is enough. */
		if (cgroup_enter((char *[]){cgroup.folders[0], NULL}, getpid(),
			    false) == -1)
			_exit(1);
		_exit(cgroup_remove(cgroup.folders) == -1 && errno == EBUSY
				? 0
				: 2);
	}
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert(is_alive(other));
	removed(&cgroup);
	child_wait(other);
}
END_TEST

/* The same call in a PID namespace that does not know who is in the folder. */
static int
remove_blindly(char *const *folders)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		pid_t *pids;
		struct cgroup again;
		int unified = cgroup_open_unified(folders);

		if (cgroup_pids(folders, &pids) != 0)
			_exit(1);
		/* But version 2 says that there is somebody. */
		if (unified != -1 && (cgroup_plan(&again, NULL, name) == 0 ||
					     errno != EEXIST))
			_exit(2);
		if (cgroup_remove(folders) == -1)
			_exit(errno == EBUSY ? 3 : 4);
		_exit(0);
	}
	return child_wait(pid);
}

/* Only version 2 can kill whom it cannot name, with cgroup.kill. */
START_TEST(who_has_no_pid_for_us_is_killed_too)
{
	struct bundle_resources none = {.device_count = 0};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &none);
	bool can_kill = false;
	for (char **f = cgroup.folders; *f != NULL; f++)
		can_kill = can_kill || cgfile_exists(*f, "cgroup.kill");
	pid_t pid = start_inside(cgroup.folders, stay, NULL);
	ck_assert_int_eq(remove_blindly(cgroup.folders), can_kill ? 0 : 3);
	ck_assert_int_eq(is_alive(pid), !can_kill);
	removed(&cgroup);
	ck_assert_int_eq(child_wait(pid), 128 + SIGKILL);
}
END_TEST

/* --- limits --------------------------------------------------------------- */

/* Returns how many children there could be. */
static int
fork_many(void *data)
{
	int count = 0;

	(void)data;
	for (; count < 50; count++) {
		pid_t pid = fork();

		if (pid == -1)
			break;
		if (pid == 0)
			_exit(stay(NULL));
	}
	return errno == EAGAIN ? count : 99;
}

START_TEST(pids_limit_holds)
{
	struct bundle_resources resources = {.pids_limit = NUMBER(5)};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &resources);
	ck_assert_int_eq(
		!is_missing(&cgroup, "pids.limit"), has_controller("pids"));
	if (has_controller("pids")) {
		ck_assert_int_eq(
			run_inside(cgroup.folders, fork_many, NULL), 4);
		removed(&cgroup);
		resources.pids_limit = NUMBER(-1);
		cgroup = made(NULL, &resources);
		ck_value(&cgroup, "pids.max", "max");
	}
	removed(&cgroup);
}
END_TEST

static int
touch_memory(void *data)
{
	size_t size = *(const size_t *)data;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, size);
	return 0;
}

START_TEST(memory_limit_holds)
{
	struct bundle_resources resources = {
		.memory_limit = NUMBER(16 * MEGABYTE),
		.memory_swap = NUMBER(16 * MEGABYTE)};
	size_t little = 4 * (size_t)MEGABYTE, much = 64 * (size_t)MEGABYTE;

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &resources);
	ck_assert_int_eq(
		!is_missing(&cgroup, "memory.limit"), has_controller("memory"));
	if (has_controller("memory")) {
		ck_assert_int_eq(
			run_inside(cgroup.folders, touch_memory, &little), 0);
		ck_assert_int_eq(
			run_inside(cgroup.folders, touch_memory, &much),
			128 + SIGKILL);
	}
	removed(&cgroup);
}
END_TEST

/* A limit, and what then stands in the file of either version. */
static const struct {
	const char *name, *controller;
	struct bundle_resources resources;
	const char *file[2], *value[2];
} numbers[] = {
	{"memory.limit", "memory", {.memory_limit = {true, 8 * MEGABYTE}},
		{"memory.limit_in_bytes", "memory.max"},
		{"8388608", "8388608"}},
	{"memory.limit", "memory", {.memory_limit = {true, -1}},
		{"memory.limit_in_bytes", "memory.max"},
		{"9223372036854771712", "max"}},
	{"memory.reservation", "memory",
		{.memory_reservation = {true, 4 * MEGABYTE}},
		{"memory.soft_limit_in_bytes", "memory.low"},
		{"4194304", "4194304"}},
	{"memory.swap", "memory",
		{.memory_limit = {true, 8 * MEGABYTE},
			.memory_swap = {true, 12 * MEGABYTE}},
		{"memory.memsw.limit_in_bytes", "memory.swap.max"},
		{"12582912", "4194304"}},
	{"memory.swap", "memory",
		{.memory_limit = {true, 8 * MEGABYTE},
			.memory_swap = {true, -1}},
		{"memory.memsw.limit_in_bytes", "memory.swap.max"},
		{"9223372036854771712", "max"}},
	{"cpu.shares", "cpu", {.cpu_shares = {true, 1024}},
		{"cpu.shares", "cpu.weight"}, {"1024", "39"}},
	{"cpu.shares", "cpu", {.cpu_shares = {true, 1}},
		{"cpu.shares", "cpu.weight"}, {"2", "1"}},
	{"cpu.shares", "cpu", {.cpu_shares = {true, 262144}},
		{"cpu.shares", "cpu.weight"}, {"262144", "10000"}},
	{"cpu.shares", "cpu", {.cpu_shares = {true, 1LL << 40}},
		{"cpu.shares", "cpu.weight"}, {"262144", "10000"}},
	{"cpu.quota", "cpu", {.cpu_quota = {true, 30000}},
		{"cpu.cfs_quota_us", "cpu.max"}, {"30000", "30000 100000"}},
	{"cpu.quota", "cpu",
		{.cpu_quota = {true, 30000}, .cpu_period = {true, 50000}},
		{"cpu.cfs_quota_us", "cpu.max"}, {"30000", "30000 50000"}},
	{"cpu.period", "cpu", {.cpu_period = {true, 50000}},
		{"cpu.cfs_period_us", "cpu.max"}, {"50000", "max 50000"}},
	{"cpu.quota", "cpu", {.cpu_quota = {true, -1}},
		{"cpu.cfs_quota_us", "cpu.max"}, {"-1", "max 100000"}},
	{"cpu.cpus", "cpuset", {.cpus = "0"}, {"cpuset.cpus", "cpuset.cpus"},
		{"0", "0"}},
	{"cpu.mems", "cpuset", {.mems = "0"}, {"cpuset.mems", "cpuset.mems"},
		{"0", "0"}},
	{"pids.limit", "pids", {.pids_limit = {true, 7}},
		{"pids.max", "pids.max"}, {"7", "7"}},
};

static void
ck_number(size_t i)
{
	struct cgroup cgroup = made(NULL, &numbers[i].resources);
	bool have = has_controller(numbers[i].controller);

	ck_assert_msg(is_missing(&cgroup, numbers[i].name) == !have,
		"number %zu: %s", i, numbers[i].name);
	for (int v = 0; have && v < 2; v++) {
		char *value = value_of(&cgroup, numbers[i].file[v]);

		if (value == NULL)
			continue;
		/* A page may be 64 KiB, and infinity one page less. */
		if (strncmp(numbers[i].value[v], "92233720368", 11) == 0)
			value[11] = '\0';
		ck_assert_msg(
			strncmp(value, numbers[i].value[v], strlen(value)) == 0,
			"number %zu: %s is %s", i, numbers[i].file[v], value);
		free(value);
		have = false;
	}
	ck_assert_msg(!have, "number %zu: no file", i);
	removed(&cgroup);
}

START_TEST(numbers_are_written)
{
	take_layout(_i);
	for (size_t i = 0; i < COUNT(numbers); i++)
		ck_number(i);
}
END_TEST

/* 0 is "not given": so with runc. */
START_TEST(zero_is_no_limit)
{
	struct bundle_resources zero = {.memory_limit = {true, 0},
		.memory_reservation = {true, 0},
		.memory_swap = {true, 0},
		.cpu_shares = {true, 0},
		.cpu_quota = {true, 0},
		.cpu_period = {true, 0},
		.pids_limit = {true, 0}};

	take_layout(_i);
	struct cgroup cgroup = made(NULL, &zero);
	ck_assert_uint_eq(count_lines(cgroup.missing), 0);
	char *value = value_of(&cgroup, "pids.max");
	ck_assert(value == NULL || strcmp(value, "max") == 0);
	free(value);
	removed(&cgroup);
}
END_TEST

static int
count_processors(void *data)
{
	cpu_set_t set;

	(void)data;
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
							    : 99;
}

/* A new cpuset of version 1 is empty, and so would be those on the way. */
START_TEST(processors_are_inherited_or_chosen)
{
	struct bundle_resources one = {.cpus = "0"}, none = {.cpus = NULL};
	char *path;

	take_layout(_i);
	ck_assert_int_ne(asprintf(&path, "/%s/a/b", folder_name), -1);
	struct cgroup cgroup = made(path, &none);
	ck_assert_int_eq(run_inside(cgroup.folders, count_processors, NULL),
		count_processors(NULL));
	removed(&cgroup);
	cgroup = made(path, &one);
	ck_assert_int_eq(
		!is_missing(&cgroup, "cpu.cpus"), has_controller("cpuset"));
	if (has_controller("cpuset"))
		ck_assert_int_eq(
			run_inside(cgroup.folders, count_processors, NULL), 1);
	removed(&cgroup);
	free(path);
}
END_TEST

START_TEST(wrong_limits_are_errors)
{
	static const struct {
		const char *controller, *fault;
		struct bundle_resources resources;
	} wrong[] = {
		{NULL, "memory.swap", {.memory_swap = {true, 5 * MEGABYTE}}},
		{NULL, "memory.swap",
			{.memory_limit = {true, 8 * MEGABYTE},
				.memory_swap = {true, 4 * MEGABYTE}}},
		{NULL, "memory.swap",
			{.memory_limit = {true, -1},
				.memory_swap = {true, 4 * MEGABYTE}}},
		{"cpu", "cpu.period", {.cpu_period = {true, 1}}},
		{"cpu", "cpu.quota", {.cpu_quota = {true, 1}}},
		{"cpuset", "cpu.cpus", {.cpus = "no list"}},
		{"cpuset", "cpu.mems", {.mems = "-3"}},
		{"pids", "pids.limit", {.pids_limit = {true, 1LL << 50}}},
	};

	take_layout(_i);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (wrong[i].controller != NULL &&
			!has_controller(wrong[i].controller))
			continue;
		struct cgroup cgroup = planned(NULL), again;
		ck_assert_msg(cgroup_make(&cgroup, &wrong[i].resources) == -1,
			"wrong limit %zu", i);
		ck_assert_msg(errno == EINVAL, "wrong limit %zu: %s", i,
			strerror(errno));
		ck_assert_ptr_nonnull(cgroup.fault);
		ck_assert_msg(strstr(cgroup.fault, wrong[i].fault) != NULL,
			"wrong limit %zu: %s", i, cgroup.fault);
		cgroup_free(&cgroup);
		again = planned(NULL);
		for (char **f = again.folders; *f != NULL; f++)
			ck_assert_int_eq(access(*f, F_OK), -1);
		cgroup_free(&again);
	}
}
END_TEST

START_TEST(unified_is_for_version_2)
{
	json_t *unified = json_pack("{s:s, s:s}", "cgroup.max.depth", "3",
		"memory.no-such-file", "1");
	struct bundle_resources resources = {.unified = unified};
	static const char *const wrong[] = {
		"../no.file", "/no.file", "nothing", "no.file/a"};

	take_layout(_i);
	struct found found = find_all(NS_SELF);
	struct cgroup cgroup = made(NULL, &resources);
	ck_assert(is_missing(&cgroup, "unified[\"memory.no-such-file\"]"));
	ck_assert_int_eq(is_missing(&cgroup, "unified[\"cgroup.max.depth\"]"),
		found.two == 0);
	if (found.two > 0)
		ck_value(&cgroup, "cgroup.max.depth", "3");
	removed(&cgroup);
	if (found.two > 0 && has_controller("hugetlb")) {
		json_object_clear(unified);
		json_object_set_new(
			unified, "hugetlb.2MB.max", json_string("4194304"));
		cgroup = made(NULL, &resources);
		if (!is_missing(&cgroup, "unified[\"hugetlb.2MB.max\"]"))
			ck_value(&cgroup, "hugetlb.2MB.max", "4194304");
		removed(&cgroup);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		cgroup = planned(NULL);
		json_object_clear(unified);
		json_object_set_new(unified, wrong[i], json_string("1"));
		ck_assert_int_eq(cgroup_make(&cgroup, &resources), -1);
		ck_assert_int_eq(errno, EINVAL);
		cgroup_free(&cgroup);
	}
	json_decref(unified);
	free_found(&found);
}
END_TEST

/* --- without privilege ---------------------------------------------------- */

START_TEST(nobody_is_told_what_is_missing)
{
	struct bundle_device_rule deny = {
		.type = 'a', .read = true, .write = true, .make = true};
	json_t *unified = json_pack("{s:s}", "pids.max", "5");
	struct bundle_resources all = {.memory_limit = NUMBER(MEGABYTE),
		.memory_reservation = NUMBER(MEGABYTE),
		.memory_swap = NUMBER(MEGABYTE),
		.cpu_shares = NUMBER(100),
		.cpu_quota = NUMBER(50000),
		.cpu_period = NUMBER(100000),
		.cpus = "0",
		.mems = "0",
		.pids_limit = NUMBER(5),
		.devices = &deny,
		.device_count = 1,
		.unified = unified};
	static const char *const names[] = {"memory.limit",
		"memory.reservation", "memory.swap", "cpu.shares", "cpu.quota",
		"cpu.period", "cpu.cpus", "cpu.mems", "pids.limit", "devices",
		"unified[\"pids.max\"]"};
	struct bundle_resources none = {.device_count = 0};

	struct cgroup roots = {NULL, NULL, NULL};
	char *path = NULL;

	if (geteuid() == 0) {
		take_layout(_i);
		ck_assert_int_ne(asprintf(&path, "/%s", folder_name), -1);
		roots = made(path, &none);
		free(path);
		ck_assert_int_ne(asprintf(&path, "/%s/in", folder_name), -1);
		ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
		ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
	}
	struct cgroup cgroup = made(path, &all);
	/* Who may make folders is another case. */
	if (cgroup.folders[0] == NULL) {
		for (size_t i = 0; i < COUNT(names); i++)
			ck_assert_msg(
				is_missing(&cgroup, names[i]), "%s", names[i]);
		ck_assert_uint_eq(count_lines(cgroup.missing), COUNT(names));
		ck_assert_int_eq(cgroup_open_unified(cgroup.folders), -1);
		ck_assert_int_eq(
			cgroup_enter(cgroup.folders, getpid(), false), 0);
	}
	removed(&cgroup);
	cgroup = made(path, &none);
	ck_assert_uint_eq(count_lines(cgroup.missing), 0);
	removed(&cgroup);
	/* What is root's stays, and that is said. The fixture removes it. */
	if (roots.folders != NULL) {
		ck_assert_int_eq(cgroup_remove(roots.folders), -1);
		ck_assert(errno == EACCES || errno == EPERM);
		ck_assert_int_eq(
			cgroup_enter(roots.folders, getpid(), false), -1);
		cgroup_free(&roots);
	}
	free(path);
	json_decref(unified);
}
END_TEST

/* In a scope beside which NOBODY may make folders, as systemd delegates them. */
static int
run_as_nobody(void *data)
{
	const struct bundle_resources *resources = data;
	struct cgroup cgroup;

	if (setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
		setresuid(NOBODY, NOBODY, NOBODY) == -1)
		return 1;
	if (cgroup_plan(&cgroup, NULL, name) == -1 ||
		cgroup_make(&cgroup, resources) == -1 ||
		cgroup.folders[0] == NULL)
		return 2;
	if (is_missing(&cgroup, "pids.limit") == has_controller("pids") ||
		is_missing(&cgroup, "unified[\"cgroup.max.depth\"]") ||
		!is_missing(&cgroup, "devices"))
		return 3;
	pid_t pid = fork();
	if (pid == 0)
		_exit(stay(NULL));
	if (cgroup_enter(cgroup.folders, pid, false) == -1)
		return 4;
	if (cgroup_remove(cgroup.folders) == -1 ||
		access(cgroup.folders[0], F_OK) == 0)
		return 5;
	cgroup_free(&cgroup);
	return child_wait(pid) == 128 + SIGKILL ? 0 : 6;
}

START_TEST(a_delegated_cgroup_is_used)
{
	static const char *const files[] = {
		".", "cgroup.procs", "cgroup.subtree_control"};
	struct bundle_device_rule deny = {.type = 'a', .read = true};
	json_t *unified = json_pack("{s:s}", "cgroup.max.depth", "3");
	struct bundle_resources resources = {.pids_limit = NUMBER(20),
		.devices = &deny,
		.device_count = 1,
		.unified = unified};
	struct bundle_resources outer_resources = {.pids_limit = NUMBER(20)};
	char *scope, *path;

	take_layout(VERSION_2);
	struct cgroup outer = made(NULL, &outer_resources);
	for (size_t i = 0; i < COUNT(files); i++) {
		ck_assert_int_ne(
			asprintf(&path, "%s/%s", outer.folders[0], files[i]),
			-1);
		ck_assert_int_eq(chown(path, NOBODY, NOBODY), 0);
		free(path);
	}
	ck_assert_int_ne(asprintf(&scope, "%s/scope", outer.folders[0]), -1);
	ck_assert_int_eq(mkdir(scope, 0755), 0);
	char *const scopes[] = {scope, NULL};
	ck_assert_int_eq(run_inside(scopes, run_as_nobody, &resources), 0);
	removed(&outer);
	free(scope);
	json_decref(unified);
}
END_TEST

/* --- where hierarchies are ------------------------------------------------ */

/* There is one hierarchy, mounted here, and the process is there. */
static void
ck_place(pid_t pid, const char *mount_point, const char *path)
{
	struct found found = find_all(pid);
	char *line;

	ck_assert_int_ne(asprintf(&line, "%s %s \n", mount_point, path), -1);
	ck_assert_str_eq(found.lines, line);
	free(line);
	free_found(&found);
}

static void
ck_no_place(pid_t pid)
{
	struct found found = find_all(pid);

	ck_assert_str_eq(found.lines, "");
	free_found(&found);
}

/* A cgroup below the tests' own, which the fixture removes. */
static struct cgroup
made_below(const char *last)
{
	struct bundle_resources none = {.device_count = 0};
	char *path;

	ck_assert_int_ne(asprintf(&path, "/%s/%s", folder_name, last), -1);
	struct cgroup cgroup = made(path, &none);
	free(path);
	return cgroup;
}

static char *
place_for_mount(const char *last)
{
	char *path;

	ck_assert_int_ne(asprintf(&path, "%s/%s", dir, last), -1);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	return path;
}

static void
bind_to(const char *from, const char *to)
{
	ck_assert_int_eq(mount(from, to, NULL, MS_BIND, NULL), 0);
}

/* Version 2 at an odd place and nowhere else, and us in a cgroup of it. */
static char *
moved_hierarchy(char **path)
{
	take_layout(VERSION_2);
	own_files();
	struct cgroup cgroup = made_below("ab");
	ck_assert_int_eq(cgroup_enter(cgroup.folders, getpid(), false), 0);
	cgroup_free(&cgroup);
	ck_assert_int_ne(asprintf(path, "/%s/ab", folder_name), -1);
	ck_place(NS_SELF, "/sys/fs/cgroup", *path);
	char *odd = place_for_mount("a b\\040\tc\n");
	bind_to("/sys/fs/cgroup", odd);
	/* In the hybrid layout there is more below. */
	while (umount2("/sys/fs/cgroup", MNT_DETACH) == 0)
		continue;
	return odd;
}

START_TEST(odd_and_covered_mount_points_are_known)
{
	char *path, *odd = moved_hierarchy(&path), *part, *own;

	ck_place(NS_SELF, odd, path);
	part = place_for_mount("part");
	ck_assert_int_ne(asprintf(&own, "%s%s", odd, path), -1);
	/* Of two mounts in one place, the upper counts. */
	bind_to(own, part);
	bind_to(odd, part);
	ck_assert_int_eq(umount2(odd, MNT_DETACH), 0);
	ck_place(NS_SELF, part, path);
	/* Now all that is left is our cgroup, covered by something else. */
	ck_assert_int_eq(umount2(part, MNT_DETACH), 0);
	bind_to("/", part);
	ck_no_place(NS_SELF);
	free(own);
	free(part);
	free(odd);
	free(path);
}
END_TEST

START_TEST(a_part_of_a_hierarchy_is_known)
{
	char *path, *odd = moved_hierarchy(&path), *part, *own, *other;

	part = place_for_mount("part");
	ck_assert_int_ne(asprintf(&own, "%s%s", odd, path), -1);
	ck_assert_int_ne(asprintf(&other, "%sc", own), -1);
	ck_assert_int_eq(mkdir(other, 0755), 0);
	pid_t pid = start_inside((char *[]){other, NULL}, stay, NULL);
	char *top = place_for_mount("top");
	bind_to(own, part);
	bind_to(other, top);
	ck_assert_int_eq(umount2(odd, MNT_DETACH), 0);
	/* A top is not to be removed, nor are those in it killed. */
	ck_assert_int_eq(cgroup_remove((char *[]){top, NULL}), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert(is_alive(pid));
	/* We are at the other top; who is in .../abc is not below .../ab. */
	ck_assert_int_eq(umount2(top, MNT_DETACH), 0);
	ck_place(NS_SELF, part, "/");
	ck_no_place(pid);
	/* Likewise when our cgroup is the top of a cgroup namespace. */
	ck_assert_int_eq(unshare(CLONE_NEWCGROUP), 0);
	ck_place(NS_SELF, part, "/");
	ck_no_place(pid);
	ck_no_place(getppid());
	child_end(pid);
	free(top);
	free(other);
	free(own);
	free(part);
	free(odd);
	free(path);
}
END_TEST

/* --- devices -------------------------------------------------------------- */

/* Programs that are attached to a folder, or -1. */
static int
count_programs(const char *folder)
{
	union bpf_attr query;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	memset(&query, 0, sizeof(query));
	query.query.target_fd = (uint32_t)fd;
	query.query.attach_type = BPF_CGROUP_DEVICE;
	long result = syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query));
	close(fd);
	return result == -1 ? -1 : (int)query.query.prog_cnt;
}

static void
make_node(const char *node, char type, unsigned major, unsigned minor)
{
	char *path;

	ck_assert_int_ne(asprintf(&path, "%s/%s", dir, node), -1);
	ck_assert_int_eq(mknod(path, (type == 'b' ? S_IFBLK : S_IFCHR) | 0666,
				 makedev(major, minor)),
		0);
	free(path);
}

static int
try_open(const char *where, const char *node, int flags)
{
	char *path;

	if (asprintf(&path, "%s/%s", where, node) == -1)
		return -1;
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	int error = fd == -1 ? errno : 0;
	if (fd != -1)
		close(fd);
	free(path);
	return error;
}

/* Returns the number of the first that is wrong. */
static int
use_devices(void *data)
{
	char *path;
	struct stat st;

	(void)data;
	if (try_open(dir, "null", O_RDWR) != 0)
		return 1;
	if (try_open(dir, "zero", O_RDONLY) != 0)
		return 2;
	if (try_open(dir, "kmsg", O_WRONLY) != EPERM)
		return 3;
	if (try_open(dir, "kmsg", O_RDONLY) == EPERM)
		return 4;
	if (try_open(dir, "kmsg", O_RDWR) != EPERM)
		return 5;
	if (try_open(dir, "mem", O_RDONLY) != EPERM)
		return 6;
	if (try_open(dir, "disk", O_RDONLY) != EPERM)
		return 7;
	/* Any node may be made. */
	if (asprintf(&path, "%s/made", dir) == -1)
		return 8;
	if (mknod(path, S_IFBLK | 0600, makedev(7, 9)) == -1 ||
		stat(path, &st) == -1 || unlink(path) == -1)
		return 9;
	free(path);
	return 0;
}

START_TEST(device_rules_hold)
{
	struct bundle_device_rule rules[] = {
		{.type = 'a', .read = true, .write = true, .make = true},
		{.allow = true,
			.type = 'c',
			.major = NUMBER(1),
			.minor = NUMBER(11),
			.read = true}};
	struct bundle_resources resources = {
		.devices = rules, .device_count = COUNT(rules)};

	take_layout(_i);
	own_files();
	make_node("null", 'c', 1, 3);
	make_node("zero", 'c', 1, 5);
	make_node("kmsg", 'c', 1, 11);
	make_node("mem", 'c', 1, 1);
	make_node("disk", 'b', 7, 9);
	struct cgroup cgroup = made(NULL, &resources);
	ck_assert_uint_eq(count_lines(cgroup.missing), 0);
	ck_assert_int_eq(run_inside(cgroup.folders, use_devices, NULL), 0);
	/* Where there is a controller for it, there is no program. */
	for (char **f = cgroup.folders; *f != NULL; f++)
		if (cgfile_exists(*f, "cgroup.controllers"))
			ck_assert_int_eq(count_programs(*f),
				has_controller("devices") ? 0 : 1);
	removed(&cgroup);
	/* Without a rule, it is the same but for kmsg. */
	resources.device_count = 0;
	cgroup = made(NULL, &resources);
	ck_assert_int_eq(run_inside(cgroup.folders, use_devices, NULL), 4);
	removed(&cgroup);
}
END_TEST

/* Without the rules that cgroup_make adds: /dev/zero itself is denied. */
static int
open_zero(void *data)
{
	(void)data;
	return try_open("/dev", "null", O_RDWR) == 0 &&
			       try_open("/dev", "zero", O_RDONLY) == EPERM
		       ? 0
		       : 1;
}

static bool
is_v1_devices(const char *folder)
{
	return cgfile_exists(folder, "devices.deny");
}

static bool
is_v2(const char *folder)
{
	return cgfile_exists(folder, "cgroup.controllers");
}

/* A folder of our own in one hierarchy, or NULL where there is none. */
static char *
lone_folder(bool (*wanted)(const char *folder))
{
	struct cgroup cgroup = planned(NULL);
	char *found = NULL;

	for (char **f = cgroup.folders; *f != NULL; f++) {
		ck_assert_int_eq(mkdir(*f, 0755), 0);
		if (found == NULL && wanted(*f))
			found = strdup(*f);
		else
			ck_assert_int_eq(rmdir(*f), 0);
	}
	cgroup_free(&cgroup);
	return found;
}

static int
enforce(char *folder, const struct bundle_device_rule *rules, size_t count)
{
	return is_v2(folder) ? devices_attach(folder, rules, count)
			     : devices_write(folder, rules, count);
}

START_TEST(a_device_is_denied)
{
	struct bundle_device_rule rules[] = {{.allow = true,
						     .type = 'a',
						     .read = true,
						     .write = true,
						     .make = true},
		{.type = 'c',
			.major = NUMBER(1),
			.minor = NUMBER(5),
			.read = true,
			.write = true,
			.make = true}};
	bool (*const kinds[])(const char *) = {is_v1_devices, is_v2};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		char *folder = lone_folder(kinds[i]);
		char *const folders[] = {folder, NULL};

		if (folder == NULL)
			continue;
		ck_assert_int_eq(enforce(folder, rules, COUNT(rules)), 0);
		ck_assert_int_eq(run_inside(folders, open_zero, NULL), 0);
		ck_assert_int_eq(cgroup_remove(folders), 0);
		free(folder);
	}
}
END_TEST

/* What one program allows, the one above can still deny. */
START_TEST(programs_of_nested_folders_all_count)
{
	struct bundle_device_rule deny_zero[] = {
		{.allow = true, .type = 'a', .read = true, .write = true},
		{.type = 'c',
			.major = NUMBER(1),
			.minor = NUMBER(5),
			.read = true}};
	struct bundle_device_rule allow[] = {
		{.allow = true, .type = 'a', .read = true, .write = true}};
	char *folder = lone_folder(is_v2), *below;

	if (folder == NULL)
		return;
	ck_assert_int_ne(asprintf(&below, "%s/below", folder), -1);
	ck_assert_int_eq(mkdir(below, 0755), 0);
	ck_assert_int_eq(devices_attach(folder, deny_zero, 2), 0);
	ck_assert_int_eq(devices_attach(below, allow, 1), 0);
	ck_assert_int_eq(
		run_inside((char *[]){below, NULL}, open_zero, NULL), 0);
	ck_assert_int_eq(cgroup_remove((char *[]){folder, NULL}), 0);
	free(below);
	free(folder);
}
END_TEST

/* Some hundred rules are still a program that the kernel takes. */
START_TEST(many_rules_are_taken)
{
	enum { MANY = 300 };
	struct bundle_device_rule *rules = calloc(MANY, sizeof(*rules));
	char *folder = lone_folder(is_v2);

	ck_assert_ptr_nonnull(rules);
	for (int i = 0; rules != NULL && i < MANY; i++)
		rules[i] = (struct bundle_device_rule){.allow = i % 3 != 0,
			.type = i % 2 == 0 ? 'c' : 'b',
			.major = NUMBER(i),
			.minor = NUMBER(i % 5 - 1),
			.read = i % 4 != 0,
			.write = i % 4 == 0};
	if (folder != NULL) {
		ck_assert_int_eq(devices_attach(folder, rules, MANY), 0);
		ck_assert_int_eq(rmdir(folder), 0);
	}
	free(folder);
	free(rules);
}
END_TEST

START_TEST(wrong_device_numbers_are_errors)
{
	struct bundle_device_rule rule = {
		.type = 'c', .major = NUMBER(1LL << 32), .read = true};
	struct bundle_resources resources = {
		.devices = &rule, .device_count = 1};

	take_layout(_i);
	struct cgroup cgroup = planned(NULL);
	ck_assert_int_eq(cgroup_make(&cgroup, &resources), -1);
	ck_assert_int_eq(errno, EINVAL);
	cgroup_free(&cgroup);
}
END_TEST

/*
 * Random rules about few nodes, so that they meet. The verdict of the kernel
 * is compared with a simple reading of the rules.
 */
enum { LISTS = 150, MOST_RULES = 8, NODES = 8, WAYS = 4 };

enum { READ = 1, WRITE = 2, MAKE = 4 };

static const int ways[WAYS] = {READ, WRITE, READ | WRITE, MAKE};

struct node {
	char type;
	unsigned major, minor;
};

static struct node
node_of(int i)
{
	return (struct node){i & 1 ? 'b' : 'c', i & 2 ? 1 : 7, i & 4 ? 3 : 5};
}

static bool
is_about(const struct bundle_device_rule *rule, struct node node)
{
	return (rule->type == 'a' || rule->type == node.type) &&
	       (!rule->major.given || rule->major.value == node.major) &&
	       (!rule->minor.given || rule->minor.value == node.minor);
}

/* The last rule about one access to a node decides. */
static bool
is_allowed(const struct bundle_device_rule *rules, int count, struct node node,
	int access)
{
	bool allowed = false;

	for (int i = 0; i < count; i++)
		if (is_about(&rules[i], node) &&
			((access == READ && rules[i].read) ||
				(access == WRITE && rules[i].write) ||
				(access == MAKE && rules[i].make)))
			allowed = rules[i].allow;
	return allowed;
}

static struct bundle_number
some_number(int value)
{
	return (struct bundle_number){random() % 3 != 0, value};
}

static void
random_rules(struct bundle_device_rule *rules, int count)
{
	for (int i = 0; i < count; i++) {
		int access = 1 + (int)(random() % 7);

		rules[i] =
			(struct bundle_device_rule){.allow = random() % 2 == 0,
				.type = "aabbccc"[random() % 7],
				.major = some_number(random() % 2 ? 1 : 7),
				.minor = some_number(random() % 2 ? 3 : 5),
				.read = access & READ,
				.write = access & WRITE,
				.make = access & MAKE};
		if (random() % 8 == 0)
			rules[i] = (struct bundle_device_rule){
				.allow = rules[i].allow,
				.type = 'a',
				.read = true,
				.write = true,
				.make = true};
	}
}

/* 1, 0, or -1 for another error. */
struct verdicts {
	int allowed[NODES][WAYS];
};

/* access(2) asks for the device's permission as open(2) does (inode_permission
 * in the kernel), and leaves its driver alone. */
static int
try(int number, int way)
{
	struct node node = node_of(number);
	char *path;
	int result;

	if (asprintf(&path, "%s/%d%s", dir, number,
		    ways[way] == MAKE ? "-made" : "") == -1)
		return -1;
	if (ways[way] == MAKE)
		result = mknod(path,
			(node.type == 'b' ? S_IFBLK : S_IFCHR) | 0600,
			makedev(node.major, node.minor));
	else
		result = access(path, (ways[way] & READ ? R_OK : 0) |
					      (ways[way] & WRITE ? W_OK : 0));
	int error = errno;
	if (ways[way] == MAKE && result == 0)
		unlink(path);
	free(path);
	return result == 0 ? 1 : error == EPERM ? 0 : -1;
}

static int
try_all(void *data)
{
	struct verdicts *verdicts = data;

	for (int i = 0; i < NODES; i++)
		for (int way = 0; way < WAYS; way++)
			verdicts->allowed[i][way] = try(i, way);
	return 0;
}

static void
ck_verdicts(const struct bundle_device_rule *rules, int count,
	const struct verdicts *verdicts, int enforced, bool two)
{
	for (int i = 0; i < NODES; i++)
		for (int way = 0; way < WAYS; way++) {
			bool expected = true;
			int found = verdicts->allowed[i][way];

			for (int bit = READ; bit <= MAKE; bit <<= 1)
				if (ways[way] & bit)
					expected = expected &&
						   is_allowed(rules, count,
							   node_of(i), bit);
			ck_assert_int_ne(found, -1);
			/* Never less strict. Version 1 is more so where it
			 * says it, and where one access is allowed by one
			 * rule and the other by another. */
			ck_assert_msg(found == 0 || expected,
				"node %d way %d is allowed", i, way);
			if (two ||
				(enforced == 0 && ways[way] != (READ | WRITE)))
				ck_assert_msg(found == 1 || !expected,
					"node %d way %d is denied", i, way);
		}
}

START_TEST(random_device_rules_mean_what_they_say)
{
	bool (*const kinds[])(const char *) = {is_v1_devices, is_v2};
	struct verdicts *verdicts = mmap(NULL, sizeof(*verdicts),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bundle_device_rule rules[MOST_RULES];
	int exact = 0, strict = 0;

	ck_assert_ptr_ne(verdicts, MAP_FAILED);
	own_files();
	for (int i = 0; i < NODES; i++) {
		char node[2] = {(char)('0' + i), '\0'};

		make_node(node, node_of(i).type, node_of(i).major,
			node_of(i).minor);
	}
	srandom(4711 + _i);
	for (int list = 0; list < LISTS; list++) {
		int count = (int)(random() % (MOST_RULES + 1));
		char *folder = lone_folder(kinds[_i]);
		char *const folders[] = {folder, NULL};

		if (folder == NULL)
			break;
		random_rules(rules, count);
		int enforced = enforce(folder, rules, count);
		ck_assert_int_ne(enforced, -1);
		*(enforced == 0 ? &exact : &strict) += 1;
		ck_assert_int_eq(run_inside(folders, try_all, verdicts), 0);
		ck_verdicts(rules, count, verdicts, enforced, is_v2(folder));
		ck_assert_int_eq(cgroup_remove(folders), 0);
		free(folder);
	}
	/* Both kinds were among them. */
	ck_assert(exact + strict == 0 || exact > LISTS / 4);
	ck_assert(_i == 1 || exact + strict == 0 || strict > 5);
	munmap(verdicts, sizeof(*verdicts));
}
END_TEST

/* --- the suite ------------------------------------------------------------ */

/* A test that fails leaves what it has made: at the top, in our own cgroup or
 * beside it. */
static int
clean_up_hierarchy(const char *mount_point, const char *path,
	const char *controllers, void *data)
{
	const char *const places[][2] = {{"", ""}, {path, ""}, {path, "/.."}};
	char *folder;

	(void)controllers;
	(void)data;
	for (size_t i = 0; i < COUNT(places); i++) {
		if (asprintf(&folder, "%s%s%s/%s", mount_point, places[i][0],
			    places[i][1], folder_name) == -1)
			abort();
		(void)cgroup_remove((char *[]){folder, NULL});
		free(folder);
	}
	return 0;
}

static void
clean_up(void)
{
	(void)cgroup_each(NS_SELF, clean_up_hierarchy, NULL);
}

/* Call with each folder of version 2 from ours to the top. */
static void
go_up(void (*with)(const char *folder, int level))
{
	struct cgroup cgroup;
	int result = cgroup_plan(&cgroup, NULL, name), level = 0;

	for (char **f = cgroup.folders; result == 0 && *f != NULL; f++) {
		char *path = way_to(*f), *above;

		for (; cgfile_exists(path, "cgroup.subtree_control"); level++) {
			with(path, level);
			if (asprintf(&above, "%s/..", path) == -1)
				abort();
			free(path);
			path = above;
		}
		free(path);
	}
	cgroup_free(&cgroup);
}

static void
remember_handed_on(const char *folder, int level)
{
	(void)level;
	lines_append(&handed_on, cgfile_read(folder, "cgroup.subtree_control"));
}

/* A test may have made the folder hand on more. */
static void
restore_handed_on(const char *folder, int level)
{
	char *now = cgfile_read(folder, "cgroup.subtree_control"), *rest = now;
	char *word, *less;

	while ((word = strsep(&rest, " ")) != NULL) {
		if (word[0] == '\0' || has_word(handed_on[level], word))
			continue;
		if (asprintf(&less, "-%s", word) == -1)
			abort();
		(void)cgfile_write(folder, "cgroup.subtree_control", less);
		free(less);
	}
	free(now);
}

static void
begin(void)
{
	const char *temporary = getenv("TMPDIR");

	/* Its random letters are ours in all PID namespaces. */
	if (asprintf(&dir, "%s/cgroup-test-XXXXXX",
		    temporary == NULL ? "/tmp" : temporary) == -1 ||
		mkdtemp(dir) == NULL ||
		asprintf(&name, "check-%s", strrchr(dir, '-') + 1) == -1 ||
		asprintf(&folder_name, "nslessons-%s", name) == -1)
		abort();
	go_up(remember_handed_on);
}

static void
end(void)
{
	clean_up();
	go_up(restore_handed_on);
	lines_free(handed_on);
	rmdir(dir);
	free(dir);
	free(name);
	free(folder_name);
}

Suite *
suite_cgroup(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tcase = tcase_create("cgroup");

	tcase_set_timeout(tcase, SECONDS);
	tcase_add_unchecked_fixture(tcase, begin, end);
	tcase_add_checked_fixture(tcase, clean_up, NULL);
	tcase_add_loop_test(tcase, nobody_is_told_what_is_missing, 0,
		geteuid() == 0 ? LAYOUTS : 1);
	if (support_have("root", "cgroup") &&
		support_have("cgroup", "cgroup")) {
		const TTest *const in_layouts[] = {one_folder_in_each_hierarchy,
			a_process_can_be_born_inside, emptiness_is_known,
			paths_stay_below_the_top,
			relative_is_below_us_or_beside_us,
			the_way_is_removed_too, a_busy_folder_is_refused,
			nested_folders_are_removed_with_all_in_them,
			deep_folders_are_removed, our_own_cgroup_is_not_touched,
			who_has_no_pid_for_us_is_killed_too, pids_limit_holds,
			memory_limit_holds, numbers_are_written,
			zero_is_no_limit, processors_are_inherited_or_chosen,
			wrong_limits_are_errors, unified_is_for_version_2,
			device_rules_hold, wrong_device_numbers_are_errors};

		for (size_t i = 0; i < COUNT(in_layouts); i++)
			tcase_add_loop_test(tcase, in_layouts[i], 0, LAYOUTS);
		tcase_add_test(tcase, a_delegated_cgroup_is_used);
		tcase_add_test(tcase, odd_and_covered_mount_points_are_known);
		tcase_add_test(tcase, a_part_of_a_hierarchy_is_known);
		tcase_add_test(tcase, a_device_is_denied);
		tcase_add_test(tcase, programs_of_nested_folders_all_count);
		tcase_add_test(tcase, many_rules_are_taken);
		tcase_add_loop_test(
			tcase, random_device_rules_mean_what_they_say, 0, 2);
	}
	suite_add_tcase(suite, tcase);
	return suite;
}
