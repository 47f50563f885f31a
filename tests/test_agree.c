/*
 * agree: one bundle, run by lesson08 and by another runtime, looks the same
 * from inside. Then: enter what the other has started; run what the other has
 * written; and the article's walk from end to end, with our programs and with
 * those that the article used.
 *
 * A bundle is what the runtime's own `spec` writes, and changes to it. Its
 * command, tests/agree/probe.sh, prints facts, a line each. What only differs
 * by chance (numbers of namespaces, mounts and devices) is renamed; then the
 * lines of both runs are sorted and compared.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "child.h"
#include "die.h"
#include "ns.h"
#include "proc.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Seconds for a test; what the probe exits with; milliseconds. */
enum { SECONDS = 120, PROBED = 42, PATIENCE = 30000 };

/* The runtimes; a bit for each of the others. */
enum { OURS, RUNC, CRUN, RUNTIMES };

static const char *const runtimes[RUNTIMES] = {"lesson08", "runc", "crun"};

/* --- the bundles ---------------------------------------------------------- */

enum {
	ROOTLESS = 1, /* made by `spec --rootless` */
	TERMINAL = 2, /* process.terminal is true */
	DOUBT = 4,    /* a peer may refuse it; lesson08 may not */
	LIMITS = 8,   /* is about linux.resources */
	OWN = 16      /* made by lesson08's spec, not by the peer's */
};

/*
 * The changes, with ' for ". An object is merged, null removes, "name+"
 * appends to an array, "name-" removes those of its objects that have the
 * value as their type or destination. $TOP is a folder of the test, $ID the
 * container's name, $PID a process in namespaces of its own, $CAPS what we
 * have. Those for an ordinary user, too, come first.
 */
