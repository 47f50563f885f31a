#include "execs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connector.h"
#include "die.h"
#include "ns.h"

enum {
	/* A command line is read so far, in bytes. */
	COMMAND = 4096,
	/* An event waits so long for earlier ones of other processors, which
	 * are read after it: in nanoseconds. */
	PATIENCE = 1000000,
	/* And so long for its arguments. */
	LONG_PATIENCE = 10000000,
	/* So many events at once are read in larger portions. */
	MANY = 8,
	/* How often rings are looked at without news, in milliseconds. */
	TURN = 20,
};

/* gcc 12 loses sight of the array `waiting`, which holds the commands. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

void
execs_begin(struct execs *execs)
{
	*execs = (struct execs){.connector = -1};
	execs->space = ns_look(NS_SELF, "pid").ino;
	/* Most of it is never touched, so it takes no memory. */
	execs->processes = // an array of pointers: NOLINTNEXTLINE
		calloc(PROC_PID_LIMIT + 1, sizeof(*execs->processes));
	execs->gone = calloc(PROC_PID_LIMIT + 1, sizeof(*execs->gone));
	if (execs->processes == NULL || execs->gone == NULL)
		die("malloc");
}

void
execs_add_connector(struct execs *execs, int fd)
{
	execs->connector = fd;
}

int
execs_add_perf(struct execs *execs, int fd, size_t size)
{
	struct perf_ring *rings = realloc(
		execs->rings, (execs->ring_count + 1) * sizeof(*execs->rings));

	if (rings == NULL)
		die("malloc");
	execs->rings = rings;
	if (perf_map(&rings[execs->ring_count], fd, size) == -1) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	execs->ring_count++;
	return 0;
}

void
execs_drop_perf(struct execs *execs)
{
	while (execs->ring_count > 0)
		perf_free(&execs->rings[--execs->ring_count]);
}

/* --- what is known of the processes ------------------------------------ */

static void
forget(struct execs *execs, pid_t pid)
{
	struct execs_process *process = execs->processes[pid];

	if (process != NULL)
		free(process->command);
	free(process);
	execs->processes[pid] = NULL;
}

/* A new entry; one of an earlier process with that PID is forgotten. */
static struct execs_process *
add_process(struct execs *execs, pid_t pid)
{
	struct execs_process *process = calloc(1, sizeof(*process));

	if (process == NULL)
		die("malloc");
	forget(execs, pid);
	execs->processes[pid] = process;
	if (pid > execs->highest)
		execs->highest = pid;
	process->pid = pid;
	process->followed = execs->root == 0;
	return process;
}

const struct execs_process *
execs_find(const struct execs *execs, pid_t pid)
{
	return pid < 1 || pid > PROC_PID_LIMIT ? NULL : execs->processes[pid];
}

static void
read_name(pid_t pid, char *name)
{
	char text[20];
	ssize_t length = proc_peek(pid, "comm", text, sizeof(text));

	if (length > 0 && length <= 16) {
		memcpy(name, text, length - 1);
		name[length - 1] = '\0';
	}
}

/* In our own PID namespace it is the PID itself. */
static pid_t
read_inside(const struct execs *execs, pid_t pid, ino_t space)
{
	pid_t pids[PROC_LEVELS];

	if (space == execs->space)
		return pid;
	int count = proc_nspids(pid, pids);
	return count < 1 ? 0 : pids[count - 1];
}

static ino_t
read_space(pid_t pid)
{
	struct ns_id id;

	return ns_get(pid, "pid", &id) == -1 ? 0 : id.ino;
}

/* Field 7 of stat, and the first two numbers of Uid in status. */
static struct execs_owner
read_owner(pid_t pid)
{
	struct execs_owner owner = {.known = false};
	char *uids = proc_status(pid, "Uid"), *stat = proc_read(pid, "stat");
	const char *tty = stat == NULL ? NULL : proc_stat_field(stat, 7);

	if (uids != NULL && tty != NULL) {
		char *second;

		owner.known = true;
		owner.uid = (unsigned)strtoul(uids, &second, 10);
		owner.effective = (unsigned)strtoul(second, NULL, 10);
		owner.tty = (unsigned)strtoul(tty, NULL, 10);
	}
	free(uids);
	free(stat);
	return owner;
}

/* A process that was there before we looked. */
static struct execs_process *
meet(struct execs *execs, pid_t pid)
{
	struct execs_process *process = add_process(execs, pid);

	if (!process->followed)
		return process;
	read_name(pid, process->name);
	process->space = read_space(pid);
	process->inside = read_inside(execs, pid, process->space);
	if (execs->owners)
		process->owner = read_owner(pid);
	return process;
}

