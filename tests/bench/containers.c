#include "containers.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "measure.h"

enum { ROUNDS = 40, MOST_WORDS = 16 };

/* Who is compared with us. Its words, and what is said of it. */
struct peer {
	char *argv[MOST_WORDS];
	const char *name;
	double goal;
	bool here;
	struct line line;
};

/* --- The bundle ----------------------------------------------------------- */

/* crun wants one tree of cgroups of version 2, and nothing beside it. And /run,
 * where the runtimes keep their states, is in memory on every usual machine
 * (file-hierarchy(7)). Nobody else sees these mounts. */
static void
make_machine(void)
{
	struct statfs found;

	if (unshare(CLONE_NEWNS) == -1)
		die("unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount private");
	if (statfs("/sys/fs/cgroup", &found) == -1)
		die("statfs /sys/fs/cgroup");
	if (found.f_type != CGROUP2_SUPER_MAGIC &&
		mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == -1)
		die("mount cgroup2");
	if (statfs("/run", &found) == -1)
		die("statfs /run");
	if (found.f_type != TMPFS_MAGIC &&
		mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == -1)
		die("mount tmpfs");
}

/* What a peer cannot do on every machine is left out: resources, and the mount
 * of cgroups. */
static void
leave_out(json_t *config)
{
	json_t *mounts = json_object_get(config, "mounts");
	size_t i;

	json_object_del(json_object_get(config, "linux"), "resources");
	for (i = json_array_size(mounts); i > 0; i--) {
		json_t *type =
			json_object_get(json_array_get(mounts, i - 1), "type");

		if (strncmp(json_string_value(type), "cgroup", 6) == 0)
			json_array_remove(mounts, i - 1);
	}
}

/* The project's bundle with this command. Returns its folder, to be removed. */
static char *
make_bundle(json_t *command)
{
	char *folder = strdup("/tmp/nslessons-bench-XXXXXX"), *path;
	char *rootfs = realpath("bundle/rootfs", NULL);
	json_t *config = json_load_file("bundle/config.json", 0, NULL);

	if (folder == NULL || mkdtemp(folder) == NULL)
		die("mkdtemp");
	if (config == NULL || rootfs == NULL)
		die_plain(DIE_FAILED, "there is no bundle: make bundle");
	leave_out(config);
	json_t *process = json_object_get(config, "process");
	json_t *root = json_object_get(config, "root");
	if (json_object_set_new(process, "args", command) == -1 ||
		json_object_set_new(process, "terminal", json_false()) == -1 ||
		json_object_set_new(root, "path", json_string(rootfs)) == -1 ||
		asprintf(&path, "%s/config.json", folder) == -1)
		die("malloc");
	if (json_dump_file(config, path, 0) == -1)
		die("write %s", path);
	json_decref(config);
	free(path);
	free(rootfs);
	return folder;
}

static void
remove_bundle(char *folder)
{
	char *path;

	if (asprintf(&path, "%s/config.json", folder) == -1)
		die("malloc");
	if (unlink(path) == -1 || rmdir(folder) == -1)
		die("remove %s", folder);
	free(path);
	free(folder);
}

/* --- Rounds --------------------------------------------------------------- */

/* What the one before has left, the kernel removes after its end: a network
 * namespace above all. The next one should not wait for that. */
static double
run(char *const argv[])
{
	const struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
	double begin = measure_seconds();
	struct used used =
		measure_finish(measure_start(argv, "/dev/null"), argv[0]);
	double time = measure_seconds() - begin;
	if (used.code != 0)
		die_plain(DIE_FAILED, "%s has failed", argv[0]);
	return time;
}

static void
compare_all(const char *what, char *const ours[], struct peer *peers, int count)
{
	for (int i = 0; i < count; i++) {
		struct peer *peer = &peers[i];

		peer->here = measure_installed(peer->argv[0]);
		peer->line = (struct line){
			.goal = peer->goal, .unit = "times", .of = "ms"};
		if (asprintf(&peer->line.what, "%s, against %s", what,
			    peer->name) == -1)
			die("malloc");
	}
	for (int round = 0; round < ROUNDS; round++) {
		double a = run(ours);

		for (int i = 0; i < count; i++) {
			if (!peers[i].here)
				continue;
			double b = run(peers[i].argv);
			line_add(&peers[i].line, a / b, a * 1e3, b * 1e3);
		}
	}
	for (int i = 0; i < count; i++) {
		if (peers[i].here)
			line_tell(&peers[i].line);
		free(peers[i].line.what);
	}
}

