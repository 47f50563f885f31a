#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inside.h"
#include "jsonfile.h"
#include "mountopts.h"
#include "parameters.h"
#include "process.h"
#include "resources.h"
#include "schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that the kernel takes, see sethostname(2). */
enum { MAX_NAME = 64 };

struct reader {
	struct bundle *b;
	struct jsonfile f;
	int folder;	     /* the bundle's */
	json_t *unapplied;   /* bundle.unapplied, as it grows */
	json_t *unsupported; /* likewise */
};

/* --- Namespaces and what needs one of its own ---------------------------- */

static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{"pid", CLONE_NEWPID},
	{"network", CLONE_NEWNET},
	{"mount", CLONE_NEWNS},
	{"ipc", CLONE_NEWIPC},
	{"uts", CLONE_NEWUTS},
	{"user", CLONE_NEWUSER},
	{"cgroup", CLONE_NEWCGROUP},
	{"time", CLONE_NEWTIME},
};

/* Returns the CLONE_NEW* flag, 0 when there is no such type. */
static int
namespace_flag(const char *name)
{
	for (size_t i = 0; i < COUNT(namespaces); i++)
		if (strcmp(namespaces[i].name, name) == 0)
			return namespaces[i].flag;
	return 0;
}

static void
read_namespace(struct reader *r, const json_t *element, size_t i)
{
	const json_t *type = json_object_get(element, "type");
	const json_t *path = json_object_get(element, "path");
	int flag = namespace_flag(json_string_value(type));
	char **joined;

	if (flag == 0) {
		jsonfile_fault(&r->f, type, "a known type",
			"linux.namespaces[%zu].type", i);
		return;
	}
	joined = &r->b->joined[ns_type_of(flag)];
	if ((r->b->namespaces & flag) != 0 || *joined != NULL) {
		jsonfile_fault(&r->f, type, "each type once",
			"linux.namespaces[%zu].type", i);
	} else if (!jsonfile_asks(path)) {
		r->b->namespaces |= flag;
	} else {
		*joined = jsonfile_string(&r->f, path);
		jsonfile_append(&r->f, r->unapplied,
			json_sprintf("linux.namespaces[%zu].path", i));
		if (json_string_value(path)[0] != '/')
			jsonfile_fault(&r->f, path, "an absolute path",
				"linux.namespaces[%zu].path", i);
	}
}

/* A namespace with a path is not to be made but to be joined. */
static void
read_namespaces(struct reader *r)
{
	const json_t *array = jsonfile_get(&r->f, "linux.namespaces");

	for (size_t i = 0; i < json_array_size(array); i++)
		read_namespace(r, json_array_get(array, i), i);
	/* All that is mounted would be mounted on the host. */
	if ((r->b->namespaces & CLONE_NEWNS) == 0 &&
		r->b->joined[ns_type_of(CLONE_NEWNS)] == NULL)
		jsonfile_fault(&r->f, array, "one of the type mount",
			"linux.namespaces");
}

bool
bundle_is_separate(const struct bundle *b, int flag)
{
	int type = ns_type_of(flag);
	struct ns_id own;
	struct stat st;

	if ((b->namespaces & flag) != 0)
		return true;
	if (b->joined[type] == NULL)
		return false;
	return stat(b->joined[type], &st) == -1 ||
	       ns_get(NS_SELF, ns_types[type].name, &own) == -1 ||
	       !ns_same(own, (struct ns_id){st.st_dev, st.st_ino});
}

/* Without a uts namespace the host would get the name. */
static char *
read_name(struct reader *r, const char *property)
{
	const json_t *name = jsonfile_get(&r->f, property);

	if (!jsonfile_asks(name))
		return NULL;
	if (json_string_length(name) > MAX_NAME)
		jsonfile_fault(&r->f, name, "at most 64 bytes", "%s", property);
	if (!bundle_is_separate(r->b, CLONE_NEWUTS))
		jsonfile_fault(&r->f, name, "none without a uts namespace",
			"%s", property);
	return jsonfile_string(&r->f, name);
}

