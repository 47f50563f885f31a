#include "jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Faults -------------------------------------------------------------- */

/* The line may quote the file: a line break or an escape sequence in it must
 * not reach the reader's terminal. */
static void
make_one_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
		/* U+0080 to U+009F are control characters, too. */
		if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[0] = c[1] = '?';
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

void
jsonfile_fail(struct jsonfile *f, int code, const char *format, ...)
{
	va_list arguments;

	if (f->code != 0)
		return;
	f->code = code;
	va_start(arguments, format);
	if (vasprintf(&f->error, format, arguments) == -1)
		f->error = NULL;
	va_end(arguments);
	if (f->error != NULL)
		make_one_line(f->error);
}

char *
jsonfile_checked(struct jsonfile *f, char *text)
{
	if (text == NULL)
		jsonfile_fail(f, ENOMEM, "%s: out of memory", f->name);
	return text;
}

char *
jsonfile_quote(const json_t *value)
{
	char *text, *dump;
	int n;

	dump = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	if (dump == NULL)
		return NULL;
	n = asprintf(&text, "%.60s%s", dump, strlen(dump) > 60 ? "..." : "");
	free(dump);
	return n == -1 ? NULL : text;
}

/* Objects and arrays are not printed: jansson would do it by recursion. */
static char *
describe(const json_t *value)
{
	char *text, *quote;
	int n;

	if (value == NULL)
		return strdup("nothing");
	if (json_is_object(value))
		return strdup("an object");
	if (json_is_array(value))
		return strdup(json_array_size(value) == 0 ? "an empty array"
							  : "an array");
	quote = jsonfile_quote(value);
	if (quote == NULL || !json_is_string(value))
		return quote;
	n = asprintf(&text, "the string %s", quote);
	free(quote);
	return n == -1 ? NULL : text;
}

void
jsonfile_fault(struct jsonfile *f, const json_t *value, const char *expected,
	const char *format, ...)
{
	va_list arguments;
	char *path, *found = describe(value);

	va_start(arguments, format);
	if (vasprintf(&path, format, arguments) == -1)
		path = NULL;
	va_end(arguments);
	if (jsonfile_checked(f, path) != NULL &&
		jsonfile_checked(f, found) != NULL)
		jsonfile_fail(f, EINVAL, "%s: %s%s%s: found %s, expected %s",
			f->name, f->prefix == NULL ? "" : f->prefix,
			f->prefix == NULL ? "" : ".", path, found, expected);
	free(path);
	free(found);
}

void
jsonfile_range(struct jsonfile *f, const json_t *value, long long min,
	long long max, const char *format, ...)
{
	long long number = jsonfile_integer(value);
	char *path, *expected;
	va_list arguments;

	if (value == NULL || (number >= min && number <= max))
		return;
	va_start(arguments, format);
	if (vasprintf(&path, format, arguments) == -1)
		path = NULL;
	va_end(arguments);
	if (asprintf(&expected, "a whole number from %lld to %lld", min, max) ==
		-1)
		expected = NULL;
	if (jsonfile_checked(f, path) != NULL &&
		jsonfile_checked(f, expected) != NULL)
		jsonfile_fault(f, value, expected, "%s", path);
	free(path);
	free(expected);
}

void
jsonfile_append(struct jsonfile *f, json_t *list, json_t *text)
{
	if (json_array_append_new(list, text) == -1)
		jsonfile_checked(f, NULL);
}

/* --- The text ------------------------------------------------------------ */

/* Returns NULL when there is nothing to be read. */
static FILE *
check_file(struct jsonfile *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		jsonfile_fail(f, errno, "%s: fstat: %m", f->name);
	else if (S_ISDIR(st.st_mode))
		jsonfile_fail(f, EISDIR, "%s: found a folder, expected a file",
			f->name);
	else if (!S_ISREG(st.st_mode))
		jsonfile_fail(f, EINVAL,
			"%s: found a FIFO or a device, expected a file",
			f->name);
	else if (st.st_size > JSONFILE_MAX)
		jsonfile_fail(f, EFBIG,
			"%s: found %jd bytes, expected at most %d", f->name,
			(intmax_t)st.st_size, JSONFILE_MAX);
	else
		return fdopen(fd, "r");
	return NULL;
}

/*
 * What makes a double of the integer that these digits are: "" when it need not
 * be one, because jansson's integers hold it. As a double, 2^64 - 1 is 2^64,
 * and stands for "unlimited"; whatever else would be that is made larger.
 */
