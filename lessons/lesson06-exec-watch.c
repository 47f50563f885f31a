/* lesson06 exec-watch: What does the host see when a container starts?
 *
 * Try:   sudo ./lesson06          sudo ./lesson06 -e exec
 *        sudo ./lesson06 -- sh -c 'ls | wc -l'
 * See:   Forks, execs and exits, with both PIDs of a container's processes.
 * Why:   The kernel tells them to a program that listens: the process connector
 *        by messages with PIDs, perf by records that hold names as well.
 * Break: In open_perf, set comm to 0: perf tells no exec any more.
 * Shell: sudo forkstat -e exec,fork,exit
 */
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "caps.h"
#include "child.h"
#include "connector.h"
#include "die.h"
#include "execs.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"
#include "runc.h"
#include "watch.h"

static const char *events, *space, *source, *output;
static bool extra;

static const struct option_entry own_options[] = {
	{'e', "events", "LIST",
		"which: exec,fork,exit if not given; `help` lists them", NULL,
		&events},
	{'x', "extra", NULL, "add uid, effective uid and terminal", &extra,
		NULL},
	{'n', "ns", "PID|INODE", "only the PID namespace of PID, or with INODE",
		NULL, &space},
	{0, "source", "SOURCE", "connector, perf, or both (what works here)",
		NULL, &source},
	{'o', "output", "FILE", "write the events to FILE (-: standard output)",
		NULL, &output},
	{0, NULL, NULL, NULL, NULL, NULL},
};

static const struct lesson lesson = {
	.number = "lesson06",
	.name = "exec-watch",
	.question = "What does the host see when a container starts?",
	.operands = "[-e LIST] [[--] COMMAND [ARGUMENT...]]",
	.tool = "show the events of COMMAND and its descendants, or of all",
	.steps = 5,
	.own = own_options,
};

/* --- the process connector ---------------------------------------------- */

/* What we tell the kernel: listen, and since Linux 6.6 to which events. */
struct request {
	struct nlmsghdr netlink;
	/* The members of struct cn_msg. */
	struct cb_id id;
	uint32_t sequence, answer;
	uint16_t length, flags;
	/* Those of a message to the process connector. */
	uint32_t operation, events;
} __attribute__((packed));

static int
ask_connector(int fd, uint32_t operation, uint32_t filter)
{
	/* A kernel before 6.6 knows the shorter request alone. */
	size_t size = filter == 0 ? sizeof(uint32_t) : 2 * sizeof(uint32_t);
	struct request request = {
		.netlink = {.nlmsg_type = NLMSG_DONE},
		.id = {CN_IDX_PROC, CN_VAL_PROC},
		.answer = (uint32_t)getpid(),
		.length = (uint16_t)size,
		.operation = operation,
		.events = filter,
	};

	size += offsetof(struct request, operation);
	request.netlink.nlmsg_len = (uint32_t)size;
	return send(fd, &request, size, 0) == -1 ? -1 : 0;
}

