#include "bpf.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

int
bpf_call(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

int
bpf_load(union bpf_attr *load, const struct bpf_insn *code, size_t count)
{
	enum { TRIES = 5 };
	int fd, tries = 0;

	load->insns = (uintptr_t)code;
	load->insn_cnt = (uint32_t)count;
	/* A signal may interrupt the kernel's check of the program. */
	do
		fd = bpf_call(BPF_PROG_LOAD, load);
	while (fd == -1 && errno == EAGAIN && ++tries < TRIES);
	return fd;
}
