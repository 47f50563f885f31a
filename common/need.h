/*
 * need: what a lesson needs of the machine, found out by trying. Each function
 * returns when it is there; else it says what is missing and the cure, and
 * ends the lesson with exit code 77.
 */
#ifndef COMMON_NEED_H
#define COMMON_NEED_H

/* A /proc of our own PID namespace. */
void need_proc(void);

/*
 * The right to make namespaces: CAP_SYS_ADMIN. Without it, the calling process
 * enters a user namespace of its own, in which it has that right over all
 * that it makes itself, and says so in one line (user_namespaces(7)).
 */
void need_privilege(void);

/* The right to make a user namespace, for who has no CAP_SYS_ADMIN: a child
 * tries it, with its maps. */
void need_user_namespace(void);

/* New namespaces of these types (CLONE_NEW* flags): a child tries each. */
void need_namespaces(int flags);

/* A new /proc in a new PID namespace: a child tries it. The kernel refuses one
 * that would show more than the /proc that is here. */
void need_mount_proc(void);

/* The folder of our bundle, which stands beside the program. The caller frees
 * the path. */
char *need_bundle(void);

#endif
