/*
 * bundle: the folder that an OCI runtime runs. config.json in it says how, a
 * rootfs holds the files that the container sees. The format is the OCI
 * runtime specification 1.0, config.md and config-linux.md.
 */
#ifndef COMMON_BUNDLE_H
#define COMMON_BUNDLE_H

#include <stdbool.h>

/* What config.json asks for. All arrays end with NULL, none is NULL. */
struct bundle {
	char *dir;	/* the bundle, an absolute path without links */
	char *rootfs;	/* root.path, likewise: a real directory */
	bool readonly;	/* root.readonly */
	bool terminal;	/* process.terminal */
	char **args;	/* process.args, at least one */
	char **env;	/* process.env, each NAME=VALUE */
	char *cwd;	/* process.cwd, an absolute path of the container */
	char *hostname; /* 1 to 64 bytes, or NULL */
	int namespaces; /* CLONE_NEW* of those to be made, see clone(2) */
	/*
	 * What config.json asks for beyond the members above, by JSON path:
	 * settings that protect the host or the container ("process.rlimits"),
	 * namespaces to be joined ("linux.namespaces[0].path") and mounts
	 * other than a plain /proc and /dev (mounts[2] "/dev/pts").
	 * Who runs the bundle without them must say so.
	 */
	char **unapplied;
};

/*
 * Read DIR/config.json and look for the rootfs that it names.
 *
 * Properties that the specification does not know are ignored, as it demands;
 * those that it knows must have their type, even where they are not used.
 * Refused is what runc or crun refuse, and text that no JSON parser should
 * pass: more than 1 MiB, names given twice, anything after the end.
 *
 * Returns 0; bundle_free gives back what b holds. Or returns -1, sets errno
 * (EINVAL when the contents are at fault) and sets *error to one line for the
 * reader: the file, the JSON path or line and column, what was found, what was
 * expected. The caller frees it; b needs no bundle_free. *error is NULL when
 * there is no memory even for the line.
 */
int bundle_load(struct bundle *b, const char *dir, char **error);

void bundle_free(struct bundle *b);

#endif
