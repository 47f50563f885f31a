/*
 * attacks: what a hostile bundle, a hostile process in the container, or
 * another user may try, and that it fails. What goes on inside is done by
 * attacks/attack.c. Run from the top of the project.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "die.h"
#include "proc.h"
#include "scratch.h"
#include "support.h"
#include "user.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Descriptors that a runner inherits; how far their numbers are tried; how
 * often a race is run; starts while a link is swapped; two users. */
enum {
	LEAKED = 20,
	DESCRIPTORS = 40,
	RACES = 50,
	STARTS = 200,
	NOBODY = 65534,
	SOMEBODY = 12345
};

/* Each test's own: where states are kept, the container's name, and a folder of
 * the host that must stay as it is. */
static char *state;
static char *name;
static char *canary;
static char *before;

static void
set_up(void)
{
	static const char *const folders[] = {"inner", "pts", "shm", "mqueue",
		"sys/net/ipv4", "self/fd", "fs/cgroup"};
	static const char *const files[] = {
		"secret", "null", "sys/net/ipv4/ip_forward"};

	state = scratch_text("%s/state", scratch_folder());
	name = scratch_name();
	canary = scratch_folder();
	for (size_t i = 0; i < COUNT(folders); i++)
		scratch_make_folder(scratch_text("%s/%s", canary, folders[i]));
	for (size_t i = 0; i < COUNT(files); i++)
		scratch_make_file(scratch_text("%s/%s", canary, files[i]),
			"of the host\n");
	before = scratch_picture(canary);
}

static void
ck_nothing_left(void)
{
	DIR *dir = opendir(state);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		ck_assert_msg(entry->d_name[0] == '.', "state left: %s",
			entry->d_name);
	if (dir != NULL)
		closedir(dir);
	ck_assert_str_eq(scratch_cgroups(name), "");
}

/* A folder or a file is as it was. */
static void
ck_same(const char *path, const char *was)
{
	ck_assert_msg(
		strcmp(scratch_picture(path), was) == 0, "changed: %s", path);
}

static void
tear_down(void)
{
	ck_same(canary, before);
	ck_nothing_left();
	scratch_forget();
}

/* {"process": {"args": [...]}} */
#define ARGS(...) args_of((const char *const[]){__VA_ARGS__, NULL})

static json_t *
args_of(const char *const *words)
{
	json_t *args = json_array();

	for (; *words != NULL; words++)
		json_array_append_new(args, json_string(*words));
	return json_pack("{s:{s:o}}", "process", "args", args);
}

static struct run
start(char *bundle)
{
	return RUN(
		"./lesson08", "run", "--root", state, "--bundle", bundle, name);
}

#define EXEC(...) RUN("./lesson09", "exec", "--root", state, __VA_ARGS__)
#define VERB(...) RUN("./lesson09", __VA_ARGS__, "--root", state, name)

/* A container that is there until the test types Enter. Its command says when
 * it is ready. */
static struct session
begin(char *bundle)
{
	struct session session = support_start((char *const[]){"./lesson08",
		"run", "--root", state, "--bundle", bundle, name, NULL});

	support_expect(&session, "ready");
	return session;
}

static struct run
end(struct session *session)
{
	support_type(session, "\n");
	struct run run = support_finish(session);
	ck_run(run, 0);
	return run;
}

static struct session
begin_waiting(void)
{
	return begin(scratch_bundle(ARGS("attack", "wait")));
}

static void
finish(struct session *session)
{
	struct run run = end(session);

	support_run_free(&run);
}

/* Refused: not started, and the reader is told why. */
static void
ck_refused(struct run *run, int code)
{
	ck_run(*run, code);
	ck_assert_str_eq(run->out, "");
	ck_assert_msg(
		strncmp(run->err, "lesson", 6) == 0, "told: %s", run->err);
	support_run_free(run);
}

/* It has ended well and has printed nothing. */
static void
ck_silent(struct run *run)
{
	ck_run(*run, 0);
	ck_assert_msg(run->out[0] == '\0', "got: %.2000s", run->out);
	support_run_free(run);
}

/* Descriptors that a careless parent leaves open on the host's files. */
static void
leak(void)
{
	int fd = open(canary, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	for (int i = 0; i < LEAKED; i++)
		ck_assert_int_ne(fcntl(fd, F_DUPFD, 5), -1);
}

/* --- Descriptors and the working directory (CVE-2024-21626) --------------- */

START_TEST(run_hands_no_descriptor_on)
{
	char *bundle = scratch_bundle(ARGS("attack", "descriptors"));

	leak();
	struct run run = start(bundle);
	ck_silent(&run);
}
END_TEST

START_TEST(exec_hands_no_descriptor_on)
{
	struct session session = begin_waiting();

	leak();
	struct run run = EXEC(name, "attack", "descriptors");
	ck_silent(&run);
	finish(&session);
}
END_TEST

/* A hook of startContainer is a program of the container, and may do no more
 * than its command; here, that is to look at what its init has open. */
START_TEST(hook_of_the_container)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c",
		"busybox grep -E '^(Cap|NoNew)' /proc/self/status"));
	char *script =
		"busybox grep -E '^(Cap|NoNew)' /proc/self/status;"
		" busybox mount -t tmpfs none /tmp 2>/dev/null && echo mounted;"
		" ls /proc/1/fd/0 >/dev/null 2>&1 || echo blind;"
		" for fd in /proc/1/fd/*; do"
		" if [ -d $fd/ ]; then echo $fd;"
		" (echo pwned >$fd/pwned) 2>/dev/null;"
		" (echo pwned >$fd/../../pwned) 2>/dev/null; fi; done;"
		" echo end of the hook";

	leak();
	scratch_change(bundle,
		json_pack("{s:{s:{s:[s],s:[s],s:[s]}},"
			  "s:{s:[{s:s,s:[s,s,s]}]}}",
			"process", "capabilities", "bounding", "CAP_SYS_PTRACE",
			"effective", "CAP_SYS_PTRACE", "permitted",
			"CAP_SYS_PTRACE", "hooks", "startContainer", "path",
			"/bin/sh", "args", "sh", "-c", script));
	struct run run = start(bundle);
	ck_run(run, 0);
	char *end = strstr(run.out, "end of the hook\n");
	ck_assert_msg(end != NULL, "got: %.2000s", run.out);
	/* The hook has printed what the command prints, and nothing else. */
	*end = '\0';
	/* Of a user's container, not even this may be looked at. */
	if (geteuid() != 0 && end - run.out > 6 &&
		strncmp(end - 6, "blind\n", 6) == 0)
		end[-6] = '\0';
	ck_assert_str_eq(run.out, end + strlen("end of the hook\n"));
	if (geteuid() == 0)
		ck_assert_str_eq(run.err, "");
	support_run_free(&run);
}
END_TEST

/* The path of an open folder of the host as the working directory. */
START_TEST(run_in_a_descriptor)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran; ls"));

	leak();
	for (int i = 3; i < DESCRIPTORS; i++) {
		scratch_change(
			bundle, json_pack("{s:{s:o}}", "process", "cwd",
					json_sprintf("/proc/self/fd/%d", i)));
		struct run run = start(bundle);
		ck_refused(&run, 1);
	}
}
END_TEST

START_TEST(exec_in_a_descriptor)
{
	struct session session = begin_waiting();

	leak();
	for (int i = 3; i < DESCRIPTORS; i++) {
		struct run run =
			EXEC("--cwd", scratch_text("/proc/self/fd/%d", i), name,
				"sh", "-c", "echo ran; ls");
		ck_refused(&run, 1);
	}
	finish(&session);
}
END_TEST

/* A link of the rootfs as the working directory. */
START_TEST(working_directory_through_a_link)
{
	static char *const folders[] = {"/link", "/link/new", "/link/inner",
		"/tmp/../link/a/b", "/up", "/up/new"};
	char *bundle = scratch_bundle(ARGS("sh", "-c",
		"echo ran; echo ready; readlink /proc/self/cwd; cat secret ../secret; "
		"read x"));

	ck_assert_int_eq(
		symlink(canary, scratch_text("%s/rootfs/link", bundle)), 0);
	ck_assert_int_eq(
		symlink(scratch_text("../../%s", strrchr(canary, '/') + 1),
			scratch_text("%s/rootfs/up", bundle)),
		0);
	for (size_t i = 0; i < COUNT(folders); i++) {
		scratch_change(bundle,
			json_pack("{s:{s:s}}", "process", "cwd", folders[i]));
		struct run run = start(bundle);
		ck_assert_ptr_null(run.changes);
		ck_assert_ptr_null(strstr(run.out, "of the host"));
		ck_assert_ptr_null(strstr(run.out, "(unreachable)"));
		support_run_free(&run);
	}
	scratch_change(bundle, json_pack("{s:{s:s}}", "process", "cwd", "/"));
	struct session session = begin(bundle);
	for (size_t i = 0; i < COUNT(folders); i++) {
		struct run run = EXEC("--cwd", folders[i], name, "sh", "-c",
			"readlink /proc/self/cwd; cat secret ../secret");
		ck_assert_ptr_null(run.changes);
		ck_assert_ptr_null(strstr(run.out, "of the host"));
		ck_assert_ptr_null(strstr(run.out, "(unreachable)"));
		support_run_free(&run);
	}
	finish(&session);
}
END_TEST

