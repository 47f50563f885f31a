#include "tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* --- The kernel's types --------------------------------------------------- */

/*
 * Where a member lies in a structure differs from kernel to kernel; each
 * carries its own description, as a compiler would know it: BTF. Types have
 * numbers, by their order. See the kernel's Documentation/bpf/btf.rst.
 */
struct types {
	char *text; /* the whole file */
	const char *names;
	const struct btf_type **mark; /* each 64th type */
	uint32_t count;		      /* of types */
};

enum { MARKED = 64 };

/* What follows a type, in bytes. */
static size_t
size_behind(const struct btf_type *type)
{
	const size_t many = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return many * sizeof(struct btf_member);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_ENUM:
		return many * sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO:
		return many * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return many * sizeof(struct btf_var_secinfo);
	case 19: /* BTF_KIND_ENUM64, Linux 6.0 */
		return many * 3 * sizeof(uint32_t);
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case 17: /* BTF_KIND_DECL_TAG, Linux 5.16 */
		return sizeof(uint32_t);
	default:
		return 0;
	}
}

static const struct btf_type *
next_type(const struct btf_type *type)
{
	return (const struct btf_type *)((const char *)(type + 1) +
					 size_behind(type));
}

/* The first in the file has the number 1; 0 is void, for which it is NULL. */
static const struct btf_type *
type_at(const struct types *types, uint32_t number)
{
	if (number == 0)
		return NULL;
	const struct btf_type *type = types->mark[(number - 1) / MARKED];
	for (uint32_t i = (number - 1) % MARKED; i > 0; i--)
		type = next_type(type);
	return type;
}

