/*
 * tasks: the kernel goes through its own list of tasks, and an eBPF program of
 * ours writes down what a walk of /proc would have to open some 17 files for.
 * See bpf(2) and the kernel's Documentation/bpf/bpf_iterators.rst; Linux 5.14,
 * built with CONFIG_DEBUG_INFO_BTF. CAP_BPF and CAP_PERFMON are needed, in the
 * initial user namespace.
 *
 * The kernel names its tasks by the PIDs of the initial PID namespace, and
 * their start on the clock of the initial time namespace: from elsewhere we do
 * not look.
 */
#ifndef COMMON_TASKS_H
#define COMMON_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ns.h"

/* A thread, as the kernel has it. All of 4 bytes, or of 8 at a multiple of 8:
 * the program fills it without a gap. */
struct task {
	uint32_t pid; /* of its process: its first thread's tid */
	uint32_t tid;
	uint32_t ppid;
	uint32_t uid;	/* the effective one */
	uint64_t start; /* in nanoseconds since boot */
	uint32_t state; /* see tasks_state */
	uint32_t exit_state;
	uint32_t flags; /* see tasks_is_kernel */
	uint32_t threads;
	char name[16];
	uint32_t space[NS_TYPES]; /* inodes; 0: it has ended, and has left it */
	uint32_t pid_for_children, time_for_children;
};

/* A descriptor that is open on a namespace. */
struct task_file {
	uint32_t pid;
	uint32_t tid; /* another than pid: it has a table of its own */
	uint32_t fd;
	uint32_t unused;
};

struct tasks {
	struct task *task;
	struct task_file *file;
	size_t count, file_count;
};

/*
 * Take all tasks of the machine, and with `files` all descriptors that are
 * open on a namespace. In no order.
 * Returns 0; tasks_free gives back what it holds. Or -1 with errno: EPERM (no
 * right, or not in the initial namespaces), ENOENT (a kernel without it, or one
 * whose structures have other names), or one of bpf(2)'s.
 */
int tasks_take(struct tasks *tasks, bool files);

void tasks_free(struct tasks *tasks);

/* The letter that ps(1) has for the state, see proc_pid_stat(5). */
char tasks_state(const struct task *task);

/* Is it a thread of the kernel's own? Its name may be longer than `name`. */
bool tasks_is_kernel(const struct task *task);

#endif
