#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "escape.h"
#include "jsonfile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char format_name[] = "nslessons-snapshot";

/* The kernel nests PID namespaces 33 deep and user namespaces 34, the first one
 * included (kernel/pid_namespace.c, kernel/user_namespace.c). */
enum { VERSION = 1, MOST_LEVELS = 34 };

/* In the order of the bits of enum scan_keeper. */
static const char *const keepers[] = {
	"process", "thread", "fd", "mount", "child", "future"};

/* --- Writing ------------------------------------------------------------- */

/* Takes the value. */
static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new_nocheck(object, name, value) == -1)
		die("malloc");
}

static void
append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == -1)
		die("malloc");
}

static void
set_text(json_t *object, const char *name, const char *text)
{
	char *escaped = escape_text(text, false);

	set(object, name, json_string(escaped));
	free(escaped);
}

static json_t *
id_object(struct ns_id id)
{
	json_t *object = json_object();

	set(object, "device", json_integer((json_int_t)id.dev));
	set(object, "inode", json_integer((json_int_t)id.ino));
	return object;
}

static json_t *
number_array(const int *numbers, int count)
{
	json_t *array = json_array();

	for (int i = 0; i < count; i++)
		append(array, json_integer(numbers[i]));
	return array;
}

static json_t *
space_object(const struct scan_space *space)
{
	json_t *object = id_object(space->id), *words = json_array();

	set(object, "type", json_string(ns_types[space->type].name));
	set(object, "uid", json_integer(space->uid));
	set(object, "parent", json_integer(space->parent));
	set(object, "owner", json_integer(space->owner));
	for (size_t i = 0; i < COUNT(keepers); i++)
		if ((space->keepers & 1 << i) != 0)
			append(words, json_string(keepers[i]));
	set(object, "keepers", words);
	if (space->keeper != NULL)
		set_text(object, "keeper", space->keeper);
	return object;
}

static json_t *
process_object(const struct scan_process *process)
{
	json_t *object = json_object();
	char state[] = {process->state, '\0'};

	set(object, "pid", json_integer(process->pid));
	set(object, "ppid", json_integer(process->ppid));
	set(object, "start", json_integer((json_int_t)process->start));
	set_text(object, "state", state);
	set(object, "threads", json_integer(process->threads));
	set(object, "uid", json_integer(process->uid));
	set_text(object, "name", process->name);
	set(object, "namespaces", number_array(process->space, NS_TYPES));
	set(object, "future", number_array(process->future, NS_TYPES));
	if (process->detailed) {
		set_text(object, "command", process->command);
		set_text(object, "cgroups", process->cgroups);
		set(object, "pids",
			number_array(process->pids, process->levels));
	}
	return object;
}

static char *
make_text(const struct scan *scan, bool holders)
{
	json_t *top = json_object(), *host = json_array(),
	       *spaces = json_array(), *processes = json_array();
	char *text;

	set(top, "format", json_string(format_name));
	set(top, "version", json_integer(VERSION));
	set_text(top, "way", scan->way);
	set(top, "holders", json_boolean(holders));
	set(top, "unreadable", json_integer(scan->unreadable));
	if (scan->hidden)
		set(top, "hidden", json_true());
	for (int i = 0; i < NS_TYPES; i++)
		append(host, id_object(scan->host[i]));
	for (int i = 0; i < scan->space_count; i++)
		append(spaces, space_object(&scan->spaces[i]));
	for (int i = 0; i < scan->process_count; i++)
		append(processes, process_object(&scan->processes[i]));
	set(top, "host", host);
	set(top, "namespaces", spaces);
	set(top, "processes", processes);
	text = json_dumps(top, JSON_COMPACT);
	json_decref(top);
	if (text == NULL)
		die("malloc");
	return text;
}

/* Write it all and close. Returns 0, or -1 with errno. */
static int
write_all(int fd, const char *text)
{
	size_t size = strlen(text);
	ssize_t n = 0;

	for (; size > 0 && n != -1; text += n, size -= (size_t)n) {
		n = write(fd, text, size);
		if (n == -1 && errno == EINTR)
			n = 0;
		if (n == -1)
			break;
	}
	int error = errno;
	if (close(fd) == -1 && n != -1)
		return -1;
	errno = error;
	return n == -1 ? -1 : 0;
}

/* Rename would replace a device or a FIFO, too, and /dev/stdout. */
static int
check_target(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (S_ISREG(st.st_mode))
		return 0;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
	return -1;
}

