/*
 * lesson07 as a tool. Most tests look at a snapshot that they have written
 * themselves, so they need no privilege and know what is to be seen.
 */
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "columns.h"
#include "die.h"
#include "display.h"
#include "escape.h"
#include "look.h"
#include "ns.h"
#include "rows.h"
#include "snapshot.h"
#include "support.h"

/* The locales in which the program is run. */
#define ASCII "env", "LC_ALL=C", "./lesson07"
#define UTF8 "env", "LC_ALL=C.UTF-8", "./lesson07"

/* The folder that all tests work in, and a snapshot in it. */
static char *folder, *file;

/* --- The snapshot that all tests know ------------------------------------- */

/* The host's eight, two containers (pid 7 and, nested in it, 8), a network
 * namespace that only a descriptor keeps, and a user namespace. */
static const struct {
	const char *type;
	json_int_t inode;
	int parent, owner;
	const char *keeper; /* NULL: a process */
} spaces[] = {
	{"cgroup", 4026531835, -1, 11, NULL},
	{"ipc", 4026531839, -1, 11, NULL},
	{"mnt", 4026531832, -1, 11, NULL},
	{"mnt", 4026532383, -1, 11, NULL},
	{"net", 4026531833, -1, 11, NULL},
	{"net", 4026532397, -1, 12, "fd 7 of 700 (s\\x1bh)"},
	{"pid", 4026531836, -1, 11, NULL},
	{"pid", 4026532395, 6, 11, NULL},
	{"pid", 4026532400, 7, 12, NULL},
	{"pid", 4026532410, 6, 11, "pid_for_children of 700 (x)"},
	{"time", 4026531834, -1, 11, NULL},
	{"user", 4026531837, -1, -1, NULL},
	{"user", 4026532500, 11, 11, NULL},
	{"uts", 4026531838, -1, 11, NULL},
};

static const struct {
	int pid, ppid, start, uid;
	const char *name, *command, *pids;
	int mnt, space, user, future; /* places; future: of pid */
} processes[] = {
	{1, 0, 5, 0, "systemd", "/sbin/init", "[1]", 2, 6, 11, -1},
	{700, 1, 50, 1000, "a) b\\x0a\\x1b[31m\\xff", "x\\x1b]0;y\\x07 z",
		"[700]", 2, 6, 11, 9},
	{33052, 1, 5000, 0, "sh", "sh", "[33052, 1]", 3, 7, 11, -1},
	{33142, 33052, 6000, 0, "top", "/bin/top -b", "[33142, 8]", 3, 7, 11,
		-1},
	{33200, 33142, 7000, 100000, "\\xe5\\xae\\xb9", "", "[33200, 20, 1]", 3,
		8, 12, -1},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int host[] = {0, 1, 2, 4, 6, 10, 11, 13};

static const char cgroups[] =
	"12:devices:/user.slice\\x0a11:blkio,cpu:/user.slice\\x0a0::/\\x0a";

static json_t *
make_space(size_t i)
{
	json_t *space = json_pack("{s:s, s:i, s:I, s:i, s:i, s:i, s:[s]}",
		"type", spaces[i].type, "device", 4, "inode", spaces[i].inode,
		"uid", 0, "parent", spaces[i].parent, "owner", spaces[i].owner,
		"keepers", spaces[i].keeper == NULL ? "process" : "fd");

	ck_assert_ptr_nonnull(space);
	if (spaces[i].keeper != NULL)
		json_object_set_new(
			space, "keeper", json_string(spaces[i].keeper));
	return space;
}

static json_t *
make_process(size_t i)
{
	json_t *process = json_pack("{s:i, s:i, s:i, s:s, s:i, s:i, s:s,"
				    " s:[i, i, i, i, i, i, i, i],"
				    " s:[i, i, i, i, i, i, i, i],"
				    " s:s, s:s, s:o}",
		"pid", processes[i].pid, "ppid", processes[i].ppid, "start",
		processes[i].start, "state", "S", "threads", 1, "uid",
		processes[i].uid, "name", processes[i].name, "namespaces", 0, 1,
		processes[i].mnt, 4, processes[i].space, 10, processes[i].user,
		13, "future", -1, -1, -1, -1, processes[i].future, -1, -1, -1,
		"command", processes[i].command, "cgroups",
		i == 2 ? cgroups : "0::/a b\\x0a", "pids",
		json_loads(processes[i].pids, 0, NULL));

	ck_assert_ptr_nonnull(process);
	return process;
}

static json_t *
make_snapshot(void)
{
	json_t *all = json_pack("{s:s, s:i, s:s, s:b, s:i, s:[], s:[], s:[]}",
		"format", "nslessons-snapshot", "version", 1, "way",
		"walk of /proc", "holders", 1, "unreadable", 2, "host",
		"namespaces", "processes");

	for (size_t i = 0; i < COUNT(host); i++)
		json_array_append_new(json_object_get(all, "host"),
			json_pack("{s:i, s:I}", "device", 4, "inode",
				spaces[host[i]].inode));
	for (size_t i = 0; i < COUNT(spaces); i++)
		json_array_append_new(
			json_object_get(all, "namespaces"), make_space(i));
	for (size_t i = 0; i < COUNT(processes); i++)
		json_array_append_new(
			json_object_get(all, "processes"), make_process(i));
	return all;
}

static void
write_snapshot(const json_t *snapshot)
{
	ck_assert_int_eq(json_dump_file(snapshot, file, JSON_COMPACT), 0);
}

static char *
path_in(const char *name)
{
	return support_path(folder, name);
}

/* Around all tests, in the process that starts them: a test that fails does
 * not come to clean up. */
static void
set_up_case(void)
{
	folder = support_folder("listing");
	file = path_in("snapshot.json");
}

static void
tear_down_case(void)
{
	support_remove(folder);
	free(folder);
	free(file);
}

/* Before each test, because some write another one. */
static void
set_up(void)
{
	json_t *snapshot = make_snapshot();

	write_snapshot(snapshot);
	json_decref(snapshot);
}

/* --- What is shown -------------------------------------------------------- */

/* The output of lesson07 with these words, which ended with this code. */
#define EXPECT(locale, output, ...)                                         \
	do {                                                                \
		struct run run_ = RUN(locale, "--from", file, __VA_ARGS__); \
		ck_run(run_, 0);                                            \
		ck_assert_str_eq(run_.out, output);                         \
		support_run_free(&run_);                                    \
	} while (0)

START_TEST(list_shows_all)
{
	EXPECT(UTF8,
		" NAMESPACE TYPE   NPROCS   PID NAME    USER KEPT\n"
		"4026531835 cgroup      5     1 systemd 0    process\n"
		"4026531839 ipc         5     1 systemd 0    process\n"
		"4026531832 mnt         2     1 systemd 0    process\n"
		"4026532383 mnt         3 33052 sh      0    process\n"
		"4026531833 net         5     1 systemd 0    process\n"
		"4026532397 net         0     - -       0    fd 7 of 700 "
		"(s?h)\n"
		"4026531836 pid         2     1 systemd 0    process\n"
		"4026532395 pid         2 33052 sh      0    process\n"
		"4026532400 pid         1 33200 \xe5\xae\xb9      0    "
		"process\n"
		"4026532410 pid         0     - -       0    "
		"pid_for_children of 700 (x)\n"
		"4026531834 time        5     1 systemd 0    process\n"
		"4026531837 user        4     1 systemd 0    process\n"
		"4026532500 user        1 33200 \xe5\xae\xb9      0    "
		"process\n"
		"4026531838 uts         5     1 systemd 0    process\n",
		"--list");
}
END_TEST

/* How the snapshot was made is told on standard error, and what it lacks. */
START_TEST(notes_are_on_standard_error)
{
	struct run run = RUN(ASCII, "--from", file);

	ck_run(run, 0);
	ck_assert_str_eq(run.err,
		"lesson07: walk of /proc: 5 processes in 14 namespaces\n"
		"lesson07: 2 processes not to be read\n");
	support_run_free(&run);
}
END_TEST

static const char members[] =
	"  PID  PPID NAME CMD         NTHREADS CGROUPS"
	"                            STATE        INSIDE\n"
	"33052     1 sh   sh                 1 devices,blkio,cpu:/user.slice"
	" v2:/ S (sleeping)      1\n"
	"33142 33052 top  /bin/top -b        1 /a b"
	"                               S (sleeping)      8\n";

/* A14: the article's spellings; main makes two dashes of one. */
START_TEST(members_have_cinfs_columns)
{
	EXPECT(ASCII, members, "4026532395");
	EXPECT(ASCII, members, "pid:[4026532395]");
	EXPECT(ASCII, members, "--namespace", "4026532395");
	EXPECT(ASCII, members, "-namespace", "4026532395");
}
END_TEST

START_TEST(members_of_an_empty_one)
{
	struct run run = RUN(ASCII, "--from", file, "-n", "net:[4026532397]");

	ck_run(run, 0);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err,
		"no process is in it; what keeps it: fd 7 of 700 (s?h)\n"));
	support_run_free(&run);
}
END_TEST