/* The kernel knows no number past 4294967294, see user_namespaces(7). */
static void
read_mapping(struct reader *r, const char *path, const json_t *element,
	size_t i, struct bundle_map *map)
{
	const json_t *size = json_object_get(element, "size");

	map->inside = (uint32_t)jsonfile_integer(
		json_object_get(element, "containerID"));
	map->outside =
		(uint32_t)jsonfile_integer(json_object_get(element, "hostID"));
	map->count = (uint32_t)jsonfile_integer(size);
	if (map->count == 0 || map->count > UINT32_MAX - map->inside ||
		map->count > UINT32_MAX - map->outside)
		jsonfile_fault(&r->f, size, "1 or more, and none too many",
			"%s[%zu].size", path, i);
}

static struct bundle_map *
read_mappings(struct reader *r, const char *path, size_t *count)
{
	const json_t *array = jsonfile_get(&r->f, path);
	struct bundle_map *maps = jsonfile_room(&r->f, array, sizeof(*maps));
	bool own = (r->b->namespaces & CLONE_NEWUSER) != 0;

	if (own && json_array_size(array) == 0)
		jsonfile_fault(&r->f, array,
			"one or more for the user namespace", "%s", path);
	if (!own && json_array_size(array) > 0)
		jsonfile_fault(&r->f, array,
			"none without a new user namespace", "%s", path);
	if (maps == NULL)
		return NULL;
	*count = json_array_size(array);
	for (size_t i = 0; i < *count; i++)
		read_mapping(r, path, json_array_get(array, i), i, &maps[i]);
	return maps;
}

static struct bundle_offset
read_offset(struct reader *r, const char *clock)
{
	const json_t *offset = json_object_get(
		jsonfile_get(&r->f, "linux.timeOffsets"), clock);
	const json_t *nanosecs = json_object_get(offset, "nanosecs");

	jsonfile_range(&r->f, nanosecs, 0, 999999999,
		"linux.timeOffsets.%s.nanosecs", clock);
	return (struct bundle_offset){
		.given = offset != NULL,
		.secs = jsonfile_integer(json_object_get(offset, "secs")),
		.nanosecs = (unsigned)jsonfile_integer(nanosecs),
	};
}

static void
read_offsets(struct reader *r)
{
	json_t *offsets = jsonfile_get(&r->f, "linux.timeOffsets"), *value;
	const char *clock;

	if (offsets != NULL && (r->b->namespaces & CLONE_NEWTIME) == 0)
		jsonfile_fault(&r->f, offsets,
			"none without a new time namespace",
			"linux.timeOffsets");
	json_object_foreach(offsets, clock, value)
		if (strcmp(clock, "monotonic") != 0 &&
			strcmp(clock, "boottime") != 0)
			jsonfile_fault(&r->f, value,
				"no clock but monotonic and boottime",
				"linux.timeOffsets.%.60s", clock);
	r->b->monotonic = read_offset(r, "monotonic");
	r->b->boottime = read_offset(r, "boottime");
}

/* --- Mounts and paths ---------------------------------------------------- */

/* Returns the place of the NULL at the end when the name is not there. */
static size_t
position(const char *const names[], const char *name)
{
	size_t k = 0;

	while (names[k] != NULL && strcmp(names[k], name) != 0)
		k++;
	return k;
}

/* Is it this mount, with these options or fewer? */
static bool
is_mount(const json_t *mount, const char *destination, const char *type,
	const char *const options[])
{
	const json_t *to = json_object_get(mount, "destination");
	const json_t *is = json_object_get(mount, "type");
	const json_t *has = json_object_get(mount, "options");

	for (size_t i = 0; i < json_array_size(has); i++) {
		const char *option = json_string_value(json_array_get(has, i));

		if (options[position(options, option)] == NULL)
			return false;
	}
	return is != NULL && strcmp(json_string_value(is), type) == 0 &&
	       strcmp(json_string_value(to), destination) == 0;
}