static int
open_connector(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	int fd = socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	int buffer = 64 << 20;

	if (fd == -1)
		return -1;
	/* Messages wait there while we are busy. Without CAP_NET_ADMIN, the
	 * largest buffer is that of net.core.rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer,
		    sizeof(buffer)) == -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		ask_connector(fd, PROC_CN_MCAST_LISTEN, 0) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* What a connector must tell us before we rely on it. */
struct proof {
	pid_t child;
	bool agreed, heard;
};

static void
take_proof(void *data, const struct event *event)
{
	struct proof *proof = data;

	proof->agreed |=
		event->type == EVENT_ANSWER && event->other == getpid();
	proof->heard |= event->type == EVENT_EXIT && event->pid == proof->child;
}

/*
 * A kernel that will never tell us anything says so by its silence. So we ask
 * for its answer to us, and for the end of a child of our own. In another PID
 * namespace, the PID that is told is not the one that we know.
 */
static bool
connector_works(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	struct proof proof = {.child = fork()};
	const uint64_t second = 1000000000;

	if (proof.child == -1)
		die("fork");
	if (proof.child == 0)
		_exit(0);
	if (child_wait(proof.child) == -1)
		die("waitpid %d", proof.child);
	uint64_t end = event_now(CLOCK_MONOTONIC) + second;
	do {
		if (poll(&ready, 1, 100) == -1 && errno != EINTR)
			die("poll");
		if (connector_read(fd, take_proof, &proof) == -1 &&
			errno != ENOBUFS)
			die("recvmmsg of the process connector");
	} while (!(proof.agreed && proof.heard) &&
		 event_now(CLOCK_MONOTONIC) < end);
	return proof.agreed && proof.heard;
}

/* --- perf ---------------------------------------------------------------- */

/*
 * An event that counts nothing, on one processor, of all processes or, with
 * `self`, of us and those that we will make. Its records are what we want.
 * For others' processes, and for namespaces, it takes CAP_PERFMON. poll(2)
 * returns when so many bytes of them are there.
 */
static int
open_perf(int processor, bool self, uint32_t bytes)
{
	enum { FORMAT_LOST = 16 }; /* PERF_FORMAT_LOST, Linux 6.0 */
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.task = 1,	/* PERF_RECORD_FORK and _EXIT */
		.comm = 1,	/* PERF_RECORD_COMM: a new name, or an exec */
		.comm_exec = 1, /* refuse, on a kernel that marks no exec */
		.namespaces = !self,
		.inherit = self,
		.exclude_kernel = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1, /* each record has them */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC, /* as the connector has it */
		.watermark = 1,
		.wakeup_watermark = bytes,
		.read_format = FORMAT_LOST,
	};

	while (true) {
		int fd = (int)syscall(SYS_perf_event_open, &attr, self ? 0 : -1,
			processor, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd != -1 || errno != EINVAL || attr.read_format == 0)
			return fd;
		attr.read_format = 0;
	}
}

/* One event a processor; some processors may be switched off. Returns whether
 * there is one. */
static bool
add_perf(struct execs *execs, bool self, size_t size)
{
	int processors = (int)sysconf(_SC_NPROCESSORS_CONF);
	/* For each time that we are woken, the watched process pays with an
	 * interrupt. The connector wakes us for less. */
	uint32_t bytes = execs->connector == -1 ? 1 : 65536;

	/* An ordinary user may lock kernel.perf_event_mlock_kb for each
	 * processor, usually 516: a fair share for each of three watchers. */
	if (self && size > (size_t)128 << 10)
		size = (size_t)128 << 10;
	for (int i = 0; i < processors; i++) {
		int fd = open_perf(i, self, bytes);

		if (fd == -1 && errno == ENODEV)
			continue;
		if (fd == -1 || execs_add_perf(execs, fd, size) == -1) {
			int error = errno;

			execs_drop_perf(execs);
			errno = error;
			return false;
		}
	}
	execs->told_spaces = !self;
	return execs->ring_count > 0;
}

/* --- both ---------------------------------------------------------------- */

enum { CONNECTOR = 1, PERF = 2 };

static const char CURE[] = "run it on the host as root: sudo ./lesson06";

/* Why a source does not work here; NULL: it does, or was not asked for. */
struct reasons {
	const char *connector, *perf;
};

static const char *
why_no_connector(int error)
{
	switch (error) {
	case 0:
		return "the process connector is silent: this is not the host's"
		       " PID or user namespace, or a kernel without"
		       " CONFIG_PROC_EVENTS";
	case ECONNREFUSED:
		return "no process connector: ECONNREFUSED, this is not the"
		       " host's network namespace";
	case EPERM:
		return "no process connector: EPERM, not root, or not in the"
		       " host's user namespace";
	case EPROTONOSUPPORT:
		return "no process connector: EPROTONOSUPPORT, this kernel has"
		       " none";
	default:
		report_note("the process connector: %s", die_errno_name(error));
		return "no process connector";
	}
}

