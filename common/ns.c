#include "ns.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "die.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct ns_type ns_types[NS_TYPES] = {
	{"cgroup", CLONE_NEWCGROUP, "CLONE_NEWCGROUP", "4.6", 4026531835},
	{"ipc", CLONE_NEWIPC, "CLONE_NEWIPC", "2.6.19", 4026531839},
	{"mnt", CLONE_NEWNS, "CLONE_NEWNS", "2.4.19", 4026531832},
	{"net", CLONE_NEWNET, "CLONE_NEWNET", "2.6.29", 4026531833},
	{"pid", CLONE_NEWPID, "CLONE_NEWPID", "2.6.24", 4026531836},
	{"time", CLONE_NEWTIME, "CLONE_NEWTIME", "5.6", 4026531834},
	{"user", CLONE_NEWUSER, "CLONE_NEWUSER", "3.8", 4026531837},
	{"uts", CLONE_NEWUTS, "CLONE_NEWUTS", "2.6.19", 4026531838},
};

const char *const ns_links[NS_LINKS] = {"cgroup", "ipc", "mnt", "net", "pid",
	"pid_for_children", "time", "time_for_children", "user", "uts"};

char *
ns_path(pid_t pid, const char *link)
{
	char *path;

	if ((pid == NS_SELF ? asprintf(&path, "/proc/self/ns/%s", link)
			    : asprintf(&path, "/proc/%d/ns/%s", pid, link)) ==
		-1)
		die("malloc");
	return path;
}

int
ns_get(pid_t pid, const char *link, struct ns_id *id)
{
	char *path = ns_path(pid, link);
	struct stat st;
	int result = stat(path, &st);

	free(path);
	if (result == -1)
		return -1;
	*id = (struct ns_id){st.st_dev, st.st_ino};
	return 0;
}

struct ns_id
ns_look(pid_t pid, const char *link)
{
	struct ns_id id;

	if (ns_get(pid, link, &id) == -1)
		die("stat /proc/%d/ns/%s", pid, link);
	return id;
}

void
ns_own(struct ns_id ids[NS_TYPES])
{
	for (int i = 0; i < NS_TYPES; i++)
		if (ns_get(NS_SELF, ns_types[i].name, &ids[i]) == -1)
			ids[i] = (struct ns_id){0, 0};
}

int
ns_different(pid_t pid)
{
	int flags = 0;

	for (int i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];

		if (ns_exists(type) && !ns_same(ns_look(NS_SELF, type->name),
					       ns_look(pid, type->name)))
			flags |= type->flag;
	}
	return flags;
}

int
ns_type_of(int flag)
{
	int type = 0;

	while (type < NS_TYPES && ns_types[type].flag != flag)
		type++;
	return type;
}

bool
ns_parse(const char *text, int *type, ino_t *ino)
{
	char *end;

	for (*type = 0; *type < NS_TYPES; ++*type) {
		size_t length = strlen(ns_types[*type].name);

		if (strncmp(text, ns_types[*type].name, length) == 0 &&
			strncmp(text + length, ":[", 2) == 0) {
			text += length + 2;
			break;
		}
	}
	/* strtoul takes blanks and a sign before the number. */
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*ino = strtoul(text, &end, 10);
	return errno == 0 && *ino != 0 &&
	       strcmp(end, *type < NS_TYPES ? "]" : "") == 0;
}

bool
ns_exists(const struct ns_type *type)
{
	struct ns_id id;

	return ns_get(NS_SELF, type->name, &id) == 0;
}

int
ns_count(void)
{
	int count = 0;

	for (int i = 0; i < NS_TYPES; i++)
		count += ns_exists(&ns_types[i]);
	return count;
}

bool
ns_same(struct ns_id a, struct ns_id b)
{
	return a.dev == b.dev && a.ino == b.ino;
}
