#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jsonfile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that the kernel takes, see sethostname(2). */
enum { MAX_HOSTNAME = 64 };

struct reader {
	struct bundle *b;
	struct jsonfile f;
	int folder;	   /* the bundle's */
	json_t *unapplied; /* bundle.unapplied, as it grows */
};

/* Short names, for the table. */
enum {
	OBJECT = JSONFILE_OBJECT,
	STRING = JSONFILE_STRING,
	BOOLEAN = JSONFILE_BOOLEAN,
	INT32 = JSONFILE_INT32,
	UINT32 = JSONFILE_UINT32,
	UINT64 = JSONFILE_UINT64,
	ARRAY = JSONFILE_ARRAY,
	MAP = JSONFILE_MAP,
	REQUIRED = JSONFILE_REQUIRED,
	UNAPPLIED = JSONFILE_USER /* to be named in bundle.unapplied */
};

/*
 * What the specification knows. To use one more property, take its UNAPPLIED
 * away here and read it in a read_ function below, which need not look at its
 * type any more.
 */
static const struct jsonfile_field fields[] = {
	{"", "ociVersion", STRING, REQUIRED},
	{"", "process", OBJECT, REQUIRED},
	{"", "root", OBJECT, REQUIRED},
	{"", "hostname", STRING, 0},
	{"", "domainname", STRING, UNAPPLIED},
	{"", "mounts", ARRAY | OBJECT, 0},
	{"", "hooks", OBJECT, UNAPPLIED},
	{"", "annotations", MAP | STRING, 0},
	{"", "linux", OBJECT, 0},

	{"process", "terminal", BOOLEAN, 0},
	{"process", "consoleSize", OBJECT, 0},
	{"process", "user", OBJECT, 0},
	{"process", "args", ARRAY | STRING, REQUIRED},
	{"process", "env", ARRAY | STRING, 0},
	{"process", "cwd", STRING, REQUIRED},
	{"process", "capabilities", OBJECT, UNAPPLIED},
	{"process", "rlimits", ARRAY | OBJECT, UNAPPLIED},
	{"process", "noNewPrivileges", BOOLEAN, UNAPPLIED},
	{"process", "apparmorProfile", STRING, UNAPPLIED},
	{"process", "selinuxLabel", STRING, UNAPPLIED},
	{"process", "oomScoreAdj", INT32, UNAPPLIED},
	{"process", "scheduler", OBJECT, UNAPPLIED},
	{"process", "ioPriority", OBJECT, UNAPPLIED},

	{"process.user", "uid", UINT32, 0},
	{"process.user", "gid", UINT32, 0},
	{"process.user", "umask", UINT32, 0},
	{"process.user", "additionalGids", ARRAY | UINT32, 0},

	{"process.capabilities", "bounding", ARRAY | STRING, 0},
	{"process.capabilities", "effective", ARRAY | STRING, 0},
	{"process.capabilities", "inheritable", ARRAY | STRING, 0},
	{"process.capabilities", "permitted", ARRAY | STRING, 0},
	{"process.capabilities", "ambient", ARRAY | STRING, 0},

	{"process.rlimits", "type", STRING, REQUIRED},
	{"process.rlimits", "soft", UINT64, REQUIRED},
	{"process.rlimits", "hard", UINT64, REQUIRED},

	{"root", "path", STRING, REQUIRED},
	{"root", "readonly", BOOLEAN, 0},

	{"mounts", "destination", STRING, REQUIRED},
	{"mounts", "type", STRING, 0},
	{"mounts", "source", STRING, 0},
	{"mounts", "options", ARRAY | STRING, 0},

	{"linux", "namespaces", ARRAY | OBJECT, 0},
	{"linux", "uidMappings", ARRAY | OBJECT, UNAPPLIED},
	{"linux", "gidMappings", ARRAY | OBJECT, UNAPPLIED},
	{"linux", "timeOffsets", OBJECT, UNAPPLIED},
	{"linux", "devices", ARRAY | OBJECT, UNAPPLIED},
	{"linux", "cgroupsPath", STRING, UNAPPLIED},
	{"linux", "resources", OBJECT, UNAPPLIED},
	{"linux", "intelRdt", OBJECT, UNAPPLIED},
	{"linux", "sysctl", MAP | STRING, UNAPPLIED},
	{"linux", "seccomp", OBJECT, UNAPPLIED},
	{"linux", "rootfsPropagation", STRING, UNAPPLIED},
	{"linux", "maskedPaths", ARRAY | STRING, UNAPPLIED},
	{"linux", "readonlyPaths", ARRAY | STRING, UNAPPLIED},
	{"linux", "mountLabel", STRING, UNAPPLIED},
	{"linux", "personality", OBJECT, UNAPPLIED},

	{"linux.namespaces", "type", STRING, REQUIRED},
	{"linux.namespaces", "path", STRING, 0},
};

