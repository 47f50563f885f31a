/*
 * bundle: what config.json says is read, and whatever else is in its place is
 * refused in one line that helps. Run from the top of the project.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "spec.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Seconds for a test; the limit of config.json; who may read nothing. */
enum { SECONDS = 60, MAX_FILE = 1 << 20, NOBODY = 65534 };

/* What a new user namespace needs. */
#define ONE_MAPPING                                                            \
	"\"uidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}]," \
	"\"gidMappings\": [{\"containerID\": 0, \"hostID\": 0, \"size\": 1}],"

/* The text of the project's config.json, the folder that all tests work in,
 * and a bundle of each test's own. */
static char *original;
static char *top;
static char *dir;
static char *config;
static char *rootfs;

static void
write_config(const char *text, size_t size)
{
	FILE *file = fopen(config, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	ck_assert_msg(file != NULL, "run me from the top of the project");
	ck_assert_int_ne(getdelim(&text, &size, '\0', file), -1);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

/* Around all tests of a case, in the process that starts them: a test that
 * fails does not come to clean up. */
static void
set_up_case(void)
{
	original = read_file("bundle/config.json");
	top = support_folder("bundle");
}

static void
tear_down_case(void)
{
	support_remove(top);
	free(top);
	free(original);
	original = NULL;
}

static void
set_up(void)
{
	dir = support_path(top, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	config = support_path(dir, "config.json");
	rootfs = support_path(dir, "rootfs");
	ck_assert_int_eq(mkdir(rootfs, 0755), 0);
	write_config(original, strlen(original));
}

static void
tear_down(void)
{
	free(dir);
	free(config);
	free(rootfs);
}

/* Returns the error, NULL when the bundle was loaded. */
static char *
load(struct bundle *b)
{
	char *error = NULL;

	errno = 0;
	if (bundle_load(b, dir, &error) == 0) {
		ck_assert_ptr_null(error);
		return NULL;
	}
	ck_assert_int_ne(errno, 0);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(strncmp(error, dir, strlen(dir)), 0);
	for (const char *c = error; *c != '\0'; c++)
		ck_assert_msg(
			*c >= ' ' && *c <= '~', "not to be printed: %s", error);
	/* It holds nothing. */
	ck_assert_ptr_null(b->dir);
	ck_assert_ptr_null(b->process.args);
	ck_assert_ptr_null(b->unapplied);
	return error;
}

static void
ck_loads(void)
{
	struct bundle b;
	char *error = load(&b);

	ck_assert_msg(error == NULL, "refused: %s", error);
	bundle_free(&b);
}

/* The error must begin with this: the bundle's path, then the text. */
static void
ck_error(const char *text)
{
	struct bundle b;
	char *error = load(&b);

	ck_assert_msg(error != NULL, "loaded, expected: %s", text);
	ck_assert_msg(strncmp(error + strlen(dir), text, strlen(text)) == 0,
		"found:    %s\nexpected: DIR%s", error, text);
	free(error);
}

/* Writes the original with `to` in the place of `from`. */
static void
replace(const char *from, const char *to)
{
	char *at = strstr(original, from), *text;

	ck_assert_msg(at != NULL, "not in the original: %s", from);
	*at = '\0';
	ck_assert_int_ne(
		asprintf(&text, "%s%s%s", original, to, at + strlen(from)), -1);
	*at = from[0];
	write_config(text, strlen(text));
	free(text);
}

static bool
is_listed(char *const *list, const char *text)
{
	while (*list != NULL && strcmp(*list, text) != 0)
		list++;
	return *list != NULL;
}

START_TEST(original_is_read)
{
	static const char *const unapplied[] = {
		"mounts[2] \"/dev/pts\"",
		"mounts[3] \"/dev/shm\"",
		"mounts[4] \"/dev/mqueue\"",
		"mounts[5] \"/sys\"",
		"mounts[6] \"/sys/fs/cgroup\"",
		"process.capabilities",
		"process.rlimits",
		"process.noNewPrivileges",
		"linux.resources",
		"linux.maskedPaths",
		"linux.readonlyPaths",
	};
	struct bundle b;
	char *error = load(&b);

	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_str_eq(b.dir, dir);
	ck_assert_str_eq(b.rootfs, rootfs);
	ck_assert(b.readonly);
	ck_assert(b.process.terminal);
	ck_assert_str_eq(b.process.args[0], "sh");
	ck_assert_ptr_null(b.process.args[1]);
	ck_assert_str_eq(b.process.env[0],
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		"/bin");
	ck_assert_str_eq(b.process.env[1], "TERM=xterm");
	ck_assert_ptr_null(b.process.env[2]);
	ck_assert_str_eq(b.process.cwd, "/");
	ck_assert_str_eq(b.hostname, "nslessons");
	ck_assert_int_eq(b.namespaces, CLONE_NEWPID | CLONE_NEWNET |
					       CLONE_NEWIPC | CLONE_NEWUTS |
					       CLONE_NEWNS);
	for (size_t i = 0; i < COUNT(unapplied); i++)
		ck_assert_str_eq(b.unapplied[i], unapplied[i]);
	ck_assert_ptr_null(b.unapplied[COUNT(unapplied)]);
	bundle_free(&b);
}
END_TEST

/* A text of the original, what stands there instead, and the error. */
static const struct {
	const char *from, *to, *error;
} faults[] = {
	{"\"ociVersion\": \"1.0.2-dev\",", "",
		": ociVersion: found nothing, expected a string"},
	{"\"1.0.2-dev\"", "\"2.0.0\"",
		": ociVersion: found the string \"2.0.0\", expected a version"},
	{"\"1.0.2-dev\"", "\"\"", ": ociVersion: found"},
	{"\"1.0.2-dev\"", "\"1\"", ": ociVersion: found"},
	{"\"1.0.2-dev\"", "\"1.0\"", ": ociVersion: found"},
	{"\"1.0.2-dev\"", "\"1.0.2.3\"", ": ociVersion: found"},
	{"\"1.0.2-dev\"", "\"1.0.2dev\"", ": ociVersion: found"},
	{"\"1.0.2-dev\"", "\"11.0.2\"", ": ociVersion: found"},
	{"\"1.0.2-dev\"", "1.0", ": ociVersion: found 1.0, expected a string"},
	{"\"process\"", "\"Process\"",
		": process: found nothing, expected an object"},
	{"\"process\": {", "\"process\": [], \"x\": {",
		": process: found an empty array, expected an object"},
	{"\"terminal\": true", "\"terminal\": 1",
		": process.terminal: found 1, expected true or false"},
	{"\"terminal\": true", "\"terminal\": \"true\"",
		": process.terminal: found the string \"true\", expected"},
	{"\"user\": {", "\"user\": \"root\", \"x\": {",
		": process.user: found the string \"root\", expected an"},
	{"\"gid\": 0", "\"umask\": \"077\"", ": process.user.umask: found"},
	{"\"uid\": 0", "\"uid\": -1", ": process.user.uid: found -1, expected"},
	{"\"uid\": 0", "\"uid\": 4294967296",
		": process.user.uid: found 4294967296, expected a whole"
		" number from 0 to 4294967294"},
	{"\"uid\": 0", "\"uid\": 0.5", ": process.user.uid: found 0.5"},
	{"\"uid\": 0", "\"uid\": 0.0", ": process.user.uid: found 0.0"},
	{"\"uid\": 0", "\"uid\": \"root\"", ": process.user.uid: found the"},
	{"\"gid\": 0", "\"gid\": null", ": process.user.gid: found null"},
	{"\"gid\": 0", "\"additionalGids\": [1, -1]",
		": process.user.additionalGids[1]: found -1, expected"},
	{"\"gid\": 0", "\"additionalGids\": 1",
		": process.user.additionalGids: found 1, expected an array"},
	{"\"args\": [", "\"arg\": [",
		": process.args: found nothing, expected an array"},
	{"\"args\": [\n\t\t\t\"sh\"\n\t\t]", "\"args\": \"sh\"",
		": process.args: found the string \"sh\", expected an array"},
	{"\"sh\"", "", ": process.args: found an empty array, expected a"},
	{"\"sh\"", "\"\"",
		": process.args[0]: found the string \"\", expected a command"},
	{"\"sh\"", "42", ": process.args[0]: found 42, expected a string"},
	{"\"sh\"", "\"sh\", null", ": process.args[1]: found null, expected"},
	{"\"sh\"", "[\"sh\"]", ": process.args[0]: found an array, expected"},
	{"\"sh\"", "{}", ": process.args[0]: found an object, expected"},
	{"\"TERM=xterm\"", "\"TERM\"",
		": process.env[1]: found the string \"TERM\", expected NAME="},
	{"\"TERM=xterm\"", "\"=xterm\"", ": process.env[1]: found the string"},
	{"\"TERM=xterm\"", "\"\"", ": process.env[1]: found the string"},
	{"\"TERM=xterm\"", "true", ": process.env[1]: found true, expected"},
	{"\"cwd\": \"/\",", "", ": process.cwd: found nothing, expected"},
	{"\"cwd\": \"/\"", "\"cwd\": \"tmp\"",
		": process.cwd: found the string \"tmp\", expected an absolute"},
	{"\"cwd\": \"/\"", "\"cwd\": \"\"", ": process.cwd: found the string"},
	{"\"cwd\": \"/\"", "\"cwd\": {}", ": process.cwd: found an object"},
	{"\"capabilities\": {", "\"capabilities\": [], \"x\": {",
		": process.capabilities: found an empty array, expected"},
	{"\"bounding\": [", "\"bounding\": true, \"x\": [",
		": process.capabilities.bounding: found true, expected an"},
	{"\"ambient\": [", "\"inheritable\": 1, \"ambient\": [",
		": process.capabilities.inheritable: found 1, expected an"},
	{"\"ambient\": [", "\"ambient\": [0, ",
		": process.capabilities.ambient[0]: found 0, expected a"},
	{"\"RLIMIT_NOFILE\"", "\"RLIMIT_FILES\"",
		": process.rlimits[0].type: found the string"
		" \"RLIMIT_FILES\", expected a known type"},
	{"\"rlimits\": [",
		"\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\","
		" \"hard\": 1, \"soft\": 1},",
		": process.rlimits[1].type: found the string"
		" \"RLIMIT_NOFILE\", expected each type once"},
	{"\"hard\": 1024", "\"hard\": -1",
		": process.rlimits[0].hard: found -1, expected a whole"},
	{"\"soft\": 1024", "\"soft\": 18446744073709551616",
		": process.rlimits[0].soft: found 1.84467"},
	{"\"soft\": 1024", "\"soft\": 18446744073709551616000",
		": process.rlimits[0].soft: found 1.84467"},
	{",\n\t\t\t\t\"soft\": 1024", "",
		": process.rlimits[0].soft: found nothing, expected a whole"},
	{"\"noNewPrivileges\": true", "\"noNewPrivileges\": \"yes\"",
		": process.noNewPrivileges: found the string \"yes\""},
	{"\"noNewPrivileges\": true", "\"oomScoreAdj\": 3000000000",
		": process.oomScoreAdj: found 3000000000, expected"},
	{"\"root\": {", "\"toor\": {", ": root: found nothing, expected an"},
	{"\"root\": {", "\"root\": \"rootfs\", \"x\": {",
		": root: found the string \"rootfs\", expected an object"},
	{"\"path\": \"rootfs\",", "", ": root.path: found nothing, expected"},
	{"\"path\": \"rootfs\"", "\"path\": 1", ": root.path: found 1"},
	{"\"path\": \"rootfs\"", "\"path\": \"\"", ": root.path: \"\" is not"},
	{"\"path\": \"rootfs\"", "\"path\": \"..\"",
		": root.path: \"..\" leads out of the bundle"},
	{"\"path\": \"rootfs\"", "\"path\": \"rootfs/../../..\"",
		": root.path: \"rootfs/../../..\" leads out of the bundle"},
	{"\"path\": \"rootfs\"", "\"path\": \"other\"",
		": root.path: \"other\" is not there: scripts/build-bundle"},
	{"\"path\": \"rootfs\"", "\"path\": \"config.json\"",
		": root.path: \"config.json\" is not a folder"},
	{"\"readonly\": true", "\"readonly\": 0",
		": root.readonly: found 0, expected true or false"},
	{"\"nslessons\"", "0", ": hostname: found 0, expected a string"},
	{"\"nslessons\"",
		"\"012345678901234567890123456789012345678901234567890123456789"
		"01234\"",
		": hostname: found the string"
		" \"01234567890123456789012345678901234567890123456789"
		"012345678..., expected at most 64 bytes"},
	{"\"uts\"", "\"user\"",
		": hostname: found the string \"nslessons\", expected none"
		" without a uts namespace"},
	{"\"mounts\": [", "\"mounts\": {}, \"x\": [",
		": mounts: found an object, expected an array"},
	{"\"mounts\": [", "\"mounts\": [\"/proc\", ",
		": mounts[0]: found the string \"/proc\", expected an object"},
	{"\"destination\": \"/proc\",", "",
		": mounts[0].destination: found nothing, expected a string"},
	{"\"destination\": \"/proc\"", "\"destination\": \"proc\"",
		": mounts[0].destination: found the string \"proc\","
		" expected an absolute path"},
	{"\"destination\": \"/proc\"", "\"destination\": \"\"",
		": mounts[0].destination: found the string \"\", expected"},
	{"\"type\": \"proc\"", "\"type\": 1", ": mounts[0].type: found 1"},
	{"\"source\": \"proc\"", "\"source\": 1", ": mounts[0].source: found"},
	{"\"strictatime\"", "7", ": mounts[1].options[1]: found 7, expected"},
	{"\"linux\": {", "\"linux\": [], \"x\": {",
		": linux: found an empty array, expected an object"},
	{"\"namespaces\": [", "\"namespaces\": {}, \"x\": [",
		": linux.namespaces: found an object, expected an array"},
	{"\"namespaces\": [", "\"namespaces\": [7, ",
		": linux.namespaces[0]: found 7, expected an object"},
	{"\"namespaces\": [", "\"namespaces\": [{}, ",
		": linux.namespaces[0].type: found nothing, expected"},
	{"\"network\"", "\"net\"",
		": linux.namespaces[1].type: found the string \"net\","
		" expected a known type"},
	{"\"network\"", "\"\"", ": linux.namespaces[1].type: found the"},
	{"\"network\"", "\"pid\"",
		": linux.namespaces[1].type: found the string \"pid\","
		" expected each type once"},
	{"\"network\"", "\"network\", \"path\": 3",
		": linux.namespaces[1].path: found 3, expected a string"},
	{"\"network\"", "\"network\", \"path\": \"proc/1/ns/net\"",
		": linux.namespaces[1].path: found the string"
		" \"proc/1/ns/net\", expected an absolute path"},
	{"\"/proc/kcore\"", "[]", ": linux.maskedPaths[2]: found an empty"},
	{"\"/proc/kcore\"", "\"/./\"",
		": linux.maskedPaths[2]: found the string \"/./\", expected a"
		" path below /"},
	{"\"maskedPaths\"",
		"\"devices\": [{\"type\": \"p\", \"path\": \"/dev/\"}],"
		" \"maskedPaths\"",
		": linux.devices[0].path: found the string \"/dev/\""},
	{"\"CAP_KILL\"", "\"CAP_KILL,CAP_CHOWN\"",
		": process.capabilities.bounding[1]: found the string"
		" \"CAP_KILL,CAP_CHOWN\", expected the name"},
	{"\"CAP_KILL\"", "\"CAP_KILL \"",
		": process.capabilities.bounding[1]: found the string"
		" \"CAP_KILL \", expected the name"},
	{"\"readonlyPaths\": [", "\"readonlyPaths\": \"/\", \"x\": [",
		": linux.readonlyPaths: found the string \"/\", expected an"},
	{"\"linux\": {", "\"linux\": {\"seccomp\": true,",
		": linux.seccomp: found true, expected an object"},
	{"\"linux\": {", "\"linux\": {\"sysctl\": {\"a.b\": 1},",
		": linux.sysctl.a.b: found 1, expected a string"},
	{"\"linux\": {", "\"annotations\": {\"a\": null}, \"linux\": {",
		": annotations.a: found null, expected a string"},
	/* What is at fault must not reach the terminal as it is. */
	{"\"nslessons\"", "\"\", \"annotations\": {\"\\u001b\\u009b\\n\": 1}",
		": annotations.????: found 1, expected a string"},
	{"\"cwd\": \"/\"", "\"cwd\": \"\\u001b[2J\\u009b\\n\"",
		": process.cwd: found the string \"\\u001B[2J\\u009B\\n\","},
	{"\"path\": \"rootfs\"", "\"path\": \"\\u001b\\n\"",
		": root.path: \"?\?\" is not there"},
};

START_TEST(fault_is_told)
{
	char *text;

	replace(faults[_i].from, faults[_i].to);
	ck_assert_int_ne(
		asprintf(&text, "/config.json%s", faults[_i].error), -1);
	ck_error(text);
	free(text);
}
END_TEST

static const struct {
	const char *from, *to;
} accepted[] = {
	{"\"1.0.2-dev\"", "\"1.2.3\""},
	{"\"1.0.2-dev\"", "\"1.0.0-rc1+build\""},
	{"\"1.0.2-dev\"", "\"1.10.20+x\""},
	{"\"process\": {", "\"unknown\": {\"a\": [1, null]}, \"process\": {"},
	{"\"process\": {", "\"processes\": 1, \"process\": {"},
	{"\"terminal\": true", "\"terminals\": 1"},
	{"\"sh\"", "\"sh\", \"\", \"\\u5bb9\\u5668\""},
	{"\"TERM=xterm\"", "\"TERM=\""},
	{"\"env\": [", "\"environment\": ["},
	/* How a limit is lifted, and an integer that jansson cannot hold. */
	{"\"hard\": 1024", "\"hard\": 18446744073709551615"},
	{"\"namespaces\"", "\"unknown\": 123456789012345678901234567890,"
			   " \"namespaces\""},
	{"\"nslessons\"", "\"\""},
	{"\"hostname\": \"nslessons\",", ""},
	{"\"nslessons\"", "\"01234567890123456789012345678901234567890123456789"
			  "01234567890123\""},
	{"\"path\": \"rootfs\"", "\"path\": \"./rootfs/.\""},
	{"\"path\": \"rootfs\"", "\"path\": \"rootfs/\""},
	{"\"path\": \"rootfs\"", "\"path\": \"rootfs/../rootfs\""},
	{"\"path\": \"rootfs\"", "\"path\": \"/usr\""},
	{"{", " \n{"},
};

START_TEST(variant_is_read)
{
	replace(accepted[_i].from, accepted[_i].to);
	ck_loads();
}
END_TEST

/* What is put into the text, and what is listed for it. */
static const struct {
	const char *from, *to, *name;
} requests[] = {
	{"\"uid\": 0", "\"uid\": 1", "process.user"},
	{"\"gid\": 0", "\"gid\": 1", "process.user"},
	{"\"gid\": 0", "\"umask\": 63", "process.user"},
	{"\"gid\": 0", "\"additionalGids\": [5]", "process.user"},
	{"\"capabilities\": {", "\"capabilities\": {}, \"x\": {",
		"process.capabilities"},
	{"\"cwd\"", "\"apparmorProfile\": \"p\", \"cwd\"",
		"process.apparmorProfile"},
	{"\"cwd\"", "\"selinuxLabel\": \"l\", \"cwd\"", "process.selinuxLabel"},
	{"\"cwd\"", "\"oomScoreAdj\": -1, \"cwd\"", "process.oomScoreAdj"},
	{"\"linux\"", "\"hooks\": {}, \"linux\"", "hooks"},
	{"\"linux\"", "\"domainname\": \"d\", \"linux\"", "domainname"},
	{"\"namespaces\"",
		"\"seccomp\": {\"defaultAction\": \"a\"}, \"namespaces\"",
		"linux.seccomp"},
	{"\"namespaces\"", "\"sysctl\": {}, \"namespaces\"", "linux.sysctl"},
	{"\"namespaces\"", "\"mountLabel\": \"m\", \"namespaces\"",
		"linux.mountLabel"},
	{"\"namespaces\": [",
		ONE_MAPPING "\"namespaces\": [{\"type\": \"user\"},",
		"linux.gidMappings"},
	{"\"namespaces\"",
		"\"devices\": [{\"type\": \"p\", \"path\": \"/f\"}],"
		" \"namespaces\"",
		"linux.devices"},
	{"\"namespaces\"", "\"personality\": {}, \"namespaces\"",
		"linux.personality"},
	{"\"namespaces\"", "\"rootfsPropagation\": \"shared\", \"namespaces\"",
		"linux.rootfsPropagation"},
	{"\"cwd\"", "\"scheduler\": {\"policy\": \"\"}, \"cwd\"",
		"process.scheduler"},
	{"\"network\"", "\"network\", \"path\": \"/proc/1/ns/net\"",
		"linux.namespaces[1].path"},
	{"\"destination\": \"/proc\"", "\"destination\": \"/proc2\"",
		"mounts[0] \"/proc2\""},
	{"\"type\": \"proc\"", "\"options\": [\"nosuid\"], \"type\": \"proc\"",
		"mounts[0] \"/proc\""},
	{"\"strictatime\"", "\"noexec\"", "mounts[1] \"/dev\""},
};

START_TEST(request_is_listed)
{
	struct bundle b;
	char *error;

	replace(requests[_i].from, requests[_i].to);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_msg(is_listed(b.unapplied, requests[_i].name),
		"not listed: %s", requests[_i].name);
	bundle_free(&b);
}
END_TEST

START_TEST(nothing_asked_is_not_listed)
{
	struct bundle b;
	char *error;
	static const char text[] =
		"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"},"
		" \"process\": {\"args\": [\"a\"], \"cwd\": \"/\","
		"  \"noNewPrivileges\": false, \"apparmorProfile\": \"\","
		"  \"rlimits\": [], \"user\": {\"uid\": 0, \"gid\": 0}},"
		" \"linux\": {\"maskedPaths\": [], \"namespaces\":"
		"  [{\"type\": \"mount\"}, {\"type\": \"pid\", \"path\": \"\"}]}}";

	write_config(text, strlen(text));
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_ptr_null(b.unapplied[0]);
	ck_assert_ptr_null(b.process.env[0]);
	ck_assert_ptr_null(b.hostname);
	ck_assert(!b.readonly);
	ck_assert(!b.process.terminal);
	ck_assert_int_eq(b.namespaces, CLONE_NEWPID | CLONE_NEWNS);
	ck_assert_ptr_null(b.unsupported[0]);
	bundle_free(&b);
}
END_TEST

/* The types in the order of ns_types, two tests for each. */
START_TEST(namespace_is_made_or_joined)
{
	static const char *const types[] = {"cgroup", "ipc", "mount", "network",
		"pid", "time", "user", "uts"};
	const int flag = ns_types[_i / 2].flag, others = CLONE_NEWNS & ~flag;
	const bool join = _i % 2 == 1;
	struct bundle b;
	char *text, *error;
	int size = asprintf(&text,
		"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"},"
		" \"process\": {\"args\": [\"a\"], \"cwd\": \"/\"}, \"linux\":"
		"  {%s \"namespaces\": [{\"type\": \"%s\"%s}%s]}}",
		flag == CLONE_NEWUSER && !join ? ONE_MAPPING : "",
		types[_i / 2], join ? ", \"path\": \"/n\"" : "",
		others == 0 ? "" : ", {\"type\": \"mount\"}");

	ck_assert_int_ne(size, -1);
	write_config(text, (size_t)size);
	free(text);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_int_eq(b.namespaces, others | (join ? 0 : flag));
	for (int i = 0; i < NS_TYPES; i++)
		ck_assert_pstr_eq(
			b.joined[i], join && i == _i / 2 ? "/n" : NULL);
	ck_assert(is_listed(b.unapplied, "linux.namespaces[0].path") == join);
	bundle_free(&b);
}
END_TEST

/* --- Every property ------------------------------------------------------ */

/* tests/everything.json: each property that the specification knows is in it,
 * with a value that is allowed. */
static json_t *
read_everything(void)
{
	json_error_t e;
	json_t *all = json_load_file("tests/everything.json", 0, &e);

	ck_assert_msg(all != NULL, "%d: %s", e.line, e.text);
	return all;
}

static void
write_json(const json_t *value)
{
	char *text = json_dumps(value, 0);

	ck_assert_ptr_nonnull(text);
	write_config(text, strlen(text));
	free(text);
}

START_TEST(everything_is_read)
{
	json_t *all = read_everything();
	struct bundle b;
	char *error, *data = support_path(dir, "data");

	write_json(all);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert(json_equal(b.config, all));
	ck_assert_str_eq(b.hostname, "host");
	ck_assert_str_eq(b.domainname, "domain");
	ck_assert_uint_eq(b.mount_count, 3);
	ck_assert_str_eq(b.mounts[0].destination, "/proc");
	ck_assert_str_eq(b.mounts[0].type, "proc");
	ck_assert_str_eq(b.mounts[0].source, "proc");
	ck_assert_ptr_null(b.mounts[0].options[0]);
	ck_assert_str_eq(b.mounts[1].source, data);
	ck_assert_str_eq(b.mounts[1].options[1], "ro");
	ck_assert_ptr_null(b.mounts[1].options[3]);
	ck_assert_str_eq(b.mounts[2].source, "/cpuinfo");
	ck_assert_int_eq(b.namespaces, CLONE_NEWNET | CLONE_NEWNS |
					       CLONE_NEWIPC | CLONE_NEWUTS |
					       CLONE_NEWUSER | CLONE_NEWTIME);
	ck_assert_str_eq(b.joined[ns_type_of(CLONE_NEWPID)], "/proc/1/ns/pid");
	ck_assert_uint_eq(b.uid_map_count, 2);
	ck_assert_uint_eq(b.uid_map[1].inside, 1);
	ck_assert_uint_eq(b.uid_map[1].outside, 100000);
	ck_assert_uint_eq(b.uid_map[1].count, 65536);
	ck_assert_uint_eq(b.gid_map_count, 1);
	ck_assert_uint_eq(b.gid_map[0].outside, 1001);
	ck_assert(b.monotonic.given && b.boottime.given);
	ck_assert_int_eq(b.monotonic.secs, 86400);
	ck_assert_uint_eq(b.monotonic.nanosecs, 999999999);
	ck_assert_int_eq(b.boottime.secs, -5);
	ck_assert_uint_eq(b.device_count, 2);
	ck_assert_int_eq(b.devices[0].type, 'c');
	ck_assert_str_eq(b.devices[0].path, "/dev/fuse");
	ck_assert_uint_eq(b.devices[0].major, 10);
	ck_assert_uint_eq(b.devices[0].minor, 229);
	ck_assert_uint_eq(b.devices[0].mode, 0660);
	ck_assert_uint_eq(b.devices[0].uid, 1);
	ck_assert_uint_eq(b.devices[0].gid, 2);
	ck_assert_int_eq(b.devices[1].type, 'p');
	ck_assert_uint_eq(b.devices[1].mode, 0666);
	ck_assert_str_eq(b.cgroups_path, "/a/b");
	ck_assert_uint_eq(b.sysctl_count, 3);
	ck_assert_str_eq(b.sysctls[0].name, "net.ipv4.ip_forward");
	ck_assert_str_eq(b.sysctls[0].value, "1");
	ck_assert_str_eq(b.sysctls[1].name, "net.ipv4.conf.eth0/1.forwarding");
	ck_assert_uint_eq(b.propagation, MS_SLAVE | MS_REC);
	ck_assert_str_eq(b.masked_paths[0], "/proc/kcore");
	ck_assert_str_eq(b.readonly_paths[1], "/proc/bus");
	ck_assert_uint_eq(b.hook_count[BUNDLE_PRESTART], 2);
	ck_assert_str_eq(b.hooks[BUNDLE_PRESTART][0].args[1], "b");
	ck_assert_str_eq(b.hooks[BUNDLE_PRESTART][0].env[0], "A=1");
	ck_assert_int_eq(b.hooks[BUNDLE_PRESTART][0].timeout.value, 3);
	ck_assert_str_eq(b.hooks[BUNDLE_PRESTART][1].args[0], "/bin/b");
	ck_assert_ptr_null(b.hooks[BUNDLE_PRESTART][1].args[1]);
	ck_assert(!b.hooks[BUNDLE_PRESTART][1].timeout.given);
	for (int kind = BUNDLE_CREATE_RUNTIME; kind < BUNDLE_HOOKS; kind++) {
		ck_assert_uint_eq(b.hook_count[kind], 1);
		ck_assert_int_eq(b.hooks[kind][0].path[1], '0' + kind);
	}
	ck_assert_str_eq(json_string_value(
				 json_object_get(b.annotations, "org.example")),
		"1");
	bundle_free(&b);
	json_decref(all);
	free(data);
}
END_TEST

START_TEST(every_resource_is_read)
{
	json_t *all = read_everything();
	struct bundle_resources *r;
	struct bundle b;
	char *error;

	write_json(all);
	json_decref(all);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	r = &b.resources;
	ck_assert_int_eq(r->memory_limit.value, 1000000);
	ck_assert_int_eq(r->memory_reservation.value, -1);
	ck_assert_int_eq(r->memory_swap.value, 2000000);
	ck_assert(r->memory_limit.given && r->memory_reservation.given);
	ck_assert_int_eq(r->cpu_shares.value, 512);
	ck_assert_int_eq(r->cpu_quota.value, -1);
	ck_assert_int_eq(r->cpu_period.value, 100000);
	ck_assert_str_eq(r->cpus, "0-3,7");
	ck_assert_str_eq(r->mems, "0");
	ck_assert_int_eq(r->pids_limit.value, 32);
	ck_assert_uint_eq(r->device_count, 2);
	ck_assert(!r->devices[0].allow && r->devices[1].allow);
	ck_assert_int_eq(r->devices[0].type, 'a');
	ck_assert(!r->devices[0].major.given && !r->devices[0].minor.given);
	ck_assert(r->devices[0].read && r->devices[0].write);
	ck_assert(r->devices[0].make);
	ck_assert_int_eq(r->devices[1].type, 'c');
	ck_assert(r->devices[1].major.given && !r->devices[1].minor.given);
	ck_assert_int_eq(r->devices[1].major.value, 10);
	ck_assert(r->devices[1].read && !r->devices[1].write);
	ck_assert(!r->devices[1].make);
	ck_assert_str_eq(
		json_string_value(json_object_get(r->unified, "memory.high")),
		"1000");
	bundle_free(&b);
}
END_TEST

static void
ck_process(const struct bundle_process *p)
{
	const uint64_t kill = UINT64_C(1) << CAP_KILL;
	const uint64_t chown = UINT64_C(1) << CAP_CHOWN;

	ck_assert(p->terminal && p->no_new_privileges);
	ck_assert_uint_eq(p->rows, 24);
	ck_assert_uint_eq(p->columns, 80);
	ck_assert_str_eq(p->args[2], "id");
	ck_assert_ptr_null(p->args[3]);
	ck_assert_str_eq(p->env[1], "EMPTY=");
	ck_assert_ptr_null(p->env[2]);
	ck_assert_str_eq(p->cwd, "/tmp");
	ck_assert_uint_eq(p->uid, 1);
	ck_assert_uint_eq(p->gid, 2);
	ck_assert_uint_eq(p->gid_count, 2);
	ck_assert_uint_eq(p->gids[1], 4294967294U);
	ck_assert(p->umask.given);
	ck_assert_int_eq(p->umask.value, 022);
	ck_assert(p->caps.given);
	ck_assert_uint_eq(p->caps.bounding, kill | chown);
	ck_assert_uint_eq(p->caps.effective, kill);
	ck_assert_uint_eq(p->caps.inheritable, chown);
	ck_assert_uint_eq(p->caps.permitted, kill | UINT64_C(1) << 40);
	ck_assert_uint_eq(p->caps.ambient, chown);
	ck_assert_uint_eq(p->rlimit_count, 2);
	ck_assert_int_eq(p->rlimits[0].resource, RLIMIT_NOFILE);
	ck_assert_str_eq(p->rlimits[0].name, "RLIMIT_NOFILE");
	ck_assert_uint_eq(p->rlimits[0].limit.rlim_cur, 1024);
	ck_assert_uint_eq(p->rlimits[0].limit.rlim_max, 4096);
	ck_assert_int_eq(p->rlimits[1].resource, RLIMIT_CORE);
	ck_assert(p->oom_score_adj.given);
	ck_assert_int_eq(p->oom_score_adj.value, -500);
}

/* From config.json, from a file of its own, and from a value. */
START_TEST(every_part_of_the_process_is_read)
{
	static const char *const names[] = {"apparmorProfile", "selinuxLabel",
		"scheduler", "ioPriority", "execCPUAffinity"};
	json_t *all = read_everything();
	json_t *value = json_object_get(all, "process");
	struct bundle_process process;
	struct bundle b;
	char *error;

	write_json(all);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_process(&b.process);
	ck_assert_str_eq(b.process.unsupported[0], "process.apparmorProfile");
	bundle_free(&b);
	write_json(value);
	ck_assert_int_eq(bundle_load_process(&process, config, &error), 0);
	ck_process(&process);
	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_str_eq(process.unsupported[i], names[i]);
	ck_assert_ptr_null(process.unsupported[COUNT(names)]);
	bundle_process_free(&process);
	ck_assert_int_eq(bundle_read_process(&process, value, "x", &error), 0);
	ck_process(&process);
	bundle_process_free(&process);
	json_decref(all);
}
END_TEST

/* What each property of tests/everything.json that is not done is called. */
static const char *const unsupported[] = {
	"mounts[1].options[2] \"ridmap\"",
	"mounts[1].uidMappings",
	"mounts[1].gidMappings",
	"process.apparmorProfile",
	"process.selinuxLabel",
	"process.scheduler",
	"process.ioPriority",
	"process.execCPUAffinity",
	"linux.seccomp",
	"linux.mountLabel",
	"linux.intelRdt",
	"linux.personality",
	"linux.netDevices",
	"linux.memoryPolicy",
	"linux.resources.memory.swappiness",
	"linux.resources.memory.kernel",
	"linux.resources.memory.kernelTCP",
	"linux.resources.memory.disableOOMKiller",
	"linux.resources.memory.useHierarchy",
	"linux.resources.memory.checkBeforeUpdate",
	"linux.resources.cpu.burst",
	"linux.resources.cpu.realtimeRuntime",
	"linux.resources.cpu.realtimePeriod",
	"linux.resources.cpu.idle",
	"linux.resources.blockIO.weight",
	"linux.resources.blockIO.leafWeight",
	"linux.resources.blockIO.weightDevice",
	"linux.resources.blockIO.throttleReadBpsDevice",
	"linux.resources.blockIO.throttleWriteBpsDevice",
	"linux.resources.blockIO.throttleReadIOPSDevice",
	"linux.resources.blockIO.throttleWriteIOPSDevice",
	"linux.resources.hugepageLimits",
	"linux.resources.network.classID",
	"linux.resources.network.priorities",
	"linux.resources.rdma",
};

START_TEST(what_is_not_done_is_listed)
{
	json_t *all = read_everything();
	struct bundle b;
	size_t count = 0;
	char *error;

	write_json(all);
	json_decref(all);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	for (size_t i = 0; i < COUNT(unsupported); i++)
		ck_assert_msg(is_listed(b.unsupported, unsupported[i]),
			"not listed: %s", unsupported[i]);
	while (b.unsupported[count] != NULL)
		count++;
	ck_assert_uint_eq(count, COUNT(unsupported));
	bundle_free(&b);
}
END_TEST

/* A walk over all values of a file. The visitor may change what is at the path
 * by put(), and must put the old value back. */
struct place {
	json_t *holder;
	const char *key; /* in an object */
	size_t index;	 /* in an array */
};

typedef void visitor(json_t *all, const struct place *place, json_t *value,
	const char *path);

static void
put(const struct place *place, json_t *value)
{
	if (value == NULL)
		ck_assert_int_eq(json_object_del(place->holder, place->key), 0);
	else if (place->key != NULL)
		ck_assert_int_eq(
			json_object_set(place->holder, place->key, value), 0);
	else
		ck_assert_int_eq(
			json_array_set(place->holder, place->index, value), 0);
}

static void
walk( // NOLINT(misc-no-recursion)
	json_t *all, json_t *value, const char *path, visitor *visit)
{
	struct place place = {.holder = value};
	json_t *members = json_copy(value), *part;
	char *next;

	json_object_foreach(members, place.key, part) {
		ck_assert_int_ne(asprintf(&next, "%s%s%s", path,
					 path[0] == '\0' ? "" : ".", place.key),
			-1);
		visit(all, &place, part, next);
		walk(all, part, next, visit);
		free(next);
	}
	place.key = NULL;
	json_array_foreach(members, place.index, part) {
		ck_assert_int_ne(
			asprintf(&next, "%s[%zu]", path, place.index), -1);
		visit(all, &place, part, next);
		walk(all, part, next, visit);
		free(next);
	}
	json_decref(members);
}

static void
ck_every_other_type(
	json_t *all, const struct place *place, json_t *value, const char *path)
{
	static const char *const others[] = {
		"null", "true", "1", "1.5", "\"x\"", "[]", "{}"};
	char *text;

	ck_assert_int_ne(asprintf(&text, "/config.json: %s: found ", path), -1);
	for (size_t i = 0; i < COUNT(others); i++) {
		json_t *other = json_loads(others[i], JSON_DECODE_ANY, NULL);

		ck_assert_ptr_nonnull(other);
		if (json_typeof(other) != json_typeof(value) &&
			!(json_is_boolean(other) && json_is_boolean(value))) {
			put(place, other);
			write_json(all);
			ck_error(text);
		}
		json_decref(other);
	}
	put(place, value);
	free(text);
}

START_TEST(every_wrong_type_is_told)
{
	json_t *all = read_everything();

	walk(all, all, "", ck_every_other_type);
	write_json(all);
	ck_loads();
	json_decref(all);
}
END_TEST

/* Without these tests/everything.json is no config.json any more. */
static const char *const required[] = {
	"ociVersion",
	"process",
	"process.args",
	"process.cwd",
	"process.consoleSize.height",
	"process.consoleSize.width",
	"process.capabilities.permitted",
	"process.rlimits[0].type",
	"process.rlimits[0].soft",
	"process.rlimits[0].hard",
	"process.rlimits[1].type",
	"process.rlimits[1].soft",
	"process.rlimits[1].hard",
	"process.scheduler.policy",
	"process.ioPriority.class",
	"root",
	"root.path",
	"mounts[0].destination",
	"mounts[0].type",
	"mounts[1].destination",
	"mounts[1].source",
	"mounts[1].uidMappings[0].containerID",
	"mounts[1].uidMappings[0].hostID",
	"mounts[1].uidMappings[0].size",
	"mounts[1].gidMappings[0].containerID",
	"mounts[1].gidMappings[0].hostID",
	"mounts[1].gidMappings[0].size",
	"mounts[2].destination",
	"mounts[2].source",
	"mounts[2].options",
	"hooks.prestart[0].path",
	"hooks.prestart[1].path",
	"hooks.createRuntime[0].path",
	"hooks.createContainer[0].path",
	"hooks.startContainer[0].path",
	"hooks.poststart[0].path",
	"hooks.poststop[0].path",
	"linux",
	"linux.namespaces",
	"linux.namespaces[0].type",
	"linux.namespaces[1].type",
	"linux.namespaces[2].type",
	"linux.namespaces[3].type",
	"linux.namespaces[4].type",
	"linux.namespaces[5].type",
	"linux.namespaces[6].type",
	"linux.uidMappings",
	"linux.uidMappings[0].containerID",
	"linux.uidMappings[0].hostID",
	"linux.uidMappings[0].size",
	"linux.uidMappings[1].containerID",
	"linux.uidMappings[1].hostID",
	"linux.uidMappings[1].size",
	"linux.gidMappings",
	"linux.gidMappings[0].containerID",
	"linux.gidMappings[0].hostID",
	"linux.gidMappings[0].size",
	"linux.devices[0].type",
	"linux.devices[0].path",
	"linux.devices[0].major",
	"linux.devices[0].minor",
	"linux.devices[1].type",
	"linux.devices[1].path",
	"linux.resources.devices[0].allow",
	"linux.resources.devices[0].access",
	"linux.resources.devices[1].allow",
	"linux.resources.devices[1].access",
	"linux.resources.pids.limit",
	"linux.resources.blockIO.weightDevice[0].major",
	"linux.resources.blockIO.weightDevice[0].minor",
	"linux.resources.blockIO.throttleReadBpsDevice[0].major",
	"linux.resources.blockIO.throttleReadBpsDevice[0].minor",
	"linux.resources.blockIO.throttleReadBpsDevice[0].rate",
	"linux.resources.blockIO.throttleWriteBpsDevice[0].major",
	"linux.resources.blockIO.throttleWriteBpsDevice[0].minor",
	"linux.resources.blockIO.throttleWriteBpsDevice[0].rate",
	"linux.resources.blockIO.throttleReadIOPSDevice[0].major",
	"linux.resources.blockIO.throttleReadIOPSDevice[0].minor",
	"linux.resources.blockIO.throttleReadIOPSDevice[0].rate",
	"linux.resources.blockIO.throttleWriteIOPSDevice[0].major",
	"linux.resources.blockIO.throttleWriteIOPSDevice[0].minor",
	"linux.resources.blockIO.throttleWriteIOPSDevice[0].rate",
	"linux.resources.hugepageLimits[0].pageSize",
	"linux.resources.hugepageLimits[0].limit",
	"linux.resources.network.priorities[0].name",
	"linux.resources.network.priorities[0].priority",
	"linux.seccomp.defaultAction",
	"linux.seccomp.syscalls[0].names",
	"linux.seccomp.syscalls[0].action",
	"linux.seccomp.syscalls[0].args[0].index",
	"linux.seccomp.syscalls[0].args[0].value",
	"linux.seccomp.syscalls[0].args[0].op",
	NULL,
};

static void
ck_taken_away(
	json_t *all, const struct place *place, json_t *value, const char *path)
{
	struct bundle b;
	char *error;

	if (place->key == NULL)
		return;
	put(place, NULL);
	write_json(all);
	error = load(&b);
	if (is_listed((char *const *)required, path))
		ck_assert_msg(error != NULL, "loads without %s", path);
	else
		ck_assert_msg(
			error == NULL, "refused without %s: %s", path, error);
	if (error == NULL)
		bundle_free(&b);
	free(error);
	put(place, value);
}

START_TEST(every_other_property_may_be_absent)
{
	json_t *all = read_everything();

	walk(all, all, "", ck_taken_away);
	json_decref(all);
}
END_TEST

/* What stands in tests/everything.json, what is put in its place, and the
 * error, NULL when there is none. */
static const struct {
	const char *from, *to, *error;
} in_range[] = {
#define IN(path) ": " path ": found "
	{"\"uid\": 1, \"gid\"", "\"uid\": 4294967295, \"gid\"",
		IN("process.user.uid") "4294967295, expected a whole number from 0 to 4294967294"},
	{"\"gid\": 2, \"umask\"", "\"gid\": 4294967295, \"umask\"",
		IN("process.user.gid")},
	{"4294967294]", "4294967295]", IN("process.user.additionalGids[1]")},
	{"\"umask\": 18", "\"umask\": 512",
		IN("process.user.umask") "512, expected a whole number from 0 to 511"},
	{"\"umask\": 18", "\"umask\": -1", IN("process.user.umask")},
	{"\"umask\": 18", "\"umask\": 511", NULL},
	{"\"height\": 24", "\"height\": 65536",
		IN("process.consoleSize.height")},
	{"\"width\": 80", "\"width\": -1", IN("process.consoleSize.width")},
	{"\"CAP_KILL\", \"CAP_CHOWN\"", "\"CAP_KILL\", \"CAP_NONE\"",
		IN("process.capabilities.bounding[1]") "the string \"CAP_NONE\", expected the name of a capability"},
	{"\"CAP_KILL\", \"CAP_CHOWN\"", "\"cap_kill\"",
		IN("process.capabilities.bounding[0]")},
	{"\"CAP_KILL\", \"CAP_CHOWN\"", "\"KILL\"",
		IN("process.capabilities.bounding[0]")},
	{"\"CAP_KILL\", \"CAP_CHOWN\"", "\"5\"",
		IN("process.capabilities.bounding[0]")},
	{"\"CAP_KILL\", \"CAP_CHOWN\"", "\"CAP_\"",
		IN("process.capabilities.bounding[0]")},
	{"\"effective\": [\"CAP_KILL\"]", "\"effective\": [\"CAP_CHOWN\"]",
		IN("process.capabilities.effective[0]") "the string \"CAP_CHOWN\", expected one that is permitted"},
	{"\"inheritable\": [\"CAP_CHOWN\"]", "\"inheritable\": [\"x\"]",
		IN("process.capabilities.inheritable[0]")},
	{"CAP_CHECKPOINT_RESTORE", "CAP_LAST",
		IN("process.capabilities.permitted[1]")},
	{"\"ambient\": [\"CAP_CHOWN\"]", "\"ambient\": [\"\"]",
		IN("process.capabilities.ambient[0]")},
	{"\"soft\": 1024", "\"soft\": 4097",
		IN("process.rlimits[0].soft") "4097, expected no more than the hard limit"},
	{"\"soft\": 1024", "\"soft\": 4096", NULL},
	{"\"soft\": 1024", "\"soft\": 18446744073709551615",
		IN("process.rlimits[0].soft")},
	{"RLIMIT_CORE", "RLIMIT_NOFILE",
		IN("process.rlimits[1].type") "the string \"RLIMIT_NOFILE\", expected each type once"},
	{"RLIMIT_CORE", "RLIMIT_cORE", IN("process.rlimits[1].type")},
	{"-500", "1000", NULL},
	{"-500", "-1000", NULL},
	{"-500", "1001",
		IN("process.oomScoreAdj") "1001, expected a whole number from -1000 to 1000"},
	{"-500", "-1001", IN("process.oomScoreAdj")},

	{"\"host\"", "\"\"", NULL},
	{"\"domain\"",
		"\"01234567890123456789012345678901234567890123456789012345678"
		"901234\"",
		IN("domainname")},
	{"\"/mnt\"", "\"mnt\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/\"",
		IN("mounts[1].destination") "the string \"/\", expected a place below /"},
	{"\"/mnt\"", "\"//./a/../..\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/../.\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/proc\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/x//../proc/\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/proc/sys\"",
		IN("mounts[1].destination") "the string \"/proc/sys\", expected a place outside of /proc"},
	{"\"/mnt\"", "\"/proc/cpuinfo/a\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/../proc/./1\"", IN("mounts[1].destination")},
	{"\"/mnt\"", "\"/proc/sys/kernel/ns_last_pid\"", NULL},
	{"\"/mnt\"", "\"/proc1\"", NULL},
	{"\"/mnt\"", "\"/...\"", NULL},
	{"\"/mnt\"", "\"/.a\"", NULL},
	{"\"type\": \"proc\"", "\"type\": \"sysfs\"",
		IN("mounts[0].destination") "the string \"/proc\", expected another place, or a mount of"},
	{"\"type\": \"proc\"", "\"options\": [\"bind\"], \"type\": \"proc\"",
		IN("mounts[0].destination")},
	{"{\"destination\": \"/proc\", \"type\": \"proc\"",
		"{\"destination\": \"/x\", \"type\": \"\"",
		IN("mounts[0].type") "the string \"\", expected a type, or the option bind"},
	{"\"options\": [\"bind\"]", "\"options\": [\"ro\"]",
		IN("mounts[2].type") "the string \"bind\", expected a type"},
	{"\"source\": \"data\"", "\"source\": \"\"",
		IN("mounts[1].source") "the string \"\", expected what is to be bound"},

	{"\"timeout\": 3", "\"timeout\": 0",
		IN("hooks.prestart[0].timeout") "0, expected a whole number from 1 to 2147483647"},
	{"\"timeout\": 3", "\"timeout\": -1", IN("hooks.prestart[0].timeout")},
	{"\"timeout\": 3", "\"timeout\": 2147483648",
		IN("hooks.prestart[0].timeout")},
	{"\"/bin/a\"", "\"bin/a\"",
		IN("hooks.prestart[0].path") "the string \"bin/a\", expected an absolute path"},
	{"\"/5\"", "\"\"", IN("hooks.poststop[0].path")},
	{"\"A=1\"", "\"A\"",
		IN("hooks.prestart[0].env[0]") "the string \"A\", expected NAME=VALUE"},

	{"\"/proc/1/ns/pid\"", "\"self/ns/pid\"",
		IN("linux.namespaces[0].path")},
	{"\"hostID\": 1000,", "\"hostID\": 4294967295,",
		IN("linux.uidMappings[0].hostID")},
	{"\"size\": 65536", "\"size\": 0", IN("linux.uidMappings[1].size")},
	{"\"size\": 65536", "\"size\": 4294867295", NULL},
	{"\"size\": 65536", "\"size\": 4294867296",
		IN("linux.uidMappings[1].size") "4294867296, expected 1 or more, and none too many"},
	{"\"uidMappings\": [\n\t\t\t{", "\"uidMappings\": [], \"x\": [{",
		IN("linux.uidMappings") "an empty array, expected one or more for the user namespace"},
	{"\"boottime\"", "\"realtime\"",
		IN("linux.timeOffsets.realtime") "an object, expected no clock but monotonic and boottime"},
	{"999999999", "1000000000", IN("linux.timeOffsets.monotonic.nanosecs")},
	{"999999999", "-1", IN("linux.timeOffsets.monotonic.nanosecs")},
	{"86400", "18446744073709551615",
		IN("linux.timeOffsets.monotonic.secs")},

	{"\"type\": \"c\", \"path\"", "\"type\": \"x\", \"path\"",
		IN("linux.devices[0].type") "the string \"x\", expected c, b, u or p"},
	{"\"type\": \"c\", \"path\"", "\"type\": \"cc\", \"path\"",
		IN("linux.devices[0].type")},
	{"\"type\": \"c\", \"path\"", "\"type\": \"\", \"path\"",
		IN("linux.devices[0].type")},
	{"\"type\": \"c\", \"path\"", "\"type\": \"u\", \"path\"", NULL},
	{"\"type\": \"p\"", "\"type\": \"b\"",
		IN("linux.devices[1].major") "nothing, expected a number"},
	{"\"/dev/fuse\"", "\"dev/fuse\"", IN("linux.devices[0].path")},
	{"\"major\": 10,\n\t\t\t\t\"minor\": 229",
		"\"major\": 4096, \"minor\": 0", IN("linux.devices[0].major")},
	{"\"major\": 10,\n\t\t\t\t\"minor\": 229",
		"\"major\": -1, \"minor\": 0", IN("linux.devices[0].major")},
	{"\"minor\": 229", "\"minor\": 1048575", NULL},
	{"\"minor\": 229", "\"minor\": 1048576", IN("linux.devices[0].minor")},
	{"\"fileMode\": 8624", "\"fileMode\": 65536",
		IN("linux.devices[0].fileMode")},

	{"\"/a/b\"", "\"a..b/..c/.../d..\"", NULL},
	{"\"/a/b\"", "\"\"", NULL},
	{"\"/a/b\"", "\"/a/../b\"",
		IN("linux.cgroupsPath") "the string \"/a/../b\", expected a path without .."},
	{"\"/a/b\"", "\"..\"", IN("linux.cgroupsPath")},
	{"\"/a/b\"", "\"a/..\"", IN("linux.cgroupsPath")},

	{"\"type\": \"c\", \"major\"", "\"type\": \"p\", \"major\"",
		IN("linux.resources.devices[1].type") "the string \"p\", expected a, b or c"},
	{"\"type\": \"c\", \"major\"", "\"type\": \"ab\", \"major\"",
		IN("linux.resources.devices[1].type")},
	{"\"type\": \"c\", \"major\"", "\"type\": \"\", \"major\"", NULL},
	{"\"access\": \"r\"", "\"access\": \"\"",
		IN("linux.resources.devices[1].access") "the string \"\", expected some of r, w and m"},
	{"\"access\": \"r\"", "\"access\": \"rwx\"",
		IN("linux.resources.devices[1].access")},
	{"\"minor\": -1", "\"minor\": -2",
		IN("linux.resources.devices[1].minor")},
	{"\"minor\": -1", "\"minor\": 1048576",
		IN("linux.resources.devices[1].minor")},
	{"\"limit\": 1000000", "\"limit\": -2",
		IN("linux.resources.memory.limit") "-2, expected a whole number from -1 to 9223372036854775807"},
	{"\"limit\": 1000000", "\"limit\": 2000001",
		IN("linux.resources.memory.swap") "2000000, expected no less than the memory limit"},
	{"\"reservation\": -1", "\"reservation\": -2",
		IN("linux.resources.memory.reservation")},
	{"\"swappiness\": 0", "\"swappiness\": 101",
		IN("linux.resources.memory.swappiness")},
	{"\"shares\": 512", "\"shares\": -1", IN("linux.resources.cpu.shares")},
	{"\"quota\": -1", "\"quota\": -2", IN("linux.resources.cpu.quota")},
	{"\"0-3,7\"", "\"all\"",
		IN("linux.resources.cpu.cpus") "the string \"all\", expected a list as in"},
	{"\"mems\": \"0\"", "\"mems\": \"0\\n\"",
		IN("linux.resources.cpu.mems")},
	{"\"limit\": 32", "\"limit\": -2", IN("linux.resources.pids.limit")},
	{"\"memory.high\"", "\"../memory.high\"",
		IN("linux.resources.unified.../memory.high") "the string \"1000\", expected the name of a file"},
	{"\"memory.high\"", "\"..\"", IN("linux.resources.unified...")},
	{"\"memory.high\"", "\"\"", IN("linux.resources.unified.")},
	{"\"weight\": 10", "\"weight\": 65536",
		IN("linux.resources.blockIO.weight")},

	{"kernel.shmmax", "kernel.hostname",
		IN("linux.sysctl.kernel.hostname") "the string \"4096\", expected the property hostname"},
	{"kernel.shmmax", "kernel/hostname",
		IN("linux.sysctl.kernel/hostname")},
	{"kernel.shmmax", "kernel.panic",
		IN("linux.sysctl.kernel.panic") "the string \"4096\", expected a parameter that a namespace"},
	{"kernel.shmmax", "kernel.shmmaxx", IN("linux.sysctl.kernel.shmmaxx")},
	{"kernel.shmmax", "kernel.shmmax.x",
		IN("linux.sysctl.kernel.shmmax.x")},
	{"kernel.shmmax", "network.x", IN("linux.sysctl.network.x")},
	{"kernel.shmmax", "net", IN("linux.sysctl.net")},
	{"kernel.shmmax", "", IN("linux.sysctl.")},
	{"kernel.shmmax", "net.",
		IN("linux.sysctl.net.") "the string \"4096\", expected a name as in sysctl(8)"},
	{"kernel.shmmax", ".net.x", IN("linux.sysctl..net.x")},
	{"kernel.shmmax", "/net/x", IN("linux.sysctl./net/x")},
	{"kernel.shmmax", "net..x", IN("linux.sysctl.net..x")},
	{"kernel.shmmax", "net/../kernel/panic",
		IN("linux.sysctl.net/../kernel/panic")},
	{"kernel.shmmax", "net.//.kernel.panic",
		IN("linux.sysctl.net.//.kernel.panic")},
	{"kernel.shmmax", "net./.kernel", IN("linux.sysctl.net./.kernel")},
	{"kernel.shmmax", "fs.mqueue.queues_max", NULL},
	{"kernel.shmmax", "kernel.domainname", NULL},

	{"\"rslave\"", "\"\"", NULL},
	{"\"rslave\"", "\"unbindable\"", NULL},
	{"\"rslave\"", "\"slaves\"",
		IN("linux.rootfsPropagation") "the string \"slaves\", expected private, shared, slave or"},
	{"\"/proc/kcore\"", "\"proc/kcore\"",
		IN("linux.maskedPaths[0]") "the string \"proc/kcore\", expected an absolute path"},
	{"\"/proc/bus\"", "\"\"", IN("linux.readonlyPaths[1]")},
#undef IN
};

START_TEST(value_is_within_its_range)
{
	char *error;

	free(original);
	original = read_file("tests/everything.json");
	replace(in_range[_i].from, in_range[_i].to);
	if (in_range[_i].error == NULL) {
		ck_loads();
		return;
	}
	ck_assert_int_ne(
		asprintf(&error, "/config.json%s", in_range[_i].error), -1);
	ck_error(error);
	free(error);
}
END_TEST

/* What needs a namespace of the container's own, and namespaces. */
static const struct {
	const char *text, *namespaces, *error;
} needs[] = {
#define OWN(type) "{\"type\": \"" type "\"}"
#define JOIN(type, path) "{\"type\": \"" type "\", \"path\": \"" path "\"}"
#define MOUNT OWN("mount")
	{"", "", ": linux.namespaces: found an empty array, expected one of"},
	{"", OWN("pid"), ": linux.namespaces: found an array, expected one of"},
	{"", MOUNT, NULL},
	{"", JOIN("mount", "/n"), NULL},
	{"", JOIN("mount", "n"), ": linux.namespaces[0].path: found the"},
	{"", MOUNT "," JOIN("mount", "/n"),
		": linux.namespaces[1].type: found the string \"mount\","
		" expected each type once"},
	{"", MOUNT "," JOIN("pid", "/n") "," OWN("pid"),
		": linux.namespaces[2].type: found the string \"pid\","
		" expected each type once"},
	{"\"hostname\": \"x\"", MOUNT,
		": hostname: found the string \"x\", expected none without"},
	{"\"hostname\": \"x\"", MOUNT "," JOIN("uts", "/n"), NULL},
	{"\"hostname\": \"x\"", MOUNT "," JOIN("uts", "/proc/self/ns/uts"),
		": hostname: found"},
	{"\"domainname\": \"x\"", MOUNT,
		": domainname: found the string \"x\", expected none without"},
	{"\"linux\": {\"sysctl\": {\"net.a\": \"1\"}", MOUNT,
		": linux.sysctl.net.a: found the string \"1\", expected none"
		" without a network namespace"},
	{"\"linux\": {\"sysctl\": {\"net.a\": \"1\"}",
		MOUNT "," JOIN("network", "/n"), NULL},
	{"\"linux\": {\"sysctl\": {\"net.a\": \"1\"}",
		MOUNT "," JOIN("network", "/proc/self/ns/net"),
		": linux.sysctl.net.a: found the string"},
	{"\"linux\": {\"sysctl\": {\"kernel.sem\": \"1\"}", MOUNT,
		": linux.sysctl.kernel.sem: found the string \"1\", expected"
		" none without an ipc namespace"},
	{"\"linux\": {\"sysctl\": {\"fs.mqueue.a\": \"1\"}", MOUNT,
		": linux.sysctl.fs.mqueue.a: found the string \"1\", expected"
		" none without an ipc namespace"},
	{"\"linux\": {\"sysctl\": {\"kernel.domainname\": \"1\"}", MOUNT,
		": linux.sysctl.kernel.domainname: found the string \"1\","
		" expected none without a uts namespace"},
	{"\"linux\": {\"timeOffsets\": {}", MOUNT,
		": linux.timeOffsets: found an object, expected none without"
		" a new time namespace"},
	{"\"linux\": {\"timeOffsets\": {}", MOUNT "," JOIN("time", "/n"),
		": linux.timeOffsets: found an object, expected none"},
	{"\"linux\": {\"timeOffsets\": {}", MOUNT "," OWN("time"), NULL},
	{"", MOUNT "," OWN("user"),
		": linux.uidMappings: found nothing, expected one or more"},
	{"\"linux\": {" ONE_MAPPING "\"x\": {}", MOUNT "," OWN("user"), NULL},
	{"\"linux\": {" ONE_MAPPING "\"x\": {}", MOUNT,
		": linux.uidMappings: found an array, expected none without a"
		" new user namespace"},
	{"\"linux\": {" ONE_MAPPING "\"x\": {}", MOUNT "," JOIN("user", "/n"),
		": linux.uidMappings: found an"},
#undef OWN
#undef JOIN
#undef MOUNT
};

START_TEST(namespace_is_there_for_what_needs_it)
{
	const char *text = needs[_i].text;
	bool in_linux = strncmp(text, "\"linux\": {", 10) == 0;
	char *error;
	int size = asprintf(&error,
		"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"},"
		" \"process\": {\"args\": [\"a\"], \"cwd\": \"/\"},"
		" %s%s \"namespaces\": [%s]}}",
		text,
		in_linux	  ? ","
		: text[0] == '\0' ? "\"linux\": {"
				  : ", \"linux\": {",
		needs[_i].namespaces);

	ck_assert_int_ne(size, -1);
	write_config(error, (size_t)size);
	free(error);
	if (needs[_i].error == NULL) {
		ck_loads();
		return;
	}
	ck_assert_int_ne(
		asprintf(&error, "/config.json%s", needs[_i].error), -1);
	ck_error(error);
	free(error);
}
END_TEST

