#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "cgroup.h"
#include "child.h"
#include "die.h"
#include "hooks.h"
#include "identity.h"
#include "idmap.h"
#include "ns.h"
#include "rootfs.h"
#include "sealed.h"
#include "terminal.h"

/* The runner and the container take turns. A message is a number. Returns
 * false when the other side has ended, or, at the last turn, has become its
 * command: both close the socket. */
static bool
tell(int sync, int number)
{
	if (send(sync, &number, sizeof(number), MSG_NOSIGNAL) == sizeof(number))
		return true;
	if (errno != EPIPE && errno != ECONNRESET)
		die("send");
	return false;
}

static bool
hear(int sync, int *number)
{
	ssize_t n;

	do
		n = recv(sync, number, sizeof(*number), 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno != ECONNRESET)
		die("recv");
	return n == sizeof(*number);
}

/* --- the container's side ------------------------------------------------- */

/* The runner has ended, and has said why if there was something to say. */
static void
wait_for_turn(int sync, int *number)
{
	if (!hear(sync, number))
		_exit(DIE_FAILED);
}

static void
take_turn(int sync)
{
	int nothing;

	if (!tell(sync, 0))
		_exit(DIE_FAILED);
	wait_for_turn(sync, &nothing);
}

/* Root of the user namespace, whoever we were outside. */
static void
become_root(void)
{
	if (setgroups(0, NULL) == -1 && errno != EPERM)
		die("setgroups");
	if (setresgid(0, 0, 0) == -1)
		die("setresgid 0");
	if (setresuid(0, 0, 0) == -1)
		die("setresuid 0");
}

bool
container_has_user_namespace(const struct bundle *bundle)
{
	return (bundle->namespaces & CLONE_NEWUSER) != 0 ||
	       bundle->joined[ns_type_of(CLONE_NEWUSER)] != NULL;
}

bool
container_needs_seal(const struct bundle *bundle)
{
	return bundle->joined[ns_type_of(CLONE_NEWPID)] != NULL ||
	       bundle->hook_count[BUNDLE_START_CONTAINER] > 0 ||
	       !sealed_has_step();
}

/* A new network namespace has a loopback interface that is down; programs take
 * 127.0.0.1 for granted. See netdevice(7). */
static void
loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		die("socket");
	if (ioctl(fd, SIOCSIFFLAGS, &request) == -1)
		die("ioctl SIOCSIFFLAGS lo");
	close(fd);
}

static void
set_names(const struct bundle *bundle)
{
	const char *host = bundle->hostname, *domain = bundle->domainname;

	if (host != NULL && sethostname(host, strlen(host)) == -1)
		die("sethostname %s", host);
	if (domain != NULL && setdomainname(domain, strlen(domain)) == -1)
		die("setdomainname %s", domain);
}

/* A socket to the runner, the last step, and the streams of a talk. */
static void
keep_ours(struct container *c, int *sync)
{
	int *kept[4] = {sync};
	int count = 1;

	if (c->step != -1)
		kept[count++] = &c->step;
	if (c->talk != NULL) {
		kept[count++] = &c->talk->to[0];
		kept[count++] = &c->talk->from[1];
	}
	child_keep_fds(kept, count);
}

/*
 * The hooks of startContainer are programs of the container: they have its
 * identity and its limits, and find the socket alone. Before the last number
 * that we tell, the end of the socket is our end; behind it, it is exec. It
 * cannot be told to a runner that has ended before we were to die with it.
 */
static void
become_command(struct container *c, int sync)
{
	const struct bundle_process *process = &c->bundle->process;
	int signal = c->detach ? 0 : SIGKILL;

	identity_take(process);
	/* The change of user has taken it back. */
	if (prctl(PR_SET_PDEATHSIG, signal) == -1)
		die("prctl PR_SET_PDEATHSIG");
	if (hooks_run(c->bundle, BUNDLE_START_CONTAINER, c->state, "created") ==
		-1)
		_exit(DIE_FAILED);
	if (!tell(sync, 0))
		_exit(DIE_FAILED);
	sealed_exec(c->step, sync, signal, process->args);
}

/* Between them the container waits only where there is something to run. */
static bool
has_hooks_before_pivot(const struct bundle *bundle)
{
	return bundle->hook_count[BUNDLE_PRESTART] > 0 ||
	       bundle->hook_count[BUNDLE_CREATE_RUNTIME] > 0;
}