static bool
is_bind(const json_t *mount)
{
	const json_t *options = json_object_get(mount, "options");

	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *option =
			json_string_value(json_array_get(options, i));

		if (strcmp(option, "bind") == 0 || strcmp(option, "rbind") == 0)
			return true;
	}
	return false;
}

/* Returns NULL when it may be mounted there, else what was expected. Many rely
 * on what they read in /proc; these files are those that lxcfs(1) replaces. */
static const char *
refuse_destination(const json_t *mount, const char *path)
{
	static const char *const files[] = {"/proc/cpuinfo", "/proc/diskstats",
		"/proc/loadavg", "/proc/meminfo", "/proc/slabinfo",
		"/proc/stat", "/proc/swaps", "/proc/uptime",
		"/proc/sys/crypto/fips_enabled", "/proc/sys/kernel/ns_last_pid",
		NULL};
	const json_t *type = json_object_get(mount, "type");

	if (path[0] == '\0')
		return "a place below /";
	if (strcmp(path, "/proc") == 0)
		return type != NULL && !is_bind(mount) &&
				       strcmp(json_string_value(type),
					       "proc") == 0
			       ? NULL
			       : "another place, or a mount of the type proc";
	if (strncmp(path, "/proc/", 6) == 0 &&
		files[position(files, path)] == NULL)
		return "a place outside of /proc";
	return NULL;
}

static void
check_mount(struct reader *r, const json_t *mount, size_t i)
{
	const json_t *to = json_object_get(mount, "destination");
	const json_t *type = json_object_get(mount, "type");
	const json_t *source = json_object_get(mount, "source");
	char *path =
		jsonfile_checked(&r->f, inside_clean(json_string_value(to)));
	const char *expected = NULL;

	if (path != NULL)
		expected = refuse_destination(mount, path);
	if (expected != NULL)
		jsonfile_fault(
			&r->f, to, expected, "mounts[%zu].destination", i);
	if (is_bind(mount) && !jsonfile_asks(source))
		jsonfile_fault(&r->f, source, "what is to be bound",
			"mounts[%zu].source", i);
	if (!is_bind(mount) &&
		(!jsonfile_asks(type) ||
			strcmp(json_string_value(type), "bind") == 0))
		jsonfile_fault(&r->f, type,
			"a type, or the option bind or rbind",
			"mounts[%zu].type", i);
	free(path);
}

static void
list_mount(struct reader *r, const json_t *mount, size_t i)
{
	/* As `runc spec` writes them. */
	static const char *const proc[] = {NULL};
	static const char *const dev[] = {
		"nosuid", "strictatime", "mode=755", "size=65536k", NULL};
	static const char *const mapped[] = {"idmap", "ridmap", NULL};
	const json_t *options = json_object_get(mount, "options");
	char *quoted;

	for (size_t j = 0; j < json_array_size(options); j++) {
		const char *option =
			json_string_value(json_array_get(options, j));

		if (mapped[position(mapped, option)] != NULL)
			jsonfile_append(&r->f, r->unsupported,
				json_sprintf("mounts[%zu].options[%zu] \"%s\"",
					i, j, option));
	}
	if (is_mount(mount, "/proc", "proc", proc) ||
		is_mount(mount, "/dev", "tmpfs", dev))
		return;
	quoted = jsonfile_quote(json_object_get(mount, "destination"));
	if (jsonfile_checked(&r->f, quoted) != NULL)
		jsonfile_append(&r->f, r->unapplied,
			json_sprintf("mounts[%zu] %s", i, quoted));
	free(quoted);
}

/* NULL where there is none, or an empty one. */
static char *
read_text(struct reader *r, const json_t *value)
{
	return jsonfile_asks(value) ? jsonfile_string(&r->f, value) : NULL;
}

