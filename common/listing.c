#include "listing.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "columns.h"
#include "die.h"
#include "display.h"
#include "family.h"
#include "look.h"
#include "monitor.h"
#include "ns.h"
#include "report.h"
#include "rows.h"
#include "snapshot.h"

static bool list, cgroup, tree, monitor, quick, walk, all, noheadings, raw;
static const char *space_given, *pid_given, *tree_kind, *output, *save, *from;

const struct option_entry listing_options[] = {
	{'l', "list", NULL, "list all namespaces", &list, NULL},
	{0, "namespace", "INODE", "list its processes, as INODE alone does",
		NULL, &space_given},
	{'p', "pid", "PID", "list the namespaces of a process", NULL,
		&pid_given},
	{0, "cgroup", NULL, "with INODE, --pid or PID:HIERARCHY: the cgroups",
		&cgroup, NULL},
	{0, "tree", "[=pid|owner]", "draw who is below, or owned by, whom",
		&tree, &tree_kind},
	{'a', "all", NULL, "with --tree: each process of the host, too", &all,
		NULL},
	{0, "monitor", NULL, "look again each second: + has come, - gone",
		&monitor, NULL},
	{0, "quick", NULL, "do not look for what has no process", &quick, NULL},
	{0, "walk", NULL,
		"walk /proc, even where the kernel has a list of tasks", &walk,
		NULL},
	{'o', "output", "COLUMNS", "such as PID,NAME; `help` tells them all",
		NULL, &output},
	{'n', "noheadings", NULL, "no names above the columns", &noheadings,
		NULL},
	{'r', "raw", NULL, "one blank between columns, other bytes as \\x20",
		&raw, NULL},
	{0, "save", "FILE", "keep all that is seen in a file of yours alone",
		NULL, &save},
	{0, "from", "FILE", "look at such a file, not at this machine", NULL,
		&from},
	{0, NULL, NULL, NULL, NULL, NULL},
};

bool
listing_wanted(void)
{
	return list || cgroup || tree || monitor || quick || walk || all ||
	       noheadings || raw || space_given != NULL || pid_given != NULL ||
	       output != NULL || save != NULL || from != NULL;
}

/* --- What is asked for --------------------------------------------------- */

enum view {
	LIST = 1,
	MEMBERS = 2,
	LINKS = 4,
	CGROUPS = 8,
	TREE = 16,
	SAVE = 32,
	TABLES = LIST | MEMBERS | LINKS | CGROUPS,
};

struct wish {
	enum view view;
	const char *operand; /* as it was typed, or NULL */
	int type;	     /* of the namespace, or NS_TYPES: any */
	ino_t ino;	     /* 0: none is named */
	pid_t pid;	     /* 0: none is named */
	int hierarchy;	     /* of cgroups; -1: all */
	struct columns columns;
};

static enum view
choose_view(const struct lesson *lesson, const char *operand)
{
	const struct {
		const char *name;
		bool given;
		enum view view;
	} choices[] = {
		{"--save", save != NULL, SAVE},
		{"--tree", tree, TREE},
		{"--cgroup", cgroup, CGROUPS},
		{"--list", list, LIST},
		/* --cgroup may have both. */
		{"--pid", pid_given != NULL && !cgroup, LINKS},
		{"the namespace", operand != NULL && !cgroup && !tree, MEMBERS},
	};
	const size_t count = sizeof(choices) / sizeof(choices[0]);
	size_t first = 0;

	while (first < count && !choices[first].given)
		first++;
	for (size_t i = first + 1; i < count; i++)
		if (choices[i].given)
			options_wrong(lesson, "%s and %s: choose one of them",
				choices[first].name, choices[i].name);
	return first == count ? LIST : choices[first].view;
}