static const char *
why_no_perf(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "no perf: it takes CAP_PERFMON in the host's user"
		       " namespace (see kernel.perf_event_paranoid), or more"
		       " memory (ulimit -l)";
	default:
		report_note("perf_event_open: %s", die_errno_name(error));
		return "no perf";
	}
}

/* Returns which of the wanted sources work. descendants: nobody else is to be
 * watched, which asks for less privilege. */
static int
open_sources(struct execs *execs, int wanted, bool descendants, size_t size,
	struct reasons *why)
{
	int works = 0;

	*why = (struct reasons){NULL, NULL};
	execs_begin(execs);
	if ((wanted & CONNECTOR) != 0) {
		int fd = open_connector();

		if (fd == -1)
			why->connector = why_no_connector(errno);
		else if (!connector_works(fd)) {
			why->connector = why_no_connector(0);
			close(fd);
		} else {
			execs_add_connector(execs, fd);
			works |= CONNECTOR;
		}
	}
	if ((wanted & PERF) != 0) {
		if (add_perf(execs, false, size) ||
			(descendants && add_perf(execs, true, size)))
			works |= PERF;
		else
			why->perf = why_no_perf(errno);
	}
	return works;
}

/* --- the tool ------------------------------------------------------------ */

/* Beside perf, the connector is asked for what perf does not tell. */
static uint32_t
connector_filter(int types)
{
	static const struct {
		int type;
		uint32_t what;
	} pairs[] = {
		{EVENT_UID, PROC_EVENT_UID},
		{EVENT_GID, PROC_EVENT_GID},
		{EVENT_SID, PROC_EVENT_SID},
		{EVENT_PTRACE, PROC_EVENT_PTRACE},
		{EVENT_CORE, PROC_EVENT_COREDUMP},
	};
	uint32_t filter = PROC_EVENT_EXIT;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((types & pairs[i].type) != 0)
			filter |= pairs[i].what;
	return filter;
}

/*
 * While little happens, a message of each fork and exec wakes us, so that we
 * read /proc in time. When much happens we would be too late all the same, and
 * a message costs the process that is watched; only the namespace of a child
 * must be read early, where perf does not tell it.
 */
static void
ask_messages(const struct watch *watch, bool busy)
{
	uint32_t filter =
		connector_filter(watch->types | (watch->extra ? EVENT_UID : 0));

	if (!busy)
		filter |= PROC_EVENT_FORK | PROC_EVENT_EXEC;
	else if (!watch->execs->told_spaces)
		filter |= PROC_EVENT_FORK;
	if (ask_connector(watch->execs->connector, PROC_CN_MCAST_LISTEN,
		    filter) == -1)
		die("send to the process connector");
}

static int
chosen_source(void)
{
	if (source == NULL || strcmp(source, "both") == 0)
		return CONNECTOR | PERF;
	if (strcmp(source, "connector") == 0)
		return CONNECTOR;
	if (strcmp(source, "perf") == 0)
		return PERF;
	options_wrong(&lesson,
		"--source: found `%s`, expected connector, perf or both",
		source);
}

static int
chosen_events(void)
{
	char *wrong;

	if (events == NULL)
		return EVENT_EXEC | EVENT_FORK | EVENT_EXIT;
	const char **lists = options_all("events");
	int all = 0;
	for (int i = 0; lists[i] != NULL; i++) {
		if (strcmp(lists[i], "help") == 0) {
			event_help();
			if (fflush(stdout) == EOF)
				die("write standard output");
			exit(0);
		}
		int types = event_parse(lists[i], &wrong);
		if (types == 0)
			options_wrong(&lesson,
				"-e: `%s` is no event: see -e help", wrong);
		all |= types;
	}
	free(lists);
	return all;
}