/* --- The runtime's own program (CVE-2019-5736) ---------------------------- */

/* The dynamic linker of the programs here. */
static int
find_linker(struct dl_phdr_info *info, size_t size, void *data)
{
	uintptr_t at = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	*(const char **)data = (const char *)at;
	return 1;
}

/* A bundle in which our own program, if it is executed there, is started by
 * attacks/interpreter.c; and in which /bin/script is such an execution. */
static char *
bundle_with_linker(json_t *changes)
{
	char *bundle = scratch_bundle(changes), *file, *script;
	const char *linker = NULL;

	dl_iterate_phdr(find_linker, &linker);
	ck_assert_ptr_nonnull(linker);
	file = scratch_text("%s/rootfs%s", bundle, linker);
	scratch_make_folder(
		scratch_text("%.*s", (int)(strrchr(file, '/') - file), file));
	scratch_copy("build/tests/attacks/interpreter", file);
	script = scratch_text("%s/rootfs/bin/script", bundle);
	scratch_make_file(script, "#!/proc/self/exe\n");
	ck_assert_int_eq(chmod(script, 0755), 0);
	return bundle;
}

/* A copy of a program, to be attacked. */
static char *
victim(const char *program)
{
	char *copy = scratch_text("%s/%s", scratch_folder(), program);

	scratch_copy(program, copy);
	return copy;
}

static char *const own_program[] = {"/proc/self/exe", "/bin/script"};

/* Detached: a program can be written to when nobody runs it any more. */
START_TEST(run_of_our_own_program)
{
	char *program = victim("lesson08"), *was = scratch_picture(program);
	char *bundle = bundle_with_linker(ARGS(own_program[_i]));
	struct run run = RUN(program, "run", "--detach", "--root", state,
		"--bundle", bundle, name);

	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	ck_assert_msg(run.out[0] == '\0', "%s", run.out);
	ck_same(program, was);
	support_run_free(&run);
	run = VERB("delete", "--force");
	support_run_free(&run);
}
END_TEST

START_TEST(exec_of_our_own_program)
{
	char *program = victim("lesson09"), *was = scratch_picture(program);
	char *bundle = bundle_with_linker(ARGS("attack", "wait"));
	struct session session = begin(bundle);
	struct run run = RUN(program, "exec", "--detach", "--root", state, name,
		own_program[_i]);

	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	ck_assert_msg(run.out[0] == '\0', "%s", run.out);
	ck_same(program, was);
	support_run_free(&run);
	finish(&session);
}
END_TEST

/* What is executed there is not the host's file: it does not do what that
 * would do. */
START_TEST(own_program_is_another_inside)
{
	char *bundle = bundle_with_linker(ARGS(own_program[_i], "--version"));
	struct run run = start(bundle);

	ck_assert_ptr_null(strstr(run.out, "nslessons"));
	ck_run(run, 126);
	support_run_free(&run);
}
END_TEST

/* The default config with one capability more. */
static json_t *
may_trace(void)
{
	json_t *caps = json_pack("[ss]", "CAP_KILL", "CAP_SYS_PTRACE");
	json_t *changes = json_pack("{s:{s:{s:O,s:O,s:O,s:[]}}}", "process",
		"capabilities", "bounding", caps, "effective", caps,
		"permitted", caps, "ambient");

	json_decref(caps);
	return changes;
}

/* A hook of startContainer can look at the init, which is still ours. */
START_TEST(hook_finds_another_program)
{
	char *bundle = scratch_bundle(ARGS("true"));
	struct stat own;

	ck_assert_int_eq(stat("lesson08", &own), 0);
	scratch_change(bundle, may_trace());
	scratch_change(bundle,
		json_pack("{s:{s:[{s:s,s:[s,s,s]}]}}", "hooks",
			"startContainer", "path", "/bin/sh", "args", "sh", "-c",
			"stat -L -c '%d %i ' /proc/1/exe; echo end"));
	struct run run = start(bundle);
	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "end\n"));
	char *file = scratch_text(
		"%ju %ju ", (uintmax_t)own.st_dev, (uintmax_t)own.st_ino);
	ck_assert_msg(strstr(run.out, file) == NULL, "found: %s", run.out);
	/* A user is not told. */
	ck_assert(geteuid() != 0 || strcmp(run.out, "end\n") != 0);
	support_run_free(&run);
}
END_TEST

/* A process of the container waits for ours to enter. */
START_TEST(program_of_who_enters)
{
	char *program = victim("lesson09"), *was = scratch_picture(program);
	struct session session =
		begin(scratch_bundle(ARGS("attack", "programs")));

	for (int i = 0; i < RACES; i++) {
		struct run run =
			RUN(program, "exec", "--root", state, name, "victim");
		ck_same(program, was);
		ck_run(run, 0);
		support_run_free(&run);
	}
	struct run run = end(&session);
	ck_assert_msg(strstr(run.out, "overwritten") == NULL, "%s", run.out);
	ck_same(program, was);
	support_run_free(&run);
}
END_TEST

/* --- Links in the rootfs (CVE-2021-30465, CVE-2025-31133 and more) -------- */

/* What these containers do: say that they run, and show their mounts. */
static json_t *
shows_mounts(void)
{
	return ARGS("sh", "-c", "echo ran; cat /proc/self/mountinfo");
}

static json_t *
mount_entry(const char *destination, const char *type, const char *source)
{
	return json_pack("{s:s,s:s,s:s}", "destination", destination, "type",
		type, "source", source);
}

static json_t *
with_mounts(json_t *mounts)
{
	ck_assert_ptr_nonnull(mounts);
	return json_pack("{s:o}", "mounts", mounts);
}

/*
 * It was refused, or it ran and all mounts with these sources are in the
 * container's own table. One that a link has led outside would be missing there.
 */
static void
ck_inside(struct run *run, const char *const *sources)
{
	ck_assert_msg(run->changes == NULL, "%s", run->changes);
	if (strstr(run->out, "ran") == NULL) {
		ck_refused(run, 1);
		return;
	}
	ck_run(*run, 0);
	for (; *sources != NULL; sources++)
		ck_assert_msg(strstr(run->out, *sources) != NULL,
			"%s is not mounted inside:\n%s", *sources, run->out);
	support_run_free(run);
}

/* A folder on which is mounted is a link to the host's canary: absolute,
 * relative, by way of another link. */
START_TEST(mount_point_is_a_link)
{
	static const char *const sources[] = {" proc mark-proc ",
		" tmpfs mark-dev ", " devpts mark-pts ", " tmpfs mark-shm ",
		" sysfs mark-sys ", " tmpfs mark-etc ", NULL};
	static const char *const links[] = {"proc", "dev", "sys", "etc"};
	const char *link = links[_i / 3];
	char *bundle = scratch_bundle(shows_mounts());
	char *rootfs = scratch_text("%s/rootfs", bundle);
	char *path = scratch_text("%s/%s", rootfs, link);

	scratch_change(bundle,
		with_mounts(json_pack("[o,o,o,o,o,o]",
			mount_entry("/proc", "proc", "mark-proc"),
			mount_entry("/dev", "tmpfs", "mark-dev"),
			mount_entry("/dev/pts", "devpts", "mark-pts"),
			mount_entry("/dev/shm", "tmpfs", "mark-shm"),
			mount_entry("/sys", "sysfs", "mark-sys"),
			mount_entry("/etc/inner", "tmpfs", "mark-etc"))));
	scratch_change(bundle, json_pack("{s:{s:b}}", "root", "readonly", 0));
	ck_assert_int_eq(rmdir(path), 0);
	const char *target = canary;
	if (_i % 3 == 1)
		target = scratch_text("../../%s", strrchr(canary, '/') + 1);
	if (_i % 3 == 2) {
		target = "tmp/hop";
		ck_assert_int_eq(
			symlink(canary, scratch_text("%s/tmp/hop", rootfs)), 0);
	}
	ck_assert_int_eq(symlink(target, path), 0);
	struct run run = start(bundle);
	ck_inside(&run, sources);
}
END_TEST

