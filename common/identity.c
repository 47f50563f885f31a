#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caps.h"
#include "die.h"

int
identity_score(pid_t pid, const struct bundle_process *process)
{
	const struct bundle_number *score = &process->oom_score_adj;
	char *path;
	int done = -1;

	if (!score->given)
		return 0;
	if (asprintf(&path, "/proc/%d/oom_score_adj", pid) == -1)
		die("malloc");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		die_say("open %s", path);
	else if (dprintf(fd, "%lld", score->value) < 0)
		die_say("write %s %lld", path, score->value);
	else
		done = 0;
	if (fd != -1)
		close(fd);
	free(path);
	return done;
}

int
identity_limit(pid_t pid, const struct bundle_process *process)
{
	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct bundle_rlimit *r = &process->rlimits[i];

		if (prlimit(pid, r->resource, &r->limit, NULL) == -1)
			return die_say("prlimit %s", r->name);
	}
	return 0;
}

/* Where a user namespace denies setgroups(2), the groups stay as they are. */
static void
take_groups(const struct bundle_process *process)
{
	if (setgroups(process->gid_count, process->gids) == -1 &&
		(errno != EPERM || process->gid_count > 0))
		die("setgroups");
	if (setresgid(process->gid, process->gid, process->gid) == -1)
		die("setresgid %u", process->gid);
}

/* What is dropped from the bounding set can never be had again, not even by
 * exec of a set-user-ID program. */
static void
take_bounding(uint64_t bounding)
{
	for (cap_value_t cap = 0; cap < (cap_value_t)cap_max_bits(); cap++)
		if ((bounding >> cap & 1) == 0 && cap_drop_bound(cap) == -1)
			die("prctl PR_CAPBSET_DROP %d", cap);
}

static void
set_flags(cap_t caps, cap_flag_t flag, uint64_t set)
{
	for (cap_value_t cap = 0; cap < (cap_value_t)cap_max_bits(); cap++)
		if (cap_set_flag(caps, flag, 1, &cap,
			    (set >> cap & 1) != 0 ? CAP_SET : CAP_CLEAR) == -1)
			die("cap_set_flag");
}

/* Nobody can be given what the runner has not. */
static void
take_capabilities(const struct bundle_caps *wanted)
{
	uint64_t ours = caps_permitted();
	cap_t caps = cap_init();

	if (caps == NULL)
		die("cap_init");
	set_flags(caps, CAP_EFFECTIVE, wanted->effective & ours);
	set_flags(caps, CAP_PERMITTED, wanted->permitted & ours);
	set_flags(caps, CAP_INHERITABLE, wanted->inheritable & ours);
	if (cap_set_proc(caps) == -1)
		die("capset");
	cap_free(caps);
	/* One that is not inheritable, too, cannot be ambient: EPERM. */
	for (cap_value_t cap = 0; cap < (cap_value_t)cap_max_bits(); cap++)
		if ((wanted->ambient & wanted->inheritable & wanted->permitted &
			    ours) >> cap &
				1 &&
			cap_set_ambient(cap, CAP_SET) == -1)
			die("prctl PR_CAP_AMBIENT_RAISE %d", cap);
}

/* A path like /proc/self/fd/7 can lead to a folder that is not below our root;
 * the kernel then says "(unreachable)" where a path should begin. */
static void
check_folder(const char *cwd)
{
	char start[4096];

	if (syscall(SYS_getcwd, start, sizeof(start)) == -1)
		die("getcwd in %s", cwd);
	if (start[0] != '/')
		die_plain(DIE_FAILED,
			"process.cwd: %s leads out of the container", cwd);
}

void
identity_take(const struct bundle_process *process)
{
	umask(process->umask.given ? (mode_t)process->umask.value : 022);
	if (process->no_new_privileges &&
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die("prctl PR_SET_NO_NEW_PRIVS");
	take_bounding(process->caps.bounding);
	/* Else setuid to another user would take all capabilities at once. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		die("prctl PR_SET_KEEPCAPS");
	/* Perhaps only root may enter it, perhaps only the user. */
	int entered = chdir(process->cwd);
	take_groups(process);
	if (setresuid(process->uid, process->uid, process->uid) == -1)
		die("setresuid %u", process->uid);
	if (entered == -1 && chdir(process->cwd) == -1)
		die("chdir %s in the container", process->cwd);
	check_folder(process->cwd);
	take_capabilities(&process->caps);
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1)
		die("prctl PR_SET_KEEPCAPS");
}

/* The container's own, which may have made anything of it: a FIFO would make us
 * wait, and a device may have no end. */
static FILE *
open_passwd(void)
{
	enum { MOST = 1 << 24 };
	int fd = open(
		"/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size > MOST) {
		close(fd);
		return NULL;
	}
	return fdopen(fd, "r");
}

static char *
home_of(uid_t uid)
{
	FILE *in = open_passwd();
	char *home = NULL;
	struct passwd *user;

	while (in != NULL && home == NULL && (user = fgetpwent(in)) != NULL)
		if (user->pw_uid == uid)
			home = strdup(user->pw_dir);
	if (in != NULL)
		fclose(in);
	return home;
}

void
identity_environment(const struct bundle_process *process)
{
	environ = process->env;
	if (getenv("HOME") != NULL)
		return;
	char *home = home_of(process->uid);
	if (setenv("HOME", home == NULL ? "/" : home, 1) == -1)
		die("setenv");
	free(home);
}