void
containers_start(void)
{
	char *bundle = make_bundle(json_pack("[s]", "true"));
	char *rootfs = realpath("bundle/rootfs", NULL);
	char *ours[] = {"./lesson08", "run", "--bundle", bundle,
		"nslessons-bench", NULL};
	struct peer peers[] = {
		{{"crun", "run", "--bundle", bundle, "nslessons-bench-crun"},
			"crun", 0.38, false, {0}},
		{{"runc", "run", "--bundle", bundle, "nslessons-bench-runc"},
			"runc", 0.10, false, {0}},
		{{"bwrap", "--unshare-ipc", "--unshare-net", "--unshare-pid",
			 "--unshare-uts", "--bind", rootfs, "/", "--proc",
			 "/proc", "--dev", "/dev", "true"},
			"bwrap", 0.6, false, {0}},
		{{"unshare", "--ipc", "--net", "--pid", "--uts", "--mount",
			 "--fork", "--mount-proc", "true"},
			"unshare", 1.0, false, {0}},
		{{"build/tests/bench/floor", rootfs, "true"}, "the floor", 1.6,
			false, {0}},
	};
	struct line memory = {.what = "lesson08: memory at its most",
		.goal = 2048,
		.unit = "KiB"};

	make_machine();
	line_head("The default bundle, without linux.resources and the mount"
		  " of cgroups:");
	compare_all("lesson08, start to exit", ours, peers,
		sizeof(peers) / sizeof(peers[0]));
	for (int i = 0; i < ROUNDS; i++) {
		struct used used = measure_finish(
			measure_start(ours, "/dev/null"), ours[0]);

		line_add(&memory, (double)used.memory, 0, 0);
	}
	line_tell(&memory);
	free(rootfs);
	remove_bundle(bundle);
}

/* --- In a running container ----------------------------------------------- */

/* Each runtime has a container of its own, and tells its first process. */
static char *
read_pid(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "re");

	if (file == NULL || getline(&text, &size, file) == -1)
		die("read %s", path);
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void
compare_execs(const char *path)
{
	char *pid = read_pid(path);
	char *ours[] = {"./lesson09", "exec", "nslessons-bench", "true", NULL};
	struct peer peers[] = {
		{{"crun", "exec", "nslessons-bench-crun", "true"}, "crun", 0.20,
			false, {0}},
		{{"runc", "exec", "nslessons-bench-runc", "true"}, "runc",
			0.045, false, {0}},
		{{"nsenter", "--all", "--target", pid, "true"}, "nsenter", 0.5,
			false, {0}},
	};

	compare_all(
		"lesson09 exec", ours, peers, sizeof(peers) / sizeof(peers[0]));
	free(pid);
}

/* A container of each runtime that is here. */
static void
begin_containers(char *bundle, char *path)
{
	char *const begin[][MOST_WORDS] = {
		{"./lesson08", "run", "--detach", "--pid-file", path,
			"--bundle", bundle, "nslessons-bench"},
		{"crun", "run", "--detach", "--bundle", bundle,
			"nslessons-bench-crun"},
		{"runc", "run", "--detach", "--bundle", bundle,
			"nslessons-bench-runc"}};

	for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
		if (i == 0 || measure_installed(begin[i][0]))
			run(begin[i]);
}

/* Wait until we have ended, however that is, and delete the containers. */
static void
end_containers(int ended)
{
	char *const end[][MOST_WORDS] = {
		{"./lesson09", "delete", "--force", "nslessons-bench"},
		{"crun", "delete", "--force", "nslessons-bench-crun"},
		{"runc", "delete", "--force", "nslessons-bench-runc"}};
	char byte;

	while (read(ended, &byte, 1) == -1)
		if (errno != EINTR)
			die("read");
	for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++)
		if (i == 0 || measure_installed(end[i][0]))
			measure_finish(
				measure_start(end[i], "/dev/null"), end[i][0]);
}

void
containers_exec(void)
{
	char *bundle = make_bundle(json_pack("[s,s]", "sleep", "1000"));
	char *path;
	int ended[2];

	if (asprintf(&path, "%s.pid", bundle) == -1)
		die("malloc");
	if (pipe2(ended, O_CLOEXEC) == -1)
		die("pipe2");
	fflush(stdout);
	pid_t cleaner = fork();
	if (cleaner == -1)
		die("fork");
	if (cleaner == 0) {
		close(ended[1]);
		end_containers(ended[0]);
		_exit(0);
	}
	close(ended[0]);
	begin_containers(bundle, path);
	compare_execs(path);
	close(ended[1]);
	if (child_wait(cleaner) != 0)
		die_plain(DIE_FAILED, "the containers are not deleted");
	if (unlink(path) == -1)
		die("unlink %s", path);
	free(path);
	remove_bundle(bundle);
}
