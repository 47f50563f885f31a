#include "cglimits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgfile.h"
#include "devices.h"
#include "die.h"
#include "lines.h"

struct limits {
	char *const *folders;
	char ***missing;
	char **fault;
};

/* The file and the text for one limit in one version. */
struct entry {
	const char *file, *text;
};

/* A number as text. */
enum { NUMBER_SIZE = 24 };

static const char *
number_text(long long value, const char *unlimited, char *text)
{
	if (value < 0)
		return unlimited;
	snprintf(text, NUMBER_SIZE, "%lld", value);
	return text;
}

static bool
is_set(struct bundle_number number)
{
	return number.given && number.value != 0;
}

/* Append the limit that errno is about to `missing`. */
static int
miss(const struct limits *limits, const char *name)
{
	char *line;
	int result =
		errno == ENOENT
			? asprintf(&line,
				  "linux.resources.%s: no cgroup of ours "
				  "has a controller for it",
				  name)
			: asprintf(&line, "linux.resources.%s: %s (%s)", name,
				  die_errno_name(errno), strerror(errno));

	return result == -1 ? -1 : lines_append(limits->missing, line);
}

/* It is the value of this that cannot be written. Returns -1, with errno as it
 * was. */
static int
blame(const struct limits *limits, const char *name)
{
	int error = errno;

	if (asprintf(limits->fault, "linux.resources.%s", name) == -1)
		*limits->fault = NULL;
	errno = error;
	return -1;
}

static bool
is_refusal(int error)
{
	return error == ENOENT || error == EACCES || error == EPERM ||
	       error == EROFS || error == EOPNOTSUPP || error == ENODEV;
}

/*
 * Let the children of all cgroups above a folder of version 2 have the
 * controller that a file belongs to, from the top down. Whether that worked
 * shows when the file is there or is not.
 */
static int
enable_above( // NOLINT(misc-no-recursion)
	const char *folder, const char *file)
{
	char *above, *controller;
	int result = 0;

	if (asprintf(&above, "%s/..", folder) == -1)
		return -1;
	if (asprintf(&controller, "+%.*s", (int)strcspn(file, "."), file) ==
		-1) {
		free(above);
		return -1;
	}
	if (cgfile_exists(above, "cgroup.subtree_control")) {
		result = enable_above(above, file);
		if (result == 0)
			(void)cgfile_write(
				above, "cgroup.subtree_control", controller);
	}
	free(controller);
	free(above);
	return result;
}

/* Write into the first folder that has such a file. Returns -1 with ENOENT
 * when none has. */
static int
put(const struct limits *limits, struct entry entry)
{
	int result = -1;

	errno = ENOENT;
	for (char *const *f = limits->folders;
		*f != NULL && result == -1 && errno == ENOENT; f++)
		result = cgfile_write(*f, entry.file, entry.text);
	return result;
}

static int
put_unified(const struct limits *limits, struct entry entry)
{
	for (char *const *f = limits->folders; *f != NULL; f++)
		if (cgfile_is_unified(*f))
			return enable_above(*f, entry.file) == -1
				       ? -1
				       : cgfile_write(
						 *f, entry.file, entry.text);
	errno = ENOENT;
	return -1;
}

static int
set(const struct limits *limits, const char *name, struct entry one,
	struct entry two)
{
	int result = put(limits, one);

	if (result == -1 && errno == ENOENT)
		result = put_unified(limits, two);
	if (result == 0)
		return 0;
	return is_refusal(errno) ? miss(limits, name) : blame(limits, name);
}

/* So many bytes, in both versions. */
static int
set_bytes(const struct limits *limits, const char *name, long long bytes,
	const char *file_one, const char *file_two)
{
	char text[NUMBER_SIZE];

	return set(limits, name,
		(struct entry){file_one, number_text(bytes, "-1", text)},
		(struct entry){file_two, number_text(bytes, "max", text)});
}

/* memory.swap is memory and swap together, so in version 1; version 2 counts
 * the swap alone. */
static int
set_swap(const struct limits *limits, struct bundle_number limit, long long sum)
{
	char one[NUMBER_SIZE], two[NUMBER_SIZE];

	if (sum > 0 &&
		(!limit.given || limit.value <= 0 || sum < limit.value)) {
		errno = EINVAL;
		return blame(limits, "memory.swap");
	}
	return set(limits, "memory.swap",
		(struct entry){"memory.memsw.limit_in_bytes",
			number_text(sum, "-1", one)},
		(struct entry){"memory.swap.max",
			number_text(sum < 0 ? sum : sum - limit.value, "max",
				two)});
}

static int
set_memory(const struct limits *limits, const struct bundle_resources *r)
{
	if (is_set(r->memory_limit) &&
		set_bytes(limits, "memory.limit", r->memory_limit.value,
			"memory.limit_in_bytes", "memory.max") == -1)
		return -1;
	if (is_set(r->memory_reservation) &&
		set_bytes(limits, "memory.reservation",
			r->memory_reservation.value,
			"memory.soft_limit_in_bytes", "memory.low") == -1)
		return -1;
	/* After the limit, which in version 1 may not be above it. */
	if (is_set(r->memory_swap) &&
		set_swap(limits, r->memory_limit, r->memory_swap.value) == -1)
		return -1;
	return 0;
}

