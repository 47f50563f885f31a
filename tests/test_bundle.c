/*
 * bundle: what config.json says is read, and whatever else is in its place is
 * refused in one line that helps. Run from the top of the project.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Seconds for a test; the limit of config.json; who may read nothing. */
enum { SECONDS = 60, MAX_FILE = 1 << 20, NOBODY = 65534 };

/* The text of the project's config.json, the folder that all tests work in,
 * and a bundle of each test's own. */
static char *original;
static char *top;
static char *dir;
static char *config;
static char *rootfs;

static char *
path_in(const char *folder, const char *name)
{
	char *path;

	ck_assert_int_ne(asprintf(&path, "%s/%s", folder, name), -1);
	return path;
}

static void
write_config(const char *text, size_t size)
{
	FILE *file = fopen(config, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Around all tests of a case, in the process that starts them: a test that
 * fails does not come to clean up. */
static void
set_up_case(void)
{
	const char *tmp = getenv("TMPDIR");
	FILE *file = fopen("bundle/config.json", "re");
	char *made = path_in(tmp == NULL ? "/tmp" : tmp, "bundle.XXXXXX");
	size_t size = 0;

	ck_assert_msg(file != NULL, "run me from the top of the project");
	ck_assert_int_ne(getdelim(&original, &size, '\0', file), -1);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_ptr_nonnull(mkdtemp(made));
	/* The paths of a bundle pass no link, so those expected must not. */
	top = realpath(made, NULL);
	ck_assert_ptr_nonnull(top);
	free(made);
}

static void
tear_down_case(void)
{
	ck_assert_int_eq(nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(top);
	free(original);
	original = NULL;
}

static void
set_up(void)
{
	dir = path_in(top, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	config = path_in(dir, "config.json");
	rootfs = path_in(dir, "rootfs");
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
	ck_assert_ptr_null(b->args);
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

	ck_assert_msg(at != NULL, "not in bundle/config.json: %s", from);
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
	ck_assert(b.terminal);
	ck_assert_str_eq(b.args[0], "sh");
	ck_assert_ptr_null(b.args[1]);
	ck_assert_str_eq(b.env[0],
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		"/bin");
	ck_assert_str_eq(b.env[1], "TERM=xterm");
	ck_assert_ptr_null(b.env[2]);
	ck_assert_str_eq(b.cwd, "/");
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
		" number from 0 to 4294967295"},
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
	{"\"namespaces\"", "\"seccomp\": {}, \"namespaces\"", "linux.seccomp"},
	{"\"namespaces\"", "\"sysctl\": {}, \"namespaces\"", "linux.sysctl"},
	{"\"namespaces\"", "\"mountLabel\": \"m\", \"namespaces\"",
		"linux.mountLabel"},
	{"\"namespaces\"", "\"gidMappings\": [{}], \"namespaces\"",
		"linux.gidMappings"},
	{"\"namespaces\"", "\"devices\": [{}], \"namespaces\"",
		"linux.devices"},
	{"\"namespaces\"", "\"personality\": {}, \"namespaces\"",
		"linux.personality"},
	{"\"namespaces\"", "\"rootfsPropagation\": \"p\", \"namespaces\"",
		"linux.rootfsPropagation"},
	{"\"cwd\"", "\"scheduler\": {}, \"cwd\"", "process.scheduler"},
	{"\"network\"", "\"network\", \"path\": \"/proc/1/ns/net\"",
		"linux.namespaces[1].path"},
	{"\"destination\": \"/proc\"", "\"destination\": \"/proc2\"",
		"mounts[0] \"/proc2\""},
	{"\"type\": \"proc\"", "\"type\": \"bind\"", "mounts[0] \"/proc\""},
	{"\"type\": \"proc\"", "\"options\": [\"nosuid\"], \"type\": \"proc\"",
		"mounts[0] \"/proc\""},
	{"\"type\": \"proc\",", "", "mounts[0] \"/proc\""},
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
		"  [{\"type\": \"pid\", \"path\": \"\"}]}}";

	write_config(text, strlen(text));
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_ptr_null(b.unapplied[0]);
	ck_assert_ptr_null(b.env[0]);
	ck_assert_ptr_null(b.hostname);
	ck_assert(!b.readonly);
	ck_assert(!b.terminal);
	ck_assert_int_eq(b.namespaces, CLONE_NEWPID);
	bundle_free(&b);
}
END_TEST

START_TEST(namespace_is_made_or_joined)
{
	static const char *const types[] = {"pid", "network", "mount", "ipc",
		"uts", "user", "cgroup", "time"};
	static const int flags[] = {CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWNS,
		CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWCGROUP,
		CLONE_NEWTIME};
	const bool join = _i % 2 == 1;
	struct bundle b;
	char *text, *error;
	int size = asprintf(&text,
		"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"},"
		" \"process\": {\"args\": [\"a\"], \"cwd\": \"/\"}, \"linux\":"
		"  {\"namespaces\": [{\"type\": \"%s\"%s}]}}",
		types[_i / 2], join ? ", \"path\": \"/n\"" : "");

	ck_assert_int_ne(size, -1);
	write_config(text, (size_t)size);
	free(text);
	error = load(&b);
	ck_assert_msg(error == NULL, "refused: %s", error);
	ck_assert_int_eq(b.namespaces, join ? 0 : flags[_i / 2]);
	ck_assert(is_listed(b.unapplied, "linux.namespaces[0].path") == join);
	bundle_free(&b);
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
	char *target = path_in(dir, "target");

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
	char *link = path_in(dir, "link"), *error = NULL;
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
	      *files = add_case(suite, "files");

	tcase_add_test(values, original_is_read);
	tcase_add_loop_test(values, fault_is_told, 0, COUNT(faults));
	tcase_add_loop_test(values, variant_is_read, 0, COUNT(accepted));
	tcase_add_loop_test(values, request_is_listed, 0, COUNT(requests));
	tcase_add_test(values, nothing_asked_is_not_listed);
	tcase_add_loop_test(values, namespace_is_made_or_joined, 0, 16);

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
	return suite;
}
