/*
 * probe: what this kernel lets us do, found out by trying. scripts/doctor
 * compiles it, runs it, and prints its answers for people.
 *
 * A line of the output is one answer. Its fields have a tab between them:
 *
 *	group  verdict  name  detail  cause  cure
 *
 * The verdict is ok, no, or -- (it does not work, and no lesson needs it).
 * An attempt is made in a child, which ends by die when a call fails, as a
 * lesson does. What die has printed becomes the answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "idmap.h"
#include "ns.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIRECTLY "Namespaces made directly"
#define AS_USER "Namespaces inside a new user namespace"
#define NEWER \
	"boot a newer kernel; in Docker add --security-opt seccomp=unconfined"
#define MOUNT_PROC "sudo mount -t proc proc /proc"

enum { SECONDS = 3 }; /* the time limit of an attempt */

/* What to do: all that is set of these, a new user namespace first. */
struct attempt {
	const char *group, *name;
	const struct ns_type *type; /* make one of these */
	void (*call)(void);	    /* call this */
	const char *detail;	    /* what to print when it works */
	const char *cure;	    /* when it does not, and die knows none */
	bool as_user;		    /* in a new user namespace */
	bool optional;		    /* no lesson needs it */
};

/*
 * Fork a child that cannot outlast us. Without the alarm a call that hangs
 * would hang us; PID 1 of a PID namespace ignores the alarm, but not the
 * SIGKILL that it gets when its parent is dead.
 */
static pid_t
start(void)
{
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		alarm(SECONDS);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
			die("prctl PR_SET_PDEATHSIG");
	}
	return pid;
}

/* Wait for a grandchild. If it has failed, it has said why. */
static void
finish(pid_t pid)
{
	if (child_wait(pid) != 0)
		_exit(DIE_FAILED);
}

/* Near a limit the kernel refuses a new namespace while a dead one is still
 * being taken down, so ENOSPC is tried once more. */
static void
make_namespace(int flags, const char *macros)
{
	const struct timespec moment = {.tv_nsec = 20000000};
	int result = unshare(flags);

	if (result == -1 && errno == ENOSPC) {
		nanosleep(&moment, NULL);
		result = unshare(flags);
	}
	if (result == -1)
		die("unshare %s", macros);
}

static void
enter_user_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	make_namespace(CLONE_NEWUSER, "CLONE_NEWUSER");
	idmap_root(NS_SELF, uid, gid);
}

/* Only a child enters a new PID or time namespace, so have one. */
static void
make_type(const struct ns_type *type)
{
	make_namespace(type->flag, type->macro);
	pid_t pid = start();
	if (pid == 0)
		_exit(0);
	finish(pid);
}

/* Whoever mounts makes all mounts private first. Here the kernel has already
 * cut the way back to the host, because the user namespace is a new one
 * (mount_namespaces(7)). */
static void
mount_proc(void)
{
	make_namespace(
		CLONE_NEWPID | CLONE_NEWNS, "CLONE_NEWPID | CLONE_NEWNS");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount / private");
	pid_t pid = start();
	if (pid != 0)
		finish(pid);
	else if (mount("proc", "/proc", "proc",
			 MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == -1)
		die("mount proc on /proc");
}

static unsigned long long
capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) == -1)
		die("capget");
	return data[0].effective | (unsigned long long)data[1].effective << 32;
}

static bool
is_privileged(void)
{
	return (capabilities() >> CAP_SYS_ADMIN & 1) != 0;
}

static void
open_pidfd(void)
{
	if (syscall(SYS_pidfd_open, getpid(), 0) == -1)
		die("pidfd_open");
}

/* A process may enter the UTS namespace that it is in, if it owns that. */
static void
enter_by_pidfd(void)
{
	if (!is_privileged())
		enter_user_namespace();
	make_namespace(CLONE_NEWUTS, "CLONE_NEWUTS");
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fd == -1)
		die("pidfd_open");
	if (setns(fd, CLONE_NEWUTS) == -1 && errno == EINVAL)
		die_plain(DIE_FAILED, "setns: EINVAL: before Linux 5.8 it"
				      " takes no pidfd");
	if (setns(fd, CLONE_NEWUTS) == -1)
		die("setns");
}

static void
clone_new(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == -1)
		die("clone3");
	if (pid != 0)
		finish(pid);
}

static void
open_new(void)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};

	if (syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how)) == -1)
		die("openat2");
}

/* The event itself counts nothing; it brings a record of each fork and exit
 * on this processor (perf_event_open(2)). */
