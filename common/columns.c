#include "columns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "die.h"
#include "display.h"
#include "escape.h"

/* A column that may be cut off keeps at least so much. */
enum { LEAST_WIDTH = 8, WIDE = 40 };

static const struct column *
find_column(const struct column *all, const char *name)
{
	while (all->name != NULL && strcasecmp(all->name, name) != 0)
		all++;
	return all->name == NULL ? NULL : all;
}

char *
columns_choose(
	struct columns *columns, const struct column *all, const char *names)
{
	char *list = strdup(names), *rest = list, *wrong = NULL, *name;

	if (list == NULL)
		die("malloc");
	*columns = (struct columns){.count = 0};
	while (wrong == NULL && (name = strsep(&rest, ",")) != NULL) {
		const struct column *column = find_column(all, name);

		if (column == NULL || columns->count == COLUMNS_MAX) {
			wrong = strdup(name);
			if (wrong == NULL)
				die("malloc");
		} else {
			columns->column[columns->count++] = column;
		}
	}
	free(list);
	return wrong;
}

void
columns_help(FILE *out, const struct column *all)
{
	for (; all->name != NULL; all++)
		fprintf(out, "  %-12s %s\n", all->name, all->help);
}

/* --- For the eye --------------------------------------------------------- */

static char *
cell_text(const struct column *column, const struct row *row)
{
	struct cell cell = column->get(row);
	char *text = NULL;

	switch (cell.kind) {
	case CELL_NUMBER:
		if (asprintf(&text, "%lld", cell.number) == -1)
			die("malloc");
		break;
	case CELL_TEXT:
		text = display_clean(cell.text);
		break;
	case CELL_TRUTH:
		text = strdup(cell.number ? "yes" : "no");
		break;
	case CELL_NONE:
		text = strdup("-");
		break;
	}
	if (text == NULL)
		die("malloc");
	free(cell.text);
	return text;
}

/* All cells as texts, row by row; and the widths that they need. */
static char **
make_texts(struct columns *columns, struct rows rows)
{
	char **texts =
		calloc((size_t)rows.count * columns->count + 1, sizeof(*texts));
	char **text = texts;

	if (texts == NULL)
		die("malloc");
	for (int i = 0; i < rows.count; i++)
		for (int k = 0; k < columns->count; k++, text++) {
			*text = cell_text(columns->column[k], rows.row[i]);
			int width = display_width(*text);
			if (width > columns->width[k])
				columns->width[k] = width;
		}
	return texts;
}

/* Take from the widest column that may be cut, until all fit in a line. Where
 * lines have no limit, one long text does not make all lines long: it stands
 * out of its column. */
static void
fit(const struct columns *columns, int limit, int *width)
{
	int total = columns->count - 1;

	for (int k = 0; k < columns->count; k++) {
		width[k] = columns->width[k];
		if (limit == 0 && columns->column[k]->cut && width[k] > WIDE)
			width[k] = WIDE;
		total += width[k];
	}
	while (limit > 0 && total > limit) {
		int widest = -1;

		for (int k = 0; k < columns->count; k++)
			if (columns->column[k]->cut && width[k] > LEAST_WIDTH &&
				(widest == -1 || width[k] > width[widest]))
				widest = k;
		if (widest == -1)
			return;
		width[widest]--;
		total--;
	}
}

/* No blanks after the last column. A column beyond the limit is left out. */
static void
print_line(FILE *out, const struct columns *columns, const int *width,
	const char *const *texts, int limit)
{
	int left = limit;

	for (int k = 0; k < columns->count; k++) {
		int columns_here = width[k];
		int blanks = width[k] - display_width(texts[k]);

		if (limit > 0 && left < columns_here)
			columns_here = left;
		if (columns_here < 1)
			break;
		if (columns->column[k]->right && blanks > 0 &&
			columns_here == width[k])
			fprintf(out, "%*s%s", blanks, "", texts[k]);
		else if (limit == 0 && blanks < 0)
			fputs(texts[k], out);
		else if (k == columns->count - 1)
			display_cut(out, texts[k], columns_here);
		else
			display_column(out, texts[k], columns_here);
		left -= width[k] + 1;
		if (k < columns->count - 1 && (limit == 0 || left > 0))
			putc(' ', out);
	}
	putc('\n', out);
}

