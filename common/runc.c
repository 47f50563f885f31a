#include "runc.h"

#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "child.h"
#include "die.h"

bool
runc_is_installed(void)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path == NULL ? "" : path), *rest = copy, *folder;
	bool found = false;

	if (copy == NULL)
		die("malloc");
	while (!found && (folder = strsep(&rest, ":")) != NULL) {
		char *file;

		if (asprintf(&file, "%s/runc", folder) == -1)
			die("malloc");
		found = access(file, X_OK) == 0;
		free(file);
	}
	free(copy);
	return found;
}

/* Our bundle's config.json, with `true` as the command and no terminal. */
static void
write_config(const char *bundle, const char *path)
{
	char *from, *rootfs;

	if (asprintf(&from, "%s/config.json", bundle) == -1 ||
		asprintf(&rootfs, "%s/rootfs", bundle) == -1)
		die("malloc");
	json_t *config = json_load_file(from, 0, NULL);
	json_t *process = json_object_get(config, "process");
	if (json_object_set_new(process, "terminal", json_false()) == -1 ||
		json_object_set_new(
			process, "args", json_pack("[s]", "/bin/true")) == -1 ||
		json_object_set_new(json_object_get(config, "root"), "path",
			json_string(rootfs)) == -1)
		die_plain(DIE_FAILED, "%s is no config.json", from);
	if (json_dump_file(config, path, 0) == -1)
		die("write %s", path);
	json_decref(config);
	free(from);
	free(rootfs);
}

void
runc_keep(const char *bundle)
{
	char *name;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (setsid() == -1)
		die("setsid");
	if (unshare(CLONE_NEWNS) == -1)
		die("unshare CLONE_NEWNS");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		die("mount / private");
	if (mount("nslessons", "/run", "tmpfs", 0, NULL) == -1)
		die("mount tmpfs on /run");
	write_config(bundle, "/run/config.json");
	if (asprintf(&name, "nslessons-%d", getppid()) == -1)
		die("malloc");
	if (null == -1)
		die("open /dev/null");
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		if (dup2(null, STDIN_FILENO) == -1 ||
			dup2(null, STDOUT_FILENO) == -1)
			die("dup2");
		child_close_fds();
		child_exec((char *[]){"runc", "--root", "/run/runc", "run",
			"--bundle", "/run", name, NULL});
	}
	_exit(child_wait(pid));
}