static void
read_mount(struct reader *r, const json_t *element, struct bundle_mount *mount)
{
	const json_t *source = json_object_get(element, "source");

	mount->destination =
		jsonfile_string(&r->f, json_object_get(element, "destination"));
	mount->type = read_text(r, json_object_get(element, "type"));
	mount->options =
		jsonfile_strings(&r->f, json_object_get(element, "options"));
	if (!is_bind(element) || json_string_value(source)[0] == '/')
		mount->source = read_text(r, source);
	else if (asprintf(&mount->source, "%s/%s", r->b->dir,
			 json_string_value(source)) == -1)
		mount->source = jsonfile_checked(&r->f, NULL);
}

static void
read_mounts(struct reader *r)
{
	const json_t *array = jsonfile_get(&r->f, "mounts");
	struct bundle *b = r->b;

	b->mounts = jsonfile_room(&r->f, array, sizeof(*b->mounts));
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *element = json_array_get(array, i);

		check_mount(r, element, i);
		if (r->f.code != 0)
			return;
		list_mount(r, element, i);
		read_mount(r, element, &b->mounts[b->mount_count++]);
	}
}

static void
read_propagation(struct reader *r)
{
	const json_t *value = jsonfile_get(&r->f, "linux.rootfsPropagation");

	if (!jsonfile_asks(value))
		return;
	r->b->propagation = mountopts_propagation(json_string_value(value));
	if (r->b->propagation == 0)
		jsonfile_fault(&r->f, value,
			"private, shared, slave or unbindable",
			"linux.rootfsPropagation");
}

static const char *
what_is_wrong(int error)
{
	switch (error) {
	case ENOENT:
		return "is not there: scripts/build-bundle makes it";
	case ENOTDIR:
		return "is not a folder";
	case ELOOP:
		return "is, or passes, a symbolic link, expected a real folder";
	case EXDEV:
		return "leads out of the bundle";
	default:
		return strerror(error);
	}
}

/* With a symbolic link, or with `..`, a bundle could have any folder of the
 * host as its rootfs, and what a container does there would be done to it. An
 * absolute path is at least in plain sight. */
static void
read_root(struct reader *r)
{
	const char *path = json_string_value(jsonfile_get(&r->f, "root.path"));
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	char *whole;
	int fd;

	if (path[0] != '/')
		how.resolve |= RESOLVE_BENEATH;
	/* EAGAIN: somebody renames or mounts while `..` is looked up. */
	do
		fd = (int)syscall(
			SYS_openat2, r->folder, path, &how, sizeof(how));
	while (fd == -1 && errno == EAGAIN);
	if (fd == -1) {
		jsonfile_fail(&r->f, errno, "%s: root.path: \"%s\" %s",
			r->f.name, path, what_is_wrong(errno));
		return;
	}
	close(fd);
	r->b->readonly = json_is_true(jsonfile_get(&r->f, "root.readonly"));
	if (asprintf(&whole, "%s/%s", path[0] == '/' ? "" : r->b->dir, path) ==
		-1)
		whole = NULL;
	if (jsonfile_checked(&r->f, whole) != NULL)
		r->b->rootfs = realpath(whole, NULL);
	if (r->b->rootfs == NULL)
		jsonfile_fail(&r->f, errno, "%s: root.path: realpath %s: %m",
			r->f.name, path);
	free(whole);
}

/* --- Devices, cgroup and hooks ------------------------------------------- */

static unsigned
read_device_number(struct reader *r, const json_t *element, size_t i,
	const char *name, long long max)
{
	const json_t *value = json_object_get(element, name);

	if (value == NULL)
		jsonfile_fault(&r->f, value, "a number",
			"linux.devices[%zu].%s", i, name);
	jsonfile_range(&r->f, value, 0, max, "linux.devices[%zu].%s", i, name);
	return (unsigned)jsonfile_integer(value);
}

static void
read_device(struct reader *r, const json_t *element, size_t i,
	struct bundle_device *device)
{
	const json_t *type = json_object_get(element, "type");
	const json_t *mode = json_object_get(element, "fileMode");