static const char *
exponent_of(const char *text, const char *digits)
{
	const int before = digits == text ? ' ' : digits[-1];
	char *end;

	errno = 0;
	unsigned long long number = strtoull(digits, &end, 10);
	bool too_large = errno == ERANGE;
	if (strchr("+.eE", before) != NULL || strchr(".eE", *end) != NULL ||
		number <= (unsigned long long)INT64_MAX + (before == '-'))
		return "";
	return too_large && strtod(digits, NULL) == 0x1p64 ? "e1" : "e0";
}

/* A copy of the text in which each of them is written as a double. All other
 * numbers stay as they are. The text ends with a zero byte. */
static char *
mark_large(struct jsonfile *f, const char *text, size_t *size)
{
	char *copy = jsonfile_checked(f, malloc(*size + *size / 8 + 1));
	const char *end = text + *size;
	char *to = copy;
	bool quoted = false;

	for (const char *c = text; copy != NULL && c < end;) {
		size_t length = quoted ? 0 : strspn(c, "0123456789");
		const char *exponent = length > 18 ? exponent_of(text, c) : "";

		if (*c == '"')
			quoted = !quoted;
		/* What is behind a backslash does not end the string. */
		if (length == 0)
			length = *c == '\\' && c + 1 < end ? 2 : 1;
		to = mempcpy(to, c, length);
		to = mempcpy(to, exponent, strlen(exponent));
		c += length;
	}
	*size = to - copy;
	return copy;
}

/* jansson refuses most of what is to be refused by itself. */
static void
parse(struct jsonfile *f, const char *text, size_t size)
{
	const size_t flags = JSON_REJECT_DUPLICATES;
	json_error_t e;

	f->root = json_loadb(text, size, flags, &e);
	/* An unlimited rlimit is 18446744073709551615, which is more than
	 * jansson's integers hold. */
	if (f->root == NULL &&
		json_error_code(&e) == json_error_numeric_overflow) {
		char *marked = mark_large(f, text, &size);

		if (marked == NULL)
			return;
		f->root = json_loadb(marked, size, flags, &e);
		free(marked);
	}
	if (f->root == NULL) {
		/* It quotes the file, where bytes may be no characters. */
		for (char *c = e.text; *c != '\0'; c++)
			if ((*c & 0x80) != 0)
				*c = '?';
		jsonfile_fail(f, EINVAL, "%s:%d:%d: %s", f->name, e.line,
			e.column, e.text);
	} else if (!json_is_object(f->root)) {
		jsonfile_fail(f, EINVAL,
			"%s: found an array, expected an object", f->name);
	}
}

/* The file may grow after its size was looked at, so count once more. */
static void
read_file(struct jsonfile *f, FILE *file)
{
	char *text = jsonfile_checked(f, malloc(JSONFILE_MAX + 2));
	size_t size;

	if (text == NULL)
		return;
	size = fread(text, 1, JSONFILE_MAX + 1, file);
	if (ferror(file) != 0)
		jsonfile_fail(f, errno, "%s: read: %m", f->name);
	else if (size > JSONFILE_MAX)
		jsonfile_fail(f, EFBIG, "%s: found more than %d bytes", f->name,
			JSONFILE_MAX);
	else {
		text[size] = '\0';
		parse(f, text, size);
	}
	free(text);
}

void
jsonfile_load(struct jsonfile *f, int folder, const char *dir, const char *name)
{
	size_t length = strlen(dir);
	FILE *file;
	int fd;

	*f = (struct jsonfile){0};
	if (asprintf(&f->name, "%s%s%s", dir,
		    length == 0 || dir[length - 1] == '/' ? "" : "/",
		    name) == -1) {
		f->name = NULL;
		f->code = ENOMEM;
		return;
	}
	/* Without O_NONBLOCK a FIFO would make us wait for its writer. */
	fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		jsonfile_fail(f, errno, "%s: open: %m", f->name);
		return;
	}
	file = check_file(f, fd);
	if (file != NULL) {
		read_file(f, file);
		(void)fclose(file);
		return;
	}
	jsonfile_fail(f, errno, "%s: fdopen: %m", f->name);
	close(fd);
}

void
jsonfile_free(struct jsonfile *f)
{
	free(f->name);
	free(f->error);
	json_decref(f->root);
	*f = (struct jsonfile){0};
}

/* --- The types ----------------------------------------------------------- */

/* json_object_get for a name that does not end with NUL. It needs no memory,
 * so what it does not find is not there. */
static json_t *
get_member(json_t *object, const char *name, size_t length)
{
	void *i = json_object_iter(object);

	for (; i != NULL; i = json_object_iter_next(object, i)) {
		const char *key = json_object_iter_key(i);

		if (strncmp(key, name, length) == 0 && key[length] == '\0')
			return json_object_iter_value(i);
	}
	return NULL;
}

