/*
 * scripts/doctor says what is true: its verdicts agree with what unshare(1)
 * can do here, with each other in text and in JSON, and with lessons that we
 * have planted.
 */
#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DIRECTLY "Namespaces made directly"
#define AS_USER "Namespaces inside a new user namespace"
#define LIMIT "user.max_user_namespaces"
#define LONG                                                                   \
	"a reason and a cure that are both too long for one line, even though" \
	" a line of a terminal has 80 columns, and so a line is wrapped here," \
	" and/a/word/that/alone/is/too/long/for/the/column/in/which/it/would/be"
/* Run doctor as root of a user namespace that may make no other. */
#define IN_LIMIT                                                           \
	"unshare -r sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && " \
	"exec scripts/doctor --json'"

enum { SECONDS = 120 };

/* Run a shell command, which is not to change the host. */
static struct run
shell(const char *command)
{
	struct run run = RUN("/bin/sh", "-c", (char *)command);

	ck_assert_msg(run.changes == NULL, "host changed: %s", run.changes);
	return run;
}

/* Its exit code alone. */
static int
code_of(const char *command)
{
	struct run run = shell(command);
	int code = run.code;

	support_run_free(&run);
	return code;
}

/* Run a command that prints JSON. Returns its exit code. */
static int
run_json(json_t **document, const char *command)
{
	struct run run = shell(command);
	json_error_t error;
	int code = run.code;

	*document = json_loads(run.out, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(*document != NULL, "%s, in line %d of %s", error.text,
		error.line, command);
	support_run_free(&run);
	return code;
}

static const char *
field(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	ck_assert_msg(text != NULL, "a row without %s", name);
	return text;
}

/* The row of that group and name among the checks or the lessons, or NULL. */
static const json_t *
find_row(const json_t *document, const char *list, const char *group,
	const char *name)
{
	const json_t *rows = json_object_get(document, list);

	ck_assert(json_is_array(rows));
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (strcmp(field(row, "group"), group) == 0 &&
			strcmp(field(row, "name"), name) == 0)
			return row;
	}
	return NULL;
}

static const char *
verdict(const json_t *document, const char *group, const char *name)
{
	const json_t *row = find_row(document, "checks", group, name);

	ck_assert_msg(row != NULL, "no row for %s: %s", group, name);
	return field(row, "verdict");
}

/* A failure has a cure. */
static void
assert_cured(const json_t *row)
{
	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(field(row, "verdict"), "no");
	ck_assert_msg(strlen(field(row, "cure")) > 0, "%s has no cure",
		field(row, "name"));
}

/* One wrong command line each. */
static char *const wrong[][2] = {{"--bogus", NULL}, {"-x", NULL}, {"", NULL},
	{"lesson01", NULL}, {"--json", "more"}, {"--json", "--json"}};

START_TEST(wrong_usage_is_refused)
{
	struct run run = RUN("scripts/doctor", wrong[_i][0], wrong[_i][1]);

	ck_run(run, 2);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, "--help"));
	support_run_free(&run);
}
END_TEST

START_TEST(help_is_given)
{
	struct run run = RUN("scripts/doctor", "--help");

	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "Usage:"));
	ck_assert_str_eq(run.err, "");
	support_run_free(&run);
}
END_TEST

/* The option of unshare(1), and the name of the type in doctor's row. */
static const struct {
	const char *option, *name;
} types[] = {
	{"--cgroup", "cgroup"},
	{"--ipc", "ipc"},
	{"--mount", "mnt"},
	{"--net", "net"},
	{"--pid --fork", "pid"},
	{"--time", "time"},
	{"--user", "user"},
	{"--uts", "uts"},
};

/* Does doctor say ok where the command works, and not where it fails? */
static void
assert_agree(const json_t *document, const char *group, const char *name,
	const char *unshare, const char *option)
{
	const json_t *row = find_row(document, "checks", group, name);
	char *command;

	ck_assert_msg(row != NULL, "no row for %s: %s", group, name);
	ck_assert_int_ne(asprintf(&command, "%s %s true", unshare, option), -1);
	ck_assert_msg((strcmp(field(row, "verdict"), "ok") == 0) ==
			      (code_of(command) == 0),
		"%s: doctor says %s", command, field(row, "verdict"));
	free(command);
}

START_TEST(types_agree_with_unshare)
{
	json_t *document;

	run_json(&document, "scripts/doctor --json");
	for (size_t i = 0; i < COUNT(types); i++) {
		assert_agree(document, DIRECTLY, types[i].name, "unshare",
			types[i].option);
		assert_agree(document, AS_USER, types[i].name,
			"unshare -r unshare", types[i].option);
	}
	json_decref(document);
}
END_TEST

