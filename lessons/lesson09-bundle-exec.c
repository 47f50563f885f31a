/* lesson09 bundle-exec: How does a runtime find its container again?
 *
 * Try:   sudo ./lesson09          sudo ./lesson09 exec mycontainer sh
 * See:   A note in a folder tells the PID and the start time of a container's
 *        init. With it, another program enters the container, lists its
 *        processes by the host's PIDs, and sends it signals.
 * Why:   There is no container to be asked: the kernel knows processes and
 *        namespaces. A name is the runtime's own, and so is the memory of it.
 *        A PID is used again, so the start time is compared.
 * Break: In common/state.c, in look_at_init, leave out the comparison of the
 *        start times: step 6 fails. The note is believed, although its start
 *        time is wrong.
 * Shell: sudo runc exec mycontainer sh
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "bundle.h"
#include "cgroup.h"
#include "child.h"
#include "die.h"
#include "display.h"
#include "execs.h"
#include "gate.h"
#include "identity.h"
#include "idmap.h"
#include "jsonfile.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "pidfile.h"
#include "proc.h"
#include "ps.h"
#include "report.h"
#include "sealed.h"
#include "settings.h"
#include "state.h"
#include "terminal.h"

static const char *root, *cwd, *user, *process_file, *pid_file;
static const char *pid_given, *bundle_dir;
static bool tty, detach, all, force;

static const struct option_entry own_options[] = {
	{0, "cwd", "DIR", "exec: the working directory", NULL, &cwd},
	{'e', "env", "NAME=VALUE", "exec: a variable; may be repeated", NULL,
		NULL},
	{'u', "user", "UID[:GID]", "exec: as this user", NULL, &user},
	{'t', "tty", NULL, "exec: on a terminal of the container", &tty, NULL},
	{0, "cap", "CAP", "exec: one more capability; may be repeated", NULL,
		NULL},
	{'p', "process", "FILE", "exec: as this JSON file says", NULL,
		&process_file},
	{0, "pid-file", "FILE", "exec: write the PID of the command", NULL,
		&pid_file},
	{'d', "detach", NULL, "exec: do not wait for the command", &detach,
		NULL},
	{0, "pid", "PID",
		"exec: no NAME, but the init of any runtime's"
		" container",
		NULL, &pid_given},
	{'b', "bundle", "DIR", "with --pid: the bundle of that container", NULL,
		&bundle_dir},
	{'a', "all", NULL, "kill: each of its processes", &all, NULL},
	{'f', "force", NULL, "delete: kill it first", &force, NULL},
	{0, "root", "DIR", "where the states are kept", NULL, &root},
	{0, NULL, NULL, NULL, NULL, NULL},
};

static const struct lesson lesson = {
	.number = "lesson09",
	.name = "bundle-exec",
	.question = "How does a runtime find its container again?",
	.operands = "[exec NAME [COMMAND...] | ps NAME | state NAME |\n"
		    "       kill NAME [SIGNAL] | delete NAME]",
	.tool = "run COMMAND in the container NAME, list its processes, print"
		" its\nstate, send it a signal (TERM), or remove what is left"
		" of it",
	.steps = 6,
	.own = own_options,
	.verb = true,
};

/* --- exec ----------------------------------------------------------------- */

/* A container that was found by its name, or by its PID. */
struct found {
	struct state state;
	int pidfd; /* of its init, -1 when it is stopped */
};

static struct found
find(const char *name)
{
	struct found c;
	char *error;

	if (!state_is_name(name))
		options_wrong(&lesson, STATE_NO_NAME, name);
	if (state_find(&c.state, root, name, &c.pidfd, &error) == -1)
		die_plain(DIE_FAILED, "%s", error);
	return c;
}

static struct found
find_running(const char *name)
{
	struct found c = find(name);
	unsigned long long start;

	if (c.state.status == STATE_CREATING)
		die_plain(DIE_FAILED, "container %s is being started", name);
	if (c.state.status == STATE_STOPPED &&
		proc_start_time(c.state.pid, &start) == 0 &&
		start != c.state.start)
		die_plain(DIE_FAILED,
			"container %s is stopped; PID %d is used again", name,
			c.state.pid);
	if (c.state.status == STATE_STOPPED)
		die_plain(DIE_FAILED, "container %s is stopped", name);
	return c;
}

/* For cgroup_each. */
static int
add_cgroup(const char *mount_point, const char *path, const char *controllers,
	void *data)
{
	json_t *folders = data;

	(void)controllers;
	if (json_array_append_new(
		    folders, json_sprintf("%s%s", mount_point, path)) == -1)
		die("malloc");
	return 0;
}