/* Options that do not go with each other, or not with what is asked for. */
static void
refuse_others(const struct lesson *lesson, enum view view)
{
	const struct {
		const char *name;
		bool given;
		int views;
	} options_of[] = {
		{"--step", options.step, 0},
		{"--hold", options.hold, 0},
		{"--check", options.check, 0},
		{"--explain", options.explain, 0},
		{"--json", options.json, TABLES | TREE},
		{"--all", all, TREE},
		{"--from", from != NULL, TABLES | TREE},
		{"--quick", quick, TABLES | SAVE},
		{"--walk", walk, TABLES | TREE | SAVE},
		{"--monitor", monitor, LIST | MEMBERS},
		{"--output", output != NULL, TABLES},
		{"--noheadings", noheadings, TABLES},
		{"--raw", raw, TABLES},
	};
	const struct {
		const char *first, *second;
		bool given;
	} pairs[] = {
		{"--raw", "--json", raw && options.json},
		{"--monitor", "--json", monitor && options.json},
		{"--monitor", "--raw", monitor && raw},
		{"--monitor", "--from", monitor && from != NULL},
		{"--quick", "--from", quick && from != NULL},
		{"--walk", "--from", walk && from != NULL},
	};

	for (size_t i = 0; i < sizeof(options_of) / sizeof(options_of[0]); i++)
		if (options_of[i].given && (options_of[i].views & view) == 0)
			options_wrong(lesson, "%s does not go with %s",
				options_of[i].name,
				view == TREE	  ? "--tree"
				: view == SAVE	  ? "--save"
				: view == CGROUPS ? "--cgroup"
				: view == LINKS	  ? "--pid"
				: view == MEMBERS ? "a namespace"
						  : "the list");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].given)
			options_wrong(lesson, "%s does not go with %s",
				pairs[i].first, pairs[i].second);
}

/* Read digits. Returns what follows, or NULL where there are none or too
 * many. */
static const char *
read_digits(const char *text, unsigned long long *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return NULL;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 ? end : NULL;
}

/* 33052:9, as cinf's --cgroup has it. */
static bool
read_hierarchy(const char *text, struct wish *wish)
{
	unsigned long long pid = 0, hierarchy = 0;
	const char *end = read_digits(text, &pid);

	if (end == NULL || *end != ':' || pid < 1 || pid > PROC_PID_LIMIT)
		return false;
	end = read_digits(end + 1, &hierarchy);
	if (end == NULL || *end != '\0' || hierarchy > 9999)
		return false;
	wish->pid = (pid_t)pid;
	wish->hierarchy = (int)hierarchy;
	return true;
}

static void
read_operand(const struct lesson *lesson, struct wish *wish)
{
	if (wish->operand == NULL)
		return;
	if (pid_given != NULL)
		options_wrong(lesson, "--pid takes no namespace, found `%s`",
			wish->operand);
	if (ns_parse(wish->operand, &wish->type, &wish->ino) ||
		(cgroup && read_hierarchy(wish->operand, wish)))
		return;
	options_wrong(lesson,
		"found `%s`, expected a namespace: 4026532395, or"
		" pid:[4026532395]%s",
		wish->operand, cgroup ? ", or PID:NUMBER of a hierarchy" : "");
}

static const struct column *
columns_of(enum view view)
{
	return view == LIST || view == LINKS ? rows_spaces
	       : view == MEMBERS	     ? rows_processes
					     : rows_cgroups;
}

static void
choose_columns(const struct lesson *lesson, struct wish *wish)
{
	const char *usual = wish->view == LIST	    ? rows_spaces_usual
			    : wish->view == LINKS   ? rows_links_usual
			    : wish->view == MEMBERS ? rows_processes_usual
						    : rows_cgroups_usual;
	char *names, *wrong;

	/* What has come stands before the rest. */
	bool marked = output != NULL && strstr(output, "MARK") != NULL;
	if (asprintf(&names, "%s%s", monitor && !marked ? "MARK," : "",
		    output == NULL ? usual : output) == -1)
		die("malloc");
	wrong = columns_choose(&wish->columns, columns_of(wish->view), names);
	free(names);
	if (wrong == NULL)
		return;
	fprintf(stderr, "The columns are:\n");
	columns_help(stderr, columns_of(wish->view));
	options_wrong(lesson, "--output: no column `%s` here", wrong);
}