/* A link further up, a link at the end, and a bind mount of a file. */
START_TEST(mount_through_a_link)
{
	static const struct {
		const char *destination, *type;
	} mounts[] = {
		{"/link", "tmpfs"},
		{"/link/inner", "tmpfs"},
		{"/link/new/deep", "tmpfs"},
		{"/tmp/../link/new", "tmpfs"},
		{"/link/null", "bind"},
		{"/link/new", "bind"},
		{"/file", "bind"},
	};
	bool bind = strcmp(mounts[_i].type, "bind") == 0;
	const char *const sources[] = {bind ? "/mark " : " /mark ", NULL};
	char *source = scratch_text("%s/mark", bind ? scratch_folder() : "");
	json_t *entry =
		mount_entry(mounts[_i].destination, mounts[_i].type, source);
	char *bundle = scratch_bundle(shows_mounts());

	if (bind) {
		scratch_make_file(source, "");
		json_object_set_new(entry, "options", json_pack("[s]", "bind"));
	}
	scratch_change(
		bundle, with_mounts(json_pack("[o,o]",
				mount_entry("/proc", "proc", "proc"), entry)));
	ck_assert_int_eq(
		symlink(canary, scratch_text("%s/rootfs/link", bundle)), 0);
	ck_assert_int_eq(symlink(scratch_text("%s/secret", canary),
				 scratch_text("%s/rootfs/file", bundle)),
		0);
	struct run run = start(bundle);
	ck_inside(&run, sources);
}
END_TEST

/* What is hidden or protected by a link's name is so under each name. */
START_TEST(masked_and_readonly_links)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c",
		"echo ran; cat /secret /alias; echo lost >/data/file"));
	char *rootfs = scratch_text("%s/rootfs", bundle);

	scratch_make_file(scratch_text("%s/secret", rootfs), "a secret\n");
	scratch_make_folder(scratch_text("%s/data", rootfs));
	scratch_make_file(scratch_text("%s/data/file", rootfs), "kept\n");
	ck_assert_int_eq(
		symlink("secret", scratch_text("%s/alias", rootfs)), 0);
	ck_assert_int_eq(symlink("/data", scratch_text("%s/way", rootfs)), 0);
	ck_assert_int_eq(symlink(scratch_text("%s/secret", canary),
				 scratch_text("%s/outside", rootfs)),
		0);
	ck_assert_int_eq(symlink(canary, scratch_text("%s/away", rootfs)), 0);
	scratch_change(bundle,
		json_pack("{s:{s:b},s:{s:[sss],s:[ss]}}", "root", "readonly", 0,
			"linux", "maskedPaths", "/alias", "/outside",
			"/away/inner", "readonlyPaths", "/way", "/away"));
	struct run run = start(bundle);
	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	ck_assert_msg(strstr(run.out, "a secret") == NULL, "%s", run.out);
	ck_assert_ptr_nonnull(strstr(
		scratch_picture(scratch_text("%s/data", rootfs)), "kept\n"));
	support_run_free(&run);
}
END_TEST

/* As in a bundle that mounts nothing on /dev. */
static json_t *
without_dev(void)
{
	return with_mounts(
		json_pack("[o]", mount_entry("/proc", "proc", "proc")));
}

/* One more /dev/null, at this path. */
static json_t *
a_device(const char *path)
{
	return json_pack("{s:{s:[{s:s,s:s,s:i,s:i}]}}", "linux", "devices",
		"path", path, "type", "c", "major", 1, "minor", 3);
}

START_TEST(device_through_a_link)
{
	static const char *const paths[] = {"/link/evil", "/dev/evil",
		"/link/null", "/tmp/../link/evil", "/link/new/evil", "/evil"};
	char *bundle = scratch_bundle(ARGS("true"));
	char *rootfs = scratch_text("%s/rootfs", bundle);

	scratch_change(bundle, without_dev());
	scratch_change(bundle, a_device(paths[_i]));
	ck_assert_int_eq(symlink(canary, scratch_text("%s/link", rootfs)), 0);
	ck_assert_int_eq(symlink(scratch_text("%s/evil", canary),
				 scratch_text("%s/evil", rootfs)),
		0);
	if (_i == 1) {
		char *dev = scratch_text("%s/dev", rootfs);

		ck_assert_int_eq(rmdir(dev), 0);
		ck_assert_int_eq(symlink(canary, dev), 0);
	}
	struct run run = start(bundle);
	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	support_run_free(&run);
}
END_TEST

/* What masks a file is bound over it: if that is another file than /dev/null,
 * it gives the container the other one, writable (CVE-2025-31133). */
START_TEST(null_is_something_else)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c",
		"echo ran; stat -c %t:%T /secret; echo lost >/secret"));
	char *rootfs = scratch_text("%s/rootfs", bundle);
	char *null = scratch_text("%s/dev/null", rootfs);
	char *trap = scratch_text("%s/trap", rootfs);

	scratch_change(bundle, without_dev());
	scratch_change(bundle,
		json_pack("{s:{s:[s]}}", "linux", "maskedPaths", "/secret"));
	scratch_make_file(scratch_text("%s/secret", rootfs), "a secret\n");
	scratch_make_file(trap, "kept\n");
	if (_i == 0)
		ck_assert_int_eq(symlink("/trap", null), 0);
	else if (_i == 1)
		ck_assert_int_eq(
			symlink(scratch_text("%s/null", canary), null), 0);
	else if (_i == 2)
		scratch_make_file(null, "kept\n");
	else
		scratch_make_folder(null);
	struct run run = start(bundle);
	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	ck_assert_ptr_nonnull(strstr(scratch_picture(trap), "kept\n"));
	if (strstr(run.out, "ran") == NULL) {
		ck_refused(&run, 1);
		return;
	}
	ck_assert_str_eq(run.out, "ran\n1:3\n");
	support_run_free(&run);
}
END_TEST

/* A sysctl is a write to a file of /proc, and that must be the kernel's
 * (CVE-2025-52881). Here nothing is mounted there, and it is a link. */
START_TEST(sysctl_goes_elsewhere)
{
	char *bundle = scratch_bundle(ARGS("true"));
	char *rootfs = scratch_text("%s/rootfs", bundle);
	char *trap = scratch_text("%s/trap", rootfs);

	scratch_make_file(trap, "kept\n");
	scratch_change(bundle, with_mounts(json_array()));
	scratch_change(bundle, json_pack("{s:{s:{s:s}}}", "linux", "sysctl",
				       "net.ipv4.ip_forward", "1"));
	if (_i == 0) {
		char *proc = scratch_text("%s/proc", rootfs);

		ck_assert_int_eq(rmdir(proc), 0);
		ck_assert_int_eq(symlink(canary, proc), 0);
	} else {
		scratch_make_folder(
			scratch_text("%s/proc/sys/net/ipv4", rootfs));
		ck_assert_int_eq(
			symlink(_i == 1 ? "/trap"
					: scratch_text("%s/secret", canary),
				scratch_text("%s/proc/sys/net/ipv4/ip_forward",
					rootfs)),
			0);
	}
	struct run run = start(bundle);
	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	ck_assert_ptr_nonnull(strstr(scratch_picture(trap), "kept\n"));
	support_run_free(&run);
}
END_TEST

/* Exchange two names again and again, until we are killed. */
static pid_t
begin_swapping(const char *one, const char *other)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid != 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		die("prctl");
	while (renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0)
		continue;
	die("renameat2 %s", one);
}

/* A device is there, and before we have done with it, it is another's: the
 * kernel is made to hold the runtime back between the two. */
START_TEST(device_is_swapped_at_its_birth)
{
	char *bundle = scratch_bundle(ARGS("true"));
	char *node = scratch_text("%s/rootfs/d/node", bundle);
	char *trap = scratch_text("%s/rootfs/d/trap", bundle);
	struct stat st = {0};

	scratch_change(
		bundle, json_pack("{s:{s:[{s:s,s:s,s:i,s:i,s:i}]}}", "linux",
				"devices", "path", "/d/node", "type", "c",
				"major", 1, "minor", 5, "fileMode", 0777));
	scratch_make_folder(scratch_text("%s/rootfs/d", bundle));
	ck_assert_int_eq(symlink(scratch_text("%s/secret", canary), trap), 0);
	struct started started = support_begin(
		NULL, (char *const[]){"strace", "-f", "-qq", "-o", "/dev/null",
			      "-e", "trace=mknodat", "-e",
			      "inject=mknodat:delay_exit=1000000", "./lesson08",
			      "run", "--root", state, "--bundle", bundle, name,
			      NULL});
	for (int i = 0; i < 30000 && lstat(node, &st) == -1; i++)
		poll(NULL, 0, 1);
	ck_assert(S_ISCHR(st.st_mode));
	ck_assert_int_eq(rename(trap, node), 0);
	struct run run = support_end(&started);
	ck_refused(&run, 1);
}
END_TEST

