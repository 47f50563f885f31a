/*
 * floor: the least that a container of the default bundle must do. The same
 * five namespaces, proc, and pivot_root; no check, no capability, no device.
 *
 *	floor ROOTFS COMMAND...
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "die.h"

static void
container(const char *rootfs, char **command)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount private");
	if (mount(rootfs, rootfs, NULL, MS_BIND, NULL) == -1)
		die("mount %s", rootfs);
	if (chdir(rootfs) == -1)
		die("chdir %s", rootfs);
	if (mount("proc", "proc", "proc", 0, NULL) == -1)
		die("mount proc");
	if (syscall(SYS_pivot_root, ".", ".") == -1)
		die("pivot_root");
	if (umount2(".", MNT_DETACH) == -1)
		die("umount2");
	execvp(command[0], command);
	die("exec %s", command[0]);
}

int
main(int argc, char **argv)
{
	unsigned long flags = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
			      CLONE_NEWPID | CLONE_NEWUTS | SIGCHLD;

	if (argc < 3)
		die_plain(DIE_USAGE, "usage: floor ROOTFS COMMAND...");
	pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
	if (pid == -1)
		die("clone");
	if (pid == 0)
		container(argv[1], argv + 2);
	return child_wait(pid);
}