static struct wish
read_wish(const struct lesson *lesson, char **operands, int count)
{
	struct wish wish = {.type = NS_TYPES, .hierarchy = -1};

	wish.operand = count > 0 ? operands[0] : space_given;
	if (count > 1 || (count > 0 && space_given != NULL))
		options_wrong(lesson, "found `%s`, expected one namespace",
			count > 1 ? operands[1] : operands[0]);
	wish.view = choose_view(lesson, wish.operand);
	refuse_others(lesson, wish.view);
	if (tree_kind != NULL && strcmp(tree_kind, "pid") != 0 &&
		strcmp(tree_kind, "owner") != 0)
		options_wrong(lesson,
			"--tree: found `%s`, expected pid or"
			" owner",
			tree_kind);
	if (pid_given != NULL)
		wish.pid = options_pid(lesson, pid_given);
	read_operand(lesson, &wish);
	if (wish.view == CGROUPS && wish.operand == NULL && wish.pid == 0)
		options_wrong(lesson, "--cgroup needs a namespace, --pid PID or"
				      " PID:HIERARCHY");
	if ((wish.view & TABLES) != 0)
		choose_columns(lesson, &wish);
	return wish;
}

static int
print_columns(void)
{
	puts("Namespaces (--list, --pid):");
	columns_help(stdout, rows_spaces);
	puts("Processes (INODE):");
	columns_help(stdout, rows_processes);
	puts("Cgroups (--cgroup):");
	columns_help(stdout, rows_cgroups);
	if (fflush(stdout) == EOF)
		die("write standard output");
	return 0;
}

/* --- Looking ------------------------------------------------------------- */

static int
how_to_look(bool holders)
{
	return (holders ? SCAN_HOLDERS : 0) | (walk ? SCAN_WALK : 0);
}

/* Processes need no search for what keeps namespaces alive. */
static int
look_for(const struct wish *wish, struct look *look)
{
	char *error;

	if (from == NULL) {
		look_take(look,
			how_to_look(!quick &&
				    (wish->view & (MEMBERS | CGROUPS)) == 0));
		return 0;
	}
	if (look_from(look, from, &error) == 0)
		return 0;
	char *clean = display_clean(error == NULL ? "out of memory" : error);
	report_note("%s", clean);
	free(clean);
	free(error);
	return -1;
}

/* What helps against processes that could not be read (ptrace(2), "Ptrace
 * access mode checking"). Nothing does for a snapshot. */
static const char *
cure(const struct look *look)
{
	if (!look->live)
		return "";
	return caps_have(CAP_SYS_PTRACE)
		       ? ": of another user namespace, or with more capabilities"
		       : ": CAP_SYS_PTRACE is missing (sudo)";
}

/* How it was looked, and what is missing: on standard error, because it is
 * no row. */
static void
tell_way(const struct look *look)
{
	const struct scan *scan = &look->scan;
	char *way = display_clean(scan->way);

	report_note("%s: %d process%s in %d namespaces%s", way,
		scan->process_count, scan->process_count == 1 ? "" : "es",
		scan->space_count,
		look->holders ? "" : "; only those with processes");
	free(way);
	if (scan->unreadable > 0)
		report_note("%d %s not to be read%s", scan->unreadable,
			scan->unreadable == 1 ? "process" : "processes",
			cure(look));
	if (scan->hidden)
		report_note("/proc hides other users' processes (hidepid), so"
			    " this is not all");
}

static bool
short_of(const struct look *look)
{
	return look->scan.unreadable > 0 || look->scan.hidden;
}

/* Say that there is no such thing, in one line. */
static void
not_found(const struct look *look, const char *what, const char *hint)
{
	char *clean = display_clean(what);

	report_note("%s: there is no such %s%s%s", clean, hint,
		short_of(look) ? ", or it could not be read" : "",
		short_of(look) ? cure(look) : "");
	free(clean);
}