/* From 2..262144 to 1..10000, as runc 1.1 does it. Version 1 itself takes more
 * for the most. */
static int
set_shares(const struct limits *limits, long long shares)
{
	const long long least = 2, most = 262144;
	char one[NUMBER_SIZE], two[NUMBER_SIZE];
	long long inside = shares > most ? most : shares;

	return set(limits, "cpu.shares",
		(struct entry){"cpu.shares", number_text(shares, "-1", one)},
		(struct entry){"cpu.weight",
			number_text(
				1 + (inside - least) * 9999 / (most - least),
				"-1", two)});
}

/* So many microseconds of each period. Version 2 has one file for the two. */
static int
set_quota(const struct limits *limits, const struct bundle_resources *r)
{
	char quota[NUMBER_SIZE], period[NUMBER_SIZE], both[2 * NUMBER_SIZE];

	snprintf(both, sizeof(both), "%s %s",
		number_text(is_set(r->cpu_quota) ? r->cpu_quota.value : -1,
			"max", quota),
		number_text(
			is_set(r->cpu_period) ? r->cpu_period.value : 100000,
			"", period));
	if (is_set(r->cpu_period) &&
		set(limits, "cpu.period",
			(struct entry){"cpu.cfs_period_us", period},
			(struct entry){"cpu.max", both}) == -1)
		return -1;
	if (is_set(r->cpu_quota) &&
		set(limits, "cpu.quota",
			(struct entry){"cpu.cfs_quota_us",
				number_text(r->cpu_quota.value, "-1", quota)},
			(struct entry){"cpu.max", both}) == -1)
		return -1;
	return 0;
}

/* The file and the text are the same in both versions. */
static int
set_text(const struct limits *limits, const char *name, const char *file,
	const char *text)
{
	const struct entry entry = {file, text};

	return text == NULL ? 0 : set(limits, name, entry, entry);
}

static int
set_pids(const struct limits *limits, struct bundle_number limit)
{
	char text[NUMBER_SIZE];

	return set_text(limits, "pids.limit", "pids.max",
		is_set(limit) ? number_text(limit.value, "max", text) : NULL);
}

/* Returns as devices_write. */
static int
put_devices(const struct limits *limits, const struct bundle_device_rule *rules,
	size_t count)
{
	const char *unified = NULL;

	for (char *const *f = limits->folders; *f != NULL; f++) {
		if (cgfile_exists(*f, "devices.deny"))
			return devices_write(*f, rules, count);
		if (cgfile_is_unified(*f))
			unified = *f;
	}
	if (unified != NULL)
		return devices_attach(unified, rules, count);
	errno = ENOENT;
	return -1;
}

/*
 * A kernel can be without either kind of device control, and may refuse it for
 * reasons of its own. Nobody who asked for a rule runs without it unawares.
 */
static int
set_devices(const struct limits *limits, const struct bundle_resources *r)
{
	size_t count;
	struct bundle_device_rule *rules =
		devices_complete(r->devices, r->device_count, &count);

	if (rules == NULL)
		return blame(limits, "devices");
	int result = put_devices(limits, rules, count);
	free(rules);
	if (result == 0 || r->device_count == 0)
		return 0;
	if (result == -1)
		return miss(limits, "devices");
	return lines_append(limits->missing,
		strdup("linux.resources.devices: less is allowed here than "
		       "asked for, for want of exceptions"));
}

/* What this is about, only the kernel knows. The names come from config.json:
 * they are of this folder. */
static int
set_unified(const struct limits *limits, const char *file, const json_t *value)
{
	char *name;
	int result = -1;

	if (asprintf(&name, "unified[\"%s\"]", file) == -1)
		return -1;
	errno = EINVAL;
	if (json_is_string(value) && strchr(file, '/') == NULL &&
		strchr(file, '.') != NULL)
		result = put_unified(
			limits, (struct entry){file, json_string_value(value)});
	if (result == -1 && is_refusal(errno))
		result = miss(limits, name);
	else if (result == -1)
		blame(limits, name);
	int error = errno;
	free(name);
	errno = error;
	return result;
}

int
cglimits_write(char *const *folders, const struct bundle_resources *resources,
	char ***missing, char **fault)
{
	const struct limits limits = {folders, missing, fault};
	const struct bundle_resources *r = resources;
	const char *file;
	json_t *value;

	if (set_memory(&limits, r) == -1)
		return -1;
	if (is_set(r->cpu_shares) &&
		set_shares(&limits, r->cpu_shares.value) == -1)
		return -1;
	if (set_quota(&limits, r) == -1)
		return -1;
	if (set_text(&limits, "cpu.cpus", "cpuset.cpus", r->cpus) == -1 ||
		set_text(&limits, "cpu.mems", "cpuset.mems", r->mems) == -1)
		return -1;
	if (set_pids(&limits, r->pids_limit) == -1)
		return -1;
	json_object_foreach((json_t *)r->unified, file, value)
		if (set_unified(&limits, file, value) == -1)
			return -1;
	return set_devices(&limits, r);
}
