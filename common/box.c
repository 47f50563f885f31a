#include "box.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "container.h"
#include "die.h"
#include "display.h"
#include "need.h"
#include "rootfs.h"
#include "state.h"

void
box_init(const struct bundle *bundle, char **command)
{
	rootfs_enter(bundle->rootfs, bundle->readonly);
	if (bundle->hostname != NULL &&
		sethostname(bundle->hostname, strlen(bundle->hostname)) == -1)
		die("sethostname %s", bundle->hostname);
	if (chdir(bundle->process.cwd) == -1)
		die("chdir %s in the container", bundle->process.cwd);
	child_close_fds();
	environ = bundle->process.env;
	child_exec(command == NULL ? bundle->process.args : command);
}

void
box_prepare(struct box *box)
{
	box->parent = child_self();
	if (talk_make(&box->talk) == -1)
		die("socketpair");
}

void
box_child(struct box *box)
{
	child_begin(box->parent);
	if (talk_child(&box->talk) == -1)
		die("dup2");
}

void
box_parent(struct box *box)
{
	talk_parent(&box->talk);
	close(box->parent);
	free(box_ask(box, ":"));
}

pid_t
box_fork(struct box *box, int flags)
{
	box_prepare(box);
	/* As clone3 in lesson02, in the spelling that is older: the third
	 * argument takes the pidfd. */
	box->pid = (pid_t)syscall(SYS_clone,
		(unsigned long)flags | CLONE_PIDFD | SIGCHLD, NULL, &box->pidfd,
		NULL, 0);
	if (box->pid == -1)
		die("clone");
	if (box->pid == 0)
		box_child(box);
	return box->pid;
}

void
box_start(struct box *box, const struct bundle *bundle)
{
	char *shell[] = {"sh", NULL};

	if (box_fork(box, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
				  CLONE_NEWPID | CLONE_NEWNET) == 0)
		box_init(bundle, shell);
	box_parent(box);
}

void
box_say_unapplied(const struct bundle *bundle)
{
	int column = 80;

	if (bundle->unapplied[0] == NULL)
		return;
	fprintf(stderr,
		"config.json also asks for these, which %s does not do:",
		program_invocation_short_name);
	for (char **name = bundle->unapplied; *name != NULL; name++) {
		int width = display_width(*name) + 2;

		column += width;
		if (column > 79) {
			fprintf(stderr, "\n ");
			column = width + 1;
		}
		fprintf(stderr, " %s%s", *name, name[1] == NULL ? "" : ",");
	}
	fprintf(stderr, "\n");
}

struct bundle
box_load(const char *dir)
{
	struct bundle bundle;
	char *error;

	if (dir == NULL && access("config.json", F_OK) == -1 && errno == ENOENT)
		die_plain(DIE_FAILED,
			"there is no config.json in this folder: --bundle names"
			" another");
	if (bundle_load(&bundle, dir == NULL ? "." : dir, &error) == -1)
		die_plain(DIE_FAILED, "%s", error);
	return bundle;
}

void
box_obey(struct box *box, const struct bundle *bundle)
{
	struct state nobody = {.lock = -1};
	struct container c = {
		.bundle = bundle, .state = &nobody, .talk = &box->talk};

	box_prepare(box);
	if (container_stages(&c) == -1)
		_exit(container_reap(&c));
	close(c.sync);
	box->pid = c.pid;
	box->pidfd = c.pidfd;
	box_parent(box);
}

void
box_start_default(struct box *box)
{
	char *dir = need_bundle();
	struct bundle bundle = box_load(dir);

	box_start(box, &bundle);
	bundle_free(&bundle);
	free(dir);
}

static char *
ask(struct box *box, const char *format, va_list arguments)
{
	char *command, *answer;

	if (vasprintf(&command, format, arguments) == -1)
		die("malloc");
	if (talk_ask(&box->talk, command, &answer) == -1)
		die("talk to the container's shell (it printed: %.500s)",
			answer);
	free(command);
	return answer;
}

char *
box_ask(struct box *box, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *answer = ask(box, format, arguments);
	va_end(arguments);
	return answer;
}

long long
box_ask_number(struct box *box, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *answer = ask(box, format, arguments);
	va_end(arguments);
	long long number = strtoll(answer, NULL, 10);
	free(answer);
	return number;
}

struct ns_id
box_ns(struct box *box, pid_t pid, const char *link)
{
	char *answer =
		box_ask(box, "stat -L -c '%%d %%i' /proc/%d/ns/%s", pid, link);
	char *rest;
	struct ns_id id;

	id.dev = strtoull(answer, &rest, 10);
	id.ino = strtoull(rest, NULL, 10);
	free(answer);
	return id;
}

void
box_stop(struct box *box)
{
	pid_t ended;

	if (kill(box->pid, SIGKILL) == -1)
		die("kill %d", box->pid);
	/* The init ends after all others of its PID namespace, and one that has
	 * lost its parent is now our child: it must be waited for first. */
	do
		ended = waitpid(-1, NULL, 0);
	while (ended != box->pid && (ended != -1 || errno == EINTR));
	if (ended == -1)
		die("waitpid %d", box->pid);
	close(box->pidfd);
	talk_close(&box->talk);
}