START_TEST(pid_shows_its_namespaces)
{
	EXPECT(ASCII,
		" NAMESPACE TYPE             NPROCS HOST\n"
		"4026531835 cgroup                5 yes\n"
		"4026531839 ipc                   5 yes\n"
		"4026531832 mnt                   2 yes\n"
		"4026531833 net                   5 yes\n"
		"4026531836 pid                   2 yes\n"
		"4026532410 pid_for_children      0 no\n"
		"4026531834 time                  5 yes\n"
		"4026531837 user                  4 yes\n"
		"4026531838 uts                   5 yes\n",
		"--pid", "700");
}
END_TEST

START_TEST(cgroups_have_a_line_each)
{
	EXPECT(ASCII,
		"33052 sh  12 devices   /user.slice\n"
		"33052 sh  11 blkio,cpu /user.slice\n"
		"33052 sh   0 v2        /\n"
		"33142 top  0 v2        /a b\n",
		"--cgroup", "4026532395", "-n");
	EXPECT(ASCII, "33052 sh 11 blkio,cpu /user.slice\n", "-n", "--cgroup",
		"33052:11");
	EXPECT(ASCII, "/a b\n", "-n", "--cgroup", "--pid", "33142", "--output",
		"path");
}
END_TEST

START_TEST(tree_of_pid_namespaces)
{
	EXPECT(UTF8,
		"pid:[4026531836]  host: systemd (1), 2 processes\n"
		"├── pid:[4026532395]  sh (33052), 2 processes\n"
		"│   ├── 33052/1 sh\n"
		"│   ├── 33142/8 top\n"
		"│   └── pid:[4026532400]  容 (33200), 1 process\n"
		"│       └── 33200/20/1 容\n"
		"└── pid:[4026532410]  no process, kept by: pid_for_children of"
		" 700 (x)\n",
		"--tree");
	EXPECT(ASCII,
		"pid:[4026531836]  host: systemd (1), 2 processes\n"
		"|-- 1 systemd\n"
		"|-- 700 a) b??[31m?\n"
		"|-- pid:[4026532395]  sh (33052), 2 processes\n"
		"|   |-- 33052/1 sh\n"
		"|   |-- 33142/8 top\n"
		"|   `-- pid:[4026532400]  容 (33200), 1 process\n"
		"|       `-- 33200/20/1 容\n"
		"`-- pid:[4026532410]  no process, kept by: pid_for_children of"
		" 700 (x)\n",
		"--tree=pid", "--all");
	EXPECT(ASCII,
		"pid:[4026532400]  容 (33200), 1 process\n"
		"`-- 33200/20/1 容\n",
		"--tree", "4026532400");
}
END_TEST