json_t *
jsonfile_get(const struct jsonfile *f, const char *path)
{
	json_t *value = f->root;

	while (*path != '\0') {
		size_t length = strcspn(path, ".");

		value = get_member(value, path, length);
		path += length + (path[length] == '.');
	}
	return value;
}

/* A double counts where it stands for an integer that jansson does not hold.
 * All doubles from 2^63 on are whole. */
static bool
is_whole(const json_t *value, double min, double max)
{
	double number = json_number_value(value);

	return (json_is_integer(value) ||
		       (json_is_real(value) && number >= 0x1p63)) &&
	       number >= min && number <= max;
}

/* Of a string. */
static bool
is_variable(const json_t *value)
{
	const char *text = json_string_value(value);

	return text[0] != '=' && strchr(text, '=') != NULL;
}

static const char *
mismatch_number(const json_t *value, int kind)
{
	switch (kind) {
	case JSONFILE_UINT16:
		return is_whole(value, 0, UINT16_MAX)
			       ? NULL
			       : "a whole number from 0 to 65535";
	case JSONFILE_INT32:
		return is_whole(value, INT32_MIN, INT32_MAX)
			       ? NULL
			       : "a whole number of 32 bits";
	case JSONFILE_UINT32:
		return is_whole(value, 0, UINT32_MAX)
			       ? NULL
			       : "a whole number from 0 to 4294967295";
	case JSONFILE_ID:
		return is_whole(value, 0, UINT32_MAX - 1)
			       ? NULL
			       : "a whole number from 0 to 4294967294";
	case JSONFILE_INT64:
		return is_whole(value, -0x1p63, 0x1p63)
			       ? NULL
			       : "a whole number of 64 bits";
	default:
		return is_whole(value, 0, 0x1p64)
			       ? NULL
			       : "a whole number from 0 to 18446744073709551615";
	}
}

/* Returns NULL when the value is of the kind, else what was expected. */
static const char *
mismatch(const json_t *value, int kind)
{
	bool string = json_is_string(value);

	kind &= JSONFILE_KIND;
	switch (kind) {
	case JSONFILE_OBJECT:
		return json_is_object(value) ? NULL : "an object";
	case JSONFILE_STRING:
		return string ? NULL : "a string";
	case JSONFILE_PATH:
		if (string && json_string_value(value)[0] == '/')
			return NULL;
		return string ? "an absolute path" : "a string";
	case JSONFILE_VARIABLE:
		if (string && is_variable(value))
			return NULL;
		return string ? "NAME=VALUE" : "a string";
	case JSONFILE_BOOLEAN:
		return json_is_boolean(value) ? NULL : "true or false";
	default:
		return mismatch_number(value, kind);
	}
}

/* The elements of an array or the members of a map. */
static void
check_parts(struct jsonfile *f, json_t *whole, int kind, const char *path)
{
	const char *expected;

	for (size_t i = 0; i < json_array_size(whole); i++) {
		const json_t *part = json_array_get(whole, i);

		expected = mismatch(part, kind);
		if (expected != NULL)
			jsonfile_fault(f, part, expected, "%s[%zu]", path, i);
	}
	for (void *i = json_object_iter(whole); i != NULL;
		i = json_object_iter_next(whole, i)) {
		const json_t *part = json_object_iter_value(i);

		expected = mismatch(part, kind);
		if (expected != NULL)
			jsonfile_fault(f, part, expected, "%s.%.60s", path,
				json_object_iter_key(i));
	}
}

static void
check_value(struct jsonfile *f, json_t *value, int kind, const char *path)
{
	const char *expected = mismatch(value, kind);

	if ((kind & JSONFILE_ARRAY) != 0)
		expected = json_is_array(value) ? NULL : "an array";
	if ((kind & JSONFILE_MAP) != 0)
		expected = json_is_object(value) ? NULL : "an object";
	if (expected != NULL)
		jsonfile_fault(f, value, expected, "%s", path);
	else if (kind > JSONFILE_KIND)
		check_parts(f, value, kind, path);
}

/* Called with each holder of a field that is there, and its JSON path. */
typedef void
found_holder(struct jsonfile *f, const struct jsonfile_field *field,
	const json_t *holder, const char *path, void *data);

struct search {
	const struct jsonfile_field *field;
	found_holder *found;
	void *data;
};

/* A JSON path and the name of a member of what is there. To be freed. */
static char *
join(struct jsonfile *f, const char *path, const char *name, size_t length)
{
	char *joined;

	if (asprintf(&joined, "%s%s%.*s", path, path[0] == '\0' ? "" : ".",
		    (int)length, name) == -1)
		joined = NULL;
	return jsonfile_checked(f, joined);
}

