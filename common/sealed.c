#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"

/* Of linux/memfd.h, Linux 6.3. */
enum { MEMFD_EXEC = 0x10 };

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

/* Where the program was started from: the copy has no folder. */
static const char *const variable = "NSLESSONS_PROGRAM";

static bool
is_sealed(int program)
{
	int seals = fcntl(program, F_GET_SEALS);

	return seals != -1 && (seals & SEALS) == SEALS;
}

/* Before Linux 6.3 there was no such flag, and each memfd could be executed. */
static int
make_memfd(const char *name)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MEMFD_EXEC);

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create(name, flags);
	return fd;
}

static int
copy(int program)
{
	int fd = make_memfd(program_invocation_short_name);
	struct stat st;
	off_t done = 0;

	if (fd == -1)
		die("memfd_create");
	if (fstat(program, &st) == -1)
		die("fstat /proc/self/exe");
	while (done < st.st_size)
		if (sendfile(fd, program, &done, st.st_size - done) <= 0)
			die("sendfile /proc/self/exe");
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1)
		die("fcntl F_ADD_SEALS");
	return fd;
}

void
sealed_begin(char **argv)
{
	int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	/* Without /proc the lesson will say so by itself. */
	if (program == -1)
		return;
	if (is_sealed(program)) {
		close(program);
		/* Else it would be that of the copy's file. */
		if (prctl(PR_SET_NAME, program_invocation_short_name) == -1)
			die("prctl PR_SET_NAME");
		return;
	}
	char *path = realpath("/proc/self/exe", NULL);
	if (path == NULL)
		die("realpath /proc/self/exe");
	if (setenv(variable, path, 1) == -1)
		die("setenv");
	/* Where RLIMIT_FSIZE is too small, a write is to fail and be told, and
	 * not to kill. It stays so in the copy; child_begin takes it back. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		die("signal SIGXFSZ");
	int fd = copy(program);
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	die("execveat a copy of %s", path);
}

/* What step.c has become, and how many bytes that is. */
extern const char step_program[];
extern const uint64_t step_size;
__asm__(".section .rodata\n"
	".globl step_program, step_size\n"
	"step_program: .incbin \"build/common/step\"\n"
	"step_end: .balign 8\n"
	"step_size: .8byte step_end - step_program\n"
	".text");

bool
sealed_has_step(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return true;
#else
	return false;
#endif
}

int
sealed_step(void)
{
	int fd = make_memfd("step");

	if (fd == -1 ||
		(write(fd, step_program, step_size) == (ssize_t)step_size &&
			fcntl(fd, F_ADD_SEALS, SEALS) == 0))
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Of the errors of several places, that is told which says most. */
static int
worse(int error, int before)
{
	bool is_none = error == ENOENT || error == ENOTDIR;

	return is_none || before == EACCES ? before : error;
}

/* The file of a command: the first in the PATH that looks like a program. NULL
 * with errno. */
static char *
find_command(const char *name)
{
	const char *at = getenv("PATH");
	char *path = NULL;
	struct stat st;
	int error = ENOENT;
	size_t length;

	if (strchr(name, '/') != NULL)
		return strdup(name);
	if (at == NULL)
		at = "/bin:/usr/bin";
	for (bool more = true; more; at += length + 1) {
		length = strcspn(at, ":");
		more = at[length] != '\0';
		/* An empty one is the working directory. */
		if (asprintf(&path, "%.*s%s%s", (int)length, at,
			    length == 0 ? "./" : "/", name) == -1)
			return NULL;
		if (stat(path, &st) == -1)
			error = worse(errno, error);
		else if (S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0)
			return path;
		else
			error = worse(EACCES, error);
		free(path);
	}
	errno = error;
	return NULL;
}

/* As step.c expects its words. */
static char **
step_words(const char *path, int news, int signal, char *const argv[])
{
	char **words, *numbers[2];
	size_t count = 0;

	while (argv[count] != NULL)
		count++;
	words = calloc(count + 5, sizeof(*words));
	if (words == NULL || asprintf(&numbers[0], "%d", news) == -1 ||
		asprintf(&numbers[1], "%d", signal) == -1)
		die("malloc");
	words[0] = "step";
	words[1] = (char *)path;
	words[2] = numbers[0];
	words[3] = numbers[1];
	memcpy(words + 4, argv, count * sizeof(*words));
	return words;
}

void
sealed_exec(int step, int news, int signal, char *const argv[])
{
	char *path = find_command(argv[0]);

	if (path != NULL && step == -1)
		execv(path, argv);
	/* The small program sets it again. */
	else if (path != NULL && fcntl(news, F_SETFD, 0) == 0)
		syscall(SYS_execveat, step, "",
			step_words(path, news, signal, argv), environ,
			AT_EMPTY_PATH);
	int error = errno;
	if (write(news, &error, sizeof(error)) == -1)
		die("write news");
	_exit(error == ENOENT ? 127 : 126);
}

char *
sealed_program(void)
{
	int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const char *path = getenv(variable);

	if (program == -1)
		die("open /proc/self/exe");
	bool sealed = is_sealed(program);
	close(program);
	char *found = sealed && path != NULL ? strdup(path)
					     : realpath("/proc/self/exe", NULL);
	if (found == NULL)
		die("realpath /proc/self/exe");
	return found;
}