/* pid:[4026532395], 4026532395, or the PID of a process that is in it. */
static ino_t
chosen_space(void)
{
	const int pid_type = ns_type_of(CLONE_NEWPID);
	struct ns_id id;
	int type;

	if (space == NULL)
		return 0;
	if (!ns_parse(space, &type, &id.ino) ||
		(type != NS_TYPES && type != pid_type))
		options_wrong(&lesson,
			"--ns: found `%s`, expected a PID or pid:[INODE]",
			space);
	if (type == pid_type || id.ino > PROC_PID_LIMIT)
		return id.ino;
	return ns_look((pid_t)id.ino, "pid").ino;
}

/* Say what is missing; end when that is all. */
static void
tell_sources(int works, bool spaces, int types, const struct reasons *why)
{
	if (works == 0)
		report_cannot(
			why->connector == NULL ? why->perf : why->connector,
			CURE);
	int told = 0;

	if ((works & PERF) != 0)
		told |= (EXECS_TOLD_BY_PERF | EVENT_EXIT) &
			(spaces ? ~0 : ~EVENT_NAMESPACES);
	if ((works & CONNECTOR) != 0)
		told |= ~EVENT_NAMESPACES;
	if ((types & told) == 0 && source != NULL &&
		strcmp(source, "both") != 0)
		options_wrong(&lesson, "--source=%s does not tell %s", source,
			events == NULL ? "this" : events);
	if ((types & told) == 0)
		report_cannot(
			"what works here does not tell these events", CURE);
	if ((types & ~told) != 0)
		report_note("not all of these events are told by what works"
			    " here");
	if (why->connector != NULL)
		report_note("%s; how a process has ended is not told",
			why->connector);
	if (why->perf != NULL)
		report_note("%s; names are read from /proc, perhaps too late",
			why->perf);
}

static int
watch_events(char **argv)
{
	options_tool(&lesson, true);
	struct watch watch = {.out = stdout,
		.types = chosen_events(),
		.extra = extra,
		.json = options.json,
		.space = chosen_space()};
	struct execs execs;
	struct reasons why;
	int wanted = chosen_source();

	if (output != NULL && strcmp(output, "-") != 0 &&
		(watch.out = fopen(output, "we")) == NULL)
		die("open %s", output);
	int works = open_sources(
		&execs, wanted, argv[0] != NULL, (size_t)16 << 20, &why);
	tell_sources(works, execs.told_spaces, watch.types, &why);
	if (works == (CONNECTOR | PERF))
		watch.ask = ask_messages;
	int code = watch_run(&watch, &execs, argv);
	execs_end(&execs);
	return code;
}

/* --- the demonstration ---------------------------------------------------- */

/* Each source by itself, and both. They were opened before need_privilege:
 * from within a user namespace, the connector cannot be opened. */
struct watchers {
	struct execs connector, perf, both;
	int works;
	struct reasons why;
};

static void
open_watchers(struct watchers *watchers)
{
	enum { SIZE = 1 << 20 };
	struct reasons same;

	watchers->works = open_sources(
		&watchers->both, CONNECTOR | PERF, true, SIZE, &watchers->why);
	open_sources(&watchers->connector, watchers->works & CONNECTOR, true,
		SIZE, &same);
	open_sources(
		&watchers->perf, watchers->works & PERF, true, SIZE, &same);
	execs_follow(&watchers->both);
	execs_follow(&watchers->connector);
	execs_follow(&watchers->perf);
}

static void
close_watchers(struct watchers *watchers)
{
	execs_end(&watchers->connector);
	execs_end(&watchers->perf);
	execs_end(&watchers->both);
}

/* Why a check is skipped. */
static const char LOST[] = "events were lost: a busy machine";

/* What was seen, in the order of time. */
struct seen_line {
	struct event event;
	struct execs_process process; /* without its command line */
};

struct seen {
	struct seen_line *lines;
	int count;
};

/* Add what has come. end: of what is watched nothing more will come. */
static void
collect(struct execs *execs, struct seen *seen, bool end)
{
	const struct execs_process *process;
	const struct event *event;

	while (execs_next(execs, end, &event, &process)) {
		if (!process->followed)
			continue;
		struct seen_line *lines = realloc(
			seen->lines, (seen->count + 1) * sizeof(*lines));
		if (lines == NULL)
			die("malloc");
		lines[seen->count].event = *event;
		lines[seen->count].process = *process;
		lines[seen->count++].process.command = NULL;
		seen->lines = lines;
	}
}