static const struct bundle {
	const char *name;
	const char *changes;
	int flags;
} bundles[] = {
	{"rootless", "{}", ROOTLESS},
	{"rootless, by lesson08's spec", "{}", ROOTLESS | OWN},
	{"rootless, a terminal", "{}", ROOTLESS | TERMINAL},
	{"rootless, its own network",
		"{'root': {'readonly': false},"
		" 'linux': {'namespaces-': ['network'],"
		" 'namespaces+': [{'type': 'network'}]}}",
		ROOTLESS},
	{"rootless, more mounts",
		"{'mounts+': [{'destination': '/mnt/t', 'type': 'tmpfs',"
		" 'source': 't', 'options': ['size=64k', 'mode=0700']},"
		" {'destination': '/mnt/f', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['rbind', 'ro',"
		" 'nosuid']}]}",
		ROOTLESS},
	{"rootless, read-only paths and masked ones",
		"{'root': {'readonly': false}, 'linux': {"
		"'readonlyPaths': ['/home', '/etc/group'],"
		" 'maskedPaths': ['/etc/passwd', '/var', '/proc/keys']}}",
		ROOTLESS},
	{"the default", "{}", 0},
	{"the default, by lesson08's spec", "{}", OWN},
	{"a terminal", "{}", TERMINAL},
	{"uid and gid", "{'process': {'user': {'uid': 1000, 'gid': 1001}}}", 0},
	{"additional groups",
		"{'process': {'user': {'uid': 7, 'additionalGids': [5, 7]}}}",
		0},
	{"umask",
		"{'root': {'readonly': false},"
		" 'process': {'user': {'umask': 63}}}",
		0},
	{"cwd", "{'process': {'cwd': '/usr'}}", 0},
	{"cwd to be made",
		"{'process': {'cwd': '/home/a/b'}, 'root': {'readonly': false}}",
		0},
	{"cwd of a user",
		"{'process': {'cwd': '/home/a', 'user': {'uid': 9, 'gid': 9}}}",
		0},
	{"environment",
		"{'process': {'env': ['PATH=/bin', 'A=b=c', 'EMPTY=', 'U=ä ö',"
		" 'HOME=/tmp']}}",
		0},
	{"HOME of a user",
		"{'process': {'user': {'uid': 65534, 'gid': 65534}}}", 0},
	{"no capabilities",
		"{'process': {'capabilities': {'bounding': [], 'effective': [],"
		" 'inheritable': [], 'permitted': [], 'ambient': []}}}",
		0},
	{"capabilities not named", "{'process': {'capabilities': null}}", 0},
	{"some capabilities in each set",
		"{'process': {'capabilities': {"
		"'bounding': ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID'],"
		"'permitted': ['CAP_CHOWN', 'CAP_KILL'],"
		"'effective': ['CAP_KILL'],"
		"'inheritable': ['CAP_CHOWN'], 'ambient': ['CAP_CHOWN']}}}",
		0},
	{"all capabilities that root has here",
		"{'process': {'capabilities': {'bounding': $CAPS,"
		" 'permitted': $CAPS, 'effective': $CAPS,"
		" 'inheritable': $CAPS, 'ambient': $CAPS}}}",
		0},
	{"ambient capabilities of a user",
		"{'process': {'user': {'uid': 1000, 'gid': 1000},"
		" 'capabilities': {'bounding': ['CAP_NET_RAW', 'CAP_KILL'],"
		" 'permitted': ['CAP_NET_RAW', 'CAP_KILL'],"
		" 'effective': ['CAP_NET_RAW'],"
		" 'inheritable': ['CAP_NET_RAW'],"
		" 'ambient': ['CAP_NET_RAW']}}}",
		0},
	{"a user's capabilities are none",
		"{'process': {'user': {'uid': 1000, 'gid': 1000},"
		" 'capabilities': {'inheritable': [], 'ambient': []}}}",
		0},
	{"resource limits",
		"{'process': {'rlimits': ["
		"{'type': 'RLIMIT_NOFILE', 'soft': 100, 'hard': 512},"
		"{'type': 'RLIMIT_CORE', 'soft': 0, 'hard': 0},"
		"{'type': 'RLIMIT_CPU', 'soft': 100, 'hard': 200},"
		"{'type': 'RLIMIT_STACK', 'soft': 1048576, 'hard': 4194304},"
		"{'type': 'RLIMIT_MSGQUEUE', 'soft': 4096, 'hard': 8192}]}}",
		0},
	{"no resource limits", "{'process': {'rlimits': null}}", 0},
	{"new privileges", "{'process': {'noNewPrivileges': false}}", 0},
	{"oomScoreAdj", "{'process': {'oomScoreAdj': 500}}", 0},
	{"a writable root", "{'root': {'readonly': false}}", 0},
	{"hostname", "{'hostname': 'a-host.example'}", 0},
	{"no hostname", "{'hostname': null}", 0},
	{"domainname", "{'domainname': 'example.org'}", DOUBT},
	{"tmpfs",
		"{'mounts+': [{'destination': '/mnt/new/tmpfs',"
		" 'type': 'tmpfs', 'source': 'mine', 'options': ['nosuid',"
		" 'nodev', 'noexec', 'noatime', 'mode=0710', 'size=1m']},"
		" {'destination': '/home', 'type': 'tmpfs', 'source': 'tmpfs',"
		" 'options': ['ro', 'size=64k']}]}",
		0},
	{"tmpfs over a folder with files",
		"{'mounts+': [{'destination': '/etc', 'type': 'tmpfs',"
		" 'source': 'tmpfs', 'options': ['size=64k']}]}",
		0},
	{"bind mounts",
		"{'mounts+': [{'destination': '/mnt/ro', 'type': 'bind',"
		" 'source': '$TOP/tree/file', 'options': ['bind', 'ro']},"
		" {'destination': '/mnt/rw', 'type': 'bind',"
		" 'source': '$TOP/tree/file', 'options': ['bind', 'rw']},"
		" {'destination': '/mnt/folder', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['bind', 'nosuid']},"
		" {'destination': '/mnt/a/b', 'type': 'none',"
		" 'source': '$TOP/tree', 'options': ['bind', 'ro',"
		" 'noexec', 'nodev']}]}",
		0},
	{"rbind",
		"{'mounts+': [{'destination': '/mnt/r', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['rbind']},"
		" {'destination': '/mnt/ro', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['rbind', 'ro']}]}",
		0},
	{"bind from a path of the bundle",
		"{'mounts+': [{'destination': '/mnt/here', 'type': 'bind',"
		" 'source': 'beside', 'options': ['bind']}]}",
		0},
	{"propagation of mounts",
		"{'mounts+': [{'destination': '/mnt/p', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['rbind', 'rslave']},"
		" {'destination': '/mnt/q', 'type': 'tmpfs',"
		" 'source': 'tmpfs', 'options': ['shared', 'size=64k']},"
		" {'destination': '/mnt/r', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['bind', 'unbindable']}]}",
		0},
	{"options of devpts",
		"{'mounts-': ['/dev/pts'], 'mounts+': [{'destination':"
		" '/dev/pts', 'type': 'devpts', 'source': 'devpts',"
		" 'options': ['nosuid', 'noexec', 'newinstance',"
		" 'ptmxmode=0600', 'mode=0600', 'gid=7']}]}",
		0},
	{"no /dev/shm", "{'mounts-': ['/dev/shm', '/dev/mqueue']}", 0},
	{"destinations behind links",
		"{'mounts+': [{'destination': '/to-tmp/new', 'type': 'tmpfs',"
		" 'source': 'tmpfs', 'options': ['size=64k']},"
		" {'destination': '/up-and-out/new', 'type': 'tmpfs',"
		" 'source': 'tmpfs', 'options': ['size=64k']},"
		" {'destination': '/var/../mnt//x', 'type': 'bind',"
		" 'source': '$TOP/tree/file', 'options': ['bind']}]}",
		0},
	{"masked paths",
		"{'linux': {'maskedPaths': ['/etc/passwd', '/home',"
		" '/missing', '/proc/keys', '/dev/full']}}",
		0},
	{"read-only paths",
		"{'root': {'readonly': false}, 'linux': {'readonlyPaths':"
		" ['/home', '/etc/group', '/missing', '/proc/sys']}}",
		0},
	{"nothing masked, nothing read-only",
		"{'linux': {'maskedPaths': null, 'readonlyPaths': null}}", 0},
	{"devices",
		"{'linux': {'devices': ["
		"{'path': '/dev/mine', 'type': 'c', 'major': 1, 'minor': 5,"
		" 'fileMode': 416, 'uid': 7, 'gid': 8},"
		"{'path': '/dev/block', 'type': 'b', 'major': 7,"
		" 'minor': 250, 'fileMode': 432},"
		"{'path': '/dev/pipe', 'type': 'p', 'fileMode': 384},"
		"{'path': '/dev/a/zero', 'type': 'c', 'major': 1,"
		" 'minor': 5}]}}",
		0},
	{"device rules",
		"{'linux': {'devices': ["
		"{'path': '/dev/yes', 'type': 'b', 'major': 7, 'minor': 250},"
		"{'path': '/dev/no', 'type': 'b', 'major': 7, 'minor': 251}],"
		" 'resources': {'devices': [{'allow': false, 'access': 'rwm'},"
		" {'allow': true, 'type': 'b', 'major': 7, 'minor': 250,"
		" 'access': 'r'}]}}}",
		LIMITS},
	{"limits",
		"{'linux': {'resources': {'pids': {'limit': 50},"
		" 'memory': {'limit': 67108864}, 'cpu': {'shares': 512,"
		" 'quota': 50000, 'period': 100000}}}}",
		LIMITS},
	{"sysctl",
		"{'linux': {'sysctl': {'net.ipv4.ip_forward': '0',"
		" 'net.ipv4.ip_unprivileged_port_start': '80',"
		" 'kernel.shmmax': '65536', 'kernel.msgmax': '4096'}}}",
		0},
	{"a shared root", "{'linux': {'rootfsPropagation': 'shared'}}", 0},
	{"a slave root", "{'linux': {'rootfsPropagation': 'slave'}}", 0},
	{"a private root", "{'linux': {'rootfsPropagation': 'private'}}", 0},
	{"an unbindable root", "{'linux': {'rootfsPropagation': 'unbindable'}}",
		DOUBT},
	{"the host's network", "{'linux': {'namespaces-': ['network']}}", 0},
	{"the host's ipc", "{'linux': {'namespaces-': ['ipc']}}", 0},
	{"the host's name",
		"{'hostname': null, 'linux': {'namespaces-': ['uts']}}", 0},
	{"the host's processes", "{'linux': {'namespaces-': ['pid']}}", 0},
	{"a cgroup namespace",
		"{'linux': {'namespaces-': ['cgroup'],"
		" 'namespaces+': [{'type': 'cgroup'}]}}",
		0},
	{"another's network, ipc and name",
		"{'hostname': null,"
		" 'linux': {'namespaces-': ['network', 'ipc', 'uts'],"
		" 'namespaces+': ["
		"{'type': 'network', 'path': '/proc/$PID/ns/net'},"
		"{'type': 'ipc', 'path': '/proc/$PID/ns/ipc'},"
		"{'type': 'uts', 'path': '/proc/$PID/ns/uts'}]}}",
		0},
	{"another's processes",
		"{'linux': {'namespaces-': ['pid'], 'namespaces+': ["
		"{'type': 'pid', 'path': '/proc/$PID/ns/pid'}]}}",
		0},
	{"a user namespace: root is uid 100000",
		"{'linux': {'namespaces+': [{'type': 'user'}],"
		" 'uidMappings': [{'containerID': 0, 'hostID': 100000,"
		" 'size': 65536}], 'gidMappings': [{'containerID': 0,"
		" 'hostID': 100000, 'size': 65536}]}}",
		0},
	{"a user namespace: one uid",
		"{'linux': {'namespaces+': [{'type': 'user'}],"
		" 'uidMappings': [{'containerID': 0, 'hostID': 0, 'size': 1}],"
		" 'gidMappings': [{'containerID': 0, 'hostID': 0, 'size': 6}]}}",
		0},
	{"a user namespace: two ranges, a user",
		"{'process': {'user': {'uid': 1000, 'gid': 1000}},"
		" 'linux': {'namespaces+': [{'type': 'user'}],"
		" 'uidMappings': [{'containerID': 0, 'hostID': 0,"
		" 'size': 1000}, {'containerID': 1000, 'hostID': 5000,"
		" 'size': 1}], 'gidMappings': [{'containerID': 0,"
		" 'hostID': 0, 'size': 2000}]}}",
		0},
	{"a user namespace and a bind mount",
		"{'linux': {'namespaces+': [{'type': 'user'}],"
		" 'uidMappings': [{'containerID': 0, 'hostID': 0,"
		" 'size': 1000}], 'gidMappings': [{'containerID': 0,"
		" 'hostID': 0, 'size': 1000}]},"
		" 'mounts+': [{'destination': '/mnt/f', 'type': 'bind',"
		" 'source': '$TOP/tree', 'options': ['rbind', 'ro']}]}",
		0},
	{"a time namespace",
		"{'linux': {'namespaces+': [{'type': 'time'}],"
		" 'timeOffsets': {'boottime': {'secs': 86400},"
		" 'monotonic': {'secs': 3600, 'nanosecs': 5}}}}",
		DOUBT},
	{"cgroupsPath", "{'linux': {'cgroupsPath': '/$ID/below'}}", 0},
	{"hooks",
		"{'mounts+': [{'destination': '/hooks', 'type': 'bind',"
		" 'source': '$TOP/hooks', 'options': ['bind']}],"
		" 'hooks': {"
		"'prestart': ["
		"{'path': '/bin/sh', 'args':"
		" ['sh', '$TOP/hooks/hook', 'prestart', '$TOP/hooks/log']}],"
		"'createRuntime': ["
		"{'path': '/bin/sh', 'args':"
		" ['sh', '$TOP/hooks/hook', 'createRuntime', '$TOP/hooks/log']},"
		" "
		"{'path': '/bin/sh', 'args':"
		" ['sh', '$TOP/hooks/hook', 'another', '$TOP/hooks/log']}],"
		"'createContainer': ["
		"{'path': '/bin/sh', 'args':"
		" ['sh', '$TOP/hooks/hook', 'createContainer', '$TOP/hooks/log']}],"
		"'startContainer': ["
		"{'path': '/bin/sh', 'args':"
		" ['sh', '/hooks/hook', 'startContainer', '/hooks/log']}],"
		"'poststart': ["
		"{'path': '/bin/sh', 'args':"
		" ['sh', '$TOP/hooks/hook', 'poststart', '$TOP/hooks/later']}],"
		"'poststop': ["
		"{'path': '/bin/sh', 'args':"
		" ['sh', '$TOP/hooks/hook', 'poststop', '$TOP/hooks/log']}]}}",
		0},
	{"annotations and what nobody knows",
		"{'annotations': {'a.b': 'c'}, 'unknown': {'x': 1}}", 0},
};

/* --- what may differ ------------------------------------------------------ */

/*
 * In the lines of both, what an expression finds is replaced; where there is
 * nothing to replace it by, the line is left out. TUTORIAL.md tells these
 * differences to the reader.
 */