START_TEST(tree_of_owners)
{
	EXPECT(ASCII,
		"user:[4026531837]  host: systemd (1), 4 processes\n"
		"|-- cgroup:[4026531835]  host: systemd (1), 5 processes\n"
		"|-- ipc:[4026531839]  host: systemd (1), 5 processes\n"
		"|-- mnt:[4026531832]  host: systemd (1), 2 processes\n"
		"|-- mnt:[4026532383]  sh (33052), 3 processes\n"
		"|-- net:[4026531833]  host: systemd (1), 5 processes\n"
		"|-- pid:[4026531836]  host: systemd (1), 2 processes\n"
		"|-- pid:[4026532395]  sh (33052), 2 processes\n"
		"|-- pid:[4026532410]  no process, kept by: pid_for_children of"
		" 700 (x)\n"
		"|-- time:[4026531834]  host: systemd (1), 5 processes\n"
		"|-- user:[4026532500]  容 (33200), 1 process\n"
		"|   |-- 33200/20/1 容\n"
		"|   |-- net:[4026532397]  no process, kept by: fd 7 of 700"
		" (s?h)\n"
		"|   `-- pid:[4026532400]  容 (33200), 1 process\n"
		"`-- uts:[4026531838]  host: systemd (1), 5 processes\n",
		"--tree=owner");
}
END_TEST

