/*
 * user: the name of a user. Only /etc/passwd is asked: what getpwuid(3) asks
 * besides, it loads as a shared library, and the programs are static where
 * they can be, because they start faster then.
 */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <sys/types.h>

/* The name, or the number as text where /etc/passwd has none. The caller frees
 * it. Ends by die when memory is short. */
char *user_name(uid_t uid);

#endif
