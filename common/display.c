#include "display.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "die.h"

/* How many bytes the UTF-8 character at `text` has; 0 when it is none. It
 * checks the form itself, because the locale may know ASCII alone. */
static int
utf8_length(const unsigned char *text)
{
	int length = text[0] < 0x80   ? 1
		     : text[0] < 0xc2 ? 0
		     : text[0] < 0xe0 ? 2
		     : text[0] < 0xf0 ? 3
		     : text[0] < 0xf5 ? 4
				      : 0;

	for (int i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and beyond U+10FFFF. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
		(text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) ||
		(text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* C0 and C1 control characters, and delete; line ends of Unicode (U+2028 and
 * 2029), and the marks that turn a line around (200E, 200F, 202A to 202E, 2066
 * to 2069). */
static int
is_control(const unsigned char *text)
{
	if (text[0] == 0xe2 && text[1] == 0x80)
		return (text[2] & 0xfe) == 0x8e ||
		       (text[2] >= 0xa8 && text[2] <= 0xae);
	if (text[0] == 0xe2 && text[1] == 0x81)
		return text[2] >= 0xa6 && text[2] <= 0xa9;
	return text[0] < 0x20 || text[0] == 0x7f ||
	       (text[0] == 0xc2 && text[1] < 0xa0);
}

char *
display_clean(const char *text)
{
	char *clean = strdup(text);
	char *to = clean;

	if (clean == NULL)
		die("malloc");
	while (*text != '\0') {
		int length = utf8_length((const unsigned char *)text);

		if (length == 0 || is_control((const unsigned char *)text)) {
			*to++ = '?';
			text += length == 0 ? 1 : length;
			continue;
		}
		memcpy(to, text, length);
		to += length;
		text += length;
	}
	*to = '\0';
	return clean;
}

/* One argument. With an escape in it, all of it stands in $'...'. */
static void
quote_argument(FILE *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789+,-./:=@_%^";
	const char *quote = "'";
	int length;

	if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
		fputs(text, out);
		return;
	}
	/* A character that is not clean becomes a question mark. */
	char *clean = display_clean(text);
	if (strcmp(clean, text) != 0 || strchr(text, '\'') != NULL)
		quote = "$'";
	free(clean);
	fputs(quote, out);
	for (; *text != '\0'; text += length) {
		length = utf8_length((const unsigned char *)text);
		if (length == 0 || is_control((const unsigned char *)text)) {
			length = length == 0 ? 1 : length;
			for (int i = 0; i < length; i++)
				fprintf(out, "\\x%02x", (unsigned char)text[i]);
		} else {
			if (quote[0] == '$' && strchr("'\\", *text) != NULL)
				fputc('\\', out);
			fwrite(text, 1, length, out);
		}
	}
	fputc('\'', out);
}

void
display_quote(FILE *out, const char *arguments, size_t length)
{
	const char *end = arguments + length;

	for (const char *at = arguments; at < end; at += strlen(at) + 1) {
		if (at > arguments)
			fputc(' ', out);
		quote_argument(out, at);
	}
}

/* The next character: its bytes in *length, its columns as the result. */
static int
next_width(const char *text, size_t *length)
{
	mbstate_t state = {0};
	wchar_t wide;

	/* ASCII, as most texts are: one byte, one column. */
	*length = 1;
	if (*text >= ' ' && *text <= '~')
		return 1;
	size_t bytes = mbrtowc(&wide, text, strlen(text), &state);

	if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0)
		return 1;
	*length = bytes;
	int columns = wcwidth(wide);
	return columns < 0 ? 1 : columns;
}

int
display_width(const char *text)
{
	int columns = 0;
	size_t length;

	for (; *text != '\0'; text += length)
		columns += next_width(text, &length);
	return columns;
}

int
display_lines(const char *text)
{
	int lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

int
display_cut(FILE *out, const char *text, int columns)
{
	int whole = display_width(text), used = 0;
	size_t length;

	if (whole <= columns) {
		fputs(text, out);
		return whole;
	}
	for (; *text != '\0'; text += length) {
		int width = next_width(text, &length);

		if (used + width > columns - 1)
			break;
		fwrite(text, 1, length, out);
		used += width;
	}
	fputc('~', out);
	return used + 1;
}

void
display_column(FILE *out, const char *text, int columns)
{
	fprintf(out, "%*s", columns - display_cut(out, text, columns), "");
}

int
display_columns(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The blank at which a line ends that begins here, or NULL: all of it fits. */
static char *
last_blank(char *line, int columns)
{
	char *blank = NULL;
	size_t length;
	int used = 0;

	for (char *at = line; *at != '\0'; at += length) {
		used += next_width(at, &length);
		if (used > columns && blank != NULL)
			return blank;
		/* Those at the beginning are not between two words. */
		if (*at == ' ' && used <= columns &&
			strspn(line, " ") < (size_t)(at - line))
			blank = at;
	}
	return NULL;
}

void
display_message(FILE *out, int indent, const char *format, ...)
{
	va_list arguments;
	char *text, *folded, *blank;
	size_t size;
	int columns = display_columns(out), margin = 0;
	FILE *memory = open_memstream(&folded, &size);

	va_start(arguments, format);
	if (memory == NULL || vasprintf(&text, format, arguments) == -1)
		_exit(DIE_FAILED);
	va_end(arguments);
	char *line = text;
	while (columns > 2 * indent &&
		(blank = last_blank(line, columns - margin)) != NULL) {
		*blank = '\0';
		fprintf(memory, "%*s%s\n", margin, "", line);
		line = blank + 1;
		margin = indent;
	}
	fprintf(memory, "%*s%s\n", margin, "", line);
	if (fclose(memory) == EOF)
		_exit(DIE_FAILED);
	fputs(folded, out);
	free(folded);
	free(text);
}