/* Returns its place, or SCAN_NONE after a line on standard error. */
static int
find_space(const struct wish *wish, struct look *look)
{
	int space = scan_find_space(&look->scan, wish->ino);

	/* Perhaps there is no process in it. */
	if (space == SCAN_NONE && look->live && !look->holders && !quick) {
		look_free(look);
		look_take(look, how_to_look(true));
		space = scan_find_space(&look->scan, wish->ino);
	}
	if (space == SCAN_NONE) {
		bool is_pid = wish->ino <= PROC_PID_LIMIT &&
			      scan_find_process(&look->scan,
				      (pid_t)wish->ino) != SCAN_NONE;

		if (is_pid)
			report_note("%s is a process: try %s--pid %s",
				wish->operand,
				wish->view == CGROUPS ? "--cgroup " : "",
				wish->operand);
		else
			not_found(look, wish->operand, "namespace");
		return SCAN_NONE;
	}
	if (wish->type < NS_TYPES &&
		wish->type != look->scan.spaces[space].type) {
		report_note("%s: this inode is a namespace of type %s",
			wish->operand,
			ns_types[look->scan.spaces[space].type].name);
		return SCAN_NONE;
	}
	return space;
}

/* Likewise. */
static int
find_process(const struct wish *wish, const struct look *look)
{
	int process = scan_find_process(&look->scan, wish->pid);

	if (process == SCAN_NONE)
		report_note("%d: there is no such process%s", wish->pid,
			short_of(look) ? ", or it could not be read" : "");
	return process;
}

/* --- Showing ------------------------------------------------------------- */

static json_t *
make_document(const struct look *look)
{
	char *way = display_clean(look->scan.way);
	json_t *document = json_pack("{s:s, s:b, s:i}", "way", way, "holders",
		look->holders, "unreadable", look->scan.unreadable);

	if (document == NULL)
		die("malloc");
	free(way);
	return document;
}

/* Takes the value. */
static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) == -1)
		die("malloc");
}

static void
print_rows(struct wish *wish, struct look *look, const struct row_list *rows,
	const char *key)
{
	struct rows whole = rows_all(rows);
	int columns, lines;

	if (options.json) {
		json_t *document = make_document(look);

		if (wish->ino != 0)
			set(document, "namespace",
				json_integer((json_int_t)wish->ino));
		if (wish->pid != 0)
			set(document, "pid", json_integer(wish->pid));
		set(document, key, columns_json(&wish->columns, whole));
		report_document(document);
	} else if (raw) {
		columns_raw(stdout, &wish->columns, whole, !noheadings);
	} else {
		monitor_size(&columns, &lines);
		columns_text(
			stdout, &wish->columns, whole, !noheadings, columns);
	}
	free(whole.row);
	if (fflush(stdout) == EOF)
		die("write standard output");
	tell_way(look);
}

static int
show_list(struct wish *wish, struct look *look, struct row_list *rows)
{
	rows_add_spaces(rows, look);
	print_rows(wish, look, rows, "namespaces");
	return 0;
}

static int
show_members(struct wish *wish, struct look *look, struct row_list *rows)
{
	int place = find_space(wish, look);

	if (place == SCAN_NONE)
		return DIE_FAILED;
	rows_add_members(rows, look, place);
	print_rows(wish, look, rows, "processes");
	if (rows->count == 0) {
		char *kept = rows_keepers(&look->scan.spaces[place]);
		char *clean = display_clean(kept);

		report_note("no process is in it; what keeps it: %s", clean);
		free(kept);
		free(clean);
	}
	return 0;
}

static int
show_links(struct wish *wish, struct look *look, struct row_list *rows)
{
	int process = find_process(wish, look);

	if (process == SCAN_NONE)
		return DIE_FAILED;
	rows_add_links(rows, look, process);
	if (rows->count > 0) {
		print_rows(wish, look, rows, "namespaces");
		return 0;
	}
	if (look->scan.processes[process].state == 'Z')
		report_note("%d: a zombie has no namespaces", wish->pid);
	else
		report_note("%d: its namespaces may not be read%s", wish->pid,
			cure(look));
	return DIE_FAILED;
}

