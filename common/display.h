/*
 * display: text as a terminal shows it. printf("%-10s") counts bytes; a
 * projector shows columns (wcwidth(3)). Needs setlocale(LC_CTYPE, "").
 */
#ifndef COMMON_DISPLAY_H
#define COMMON_DISPLAY_H

#include <stddef.h>
#include <stdio.h>

/*
 * A copy of a text in which each control character, and each byte that is not
 * valid UTF-8, is a question mark: another process chose its bytes, and none
 * of them may reach the reader's terminal as a command. The caller frees it.
 * Ends by die when memory is short.
 */
char *display_clean(const char *text);

/*
 * Print arguments as one would type them for bash(1): those with blanks or with
 * characters that a shell takes for its own stand in quotes, and a control
 * character or a byte that is not valid UTF-8 is written as $'\x1b'.
 * arguments: each ends with a zero byte, as in /proc/PID/cmdline.
 * Ends by die when memory is short.
 */
void display_quote(FILE *out, const char *arguments, size_t length);

/*
 * Print a text in at most `columns` columns: the end of a longer one is cut
 * off, which "~" marks. display_column adds blanks to a shorter one, so that
 * it takes exactly `columns`.
 * Returns how many columns were printed.
 */
int display_cut(FILE *out, const char *text, int columns);
void display_column(FILE *out, const char *text, int columns);

/*
 * Print a message, and a newline behind it. On a terminal, a line that is too
 * long goes on in the next one, from a blank on and behind `indent` blanks; in
 * a file it stays one line. In one write(2), so that the messages of two
 * processes do not mix.
 */
void display_message(FILE *out, int indent, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* How many lines a text has that ends with one. */
int display_lines(const char *text);

/* How many columns a text takes. */
int display_width(const char *text);

/* How many columns a terminal has; 0: it is none. */
int display_columns(FILE *out);

#endif
