#include "watch.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "display.h"
#include "gate.h"
#include "report.h"

static void
flush(struct watch *watch)
{
	if (fflush(watch->out) == EOF || ferror(watch->out))
		die("write the events");
}

static void
print_heads(struct watch *watch)
{
	watch->to_clock =
		event_now(CLOCK_REALTIME) - event_now(CLOCK_MONOTONIC);
	watch->width = display_columns(watch->out);
	if (watch->json)
		return;
	fprintf(watch->out, "%-12s %-6s %-11s %-10s ", "Time", "Event", "PID",
		"Namespace");
	if (watch->extra)
		fprintf(watch->out, "%5s %5s %-6s ", "UID", "EUID", "TTY");
	fprintf(watch->out, "%-8s %8s  %s\n", "Info", "Duration", "Process");
	flush(watch);
}

void
watch_pids(char text[WATCH_PIDS], const struct execs *execs,
	const struct execs_process *process)
{
	int used = snprintf(text, WATCH_PIDS, "%d", process->pid);

	if (process->space == 0 || process->space == execs->space)
		return;
	if (process->inside == 0)
		snprintf(text + used, WATCH_PIDS - used, "/?");
	else
		snprintf(
			text + used, WATCH_PIDS - used, "/%d", process->inside);
}

enum { SHORT = 32 };

/* pts/4, tty1, or the two numbers of a device of another kind. */
static void
name_tty(char text[SHORT], const struct execs_owner *owner)
{
	unsigned first = major(owner->tty), second = minor(owner->tty);

	if (!owner->known || owner->tty == 0)
		snprintf(text, SHORT, owner->known ? "-" : "?");
	/* Documentation/admin-guide/devices.txt of Linux. */
	else if (first >= 136 && first <= 143)
		snprintf(text, SHORT, "pts/%u", (first - 136) * 256 + second);
	else if (first == 4 && second < 64)
		snprintf(text, SHORT, "tty%u", second);
	else
		snprintf(text, SHORT, "%u:%u", first, second);
}

void
watch_info(char text[WATCH_INFO], const struct event *event)
{
	switch (event->type) {
	case EVENT_FORK:
		snprintf(text, WATCH_INFO, "by %d", event->other);
		break;
	case EVENT_EXIT:
		event_status(text, WATCH_INFO, event->status);
		break;
	case EVENT_UID:
	case EVENT_GID:
		snprintf(text, WATCH_INFO, "%u/%u", event->real,
			event->effective);
		break;
	case EVENT_PTRACE:
		if (event->other == 0)
			snprintf(text, WATCH_INFO, "ends");
		else
			snprintf(text, WATCH_INFO, "by %d", event->other);
		break;
	default:
		snprintf(text, WATCH_INFO, "-");
	}
}

static void
print_name(FILE *out, const char *name)
{
	if (name[0] == '\0')
		fputc('?', out);
	else
		display_quote(out, name, strlen(name) + 1);
}

/* A command line where there is one; [name] where an exec's was lost. */
static void
print_process(FILE *out, const struct event *event,
	const struct execs_process *process)
{
	bool exec = event->type == EVENT_EXEC;

	if (event->type == EVENT_COMM) {
		print_name(out, process->name);
		fputs(" -> ", out);
		print_name(out, event->name);
	} else if (process->command != NULL)
		display_quote(out, process->command, process->length);
	else {
		fputs(exec ? "[" : "", out);
		print_name(out, process->name);
		fputs(exec ? "]" : "", out);
	}
}

/* The caller frees it. */
static char *
make_process(const struct event *event, const struct execs_process *process)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("open_memstream");
	print_process(out, event, process);
	if (fclose(out) == EOF)
		die("malloc");
	return text;
}

/* In nanoseconds; negative when the birth was not seen. */
static int64_t
lifetime(const struct event *event, const struct execs_process *process)
{
	return event->type != EVENT_EXIT || process->born == 0
		       ? -1000000
		       : (int64_t)(event->time - process->born);
}

/* These return how many columns they have printed. */
static int
print_time(struct watch *watch, uint64_t when)
{
	time_t second = (time_t)(when / 1000000000);
	struct tm parts;

	if (second != watch->second && localtime_r(&second, &parts) != NULL &&
		strftime(watch->clock, sizeof(watch->clock), "%T", &parts) > 0)
		watch->second = second;
	return fprintf(watch->out, "%s.%03d ", watch->clock,
		(int)(when % 1000000000 / 1000000));
}

