#include "caps.h"

#include <stddef.h>
#include <strings.h>

#include "die.h"

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

int
caps_parse(const char *name, cap_value_t *capability)
{
	if (cap_from_name(name, capability) == -1)
		return -1;
	char *full = cap_to_name(*capability);
	if (full == NULL)
		die("cap_to_name");
	int result = strcasecmp(full, name) == 0 ? 0 : -1;
	cap_free(full);
	return result;
}

uint64_t
caps_permitted(void)
{
	cap_t caps = cap_get_proc();
	uint64_t set = 0;

	if (caps == NULL)
		die("capget");
	for (cap_value_t cap = 0; cap < (cap_value_t)cap_max_bits(); cap++) {
		cap_flag_value_t value;

		if (cap_get_flag(caps, cap, CAP_PERMITTED, &value) == -1)
			die("cap_get_flag");
		set |= (uint64_t)(value == CAP_SET) << cap;
	}
	cap_free(caps);
	return set;
}
