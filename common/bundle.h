/*
 * bundle: the folder that an OCI runtime runs. config.json in it says how, a
 * rootfs holds the files that the container sees. The format is the OCI
 * runtime specification 1.0, config.md and config-linux.md.
 */
#ifndef COMMON_BUNDLE_H
#define COMMON_BUNDLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "ns.h"

/* A number that may be left out. */
struct bundle_number {
	bool given;
	long long value;
};

struct bundle_rlimit {
	const char *name; /* "RLIMIT_NOFILE" */
	int resource;	  /* RLIMIT_NOFILE, for prlimit(2) */
	struct rlimit limit;
};

/* The five sets of capabilities(7), a bit for each number. */
struct bundle_caps {
	bool given;
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* process: of config.json, or a file of its own for exec. */
struct bundle_process {
	bool terminal;
	unsigned short rows, columns; /* consoleSize, 0 when not given */
	char **args;		      /* at least one */
	char **env;		      /* each NAME=VALUE */
	char *cwd;		      /* an absolute path of the container */
	uid_t uid;
	gid_t gid;
	gid_t *gids; /* additionalGids */
	size_t gid_count;
	struct bundle_number umask; /* 0 to 0777 */
	struct bundle_caps caps;
	struct bundle_rlimit *rlimits;
	size_t rlimit_count;
	bool no_new_privileges;
	struct bundle_number oom_score_adj; /* -1000 to 1000 */
	char **unsupported; /* see the member of struct bundle */
};

struct bundle_mount {
	char *destination; /* absolute, of the container */
	char *type;	   /* or NULL */
	char *source;	   /* or NULL; of a bind mount: absolute, or below the
			      bundle and made absolute here */
	char **options;
};

/* A line of uid_map or gid_map, see user_namespaces(7). */
struct bundle_map {
	uint32_t inside, outside, count;
};

/* The bits of the kernel's dev_t. */
enum { BUNDLE_MAX_MAJOR = (1 << 12) - 1, BUNDLE_MAX_MINOR = (1 << 20) - 1 };

struct bundle_device {
	char type;  /* 'c', 'b', 'u' (as 'c') or 'p' */
	char *path; /* absolute, of the container */
	unsigned major, minor;
	mode_t mode; /* 0666 when not given */
	uid_t uid;
	gid_t gid;
};

/* One of linux.resources.devices: which device nodes may be used. */
struct bundle_device_rule {
	bool allow;
	bool read, write, make;	    /* access: r, w, m */
	char type;		    /* 'a', 'b' or 'c' */
	struct bundle_number major; /* not given: any */
	struct bundle_number minor;
};

/* linux.resources, as far as bundle_load does not call it unsupported. */
struct bundle_resources {
	struct bundle_number memory_limit, memory_reservation, memory_swap;
	struct bundle_number cpu_shares, cpu_quota, cpu_period;
	char *cpus, *mems; /* lists as in cpuset(7), or NULL */
	struct bundle_number pids_limit;
	struct bundle_device_rule *devices;
	size_t device_count;
	const json_t *unified; /* cgroup v2: file name to value, or NULL */
};

struct bundle_hook {
	char *path;  /* absolute, of the runtime's mount namespace */
	char **args; /* the first is its name; path alone when not given */
	char **env;
	struct bundle_number timeout; /* seconds, more than 0 */
};

/* In the order of the specification. */
enum bundle_hook_kind {
	BUNDLE_PRESTART,
	BUNDLE_CREATE_RUNTIME,
	BUNDLE_CREATE_CONTAINER,
	BUNDLE_START_CONTAINER,
	BUNDLE_POSTSTART,
	BUNDLE_POSTSTOP,
	BUNDLE_HOOKS
};

/* As config.json calls them. */
extern const char *const bundle_hook_names[BUNDLE_HOOKS];

/* A name and a value. */
struct bundle_pair {
	char *name, *value;
};

/* Seconds and nanoseconds, as /proc/PID/timens_offsets takes them; see
 * time_namespaces(7). */
struct bundle_offset {
	bool given;
	long long secs;
	unsigned nanosecs; /* below 10^9 */
};

/* All arrays of strings end with NULL, none is NULL; other arrays have a
 * count. */
struct bundle {
	json_t *config; /* config.json as it was read */
	char *dir;	/* the bundle, an absolute path without links */
	char *rootfs;	/* root.path, likewise: a real directory */
	bool readonly;	/* root.readonly */
	struct bundle_process process;
	char *hostname;	  /* 1 to 64 bytes, or NULL */
	char *domainname; /* likewise */
	struct bundle_mount *mounts;
	size_t mount_count;
	int namespaces;		/* CLONE_NEW* of those to be made */
	char *joined[NS_TYPES]; /* path of the one to be joined, or NULL; in
				   the order of ns_types */
	struct bundle_map *uid_map, *gid_map;
	size_t uid_map_count, gid_map_count;
	struct bundle_offset monotonic, boottime;
	struct bundle_device *devices;
	size_t device_count;
	char *cgroups_path; /* or NULL */
	struct bundle_resources resources;
	/* Names as in "net.ipv4.conf.eth0/1.forwarding": "." is between the
	 * parts of the path, "/" is a dot in one, see sysctl(8). */
	struct bundle_pair *sysctls;
	size_t sysctl_count;
	unsigned long propagation; /* of the rootfs: MS_PRIVATE, MS_SHARED,
				      MS_SLAVE or MS_UNBINDABLE, with MS_REC
				      as named; 0 when not given */
	char **masked_paths, **readonly_paths;
	struct bundle_hook *hooks[BUNDLE_HOOKS];
	size_t hook_count[BUNDLE_HOOKS];
	const json_t *annotations; /* an object of strings, or NULL */

	/*
	 * What config.json asks for beyond what lesson02 does, by JSON path
	 * ("process.rlimits", mounts[2] "/dev/pts"). Who runs the bundle
	 * without them must say so.
	 */
	char **unapplied;
	/*
	 * The same for what no lesson does and what would restrict the
	 * container or change what it sees ("linux.seccomp"), process
	 * included. A runtime must not run it without a word: config.md calls
	 * that an error.
	 */
	char **unsupported;
};

/*
 * Read DIR/config.json and look for the rootfs that it names.
 *
 * Properties that the specification does not know are ignored, as it demands;
 * those that it knows must have their type, even where they are not used.
 * Refused is what runc or crun refuse, and text that no JSON parser should
 * pass: more than 1 MiB, names given twice, anything after the end.
 *
 * Returns 0; bundle_free gives back what b holds. Or returns -1, sets errno
 * (EINVAL when the contents are at fault) and sets *error to one line for the
 * reader: the file, the JSON path or line and column, what was found, what was
 * expected. The caller frees it; b needs no bundle_free. *error is NULL when
 * there is no memory even for the line.
 */
int bundle_load(struct bundle *b, const char *dir, char **error);

void bundle_free(struct bundle *b);

/* Has the container a namespace of this type (CLONE_NEW*) that is not ours: a
 * new one, or one to be joined? A path that leads nowhere counts: joining it
 * will tell. */
bool bundle_is_separate(const struct bundle *b, int flag);

/*
 * Read a file that holds what stands at "process" in config.json, for exec.
 * Returns as bundle_load does; bundle_process_free gives back what it holds.
 */
int bundle_load_process(
	struct bundle_process *process, const char *path, char **error);

/* The same from a value: name is how the line calls it. */
int bundle_read_process(struct bundle_process *process, const json_t *value,
	const char *name, char **error);

void bundle_process_free(struct bundle_process *process);

#endif
