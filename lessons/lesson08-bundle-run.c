/* lesson08 bundle-run: What does config.json ask for, and who obeys?
 *
 * Try:   sudo ./lesson08          sudo ./lesson08 run -b bundle mycontainer
 * See:   Line by line, config.json asks; the kernel, asked from inside and
 *        from outside, says that it is so.
 * Why:   config.json is a list of wishes: namespaces, mounts, a user, limits.
 *        A runtime turns them into system calls, in the right order: each
 *        call still needs rights that a later one gives up.
 * Break: In bundle/config.json, take "network" out of linux.namespaces: the
 *        container has the host's network, and nothing else changes.
 * Shell: sudo runc run -b bundle mycontainer
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "bundle.h"
#include "caps.h"
#include "cgroup.h"
#include "child.h"
#include "columns.h"
#include "container.h"
#include "die.h"
#include "display.h"
#include "hooks.h"
#include "identity.h"
#include "monitor.h"
#include "mountopts.h"
#include "need.h"
#include "ns.h"
#include "options.h"
#include "pidfile.h"
#include "proc.h"
#include "report.h"
#include "scan.h"
#include "sealed.h"
#include "spec.h"
#include "state.h"
#include "user.h"

static const char *bundle_dir, *root, *pid_file;
static bool detach, ignore, rootless, quiet, spec, list;

static const struct option_entry own_options[] = {
	{'b', "bundle", "DIR", "the bundle (for spec: where to write)", NULL,
		&bundle_dir},
	{'d', "detach", NULL, "run: do not wait for the container", &detach,
		NULL},
	{0, "pid-file", "FILE", "run: write the PID of its init", NULL,
		&pid_file},
	{0, "ignore-unsupported", NULL, "run without what we do not have",
		&ignore, NULL},
	{0, "rootless", NULL, "spec: for a user without privilege", &rootless,
		NULL},
	{0, "root", "DIR", "where the states are kept", NULL, &root},
	{'q', "quiet", NULL, "list: the names alone", &quiet, NULL},
	{0, "spec", NULL, "the same as the verb spec", &spec, NULL},
	{0, "list", NULL, "the same as the verb list", &list, NULL},
	{0, NULL, NULL, NULL, NULL, NULL},
};

static const struct lesson lesson = {
	.number = "lesson08",
	.name = "bundle-run",
	.question = "What does config.json ask for, and who obeys?",
	.operands = "[run NAME | list | spec]",
	.tool = "run a bundle as the container NAME, list containers, or"
		" write a\nconfig.json",
	.steps = 5,
	.own = own_options,
	.verb = true,
};

/* --- run ------------------------------------------------------------------ */

/* Nothing that protects is dropped in silence. */
static void
refuse_unsupported(const struct bundle *bundle)
{
	char **what = bundle->unsupported;

	if (*what == NULL)
		return;
	fprintf(stderr, "%s: config.json asks for what this runtime has not:\n",
		lesson.number);
	for (; *what != NULL; what++) {
		char *clean = display_clean(*what);

		fprintf(stderr, "  %s\n", clean);
		free(clean);
	}
	if (!ignore)
		die_plain(DIE_FAILED,
			"not started (--ignore-unsupported runs it without)");
}

static int
say_no_plan(const struct cgroup *cgroup, const char *path)
{
	if (cgroup->fault == NULL)
		return die_say("read /proc/self/cgroup");
	if (errno == EEXIST)
		return die_say_plain("cgroup of the container: %s is there,"
				     " and somebody is in it",
			cgroup->fault);
	return die_say_plain("%s: found `%s`, expected a path that names a"
			     " cgroup below the top",
		cgroup->fault, path);
}

/* The name is ours from here on, and the state says what belongs to it before
 * we make it: so whoever comes after a crash can clean up. */
static int
claim(struct state *state, const char *name, const struct bundle *bundle,
	struct cgroup *cgroup)
{
	char *error;

	if (state_claim(state, root, name, &error) == -1)
		die_plain(DIE_FAILED, "%s", error);
	if (cgroup_plan(cgroup, bundle->cgroups_path, name) == -1)
		return say_no_plan(cgroup, bundle->cgroups_path);
	state->bundle = bundle->dir;
	state->rootfs = bundle->rootfs;
	state->cgroups = cgroup->folders;
	state->process = json_object_get(bundle->config, "process");
	state->annotations = (json_t *)bundle->annotations;
	return state_write(state) == -1 ? die_say("write the state") : 0;
}