static void
read_all(struct execs *execs, struct seen *seen)
{
	uint64_t end = event_now(CLOCK_MONOTONIC) + EXECS_EXITS;

	execs_wait(execs, NULL, 0, 0);
	do
		collect(execs, seen, true);
	while (execs_wait_exit(execs, end));
}

/* Forget what has come. */
static void
forget_all(struct execs *execs)
{
	struct seen seen = {NULL, 0};

	read_all(execs, &seen);
	free(seen.lines);
}

/* How many events of this type, of this process; 0: of all. */
static int
count_events(const struct seen *seen, int type, pid_t pid)
{
	int found = 0;

	for (int i = 0; i < seen->count; i++)
		found += (int)seen->lines[i].event.type == type &&
			 (pid == 0 || seen->lines[i].event.pid == pid);
	return found;
}

/* One line of a view: "exec  33052/1  sh". told: the name is that of the event
 * itself, and not one that was read later. */
static char *
line_of(const struct execs *execs, const struct seen *seen, int i, bool told)
{
	const struct event *event = &seen->lines[i].event;
	const struct execs_process *process = &seen->lines[i].process;
	const char *name = process->name[0] == '\0' ? "?" : process->name;
	char pids[WATCH_PIDS], detail[WATCH_INFO], *text;

	watch_pids(pids, execs, process);
	if (event->type == EVENT_FORK || event->type == EVENT_EXIT)
		watch_info(detail, event);
	else if (event->type == EVENT_COMM)
		snprintf(detail, sizeof(detail), "now %s", event->name);
	else
		snprintf(detail, sizeof(detail), "%s", told ? name : "");
	if (asprintf(&text, "%-4s  %-9s %s", event_name(event->type), pids,
		    detail) == -1)
		die("malloc");
	return text;
}

/* Start a program that is not in a container. */
static pid_t
start_program(char *path, char *const argv[])
{
	int parent = child_self();
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		execv(path, argv);
		die("execve %s", path);
	}
	close(parent);
	return pid;
}

static void
two_sources(struct watchers *watchers)
{
	char *bundle = need_bundle(), *program;
	char *true_argv[] = {"true", NULL};
	struct seen connector = {NULL, 0}, perf = {NULL, 0};
	pid_t pid;

	forget_all(&watchers->connector);
	forget_all(&watchers->perf);
	if (asprintf(&program, "%s/rootfs/bin/true", bundle) == -1)
		die("malloc");
	pid = start_program(program, true_argv);
	if (child_wait(pid) == -1)
		die("waitpid %d", pid);
	read_all(&watchers->connector, &connector);
	read_all(&watchers->perf, &perf);

	report_step("A04", "We start `true`. Two sources tell of it.");
	report_explain("netlink(7), perf_event_open(2)");
	report_ask("socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR);"
		   " bind to CN_IDX_PROC");
	report_ask("perf_event_open({.config = PERF_COUNT_SW_DUMMY, .task = 1,"
		   " .comm = 1})");
	report_host("the process connector");
	report_container("perf");
	for (int i = 0; i < connector.count; i++) {
		char *text =
			line_of(&watchers->connector, &connector, i, false);

		report_host("%s", text);
		free(text);
	}
	for (int i = 0; i < perf.count; i++) {
		char *text = line_of(&watchers->perf, &perf, i, true);

		report_container("%s", text);
		free(text);
	}
	if ((watchers->works & CONNECTOR) != 0)
		report_equal(1, count_events(&connector, EVENT_EXEC, pid),
			"execs of it, by the connector");
	else
		report_skip("the connector", "it does not work here");
	if ((watchers->works & PERF) != 0)
		report_equal(1, count_events(&perf, EVENT_EXEC, pid),
			"execs of it, by perf");
	else
		report_skip("perf", "it does not work here");
	free(connector.lines);
	free(perf.lines);
	free(program);
	free(bundle);
}