/* The limit is one of our own user namespace: the host's is not touched. */
START_TEST(limit_is_found)
{
	json_t *document;

	run_json(&document, IN_LIMIT);
	assert_cured(find_row(document, "checks", DIRECTLY, "user"));
	assert_cured(
		find_row(document, "checks", AS_USER, "user with its maps"));
	ck_assert_str_eq(verdict(document, DIRECTLY, "uts"), "ok");
	const json_t *row =
		find_row(document, "checks", "What may forbid it", "limit");
	assert_cured(row);
	ck_assert_str_eq(field(row, "detail"), LIMIT " = 0");
	ck_assert_str_eq(field(row, "cure"), "sudo sysctl " LIMIT "=16384");
	json_decref(document);
}
END_TEST

START_TEST(silent_connector_is_found)
{
	json_t *document;

	run_json(&document, "unshare -r -p -f scripts/doctor --json");
	const json_t *row =
		find_row(document, "checks", "Events", "process connector");
	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(field(row, "verdict"), "--");
	ck_assert_ptr_nonnull(strstr(field(row, "cause"), "PID"));
	json_decref(document);
	run_json(&document, "unshare -r -n scripts/doctor --json");
	row = find_row(document, "checks", "Events", "process connector");
	ck_assert_ptr_nonnull(row);
	ck_assert_ptr_nonnull(strstr(field(row, "cause"), "network"));
	json_decref(document);
}
END_TEST

/* "lessons/lesson02-x.c" without what is not "lesson02". */
static char *
program_of(const char *source)
{
	const char *name = strrchr(source, '/') + 1;
	char *program = strndup(name, strcspn(name, "-."));

	ck_assert_ptr_nonnull(program);
	return program;
}

START_TEST(every_lesson_has_a_row)
{
	json_t *document;
	glob_t sources;
	int code = run_json(&document, "scripts/doctor --json");
	size_t can = 0;

	ck_assert_int_eq(glob("lessons/lesson*.c", 0, NULL, &sources), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(document, "lessons")),
		sources.gl_pathc);
	for (size_t i = 0; i < sources.gl_pathc; i++) {
		char *program = program_of(sources.gl_pathv[i]);
		const json_t *row =
			find_row(document, "lessons", "Lessons", program);

		ck_assert_msg(row != NULL, "no row for %s", program);
		if (strcmp(field(row, "verdict"), "ok") == 0)
			can++;
		else
			assert_cured(row);
		free(program);
	}
	ck_assert_int_eq(code, can == sources.gl_pathc ? 0 : 1);
	ck_assert_int_eq(
		json_integer_value(json_object_get(document, "can_run")), can);
	globfree(&sources);
	json_decref(document);
}
END_TEST

/* What the planted lessons are: the text of a program, or the source of one
 * that is not built; and what doctor is to say of them. */
static const struct {
	const char *name, *source, *program, *verdict, *detail, *cure;
} planted[] = {
	{"lesson90", "", "echo 'does its checks'", "ok", "all its checks hold",
		""},
	{"lesson91", "",
		"printf 'lesson91: cannot \"run\" \\\\ \\t\\001\\377 %s\\n"
		"  cure:  say \"x\" \\\\ y\\n' here >&2; exit 77",
		"no", "cannot \"run\" \\ ??? here", "say \"x\" \\ y"},
	{"lesson92", "", "printf '" LONG "\n  cure: " LONG "\\n' >&2; exit 77",
		"no", LONG, LONG},
	{"lesson93", "",
		"echo lesson93: not root: in a user namespace >&2;"
		"echo lesson93: mount: EPERM >&2; exit 3",
		"no", "fails (exit 3): mount: EPERM", "./lesson93 --check"},
	{"lesson94", "", "echo FAIL; exit 1", "no", "fails (exit 1)",
		"./lesson94 --check"},
	{"lesson95", "", "[ \"$*\" = --check ] && ! read -r line", "ok",
		"all its checks hold", ""},
	{"lesson96", "It needs none.", NULL, "ok", "not built: make lesson96",
		""},
	{"lesson97", "unshare(CLONE_NEWSOMETHING | CLONE_NEWUSER)", NULL, "no",
		"not built; cannot be made here: CLONE_NEWSOMETHING",
		"sudo scripts/doctor"},
};

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(fprintf(file, "%s\n", text), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void
plant_lessons(void)
{
	for (size_t i = 0; i < COUNT(planted); i++) {
		char *path, *text;

		ck_assert_int_ne(asprintf(&path, "lessons/%s-planted.c",
					 planted[i].name),
			-1);
		write_file(path, planted[i].source, 0644);
		free(path);
		if (planted[i].program == NULL)
			continue;
		ck_assert_int_ne(
			asprintf(&text, "#!/bin/sh\n%s", planted[i].program),
			-1);
		write_file(planted[i].name, text, 0755);
		free(text);
	}
}

/* Make a tree with doctor and our lessons, and go there. Temporary files go
 * to its folder tmp. */
static void
make_tree(void)
{
	const char *base = getenv("TMPDIR");
	char *path, *here = getcwd(NULL, 0);

	ck_assert_ptr_nonnull(here);
	ck_assert_int_eq(setenv("HERE", here, 1), 0);
	free(here);
	ck_assert_int_ne(asprintf(&path, "%s/doctor.XXXXXX",
				 base != NULL ? base : "/tmp"),
		-1);
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(chdir(path), 0);
	free(path);
	ck_assert_int_eq(code_of("mkdir tmp scripts lessons bundle bin && "
				 "ln -s \"$HERE/common\" common && "
				 "ln -s \"$HERE\"/scripts/* scripts/ && "
				 "ln -s \"$HERE/bundle/config.json\" bundle/"),
		0);
	ck_assert_int_eq(setenv("TMPDIR", "tmp", 1), 0);
	plant_lessons();
}

static void
remove_tree(void)
{
	ck_assert_int_eq(code_of("rm -rf \"$PWD\""), 0);
}

START_TEST(planted_lessons_are_judged)
{
	json_t *document;

	make_tree();
	struct run before = shell("find . | sort");
	ck_assert_int_eq(run_json(&document, "scripts/doctor --json"), 1);
	struct run after = shell("find . | sort");
	ck_assert_str_eq(after.out, before.out);
	for (size_t i = 0; i < COUNT(planted); i++) {
		const json_t *row = find_row(
			document, "lessons", "Lessons", planted[i].name);

		ck_assert_ptr_nonnull(row);
		ck_assert_str_eq(field(row, "verdict"), planted[i].verdict);
		ck_assert_str_eq(field(row, "detail"), planted[i].detail);
		ck_assert_str_eq(field(row, "cure"), planted[i].cure);
	}
	json_decref(document);
	support_run_free(&before);
	support_run_free(&after);
	remove_tree();
}
END_TEST

/* The rows of a list as the text has them: the verdict, the name. */
static void
print_rows(FILE *file, const json_t *rows)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		ck_assert_int_gt(fprintf(file, "%s %s\n", field(row, "verdict"),
					 field(row, "name")),
			0);
	}
}

