/*
 * connector: what the kernel's process connector tells: a netlink socket that
 * brings a message for each fork, exec, exit and the like of the whole
 * machine. It tells PIDs, and no name at an exec. See <linux/cn_proc.h>; the socket is
 * opened in lesson06.
 */
#ifndef COMMON_CONNECTOR_H
#define COMMON_CONNECTOR_H

#include "event.h"

/*
 * Read all messages that are there, without waiting.
 * fd: a socket that listens. Returns how many messages came, or -1 with errno;
 * ENOBUFS: some were lost, go on reading.
 */
int connector_read(int fd, event_taker *take, void *data);

/* How many messages the kernel has dropped because the socket's buffer was
 * full, since it was opened: exact (SO_MEMINFO, Linux 4.12). Returns -1 with
 * errno. */
long connector_lost(int fd);

#endif
