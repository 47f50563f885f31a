#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf.h"
#include "cgfile.h"

#define NUMBER(n)                           \
	{                                   \
		.given = true, .value = (n) \
	}
#define USE .allow = true, .read = true, .write = true, .make = true

static const struct bundle_device_rule always[] = {
	{.allow = true, .type = 'c', .make = true},
	{.allow = true, .type = 'b', .make = true},
	{USE, .type = 'c', .major = NUMBER(1), .minor = NUMBER(3)}, /* null */
	{USE, .type = 'c', .major = NUMBER(1), .minor = NUMBER(5)}, /* zero */
	{USE, .type = 'c', .major = NUMBER(1), .minor = NUMBER(7)}, /* full */
	{USE, .type = 'c', .major = NUMBER(1), .minor = NUMBER(8)}, /* random */
	{USE, .type = 'c', .major = NUMBER(1),
		.minor = NUMBER(9)}, /* urandom */
	{USE, .type = 'c', .major = NUMBER(5), .minor = NUMBER(0)}, /* tty */
	{USE, .type = 'c', .major = NUMBER(5), .minor = NUMBER(2)}, /* ptmx */
	{USE, .type = 'c', .major = NUMBER(136)},		    /* pts/0 */
};

enum { ALWAYS = sizeof(always) / sizeof(always[0]) };

/* Of a device number, in the interfaces of both versions. */
static const long long MAX_NUMBER = UINT32_MAX;

struct bundle_device_rule *
devices_complete(
	const struct bundle_device_rule *rules, size_t count, size_t *all)
{
	struct bundle_device_rule *complete =
		calloc(count + ALWAYS, sizeof(*complete));

	if (complete == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (rules[i].major.value > MAX_NUMBER ||
			rules[i].minor.value > MAX_NUMBER) {
			free(complete);
			errno = EINVAL;
			return NULL;
		}
		complete[i] = rules[i];
	}
	memcpy(complete + count, always, sizeof(always));
	*all = count + ALWAYS;
	return complete;
}

/* --- what rules mean, for both versions ----------------------------------- */

/* Three bits, as the kernel gives them to the program of version 2. */
static unsigned
access_of(const struct bundle_device_rule *rule)
{
	return (rule->make ? BPF_DEVCG_ACC_MKNOD : 0) |
	       (rule->read ? BPF_DEVCG_ACC_READ : 0) |
	       (rule->write ? BPF_DEVCG_ACC_WRITE : 0);
}

/* A number below zero stands for any, too: runc writes it so. */
static bool
is_any(struct bundle_number number)
{
	return !number.given || number.value < 0;
}

static bool
has_type(const struct bundle_device_rule *rule, char type)
{
	return rule->type == type || rule->type == 'a';
}

/* --- version 1 ------------------------------------------------------------ */

/* Are all nodes with number b among those with number a? Are some? */
static bool
covers(struct bundle_number a, struct bundle_number b)
{
	return is_any(a) || (!is_any(b) && a.value == b.value);
}

static bool
meets(struct bundle_number a, struct bundle_number b)
{
	return is_any(a) || is_any(b) || a.value == b.value;
}

/*
 * What later rules leave of rule i, for nodes of one type. A later one about
 * some of its nodes only would be an exception from an exception. Then the
 * denial wins: it is kept where i denies, and is made larger where i allows.
 */
static unsigned
left_of(const struct bundle_device_rule *rules, size_t count, size_t i,
	char type, int *stricter)
{
	const struct bundle_device_rule *rule = &rules[i], *later;
	unsigned left = access_of(rule);

	for (later = rule + 1; later < rules + count; later++) {
		unsigned taken = left & access_of(later);

		if (later->allow == rule->allow || taken == 0 ||
			!has_type(later, type) ||
			!meets(later->major, rule->major) ||
			!meets(later->minor, rule->minor))
			continue;
		bool whole = covers(later->major, rule->major) &&
			     covers(later->minor, rule->minor);
		if (!whole)
			*stricter = 1;
		if (whole || rule->allow)
			left &= ~taken;
	}
	return left;
}

/* Where the rules begin that count: after the last that is about everything.
 * It says what is done to the nodes that no other rule is about. */
static size_t
first_exception(
	const struct bundle_device_rule *rules, size_t count, bool *allow)
{
	const unsigned all =
		BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
	size_t i = count;

	while (i > 0 &&
		!(rules[i - 1].type == 'a' && is_any(rules[i - 1].major) &&
			is_any(rules[i - 1].minor) &&
			access_of(&rules[i - 1]) == all))
		i--;
	*allow = i > 0 && rules[i - 1].allow;
	return i;
}

static const char *
number_text(struct bundle_number number, char *text, size_t size)
{
	if (is_any(number))
		return "*";
	snprintf(text, size, "%lld", number.value);
	return text;
}