void
execs_follow(struct execs *execs)
{
	execs->root = getpid();
	struct execs_process *root = add_process(execs, execs->root);
	read_name(root->pid, root->name);
	if (execs->owners)
		root->owner = read_owner(root->pid);
}

void
execs_remember(struct execs *execs)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t pid;

	if (dir == NULL)
		die("open /proc");
	while ((entry = readdir(dir)) != NULL)
		if (proc_parse_pid(entry->d_name, &pid) == 0)
			meet(execs, pid);
	closedir(dir);
}

/* --- events come ------------------------------------------------------- */

static void
add_event(struct execs *execs, const struct event *event)
{
	if (execs->count == execs->room) {
		execs->room = execs->room == 0 ? 256 : 2 * execs->room;
		execs->waiting = realloc(
			execs->waiting, execs->room * sizeof(*execs->waiting));
		if (execs->waiting == NULL)
			die("malloc");
	}
	struct execs_event *added = &execs->waiting[execs->count];
	*added = (struct execs_event){
		.event = *event, .sequence = execs->count++};
	added->unread = !event->thread &&
			(event->type & (EVENT_FORK | EVENT_EXEC)) != 0;
}

/* perf tells an exec when the new program has its name, and a moment before it
 * has its arguments: then the file is empty, and still to be read. By now the
 * process may have executed another program; its arguments are not ours. */
static void
read_command(struct execs_event *waiting)
{
	char text[COMMAND], name[sizeof(waiting->event.name)];
	pid_t pid = waiting->event.pid;
	ssize_t length = proc_peek(pid, "cmdline", text, sizeof(text));

	waiting->unread = length == 0;
	if (length < 1)
		return;
	name[0] = '\0';
	read_name(pid, name);
	if (strcmp(name, waiting->event.name) != 0)
		return;
	waiting->command = realloc(waiting->command, length + 1);
	if (waiting->command == NULL)
		die("malloc");
	memcpy(waiting->command, text, length + 1);
	waiting->length = length;
}

static void
ask_proc(struct execs *execs, struct execs_event *waiting)
{
	struct event *event = &waiting->event;

	/* The record of a child's namespaces follows that of its fork; between
	 * the two, the parent may have lost its processor. */
	waiting->unread = event->type == EVENT_FORK && execs->told_spaces &&
			  event->space == 0;
	if (waiting->unread)
		return;
	if (event->type == EVENT_EXEC) {
		if (event->name[0] == '\0')
			read_name(event->pid, event->name);
		read_command(waiting);
		if (execs->owners)
			waiting->owner = read_owner(event->pid);
	}
	if (event->space == 0 && !execs->told_spaces)
		event->space = read_space(event->pid);
	if (event->space != 0)
		waiting->inside = read_inside(execs, event->pid, event->space);
}

/* Backwards, so that we know which have ended: they are not asked for. */
static void
ask_the_living(struct execs *execs)
{
	for (int i = execs->count - 1; i >= 0; i--) {
		struct execs_event *waiting = &execs->waiting[i];
		bool *gone = &execs->gone[waiting->event.pid];

		if (waiting->event.thread)
			continue;
		if (waiting->event.type == EVENT_EXIT)
			*gone = true;
		if (waiting->unread && *gone)
			waiting->unread = false;
		else if (waiting->unread)
			ask_proc(execs, waiting);
		/* Before its birth, the PID was another process's. */
		if (waiting->event.type == EVENT_FORK)
			*gone = false;
	}
	for (int i = 0; i < execs->count; i++)
		execs->gone[execs->waiting[i].event.pid] = false;
}

static void
take_connector(void *data, const struct event *event)
{
	struct execs *execs = data;

	if (event->type == EVENT_ANSWER ||
		(execs->ring_count > 0 &&
			(event->type & EXECS_TOLD_BY_PERF) != 0))
		return;
	add_event(execs, event);
}

/* The waiting fork of this child, or NULL: perf's next record after that of the
 * fork tells the child's namespaces. */
static struct execs_event *
find_fork(struct execs *execs, pid_t pid)
{
	for (int i = execs->count - 1; i >= execs->first; i--) {
		struct execs_event *waiting = &execs->waiting[i];

		if (waiting->event.type == EVENT_FORK &&
			!waiting->event.thread && waiting->event.pid == pid)
			return waiting;
	}
	return NULL;
}

/* Is it about a child whose fork has been shown already? Then that waited in
 * vain. */
static bool
place(struct execs *execs, const struct event *event)
{
	struct execs_process *process = execs->processes[event->pid];

	if (process == NULL || !process->unplaced)
		return false;
	process->unplaced = false;
	process->space = event->space;
	process->inside = read_inside(execs, event->pid, event->space);
	return true;
}

