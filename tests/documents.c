#include "documents.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define DIGITS "0123456789"
#define BLANKS " \t"

enum kind { END, BLANK, NUMBER, DURATION, CHARACTER };

struct token {
	enum kind kind;
	const char *start;
	size_t length;
};

/* A number of the document, and what it stands for in the transcript. */
struct pair {
	struct token said, seen;
};

/* Two lines that were compared. A clash: they differ in nothing but the number
 * "broken", and that only because of the pair "held" of an earlier number. */
struct attempt {
	const char *said, *seen;
	bool clash;
	struct pair held, broken;
};

/* A gap may have more than one possible end, so the comparison can go back.
 * It complains about the attempt that came furthest in the document. */
struct comparison {
	struct pair *pairs;
	size_t count;
	struct attempt furthest;
};

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

size_t
documents_line(const char *text)
{
	size_t length = strcspn(text, "\n");

	return text[length] == '\n' ? length + 1 : length;
}

bool
documents_is_command(const char *line)
{
	return starts_with(line, "host# ") || starts_with(line, "host$ ");
}

char *
documents_message(const char *name, size_t line, const char *format, ...)
{
	char *message;
	size_t size;
	FILE *stream = open_memstream(&message, &size);
	va_list arguments;

	if (stream == NULL)
		abort();
	fprintf(stream, "%s:%zu: ", name, line);
	va_start(arguments, format);
	vfprintf(stream, format, arguments);
	va_end(arguments);
	if (fclose(stream) == EOF)
		abort();
	return message;
}

bool
documents_next(struct fence *fence)
{
	char *at = fence->rest;
	size_t line = fence->next;

	for (; *at != '\0' && !starts_with(at, "```"); line++)
		at += documents_line(at);
	if (*at == '\0')
		return false;
	fence->line = line;
	fence->info = at + strlen("```");
	at += documents_line(at);
	at[-1] = '\0';
	fence->body = at;
	for (line++; *at != '\0' && !starts_with(at, "```"); line++)
		at += documents_line(at);
	fence->rest = at + documents_line(at);
	fence->next = line + 1;
	*at = '\0';
	return true;
}

/* Like a terminal, with a tab stop in every eighth column. What is no text in
 * this locale is too wide for any. */
static size_t
columns(const char *line)
{
	size_t width = 0, left = strcspn(line, "\n"), length;
	mbstate_t state = {0};
	wchar_t character;

	for (; left > 0; line += length, left -= length) {
		length = mbrtowc(&character, line, left, &state);
		if (length == (size_t)-1 || length == (size_t)-2)
			return SIZE_MAX;
		if (character == L'\t')
			width += 8 - width % 8;
		else if (wcwidth(character) > 0)
			width += (size_t)wcwidth(character);
	}
	return width;
}

/* What is wrong with a line that is outside of all fences, or opens one. */
static const char *
wrong_outside(const char *line)
{
	size_t length = documents_line(line);

	if (memmem(line + 1, length - 1, "```", 3) != NULL ||
		memmem(line, length, "~~~", 3) != NULL)
		return "a fence that is not ``` in column 0 is not checked";
	if (documents_is_command(line))
		return "a command outside of a console fence is not run";
	if (starts_with(line, "```console") &&
		!starts_with(line, "```console\n") &&
		!starts_with(line, "```console root\n") &&
		!starts_with(line, "```console not-run\n"))
		return "not one of console, console root, console not-run";
	return NULL;
}

/* What is wrong with a line that is inside of a fence, or closes it. */
static const char *
wrong_inside(const char *fence, const char *line)
{
	bool console = starts_with(fence, "```console");

	if (starts_with(line, "```") && strcspn(line, "\n") > strlen("```"))
		return "a fence begins and the one before has no end";
	if (!console && documents_is_command(line))
		return "a command outside of a console fence is not run";
	if ((console || starts_with(fence, "```c ")) && columns(line) > 80)
		return "wider than 80 columns, or not a text";
	return NULL;
}

char *
documents_lint(const char *name, const char *text)
{
	const char *fence = NULL, *line = text;
	size_t number = 1, opened = 0;

	for (; *line != '\0'; line += documents_line(line), number++) {
		const char *wrong = fence == NULL ? wrong_outside(line)
						  : wrong_inside(fence, line);
		if (wrong != NULL)
			return documents_message(name, number, "%s", wrong);
		if (starts_with(line, "```")) {
			fence = fence == NULL ? line : NULL;
			opened = number;
		}
	}
	if (fence != NULL)
		return documents_message(name, opened, "the fence has no end");
	return NULL;
}

static bool
ends_line(const char *at)
{
	return *at == '\n' || *at == '\0';
}

static bool
in_word(const char *at)
{
	return isalnum((unsigned char)*at) || *at == '_';
}

static bool
is_rule(const char *line)
{
	line += strspn(line, BLANKS);
	return starts_with(line, "--") && ends_line(line + strspn(line, "- "));
}

static bool
is_gap(const char *line)
{
	return starts_with(line, "...") && ends_line(line + strlen("..."));
}

/* The length of a duration, or 0. */
static size_t
duration(const char *at)
{
	size_t whole = strspn(at, DIGITS), part, blanks;

	if (whole == 0 || at[whole] != '.')
		return 0;
	part = strspn(at + whole + 1, DIGITS);
	blanks = strspn(at + whole + 1 + part, BLANKS);
	at += whole + 1 + part + blanks;
	if (part == 0 || blanks == 0 || *at != 's' || in_word(at + 1))
		return 0;
	return whole + 1 + part + blanks + 1;
}

