#include "perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The records that we ask for, as the kernel lays them out. */
struct task_record {
	struct perf_event_header header;
	uint32_t pid, ppid, tid, ptid;
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	char name[16]; /* zeros fill it up to a multiple of 8 bytes */
};

struct namespaces_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t count;
	struct {
		uint64_t device, inode;
	} links[NR_NAMESPACES];
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

/* The last 8 bytes of each record are its time (PERF_SAMPLE_TIME). */
union record {
	struct perf_event_header header;
	struct task_record task;
	struct comm_record comm;
	struct namespaces_record namespaces;
	struct lost_record lost;
	char bytes[512];
};

int
perf_map(struct perf_ring *ring, int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*ring = (struct perf_ring){.fd = fd, .size = size};
	while (true) {
		ring->pages = mmap(NULL, page + ring->size,
			PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (ring->pages != MAP_FAILED)
			return 0;
		if ((errno != EPERM && errno != ENOMEM) || ring->size <= page)
			return -1;
		ring->size /= 2;
	}
}

/* The records lie in a ring: one may end at its beginning. */
static void
copy_from_ring(
	const struct perf_ring *ring, uint64_t from, void *to, size_t length)
{
	const char *records = (const char *)ring->pages + sysconf(_SC_PAGESIZE);
	size_t start = from % ring->size;
	size_t first =
		ring->size - start < length ? ring->size - start : length;

	memcpy(to, records + start, first);
	memcpy((char *)to + first, records, length - first);
}

static void
take_name(struct event *event, const struct comm_record *record)
{
	event->type = (record->header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0
			      ? EVENT_EXEC
			      : EVENT_COMM;
	memcpy(event->name, record->name, sizeof(event->name) - 1);
}

/* Fills `event`. Returns false for what is no event of a process. */
static bool
translate(
	struct perf_ring *ring, const union record *record, struct event *event)
{
	/* These two stand first in each record but one. */
	uint32_t pid = record->comm.pid, thread = record->comm.tid;

	*event = (struct event){.pid = (pid_t)pid, .status = EVENT_UNKNOWN};
	memcpy(&event->time,
		record->bytes + record->header.size - sizeof(event->time),
		sizeof(event->time));
	switch (record->header.type) {
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		event->type = record->header.type == PERF_RECORD_FORK
				      ? EVENT_FORK
				      : EVENT_EXIT;
		event->other = (pid_t)record->task.ppid;
		thread = record->task.tid;
		break;
	case PERF_RECORD_COMM:
		take_name(event, &record->comm);
		break;
	case PERF_RECORD_NAMESPACES:
		event->type = EVENT_NAMESPACES;
		event->space = record->namespaces.links[PID_NS_INDEX].inode;
		break;
	case PERF_RECORD_LOST:
		ring->lost += (long)record->lost.lost;
		return false;
	default:
		return false;
	}
	/* A process that our PID namespace does not show has no number. */
	event->thread = thread != pid;
	return (pid_t)pid > 0 &&
	       (!event->thread ||
		       (event->type & (EVENT_FORK | EVENT_EXIT)) != 0);
}

int
perf_read(struct perf_ring *ring, event_taker *take, void *data)
{
	struct perf_event_mmap_page *page = ring->pages;
	/* What stands before the head was written before the head was. */
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = page->data_tail;
	int count = 0;

	for (; tail != head; count++) {
		union record record = {.bytes = {0}};
		struct event event;

		copy_from_ring(
			ring, tail, &record.header, sizeof(record.header));
		if (record.header.size <= sizeof(record)) {
			copy_from_ring(ring, tail, &record, record.header.size);
			if (translate(ring, &record, &event))
				take(data, &event);
		}
		tail += record.header.size;
	}
	/* The kernel may write there again when we have read it. */
	__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
	return count;
}

long
perf_lost(const struct perf_ring *ring)
{
	struct {
		uint64_t value, lost;
	} counts;

	/* With PERF_FORMAT_LOST, the event's value is followed by it. */
	if (read(ring->fd, &counts, sizeof(counts)) == sizeof(counts))
		return (long)counts.lost;
	return ring->lost;
}

void
perf_free(struct perf_ring *ring)
{
	munmap(ring->pages, (size_t)sysconf(_SC_PAGESIZE) + ring->size);
	close(ring->fd);
}
