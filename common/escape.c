#include "escape.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"

/* isprint(3) would ask the locale. */
static bool
is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '\\';
}

char *
escape_text(const char *text, bool blanks)
{
	static const char digits[] = "0123456789abcdef";
	char *escaped = malloc(4 * strlen(text) + 1), *to = escaped;

	if (escaped == NULL)
		die("malloc");
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (is_plain(*text) && !(blanks && *text == ' ')) {
			*to++ = *text;
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = digits[byte >> 4];
		*to++ = digits[byte & 15];
	}
	*to = '\0';
	return escaped;
}

/* The byte of \xHH, or 0 when it is none. */
static char
read_escape(const char *text)
{
	char digits[3];

	if (text[0] != '\\' || text[1] != 'x' ||
		!isxdigit((unsigned char)text[2]) ||
		!isxdigit((unsigned char)text[3]))
		return '\0';
	digits[0] = text[2];
	digits[1] = text[3];
	digits[2] = '\0';
	return (char)strtol(digits, NULL, 16);
}

char *
escape_undo(const char *escaped)
{
	char *text = malloc(strlen(escaped) + 1), *to = text;

	if (text == NULL)
		return NULL;
	for (; *escaped != '\0'; to++) {
		*to = *escaped;
		if (!is_plain(*escaped))
			*to = read_escape(escaped);
		if (*to == '\0') {
			free(text);
			errno = EINVAL;
			return NULL;
		}
		escaped += is_plain(*escaped) ? 1 : 4;
	}
	*to = '\0';
	return text;
}