/* A folder through which the way to all leads is now a folder, now a link to
 * the host's canary. */
START_TEST(link_is_swapped_during_the_start)
{
	static const char *const sources[] = {
		" tmpfs mark-one ", " tmpfs mark-two ", NULL};
	char *bundle = scratch_bundle(shows_mounts());
	char *swap = scratch_text("%s/rootfs/swap", bundle);
	char *link = scratch_text("%s/rootfs/link", bundle);

	scratch_change(bundle,
		with_mounts(json_pack("[o,o,o,o]",
			mount_entry("/proc", "proc", "proc"),
			mount_entry("/dev", "tmpfs", "tmpfs"),
			mount_entry("/swap/inner", "tmpfs", "mark-one"),
			mount_entry("/swap/new/deep", "tmpfs", "mark-two"))));
	scratch_change(
		bundle, json_pack("{s:{s:s},s:{s:b},s:{s:[s],s:[s]}}",
				"process", "cwd", "/swap/cwd", "root",
				"readonly", 0, "linux", "maskedPaths",
				"/swap/secret", "readonlyPaths", "/swap/self"));
	/* Who may make no device binds the host's, and there is none. */
	if (geteuid() == 0)
		scratch_change(bundle, a_device("/swap/evil"));
	scratch_make_folder(scratch_text("%s/inner", swap));
	scratch_make_folder(scratch_text("%s/self", swap));
	scratch_make_folder(scratch_text("%s/cwd", swap));
	scratch_make_file(scratch_text("%s/secret", swap), "a secret\n");
	ck_assert_int_eq(symlink(canary, link), 0);
	pid_t swapper = begin_swapping(swap, link);
	int ran = 0;
	for (int i = 0; i < STARTS; i++) {
		struct run run = start(bundle);

		ran += strstr(run.out, "ran") != NULL;
		ck_inside(&run, sources);
	}
	ck_assert_int_eq(child_end(swapper), 128 + SIGKILL);
	/* Else nothing was tried. */
	ck_assert_int_gt(ran, 0);
	printf("attacks: %d of %d starts got through while a link was swapped\n",
		ran, STARTS);
}
END_TEST

/* --- Privileges ------------------------------------------------------------ */

/* Give what is ours to all that we execute, as a careless parent would. */
static void
make_inheritable(void)
{
	cap_t caps = cap_get_proc();

	ck_assert_ptr_nonnull(caps);
	for (cap_value_t c = 0; c < cap_max_bits(); c++) {
		cap_flag_value_t have;

		if (cap_get_flag(caps, c, CAP_PERMITTED, &have) == 0 &&
			have == CAP_SET)
			cap_set_flag(caps, CAP_INHERITABLE, 1, &c, CAP_SET);
	}
	ck_assert_int_eq(cap_set_proc(caps), 0);
	for (cap_value_t c = 0; c < cap_max_bits(); c++)
		if (cap_get_flag(caps, c, CAP_PERMITTED,
			    &(cap_flag_value_t){CAP_CLEAR}) == 0)
			cap_set_ambient(c, CAP_SET);
	cap_free(caps);
}

static void
ck_no_inheritable(struct run *run)
{
	ck_run(*run, 0);
	ck_assert_ptr_nonnull(strstr(run->out, "CapInh:\t0000000000000000\n"));
	support_run_free(run);
}

/* CVE-2022-29162. */
START_TEST(no_inheritable_capabilities)
{
	make_inheritable();
	struct run run =
		start(scratch_bundle(ARGS("cat", "/proc/self/status")));
	ck_no_inheritable(&run);
	struct session session = begin_waiting();
	run = EXEC(name, "cat", "/proc/self/status");
	ck_no_inheritable(&run);
	run = EXEC("--cap", "CAP_NET_RAW", name, "cat", "/proc/self/status");
	ck_no_inheritable(&run);
	finish(&session);
}
END_TEST

/* Somebody who is not quite named is nobody: 0 would be root. */
START_TEST(user_must_be_a_number)
{
	static char *const users[] = {"", " ", "0 ", " 0", "0x", "0x0", "+0",
		"-0", "-1", "0:", ":0", ":", "0:0:0", "0:0x", "0: 0", "0:-1",
		"0,0", "0\n", "root", "1e3", "4294967295", "4294967296",
		"0:4294967295", "0:4294967296", "18446744073709551616",
		"99999999999999999999999999"};
	struct session session = begin_waiting();

	for (size_t i = 0; i < COUNT(users); i++) {
		struct run run =
			EXEC("--user", users[i], name, "sh", "-c", "echo ran");
		ck_refused(&run, 2);
	}
	finish(&session);
}
END_TEST

/* In a user namespace in which root is who runs the test. */
static json_t *
in_user_namespace(void)
{
	return json_pack("{s:[o,o],s:{s:[{s:s},{s:s},{s:s},{s:s},{s:s},{s:s}],"
			 "s:[{s:i,s:i,s:i}],s:[{s:i,s:i,s:i}]}}",
		"mounts", mount_entry("/proc", "proc", "proc"),
		mount_entry("/dev", "tmpfs", "tmpfs"), "linux", "namespaces",
		"type", "pid", "type", "network", "type", "ipc", "type", "uts",
		"type", "mount", "type", "user", "uidMappings", "containerID",
		0, "hostID", (int)geteuid(), "size", 1, "gidMappings",
		"containerID", 0, "hostID", (int)getegid(), "size", 1);
}

/*
 * A process of the container lies in wait for ours that enter, and tries to
 * trace them before they have given up what they have. It may have the
 * capability for that in a user namespace; that is not the host's.
 */
START_TEST(who_enters_cannot_be_traced)
{
	char *bundle = scratch_bundle(ARGS("attack", "trace"));

	if (_i > 0)
		scratch_change(bundle, may_trace());
	if (_i == 1)
		scratch_change(bundle, in_user_namespace());
	struct session session = begin(bundle);
	for (int i = 0; i < RACES; i++) {
		struct run run = EXEC(name, "victim");
		ck_run(run, 0);
		support_run_free(&run);
	}
	struct run run = end(&session);
	/* Who may trace all of the host's users can do it here, too, as soon as
	 * there is somebody to be seen; but nobody who has more than he
	 * himself, nor a file of the host. */
	const char *told = strstr(run.out, "ready");
	ck_assert_ptr_nonnull(told);
	const char *got = strstr(told, _i < 2 ? " of " : "with more");
	ck_assert_msg(got == NULL, "traced: %.3000s", run.out);
	for (const char *at = run.out; (at = strstr(at, "descriptor ")); at++) {
		const char *what = at + strcspn(at, ",") + 2;

		ck_assert_msg(
			what[0] != '/' || strncmp(what, "/memfd:step", 11) == 0,
			"a file of ours: %.3000s", run.out);
		/* With one that stands for the runner he could take what that
		 * has open, and join its namespaces. */
		ck_assert_msg(strncmp(what, "anon_inode:[pidfd]", 18) != 0,
			"a process of the host: %.3000s", run.out);
	}
	support_run_free(&run);
}
END_TEST

/* What is masked or read-only stays so, for who is root inside. */
START_TEST(masks_hold)
{
#define PATHS                                                              \
	"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi",     \
		"/proc/scsi", "/sys/firmware", "/proc/bus", "/proc/fs",    \
		"/proc/irq", "/proc/sys", "/proc/sysrq-trigger",           \
		"/proc/sys/kernel/core_pattern",                           \
		"/proc/irq/default_smp_affinity", "/sys/kernel/profiling", \
		"/sys/kernel/uevent_helper"
	struct run run = start(scratch_bundle(ARGS("attack", "unmask", PATHS)));
	ck_silent(&run);
	struct session session = begin_waiting();
	run = EXEC(name, "attack", "unmask", PATHS);
	ck_silent(&run);
	finish(&session);
#undef PATHS
}
END_TEST

/* --- Names, commands, files ------------------------------------------------ */

