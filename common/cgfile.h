/*
 * cgfile: a file of a cgroup's folder, read or written in one go. The kernel
 * makes these files with the folder, one set for each controller that the
 * folder has; see cgroups(7). So a file that is not there (ENOENT) means: no
 * such controller here.
 */
#ifndef COMMON_CGFILE_H
#define COMMON_CGFILE_H

#include <stdbool.h>
#include <sys/types.h>

bool cgfile_exists(const char *folder, const char *file);

/* Returns 0, or -1 with errno of open(2) or write(2). */
int cgfile_write(const char *folder, const char *file, const char *text);

/* Write a process's PID into cgroup.procs: it moves into the folder. Returns
 * as cgfile_write. */
int cgfile_enter(const char *folder, pid_t pid);

/* The file's first line without its newline, "" when it is empty. The caller
 * frees it. Returns NULL with errno. */
char *cgfile_read(const char *folder, const char *file);

/* Is the folder one of version 2? */
bool cgfile_is_unified(const char *folder);

#endif