static void
take_perf(void *data, const struct event *event)
{
	struct execs *execs = data;
	struct execs_event *fork = NULL;

	if (execs->connector != -1 && (event->type & EXECS_TOLD_BY_PERF) == 0)
		return;
	if (event->type == EVENT_NAMESPACES) {
		fork = find_fork(execs, event->pid);
		if (fork == NULL && place(execs, event))
			return;
	}
	if (fork == NULL || fork->event.space != 0) {
		add_event(execs, event);
		return;
	}
	fork->event.space = event->space;
	fork->unread = true;
}

static int
compare_times(const void *left, const void *right)
{
	const struct execs_event *a = left, *b = right;

	if (a->event.time != b->event.time)
		return a->event.time < b->event.time ? -1 : 1;
	return a->sequence - b->sequence;
}

/* What an event has changed, once it has been shown. */
static void
finish_shown(struct execs *execs)
{
	if (!execs->shown)
		return;
	struct execs_event *last = &execs->waiting[execs->first];
	pid_t pid = last->event.pid;

	if (last->event.type == EVENT_EXIT && !last->event.thread)
		forget(execs, pid);
	struct execs_process *process = execs->processes[pid];
	if (last->event.type == EVENT_COMM && process != NULL)
		memcpy(process->name, last->event.name, sizeof(process->name));
	free(last->command);
	execs->first++;
	execs->shown = false;
}

static void
read_sources(struct execs *execs)
{
	int before;

	finish_shown(execs);
	execs->count -= execs->first;
	if (execs->first > 0)
		memmove(execs->waiting, execs->waiting + execs->first,
			execs->count * sizeof(*execs->waiting));
	execs->first = 0;
	for (int i = 0; i < execs->count; i++)
		execs->waiting[i].sequence = i;
	before = execs->count;
	execs->time = event_now(CLOCK_MONOTONIC);
	for (int i = 0; i < execs->ring_count; i++)
		perf_read(&execs->rings[i], take_perf, execs);
	/* ENOBUFS tells, once, that some are lost: they are counted later. */
	while (execs->connector != -1 &&
		connector_read(execs->connector, take_connector, execs) == -1)
		if (errno != ENOBUFS)
			die("recvmmsg of the process connector");
	if (execs->count > before)
		qsort(execs->waiting, execs->count, sizeof(*execs->waiting),
			compare_times);
	ask_the_living(execs);
}

/*
 * Events that wait for their turn do not wait for other events; nor does a
 * command that can be read in a moment. When much happens, each look for news
 * costs more than the news: then we look every two milliseconds. Beside the
 * connector, a ring tells only when much is in it, and is looked at in turn.
 */
static int
poll_all(const struct execs *execs, struct pollfd *all, int more, int timeout)
{
	struct timespec moment = {.tv_nsec = PATIENCE};
	int waiting = execs->count - execs->first;

	if (waiting == 0) {
		if (execs->ring_count > 0 && execs->connector != -1 &&
			(timeout == -1 || timeout > TURN))
			timeout = TURN;
		return poll(all, more + 1 + execs->ring_count, timeout);
	}
	if (execs_is_busy(execs)) {
		moment.tv_nsec = 2L * PATIENCE;
		return ppoll(all, more, &moment, NULL);
	}
	for (int i = execs->first; i < execs->count; i++)
		if (execs->waiting[i].unread)
			moment.tv_nsec = PATIENCE / 10;
	return ppoll(all, more + 1 + execs->ring_count, &moment, NULL);
}

bool
execs_is_busy(const struct execs *execs)
{
	return execs->count - execs->first > MANY;
}

void
execs_wait(struct execs *execs, struct pollfd *more, int count, int timeout)
{
	struct pollfd all[count + 1 + execs->ring_count];
	int used = 0;

	for (int i = 0; i < count; i++)
		all[used++] = more[i];
	all[used++] = (struct pollfd){execs->connector, POLLIN, 0};
	for (int i = 0; i < execs->ring_count; i++)
		all[used++] = (struct pollfd){execs->rings[i].fd, POLLIN, 0};
	if (poll_all(execs, all, count, timeout) == -1 && errno != EINTR)
		die("poll");
	for (int i = 0; i < count; i++)
		more[i].revents = all[i].revents;
	read_sources(execs);
}

/* --- and take their turn ------------------------------------------------ */

/* After a fork: the child gets an entry. */
static void
born(struct execs *execs, const struct execs_event *waiting)
{
	const struct execs_process *parent =
		execs_find(execs, waiting->event.other);
	struct execs_process *process = add_process(execs, waiting->event.pid);

	process->parent = waiting->event.other;
	process->born = waiting->event.time;
	process->space = waiting->event.space;
	process->unplaced = execs->told_spaces && process->space == 0;
	process->inside = waiting->inside;
	if (process->parent == execs->root)
		process->followed = true;
	if (parent == NULL)
		return;
	process->followed |= parent->followed;
	process->depth = parent->born == 0 ? 0 : parent->depth + 1;
	process->owner = parent->owner;
	/* Until its own exec it is another copy of the parent's program. */
	memcpy(process->name, parent->name, sizeof(process->name));
}

