#include "family.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "display.h"
#include "rows.h"
#include "tree.h"

/* The children of each namespace and its members as linked lists: one pass
 * over all, however many there are. */
struct family {
	struct look *look;
	struct family_wish wish;
	int roots;	    /* the first namespace that is below no other */
	int *child, *next;  /* of a namespace: its first child, its sister */
	int *member, *then; /* its first process; of a process: the next */
};

/* A list of numbers that are all SCAN_NONE. */
static int *
make_list(int count)
{
	int *list = malloc(((size_t)count + 1) * sizeof(*list));

	if (list == NULL)
		die("malloc");
	for (int i = 0; i < count; i++)
		list[i] = SCAN_NONE;
	return list;
}

/* The type whose members are drawn. */
static int
leaf_type(const struct family *family)
{
	return ns_type_of(family->wish.owner ? CLONE_NEWUSER : CLONE_NEWPID);
}

/* The one above a namespace in the tree; a user namespace is owned by its
 * parent. */
static int
above(const struct family *family, const struct scan_space *space)
{
	if (family->wish.owner && space->type != leaf_type(family))
		return space->owner;
	return space->parent;
}

/* From the last to the first, so each list is in the order of the scan. */
static void
link_all(struct family *family)
{
	const struct scan *scan = &family->look->scan;
	int type = leaf_type(family);

	family->roots = SCAN_NONE;
	family->child = make_list(scan->space_count);
	family->next = make_list(scan->space_count);
	family->member = make_list(scan->space_count);
	family->then = make_list(scan->process_count);
	for (int i = scan->space_count - 1; i >= 0; i--) {
		int parent = above(family, &scan->spaces[i]);
		int *first = parent == SCAN_NONE ? &family->roots
						 : &family->child[parent];

		if (!family->wish.owner && scan->spaces[i].type != type)
			continue;
		family->next[i] = *first;
		*first = i;
	}
	for (int i = scan->process_count - 1; i >= 0; i--) {
		int space = scan->processes[i].space[type];

		if (space == SCAN_NONE)
			continue;
		family->then[i] = family->member[space];
		family->member[space] = i;
	}
}

/* Takes the value. */
static void
set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) == -1)
		die("malloc");
}

static void
append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == -1)
		die("malloc");
}

static void
set_text(json_t *object, const char *name, const char *text)
{
	char *clean = display_clean(text);

	set(object, name, json_string(clean));
	free(clean);
}

static json_t *
process_json(struct family *family, int process)
{
	const struct scan_process *known =
		&family->look->scan.processes[process];
	const struct scan_process *details =
		look_details(family->look, process);
	json_t *object = json_object(), *pids = json_array();

	/* Of one that has ended meanwhile only the outer PID is known. */
	append(pids, json_integer(known->pid));
	for (int i = 1; details != NULL && i < details->levels; i++)
		append(pids, json_integer(details->pids[i]));
	set(object, "pids", pids);
	set_text(object, "name", known->name);
	return object;
}

static json_t *
space_json(struct look *look, int place)
{
	const struct scan_space *space = &look->scan.spaces[place];
	json_t *node = json_object();

	set(node, "namespace", json_integer((json_int_t)space->id.ino));
	set(node, "type", json_string(ns_types[space->type].name));
	set(node, "host", json_boolean(look_is_host(look, place)));
	set(node, "nprocs", json_integer(space->processes));
	if (space->oldest == SCAN_NONE) {
		char *kept = rows_keepers(space);

		set_text(node, "kept", kept);
		free(kept);
	} else {
		const struct scan_process *oldest =
			&look->scan.processes[space->oldest];

		set(node, "pid", json_integer(oldest->pid));
		set_text(node, "name", oldest->name);
	}
	return node;
}

/* It calls itself for what is below. The kernel nests namespaces 34 deep at
 * most, and snapshot_read refuses more. */
static json_t *
node_json( // NOLINT(misc-no-recursion)
	struct family *family, int place)
{
	json_t *node = space_json(family->look, place);
	json_t *processes = json_array(), *spaces = json_array();

	if (family->wish.all || !look_is_host(family->look, place))
		for (int i = family->member[place]; i != SCAN_NONE;
			i = family->then[i])
			append(processes, process_json(family, i));
	for (int i = family->child[place]; i != SCAN_NONE; i = family->next[i])
		append(spaces, node_json(family, i));
	set(node, "processes", processes);
	set(node, "namespaces", spaces);
	return node;
}

json_t *
family_json(struct look *look, struct family_wish wish)
{
	struct family family = {.look = look, .wish = wish};
	json_t *nodes = json_array();

	link_all(&family);
	if (wish.root != SCAN_NONE)
		append(nodes, node_json(&family, wish.root));
	else
		for (int i = family.roots; i != SCAN_NONE; i = family.next[i])
			append(nodes, node_json(&family, i));
	free(family.child);
	free(family.next);
	free(family.member);
	free(family.then);
	return nodes;
}

/* --- Drawing ------------------------------------------------------------- */

static long long
get_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const char *
get_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* "33052/1 sh" */
static char *
process_label(const json_t *process)
{
	const json_t *pids = json_object_get(process, "pids");
	char *label = NULL;
	size_t size;
	FILE *out = open_memstream(&label, &size);

	if (out == NULL)
		die("open_memstream");
	for (size_t i = 0; i < json_array_size(pids); i++)
		fprintf(out, "%s%lld", i == 0 ? "" : "/",
			json_integer_value(json_array_get(pids, i)));
	fprintf(out, " %s", get_text(process, "name"));
	if (fclose(out) == EOF || label == NULL)
		die("malloc");
	return label;
}

/* "pid:[4026532395]  sh (33052), 2 processes" */
static char *
space_label(const json_t *node)
{
	long long count = get_number(node, "nprocs");
	bool host = json_is_true(json_object_get(node, "host"));
	char *label;
	int length;

	if (count == 0)
		length = asprintf(&label, "%s:[%lld]  no process, kept by: %s",
			get_text(node, "type"), get_number(node, "namespace"),
			get_text(node, "kept"));
	else
		length = asprintf(&label, "%s:[%lld]  %s%s (%lld), %lld %s",
			get_text(node, "type"), get_number(node, "namespace"),
			host ? "host: " : "", get_text(node, "name"),
			get_number(node, "pid"), count,
			count == 1 ? "process" : "processes");
	if (length == -1)
		die("malloc");
	return label;
}

/* It calls itself as node_json does. */
static void
draw( // NOLINT(misc-no-recursion)
	struct tree *tree, const json_t *node, bool last)
{
	const json_t *processes = json_object_get(node, "processes");
	const json_t *spaces = json_object_get(node, "namespaces");
	size_t leaves = json_array_size(processes);
	size_t all = leaves + json_array_size(spaces);
	char *label = space_label(node);

	tree_node(tree, label, last);
	free(label);
	tree_down(tree);
	for (size_t i = 0; i < leaves; i++) {
		label = process_label(json_array_get(processes, i));
		tree_node(tree, label, i + 1 == all);
		free(label);
	}
	for (size_t i = leaves; i < all; i++)
		draw(tree, json_array_get(spaces, i - leaves), i + 1 == all);
	tree_up(tree);
}

void
family_draw(FILE *out, const json_t *nodes, int limit)
{
	struct tree tree = {.out = out, .limit = limit};

	for (size_t i = 0; i < json_array_size(nodes); i++)
		draw(&tree, json_array_get(nodes, i), true);
}
