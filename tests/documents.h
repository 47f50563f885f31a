/*
 * documents: are the console blocks of a Markdown file still true?
 *
 * A block is a fence whose first line is ```console. A line in it that starts
 * with "host# " or "host$ " is a command; the lines up to the next one are
 * its output. Two runs of a command never print the same PIDs and inodes, so
 * a document and a run agree when there is a renaming of numbers, one to one,
 * that turns the first into the second: what was equal is equal, and what
 * differed differs.
 *
 * What is a number: a longest run of decimal digits, more than one digit
 * after its leading zeros, and not behind an ASCII letter, a digit or an
 * underscore. 4026532395 in pid:[4026532395] is one; 7, 02 and the digits of
 * lesson11 are not and are compared as they stand.
 * What else may differ:
 *   - durations: digits, a dot, digits, blanks and the word s, as in 0.31 s;
 *   - rules: lines of dashes and blanks that start with two dashes;
 *   - blanks: a run of them is as good as one, and none is needed at the
 *     start and the end of a line, for the width of a number moves columns;
 *   - what a line ... stands for: any lines of the same command's output,
 *     or none. Their numbers take no part in the renaming.
 */
#ifndef TESTS_DOCUMENTS_H
#define TESTS_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>

struct fence {
	char *rest;  /* the text behind the fence; at first, the whole text */
	size_t next; /* the number of the first line of rest; at first 1 */
	size_t line; /* the number of the line with the opening ``` */
	char *info;  /* what stands behind the opening ``` */
	char *body;  /* the lines between, each with its newline */
};

/* Go on to the next fence. It is cut out of the text, by NULs. Returns false
 * when there is none. */
bool documents_next(struct fence *fence);

/* Is this line of a console block a command? It starts behind the prompt. */
bool documents_is_command(const char *line);

/* The length of the first line of a text, with its newline. */
size_t documents_line(const char *text);

/*
 * The next three return a message "name:line: ..." to be freed. Out of memory,
 * they abort: there is nothing that a test could do about it.
 *
 * documents_lint: what is wrong with the form of a document: fences and
 * commands that would go unchecked, and lines of console and c fences wider
 * than 80 columns in the locale of the caller. Returns NULL when all is well.
 */
char *documents_lint(const char *name, const char *text);

/*
 * Compare a console block with a transcript, which is the same commands with
 * what they have really printed. line: the number of the block's first line.
 * Returns NULL when they agree.
 */
char *documents_compare(const char *name, size_t line, const char *body,
	const char *transcript);

/* Just make such a message. */
char *documents_message(const char *name, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
