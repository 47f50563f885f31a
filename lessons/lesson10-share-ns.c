/* lesson10 share-ns: Must a container have new namespaces?
 *
 * Try:   sudo ./lesson10          sudo ./lesson10 --share net=PID ip addr
 * See:   Two containers in one PID namespace see, reap and signal each other,
 *        and end together. Two in one network namespace reach each other as
 *        127.0.0.1, as those of a pod do.
 * Why:   linux.namespaces takes a path: then the type is joined (setns), not
 *        made. A type that it does not name stays that of the runtime.
 * Break: In reap, take out the line in which the first waits: the zombie stays
 *        until the first ends, and nobody in the second can help it.
 * Shell: sudo nsenter -t PID -n unshare -pf --mount-proc sh
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "bundle.h"
#include "child.h"
#include "container.h"
#include "die.h"
#include "display.h"
#include "mountopts.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "proc.h"
#include "report.h"
#include "sealed.h"
#include "state.h"

static const char *bundle_dir, *last_share;

static const struct option_entry own_options[] = {
	{0, "share", "TYPE=WHAT",
		"TYPE is that of a PID, a path, or `host`; may be repeated",
		NULL, &last_share},
	{'b', "bundle", "DIR", "the bundle to run (ours if not given)", NULL,
		&bundle_dir},
	{0, NULL, NULL, NULL, NULL, NULL},
};

static const struct lesson lesson = {
	.number = "lesson10",
	.name = "share-ns",
	.question = "Must a container have new namespaces?",
	.operands = "[--share TYPE=WHAT... [COMMAND [ARGUMENT...]]]",
	.tool = "run COMMAND (or what config.json says) in the bundle, with"
		" the\nnamespaces that config.json asks for, except the types"
		" that\n--share names",
	.steps = 6,
	.own = own_options,
};

/* --- what config.json says, and what we change in it ---------------------- */

/* That of --bundle, or the one beside the program. */
static struct bundle
load(void)
{
	char *ours = bundle_dir == NULL ? need_bundle() : NULL;
	struct bundle bundle = box_load(ours == NULL ? bundle_dir : ours);

	free(ours);
	return bundle;
}

static bool
has_own(const struct bundle *bundle, int flag)
{
	return (bundle->namespaces & flag) != 0 ||
	       bundle->joined[ns_type_of(flag)] != NULL;
}

/*
 * In the user namespace of an ordinary user there is no group 5 for a devpts.
 * And a file system that shows a namespace can be mounted only by who owns the
 * namespace: where the container has that of the host, what the host has
 * mounted there must do. `runc spec --rootless` writes such a config.json.
 * Returns mounts to be freed; what they point to is the bundle's.
 */
static struct bundle_mount *
suited_mounts(const struct bundle *bundle)
{
	static char *bound[] = {
		"rbind", "nosuid", "noexec", "nodev", "ro", NULL};
	const int user = ns_type_of(CLONE_NEWUSER);
	bool is_user = bundle->joined[user] != NULL ||
		       ns_look(NS_SELF, "user").ino != ns_types[user].first;
	struct bundle_mount *mounts =
		calloc(bundle->mount_count + 1, sizeof(*mounts));

	if (mounts == NULL)
		die("malloc");
	for (size_t i = 0; i < bundle->mount_count; i++) {
		struct bundle_mount *m = &mounts[i];

		*m = bundle->mounts[i];
		if (!is_user || m->type == NULL)
			continue;
		if (strcmp(m->type, "devpts") == 0)
			mountopts_drop(m->options, "gid=");
		if ((strcmp(m->type, "proc") == 0 &&
			    !has_own(bundle, CLONE_NEWPID)) ||
			(strcmp(m->type, "sysfs") == 0 &&
				!has_own(bundle, CLONE_NEWNET)) ||
			(strcmp(m->type, "mqueue") == 0 &&
				!has_own(bundle, CLONE_NEWIPC))) {
			m->source = m->destination;
			m->options = bound;
		}
	}
	return mounts;
}

/* --- the tool ------------------------------------------------------------- */

/* The place in ns_types of a name as in /proc/PID/ns, or as in config.json. */
static int
find_type(const char *name)
{
	int type = 0;

	if (strcmp(name, "mount") == 0)
		name = "mnt";
	if (strcmp(name, "network") == 0)
		name = "net";
	while (type < NS_TYPES && strcmp(name, ns_types[type].name) != 0)
		type++;
	return type;
}

