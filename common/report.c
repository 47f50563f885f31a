#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "display.h"
#include "host.h"

/* A page is 79 columns, so that a terminal of 80 never wraps; each of the two
 * views has half of it. */
enum { PAGE = 79, HALF = 38, CLAIM = 42, FOUND = 10 };

static struct {
	const struct lesson *lesson;
	json_t *document; /* the whole report */
	json_t *step;	  /* the step that is being filled; borrowed */
	json_t *notes;
	bool drawn; /* the step has been printed */
	int checks, failed, skipped;
	struct host host;
} report;

static char *
format_text(const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) == -1)
		die("malloc");
	return text;
}

/* Append to the array `key` of an object; it is made by the first call. */
static void
append(json_t *object, const char *key, json_t *value)
{
	json_t *array = json_object_get(object, key);

	if (array == NULL) {
		array = json_array();
		if (json_object_set_new(object, key, array) == -1)
			die("malloc");
	}
	if (value == NULL || json_array_append_new(array, value) == -1)
		die("malloc");
}

static void
append_lines(const char *key, const char *format, va_list arguments)
{
	char *text = format_text(format, arguments);
	char *rest, *line;

	for (line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		char *clean = display_clean(line);

		append(report.step, key, json_string(clean));
		free(clean);
	}
	free(text);
}

/* Output that did not reach its reader is a failure, not a detail. */
static void
flush(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		die("write standard output");
}

static const char *
get_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static void
print_lines(const char *key)
{
	const json_t *lines = json_object_get(report.step, key);

	for (size_t i = 0; i < json_array_size(lines); i++)
		printf("  %s\n", json_string_value(json_array_get(lines, i)));
}

static void
print_views(void)
{
	json_t *left = json_object_get(report.step, "host");
	json_t *right = json_object_get(report.step, "container");

	if (json_array_size(left) + json_array_size(right) > 0)
		putchar('\n');
	for (size_t i = 0;
		i < json_array_size(left) || i < json_array_size(right); i++) {
		const char *host = json_string_value(json_array_get(left, i));
		const char *box = json_string_value(json_array_get(right, i));
		int half = box == NULL ? PAGE - 2 : HALF;

		printf("  ");
		if (box != NULL) {
			display_column(stdout, host == NULL ? "" : host, HALF);
			putchar(' ');
		}
		display_cut(stdout, box == NULL ? host : box, half);
		putchar('\n');
	}
}

/* An integer or a text as text. */
static void
print_value(const json_t *value, int columns)
{
	if (json_is_integer(value))
		printf("%-*lld", columns, (long long)json_integer_value(value));
	else
		printf("%-*s", columns, json_string_value(value));
}

static void
print_sign(const char *result)
{
	const char *color = strcmp(result, "ok") == 0	  ? "32"
			    : strcmp(result, "skip") == 0 ? "33"
							  : "31;1";

	if (options.color)
		printf("\033[%sm%-4s\033[0m  ", color, result);
	else
		printf("%-4s  ", result);
}

static void
print_check(const json_t *check)
{
	const char *result = get_text(check, "result");

	if (!options.check)
		printf("  ");
	print_sign(result);
	display_column(stdout, get_text(check, "claim"), CLAIM);
	printf("  ");
	if (strcmp(result, "skip") == 0) {
		display_cut(
			stdout, get_text(check, "reason"), PAGE - CLAIM - 10);
		putchar('\n');
		return;
	}
	print_value(json_object_get(check, "found"), FOUND);
	printf(" %s ", get_text(check, "relation"));
	print_value(json_object_get(check, "expected"), 0);
	putchar('\n');
}

static void
print_checks(void)
{
	const json_t *checks = json_object_get(report.step, "checks");

	for (size_t i = 0; i < json_array_size(checks); i++)
		print_check(json_array_get(checks, i));
}

static void
print_header(void)
{
	size_t number =
		json_array_size(json_object_get(report.document, "steps"));
	char *name;

	if (asprintf(&name, "%s  %s", report.lesson->number,
		    report.lesson->name) == -1)
		die("malloc");
	printf(options.color ? "\033[1m" : "");
	display_column(stdout, name, PAGE - 8);
	printf("step %zu/%d%s\n", number, report.lesson->steps,
		options.color ? "\033[0m" : "");
	free(name);
	printf("%s\n", report.lesson->question);
	for (int i = 0; i < PAGE; i++)
		putchar('-');
	printf("\n  %s\n", get_text(report.step, "title"));
}