	device->type = json_string_value(type)[0];
	device->path = jsonfile_string(&r->f, json_object_get(element, "path"));
	/* The bits for the type may be there, too. */
	device->mode =
		mode == NULL ? 0666 : (mode_t)jsonfile_integer(mode) & 07777;
	device->uid = (uid_t)jsonfile_integer(json_object_get(element, "uid"));
	device->gid = (gid_t)jsonfile_integer(json_object_get(element, "gid"));
	if (json_string_length(type) != 1 ||
		strchr("cbup", device->type) == NULL)
		jsonfile_fault(&r->f, type, "c, b, u or p",
			"linux.devices[%zu].type", i);
	if (device->path != NULL &&
		device->path[strlen(device->path) - 1] == '/')
		jsonfile_fault(&r->f, json_object_get(element, "path"),
			"a path that ends with a name",
			"linux.devices[%zu].path", i);
	if (device->type == 'p')
		return;
	device->major =
		read_device_number(r, element, i, "major", BUNDLE_MAX_MAJOR);
	device->minor =
		read_device_number(r, element, i, "minor", BUNDLE_MAX_MINOR);
}

static void
read_devices(struct reader *r)
{
	const json_t *array = jsonfile_get(&r->f, "linux.devices");
	struct bundle *b = r->b;

	b->devices = jsonfile_room(&r->f, array, sizeof(*b->devices));
	if (b->devices == NULL)
		return;
	b->device_count = json_array_size(array);
	for (size_t i = 0; i < b->device_count; i++)
		read_device(r, json_array_get(array, i), i, &b->devices[i]);
}

/* Who is to see nothing at all needs no container. */
static void
check_masked(struct reader *r)
{
	const json_t *array = jsonfile_get(&r->f, "linux.maskedPaths");

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *path = json_array_get(array, i);
		char *clean = jsonfile_checked(
			&r->f, inside_clean(json_string_value(path)));

		if (clean != NULL && clean[0] == '\0')
			jsonfile_fault(&r->f, path, "a path below /",
				"linux.maskedPaths[%zu]", i);
		free(clean);
	}
}

static void
read_cgroup(struct reader *r)
{
	const json_t *path = jsonfile_get(&r->f, "linux.cgroupsPath");
	const json_t *swappiness =
		jsonfile_get(&r->f, "linux.resources.memory.swappiness");

	r->b->cgroups_path = read_text(r, path);
	for (const char *at = r->b->cgroups_path; at != NULL && *at != '\0';
		at += strcspn(at, "/")) {
		at += strspn(at, "/");
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == 0))
			jsonfile_fault(&r->f, path, "a path without ..",
				"linux.cgroupsPath");
	}
	resources_read(&r->f, &r->b->resources);
	/* Here 0 asks for something, too. */
	jsonfile_range(
		&r->f, swappiness, 0, 100, "linux.resources.memory.swappiness");
	if (swappiness != NULL && !jsonfile_asks(swappiness))
		jsonfile_append(&r->f, r->unsupported,
			json_string("linux.resources.memory.swappiness"));
}

static void
read_hook(struct reader *r, const json_t *element, struct bundle_hook *hook)
{
	json_t *path = json_object_get(element, "path");
	json_t *args = json_object_get(element, "args");
	json_t *timeout = json_object_get(element, "timeout");
	json_t *name = json_pack("[O]", path);

	hook->path = jsonfile_string(&r->f, path);
	hook->args = jsonfile_strings(&r->f, jsonfile_asks(args) ? args : name);
	hook->env = jsonfile_strings(&r->f, json_object_get(element, "env"));
	hook->timeout = (struct bundle_number){
		timeout != NULL, jsonfile_integer(timeout)};
	if (name == NULL)
		jsonfile_checked(&r->f, NULL);
	json_decref(name);
}

const char *const bundle_hook_names[BUNDLE_HOOKS] = {"prestart",
	"createRuntime", "createContainer", "startContainer", "poststart",
	"poststop"};

