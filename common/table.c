#include "table.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "display.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"

struct column {
	pid_t pid;
	char *name;
	struct ns_id spaces[NS_TYPES]; /* inode 0: not to be read */
	char letters[NS_TYPES];
};

/* Returns false, after a line on standard error, if something is missing. */
static bool
fill_column(struct column *column, pid_t pid)
{
	char *name = proc_name(pid), state = proc_state(pid);
	bool whole = true;

	column->pid = pid;
	column->name = display_clean(name == NULL ? "?" : name);
	free(name);
	if (state == 0 || state == 'Z') {
		report_note("%d: %s", pid,
			state == 'Z'
				? "a zombie: most of its namespaces are gone"
				: "there is no such process");
		return false;
	}
	for (int i = 0; i < NS_TYPES; i++)
		if (ns_get(pid, ns_types[i].name, &column->spaces[i]) == -1 &&
			whole) {
			report_note("%d: stat %s: %s", pid, ns_types[i].name,
				strerror(errno));
			whole = false;
		}
	return whole;
}

/* A to Z, a to z; those beyond have none. */
static char
letter_after(char letter)
{
	if (letter == 'Z')
		return 'a';
	if (letter == 'z' || letter == '-')
		return '-';
	letter++;
	return letter;
}

/* Equal namespaces in a row get the same letter, A for the first. */
static void
set_letters(struct column *columns, int count)
{
	for (int row = 0; row < NS_TYPES; row++) {
		char next = 'A';

		for (int i = 0; i < count; i++) {
			struct ns_id id = columns[i].spaces[row];
			int same = 0;

			while (!ns_same(columns[same].spaces[row], id))
				same++;
			if (same < i)
				columns[i].letters[row] =
					columns[same].letters[row];
			else
				columns[i].letters[row] = next;
			if (same == i && id.ino != 0)
				next = letter_after(next);
		}
	}
}

static void
print_page(const struct column *columns, int count)
{
	printf("%-6s", "");
	for (int i = 0; i < count; i++)
		printf("  %-12d", columns[i].pid);
	printf("\n%-6s", "");
	for (int i = 0; i < count; i++) {
		printf("  ");
		display_column(stdout, columns[i].name, 12);
	}
	putchar('\n');
	for (int row = 0; row < NS_TYPES; row++) {
		printf("%-6s", ns_types[row].name);
		for (int i = 0; i < count; i++) {
			char letter = columns[i].letters[row];

			if (columns[i].spaces[row].ino == 0)
				printf("  %-12s", "-");
			else if (options.color)
				printf("  %lu \033[%dm%c\033[0m",
					columns[i].spaces[row].ino,
					31 + (letter - 'A') % 6, letter);
			else
				printf("  %lu %c", columns[i].spaces[row].ino,
					letter);
		}
		putchar('\n');
	}
}

static void
print_json(const struct column *columns, int count)
{
	json_t *array = json_array();

	for (int i = 0; i < count; i++) {
		json_t *spaces = json_object();

		for (int row = 0; row < NS_TYPES; row++)
			if (columns[i].spaces[row].ino != 0)
				json_object_set_new(spaces, ns_types[row].name,
					json_pack("{s:I, s:I}", "device",
						(json_int_t)columns[i]
							.spaces[row]
							.dev,
						"inode",
						(json_int_t)columns[i]
							.spaces[row]
							.ino));
		json_array_append_new(array,
			json_pack("{s:i, s:s, s:o}", "pid", columns[i].pid,
				"name", columns[i].name, "namespaces", spaces));
	}
	report_document(json_pack("{s:o}", "processes", array));
}

int
table_print(const pid_t *pids, int count)
{
	enum { PER_PAGE = 5 };
	struct column *columns = calloc(count, sizeof(*columns));
	int missing = 0;

	if (columns == NULL)
		die("malloc");
	for (int i = 0; i < count; i++)
		missing += !fill_column(&columns[i], pids[i]);
	set_letters(columns, count);
	if (options.json)
		print_json(columns, count);
	else
		for (int i = 0; i < count; i += PER_PAGE) {
			if (i > 0)
				putchar('\n');
			print_page(columns + i,
				count - i < PER_PAGE ? count - i : PER_PAGE);
		}
	if (fflush(stdout) == EOF)
		die("write standard output");
	for (int i = 0; i < count; i++)
		free(columns[i].name);
	free(columns);
	return missing;
}
