/*
 * snapshot: a scan in a file, to be looked at later, elsewhere, by somebody
 * without privilege. The file is one JSON document:
 *
 *   format, version   "nslessons-snapshot", 1
 *   way, holders, unreadable, host
 *                     as in struct scan; host: an array of {device, inode}
 *   namespaces        by type, then by inode: {type, device, inode, uid,
 *                     parent, owner, keepers, keeper}
 *   processes         by PID: {pid, ppid, start, state, threads, uid, name,
 *                     namespaces, future, command, cgroups, pids}
 *
 * A namespace is named by its place in `namespaces`, from 0; -1 is none.
 * namespaces and future have a place for each type, in the order of host. A
 * process that ended while it was looked at lacks the last three. Texts of
 * processes are in the form of escape_text (escape.h), so no byte is lost.
 */
#ifndef COMMON_SNAPSHOT_H
#define COMMON_SNAPSHOT_H

#include <stdbool.h>

#include "scan.h"

struct snapshot {
	struct scan scan;
	bool holders; /* what scan_take was given */
	char *way;    /* scan.way points here */
};

/*
 * Write a scan to a file, with the details that it holds. The file is there
 * as a whole or not at all: it is written under another name beside it. Its
 * mode is 0600, because arguments may be secret.
 * Returns 0, or -1 with one line in *error; the caller frees it. What exists
 * and is no regular file is not replaced.
 */
int snapshot_write(
	const struct scan *scan, bool holders, const char *path, char **error);

/*
 * Read a file that somebody has written. What a scan cannot be is refused:
 * places that lead nowhere, another order, circles, nesting deeper than the
 * kernel's 34 levels.
 * Returns 0; scan_free and free give back what is held. Or -1 with one line in
 * *error, with the file and the JSON path; the caller frees it. It is NULL when
 * memory was out.
 */
int snapshot_read(struct snapshot *snapshot, const char *path, char **error);

#endif