/* A part of it would be of no use. */
static char *
read_all(const char *path, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	ssize_t n = 1;

	if (fd == -1)
		return NULL;
	*length = 0;
	if (fstat(fd, &st) == 0)
		text = malloc((size_t)st.st_size);
	while (text != NULL && n > 0 && *length < (size_t)st.st_size) {
		n = read(fd, text + *length, (size_t)st.st_size - *length);
		*length += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (text == NULL || *length == (size_t)st.st_size)
		return text;
	free(text);
	errno = EIO;
	return NULL;
}

static int
read_types(struct types *types)
{
	size_t length;

	*types = (struct types){
		.text = read_all("/sys/kernel/btf/vmlinux", &length)};
	if (types->text == NULL)
		return -1;
	const struct btf_header *header =
		(const struct btf_header *)types->text;
	if (length < sizeof(*header) || header->magic != BTF_MAGIC ||
		(size_t)header->hdr_len + header->type_off + header->type_len >
			length ||
		(size_t)header->hdr_len + header->str_off + header->str_len >
			length) {
		errno = ENOENT;
		return -1;
	}
	const char *first = types->text + header->hdr_len + header->type_off;
	const char *end = first + header->type_len;
	types->names = types->text + header->hdr_len + header->str_off;
	/* Each takes so much at least. */
	types->mark =
		calloc(header->type_len / sizeof(struct btf_type) / MARKED + 1,
			sizeof(void *));
	if (types->mark == NULL)
		return -1;
	const struct btf_type *type = (const struct btf_type *)first;
	for (; (const char *)type < end; type = next_type(type))
		if (types->count++ % MARKED == 0)
			types->mark[types->count / MARKED] = type;
	return 0;
}

static void
free_types(struct types *types)
{
	free(types->text);
	free(types->mark);
}

/* The number of a type with this name; 0, and ENOENT, when there is none. */
static uint32_t
find_type(const struct types *types, unsigned kind, const char *name)
{
	const struct btf_type *type = types->mark[0];

	for (uint32_t i = 1; i <= types->count; i++, type = next_type(type))
		if (BTF_INFO_KIND(type->info) == kind &&
			strcmp(types->names + type->name_off, name) == 0)
			return i;
	errno = ENOENT;
	return 0;
}

/* What a pointer, a typedef or a qualified type is about, in the end. */
static const struct btf_type *
resolve(const struct types *types, uint32_t number)
{
	const struct btf_type *type = type_at(types, number);

	while (type != NULL && BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT &&
		BTF_INFO_KIND(type->info) != BTF_KIND_UNION &&
		BTF_INFO_KIND(type->info) != BTF_KIND_INT &&
		BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY)
		type = type_at(types, type->type);
	return type;
}

/* A member; a structure without a name shares its members with the one that it
 * is in. Adds the place to *offset. */
static const struct btf_type *
find_member( // NOLINT(misc-no-recursion)
	const struct types *types, const struct btf_type *in, const char *name,
	size_t length, size_t *offset)
{
	const struct btf_member *member = (const struct btf_member *)(in + 1);

	for (unsigned i = 0; i < BTF_INFO_VLEN(in->info); i++) {
		const char *found = types->names + member[i].name_off;
		size_t bits = BTF_INFO_KFLAG(in->info)
				      ? BTF_MEMBER_BIT_OFFSET(member[i].offset)
				      : member[i].offset;
		size_t place = *offset + bits / 8;
		const struct btf_type *type = resolve(types, member[i].type);

		if (strlen(found) == length &&
			strncmp(found, name, length) == 0) {
			*offset = place;
			return type;
		}
		if (found[0] != '\0' || type == NULL ||
			BTF_INFO_KIND(type->info) == BTF_KIND_INT ||
			BTF_INFO_KIND(type->info) == BTF_KIND_ARRAY)
			continue;
		const struct btf_type *inner =
			find_member(types, type, name, length, &place);
		if (inner != NULL) {
			*offset = place;
			return inner;
		}
	}
	return NULL;
}

/* --- The program ---------------------------------------------------------- */

/*
 * The kernel calls the program once for each task. It gives it a context,
 * pointers to what it is about, which is kept in registers that calls leave
 * alone. At the end of its stack it has the record that it fills, and before
 * it room for a pointer.
 */
enum {
	MOST_INSTRUCTIONS = 1024,
	CONTEXT = BPF_REG_6,
	OBJECT = BPF_REG_7,
	PLACE = BPF_REG_8, /* where the next member is read from */
};

struct program {
	const struct types *types;
	struct bpf_insn code[MOST_INSTRUCTIONS];
	unsigned count;
	const struct btf_type *context; /* what the kernel calls it with */
	int record;			/* where it is on the stack: below 0 */
	int error; /* the errno that has ended the making of it */
};

static void
emit(struct program *p, unsigned code, unsigned to, unsigned from, int offset,
	int value)
{
	if (p->count == MOST_INSTRUCTIONS) {
		p->error = E2BIG;
		return;
	}
	p->code[p->count++] = (struct bpf_insn){
		.code = (uint8_t)code,
		.dst_reg = to & 15,
		.src_reg = from & 15,
		.off = (int16_t)offset,
		.imm = value,
	};
}

/* Put another register into one, and add a number. */
static void
emit_move(struct program *p, unsigned to, unsigned from, int add)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
	/* BPF_K, the number after it, is 0 and so left out. */
	if (add != 0)
		emit(p, BPF_ALU64 | BPF_ADD, to, 0, 0, add);
}

/* Copy kernel memory to the stack: zeroes where PLACE leads nowhere. */
static void
emit_copy(struct program *p, int stack, unsigned size, size_t offset)
{
	emit_move(p, BPF_REG_1, BPF_REG_10, stack);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int)size);
	emit_move(p, BPF_REG_3, PLACE, (int)offset);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
}

/* The same, to where the pointer is kept, and go there. */
static void
emit_follow(struct program *p, size_t offset)
{
	emit_copy(p, p->record - 8, 8, offset);
	emit(p, BPF_LDX | BPF_MEM | BPF_DW, PLACE, BPF_REG_10, p->record - 8,
		0);
}

/*
 * A path is written as in C: nsproxy->uts_ns->ns.inum. Goes along all arrows,
 * and returns how far behind PLACE the last member is. type: what PLACE points
 * to, and then what the last member is; NULL after an error.
 */