/* A container of another runtime: there is no note of ours about it. But its
 * cgroups are those of its init, and its process is in its config.json. */
static void
adopt(struct found *c)
{
	struct bundle bundle = box_load(bundle_dir);
	json_t *process = json_object_get(bundle.config, "process");
	json_t *folders = json_array();

	*c = (struct found){.state = {.lock = -1, .status = STATE_RUNNING}};
	c->state.pid = options_pid(&lesson, pid_given);
	c->pidfd = (int)syscall(SYS_pidfd_open, c->state.pid, 0);
	if (c->pidfd == -1)
		die("pidfd_open %d", c->state.pid);
	if (ns_different(c->state.pid) == 0)
		die_plain(DIE_FAILED,
			"%d is in no container: its namespaces are ours",
			c->state.pid);
	if (cgroup_each(c->state.pid, add_cgroup, folders) == -1)
		die("read /proc/%d/cgroup", c->state.pid);
	c->state.name = strdup(pid_given);
	c->state.folder = strdup(bundle.dir);
	c->state.list = jsonfile_strings(&(struct jsonfile){0}, folders);
	if (c->state.name == NULL || c->state.folder == NULL ||
		c->state.list == NULL)
		die("malloc");
	c->state.cgroups = c->state.list;
	c->state.file = json_incref(process);
	c->state.process = process;
	json_decref(folders);
	bundle_free(&bundle);
}

/* Who takes part: the runner; a process that joins the container and has a
 * child there; this child, which becomes the command. */
struct entry {
	const struct found *container;
	const struct bundle_process *process;
	int flags;	   /* the namespaces to be joined */
	bool born;	   /* in the cgroup of version 2, see cgroup_enter */
	int runner;	   /* stands for it, see child_begin */
	int step;	   /* see sealed_exec */
	struct gate join;  /* from the runner: you are in the cgroup */
	struct gate start; /* from the runner: your limits are set */
	struct gate known; /* from the runner: I know your PID */
	/*
	 * To the runner: 0 when the joiner has joined; the PID of the child;
	 * and, if that cannot become the command, an errno. The pipe is closed
	 * when it has.
	 */
	int news[2];
	int terminal[2]; /* a socket, on which a terminal travels */
};

/*
 * In the container. A new session has no terminal of the host, into which the
 * command could type. A runner that has ended before we were to die with it
 * cannot open the gate.
 */
static void
command(struct entry *entry, int slave)
{
	const struct bundle_process *process = entry->process;
	int signal = detach ? 0 : SIGKILL;

	if (prctl(PR_SET_PDEATHSIG, signal) == -1)
		die("prctl PR_SET_PDEATHSIG");
	if (gate_wait(&entry->known) == -1)
		_exit(DIE_FAILED);
	if (setsid() == -1)
		die("setsid");
	if (slave != -1)
		terminal_take(slave, process->uid);
	identity_environment(process);
	sealed_exec(entry->step, entry->news[1], signal, process->args);
}

/* The terminal of the container in the place of the host's. Returns it, or -1:
 * none is asked for. */
static int
take_terminal(struct entry *entry)
{
	const struct bundle_process *process = entry->process;
	int slave = -1;

	if (process->terminal)
		slave = terminal_open(entry->terminal[1], process->rows,
			process->columns, false);
	for (int fd = STDIN_FILENO; slave != -1 && fd <= STDERR_FILENO; fd++)
		if (dup2(slave, fd) == -1)
			die("dup2");
	if (close(entry->terminal[1]) == -1)
		die("close");
	return slave;
}

/* Before the limit on open files may be too low for this. */
static void
keep_ours(struct entry *entry)
{
	int *kept[7] = {&entry->news[1], &entry->known.fd[0],
		&entry->known.fd[1], &entry->start.fd[0], &entry->start.fd[1],
		&entry->terminal[1], &entry->step};

	child_keep_fds(kept, entry->step == -1 ? 6 : 7);
}

/*
 * The step of lesson03, with three differences. From the moment of setns the
 * container's root can look at us: not if we are not dumpable (prctl(2)). Who
 * has CAP_SYS_PTRACE can, all the same, but only in his PID namespace: so our
 * child is born there with nothing left to be taken from it, neither rights nor
 * descriptors; one that stands for the runner would be a way to the host. And
 * it is the runner's child (CLONE_PARENT), which waits for it; our own PID
 * namespace is still the host's, so the number that clone returns is, too.
 */
