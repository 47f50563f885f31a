/*
 * scripts/build-bundle, deps and coverage. What they make is looked at from
 * outside, and runc says what it thinks of a bundle where it is installed. Run
 * from the top of the project.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Seconds for a test; the exit codes of the scripts; who has no rights. */
enum { SECONDS = 120, OK = 0, FAILED = 1, MISUSED = 2, NOBODY = 65534 };

/* The folder that all tests work in, and that of one test. */
static char *top;
static char *dir;

/* --- Files --------------------------------------------------------------- */

/* What tells that a file was not touched: it is the same, and so is the time
 * of its last change. */
struct identity {
	dev_t device;
	ino_t inode;
	struct timespec changed;
};

static struct identity
identity(const char *name)
{
	char *path = support_text("%s/%s", dir, name);
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	free(path);
	return (struct identity){st.st_dev, st.st_ino, st.st_ctim};
}

static bool
is_same(struct identity a, struct identity b)
{
	return a.device == b.device && a.inode == b.inode &&
	       a.changed.tv_sec == b.changed.tv_sec &&
	       a.changed.tv_nsec == b.changed.tv_nsec;
}

/* --- Commands ------------------------------------------------------------ */

struct output {
	int code; /* as a shell tells it */
	char *text;
};

/* In a process group of its own, so that a command may kill all of it. */
static void
be_shell(const char *command, int out)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || setpgid(0, 0) == -1 ||
		chdir(dir) == -1 || dup2(out, STDOUT_FILENO) == -1 ||
		dup2(out, STDERR_FILENO) == -1)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Runs a command in the test's folder. Reads until nobody has its output open
 * any more, so nothing that it has started is left. */
static struct output
shell(const char *command)
{
	struct output output = {0};
	size_t size = 0;
	int ends[2], status;
	pid_t pid;
	FILE *file;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0)
		be_shell(command, ends[1]);
	ck_assert_int_eq(close(ends[1]), 0);
	file = fdopen(ends[0], "r");
	ck_assert_ptr_nonnull(file);
	if (getdelim(&output.text, &size, '\0', file) == -1)
		output.text[0] = '\0';
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	output.code = WIFEXITED(status) ? WEXITSTATUS(status)
					: 128 + WTERMSIG(status);
	return output;
}

/* The command must end with the code, and part must be in what it prints. */
static void
ck_shell(int code, const char *part, const char *command)
{
	struct output output = shell(command);

	ck_assert_msg(output.code == code,
		"%s: exit code %d, expected %d; it printed:\n%s", command,
		output.code, code, output.text);
	ck_assert_msg(strstr(output.text, part) != NULL,
		"%s: expected: %s\nit printed:\n%s", command, part,
		output.text);
	free(output.text);
}

/* The command must end with 0 and print this and nothing else. */
static void
ck_prints(const char *expected, const char *command)
{
	struct output output = shell(command);

	ck_assert_msg(output.code == 0 && strcmp(output.text, expected) == 0,
		"%s: exit code %d, expected to print:\n%s\nit printed:\n%s",
		command, output.code, expected, output.text);
	free(output.text);
}

/* --- Around a test ------------------------------------------------------- */

/* Around all tests of a case, in the process that starts them: a test that
 * fails does not come to clean up. */