/* From its birth until it becomes its command. */
static void
container_init(struct container *c, int sync)
{
	const struct bundle *bundle = c->bundle;
	bool own_mounts = (bundle->namespaces & CLONE_NEWNS) != 0;
	int root = -1, slave = -1;

	/* A runner that has ended already gives no turn. */
	child_begin(-1);
	keep_ours(c, &sync);
	wait_for_turn(sync, &c->state->pid);
	/* Others in our namespaces may not look into us. Not before the maps
	 * are written: this takes the files in /proc away from our user. */
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		die("prctl PR_SET_DUMPABLE");
	if (container_has_user_namespace(bundle))
		become_root();
	if (setsid() == -1)
		die("setsid");
	if ((bundle->namespaces & CLONE_NEWNET) != 0)
		loopback_up();
	if (own_mounts)
		root = rootfs_build(bundle);
	/* Its root is the cgroup that we are in now. */
	if ((bundle->namespaces & CLONE_NEWCGROUP) != 0 &&
		unshare(CLONE_NEWCGROUP) == -1)
		die("unshare CLONE_NEWCGROUP");
	if (has_hooks_before_pivot(bundle))
		take_turn(sync);

	if (hooks_run(bundle, BUNDLE_CREATE_CONTAINER, c->state, "creating") ==
		-1)
		_exit(DIE_FAILED);
	if (own_mounts)
		rootfs_pivot(root, bundle);
	if (bundle->process.terminal)
		slave = terminal_open(sync, bundle->process.rows,
			bundle->process.columns, own_mounts);
	set_names(bundle);
	if (own_mounts)
		rootfs_close(bundle);
	if (slave != -1)
		terminal_take(slave, bundle->process.uid);
	else if (c->talk != NULL && talk_child(c->talk) == -1)
		die("dup2");
	child_keep_fds((int *const[]){&sync, &c->step}, c->step == -1 ? 1 : 2);
	identity_environment(&bundle->process);
	take_turn(sync);

	become_command(c, sync);
}

/* --- its birth ------------------------------------------------------------ */

/* Open what linux.namespaces names, and be sure that it is a namespace of that
 * type: a FIFO would block us, another type would be joined. */
static int
open_namespace(const char *path, int type)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		die("open %s", path);
	int found = ns_type_of(ioctl(fd, NS_GET_NSTYPE));
	if (found != type)
		die_plain(DIE_FAILED,
			"linux.namespaces: %s: found %s, expected a %s"
			" namespace",
			path,
			found == NS_TYPES ? "no namespace"
					  : ns_types[found].name,
			ns_types[type].name);
	return fd;
}

/* Some can be joined with the rights that we have now, others only with those
 * that the user namespace gives: so twice, and the user namespace between. A
 * mount namespace takes /proc away, and comes last in each round. */
static void
join_those(int *fds, bool must)
{
	int mount = ns_type_of(CLONE_NEWNS), user = ns_type_of(CLONE_NEWUSER);

	for (int k = 1; k <= NS_TYPES; k++) {
		int i = (mount + k) % NS_TYPES;

		if (fds[i] == -1 || i == user)
			continue;
		if (setns(fds[i], ns_types[i].flag) == 0) {
			close(fds[i]);
			fds[i] = -1;
		} else if (must || errno != EPERM) {
			die("setns %s", ns_types[i].name);
		}
	}
}

static void
join(char *const *paths)
{
	int fds[NS_TYPES], user = ns_type_of(CLONE_NEWUSER);

	for (int i = 0; i < NS_TYPES; i++)
		fds[i] = paths[i] == NULL ? -1 : open_namespace(paths[i], i);
	join_those(fds, fds[user] == -1);
	if (fds[user] == -1)
		return;
	if (setns(fds[user], CLONE_NEWUSER) == -1)
		die("setns user");
	close(fds[user]);
	become_root();
	join_those(fds, true);
}

/* Offsets can be set until a process is in the namespace: unshare(2) puts only
 * our children in it. See time_namespaces(7). */
static void
new_time(const struct bundle *bundle)
{
	if (unshare(CLONE_NEWTIME) == -1)
		die("unshare CLONE_NEWTIME");
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		die("open /proc/self/timens_offsets");
	if (bundle->monotonic.given &&
		dprintf(fd, "monotonic %lld %u\n", bundle->monotonic.secs,
			bundle->monotonic.nanosecs) < 0)
		die("write /proc/self/timens_offsets");
	if (bundle->boottime.given &&
		dprintf(fd, "boottime %lld %u\n", bundle->boottime.secs,
			bundle->boottime.nanosecs) < 0)
		die("write /proc/self/timens_offsets");
	close(fd);
}