static const struct difference {
	int peers;
	const char *bundle; /* the beginning of its name */
	const char *expression;
	const char *replacement;
	const char *reason;
} differences[] = {
	{RUNC, "", "of /sys/fs/cgroup, (ro|rw),nosuid,nodev,noexec,relatime -",
		"of /sys/fs/cgroup -",
		"runc 1.1 leaves the tmpfs that holds the hierarchies of"
		" version 1 writable, though \"ro\" is asked for"},
	{RUNC, "", "^touch touch: /sys/fs/cgroup: ", NULL, "the same"},
	{RUNC | CRUN, "", "^status SigIgn: 0000000[01]80000000$",
		"status SigIgn: 0000000000000000",
		"whom make has started ignores two signals of the C library's"
		" own; runc, a Go program, handles them"},
	{RUNC, "a shared root", " (shared|master|shared master) - ", " - ",
		"what is mounted inside never gets to the host: even a shared"
		" root is a slave of it"},
	{RUNC, "a slave root", " (shared|master|shared master) - ", " - ",
		"the same"},
	{RUNC, "a cgroup namespace",
		"relatime (master )?- cgroup (systemd|cgroup) ",
		"relatime - cgroup ",
		"runc mounts the hierarchies once more, we bind those that are"
		" there"},
	{RUNC, "a private root", " (shared|master) - ", " - ", "the same"},
	{RUNC | CRUN, "a user namespace: root",
		"^file /dev(/mqueue)? drwxrwxrwt [0-9]+ [0-9]+ ",
		"file of /dev ",
		"who owns the queues depends on the moment at which the ipc"
		" namespace is made"},
	{RUNC, "domainname", "^sysctl kernel/domainname .*$", NULL,
		"runc knows domainname since 1.2"},
	{RUNC, "tmpfs", "^file / d[rwxt-]+ 0 0 (etc|home) ",
		"file / below a tmpfs",
		"runc gives a tmpfs the mode of the folder below it; the"
		" kernel's default is 1777"},
	{RUNC, "hooks", "poststart \"status\":\"[a-z]*\"", "poststart",
		"runc 1.1 tells poststart hooks \"created\", where the"
		" specification has \"running\""},
	{CRUN, "hooks", "\"(creating|created|starting)\"$", "a status",
		"crun tells hooks before the start \"created\" where the"
		" specification has \"creating\", and has a \"starting\""},
	{CRUN, "", "^file /dev l.* core -> /proc/kcore$", NULL,
		"crun makes this link, which the specification does not name"},
	{CRUN, "", "^file / drwxr-xr-t ", "file / drwxr-xr-x ",
		"crun makes folders to mount on with the mode 1755"},
	{CRUN, "", " master - ", " - ",
		"with crun the container's mounts are private; with runc and"
		" us they are slaves of the host's"},
	{CRUN, "", "- cgroup2 cgroup ", "- cgroup2 cgroup2 ",
		"crun does not name the source that config.json has"},
	{CRUN, "", "- sysfs sysfs ro$", "- sysfs sysfs rw",
		"crun makes the mount read-only, not the file system"},
	{CRUN, "", "- tmpfs tmpfs (ro|rw,size=0k)", "- tmpfs tmpfs empty",
		"another empty tmpfs covers a masked folder"},
	{CRUN, "", ": /null of [^ ]*, [a-z,]+ (shared )?- .*$", ": /null",
		"crun covers a masked file with the host's /dev/null"},
	{CRUN, "", ", rw(,nosuid,noexec)?,relatime - devtmpfs",
		", rw,relatime - devtmpfs",
		"in a user namespace the devices are the host's, bound; crun"
		" adds nosuid and noexec"},
	{CRUN, "a user namespace and a bind mount", "(/mnt/f/below |below)",
		NULL, "crun 1.8 forgets the r of rbind in a user namespace"},
	{CRUN, "rootless", "(/mnt/f/below |below)", NULL, "the same"},
	{CRUN, "rootless", "^mount /sys/.*$", NULL, "the same"},
	{CRUN, "", "/dev/console, rw,nosuid,noexec,", "/dev/console, rw,",
		"crun makes /dev/console without the flags of /dev/pts"},
	{CRUN, "propagation of mounts", " (shared|unbindable) - ", " - ",
		"crun makes all mounts private in the end"},
	{CRUN, "", "^env HOME=/$", NULL,
		"crun sets no HOME for a user who is not in /etc/passwd"},
	{CRUN, "devices", "^open /dev/block .*$", NULL,
		"crun restricts the use of devices only if linux.resources"
		" asks for it"},
};

/* --- a folder for each test ----------------------------------------------- */

/* Of the suite: its folder, a rootfs, the beginning of all its containers'
 * names. Of a test: its folder, with its container's name; in that a bundle, a
 * tree to bind, and where each runtime keeps its states. */
static char *top, *rootfs, *prefix;
static char *id, *dir, *bundle, *tree, *states[RUNTIMES];

static char *
read_text(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "re");

	ck_assert_msg(
		file != NULL, "%s: run me from the top of the project", path);
	ck_assert_int_ne(getdelim(&text, &size, '\0', file), -1);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static void
write_text(const char *folder, const char *name, const char *text)
{
	char *path = support_text("%s/%s", folder, name);
	FILE *file = fopen(path, "we");

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_int_ne(fputs(text, file), EOF);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

static char *
make_folder(const char *in, const char *name)
{
	char *path = support_text("%s/%s", in, name);

	ck_assert_int_eq(mkdir(path, 0755), 0);
	return path;
}

/*
 * Run a program without the guard, for what is no lesson or leaves a container
 * behind. Returns its exit code. Its streams are memory: crun gives them to
 * the container's user, and the host's /dev/null would have a new owner.
 */
static int
call(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		int memory = memfd_create("streams", MFD_CLOEXEC);

		for (int fd = 0; fd <= 2; fd++)
			if (dup2(memory, fd) == -1)
				die("dup2");
		child_exec((char **)argv);
	}
	return child_wait(pid);
}

#define CALL(...) call((char *const[]){__VA_ARGS__, NULL})

/* Mounts of the test and its children alone. */
static void
own_mounts(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

/* Then also: cgroups of version 2 alone, as most machines have it. crun knows
 * nothing else. */
static void
unified_cgroups(void)
{
	ck_assert_int_eq(
		mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL), 0);
}

/* The project's rootfs, with few programs: each run gets a copy of its own. */
static char few_programs[] =
	"cp -a bundle/rootfs \"$0\" && cd \"$0/bin\" && for f in *; do\n"
	"case ' busybox sh awk cat env find grep head hostname id ip ls mkdir"
	" ps readlink sed sleep sort top touch tr tty wc ' in\n"
	"*\" $f \"*) ;;\n*) rm \"$f\" ;;\nesac\ndone";

static void
set_up_suite(void)
{
	top = support_folder("agree");
	/* A user of a user namespace must pass. */
	ck_assert_int_eq(chmod(top, 0711), 0);
	prefix = support_text("nslessons-agree-%d-", getpid());
	rootfs = support_text("%s/rootfs", top);
	ck_assert_int_eq(CALL("sh", "-c", few_programs, rootfs), 0);
}

/* The words of a command. */
struct command {
	char *word[24];
};

/* A verb of a runtime, with more words. */
static struct command
command(int runtime, char *verb, char *const more[])
{
	bool starts = strcmp(verb, "run") == 0;
	struct command heads[RUNTIMES] = {
		{{starts ? "./lesson08" : "./lesson09", verb, "--root",
			states[OURS]}},
		{{"runc", "--root", states[RUNC], verb}},
		{{"crun", "--cgroup-manager=cgroupfs", "--root", states[CRUN],
			verb}}};
	struct command made = heads[runtime];
	size_t n = 0;

	while (made.word[n] != NULL)
		n++;
	while (*more != NULL)
		made.word[n++] = *more++;
	return made;
}

#define COMMAND(runtime, verb, ...) \
	command(runtime, verb, (char *[]){__VA_ARGS__, NULL})

static void
name_states(void)
{
	for (int i = 0; i < RUNTIMES; i++)
		states[i] = support_text("%s/%s", dir, runtimes[i]);
}

static void
free_names(void)
{
	for (int i = 0; i < RUNTIMES; i++)
		free(states[i]);
	free(dir);
}

/* crun needs its view of the cgroups. */
#define IN_UNIFIED "mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\""

/* What a test that has failed may have left of its container. */
static void
delete_left(char *name)
{
	dir = support_text("%s/%s", top, name);
	name_states();
	for (int i = 0; i < RUNTIMES; i++) {
		char *left = support_text("%s/%s", states[i], name);
		struct command words = COMMAND(i, "delete", "-f", name);
		char **word = words.word;

		if (access(left, F_OK) == 0 && i != CRUN)
			call(word);
		else if (access(left, F_OK) == 0)
			CALL("unshare", "-m", "--propagation", "private", "sh",
				"-c", IN_UNIFIED, "sh", word[0], word[1],
				word[2], word[3], word[4], word[5], word[6]);
		free(left);
	}
	free_names();
}

