#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* --- The contents -------------------------------------------------------- */

enum { ROOT = 1, ROOTLESS = 2, BOTH = 3, MAX_OPTIONS = 7 };

/* A user namespace knows only the groups that are mapped, so none is 5. And a
 * sysfs shows a network namespace, so without a new one it is the host's. */
static const struct {
	int who;
	const char *destination, *type, *source;
	const char *options[MAX_OPTIONS]; /* ends with NULL */
} mounts[] = {
	{BOTH, "/proc", "proc", "proc", {NULL}},
	{BOTH, "/dev", "tmpfs", "tmpfs",
		{"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{ROOT, "/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666",
			"mode=0620", "gid=5"}},
	{ROOTLESS, "/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666",
			"mode=0620"}},
	{BOTH, "/dev/shm", "tmpfs", "shm",
		{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{BOTH, "/dev/mqueue", "mqueue", "mqueue",
		{"nosuid", "noexec", "nodev"}},
	{ROOT, "/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{ROOTLESS, "/sys", "none", "/sys",
		{"rbind", "nosuid", "noexec", "nodev", "ro"}},
	{BOTH, "/sys/fs/cgroup", "cgroup", "cgroup",
		{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	{0, NULL, NULL, NULL, {NULL}},
};

/* What the host should not tell, and where it should not be written to. */
static const char *const masked[] = {"/proc/acpi", "/proc/asound",
	"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
	"/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
	NULL};
static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq",
	"/proc/sys", "/proc/sysrq-trigger", NULL};

static json_t *
make_strings(const char *const strings[])
{
	json_t *array = json_array();

	for (; *strings != NULL; strings++)
		if (json_array_append_new(array, json_string(*strings)) == -1) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *
make_process(void)
{
	static const char *const caps[] = {
		"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", NULL};

	return json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[ss], s:s,"
			 " s:{s:o, s:o, s:o, s:o}, s:[{s:s, s:i, s:i}], s:b}",
		"terminal", true, "user", "uid", 0, "gid", 0, "args", "sh",
		"env",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
		":/sbin:/bin",
		"TERM=xterm", "cwd", "/", "capabilities", "bounding",
		make_strings(caps), "effective", make_strings(caps),
		"permitted", make_strings(caps), "ambient", make_strings(caps),
		"rlimits", "type", "RLIMIT_NOFILE", "hard", 1024, "soft", 1024,
		"noNewPrivileges", true);
}

static json_t *
make_mounts(int who)
{
	json_t *array = json_array();

	for (size_t i = 0; mounts[i].destination != NULL; i++) {
		json_t *mount;

		if ((mounts[i].who & who) == 0)
			continue;
		mount = json_pack("{s:s, s:s, s:s}", "destination",
			mounts[i].destination, "type", mounts[i].type, "source",
			mounts[i].source);
		if (mounts[i].options[0] != NULL)
			json_object_set_new(mount, "options",
				make_strings(mounts[i].options));
		json_array_append_new(array, mount);
	}
	return array;
}

/* Where version 2 of control groups is the only one. */
static bool
has_unified_cgroups(void)
{
	struct statfs st;

	return statfs("/sys/fs/cgroup", &st) == 0 &&
	       st.f_type == CGROUP2_SUPER_MAGIC;
}

static json_t *
make_namespaces(int who)
{
	const struct {
		const char *type;
		bool wanted;
	} types[] = {
		{"pid", true},
		{"network", who == ROOT},
		{"ipc", true},
		{"uts", true},
		{"mount", true},
		{"cgroup", has_unified_cgroups()},
		{"user", who == ROOTLESS},
	};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].wanted)
			json_array_append_new(array,
				json_pack("{s:s}", "type", types[i].type));
	return array;
}

static json_t *
make_mapping(long long id)
{
	return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
		(json_int_t)id, "size", 1);
}

static json_t *
make_linux(int who)
{
	json_t *object = json_object();

	if (who == ROOTLESS) {
		json_object_set_new(
			object, "uidMappings", make_mapping(geteuid()));
		json_object_set_new(
			object, "gidMappings", make_mapping(getegid()));
	} else {
		json_object_set_new(object, "resources",
			json_pack("{s:[{s:b, s:s}]}", "devices", "allow", false,
				"access", "rwm"));
	}
	json_object_set_new(object, "namespaces", make_namespaces(who));
	json_object_set_new(object, "maskedPaths", make_strings(masked));
	json_object_set_new(object, "readonlyPaths", make_strings(readonly));
	return object;
}

json_t *
spec_config(bool rootless)
{
	int who = rootless ? ROOTLESS : ROOT;

	return json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}",
		"ociVersion", "1.0.2-dev", "process", make_process(), "root",
		"path", "rootfs", "readonly", true, "hostname", "nslessons",
		"mounts", make_mounts(who), "linux", make_linux(who));
}

/* --- The file ------------------------------------------------------------ */

/* jansson indents by spaces, runc by tabs. */
static void
print_with_tabs(FILE *file, const char *text)
{
	bool at_start = true;

	for (; *text != '\0'; text++) {
		(void)fputc(at_start && *text == ' ' ? '\t' : *text, file);
		at_start = *text == '\n' || (at_start && *text == ' ');
	}
	(void)fputc('\n', file);
}

/* Returns 0, or -1 with errno; then there is no file of ours. */
static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	bool failed;
	int code;
	FILE *file;

	if (fd == -1)
		return -1;
	file = fdopen(fd, "w");
	if (file == NULL) {
		code = errno;
		close(fd);
	} else {
		print_with_tabs(file, text);
		failed = ferror(file) != 0;
		if (fclose(file) == 0 && !failed)
			return 0;
		code = errno;
	}
	(void)unlink(path);
	errno = code;
	return -1;
}

int
spec_write(const char *dir, bool rootless, char **error)
{
	json_t *config = spec_config(rootless);
	char *text = config == NULL ? NULL : json_dumps(config, JSON_INDENT(1));
	char *path;
	int code = 0;

	*error = NULL;
	if (asprintf(&path, "%s/config.json", dir) == -1)
		path = NULL;
	if (text == NULL || path == NULL)
		code = ENOMEM;
	else if (write_file(path, text) == -1)
		code = errno;
	if (code != 0 && path != NULL &&
		asprintf(error, "%s: %s", path,
			code == EEXIST ? "is there already: take it away first"
				       : strerror(code)) == -1)
		*error = NULL;
	free(text);
	free(path);
	json_decref(config);
	errno = code;
	return code == 0 ? 0 : -1;
}