/*
 * Some things must be done before the container's first process is there, and
 * would change the runner: a process between the two does them. It makes its
 * own user namespace first, if there is a new one, because that must own the
 * others. The container's process is then the runner's child (CLONE_PARENT).
 */
static void
go_between(struct container *c, int sync, int parent)
{
	const struct bundle *bundle = c->bundle;
	int flags = bundle->namespaces, nothing;

	child_begin(parent);
	join(bundle->joined);
	if ((flags & CLONE_NEWUSER) != 0) {
		if (unshare(CLONE_NEWUSER) == -1)
			die("unshare CLONE_NEWUSER");
		if (!tell(sync, 0))
			_exit(DIE_FAILED);
		wait_for_turn(sync, &nothing);
		become_root();
	}
	if ((flags & CLONE_NEWTIME) != 0)
		new_time(bundle);
	/* In a PID namespace that we join, others see the container's process
	 * at once, and through /proc/PID/root all that it sees itself. What
	 * stands for the runner would be a way to it. */
	keep_ours(c, &sync);
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		die("prctl PR_SET_DUMPABLE");
	flags &= ~(CLONE_NEWUSER | CLONE_NEWTIME | CLONE_NEWCGROUP);
	pid_t pid = cgroup_clone(NULL, flags | CLONE_PARENT, NULL, &c->born);
	if (pid == 0)
		container_init(c, sync);
	if (pid == -1)
		die("clone3");
	_exit(tell(sync, pid) ? 0 : DIE_FAILED);
}

static bool
needs_go_between(const struct bundle *bundle)
{
	for (int i = 0; i < NS_TYPES; i++)
		if (bundle->joined[i] != NULL)
			return true;
	return (bundle->namespaces & CLONE_NEWTIME) != 0;
}

static int
put_map(pid_t pid, const char *file, const struct bundle_map *map, size_t count)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("open_memstream");
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%u %u %u\n", map[i].inside, map[i].outside,
			map[i].count);
	if (fclose(out) == EOF)
		die("malloc");
	int done = idmap_put(pid, file, text);
	free(text);
	return done;
}

/* The maps of linux.uidMappings and gidMappings. setgroups is denied where we
 * may not allow it: a user without CAP_SETGID maps no more than himself. */
static int
write_maps(pid_t pid, const struct bundle *bundle)
{
	if (!caps_have(CAP_SETGID) && idmap_put(pid, "setgroups", "deny") == -1)
		return -1;
	if (put_map(pid, "uid_map", bundle->uid_map, bundle->uid_map_count) ==
		-1)
		return -1;
	return put_map(pid, "gid_map", bundle->gid_map, bundle->gid_map_count);
}

/* The runner's part in it: the maps of its user namespace, the PID that it
 * tells. That is read when it has ended: until then, nobody else would tell us
 * that it was killed, because the container's process holds the socket, too.
 * Returns -1 when it has failed. */
static int
help_go_between(struct container *c, pid_t between)
{
	int nothing;

	if ((c->bundle->namespaces & CLONE_NEWUSER) != 0 &&
		(!hear(c->sync, &nothing) ||
			write_maps(between, c->bundle) == -1 ||
			!tell(c->sync, 0))) {
		child_end(between);
		return -1;
	}
	int code = child_wait(between);
	if (code == -1)
		return die_say("waitpid %d", between);
	if (code != 0 || !hear(c->sync, &c->pid))
		return -1;
	/* It is our child, and cannot vanish before we wait for it. */
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return c->pidfd == -1 ? die_say("pidfd_open %d", c->pid) : 0;
}

static int
make_by_go_between(struct container *c, int sync, int parent)
{
	pid_t between = fork();

	if (between == -1)
		return die_say("fork");
	if (between == 0) {
		close(c->sync);
		go_between(c, sync, parent);
	}
	/* While we held it, too, we would never see it closed. */
	if (close(sync) == -1)
		die("close");
	return help_go_between(c, between);
}

static int
make(struct container *c, int sync)
{
	c->pid = cgroup_clone(c->state->cgroups,
		c->bundle->namespaces & ~CLONE_NEWCGROUP, &c->pidfd, &c->born);
	if (c->pid == 0) {
		close(c->sync);
		container_init(c, sync);
	}
	if (c->pid == -1)
		die_say("clone3");
	if (close(sync) == -1)
		die("close");
	if (c->pid != -1 && (c->bundle->namespaces & CLONE_NEWUSER) != 0)
		return write_maps(c->pid, c->bundle);
	return c->pid == -1 ? -1 : 0;
}