static size_t
emit_path(struct program *p, const struct btf_type **type, const char *path)
{
	size_t offset = 0;

	for (;;) {
		size_t length = strcspn(path, "-.");

		if (*type == NULL)
			break;
		*type = find_member(p->types, *type, path, length, &offset);
		path += length;
		if (*type == NULL || path[0] == '\0')
			break;
		if (path[0] == '-') {
			emit_follow(p, offset);
			offset = 0;
		}
		path += path[0] == '-' ? 2 : 1;
	}
	if (*type == NULL)
		p->error = ENOENT;
	return offset;
}

static const struct btf_type *
type_named(const struct program *p, const char *name)
{
	return type_at(p->types, find_type(p->types, BTF_KIND_STRUCT, name));
}

/* Copy what a path from OBJECT leads to into the record. */
static void
emit_field(struct program *p, const struct btf_type *type, const char *path,
	size_t to, unsigned size)
{
	emit_move(p, PLACE, OBJECT, 0);
	size_t offset = emit_path(p, &type, path);
	emit_copy(p, p->record + (int)to, size, offset);
}

/* Read a member of the context, which has no arrows behind it. */
static void
emit_context(struct program *p, unsigned size, unsigned to, const char *member)
{
	const struct btf_type *type = p->context;
	size_t offset = emit_path(p, &type, member);

	emit(p, BPF_LDX | BPF_MEM | size, to, CONTEXT, (int)offset, 0);
}

static void
emit_return(struct program *p)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Take the object from the context. The last call, which is without one, ends
 * here. */
static void
emit_object(struct program *p, const char *member)
{
	emit_context(p, BPF_DW, OBJECT, member);
	emit(p, BPF_JMP | BPF_JNE | BPF_K, OBJECT, 0, 2, 0);
	emit_return(p);
}

static void
emit_begin(struct program *p, const char *context, size_t record_size)
{
	p->context = type_named(p, context);
	p->record = -(int)record_size;
	emit_move(p, CONTEXT, BPF_REG_1, 0);
}

/* Write the record to who reads the iterator. */
static void
emit_end(struct program *p)
{
	const struct btf_type *type = type_named(p, "bpf_iter_meta");
	size_t offset = emit_path(p, &type, "seq");

	emit_context(p, BPF_DW, BPF_REG_1, "meta");
	emit(p, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_1, (int)offset,
		0);
	emit_move(p, BPF_REG_2, BPF_REG_10, p->record);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, -p->record);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write);
	emit_return(p);
}

/* --- What is asked -------------------------------------------------------- */

static const struct {
	const char *path;
	size_t to;
	unsigned size;
} fields[] = {
	{"tgid", offsetof(struct task, pid), 4},
	{"pid", offsetof(struct task, tid), 4},
	{"real_parent->tgid", offsetof(struct task, ppid), 4},
	{"real_cred->euid.val", offsetof(struct task, uid), 4},
	{"start_boottime", offsetof(struct task, start), 8},
	{"__state", offsetof(struct task, state), 4},
	{"exit_state", offsetof(struct task, exit_state), 4},
	{"flags", offsetof(struct task, flags), 4},
	{"signal->nr_threads", offsetof(struct task, threads), 4},
	{"comm", offsetof(struct task, name), 16},
	{"nsproxy->pid_ns_for_children->ns.inum",
		offsetof(struct task, pid_for_children), 4},
	{"nsproxy->time_ns_for_children->ns.inum",
		offsetof(struct task, time_for_children), 4},
};

/* That of the PID namespace is longer, see emit_pid_space. */
static const struct {
	int flag;
	const char *path;
} spaces[] = {
	{CLONE_NEWCGROUP, "nsproxy->cgroup_ns->ns.inum"},
	{CLONE_NEWIPC, "nsproxy->ipc_ns->ns.inum"},
	{CLONE_NEWNS, "nsproxy->mnt_ns->ns.inum"},
	{CLONE_NEWNET, "nsproxy->net_ns->ns.inum"},
	{CLONE_NEWTIME, "nsproxy->time_ns->ns.inum"},
	{CLONE_NEWUSER, "real_cred->user_ns->ns.inum"},
	{CLONE_NEWUTS, "nsproxy->uts_ns->ns.inum"},
};