static void
joiner(struct entry *entry)
{
	const struct state *state = &entry->container->state;
	pid_t none = 0;

	child_begin(entry->runner);
	if (gate_wait(&entry->join) == -1)
		_exit(DIE_FAILED);
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		die("prctl PR_SET_DUMPABLE");
	if (entry->flags != 0 &&
		setns(entry->container->pidfd, entry->flags) == -1)
		die("setns to the namespaces of %d", state->pid);
	if ((entry->flags & CLONE_NEWUSER) != 0)
		idmap_become_root();
	keep_ours(entry);
	if (write(entry->news[1], &none, sizeof(none)) == -1)
		die("write news");
	if (gate_wait(&entry->start) == -1)
		_exit(DIE_FAILED);
	identity_take(entry->process);
	int slave = take_terminal(entry);
	pid_t pid = (pid_t)syscall(
		SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid == -1)
		die("clone");
	if (pid == 0)
		command(entry, slave);
	if (write(entry->news[1], &pid, sizeof(pid)) == -1)
		die("write news");
	_exit(0);
}

/* As many bytes as asked, or not. */
static bool
hear_news(int fd, void *what, size_t size)
{
	ssize_t n;

	do
		n = read(fd, what, size);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		die("read news");
	return n == (ssize_t)size;
}

/* The PID of the command. Who can trace it can write into its descriptors, too;
 * but nobody else is our child. Returns -1 when somebody has ended and has said
 * why. */
static pid_t
hear_pid(const struct entry *entry)
{
	siginfo_t info;
	pid_t pid;

	if (!hear_news(entry->news[0], &pid, sizeof(pid)))
		return -1;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == -1)
		die("waitid %d", pid);
	return pid;
}

/*
 * The runner's part. The joiner is in the cgroup before it does anything, so
 * nothing that the command does can be outside it. Its score is written before
 * it is not dumpable: then an ordinary user cannot write to its files in /proc.
 * The limits come when it has joined, for the command alone.
 * Returns the PID of the command, or -1; *master is that of its terminal.
 */
static pid_t
let_in(struct entry *entry, pid_t joiner_pid, int *master)
{
	const struct bundle_process *process = entry->process;
	pid_t pid;

	if (cgroup_enter(entry->container->state.cgroups, joiner_pid,
		    entry->born) == -1)
		die("write cgroup.procs");
	if (identity_score(joiner_pid, process) == -1)
		_exit(DIE_FAILED);
	if (gate_open(&entry->join) == -1)
		die("write gate");
	bool told = hear_news(entry->news[0], &pid, sizeof(pid));
	if (told && identity_limit(joiner_pid, process) == -1)
		_exit(DIE_FAILED);
	if (told && gate_open(&entry->start) == -1)
		die("write gate");
	if (told && process->terminal)
		*master = terminal_receive(entry->terminal[0]);
	pid = told ? hear_pid(entry) : -1;
	if (child_wait(joiner_pid) == -1)
		die("waitpid %d", joiner_pid);
	return pid;
}

/* From the birth of the joiner to the end of the command. Returns its exit
 * code; with --detach, 0 as soon as it is the command. */
static int
enter(struct entry *entry)
{
	int master = -1, error;

	entry->runner = child_self();
	child_follow_begin();
	if (gate_make(&entry->join) == -1 || gate_make(&entry->start) == -1 ||
		gate_make(&entry->known) == -1 ||
		pipe2(entry->news, O_CLOEXEC) == -1)
		die("pipe2");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		    entry->terminal) == -1)
		die("socketpair");
	entry->step = sealed_has_step() ? sealed_step() : -1;
	if (entry->step == -1 && sealed_has_step())
		die("make a sealed file in memory");
	pid_t joiner_pid = cgroup_clone(
		entry->container->state.cgroups, 0, NULL, &entry->born);
	if (joiner_pid == -1)
		die("clone3");
	if (joiner_pid == 0)
		joiner(entry);
	/* While we held them, too, we would never see them closed. */
	if (close(entry->news[1]) == -1 || close(entry->terminal[1]) == -1)
		die("close");
	pid_t pid = let_in(entry, joiner_pid, &master);
	if (pid == -1)
		return DIE_FAILED;
	if (gate_open(&entry->known) == -1)
		die("write gate");
	bool failed = hear_news(entry->news[0], &error, sizeof(error));
	if (failed) {
		errno = error;
		die_say("exec %s", entry->process->args[0]);
	}
	if (!failed && pidfile_write(pid_file, pid) == -1) {
		child_end(pid);
		return DIE_FAILED;
	}
	if (detach && !failed)
		return 0;
	return master != -1 ? terminal_follow(pid, master, false)
			    : child_follow(pid, false);
}

/* Nothing that protects is dropped in silence. A container that runs has been
 * started without it by --ignore-unsupported; a new file is refused. */