START_TEST(names)
{
	static char *const verbs[][4] = {{"./lesson08", "run"},
		{"./lesson09", "exec"}, {"./lesson09", "ps"},
		{"./lesson09", "state"}, {"./lesson09", "kill"},
		{"./lesson09", "delete"}, {"./lesson09", "delete", "--force"}};
	char longest[257];
	char *const bad[] = {"", ".", "..", ".hidden", "a/b", "/", "../up",
		"a b", "a\n", "a\t", "a*", "a:b", "\303\274", "a\033[m",
		longest};
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));

	memset(longest, 'a', 256);
	longest[256] = '\0';
	for (size_t i = 0; i < COUNT(bad); i++)
		for (size_t v = 0; v < COUNT(verbs); v++) {
			char *argv[10] = {verbs[v][0], verbs[v][1]};
			int n = 2;

			if (verbs[v][2] != NULL)
				argv[n++] = verbs[v][2];
			argv[n++] = "--root";
			argv[n++] = state;
			if (v == 0) {
				argv[n++] = "--bundle";
				argv[n++] = bundle;
			}
			argv[n++] = bad[i];
			if (v == 1)
				argv[n++] = "true";
			struct run run = support_run(argv);
			ck_refused(&run, 2);
		}
}
END_TEST

/* The longest that a file system takes. */
START_TEST(longest_name)
{
	char *bundle = scratch_bundle(ARGS("true"));

	name = scratch_text("%0255d", getpid());
	struct run run = start(bundle);
	ck_run(run, 0);
	support_run_free(&run);
}
END_TEST

START_TEST(name_in_use)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));
	struct session session = begin_waiting();
	struct run run = start(bundle);

	ck_assert_ptr_nonnull(strstr(run.err, name));
	ck_refused(&run, 1);
	run = VERB("delete");
	ck_refused(&run, 1);
	/* The first one has not noticed. */
	run = EXEC(name, "sh", "-c", "echo here");
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "here\n");
	support_run_free(&run);
	finish(&session);
}
END_TEST

/* Of two at the same moment each runs or is refused, and nothing is left. */
START_TEST(name_in_use_at_the_same_moment)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));

	for (int i = 0; i < RACES / 2; i++) {
		struct started both[2];

		for (int k = 0; k < 2; k++)
			both[k] = support_begin(NULL,
				(char *const[]){"./lesson08", "run", "--root",
					state, "--bundle", bundle, name, NULL});
		for (int k = 0; k < 2; k++) {
			struct run run = support_end(&both[k]);

			if (run.code == 1) {
				ck_refused(&run, 1);
				continue;
			}
			ck_run(run, 0);
			ck_assert_str_eq(run.out, "ran\n");
			support_run_free(&run);
		}
		ck_nothing_left();
	}
}
END_TEST

START_TEST(commands_that_do_not_start)
{
	static const struct {
		char *command;
		int code;
	} commands[] = {
		{"nowhere", 127},
		{"/bin/nowhere", 127},
		{"/dev/null", 126},
		{"/bin", 126},
		{"/etc/plain", 126},
		{"/etc/plain/below", 126},
		{"../../../../../../bin/nowhere", 127},
	};
	char *bundle = scratch_bundle(ARGS("attack", "wait"));
	struct session session;

	scratch_make_file(
		scratch_text("%s/rootfs/etc/plain", bundle), "no program\n");
	for (size_t i = 0; i < COUNT(commands); i++) {
		scratch_change(bundle, ARGS(commands[i].command));
		struct run run = start(bundle);
		ck_refused(&run, commands[i].code);
	}
	scratch_change(bundle, ARGS("attack", "wait"));
	session = begin(bundle);
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct run run = EXEC(name, commands[i].command);
		ck_refused(&run, commands[i].code);
	}
	finish(&session);
}
END_TEST

/* What goes wrong last, on its way to the command. That it has ended is not to be
 * taken for its start. */
START_TEST(start_that_fails_late)
{
	char *bundle = scratch_bundle(ARGS("sleep", "1000"));
	char *pid = scratch_text("%s/pid", scratch_folder());
	char *later = scratch_text("%s/later", scratch_folder());

	scratch_make_file(
		scratch_text("%s/rootfs/etc/plain", bundle), "no folder\n");
	if (_i == 0)
		scratch_change(bundle,
			json_pack("{s:{s:s}}", "process", "cwd", "/etc/plain"));
	else
		scratch_change(
			bundle, json_pack("{s:{s:[{s:s,s:[s,s,s]}]}}", "hooks",
					"startContainer", "path", "/bin/sh",
					"args", "sh", "-c", "exit 3"));
	scratch_change(bundle,
		json_pack("{s:{s:[{s:s,s:[s,s]}]}}", "hooks", "poststart",
			"path", "/bin/touch", "args", "touch", later));
	for (int detach = 0; detach < 2; detach++) {
		struct run run = RUN("./lesson08", "run",
			detach ? "--detach" : "--ignore-unsupported", "--root",
			state, "--bundle", bundle, "--pid-file", pid, name);
		ck_refused(&run, 1);
		ck_nothing_left();
		ck_assert_int_eq(access(pid, F_OK), -1);
		ck_assert_int_eq(access(later, F_OK), -1);
	}
}
END_TEST

/* A cgroup that cannot be made as config.json wants it. The reader is told which
 * value it is. */
START_TEST(cgroup_that_is_refused)
{
	static const struct {
		const char *path, *quota, *told;
	} wrong[] = {
		{"nslessons-a\nb", NULL, "nslessons-a?b: EINVAL"},
		{"/", NULL, "linux.cgroupsPath: found `/`"},
		{".", NULL, "linux.cgroupsPath: found `.`"},
		{NULL, "quota", "linux.resources.cpu.quota: EINVAL"},
	};
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));

	for (size_t i = 0; i < COUNT(wrong); i++) {
		const char *path = wrong[i].path == NULL
					   ? scratch_text("nslessons-%s", name)
					   : wrong[i].path;

		scratch_change(bundle,
			json_pack("{s:{s:s,s:{s:{s:i}}}}", "linux",
				"cgroupsPath", path, "resources", "cpu",
				"quota", wrong[i].quota == NULL ? 0 : 1));
		struct run run = start(bundle);
		ck_assert_msg(strstr(run.err, wrong[i].told) != NULL,
			"told: %s", run.err);
		ck_refused(&run, 1);
		ck_nothing_left();
	}
}
END_TEST

/* A container that has ended. Its state stays until it is deleted. */
static void
leave_stopped(void)
{
	struct run run = RUN("./lesson08", "run", "--detach", "--root", state,
		"--bundle", scratch_bundle(ARGS("true")), name);

	ck_run(run, 0);
	support_run_free(&run);
}

/* The runner cleans up by itself when its container is killed: who deletes it
 * may come too late, and even find no place for states any more. That is only
 * so in the usual place, here in a /run of our own. */
START_TEST(deleted_while_its_runner_cleans_up)
{
	struct run run = RUN("unshare", "--mount", "sh", "-c",
		"mount -t tmpfs none /run && for i in 1 2 3 4 5; do"
		" ./lesson08 run --bundle \"$1\" \"$2\" & until"
		" ./lesson09 ps \"$2\"; do :; done;"
		" ./lesson09 delete --force \"$2\" || exit; wait; done"
		" >/dev/null 2>&1",
		"sh", scratch_bundle(ARGS("sleep", "1000")), name);

	ck_run(run, 0);
	support_run_free(&run);
}
END_TEST

START_TEST(stopped_container)
{
	leave_stopped();
	struct run run = VERB("state");
	ck_run(run, 0);
	json_t *object = json_loads(run.out, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(object, "status")),
		"stopped");
	json_decref(object);
	support_run_free(&run);
	run = EXEC(name, "sh", "-c", "echo ran");
	ck_refused(&run, 1);
	run = VERB("kill");
	ck_refused(&run, 1);
	run = VERB("delete");
	ck_run(run, 0);
	support_run_free(&run);
	run = VERB("state");
	ck_refused(&run, 1);
}
END_TEST

START_TEST(no_such_container)
{
	static char *const verbs[] = {"ps", "state", "kill", "delete"};

	for (size_t i = 0; i < COUNT(verbs); i++) {
		struct run run = VERB(verbs[i]);
		ck_refused(&run, 1);
	}
	struct run run = EXEC(name, "true");
	ck_refused(&run, 1);
}
END_TEST

/* Not what a rootfs should be; a FIFO must not be waited for. */
START_TEST(rootfs_is_none)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));
	char *rootfs = scratch_text("%s/rootfs", bundle);

	ck_assert_int_eq(rename(rootfs, scratch_text("%s/away", bundle)), 0);
	if (_i == 1)
		ck_assert_int_eq(mkfifo(rootfs, 0600), 0);
	else if (_i == 2)
		scratch_make_file(rootfs, "");
	else if (_i == 3)
		ck_assert_int_eq(symlink("/", rootfs), 0);
	else if (_i == 4)
		ck_assert_int_eq(symlink(rootfs, rootfs), 0);
	struct run run = start(bundle);
	ck_refused(&run, 1);
}
END_TEST