/* The two arrays go together. */
static const char *const namespace_types[] = {"pid", "network", "mount", "ipc",
	"uts", "user", "cgroup", "time", NULL};
static const int namespace_flags[] = {CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWNS,
	CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWCGROUP,
	CLONE_NEWTIME};

static const char *const rlimit_types[] = {"RLIMIT_AS", "RLIMIT_CORE",
	"RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS",
	"RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_NOFILE",
	"RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
	"RLIMIT_SIGPENDING", "RLIMIT_STACK", NULL};

/* Takes the name, which is NULL when memory was out. */
static void
add_unapplied(struct reader *r, json_t *name)
{
	if (json_array_append_new(r->unapplied, name) == -1)
		jsonfile_checked(&r->f, NULL);
}

/* Is there something to be done for this value? */
static bool
asks(const json_t *value)
{
	if (json_is_string(value))
		return json_string_length(value) > 0;
	if (json_is_array(value))
		return json_array_size(value) > 0;
	if (json_is_number(value))
		return json_number_value(value) != 0;
	return json_is_true(value) || json_is_object(value);
}

static void
check_version(struct reader *r)
{
	const json_t *version = jsonfile_get(&r->f, "ociVersion");
	regex_t known;

	if (regcomp(&known, "^1\\.[0-9]+\\.[0-9]+([-+].*)?$",
		    REG_EXTENDED | REG_NOSUB) != 0) {
		jsonfile_checked(&r->f, NULL);
		return;
	}
	if (regexec(&known, json_string_value(version), 0, NULL, 0) != 0)
		jsonfile_fault(&r->f, version, "a version 1.MINOR.PATCH",
			"ociVersion");
	regfree(&known);
}

static void
check_command(struct reader *r)
{
	const json_t *args = jsonfile_get(&r->f, "process.args");

	if (json_array_size(args) == 0)
		jsonfile_fault(&r->f, args, "a command", "process.args");
	else if (!asks(json_array_get(args, 0)))
		jsonfile_fault(&r->f, json_array_get(args, 0), "a command",
			"process.args[0]");
}

static void
check_environment(struct reader *r)
{
	const json_t *env = jsonfile_get(&r->f, "process.env");

	for (size_t i = 0; i < json_array_size(env); i++) {
		const json_t *variable = json_array_get(env, i);
		const char *text = json_string_value(variable);

		if (text[0] == '=' || strchr(text, '=') == NULL)
			jsonfile_fault(&r->f, variable, "NAME=VALUE",
				"process.env[%zu]", i);
	}
}

static bool
is_absolute(const json_t *path)
{
	return json_string_value(path)[0] == '/';
}

static void
read_process(struct reader *r)
{
	const json_t *cwd = jsonfile_get(&r->f, "process.cwd");
	struct bundle *b = r->b;

	check_command(r);
	check_environment(r);
	if (!is_absolute(cwd))
		jsonfile_fault(&r->f, cwd, "an absolute path", "process.cwd");
	b->terminal = json_is_true(jsonfile_get(&r->f, "process.terminal"));
	b->args = jsonfile_strings(&r->f, jsonfile_get(&r->f, "process.args"));
	b->env = jsonfile_strings(&r->f, jsonfile_get(&r->f, "process.env"));
	b->cwd = jsonfile_string(&r->f, cwd);
	if (asks(jsonfile_get(&r->f, "process.user.uid")) ||
		asks(jsonfile_get(&r->f, "process.user.gid")) ||
		asks(jsonfile_get(&r->f, "process.user.umask")) ||
		asks(jsonfile_get(&r->f, "process.user.additionalGids")))
		add_unapplied(r, json_string("process.user"));
}

/* Returns the place of the NULL at the end when the name is not there. */
static size_t
position(const char *const names[], const char *name)
{
	size_t k = 0;

	while (names[k] != NULL && strcmp(names[k], name) != 0)
		k++;
	return k;
}

/* The type of each element must be one of the names, and be there once.
 * Returns a bit for each name that is there. */
static unsigned
check_types(struct reader *r, const char *path, const char *const names[])
{
	const json_t *array = jsonfile_get(&r->f, path);
	unsigned seen = 0;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *type =
			json_object_get(json_array_get(array, i), "type");
		size_t k = position(names, json_string_value(type));

		if (names[k] == NULL)
			jsonfile_fault(&r->f, type, "a known type",
				"%s[%zu].type", path, i);
		else if ((seen & 1U << k) != 0)
			jsonfile_fault(&r->f, type, "each type once",
				"%s[%zu].type", path, i);
		seen |= 1U << k;
	}
	return seen;
}