int
container_make(struct container *c)
{
	int pair[2], parent = child_self(), done = -1;

	c->pid = -1;
	c->born = false;
	c->sync = c->pidfd = c->master = c->step = -1;
	if (sealed_has_step() && (c->step = sealed_step()) == -1) {
		die_say("make a sealed file in memory");
	} else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			   pair) == -1) {
		die_say("socketpair");
	} else {
		c->sync = pair[0];
		done = needs_go_between(c->bundle)
			       ? make_by_go_between(c, pair[1], parent)
			       : make(c, pair[1]);
	}
	if (c->step != -1)
		close(c->step);
	close(parent);
	return done;
}

/* --- the runner's side ---------------------------------------------------- */

/* What the container tells. Returns false when it has ended, or is ended
 * because somebody wants us to end. */
static bool
hear_container(const struct container *c, int *number)
{
	if (child_await(c->sync, -1) == 1)
		return hear(c->sync, number);
	if (syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0) == -1)
		die("pidfd_send_signal %d", c->pid);
	return false;
}

/* The next part is the container's. Returns false when it has ended. */
static bool
give_turn(const struct container *c, int number)
{
	int nothing;

	return tell(c->sync, number) && hear_container(c, &nothing);
}

int
container_build(struct container *c)
{
	bool done = has_hooks_before_pivot(c->bundle) ? give_turn(c, c->pid)
						      : tell(c->sync, c->pid);

	return done ? 0 : -1;
}

/* It has ended, and has said why: where its standard streams are a terminal by
 * now, nobody else would read that. */
static int
print_last_words(const struct container *c)
{
	/* -1 where it is neither: then all is said already. */
	struct pollfd in = {
		.fd = c->talk != NULL ? c->talk->from[0] : c->master,
		.events = POLLIN};
	char text[4096];
	ssize_t n = 1;

	while (n > 0 && poll(&in, 1, 0) == 1 && (in.revents & POLLIN) != 0) {
		n = read(in.fd, text, sizeof(text));
		if (n > 0 && write(STDERR_FILENO, text, n) == -1)
			break;
	}
	return -1;
}

int
container_pivot(struct container *c)
{
	int nothing;

	if (has_hooks_before_pivot(c->bundle) && !tell(c->sync, 0))
		return -1;
	if (c->bundle->process.terminal) {
		c->master = terminal_receive(c->sync);
		if (c->master == -1)
			return -1;
	}
	return hear_container(c, &nothing) ? 0 : print_last_words(c);
}

/* Its limits come as late as can be: they are for the command and its hooks,
 * and too low for our own work, perhaps. But as another user it could be one
 * whose limits we may not change: prlimit(2). When it becomes its command, its
 * end of the socket is closed; a number then is the errno of an exec that has
 * failed. */
int
container_start(struct container *c)
{
	int error;

	if (identity_limit(c->pid, &c->bundle->process) == -1)
		return -1;
	if (!give_turn(c, 0))
		return print_last_words(c);
	c->started = !hear(c->sync, &error);
	if (c->started)
		return 0;
	errno = error;
	return die_say("exec %s", c->bundle->process.args[0]);
}

int
container_stages(struct container *c)
{
	if (container_make(c) == -1 ||
		identity_score(c->pid, &c->bundle->process) == -1 ||
		container_build(c) == -1 || container_pivot(c) == -1)
		return -1;
	return container_start(c);
}

int
container_follow(const struct container *c)
{
	bool is_init = (c->bundle->namespaces & CLONE_NEWPID) != 0;

	return c->bundle->process.terminal
		       ? terminal_follow(c->pid, c->master, is_init)
		       : child_follow(c->pid, is_init);
}

int
container_reap(struct container *c)
{
	int status = 0, told = child_take_signal();
	pid_t ended;

	if (c->sync != -1)
		close(c->sync);
	if (c->pid == -1)
		return told != 0 ? 128 + told : DIE_FAILED;
	if (c->started && syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL,
				  NULL, 0) == -1)
		die("pidfd_send_signal %d", c->pid);
	/* The init of a PID namespace ends after all others in it, and one that
	 * has lost its parent may be our child now: wait for that one first. */
	do
		ended = waitpid(-1, &status, 0);
	while (ended != c->pid && (ended != -1 || errno == EINTR));
	if (ended == -1)
		die("waitpid %d", c->pid);
	if (told != 0)
		return 128 + told;
	if (c->started)
		return DIE_FAILED;
	if (WIFSIGNALED(status))
		fprintf(stderr,
			"%s: the container's process was killed by SIG%s"
			" before it could start\n",
			program_invocation_short_name,
			sigabbrev_np(WTERMSIG(status)));
	return child_exit_code(status);
}