/* Also after failures: containers that run on, cgroups, folders. */
static void
tear_down_suite(void)
{
	char *cgroups = support_text("*/*%s*", prefix);
	DIR *folder = opendir(top);
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			delete_left(entry->d_name);
	if (folder != NULL)
		closedir(folder);
	CALL("find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", cgroups,
		"-exec", "rmdir", "{}", "+");
	CALL("rm", "-rf", top);
	free(cgroups);
	free(prefix);
	free(rootfs);
	free(top);
}

/* The tree has a mount below it, in a mount namespace of the test's own. */
static void
set_up(void)
{
	id = support_text("%s%d", prefix, getpid());
	dir = make_folder(top, id);
	name_states();
	bundle = make_folder(dir, "bundle");
	tree = make_folder(dir, "tree");
	write_text(tree, "file", "a file\n");
	free(make_folder(tree, "below"));
	/* A hook says which one it is and the status that it was told. */
	char *hooks = make_folder(dir, "hooks");
	write_text(hooks, "hook",
		"echo \"$1 $(tr -d ' \\n' |"
		" grep -o '\"status\":\"[a-z]*\"')\" >>\"$2\"\n");
	free(hooks);
	char *beside = make_folder(bundle, "beside");
	write_text(beside, "file", "a file of the bundle\n");
	free(beside);
}

static void
tear_down(void)
{
	free(id);
	free_names();
	free(bundle);
	free(tree);
}

/* A new copy, because a runtime makes folders and files to mount on. */
static void
make_rootfs(void)
{
	char *copy = support_text("%s/rootfs", bundle);
	char *link = support_text("%s/to-tmp", copy);
	char *out = support_text("%s/up-and-out", copy);

	ck_assert_int_eq(CALL("rm", "-rf", copy), 0);
	ck_assert_int_eq(CALL("cp", "-a", rootfs, copy), 0);
	ck_assert_int_eq(symlink("/tmp", link), 0);
	ck_assert_int_eq(symlink("../../../../../../../../tmp", out), 0);
	free(copy);
	free(link);
	free(out);
}

/* --- config.json ---------------------------------------------------------- */

static char *
replaced(char *text, const char *from, const char *to)
{
	char *at;

	while ((at = strstr(text, from)) != NULL) {
		char *longer = support_text("%.*s%s%s", (int)(at - text), text,
			to, at + strlen(from));

		free(text);
		text = longer;
	}
	return text;
}

/* As a JSON array, in the table's spelling. */
static char *
own_capabilities(void)
{
	char *list = support_text("%s", "[]");

	for (cap_value_t value = 0; value <= CAP_LAST_CAP; value++) {
		char *name = cap_to_name(value), *end;
		bool first = list[1] == ']';

		if (caps_have(value)) {
			for (end = name; *end != '\0'; end++)
				*end = (char)toupper(*end);
			list[strlen(list) - 1] = '\0';
			end = support_text(
				"%s%s'%s']", list, first ? "" : ",", name);
			free(list);
			list = end;
		}
		cap_free(name);
	}
	return list;
}

static json_t *
parse_changes(const char *changes, pid_t helper)
{
	char *text = support_text("%s", changes), *caps = own_capabilities();
	char *pid = support_text("%d", helper);
	json_error_t error;

	text = replaced(text, "$TOP", dir);
	text = replaced(text, "$ID", id);
	text = replaced(text, "$PID", pid);
	text = replaced(text, "$CAPS", caps);
	text = replaced(text, "'", "\"");
	json_t *parsed = json_loads(text, 0, &error);
	ck_assert_msg(parsed != NULL, "%s: %s", error.text, text);
	free(text);
	free(caps);
	free(pid);
	return parsed;
}

/* Is this mount or namespace the one that is named? */
static bool
is_called(const json_t *object, const json_t *name)
{
	return json_equal(json_object_get(object, "type"), name) ||
	       json_equal(json_object_get(object, "destination"), name);
}

static void
remove_called(json_t *array, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		for (size_t k = json_array_size(array); k-- > 0;)
			if (is_called(json_array_get(array, k), name))
				json_array_remove(array, k);
	}
}

static void
change( // NOLINT(misc-no-recursion)
	json_t *object, json_t *changes)
{
	const char *key;
	json_t *value;

	json_object_foreach(changes, key, value) {
		char *name = support_text("%s", key);
		char *sign = name + strlen(name) - 1;

		if (*sign == '+' || *sign == '-') {
			bool add = *sign == '+';
			*sign = '\0';
			json_t *array = json_object_get(object, name);

			ck_assert(json_is_array(array));
			if (add)
				json_array_extend(array, value);
			else
				remove_called(array, value);
		} else if (json_is_null(value)) {
			json_object_del(object, name);
		} else if (json_is_object(value) &&
			   json_is_object(json_object_get(object, name))) {
			change(json_object_get(object, name), value);
		} else {
			json_object_set(object, name, value);
		}
		free(name);
	}
}

/* crun raises RLIMIT_MEMLOCK before it loads a program that limits devices. */
static bool
can_limit(int peer)
{
	return peer != CRUN || caps_have(CAP_SYS_RESOURCE);
}

/* `crun spec --rootless` writes none and crun adds them; the specification
 * knows of no such default. */
static void
add_mappings(json_t *linux_part)
{
	static const char *const names[] = {"uidMappings", "gidMappings"};
	const json_t *value;
	bool user = false;
	size_t i;

	json_array_foreach(json_object_get(linux_part, "namespaces"), i, value)
		user |= strcmp(json_string_value(
				       json_object_get(value, "type")),
				"user") == 0;
	for (i = 0; user && i < COUNT(names); i++)
		if (json_object_get(linux_part, names[i]) == NULL)
			json_object_set_new(linux_part, names[i],
				json_pack("[{si si si}]", "containerID", 0,
					"hostID",
					i == 0 ? geteuid() : getegid(), "size",
					1));
}

/* What `spec` of the peer, or lesson08's, has written, changed. */
static void
write_config(int peer, const struct bundle *what, pid_t helper)
{
	char *maker = (what->flags & OWN) != 0 ? "./lesson08"
					       : (char *)runtimes[peer];
	char *path = support_text("%s/config.json", bundle);
	char *probe = read_text("tests/agree/probe.sh");
	json_t *changes = parse_changes(what->changes, helper);

	unlink(path);
	ck_assert_int_eq(
		CALL(maker, "spec", "-b", bundle,
			(what->flags & ROOTLESS) != 0 ? "--rootless" : NULL),
		0);
	json_t *config = json_load_file(path, 0, NULL);
	ck_assert_ptr_nonnull(config);
	json_t *process = json_object_get(config, "process");
	add_mappings(json_object_get(config, "linux"));
	json_object_set_new(process, "terminal",
		json_boolean((what->flags & TERMINAL) != 0));
	json_object_set_new(
		process, "args", json_pack("[sss]", "sh", "-c", probe));
	change(config, changes);
	if (!can_limit(peer))
		json_object_del(json_object_get(config, "linux"), "resources");
	ck_assert_int_eq(json_dump_file(config, path, JSON_INDENT(1)), 0);
	json_decref(config);
	json_decref(changes);
	free(path);
	free(probe);
}

/* --- facts ---------------------------------------------------------------- */

/* Lines without what differs by chance. */
struct facts {
	char **line;
	size_t count;
};

/* A line of mountinfo, see proc_pid_mountinfo(5). */
struct mount {
	char *number, *parent, *device, *root, *point;
	char *options, *optional, *filesystem;
};

/* Namespaces that have a name: ours and the helper's. */
struct known {
	struct ns_id host[NS_TYPES], joined[NS_TYPES];
};

static char *
ns_line(char *text, const struct known *known)
{
	char *link = strsep(&text, " ");
	int type = NS_TYPES;
	ino_t ino;

	if (!ns_parse(text, &type, &ino))
		return support_text("ns %s %s", link, text);
	return support_text("ns %s %s", link,
		ino == known->host[type].ino	 ? "the host's"
		: ino == known->joined[type].ino ? "another's"
						 : "new");
}

/* A cgroup of the container's own bears its name; ours one more before it. */
static bool
is_own_cgroup(const char *path)
{
	size_t length = strlen(path), size = strlen(id);

	return length >= size && strcmp(path + length - size, id) == 0;
}