static void
read_hooks(struct reader *r)
{
	for (size_t kind = 0; kind < BUNDLE_HOOKS; kind++) {
		const json_t *array = json_object_get(
			jsonfile_get(&r->f, "hooks"), bundle_hook_names[kind]);
		struct bundle_hook *hooks =
			jsonfile_room(&r->f, array, sizeof(*hooks));

		r->b->hooks[kind] = hooks;
		for (size_t i = 0; r->f.code == 0 && i < json_array_size(array);
			i++) {
			const json_t *element = json_array_get(array, i);

			jsonfile_range(&r->f,
				json_object_get(element, "timeout"), 1,
				INT32_MAX, "hooks.%s[%zu].timeout",
				bundle_hook_names[kind], i);
			read_hook(r, element, &hooks[i]);
			r->b->hook_count[kind]++;
		}
	}
}

/* --- The whole ----------------------------------------------------------- */

/* 1.MINOR.PATCH, and perhaps something behind a - or a +. */
static bool
is_known(const char *version)
{
	static const char digits[] = "0123456789";
	size_t minor, patch;

	if (strncmp(version, "1.", 2) != 0)
		return false;
	version += 2;
	minor = strspn(version, digits);
	version += minor;
	patch = *version == '.' ? strspn(version + 1, digits) : 0;
	return minor > 0 && patch > 0 &&
	       strchr("-+", version[1 + patch]) != NULL;
}

static void
check_version(struct reader *r)
{
	const json_t *version = jsonfile_get(&r->f, "ociVersion");

	if (!is_known(json_string_value(version)))
		jsonfile_fault(&r->f, version, "a version 1.MINOR.PATCH",
			"ociVersion");
}

/* As if the file held nothing else, but for the JSON paths. */
static void
read_process(struct reader *r)
{
	json_t *whole = r->f.root;

	r->f.root = jsonfile_get(&r->f, "process");
	r->f.prefix = "process";
	process_read(&r->f, &r->b->process, r->unapplied);
	r->f.root = whole;
	r->f.prefix = NULL;
	for (char **name = r->b->process.unsupported;
		name != NULL && *name != NULL; name++)
		jsonfile_append(&r->f, r->unsupported, json_string(*name));
}

static void
read_values(struct reader *r)
{
	struct jsonfile *f = &r->f;
	struct bundle *b = r->b;

	check_version(r);
	read_namespaces(r);
	read_mounts(r);
	read_process(r);
	b->hostname = read_name(r, "hostname");
	b->domainname = read_name(r, "domainname");
	b->uid_map = read_mappings(r, "linux.uidMappings", &b->uid_map_count);
	b->gid_map = read_mappings(r, "linux.gidMappings", &b->gid_map_count);
	read_offsets(r);
	parameters_read(f, b);
	read_devices(r);
	read_cgroup(r);
	read_propagation(r);
	check_masked(r);
	b->masked_paths =
		jsonfile_strings(f, jsonfile_get(f, "linux.maskedPaths"));
	b->readonly_paths =
		jsonfile_strings(f, jsonfile_get(f, "linux.readonlyPaths"));
	read_hooks(r);
	b->annotations = jsonfile_get(f, "annotations");
	read_root(r);
	jsonfile_asked(f, schema_config, schema_config_count, SCHEMA_UNAPPLIED,
		r->unapplied);
	jsonfile_asked(f, schema_config, schema_config_count,
		SCHEMA_UNSUPPORTED, r->unsupported);
	b->unapplied = jsonfile_strings(f, r->unapplied);
	b->unsupported = jsonfile_strings(f, r->unsupported);
}

static void
load(struct reader *r, const char *dir)
{
	struct stat st;

	r->b->dir = realpath(dir, NULL);
	if (r->b->dir == NULL) {
		jsonfile_fail(&r->f, errno, "%s: realpath: %m", dir);
		return;
	}
	if (fstatat(r->folder, "config.json", &st, AT_SYMLINK_NOFOLLOW) == -1 &&
		errno == ENOENT) {
		jsonfile_fail(&r->f, ENOENT,
			"%s: has no config.json:"
			" scripts/build-bundle makes a bundle",
			dir);
		return;
	}
	jsonfile_load(&r->f, r->folder, dir, "config.json");
	if (r->f.code == 0)
		jsonfile_check(&r->f, schema_config, schema_config_count);
	if (r->f.code != 0)
		return;
	r->b->config = json_incref(r->f.root);
	r->unapplied = json_array();
	r->unsupported = json_array();
	read_values(r);
	json_decref(r->unapplied);
	json_decref(r->unsupported);
}