/* Returns 0, or -1 with errno and the call in *call. */
static int
write_file(const char *path, const char *text, const char **call)
{
	char *name;
	int fd, error;

	/* Then a limit on file sizes makes write fail, and leaves nothing. */
	(void)signal(SIGXFSZ, SIG_IGN);
	*call = "as a target";
	if (check_target(path) == -1)
		return -1;
	if (asprintf(&name, "%s.XXXXXX", path) == -1)
		die("malloc");
	*call = "a new file beside it";
	fd = mkostemp(name, O_CLOEXEC);
	if (fd == -1) {
		error = errno;
	} else {
		*call = "write";
		error = write_all(fd, text) == -1 ? errno : 0;
		if (error == 0 && rename(name, path) == -1) {
			*call = "rename";
			error = errno;
		}
		if (error != 0)
			(void)unlink(name);
	}
	free(name);
	errno = error;
	return error == 0 ? 0 : -1;
}

int
snapshot_write(
	const struct scan *scan, bool holders, const char *path, char **error)
{
	char *text = make_text(scan, holders);
	const char *call;
	int result = write_file(path, text, &call);

	free(text);
	if (result == -1 && asprintf(error, "%s: %s: %s", path, call,
				    errno == EEXIST ? "is no regular file"
						    : strerror(errno)) == -1)
		*error = NULL;
	return result;
}

/* --- Reading ------------------------------------------------------------- */

#define REQUIRED JSONFILE_REQUIRED
#define NUMBERS (JSONFILE_INT32 | JSONFILE_ARRAY)
#define STRINGS (JSONFILE_STRING | JSONFILE_ARRAY)
#define OBJECTS (JSONFILE_OBJECT | JSONFILE_ARRAY)

static const struct jsonfile_field head_fields[] = {
	{"", "format", JSONFILE_STRING, REQUIRED},
	{"", "version", JSONFILE_INT32, REQUIRED},
};

static const struct jsonfile_field fields[] = {
	{"", "way", JSONFILE_STRING, REQUIRED},
	{"", "holders", JSONFILE_BOOLEAN, REQUIRED},
	{"", "unreadable", JSONFILE_INT32, REQUIRED},
	{"", "hidden", JSONFILE_BOOLEAN, 0},
	{"", "host", OBJECTS, REQUIRED},
	{"host", "device", JSONFILE_UINT64, REQUIRED},
	{"host", "inode", JSONFILE_UINT64, REQUIRED},
	{"", "namespaces", OBJECTS, REQUIRED},
	{"namespaces", "type", JSONFILE_STRING, REQUIRED},
	{"namespaces", "device", JSONFILE_UINT64, REQUIRED},
	{"namespaces", "inode", JSONFILE_UINT64, REQUIRED},
	{"namespaces", "uid", JSONFILE_UINT32, REQUIRED},
	{"namespaces", "parent", JSONFILE_INT32, REQUIRED},
	{"namespaces", "owner", JSONFILE_INT32, REQUIRED},
	{"namespaces", "keepers", STRINGS, REQUIRED},
	{"namespaces", "keeper", JSONFILE_STRING, 0},
	{"", "processes", OBJECTS, REQUIRED},
	{"processes", "pid", JSONFILE_INT32, REQUIRED},
	{"processes", "ppid", JSONFILE_INT32, REQUIRED},
	{"processes", "start", JSONFILE_UINT64, REQUIRED},
	{"processes", "state", JSONFILE_STRING, REQUIRED},
	{"processes", "threads", JSONFILE_INT32, REQUIRED},
	{"processes", "uid", JSONFILE_UINT32, REQUIRED},
	{"processes", "name", JSONFILE_STRING, REQUIRED},
	{"processes", "namespaces", NUMBERS, REQUIRED},
	{"processes", "future", NUMBERS, REQUIRED},
	{"processes", "command", JSONFILE_STRING, 0},
	{"processes", "cgroups", JSONFILE_STRING, 0},
	{"processes", "pids", NUMBERS, 0},
};

struct reader {
	struct jsonfile f;
	struct scan *scan;
	/* What is being read: an element of an array, for the JSON path. */
	const char *list;
	int index;
	const json_t *element;
};

static const json_t *
member(const struct reader *r, const char *name)
{
	return json_object_get(r->element, name);
}