static char *
cgroup_line(const char *text)
{
	const char *path = strrchr(text, ':') + 1;
	char *ours = read_text("/proc/self/cgroup");
	char *line = support_text("%s\n", text), *fact;

	fact = support_text("cgroup %.*s%s", (int)(path - text), text,
		is_own_cgroup(path)	     ? "its own"
		: strstr(ours, line) != NULL ? "written as ours"
					     : path);
	free(ours);
	free(line);
	return fact;
}

static struct mount
parse_mount(char *text)
{
	struct mount mount = {.number = strsep(&text, " "),
		.parent = strsep(&text, " "),
		.device = strsep(&text, " "),
		.root = strsep(&text, " "),
		.point = strsep(&text, " "),
		.options = strsep(&text, " "),
		.optional = support_text("%s", "")};
	char *word, *longer;

	while ((word = strsep(&text, " ")) != NULL && strcmp(word, "-") != 0) {
		if (strncmp(word, "propagate_from", 14) == 0)
			continue;
		longer = support_text("%s%.*s ", mount.optional,
			(int)strcspn(word, ":"), word);
		free(mount.optional);
		mount.optional = longer;
	}
	mount.filesystem = text;
	ck_assert_ptr_nonnull(text);
	return mount;
}

/* The mount that it is mounted on, and the first in the alphabet of the same
 * device, by their mount points. */
static char *
mount_line(const struct mount *mount, const struct mount *mounts, size_t count)
{
	const char *on = "nothing", *device = mount->point;
	bool cgroup = strncmp(mount->filesystem, "cgroup", 6) == 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(mounts[i].number, mount->parent) == 0)
			on = mounts[i].point;
		if (strcmp(mounts[i].device, mount->device) == 0 &&
			strcmp(mounts[i].point, device) < 0)
			device = mounts[i].point;
	}
	return support_text("mount %s on %s: %s of %s, %s %s- %s", mount->point,
		on,
		cgroup && is_own_cgroup(mount->root) ? "its own" : mount->root,
		device, mount->options, mount->optional, mount->filesystem);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *
after(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 ? line + length : NULL;
}

/* Takes what the probe has printed apart. */
static struct facts
facts_of(char *text, const struct known *known)
{
	size_t lines = 1, mount_count = 0;

	for (const char *c = text; *c != '\0'; c++)
		lines += *c == '\n';
	struct facts facts = {.line = calloc(lines, sizeof(facts.line[0]))};
	struct mount *mounts = calloc(lines, sizeof(mounts[0]));
	char *line;

	if (facts.line == NULL || mounts == NULL)
		die("malloc");
	while ((line = strsep(&text, "\n")) != NULL) {
		const char *of;

		line[strcspn(line, "\r")] = '\0';
		if (after(line, "mount ") != NULL)
			mounts[mount_count++] = parse_mount(line + 6);
		else if (after(line, "ns ") != NULL)
			facts.line[facts.count++] = ns_line(line + 3, known);
		else if ((of = after(line, "cgroup ")) != NULL)
			facts.line[facts.count++] = cgroup_line(of);
		else
			facts.line[facts.count++] = support_text("%s", line);
	}
	for (size_t i = 0; i < mount_count; i++)
		facts.line[facts.count++] =
			mount_line(&mounts[i], mounts, mount_count);
	for (size_t i = 0; i < mount_count; i++)
		free(mounts[i].optional);
	free(mounts);
	return facts;
}

/* Applies a difference to a line. Returns the line, or NULL when it is left
 * out. */
static char *
rewrite(char *line, const struct difference *difference)
{
	regex_t regex;
	regmatch_t match;
	char *rewritten = line;

	ck_assert_int_eq(
		regcomp(&regex, difference->expression, REG_EXTENDED), 0);
	if (regexec(&regex, line, 1, &match, 0) == 0) {
		rewritten = difference->replacement == NULL
				    ? NULL
				    : support_text("%.*s%s%s", (int)match.rm_so,
					      line, difference->replacement,
					      line + match.rm_eo);
		free(line);
	}
	regfree(&regex);
	return rewritten;
}

/* What may differ is made equal. */
static void
overlook(struct facts *facts, int peer, const struct bundle *what)
{
	size_t kept = 0;

	for (size_t i = 0; i < facts->count; i++) {
		char *line = facts->line[i];

		for (size_t k = 0; k < COUNT(differences); k++)
			if (line != NULL &&
				(differences[k].peers & peer) != 0 &&
				after(what->name, differences[k].bundle))
				line = rewrite(line, &differences[k]);
		if (line != NULL)
			facts->line[kept++] = line;
	}
	facts->count = kept;
	qsort(facts->line, kept, sizeof(facts->line[0]), compare_lines);
}

static void
facts_free(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		free(facts->line[i]);
	free(facts->line);
}

/* --- comparing ------------------------------------------------------------ */

/* Keeps the lines that are not in the other run. */
static struct facts
only_in(const struct facts *facts, const struct facts *other)
{
	struct facts rest = {
		.line = calloc(facts->count + 1, sizeof(rest.line[0]))};
	size_t k = 0;

	if (rest.line == NULL)
		die("malloc");
	for (size_t i = 0; i < facts->count; i++) {
		int order = -1;

		while (k < other->count &&
			(order = strcmp(other->line[k], facts->line[i])) < 0)
			k++;
		if (k < other->count && order == 0)
			k++;
		else
			rest.line[rest.count++] = facts->line[i];
	}
	return rest;
}

/* The line of the other run that begins with the same two words. */
static const char *
counterpart(const struct facts *facts, const char *line)
{
	size_t length = strcspn(line, " ");

	length += line[length] == ' ';
	length += strcspn(line + length, " ");
	for (size_t i = 0; i < facts->count; i++)
		if (strncmp(facts->line[i], line, length) == 0)
			return facts->line[i];
	return "(no such line)";
}

/* The first difference is the test's message, all are on standard output. */
static void
ck_agree(const struct facts *theirs, const struct facts *ours, int peer,
	const struct bundle *what)
{
	struct facts missing = only_in(theirs, ours);
	struct facts more = only_in(ours, theirs);
	const char *name = runtimes[peer];

	for (size_t i = 0; i < missing.count; i++)
		printf("%s: - %s\n", what->name, missing.line[i]);
	for (size_t i = 0; i < more.count; i++)
		printf("%s: + %s\n", what->name, more.line[i]);
	ck_assert_msg(missing.count == 0,
		"%s: %zu lines of %s are missing\n%s:     %.1000s\n"
		"lesson08: %.1000s",
		what->name, missing.count, name, name, missing.line[0],
		counterpart(&more, missing.line[0]));
	ck_assert_msg(more.count == 0,
		"%s: %zu lines are not in %s\nlesson08: %.1000s", what->name,
		more.count, name, more.line[0]);
	free(missing.line);
	free(more.line);
}

/* What hooks have written, if any: their order is a fact. */
static void
append_numbered(char **text, const char *path)
{
	char *lines, *rest, *line;

	if (access(path, F_OK) == -1)
		return;
	lines = rest = read_text(path);
	for (int i = 1; (line = strsep(&rest, "\n")) != NULL; i++) {
		char *longer = support_text("%shook %d %s\n", *text, i, line);

		free(*text);
		*text = longer;
	}
	free(lines);
}

/*
 * Run the bundle. Standard input is a file of the test: crun gives it to the
 * container's user, and were it the host's /dev/null, that would have a new
 * owner.
 */
static struct run
run_bundle(int runtime, const struct bundle *what)
{
	char *input = support_text("%s/file", tree);
	char *log = support_text("%s/hooks/log", dir);
	char *later = support_text("%s/hooks/later", dir);
	struct command words = COMMAND(runtime, "run", "-b", bundle, id);
	struct command with_input = {
		{"sh", "-c", "exec \"$@\" <\"$0\"", input}};
	struct run run;

	make_rootfs();
	unlink(log);
	unlink(later);
	if ((what->flags & TERMINAL) != 0) {
		struct session session = support_start(words.word);
		run = support_finish(&session);
	} else {
		for (size_t i = 0; words.word[i] != NULL; i++)
			with_input.word[4 + i] = words.word[i];
		run = support_run(with_input.word);
	}
	/* crun leaves mounts on a machine whose / is shared. */
	ck_assert_msg(runtime != OURS || run.changes == NULL,
		"host changed: %.3000s", run.changes);
	append_numbered(&run.out, log);
	append_numbered(&run.out, later);
	free(input);
	free(log);
	free(later);
	return run;
}

