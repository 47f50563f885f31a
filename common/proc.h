/*
 * proc: facts about one process, read from /proc (proc(5)). A process can
 * vanish between two reads: that is errno ESRCH or ENOENT, never a crash.
 * A pid of NS_SELF (ns.h) stands for the calling process.
 */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include <stdbool.h>
#include <sys/types.h>

/* PID namespaces can be nested 32 deep (pid_namespaces(7)). */
enum { PROC_LEVELS = 33 };

/* No PID is larger: PID_MAX_LIMIT on 64-bit machines, proc_sys_kernel(5). */
enum { PROC_PID_LIMIT = 4194304 };

/* The whole text of /proc/PID/FILE, ending in a zero byte. The caller frees
 * it. Returns NULL with errno of open(2) or read(2). */
char *proc_read(pid_t pid, const char *file);

/* The beginning of /proc/PID/FILE, in one read: at most size - 1 bytes and a zero
 * byte. Returns how many, or -1 with errno. */
ssize_t proc_peek(pid_t pid, const char *file, char *to, size_t size);

/* The value of one line of /proc/PID/status, such as "NSpid", without the
 * blanks before it. The caller frees it. Returns NULL with errno. */
char *proc_status(pid_t pid, const char *field);

/*
 * All PIDs of one process, from the outside in (NSpid, Linux 4.1).
 * Returns how many stand in pids[PROC_LEVELS], or -1 with errno.
 */
int proc_nspids(pid_t pid, pid_t *pids);

/*
 * When the process started, in clock ticks since boot: field 22 of
 * /proc/PID/stat. PID and start time together name one process for ever.
 * Returns 0, or -1 with errno.
 */
int proc_start_time(pid_t pid, unsigned long long *ticks);

/* Where a field of a stat file's text begins, from 3 on; NULL when there is none.
 * The name before them may itself hold blanks and parentheses. */
const char *proc_stat_field(const char *stat, int field);

/* The same from a text that another process has read from its stat file. */
int proc_parse_start_time(const char *stat, unsigned long long *ticks);

/* The command name (at most 15 bytes). The caller frees it. Returns NULL with
 * errno. */
char *proc_name(pid_t pid);

/* Does the process catch that signal, or ignore it? (SigCgt and SigIgn). False
 * if it is gone. */
bool proc_handles(pid_t pid, int signal);

/* Its state, one letter as in ps(1): 'Z' has ended but was not waited for.
 * Returns 0 when there is no such process. */
char proc_state(pid_t pid);

/*
 * The PID by which we know a process that has the PID `inner` in the PID
 * namespace of the process `member`. Returns 0 when there is none.
 */
pid_t proc_outside(pid_t member, pid_t inner);

/*
 * Read a PID as a person has typed it: decimal, 1 or more, and no more than
 * the kernel's largest PID.
 * Returns 0, or -1: errno EINVAL (no number), ERANGE (0, negative, too large).
 */
int proc_parse_pid(const char *text, pid_t *pid);

#endif