/* The token of the line that starts at this place. */
static struct token
next_token(const char *line, const char *at)
{
	size_t blanks = strspn(at, BLANKS), digits;
	bool starts = at == line || !in_word(at - 1);

	if (ends_line(at + blanks))
		return (struct token){END, at, 0};
	if (blanks > 0)
		return (struct token){BLANK, at, blanks};
	if (starts && duration(at) > 0)
		return (struct token){DURATION, at, duration(at)};
	digits = strspn(at, DIGITS);
	if (starts && digits > strspn(at, "0") + 1)
		return (struct token){NUMBER, at, digits};
	return (struct token){CHARACTER, at, 1};
}

static bool
same_text(const struct token *a, const struct token *b)
{
	return a->length == b->length &&
	       memcmp(a->start, b->start, a->length) == 0;
}

/* Does the number of the document stand for that of the transcript? From the
 * first time that either is met, it does. */
static bool
same_number(
	struct comparison *c, const struct pair *pair, struct attempt *attempt)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		bool said = same_text(&c->pairs[i].said, &pair->said);
		bool seen = same_text(&c->pairs[i].seen, &pair->seen);
		if (said && seen)
			return true;
		if (said || seen) {
			attempt->held = c->pairs[i];
			attempt->broken = *pair;
			return false;
		}
	}
	c->pairs[c->count++] = *pair;
	return true;
}

static bool
same_line(struct comparison *c, struct attempt *attempt)
{
	const char *said = attempt->said, *seen = attempt->seen;
	struct pair pair;
	bool clash = false;

	/* The numbers in a command are the same on both sides. They would only
	 * forbid them to others. */
	if (documents_is_command(said) || documents_is_command(seen))
		return documents_line(said) == documents_line(seen) &&
		       memcmp(said, seen, documents_line(said)) == 0;
	if (is_rule(said) && is_rule(seen))
		return true;
	said += strspn(said, BLANKS);
	seen += strspn(seen, BLANKS);
	do {
		pair.said = next_token(attempt->said, said);
		pair.seen = next_token(attempt->seen, seen);
		if (pair.said.kind != pair.seen.kind)
			return false;
		if (pair.said.kind == CHARACTER && *said != *seen)
			return false;
		if (pair.said.kind == NUMBER && !clash)
			clash = !same_number(c, &pair, attempt);
		said += pair.said.length;
		seen += pair.seen.length;
	} while (pair.said.kind != END);
	attempt->clash = clash;
	return !clash;
}

/* Do the lines from here on agree? Calls itself for the lines behind these:
 * the wrong end of a gap may show as late as in the last line. Not deeper than
 * a document has lines. NOLINTBEGIN(misc-no-recursion) */
static bool
same_lines(struct comparison *c, const char *said, const char *seen)
{
	struct attempt attempt = {.said = said, .seen = seen};
	size_t count = c->count;

	if (is_gap(said)) {
		said += documents_line(said);
		while (!same_lines(c, said, seen)) {
			if (*seen == '\0' || documents_is_command(seen))
				return false;
			seen += documents_line(seen);
		}
		return true;
	}
	if (*said == '\0' && *seen == '\0')
		return true;
	if (*said != '\0' && *seen != '\0' && same_line(c, &attempt) &&
		same_lines(c, said + documents_line(said),
			seen + documents_line(seen)))
		return true;
	c->count = count;
	if (c->furthest.said == NULL || said > c->furthest.said ||
		(said == c->furthest.said && !c->furthest.clash))
		c->furthest = attempt;
	return false;
}
/* NOLINTEND(misc-no-recursion) */

/* What is wrong at the furthest attempt: numbers alone, or the text. */
static char *
complaint(const char *name, size_t line, const struct attempt *attempt)
{
	const char *said = *attempt->said ? attempt->said : "(no more lines)";
	const char *seen = *attempt->seen ? attempt->seen : "(no more lines)";
	const struct pair *held = &attempt->held, *broken = &attempt->broken;

#define LINE(text) (int)strcspn(text, "\n"), text
#define TOKEN(token) (int)(token).length, (token).start
	if (!attempt->clash)
		return documents_message(name, line,
			"the output differs\n"
			"expected: %.*s\nfound:    %.*s",
			LINE(said), LINE(seen));
	return documents_message(name, line,
		"%s: %.*s is %.*s, and %.*s is %.*s\n"
		"expected: %.*s\nfound:    %.*s",
		same_text(&held->said, &broken->said)
			? "one number stands for two different numbers"
			: "two numbers of the document are one number here",
		TOKEN(held->said), TOKEN(held->seen), TOKEN(broken->said),
		TOKEN(broken->seen), LINE(said), LINE(seen));
#undef LINE
#undef TOKEN
}

char *
documents_compare(
	const char *name, size_t line, const char *body, const char *transcript)
{
	struct comparison c = {0};
	char *message = NULL;

	/* A body has fewer numbers than characters. */
	c.pairs = calloc(strlen(body) + 1, sizeof(*c.pairs));
	if (c.pairs == NULL)
		abort();
	if (!same_lines(&c, body, transcript)) {
		const char *at = body;

		for (; at < c.furthest.said; at += documents_line(at))
			line++;
		message = complaint(name, line, &c.furthest);
	}
	free(c.pairs);
	return message;
}