/* A process in namespaces of its own, for those that join some. */
static pid_t
start_helper(void)
{
	int flags = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS;
	pid_t pid = (pid_t)syscall(
		SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_ne(pid, -1);
	return pid;
}

/* Namespaces and mounts that root can make. A helper of 0: none. */
static pid_t
make_surroundings(int peer, struct known *known)
{
	pid_t helper = 0;

	*known = (struct known){0};
	ns_own(known->host);
	if (!caps_have(CAP_SYS_ADMIN))
		return helper;
	helper = start_helper();
	for (int i = 0; i < NS_TYPES; i++)
		ns_get(helper, ns_types[i].name, &known->joined[i]);
	own_mounts();
	if (peer == CRUN)
		unified_cgroups();
	char *below = support_text("%s/below", tree);
	ck_assert_int_eq(mount("below", below, "tmpfs", 0, "size=64k"), 0);
	write_text(below, "deep", "a file below\n");
	free(below);
	return helper;
}

/* Fails when the two runs do not agree. */
static void
compare(int peer, const struct bundle *what)
{
	struct known known;
	pid_t helper = make_surroundings(peer, &known);

	write_config(peer, what, helper);
	struct run theirs = run_bundle(peer, what);
	struct run ours = run_bundle(OURS, what);
	ck_assert_msg(ours.code == PROBED, "%s: exit code %d\n%.1500s%.1500s",
		what->name, ours.code, ours.err, ours.out);
	if (theirs.code != PROBED && (what->flags & DOUBT) != 0) {
		printf("SKIP %s as %s: it is refused\n", what->name,
			runtimes[peer]);
	} else {
		ck_assert_msg(theirs.code == PROBED,
			"%s: its exit code is %d\n%.1500s%.1500s", what->name,
			theirs.code, theirs.err, theirs.out);
		struct facts a = facts_of(theirs.out, &known);
		struct facts b = facts_of(ours.out, &known);
		overlook(&a, peer, what);
		overlook(&b, peer, what);
		ck_agree(&a, &b, peer, what);
		facts_free(&a);
		facts_free(&b);
	}
	support_run_free(&ours);
	support_run_free(&theirs);
	if (helper != 0)
		child_end(helper);
}

START_TEST(agrees_with_runc)
{
	compare(RUNC, &bundles[_i]);
}
END_TEST

START_TEST(agrees_with_crun)
{
	if ((bundles[_i].flags & LIMITS) != 0 && !can_limit(CRUN)) {
		printf("SKIP %s as crun: needs CAP_SYS_RESOURCE\n",
			bundles[_i].name);
		return;
	}
	compare(CRUN, &bundles[_i]);
}
END_TEST

/* --- entering ------------------------------------------------------------- */

static void
delete_container(int runtime)
{
	struct command words = COMMAND(runtime, "delete", "-f", id);

	ck_assert_int_eq(call(words.word), 0);
}

/* Kill it and wait until it is dead. It is not our child. */
static void
end_process(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	if (fd == -1)
		return;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(poll(&ended, 1, PATIENCE), 1);
	close(fd);
}

/* Start `sleep` in a container that goes on. Returns its PID. */
static pid_t
start_detached(int runtime)
{
	static const struct bundle sleeper = {
		"a sleeper", "{'process': {'args': ['sleep', '1000']}}", OWN};
	char *file = support_text("%s/pid", dir);
	struct command words = COMMAND(
		runtime, "run", "-d", "-b", bundle, "--pid-file", file, id);
	pid_t pid;

	write_config(runtime, &sleeper, 0);
	make_rootfs();
	ck_assert_int_eq(call(words.word), 0);
	char *text = read_text(file);
	ck_assert_int_eq(proc_parse_pid(text, &pid), 0);
	free(text);
	free(file);
	return pid;
}

/* What `readlink` prints for the ten links of a process, from outside. */
static char *
links_of(pid_t pid)
{
	char *text = support_text("%s", "");

	for (int i = 0; i < NS_LINKS; i++) {
		char *path = ns_path(pid, ns_links[i]), *longer;
		char target[64];
		ssize_t n = readlink(path, target, sizeof(target));

		ck_assert_msg(n > 0, "%s", path);
		longer = support_text("%s%.*s\n", text, (int)n, target);
		free(text);
		free(path);
		text = longer;
	}
	return text;
}

#define READ_LINKS "cd /proc/self/ns && for l in *; do readlink $l; done"

/* Enter it in this way, and look where one is. */
static void
ck_enters(pid_t pid, char *const argv[])
{
	char *expected = links_of(pid);
	struct run run = support_run(argv);

	ck_run(run, 0);
	ck_assert_str_eq(run.out, expected);
	free(expected);
	support_run_free(&run);
}

/* The line of a status file that begins so, to be freed. */
static char *
status_line(pid_t pid, const char *name)
{
	char *text = proc_read(pid, "status");

	ck_assert_ptr_nonnull(text);
	const char *line = strstr(text, name);
	ck_assert_ptr_nonnull(line);
	char *found = support_text("%.*s", (int)strcspn(line, "\n"), line);
	free(text);
	return found;
}

/* What is put in is in the init's cgroups, and may no more than it. */
static void
ck_same_limits(pid_t init, char *pid)
{
	static const char *const lines[] = {
		"CapEff:", "CapBnd:", "NoNewPrivs:"};
	char *file = support_text("%s/entered.pid", bundle);
	pid_t entered;

	ck_assert_int_eq(
		CALL("./lesson09", "exec", "--pid", pid, "--bundle", bundle,
			"--detach", "--pid-file", file, "sleep", "1000"),
		0);
	char *text = read_text(file);
	ck_assert_int_eq(proc_parse_pid(text, &entered), 0);
	char *expected = proc_read(init, "cgroup");
	char *found = proc_read(entered, "cgroup");
	ck_assert_str_eq(found, expected);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *a = status_line(entered, lines[i]);
		char *b = status_line(init, lines[i]);
		ck_assert_str_eq(a, b);
		free(a);
		free(b);
	}
	ck_assert_int_eq(kill(entered, SIGKILL), 0);
	free(found);
	free(expected);
	free(text);
	free(file);
}

START_TEST(we_enter_what_others_started)
{
	int peer = _i == 0 ? RUNC : CRUN;

	if (peer == CRUN) {
		own_mounts();
		unified_cgroups();
	}
	pid_t init = start_detached(peer);
	char *pid = support_text("%d", init);
	ck_enters(init, (char *const[]){"./lesson03", "-t", pid, "-a", "sh",
				"-c", READ_LINKS, NULL});
	ck_enters(init,
		(char *const[]){"./lesson09", "exec", "--pid", pid, "--bundle",
			bundle, "sh", "-c", READ_LINKS, NULL});
	ck_same_limits(init, pid);
	free(pid);
	delete_container(peer);
}
END_TEST

START_TEST(others_enter_what_lesson08_started)
{
	pid_t init = start_detached(OURS);
	char *pid = support_text("%d", init);
	struct command exec = COMMAND(OURS, "exec", id, "sh", "-c", READ_LINKS);

	ck_enters(init, (char *const[]){"nsenter", "-t", pid, "-a", "/bin/sh",
				"-c", READ_LINKS, NULL});
	ck_enters(init, (char *const[]){"./lesson03", "-t", pid, "-a", "sh",
				"-c", READ_LINKS, NULL});
	ck_enters(init, exec.word);
	free(pid);
	delete_container(OURS);
}
END_TEST

/* --- the OCI schema ------------------------------------------------------- */

/* What is wrong with the document, to be freed; NULL when it is as the schema
 * says. */
static char *
fault_of(const char *schema, char *document)
{
	char *path = support_text(SUPPORT_SCHEMA "/%s", schema), *fault = NULL;
	struct run run = RUN("python3", "-W", "ignore",
		"tests/agree/validate.py", path, document);

	ck_assert_msg(run.code == 0 || run.code == 3, "%.2000s", run.err);
	if (run.code == 3)
		fault = support_text("%s", run.out);
	free(path);
	support_run_free(&run);
	return fault;
}

START_TEST(spec_is_valid)
{
	char *option = _i == 0 ? NULL : "--rootless";
	char *path = support_text("%s/config.json", bundle);
	struct run run = RUN("./lesson08", "spec", "-b", bundle, option);

	ck_run(run, 0);
	char *fault = fault_of("config-schema.json", path);
	ck_assert_msg(fault == NULL, "%s", fault);
	/* And it would be told. */
	json_t *config = json_load_file(path, 0, NULL);
	json_object_set_new(
		json_object_get(config, "process"), "cwd", json_integer(1));
	ck_assert_int_eq(json_dump_file(config, path, 0), 0);
	fault = fault_of("config-schema.json", path);
	ck_assert_str_eq(fault, "process/cwd: 1 is not of type 'string'\n");
	free(fault);
	json_decref(config);
	support_run_free(&run);
	free(path);
}
END_TEST

