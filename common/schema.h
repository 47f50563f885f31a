/*
 * schema: the properties that the OCI runtime specification knows (1.0 to 1.3),
 * each with its type. Those of other platforms than Linux are not here: a
 * runtime ignores them, as it ignores what the specification does not know.
 */
#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include "jsonfile.h"

/* See the members of struct bundle that bear these names. */
enum {
	SCHEMA_UNAPPLIED = JSONFILE_USER,
	SCHEMA_UNSUPPORTED = JSONFILE_USER * 2
};

/* config.json without what is in "process". */
extern const struct jsonfile_field schema_config[];
extern const size_t schema_config_count;

/* What is in "process". */
extern const struct jsonfile_field schema_process[];
extern const size_t schema_process_count;

#endif
