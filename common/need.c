#include "need.h"

#include <errno.h>
#include <fcntl.h>
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
#include "sealed.h"

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

/*
 * Let a child try something. The child may be changed by it for ever; we are
 * not. Returns 0, the errno of the failure, or -1 when the child has ended by
 * die, which has said why.
 */
static int
try_in_child(int (*try)(int), int argument)
{
	int parent = child_self(), news[2], error = -1;

	if (pipe2(news, O_CLOEXEC) == -1)
		die("pipe2");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		error = try(argument);
		if (write(news[1], &error, sizeof(error)) == -1)
			die("write news");
		_exit(0);
	}
	if (close(news[1]) == -1)
		die("close");
	if (read(news[0], &error, sizeof(error)) == -1)
		die("read news");
	close(news[0]);
	close(parent);
	if (child_wait(pid) > 128)
		die_plain(
			DIE_FAILED, "a child that tried something was killed");
	return error;
}

/* A user namespace cannot be left again, so a child tries it first, with its
 * maps: it may be that it can be made and not be used. */
static int
try_user_namespace(int unused)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	(void)unused;
	if (unshare(CLONE_NEWUSER) == -1)
		die("unshare CLONE_NEWUSER");
	idmap_root(NS_SELF, uid, gid);
	return 0;
}

void
need_user_namespace(void)
{
	if (try_in_child(try_user_namespace, 0) != 0)
		report_cannot("no CAP_SYS_ADMIN, and no user namespace either"
			      " (see the line above)",
			"run it as root: sudo ./lessonNN");
}

void
need_privilege(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (caps_have(CAP_SYS_ADMIN))
		return;
	need_user_namespace();
	if (unshare(CLONE_NEWUSER) == -1)
		die("unshare CLONE_NEWUSER");
	idmap_root(NS_SELF, uid, gid);
	report_note("not root: in a user namespace of our own, uid %u is root",
		uid);
}

/* Ends the lesson with the cause and the cure of a call that has failed. */
static void
cannot_call(const char *call, int error)
{
	const char *cause = "this machine does not allow it";
	const char *cure = "scripts/doctor tells what it can do";
	char *reason;

	/* The child that tried it has said why. */
	if (error == -1)
		_exit(DIE_FAILED);
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
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];
		char *call;

		if ((flags & type->flag) == 0)
			continue;
		if (asprintf(&call, "unshare %s", type->macro) == -1)
			die("malloc");
		int error = try_in_child(try_namespace, type->flag);
		if (error != 0)
			cannot_call(call, error);
		free(call);
	}
}

/* As PID 1: only the child of a process that has done unshare is that. */
static int
try_mount(int unused)
{
	(void)unused;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
		mount("proc", "/proc", "proc", 0, NULL) == -1)
		return errno;
	return 0;
}

static int
try_mount_proc(int unused)
{
	(void)unused;
	if (unshare(CLONE_NEWPID | CLONE_NEWNS) == -1)
		return errno;
	return try_in_child(try_mount, 0);
}

void
need_mount_proc(void)
{
	int error = try_in_child(try_mount_proc, 0);

	if (error != 0)
		cannot_call("mount proc", error);
}

char *
need_bundle(void)
{
	char *program = sealed_program(), *path, *busybox;

	*strrchr(program, '/') = '\0';
	if (asprintf(&path, "%s/bundle", program) == -1 ||
		asprintf(&busybox, "%s/rootfs/bin/busybox", path) == -1)
		die("malloc");
	if (access(busybox, X_OK) == -1) {
		char *reason;

		if (asprintf(&reason, "there is no bundle with a busybox: %s",
			    busybox) == -1)
			die("malloc");
		report_cannot(reason, "make bundle, in the project's folder");
	}
	free(busybox);
	free(program);
	return path;
}