/* Do what config.json could have said: a type with a path, or no such type. */
static void
share(struct bundle *bundle, const char *text)
{
	size_t length = strcspn(text, "=");
	char *name = strndup(text, length);

	if (name == NULL)
		die("malloc");
	int type = find_type(name);
	free(name);
	if (type == NS_TYPES || text[length] == '\0' ||
		text[length + 1] == '\0')
		options_wrong(&lesson,
			"--share: found `%s`, expected TYPE=PID, TYPE=PATH or"
			" TYPE=host; TYPE is cgroup, ipc, mnt, net, pid, time,"
			" user or uts",
			text);
	const char *what = text + length + 1;
	char *path = NULL;
	if (what[strspn(what, "0123456789")] == '\0')
		path = ns_path(options_pid(&lesson, what), ns_types[type].name);
	else if (strcmp(what, "host") != 0 && strchr(what, '/') == NULL)
		options_wrong(&lesson,
			"--share: found `%s`, expected a PID, a path with / in"
			" it, or host",
			what);
	else if (strcmp(what, "host") != 0 && asprintf(&path, "%s", what) == -1)
		die("malloc");
	bundle->namespaces &= ~ns_types[type].flag;
	free(bundle->joined[type]);
	bundle->joined[type] = path;
}

/* A machine's name belongs to its UTS namespace: who shares one does not
 * rename it for the others. */
static void
keep_name(struct bundle *bundle)
{
	if ((bundle->namespaces & CLONE_NEWUTS) != 0)
		return;
	free(bundle->hostname);
	free(bundle->domainname);
	bundle->hostname = bundle->domainname = NULL;
}

/* Nothing that protects is dropped in silence. */
static void
say_undone(const struct bundle *bundle)
{
	const json_t *linux_part = json_object_get(bundle->config, "linux");

	if (bundle->unsupported[0] != NULL)
		die_plain(DIE_FAILED,
			"config.json asks for what this runtime has not: %s",
			bundle->unsupported[0]);
	if ((bundle->namespaces & CLONE_NEWNS) == 0)
		report_note("no mount namespace of its own: root and mounts of"
			    " config.json are left out");
	if (json_object_get(linux_part, "resources") != NULL)
		report_note("linux.resources: lesson08 obeys it, %s does not",
			lesson.number);
	if (json_object_get(linux_part, "sysctl") != NULL)
		report_note("linux.sysctl: lesson08 obeys it, %s does not",
			lesson.number);
	if (json_object_get(bundle->config, "hooks") != NULL)
		report_note("hooks: lesson08 obeys them, %s does not",
			lesson.number);
}

static int
run(struct bundle bundle, char **command)
{
	struct state nobody = {.lock = -1};
	struct container c = {.bundle = &bundle, .state = &nobody};
	int code;

	bundle.mounts = suited_mounts(&bundle);
	if (command[0] != NULL)
		bundle.process.args = command;
	/* So that a shell script can read what the command prints. */
	if (!isatty(STDIN_FILENO))
		bundle.process.terminal = false;
	memset(bundle.hook_count, 0, sizeof(bundle.hook_count));
	/* They would change what is shared. */
	bundle.sysctl_count = 0;
	child_follow_begin();
	if (container_stages(&c) == 0) {
		code = container_follow(&c);
	} else {
		code = container_reap(&c);
		code = code == 0 ? DIE_FAILED : code;
	}
	free(bundle.mounts);
	return code;
}

static int
tool(char **command)
{
	options_tool(&lesson, false);
	const char **shares = options_all("share");
	struct bundle bundle = load();

	for (int i = 0; shares[i] != NULL; i++)
		share(&bundle, shares[i]);
	keep_name(&bundle);
	say_undone(&bundle);
	/* The right to make or join comes from a user namespace: the one that
	 * the container will have, or one of our own. */
	if (!container_has_user_namespace(&bundle))
		need_privilege();
	int code = run(bundle, command);
	bundle_free(&bundle);
	free(shares);
	return code;
}

/* --- the demonstration ---------------------------------------------------- */

/* Two containers, and how config.json has them. */
struct walk {
	const struct bundle *bundle;
	struct box first, second;
};

/* bundle: a copy of our own, which is changed. */
static void
start_box(struct box *box, struct bundle *bundle)
{
	bundle->mounts = suited_mounts(bundle);
	box_obey(box, bundle);
	free(bundle->mounts);
}