START_TEST(tree_as_json)
{
	struct run run = RUN(ASCII, "--from", file, "--tree", "--json");
	const char *name;
	json_int_t ino, outer, inner;

	ck_run(run, 0);
	json_t *all = json_loads(run.out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(all);
	json_t *nested = json_array_get(
		json_object_get(json_array_get(json_object_get(all, "tree"), 0),
			"namespaces"),
		0);
	ck_assert_int_eq(json_unpack(nested, "{s:I, s:s, s:[{}, {s:[I, I]}]}",
				 "namespace", &ino, "name", &name, "processes",
				 "pids", &outer, &inner),
		0);
	ck_assert_int_eq(ino, 4026532395);
	ck_assert_str_eq(name, "sh");
	ck_assert_int_eq(outer, 33142);
	ck_assert_int_eq(inner, 8);
	json_decref(all);
	support_run_free(&run);
}
END_TEST

/* --- The three forms agree ------------------------------------------------ */

static char *
json_as_text(const json_t *value)
{
	char *text;

	if (json_is_integer(value))
		ck_assert_int_ne(asprintf(&text, "%lld",
					 (long long)json_integer_value(value)),
			-1);
	else if (json_is_string(value))
		text = strdup(json_string_value(value));
	else
		text = strdup(json_is_true(value)    ? "yes"
			      : json_is_false(value) ? "no"
						     : "-");
	return text;
}

/* One line of --raw against one object. */
static void
compare_line(char *line, char *heading, const json_t *object)
{
	char *fields = line, *names = heading, *field, *name;

	while ((name = strsep(&names, " ")) != NULL) {
		char key[32] = "";

		field = strsep(&fields, " ");
		ck_assert_msg(field != NULL, "no field for %s", name);
		for (size_t i = 0; name[i] != '\0'; i++)
			key[i] = (char)(name[i] | 0x20);
		char *bytes = strcmp(field, "\\x20") == 0 ? strdup("")
							  : escape_undo(field);
		ck_assert_ptr_nonnull(bytes);
		char *found = display_clean(bytes);
		const json_t *value = json_object_get(object, key);
		ck_assert_msg(value != NULL, "no member %s", key);
		char *expected = json_as_text(value);
		ck_assert_str_eq(found, expected);
		free(bytes);
		free(found);
		free(expected);
	}
	ck_assert_ptr_null(fields);
}

static void
compare_forms(const char *const *words, const char *key)
{
	char *argv[12] = {"./lesson07", "--from", file};
	int count = 3, lines = 0;

	for (; *words != NULL; words++)
		argv[count++] = strdup(*words);
	argv[count] = strdup("--json");
	struct run json = support_run(argv);
	ck_run(json, 0);
	free(argv[count]);
	argv[count] = strdup("--raw");
	struct run raw = support_run(argv);
	ck_run(raw, 0);
	free(argv[count]);
	argv[count] = NULL;
	struct run text = support_run(argv);
	ck_run(text, 0);
	json_t *all = json_loads(json.out, JSON_REJECT_DUPLICATES, NULL);
	const json_t *array = json_object_get(all, key);
	ck_assert_uint_gt(json_array_size(array), 0);
	char *rest = raw.out, *heading = strsep(&rest, "\n");
	for (char *line; rest[0] != '\0'; lines++) {
		char *copy = strdup(heading);

		line = strsep(&rest, "\n");
		compare_line(line, copy, json_array_get(array, lines));
		free(copy);
	}
	ck_assert_uint_eq(lines, json_array_size(array));
	ck_assert_int_eq(display_lines(text.out), lines + 1);
	while (count > 3)
		free(argv[--count]);
	json_decref(all);
	support_run_free(&text);
	support_run_free(&raw);
	support_run_free(&json);
}

START_TEST(forms_agree)
{
	static const char spaces_all[] =
		"COMMAND,UID,HOST,PARENT,OWNER,NAMESPACE,TYPE,NPROCS,PID,NAME,"
		"USER,KEPT";
	static const char processes_all[] =
		"PIDS,USER,UID,PID,PPID,NAME,CMD,NTHREADS,CGROUPS,STATE,INSIDE";

	compare_forms((const char *[]){"--list", NULL}, "namespaces");
	compare_forms((const char *[]){"--list", "-o", spaces_all, NULL},
		"namespaces");
	compare_forms((const char *[]){"--pid", "700", NULL}, "namespaces");
	compare_forms((const char *[]){"4026531836", "-o", processes_all, NULL},
		"processes");
	compare_forms((const char *[]){"user:[4026532500]", NULL}, "processes");
	compare_forms(
		(const char *[]){"--cgroup", "4026531836", NULL}, "cgroups");
}
END_TEST

START_TEST(output_chooses_columns)
{
	EXPECT(ASCII, "NAME PIDS\nsh   33052/1\ntop  33142/8\n", "4026532395",
		"-o", "Name,PIDS");
	EXPECT(ASCII, "33052\n33142\n", "4026532395", "--noheadings",
		"--output=pid");
	EXPECT(ASCII, "PID CMD\n33052 sh\n33142 /bin/top\\x20-b\n",
		"4026532395", "--raw", "--output=pid,cmd");
	EXPECT(ASCII,
		"1 systemd\n"
		"700 a)\\x20b\\x0a\\x1b[31m\\xff\n",
		"4026531836", "-r", "-n", "-o", "PID,NAME");
}
END_TEST

START_TEST(output_help_explains_each_column)
{
	struct run run = RUN(ASCII, "--output=help");
	const struct column *const kinds[] = {
		rows_spaces, rows_processes, rows_cgroups};

	ck_run(run, 0);
	for (size_t i = 0; i < COUNT(kinds); i++)
		for (const struct column *c = kinds[i]; c->name != NULL; c++) {
			ck_assert_ptr_nonnull(strstr(run.out, c->help));
			/* It is a sentence. */
			ck_assert_int_eq(c->help[strlen(c->help) - 1], '.');
			ck_assert_uint_le(strlen(c->name), COLUMNS_NAME);
		}
	support_run_free(&run);
}
END_TEST

/* No byte that others chose does anything to a terminal. */
START_TEST(control_characters_stay_outside)
{
	char *const views[][3] = {{"--list"}, {"4026531836"}, {"--tree", "-a"},
		{"--tree=owner"}, {"--cgroup", "4026531836"}, {"--list", "-r"},
		{"--list", "-J"}, {"--tree", "-J"}};

	for (size_t i = 0; i < COUNT(views); i++) {
		struct run run =
			RUN(UTF8, "--from", file, views[i][0], views[i][1]);

		ck_run(run, 0);
		for (const char *c = run.out; *c != '\0'; c++)
			ck_assert((unsigned char)*c >= ' ' || *c == '\n');
		ck_assert_ptr_null(strchr(run.out, 0x7f));
		ck_assert_ptr_null(strchr(run.out, 0xff));
		support_run_free(&run);
	}
}
END_TEST

/* On a terminal no line is wrapped, however narrow it is. */
START_TEST(lines_fit_the_terminal)
{
	struct look look;
	struct row_list list = {.row = NULL};
	struct columns columns;
	char *error = NULL;

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	ck_assert_int_eq(look_from(&look, file, &error), 0);
	rows_add_members(&list, &look, 6);
	rows_add_members(&list, &look, 7);
	rows_add_members(&list, &look, 8);
	ck_assert_ptr_null(
		columns_choose(&columns, rows_processes, rows_processes_usual));
	struct rows rows = rows_all(&list);
	for (int limit = 1; limit < 130; limit++) {
		char *text, *rest, *line;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		columns_text(out, &columns, rows, true, limit);
		ck_assert_int_eq(fclose(out), 0);
		/* Long cells are cut before the last column is lost. */
		if (limit >= 80)
			ck_assert_ptr_nonnull(strstr(text, "INSIDE\n"));
		rest = text;
		while ((line = strsep(&rest, "\n")) != NULL)
			ck_assert_int_le(display_width(line), limit);
		free(text);
	}
	free(rows.row);
	free(list.row);
	look_free(&look);
}
END_TEST

/* --- What is refused ------------------------------------------------------ */

START_TEST(unknown_things_are_told)
{
	static const struct {
		char *words[3];
		const char *message;
	} rows[] = {
		{{"4026539999"}, "4026539999: there is no such namespace"},
		{{"net:[4026532395]"}, "is a namespace of type pid"},
		{{"700"}, "is a process: try --pid"},
		{{"--pid", "4711"}, "4711: there is no such process"},
		{{"--cgroup", "4711:3"}, "4711: there is no such process"},
		{{"--cgroup", "33052:99"}, "no such hierarchy"},
		{{"--tree", "4026539999"}, "there is no such namespace"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct run run = RUN(ASCII, "--from", file, rows[i].words[0],
			rows[i].words[1]);

		ck_run(run, 1);
		ck_assert_str_eq(run.out, "");
		ck_assert_int_eq(display_lines(run.err), 1);
		ck_assert_msg(strstr(run.err, rows[i].message) != NULL,
			"%s: %s", rows[i].message, run.err);
		support_run_free(&run);
	}
}
END_TEST

START_TEST(wrong_usage_is_told)
{
	static const struct {
		char *words[5];
		const char *message;
	} rows[] = {
		{{"abc"}, "found `abc`"},
		{{"0"}, "found `0`"},
		{{"pid:[12"}, "found `pid:[12`"},
		{{"pid:[12]x"}, "found `pid:[12]x`"},
		{{"123]"}, "found `123]`"},
		{{"99999999999999999999"}, "found `99999999999999999999`"},
		{{"1", "2"}, "found `2`, expected one"},
		{{"1", "--namespace", "2"}, "expected one"},
		{{"--namespace="}, "found ``"},
		{{"--pid", "x"}, "found `x`, expected a PID"},
		{{"--pid", "1", "2"}, "--pid and the namespace"},
		{{"--list", "1"}, "--list and the namespace"},
		{{"--list", "--pid", "1"}, "--list and --pid"},
		{{"--list", "--tree"}, "--tree and --list"},
		{{"--save", "x", "--list"}, "--save and --list"},
		{{"--save", "x", "--json"}, "--json does not go with --save"},
		{{"--save", "x", "--from", "y"}, "--from does not go"},
		{{"--cgroup"}, "--cgroup needs"},
		{{"--cgroup", "1:2", "--pid", "1"}, "--pid takes no"},
		{{"--cgroup", "1:x"}, "found `1:x`"},
		{{"--tree=x"}, "found `x`, expected pid or owner"},
		{{"--tree", "--raw"}, "--raw does not go with --tree"},
		{{"--tree", "-o", "PID"}, "--output does not go with --tree"},
		{{"--tree", "--quick"}, "--quick does not go with --tree"},
		{{"--tree", "--monitor"}, "--monitor does not go"},
		{{"--list", "--all"}, "--all does not go with the list"},
		{{"--list", "--check"}, "--check does not go"},
		{{"--raw", "--json"}, "--raw does not go with --json"},
		{{"--monitor", "--json"}, "--monitor does not go with --json"},
		{{"--monitor", "--from", "x"}, "--monitor does not go"},
		{{"--quick", "--from", "x"}, "--quick does not go"},
		{{"-o", "PID,FOO"}, "no column `FOO`"},
		{{"-o", ""}, "no column ``"},
		{{"-o", "PID,"}, "no column ``"},
		{{"-o", "PATH"}, "no column `PATH`"},
		{{"1", "-o", "TYPE"}, "no column `TYPE`"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *argv[7] = {"./lesson07"};

		for (int k = 0; k < 5; k++)
			argv[k + 1] = rows[i].words[k];
		struct run run = support_run(argv);
		ck_run(run, 2);
		ck_assert_str_eq(run.out, "");
		ck_assert_msg(strstr(run.err, rows[i].message) != NULL,
			"%s: %s", rows[i].message, run.err);
		support_run_free(&run);
	}
}
END_TEST

START_TEST(wrong_column_lists_the_right_ones)
{
	struct run run = RUN(ASCII, "--from", file, "-o", "FOO");

	ck_run(run, 2);
	for (const struct column *c = rows_spaces; c->name != NULL; c++)
		ck_assert_ptr_nonnull(strstr(run.err, c->name));
	support_run_free(&run);
}
END_TEST

/* Change one member; value is JSON, NULL removes the member. */
static void
change(json_t *all, const char *list, int index, const char *name,
	const char *value)
{
	json_t *holder =
		list[0] == '\0'
			? all
			: json_array_get(json_object_get(all, list), index);

	if (value == NULL)
		ck_assert_int_eq(json_object_del(holder, name), 0);
	else
		ck_assert_int_eq(
			json_object_set_new(holder, name,
				json_loads(value, JSON_DECODE_ANY, NULL)),
			0);
}

/* Each of these is one lie, and the line names its place. */
static const struct {
	const char *list;
	int index;
	const char *name, *value;
	const char *path;
} lies[] = {
	{"", 0, "format", NULL, "format: found nothing"},
	{"", 0, "format", "\"lsns\"", "format: found the string \"lsns\""},
	{"", 0, "version", "2", "version: found 2, expected 1"},
	{"", 0, "way", "7", "way: found 7, expected a string"},
	{"", 0, "holders", "1", "holders: found 1"},
	{"", 0, "unreadable", "-1", "unreadable: found -1"},
	{"", 0, "host", "[]", "host: found an empty array"},
	{"", 0, "host", "[1, 2, 3, 4, 5, 6, 7, 8]", "host[0]: found 1"},
	{"", 0, "namespaces", "{}", "namespaces: found an object"},
	{"", 0, "namespaces", "[[]]", "namespaces[0]: found an empty array"},
	{"", 0, "namespaces", "[]", "processes[0].namespaces[0]: found 0"},
	{"", 0, "processes", "7", "processes: found 7"},
	{"host", 1, "inode", "-1", "host[1].inode: found -1"},
	{"host", 1, "device", "1.5", "host[1].device: found 1.5"},
	{"namespaces", 2, "type", "\"disk\"", "namespaces[2].type"},
	{"namespaces", 2, "type", NULL, "namespaces[2].type: found nothing"},
	{"namespaces", 3, "inode", "4026531832", "namespaces[3].inode"},
	{"namespaces", 3, "inode", "-4", "namespaces[3].inode: found -4"},
	{"namespaces", 3, "device", "-4", "namespaces[3].device: found -4"},
	{"namespaces", 3, "uid", "4294967296", "namespaces[3].uid"},
	{"namespaces", 7, "parent", "14", "namespaces[7].parent: found 14"},
	{"namespaces", 7, "parent", "-2", "namespaces[7].parent: found -2"},
	{"namespaces", 7, "parent", "2147483648", "namespaces[7].parent"},
	{"namespaces", 7, "parent", "11", "namespaces[7].parent: found 11"},
	{"namespaces", 7, "parent", "7", "namespaces[7].parent: found 7"},
	{"namespaces", 6, "parent", "8", "namespaces[6].parent: found 8"},
	{"namespaces", 0, "parent", "0", "namespaces[0].parent: found 0"},
	{"namespaces", 7, "owner", "6", "namespaces[7].owner: found 6"},
	{"namespaces", 7, "owner", "99", "namespaces[7].owner: found 99"},
	{"namespaces", 4, "keepers", "[\"magic\"]", "namespaces[4].keepers[0]"},
	{"namespaces", 4, "keepers", "[1]", "namespaces[4].keepers[0]"},
	{"namespaces", 4, "keeper", "\"\\u001b\"", "namespaces[4].keeper"},
	{"processes", 1, "pid", "0", "processes[1].pid: found 0"},
	{"processes", 1, "pid", "-7", "processes[1].pid: found -7"},
	{"processes", 1, "pid", "1", "processes[1].pid: found 1"},
	{"processes", 1, "pid", "4194305", "processes[1].pid"},
	{"processes", 1, "pid", "\"7\"", "processes[1].pid"},
	{"processes", 1, "ppid", "-1", "processes[1].ppid: found -1"},
	{"processes", 1, "start", "-1", "processes[1].start: found -1"},
	{"processes", 1, "start", "1e300", "processes[1].start"},
	{"processes", 1, "state", "\"\"", "processes[1].state"},
	{"processes", 1, "state", "\"SS\"", "processes[1].state"},
	{"processes", 1, "threads", "-1", "processes[1].threads: found -1"},
	{"processes", 1, "uid", "-1", "processes[1].uid: found -1"},
	{"processes", 1, "name", "\"\\u001b[31m\"", "processes[1].name"},
	{"processes", 1, "name", "\"\\u5bb9\"", "processes[1].name"},
	{"processes", 1, "name", "\"\\\\x00\"", "processes[1].name"},
	{"processes", 1, "name", "\"\\\\x4\"", "processes[1].name"},
	{"processes", 1, "name", "\"\\\\\"", "processes[1].name"},
	{"processes", 1, "namespaces", "[0]", "processes[1].namespaces"},
	{"processes", 1, "namespaces", "[0, 1, 2, 4, 6, 10, 11, 14]",
		"processes[1].namespaces[7]: found 14"},
	{"processes", 1, "namespaces", "[0, 1, 2, 4, 6, 10, 11, -2]",
		"processes[1].namespaces[7]: found -2"},
	{"processes", 1, "namespaces", "[1, 1, 2, 4, 6, 10, 11, 13]",
		"processes[1].namespaces[0]: found 1"},
	{"processes", 1, "future", "[0, 1, 2, 4, 6, 10, 11, 99]",
		"processes[1].future[7]: found 99"},
	{"processes", 1, "command", NULL, "processes[1].command"},
	{"processes", 1, "cgroups", NULL, "processes[1].cgroups"},
	{"processes", 1, "pids", NULL, "processes[1].pids"},
	{"processes", 1, "pids", "[]", "processes[1].pids"},
	{"processes", 1, "pids", "[-1]", "processes[1].pids[0]: found -1"},
	{"processes", 1, "pids", "[700, 1e9]", "processes[1].pids[1]"},
};

START_TEST(lies_are_refused)
{
	for (size_t i = 0; i < COUNT(lies); i++) {
		json_t *all = make_snapshot();
		struct snapshot snapshot;
		char *error = NULL, *expected;

		change(all, lies[i].list, lies[i].index, lies[i].name,
			lies[i].value);
		write_snapshot(all);
		json_decref(all);
		int result = snapshot_read(&snapshot, file, &error);
		ck_assert_msg(result == -1, "taken: %s", lies[i].path);
		ck_assert_int_ne(
			asprintf(&expected, "%s: %s", file, lies[i].path), -1);
		ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0,
			"found `%s`, expected `%s`", error, expected);
		free(expected);
		free(error);
	}
}
END_TEST

/* Which of the two would be meant? */
START_TEST(members_stand_once)
{
	json_t *all = make_snapshot();
	char *text = json_dumps(all, JSON_COMPACT), *error = NULL;
	struct snapshot snapshot;
	FILE *out = fopen(file, "we");

	ck_assert_ptr_nonnull(out);
	fprintf(out, "{\"version\":1,%s", text + 1);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(snapshot_read(&snapshot, file, &error), -1);
	ck_assert_ptr_nonnull(strstr(error, "duplicate"));
	free(error);
	free(text);
	json_decref(all);
}
END_TEST

/* A chain of user namespaces; the kernel's longest has 34. */
static int
read_chain(int levels)
{
	json_t *all = make_snapshot(), *array = json_array();
	struct snapshot snapshot;
	char *error = NULL;

	for (int i = 0; i < levels; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:[]}",
				       "type", "user", "device", 4, "inode",
				       1000 + i, "uid", 0, "parent", i - 1,
				       "owner", i - 1, "keepers"));
	json_object_set_new(all, "namespaces", array);
	json_object_set_new(all, "processes", json_array());
	write_snapshot(all);
	json_decref(all);
	int result = snapshot_read(&snapshot, file, &error);
	if (result == 0) {
		scan_free(&snapshot.scan);
		free(snapshot.way);
	}
	free(error);
	return result;
}

