#include "idmap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "ns.h"

/* The kernel takes a map in one write(2) or not at all. */
static void
put(pid_t pid, const char *file, const char *text)
{
	char *path;

	if ((pid == NS_SELF ? asprintf(&path, "/proc/self/%s", file)
			    : asprintf(&path, "/proc/%d/%s", pid, file)) == -1)
		die("malloc");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		die("open %s", path);
	if (write(fd, text, strlen(text)) == -1)
		die("write %s", path);
	if (close(fd) == -1)
		die("close %s", path);
	free(path);
}

void
idmap_root(pid_t pid, uid_t uid, gid_t gid)
{
	char map[64];

	put(pid, "setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	put(pid, "uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	put(pid, "gid_map", map);
}
