#include "host.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "proc.h"

/* Cgroups are directories; ours bear our name and PID. They are not nested
 * deeply. */
static void
walk_cgroups( // NOLINT(misc-no-recursion)
	const char *path, const char *name, FILE *out)
{
	DIR *dir = opendir(path);
	size_t length = strlen(name);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		char *below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) == -1)
			die("malloc");
		if (strncmp(entry->d_name, name, length) == 0 &&
			!isdigit((unsigned char)entry->d_name[length]))
			fprintf(out, "%s\n", below);
		walk_cgroups(below, name, out);
		free(below);
	}
	closedir(dir);
}

static char *
our_cgroups(pid_t pid)
{
	char name[sizeof("nslessons-2147483647")];
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	snprintf(name, sizeof(name), "nslessons-%d", pid);
	walk_cgroups("/sys/fs/cgroup", name, out);
	if (fclose(out) == EOF)
		return NULL;
	return text;
}

static int
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static bool
has_no_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 &&
	       errno == ECHILD;
}

int
host_take(struct host *host, pid_t pid)
{
	*host = (struct host){0};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return -1;
	host->mounts = proc_read(NS_SELF, "mountinfo");
	host->cgroup = proc_read(NS_SELF, "cgroup");
	host->cgroups = our_cgroups(pid);
	host->descriptors = count_descriptors();
	host->alone = has_no_child();
	/* A link that this kernel does not have stays 0 both times. */
	for (int i = 0; i < NS_LINKS; i++)
		if (ns_get(NS_SELF, ns_links[i], &host->links[i]) == -1 &&
			errno != ENOENT)
			return -1;
	return host->mounts == NULL || host->cgroups == NULL ||
			       host->descriptors == -1
		       ? -1
		       : 0;
}

/* Print the lines of one text that the other does not have. */
static void
print_missing(FILE *out, const char *sign, const char *from, const char *in)
{
	char *copy = strdup(from), *rest, *line;

	if (copy == NULL)
		die("malloc");
	for (line = strtok_r(copy, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		if (strstr(in, line) == NULL)
			fprintf(out, "%s %s\n", sign, line);
	free(copy);
}

static void
print_difference(
	FILE *out, const char *what, const char *before, const char *after)
{
	before = before == NULL ? "" : before;
	after = after == NULL ? "" : after;
	if (strcmp(before, after) == 0)
		return;
	fprintf(out, "%s:\n", what);
	print_missing(out, "  -", before, after);
	print_missing(out, "  +", after, before);
}

char *
host_difference(const struct host *before, const struct host *after)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		die("open_memstream");
	print_difference(out, "mounts", before->mounts, after->mounts);
	print_difference(out, "cgroup", before->cgroup, after->cgroup);
	print_missing(out, "cgroup +", after->cgroups, before->cgroups);
	for (int i = 0; i < NS_LINKS; i++)
		if (!ns_same(before->links[i], after->links[i]))
			fprintf(out, "namespace: %s is another one\n",
				ns_links[i]);
	if (before->descriptors != after->descriptors)
		fprintf(out, "file descriptors: %d open, before %d\n",
			after->descriptors, before->descriptors);
	if (before->alone && !after->alone)
		fprintf(out, "processes: a child is left\n");
	if (fclose(out) == EOF)
		die("fclose");
	if (size == 0) {
		free(text);
		text = NULL;
	}
	return text;
}

void
host_free(struct host *host)
{
	free(host->mounts);
	free(host->cgroup);
	free(host->cgroups);
	*host = (struct host){0};
}