/* All its namespaces are new, as config.json asks. */
static void
start_alone(struct box *box, const struct bundle *bundle, char *name)
{
	struct bundle own = *bundle;

	own.hostname = name;
	start_box(box, &own);
}

/* All but one are new. As if config.json had said, in linux.namespaces:
 *	{"type": "pid", "path": "/proc/33052/ns/pid"} */
static void
share_with(const struct box *other, int flag, struct box *box,
	const struct bundle *bundle, char *name)
{
	const int type = ns_type_of(flag);
	struct bundle own = *bundle;

	own.hostname = name;
	own.namespaces &= ~flag;
	own.joined[type] = ns_path(other->pid, ns_types[type].name);
	start_box(box, &own);
	free(own.joined[type]);
}

/* Of these types, which does a process share with a container? Of those that
 * were made new for it none, of the others all. */
static void
compare(pid_t with, const struct box *box, int new, int types)
{
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		if ((types & type->flag) == 0)
			continue;
		if (!ns_exists(type)) {
			report_skip(type->name, "this kernel has none");
			continue;
		}
		struct ns_id its = ns_look(box->pid, type->name);
		if ((new & type->flag) != 0)
			report_other(ns_look(with, type->name), its,
				"%s: its own", type->name);
		else
			report_same(ns_look(with, type->name), its,
				"%s: shared", type->name);
	}
}

static void
joined(const struct walk *walk)
{
	report_step(
		"A23 A12", "A container that joins another's PID namespace.");
	report_ask("open(path); setns(fd, CLONE_NEWPID): for our next child;"
		   " clone3(the others)");
	report_host("config.json of the second, linux.namespaces:");
	report_host("    {\"type\": \"pid\", \"path\": \"/proc/%d/ns/pid\"}",
		walk->first.pid);
	compare(walk->first.pid, &walk->second,
		walk->bundle->namespaces & ~CLONE_NEWPID, ~0);
	report_explain("config-linux.md, \"Namespaces\"; setns(2)");
}

static pid_t
inner_pid(pid_t pid)
{
	pid_t pids[PROC_LEVELS];
	int levels = proc_nspids(pid, pids);

	if (levels == -1)
		die("read /proc/%d/status", pid);
	return pids[levels - 1];
}

/* A PID and a start time together name one process for ever. */
static void
same_first_process(struct walk *walk)
{
	unsigned long long outside, inside;
	char *stat = box_ask(&walk->second, "cat /proc/1/stat");

	if (proc_start_time(walk->first.pid, &outside) == -1 ||
		proc_parse_start_time(stat, &inside) == -1)
		die("read the start time of PID 1");
	report_equal((long long)outside, (long long)inside,
		"PID 1 in both /proc: one start time");
	free(stat);
}

static void
see_each_other(struct walk *walk)
{
	static const char list[] = "echo /proc/[0-9]*";
	char *left = box_ask(&walk->first, "/bin/ps");
	char *right = box_ask(&walk->second, "/bin/ps");
	char *one = box_ask(&walk->first, list);
	char *two = box_ask(&walk->second, list);

	report_step("A16 A20", "Each sees the processes of both: one PID 1.");
	report_host("first# /bin/ps");
	report_host("%s", left);
	report_container("second# /bin/ps");
	report_container("%s", right);
	report_equal(1, box_ask_number(&walk->first, "echo $$"),
		"echo $$ in the first");
	report_equal(inner_pid(walk->second.pid),
		box_ask_number(&walk->second, "echo $$"),
		"echo $$ in the second, as in NSpid");
	same_first_process(walk);
	report_equal(0, strcmp(one, two),
		"numbers in the /proc of both: differences");
	report_equal(3, display_lines(left) - 1,
		"processes that ps lists: sh, sh, ps");
	report_hold(walk->second.pid);
	free(left);
	free(right);
	free(one);
	free(two);
}

/* Somebody in the second container has a child, and ends before it. Returns
 * the child's PID. */
static pid_t
make_orphan(struct walk *walk)
{
	pid_t inner = (pid_t)box_ask_number(
		&walk->second, "sh -c 'sleep 1000 >/dev/null & echo $!'");
	pid_t pid = proc_outside(walk->first.pid, inner);

	if (pid == 0)
		die_plain(DIE_FAILED, "the orphan %d is not there", inner);
	return pid;
}

static long long
parent_of(pid_t pid)
{
	char *parent = proc_status(pid, "PPid");

	if (parent == NULL)
		die("read /proc/%d/status", pid);
	long long number = strtoll(parent, NULL, 10);
	free(parent);
	return number;
}