static int
make_cgroup(struct cgroup *cgroup, const struct bundle *bundle)
{
	if (cgroup_make(cgroup, &bundle->resources) == -1)
		return die_say("cgroup of the container: %s",
			cgroup->fault == NULL ? "make it" : cgroup->fault);
	for (char **line = cgroup->missing; *line != NULL; line++)
		die_say_plain("not enforced here: %s", *line);
	return 0;
}

/* Now that it has a PID. */
static int
save(struct state *state, pid_t pid)
{
	state->pid = pid;
	if (proc_start_time(pid, &state->start) == -1)
		return die_say("read /proc/%d/stat", pid);
	state->status = STATE_RUNNING;
	return state_write(state) == -1 ? die_say("write the state") : 0;
}

/*
 * The start of a container. container_make makes its process. In the other
 * three container_ functions that process takes its turn, and the runner waits;
 * the rest is done by the runner, from outside. The process is born in its
 * cgroup, or put into it before it does anything: so it cannot get around its
 * limits.
 */
static int
start(struct container *c, struct cgroup *cgroup)
{
	const struct bundle *bundle = c->bundle;
	struct state *state = c->state;

	if (make_cgroup(cgroup, bundle) == -1 || container_make(c) == -1)
		return -1;
	if (cgroup_enter(cgroup->folders, c->pid, c->born) == -1)
		return die_say("write cgroup.procs");
	if (identity_score(c->pid, &bundle->process) == -1 ||
		container_build(c) == -1)
		return -1;
	state->pid = c->pid;
	if (hooks_run(bundle, BUNDLE_PRESTART, state, "creating") == -1 ||
		hooks_run(bundle, BUNDLE_CREATE_RUNTIME, state, "creating") ==
			-1 ||
		container_pivot(c) == -1 || save(state, c->pid) == -1 ||
		container_start(c) == -1 ||
		pidfile_write(pid_file, c->pid) == -1)
		return -1;
	hooks_run(bundle, BUNDLE_POSTSTART, state, "running");
	return 0;
}

/* As much as can be done is done. Returns -1 when something is left. */
static int
clean_up(const struct bundle *bundle, struct state *state,
	const struct cgroup *cgroup)
{
	int done = 0;

	if (cgroup_remove(cgroup->folders) == -1)
		done = die_say("rmdir of the container's cgroup");
	hooks_run(bundle, BUNDLE_POSTSTOP, state, "stopped");
	if (state_remove(state) == -1)
		done = die_say("remove the state");
	return done;
}

/* From the start to the end, or, detached, to the start alone. */
static int
run_claimed(struct container *c, struct cgroup *cgroup)
{
	if (start(c, cgroup) == 0) {
		if (!detach)
			return container_follow(c);
		if (state_release(c->state) == 0)
			return 0;
		die_say("write the state");
	}
	int code = container_reap(c);
	return code == 0 ? DIE_FAILED : code;
}

/* From the folder that is named, or the one we are in. The state will name it
 * in JSON, which is UTF-8. */
static struct bundle
load(void)
{
	struct bundle bundle = box_load(bundle_dir);
	json_t *dir = json_string(bundle.dir);
	json_t *rootfs = json_string(bundle.rootfs);

	if (dir == NULL || rootfs == NULL)
		die_plain(DIE_FAILED,
			"%s: the path of a bundle must be valid UTF-8",
			dir == NULL ? bundle.dir : bundle.rootfs);
	json_decref(dir);
	json_decref(rootfs);
	return bundle;
}

/* A user namespace of our own has one group: a terminal cannot be given to
 * another. */
static void
drop_group(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->mount_count; i++) {
		const struct bundle_mount *m = &bundle->mounts[i];

		if (m->type != NULL && strcmp(m->type, "devpts") == 0)
			mountopts_drop(m->options, "gid=");
	}
	report_note("not done: the option gid= of devpts");
}

