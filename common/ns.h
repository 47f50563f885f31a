/*
 * ns: a namespace is a (device, inode) pair. The table of the eight types and
 * of the ten links in /proc/PID/ns. See namespaces(7) and ioctl_ns(2).
 */
#ifndef COMMON_NS_H
#define COMMON_NS_H

#include <stdbool.h>
#include <sys/types.h>

enum { NS_TYPES = 8, NS_LINKS = 10 };

struct ns_type {
	const char *name;  /* "pid": also the name of the link */
	int flag;	   /* CLONE_NEWPID */
	const char *macro; /* "CLONE_NEWPID" */
	const char *since; /* the first kernel that has it */
	ino_t first;	   /* the inode of the one that the kernel makes at
			      boot (include/linux/proc_ns.h) */
};

/* In the order of ls -l /proc/PID/ns. */
extern const struct ns_type ns_types[NS_TYPES];

/* The names of the links: the eight types and two *_for_children. */
extern const char *const ns_links[NS_LINKS];

/*
 * Two namespaces are one when both numbers are equal and both are alive. The
 * number of a dead namespace is used again.
 */
struct ns_id {
	dev_t dev;
	ino_t ino;
};

/* Stands for the calling process, as it is seen by the /proc that is mounted
 * here. getpid() would be wrong in a new PID namespace under an old /proc. */
enum { NS_SELF = 0 };

/*
 * Find the namespace that a link of a process leads to: stat(2) follows
 * /proc/PID/ns/LINK to the object itself.
 * Returns 0, or -1 with errno: ENOENT (no such process or link, or the
 * namespace for children has no PID 1 yet), EACCES (not our process).
 */
int ns_get(pid_t pid, const char *link, struct ns_id *id);

/* The same for a link that must be there. Ends by die. */
struct ns_id ns_look(pid_t pid, const char *link);

/* The namespaces of the calling process, in the order of ns_types; the inode is
 * 0 where the kernel does not have the type, or the link may not be read. */
void ns_own(struct ns_id ids[NS_TYPES]);

/* CLONE_NEW* of the types in which a process is elsewhere than we. To join
 * one's own user namespace once more is an error, so setns(2) is asked for no
 * more than these. Ends by die. */
int ns_different(pid_t pid);

/* The place in ns_types of a CLONE_NEW* flag; NS_TYPES when it is none. */
int ns_type_of(int flag);

/*
 * Read a namespace as readlink(1) shows it, pid:[4026531836], or its inode
 * alone. type: its place in ns_types; for a bare inode NS_TYPES.
 * Returns whether the text is one of the two; an inode is never 0.
 */
bool ns_parse(const char *text, int *type, ino_t *ino);

/* Does this kernel have the type? And how many of the eight has it? */
bool ns_exists(const struct ns_type *type);
int ns_count(void);

/* The path of that link, for messages. Ends by die when memory is short. The
 * caller frees it. */
char *ns_path(pid_t pid, const char *link);

bool ns_same(struct ns_id a, struct ns_id b);

#endif
