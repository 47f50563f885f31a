/*
 * bpf: a program of ours in the kernel. The C library has no function for
 * bpf(2).
 */
#ifndef COMMON_BPF_H
#define COMMON_BPF_H

#include <linux/bpf.h>
#include <stddef.h>

/* Returns what the command returns, a descriptor or 0, or -1 with errno. */
int bpf_call(int command, union bpf_attr *attributes);

/*
 * Load a program (BPF_PROG_LOAD). load: its type, its licence and what else the
 * type asks for.
 * Returns a descriptor, or -1 with errno.
 */
int bpf_load(union bpf_attr *load, const struct bpf_insn *code, size_t count);

#endif