static void
tell_unsupported(const struct bundle_process *process, const char *name)
{
	char **what = process->unsupported;

	for (; *what != NULL; what++)
		die_say_plain("%s: not done by this runtime: %s", name, *what);
	if (what != process->unsupported && process_file != NULL)
		die_plain(DIE_FAILED, "not started");
}

/* What config.json says of the container's own process, or the file of
 * --process. */
static struct bundle_process
read_process(const struct state *state)
{
	struct bundle_process process;
	char *name, *error;
	int done;

	if (asprintf(&name, "%s/%s: process", state->folder,
		    pid_given == NULL ? "state.json" : "config.json") == -1)
		die("malloc");
	done = process_file != NULL
		       ? bundle_load_process(&process, process_file, &error)
		       : bundle_read_process(
				 &process, state->process, name, &error);
	if (done == -1)
		die_plain(DIE_FAILED, "%s", error);
	tell_unsupported(&process, process_file != NULL ? process_file : name);
	free(name);
	/* As with runc, a terminal is not asked for by config.json here. */
	process.terminal = tty || (process_file != NULL && process.terminal);
	return process;
}

static int
exec_in(const char *name, char **words)
{
	struct settings settings = {.args = words,
		.cwd = cwd,
		.env = options_all("env"),
		.user = user,
		.caps = options_all("cap")};
	char **kept, *error;

	if (bundle_dir != NULL && pid_given == NULL)
		options_wrong(&lesson, "--bundle goes with --pid");
	if (words[0] == NULL && process_file == NULL)
		options_wrong(&lesson, "exec %s: which command?",
			name == NULL ? pid_given : name);
	/* A folder of the host that our caller has left open would be a way
	 * out of the container (CVE-2024-21626). */
	child_close_fds();
	struct found c;
	if (name == NULL)
		adopt(&c);
	else
		c = find_running(name);
	struct bundle_process base = read_process(&c.state), process = base;
	if (settings_apply(&settings, &process, &kept, &error) == -1)
		options_wrong(&lesson, "%s", error);
	if (detach && process.terminal)
		options_wrong(&lesson, "--detach: nobody would be at the"
				       " terminal");
	/* Who dies has no namespaces any more, and can take a while to end. */
	struct ns_id mounts;
	if (ns_get(c.state.pid, "mnt", &mounts) == -1 && errno == ENOENT)
		die_plain(DIE_FAILED, "container %s is ending", c.state.name);
	struct entry entry = {.container = &c,
		.process = &process,
		.flags = ns_different(c.state.pid)};
	pidfile_check(pid_file);
	int code = enter(&entry);
	free(kept);
	free(settings.env);
	free(settings.caps);
	bundle_process_free(&base);
	state_free(&c.state);
	return code;
}

/* --- ps, state, kill, delete ---------------------------------------------- */

/* Those of its PID namespace, if it has one of its own; else its init alone
 * is known to be the container's. Returns how many. */
static int
members(pid_t init, pid_t **pids)
{
	struct ns_id space = ns_look(init, "pid"), found;
	bool own = !ns_same(space, ns_look(NS_SELF, "pid"));
	struct dirent **names;
	int entries = scandir("/proc", &names, NULL, versionsort), count = 0;
	pid_t pid;

	if (entries == -1)
		die("scandir /proc");
	*pids = calloc(entries, sizeof(**pids));
	if (*pids == NULL)
		die("malloc");
	for (int i = 0; i < entries; i++) {
		if (proc_parse_pid(names[i]->d_name, &pid) == 0 &&
			ns_get(pid, "pid", &found) == 0 &&
			(own ? ns_same(space, found) : pid == init))
			(*pids)[count++] = pid;
		free(names[i]);
	}
	free(names);
	return count;
}

/* A process cannot leave its PID namespace. The cgroup tells more where the
 * container shares that one; but a cgroup could not be made everywhere. */
static int
processes(const struct found *c, pid_t **pids)
{
	int count = cgroup_pids(c->state.cgroups, pids);

	if (count == -1)
		die("read cgroup.procs");
	if (count > 0)
		return count;
	free(*pids);
	return members(c->state.pid, pids);
}

static int
ps(const char *name)
{
	struct found c = find_running(name);
	pid_t *pids;
	int count = processes(&c, &pids);

	if (options.json) {
		json_t *array = json_array();

		for (int i = 0; i < count; i++)
			if (json_array_append_new(
				    array, json_integer(pids[i])) == -1)
				die("malloc");
		report_document(array);
	} else {
		ps_print(stdout, pids, count);
	}
	free(pids);
	state_free(&c.state);
	if (fflush(stdout) == EOF)
		die("write standard output");
	return 0;
}