static int
run(const char *name, char **argv)
{
	struct bundle bundle;
	struct state state;
	struct cgroup cgroup;
	struct container c = {.bundle = &bundle,
		.state = &state,
		.detach = detach,
		.pid = -1,
		.sync = -1};

	if (!state_is_name(name))
		options_wrong(&lesson, STATE_NO_NAME, name);
	if (bundle_dir != NULL && bundle_dir[0] == '\0')
		options_wrong(&lesson, "--bundle: found ``, expected a folder");
	bundle = load();
	if (container_needs_seal(&bundle))
		sealed_begin(argv);
	if (detach && bundle.process.terminal)
		options_wrong(&lesson,
			"--detach: process.terminal wants a terminal, and"
			" nobody would be there");
	refuse_unsupported(&bundle);
	pidfile_check(pid_file);
	if (!container_has_user_namespace(&bundle) &&
		!caps_have(CAP_SYS_ADMIN)) {
		need_privilege();
		drop_group(&bundle);
	}
	child_follow_begin();
	int code = claim(&state, name, &bundle, &cgroup) == -1
			   ? DIE_FAILED
			   : run_claimed(&c, &cgroup);
	if ((!detach || code != 0) &&
		clean_up(&bundle, &state, &cgroup) == -1 && code == 0)
		code = DIE_FAILED;
	bundle_free(&bundle);
	cgroup_free(&cgroup);
	state_free(&state);
	return code;
}

/* --- list and spec -------------------------------------------------------- */

struct row {
	struct state state;
};

static struct cell
text_cell(const char *text)
{
	struct cell cell = {.kind = CELL_TEXT, .text = strdup(text)};

	if (cell.text == NULL)
		die("malloc");
	return cell;
}

static struct cell
get_id(const struct row *row)
{
	return text_cell(row->state.name);
}

static struct cell
get_pid(const struct row *row)
{
	return (struct cell){.kind = CELL_NUMBER, .number = row->state.pid};
}

static struct cell
get_status(const struct row *row)
{
	return text_cell(state_words[row->state.status]);
}

static struct cell
get_bundle(const struct row *row)
{
	return text_cell(row->state.bundle);
}

static struct cell
get_created(const struct row *row)
{
	return text_cell(row->state.created);
}

static struct cell
get_owner(const struct row *row)
{
	return (struct cell){
		.kind = CELL_TEXT, .text = user_name(row->state.owner)};
}

/* Those of runc list. */
static const struct column list_columns[] = {
	{"ID", "its name", false, true, get_id},
	{"PID", "its init, 0 before it is there", true, false, get_pid},
	{"STATUS", "as the OCI specification calls it", false, false,
		get_status},
	{"BUNDLE", "its folder", false, true, get_bundle},
	{"CREATED", "UTC", false, false, get_created},
	{"OWNER", "who has started it", false, false, get_owner},
	{NULL, NULL, false, false, NULL},
};

static void
print_table(const struct row *table, int count)
{
	const struct row **rows = // an array of pointers: NOLINTNEXTLINE
		calloc(count + 1, sizeof(*rows));
	struct columns columns;
	int width, lines;

	if (rows == NULL)
		die("malloc");
	for (int i = 0; i < count; i++)
		rows[i] = &table[i];
	free(columns_choose(&columns, list_columns,
		quiet ? "ID" : "ID,PID,STATUS,BUNDLE,CREATED,OWNER"));
	monitor_size(&width, &lines);
	columns_text(stdout, &columns, (struct rows){rows, count}, !quiet,
		quiet ? 0 : width);
	if (fflush(stdout) == EOF)
		die("write standard output");
	free(rows);
}

static void
print_document(const struct row *table, int count)
{
	json_t *all = json_array();

	for (int i = 0; i < count; i++)
		if (json_array_append_new(all, state_json(&table[i].state)) ==
			-1)
			die("malloc");
	report_document(all);
}

static int
list_containers(void)
{
	struct state *states;
	char *error;
	int count = state_each(root, &states, &error);

	if (count == -1)
		die_plain(DIE_FAILED, "%s", error);
	struct row *table = calloc(count + 1, sizeof(*table));
	if (table == NULL)
		die("malloc");
	for (int i = 0; i < count; i++)
		table[i].state = states[i];
	if (options.json)
		print_document(table, count);
	else
		print_table(table, count);
	for (int i = 0; i < count; i++)
		state_free(&states[i]);
	free(states);
	free(table);
	return 0;
}

static int
write_spec(void)
{
	char *error;

	if (spec_write(bundle_dir == NULL ? "." : bundle_dir, rootless,
		    &error) == -1)
		die_plain(DIE_FAILED, "%s", error);
	return 0;
}

