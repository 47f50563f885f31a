/*
 * caps: is this capability in our effective set? Ask for capabilities, not for
 * uid 0: root may lack some, and another user may have some. See
 * capabilities(7) and libcap(3).
 */
#ifndef COMMON_CAPS_H
#define COMMON_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/capability.h>

/* Our permitted set, a bit for each capability. Ends by die. */
uint64_t caps_permitted(void);

/* The capability of a name like CAP_KILL; case does not matter. What libcap
 * takes beside its own names, numbers and what has a name in front of a comma
 * or a blank, is none. Returns 0, or -1. */
int caps_parse(const char *name, cap_value_t *capability);

/* Is it in the effective set of the calling process? False on an error. */
bool caps_have(cap_value_t capability);

#endif
