#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#include "caps.h"
#include "die.h"

static int
fail(char **error, const char *option, const char *found, const char *expected)
{
	if (asprintf(error, "--%s: found `%s`, expected %s", option, found,
		    expected) == -1)
		die("malloc");
	errno = EINVAL;
	return -1;
}

/* Digits up to `end`. The largest number stands for "none" in chown(2). */
static bool
read_id(const char *text, char end, unsigned *id, const char **rest)
{
	size_t length = strspn(text, "0123456789");
	unsigned long long number = strtoull(text, NULL, 10);

	*id = (unsigned)number;
	*rest = text + length;
	return length > 0 && length < 11 && number < UINT32_MAX &&
	       (**rest == end || **rest == '\0');
}

static int
apply_user(const char *user, struct bundle_process *process, char **error)
{
	const char *rest;
	unsigned uid, gid = process->gid;
	bool good = read_id(user, ':', &uid, &rest);

	if (good && *rest == ':')
		good = read_id(rest + 1, '\0', &gid, &rest);
	if (!good)
		return fail(error, "user", user, "UID or UID:GID, in digits");
	process->uid = uid;
	process->gid = gid;
	return 0;
}

static int
apply_cap(const char *name, struct bundle_caps *caps, char **error)
{
	cap_value_t number;
	char *full;

	if (asprintf(&full, "%s%s",
		    strncasecmp(name, "cap_", 4) == 0 ? "" : "cap_",
		    name) == -1)
		die("malloc");
	bool good = caps_parse(full, &number) == 0;
	free(full);
	if (!good)
		return fail(error, "cap", name, "a capability, CAP_NET_ADMIN");
	uint64_t bit = (uint64_t)1 << number;
	caps->given = true;
	caps->bounding |= bit;
	caps->effective |= bit;
	caps->permitted |= bit;
	return 0;
}

static size_t
count(char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

/* The list of pointers is made anew, the texts stay where they are. */
static int
apply_env(const char *const *env, struct bundle_process *process, char ***kept,
	char **error)
{
	size_t n = count(process->env);
	char **list = calloc(n + count((char *const *)env) + 1, sizeof(*list));

	if (list == NULL)
		die("malloc");
	*kept = list;
	for (size_t i = 0; i < n; i++)
		list[i] = process->env[i];
	process->env = list;
	for (; env != NULL && *env != NULL; env++) {
		size_t name = strcspn(*env, "="), i = 0;

		if (name == 0 || (*env)[name] == '\0')
			return fail(error, "env", *env, "NAME=VALUE");
		while (i < n && strncmp(list[i], *env, name + 1) != 0)
			i++;
		list[i] = (char *)*env;
		n += i == n;
	}
	return 0;
}

int
settings_apply(const struct settings *settings, struct bundle_process *process,
	char ***kept, char **error)
{
	const char *const *cap = settings->caps;

	*kept = NULL;
	if (count(settings->args) > 0)
		process->args = settings->args;
	if (settings->cwd != NULL && settings->cwd[0] != '/')
		return fail(error, "cwd", settings->cwd, "an absolute path");
	if (settings->cwd != NULL)
		process->cwd = (char *)settings->cwd;
	if (settings->user != NULL &&
		apply_user(settings->user, process, error) == -1)
		return -1;
	for (; cap != NULL && *cap != NULL; cap++)
		if (apply_cap(*cap, &process->caps, error) == -1)
			return -1;
	return apply_env(settings->env, process, kept, error);
}