static int
tool(char **operands, int count, char **argv)
{
	static const struct option_verb belong[] = {{"detach", "run"},
		{"pid-file", "run"}, {"ignore-unsupported", "run"},
		{"rootless", "spec"}, {"quiet", "list"}, {NULL, NULL}};
	static const struct option_usage usages[] = {{"run", 1, 1, "run NAME"},
		{"list", 0, 0, "list"}, {"spec", 0, 0, "spec"},
		{NULL, 0, 0, NULL}};
	const char *verb = spec ? "spec" : list ? "list" : operands[0];

	options_tool(&lesson, strcmp(verb, "list") == 0);
	options_only(&lesson, verb, belong);
	if ((spec || list) && (count > 0 || (spec && list)))
		options_wrong(&lesson, "--%s stands alone", verb);
	if (!spec && !list)
		options_verb(&lesson, usages, operands, count);
	return strcmp(verb, "spec") == 0   ? write_spec()
	       : strcmp(verb, "list") == 0 ? list_containers()
					   : run(operands[1], argv);
}

/* --- the demonstration ---------------------------------------------------- */

/* What config.json asks for is read from the bundle; what became of it, from
 * the kernel and from the container's shell. */
struct walk {
	const struct bundle *bundle;
	struct box box;
};

/* The bundle beside the program, whoever we are. It asks for a terminal, and
 * here are pipes. */
static struct bundle
load_ours(const char *dir)
{
	const struct ns_type *user = &ns_types[ns_type_of(CLONE_NEWUSER)];
	struct bundle bundle = box_load(dir);

	bundle.process.terminal = false;
	/* In a user namespace of its own it may make the others. */
	if (container_has_user_namespace(&bundle)) {
		need_user_namespace();
		return bundle;
	}
	need_privilege();
	if (ns_look(NS_SELF, user->name).ino != user->first)
		drop_group(&bundle);
	need_namespaces(bundle.namespaces);
	return bundle;
}

/* The names in a folder on one line, as `echo $(ls)` prints them. */
static void
print_names(const char *path, FILE *out)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);
	const char *blank = "";

	if (count == -1)
		die("scandir %s", path);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			fprintf(out, "%s%s", blank, names[i]->d_name);
			blank = " ";
		}
		free(names[i]);
	}
	free(names);
	fputc('\n', out);
}

/* A01: two levels of the bundle, and the second seen from inside. */
static void
two_levels(struct walk *walk, const char *dir)
{
	char *inside = box_ask(&walk->box, "echo $(ls /)"), *outside;
	size_t size;
	FILE *out = open_memstream(&outside, &size);
	struct stat st;
	char *file;

	if (out == NULL || asprintf(&file, "%s/config.json", dir) == -1)
		die("malloc");
	print_names(walk->bundle->rootfs, out);
	if (fclose(out) == EOF)
		die("malloc");
	if (stat(file, &st) == -1)
		die("stat %s", file);
	report_step("A01", "A bundle: how to run it, and what to run it on.");
	report_host("bundle");
	report_host("|-- config.json");
	report_host("`-- rootfs");
	report_host("    %s", outside);
	report_host("container# ls /");
	report_host("    %s", inside);
	report_equal(1, S_ISREG(st.st_mode), "config.json is a file (1: yes)");
	report_equal(0, strcmp(inside, outside),
		"rootfs, and / inside: differences");
	report_explain("config.md, \"Root\"; pivot_root(2)");
	free(file);
	free(outside);
	free(inside);
}

/* A02, A12: each type that config.json names is new, the others are ours. */
static void
asked_namespaces(const struct walk *walk)
{
	const struct bundle *bundle = walk->bundle;

	report_step("A02 A12", "linux.namespaces: those named are new.");
	report_ask("clone3(a CLONE_NEW flag for each)");
	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		if (!ns_exists(type)) {
			report_skip(type->name, "this kernel has none");
			continue;
		}
		struct ns_id ours = ns_look(NS_SELF, type->name);
		struct ns_id its = ns_look(walk->box.pid, type->name);

		if ((bundle->namespaces & type->flag) != 0)
			report_other(ours, its, "%s: asked for, and new",
				type->name);
		else
			report_same(ours, its, "%s: not asked for: ours",
				type->name);
	}
	report_explain("clone(2), namespaces(7)");
}

