/*
 * runc: the reference runtime, where it is installed, to be looked at beside
 * what a lesson does.
 */
#ifndef COMMON_RUNC_H
#define COMMON_RUNC_H

#include <stdbool.h>

/* Is there a program `runc` in the PATH? */
bool runc_is_installed(void);

/*
 * `runc run` of a bundle, with /bin/true as its command and without a
 * terminal. To be called by a child, which becomes runc's parent; it exits as
 * runc does.
 *
 * A runc that is killed leaves its cgroups. So this process neither dies with
 * its parent nor hears Ctrl-C, and stays until runc has ended, which takes
 * less than a second. What runc writes into /run is in a mount namespace of
 * its own, and ends with it. Needs CAP_SYS_ADMIN; ends by die.
 */
void runc_keep(const char *bundle) __attribute__((noreturn));

#endif
