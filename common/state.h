/*
 * state: what a runtime must remember to find its container again. One folder
 * for each container, in a place of this user:
 *
 *	/run/nslessons/NAME/state.json		(root)
 *	$XDG_RUNTIME_DIR/nslessons/NAME/...	(others; /tmp/nslessons-UID
 *						where there is none)
 *
 * A PID is used again after its process has ended, and after a reboot. So the
 * state holds the start time (field 22 of /proc/PID/stat) and the boot ID,
 * too, and a process counts only if all three are right. PIDs, start times and
 * paths of cgroups are those of one PID, one time and one cgroup namespace; in
 * another, a state is left alone, unless its cgroup is known to be empty.
 *
 * Two locks (flock(2)) keep order. The lock of the folder of all states is
 * held for a moment by whoever looks or changes something. The lock of a
 * container's own folder is held by its runner: when it is free, the runner
 * has ended, however it ended.
 */
#ifndef COMMON_STATE_H
#define COMMON_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum state_status {
	STATE_CREATING, /* its runner is at work */
	STATE_RUNNING,
	STATE_STOPPED
};

struct state {
	char *name;
	char *folder;  /* NAME's own, absolute */
	int lock;      /* of its runner, else -1: the folder itself. It is held
			  as long as a copy is open, so a child closes it. */
	bool detached; /* goes on without its runner, see state_release */
	pid_t pid;     /* of the container's init as the host sees it, 0 before
			  it is there */
	unsigned long long start; /* its start time, clock ticks since boot */
	char *created;		  /* RFC 3339, UTC */
	uid_t owner;
	char *owner_name; /* as the host calls him; NULL: not looked up */
	enum state_status status; /* as state_find or state_each found it */

	/* These belong to who has claimed it, and stay his. Of a state that was
	 * found they belong to the state. */
	const char *bundle, *rootfs; /* absolute paths, "" when not known */
	char *const *cgroups; /* cgroup.folders, or NULL; ends with NULL */
	json_t *process;      /* "process" of config.json, or NULL */
	json_t *annotations;  /* an object or NULL */

	json_t *file; /* for state_free: what was read */
	char **list;
};

/* As runtime.md calls a status. */
extern const char *const state_words[];

/* What is said of one that is none, a format for it. */
#define STATE_NO_NAME                                                         \
	"`%s` is no name: expected 1 to 255 of the letters, digits and _+-.," \
	" and no . in front"

/* "Is it a name?" as runc has it: letters, digits, "_", "+", "-", ".", not ".",
 * not "..", no leading ".", 1 to 255 bytes. */
bool state_is_name(const char *name);

/*
 * In all functions below, root is the folder that holds the states; NULL for
 * the usual one, see above. It is also found by who has entered a user
 * namespace of his own (need_privilege). A folder that belongs to another user
 * or that others can write to is refused: EPERM.
 *
 * *error is one line for the reader, to be freed. All end by die when memory
 * is short.
 */

/*
 * Take a name: make its folder and lock it, so that of two runners one is
 * refused. What a dead runner or a stopped container has left under the name
 * is cleaned up first (cgroups, folder), and said on standard error in one
 * line.
 * Returns 0, or -1 with errno and *error: EEXIST when a container of that name
 * is running or being started, EINVAL when it is no name.
 */
int state_claim(
	struct state *state, const char *root, const char *name, char **error);

/* Write state.json, in one step (renameat2(2)), mode 0600. Before the PID is
 * known: pid 0; the cgroups must be in it before they are made, or nobody
 * could clean them up. For who has claimed it. Returns 0, or -1 with errno. */
int state_write(const struct state *state);

/* Unlock, but keep the folder: for a container that goes on without us. Until
 * this call, the end of the runner is the end of the container: it is killed
 * by who finds it. Returns 0, or -1 with errno: then it is still so. */
int state_release(struct state *state);

/*
 * Remove what is left of a stopped container: its cgroups, then the folder.
 * For who has claimed it, and for who has found it: then, if its runner is
 * still alive, it is given 5 s to do it by itself; and if the name is another
 * container's by now, nothing is done.
 * Returns 0, or -1 with errno: EBUSY when it is not stopped.
 */
int state_remove(struct state *state);

/*
 * Find a container by its name. A folder whose runner died before there was a
 * container, or whose state is cut off, from another boot, or of a PID that is
 * another process's now, is cleaned up, said, and then not there.
 * pidfd: where not NULL, set to a pidfd(2) of the init, opened before the start
 * time was compared: it stands for that process and never for another; -1 when
 * there is none. (Linux 5.3.)
 * Returns 0, or -1 with errno and *error: ENOENT no such container.
 */
int state_find(struct state *state, const char *root, const char *name,
	int *pidfd, char **error);

/* All containers in the order of their names. *states is an array to be freed,
 * after state_free of each. Stale ones are cleaned up and said. Returns how
 * many, or -1 with errno and *error. */
int state_each(const char *root, struct state **states, char **error);

/* The state as the OCI specification has it (runtime.md, "State"): ociVersion,
 * id, status, pid (left out when there is none), bundle, annotations; and as
 * runc: rootfs, created, owner. For hooks and for `state`. */
json_t *state_json(const struct state *state);

/* Free what it holds, and unlock. */
void state_free(struct state *state);

#endif