/* A capability set of the shell's commands, as /proc has it. */
static uint64_t
capabilities(struct box *box, const char *name)
{
	char *line =
		box_ask(box, "sed -n 's/^%s:\\t//p' /proc/self/status", name);
	uint64_t set = strtoull(line, NULL, 16);

	free(line);
	return set;
}

/* Without the zeros in front of it. */
static void
check_capabilities(uint64_t expected, uint64_t found, const char *claim)
{
	char texts[2][17];

	snprintf(texts[0], sizeof(texts[0]), "%jx", (uintmax_t)expected);
	snprintf(texts[1], sizeof(texts[1]), "%jx", (uintmax_t)found);
	report_text(texts[0], texts[1], "capabilities.%s", claim);
}

/* Nobody can be given what the runner has not. */
static void
asked_capabilities(struct walk *walk)
{
	const struct bundle_caps *caps = &walk->bundle->process.caps;
	struct box *box = &walk->box;
	/* Its user namespace gives it all, ours what we have. */
	uint64_t all = container_has_user_namespace(walk->bundle)
			       ? UINT64_MAX
			       : caps_permitted();

	check_capabilities(caps->effective & all, capabilities(box, "CapEff"),
		"effective, a bit each, hex");
	check_capabilities(caps->inheritable & all, capabilities(box, "CapInh"),
		"inheritable");
	check_capabilities(
		caps->ambient & caps->inheritable & caps->permitted & all,
		capabilities(box, "CapAmb"), "ambient, if inheritable, too");
}

static void
check_answer(struct box *box, const char *command, const char *expected,
	const char *claim)
{
	char *answer = box_ask(box, "%s", command);

	answer[strcspn(answer, "\n")] = '\0';
	report_text(expected, answer, "%s", claim);
	free(answer);
}

/* process: who it is, and what it may. */
static void
asked_process(struct walk *walk)
{
	const struct bundle_process *process = &walk->bundle->process;
	struct box *box = &walk->box;

	report_step("A02", "process: who the command is, and what it may.");
	report_ask("prlimit: its limits; setresuid: its user; sethostname");
	report_ask("prctl(PR_CAPBSET_DROP), capset: what it may do as root");
	report_host("config.json, process.args: %s", process->args[0]);
	report_container("container# cat /proc/1/comm; id");
	char *answer = box_ask(box, "cat /proc/1/comm; id");
	report_container("%s", answer);
	free(answer);
	report_equal(process->uid, box_ask_number(box, "id -u"), "user.uid");
	check_answer(box, "pwd", process->cwd, "cwd");
	for (size_t i = 0; i < process->rlimit_count; i++) {
		struct rlimit found;

		if (prlimit(box->pid, process->rlimits[i].resource, NULL,
			    &found) == -1)
			die("prlimit %d", box->pid);
		report_equal((long long)process->rlimits[i].limit.rlim_cur,
			(long long)found.rlim_cur, "%s",
			process->rlimits[i].name);
	}
	asked_capabilities(walk);
	report_equal(process->no_new_privileges,
		box_ask_number(box, "sed -n 's/^NoNewPrivs:\\t//p'"
				    " /proc/self/status"),
		"noNewPrivileges (1: yes)");
	if (walk->bundle->hostname != NULL)
		check_answer(
			box, "hostname", walk->bundle->hostname, "hostname");
	report_explain("getrlimit(2), credentials(7), capabilities(7)");
}

/* How many of the paths give a line of output to a command in the container;
 * one that is not there gives none. */
static int
count_paths(struct box *box, char **paths, const char *command)
{
	int count = 0;

	for (; *paths != NULL; paths++) {
		char *answer = box_ask(box, command, *paths);

		count += display_lines(answer);
		free(answer);
	}
	return count;
}

/* Not every kernel has each of the paths. */
static void
asked_masks(struct walk *walk)
{
	static const char there[] = "[ ! -e %1$s ] || echo";
	static const char empty[] =
		"[ ! -e %1$s ] || [ $({ ls -A %1$s | grep -v ^/;"
		" [ ! -f %1$s ] || head -c 1 %1$s; } | wc -c) != 0 ] || echo";
	static const char mounted_ro[] =
		"[ ! -e %1$s ] || ! cut -d' ' -f5,6 /proc/self/mountinfo |"
		" grep -q '^%1$s ro' || echo";
	const struct bundle *bundle = walk->bundle;
	struct box *box = &walk->box;

	report_equal(count_paths(box, bundle->masked_paths, there),
		count_paths(box, bundle->masked_paths, empty),
		"maskedPaths that exist: they are empty");
	report_equal(count_paths(box, bundle->readonly_paths, there),
		count_paths(box, bundle->readonly_paths, mounted_ro),
		"readonlyPaths that exist: mounted \"ro\"");
}

