/*
 * spec: a config.json to begin with, as `runc spec` writes it: sh in new
 * namespaces, with three capabilities, and with the parts of /proc that tell
 * about the host covered.
 */
#ifndef COMMON_SPEC_H
#define COMMON_SPEC_H

#include <jansson.h>
#include <stdbool.h>

/*
 * rootless: for somebody without privilege. Then there is a user namespace, in
 * which the caller's user and group are 0; and nothing that needs more than
 * that: no network namespace, no sysfs of its own, no limits.
 * Returns a new reference, or NULL when memory is out.
 */
json_t *spec_config(bool rootless);

/*
 * Write it to DIR/config.json, which must not be there yet.
 * Returns 0, or -1 with errno and *error, one line for the reader, to be freed;
 * NULL when there is no memory even for that.
 */
int spec_write(const char *dir, bool rootless, char **error);

#endif
