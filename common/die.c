#include "die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display.h"

#define NAME(error)           \
	{                     \
		error, #error \
	}

static const struct {
	int error;
	const char *name;
} names[] = {
	NAME(E2BIG),
	NAME(EACCES),
	NAME(EAGAIN),
	NAME(EBADF),
	NAME(EBUSY),
	NAME(ECHILD),
	NAME(ECONNREFUSED),
	NAME(EDOM),
	NAME(EEXIST),
	NAME(EFAULT),
	NAME(EFBIG),
	NAME(EILSEQ),
	NAME(EINTR),
	NAME(EINVAL),
	NAME(EIO),
	NAME(EISDIR),
	NAME(ELOOP),
	NAME(EMFILE),
	NAME(EMLINK),
	NAME(ENAMETOOLONG),
	NAME(ENFILE),
	NAME(ENOBUFS),
	NAME(ENODEV),
	NAME(ENOENT),
	NAME(ENOEXEC),
	NAME(ENOLINK),
	NAME(ENOMEM),
	NAME(ENOSPC),
	NAME(ENOSYS),
	NAME(ENOTCONN),
	NAME(ENOTDIR),
	NAME(ENOTEMPTY),
	NAME(ENOTTY),
	NAME(ENXIO),
	NAME(EOPNOTSUPP),
	NAME(EOVERFLOW),
	NAME(EPERM),
	NAME(EPIPE),
	NAME(EPROTONOSUPPORT),
	NAME(ERANGE),
	NAME(EROFS),
	NAME(ESRCH),
	NAME(ETIMEDOUT),
	NAME(ETXTBSY),
	NAME(EUSERS),
	NAME(EXDEV),
};

/*
 * The known pairs. A message matches when it begins with the call and holds
 * the part; the first match wins, so the special cases come first.
 */