/* The first folder with something in it on the host, and nothing inside. */
static void
show_mask(struct walk *walk)
{
	for (char **path = walk->bundle->masked_paths; *path != NULL; path++) {
		DIR *dir = opendir(*path);
		int names = 0;

		while (dir != NULL && readdir(dir) != NULL)
			names++;
		if (dir != NULL)
			closedir(dir);
		/* Two are those of the folder itself and of that above. */
		if (names <= 2)
			continue;
		report_container("host# ls %s | wc -l", *path);
		report_container("%d", names - 2);
		report_container("container# ls %s | wc -l", *path);
		char *answer = box_ask(&walk->box, "ls %s | wc -l", *path);
		report_container("%s", answer);
		free(answer);
		return;
	}
}

/* mounts, root, masks: what it sees of files. */
static void
asked_files(struct walk *walk)
{
	const struct bundle *bundle = walk->bundle;
	struct box *box = &walk->box;
	int there = 0;

	report_step("A02", "mounts, root, masks: what it sees and may change.");
	report_ask("mount: each of mounts; pivot_root: the rootfs becomes /;"
		   " mount_setattr: ro");
	report_host("config.json, mounts:");
	for (size_t i = 0; i < bundle->mount_count; i++) {
		const struct bundle_mount *m = &bundle->mounts[i];

		report_host("%-16s %s", m->destination, m->type);
		there += (int)box_ask_number(box,
			"cut -d' ' -f5 /proc/self/mountinfo |"
			" grep -x %s | sort -u | wc -l",
			m->destination);
	}
	report_container("container# touch /new");
	char *refused = box_ask(box, "touch /new");
	report_container("%s", refused);
	free(refused);
	show_mask(walk);
	report_equal(
		(long long)bundle->mount_count, there, "mounts that are there");
	report_equal(bundle->readonly,
		box_ask_number(box, "touch /new 2>/dev/null; echo $?"),
		"root.readonly: exit code of touch");
	asked_masks(walk);
	report_equal(6,
		box_ask_number(box,
			"ls -l /dev/null /dev/zero /dev/full /dev/random"
			" /dev/urandom /dev/tty | grep -c ^c"),
		"devices that every container has");
	report_explain("mount(2), pivot_root(2), mount_setattr(2)");
}

/* A15: nobody else. */
static void
one_process(struct walk *walk)
{
	pid_t pids[PROC_LEVELS];
	int levels = proc_nspids(walk->box.pid, pids);
	ino_t space = ns_look(walk->box.pid, "pid").ino;
	struct scan scan;

	if (levels == -1 || scan_take(&scan, false) == -1)
		die("read /proc");
	int index = scan_find_space(&scan, space);
	report_step("A15", "What runs: its init, and nobody else.");
	report_host("PID outside/inside, in pid:[%lu]", space);
	report_host("%d/%d", pids[0], pids[levels - 1]);
	report_equal(1, index == SCAN_NONE ? 0 : scan.spaces[index].processes,
		"processes in its PID namespace");
	report_equal(1, pids[levels - 1], "its PID inside");
	report_explain("proc(5): /proc/PID/status; pid_namespaces(7)");
	scan_free(&scan);
}

int
main(int argc, char **argv)
{
	int first = options_parse(&lesson, argc, argv);

	need_proc();
	if (first < argc || spec || list)
		return tool(argv + first, argc - first, argv);
	options_need_verb(&lesson);
	sealed_begin(argv);
	char *dir = need_bundle();
	struct bundle bundle = load_ours(dir);
	struct walk walk = {.bundle = &bundle};
	report_begin(&lesson);

	box_obey(&walk.box, &bundle);
	two_levels(&walk, dir);
	asked_namespaces(&walk);
	asked_process(&walk);
	asked_files(&walk);
	one_process(&walk);
	report_hold(walk.box.pid);

	box_stop(&walk.box);
	bundle_free(&bundle);
	free(dir);
	return report_end();
}