START_TEST(depth_is_the_kernels)
{
	ck_assert_int_eq(read_chain(34), 0);
	struct run run = RUN(ASCII, "--from", file, "--tree=owner");
	ck_run(run, 0);
	ck_assert_int_eq(display_lines(run.out), 34);
	support_run_free(&run);
	ck_assert_int_eq(read_chain(35), -1);
}
END_TEST

/* What is no JSON, no object, no regular file, or not there at all. */
START_TEST(files_of_no_use_are_refused)
{
	static const char *const texts[] = {
		"", "[]", "{", "{} {}", "\xff", "\033[31m"};
	char *fifo = path_in("fifo"), *none = path_in("none");
	char *const paths[] = {folder, fifo, none, "/dev/null"};

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < COUNT(texts) + COUNT(paths); i++) {
		char *path = file;

		if (i < COUNT(texts)) {
			FILE *out = fopen(file, "we");

			ck_assert_ptr_nonnull(out);
			fputs(texts[i], out);
			ck_assert_int_eq(fclose(out), 0);
		} else {
			path = paths[i - COUNT(texts)];
		}
		struct run run = RUN(ASCII, "--from", path);
		ck_run(run, 1);
		ck_assert_str_eq(run.out, "");
		ck_assert_int_eq(display_lines(run.err), 1);
		ck_assert_ptr_nonnull(strstr(run.err, path));
		ck_assert_ptr_null(strchr(run.err, '\033'));
		support_run_free(&run);
	}
	free(fifo);
	free(none);
}
END_TEST

