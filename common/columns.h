/*
 * columns: rows as a table for the eye, as fields for a program (--raw), and
 * as JSON. One list of columns serves all three, so they cannot disagree.
 */
#ifndef COMMON_COLUMNS_H
#define COMMON_COLUMNS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* How many can be chosen; how long a name may be. */
enum { COLUMNS_MAX = 24, COLUMNS_NAME = 15 };

/* What stands in a row: its owner defines it. */
struct row;

enum cell_kind {
	CELL_NONE, /* not known, or there is none: "-", in JSON null */
	CELL_NUMBER,
	CELL_TEXT,
	CELL_TRUTH, /* yes or no, in JSON true or false */
};

struct cell {
	enum cell_kind kind;
	long long number; /* of a truth: 1 or 0 */
	char *text;	  /* any bytes; freed by whoever asked for the cell */
};

struct column {
	const char *name; /* in capitals; in JSON in small letters */
	const char *help; /* one sentence */
	bool right;	  /* numbers stand on the right */
	bool cut;	  /* on a terminal, its end may be cut off */
	struct cell (*get)(const struct row *row);
};

/* The columns that were chosen, in their order, and how wide they are. */
struct columns {
	const struct column *column[COLUMNS_MAX];
	int width[COLUMNS_MAX];
	int count;
};

/*
 * Choose columns by their names, "PID,NAME": small letters will do.
 * all: ends with a column whose name is NULL.
 * Returns NULL, or a copy of what is no such name; the caller frees it.
 */
char *columns_choose(
	struct columns *columns, const struct column *all, const char *names);

/* Print the name of each column and its help. */
void columns_help(FILE *out, const struct column *all);

/* The rows: pointers to each. */
struct rows {
	const struct row **row;
	int count;
};

/*
 * Print a table. Columns become as wide as their widest cell, and stay so for
 * the next call.
 * limit: no line takes more columns of the terminal; 0: nothing is cut.
 */
void columns_text(FILE *out, struct columns *columns, struct rows rows,
	bool heading, int limit);

/* Print fields with one blank between them, each escaped as by escape_text
 * (escape.h). What is not known is a "-"; a text that is one, or that is
 * empty, is "\x2d" or "\x20". */
void columns_raw(FILE *out, const struct columns *columns, struct rows rows,
	bool heading);

/* An array of objects. Ends by die when memory is short. */
json_t *columns_json(const struct columns *columns, struct rows rows);

#endif