static void
fault(struct reader *r, const char *name, const char *expected)
{
	jsonfile_fault(&r->f, member(r, name), expected, "%s[%d].%s", r->list,
		r->index, name);
}

/* A whole number of the range, else a fault; the type has been checked. */
static long long
read_number(struct reader *r, const char *name, long long least, long long most,
	const char *expected)
{
	long long value = json_integer_value(member(r, name));

	if (value < least || value > most)
		fault(r, name, expected);
	return value;
}

/* A text in its escaped form, at most so many bytes long. */
static char *
read_text(struct reader *r, const char *name, size_t most, const char *expected)
{
	char *text = escape_undo(json_string_value(member(r, name)));

	if (text == NULL && errno == ENOMEM) {
		jsonfile_checked(&r->f, NULL);
	} else if (text == NULL) {
		fault(r, name,
			"printable ASCII characters, others as \\\\x and two"
			" hexadecimal digits");
	} else if (strlen(text) > most) {
		fault(r, name, expected);
	}
	return text;
}

static struct ns_id
read_id(const json_t *object)
{
	return (struct ns_id){
		(dev_t)json_integer_value(json_object_get(object, "device")),
		(ino_t)json_integer_value(json_object_get(object, "inode"))};
}

static int
type_named(const char *name)
{
	int type = 0;

	while (type < NS_TYPES && strcmp(ns_types[type].name, name) != 0)
		type++;
	return type;
}

/* A place among the namespaces, of one of this type. */
static void
check_place(struct reader *r, const json_t *value, int type, const char *path)
{
	long long place = json_integer_value(value);

	if (place != SCAN_NONE && (place < 0 || place >= r->scan->space_count))
		jsonfile_fault(&r->f, value,
			"the place of a namespace, from 0, or -1", "%s[%d].%s",
			r->list, r->index, path);
	else if (place != SCAN_NONE && r->scan->spaces[place].type != type)
		jsonfile_fault(&r->f, value,
			"the place of a namespace of the right type",
			"%s[%d].%s", r->list, r->index, path);
}

static void
read_keepers(struct reader *r, struct scan_space *space)
{
	const json_t *words = member(r, "keepers");

	for (size_t i = 0; i < json_array_size(words); i++) {
		const json_t *word = json_array_get(words, i);
		size_t bit = 0;

		while (bit < COUNT(keepers) &&
			strcmp(keepers[bit], json_string_value(word)) != 0)
			bit++;
		if (bit == COUNT(keepers))
			jsonfile_fault(&r->f, word,
				"process, thread, fd, mount, child or future",
				"%s[%d].keepers[%zu]", r->list, r->index, i);
		else
			space->keepers |= 1 << bit;
	}
	if (member(r, "keeper") != NULL)
		space->keeper =
			read_text(r, "keeper", 8192, "at most 8192 bytes");
}

static bool
in_order(const struct scan_space *a, const struct scan_space *b)
{
	return a->type < b->type ||
	       (a->type == b->type && a->id.ino < b->id.ino);
}

static void
read_space(struct reader *r, struct scan_space *space)
{
	space->id = read_id(r->element);
	space->type = type_named(json_string_value(member(r, "type")));
	if (space->type == NS_TYPES) {
		fault(r, "type", "one of the eight types");
		return;
	}
	if (r->index > 0 && !in_order(space - 1, space))
		fault(r, "inode", "namespaces by type, then by inode");
	space->oldest = SCAN_NONE;
	space->uid = (uid_t)json_integer_value(member(r, "uid"));
	space->parent = (int)json_integer_value(member(r, "parent"));
	space->owner = (int)json_integer_value(member(r, "owner"));
	read_keepers(r, space);
}

/* Only these two types have a parent (ioctl_nsfs(2)). A circle never ends, so
 * it is too deep as well. */
static void
check_family(struct reader *r, const struct scan_space *space)
{
	const struct scan_space *spaces = r->scan->spaces;
	int user = type_named("user"), levels = 1;
	int above = space->parent;

	if (above != SCAN_NONE && space->type != user &&
		space->type != type_named("pid"))
		fault(r, "parent", "-1: only pid and user have one");
	check_place(r, member(r, "parent"), space->type, "parent");
	check_place(r, member(r, "owner"), user, "owner");
	while (r->f.code == 0 && above != SCAN_NONE && levels <= MOST_LEVELS) {
		/* Those after this one have not been checked yet. */
		if (above < 0 || above >= r->scan->space_count)
			return;
		above = spaces[above].parent;
		levels++;
	}
	if (levels > MOST_LEVELS)
		fault(r, "parent", "at most 34 levels and no circle");
}

