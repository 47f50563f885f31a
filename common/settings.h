/*
 * settings: the options by which a command in a container differs from what
 * config.json says of its process. Nothing is believed: a number has digits
 * and nothing behind them.
 */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include <stdbool.h>

#include "bundle.h"

/* As they stand on the command line; NULL where one was not given. */
struct settings {
	char **args;	   /* the command; NULL or empty: as in config.json */
	const char *cwd;   /* absolute */
	const char **env;  /* NAME=VALUE each, ends with NULL: they are added,
			     or take the place of those that are there */
	const char *user;  /* "UID" or "UID:GID" */
	const char **caps; /* "CAP_NET_ADMIN" or "net_admin", ends with NULL:
			      added to all sets but the inheritable one, which
			      would outlive a change of user (CVE-2022-29162) */
};

/*
 * Change a process. It borrows from the settings and from what it was: *kept
 * is what was made for it, to be freed when it is no longer used.
 * Returns 0, or -1 with errno EINVAL and *error, one line to be freed. Ends by
 * die when memory is short.
 */
int settings_apply(const struct settings *settings,
	struct bundle_process *process, char ***kept, char **error);

#endif