/* A namespace with a path is not to be made but to be joined. */
static void
read_namespaces(struct reader *r)
{
	const json_t *array = jsonfile_get(&r->f, "linux.namespaces");

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *element = json_array_get(array, i);
		const json_t *path = json_object_get(element, "path");
		size_t k = position(namespace_types,
			json_string_value(json_object_get(element, "type")));

		if (!asks(path)) {
			r->b->namespaces |= namespace_flags[k];
			continue;
		}
		add_unapplied(r, json_sprintf("linux.namespaces[%zu].path", i));
		if (!is_absolute(path))
			jsonfile_fault(&r->f, path, "an absolute path",
				"linux.namespaces[%zu].path", i);
	}
}

/* Without a uts namespace the host would get the name. */
static void
read_hostname(struct reader *r, unsigned namespaces)
{
	const json_t *hostname = jsonfile_get(&r->f, "hostname");

	if (!asks(hostname))
		return;
	if (json_string_length(hostname) > MAX_HOSTNAME)
		jsonfile_fault(&r->f, hostname, "at most 64 bytes", "hostname");
	if ((namespaces & 1U << position(namespace_types, "uts")) == 0)
		jsonfile_fault(&r->f, hostname, "none without a uts namespace",
			"hostname");
	r->b->hostname = jsonfile_string(&r->f, hostname);
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

static void
read_mounts(struct reader *r)
{
	/* As `runc spec` writes them. */
	static const char *const proc[] = {NULL};
	static const char *const dev[] = {
		"nosuid", "strictatime", "mode=755", "size=65536k", NULL};
	const json_t *array = jsonfile_get(&r->f, "mounts");

	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *mount = json_array_get(array, i);
		const json_t *to = json_object_get(mount, "destination");
		char *quoted;

		if (!is_absolute(to))
			jsonfile_fault(&r->f, to, "an absolute path",
				"mounts[%zu].destination", i);
		if (is_mount(mount, "/proc", "proc", proc) ||
			is_mount(mount, "/dev", "tmpfs", dev))
			continue;
		quoted = jsonfile_quote(to);
		if (jsonfile_checked(&r->f, quoted) != NULL)
			add_unapplied(
				r, json_sprintf("mounts[%zu] %s", i, quoted));
		free(quoted);
	}
}

static void
read_unapplied(struct reader *r)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		const char *holder = fields[i].holder, *name = fields[i].name;
		const json_t *object = jsonfile_get(&r->f, holder);

		if ((fields[i].flags & UNAPPLIED) != 0 &&
			asks(json_object_get(object, name)))
			add_unapplied(
				r, json_sprintf("%s%s%s", holder,
					   holder[0] == '\0' ? "" : ".", name));
	}
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
	fd = (int)syscall(SYS_openat2, r->folder, path, &how, sizeof(how));
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

static void
read_values(struct reader *r)
{
	unsigned namespaces =
		check_types(r, "linux.namespaces", namespace_types);

	check_types(r, "process.rlimits", rlimit_types);
	check_version(r);
	if (r->f.code != 0)
		return;
	r->unapplied = json_array();
	read_process(r);
	read_namespaces(r);
	read_hostname(r, namespaces);
	read_mounts(r);
	read_unapplied(r);
	read_root(r);
	r->b->unapplied = jsonfile_strings(&r->f, r->unapplied);
	json_decref(r->unapplied);
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
		jsonfile_check(&r->f, fields, COUNT(fields));
	if (r->f.code == 0)
		read_values(r);
}

int
bundle_load(struct bundle *b, const char *dir, char **error)
{
	struct reader r = {.b = b};
	int code;

	*b = (struct bundle){0};
	r.folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r.folder == -1) {
		jsonfile_fail(&r.f, errno, "%s: open: %m", dir);
	} else {
		load(&r, dir);
		close(r.folder);
	}
	code = r.f.code;
	*error = r.f.error;
	r.f.error = NULL;
	jsonfile_free(&r.f);
	if (code == 0)
		return 0;
	bundle_free(b);
	errno = code;
	return -1;
}

void
bundle_free(struct bundle *b)
{
	free(b->dir);
	free(b->rootfs);
	free(b->args);
	free(b->env);
	free(b->cwd);
	free(b->hostname);
	free(b->unapplied);
	*b = (struct bundle){0};
}