static int
write_exception(const char *folder, const struct bundle_device_rule *rule,
	char type, unsigned access)
{
	char major[24], minor[24], line[64];

	snprintf(line, sizeof(line), "%c %s:%s %s%s%s", type,
		number_text(rule->major, major, sizeof(major)),
		number_text(rule->minor, minor, sizeof(minor)),
		access & BPF_DEVCG_ACC_READ ? "r" : "",
		access & BPF_DEVCG_ACC_WRITE ? "w" : "",
		access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
	return cgfile_write(
		folder, rule->allow ? "devices.allow" : "devices.deny", line);
}

int
devices_write(const char *folder, const struct bundle_device_rule *rules,
	size_t count)
{
	bool allow;
	int stricter = 0;
	size_t i = first_exception(rules, count, &allow);

	/* This also drops the exceptions that came from the cgroup above. */
	if (cgfile_write(folder, allow ? "devices.allow" : "devices.deny",
		    "a") == -1)
		return -1;
	for (; i < count; i++)
		for (const char *type = "bc"; *type != '\0'; type++) {
			if (rules[i].allow == allow ||
				!has_type(&rules[i], *type))
				continue;
			unsigned left =
				left_of(rules, count, i, *type, &stricter);
			if (left == 0 || write_exception(folder, &rules[i],
						 *type, left) == 0)
				continue;
			/* The cgroup above does not allow it. */
			if (errno != EPERM || !rules[i].allow)
				return -1;
			stricter = 1;
		}
	return stricter;
}

/* --- version 2 ------------------------------------------------------------ */

/*
 * The program is called with a struct bpf_cgroup_dev_ctx: the type of the node
 * and the accesses that are asked for, as bits, in one number; the major and
 * the minor number. It returns 1 to allow all that is asked for and 0 to deny
 * it. It cannot loop, so each rule becomes a few instructions, the last rule
 * first. For "allow c 10:200 rw":
 *
 *	if type != c, major != 10 or minor != 200: go to the next rule
 *	asked &= ~rw		what is allowed need not be asked of other rules
 *	if asked == 0: return 1
 *
 * and for "deny c 10:200 rw":
 *
 *	if type != c, major != 10 or minor != 200: go to the next rule
 *	if asked & rw: return 0
 *
 * After the first rule comes: return 0.
 */
enum {
	RESULT = BPF_REG_0, /* 0 until all is allowed */
	CONTEXT = BPF_REG_1,
	TYPE = BPF_REG_2,
	ASKED = BPF_REG_3,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5
};

/* Instructions that a rule needs at most, and those around the rules; a jump
 * whose length is not known yet. */
enum { RULE_LENGTH = 10, FRAME_LENGTH = 8, NEXT_RULE = INT16_MAX };

struct program {
	struct bpf_insn *code;
	size_t count;
};

static void
emit(struct program *p, unsigned operation, unsigned to, int operand, int jump)
{
	p->code[p->count++] = (struct bpf_insn){.code = (uint8_t)operation,
		.dst_reg = to & 15,
		.off = (int16_t)jump,
		.imm = operand};
}

static void
emit_load(struct program *p, unsigned to, size_t offset)
{
	p->code[p->count++] =
		(struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
			.dst_reg = to & 15,
			.src_reg = CONTEXT,
			.off = (int16_t)offset};
}

static void
emit_begin(struct program *p)
{
	emit_load(p, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit_load(p, ASKED, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit_load(p, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(p, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0xffff, 0);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, ASKED, 16, 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 0, 0);
}

/*
 * Go on if they are equal, else to the next rule. Written as two jumps, because
 * the kernel's verifier follows the way without a jump first: there it learns
 * nothing about the number, and so finds that each other way to the next rule
 * is a case of what it has seen already.
 */
static void
emit_condition(struct program *p, unsigned what, int value)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, what, value, 1);
	emit(p, BPF_JMP | BPF_JA, 0, 0, NEXT_RULE);
}

static void
emit_rule(struct program *p, const struct bundle_device_rule *rule)
{
	int access = (int)access_of(rule);
	size_t i = p->count;

	if (rule->type != 'a')
		emit_condition(p, TYPE,
			rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK
					  : BPF_DEVCG_DEV_CHAR);
	if (!is_any(rule->major))
		emit_condition(p, MAJOR, (int)rule->major.value);
	if (!is_any(rule->minor))
		emit_condition(p, MINOR, (int)rule->minor.value);
	if (rule->allow) {
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, ASKED, ~access, 0);
		emit(p, BPF_JMP | BPF_JNE | BPF_K, ASKED, 0, 2);
		emit(p, BPF_ALU64 | BPF_MOV | BPF_K, RESULT, 1, 0);
	} else {
		emit(p, BPF_JMP | BPF_JSET | BPF_K, ASKED, access, 1);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 1);
	}
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);
	for (; i < p->count; i++)
		if (p->code[i].off == NEXT_RULE)
			p->code[i].off = (int16_t)(p->count - i - 1);
}

/* Returns a descriptor, or -1 with errno. */
static int
load(const struct program *p)
{
	union bpf_attr load;

	memset(&load, 0, sizeof(load));
	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.license = (uintptr_t) "MIT";
	return bpf_load(&load, p->code, p->count);
}

static int
attach(const char *folder, int program)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr attach;

	if (fd == -1)
		return -1;
	memset(&attach, 0, sizeof(attach));
	attach.target_fd = (uint32_t)fd;
	attach.attach_bpf_fd = (uint32_t)program;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	int result = bpf_call(BPF_PROG_ATTACH, &attach);
	int error = errno;
	close(fd);
	errno = error;
	return result;
}

int
devices_attach(const char *folder, const struct bundle_device_rule *rules,
	size_t count)
{
	struct program p = {.code = calloc(count * RULE_LENGTH + FRAME_LENGTH,
				    sizeof(*p.code))};

	if (p.code == NULL)
		return -1;
	emit_begin(&p);
	for (size_t i = count; i > 0; i--)
		emit_rule(&p, &rules[i - 1]);
	emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0);
	int program = load(&p);
	free(p.code);
	if (program == -1)
		return -1;
	int result = attach(folder, program);
	int error = errno;
	close(program);
	errno = error;
	return result;
}