/* Who is not in a bundle and names none gets no other's. */
START_TEST(config_is_none)
{
	char *program = realpath("lesson08", NULL);
	char *away = scratch_folder();
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));
	char *odd = scratch_text("%s/\xff", bundle);

	ck_assert_ptr_nonnull(program);
	if (_i == 1)
		ck_assert_int_eq(symlink("nowhere",
					 scratch_text("%s/config.json", away)),
			0);
	if (_i == 2)
		ck_assert_int_eq(
			mkfifo(scratch_text("%s/config.json", away), 0600), 0);
	if (_i == 3) {
		ck_assert_int_eq(mkdir(odd, 0755), 0);
		scratch_copy(scratch_text("%s/config.json", bundle),
			scratch_text("%s/config.json", odd));
		scratch_make_folder(scratch_text("%s/rootfs", odd));
		away = odd;
	}
	ck_assert_int_eq(chdir(away), 0);
	struct run run = RUN(program, "run", "--root", state, name);
	ck_assert_int_eq(chdir("/"), 0);
	ck_refused(&run, 1);
	free(program);
}
END_TEST

/* It is read for HOME. */
START_TEST(passwd_is_none)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo $HOME"));
	char *passwd = scratch_text("%s/rootfs/etc/passwd", bundle);

	scratch_change(bundle, json_pack("{s:{s:[]}}", "process", "env"));
	if (_i == 0)
		ck_assert_int_eq(mkfifo(passwd, 0666), 0);
	else
		ck_assert_int_eq(symlink("/dev/zero", passwd), 0);
	struct run run = start(bundle);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "/\n");
	support_run_free(&run);
}
END_TEST

/* A hook of startContainer is told what the host calls the owner, and not what
 * the container's /etc/passwd does. */
START_TEST(owner_is_the_hosts)
{
	char *bundle = scratch_bundle(ARGS("true"));
	char *passwd = scratch_text("%s/rootfs/etc/passwd", bundle);

	scratch_change(bundle,
		json_pack("{s:{s:[{s:s,s:[s,s]}]}}", "hooks", "startContainer",
			"path", "/bin/cat", "args", "cat", "-"));
	if (_i == 0)
		ck_assert_int_eq(mkfifo(passwd, 0666), 0);
	else
		scratch_make_file(passwd,
			scratch_text("evil:x:%u:0::/:/bin/sh\n", geteuid()));
	struct run run = start(bundle);
	ck_run(run, 0);
	json_t *told = json_loads(run.out, 0, NULL);
	char *owner = user_name(geteuid());
	ck_assert_str_eq(
		json_string_value(json_object_get(told, "owner")), owner);
	free(owner);
	json_decref(told);
	support_run_free(&run);
}
END_TEST

/* For the kernel it is no program; a shell would have read it. */
START_TEST(text_is_no_program)
{
	char *bundle = scratch_bundle(ARGS("/bin/text"));
	char *file = scratch_text("%s/rootfs/bin/text", bundle);

	scratch_make_file(file, "echo read\n");
	ck_assert_int_eq(chmod(file, 0755), 0);
	struct run run = start(bundle);
	ck_run(run, 126);
	ck_assert_ptr_nonnull(strstr(run.err, "ENOEXEC"));
	support_run_free(&run);
	scratch_change(bundle, json_pack("{s:{s:[s,s]}}", "process", "args",
				       "attack", "wait"));
	struct session session = begin(bundle);
	run = EXEC(name, "/bin/text");
	ck_run(run, 126);
	ck_assert_ptr_nonnull(strstr(run.err, "ENOEXEC"));
	support_run_free(&run);
	finish(&session);
}
END_TEST

/* A start that does not come to an end can be ended. */
START_TEST(slow_hook_can_be_interrupted)
{
	static const char *const kinds[] = {"prestart", "createRuntime",
		"createContainer", "startContainer"};
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	char *bundle = scratch_bundle(ARGS("true"));

	scratch_change(
		bundle, json_pack("{s:{s:[{s:s,s:[s,s,s]}]}}", "hooks",
				kinds[_i], "path", "/bin/sh", "args", "sh",
				"-c", "echo ready; exec sleep 1000"));
	struct session session = begin(bundle);
	ck_assert_int_eq(kill(session.pid, signals[_i]), 0);
	struct run run = support_finish(&session);
	ck_run(run, 128 + signals[_i]);
	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	support_run_free(&run);
}
END_TEST

/* Its exec gives root more capabilities than it had; then the kernel forgets
 * that it is to die with its parent. */
START_TEST(command_dies_with_its_runner)
{
	json_t *none = json_array(),
	       *some = json_pack("[ss]", "CAP_KILL", "CAP_CHOWN");
	char *bundle =
		scratch_bundle(ARGS("sh", "-c", "echo ready; exec sleep 1000"));

	scratch_change(bundle,
		json_pack("{s:{s:b,s:{s:o,s:O,s:O,s:O,s:o}}}", "process",
			"noNewPrivileges", 0, "capabilities", "bounding", some,
			"effective", none, "permitted", none, "inheritable",
			none, "ambient", none));
	struct session session = begin(bundle);
	ck_assert_int_eq(kill(session.pid, SIGKILL), 0);
	/* The guard waits for all that the runner has left. */
	struct run run = support_finish(&session);
	ck_run(run, 128 + SIGKILL);
	ck_assert_msg(run.changes == NULL, "%s", run.changes);
	support_run_free(&run);
	run = VERB("delete");
	support_run_free(&run);
}
END_TEST

/* A limit of the caller is told, and does not kill without a word. The command
 * dies by it as ever. */
START_TEST(files_may_not_grow)
{
	char *bundle = scratch_bundle(ARGS("cat", "/proc/self/status"));
	struct run run = RUN("sh", "-c",
		scratch_text("(ulimit -f 0; exec ./lesson08 run --root %s"
			     " --bundle %s %s 2>&1) | cat",
			state, bundle, name));

	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.out, "File too large"));
	support_run_free(&run);
	run = start(bundle);
	ck_run(run, 0);
	/* Who has started us may ignore others. */
	const char *ignored = strstr(run.out, "SigIgn:\t");
	ck_assert_ptr_nonnull(ignored);
	ck_assert_uint_eq(
		strtoull(ignored + 8, NULL, 16) & 1ULL << (SIGXFSZ - 1), 0);
	support_run_free(&run);
}
END_TEST

/* Our caller allows us fewer than we need: that is told, and nothing is left. */
START_TEST(few_descriptors_for_the_runner)
{
	char *bundle = scratch_bundle(ARGS("true"));
	struct run run = RUN("sh", "-c",
		scratch_text("ulimit -n %d; exec ./lesson08 run --root %s"
			     " --bundle %s %s",
			_i, state, bundle, name));

	/* A user is told more: what he cannot have here. */
	if (run.code != 0)
		ck_refused(&run, run.code == DIE_CANNOT ? run.code : 1);
	else
		support_run_free(&run);
	ck_assert_int_eq(access(scratch_text("%s/.scrap", state), F_OK), -1);
}
END_TEST

/* A limit of the container is for its command, and our work is done by then. */
START_TEST(few_descriptors_for_the_container)
{
	char *bundle =
		scratch_bundle(ARGS("sh", "-c", "ulimit -n; echo $HOME"));

	scratch_make_file(scratch_text("%s/rootfs/etc/passwd", bundle),
		"root:x:0:0::/home/of/root:/bin/sh\n");
	scratch_change(bundle, json_pack("{s:{s:[],s:[{s:s,s:i,s:i}]}}",
				       "process", "env", "rlimits", "type",
				       "RLIMIT_NOFILE", "hard", 4, "soft", 4));
	struct run run = start(bundle);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, "4\n/home/of/root\n");
	support_run_free(&run);
}
END_TEST

/* Whatever verb an option is not for; and a list that goes nowhere. */
START_TEST(verbs_and_options)
{
	static char *const wrong[][4] = {{"./lesson08", "--list", "run", "x"},
		{"./lesson08", "--spec", "run", "x"},
		{"./lesson08", "--rootless", "run", "x"},
		{"./lesson08", "--quiet", "run", "x"},
		{"./lesson08", "--detach", "list"},
		{"./lesson08", "--list", "--spec"}, {"./lesson08", "--detach"},
		{"./lesson08", "run"}, {"./lesson08", "run", "x", "sh"},
		{"./lesson08", "walk", "x"},
		{"./lesson08", "--check", "run", "x"}, {"./lesson09", "--tty"},
		{"./lesson09", "ps"}, {"./lesson09", "kill", "x", "-a"},
		{"./lesson09", "delte", "x"},
		{"./lesson09", "--step", "ps", "x"},
		{"./lesson09", "--pid-", "1"}, {"./lesson09", "--p", "ps", "x"},
		{"./lesson10", "--share", "net=host", "--check"}};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct run run =
			RUN(wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]);
		ck_refused(&run, 2);
	}
	struct run run = support_run_to("/dev/full",
		(char *const[]){"./lesson08", "list", "--root", state, NULL});
	ck_refused(&run, 1);
}
END_TEST

