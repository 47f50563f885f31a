#include "need.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "child.h"
#include "die.h"
#include "idmap.h"
#include "ns.h"
#include "report.h"

void
need_proc(void)
{
	char self[32];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	if (n == -1 && errno == ENOENT && access("/proc/stat", F_OK) == -1)
		report_cannot("/proc is not mounted",
			"sudo mount -t proc proc /proc");
	/* To mount another one here could cover that of the host. */
	if (strtol(self, NULL, 10) != getpid())
		report_cannot("/proc is that of another PID namespace",
			"start this one with `unshare -pf --mount-proc`");
}

/* A user namespace that cannot be left again is no experiment to make on
 * ourselves: a child tries it first, maps and all. */
static int
try_user_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int parent = child_self();
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		if (unshare(CLONE_NEWUSER) == -1)
			die("unshare CLONE_NEWUSER");
		idmap_root(NS_SELF, uid, gid);
		_exit(0);
	}
	close(parent);
	return child_wait(pid);
}

void
need_privilege(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (caps_have(CAP_SYS_ADMIN))
		return;
	if (try_user_namespace() != 0)
		report_cannot("no CAP_SYS_ADMIN, and no user namespace either"
			      " (see the line above)",
			"run it as root: sudo ./lessonNN");
	if (unshare(CLONE_NEWUSER) == -1)
		die("unshare CLONE_NEWUSER");
	idmap_root(NS_SELF, uid, gid);
	report_note("not root: all this happens in a user namespace of our"
		    " own, where uid %u is root",
		uid);
}

/* Ends the lesson with the cause and the cure of a call that has failed. */
static void
cannot_call(const char *call, int error)
{
	const char *cause = "this machine does not allow it";
	const char *cure = "scripts/doctor tells what it can do";
	char *reason;

	die_hint(call, error, &cause, &cure);
	if (asprintf(&reason, "%s: %s (%s): %s", call, die_errno_name(error),
		    strerror(error), cause) == -1)
		die("malloc");
	report_cannot(reason, cure);
}

/*
 * The kernel ends namespaces a moment after their last process. Near a limit
 * a new one is refused in this moment, so ENOSPC is tried once more.
 */
static int
try_namespace(int flag)
{
	const struct timespec moment = {.tv_nsec = 20000000};

	if (unshare(flag) == 0)
		return 0;
	if (errno != ENOSPC)
		return errno;
	nanosleep(&moment, NULL);
	return unshare(flag) == 0 ? 0 : errno;
}

void
need_namespaces(int flags)
{
	int parent = child_self();

	for (int i = 0; i < NS_TYPES; i++) {
		char *call;

		if ((flags & ns_types[i].flag) == 0)
			continue;
		pid_t pid = fork();
		if (pid == -1)
			die("fork");
		if (pid == 0) {
			child_begin(parent);
			_exit(try_namespace(ns_types[i].flag));
		}
		int error = child_wait(pid);
		if (asprintf(&call, "unshare %s", ns_types[i].macro) == -1)
			die("malloc");
		if (error != 0)
			cannot_call(call, error);
		free(call);
	}
	close(parent);
}

/* Runs as the child of a process that has done unshare: as PID 1. */
static int
try_mount_proc(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
		mount("proc", "/proc", "proc", 0, NULL) == -1)
		return errno;
	return 0;
}

void
need_mount_proc(void)
{
	int parent = child_self();
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		int self = child_self();
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) == -1)
			_exit(errno);
		pid = fork();
		if (pid == -1)
			_exit(errno);
		if (pid == 0) {
			child_begin(self);
			_exit(try_mount_proc());
		}
		_exit(child_wait(pid));
	}
	close(parent);
	int error = child_wait(pid);
	if (error != 0)
		cannot_call("mount proc", error);
}

char *
need_bundle(void)
{
	char *program = realpath("/proc/self/exe", NULL), *path, *busybox;

	if (program == NULL)
		die("realpath /proc/self/exe");
	*strrchr(program, '/') = '\0';
	if (asprintf(&path, "%s/bundle", program) == -1 ||
		asprintf(&busybox, "%s/rootfs/bin/busybox", path) == -1)
		die("malloc");
	if (access(busybox, X_OK) == -1)
		report_cannot("the bundle has no busybox", "make bundle");
	free(busybox);
	free(program);
	return path;
}