static void
show_lines(const struct execs *execs, const struct seen *seen, int types,
	const char *meaning(const struct seen *, int))
{
	for (int i = 0; i < seen->count; i++) {
		if ((seen->lines[i].event.type & types) == 0)
			continue;
		char *text = line_of(execs, seen, i, true);
		report_host("%-36s %s", text, meaning(seen, i));
		free(text);
	}
}

static const char *
meaning_of_start(const struct seen *seen, int i)
{
	return seen->lines[i].event.type == EVENT_FORK
		       ? "clone: the container's init"
		       : "the init has become the shell";
}

static void
container_start(struct watchers *watchers, struct box *box)
{
	struct seen seen = {NULL, 0};

	forget_all(&watchers->both);
	box_start_default(box);
	read_all(&watchers->both, &seen);
	report_step("A04 A05", "We start a container, and watch.");
	report_explain("clone(2), proc(5): NSpid in /proc/PID/status");
	show_lines(&watchers->both, &seen, EVENT_FORK | EVENT_EXEC,
		meaning_of_start);
	if (execs_lost(&watchers->both) > 0)
		report_skip("its events", LOST);
	else {
		const struct execs_process *init =
			execs_find(&watchers->both, box->pid);

		report_equal(1, count_events(&seen, EVENT_FORK, box->pid),
			"forks that made the init");
		report_equal(1, count_events(&seen, EVENT_EXEC, box->pid),
			"execs of the init");
		report_equal((long long)ns_look(box->pid, "pid").ino,
			init == NULL ? 0 : (long long)init->space,
			watchers->both.told_spaces
				? "its PID namespace, as the event tells"
				: "its PID namespace, as /proc tells");
		report_equal(1, init == NULL ? 0 : init->inside,
			"its PID inside, from /proc");
	}
	free(seen.lines);
}

/* What runc exec does, see lesson03. Returns when its child has ended. */
static void
exec_into(struct box *box)
{
	int parent = child_self();
	char *true_argv[] = {"true", NULL};
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		if (setns(box->pidfd, CLONE_NEWNS | CLONE_NEWUTS |
					      CLONE_NEWIPC | CLONE_NEWPID |
					      CLONE_NEWNET) == -1)
			die("setns to the namespaces of %d", box->pid);
		_exit(child_wait(start_program("/bin/true", true_argv)));
	}
	close(parent);
	if (child_wait(pid) != 0)
		die_plain(DIE_FAILED, "the exec into the container failed");
}

static const char *
meaning_of_typed(const struct seen *seen, int i)
{
	const struct execs_process *process = &seen->lines[i].process;

	if (seen->lines[i].event.type == EVENT_FORK)
		return "by the container's shell";
	if (process->name[0] == '\0' ||
		(process->space != 0 && process->inside == 0))
		return "?: it ended before we asked /proc";
	return "the child has become the command";
}

static const char *
meaning_of_exec(const struct seen *seen, int i)
{
	switch (seen->lines[i].event.type) {
	case EVENT_NAMESPACES:
		return "setns: its children will be inside";
	case EVENT_EXEC:
		return "the child has become the command";
	default:
		return seen->lines[i].process.depth == 0
			       ? "the process that joins, still outside"
			       : "its child is born inside";
	}
}

