#include "mountopts.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "die.h"

/* Of linux/mount.h: the attributes of mount_setattr(2). */
enum {
	ATTR_RDONLY = 1,
	ATTR_NOSUID = 2,
	ATTR_NODEV = 4,
	ATTR_NOEXEC = 8,
	ATTR_ATIME = 0x70, /* a field of some bits: 0 is relatime */
	ATTR_NOATIME = 0x10,
	ATTR_STRICTATIME = 0x20,
	ATTR_NODIRATIME = 0x80,
	ATTR_NOSYMFOLLOW = 0x200000,
	NO_SYMFOLLOW = 256 /* MS_NOSYMFOLLOW, Linux 5.10 */
};

/* A flag that is set or cleared. */
static const struct {
	const char *name;
	bool clear;
	unsigned long flag;
} flags[] = {
	{"acl", false, MS_POSIXACL},
	{"async", true, MS_SYNCHRONOUS},
	{"atime", true, MS_NOATIME},
	{"bind", false, MS_BIND},
	{"defaults", false, 0},
	{"dev", true, MS_NODEV},
	{"diratime", true, MS_NODIRATIME},
	{"dirsync", false, MS_DIRSYNC},
	{"exec", true, MS_NOEXEC},
	{"iversion", false, MS_I_VERSION},
	{"lazytime", false, MS_LAZYTIME},
	{"loud", true, MS_SILENT},
	{"mand", false, MS_MANDLOCK},
	{"noacl", true, MS_POSIXACL},
	{"noatime", false, MS_NOATIME},
	{"nodev", false, MS_NODEV},
	{"nodiratime", false, MS_NODIRATIME},
	{"noexec", false, MS_NOEXEC},
	{"noiversion", true, MS_I_VERSION},
	{"nolazytime", true, MS_LAZYTIME},
	{"nomand", true, MS_MANDLOCK},
	{"norelatime", true, MS_RELATIME},
	{"nostrictatime", true, MS_STRICTATIME},
	{"nosuid", false, MS_NOSUID},
	{"nosymfollow", false, NO_SYMFOLLOW},
	{"rbind", false, MS_BIND | MS_REC},
	{"relatime", false, MS_RELATIME},
	{"remount", false, MS_REMOUNT},
	{"ro", false, MS_RDONLY},
	{"rw", true, MS_RDONLY},
	{"silent", false, MS_SILENT},
	{"strictatime", false, MS_STRICTATIME},
	{"suid", true, MS_NOSUID},
	{"symfollow", true, NO_SYMFOLLOW},
	{"sync", false, MS_SYNCHRONOUS},
};

static const struct {
	const char *name;
	unsigned long flag;
} propagations[] = {
	{"private", MS_PRIVATE},
	{"rprivate", MS_PRIVATE | MS_REC},
	{"shared", MS_SHARED},
	{"rshared", MS_SHARED | MS_REC},
	{"slave", MS_SLAVE},
	{"rslave", MS_SLAVE | MS_REC},
	{"unbindable", MS_UNBINDABLE},
	{"runbindable", MS_UNBINDABLE | MS_REC},
};

static const struct {
	const char *name;
	uint64_t set, clear;
} recursive[] = {
	{"ratime", 0, ATTR_ATIME},
	{"rdev", 0, ATTR_NODEV},
	{"rdiratime", 0, ATTR_NODIRATIME},
	{"rexec", 0, ATTR_NOEXEC},
	{"rnoatime", ATTR_NOATIME, ATTR_ATIME},
	{"rnodev", ATTR_NODEV, 0},
	{"rnodiratime", ATTR_NODIRATIME, 0},
	{"rnoexec", ATTR_NOEXEC, 0},
	{"rnorelatime", 0, ATTR_ATIME},
	{"rnostrictatime", 0, ATTR_ATIME},
	{"rnosuid", ATTR_NOSUID, 0},
	{"rnosymfollow", ATTR_NOSYMFOLLOW, 0},
	{"rrelatime", 0, ATTR_ATIME},
	{"rro", ATTR_RDONLY, 0},
	{"rrw", 0, ATTR_RDONLY},
	{"rstrictatime", ATTR_STRICTATIME, ATTR_ATIME},
	{"rsuid", 0, ATTR_NOSUID},
	{"rsymfollow", 0, ATTR_NOSYMFOLLOW},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each returns whether the name is one of its table. */
static bool
take_flag(struct mountopts *opts, const char *name)
{
	for (size_t i = 0; i < COUNT(flags); i++) {
		if (strcmp(flags[i].name, name) != 0)
			continue;
		if (flags[i].clear)
			opts->flags &= ~flags[i].flag;
		else
			opts->flags |= flags[i].flag;
		if ((flags[i].flag & MS_BIND) == 0 && flags[i].flag != 0)
			opts->changes = true;
		return true;
	}
	return false;
}

unsigned long
mountopts_propagation(const char *word)
{
	for (size_t i = 0; i < COUNT(propagations); i++)
		if (strcmp(propagations[i].name, word) == 0)
			return propagations[i].flag;
	return 0;
}

static bool
take_propagation(struct mountopts *opts, const char *name)
{
	unsigned long flag = mountopts_propagation(name);

	if (flag == 0)
		return false;
	if (opts->propagation_count == MOUNTOPTS_CHANGES)
		die_plain(DIE_FAILED, "mount: more than %d options like %s",
			MOUNTOPTS_CHANGES, name);
	opts->propagation[opts->propagation_count++] = flag;
	return true;
}

static bool
take_recursive(struct mountopts *opts, const char *name)
{
	for (size_t i = 0; i < COUNT(recursive); i++) {
		if (strcmp(recursive[i].name, name) != 0)
			continue;
		/* The later one counts. */
		opts->all_set &= ~recursive[i].clear;
		opts->all_clear &= ~recursive[i].set;
		opts->all_set |= recursive[i].set;
		opts->all_clear |= recursive[i].clear;
		return true;
	}
	return false;
}

struct mountopts
mountopts_read(char *const *options)
{
	struct mountopts opts = {0};
	size_t size;
	FILE *out = open_memstream(&opts.data, &size);

	if (out == NULL)
		die("open_memstream");
	for (; *options != NULL; options++)
		if (!take_flag(&opts, *options) &&
			!take_propagation(&opts, *options) &&
			!take_recursive(&opts, *options))
			fprintf(out, "%s%s", ftell(out) > 0 ? "," : "",
				*options);
	if (fclose(out) == EOF)
		die("malloc");
	return opts;
}

void
mountopts_drop(char **options, const char *beginning)
{
	char **to = options;

	for (; *options != NULL; options++)
		if (strncmp(*options, beginning, strlen(beginning)) != 0)
			*to++ = *options;
	*to = NULL;
}