static const struct {
	const char *call;
	const char *part;
	int error;
	const char *cause;
	const char *cure;
} hints[] = {
	{"write", "_map", EPERM,
		"the kernel made the user namespace but does not let you use it"
		" (Ubuntu 23.10 and later restrict this with AppArmor)",
		"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
	{"write", "_map", EACCES,
		"the kernel made the user namespace but does not let you use it"
		" (Ubuntu 23.10 and later restrict this with AppArmor)",
		"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
	{"unshare", "CLONE_NEWUSER", EPERM,
		"new user namespaces are forbidden here: by a sysctl, or by the"
		" seccomp filter of a container",
		"sudo sysctl kernel.unprivileged_userns_clone=1, or run it as"
		" root"},
	{"unshare", "", EPERM,
		"the caller has no CAP_SYS_ADMIN, or the seccomp filter of a"
		" container forbids the call",
		"run it as root; in Docker add --cap-add SYS_ADMIN"},
	{"clone", "", EPERM,
		"the caller has no CAP_SYS_ADMIN, or the seccomp filter of a"
		" container forbids the call",
		"run it as root; in Docker add --cap-add SYS_ADMIN"},
	{"", "", EMFILE, "the limit on open files is reached",
		"ulimit -n 1024"},
	{"pidfd_open", "", ENOENT, "the number is that of a thread",
		"name its process: Tgid in /proc/NUMBER/status"},
	{"pidfd_open", "", EINVAL, "the number is that of a thread",
		"name its process: Tgid in /proc/NUMBER/status"},
	{"mount", "private", EINVAL,
		"the root directory is no mount point, as in a chroot",
		"run it outside the chroot"},
	{"pidfd_open", "", ESRCH, "there is no such process",
		"ps -e shows the processes that you may see"},
	{"setns", "", EPERM,
		"the caller has no CAP_SYS_ADMIN in the user namespace that owns"
		" the target",
		"run it as root"},
	{"setns", "user", EINVAL,
		"nobody joins the user namespace that he is in",
		"leave it out: it is shared anyway"},
	{"setns", "", EINVAL,
		"the file is no namespace, or not of the type that was asked for",
		"name a link in /proc/PID/ns"},
	{"setns", "", ESRCH, "the process has ended", "name one that lives"},
	{"unshare", "", ENOSPC,
		"a limit on the number of namespaces is reached, or they are"
		" nested 32 deep",
		"sysctl user (look for the max_*_namespaces that is too small)"},
	{"clone", "", ENOSPC,
		"a limit on the number of namespaces is reached, or they are"
		" nested 32 deep",
		"sysctl user (look for the max_*_namespaces that is too small)"},
	{"unshare", "", EINVAL,
		"this kernel was built without that type of namespace",
		"ls /proc/self/ns shows the types that it has"},
	{"clone", "", EINVAL,
		"this kernel was built without one of these types of namespace",
		"ls /proc/self/ns shows the types that it has"},
	{"fork", "", ENOMEM,
		"PID 1 of the PID namespace is dead: nobody can be born in it",
		"make a new PID namespace"},
	{"fork", "", EAGAIN, "the limit on the number of processes is reached",
		"ulimit -u, or the pids limit of the cgroup"},
	{"mount", "proc", EPERM,
		"a new /proc would show more than the one that is here (parts of"
		" it are covered, as they are inside a container)",
		"run it outside the container, or as root"},
	{"mount", "devpts", EINVAL,
		"its option gid= names a group that our user namespace does not"
		" map",
		"run it as root, or take the config.json of `lesson08 spec"
		" --rootless`"},
	{"mount", "", EPERM, "the caller has no CAP_SYS_ADMIN over its mounts",
		"run it as root"},
	{"stat", "/proc/", EACCES,
		"you may not look at this process: it is another user's, or it has"
		" capabilities that you do not have",
		"run it as root with all capabilities"},
	{"readlink", "/proc/", EACCES,
		"you may not look at this process: it is another user's, or it has"
		" capabilities that you do not have",
		"run it as root with all capabilities"},
	{"stat", "/proc/", ENOENT,
		"there is no such process, or /proc hides it (hidepid)",
		"ps -e shows the processes that you may see"},
	{"open", "/ns/", EACCES,
		"you may not look at this process: it is another user's, or in"
		" another user namespace",
		"run it as root, or join its user namespace, too"},
	{"open", "/ns/", ENOENT,
		"there is no such process, or /proc hides it (hidepid)",
		"ps -e shows the processes that you may see"},
	{"setresuid", "", EINVAL,
		"the user is not mapped in the container's user namespace",
		"one of those in /proc/PID/uid_map of its init"},
	{"setresgid", "", EINVAL,
		"the group is not mapped in the container's user namespace",
		"one of those in /proc/PID/gid_map of its init"},
	{"exec", "", ENOENT, "there is no such command in the PATH",
		"give its path"},
};

const char *
die_errno_name(int error)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	return "E?";
}

int
die_hint(const char *message, int error, const char **cause, const char **cure)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		size_t length = strlen(hints[i].call);

		if (hints[i].error == error &&
			strncmp(message, hints[i].call, length) == 0 &&
			strstr(message + length, hints[i].part) != NULL) {
			*cause = hints[i].cause;
			*cure = hints[i].cure;
			return 1;
		}
	}
	return 0;
}

/* What others have named must not reach the terminal as a command. */
static char *
format_clean(const char *format, va_list arguments)
{
	char *text, *clean;

	if (vasprintf(&text, format, arguments) == -1)
		_exit(DIE_FAILED);
	clean = display_clean(text);
	free(text);
	return clean;
}

static int
say(const char *format, va_list arguments)
{
	int error = errno;
	const char *cause, *cure;
	char *message = format_clean(format, arguments);

	display_message(stderr, 2, "%s: %s: %s (%s)",
		program_invocation_short_name, message, die_errno_name(error),
		strerror(error));
	if (die_hint(message, error, &cause, &cure)) {
		display_message(stderr, 9, "  cause: %s", cause);
		display_message(stderr, 9, "  cure:  %s", cure);
	}
	free(message);
	errno = error;
	return -1;
}

void
die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	_exit(DIE_FAILED);
}

int
die_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	return -1;
}

static int
say_plain(const char *format, va_list arguments)
{
	char *message = format_clean(format, arguments);

	display_message(
		stderr, 2, "%s: %s", program_invocation_short_name, message);
	free(message);
	return -1;
}

void
die_plain(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_plain(format, arguments);
	va_end(arguments);
	_exit(code);
}

int
die_say_plain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_plain(format, arguments);
	va_end(arguments);
	return -1;
}