/* The array has a place for each type. */
static void
read_places(struct reader *r, const char *name, int *places)
{
	const json_t *array = member(r, name);

	if (json_array_size(array) != NS_TYPES) {
		fault(r, name, "eight places, one for each type");
		return;
	}
	for (int i = 0; i < NS_TYPES; i++) {
		char path[32];

		snprintf(path, sizeof(path), "%s[%d]", name, i);
		check_place(r, json_array_get(array, i), i, path);
		places[i] = (int)json_integer_value(json_array_get(array, i));
	}
}

static void
read_pids(struct reader *r, struct scan_process *process)
{
	const json_t *array = member(r, "pids");
	size_t levels = json_array_size(array);

	if (levels < 1 || levels > PROC_LEVELS) {
		fault(r, "pids", "1 to 33 PIDs");
		return;
	}
	for (size_t i = 0; i < levels; i++) {
		const json_t *value = json_array_get(array, i);
		json_int_t pid = json_integer_value(value);

		if (pid < 0 || pid > PROC_PID_LIMIT)
			jsonfile_fault(&r->f, value, "a PID",
				"%s[%d].pids[%zu]", r->list, r->index, i);
		process->pids[i] = (pid_t)pid;
	}
	process->levels = (int)levels;
}

/* All three or none. */
static void
read_details(struct reader *r, struct scan_process *process)
{
	static const char *const names[] = {"command", "cgroups", "pids"};

	for (size_t i = 0; i < COUNT(names); i++)
		process->detailed |= member(r, names[i]) != NULL;
	if (!process->detailed)
		return;
	for (size_t i = 0; i < COUNT(names); i++)
		if (member(r, names[i]) == NULL) {
			fault(r, names[i],
				"command, cgroups and pids, or none");
			return;
		}
	process->command = read_text(r, "command", 4096, "at most 4096 bytes");
	process->cgroups =
		read_text(r, "cgroups", 1 << 17, "at most 131072 bytes");
	read_pids(r, process);
}

static void
read_process(struct reader *r, struct scan_process *process)
{
	const char *state = json_string_value(member(r, "state"));

	process->pid = (pid_t)read_number(
		r, "pid", 1, PROC_PID_LIMIT, "a PID, from 1 to 4194304");
	if (r->index > 0 && process[-1].pid >= process->pid)
		fault(r, "pid", "processes by PID, each once");
	process->ppid =
		(pid_t)read_number(r, "ppid", 0, PROC_PID_LIMIT, "a PID, or 0");
	process->start =
		(unsigned long long)json_integer_value(member(r, "start"));
	process->state = state[0];
	if (state[0] <= ' ' || state[0] > '~' || state[1] != '\0')
		fault(r, "state", "one letter");
	process->threads = (int)read_number(
		r, "threads", 0, INT_MAX, "a number of threads");
	process->uid = (uid_t)json_integer_value(member(r, "uid"));
	process->name = read_text(r, "name", 64, "at most 64 bytes");
	read_places(r, "namespaces", process->space);
	read_places(r, "future", process->future);
	read_details(r, process);
}

/* What follows from the rest is not in the file, so it cannot be wrong. */
static void
count_members(struct scan *scan)
{
	for (int i = 0; i < scan->process_count; i++)
		for (int type = 0; type < NS_TYPES; type++) {
			int place = scan->processes[i].space[type];
			struct scan_space *space = &scan->spaces[place];

			if (place == SCAN_NONE)
				continue;
			if (space->processes++ == 0 ||
				scan->processes[i].start <
					scan->processes[space->oldest].start)
				space->oldest = i;
		}
}

/* Make room for the elements of an array. They are counted one by one as they
 * are read, so scan_free never sees one that is not. */
static void *
room(struct reader *r, const char *list, size_t size)
{
	size_t count = json_array_size(jsonfile_get(&r->f, list));
	void *block = calloc(count + 1, size);

	jsonfile_checked(&r->f, block);
	r->list = list;
	return block;
}

/* Take the next element. Returns false after the last one, or a fault. */
static bool
next_element(struct reader *r, int index)
{
	r->index = index;
	r->element = json_array_get(jsonfile_get(&r->f, r->list), index);
	return r->f.code == 0 && r->element != NULL;
}