/* The PID cannot be told, so whoever wants it could not stop the container. */
START_TEST(pid_file_cannot_be_written)
{
	char *folder = scratch_folder();
	char *const files[] = {scratch_text("%s/absent/pid", folder), folder,
		scratch_text("%s/rootfs/etc/passwd/pid", folder), "",
		scratch_text("%s/link", folder),
		scratch_text("%s/fifo", folder)};
	char *bundle = scratch_bundle(ARGS("sleep", "1000"));

	ck_assert_int_eq(
		symlink(scratch_text("%s/secret", canary), files[4]), 0);
	ck_assert_int_eq(mkfifo(files[5], 0600), 0);

	for (size_t i = 0; i < COUNT(files); i++) {
		struct run run = RUN("./lesson08", "run", "--pid-file",
			files[i], "--root", state, "--bundle", bundle, name);
		ck_assert_int_gt(run.code, 0);
		ck_refused(&run, run.code == 2 ? 2 : 1);
		run = RUN("./lesson08", "run", "--detach", "--pid-file",
			files[i], "--root", state, "--bundle", bundle, name);
		ck_refused(&run, run.code == 2 ? 2 : 1);
		ck_nothing_left();
	}
	struct session session = begin_waiting();
	for (size_t i = 0; i < COUNT(files); i++) {
		struct run run =
			EXEC("--pid-file", files[i], name, "sleep", "1000");
		ck_refused(&run, run.code == 2 ? 2 : 1);
	}
	struct run run = VERB("ps", "--json");
	ck_run(run, 0);
	json_t *pids = json_loads(run.out, 0, NULL);
	ck_assert_uint_eq(json_array_size(pids), 1);
	json_decref(pids);
	support_run_free(&run);
	finish(&session);
}
END_TEST

/* A number that was there before stays until there is a new one. */
START_TEST(pid_file_is_whole)
{
	char *file = scratch_text("%s/pid", scratch_folder());
	char *bundle = scratch_bundle(ARGS("nowhere"));

	scratch_make_file(file, "old");
	struct run run = RUN("./lesson08", "run", "--pid-file", file, "--root",
		state, "--bundle", bundle, name);
	ck_refused(&run, 127);
	scratch_change(bundle, ARGS("attack", "wait"));
	struct session session = begin(bundle);
	run = EXEC("--pid-file", file, name, "nowhere");
	ck_refused(&run, 127);
	run = RUN("cat", file);
	ck_assert_str_eq(run.out, "old");
	support_run_free(&run);
	run = EXEC("--pid-file", file, name, "true");
	ck_silent(&run);
	run = RUN("cat", file);
	ck_assert_int_gt(strtol(run.out, NULL, 10), 1);
	support_run_free(&run);
	finish(&session);
}
END_TEST

/* --- What is left in the state --------------------------------------------- */

static char *
read_state(void)
{
	char *file = scratch_text("%s/%s/state.json", state, name);
	json_t *object = json_load_file(file, 0, NULL);

	ck_assert_ptr_nonnull(object);
	char *text = json_dumps(object, JSON_INDENT(1));
	char *copy = scratch_text("%s", text);
	free(text);
	json_decref(object);
	return copy;
}

/* Text with one string in the place of another, which must be in it. */
static char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	ck_assert_msg(at != NULL, "%s is not in %s", from, text);
	return scratch_text(
		"%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static char *
write_state(const char *of, const char *text)
{
	char *folder = scratch_text("%s/%s", state, of);
	char *file = scratch_text("%s/state.json", folder);

	ck_assert(mkdir(folder, 0700) == 0 || errno == EEXIST);
	scratch_make_file(file, text);
	ck_assert_int_eq(chmod(file, 0600), 0);
	return file;
}

static void
delete_stopped(void)
{
	struct run run = VERB("delete");

	ck_run(run, 0);
	support_run_free(&run);
}

/* Each is cleaned up, and said in a line. */
/* Detached in a PID namespace that is gone: nobody is left in its cgroup. */
START_TEST(container_of_a_pid_namespace_that_is_gone)
{
	char *bundle = scratch_bundle(ARGS("sleep", "1000"));
	struct run run = RUN("unshare", "-pf", "--mount-proc", "./lesson08",
		"run", "--detach", "--root", state, "--bundle", bundle, name);

	ck_run(run, 0);
	support_run_free(&run);
	run = start(scratch_bundle(ARGS("true")));
	ck_run(run, 0);
	ck_assert_msg(strstr(run.err, "cleaned up") != NULL, "%s", run.err);
	support_run_free(&run);
}
END_TEST

START_TEST(stale_states)
{
	char boot[37], number[16];
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(boot, sizeof(boot), file));
	fclose(file);
	leave_stopped();
	char *text = read_state();
	size_t length = strlen(text);
	int stale = 0;
	for (size_t at = 0; at < length - 2; at += 1 + length / 20) {
		snprintf(number, sizeof(number), "cut-%d", stale++);
		write_state(number, scratch_text("%.*s", (int)at, text));
	}
	write_state("boot", replaced(replaced(text, name, "boot"), boot,
				    "00000000-0000-0000-0000-000000000000"));
	write_state("after", scratch_text("%s x", text));
	write_state("list", "[]");
	write_state("deep", scratch_text("%0*d", 9000, 0));
	stale += 4;
	struct run run = RUN("./lesson08", "list", "--quiet", "--root", state);
	ck_run(run, 0);
	ck_assert_str_eq(run.out, scratch_text("%s\n", name));
	int lines = 0;
	for (const char *c = run.err; *c != '\0'; c++)
		lines += *c == '\n';
	ck_assert_msg(
		lines == stale, "%d lines for %d: %s", lines, stale, run.err);
	support_run_free(&run);
	delete_stopped();
}
END_TEST

/* What does not belong there is left alone, and is no way out. */
START_TEST(strange_things_beside_states)
{
	leave_stopped();
	char *evil = scratch_text("%s/evil", state);
	char *junk = scratch_text("%s/junk", state);
	ck_assert_int_eq(symlink(canary, evil), 0);
	scratch_make_file(junk, "");
	struct run run = RUN("./lesson08", "list", "--quiet", "--root", state);
	ck_run(run, 0);
	ck_assert_ptr_nonnull(strstr(run.out, name));
	support_run_free(&run);
	run = RUN("./lesson09", "delete", "--force", "--root", state, "evil");
	support_run_free(&run);
	ck_same(canary, before);
	unlink(evil);
	unlink(junk);
	delete_stopped();
}
END_TEST

/* A process of ours, of which a state says that it is a container's. */
static pid_t
begin_victim(unsigned long long *start_time)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		/* libcheck's handler would end the test, too. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
			signal(SIGTERM, SIG_DFL) == SIG_ERR)
			die("signal");
		for (;;)
			pause();
	}
	ck_assert_int_eq(proc_start_time(pid, start_time), 0);
	return pid;
}

/* The state of the stopped container, but with another PID. */
static char *
state_with(pid_t pid)
{
	char *text = read_state();
	json_t *object = json_loads(text, 0, NULL);
	long long was = json_integer_value(json_object_get(object, "pid"));

	ck_assert_int_gt(was, 0);
	json_decref(object);
	return replaced(text, scratch_text("\"pid\": %lld", was),
		scratch_text("\"pid\": %d", pid));
}

/* It is neither entered nor killed. */
static void
ck_spared(pid_t pid)
{
	struct run run = VERB("kill", "--all");

	ck_assert_int_eq(run.code, 1);
	support_run_free(&run);
	run = RUN("./lesson09", "kill", "--root", state, name, "KILL");
	ck_refused(&run, 1);
	run = EXEC(name, "sh", "-c", "echo ran");
	ck_refused(&run, 1);
	run = VERB("delete", "--force");
	support_run_free(&run);
	ck_assert_int_eq(kill(pid, 0), 0);
	ck_assert_int_ne(proc_state(pid), 'Z');
	ck_assert_int_eq(child_end(pid), 128 + SIGKILL);
}

/* The PID of a container that has ended is given out again: later than in the
 * same hundredth of a second, which is all that a start time tells. */
