/*
 * mountopts: the options of a mount as config.json writes them, and what they
 * are for the kernel. See config.md, "Linux mount options", and mount(2).
 */
#ifndef COMMON_MOUNTOPTS_H
#define COMMON_MOUNTOPTS_H

#include <stdbool.h>
#include <stdint.h>

enum { MOUNTOPTS_CHANGES = 8 };

struct mountopts {
	unsigned long flags; /* MS_*, for mount(2) */
	bool changes;	     /* flags beyond MS_BIND and MS_REC were named */
	/* Each is a mount(2) of its own: MS_PRIVATE, MS_SLAVE | MS_REC ... */
	unsigned long propagation[MOUNTOPTS_CHANGES];
	int propagation_count;
	/* For the mount and all below it (mount_setattr(2), Linux 5.12). */
	uint64_t all_set, all_clear;
	char *data; /* what is left, with commas: for the file system */
};

/* Read options. An array ends with NULL. Frees nothing; data is to be freed.
 * Ends by die when memory is out. */
struct mountopts mountopts_read(char *const *options);

/* MS_PRIVATE and the like, with MS_REC for "rprivate"; 0 when the word is none
 * of mount_namespaces(7). */
unsigned long mountopts_propagation(const char *word);

/* Take the options that begin with this out of the array. */
void mountopts_drop(char **options, const char *beginning);

#endif