/* While it runs, and when its process has ended. */
START_TEST(state_is_valid)
{
	char *path = support_text("%s/state.json", dir);
	pid_t init = start_detached(OURS);

	for (int stopped = 0; stopped < 2; stopped++) {
		struct command words = COMMAND(OURS, "state", id);
		struct run run = support_run(words.word);

		ck_run(run, 0);
		write_text(dir, "state.json", run.out);
		char *fault = fault_of("state-schema.json", path);
		ck_assert_msg(fault == NULL, "%s", fault);
		json_t *json = json_loads(run.out, 0, NULL);
		ck_assert_str_eq(
			json_string_value(json_object_get(json, "status")),
			stopped ? "stopped" : "running");
		ck_assert_str_eq(
			json_string_value(json_object_get(json, "id")), id);
		if (!stopped)
			ck_assert_int_eq(json_integer_value(
						 json_object_get(json, "pid")),
				init);
		json_decref(json);
		support_run_free(&run);
		end_process(init);
	}
	free(path);
	delete_container(OURS);
}
END_TEST

/* --- the article's walk --------------------------------------------------- */

/* forkstat or lesson06, which watches the whole machine. */
struct watch {
	pid_t pid;
	int out;
	char *text;
};

static void
watch_read(struct watch *watch)
{
	struct pollfd ready = {.fd = watch->out, .events = POLLIN};
	char buffer[4096], *longer;

	ck_assert_msg(poll(&ready, 1, PATIENCE) == 1,
		"no more events after: "
		"%.3000s",
		watch->text);
	ssize_t n = read(watch->out, buffer, sizeof(buffer));
	ck_assert_int_gt(n, 0);
	longer = support_text("%s%.*s", watch->text, (int)n, buffer);
	free(watch->text);
	watch->text = longer;
}

/* Is there a line of this form? Then where it begins, else -1. */
static long
line_at(const char *text, const char *expression)
{
	regex_t regex;
	regmatch_t match;

	ck_assert_int_eq(
		regcomp(&regex, expression, REG_EXTENDED | REG_NEWLINE), 0);
	bool found = regexec(&regex, text, 1, &match, 0) == 0;
	regfree(&regex);
	return found ? match.rm_so : -1;
}

/* Wait until it tells of this exec; pid: 0 for any. Returns where it stands. */
static long
watch_exec(struct watch *watch, pid_t pid, const char *command)
{
	time_t end = time(NULL) + PATIENCE / 1000;
	char *line = pid == 0
			     ? support_text(" exec +[0-9].* %s", command)
			     : support_text(" exec +%d[ /].* %s", pid, command);
	long at;

	while ((at = line_at(watch->text, line)) == -1) {
		ck_assert_msg(time(NULL) < end, "no `%s`", line);
		watch_read(watch);
	}
	free(line);
	return at;
}

static struct watch
watch_start(bool ours)
{
	struct watch watch = {.text = support_text("%s", "")};
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	/* So large that it need not wait for us. */
	fcntl(fd[1], F_SETPIPE_SZ, 1 << 20);
	watch.pid = fork();
	if (watch.pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
			dup2(fd[1], 1) == -1)
			die("dup2");
		if (ours)
			child_exec(
				(char *[]){"./lesson06", "-e", "exec", NULL});
		child_exec((char *[]){"forkstat", "-l", "-e", "exec", NULL});
	}
	close(fd[1]);
	watch.out = fd[0];
	while (strstr(watch.text, "Time") == NULL)
		watch_read(&watch);
	return watch;
}

static void
watch_end(struct watch *watch)
{
	child_end(watch->pid);
	close(watch->out);
	free(watch->text);
}

/* Type a command at the container's shell. Returns what it has printed, to be
 * freed. */
static char *
ask(struct session *session, const char *command)
{
	size_t from = session->seen == NULL ? 0 : strlen(session->seen);
	/* The echo of what is typed is not yet the answer. */
	char *end = support_text("-end %zu-", from);
	char *typed = support_text("%s; echo -e''nd %zu-\n", command, from);

	support_type(session, typed);
	support_expect(session, end);
	char *text = strchr(session->seen + from, '\n') + 1;
	text = support_text("%.*s", (int)(strstr(text, end) - text), text);
	free(typed);
	free(end);
	return text;
}

/* What a program prints, to be freed; it must exit with 0. */
static char *
output_of(char *const argv[])
{
	struct run run = support_run(argv);
	char *text = support_text("%s", run.out);

	ck_run(run, 0);
	support_run_free(&run);
	return text;
}

#define OUTPUT(...) output_of((char *const[]){__VA_ARGS__, NULL})

/* A walk: the container, and what one has learned of it. */
struct walk {
	int runtime;
	struct watch watch;
	struct session box;
	pid_t init;
	char *inode; /* of its PID namespace */
};

/* The processes of the container, as its runtime tells: at most two. */
static size_t
runtime_pids(const struct walk *walk, pid_t pids[2])
{
	struct command words =
		walk->runtime == OURS
			? COMMAND(OURS, "ps", "--json", id)
			: COMMAND(walk->runtime, "ps", "-f", "json", id);
	char *text = output_of(words.word);
	json_t *list = json_loads(text, 0, NULL);
	size_t count = json_array_size(list);

	ck_assert_uint_le(count, 2);
	for (size_t i = 0; i < count; i++)
		pids[i] = (pid_t)json_integer_value(json_array_get(list, i));
	json_decref(list);
	free(text);
	return count;
}

/* Those in its PID namespace, as a tool that knows nothing of it tells, must be
 * these; second: 0 for one. lsns gives up when a process vanishes meanwhile. */
static void
ck_members(const struct walk *walk, pid_t first, pid_t second)
{
	char *const ours[] = {
		"./lesson07", "-r", "-n", "-o", "PID", walk->inode, NULL};
	char *const theirs[] = {
		"lsns", "-r", "-n", "-o", "PID", walk->inode, NULL};
	struct run run = support_run(walk->runtime == OURS ? ours : theirs);

	for (int i = 0; i < 50 && run.code != 0; i++) {
		support_run_free(&run);
		run = support_run(walk->runtime == OURS ? ours : theirs);
	}
	ck_run(run, 0);
	char *expected = second == 0 ? support_text("%d\n", first)
			 : first < second
				 ? support_text("%d\n%d\n", first, second)
				 : support_text("%d\n%d\n", second, first);
	ck_assert_str_eq(run.out, expected);
	free(expected);
	support_run_free(&run);
}

/* A01 and A02: mkdir, docker export | tar, spec; tree. */
static void
make_bundle(const struct walk *walk)
{
	char *script = support_text(
		"cd %s/mycontainer\nmkdir rootfs\n"
		"tar -C \"$OLDPWD/bundle/rootfs\" -c --exclude .nslessons . |"
		" tar -C rootfs -xf -\n%s spec\n"
		"find . -maxdepth 2 | LC_ALL=C sort\n",
		dir, walk->runtime == OURS ? "\"$OLDPWD/lesson08\"" : "runc");
	char *config = support_text("%s/mycontainer/config.json", dir);

	free(make_folder(dir, "mycontainer"));
	char *tree_shown = OUTPUT("sh", "-ec", script);
	ck_assert_str_eq(tree_shown,
		".\n./config.json\n./rootfs\n./rootfs/bin\n./rootfs/dev\n"
		"./rootfs/etc\n./rootfs/home\n./rootfs/proc\n./rootfs/root\n"
		"./rootfs/sys\n./rootfs/tmp\n./rootfs/usr\n./rootfs/var\n");
	json_t *json = json_load_file(config, 0, NULL);
	json_t *namespaces =
		json_object_get(json_object_get(json, "linux"), "namespaces");
	ck_assert_uint_ge(json_array_size(namespaces), 5);
	json_decref(json);
	free(tree_shown);
	free(config);
	free(script);
}

/* A03 to A06: run; ps inside shows two; the events outside; one process is
 * both PID 1 and another PID. */