/* After an exec: another name, another command line. */
static void
became(struct execs_process *process, struct execs_event *waiting, bool tracked)
{
	const struct event *event = &waiting->event;

	if (event->name[0] != '\0')
		memcpy(process->name, event->name, sizeof(process->name));
	else
		process->name[0] = '\0';
	free(process->command);
	process->command = waiting->command;
	process->length = waiting->length;
	waiting->command = NULL;
	/* By now the program may have changed its user; the connector's events
	 * tell that in the right order. */
	if (waiting->owner.known && tracked && process->owner.known)
		process->owner.tty = waiting->owner.tty;
	else if (waiting->owner.known)
		process->owner = waiting->owner;
	if (process->space == 0)
		process->space = event->space;
	if (process->inside == 0 && waiting->inside != 0)
		process->inside = waiting->inside;
}

/* Keep `processes` up to date. */
static const struct execs_process *
apply(struct execs *execs, struct execs_event *waiting)
{
	const struct event *event = &waiting->event;
	struct execs_process *process;

	if (event->type == EVENT_FORK && !event->thread)
		born(execs, waiting);
	else if (execs->processes[event->pid] == NULL)
		meet(execs, event->pid);
	process = execs->processes[event->pid];
	if (event->type == EVENT_EXEC)
		became(process, waiting, execs->connector != -1);
	if (event->type == EVENT_NAMESPACES)
		process->space = event->space;
	if (event->type == EVENT_UID) {
		process->owner.uid = event->real;
		process->owner.effective = event->effective;
	}
	return process;
}

/*
 * The first thread may end before others, or because another one calls exec. Of
 * a process that we met, we do not know how many threads it had. Whichever
 * thread's end is told last: the process ends as the thread that ended it.
 */
static bool
is_of_thread(struct execs_process *process, struct event *event)
{
	if (event->type == EVENT_FORK)
		process->threads += event->thread;
	if (event->type != EVENT_EXIT)
		return event->thread;
	if (event->status > 0)
		process->status = event->status;
	if (process->threads > 0) {
		process->threads--;
		event->thread = true;
	} else if (process->born != 0)
		event->thread = false;
	if (event->status == 0)
		event->status = process->status;
	return event->thread;
}

bool
execs_next(struct execs *execs, bool all, const struct event **event,
	const struct execs_process **process)
{
	struct execs_event *next;

	do {
		finish_shown(execs);
		if (execs->first == execs->count)
			return false;
		next = &execs->waiting[execs->first];
		int patience = next->unread ? LONG_PATIENCE : PATIENCE;
		if (!all && next->event.time + patience > execs->time)
			return false;
		*event = &next->event;
		*process = apply(execs, next);
		execs->shown = true;
	} while (is_of_thread(execs->processes[next->event.pid], &next->event));
	return true;
}

/* Is one of the followed processes gone, and its end still to be told? */
static bool
expects_exit(const struct execs *execs)
{
	for (pid_t pid = 1; pid <= execs->highest; pid++) {
		const struct execs_process *process = execs->processes[pid];

		if (process != NULL && process->followed &&
			process->born != 0 && kill(pid, 0) == -1 &&
			errno == ESRCH)
			return true;
	}
	return false;
}

bool
execs_wait_exit(struct execs *execs, uint64_t end)
{
	if (event_now(CLOCK_MONOTONIC) >= end || !expects_exit(execs))
		return false;
	execs_wait(execs, NULL, 0, 1);
	return true;
}

long
execs_lost(struct execs *execs)
{
	long lost = 0;

	for (int i = 0; i < execs->ring_count; i++)
		lost += perf_lost(&execs->rings[i]);
	if (execs->connector != -1) {
		long dropped = connector_lost(execs->connector);

		if (dropped == -1)
			die("getsockopt SO_MEMINFO");
		lost += dropped;
	}
	return lost;
}

void
execs_end(struct execs *execs)
{
	execs->shown = false;
	for (int i = execs->first; i < execs->count; i++)
		free(execs->waiting[i].command);
	for (pid_t pid = 0; pid <= execs->highest; pid++)
		forget(execs, pid);
	execs_drop_perf(execs);
	if (execs->connector != -1)
		close(execs->connector);
	free(execs->rings);
	free(execs->waiting);
	free(execs->processes);
	free(execs->gone);
}