static size_t
place_of_space(int flag)
{
	return offsetof(struct task, space) +
	       (size_t)ns_type_of(flag) * sizeof(uint32_t);
}

/*
 * A process has a PID in each PID namespace that it can be seen in, level by
 * level, and is in the last of them: thread_pid->numbers[level].ns.
 */
static void
emit_pid_space(struct program *p, const struct btf_type *task)
{
	const struct btf_type *pid = type_named(p, "pid"), *member = pid;
	const struct btf_type *upid = type_named(p, "upid");
	const struct btf_type *space = type_named(p, "pid_namespace");
	const int level = p->record - 8;

	emit_move(p, PLACE, OBJECT, 0);
	emit_follow(p, emit_path(p, &task, "thread_pid"));
	emit_copy(p, level, 4, emit_path(p, &member, "level"));
	emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_10, level, 0);
	emit(p, BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_1, 0, 0,
		upid == NULL ? 0 : (int)upid->size);
	emit(p, BPF_ALU64 | BPF_ADD | BPF_X, PLACE, BPF_REG_1, 0, 0);
	member = pid;
	size_t offset = emit_path(p, &member, "numbers");
	emit_follow(p, offset + emit_path(p, &upid, "ns"));
	emit_copy(p, p->record + (int)place_of_space(CLONE_NEWPID), 4,
		emit_path(p, &space, "ns.inum"));
}

static void
make_task_program(struct program *p)
{
	const struct btf_type *task = type_named(p, "task_struct");

	emit_begin(p, "bpf_iter__task", sizeof(struct task));
	emit_object(p, "task");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		emit_field(
			p, task, fields[i].path, fields[i].to, fields[i].size);
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		emit_field(p, task, spaces[i].path,
			place_of_space(spaces[i].flag), sizeof(uint32_t));
	emit_pid_space(p, task);
	emit_end(p);
}

/* A file is a namespace when it lies in the file system of these. */
static void
make_file_program(struct program *p)
{
	const struct btf_type *file = type_named(p, "file");
	const struct btf_type *task = type_named(p, "task_struct");

	emit_begin(p, "bpf_iter__task_file", sizeof(struct task_file));
	emit_object(p, "file");
	emit_move(p, PLACE, OBJECT, 0);
	size_t offset = emit_path(p, &file, "f_inode->i_sb->s_magic");
	emit_copy(p, p->record - 8, 8, offset);
	emit(p, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_10,
		p->record - 8, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 2, NSFS_MAGIC);
	emit_return(p);
	emit_object(p, "task");
	emit_field(p, task, "tgid", offsetof(struct task_file, pid), 4);
	emit_field(p, task, "pid", offsetof(struct task_file, tid), 4);
	emit_context(p, BPF_W, BPF_REG_1, "fd");
	emit(p, BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_1,
		p->record + (int)offsetof(struct task_file, fd), 0);
	emit_end(p);
}

/* --- The iterator --------------------------------------------------------- */

