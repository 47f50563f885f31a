#include "look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "need.h"
#include "snapshot.h"
#include "user.h"

void
look_take(struct look *look, int how)
{
	*look = (struct look){
		.live = true, .holders = (how & SCAN_HOLDERS) != 0};
	if (scan_take(&look->scan, how) == -1) {
		int error = errno;

		if (error == ENOENT)
			need_proc();
		errno = error;
		die("read /proc");
	}
}

int
look_from(struct look *look, const char *path, char **error)
{
	struct snapshot snapshot;

	*look = (struct look){.live = false};
	if (snapshot_read(&snapshot, path, error) == -1)
		return -1;
	look->scan = snapshot.scan;
	look->holders = snapshot.holders;
	look->way = snapshot.way;
	return 0;
}

const struct scan_process *
look_details(struct look *look, int process)
{
	struct scan_process *found = &look->scan.processes[process];

	if (!found->detailed && look->live)
		(void)scan_details(found);
	return found->detailed ? found : NULL;
}

const char *
look_user(struct look *look, uid_t uid)
{
	struct look_user *user = &look->users[uid % LOOK_USERS];

	if (user->name != NULL && user->uid == uid)
		return user->name;
	free(user->name);
	user->uid = uid;
	if (look->live)
		user->name = user_name(uid);
	else if (asprintf(&user->name, "%u", uid) == -1)
		die("malloc");
	return user->name;
}

bool
look_is_host(const struct look *look, int space)
{
	const struct scan_space *found = &look->scan.spaces[space];

	return ns_same(found->id, look->scan.host[found->type]);
}

void
look_free(struct look *look)
{
	scan_free(&look->scan);
	free(look->way);
	for (int i = 0; i < LOOK_USERS; i++)
		free(look->users[i].name);
}