static int
print_owner(struct watch *watch, const struct execs_owner *owner)
{
	char tty[SHORT];

	name_tty(tty, owner);
	if (owner->known)
		return fprintf(watch->out, "%5u %5u %-6s ", owner->uid,
			owner->effective, tty);
	return fprintf(watch->out, "%5s %5s %-6s ", "?", "?", tty);
}

static int
print_life(struct watch *watch, const struct event *event, int64_t milliseconds)
{
	char info[WATCH_INFO];

	watch_info(info, event);
	if (milliseconds < 0)
		return fprintf(watch->out, "%-18s  ", info);
	return fprintf(watch->out, "%-8s %4d.%03ds  ", info,
		(int)(milliseconds / 1000), (int)(milliseconds % 1000));
}

/* In a line of a terminal, what does not fit is cut off. */
static void
print_last_column(struct watch *watch, const struct event *event,
	const struct execs_process *process, int column)
{
	int left = watch->width - column - 1;

	if (watch->width == 0) {
		print_process(watch->out, event, process);
		return;
	}
	char *text = make_process(event, process);
	display_cut(watch->out, text, left < 8 ? 8 : left);
	free(text);
}

static void
print_line(struct watch *watch, const struct event *event,
	const struct execs_process *process)
{
	char pids[WATCH_PIDS], space[SHORT] = "?";
	int depth = process->depth < 8 ? process->depth : 8;
	int column = print_time(watch, event->time + watch->to_clock);

	watch_pids(pids, watch->execs, process);
	if (process->space != 0)
		snprintf(space, sizeof(space), "%lu", process->space);
	column += fprintf(watch->out, "%-6s %-11s %-10s ",
		event_name(event->type), pids, space);
	if (watch->extra)
		column += print_owner(watch, &process->owner);
	column += print_life(watch, event, lifetime(event, process) / 1000000);
	column += fprintf(watch->out, "%*s", 2 * depth, "");
	print_last_column(watch, event, process, column);
	fputc('\n', watch->out);
}

/* What is not known is left out. */
static void
add(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) == -1)
		die("malloc");
}

static void
add_status(json_t *object, int status)
{
	if (status == EVENT_UNKNOWN)
		return;
	if (WIFSIGNALED(status))
		add(object, "signal", json_integer(WTERMSIG(status)));
	else
		add(object, "exit_code", json_integer(WEXITSTATUS(status)));
}

static void
print_object(struct watch *watch, const struct event *event,
	const struct execs_process *process)
{
	char *name = display_clean(process->name);
	char *command = make_process(event, process);
	json_t *object = json_pack("{s:f, s:s, s:i, s:s, s:s, s:i}", "time",
		(double)(event->time + watch->to_clock) / 1e9, "event",
		event_name(event->type), "pid", process->pid, "name", name,
		"process", command, "depth", process->depth);

	free(name);
	free(command);
	if (process->inside != 0)
		add(object, "inside", json_integer(process->inside));
	if (process->space != 0)
		add(object, "pid_namespace",
			json_integer((json_int_t)process->space));
	if (process->parent != 0)
		add(object, "parent", json_integer(process->parent));
	if (event->type == EVENT_PTRACE)
		add(object, "tracer", json_integer(event->other));
	if (event->type == EVENT_UID || event->type == EVENT_GID) {
		add(object, "real", json_integer(event->real));
		add(object, "effective", json_integer(event->effective));
	}
	if (event->type == EVENT_EXIT)
		add_status(object, event->status);
	if (lifetime(event, process) >= 0)
		add(object, "duration",
			json_real((double)lifetime(event, process) / 1e9));
	if (watch->extra && process->owner.known) {
		add(object, "uid", json_integer(process->owner.uid));
		add(object, "euid", json_integer(process->owner.effective));
		add(object, "tty", json_integer(process->owner.tty));
	}
	char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(16));
	if (line == NULL)
		die("malloc");
	fprintf(watch->out, "%s\n", line);
	free(line);
	json_decref(object);
}

static void
show_event(struct watch *watch, const struct event *event,
	const struct execs_process *process)
{
	int type = event->type;

	if (type == EVENT_EXIT && event->status != 0 &&
		event->status != EVENT_UNKNOWN)
		type |= EVENT_NONZERO;
	if ((type & watch->types) == 0 || !process->followed)
		return;
	if (watch->space != 0 && process->space != watch->space) {
		watch->unplaced += process->space == 0;
		return;
	}
	watch->shown++;
	if (watch->json)
		print_object(watch, event, process);
	else
		print_line(watch, event, process);
}