static int
print_state(const char *name)
{
	struct found c = find(name);

	report_document(state_json(&c.state));
	state_free(&c.state);
	return 0;
}

/* A number, or a name as in signal(7), with or without SIG. */
static int
parse_signal(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	size_t digits = strspn(text, "0123456789");

	for (int i = 1; i <= SIGRTMAX; i++) {
		const char *known = sigabbrev_np(i);

		if (known != NULL && strcasecmp(known, name) == 0)
			return i;
		if (digits > 0 && digits < 3 && text[digits] == '\0' &&
			strtol(text, NULL, 10) == i)
			return i;
	}
	options_wrong(&lesson, "unknown signal \"%s\"", text);
}

/* By a pidfd: it never hits another process that has got the PID meanwhile.
 * One that has just ended needs no signal. */
static void
send_signal(int pidfd, int signal, pid_t pid)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == -1 &&
		errno != ESRCH)
		die("pidfd_send_signal %d", pid);
}

/* The list is of a moment ago. What a pidfd stands for is asked after it was
 * opened: is it still one of the container? */
static void
signal_all(const struct found *c, int signal)
{
	pid_t *pids, *again;
	int count = processes(c, &pids), now;

	for (int i = 0; i < count; i++) {
		int pidfd = (int)syscall(SYS_pidfd_open, pids[i], 0);

		if (pidfd == -1 && errno != ESRCH)
			die("pidfd_open %d", pids[i]);
		if (pidfd == -1)
			continue;
		now = processes(c, &again);
		for (int k = 0; k < now; k++)
			if (again[k] == pids[i])
				send_signal(pidfd, signal, pids[i]);
		free(again);
		close(pidfd);
	}
	free(pids);
}

static int
kill_it(const char *name, const char *word)
{
	int signal = word == NULL ? SIGTERM : parse_signal(word);
	struct found c = find_running(name);

	if (all)
		signal_all(&c, signal);
	else
		send_signal(c.pidfd, signal, c.state.pid);
	state_free(&c.state);
	return 0;
}

/* An init that is killed ends when all others of its PID namespace have been
 * waited for. One that was put there by exec has a parent outside, and that may
 * have been stopped. */
static void
say_who_stays(const struct found *c)
{
	pid_t *pids;
	int count = members(c->state.pid, &pids);

	for (int i = 0; i < count; i++) {
		char *parent = proc_status(pids[i], "PPid");

		if (pids[i] != c->state.pid && parent != NULL)
			die_say_plain("PID %d of the container has ended, and"
				      " PID %s, its parent, does not wait for"
				      " it",
				pids[i], parent);
		free(parent);
	}
	free(pids);
}

/* Kill the init, and wait until it has ended. */
static void
end_it(const struct found *c)
{
	enum { PATIENCE = 10000 /* ms */ };
	struct pollfd ended = {.fd = c->pidfd, .events = POLLIN};

	send_signal(c->pidfd, SIGKILL, c->state.pid);
	int ready = poll(&ended, 1, PATIENCE);
	if (ready == -1)
		die("poll");
	if (ready == 1)
		return;
	say_who_stays(c);
	die_plain(DIE_FAILED,
		"container %s: its init, PID %d, was killed, and has not ended",
		c->state.name, c->state.pid);
}

static int
remove_it(const char *name)
{
	struct found c = find(name);

	if (c.state.status == STATE_CREATING)
		die_plain(DIE_FAILED, "container %s is being started", name);
	if (c.pidfd != -1 && !force)
		die_plain(DIE_FAILED,
			"container %s is not stopped (--force kills it first)",
			name);
	if (c.pidfd != -1)
		end_it(&c);
	if (state_remove(&c.state) == -1)
		die("remove %s", c.state.folder);
	state_free(&c.state);
	return 0;
}