/* Close it, and leave errno. */
static void
drop(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

static int
load(const struct program *p, const char *function)
{
	union bpf_attr load;

	memset(&load, 0, sizeof(load));
	load.prog_type = BPF_PROG_TYPE_TRACING;
	load.expected_attach_type = BPF_TRACE_ITER;
	load.attach_btf_id = find_type(p->types, BTF_KIND_FUNC, function);
	/* The kernel gives its memory only to programs whose licence is that of
	 * its own, or as free. */
	load.license = (uintptr_t) "Dual MIT/GPL";
	return load.attach_btf_id == 0 ? -1
				       : bpf_load(&load, p->code, p->count);
}

/* Tie the program to the iterator. */
static int
tie(int program)
{
	union bpf_attr link;

	memset(&link, 0, sizeof(link));
	link.link_create.prog_fd = (uint32_t)program;
	link.link_create.attach_type = BPF_TRACE_ITER;
	return bpf_call(BPF_LINK_CREATE, &link);
}

/* Each step needs what the one before has made, and keeps it. Returns a
 * descriptor to read, or -1 with errno. */
static int
open_iterator(const struct program *p, const char *function)
{
	union bpf_attr iterator;
	int program = load(p, function);

	if (program == -1)
		return -1;
	int tied = tie(program);
	drop(program);
	if (tied == -1)
		return -1;
	memset(&iterator, 0, sizeof(iterator));
	iterator.iter_create.link_fd = (uint32_t)tied;
	int fd = bpf_call(BPF_ITER_CREATE, &iterator);
	drop(tied);
	return fd;
}

/* Read all records. Returns how many, or -1 with errno. */
static long
read_records(int fd, void **records, size_t size)
{
	size_t used = 0, room = 0;
	char *all = NULL;
	ssize_t n = 1;

	while (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR))) {
		if (room - used < 32768) {
			room = 2 * room + 65536;
			char *more = realloc(all, room);

			if (more == NULL) {
				n = -1;
				break;
			}
			all = more;
		}
		n = read(fd, all + used, room - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n == -1) {
		free(all);
		return -1;
	}
	*records = all;
	return (long)(used / size);
}

static bool
is_initial(int flag)
{
	const struct ns_type *type = &ns_types[ns_type_of(flag)];
	struct ns_id id;

	return ns_get(NS_SELF, type->name, &id) == 0 && id.ino == type->first;
}

/* Make a program and read what it writes. Returns how many records, or -1. */
static long
take(const struct types *types, void (*make)(struct program *),
	const char *function, void **records, size_t size)
{
	struct program *p = calloc(1, sizeof(*p));
	int fd = -1;

	if (p == NULL)
		return -1;
	p->types = types;
	make(p);
	errno = p->error;
	if (p->error == 0)
		fd = open_iterator(p, function);
	free(p);
	if (fd == -1)
		return -1;
	long count = read_records(fd, records, size);
	drop(fd);
	return count;
}

int
tasks_take(struct tasks *tasks, bool files)
{
	struct types types = {.text = NULL};
	long count = -1, file_count = 0;

	*tasks = (struct tasks){.count = 0};
	if (!is_initial(CLONE_NEWPID) || !is_initial(CLONE_NEWTIME))
		errno = EPERM;
	else if (read_types(&types) == 0)
		count = take(&types, make_task_program, "bpf_iter_task",
			(void **)&tasks->task, sizeof(struct task));
	if (count != -1 && files)
		file_count = take(&types, make_file_program,
			"bpf_iter_task_file", (void **)&tasks->file,
			sizeof(struct task_file));
	int error = errno;
	free_types(&types);
	if (count == -1 || file_count == -1) {
		tasks_free(tasks);
		errno = error;
		return -1;
	}
	tasks->count = (size_t)count;
	tasks->file_count = (size_t)file_count;
	return 0;
}

void
tasks_free(struct tasks *tasks)
{
	free(tasks->task);
	free(tasks->file);
	*tasks = (struct tasks){.count = 0};
}

/* --- What it means -------------------------------------------------------- */

/* Bits of the kernel's include/linux/sched.h. Each letter is for one bit, the
 * first for none. */
char
tasks_state(const struct task *task)
{
	enum { IDLE = 0x402, REPORTED = 0x7f };
	static const char letters[] = "RSDTtXZP";
	uint32_t bits = (task->state | task->exit_state) & REPORTED;
	int highest = 0;

	if (task->state == IDLE)
		return 'I';
	for (; bits != 0; bits >>= 1)
		highest++;
	return letters[highest];
}

bool
tasks_is_kernel(const struct task *task)
{
	enum { PF_KTHREAD = 0x200000 };

	return (task->flags & PF_KTHREAD) != 0;
}