/* Find the holders. path is that of the value, rest what is still to go. */
static void
search( // NOLINT(misc-no-recursion)
	struct jsonfile *f, const struct search *s, json_t *value,
	const char *path, const char *rest)
{
	size_t length = strcspn(rest, ".");
	char *next;

	for (size_t i = 0; f->code == 0 && i < json_array_size(value); i++) {
		if (asprintf(&next, "%s[%zu]", path, i) == -1)
			next = NULL;
		if (jsonfile_checked(f, next) != NULL)
			search(f, s, json_array_get(value, i), next, rest);
		free(next);
	}
	if (f->code != 0 || !json_is_object(value))
		return;
	if (length == 0) {
		s->found(f, s->field, value, path, s->data);
		return;
	}
	next = join(f, path, rest, length);
	if (next != NULL)
		search(f, s, get_member(value, rest, length), next,
			rest + length + (rest[length] == '.'));
	free(next);
}

static void
check_member(struct jsonfile *f, const struct jsonfile_field *field,
	const json_t *holder, const char *path, void *data)
{
	json_t *value = json_object_get(holder, field->name);
	char *whole;

	(void)data;
	if (value == NULL && (field->flags & JSONFILE_REQUIRED) == 0)
		return;
	whole = join(f, path, field->name, strlen(field->name));
	if (whole != NULL)
		check_value(f, value, field->kind, whole);
	free(whole);
}

void
jsonfile_check(
	struct jsonfile *f, const struct jsonfile_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct search s = {&fields[i], check_member, NULL};

		search(f, &s, f->root, "", fields[i].holder);
	}
}

bool
jsonfile_asks(const json_t *value)
{
	if (json_is_string(value))
		return json_string_length(value) > 0;
	if (json_is_array(value))
		return json_array_size(value) > 0;
	if (json_is_number(value))
		return json_number_value(value) != 0;
	return json_is_true(value) || json_is_object(value);
}

static void
list_member(struct jsonfile *f, const struct jsonfile_field *field,
	const json_t *holder, const char *path, void *paths)
{
	char *whole = NULL;

	if (!jsonfile_asks(json_object_get(holder, field->name)))
		return;
	whole = join(f, path, field->name, strlen(field->name));
	if (whole != NULL)
		jsonfile_append(f, paths,
			f->prefix == NULL
				? json_string(whole)
				: json_sprintf("%s.%s", f->prefix, whole));
	free(whole);
}

void
jsonfile_asked(struct jsonfile *f, const struct jsonfile_field *fields,
	size_t count, int flag, json_t *paths)
{
	for (size_t i = 0; i < count; i++) {
		struct search s = {&fields[i], list_member, paths};

		if ((fields[i].flags & flag) != 0)
			search(f, &s, f->root, "", fields[i].holder);
	}
}

/* --- The values ---------------------------------------------------------- */

long long
jsonfile_integer(const json_t *value)
{
	if (json_is_real(value))
		return LLONG_MAX;
	return json_integer_value(value);
}

uint64_t
jsonfile_unsigned(const json_t *value)
{
	double number = json_real_value(value);

	if (number >= 0x1p64)
		return UINT64_MAX;
	if (json_is_real(value))
		return (uint64_t)number;
	return (uint64_t)json_integer_value(value);
}

void *
jsonfile_room(struct jsonfile *f, const json_t *array, size_t size)
{
	size_t count = json_array_size(array);
	void *room = calloc(count == 0 ? 1 : count, size);

	if (room == NULL)
		jsonfile_checked(f, NULL);
	return room;
}

char *
jsonfile_string(struct jsonfile *f, const json_t *value)
{
	return jsonfile_checked(f, strdup(json_string_value(value)));
}

/* One block: the pointers, then the texts that they point to. */
char **
jsonfile_strings(struct jsonfile *f, const json_t *array)
{
	size_t count = json_array_size(array), size = 0;
	char **list, *text;

	for (size_t i = 0; i < count; i++)
		size += json_string_length(json_array_get(array, i)) + 1;
	list = malloc((count + 1) * sizeof(*list) + size);
	if (list == NULL) {
		jsonfile_checked(f, NULL);
		return NULL;
	}
	text = (char *)(list + count + 1);
	for (size_t i = 0; i < count; i++) {
		list[i] = text;
		text = stpcpy(text,
			       json_string_value(json_array_get(array, i))) +
		       1;
	}
	list[count] = NULL;
	return list;
}
