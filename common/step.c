/*
 * step: a program of its own, and the last step of a container's start. The
 * runtime's process becomes this program, and this one becomes the command.
 *
 * The command may be "/proc/self/exe", or a script that begins with
 * "#!/proc/self/exe". That is the program which calls execve, and what is
 * executed can be found and, later, written to by the container. Called from
 * here it is a copy of these few instructions, in memory, see sealed.h; and not
 * the runtime's file on the host's disk.
 *
 *	step COMMAND NEWS SIGNAL [ARGUMENT...]
 *
 * NEWS is a descriptor. Where the command cannot be executed, the number of the
 * error is written to it; where it can, the descriptor is closed. SIGNAL is
 * what the command gets when its runtime ends, or 0: the kernel takes that back
 * at an execve that gives capabilities, as the one of this program may have
 * done. ARGUMENT 0 and so on are the command's own.
 *
 * Without a C library, whose start takes longer than all of this.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/syscall.h>

/* A system call, and the first instructions. The kernel has put the number of
 * arguments, pointers to them, NULL, and pointers to the environment on the
 * stack: step gets the address. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov %rsp, %rdi\n\tcall step");

static long
call(long number, long a, long b, long c)
{
	__asm__ volatile("syscall"
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return number;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x0, sp\n\tbl step");

static long
call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2)
			 : "memory");
	return x0;
}
#else
/* Never called: sealed_step says that there is none for this processor. */
__asm__(".globl _start\n_start:");
#define call(number, a, b, c) (-(long)ENOSYS)
#endif

/* A number, written in digits. */
static int
number_of(const char *text)
{
	int number = 0;

	while (*text >= '0' && *text <= '9')
		number = number * 10 + (*text++ - '0');
	return number;
}

/* Whoever has the words wrong ends as a command that is not executable. */
void step(char **stack) __attribute__((noreturn, used));

void
step(char **stack)
{
	long argc = (long)stack[0];
	char **argv = stack + 1, **environment = argv + argc + 1;
	int error = EINVAL;

	if (argc > 4) {
		int news = number_of(argv[2]);

		error = (int)-call(SYS_fcntl, news, F_SETFD, FD_CLOEXEC);
		if (error == 0)
			error = (int)-call(SYS_prctl, PR_SET_PDEATHSIG,
				number_of(argv[3]), 0);
		if (error == 0)
			error = (int)-call(SYS_execve, (long)argv[1],
				(long)(argv + 4), (long)environment);
		call(SYS_write, news, (long)&error, sizeof(error));
	}
	for (;;)
		call(SYS_exit_group, error == ENOENT ? 127 : 126, 0, 0);
}
