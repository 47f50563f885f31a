#include "connector.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* One message: a netlink header, the connector's header, the event. Nothing
 * lies between them, so the event's own numbers are not aligned. */
struct message {
	struct nlmsghdr netlink;
	char connector[sizeof(struct cn_msg)];
	struct proc_event event;
} __attribute__((packed));

/* In one call of recvmmsg(2). */
enum { AT_ONCE = 64 };

/* Fills `to`. Returns false for what is no event of a process: a thread has a
 * number of its own beside that of its process (thread group). */
static bool
translate(const struct proc_event *from, struct event *to)
{
	/* Whatever the event, these two stand first; but not for a fork. */
	pid_t thread = from->event_data.exec.process_pid;

	*to = (struct event){.time = from->timestamp_ns,
		.pid = from->event_data.exec.process_tgid};
	switch ((unsigned)from->what) {
	case PROC_EVENT_FORK:
		to->type = EVENT_FORK;
		thread = from->event_data.fork.child_pid;
		to->pid = from->event_data.fork.child_tgid;
		to->other = from->event_data.fork.parent_tgid;
		break;
	case PROC_EVENT_EXEC:
		to->type = EVENT_EXEC;
		break;
	case PROC_EVENT_EXIT:
		to->type = EVENT_EXIT;
		to->status = (int)from->event_data.exit.exit_code;
		break;
	case PROC_EVENT_COMM:
		to->type = EVENT_COMM;
		memcpy(to->name, from->event_data.comm.comm,
			sizeof(to->name) - 1);
		break;
	case PROC_EVENT_UID:
	case PROC_EVENT_GID:
		to->type = from->what == PROC_EVENT_UID ? EVENT_UID : EVENT_GID;
		to->real = from->event_data.id.r.ruid;
		to->effective = from->event_data.id.e.euid;
		break;
	case PROC_EVENT_SID:
		to->type = EVENT_SID;
		break;
	case PROC_EVENT_PTRACE:
		to->type = EVENT_PTRACE;
		to->other = from->event_data.ptrace.tracer_tgid;
		break;
	case PROC_EVENT_COREDUMP:
		to->type = EVENT_CORE;
		break;
	case PROC_EVENT_NONE:
		to->type = EVENT_ANSWER;
		to->pid = 0;
		return from->event_data.ack.err == 0;
	default:
		return false;
	}
	to->thread = thread != to->pid;
	return !to->thread || (to->type & (EVENT_FORK | EVENT_EXIT)) != 0;
}

/* The kernel answers with the number of the request, and one more. */
static pid_t
request_of(const struct message *message)
{
	uint32_t number;

	memcpy(&number, message->connector + offsetof(struct cn_msg, ack),
		sizeof(number));
	return (pid_t)(number - 1);
}

int
connector_read(int fd, event_taker *take, void *data)
{
	struct message messages[AT_ONCE];
	struct sockaddr_nl senders[AT_ONCE] = {{0}};
	struct iovec parts[AT_ONCE];
	struct mmsghdr headers[AT_ONCE];
	int count, all = 0;

	do {
		for (int i = 0; i < AT_ONCE; i++) {
			parts[i] = (struct iovec){
				&messages[i], sizeof(messages[i])};
			headers[i].msg_hdr =
				(struct msghdr){.msg_name = &senders[i],
					.msg_namelen = sizeof(senders[i]),
					.msg_iov = &parts[i],
					.msg_iovlen = 1};
		}
		count = recvmmsg(fd, headers, AT_ONCE, MSG_DONTWAIT, NULL);
		for (int i = 0; i < count; i++) {
			struct proc_event news;
			struct event event;

			/* Others may send to our socket; 0 is the kernel. */
			if (senders[i].nl_pid != 0 ||
				headers[i].msg_len < sizeof(messages[i]))
				continue;
			memcpy(&news, &messages[i].event, sizeof(news));
			if (!translate(&news, &event))
				continue;
			/* All listeners get it: for whom is it? */
			if (event.type == EVENT_ANSWER)
				event.other = request_of(&messages[i]);
			take(data, &event);
		}
		all += count > 0 ? count : 0;
	} while (count == AT_ONCE);
	if (count == -1 && errno != EAGAIN && errno != EINTR)
		return -1;
	return all;
}

long
connector_lost(int fd)
{
	unsigned values[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(values);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &size) == -1)
		return -1;
	return values[SK_MEMINFO_DROPS];
}
