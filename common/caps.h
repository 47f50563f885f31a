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

/* Is it in the effective set of the calling process? False on an error. */
bool caps_have(cap_value_t capability);

#endif