START_TEST(pid_is_used_again)
{
	unsigned long long start_time;

	leave_stopped();
	json_t *object = json_loads(read_state(), 0, NULL);
	json_int_t was = json_integer_value(json_object_get(object, "start"));
	ck_assert_int_gt(was, 0);
	json_decref(object);
	pid_t pid = begin_victim(&start_time);
	while (start_time == (unsigned long long)was) {
		ck_assert_int_eq(child_end(pid), 128 + SIGKILL);
		pid = begin_victim(&start_time);
	}
	write_state(name, state_with(pid));
	ck_spared(pid);
}
END_TEST

/* Somebody else has written a state in which all is right. */
START_TEST(state_of_somebody_else)
{
	unsigned long long start_time;
	pid_t pid = begin_victim(&start_time);

	leave_stopped();
	char *text = state_with(pid), *key = strstr(text, "\"start\": ");
	ck_assert_ptr_nonnull(key);
	size_t digits = strspn(key + 9, "0123456789");
	char *const paths[] = {
		write_state(
			name, scratch_text("%.*s%llu%s", (int)(key + 9 - text),
				      text, start_time, key + 9 + digits)),
		scratch_text("%s/%s", state, name), state};
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(chown(paths[i], SOMEBODY, SOMEBODY), 0);
	ck_spared(pid);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(chown(paths[i], 0, 0), 0);
	delete_stopped();
}
END_TEST

#define AS_NOBODY "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"

START_TEST(bundle_of_somebody_else)
{
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));
	char *places = scratch_folder();

	ck_assert_int_eq(chmod(bundle, 0700), 0);
	ck_assert_int_eq(chown(places, NOBODY, NOBODY), 0);
	struct run run = RUN(AS_NOBODY, "./lesson08", "run", "--root", places,
		"--bundle", bundle, name);
	ck_refused(&run, 1);
}
END_TEST

START_TEST(container_of_somebody_else)
{
	struct session session = begin_waiting();
	static char *const verbs[] = {"ps", "state", "kill", "delete"};

	for (size_t i = 0; i < COUNT(verbs); i++) {
		struct run run = RUN(AS_NOBODY, "./lesson09", verbs[i],
			"--root", state, name);
		ck_refused(&run, 1);
	}
	struct run run = RUN(AS_NOBODY, "./lesson09", "exec", "--root", state,
		name, "sh", "-c", "echo ran");
	ck_refused(&run, 1);
	finish(&session);
}
END_TEST

/* The place for a user's states in /tmp is somebody else's, or a link. All is
 * made in a /tmp of our own; what we need may itself be below the one that this
 * covers. */
START_TEST(place_of_states_is_somebody_elses)
{
	static char *const made[] = {
		"mkdir -m 755 $place; chown 12345 $place",
		"mkdir -m 777 $place; chown 65534 $place",
		"mkdir /tmp/x; chown 65534 /tmp/x; ln -s x $place",
		"mkfifo $place; chown 65534 $place",
	};
	char *bundle = scratch_bundle(ARGS("sh", "-c", "echo ran"));
	char *script = scratch_text(
		"set -e; place=/tmp/nslessons-65534; unset XDG_RUNTIME_DIR; "
		"mount -t tmpfs tmpfs /mnt; mkdir /mnt/tree /mnt/bundle; "
		"mount --bind . /mnt/tree; mount --bind \"$1\" /mnt/bundle; "
		"mount -t tmpfs -o mode=1777 tmpfs /tmp; %s; "
		"cd /mnt/tree; shift; code=0; \"$@\" || code=$?; "
		"[ -z \"$(find /tmp -mindepth 2)\" ] || echo written; "
		"exit $code",
		made[_i]);
	struct run run = RUN("unshare", "--mount", "sh", "-c", script, "sh",
		bundle, AS_NOBODY, "./lesson08", "run", "--bundle",
		"/mnt/bundle", name);

	ck_assert_ptr_nonnull(strstr(run.err, "/tmp/nslessons-65534"));
	ck_refused(&run, 1);
}
END_TEST

static TCase *
add_case(Suite *suite, const char *title)
{
	TCase *tcase = tcase_create(title);

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 120);
	tcase_add_unchecked_fixture(tcase, scratch_begin, scratch_end);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	return tcase;
}

static void
add_links(Suite *suite)
{
	TCase *links = add_case(suite, "links");

	tcase_add_loop_test(links, mount_point_is_a_link, 0, 12);
	tcase_add_loop_test(links, mount_through_a_link, 0, 7);
	tcase_add_test(links, masked_and_readonly_links);
	tcase_add_loop_test(links, device_through_a_link, 0, 6);
	tcase_add_loop_test(links, null_is_something_else, 0, 4);
	tcase_add_loop_test(links, sysctl_goes_elsewhere, 0, 3);
	tcase_add_test(links, link_is_swapped_during_the_start);
	if (support_have("root", "device_is_swapped_at_its_birth") &&
		support_have("strace", "device_is_swapped_at_its_birth"))
		tcase_add_test(links, device_is_swapped_at_its_birth);
}

static void
add_input(Suite *suite)
{
	TCase *input = add_case(suite, "input");

	tcase_add_test(input, names);
	tcase_add_test(input, longest_name);
	tcase_add_test(input, name_in_use);
	tcase_add_test(input, name_in_use_at_the_same_moment);
	tcase_add_test(input, commands_that_do_not_start);
	tcase_add_loop_test(input, start_that_fails_late, 0, 2);
	if (SUPPORT_HAVE("container_of_a_pid_namespace_that_is_gone", "root",
		    "unshare", "cgroup"))
		tcase_add_test(
			input, container_of_a_pid_namespace_that_is_gone);
	if (support_have("cgroup", "cgroup_that_is_refused"))
		tcase_add_test(input, cgroup_that_is_refused);
	tcase_add_test(input, stopped_container);
	if (support_have("root", "deleted_while_its_runner_cleans_up") &&
		support_have("unshare", "deleted_while_its_runner_cleans_up"))
		tcase_add_test(input, deleted_while_its_runner_cleans_up);
	tcase_add_test(input, no_such_container);
	tcase_add_loop_test(input, rootfs_is_none, 0, 5);
	tcase_add_loop_test(input, config_is_none, 0, 4);
	tcase_add_loop_test(input, passwd_is_none, 0, 2);
	tcase_add_loop_test(input, owner_is_the_hosts, 0, 2);
	tcase_add_loop_test(input, slow_hook_can_be_interrupted, 0, 4);
	tcase_add_test(input, text_is_no_program);
	if (support_have("root", "command_dies_with_its_runner"))
		tcase_add_test(input, command_dies_with_its_runner);
	tcase_add_test(input, files_may_not_grow);
	tcase_add_loop_test(input, few_descriptors_for_the_runner, 5, 13);
	tcase_add_test(input, few_descriptors_for_the_container);
	tcase_add_test(input, verbs_and_options);
	tcase_add_test(input, pid_file_cannot_be_written);
	tcase_add_test(input, pid_file_is_whole);
	tcase_add_test(input, stale_states);
	tcase_add_test(input, strange_things_beside_states);
	tcase_add_test(input, pid_is_used_again);
	if (!support_have("root", "another user's bundle and state") ||
		!support_have("setpriv", "another user's bundle and state"))
		return;
	tcase_add_test(input, state_of_somebody_else);
	tcase_add_test(input, bundle_of_somebody_else);
	tcase_add_test(input, container_of_somebody_else);
	tcase_add_loop_test(input, place_of_states_is_somebody_elses, 0, 4);
}

Suite *
suite_attacks(void)
{
	Suite *suite = suite_create("attacks");

	if (!support_have("namespaces", "attacks"))
		return suite;
	TCase *descriptors = add_case(suite, "descriptors");
	tcase_add_test(descriptors, run_hands_no_descriptor_on);
	tcase_add_test(descriptors, exec_hands_no_descriptor_on);
	tcase_add_test(descriptors, hook_of_the_container);
	tcase_add_test(descriptors, run_in_a_descriptor);
	tcase_add_test(descriptors, exec_in_a_descriptor);
	tcase_add_test(descriptors, working_directory_through_a_link);
	TCase *program = add_case(suite, "program");
	tcase_add_loop_test(program, run_of_our_own_program, 0, 2);
	tcase_add_loop_test(program, exec_of_our_own_program, 0, 2);
	tcase_add_loop_test(program, own_program_is_another_inside, 0, 2);
	tcase_add_test(program, hook_finds_another_program);
	tcase_add_test(program, program_of_who_enters);
	add_links(suite);
	TCase *privileges = add_case(suite, "privileges");
	tcase_add_test(privileges, no_inheritable_capabilities);
	tcase_add_test(privileges, user_must_be_a_number);
	tcase_add_loop_test(privileges, who_enters_cannot_be_traced, 0, 3);
	tcase_add_test(privileges, masks_hold);
	add_input(suite);
	return suite;
}
