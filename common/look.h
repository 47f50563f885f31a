/*
 * look: one look at all namespaces and processes: at this machine now, or at a
 * snapshot of one. What it shows of a process in detail is read when it is
 * asked for, and not before: that costs three files a process.
 */
#ifndef COMMON_LOOK_H
#define COMMON_LOOK_H

#include <stdbool.h>
#include <sys/types.h>

#include "scan.h"

enum { LOOK_USERS = 64 };

/* The name of a user, kept because the same few come again and again. */
struct look_user {
	uid_t uid;
	char *name; /* NULL: this place is free */
};

struct look {
	struct scan scan;
	bool live;    /* this machine now */
	bool holders; /* also threads, descriptors and bind mounts were asked */
	char *way;    /* of a snapshot, else NULL */
	struct look_user users[LOOK_USERS];
};

/* Look at this machine; how as in scan_take. Ends by die. look_free gives back
 * what the look holds. */
void look_take(struct look *look, int how);

/*
 * Look at the snapshot in a file.
 * Returns 0, or -1 with one line in *error, which the caller frees; it is NULL
 * when memory was out.
 */
int look_from(struct look *look, const char *path, char **error);

/* One process with its details, or NULL when they are not to be had: it has
 * ended meanwhile. */
const struct scan_process *look_details(struct look *look, int process);

/* The name of a user of this machine; a number when there is none, and in a
 * snapshot, which may be another machine's. It belongs to the look. */
const char *look_user(struct look *look, uid_t uid);

/* Is it one of the namespaces of the process that looked? */
bool look_is_host(const struct look *look, int space);

void look_free(struct look *look);

#endif