static void
commands(struct watchers *watchers, struct box *box)
{
	struct seen typed = {NULL, 0}, built_in = {NULL, 0}, exec = {NULL, 0};

	free(box_ask(box, "/bin/true"));
	read_all(&watchers->both, &typed);
	free(box_ask(box, "echo hello"));
	read_all(&watchers->both, &built_in);
	exec_into(box);
	read_all(&watchers->both, &exec);
	report_step("A04 A17", "Commands: two typed inside, one from outside.");
	report_host("container# /bin/true");
	show_lines(&watchers->both, &typed, EVENT_FORK | EVENT_EXEC,
		meaning_of_typed);
	report_host("container# echo hello");
	report_host("host# (as runc exec does) setns, fork, exec /bin/true");
	show_lines(&watchers->both, &exec,
		EVENT_FORK | EVENT_EXEC | EVENT_NAMESPACES, meaning_of_exec);
	if (execs_lost(&watchers->both) > 0)
		report_skip("their events", LOST);
	else {
		report_equal(1, count_events(&typed, EVENT_EXEC, 0),
			"execs for /bin/true, typed inside");
		report_equal(0, built_in.count,
			"events for echo, done by the shell itself");
		report_equal(2, count_events(&exec, EVENT_FORK, 0),
			"forks for the exec from outside");
		report_equal(1, count_events(&exec, EVENT_EXEC, 0),
			"execs for the exec from outside");
	}
	free(typed.lines);
	free(built_in.lines);
	free(exec.lines);
}

/* How many execs were those of `true`, in this namespace; 0: in any. */
static int
count_true(const struct seen *seen, ino_t ino)
{
	int found = 0;

	for (int i = 0; i < seen->count; i++) {
		const struct execs_process *process = &seen->lines[i].process;

		found += seen->lines[i].event.type == EVENT_EXEC &&
			 strcmp(process->name, "true") == 0 &&
			 (ino == 0 || process->space == ino);
	}
	return found;
}

/* We read when all of them have ended. A program that reads while they live is
 * in time for some of them; nobody knows for which. */
static void
too_late(struct watchers *watchers, struct box *box)
{
	enum { MANY = 50 };
	struct seen connector = {NULL, 0}, perf = {NULL, 0};

	forget_all(&watchers->connector);
	forget_all(&watchers->perf);
	free(box_ask(box,
		"i=0; while [ $i -lt %d ]; do"
		" /bin/true; i=$((i+1)); done",
		MANY));
	read_all(&watchers->connector, &connector);
	read_all(&watchers->perf, &perf);
	report_step("A04", "50 short lives; we look when they are over.");
	report_explain("PERF_RECORD_COMM in perf_event_open(2) holds the name");
	report_host("container# while [ $i -lt %d ]; do /bin/true; ...", MANY);
	if ((watchers->works & CONNECTOR) == 0)
		report_skip("the connector", "it does not work here");
	else if (execs_lost(&watchers->connector) > 0)
		report_skip("the connector", LOST);
	else {
		report_equal(MANY, count_events(&connector, EVENT_EXEC, 0),
			"connector: execs");
		report_equal(0, count_true(&connector, 0),
			"names that are still in /proc");
	}
	if ((watchers->works & PERF) == 0)
		report_skip("perf", "it does not work here");
	else if (execs_lost(&watchers->perf) > 0)
		report_skip("perf", LOST);
	else {
		report_equal(MANY, count_events(&perf, EVENT_EXEC, 0),
			"perf: execs");
		report_equal(MANY, count_true(&perf, 0),
			"names that the records hold");
		if (watchers->perf.told_spaces)
			report_equal(MANY,
				count_true(&perf, ns_look(box->pid, "pid").ino),
				"PID namespaces that the records hold");
	}
	free(connector.lines);
	free(perf.lines);
}

/* --- runc, when it is here ------------------------------------------------ */