/* Hand the fault out, if there is one, and give all else back. */
static int
finish(struct jsonfile *f, char **error)
{
	int code = f->code;

	*error = f->error;
	f->error = NULL;
	jsonfile_free(f);
	if (code == 0)
		return 0;
	errno = code;
	return -1;
}

int
bundle_load(struct bundle *b, const char *dir, char **error)
{
	struct reader r = {.b = b};

	*b = (struct bundle){0};
	r.folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r.folder == -1) {
		jsonfile_fail(&r.f, errno, "%s: open: %m", dir);
	} else {
		load(&r, dir);
		close(r.folder);
	}
	if (r.f.code != 0)
		bundle_free(b);
	return finish(&r.f, error);
}

int
bundle_load_process(
	struct bundle_process *process, const char *path, char **error)
{
	struct jsonfile f;

	*process = (struct bundle_process){0};
	jsonfile_load(&f, AT_FDCWD, "", path);
	if (f.code == 0)
		process_read(&f, process, NULL);
	if (f.code != 0)
		bundle_process_free(process);
	return finish(&f, error);
}

int
bundle_read_process(struct bundle_process *process, const json_t *value,
	const char *name, char **error)
{
	struct jsonfile f = {.name = strdup(name)};

	*process = (struct bundle_process){0};
	jsonfile_checked(&f, f.name);
	if (!json_is_object(value))
		jsonfile_fail(&f, EINVAL, "%s: found no object", name);
	f.root = json_incref((json_t *)value);
	if (f.code == 0)
		process_read(&f, process, NULL);
	if (f.code != 0)
		bundle_process_free(process);
	return finish(&f, error);
}

void
bundle_process_free(struct bundle_process *process)
{
	free(process->args);
	free(process->env);
	free(process->cwd);
	free(process->gids);
	free(process->rlimits);
	free(process->unsupported);
	*process = (struct bundle_process){0};
}

static void
free_mounts(struct bundle *b)
{
	for (size_t i = 0; i < b->mount_count; i++) {
		free(b->mounts[i].destination);
		free(b->mounts[i].type);
		free(b->mounts[i].source);
		free(b->mounts[i].options);
	}
	free(b->mounts);
}

static void
free_hooks(struct bundle *b)
{
	for (size_t kind = 0; kind < BUNDLE_HOOKS; kind++) {
		for (size_t i = 0; i < b->hook_count[kind]; i++) {
			free(b->hooks[kind][i].path);
			free(b->hooks[kind][i].args);
			free(b->hooks[kind][i].env);
		}
		free(b->hooks[kind]);
	}
}

void
bundle_free(struct bundle *b)
{
	json_decref(b->config);
	free(b->dir);
	free(b->rootfs);
	bundle_process_free(&b->process);
	free(b->hostname);
	free(b->domainname);
	free_mounts(b);
	for (int type = 0; type < NS_TYPES; type++)
		free(b->joined[type]);
	free(b->uid_map);
	free(b->gid_map);
	for (size_t i = 0; i < b->device_count; i++)
		free(b->devices[i].path);
	free(b->devices);
	free(b->cgroups_path);
	resources_free(&b->resources);
	for (size_t i = 0; i < b->sysctl_count; i++) {
		free(b->sysctls[i].name);
		free(b->sysctls[i].value);
	}
	free(b->sysctls);
	free(b->masked_paths);
	free(b->readonly_paths);
	free_hooks(b);
	free(b->unapplied);
	free(b->unsupported);
	*b = (struct bundle){0};
}
