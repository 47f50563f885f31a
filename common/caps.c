#include "caps.h"

#include <stddef.h>

bool
caps_have(cap_value_t capability)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps == NULL)
		return false;
	if (cap_get_flag(caps, capability, CAP_EFFECTIVE, &value) == -1)
		value = CAP_CLEAR;
	cap_free(caps);
	return value == CAP_SET;
}
