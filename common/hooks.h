/*
 * hooks: programs that config.json names, run at fixed points of a container's
 * life. Each gets the container's state as JSON on its standard input. See
 * config.md, "POSIX-platform Hooks".
 */
#ifndef COMMON_HOOKS_H
#define COMMON_HOOKS_H

#include "bundle.h"
#include "state.h"

/*
 * Run the hooks of one kind, one after the other.
 * status: what the state says at this point, "creating" or another word of
 * runtime.md. state: its pid must be right as the hook's /proc sees it.
 * Returns 0; or -1 when one could not be run, has failed or took longer than
 * its timeout, and says so in a line on standard error. The others are then
 * left out.
 */
int hooks_run(const struct bundle *bundle, enum bundle_hook_kind kind,
	const struct state *state, const char *status);

#endif