static int
tool(char **words, int count)
{
	static const struct option_verb belong[] = {{"cwd", "exec"},
		{"env", "exec"}, {"user", "exec"}, {"tty", "exec"},
		{"cap", "exec"}, {"process", "exec"}, {"pid-file", "exec"},
		{"detach", "exec"}, {"pid", "exec"}, {"bundle", "exec"},
		{"all", "kill"}, {"force", "delete"}, {NULL, NULL}};
	static const struct option_usage usages[] = {
		{"exec", 1, INT_MAX, "exec NAME [COMMAND...]"},
		{"ps", 1, 1, "ps NAME"}, {"state", 1, 1, "state NAME"},
		{"kill", 1, 2, "kill NAME [SIGNAL]"},
		{"delete", 1, 1, "delete NAME"}, {NULL, 0, 0, NULL}};
	const char *verb = words[0], *name = words[1];

	options_tool(
		&lesson, strcmp(verb, "ps") == 0 || strcmp(verb, "state") == 0);
	options_only(&lesson, verb, belong);
	if (strcmp(verb, "exec") == 0 && pid_given != NULL)
		return exec_in(NULL, words + 1);
	options_verb(&lesson, usages, words, count);
	return strcmp(verb, "exec") == 0    ? exec_in(name, words + 2)
	       : strcmp(verb, "ps") == 0    ? ps(name)
	       : strcmp(verb, "state") == 0 ? print_state(name)
	       : strcmp(verb, "kill") == 0  ? kill_it(name, words[2])
					    : remove_it(name);
}

/* --- the demonstration ---------------------------------------------------- */

struct demo {
	struct box box;
	struct bundle bundle;
	struct state state;
	char *program; /* of the tool above: our own */
	pid_t cleaner; /* outlives us if we are killed */
	pid_t top;     /* the command that is put in */
};

/* Whoever looks cleans up: what a demonstration that was killed has left. */
static void
look_at_all(void)
{
	struct state *states;
	char *error;
	int count = state_each(NULL, &states, &error);

	if (count == -1)
		die_plain(DIE_FAILED, "%s", error);
	while (count > 0)
		state_free(&states[--count]);
	free(states);
}

/* The note is a file, and stays when we are killed. So a process that hears
 * neither Ctrl-C nor our end waits for that, and looks. */
static pid_t
start_cleaner(void)
{
	struct pollfd ended = {.fd = child_self(), .events = POLLIN};
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (setsid() == -1)
			die("setsid");
		/* The reader's shell has its prompt by then. */
		if (dup2(null, STDERR_FILENO) == -1)
			die("dup2");
		if (poll(&ended, 1, -1) == 1)
			look_at_all();
		_exit(0);
	}
	if (ended.fd != -1)
		close(ended.fd);
	return pid;
}

/* A container as in lesson03, without a cgroup of its own, and the note that lesson08
 * writes. */
static void
begin_demo(struct demo *demo)
{
	char *dir = need_bundle(), *name, *error;

	look_at_all();
	demo->cleaner = start_cleaner();
	demo->bundle = box_load(dir);
	demo->program = sealed_program();
	if (asprintf(&name, "lesson09-%d", getpid()) == -1)
		die("malloc");
	if (state_claim(&demo->state, NULL, name, &error) == -1)
		die_plain(DIE_FAILED, "%s", error);
	box_start(&demo->box, &demo->bundle);
	demo->state.pid = demo->box.pid;
	if (proc_start_time(demo->box.pid, &demo->state.start) == -1)
		die("read /proc/%d/stat", demo->box.pid);
	demo->state.bundle = demo->bundle.dir;
	demo->state.rootfs = demo->bundle.rootfs;
	demo->state.process = json_object_get(demo->bundle.config, "process");
	if (state_write(&demo->state) == -1)
		die("write the state");
	free(name);
	free(dir);
}

/* The end of its init ends the container. */
static void
end_demo(struct demo *demo)
{
	box_stop(&demo->box);
	if (state_remove(&demo->state) == -1)
		die("remove %s", demo->state.folder);
	if (child_end(demo->cleaner) == -1)
		die("kill %d", demo->cleaner);
	state_free(&demo->state);
	bundle_free(&demo->bundle);
	free(demo->program);
}

/* In a child: the tool as its own program. */
static void
become_tool(const struct demo *demo, char *const *words)
{
	char *argv[8] = {demo->program};

	for (int i = 0; words[i] != NULL; i++)
		argv[i + 1] = words[i];
	child_exec(argv);
}

/* Run the tool; it reads and prints nothing. Returns its exit code. */
static int
run_tool(const struct demo *demo, char *const *words)
{
	int parent = child_self();
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		child_begin(parent);
		if (dup2(null, STDIN_FILENO) == -1 ||
			dup2(null, STDOUT_FILENO) == -1)
			die("dup2");
		become_tool(demo, words);
	}
	close(parent);
	return child_wait(pid);
}

/* Run the tool. Returns what it has printed, errors, too; *code is its exit
 * code. */
