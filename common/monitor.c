#include "monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "display.h"
#include "look.h"
#include "report.h"
#include "rows.h"

/* What was seen at one time. */
struct sight {
	struct look look;
	struct row_list list;
};

void
monitor_size(int *columns, int *lines)
{
	struct winsize size;

	*columns = *lines = 0;
	if (isatty(STDOUT_FILENO) == 0)
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1)
		size.ws_col = size.ws_row = 0;
	/* A serial line does not know its size. */
	*columns = size.ws_col == 0 ? 80 : size.ws_col;
	*lines = size.ws_row == 0 ? 24 : size.ws_row;
}

/* Returns false when the namespace to be watched is gone. */
static bool
take(const struct monitor *monitor, struct sight *sight)
{
	int space;

	*sight = (struct sight){.list = {.row = NULL}};
	look_take(&sight->look, monitor->how);
	if (!monitor->members) {
		rows_add_spaces(&sight->list, &sight->look);
		return true;
	}
	space = scan_find_space(&sight->look.scan, monitor->space.ino);
	if (space != SCAN_NONE)
		rows_add_members(&sight->list, &sight->look, space);
	return space != SCAN_NONE;
}

static void
give_back(struct sight *sight)
{
	look_free(&sight->look);
	free(sight->list.row);
}

/* In the order of the scan. Equal means the same object: a PID may be used
 * again, with another start time. */
static int
compare(const struct row *a, const struct row *b, bool members)
{
	if (members) {
		const struct scan_process *p =
			&a->look->scan.processes[a->process];
		const struct scan_process *q =
			&b->look->scan.processes[b->process];

		if (p->pid != q->pid)
			return p->pid < q->pid ? -1 : 1;
		return (p->start > q->start) - (p->start < q->start);
	}
	const struct scan_space *s = &a->look->scan.spaces[a->space];
	const struct scan_space *t = &b->look->scan.spaces[b->space];

	if (s->type != t->type)
		return s->type < t->type ? -1 : 1;
	return (s->id.ino > t->id.ino) - (s->id.ino < t->id.ino);
}

/* Both lists are ordered, so one pass finds what is in one of them alone. */
static struct row_list
merge(const struct row_list *before, const struct row_list *now, bool members)
{
	struct row_list all = {.row = NULL};
	int i = 0, k = 0;

	while (i < before->count || k < now->count) {
		int order = i == before->count ? 1
			    : k == now->count  ? -1
					       : compare(&before->row[i],
							 &now->row[k], members);
		struct row row = order < 0 ? before->row[i] : now->row[k];

		if (order < 0)
			row.mark = '-';
		else if (order > 0)
			row.mark = '+';
		rows_add(&all, row);
		i += order <= 0;
		k += order >= 0;
	}
	return all;
}

/* Those that have come or gone, and, with unchanged, the others after them. */
static struct rows
sort_marks(const struct row_list *list, bool unchanged)
{
	struct rows rows = rows_all(list);

	rows.count = 0;
	for (int i = 0; i < list->count; i++)
		if (list->row[i].mark != ' ')
			rows.row[rows.count++] = &list->row[i];
	for (int i = 0; i < list->count && unchanged; i++)
		if (list->row[i].mark == ' ')
			rows.row[rows.count++] = &list->row[i];
	return rows;
}

static void
print_title(FILE *out, struct rows rows, int columns)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[16], *title;
	int came = 0, gone = 0;

	for (int i = 0; i < rows.count; i++) {
		came += rows.row[i]->mark == '+';
		gone += rows.row[i]->mark == '-';
	}
	if (localtime_r(&now, &local) == NULL ||
		strftime(clock, sizeof(clock), "%H:%M:%S", &local) == 0)
		clock[0] = '\0';
	if (asprintf(&title, "%s  %d rows, %d came, %d gone; Ctrl-C ends it",
		    clock, rows.count - gone, came, gone) == -1)
		die("malloc");
	display_cut(out, title, columns);
	putc('\n', out);
	free(title);
}

static void
print_more(FILE *out, int count, int columns)
{
	char text[40];

	snprintf(text, sizeof(text), "... and %d more", count);
	display_cut(out, text, columns);
	putc('\n', out);
}

/* In one write, so that the screen does not flicker. When not all rows have
 * room, those that changed are shown first. */
static void
draw(const struct monitor *monitor, const struct row_list *list)
{
	enum { OTHER_LINES = 4 };
	int columns, lines, most;
	char *screen = NULL;
	size_t size;
	FILE *out = open_memstream(&screen, &size);

	if (out == NULL)
		die("open_memstream");
	monitor_size(&columns, &lines);
	most = lines > OTHER_LINES ? lines - OTHER_LINES : 1;
	struct rows rows =
		list->count > most ? sort_marks(list, true) : rows_all(list);
	fputs("\033[H\033[2J", out);
	print_title(out, rows, columns);
	if (rows.count > most)
		rows.count = most;
	columns_text(out, monitor->columns, rows, monitor->heading, columns);
	if (rows.count < list->count)
		print_more(out, list->count - rows.count, columns);
	if (fclose(out) == EOF || screen == NULL)
		die("malloc");
	fputs(screen, stdout);
	free(screen);
	free(rows.row);
}

static void
show(const struct monitor *monitor, const struct sight *before,
	const struct sight *now, bool first)
{
	struct row_list list =
		merge(&before->list, &now->list, monitor->members);
	struct rows rows;

	if (isatty(STDOUT_FILENO) != 0) {
		draw(monitor, &list);
	} else {
		rows = first ? rows_all(&list) : sort_marks(&list, false);
		columns_text(stdout, monitor->columns, rows,
			first && monitor->heading, 0);
		free(rows.row);
	}
	free(list.row);
	if (fflush(stdout) == EOF)
		die("write standard output");
}

/* Returns the signal that came within a second, or 0. */
static int
wait_a_second(const sigset_t *signals)
{
	const struct timespec second = {.tv_sec = 1};
	int signal = sigtimedwait(signals, NULL, &second);

	if (signal == -1 && errno != EAGAIN && errno != EINTR)
		die("sigtimedwait");
	return signal == -1 ? 0 : signal;
}

/* When nothing changes nothing is written, and no SIGPIPE tells that nobody
 * reads any more. */
static bool
is_read(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return poll(&out, 1, 0) < 1 || (out.revents & POLLERR) == 0;
}

void
monitor_run(const struct monitor *monitor)
{
	struct sight sights[2];
	sigset_t signals;
	int now = 0;
	bool there;

	/* They wait, blocked, until we ask for them: SIGINT is Ctrl-C, and
	 * SIGWINCH says that the window has another size. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) == -1)
		die("sigprocmask");
	there = take(monitor, &sights[0]);
	/* Compared with itself, nothing has come or gone. */
	show(monitor, &sights[0], &sights[0], true);
	while (there && wait_a_second(&signals) != SIGINT && is_read()) {
		now = !now;
		there = take(monitor, &sights[now]);
		show(monitor, &sights[!now], &sights[now], false);
		give_back(&sights[!now]);
	}
	give_back(&sights[now]);
	if (!there)
		report_note("the namespace is gone");
}