static void
read_scan(struct reader *r)
{
	struct scan *scan = r->scan;
	const json_t *host = jsonfile_get(&r->f, "host");

	scan->unreadable =
		(int)json_integer_value(jsonfile_get(&r->f, "unreadable"));
	scan->hidden = json_is_true(jsonfile_get(&r->f, "hidden"));
	if (scan->unreadable < 0)
		jsonfile_fault(&r->f, jsonfile_get(&r->f, "unreadable"),
			"a number of processes", "unreadable");
	if (json_array_size(host) != NS_TYPES)
		jsonfile_fault(&r->f, host,
			"eight namespaces, one for each type", "host");
	for (int i = 0; i < NS_TYPES; i++)
		scan->host[i] = read_id(json_array_get(host, i));
	scan->spaces = room(r, "namespaces", sizeof(*scan->spaces));
	for (int i = 0; next_element(r, i); i++) {
		scan->space_count = i + 1;
		read_space(r, &scan->spaces[i]);
	}
	for (int i = 0; next_element(r, i); i++)
		check_family(r, &scan->spaces[i]);
	scan->processes = room(r, "processes", sizeof(*scan->processes));
	for (int i = 0; next_element(r, i); i++) {
		scan->process_count = i + 1;
		read_process(r, &scan->processes[i]);
	}
	if (r->f.code == 0)
		count_members(scan);
}

static void
check_head(struct jsonfile *f)
{
	const json_t *format, *version;

	jsonfile_check(f, head_fields, COUNT(head_fields));
	if (f->code != 0)
		return;
	format = jsonfile_get(f, "format");
	version = jsonfile_get(f, "version");
	if (strcmp(json_string_value(format), format_name) != 0)
		jsonfile_fault(f, format, "nslessons-snapshot", "format");
	if (json_integer_value(version) != VERSION)
		jsonfile_fault(f, version, "1", "version");
}

/* Returns NULL, with the fault noted, when there is nothing to be read. */
static FILE *
open_file(struct jsonfile *f, const char *path)
{
	struct stat st;
	FILE *file = NULL;
	/* Without O_NONBLOCK a FIFO would make us wait for its writer. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1) {
		jsonfile_fail(f, errno, "%s: open: %m", path);
		return NULL;
	}
	if (fstat(fd, &st) == -1)
		jsonfile_fail(f, errno, "%s: fstat: %m", path);
	else if (!S_ISREG(st.st_mode))
		jsonfile_fail(f, EINVAL, "%s: is no regular file", path);
	else
		file = fdopen(fd, "r");
	if (file == NULL) {
		jsonfile_fail(f, errno, "%s: fdopen: %m", path);
		close(fd);
	}
	return file;
}

/* As jsonfile_load, which takes no file as large as a snapshot may be. */
static void
load(struct jsonfile *f, const char *path)
{
	json_error_t e;
	FILE *file;

	f->name = jsonfile_checked(f, strdup(path));
	file = open_file(f, path);
	if (file == NULL)
		return;
	f->root = json_loadf(file, JSON_REJECT_DUPLICATES, &e);
	(void)fclose(file);
	if (f->root == NULL)
		jsonfile_fail(f, EINVAL, "%s:%d:%d: %s", path, e.line, e.column,
			e.text[0] == '\0' ? "out of memory" : e.text);
	else if (!json_is_object(f->root))
		jsonfile_fail(f, EINVAL,
			"%s: found an array, expected an object", path);
}

int
snapshot_read(struct snapshot *snapshot, const char *path, char **error)
{
	struct reader r = {.scan = &snapshot->scan};

	*snapshot = (struct snapshot){.way = NULL};
	load(&r.f, path);
	if (r.f.code == 0)
		check_head(&r.f);
	if (r.f.code == 0)
		jsonfile_check(&r.f, fields, COUNT(fields));
	if (r.f.code == 0) {
		snapshot->way =
			jsonfile_string(&r.f, jsonfile_get(&r.f, "way"));
		snapshot->holders = json_is_true(jsonfile_get(&r.f, "holders"));
		snapshot->scan.way = snapshot->way;
	}
	if (r.f.code == 0)
		read_scan(&r);
	int code = r.f.code;
	*error = r.f.error;
	r.f.error = NULL;
	jsonfile_free(&r.f);
	if (code == 0)
		return 0;
	scan_free(&snapshot->scan);
	free(snapshot->way);
	return -1;
}
