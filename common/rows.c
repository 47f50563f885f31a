#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "die.h"

/* --- Cells --------------------------------------------------------------- */

static struct cell
nothing(void)
{
	return (struct cell){.kind = CELL_NONE};
}

static struct cell
number(long long value)
{
	return (struct cell){.kind = CELL_NUMBER, .number = value};
}

static struct cell
truth(bool value)
{
	return (struct cell){.kind = CELL_TRUTH, .number = value};
}

/* Takes the text, which is NULL when memory was out. */
static struct cell
own_text(char *value)
{
	if (value == NULL)
		die("malloc");
	return (struct cell){.kind = CELL_TEXT, .text = value};
}

static struct cell
text(const char *value)
{
	return own_text(strdup(value));
}

static struct cell
get_mark(const struct row *row)
{
	return own_text(strndup(&row->mark, 1));
}

/* --- Columns of a namespace ---------------------------------------------- */

static const struct scan_space *
space_of(const struct row *row)
{
	return &row->look->scan.spaces[row->space];
}

static const struct scan_process *
oldest_of(const struct row *row)
{
	int oldest = space_of(row)->oldest;

	return oldest == SCAN_NONE ? NULL : &row->look->scan.processes[oldest];
}

static struct cell
get_inode(const struct row *row)
{
	return number((long long)space_of(row)->id.ino);
}

/* Of a link that is no type's, the link: pid_for_children. */
static struct cell
get_type(const struct row *row)
{
	char *link;

	if (asprintf(&link, "%s%s", ns_types[space_of(row)->type].name,
		    row->future ? "_for_children" : "") == -1)
		link = NULL;
	return own_text(link);
}

static struct cell
get_processes(const struct row *row)
{
	return number(space_of(row)->processes);
}

static struct cell
get_oldest_pid(const struct row *row)
{
	const struct scan_process *oldest = oldest_of(row);

	return oldest == NULL ? nothing() : number(oldest->pid);
}

static struct cell
get_oldest_name(const struct row *row)
{
	const struct scan_process *oldest = oldest_of(row);

	return oldest == NULL ? nothing() : text(oldest->name);
}

static struct cell
get_oldest_command(const struct row *row)
{
	const struct scan_process *oldest = NULL;

	if (oldest_of(row) != NULL)
		oldest = look_details(row->look, space_of(row)->oldest);
	return oldest == NULL ? nothing() : text(oldest->command);
}

static struct cell
get_space_uid(const struct row *row)
{
	uid_t uid = space_of(row)->uid;

	return uid == (uid_t)-1 ? nothing() : number(uid);
}

static struct cell
get_space_user(const struct row *row)
{
	uid_t uid = space_of(row)->uid;

	return uid == (uid_t)-1 ? nothing() : text(look_user(row->look, uid));
}

char *
rows_keepers(const struct scan_space *space)
{
	/* In the order of the bits of enum scan_keeper. */
	static const char *const words[] = {"process", "thread", "fd",
		"bind mount", "child namespace", "for children"};
	char *list = NULL;
	size_t size;
	FILE *out;

	if (space->keeper != NULL)
		return strdup(space->keeper);
	out = open_memstream(&list, &size);
	if (out == NULL)
		die("open_memstream");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((space->keepers & 1 << i) != 0)
			fprintf(out, "%s%s", ftell(out) > 0 ? ", " : "",
				words[i]);
	if (fclose(out) == EOF || list == NULL)
		die("malloc");
	return list;
}

static struct cell
get_keepers(const struct row *row)
{
	if (space_of(row)->keepers == 0 && space_of(row)->keeper == NULL)
		return nothing();
	return own_text(rows_keepers(space_of(row)));
}

static struct cell
inode_at(const struct row *row, int space)
{
	if (space == SCAN_NONE)
		return nothing();
	return number((long long)row->look->scan.spaces[space].id.ino);
}

static struct cell
get_parent(const struct row *row)
{
	return inode_at(row, space_of(row)->parent);
}

static struct cell
get_owner(const struct row *row)
{
	return inode_at(row, space_of(row)->owner);
}

static struct cell
get_host(const struct row *row)
{
	return truth(look_is_host(row->look, row->space));
}

const char rows_spaces_usual[] = "NAMESPACE,TYPE,NPROCS,PID,NAME,USER,KEPT";
const char rows_links_usual[] = "NAMESPACE,TYPE,NPROCS,HOST";

const struct column rows_spaces[] = {
	{"NAMESPACE", "Its inode, the number in pid:[4026531836].", true, false,
		get_inode},
	{"TYPE", "Its type, or the link that leads to it.", false, false,
		get_type},
	{"NPROCS", "How many processes are in it.", true, false, get_processes},
	{"PID", "The PID of its oldest process.", true, false, get_oldest_pid},
	{"NAME", "The name of its oldest process.", false, true,
		get_oldest_name},
	{"USER", "The user of its oldest process, or its owner.", false, false,
		get_space_user},
	{"KEPT", "What keeps it alive.", false, true, get_keepers},
	{"COMMAND", "The arguments of its oldest process.", false, true,
		get_oldest_command},
	{"UID", "The number of that user.", true, false, get_space_uid},
	{"HOST", "Yes when it is one of those of the process that looked.",
		false, false, get_host},
	{"PARENT", "The inode of the one above it (pid and user).", true, false,
		get_parent},
	{"OWNER", "The inode of the user namespace that owns it.", true, false,
		get_owner},
	{"MARK", "With --monitor: + has come, - has gone.", false, false,
		get_mark},
	{NULL, NULL, false, false, NULL},
};