/* Print the step that is being filled, if that has not been done. */
static void
draw(void)
{
	if (report.step == NULL || report.drawn || options.json)
		return;
	report.drawn = true;
	if (options.check) {
		print_checks();
		flush();
		return;
	}
	print_header();
	print_lines("ask");
	print_views();
	if (json_object_get(report.step, "checks") != NULL)
		printf("%*sfound         expected\n", CLAIM + 10, "");
	print_checks();
	print_lines("explain");
	putchar('\n');
	flush();
}

void
report_begin(const struct lesson *lesson)
{
	report.lesson = lesson;
	if (host_take(&report.host, getpid()) == -1)
		die("read the state of the host");
	report.document = json_pack("{s:s, s:s, s:s, s:[]}", "lesson",
		lesson->number, "name", lesson->name, "question",
		lesson->question, "steps");
	if (report.document == NULL)
		die("malloc");
}

void
report_step(const char *facts, const char *title)
{
	bool first = report.step == NULL;

	draw();
	if (options.step && !first)
		options_wait_for_enter("-- Enter: the next step --");
	report.drawn = false;
	report.step = json_pack("{s:s, s:s}", "facts", facts, "title", title);
	append(report.document, "steps", report.step);
}

void
report_ask(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append_lines("ask", format, arguments);
	va_end(arguments);
}

void
report_host(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append_lines("host", format, arguments);
	va_end(arguments);
}

void
report_container(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append_lines("container", format, arguments);
	va_end(arguments);
}

void
report_explain(const char *format, ...)
{
	va_list arguments;

	if (!options.explain)
		return;
	va_start(arguments, format);
	append_lines("explain", format, arguments);
	va_end(arguments);
}

/* Count a check and add it to the step. `values` is what was expected and
 * found; its reference is taken. */
static bool
add_check(bool ok, json_t *values, const char *claim, va_list arguments)
{
	char *text = format_text(claim, arguments);
	json_t *whole = json_pack(
		"{s:s, s:s}", "claim", text, "result", ok ? "ok" : "FAIL");

	if (json_object_update_new(whole, values) == -1)
		die("malloc");
	append(report.step, "checks", whole);
	free(text);
	report.checks++;
	report.failed += !ok;
	return ok;
}

bool
report_equal(long long expected, long long found, const char *claim, ...)
{
	va_list arguments;

	va_start(arguments, claim);
	bool ok = add_check(expected == found,
		json_pack("{s:s, s:I, s:I}", "relation",
			expected == found ? "==" : "!=", "expected",
			(json_int_t)expected, "found", (json_int_t)found),
		claim, arguments);
	va_end(arguments);
	return ok;
}

bool
report_text(const char *expected, const char *found, const char *claim, ...)
{
	char *clean = display_clean(found);
	bool equal = strcmp(expected, found) == 0;
	va_list arguments;

	va_start(arguments, claim);
	bool ok = add_check(equal,
		json_pack("{s:s, s:s, s:s}", "relation", equal ? "==" : "!=",
			"expected", expected, "found", clean),
		claim, arguments);
	va_end(arguments);
	free(clean);
	return ok;
}

static json_t *
pack_namespaces(struct ns_id expected, struct ns_id found)
{
	return json_pack("{s:s, s:I, s:I, s:[I, I]}", "relation",
		ns_same(expected, found) ? "==" : "!=", "expected",
		(json_int_t)expected.ino, "found", (json_int_t)found.ino,
		"devices", (json_int_t)expected.dev, (json_int_t)found.dev);
}

bool
report_same(struct ns_id expected, struct ns_id found, const char *claim, ...)
{
	va_list arguments;

	va_start(arguments, claim);
	bool ok = add_check(ns_same(expected, found),
		pack_namespaces(expected, found), claim, arguments);
	va_end(arguments);
	return ok;
}

bool
report_other(struct ns_id not_this, struct ns_id found, const char *claim, ...)
{
	va_list arguments;

	va_start(arguments, claim);
	bool ok = add_check(!ns_same(not_this, found),
		pack_namespaces(not_this, found), claim, arguments);
	va_end(arguments);
	return ok;
}

