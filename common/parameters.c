#include "parameters.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Those that each namespace of a type has for itself, below /proc/sys. A name
 * that ends with "/" stands for all below it. */
static const struct {
	const char *path;
	int flag;
} parameters[] = {
	{"net/", CLONE_NEWNET},
	{"fs/mqueue/", CLONE_NEWIPC},
	{"kernel/msgmax", CLONE_NEWIPC},
	{"kernel/msgmnb", CLONE_NEWIPC},
	{"kernel/msgmni", CLONE_NEWIPC},
	{"kernel/sem", CLONE_NEWIPC},
	{"kernel/shmall", CLONE_NEWIPC},
	{"kernel/shmmax", CLONE_NEWIPC},
	{"kernel/shmmni", CLONE_NEWIPC},
	{"kernel/shm_rmid_forced", CLONE_NEWIPC},
	{"kernel/domainname", CLONE_NEWUTS},
};

/* Where the container has no namespace of the type to itself. */
static const char *
refuse_all(int flag)
{
	if (flag == CLONE_NEWNET)
		return "none without a network namespace";
	if (flag == CLONE_NEWIPC)
		return "none without an ipc namespace";
	return "none without a uts namespace";
}

/* "net.ipv4.conf.eth0/1.forwarding" is net/ipv4/conf/eth0.1/forwarding, and the
 * other way round, see sysctl(8). */
static void
swap_separators(char *name)
{
	for (; *name != '\0'; name++)
		if (*name == '.' || *name == '/')
			*name = *name == '.' ? '/' : '.';
}

/* Is there nothing in it that leads elsewhere? */
static bool
is_plain(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (length == 0 || strncmp(path, ".", length) == 0 ||
			strncmp(path, "..", length) == 0)
			return false;
		if (path[length] == '\0')
			return true;
		path += length + 1;
	}
}

/* Returns NULL when the parameter may be set, else what was expected. */
static const char *
refuse(const struct bundle *b, const char *path)
{
	if (!is_plain(path))
		return "a name as in sysctl(8)";
	if (strcmp(path, "kernel/hostname") == 0)
		return "the property hostname in its place";
	for (size_t i = 0; i < COUNT(parameters); i++) {
		const char *known = parameters[i].path;
		size_t length = strlen(known);

		if (strncmp(path, known, length) == 0 &&
			(known[length - 1] == '/' || path[length] == '\0'))
			return bundle_is_separate(b, parameters[i].flag)
				       ? NULL
				       : refuse_all(parameters[i].flag);
	}
	return "a parameter that a namespace has for itself";
}

static void
read_one(struct jsonfile *f, const struct bundle *b, const char *key,
	const json_t *value, struct bundle_pair *pair)
{
	char *path = jsonfile_checked(f, strdup(key));
	const char *expected;

	pair->name = jsonfile_checked(f, strdup(key));
	pair->value = jsonfile_string(f, value);
	if (path != NULL && pair->name != NULL) {
		/* The first separator says which of the two it is. */
		swap_separators(
			key[strcspn(key, "./")] == '/' ? pair->name : path);
		expected = refuse(b, path);
		if (expected != NULL)
			jsonfile_fault(
				f, value, expected, "linux.sysctl.%.60s", key);
	}
	free(path);
}

void
parameters_read(struct jsonfile *f, struct bundle *b)
{
	json_t *object = jsonfile_get(f, "linux.sysctl"), *value;
	const char *key;

	b->sysctls = calloc(json_object_size(object) + 1, sizeof(*b->sysctls));
	if (b->sysctls == NULL) {
		jsonfile_checked(f, NULL);
		return;
	}
	json_object_foreach(object, key, value) {
		read_one(f, b, key, value, &b->sysctls[b->sysctl_count++]);
	}
}