/* --- Columns of a process ------------------------------------------------ */

static const struct scan_process *
process_of(const struct row *row)
{
	return &row->look->scan.processes[row->process];
}

static const struct scan_process *
details_of(const struct row *row)
{
	return look_details(row->look, row->process);
}

static struct cell
get_pid(const struct row *row)
{
	return number(process_of(row)->pid);
}

static struct cell
get_ppid(const struct row *row)
{
	return number(process_of(row)->ppid);
}

static struct cell
get_name(const struct row *row)
{
	return text(process_of(row)->name);
}

static struct cell
get_command(const struct row *row)
{
	const struct scan_process *process = details_of(row);

	return process == NULL ? nothing() : text(process->command);
}

static struct cell
get_threads(const struct row *row)
{
	return number(process_of(row)->threads);
}

/* The words of proc_pid_status(5), as cinf shows them. */
static struct cell
get_state(const struct row *row)
{
	static const char *const states[] = {"R (running)", "S (sleeping)",
		"D (disk sleep)", "T (stopped)", "t (tracing stop)",
		"Z (zombie)", "X (dead)", "I (idle)", "P (parked)"};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (states[i][0] == process_of(row)->state)
			return text(states[i]);
	return own_text(strndup(&process_of(row)->state, 1));
}

static struct cell
get_inside(const struct row *row)
{
	const struct scan_process *process = details_of(row);

	return process == NULL ? nothing()
			       : number(process->pids[process->levels - 1]);
}

static struct cell
get_pids(const struct row *row)
{
	const struct scan_process *process = details_of(row);
	char list[PROC_LEVELS * 12];
	size_t end = 0;

	if (process == NULL)
		return nothing();
	for (int i = 0; i < process->levels; i++)
		end += (size_t)snprintf(list + end, sizeof(list) - end, "%s%d",
			i == 0 ? "" : "/", process->pids[i]);
	return text(list);
}

static struct cell
get_uid(const struct row *row)
{
	return number(process_of(row)->uid);
}

static struct cell
get_user(const struct row *row)
{
	return text(look_user(row->look, process_of(row)->uid));
}

/* --- Cgroups ------------------------------------------------------------- */

/* A line of /proc/PID/cgroup, HIERARCHY:CONTROLLERS:PATH; see cgroups(7). */
struct cgroup_line {
	const char *controllers, *path;
	int controllers_length, path_length;
};

static struct cgroup_line
split_line(const char *line)
{
	struct cgroup_line parts = {.controllers = line};

	parts.controllers += strcspn(line, ":\n");
	parts.controllers += *parts.controllers == ':';
	parts.controllers_length = (int)strcspn(parts.controllers, ":\n");
	parts.path = parts.controllers + parts.controllers_length;
	parts.path += *parts.path == ':';
	parts.path_length = (int)strcspn(parts.path, "\n");
	return parts;
}

/* Returns NULL after the last line. */
static const char *
next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line[0] == '\0' || line[1] == '\0' ? NULL : line + 1;
}

static bool
same_path(struct cgroup_line a, struct cgroup_line b)
{
	return a.path_length == b.path_length &&
	       memcmp(a.path, b.path, a.path_length) == 0;
}

/* All controllers that have the path of lines[first]. */
static void
print_group(FILE *out, const struct cgroup_line *lines, int count, int first)
{
	const char *before = first == 0 ? "" : " ";

	for (int i = first; i < count; i++) {
		if (!same_path(lines[first], lines[i]))
			continue;
		if (lines[i].controllers_length == 0)
			fprintf(out, "%sv2", before);
		else
			fprintf(out, "%s%.*s", before,
				lines[i].controllers_length,
				lines[i].controllers);
		before = ",";
	}
	fprintf(out, ":%.*s", lines[first].path_length, lines[first].path);
}

/* In one line: the path, where there is but one; else each path after the
 * controllers for which it holds. */
static char *
shorten_cgroups(const char *cgroups)
{
	/* There are 12 or so hierarchies. */
	enum { MOST_LINES = 64 };
	struct cgroup_line lines[MOST_LINES];
	const char *line = cgroups[0] == '\0' ? NULL : cgroups;
	int count = 0, paths = 0, same;
	bool is_first[MOST_LINES];
	char *list;
	size_t size;
	FILE *out = open_memstream(&list, &size);

	if (out == NULL)
		die("open_memstream");
	for (; line != NULL && count < MOST_LINES; line = next_line(line)) {
		lines[count] = split_line(line);
		for (same = 0; !same_path(lines[same], lines[count]); same++)
			continue;
		is_first[count] = same == count;
		paths += is_first[count];
		count++;
	}
	if (paths == 1)
		fprintf(out, "%.*s", lines[0].path_length, lines[0].path);
	for (int i = 0; i < count && paths > 1; i++)
		if (is_first[i])
			print_group(out, lines, count, i);
	if (fclose(out) == EOF || list == NULL)
		die("malloc");
	return list;
}