bool
report_error(int expected, int found, const char *claim, ...)
{
	va_list arguments;

	va_start(arguments, claim);
	bool ok = add_check(expected == found,
		json_pack("{s:s, s:s, s:s}", "relation",
			expected == found ? "==" : "!=", "expected",
			expected == 0 ? "OK" : die_errno_name(expected),
			"found", found == 0 ? "OK" : die_errno_name(found)),
		claim, arguments);
	va_end(arguments);
	return ok;
}

void
report_skip(const char *claim, const char *reason)
{
	append(report.step, "checks",
		json_pack("{s:s, s:s, s:s}", "claim", claim, "result", "skip",
			"reason", reason));
	report.skipped++;
}

void
report_hold(pid_t pid)
{
	const char *sudo = getenv("SUDO_UID") == NULL ? "" : "sudo ";
	char *text;

	if (!options.hold)
		return;
	draw();
	if (asprintf(&text,
		    "The namespaces live until you press Enter. PID %d, from a"
		    " second terminal:\n"
		    "  host# ls -l /proc/%d/ns\n"
		    "  host# %s./lesson04 $$ %d\n"
		    "  host# %s./lesson03 -t %d -a sh\n"
		    "-- Enter: go on --",
		    pid, pid, sudo, pid, sudo, pid) == -1)
		die("malloc");
	options_wait_for_enter(text);
	free(text);
}

void
report_note(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_text(format, arguments);
	va_end(arguments);
	display_message(
		stderr, 2, "%s: %s", program_invocation_short_name, text);
	if (report.notes == NULL)
		report.notes = json_array();
	if (json_array_append_new(report.notes, json_string(text)) == -1)
		die("malloc");
	free(text);
}

void
report_document(json_t *document)
{
	char *text = json_dumps(document, JSON_INDENT(2));

	if (text == NULL)
		die("malloc");
	puts(text);
	flush();
	free(text);
	json_decref(document);
}

void
report_cannot(const char *reason, const char *cure)
{
	display_message(stderr, 2, "%s: cannot run here: %s",
		program_invocation_short_name, reason);
	display_message(stderr, 9, "  cure:  %s", cure);
	if (options.json)
		report_document(json_pack("{s:s, s:s, s:s, s:s}", "lesson",
			program_invocation_short_name, "result", "cannot run",
			"reason", reason, "cure", cure));
	_exit(DIE_CANNOT);
}

static void
print_summary(const char *changes)
{
	if (options.check) {
		print_sign(changes == NULL ? "ok" : "FAIL");
		puts("host unchanged");
	} else {
		printf("%d checks, %d failed", report.checks, report.failed);
		if (report.skipped > 0)
			printf(", %d skipped", report.skipped);
		printf("\nhost %s\n",
			changes == NULL ? "unchanged" : "CHANGED");
	}
	if (changes != NULL)
		printf("%s(by this lesson, or by another program meanwhile)\n",
			changes);
	flush();
}

static void
finish_document(const char *changes)
{
	if (report.notes == NULL)
		report.notes = json_array();
	if (json_object_set_new(report.document, "notes", report.notes) == -1 ||
		json_object_update_new(report.document,
			json_pack("{s:i, s:i, s:i, s:b, s:s, s:s}", "checks",
				report.checks, "failed", report.failed,
				"skipped", report.skipped, "host_unchanged",
				changes == NULL, "host_changes",
				changes == NULL ? "" : changes, "result",
				report.failed == 0 && changes == NULL
					? "ok"
					: "failed")) == -1)
		die("malloc");
}

int
report_end(void)
{
	struct host after;
	char *changes;
	int code;

	draw();
	if (host_take(&after, getpid()) == -1)
		die("read the state of the host");
	changes = host_difference(&report.host, &after);
	finish_document(changes);
	if (options.json)
		report_document(report.document);
	else
		print_summary(changes);
	code = report.failed == 0 && changes == NULL ? 0 : DIE_FAILED;
	host_free(&report.host);
	host_free(&after);
	if (!options.json)
		json_decref(report.document);
	free(changes);
	return code;
}