/* Returns its exit code. */
static int
watch_runc(struct execs *execs, struct seen *seen, const char *bundle)
{
	forget_all(execs);
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		runc_keep(bundle);
	struct pollfd ended = {
		.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	if (ended.fd == -1)
		die("pidfd_open %d", pid);
	while (ended.revents == 0) {
		execs_wait(execs, &ended, 1, -1);
		collect(execs, seen, false);
	}
	read_all(execs, seen);
	close(ended.fd);
	return child_wait(pid);
}

/* The PID of the process that took this name, or became this program. */
static pid_t
pid_of(const struct seen *seen, int type, const char *name)
{
	pid_t pid = 0;

	for (int i = 0; i < seen->count; i++)
		if ((int)seen->lines[i].event.type == type &&
			strcmp(seen->lines[i].event.name, name) == 0)
			pid = seen->lines[i].event.pid;
	return pid;
}

static const char *
meaning_of_runc(const struct seen *seen, int i)
{
	static const struct {
		const char *name, *meaning;
	} meanings[] = {
		{"runc:[0:PARENT]", "stage 0 makes stage 1, and waits"},
		{"runc:[1:CHILD]", "stage 1 calls unshare, makes stage 2"},
		{"runc:[2:INIT]", "stage 2 is PID 1; it gets its rootfs"},
		{"true", "stage 2 has become the command"},
	};
	const struct event *event = &seen->lines[i].event;
	bool before = i > 0 && seen->lines[i - 1].event.pid == event->pid;

	for (size_t k = 0; k < sizeof(meanings) / sizeof(meanings[0]); k++)
		if (strcmp(event->name, meanings[k].name) == 0)
			return meanings[k].meaning;
	if (event->type == EVENT_EXEC && before &&
		seen->lines[i - 1].event.type == EVENT_EXEC)
		return "again: a sealed copy of itself";
	if (event->type == EVENT_EXEC)
		return seen->lines[i].process.depth < 2 ? "runc run"
							: "runc init: stage 0";
	return seen->lines[i].process.depth == 0 ? "ours, to wait for runc"
						 : "a new process";
}

static void
runc_run(struct watchers *watchers, const char *why_not)
{
	static const char *const stages[] = {
		"runc:[0:PARENT]", "runc:[1:CHILD]", "runc:[2:INIT]"};
	char *bundle = need_bundle();
	struct seen seen = {NULL, 0};
	int found = 0, code = 0;

	if (why_not == NULL && strncmp(bundle, "/run/", 5) == 0)
		why_not = "the bundle lies in /run";
	if (why_not == NULL)
		code = watch_runc(&watchers->both, &seen, bundle);
	report_step("A04", "The same with runc: a container that runs `true`.");
	if (why_not == NULL && code != 0)
		why_not = "runc run failed (see above)";
	if (why_not == NULL && execs_lost(&watchers->both) > 0)
		why_not = LOST;
	if (why_not != NULL)
		report_skip("runc run", why_not);
	else {
		show_lines(&watchers->both, &seen,
			EVENT_FORK | EVENT_EXEC | EVENT_COMM, meaning_of_runc);
		for (int i = 0; i < 3; i++)
			found += pid_of(&seen, EVENT_COMM, stages[i]) != 0;
		report_equal(3, found, "stages that have named themselves");
		if (pid_of(&seen, EVENT_COMM, stages[2]) != 0)
			report_equal(pid_of(&seen, EVENT_EXEC, "true"),
				pid_of(&seen, EVENT_COMM, stages[2]),
				"stage 2 and the command: one PID");
		report_explain(
			"The sealed copy is an answer to CVE-2019-5736.");
	}
	free(seen.lines);
	free(bundle);
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);
	struct watchers watchers;
	struct box box;

	need_proc();
	if (first < argc || events != NULL || extra || space != NULL ||
		source != NULL || output != NULL)
		return watch_events(argv + first);
	const char *no_runc = !caps_have(CAP_SYS_ADMIN) ? "not root"
			      : !runc_is_installed()	? "it is not installed"
							: NULL;
	open_watchers(&watchers);
	if (watchers.works == 0)
		report_cannot(watchers.why.connector, CURE);
	if (watchers.why.connector != NULL)
		report_note("%s", watchers.why.connector);
	if (watchers.why.perf != NULL)
		report_note("%s", watchers.why.perf);
	need_privilege();
	need_namespaces(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWPID | CLONE_NEWNET);
	need_mount_proc();
	report_begin(&lesson);

	two_sources(&watchers);
	container_start(&watchers, &box);
	commands(&watchers, &box);
	too_late(&watchers, &box);
	report_hold(box.pid);
	box_stop(&box);
	runc_run(&watchers, no_runc);
	int code = report_end();
	close_watchers(&watchers);
	return code;
}