static struct cell
get_cgroups(const struct row *row)
{
	const struct scan_process *process = details_of(row);

	if (process == NULL || process->cgroups[0] == '\0')
		return nothing();
	return own_text(shorten_cgroups(process->cgroups));
}

int
rows_hierarchy(const struct row *row)
{
	return (int)strtol(row->cgroup, NULL, 10);
}

static struct cell
get_hierarchy(const struct row *row)
{
	return number(rows_hierarchy(row));
}

static struct cell
get_controllers(const struct row *row)
{
	struct cgroup_line line = split_line(row->cgroup);

	if (line.controllers_length == 0)
		return text("v2");
	return own_text(strndup(line.controllers, line.controllers_length));
}

static struct cell
get_path(const struct row *row)
{
	struct cgroup_line line = split_line(row->cgroup);

	return own_text(strndup(line.path, line.path_length));
}

const char rows_processes_usual[] =
	"PID,PPID,NAME,CMD,NTHREADS,CGROUPS,STATE,INSIDE";

const struct column rows_processes[] = {
	{"PID", "Its PID, as the one who looked sees it.", true, false,
		get_pid},
	{"PPID", "The PID of its parent.", true, false, get_ppid},
	{"NAME", "Its name.", false, true, get_name},
	{"CMD", "Its arguments.", false, true, get_command},
	{"NTHREADS", "How many threads it has.", true, false, get_threads},
	{"CGROUPS", "Its cgroup; if several, with their controllers.", false,
		true, get_cgroups},
	{"STATE", "What it does, the letter as in ps(1).", false, false,
		get_state},
	{"INSIDE", "Its PID in its own PID namespace.", true, false,
		get_inside},
	{"PIDS", "All its PIDs, from the outside in.", false, false, get_pids},
	{"USER", "Its effective user.", false, false, get_user},
	{"UID", "The number of that user.", true, false, get_uid},
	{"MARK", "With --monitor: + has come, - has gone.", false, false,
		get_mark},
	{NULL, NULL, false, false, NULL},
};

const char rows_cgroups_usual[] = "PID,NAME,HIERARCHY,CONTROLLERS,PATH";

const struct column rows_cgroups[] = {
	{"PID", "The PID of the process.", true, false, get_pid},
	{"NAME", "The name of the process.", false, false, get_name},
	{"HIERARCHY", "The number of the hierarchy, 0 for cgroup v2.", true,
		false, get_hierarchy},
	{"CONTROLLERS", "Its controllers, or v2.", false, false,
		get_controllers},
	{"PATH", "Where the process is in it.", false, true, get_path},
	{NULL, NULL, false, false, NULL},
};

/* --- Lists of rows ------------------------------------------------------- */

void
rows_add(struct row_list *list, struct row row)
{
	if (list->count == list->room) {
		int room = list->room == 0 ? 64 : 2 * list->room;
		struct row *more =
			realloc(list->row, (size_t)room * sizeof(*more));

		if (more == NULL)
			die("malloc");
		list->row = more;
		list->room = room;
	}
	list->row[list->count++] = row;
}

void
rows_add_spaces(struct row_list *list, struct look *look)
{
	for (int i = 0; i < look->scan.space_count; i++)
		rows_add(list,
			(struct row){.look = look, .space = i, .mark = ' '});
}

void
rows_add_members(struct row_list *list, struct look *look, int space)
{
	int type = look->scan.spaces[space].type;

	for (int i = 0; i < look->scan.process_count; i++)
		if (look->scan.processes[i].space[type] == space)
			rows_add(list, (struct row){.look = look,
					       .space = space,
					       .process = i,
					       .mark = ' '});
}

void
rows_add_links(struct row_list *list, struct look *look, int process)
{
	const struct scan_process *found = &look->scan.processes[process];

	for (int i = 0; i < NS_TYPES; i++) {
		struct row row = {.look = look,
			.space = found->space[i],
			.process = process,
			.mark = ' '};

		if (row.space != SCAN_NONE)
			rows_add(list, row);
		row.space = found->future[i];
		row.future = true;
		if (row.space != SCAN_NONE)
			rows_add(list, row);
	}
}

void
rows_add_cgroups(struct row_list *list, struct look *look, int process)
{
	const struct scan_process *found = look_details(look, process);
	const char *line = NULL;

	if (found != NULL && found->cgroups[0] != '\0')
		line = found->cgroups;
	for (; line != NULL; line = next_line(line))
		rows_add(list, (struct row){.look = look,
				       .process = process,
				       .cgroup = line,
				       .mark = ' '});
}

struct rows
rows_all(const struct row_list *list)
{
	struct rows rows = {.count = list->count};

	rows.row = calloc((size_t)list->count + 1, sizeof(struct row *));
	if (rows.row == NULL)
		die("malloc");
	for (int i = 0; i < list->count; i++)
		rows.row[i] = &list->row[i];
	return rows;
}