START_TEST(text_and_json_agree)
{
	char *expected;
	json_t *document;
	size_t size;
	FILE *file = open_memstream(&expected, &size);

	make_tree();
	int code = run_json(&document, "scripts/doctor --json");
	ck_assert_ptr_nonnull(file);
	print_rows(file, json_object_get(document, "checks"));
	print_rows(file, json_object_get(document, "lessons"));
	ck_assert_int_eq(fclose(file), 0);
	struct run run = shell("scripts/doctor >text; code=$?;"
			       "grep -E '^(ok|no|--)  ' text | cut -c 1-24 |"
			       "sed 's/  / /; s/ *$//'; exit $code");
	ck_run(run, code);
	ck_assert_str_eq(run.out, expected);
	support_run_free(&run);
	json_decref(document);
	free(expected);
	remove_tree();
}
END_TEST

START_TEST(text_has_80_columns)
{
	make_tree();
	ck_assert_int_eq(code_of("scripts/doctor | grep '.\\{81\\}'"), 1);
	ck_assert_int_eq(
		code_of("scripts/doctor | grep 'cure:.*[^ ] \\\\$'"), 0);
	remove_tree();
}
END_TEST

/* All programs of this machine are there, but not the compiler. */
START_TEST(compiler_can_be_missing)
{
	json_t *document;

	make_tree();
	code_of("ln -sf /usr/sbin/* /sbin/* /usr/bin/* /bin/* bin/");
	ck_assert_int_eq(unlink("bin/cc"), 0);
	ck_assert_int_eq(
		run_json(&document, "PATH=$PWD/bin scripts/doctor --json"), 1);
	assert_cured(find_row(document, "checks", "Tools and libraries", "cc"));
	const json_t *row =
		find_row(document, "checks", "Kernel", "kernel probes");
	assert_cured(row);
	ck_assert_str_eq(field(row, "detail"), "no C compiler");
	/* One that is built can be run, one that is not cannot be built. */
	row = find_row(document, "lessons", "Lessons", "lesson90");
	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(field(row, "verdict"), "ok");
	assert_cured(find_row(document, "lessons", "Lessons", "lesson96"));
	json_decref(document);
	remove_tree();
}
END_TEST

Suite *
suite_doctor(void)
{
	Suite *suite = suite_create("doctor");
	TCase *tests = tcase_create("doctor");

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, SECONDS);
	tcase_add_loop_test(tests, wrong_usage_is_refused, 0, COUNT(wrong));
	tcase_add_test(tests, help_is_given);
	tcase_add_test(tests, every_lesson_has_a_row);
	tcase_add_test(tests, planted_lessons_are_judged);
	tcase_add_test(tests, text_and_json_agree);
	tcase_add_test(tests, text_has_80_columns);
	tcase_add_test(tests, compiler_can_be_missing);
	/* Where there is lsns, unshare is that of util-linux, too. */
	if (support_have("lsns", "types_agree_with_unshare"))
		tcase_add_test(tests, types_agree_with_unshare);
	if (support_have("userns", "limit_is_found"))
		tcase_add_test(tests, limit_is_found);
	if (support_have("userns", "silent_connector_is_found"))
		tcase_add_test(tests, silent_connector_is_found);
	return suite;
}