static void
open_perf(void)
{
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_id_all = 1,
		.task = 1};

	if (syscall(SYS_perf_event_open, &event, -1, sched_getcpu(), -1,
		    PERF_FLAG_FD_CLOEXEC) == -1)
		die("perf_event_open");
}

static long
milliseconds(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
		die("clock_gettime");
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void connector_die(const char *call) __attribute__((noreturn));

static void
connector_die(const char *call)
{
	static const struct {
		int error;
		const char *cause, *cure;
	} known[] = {
		{EPERM, "before Linux 6.12 only the host's root may listen",
			"sudo scripts/doctor"},
		{ECONNREFUSED, "this is not the host's network namespace",
			"in Docker add --network host"},
		{EPROTONOSUPPORT, "this kernel was built without it",
			"boot a kernel with CONFIG_PROC_EVENTS=y"},
		{ETIMEDOUT,
			"not in the host's PID or user namespace, or the kernel"
			" was built without CONFIG_PROC_EVENTS",
			"sudo scripts/doctor; in Docker add --pid host"},
	};

	for (size_t i = 0; i < COUNT(known); i++)
		if (known[i].error == errno)
			die_plain(DIE_FAILED,
				"%s: %s\n  cause: %s\n  cure:  %s", call,
				strerror(errno), known[i].cause, known[i].cure);
	die("%s", call);
}

static int
connector_open(void)
{
	const struct sockaddr_nl group = {
		.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	enum proc_cn_mcast_op op = PROC_CN_MCAST_LISTEN;
	struct cn_msg message = {
		.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(op)};
	struct nlmsghdr header = {.nlmsg_type = NLMSG_DONE,
		.nlmsg_len = NLMSG_LENGTH(sizeof(message) + sizeof(op))};
	struct iovec parts[] = {{&header, sizeof(header)},
		{&message, sizeof(message)}, {&op, sizeof(op)}};
	int fd = socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd == -1)
		connector_die("socket");
	if (bind(fd, (const struct sockaddr *)&group, sizeof(group)) == -1)
		connector_die("bind");
	if (writev(fd, parts, COUNT(parts)) == -1)
		connector_die("write");
	return fd;
}

/*
 * Wait one second for an event: the kernel's answer, or the fork of pid. What
 * comes meanwhile may be meant for other listeners, and lost events (ENOBUFS)
 * do not matter. Only the kernel sends from port 0.
 */
static void
connector_wait(int fd, unsigned int what, pid_t pid, const char *missing)
{
	struct nlmsghdr header;
	struct cn_msg message;
	struct proc_event event;
	struct iovec parts[] = {{&header, sizeof(header)},
		{&message, sizeof(message)}, {&event, sizeof(event)}};
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	long end = milliseconds() + 1000;

	for (long left = 1000; left > 0; left = end - milliseconds()) {
		struct sockaddr_nl from = {0};
		struct msghdr all = {
			&from, sizeof(from), parts, COUNT(parts), NULL, 0, 0};

		event = (struct proc_event){.what = ~0U};
		if (poll(&ready, 1, (int)left) == -1)
			die("poll");
		if (recvmsg(fd, &all, MSG_DONTWAIT) == -1 && errno != EAGAIN &&
			errno != ENOBUFS)
			connector_die("recvmsg");
		if (event.what == what && from.nl_pid == 0 &&
			(pid == 0 || event.event_data.fork.child_pid == pid))
			return;
	}
	errno = ETIMEDOUT;
	connector_die(missing);
}

/* Where the connector is mute, all calls succeed and nothing ever comes: so
 * we want an answer, and then an event of our own. */
static void
hear_fork(void)
{
	int fd = connector_open();

	connector_wait(fd, PROC_EVENT_NONE, 0, "no answer");
	pid_t pid = start();
	if (pid == 0)
		_exit(0);
	connector_wait(fd, PROC_EVENT_FORK, pid, "no event");
	finish(pid);
}

/* Returns the exit code of an attempt, and in text what it has printed: it is
 * less than a pipe holds. Whoever else has the pipe must not make us wait. */
static int
run(const struct attempt *attempt, char *text, size_t size)
{
	int out[2];

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) == -1)
		die("pipe2");
	pid_t pid = start();
	if (pid == 0) {
		if (dup2(out[1], STDERR_FILENO) == -1)
			die("dup2");
		if (attempt->as_user)
			enter_user_namespace();
		if (attempt->type != NULL)
			make_type(attempt->type);
		if (attempt->call != NULL)
			attempt->call();
		_exit(0);
	}
	int code = child_wait(pid);
	ssize_t n = read(out[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(out[0]);
	close(out[1]);
	return code;
}

/* Print the rest of the line that follows a label, or else another text. */
static void
print_behind(const char *text, const char *label, const char *other)
{
	const char *at = strstr(text, label);

	at = at == NULL ? other : at + strlen(label);
	printf("\t%.*s", (int)strcspn(at, "\n"), at);
}

/* Make an attempt and print its line. Returns whether it has worked. */
static bool
answer(const struct attempt *attempt)
{
	char text[4096];
	bool works = run(attempt, text, sizeof(text)) == 0;

	printf("%s\t%s\t%s", attempt->group,
		works		    ? "ok"
		: attempt->optional ? "--"
				    : "no",
		attempt->name);
	if (works) {
		printf("\t%s\t\t\n", attempt->detail);
		return true;
	}
	print_behind(text, ": ", "killed, or no end in time");
	print_behind(text, "  cause: ", "");
	print_behind(text, "  cure:  ", attempt->cure);
	putchar('\n');
	return false;
}

/* Who has not CAP_SYS_ADMIN can make a user namespace, and the others inside:
 * for them it is no failure that they cannot be made directly. */
static void
answer_types(bool as_user)
{
	for (int i = 0; i < NS_TYPES; i++)
		answer(&(struct attempt){
			.group = as_user ? AS_USER : DIRECTLY,
			.name = ns_types[i].name,
			.as_user = as_user,
			.type = &ns_types[i],
			.optional = !as_user && !is_privileged() &&
				    ns_types[i].flag != CLONE_NEWUSER,
			.detail = ns_types[i].macro,
			.cure = as_user ? MOUNT_PROC : "sudo scripts/doctor",
		});
}

/* In the order of their numbers. Not from libcap, which may be missing. */
static const char *const capability_names[] = {"chown", "dac_override",
	"dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast",
	"net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module",
	"sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin",
	"sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config",
	"mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend",
	"audit_read", "perfmon", "bpf", "checkpoint_restore"};

/* Which capabilities that this kernel has do we lack? */
static void
answer_capabilities(bool user_namespace)
{
	bool fatal = !is_privileged() && !user_namespace;
	unsigned long long ours = capabilities();
	const char *verdict = fatal ? "no" : "ok";
	int count = 0;

	while (prctl(PR_CAPBSET_READ, count) != -1)
		if ((ours >> count++ & 1) == 0 && !fatal)
			verdict = "--";
	printf("Rights\t%s\tcapabilities\t%d of %d", verdict,
		__builtin_popcountll(ours), count);
	for (int i = 0; ours != 0 && i < count; i++)
		if ((ours >> i & 1) == 0)
			printf(", no %s", i < (int)COUNT(capability_names)
						  ? capability_names[i]
						  : "other");
	printf("\t%s\t%s\n",
		fatal ? "no CAP_SYS_ADMIN, and no user namespace either" : "",
		is_privileged() ? "" : "sudo scripts/doctor");
}

static const struct attempt maps = {AS_USER, "user with its maps", NULL, NULL,
	"setgroups, uid_map, gid_map", MOUNT_PROC, true, false};

static const struct attempt others[] = {
	{AS_USER, "a new /proc", NULL, mount_proc, "with pid and mnt",
		MOUNT_PROC, true, false},
	{"System calls", "pidfd_open", NULL, open_pidfd, "since Linux 5.3",
		NEWER, false, false},
	{"System calls", "openat2", NULL, open_new, "since Linux 5.6", NEWER,
		false, false},
	{"System calls", "setns by pidfd", NULL, enter_by_pidfd,
		"since Linux 5.8", "none needed: /proc/PID/ns does, too", false,
		true},
	{"System calls", "clone3", NULL, clone_new, "since Linux 5.3",
		"none needed: clone does, too", false, true},
	{"Events", "process connector", NULL, hear_fork,
		"our own fork was heard", "sudo scripts/doctor", false, true},
	{"Events", "perf events", NULL, open_perf, "of all processes",
		"sudo sysctl kernel.perf_event_paranoid=-1", false, true},
};

int
main(void)
{
	/* Our caller may have made us ignore it; then waitpid(2) would fail. */
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		die("signal SIGCHLD");
	answer_types(false);
	bool user_namespace = answer(&maps);
	answer_types(true);
	for (size_t i = 0; i < COUNT(others); i++)
		answer(&others[i]);
	answer_capabilities(user_namespace);
	return fclose(stdout) == EOF ? DIE_FAILED : 0;
}