/* --- Snapshots ------------------------------------------------------------ */

START_TEST(snapshot_loses_nothing)
{
	json_t *before = make_snapshot(), *after;
	struct snapshot snapshot;
	char *error = NULL, *copy = path_in("copy.json");

	/* One that ended while it was looked at. */
	change(before, "processes", 3, "command", NULL);
	change(before, "processes", 3, "cgroups", NULL);
	change(before, "processes", 3, "pids", NULL);
	write_snapshot(before);
	ck_assert_int_eq(snapshot_read(&snapshot, file, &error), 0);
	ck_assert_str_eq(snapshot.scan.processes[1].name, "a) b\n\033[31m\xff");
	ck_assert_int_eq(snapshot.scan.spaces[7].oldest, 2);
	ck_assert_int_eq(snapshot.scan.spaces[7].processes, 2);
	ck_assert_int_eq(snapshot_write(&snapshot.scan, true, copy, &error), 0);
	after = json_load_file(copy, 0, NULL);
	ck_assert(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	scan_free(&snapshot.scan);
	free(snapshot.way);
	free(copy);
}
END_TEST

START_TEST(save_keeps_this_machine)
{
	char *saved = path_in("saved.json"), *self;
	struct stat st;

	struct run run = RUN(ASCII, "--save", saved, "--quick");
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "");
	support_run_free(&run);
	ck_assert_int_eq(stat(saved, &st), 0);
	ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
	/* We are in it, with our namespaces. */
	ck_assert_int_ne(asprintf(&self, "%d", getpid()), -1);
	run = (struct run)RUN(ASCII, "--from", saved, "--pid", self, "-r", "-n",
		"-o", "NAMESPACE,TYPE,HOST");
	ck_run(run, 0);
	for (int i = 0; i < NS_TYPES; i++) {
		struct ns_id id;
		char *line;

		if (ns_get(NS_SELF, ns_types[i].name, &id) == -1 ||
			strcmp(ns_types[i].name, "mnt") == 0)
			continue;
		ck_assert_int_ne(asprintf(&line, "%lu %s yes\n", id.ino,
					 ns_types[i].name),
			-1);
		ck_assert_msg(
			strstr(run.out, line) != NULL, "%s: %s", line, run.out);
		free(line);
	}
	support_run_free(&run);
	free(self);
	free(saved);
}
END_TEST

