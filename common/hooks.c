#include "hooks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "die.h"

/* The state in a file without a name: a hook that does not read it blocks
 * nobody, as it would with a pipe. */
static int
state_file(const struct state *state, const char *status)
{
	json_t *json = state_json(state);
	int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd == -1)
		die("memfd_create");
	if (json == NULL ||
		json_object_set_new(json, "status", json_string(status)) == -1)
		die("malloc");
	char *text = json_dumps(json, 0);
	if (text == NULL)
		die("malloc");
	if (dprintf(fd, "%s\n", text) < 0 || lseek(fd, 0, SEEK_SET) == -1)
		die("write the state for a hook");
	free(text);
	json_decref(json);
	return fd;
}

static void
become(const struct bundle_hook *hook, int input, int parent)
{
	child_begin(parent);
	if (dup2(input, STDIN_FILENO) == -1)
		die("dup2");
	child_close_fds();
	execve(hook->path, hook->args, hook->env);
	die("execve %s", hook->path);
}

/* Wait for the end, and no longer than the timeout. Returns the exit code, or
 * -1 when it had to be killed. */
static int
wait_for(pid_t pid, int pidfd, const struct bundle_number *timeout)
{
	int limit = -1;

	if (timeout->given)
		limit = timeout->value > 2000000 ? 2000000000
						 : (int)timeout->value * 1000;
	int ready = child_await(pidfd, limit);
	if (ready == 1)
		return child_wait(pid);
	int code = child_end(pid);
	/* We are to end, and so is it. */
	return ready == -1 ? code : -1;
}

static int
run(const struct bundle_hook *hook, int input)
{
	int parent = child_self();
	pid_t pid = fork();

	if (pid == -1)
		die("fork");
	if (pid == 0)
		become(hook, input, parent);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd == -1)
		die("pidfd_open");
	int code = wait_for(pid, pidfd, &hook->timeout);
	close(pidfd);
	close(parent);
	return code;
}

int
hooks_run(const struct bundle *bundle, enum bundle_hook_kind kind,
	const struct state *state, const char *status)
{
	for (size_t i = 0; i < bundle->hook_count[kind]; i++) {
		const struct bundle_hook *hook = &bundle->hooks[kind][i];
		int input = state_file(state, status);
		int code = run(hook, input);

		close(input);
		if (code == 0)
			continue;
		if (code == -1)
			return die_say_plain(
				"hooks.%s[%zu]: %s: not ready after %lld s",
				bundle_hook_names[kind], i, hook->path,
				hook->timeout.value);
		return die_say_plain("hooks.%s[%zu]: %s: exit code %d",
			bundle_hook_names[kind], i, hook->path, code);
	}
	return 0;
}