/* 2^64 - 1 is more than jansson's integers hold. */
START_TEST(no_limit_leaves_other_numbers_as_they_are)
{
	struct bundle b;
	char *error;

	free(original);
	original = read_file("tests/everything.json");
	replace("\"hard\": 4096", "\"hard\": 18446744073709551615");
	/* A double does not hold it, and what a string says is no number. */
	free(original);
	original = read_file(config);
	replace("86400", "9007199254740993");
	free(original);
	original = read_file(config);
	replace("\"A=1\"", "\"A=\\\"18446744073709551615\"");
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert(b.process.rlimits[0].limit.rlim_max == RLIM_INFINITY);
	ck_assert_uint_eq(b.process.rlimits[0].limit.rlim_cur, 1024);
	ck_assert_uint_eq(b.process.gids[1], 4294967294U);
	ck_assert_int_eq(b.boottime.secs, -5);
	ck_assert_int_eq(b.monotonic.secs, 9007199254740993);
	ck_assert_str_eq(
		b.hooks[BUNDLE_PRESTART][0].env[0], "A=\"18446744073709551615");
	/* As a state file would hold it. */
	bundle_process_free(&b.process);
	ck_assert_int_eq(
		bundle_read_process(&b.process,
			json_object_get(b.config, "process"), "x", &error),
		0);
	ck_assert(b.process.rlimits[0].limit.rlim_max == RLIM_INFINITY);
	ck_assert_uint_eq(b.process.uid, 1);
	bundle_free(&b);
}
END_TEST