static void
print_heading(
	FILE *out, const struct columns *columns, const int *width, int limit)
{
	const char *names[COLUMNS_MAX];

	for (int k = 0; k < columns->count; k++)
		names[k] = columns->column[k]->name;
	print_line(out, columns, width, names, limit);
}

void
columns_text(FILE *out, struct columns *columns, struct rows rows, bool heading,
	int limit)
{
	char **texts = make_texts(columns, rows);
	size_t count = (size_t)rows.count * columns->count;
	int width[COLUMNS_MAX];

	for (int k = 0; k < columns->count && heading; k++) {
		int least = display_width(columns->column[k]->name);

		if (columns->width[k] < least)
			columns->width[k] = least;
	}
	fit(columns, limit, width);
	if (heading)
		print_heading(out, columns, width, limit);
	for (size_t i = 0; i < count; i += columns->count)
		print_line(out, columns, width,
			(const char *const *)(texts + i), limit);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

/* --- For programs -------------------------------------------------------- */

static void
print_raw(FILE *out, struct cell cell)
{
	char *escaped;

	switch (cell.kind) {
	case CELL_NUMBER:
		fprintf(out, "%lld", cell.number);
		break;
	case CELL_TRUTH:
		fputs(cell.number ? "yes" : "no", out);
		break;
	case CELL_NONE:
		putc('-', out);
		break;
	case CELL_TEXT:
		escaped = escape_text(cell.text, true);
		fputs(strcmp(escaped, "-") == 0 ? "\\x2d"
			: escaped[0] == '\0'	? "\\x20"
						: escaped,
			out);
		free(escaped);
		break;
	}
	free(cell.text);
}

void
columns_raw(FILE *out, const struct columns *columns, struct rows rows,
	bool heading)
{
	for (int k = 0; k < columns->count && heading; k++)
		fprintf(out, "%s%s", k == 0 ? "" : " ",
			columns->column[k]->name);
	if (heading)
		putc('\n', out);
	for (int i = 0; i < rows.count; i++) {
		for (int k = 0; k < columns->count; k++) {
			if (k > 0)
				putc(' ', out);
			print_raw(out, columns->column[k]->get(rows.row[i]));
		}
		putc('\n', out);
	}
}

static json_t *
cell_json(struct cell cell)
{
	json_t *value;
	char *clean;

	if (cell.kind == CELL_NUMBER)
		return json_integer(cell.number);
	if (cell.kind == CELL_TRUTH)
		return json_boolean(cell.number);
	if (cell.kind == CELL_NONE)
		return json_null();
	clean = display_clean(cell.text);
	value = json_string(clean);
	free(clean);
	free(cell.text);
	return value;
}

/* A name in small letters. */
static void
make_key(char *key, const char *name)
{
	size_t i = 0;

	for (; i < COLUMNS_NAME && name[i] != '\0'; i++)
		key[i] = (char)tolower((unsigned char)name[i]);
	key[i] = '\0';
}

json_t *
columns_json(const struct columns *columns, struct rows rows)
{
	char keys[COLUMNS_MAX][COLUMNS_NAME + 1] = {{0}};
	json_t *array = json_array();

	for (int k = 0; k < columns->count; k++)
		make_key(keys[k], columns->column[k]->name);
	for (int i = 0; i < rows.count; i++) {
		json_t *object = json_object();

		for (int k = 0; k < columns->count; k++)
			if (json_object_set_new(object, keys[k],
				    cell_json(columns->column[k]->get(
					    rows.row[i]))) == -1)
				die("malloc");
		if (json_array_append_new(array, object) == -1)
			die("malloc");
	}
	return array;
}