static void
run_it(struct walk *walk)
{
	char *config = support_text("%s/mycontainer", dir);
	struct command words = COMMAND(walk->runtime, "run", "-b", config, id);
	pid_t pids[2];

	walk->box = support_start(words.word);
	support_expect(&walk->box, "# ");
	char *text = ask(&walk->box, "ps");
	ck_assert_int_ne(line_at(text, "^ +1 root .*sh"), -1);
	ck_assert_int_ne(line_at(text, "^ +[0-9]+ root .*ps"), -1);
	free(text);
	ck_assert_uint_eq(runtime_pids(walk, pids), 1);
	walk->init = pids[0];
	text = ask(&walk->box, "/bin/ps | grep -c root");
	ck_assert_int_ne(line_at(text, "^3"), -1);
	free(text);
	/* forkstat comes too late for one or the other. */
	free(ask(&walk->box, "for i in 1 2 3 4 5 6 7; do /bin/ps; done"));

	long run = watch_exec(&walk->watch, walk->box.pid,
		walk->runtime == OURS ? "[^ ]*lesson08 run"
				      : "runc --root [^ ]* run");
	long sh = watch_exec(&walk->watch, walk->init, "sh");
	long ps = watch_exec(&walk->watch, 0, "(/bin/)?ps");
	ck_assert_int_lt(run, sh);
	ck_assert_int_lt(sh, ps);
	if (walk->runtime != OURS) {
		long init = watch_exec(&walk->watch, 0, "runc init");
		ck_assert(run < init && init < sh);
	}
	pid_t all[PROC_LEVELS];
	int levels = proc_nspids(walk->init, all);
	ck_assert_int_ge(levels, 2);
	ck_assert_int_eq(all[levels - 1], 1);
	free(config);
}

/* A07 to A13: its namespaces, from outside and from inside. */
static void
find_namespaces(struct walk *walk)
{
	char *pid = support_text("%d", walk->init);
	struct ns_id id_of = ns_look(walk->init, "pid");
	char *expected, *text;

	walk->inode = support_text("%ju", (uintmax_t)id_of.ino);
	if (walk->runtime == OURS) {
		expected = support_text("^pid +%s", walk->inode);
		text = OUTPUT("./lesson04", pid);
	} else {
		expected = support_text("^ *%s +%s$", pid, walk->inode);
		text = OUTPUT("ps", "-p", pid, "-o", "pid,pidns");
	}
	ck_assert_msg(line_at(text, expected) != -1, "no `%s` in: %s", expected,
		text);
	free(expected);
	free(text);

	text = ask(&walk->box, "ls -l /proc/1/ns");
	for (int i = 0; i < NS_LINKS; i++) {
		char *path = ns_path(walk->init, ns_links[i]), target[64];
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		int type = NS_TYPES;
		ino_t ino;

		ck_assert_int_gt(n, 0);
		target[n] = '\0';
		ck_assert(ns_parse(target, &type, &ino));
		expected = support_text(" %s -> %s", ns_links[i], target);
		ck_assert_msg(strstr(text, expected) != NULL, "no `%s` in: %s",
			expected, text);
		free(expected);
		free(path);
	}
	free(text);
	free(pid);
}

/* New are those (A12) that config.json names, the others are the host's. */
static void
ck_new_namespaces(const struct walk *walk)
{
	char *path = support_text("%s/mycontainer/config.json", dir);
	json_t *config = json_load_file(path, 0, NULL), *value;
	bool named[NS_TYPES] = {false};
	struct ns_id host[NS_TYPES];
	size_t i;

	ns_own(host);
	json_array_foreach(
		json_object_get(json_object_get(config, "linux"), "namespaces"),
		i, value) {
		const char *type =
			json_string_value(json_object_get(value, "type"));

		for (int k = 0; k < NS_TYPES; k++)
			named[k] |= strcmp(type, ns_types[k].name) == 0 ||
				    (strcmp(type, "mount") == 0 &&
					    ns_types[k].flag == CLONE_NEWNS) ||
				    (strcmp(type, "network") == 0 &&
					    ns_types[k].flag == CLONE_NEWNET);
	}
	for (int k = 0; k < NS_TYPES; k++)
		ck_assert_msg(ns_same(ns_look(walk->init, ns_types[k].name),
				      host[k]) == !named[k],
			"%s: %s", ns_types[k].name,
			named[k] ? "is the host's" : "is not the host's");
	json_decref(config);
	free(path);
}

/* A17 to A21: exec; its events, its PIDs, its namespaces, ps inside. */
static void
exec_in_it(struct walk *walk)
{
	struct command words =
		COMMAND(walk->runtime, "exec", id, "/bin/top", "-b");
	struct session second = support_start(words.word);
	pid_t pids[2];

	support_expect(&second, "Mem:");
	ck_assert_uint_eq(runtime_pids(walk, pids), 2);
	ck_assert(pids[0] == walk->init || pids[1] == walk->init);
	pid_t made = pids[0] == walk->init ? pids[1] : pids[0];
	long exec = watch_exec(&walk->watch, second.pid,
		walk->runtime == OURS ? "[^ ]*lesson09 exec"
				      : "runc --root [^ ]* exec");
	long started = watch_exec(&walk->watch, made, "/bin/top -b");
	ck_assert_int_lt(exec, started);

	char *a = links_of(walk->init), *b = links_of(made);
	ck_assert_str_eq(a, b);
	free(a);
	free(b);
	ck_members(walk, walk->init, made);
	words = COMMAND(walk->runtime, "ps", id);
	char *text = output_of(words.word);
	ck_assert_int_ne(
		line_at(text, "^UID +PID +PPID +C STIME TTY +TIME CMD"), -1);
	ck_assert_int_ne(line_at(text, " sh *$"), -1);
	ck_assert_int_ne(line_at(text, " /bin/top -b *$"), -1);
	free(text);
	text = ask(&walk->box, "ps -ef");
	ck_assert_int_ne(line_at(text, "^ +1 root .*sh"), -1);
	ck_assert_int_ne(line_at(text, "^ +[0-9]+ root .*top -b"), -1);
	ck_assert_int_ne(line_at(text, "^ +[0-9]+ root .*ps"), -1);
	free(text);

	ck_assert_int_eq(kill(made, SIGTERM), 0);
	struct run run = support_finish(&second);
	ck_run(run, 128 + SIGTERM);
	support_run_free(&run);
}

/* A01 A02 A03 A04 A05 A07 A08 A10 A12 A13 A15 A16 A17 A18 A19 A20 A21: from mkdir
 * to the last ps -ef: with our programs, and with the article's. */
START_TEST(article_is_walked)
{
	struct walk walk = {.runtime = _i == 0 ? OURS : RUNC};

	make_bundle(&walk);
	walk.watch = watch_start(walk.runtime == OURS);
	run_it(&walk);
	find_namespaces(&walk);
	ck_new_namespaces(&walk);
	ck_members(&walk, walk.init, 0);
	exec_in_it(&walk);
	support_type(&walk.box, "exit 7\n");
	struct run run = support_finish(&walk.box);
	ck_run(run, 7);
	support_run_free(&run);
	watch_end(&walk.watch);
	free(walk.inode);
}
END_TEST

/* --- the suite ------------------------------------------------------------ */

static TCase *
add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_unchecked_fixture(tcase, set_up_suite, tear_down_suite);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, SECONDS);
	suite_add_tcase(suite, tcase);
	return tcase;
}

Suite *
suite_agree(void)
{
	Suite *suite = suite_create("agree");
	TCase *tcase = add_case(suite, "bundles");
	int count = COUNT(bundles);

	if (!support_have("root", "most bundles"))
		for (count = 0; (bundles[count].flags & ROOTLESS) != 0;)
			count++;
	if (SUPPORT_HAVE("agrees_with_runc", "namespaces", "runc"))
		tcase_add_loop_test(tcase, agrees_with_runc, 0, count);
	if (SUPPORT_HAVE("agrees_with_crun", "root", "crun"))
		tcase_add_loop_test(tcase, agrees_with_crun, 0, count);
	tcase = add_case(suite, "entering");
	if (SUPPORT_HAVE("we_enter_what_others_started", "root", "runc"))
		tcase_add_loop_test(tcase, we_enter_what_others_started, 0, 1);
	if (SUPPORT_HAVE("we_enter_what_others_started", "root", "crun"))
		tcase_add_loop_test(tcase, we_enter_what_others_started, 1, 2);
	if (SUPPORT_HAVE(
		    "others_enter_what_lesson08_started", "root", "nsenter"))
		tcase_add_test(tcase, others_enter_what_lesson08_started);
	tcase = add_case(suite, "schema");
	if (SUPPORT_HAVE("spec_is_valid", "jsonschema", "schema"))
		tcase_add_loop_test(tcase, spec_is_valid, 0, 2);
	if (SUPPORT_HAVE("state_is_valid", "root", "jsonschema", "schema"))
		tcase_add_test(tcase, state_is_valid);
	tcase = add_case(suite, "article");
	if (SUPPORT_HAVE("article_is_walked", "root"))
		tcase_add_loop_test(tcase, article_is_walked, 0, 1);
	if (SUPPORT_HAVE("article_is_walked with runc", "root", "runc",
		    "forkstat", "lsns", "ps"))
		tcase_add_loop_test(tcase, article_is_walked, 1, 2);
	return suite;
}
