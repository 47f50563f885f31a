#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "ns.h"

/* The kernel takes a map in one write(2) or not at all. */
int
idmap_put(pid_t pid, const char *file, const char *text)
{
	char *path;

	if ((pid == NS_SELF ? asprintf(&path, "/proc/self/%s", file)
			    : asprintf(&path, "/proc/%d/%s", pid, file)) == -1)
		die("malloc");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return die_say("open %s", path);
	if (write(fd, text, strlen(text)) == -1)
		return die_say("write %s", path);
	if (close(fd) == -1)
		return die_say("close %s", path);
	free(path);
	return 0;
}

void
idmap_root(pid_t pid, uid_t uid, gid_t gid)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %u 1\n", uid);
	snprintf(gids, sizeof(gids), "0 %u 1\n", gid);
	if (idmap_put(pid, "setgroups", "deny") == -1 ||
		idmap_put(pid, "uid_map", uids) == -1 ||
		idmap_put(pid, "gid_map", gids) == -1)
		_exit(DIE_FAILED);
}

/* Where 0 is not mapped, it is EINVAL. */
void
idmap_become_root(void)
{
	if (setgroups(0, NULL) == -1 && errno != EPERM)
		die("setgroups");
	if (setgid(0) == -1 && errno != EINVAL)
		die("setgid 0");
	if (setuid(0) == -1 && errno != EINVAL)
		die("setuid 0");
}