/* Kill it by its PID inside, and wait until it has ended. Its parent has not
 * yet waited for it. */
static void
kill_inside(struct box *box, pid_t pid)
{
	struct pollfd end = {.events = POLLIN};

	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (end.fd == -1)
		die("pidfd_open %d", pid);
	free(box_ask(box, "kill %d", inner_pid(pid)));
	if (poll(&end, 1, 10000) != 1)
		die_plain(DIE_FAILED, "%d does not end", pid);
	close(end.fd);
}

/* Who waits for a child hears of all that have ended, and so of the orphan,
 * too. A subshell makes busybox sh wait. */
static void
reap(struct walk *walk)
{
	pid_t orphan = make_orphan(walk);

	report_step(
		"A16", "A process of the second loses its parent. Who reaps?");
	report_host("host# grep PPid /proc/%d/status", orphan);
	report_host("PPid: %lld", parent_of(orphan));
	report_container("second# sh -c 'sleep 1000 & echo $!'");
	report_container("%d", inner_pid(orphan));
	report_container(
		"second# grep PPid /proc/%d/status", inner_pid(orphan));
	report_container(
		"PPid: %lld", box_ask_number(&walk->second,
				      "sed -n 's/PPid:.//p' /proc/%d/status",
				      inner_pid(orphan)));
	report_same(ns_look(walk->second.pid, "mnt"), ns_look(orphan, "mnt"),
		"it is the second's: mnt");
	report_equal(walk->first.pid, parent_of(orphan),
		"its parent is now PID 1, the first's sh");
	kill_inside(&walk->second, orphan);
	free(box_ask(&walk->second, "(:)"));
	report_equal(1, proc_state(orphan) == 'Z',
		"killed; second waits: a zombie (1: yes)");
	free(box_ask(&walk->first, "(:)"));
	report_equal(
		1, proc_state(orphan) == 0, "first waits: it is gone (1: yes)");
	report_explain("pid_namespaces(7): PID 1 adopts orphans; wait(2)");
}

static void
signal_each_other(struct walk *walk)
{
	report_equal(0,
		box_ask_number(&walk->first, "kill -0 %d; echo $?",
			inner_pid(walk->second.pid)),
		"the first may signal the second: kill -0");
	report_equal(0, box_ask_number(&walk->second, "kill -0 1; echo $?"),
		"the second may signal the first: kill -0");
	report_equal(0, box_ask_number(&walk->second, "kill -9 1; echo $?"),
		"kill -9 1, typed in the second: no error");
	report_equal(1, box_ask_number(&walk->first, "echo $$"),
		"dropped: the first's sh is there, echo $$");
}

/* With PID 1, the kernel kills all others in the PID namespace. PID 1 itself
 * can be waited for when each of them has been: so we wait for the second's sh
 * first. */
static void
end_together(struct walk *walk)
{
	siginfo_t end = {0};

	if (kill(walk->first.pid, SIGKILL) == -1)
		die("kill %d", walk->first.pid);
	if (waitid(P_PID, (id_t)walk->second.pid, &end, WEXITED | WNOWAIT) ==
		-1)
		die("waitid %d", walk->second.pid);
	report_equal(SIGKILL, end.si_code == CLD_KILLED ? end.si_status : 0,
		"PID 1 killed: second's sh ended by signal");
	/* This waits for the second, too: it is our child. */
	box_stop(&walk->first);
	close(walk->second.pidfd);
	talk_close(&walk->second.talk);
}

static void
signals_and_ends(struct walk *walk)
{
	report_step("A23", "Who can signal, and end, whom?");
	report_host("first#  kill -0 %d", inner_pid(walk->second.pid));
	report_host("second# kill -0 1; kill -9 1");
	report_host("second# sh -c 'sleep 1000 &'");
	report_host("host#   kill -9 %-7d # the second's sh; we start another",
		walk->second.pid);
	report_host("host#   kill -9 %-7d # the first's sh, which is PID 1",
		walk->first.pid);
	signal_each_other(walk);
	pid_t orphan = make_orphan(walk);
	box_stop(&walk->second);
	report_equal(walk->first.pid, parent_of(orphan),
		"the second's sh killed: its sleep's parent");
	share_with(&walk->first, CLONE_NEWPID, &walk->second, walk->bundle,
		"second");
	end_together(walk);
	report_equal(
		1, proc_state(orphan) == 0, "and the sleep is gone (1: yes)");
	report_explain("pid_namespaces(7), \"The namespace init process\"");
}

