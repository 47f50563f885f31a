#include "idmap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "die.h"
#include "ns.h"

/* The kernel takes a map in one write(2) or not at all. */
static int
put(pid_t pid, const char *file, const char *text)
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
	if (put(pid, "setgroups", "deny") == -1 ||
		put(pid, "uid_map", uids) == -1 ||
		put(pid, "gid_map", gids) == -1)
		_exit(DIE_FAILED);
}

static int
put_map(pid_t pid, const char *file, const struct bundle_map *map, size_t count)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("open_memstream");
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%u %u %u\n", map[i].inside, map[i].outside,
			map[i].count);
	if (fclose(out) == EOF)
		die("malloc");
	int done = put(pid, file, text);
	free(text);
	return done;
}

int
idmap_write(pid_t pid, const struct bundle *bundle)
{
	if (!caps_have(CAP_SETGID) && put(pid, "setgroups", "deny") == -1)
		return -1;
	if (put_map(pid, "uid_map", bundle->uid_map, bundle->uid_map_count) ==
		-1)
		return -1;
	return put_map(pid, "gid_map", bundle->gid_map, bundle->gid_map_count);
}