/* Nothing that is no regular file is replaced, and no part is left. */
START_TEST(save_replaces_no_device)
{
	char *top = path_in("target"), *fifo = path_in("target/fifo");
	char *link = path_in("target/link"), *none = path_in("none/file");
	char *const paths[] = {top, fifo, link, none, "/dev/full"};
	struct dirent **entries;

	ck_assert_int_eq(mkdir(top, 0700), 0);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(symlink("/dev/null", link), 0);
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct run run = RUN(ASCII, "--quick", "--save", paths[i]);

		ck_run(run, 1);
		ck_assert_int_eq(display_lines(run.err), 1);
		ck_assert_ptr_nonnull(strstr(run.err, paths[i]));
		support_run_free(&run);
	}
	/* These two, "." and "..". */
	ck_assert_int_eq(scandir(top, &entries, NULL, NULL), 4);
	for (int i = 0; i < 4; i++)
		free(entries[i]);
	free(entries);
	free(top);
	free(fifo);
	free(link);
	free(none);
}
END_TEST

START_TEST(escape_comes_back)
{
	char all[256];

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	for (int blanks = 0; blanks < 2; blanks++) {
		char *escaped = escape_text(all, blanks), *back;

		ck_assert_int_eq(strchr(escaped, ' ') == NULL, blanks);
		for (const char *c = escaped; *c != '\0'; c++)
			ck_assert(*c >= ' ' && *c <= '~');
		back = escape_undo(escaped);
		ck_assert_str_eq(back, all);
		free(back);
		free(escaped);
	}
}
END_TEST

/* --- Many ----------------------------------------------------------------- */

enum { MANY = 100000, SETS = 1000 };

/* As many processes as a large machine has, in a thousand PID namespaces. */
static void
write_many(void)
{
	json_t *all = make_snapshot(),
	       *array = json_object_get(all, "processes");

	json_t *many = json_object_get(all, "namespaces");
	json_array_clear(many);
	json_array_clear(array);
	for (int i = 0; i < SETS; i++)
		json_array_append_new(many,
			json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:[s]}",
				"type", "pid", "device", 4, "inode", 1000 + i,
				"uid", 0, "parent", i == 0 ? -1 : 0, "owner",
				-1, "keepers", "process"));
	for (int i = 0; i < MANY; i++) {
		json_t *process = make_process(0);

		json_object_set_new(process, "pid", json_integer(i + 1));
		json_object_set_new(process, "namespaces",
			json_pack("[i, i, i, i, i, i, i, i]", -1, -1, -1, -1,
				i % SETS, -1, -1, -1));
		json_array_append_new(array, process);
	}
	write_snapshot(all);
	json_decref(all);
}

START_TEST(many_processes_are_no_trouble)
{
	write_many();
	struct run run = RUN(ASCII, "--from", file, "--list");
	ck_run(run, 0);
	ck_assert_int_eq(display_lines(run.out), SETS + 1);
	support_run_free(&run);
	run = (struct run)RUN(ASCII, "--from", file, "--tree", "--all");
	ck_run(run, 0);
	ck_assert_int_eq(display_lines(run.out), SETS + MANY);
	support_run_free(&run);
	run = (struct run)RUN(ASCII, "--from", file, "1999", "-n");
	ck_run(run, 0);
	ck_assert_int_eq(display_lines(run.out), MANY / SETS);
	support_run_free(&run);
}
END_TEST

