/*
 * jsonfile: a JSON file that somebody else has written. It is read without
 * trust, its types are checked against a table, and a fault is told in one
 * line: the file, the JSON path, what was found, what was expected.
 *
 * The first fault is kept, and the functions below do nothing to it. So a
 * caller looks once, in the end, whether code is still 0.
 */
#ifndef COMMON_JSONFILE_H
#define COMMON_JSONFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes. */
enum { JSONFILE_MAX = 1 << 20 };

struct jsonfile {
	char *name;	    /* as it is called in the line */
	json_t *root;	    /* the object that the file holds */
	const char *prefix; /* where root stands, for JSON paths; NULL unless
			       somebody reads a part as if it were the whole */
	char *error;	    /* the line; NULL when there was no memory for it */
	int code;	    /* errno of the fault, 0 as long as there is none */
};

/* The type of a property. */
enum jsonfile_kind {
	JSONFILE_OBJECT = 1,
	JSONFILE_STRING,
	JSONFILE_PATH,	   /* a string that begins with "/" */
	JSONFILE_VARIABLE, /* a string NAME=VALUE */
	JSONFILE_BOOLEAN,
	JSONFILE_UINT16,
	JSONFILE_INT32,
	JSONFILE_UINT32,
	JSONFILE_ID, /* of a user or group: UINT32 but for (uid_t)-1 */
	JSONFILE_INT64,
	JSONFILE_UINT64,
	JSONFILE_KIND = 15,  /* the bits for one of the above */
	JSONFILE_ARRAY = 16, /* an array of it */
	JSONFILE_MAP = 32    /* an object whose members all are of it */
};

enum {
	JSONFILE_REQUIRED = 1, /* wherever its holder is there */
	JSONFILE_USER = 2      /* the first flag that has its meaning for you */
};

/* A property and where it may stand: "" for the top, "a.b" for what is there.
 * Where an array is on the way, it may stand in each element. */
struct jsonfile_field {
	const char *holder;
	const char *name;
	int kind;
	int flags;
};

/*
 * Read the file `name` in a directory. Refused, with EINVAL or EFBIG: what is
 * no regular file (a FIFO does not block), more than JSONFILE_MAX bytes, text
 * that is not UTF-8, names given twice, nesting deeper than 2048, \u0000 in a
 * string, anything after the end, and what is not an object.
 *
 * folder: its descriptor, O_PATH will do, or AT_FDCWD; dir: its name, for the
 * line, or "".
 * What f holds is given back by jsonfile_free.
 */
void jsonfile_load(
	struct jsonfile *f, int folder, const char *dir, const char *name);

void jsonfile_free(struct jsonfile *f);

/* Check all types. List holders before their members. */
void jsonfile_check(
	struct jsonfile *f, const struct jsonfile_field *fields, size_t count);

/* Append the JSON path of each property with this flag, where it is there and
 * asks for something. */
void jsonfile_asked(struct jsonfile *f, const struct jsonfile_field *fields,
	size_t count, int flag, json_t *paths);

/* Is there something to be done for this value? Not for NULL, false, 0, "" and
 * an empty array. */
bool jsonfile_asks(const json_t *value);

/* Report: found this value, expected that. The format makes the JSON path. */
void
jsonfile_fault(struct jsonfile *f, const json_t *value, const char *expected,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Report a number that is not from min to max. It may be NULL. */
void jsonfile_range(struct jsonfile *f, const json_t *value, long long min,
	long long max, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Report anything else, with an errno. */
void jsonfile_fail(struct jsonfile *f, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Append a text to a list. Takes it; it is NULL when memory was out. */
void jsonfile_append(struct jsonfile *f, json_t *list, json_t *text);

/* Pass a text on, and report that memory is out where it is NULL. */
char *jsonfile_checked(struct jsonfile *f, char *text);

/* A string or a number as it stands in the file, in ASCII and not longer than
 * a line. To be freed. NULL when memory is out. */
char *jsonfile_quote(const json_t *value);

/* What stands at the path "a.b", or NULL. It belongs to f. */
json_t *jsonfile_get(const struct jsonfile *f, const char *path);

/* A number that was checked; 0 for NULL. One that the type does not hold
 * becomes the largest that it does. */
long long jsonfile_integer(const json_t *value);
uint64_t jsonfile_unsigned(const json_t *value);

/* Room for all elements of an array, at least one, so many bytes each, all 0.
 * To be freed. */
void *jsonfile_room(struct jsonfile *f, const json_t *array, size_t size);

/* A copy of a string, to be freed. */
char *jsonfile_string(struct jsonfile *f, const json_t *value);

/* Copies of an array's strings and NULL, in one block for free(3). The array
 * may be NULL: then there are none. */
char **jsonfile_strings(struct jsonfile *f, const json_t *array);

#endif