/* A server in the one sends back what it hears, and the other talks to it when
 * it sees its port. It does not see its process. */
static void
pod(struct walk *walk)
{
	static const char talk[] = "echo hello | nc 127.0.0.1 8080";
	struct box *web = &walk->first, *aside = &walk->second;

	start_alone(web, walk->bundle, "web");
	share_with(web, CLONE_NEWNET, aside, walk->bundle, "aside");
	free(box_ask(web, "nc -l -p 8080 -e cat &"));
	free(box_ask(
		aside, "until netstat -ltn | grep -q ':8080 '; do :; done"));
	char *taken = box_ask(aside, "nc -l -p 8080");
	char *answer = box_ask(aside, talk);

	report_step(
		"A23", "As in a pod: two containers, one network namespace.");
	report_ask("setns(fd of /proc/%d/ns/net, CLONE_NEWNET)", web->pid);
	report_host("web# nc -l -p 8080 -e cat &");
	report_container("aside# nc -l -p 8080");
	report_container("%s", taken);
	report_container("aside# %s", talk);
	report_container("%s", answer);
	compare(web->pid, aside, walk->bundle->namespaces & ~CLONE_NEWNET,
		walk->bundle->namespaces | CLONE_NEWNET);
	report_equal(0, strcmp(answer, "hello\n"),
		"what 127.0.0.1:8080 sent back: differences");
	report_equal(1, strstr(taken, "in use") != NULL,
		"the port is taken for aside (1: yes)");
	free(answer);
	free(taken);
	box_stop(aside);
	box_stop(web);
}

/* The names of its network interfaces, a line each. */
static char *
interfaces(void)
{
	char *text = proc_read(NS_SELF, "net/dev"), *names, *rest;
	size_t size;
	FILE *out = open_memstream(&names, &size);

	if (text == NULL)
		die("read /proc/self/net/dev");
	if (out == NULL)
		die("open_memstream");
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		if (strchr(line, ':') != NULL)
			fprintf(out, "%.*s\n", (int)strcspn(line, ":"), line);
	if (fclose(out) == EOF)
		die("malloc");
	free(text);
	return names;
}

/* Nothing names the type: what the runtime has, its child has. */
static void
host_network(const struct bundle *bundle)
{
	struct bundle own = *bundle;
	struct box box;

	own.namespaces &= ~CLONE_NEWNET;
	start_box(&box, &own);
	char *outside = interfaces();
	char *inside = box_ask(&box, "sed -n 's/:.*//p' /proc/net/dev");

	report_step(
		"A23 A12", "A type that config.json does not name: network.");
	report_ask("clone3(the others), without CLONE_NEWNET");
	report_host("host# grep -c : /proc/net/dev");
	report_host("%d", display_lines(outside));
	report_container("container# grep -c : /proc/net/dev");
	report_container("%d", display_lines(inside));
	compare(NS_SELF, &box, own.namespaces,
		bundle->namespaces | CLONE_NEWNET);
	report_equal(0, strcmp(outside, inside),
		"names of the interfaces: differences");
	report_explain("127.0.0.1 in it is the host's, with all that listens.");
	free(outside);
	free(inside);
	box_stop(&box);
}

static int
demonstrate(void)
{
	struct bundle bundle = load();
	struct walk walk = {.bundle = &bundle};

	/* We talk to its shell through pipes. */
	bundle.process.terminal = false;
	need_privilege();
	need_namespaces(bundle.namespaces);
	need_mount_proc();
	report_begin(&lesson);

	start_alone(&walk.first, &bundle, "first");
	share_with(&walk.first, CLONE_NEWPID, &walk.second, &bundle, "second");
	joined(&walk);
	see_each_other(&walk);
	reap(&walk);
	signals_and_ends(&walk);
	pod(&walk);
	host_network(&bundle);

	bundle_free(&bundle);
	return report_end();
}

int
main(int argc, char **argv)
{
	sealed_begin(argv);
	int first = options_parse(&lesson, argc, argv);

	need_proc();
	if (last_share != NULL)
		return tool(argv + first);
	if (first < argc || bundle_dir != NULL)
		options_wrong(&lesson, "nothing is shared: give --share"
				       " TYPE=WHAT (lesson08 runs a bundle)");
	return demonstrate();
}
