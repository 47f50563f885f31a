/*
 * scan: all processes and all their namespaces, in one walk of /proc, or, for
 * who may, from the kernel's own list of tasks (tasks.h). The kernel has no
 * call that lists the members of a namespace; listns(2), Linux 6.19, lists the
 * namespaces alone.
 *
 * The machine goes on meanwhile: a process that ends during the walk is left
 * out, or what was read of it stays. A process is named by its PID and its
 * start time, so what is read later is never that of another process.
 */
#ifndef COMMON_SCAN_H
#define COMMON_SCAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "ns.h"
#include "proc.h"

enum { SCAN_NONE = -1 };

/* What keeps a namespace alive; several may. */
enum scan_keeper {
	SCAN_PROCESS = 1, /* a process is in it */
	SCAN_THREAD = 2,  /* a thread that is elsewhere than its process */
	SCAN_FD = 4,	  /* an open file descriptor of a process */
	SCAN_MOUNT = 8,	  /* a bind mount of its /proc/PID/ns link */
	SCAN_CHILD = 16,  /* a namespace below it, or one that it owns */
	SCAN_FUTURE = 32, /* it is some process's *_for_children */
};

struct scan_process {
	pid_t pid, ppid;
	unsigned long long start; /* in clock ticks since boot */
	char state;		  /* one letter as in ps(1) */
	int threads;
	uid_t uid;  /* the effective one */
	char *name; /* any bytes, at most 15; a kernel thread has 63 */
	/* For each type an index into `spaces`; SCAN_NONE: may not be read. */
	int space[NS_TYPES];
	/* pid_for_children and time_for_children likewise, at the place of
	 * their type; SCAN_NONE where they are the same. */
	int future[NS_TYPES];

	/* Set by scan_details. */
	bool detailed;
	char *command; /* the arguments with blanks between them, at most 4096
			  bytes, any bytes; "" when there are none */
	char *cgroups; /* the text of /proc/PID/cgroup */
	pid_t pids[PROC_LEVELS]; /* from the outside in */
	int levels;
};

struct scan_space {
	struct ns_id id;
	int type;      /* index into ns_types */
	int processes; /* how many processes are in it */
	int oldest;    /* its oldest process, or SCAN_NONE */
	uid_t uid;     /* of its oldest process; without one, the owner's */
	int parent;    /* pid and user: the one above it, or SCAN_NONE */
	int owner;     /* the user namespace that owns it, or SCAN_NONE */
	int keepers;   /* of enum scan_keeper */
	char *keeper;  /* where no process is in it, one keeper in words, else
			  NULL: "bind mount /run/netns/blue",
			  "fd 7 of 4711 (sh)", "thread 4712 of 4711 (java)",
			  "pid_for_children of 4711 (sh)",
			  "parent of pid:[4026532395]",
			  "owner of net:[4026532397]". Any bytes. */
};

struct scan {
	struct scan_process *processes; /* ordered by PID */
	int process_count;
	struct scan_space *spaces; /* by type, then by inode */
	int space_count;
	int unreadable; /* processes whose namespaces may not be read; a zombie
			    has ended, and has none to be read */
	bool hidden;	/* /proc does not even show other users' processes: its
			option hidepid=2 */
	struct ns_id host[NS_TYPES]; /* those of the process that looked */
	const char *way; /* how: "walk of /proc", or with "eBPF" (tasks.h) or
			    "listns(2)" in it */
};

enum scan_how {
	/* Also ask each namespace for its parent and its owner, and look for
	 * what else keeps namespaces alive: threads, descriptors, bind mounts
	 * and links for children. It takes twice as long. Without it, the
	 * namespaces that only these lead to are missing, and parent, owner and
	 * future are SCAN_NONE. */
	SCAN_HOLDERS = 1,
	/* Walk, even where the kernel would tell us of its tasks (tasks.h). */
	SCAN_WALK = 2,
};

/*
 * Look. how: bits of enum scan_how.
 * Returns 0; scan_free gives back what the scan holds. Or -1 with errno.
 */
int scan_take(struct scan *scan, int how);

/*
 * Read the details of one process; twice does no harm.
 * Returns 0, or -1 with errno: ESRCH when it has ended, also when its PID is
 * another process's now.
 */
int scan_details(struct scan_process *process);

/* The index of a namespace with this inode, or of a process with this PID, or
 * SCAN_NONE. An inode is one namespace's: all types share one device. */
int scan_find_space(const struct scan *scan, ino_t ino);
int scan_find_process(const struct scan *scan, pid_t pid);

void scan_free(struct scan *scan);

#endif