static void
print_end(struct watch *watch, long lost)
{
	if (watch->json)
		fprintf(watch->out, "{\"events\":%ld,\"lost\":%ld}\n",
			watch->shown, lost);
	else
		fprintf(watch->out, "%ld event%s, %ld lost\n", watch->shown,
			watch->shown == 1 ? "" : "s", lost);
	flush(watch);
	if (lost > 0)
		report_note("lost events: %ld", lost);
	if (watch->unplaced > 0)
		report_note("left out, because /proc was read too late or not"
			    " to be read: %ld",
			watch->unplaced);
}

/* Start the command; it waits at the gate until we are ready. */
static pid_t
start_command(char **argv, struct gate *gate)
{
	int parent = child_self();

	if (gate_make(gate) == -1)
		die("pipe2");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		child_begin(parent);
		/* Without an answer, we have ended and have said why. */
		if (gate_wait(gate) == -1)
			_exit(DIE_FAILED);
		child_exec(argv);
	}
	close(parent);
	return pid;
}

/* A namespace that nobody is in may be a mistake, or not there yet. */
static void
look_for_space(const struct watch *watch, const struct execs *execs)
{
	for (pid_t pid = 1; pid <= execs->highest; pid++) {
		const struct execs_process *process = execs_find(execs, pid);

		if (process != NULL && process->space == watch->space)
			return;
	}
	report_note("no process is in pid:[%lu] now", watch->space);
}

/* Returns whether to go on: a signal, or the end of the command, ends us. */
static bool
handle_signal(int fd, pid_t command, int *code)
{
	struct signalfd_siginfo info;
	int status;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo != SIGCHLD && command == 0)
		return false;
	/* The terminal has sent its signals to the command, too. */
	if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL &&
		kill(command, (int)info.ssi_signo) == -1 && errno != ESRCH)
		die("kill %d", command);
	if (command == 0 || waitpid(command, &status, WNOHANG) != command)
		return true;
	*code = child_exit_code(status);
	return false;
}

/* Calm is what has been calm for a second. */
static void
ask_anew(struct watch *watch)
{
	const uint64_t second = 1000000000;
	uint64_t now = watch->execs->time;
	bool was_busy = watch->busy != 0;

	if (execs_is_busy(watch->execs))
		watch->busy = now;
	else if (watch->busy != 0 && now - watch->busy > second)
		watch->busy = 0;
	if (watch->ask != NULL && was_busy != (watch->busy != 0))
		watch->ask(watch, !was_busy);
}

static void
show_all(struct watch *watch, struct execs *execs, bool all)
{
	const struct execs_process *process;
	const struct event *event;

	if (!execs_next(execs, all, &event, &process))
		return;
	do
		show_event(watch, event, process);
	while (execs_next(execs, all, &event, &process));
	flush(watch);
}

static void
show_the_rest(struct watch *watch, struct execs *execs)
{
	uint64_t end = event_now(CLOCK_MONOTONIC) + EXECS_EXITS;

	execs_wait(execs, NULL, 0, 0);
	do
		show_all(watch, execs, true);
	while (execs_wait_exit(execs, end));
}

int
watch_run(struct watch *watch, struct execs *execs, char **argv)
{
	int foreground = tcgetpgrp(STDIN_FILENO) == getpgrp(), code = 0;
	struct gate gate;
	pid_t command = 0;

	watch->execs = execs;
	execs->owners = watch->extra;
	if (watch->ask != NULL)
		watch->ask(watch, false);
	child_follow_begin();
	struct pollfd ready = {.fd = child_follow_signals(), .events = POLLIN};
	if (argv[0] != NULL) {
		execs_follow(execs);
		command = start_command(argv, &gate);
	} else
		execs_remember(execs);
	if (watch->space != 0 && command == 0)
		look_for_space(watch, execs);
	print_heads(watch);
	if (command != 0 && gate_open(&gate) == -1)
		die("write gate");
	do {
		execs_wait(execs, &ready, 1, -1);
		ask_anew(watch);
		show_all(watch, execs, false);
	} while (ready.revents == 0 || handle_signal(ready.fd, command, &code));
	show_the_rest(watch, execs);
	print_end(watch, execs_lost(execs));
	if (foreground && command != 0)
		child_take_terminal_back();
	close(ready.fd);
	return code;
}
