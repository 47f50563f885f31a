#include "process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "caps.h"
#include "schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

static void
read_command(struct jsonfile *f, struct bundle_process *process)
{
	const json_t *args = jsonfile_get(f, "args");

	if (json_array_size(args) == 0)
		jsonfile_fault(f, args, "a command", "args");
	else if (!jsonfile_asks(json_array_get(args, 0)))
		jsonfile_fault(
			f, json_array_get(args, 0), "a command", "args[0]");
	process->args = jsonfile_strings(f, args);
	process->env = jsonfile_strings(f, jsonfile_get(f, "env"));
	process->cwd = jsonfile_string(f, jsonfile_get(f, "cwd"));
}

static struct bundle_number
read_number(struct jsonfile *f, const char *path, long long min, long long max)
{
	const json_t *value = jsonfile_get(f, path);

	jsonfile_range(f, value, min, max, "%s", path);
	return (struct bundle_number){value != NULL, jsonfile_integer(value)};
}

static void
read_user(struct jsonfile *f, struct bundle_process *process)
{
	const json_t *gids = jsonfile_get(f, "user.additionalGids");

	process->uid = (uid_t)jsonfile_integer(jsonfile_get(f, "user.uid"));
	process->gid = (gid_t)jsonfile_integer(jsonfile_get(f, "user.gid"));
	process->umask = read_number(f, "user.umask", 0, 0777);
	process->gids = jsonfile_room(f, gids, sizeof(*process->gids));
	if (process->gids == NULL)
		return;
	process->gid_count = json_array_size(gids);
	for (size_t i = 0; i < process->gid_count; i++)
		process->gids[i] =
			(gid_t)jsonfile_integer(json_array_get(gids, i));
}

/*
 * libcap takes names in small letters, too; runc does not. Whether the running
 * kernel has the capability is not asked here.
 * within: what the set may have.
 */
static uint64_t
read_set(struct jsonfile *f, const char *name, uint64_t within)
{
	const json_t *array =
		json_object_get(jsonfile_get(f, "capabilities"), name);
	uint64_t set = 0;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *text = json_array_get(array, i);
		const char *expected = NULL;
		cap_value_t capability = 0;

		if (strncmp(json_string_value(text), "CAP_", 4) != 0 ||
			caps_parse(json_string_value(text), &capability) == -1)
			expected = "the name of a capability";
		else if ((within & UINT64_C(1) << capability) == 0)
			expected = "one that is permitted, too";
		if (expected != NULL)
			jsonfile_fault(f, text, expected,
				"capabilities.%s[%zu]", name, i);
		set |= UINT64_C(1) << capability;
	}
	return set;
}

static void
read_capabilities(struct jsonfile *f, struct bundle_caps *caps)
{
	caps->given = jsonfile_get(f, "capabilities") != NULL;
	caps->bounding = read_set(f, "bounding", UINT64_MAX);
	caps->inheritable = read_set(f, "inheritable", UINT64_MAX);
	caps->permitted = read_set(f, "permitted", UINT64_MAX);
	caps->ambient = read_set(f, "ambient", UINT64_MAX);
	/* capset(2) refuses any other. */
	caps->effective = read_set(f, "effective", caps->permitted);
}

/* Returns NULL when it is none of them. */
static const char *
find_limit(const char *name, int *resource)
{
	for (size_t i = 0; i < COUNT(limits); i++) {
		*resource = limits[i].resource;
		if (strcmp(limits[i].name, name) == 0)
			return limits[i].name;
	}
	return NULL;
}

static void
read_limit(struct jsonfile *f, const json_t *element, size_t i,
	struct bundle_rlimit *limit)
{
	const json_t *type = json_object_get(element, "type");
	const json_t *soft = json_object_get(element, "soft");

	limit->name = find_limit(json_string_value(type), &limit->resource);
	limit->limit.rlim_cur = jsonfile_unsigned(soft);
	limit->limit.rlim_max =
		jsonfile_unsigned(json_object_get(element, "hard"));
	if (limit->name == NULL)
		jsonfile_fault(f, type, "a known type", "rlimits[%zu].type", i);
	if (limit->limit.rlim_cur > limit->limit.rlim_max)
		jsonfile_fault(f, soft, "no more than the hard limit",
			"rlimits[%zu].soft", i);
}

static void
read_limits(struct jsonfile *f, struct bundle_process *process)
{
	const json_t *array = jsonfile_get(f, "rlimits");
	unsigned seen = 0;

	process->rlimits = jsonfile_room(f, array, sizeof(*process->rlimits));
	if (process->rlimits == NULL)
		return;
	process->rlimit_count = json_array_size(array);
	for (size_t i = 0; i < process->rlimit_count && f->code == 0; i++) {
		const json_t *element = json_array_get(array, i);
		struct bundle_rlimit *limit = &process->rlimits[i];

		read_limit(f, element, i, limit);
		if ((seen & 1U << limit->resource) != 0)
			jsonfile_fault(f, json_object_get(element, "type"),
				"each type once", "rlimits[%zu].type", i);
		seen |= 1U << limit->resource;
	}
}

static void
list_requests(
	struct jsonfile *f, struct bundle_process *process, json_t *unapplied)
{
	json_t *unsupported = json_array();

	jsonfile_asked(f, schema_process, schema_process_count,
		SCHEMA_UNSUPPORTED, unsupported);
	process->unsupported = jsonfile_strings(f, unsupported);
	json_decref(unsupported);
	if (unapplied == NULL)
		return;
	if (jsonfile_asks(jsonfile_get(f, "user.uid")) ||
		jsonfile_asks(jsonfile_get(f, "user.gid")) ||
		jsonfile_asks(jsonfile_get(f, "user.umask")) ||
		jsonfile_asks(jsonfile_get(f, "user.additionalGids")))
		jsonfile_append(f, unapplied, json_string("process.user"));
	jsonfile_asked(f, schema_process, schema_process_count,
		SCHEMA_UNAPPLIED, unapplied);
}

void
process_read(
	struct jsonfile *f, struct bundle_process *process, json_t *unapplied)
{
	jsonfile_check(f, schema_process, schema_process_count);
	if (f->code != 0)
		return;
	process->terminal = json_is_true(jsonfile_get(f, "terminal"));
	process->rows = (unsigned short)jsonfile_integer(
		jsonfile_get(f, "consoleSize.height"));
	process->columns = (unsigned short)jsonfile_integer(
		jsonfile_get(f, "consoleSize.width"));
	process->no_new_privileges =
		json_is_true(jsonfile_get(f, "noNewPrivileges"));
	process->oom_score_adj = read_number(f, "oomScoreAdj", -1000, 1000);
	read_command(f, process);
	read_user(f, process);
	read_capabilities(f, &process->caps);
	read_limits(f, process);
	list_requests(f, process, unapplied);
}