static char *
ask_tool(const struct demo *demo, int *code, char *const *words)
{
	int parent = child_self(), out[2];
	char *text, byte;
	size_t size;

	if (pipe2(out, O_CLOEXEC) == -1)
		die("pipe2");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		if (dup2(out[1], STDOUT_FILENO) == -1 ||
			dup2(out[1], STDERR_FILENO) == -1)
			die("dup2");
		become_tool(demo, words);
	}
	if (close(out[1]) == -1)
		die("close");
	FILE *memory = open_memstream(&text, &size);
	if (memory == NULL)
		die("open_memstream");
	while (hear_news(out[0], &byte, 1))
		fputc(byte, memory);
	if (fclose(memory) == EOF)
		die("malloc");
	close(out[0]);
	close(parent);
	*code = child_wait(pid);
	return text;
}

/* What a runtime knows is what it has written down. */
static void
the_note(struct demo *demo)
{
	char *file, *inside;
	json_error_t why;

	if (asprintf(&file, "%s/state.json", demo->state.folder) == -1)
		die("malloc");
	json_t *note = json_load_file(file, 0, &why);
	if (note == NULL)
		die_plain(DIE_FAILED, "%s: %s", file, why.text);
	report_step(
		"", "A name, and the note of the runtime that belongs to it.");
	report_ask("renameat2(\"state.json.new\", \"state.json\", ...): nobody"
		   " ever reads half a note");
	report_host("%s, four of its entries:", file);
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = {
			"name", "pid", "start", "boot"};
		char *value = json_dumps(
			json_object_get(note, names[i]), JSON_ENCODE_ANY);

		report_host("%s: %s", names[i], value == NULL ? "" : value);
		free(value);
	}
	inside = box_ask(&demo->box, "cut -d' ' -f22 /proc/1/stat");
	report_host("container# cut -d' ' -f22 /proc/1/stat");
	report_host("%s", inside);
	report_equal(demo->box.pid,
		json_integer_value(json_object_get(note, "pid")),
		"pid: that of its init, seen from the host");
	report_equal(strtoll(inside, NULL, 10),
		json_integer_value(json_object_get(note, "start")),
		"start: field 22 of the init's stat file");
	report_explain("proc(5): /proc/PID/stat; runc has its note in"
		       " /run/runc/NAME");
	free(inside);
	json_decref(note);
	free(file);
}

/* As in lesson06: the events of those processes that we will make. */
static bool
watch(struct execs *execs)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.task = 1,
		.comm = 1,
		.comm_exec = 1,
		.inherit = 1,
		.exclude_kernel = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	int processors = (int)sysconf(_SC_NPROCESSORS_CONF);

	execs_begin(execs);
	for (int i = 0; i < processors; i++) {
		int fd = (int)syscall(SYS_perf_event_open, &attr, 0, i, -1,
			PERF_FLAG_FD_CLOEXEC);

		if (fd == -1 && errno == ENODEV)
			continue;
		if (fd == -1 || execs_add_perf(execs, fd, 65536) == -1) {
			execs_drop_perf(execs);
			return false;
		}
	}
	execs_follow(execs);
	return true;
}

/* Print the exec events. Returns how many there were; *last is the PID of the
 * last. */
static int
tell_execs(struct execs *execs, pid_t *last)
{
	const struct execs_process *process;
	const struct event *event;
	int count = 0;

	execs_wait(execs, NULL, 0, 0);
	while (execs_next(execs, true, &event, &process))
		if (event->type == EVENT_EXEC) {
			report_host("exec %7d  %s", event->pid, event->name);
			*last = event->pid;
			count++;
		}
	return count;
}

static void
exec_events(struct demo *demo)
{
	struct execs execs;
	bool watched = watch(&execs);
	pid_t *pids, last = 0;
	int code =
		run_tool(demo, (char *[]){"exec", "--detach", demo->state.name,
				       "/bin/top", "-b", NULL});

	report_step("A17", "exec: who becomes what, as the host sees it.");
	report_ask("setns(pidfd, ...): into the container; clone(CLONE_PARENT):"
		   " a child there;");
	report_ask("execve(\"/bin/top\"): which becomes the command");
	report_host("host# ./lesson09 exec --detach %s /bin/top -b",
		demo->state.name);
	int count = watched ? tell_execs(&execs, &last) : 0;
	execs_end(&execs);
	report_equal(0, code, "exit code of exec --detach");
	int there = members(demo->box.pid, &pids);
	if (there < 2)
		die_plain(DIE_FAILED, "top is not in the container");
	for (int i = 0; i < there; i++)
		if (pids[i] != demo->box.pid)
			demo->top = pids[i];
	free(pids);
	if (watched) {
		report_equal(
			4, count, "execs: runtime, its sealed copy, step, top");
		report_equal(demo->top, last, "PID of the last: top's");
	} else {
		report_skip("four execs", "perf_event_open(2) is not allowed");
	}
	report_explain("memfd_create(2), \"File sealing\": nobody can write"
		       " to that copy");
}