static void
set_up_case(void)
{
	const char *tmp = getenv("TMPDIR");

	top = support_text("%s/scripts.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(top));
}

/* Folders of an image may be read-only. */
static void
tear_down_case(void)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c",
			"chmod -R u+rwX \"$0\"; exec rm -rf \"$0\"", top,
			(char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	free(top);
}

static void
set_variable(const char *name, const char *folder, const char *rest)
{
	char *value = support_text("%s%s", folder, rest);

	ck_assert_int_eq(setenv(name, value, 1), 0);
	free(value);
}

/* The commands of the tests use these variables. */
static void
set_up(void)
{
	char *here = realpath(".", NULL);
	char *self = realpath("/proc/self/exe", NULL);

	ck_assert_ptr_nonnull(here);
	ck_assert_ptr_nonnull(self);
	set_variable("TOP", here, "");
	set_variable("B", here, "/scripts/build-bundle");
	set_variable("D", here, "/scripts/deps");
	set_variable("C", here, "/scripts/coverage");
	set_variable("SELF", self, "");
	set_variable("REAL_PATH", getenv("PATH"), "");
	free(here);
	free(self);
	dir = support_text("%s/XXXXXX", top);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
tear_down(void)
{
	free(dir);
}

/* Become somebody without rights, who owns the test's folder. */
static void
drop_rights(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(top, 0755), 0);
	ck_assert_int_eq(chown(dir, NOBODY, NOBODY), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

/* --- build-bundle: what it makes ----------------------------------------- */

/* Returns how many links there are beside the busybox. */
static size_t
ck_applets(void)
{
	struct output list = shell("b/rootfs/bin/busybox --list");
	char *rest = list.text, *applet;
	size_t links = 0;

	ck_assert_int_eq(list.code, 0);
	while ((applet = strsep(&rest, "\n")) != NULL && *applet != '\0') {
		char *link = support_text("%s/b/rootfs/bin/%s", dir, applet);
		char target[8] = "";

		if (strcmp(applet, "busybox") != 0) {
			ck_assert_msg(readlink(link, target, 8) == 7, "%s: %s",
				link, strerror(errno));
			ck_assert_int_eq(strncmp(target, "busybox", 7), 0);
			links++;
		}
		free(link);
	}
	free(list.text);
	return links;
}

static void
ck_bundle(void)
{
	char *path = support_text("%s/b", dir), *error = NULL, *expected;
	struct bundle b;

	ck_shell(OK, "made ", "$B b");
	ck_prints("bin dev etc home proc root sys tmp usr var\n",
		"echo $(ls b/rootfs)");
	ck_prints("drwxrwxrwt\n", "ls -ld b/rootfs/tmp | cut -c 1-10");
	ck_prints("", "cmp \"$($B --which-busybox)\" b/rootfs/bin/busybox");
	ck_prints("", "cmp \"$TOP/bundle/config.json\" b/config.json");
	ck_prints("nslessons\n", "cat b/rootfs/etc/hostname");
	ck_shell(OK, "root:x:0:0:", "cat b/rootfs/etc/passwd");
	ck_shell(OK, "root:x:0:\ntty:x:5:\n", "cat b/rootfs/etc/group");
	expected = support_text("%zu\n", ck_applets() + 1);
	ck_prints(expected, "ls -A b/rootfs/bin | wc -l");
	free(expected);
	ck_prints(".\n..\nconfig.json\nrootfs\n", "ls -a b");
	ck_assert_msg(bundle_load(&b, path, &error) == 0, "%s", error);
	bundle_free(&b);
	free(path);
}

/* A01: the two names in the folder, and those in rootfs. */
START_TEST(bundle_is_made)
{
	ck_bundle();
}
END_TEST

START_TEST(bundle_is_made_without_rights)
{
	drop_rights();
	ck_bundle();
}
END_TEST

START_TEST(second_run_changes_nothing)
{
	static const char *const names[] = {"b", "b/config.json", "b/rootfs",
		"b/rootfs/bin", "b/rootfs/bin/ls", "b/rootfs/.nslessons"};
	struct identity before[COUNT(names)];

	ck_shell(OK, "made ", "$B b");
	for (size_t i = 0; i < COUNT(names); i++)
		before[i] = identity(names[i]);
	ck_shell(OK, "up to date", "$B b");
	ck_prints("", "$B --quiet b");
	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_msg(is_same(before[i], identity(names[i])),
			"touched: %s", names[i]);
}
END_TEST

static const char *const damages[] = {"rm bin/ls", "ln -sf /bin/true bin/ls",
	"rm bin/busybox", ": >bin/busybox", "echo x >>etc/passwd",
	"rm etc/hostname", "rmdir home", "chmod 700 bin", "touch x",
	"ln -s / x", "mkdir usr/x", "mv etc x; ln -s x etc",
	"sed -i 's/^from .*/from x/' .nslessons"};

START_TEST(damage_is_mended)
{
	char *command = support_text("cd b/rootfs; %s", damages[_i]);

	ck_shell(OK, "made ", "$B b");
	ck_shell(OK, "", command);
	ck_shell(OK, "made ", "$B --quiet b");
	ck_prints("", "$B --quiet b");
	ck_prints("bin dev etc home proc root sys tmp usr var\n",
		"echo $(ls b/rootfs)");
	free(command);
}
END_TEST

/* --- build-bundle: what is not its own ----------------------------------- */

static const char *const strangers[] = {
	"mkdir b/rootfs; echo mine >b/rootfs/mine",
	"mkdir b/rootfs",
	"ln -s ../other b/rootfs",
	"ln -s nothing b/rootfs",
	"echo mine >b/rootfs",
	"mkfifo b/rootfs",
	"mkdir b/rootfs; echo 'made by me' >b/rootfs/.nslessons",
	/* A link to what is ours. */
	"$B o; ln -s ../o/rootfs b/rootfs",
	"$B o; mkdir b/rootfs; ln -s ../../o/rootfs/.nslessons b/rootfs",
};

START_TEST(stranger_is_kept)
{
	struct identity before;

	ck_shell(OK, "", "mkdir b other; echo kept >other/kept");
	ck_shell(OK, "", strangers[_i]);
	before = identity("b/rootfs");
	ck_shell(FAILED, "b/rootfs was not made by this script", "$B b");
	ck_assert(is_same(before, identity("b/rootfs")));
	ck_prints("rootfs\n", "ls -A b");
	ck_shell(OK, "made ", "$B --force b");
	ck_prints("", "[ ! -L b/rootfs ] && [ -x b/rootfs/bin/sh ]");
	ck_prints("config.json\nrootfs\n", "ls -A b");
	ck_prints("kept\n", "cat other/kept");
	ck_prints("", "[ ! -e o ] || $B -q o");
}
END_TEST

START_TEST(edited_config_is_kept)
{
	ck_shell(OK, "config.json", "$B b");
	ck_shell(OK, "", "echo >>b/config.json; cp b/config.json edited");
	ck_shell(OK, "kept ", "$B b");
	ck_prints("", "$B -q b");
	ck_prints("", "cmp edited b/config.json");
	ck_shell(FAILED, "was edited", "$B --no-terminal b");
	ck_prints("", "cmp edited b/config.json");
	ck_shell(OK, "made ", "$B --force --no-terminal b");
	ck_prints("1\n", "diff b/config.json \"$TOP/bundle/config.json\" |"
			 " grep -c '^<.*\"terminal\": false'");
	ck_shell(OK, "made ", "$B b");
	ck_prints("", "cmp b/config.json \"$TOP/bundle/config.json\"");
	ck_shell(OK, "made ", "$B b --no-terminal");
	ck_prints("", "$B -q --no-terminal b");
	ck_shell(FAILED, "b/config.json is a folder",
		"rm b/config.json; mkdir b/config.json; $B --force b");
}
END_TEST

/* What is mounted below must not be emptied. */
START_TEST(mount_below_is_kept)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_shell(OK, "made ", "$B 'a b'");
	ck_shell(OK, "",
		"mkdir kept; echo kept >kept/kept;"
		" mount --bind kept 'a b/rootfs/home'");
	ck_shell(FAILED, "rootfs/home: something is mounted", "$B 'a b'");
	ck_prints("kept\n", "cat kept/kept");
	ck_shell(OK, "made ",
		"umount 'a b/rootfs/home'; rm 'a b/rootfs/bin/ls';"
		" $B 'a b'");
	/* The same for what a killed run has left. */
	ck_shell(OK, "",
		"mkdir -p 'a b/.rootfs.old/x';"
		" mount --bind kept 'a b/.rootfs.old/x'");
	ck_shell(FAILED, "rootfs.old/x: something is mounted", "$B 'a b'");
	ck_prints("kept\n", "cat kept/kept; umount 'a b/.rootfs.old/x'");
	ck_prints("config.json\nrootfs\n", "$B -q 'a b'; ls -A 'a b'");
}
END_TEST

/* --- build-bundle: its arguments ----------------------------------------- */

static const struct {
	int code;
	const char *part, *command;
} arguments[] = {
	{OK, "Usage: build-bundle", "$B --help"},
	{OK, "Usage: build-bundle", "$B -h | cat; exec $B -h"},
	{MISUSED, "--nonsense: unknown option", "$B --nonsense"},
	{MISUSED, "-x: unknown option", "$B b -x"},
	{MISUSED, "one DIR only", "$B b c"},
	{MISUSED, "DIR is empty", "$B ''"},
	{MISUSED, "--busybox: nothing named", "$B --busybox"},
	{MISUSED, "--from-tar: nothing named", "$B --from-tar ''"},
	{MISUSED, "two sources", "$B --from-tar a --from-docker b c"},
	{MISUSED, "--no-terminal needs a DIR", "$B --no-terminal"},
	{MISUSED, "--no-terminal needs a DIR",
		"$B --no-terminal \"$TOP/scripts/../bundle\""},
	{FAILED, "File exists", "echo >file; $B file"},
	{FAILED, "file: no such file", "$B --busybox file b"},
	{FAILED, "file: not a program", "echo >file; $B --busybox file b"},
	{FAILED, "file: not an ELF program",
		"echo '#!/bin/sh' >file; chmod +x file; $B --busybox file b"},
	{FAILED, "file: not an ELF program",
		": >file; chmod +x file; $B --busybox file b"},
	{FAILED, "file: not an ELF program",
		"head -c 99 \"$($B --which-busybox)\" >file; chmod +x file;"
		" $B --busybox file b"},
	{FAILED, "file: not an ELF program",
		"{ printf x; tail -c +2 \"$($B --which-busybox)\"; } >file;"
		" chmod +x file; $B --busybox file b"},
	{FAILED, "file: does not run here",
		"head -c 4096 \"$($B --which-busybox)\" >file; chmod +x file;"
		" $B --busybox file b"},
	/* This test itself. */
	{FAILED, "dynamically linked", "$B --busybox \"$SELF\" b"},
	{FAILED, "file: no such file", "$B --from-tar file b"},
	{FAILED, "file: no such file", "mkdir file; $B --from-tar file b"},
	{FAILED, "file: cannot be unpacked: ",
		"echo x >file; $B --from-tar file b"},
	{FAILED, "file: cannot be unpacked: ", ": >file; $B --from-tar file b"},
	{FAILED, "file: cannot be unpacked: ",
		"$B c; tar -cf all c; head -c 99999 all >file;"
		" $B --from-tar file b"},
	{FAILED, "file: has no shell, bin/sh\n",
		"mkdir -p c/bin/sh; tar -C c -cf file .; $B --from-tar file b"},
	{FAILED, "file: has no shell",
		"mkdir -p c/bin; : >c/bin/sh; tar -C c -cf file .;"
		" $B --from-tar file b"},
	{FAILED, "file: has no shell",
		"mkdir -p c/bin; ln -s dash c/bin/sh; tar -C c -cf file .;"
		" $B --from-tar file b"},
	/* The host has one there. */
	{FAILED, "file: has no shell",
		"up=../../../..; up=$up/$up/$up/$up; mkdir -p c/bin;"
		" ln -s $up/bin/sh c/bin/sh; tar -C c -cf file .; $B --from-tar file b"},
	{FAILED, "file: has no shell",
		"mkdir -p c/bin; ln -s sh c/bin/sh; tar -C c -cf file .;"
		" $B --from-tar file b"},
	{FAILED, "docker export is needed",
		"mkdir c; echo [] >c/manifest.json; tar -C c -cf file .;"
		" $B --from-tar file b"},
};

START_TEST(argument_is_judged)
{
	ck_shell(arguments[_i].code, arguments[_i].part, arguments[_i].command);
	/* Whatever was wrong, nothing is left of it. */
	ck_prints("", "[ ! -e b ]");
}
END_TEST

START_TEST(failure_keeps_the_old_bundle)
{
	struct identity before;

	ck_shell(OK, "made ", "$B b");
	before = identity("b/rootfs");
	ck_shell(FAILED, "cannot be unpacked", "echo >x; $B --from-tar x b");
	ck_shell(FAILED, "dynamically linked", "$B --busybox \"$SELF\" b");
	ck_assert(is_same(before, identity("b/rootfs")));
	ck_prints("config.json\nrootfs\n", "ls -A b");
}
END_TEST

START_TEST(busybox_may_have_any_name)
{
	ck_shell(OK, "made ",
		"cp \"$($B --which-busybox)\" 'x y';"
		" $B --busybox 'x y' b");
	ck_prints("", "cmp 'x y' b/rootfs/bin/busybox");
	ck_prints("", "$B -q --busybox './x y' b");
	ck_shell(OK, "", "printf x >>'x y'");
	ck_shell(OK, "made ", "$B --busybox 'x y' b");
}
END_TEST

/* --- build-bundle: images ------------------------------------------------ */

#define IMAGE                                                                   \
	"mkdir -p c/usr/bin; ln -s usr/bin c/bin; ln -s /bin/busybox c/bin/sh;" \
	" cp \"$($B --which-busybox)\" c/usr/bin/busybox; "

START_TEST(image_is_unpacked)
{
	ck_shell(OK, "made ",
		IMAGE "tar -C c -cf ./x:y.tar .;"
		      " $B --from-tar x:y.tar b");
	ck_prints("bin dev etc home proc root sys tmp usr var\n",
		"echo $(ls b/rootfs)");
	ck_prints("/bin/busybox\n", "readlink b/rootfs/bin/sh");
	ck_prints("", "cmp c/usr/bin/busybox b/rootfs/usr/bin/busybox");
	ck_prints("", "$B -q --from-tar x:y.tar b");
	ck_shell(OK, "",
		"mkdir c/new; ln -sf ../../../../bin/busybox c/bin/sh;"
		" tar -C c -cf ./x:y.tar .");
	ck_shell(OK, "made ", "$B -q --from-tar x:y.tar b");
	ck_prints("", "[ -d b/rootfs/new ]");
}
END_TEST

/* An image may come with the mark of another rootfs, and with folders that
 * their owner may not write to. */
START_TEST(image_cannot_pretend)
{
	drop_rights();
	ck_shell(OK, "made ",
		IMAGE "mkdir c/ro o; : >c/ro/file; chmod 555 c/ro;"
		      " ln -s ../../o/target c/.nslessons; chmod 555 c;"
		      " tar -C c -cf x .; $B --from-tar x b");
	ck_prints("", "[ ! -e o/target ] && [ ! -L b/rootfs/.nslessons ]");
	ck_prints("", "$B -q --from-tar x b");
	ck_shell(OK, "made ", "$B b");
	ck_prints("config.json\nrootfs\n", "ls -A b");
}
END_TEST

START_TEST(image_brings_no_rights)
{
	ck_shell(OK, "made ",
		IMAGE "mkdir -p c/etc; : >c/etc/setuid; : >c/etc/setgid;"
		      " chmod 4755 c/etc/setuid; chmod 2755 c/etc/setgid;"
		      " tar -C c -cf x .; $B --from-tar x b");
	ck_prints("", "find b/rootfs -type f -perm -4000;"
		      " find b/rootfs -type f -perm -2000");
}
END_TEST

START_TEST(image_brings_no_devices)
{
	ck_shell(OK, "made ",
		IMAGE
		"mkdir -p c/dev; mknod c/dev/null c 1 3;"
		" mknod c/disk b 8 0; tar -C c -cf x .; $B --from-tar x b");
	ck_prints("", "find b/rootfs -type b; find b/rootfs -type c");
}
END_TEST

/* A docker that knows one image; each container is a file. $BAD fails. */
static const char docker[] =
	"mkdir bin containers; cat >bin/docker <<'END'\n"
	"#!/bin/sh\n"
	"echo \"$*\" >>log\n"
	"case $BAD in $1) echo \"no $1\" >&2; exit 1 ;; esac\n"
	"case $1 in\n"
	"create) [ \"$5\" = image ] || { echo no such image >&2; exit 1; }\n"
	"	: >\"containers/$3\" ;;\n"
	"inspect) cat id ;;\n"
	"export) cp x \"$3\" ;;\n"
	"rm) rm \"containers/$3\" ;;\n"
	"esac\n"
	"END\n"
	"chmod +x bin/docker; echo sha256:1 >id; " IMAGE "tar -C c -cf x .";

static void
install_docker(void)
{
	char *path = support_text("%s/bin:%s", dir, getenv("PATH"));

	ck_shell(OK, "", docker);
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	free(path);
}

START_TEST(docker_image_is_taken)
{
	install_docker();
	ck_shell(OK, "made ", "$B --from-docker image b");
	ck_prints("/bin/busybox\n", "readlink b/rootfs/bin/sh");
	ck_prints("config.json\nrootfs\n", "ls -A b");
	ck_prints("", ": >log; $B -q --from-docker image b; ls containers");
	/* It is the image that counts, and nothing else is exported for. */
	ck_prints("0\n", "grep -c ^export log || :");
	ck_shell(OK, "made ", "echo sha256:2 >id; $B -q --from-docker image b");
	ck_prints("", "ls containers");
}
END_TEST

static const struct {
	const char *part, *command;
} docker_faults[] = {
	{"docker does not work: no version", "BAD=version"},
	{"docker create image: no create", "BAD=create"},
	{"docker create other: no such image", "IMAGE=other"},
	{"docker export image: no export", "BAD=export"},
	{"image: cannot be unpacked", "echo >x"},
	{"image: has no shell", "rm c/bin/sh; tar -C c -cf x ."},
};

START_TEST(docker_fault_is_told)
{
	char *command = support_text("IMAGE=image; %s; export BAD;"
				     " $B --from-docker $IMAGE b",
		docker_faults[_i].command);

	install_docker();
	ck_shell(FAILED, docker_faults[_i].part, command);
	ck_prints("", "ls containers; [ ! -e b ] || ls -A b");
	free(command);
}
END_TEST

START_TEST(docker_may_be_missing)
{
	ck_shell(OK, "",
		"mkdir bin; for x in awk cat cksum cmp cp find grep"
		" head ls mkdir mv od readlink rm rmdir sed sort; do"
		" ln -s \"$(command -v $x)\" bin; done");
	ck_shell(FAILED, "docker is not installed: --from-tar FILE takes",
		"PATH=$PWD/bin $B --from-docker image b");
}
END_TEST

/* --- build-bundle: bad luck ---------------------------------------------- */

/* Takes the place of every program that the script runs. Kills the whole group
 * at the turn that is asked for, else is that program. */
static const char killer[] =
	"mkdir bin; cat >killer <<'END'\n"
	"#!/bin/sh\n"
	"PATH=$REAL_PATH\n"
	"echo >>\"$COUNTER\"\n"
	"[ \"$(wc -l <\"$COUNTER\")\" != \"$TURN\" ] || kill -9 0\n"
	"exec \"${0##*/}\" \"$@\"\n"
	"END\n"
	"chmod +x killer; for x in awk cat chmod cksum cmp cp find flock grep head"
	" ls mkdir mv od readlink rm rmdir sed sort tar; do"
	" ln -s ../killer bin/$x; done;"
	" mkdir -p c/bin c/etc; echo sh >c/bin/sh; chmod +x c/bin/sh;"
	" echo old >c/etc/which; tar -C c -cf old.tar .;"
	" echo new >c/etc/which; tar -C c -cf new.tar .;"
	" $B --from-tar old.tar old; $B --no-terminal --from-tar new.tar new";

/* Two programs of a pipeline may come to one turn, so that the next is
 * nobody's. Returns whether there was still a program at that turn or after it.
 */
static bool
kill_at(int turn)
{
	char *command =
		support_text("rm -rf b; cp -a old b; : >counter;"
			     " PATH=$PWD/bin COUNTER=$PWD/counter TURN=%d"
			     " $B --no-terminal --from-tar new.tar b;"
			     " code=$?; printf ' %%s' $(wc -l <counter);"
			     " exit $code",
			turn);
	struct output output = shell(command);
	bool more = output.code != 0 ||
		    strtol(strrchr(output.text, ' '), NULL, 10) >= turn;

	free(command);
	free(output.text);
	ck_assert_msg(output.code == 128 + SIGKILL || output.code == 0,
		"turn %d: exit code %d", turn, output.code);
	return more;
}

/* What is there must be the old rootfs, the new one, or none. The next run must
 * make the new one and take away what the killed one has left. */
static const char whole_and_mended[] =
	"! [ -e b/rootfs ] || diff -r old/rootfs b/rootfs >old.diff ||"
	" diff -r new/rootfs b/rootfs || exit 1;"
	" $B --no-terminal --from-tar new.tar b && diff -r new b && diff -r b new";

START_TEST(killed_run_leaves_no_half)
{
	int turn = 1;

	ck_shell(OK, "", killer);
	for (; kill_at(turn); turn++)
		ck_shell(OK, "", whole_and_mended);
	/* There were as many turns as there must at least be programs. */
	ck_assert_int_gt(turn, 15);
}
END_TEST

START_TEST(leftovers_are_removed)
{
	ck_shell(OK, "made ", "$B b");
	ck_shell(OK, "",
		"cd b; cp -a rootfs .rootfs.new; mkdir .rootfs.old;"
		" : >.rootfs.tar; : >.config.json.new");
	ck_prints("", "$B -q b");
	ck_prints("config.json\nrootfs\n", "ls -A b");
}
END_TEST

START_TEST(runs_at_the_same_time_agree)
{
	ck_shell(OK, "",
		"for i in 1 2 3 4; do $B b & pids=\"$pids $!\"; done;"
		" for pid in $pids; do wait $pid || exit 1; done");
	ck_prints("config.json\nrootfs\n", "ls -A b");
	ck_prints("", "$B -q b");
}
END_TEST

/* --- runc's opinion ------------------------------------------------------ */

/* runc 1.1 wrote what we have, but for the hostname. */
START_TEST(config_is_that_of_runc_spec)
{
	struct output version = shell("runc --version");
	json_t *ours = json_load_file("bundle/config.json", 0, NULL), *theirs;
	char *path = support_text("%s/config.json", dir);

	ck_assert_ptr_nonnull(ours);
	ck_shell(OK, "", "runc spec");
	theirs = json_load_file(path, 0, NULL);
	ck_assert_ptr_nonnull(theirs);
	json_object_set_new(theirs, "hostname", json_string("nslessons"));
	if (strncmp(version.text, "runc version 1.1.", 17) == 0)
		ck_assert(json_equal(ours, theirs));
	/* Others may have more settings, but in the same places. */
	json_object_update_existing(theirs, ours);
	ck_assert(json_equal(ours, theirs));
	free(version.text);
	json_decref(ours);
	json_decref(theirs);
	free(path);
}
END_TEST

#define RUNC "runc --root \"$PWD/runc\" run -b b \"nslessons-test-$$\""

START_TEST(runc_runs_it_without_a_terminal)
{
	ck_shell(OK, "made ", "$B --no-terminal b");
	ck_prints("1\nnslessons\nuid=0(root) gid=0(root)\n"
		  "bin dev etc home proc root sys tmp usr var\n",
		"echo 'echo $$; hostname; id; echo $(ls /)' | " RUNC);
	ck_shell(42, "", "echo 'exit 42' | " RUNC);
	/* It was run as it is. */
	ck_prints("", "$B -q --no-terminal b");
}
END_TEST

START_TEST(runc_runs_it_with_a_terminal)
{
	ck_shell(OK, "made ", "$B b");
	ck_shell(42, "/dev/pts/0",
		"{ echo tty; echo exit 42; } |"
		" script -qefc '" RUNC "' /dev/null");
	ck_prints("", "$B -q b");
}
END_TEST

/* --- deps ---------------------------------------------------------------- */

/* A machine of our own: only these programs exist. have/ holds what our cc and
 * pkg-config find; apt-get puts it there, unless it is in unknown/. */
static const char machine[] =
	"mkdir bin have unknown; : >log\n"
	"for x in awk cat chmod cp env find grep head mkdir mktemp od readlink rm"
	" sh tail; do ln -s \"$(command -v $x)\" bin; done\n"
	"cd bin\n"
	"write() { cat >$1; chmod +x $1; }\n"
	"echo '#!/bin/sh' | write true\n"
	"write cc <<'END'\n"
	"#!/bin/sh\n"
	"[ -e have/libc6-dev ]\n"
	"END\n"
	"write pkg-config <<'END'\n"
	"#!/bin/sh\n"
	"[ -e have/lib$2-dev ]\n"
	"END\n"
	"write id <<'END'\n"
	"#!/bin/sh\n"
	"echo $USER_ID\n"
	"END\n"
	"write apt-get <<'END'\n"
	"#!/bin/sh\n"
	"echo apt-get $* >>log\n"
	"[ $1 = install ] || exit $UPDATE\n"
	"for x; do case $x in -*|install) ;; *)\n"
	"	[ ! -e unknown/$x ] || { echo no $x; exit 100; } ;; esac; done\n"
	"for x; do : >have/$x; done\n"
	"[ ! -e have/make ] || cp bin/id bin/make\n"
	"END\n"
	"cp id make; cd ../have\n"
	": >libc6-dev; : >libcheck-dev; : >libjansson-dev; : >liblibcap-dev\n";

#define APT_INSTALL                                               \
	"apt-get install -y --no-install-recommends --no-upgrade" \
	" -o DPkg::Lock::Timeout=120 "

static void
install_machine(void)
{
	ck_shell(OK, "", machine);
	set_variable("PATH", dir, "/bin");
	set_variable("USER_ID", "0", "");
	set_variable("UPDATE", "0", "");
}

START_TEST(deps_has_nothing_to_do)
{
	install_machine();
	ck_prints("deps: all there\n", "$D");
	ck_prints("", "$D --quiet");
	ck_prints("", "$D --print");
	ck_prints("", "cat log");
}
END_TEST

START_TEST(deps_installs_what_is_missing)
{
	install_machine();
	ck_prints("deps: installing make libjansson-dev with apt-get\n",
		"rm bin/make have/libjansson-dev; $D -q");
	ck_prints("apt-get update\n" APT_INSTALL "make libjansson-dev\n",
		"cat log");
	ck_prints("", "$D -q");
}
END_TEST

/* apt-get update fails for one bad source out of many. */
START_TEST(deps_goes_on_without_update)
{
	install_machine();
	set_variable("UPDATE", "100", "");
	ck_prints("deps: installing make with apt-get\n", "rm bin/make; $D -q");
}
END_TEST

START_TEST(deps_names_what_it_could_not_install)
{
	install_machine();
	ck_shell(FAILED, "deps: could not be installed: make\n",
		"rm bin/make have/libjansson-dev; : >unknown/make; $D");
	ck_prints("", "[ -e have/libjansson-dev ]");
	ck_shell(FAILED, "no make", "$D");
}
END_TEST

START_TEST(deps_asks_who_has_no_rights)
{
	install_machine();
	set_variable("USER_ID", "1000", "");
	ck_shell(FAILED,
		"deps: missing: make. To get it, type:\n"
		"su -c 'apt-get update; " APT_INSTALL "make'\n",
		"rm bin/make; $D");
	/* A sudo that would ask. */
	ck_shell(FAILED,
		"deps: missing: make. To get it, type:\n"
		"sudo apt-get update; sudo " APT_INSTALL "make\n",
		"{ echo '#!/bin/sh'; echo 'exit 1'; } >bin/sudo;"
		" chmod +x bin/sudo; $D");
	ck_prints("", "cat log");
	/* A sudo that does not ask. */
	ck_prints("deps: installing make with apt-get\n",
		"{ echo '#!/bin/sh'; echo 'echo sudo >>log; shift; exec \"$@\"';"
		" } >bin/sudo; $D");
	ck_prints("sudo\nsudo\napt-get update\nsudo\n" APT_INSTALL "make\n",
		"cat log");
}
END_TEST

START_TEST(deps_prints_only)
{
	install_machine();
	ck_shell(FAILED, "apt-get update; " APT_INSTALL "make\n",
		"rm bin/make; $D --print");
	ck_prints("", "cat log");
}
END_TEST

static const struct {
	const char *manager, *line;
} managers[] = {
	{"apt-get", APT_INSTALL "gcc libc6-dev make pkg-config check"
				" libjansson-dev libcap-dev"},
	{"dnf", "dnf install -y --setopt=install_weak_deps=False gcc"
		" glibc-devel make pkgconf-pkg-config check-devel"
		" jansson-devel libcap-devel"},
	{"apk", "apk add --update-cache gcc musl-dev linux-headers make pkgconf"
		" check-dev jansson-dev libcap-dev"},
	{"pacman", "pacman -Sy --noconfirm --needed gcc glibc make pkgconf"
		   " check jansson libcap"},
	{"zypper", "zypper --non-interactive install --no-recommends gcc"
		   " glibc-devel make pkg-config check-devel libjansson-devel"
		   " libcap-devel"},
};

START_TEST(deps_knows_the_manager)
{
	char *command =
		support_text("rm bin/make bin/cc bin/pkg-config;"
			     " cp bin/id x; rm bin/apt-get; cp x bin/%s;"
			     " $D --print",
			managers[_i].manager);

	install_machine();
	ck_shell(FAILED, managers[_i].line, command);
	free(command);
}
END_TEST

/* Two programs may come in one package. */
START_TEST(deps_names_a_package_once)
{
	install_machine();
	ck_shell(FAILED,
		"procps-ng util-linux /usr/bin/script runc crun bubblewrap"
		" python3-jsonschema strace clang"
		" compiler-rt clang-tools-extra cppcheck ShellCheck\n",
		"rm bin/apt-get; cp bin/id bin/dnf; $D --ci --print");
}
END_TEST

START_TEST(deps_may_find_no_manager)
{
	install_machine();
	ck_shell(FAILED, "no package manager that is known here; missing: make",
		"rm bin/make bin/apt-get; $D");
}
END_TEST

START_TEST(deps_may_find_no_package)
{
	install_machine();
	ck_shell(OK, "",
		"rm bin/apt-get; cp bin/id bin/dnf;"
		" for x in ps script runc crun bwrap python3 strace clang-format"
		" clang-tidy cppcheck shellcheck lsns nsenter; do"
		" cp bin/dnf bin/$x; done;"
		" { echo '#!/bin/sh'; echo 'echo util-linux'; } >bin/unshare;"
		" { echo '#!/bin/sh'; echo 'echo \"$PWD/c\"'; } >bin/clang;"
		" mkdir c; : >c/libclang_rt.asan.a;"
		"chmod +x bin/unshare bin/clang");
	ck_shell(FAILED, "deps: dnf has no package for: forkstat\n",
		"$D --ci --print");
	ck_shell(FAILED, "deps: dnf has no package for: forkstat\n", "$D --ci");
}
END_TEST

START_TEST(deps_takes_its_options)
{
	ck_shell(OK, "Usage: deps", "$D --help");
	ck_shell(MISUSED, "--nonsense: unknown option", "$D --nonsense");
	ck_shell(MISUSED, "make: unknown option", "$D make");
}
END_TEST

/* --- coverage ------------------------------------------------------------ */

START_TEST(each_fact_is_covered)
{
	ck_prints("", "$C >/dev/null");
}
END_TEST

START_TEST(coverage_fits_a_projector)
{
	ck_prints("23\n", "$C 2>/dev/null | grep -c '^A[0-2][0-9]  .'");
	ck_prints("", "$C 2>/dev/null | grep -E '.{81}' || :");
}
END_TEST

/* What is done to a copy of the sources, and what is said then. */
static const struct {
	const char *complaint, *damage;
} losses[] = {
	{"A05 has no lesson\n", "sed -i s/A05/A06/g lessons/*.c"},
	{"A05 has no section\n", "sed -i '/^|/!s/A05/A06/g' TUTORIAL.md"},
	{"A05 has no test\n", "sed -i s/A05/A06/g tests/*.c"},
	{"A05 has no row in a table of TUTORIAL.md\n",
		"sed -i '/^| A05/d' TUTORIAL.md"},
	{"A05: its row in TUTORIAL.md says 01, the lessons are 02, ",
		"sed -i '/^| A05/s/|[^|]*|$/| 01 |/' TUTORIAL.md"},
	/* What is there, but not where it counts. */
	{"A05 has no lesson\n", "sed -i 's,report_step(,// &,' lessons/*.c"},
	{"A05 has no section\n", "sed -i 's/^## Lesson.*/## A05/' TUTORIAL.md"},
	{"tests/test_x.c:1: A05: no test follows\n",
		"echo '/* A05: */' >tests/test_x.c; echo >>tests/test_x.c"},
	{"tests/test_x.c:2: A00: the article has no such fact\n",
		"echo '/* A06 A00: */' >tests/test_x.c;"
		" echo 'START_TEST(x)' >>tests/test_x.c"},
	{"lessons/lesson99-x.c:1: A24: the article has no such fact\n",
		"echo 'report_step(\"A06 A24\", \"\")' >lessons/lesson99-x.c"},
};

START_TEST(loss_is_named)
{
	char *command = support_text(
		"%s; scripts/coverage >/dev/null", losses[_i].damage);
	struct output before;

	ck_shell(OK, "",
		"cd \"$TOP\"; cp -R TUTORIAL.md lessons scripts tests \"$OLDPWD\"");
	before = shell("scripts/coverage >/dev/null");
	ck_assert_ptr_null(strstr(before.text, losses[_i].complaint));
	ck_shell(FAILED, losses[_i].complaint, command);
	free(before.text);
	free(command);
}
END_TEST

START_TEST(coverage_takes_its_options)
{
	ck_shell(OK, "usage: scripts/coverage", "$C --help");
	ck_shell(OK, "usage: scripts/coverage", "$C -h");
	ck_shell(MISUSED, "--nonsense: unknown", "$C --nonsense");
	ck_shell(MISUSED, "A05: unknown", "$C A05");
}
END_TEST

/* --- The suite ----------------------------------------------------------- */

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

static void
add_bundle_tests(Suite *suite)
{
	TCase *tcase = add_case(suite, "build-bundle");

	tcase_add_test(tcase, bundle_is_made);
	if (support_have("root", "bundle_is_made_without_rights"))
		tcase_add_test(tcase, bundle_is_made_without_rights);
	tcase_add_test(tcase, second_run_changes_nothing);
	tcase_add_loop_test(tcase, damage_is_mended, 0, COUNT(damages));
	tcase_add_loop_test(tcase, stranger_is_kept, 0, COUNT(strangers));
	tcase_add_test(tcase, edited_config_is_kept);
	if (support_have("root", "mount_below_is_kept"))
		tcase_add_test(tcase, mount_below_is_kept);
	tcase_add_loop_test(tcase, argument_is_judged, 0, COUNT(arguments));
	tcase_add_test(tcase, failure_keeps_the_old_bundle);
	tcase_add_test(tcase, busybox_may_have_any_name);
	tcase_add_test(tcase, killed_run_leaves_no_half);
	tcase_add_test(tcase, leftovers_are_removed);
	tcase_add_test(tcase, runs_at_the_same_time_agree);
}

static void
add_image_tests(Suite *suite)
{
	TCase *tcase = add_case(suite, "images");

	tcase_add_test(tcase, image_is_unpacked);
	tcase_add_test(tcase, image_cannot_pretend);
	tcase_add_test(tcase, image_brings_no_rights);
	if (support_have("root", "image_brings_no_devices"))
		tcase_add_test(tcase, image_brings_no_devices);
	tcase_add_test(tcase, docker_image_is_taken);
	tcase_add_loop_test(
		tcase, docker_fault_is_told, 0, COUNT(docker_faults));
	tcase_add_test(tcase, docker_may_be_missing);
}

static void
add_runc_tests(Suite *suite)
{
	TCase *tcase = add_case(suite, "runc");

	if (support_have("runc", "config_is_that_of_runc_spec"))
		tcase_add_test(tcase, config_is_that_of_runc_spec);
	if (support_have("runc", "runc_runs_it_without_a_terminal") &&
		support_have("root", "runc_runs_it_without_a_terminal"))
		tcase_add_test(tcase, runc_runs_it_without_a_terminal);
	if (support_have("runc", "runc_runs_it_with_a_terminal") &&
		support_have("root", "runc_runs_it_with_a_terminal") &&
		support_have("script", "runc_runs_it_with_a_terminal"))
		tcase_add_test(tcase, runc_runs_it_with_a_terminal);
}

static void
add_deps_tests(Suite *suite)
{
	TCase *tcase = add_case(suite, "deps");

	tcase_add_test(tcase, deps_has_nothing_to_do);
	tcase_add_test(tcase, deps_installs_what_is_missing);
	tcase_add_test(tcase, deps_goes_on_without_update);
	tcase_add_test(tcase, deps_names_what_it_could_not_install);
	tcase_add_test(tcase, deps_asks_who_has_no_rights);
	tcase_add_test(tcase, deps_prints_only);
	tcase_add_loop_test(tcase, deps_knows_the_manager, 0, COUNT(managers));
	tcase_add_test(tcase, deps_names_a_package_once);
	tcase_add_test(tcase, deps_may_find_no_manager);
	tcase_add_test(tcase, deps_may_find_no_package);
	tcase_add_test(tcase, deps_takes_its_options);
}

static void
add_coverage_tests(Suite *suite)
{
	TCase *tcase = add_case(suite, "coverage");

	tcase_add_test(tcase, each_fact_is_covered);
	tcase_add_test(tcase, coverage_fits_a_projector);
	tcase_add_loop_test(tcase, loss_is_named, 0, COUNT(losses));
	tcase_add_test(tcase, coverage_takes_its_options);
}

Suite *
suite_scripts(void)
{
	Suite *suite = suite_create("scripts");

	add_bundle_tests(suite);
	add_image_tests(suite);
	add_runc_tests(suite);
	add_deps_tests(suite);
	add_coverage_tests(suite);
	return suite;
}
