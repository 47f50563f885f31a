#include "resources.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A limit of 0 is none, as with runc; -1 lifts a limit. */
static struct bundle_number
read_limit(struct jsonfile *f, const char *path, long long min)
{
	const json_t *value = jsonfile_get(f, path);

	jsonfile_range(f, value, min, LLONG_MAX, "%s", path);
	return (struct bundle_number){
		jsonfile_asks(value), jsonfile_integer(value)};
}

/* A list of CPUs or memory nodes, see cpuset(7). */
static char *
read_list(struct jsonfile *f, const char *path)
{
	const json_t *value = jsonfile_get(f, path);

	if (!jsonfile_asks(value))
		return NULL;
	if (json_string_value(value)[strspn(
		    json_string_value(value), "0123456789,-:/")] != '\0')
		jsonfile_fault(f, value, "a list as in \"0-3,7\"", "%s", path);
	return jsonfile_string(f, value);
}

static void
read_memory(struct jsonfile *f, struct bundle_resources *r)
{
	r->memory_limit = read_limit(f, "linux.resources.memory.limit", -1);
	r->memory_reservation =
		read_limit(f, "linux.resources.memory.reservation", -1);
	r->memory_swap = read_limit(f, "linux.resources.memory.swap", -1);
	/* It is the sum of both. */
	if (r->memory_swap.value > 0 &&
		r->memory_swap.value < r->memory_limit.value)
		jsonfile_fault(f,
			jsonfile_get(f, "linux.resources.memory.swap"),
			"no less than the memory limit",
			"linux.resources.memory.swap");
}

/* -1 is any, as when it is not given. */
static struct bundle_number
read_device_number(struct jsonfile *f, const json_t *rule, size_t i,
	const char *name, long long max)
{
	const json_t *value = json_object_get(rule, name);
	long long number = jsonfile_integer(value);

	jsonfile_range(
		f, value, -1, max, "linux.resources.devices[%zu].%s", i, name);
	return (struct bundle_number){value != NULL && number != -1, number};
}

static void
read_rule(struct jsonfile *f, const json_t *element, size_t i,
	struct bundle_device_rule *rule)
{
	const json_t *type = json_object_get(element, "type");
	const json_t *access = json_object_get(element, "access");
	const char *letters = json_string_value(access);

	rule->allow = json_is_true(json_object_get(element, "allow"));
	rule->type = 'a';
	if (jsonfile_asks(type))
		rule->type = json_string_value(type)[0];
	if (strchr("abc", rule->type) == NULL || json_string_length(type) > 1)
		jsonfile_fault(f, type, "a, b or c",
			"linux.resources.devices[%zu].type", i);
	rule->major =
		read_device_number(f, element, i, "major", BUNDLE_MAX_MAJOR);
	rule->minor =
		read_device_number(f, element, i, "minor", BUNDLE_MAX_MINOR);
	rule->read = strchr(letters, 'r') != NULL;
	rule->write = strchr(letters, 'w') != NULL;
	rule->make = strchr(letters, 'm') != NULL;
	if (letters[0] == '\0' || letters[strspn(letters, "rwm")] != '\0')
		jsonfile_fault(f, access, "some of r, w and m",
			"linux.resources.devices[%zu].access", i);
}

static void
read_rules(struct jsonfile *f, struct bundle_resources *r)
{
	const json_t *array = jsonfile_get(f, "linux.resources.devices");

	r->devices = jsonfile_room(f, array, sizeof(*r->devices));
	if (r->devices == NULL)
		return;
	r->device_count = json_array_size(array);
	for (size_t i = 0; i < r->device_count; i++)
		read_rule(f, json_array_get(array, i), i, &r->devices[i]);
}

/* The names are those of files in the container's cgroup, and lead to no
 * other. */
static void
read_unified(struct jsonfile *f, struct bundle_resources *r)
{
	json_t *unified = jsonfile_get(f, "linux.resources.unified");
	const char *name;
	json_t *value;

	json_object_foreach(unified, name, value)
		if (name[0] == '\0' || strchr(name, '/') != NULL ||
			strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			jsonfile_fault(f, value, "the name of a file",
				"linux.resources.unified.%.60s", name);
	r->unified = unified;
}

void
resources_read(struct jsonfile *f, struct bundle_resources *r)
{
	read_memory(f, r);
	r->cpu_shares = read_limit(f, "linux.resources.cpu.shares", 0);
	r->cpu_quota = read_limit(f, "linux.resources.cpu.quota", -1);
	r->cpu_period = read_limit(f, "linux.resources.cpu.period", 0);
	r->cpus = read_list(f, "linux.resources.cpu.cpus");
	r->mems = read_list(f, "linux.resources.cpu.mems");
	r->pids_limit = read_limit(f, "linux.resources.pids.limit", -1);
	read_rules(f, r);
	read_unified(f, r);
}

void
resources_free(struct bundle_resources *r)
{
	free(r->cpus);
	free(r->mems);
	free(r->devices);
}