/* --- Again and again ------------------------------------------------------ */

/* A name that no other process of this machine has. */
static char *
own_name(const char *before)
{
	char *name;

	ck_assert_int_ne(asprintf(&name, "%snsl-%d", before, getpid()), -1);
	return name;
}

/* A child with that name. It inherits ours: one that takes the name when it
 * lives already can be seen before. */
static pid_t
start_named(void)
{
	char *name = own_name("");
	int parent = child_self();

	ck_assert_int_eq(prctl(PR_SET_NAME, name), 0);
	pid_t pid = fork();
	if (pid == 0) {
		child_begin(parent);
		for (;;)
			pause();
	}
	close(parent);
	free(name);
	return pid;
}

/* Our own uts namespace: no privilege is needed to see its processes. */
static char *
own_namespace(void)
{
	char *text;

	ck_assert_int_ne(
		asprintf(&text, "uts:[%lu]", ns_look(NS_SELF, "uts").ino), -1);
	return text;
}

START_TEST(monitor_on_a_terminal)
{
	char *space = own_namespace();
	char *came = own_name("\n+    "), *gone = own_name("\n-    ");
	struct session session = support_start((char *[]){"./lesson07",
		"--monitor", space, "--output", "NAME,PID", NULL});

	support_expect(&session, "Ctrl-C ends it");
	support_expect(&session, "lesson07");
	pid_t pid = start_named();
	support_expect(&session, came);
	child_end(pid);
	support_expect(&session, gone);
	support_type(&session, "\003");
	struct run run = support_finish(&session);
	ck_run(run, 0);
	/* Only these two sequences: nothing that has to be undone. */
	for (const char *c = run.out; (c = strchr(c, '\033')) != NULL; c++)
		ck_assert(strncmp(c, "\033[H", 3) == 0 ||
			  strncmp(c, "\033[2J", 4) == 0);
	support_run_free(&run);
	free(came);
	free(gone);
	free(space);
}
END_TEST

/* Read lines until one contains the text; returns its first letter. Each
 * before it must begin with one of the marks. */
static char
read_until(FILE *from, const char *text, const char *marks)
{
	char *line = NULL, mark;
	size_t size = 0;

	do {
		ck_assert_msg(getline(&line, &size, from) != -1,
			"ended before `%s`", text);
		ck_assert_msg(strchr(marks, line[0]) != NULL, "%s", line);
	} while (strstr(line, text) == NULL);
	mark = line[0];
	free(line);
	return mark;
}

START_TEST(monitor_in_a_pipe)
{
	char *space = own_namespace(), *name = own_name("");
	int fd[2], parent = child_self();

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		child_begin(parent);
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (dup2(fd[1], STDOUT_FILENO) == -1 ||
			dup2(null, STDERR_FILENO) == -1)
			_exit(3);
		execl("./lesson07", "lesson07", "--monitor", space, "-o",
			"NAME,PID", NULL);
		_exit(4);
	}
	close(fd[1]);
	FILE *out = fdopen(fd[0], "r");
	ck_assert_ptr_nonnull(out);
	/* It is there before the second look, and all of it comes at once. */
	ck_assert_int_eq(read_until(out, "MARK NAME", "M"), 'M');
	ck_assert_int_eq(read_until(out, "lesson07", " "), ' ');
	pid_t child = start_named();
	ck_assert_int_eq(read_until(out, name, " +-"), '+');
	child_end(child);
	ck_assert_int_eq(read_until(out, name, "+-"), '-');
	ck_assert_int_eq(kill(pid, SIGINT), 0);
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert_int_eq(fclose(out), 0);
	close(parent);
	free(name);
	free(space);
}
END_TEST

Suite *
suite_listing(void)
{
	Suite *suite = suite_create("listing");
	TCase *tcase = tcase_create("listing");

	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, set_up_case, tear_down_case);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, list_shows_all);
	tcase_add_test(tcase, notes_are_on_standard_error);
	tcase_add_test(tcase, members_have_cinfs_columns);
	tcase_add_test(tcase, members_of_an_empty_one);
	tcase_add_test(tcase, pid_shows_its_namespaces);
	tcase_add_test(tcase, cgroups_have_a_line_each);
	tcase_add_test(tcase, tree_of_pid_namespaces);
	tcase_add_test(tcase, tree_of_owners);
	tcase_add_test(tcase, tree_as_json);
	tcase_add_test(tcase, forms_agree);
	tcase_add_test(tcase, output_chooses_columns);
	tcase_add_test(tcase, output_help_explains_each_column);
	tcase_add_test(tcase, control_characters_stay_outside);
	tcase_add_test(tcase, lines_fit_the_terminal);
	tcase_add_test(tcase, unknown_things_are_told);
	tcase_add_test(tcase, wrong_usage_is_told);
	tcase_add_test(tcase, wrong_column_lists_the_right_ones);
	tcase_add_test(tcase, lies_are_refused);
	tcase_add_test(tcase, members_stand_once);
	tcase_add_test(tcase, depth_is_the_kernels);
	tcase_add_test(tcase, files_of_no_use_are_refused);
	tcase_add_test(tcase, snapshot_loses_nothing);
	tcase_add_test(tcase, save_keeps_this_machine);
	tcase_add_test(tcase, save_replaces_no_device);
	tcase_add_test(tcase, escape_comes_back);
	tcase_add_test(tcase, many_processes_are_no_trouble);
	tcase_add_test(tcase, monitor_on_a_terminal);
	tcase_add_test(tcase, monitor_in_a_pipe);
	suite_add_tcase(suite, tcase);
	return suite;
}