/* As with runc. */
START_TEST(limit_of_0_is_none)
{
	struct bundle b;
	char *error;

	free(original);
	original = read_file("tests/everything.json");
	replace("\"limit\": 1000000", "\"limit\": 0");
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert(!b.resources.memory_limit.given);
	bundle_free(&b);
}
END_TEST

/* --- A process of its own ------------------------------------------------ */

static void
ck_process_error(const char *text, const char *expected)
{
	struct bundle_process process;
	char *error = NULL;

	write_config(text, strlen(text));
	ck_assert_int_eq(bundle_load_process(&process, config, &error), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(process.args);
	ck_assert_int_eq(strncmp(error, config, strlen(config)), 0);
	ck_assert_str_eq(error + strlen(config), expected);
	free(error);
}

START_TEST(process_file_is_checked)
{
	struct bundle_process process;
	char *error = NULL;

	ck_process_error("{}", ": args: found nothing, expected an array");
	ck_process_error("{\"args\": [], \"cwd\": \"/\"}",
		": args: found an empty array, expected a command");
	ck_process_error("{\"args\": [\"a\"], \"cwd\": \"x\"}",
		": cwd: found the string \"x\", expected an absolute path");
	ck_process_error("{\"args\": [\"a\"], \"cwd\": \"/\","
			 " \"user\": {\"uid\": -1}}",
		": user.uid: found -1, expected a whole number from 0 to"
		" 4294967294");
	ck_process_error("[]", ": found an array, expected an object");
	ck_process_error("{", ":1:1: string or '}' expected near end of file");
	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(bundle_load_process(&process, config, &error), -1);
	ck_assert_int_eq(errno, ENOENT);
	free(error);
	ck_assert_int_eq(mkfifo(config, 0644), 0);
	ck_assert_int_eq(bundle_load_process(&process, config, &error), -1);
	ck_assert_int_eq(errno, EINVAL);
	free(error);
}
END_TEST

START_TEST(process_value_is_checked)
{
	json_t *value = json_pack("{s:[s], s:s}", "args", "", "cwd", "/");
	struct bundle_process process;
	char *error = NULL;

	ck_assert_int_eq(
		bundle_read_process(&process, value, "NAME", &error), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(error, "NAME: args[0]: found the string \"\","
				" expected a command");
	free(error);
	json_decref(value);
	ck_assert_int_eq(
		bundle_read_process(&process, NULL, "NAME", &error), -1);
	ck_assert_str_eq(error, "NAME: found no object");
	free(error);
}
END_TEST

/* --- Text that is none --------------------------------------------------- */

/* A text, its size (0 for that of a string), and the error. */
static const struct {
	const char *text;
	size_t size;
	const char *error;
} texts[] = {
	{"", 0, "/config.json:1:0: "},
	{" \n\n", 0, "/config.json:3:0: "},
	{"[]", 0, "/config.json: found an array, expected an object"},
	{"{}", 0, "/config.json: ociVersion: found nothing, expected a string"},
	{"null", 0, "/config.json:1:4: "},
	{"\xef\xbb\xbf{}", 0, "/config.json:1:1: "},
	{"{} {}", 0, "/config.json:1:4: end of file expected"},
	{"{}\0", 3, "/config.json:1:3: "},
	{"{\n  \"a\": \"b\xff\"\n}", 0, "/config.json:2:"},
	{"{\"a\": \"\xc0\x80\"}", 0, "/config.json:1:"},
	{"{\"a\": \"\xed\xa0\x80\"}", 0, "/config.json:1:"},
	{"{\"a\": \"\\u0000\"}", 0, "/config.json:1:14: \\u0000 is not"},
	{"{\"\\u0000\": 1}", 0, "/config.json:1:"},
	{"{\"a\": \"\\ud800\"}", 0, "/config.json:1:"},
	{"{\"a\": 1,\n \"a\": 1}", 0, "/config.json:2:4: duplicate object key"},
	{"{\"a\": {\"b\": 1, \"b\": 1}}", 0, "/config.json:1:18: duplicate"},
	{"{\"a\": \"\x1b[31m\"}", 0, "/config.json:1:"},
	{"{\"a\": \"\n\"}", 0, "/config.json:1:"},
	{"{\"a\": 1e999}", 0, "/config.json:1:11: real number overflow"},
	{"{\"a\": 01}", 0, "/config.json:1:"},
	{"{\"a\": NaN}", 0, "/config.json:1:"},
	{"{\"a\": 1,}", 0, "/config.json:1:"},
	{"{'a': 1}", 0, "/config.json:1:"},
	{"{\"a\": 1} // b", 0, "/config.json:1:"},
};

START_TEST(text_is_refused)
{
	write_config(texts[_i].text,
		texts[_i].size > 0 ? texts[_i].size : strlen(texts[_i].text));
	ck_error(texts[_i].error);
}
END_TEST

START_TEST(text_cut_off_is_refused)
{
	size_t size = strlen(original);

	while (size > 0 && original[size - 1] == '\n')
		size--;
	ck_assert_uint_gt(size, 2000);
	write_config(original, size);
	ck_loads();
	while (size-- > 0) {
		ck_assert_int_eq(truncate(config, (off_t)size), 0);
		ck_error("/config.json:");
	}
}
END_TEST

/* A bit of each byte in turn: loaded or refused, and no crash. The lowest bit
 * makes other letters and digits, the next but four other punctuation. */
START_TEST(text_with_a_flipped_bit_is_survived)
{
	int fd = open(config, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	for (off_t i = 0; original[i] != '\0'; i++) {
		char flipped = (char)(original[i] ^ (1 << _i * 4));
		struct bundle b;
		char *error;

		ck_assert_int_eq(pwrite(fd, &flipped, 1, i), 1);
		error = load(&b);
		if (error == NULL)
			bundle_free(&b);
		free(error);
		ck_assert_int_eq(pwrite(fd, &original[i], 1, i), 1);
	}
	ck_assert_int_eq(close(fd), 0);
	ck_loads();
}
END_TEST

static const int depths[] = {2049, 10000, 100000};

START_TEST(deep_text_is_refused)
{
	size_t depth = (size_t)depths[_i / 2];
	const char *unit = _i % 2 == 0 ? "[" : "{\"a\":";
	char *text = malloc(depth * strlen(unit) + 1), *end = text;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < depth; i++)
		end = stpcpy(end, unit);
	write_config(text, (size_t)(end - text));
	free(text);
	ck_error("/config.json:1:");
}
END_TEST

/* As many spaces as the limit allows, and one more. */
START_TEST(long_text_is_refused)
{
	int padding = MAX_FILE + _i - (int)strlen(original);
	char *text;
	int size = asprintf(&text, "%s%*s", original, padding, "");

	ck_assert_int_eq(size, MAX_FILE + _i);
	write_config(text, (size_t)size);
	free(text);
	if (_i == 0)
		ck_loads();
	else
		ck_error("/config.json: found 1048577 bytes, expected at most"
			 " 1048576");
}
END_TEST

/* A file of holes is refused by its size, before it is read. */
START_TEST(huge_text_is_not_read)
{
	ck_assert_int_eq(truncate(config, (off_t)1 << 40), 0);
	ck_error("/config.json: found 1099511627776 bytes, expected at most");
}
END_TEST

/* --- Something else in the place of a file ------------------------------- */

static void
ck_dir_error(const char *path, const char *text, int code)
{
	struct bundle b;
	char *error = NULL;

	ck_assert_int_eq(bundle_load(&b, path, &error), -1);
	ck_assert_int_eq(errno, code);
	ck_assert_str_eq(error, text);
	free(error);
}

START_TEST(folder_must_be_one)
{
	ck_dir_error("/nonexistent",
		"/nonexistent: open: No such file or directory", ENOENT);
	ck_dir_error("", ": open: No such file or directory", ENOENT);
	ck_dir_error("/proc/version", "/proc/version: open: Not a directory",
		ENOTDIR);
	ck_dir_error("/proc/self/fdinfo/",
		"/proc/self/fdinfo/: has no config.json:"
		" scripts/build-bundle makes a bundle",
		ENOENT);
}
END_TEST

START_TEST(config_must_be_a_file)
{
	ck_assert_int_eq(unlink(config), 0);
	ck_error(": has no config.json: scripts/build-bundle makes a bundle");
	ck_assert_int_eq(mkdir(config, 0755), 0);
	ck_error("/config.json: found a folder, expected a file");
	ck_assert_int_eq(rmdir(config), 0);
	/* Nobody ever writes to it. */
	ck_assert_int_eq(mkfifo(config, 0644), 0);
	ck_error("/config.json: found a FIFO or a device, expected a file");
	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(symlink("/dev/zero", config), 0);
	ck_error("/config.json: found a FIFO or a device, expected a file");
	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(symlink("nothing", config), 0);
	ck_error("/config.json: open: No such file or directory");
	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(symlink("config.json", config), 0);
	ck_error("/config.json: open: Too many levels of symbolic links");
}
END_TEST

START_TEST(config_may_be_a_link_to_a_file)
{
	char *target = support_path(dir, "target");

	ck_assert_int_eq(rename(config, target), 0);
	ck_assert_int_eq(symlink("target", config), 0);
	ck_loads();
	free(target);
}
END_TEST

START_TEST(config_must_be_readable)
{
	ck_assert_int_eq(chmod(top, 0755), 0);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(chmod(config, 0), 0);
	/* root reads what it may not, so try as somebody who does not. */
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_error("/config.json: open: Permission denied");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(rootfs_must_be_a_folder)
{
	ck_assert_int_eq(rmdir(rootfs), 0);
	ck_error("/config.json: root.path: \"rootfs\" is not there:"
		 " scripts/build-bundle makes it");
	ck_assert_int_eq(mknod(rootfs, S_IFREG | 0644, 0), 0);
	ck_error("/config.json: root.path: \"rootfs\" is not a folder");
	ck_assert_int_eq(unlink(rootfs), 0);
	ck_assert_int_eq(symlink("/usr", rootfs), 0);
	ck_error("/config.json: root.path: \"rootfs\" is, or passes,"
		 " a symbolic link, expected a real folder");
	replace("\"path\": \"rootfs\"", "\"path\": \"rootfs/\"");
	ck_error("/config.json: root.path: \"rootfs/\" is, or passes, a");
	replace("\"path\": \"rootfs\"", "\"path\": \"rootfs/.\"");
	ck_error("/config.json: root.path: \"rootfs/.\" is, or passes, a");
	replace("\"path\": \"rootfs\"", "\"path\": \"rootfs/lib\"");
	ck_error("/config.json: root.path: \"rootfs/lib\" is, or passes, a");
}
END_TEST

START_TEST(rootfs_may_be_absolute)
{
	struct bundle b;
	char *error;

	replace("\"path\": \"rootfs\"", "\"path\": \"/usr//share/\"");
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_str_eq(b.rootfs, "/usr/share");
	ck_assert_str_eq(b.dir, dir);
	bundle_free(&b);
}
END_TEST

START_TEST(folder_may_be_relative_or_a_link)
{
	char *link = support_path(dir, "link"), *error = NULL;
	struct bundle b;

	ck_assert_int_eq(symlink(".", link), 0);
	ck_assert_int_eq(bundle_load(&b, link, &error), 0);
	ck_assert_str_eq(b.dir, dir);
	ck_assert_str_eq(b.rootfs, rootfs);
	bundle_free(&b);
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(bundle_load(&b, ".", &error), 0);
	ck_assert_str_eq(b.dir, dir);
	ck_assert_str_eq(b.rootfs, rootfs);
	bundle_free(&b);
	free(link);
}
END_TEST

static size_t
open_files(void)
{
	DIR *stream = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(stream);
	while (readdir(stream) != NULL)
		n++;
	ck_assert_int_eq(closedir(stream), 0);
	return n;
}

START_TEST(no_descriptor_is_left)
{
	size_t before = open_files();

	ck_loads();
	write_config("{", 1);
	ck_error("/config.json:1:");
	write_config("{}", 2);
	ck_error("/config.json: ociVersion");
	ck_assert_int_eq(unlink(config), 0);
	ck_error(": has no");
	ck_assert_int_eq(mkfifo(config, 0644), 0);
	ck_error("/config.json: found a FIFO");
	ck_assert_uint_eq(open_files(), before);
}
END_TEST

/* --- spec ---------------------------------------------------------------- */

static void
ck_spec_loads(void)
{
	struct bundle b;
	char *error = load(&b);

	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_ptr_null(b.unsupported[0]);
	bundle_free(&b);
}

/* Two tests: for root, and without privilege. */
START_TEST(spec_is_written_once)
{
	json_t *written, *made = spec_config(_i == 1);
	char *error = NULL, *before;
	struct stat st;

	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(spec_write(dir, _i == 1, &error), 0);
	ck_assert_ptr_null(error);
	ck_spec_loads();
	written = json_load_file(config, 0, NULL);
	ck_assert(json_equal(written, made));
	json_decref(written);
	json_decref(made);
	before = read_file(config);
	ck_assert_int_eq(spec_write(dir, _i == 0, &error), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(strncmp(error, config, strlen(config)), 0);
	free(error);
	error = read_file(config);
	ck_assert_str_eq(error, before);
	free(error);
	free(before);
	/* Nor through a link that leads nowhere. */
	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(symlink("elsewhere", config), 0);
	ck_assert_int_eq(spec_write(dir, _i == 1, &error), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(lstat(config, &st), 0);
	free(error);
}
END_TEST

START_TEST(spec_that_cannot_be_written_leaves_nothing)
{
	const struct rlimit none = {0, RLIM_INFINITY};
	const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
	char *error = NULL;

	ck_assert_int_eq(spec_write("/nonexistent", false, &error), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(error, "/nonexistent/config.json: No such file or"
				" directory");
	free(error);
	ck_assert_int_eq(unlink(config), 0);
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(spec_write(dir, false, &error), -1);
	ck_assert_int_eq(errno, EFBIG);
	free(error);
	/* libcheck writes, too. */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &any), 0);
	ck_assert_int_eq(access(config, F_OK), -1);
}
END_TEST

/* The users of the map are the caller's; the others are those of runc. */
START_TEST(rootless_spec_is_for_its_caller)
{
	struct bundle b;
	char *error;

	ck_assert_int_eq(unlink(config), 0);
	ck_assert_int_eq(spec_write(dir, true, &error), 0);
	ck_assert_int_eq(bundle_load(&b, dir, &error), 0);
	ck_assert_uint_eq(b.uid_map_count, 1);
	ck_assert_uint_eq(b.uid_map[0].inside, 0);
	ck_assert_uint_eq(b.uid_map[0].outside, geteuid());
	ck_assert_uint_eq(b.uid_map[0].count, 1);
	ck_assert_uint_eq(b.gid_map[0].outside, getegid());
	ck_assert_int_eq(b.namespaces & ~CLONE_NEWCGROUP,
		CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS |
			CLONE_NEWUSER);
	bundle_free(&b);
}
END_TEST

/* The one of this project is the one that spec writes, but for the namespace
 * that it has on a machine with cgroup version 2 alone. */
START_TEST(spec_is_the_project_s_own)
{
	json_t *own = json_loads(original, 0, NULL), *made = spec_config(false);
	json_t *namespaces =
		json_object_get(json_object_get(made, "linux"), "namespaces");

	if (json_array_size(namespaces) == 6)
		ck_assert_int_eq(json_array_remove(namespaces, 5), 0);
	ck_assert(json_equal(own, made));
	json_decref(own);
	json_decref(made);
}
END_TEST

/* Other versions of runc write others; all can be run. */
START_TEST(spec_is_as_runc_writes_it)
{
	json_t *theirs, *ours = spec_config(_i == 1);
	struct run run;

	ck_assert_int_eq(unlink(config), 0);
	run = _i == 1 ? RUN("runc", "spec", "--rootless", "-b", dir)
		      : RUN("runc", "spec", "-b", dir);
	ck_run(run, 0);
	support_run_free(&run);
	ck_spec_loads();
	theirs = json_load_file(config, 0, NULL);
	ck_assert_int_eq(
		json_object_set_new(ours, "hostname", json_string("runc")), 0);
	if (strcmp(json_string_value(json_object_get(theirs, "ociVersion")),
		    "1.0.2-dev") == 0)
		ck_assert(json_equal(theirs, ours));
	json_decref(theirs);
	json_decref(ours);
}
END_TEST

static TCase *
add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_unchecked_fixture(tcase, set_up_case, tear_down_case);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, SECONDS);
	suite_add_tcase(suite, tcase);
	return tcase;
}

Suite *
suite_bundle(void)
{
	Suite *suite = suite_create("bundle");
	TCase *values = add_case(suite, "values"),
	      *text = add_case(suite, "text"),
	      *files = add_case(suite, "files"),
	      *spec = add_case(suite, "spec");

	tcase_add_test(values, original_is_read);
	tcase_add_loop_test(values, fault_is_told, 0, COUNT(faults));
	tcase_add_loop_test(values, variant_is_read, 0, COUNT(accepted));
	tcase_add_loop_test(values, request_is_listed, 0, COUNT(requests));
	tcase_add_test(values, nothing_asked_is_not_listed);
	tcase_add_loop_test(values, namespace_is_made_or_joined, 0, 16);
	tcase_add_loop_test(
		values, namespace_is_there_for_what_needs_it, 0, COUNT(needs));
	tcase_add_test(values, everything_is_read);
	tcase_add_test(values, every_resource_is_read);
	tcase_add_test(values, every_part_of_the_process_is_read);
	tcase_add_test(values, what_is_not_done_is_listed);
	tcase_add_test(values, every_wrong_type_is_told);
	tcase_add_test(values, every_other_property_may_be_absent);
	tcase_add_loop_test(
		values, value_is_within_its_range, 0, COUNT(in_range));
	tcase_add_test(values, no_limit_leaves_other_numbers_as_they_are);
	tcase_add_test(values, limit_of_0_is_none);
	tcase_add_test(values, process_file_is_checked);
	tcase_add_test(values, process_value_is_checked);

	tcase_add_loop_test(text, text_is_refused, 0, COUNT(texts));
	tcase_add_test(text, text_cut_off_is_refused);
	tcase_add_loop_test(text, text_with_a_flipped_bit_is_survived, 0, 2);
	tcase_add_loop_test(text, deep_text_is_refused, 0, 2 * COUNT(depths));
	tcase_add_loop_test(text, long_text_is_refused, 0, 2);
	tcase_add_test(text, huge_text_is_not_read);

	tcase_add_test(files, folder_must_be_one);
	tcase_add_test(files, config_must_be_a_file);
	tcase_add_test(files, config_may_be_a_link_to_a_file);
	tcase_add_test(files, config_must_be_readable);
	tcase_add_test(files, rootfs_must_be_a_folder);
	tcase_add_test(files, rootfs_may_be_absolute);
	tcase_add_test(files, folder_may_be_relative_or_a_link);
	tcase_add_test(files, no_descriptor_is_left);

	tcase_add_loop_test(spec, spec_is_written_once, 0, 2);
	tcase_add_test(spec, spec_that_cannot_be_written_leaves_nothing);
	tcase_add_test(spec, rootless_spec_is_for_its_caller);
	tcase_add_test(spec, spec_is_the_project_s_own);
	if (support_have("runc", "spec_is_as_runc_writes_it"))
		tcase_add_loop_test(spec, spec_is_as_runc_writes_it, 0, 2);
	return suite;
}