static void
keep_hierarchy(struct row_list *rows, int hierarchy)
{
	int kept = 0;

	for (int i = 0; i < rows->count; i++)
		if (rows_hierarchy(&rows->row[i]) == hierarchy)
			rows->row[kept++] = rows->row[i];
	rows->count = kept;
}

static int
show_cgroups(struct wish *wish, struct look *look, struct row_list *rows)
{
	struct row_list members = {.row = NULL};
	int found = wish->pid != 0 ? find_process(wish, look)
				   : find_space(wish, look);

	if (found == SCAN_NONE)
		return DIE_FAILED;
	if (wish->pid != 0)
		rows_add_cgroups(rows, look, found);
	else
		rows_add_members(&members, look, found);
	for (int i = 0; i < members.count; i++)
		rows_add_cgroups(rows, look, members.row[i].process);
	free(members.row);
	if (wish->hierarchy != -1)
		keep_hierarchy(rows, wish->hierarchy);
	if (wish->hierarchy != -1 && rows->count == 0) {
		report_note("%s: there is no such hierarchy", wish->operand);
		return DIE_FAILED;
	}
	print_rows(wish, look, rows, "cgroups");
	return 0;
}

static int
show_tree(struct wish *wish, struct look *look)
{
	struct family_wish family = {
		.owner = tree_kind != NULL && strcmp(tree_kind, "owner") == 0,
		.all = all,
		.root = SCAN_NONE};
	int columns, lines;
	json_t *nodes;

	if (wish->ino != 0) {
		family.root = find_space(wish, look);
		if (family.root == SCAN_NONE)
			return DIE_FAILED;
	}
	nodes = family_json(look, family);
	if (options.json) {
		json_t *document = make_document(look);

		set(document, "tree", nodes);
		report_document(document);
	} else {
		monitor_size(&columns, &lines);
		family_draw(stdout, nodes, columns);
		json_decref(nodes);
		if (fflush(stdout) == EOF)
			die("write standard output");
	}
	tell_way(look);
	return 0;
}

static int
save_look(struct look *look)
{
	char *error;

	for (int i = 0; i < look->scan.process_count; i++)
		(void)look_details(look, i);
	if (snapshot_write(&look->scan, look->holders, save, &error) == -1) {
		char *clean =
			display_clean(error == NULL ? "out of memory" : error);

		report_note("%s", clean);
		free(clean);
		free(error);
		return DIE_FAILED;
	}
	tell_way(look);
	return 0;
}

static int
show(struct wish *wish, struct look *look)
{
	struct row_list rows = {.row = NULL};
	int code;

	switch (wish->view) {
	case SAVE:
		return save_look(look);
	case TREE:
		return show_tree(wish, look);
	case MEMBERS:
		code = show_members(wish, look, &rows);
		break;
	case LINKS:
		code = show_links(wish, look, &rows);
		break;
	case CGROUPS:
		code = show_cgroups(wish, look, &rows);
		break;
	default:
		code = show_list(wish, look, &rows);
		break;
	}
	free(rows.row);
	return code;
}

/* Look once to see that it is there, then again and again. */
static int
watch(struct wish *wish, struct look *look)
{
	struct monitor wanted = {.columns = &wish->columns,
		.heading = !noheadings,
		.members = wish->view == MEMBERS};

	if (wanted.members) {
		int space = find_space(wish, look);

		if (space == SCAN_NONE)
			return DIE_FAILED;
		wanted.space = look->scan.spaces[space].id;
	}
	wanted.how = how_to_look(look->holders);
	tell_way(look);
	monitor_run(&wanted);
	return 0;
}

int
listing_tool(const struct lesson *lesson, char **operands, int count)
{
	struct look look;

	if (output != NULL && strcmp(output, "help") == 0)
		return print_columns();
	struct wish wish = read_wish(lesson, operands, count);
	if (look_for(&wish, &look) == -1)
		return DIE_FAILED;
	int code = monitor ? watch(&wish, &look) : show(&wish, &look);
	look_free(&look);
	return code;
}