static void
no_new_namespace(const struct demo *demo)
{
	int shared = 0;

	report_step("A19", "The command is where the init is: none is new.");
	report_ask("setns(pidfd, the types in which init and runner differ)");
	report_host("TYPE     INIT         TOP");
	for (int i = 0; i < NS_TYPES; i++) {
		const char *type = ns_types[i].name;

		if (!ns_exists(&ns_types[i]))
			continue;
		struct ns_id init = ns_look(demo->box.pid, type);
		struct ns_id top = ns_look(demo->top, type);
		report_host("%-8s %-12lu %lu", type, init.ino, top.ino);
		shared += ns_same(init, top);
	}
	report_equal(ns_count(), shared, "namespaces that both are in");
	report_explain("setns(2): with a pidfd, many types in one call");
}

static void
host_pids(const struct demo *demo)
{
	pid_t *pids;
	int code, count = members(demo->box.pid, &pids);
	char *text =
		ask_tool(demo, &code, (char *[]){"ps", demo->state.name, NULL});

	report_step("A18 A20", "ps: the container's processes, by host PIDs.");
	report_ask("for each PID in /proc: stat(\"/proc/PID/ns/pid\")");
	report_host("host# ./lesson09 ps %s", demo->state.name);
	report_host("%s", text);
	report_equal(0, code, "exit code of lesson09 ps");
	report_equal(2, display_lines(text) - 1, "processes that it lists");
	report_equal(
		count, display_lines(text) - 1, "members of the PID namespace");
	report_explain("namespaces(7): /proc/PID/ns; proc(5): /proc/PID/stat");
	free(text);
	free(pids);
}

static void
small_pids(struct demo *demo)
{
	char *text = box_ask(&demo->box, "/bin/ps -ef");
	pid_t pids[PROC_LEVELS];
	int levels = proc_nspids(demo->top, pids);

	if (levels == -1)
		die("read /proc/%d/status", demo->top);
	report_step("A21", "Inside, both have PIDs of the container.");
	report_host("host# grep NSpid /proc/%d/status", demo->top);
	report_host("NSpid: %d %d", pids[0], pids[levels - 1]);
	report_container("container# /bin/ps -ef");
	report_container("%s", text);
	report_equal(3, display_lines(text) - 1,
		"processes that ps lists: sh, top, ps");
	report_equal(pids[levels - 1], box_ask_number(&demo->box, "pidof top"),
		"the container's pidof top, and NSpid");
	report_explain("proc(5): /proc/PID/status; pid_namespaces(7)");
	free(text);
}

/* The PID is right, and the process lives. But it is not the one that was
 * written down, if it has started at another time. */
static void
another_start(struct demo *demo)
{
	unsigned long long start = demo->state.start--;
	int code;
	pid_t *pids;

	if (state_write(&demo->state) == -1)
		die("write the state");
	char *text = ask_tool(demo, &code,
		(char *[]){"exec", demo->state.name, "true", NULL});
	report_step("", "A PID is used again: we play that, by another start.");
	report_ask("pidfd_open(%d); field 22 of /proc/%d/stat", demo->box.pid,
		demo->box.pid);
	report_host("state.json now means the PID %d that started at %llu",
		demo->box.pid, demo->state.start);
	report_host("host# cut -d' ' -f22 /proc/%d/stat", demo->box.pid);
	report_host("%llu", start);
	report_host("host# ./lesson09 exec %s true", demo->state.name);
	report_host("%s", text);
	report_equal(1, code, "exit code of exec: nobody was entered");
	report_equal(2, members(demo->box.pid, &pids),
		"members of the PID namespace, as before");
	report_explain("pidfd_open(2), proc(5): /proc/PID/stat");
	free(pids);
	free(text);
	demo->state.start = start;
	if (state_write(&demo->state) == -1)
		die("write the state");
}

int
main(int argc, char **argv)
{
	sealed_begin(argv);
	int first = options_parse(&lesson, argc, argv);
	struct demo demo;

	need_proc();
	if (first < argc)
		return tool(argv + first, argc - first);
	options_need_verb(&lesson);
	need_privilege();
	need_namespaces(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWPID | CLONE_NEWNET);
	need_mount_proc();
	report_begin(&lesson);

	begin_demo(&demo);
	the_note(&demo);
	exec_events(&demo);
	no_new_namespace(&demo);
	host_pids(&demo);
	small_pids(&demo);
	another_start(&demo);
	report_hold(demo.box.pid);
	end_demo(&demo);
	return report_end();
}
