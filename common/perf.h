/*
 * perf: what the kernel's performance events tell of processes. Each processor
 * has an event that counts nothing; its ring buffer, memory that the kernel
 * and we share, brings a record for each fork, exec, exit and change of
 * namespaces. Unlike the connector's messages, the records hold names and
 * namespaces as they were in that moment. See perf_event_open(2); the events
 * are opened in lesson06.
 */
#ifndef COMMON_PERF_H
#define COMMON_PERF_H

#include <stddef.h>

#include "event.h"

struct perf_ring {
	int fd;
	void *pages; /* the control page, then the records */
	size_t size; /* of the records, in bytes: a power of two */
	long lost;   /* as records have told */
};

/*
 * Map the ring buffer of an event that perf_event_open(2) has opened with
 * sample_id_all and a sample_type of PERF_SAMPLE_TID | PERF_SAMPLE_TIME.
 * size: in bytes, a power of two and at least a page. Halved until the kernel
 * agrees: a process without CAP_IPC_LOCK may lock
 * little memory.
 * Returns 0, or -1 with errno of mmap(2).
 */
int perf_map(struct perf_ring *ring, int fd, size_t size);

/* Read all records that are there, without waiting. Returns how many. */
int perf_read(struct perf_ring *ring, event_taker *take, void *data);

/* How many records the kernel could not write because the buffer was full:
 * exact since Linux 6.0; before, those that a later record has told. */
long perf_lost(const struct perf_ring *ring);

/* Unmap it, and close the event. */
void perf_free(struct perf_ring *ring);

#endif
