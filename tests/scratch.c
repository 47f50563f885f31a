#include "scratch.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "support.h"

/* The suite's folder, and what the test has allocated. */
static char *top;
static char **texts;
static size_t text_count;

static char *
keep(char *text)
{
	ck_assert_ptr_nonnull(text);
	char **more = realloc(texts, (text_count + 1) * sizeof(*texts));
	ck_assert_ptr_nonnull(more);
	texts = more;
	texts[text_count++] = text;
	return text;
}

void
scratch_forget(void)
{
	while (text_count > 0)
		free(texts[--text_count]);
	free(texts);
	texts = NULL;
}

char *
scratch_text(const char *format, ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	ck_assert_int_ne(vasprintf(&text, format, list), -1);
	va_end(list);
	return keep(text);
}

void
scratch_begin(void)
{
	top = support_folder("scratch");
	ck_assert_int_eq(chmod(top, 0711), 0);
	scratch_copy(
		"bundle/rootfs/bin/busybox", scratch_text("%s/busybox", top));
	scratch_copy(
		"build/tests/attacks/attack", scratch_text("%s/attack", top));
	scratch_forget();
}

char *
scratch_folder(void)
{
	char *path = scratch_text("%s/XXXXXX", top);

	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

void
scratch_make_folder(const char *path)
{
	char *part = scratch_text("%s", path);

	for (char *at = part + 1; *at != '\0'; at++)
		if (*at == '/') {
			*at = '\0';
			ck_assert(mkdir(part, 0755) == 0 || errno == EEXIST);
			*at = '/';
		}
	ck_assert(mkdir(part, 0755) == 0 || errno == EEXIST);
}

void
scratch_make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

void
scratch_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char buffer[65536];
	ssize_t n;

	ck_assert_msg(in != -1, "%s: %s", from, strerror(errno));
	ck_assert_int_eq(fstat(in, &st), 0);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		st.st_mode & 0777);
	ck_assert_msg(out != -1, "%s: %s", to, strerror(errno));
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		ck_assert_int_eq(write(out, buffer, (size_t)n), n);
	ck_assert_int_eq(n, 0);
	close(in);
	ck_assert_int_eq(close(out), 0);
}

static void
merge(json_t *to, json_t *from) // NOLINT(misc-no-recursion)
{
	const char *key;
	json_t *value;

	json_object_foreach(from, key, value) {
		json_t *old = json_object_get(to, key);

		if (json_is_object(old) && json_is_object(value))
			merge(old, value);
		else
			ck_assert_int_eq(json_object_set(to, key, value), 0);
	}
}

void
scratch_change(const char *bundle, json_t *changes)
{
	char *file = scratch_text("%s/config.json", bundle);
	json_t *config = json_load_file(file, 0, NULL);

	ck_assert_ptr_nonnull(config);
	ck_assert_ptr_nonnull(changes);
	merge(config, changes);
	ck_assert_int_eq(json_dump_file(config, file, JSON_INDENT(1)), 0);
	json_decref(config);
	json_decref(changes);
}

static void
make_rootfs(const char *rootfs)
{
	static const char *const folders[] = {
		"bin", "dev", "etc", "proc", "sys", "tmp"};
	static const char *const applets[] = {
		"sh", "cat", "ls", "sleep", "true", "stat", "readlink"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		scratch_make_folder(scratch_text("%s/%s", rootfs, folders[i]));
	for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++)
		ck_assert_int_eq(
			symlink("busybox",
				scratch_text("%s/bin/%s", rootfs, applets[i])),
			0);
	ck_assert_int_eq(link(scratch_text("%s/busybox", top),
				 scratch_text("%s/bin/busybox", rootfs)),
		0);
	ck_assert_int_eq(link(scratch_text("%s/attack", top),
				 scratch_text("%s/bin/attack", rootfs)),
		0);
	ck_assert_int_eq(link(scratch_text("%s/attack", top),
				 scratch_text("%s/bin/victim", rootfs)),
		0);
}

char *
scratch_bundle(json_t *changes)
{
	char *dir = scratch_folder();

	scratch_copy("bundle/config.json", scratch_text("%s/config.json", dir));
	make_rootfs(scratch_text("%s/rootfs", dir));
	scratch_change(dir, json_pack("{s:{s:b}}", "process", "terminal", 0));
	scratch_change(dir, changes);
	return dir;
}

/* Where a walk writes what it finds. */
static FILE *picture;

static void
draw(const char *path) // NOLINT(misc-no-recursion)
{
	struct dirent **entries = NULL;
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	fprintf(picture, "%s %o %lld %llx %lld.%09ld\n", path, st.st_mode,
		(long long)st.st_size, (unsigned long long)st.st_rdev,
		(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	if (S_ISREG(st.st_mode)) {
		FILE *file = fopen(path, "re");
		char text[4096];
		size_t n;

		ck_assert_ptr_nonnull(file);
		while ((n = fread(text, 1, sizeof(text), file)) > 0)
			fwrite(text, 1, n, picture);
		fclose(file);
	}
	if (!S_ISDIR(st.st_mode))
		return;
	int count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			draw(scratch_text("%s/%s", path, name));
		free(entries[i]);
	}
	free(entries);
}

char *
scratch_picture(const char *folder)
{
	char *text = NULL;
	size_t size;

	picture = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(picture);
	draw(folder);
	ck_assert_int_eq(fclose(picture), 0);
	return keep(text);
}

/* The part of the name that is looked for. */
static const char *wanted;

static int
list_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	if (type == FTW_DP && strstr(path + ftw->base, wanted) != NULL)
		fprintf(picture, "%s\n", path);
	return 0;
}

char *
scratch_cgroups(const char *part)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char *text = NULL, *line = NULL;
	size_t size, room = 0;

	picture = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(picture);
	ck_assert_ptr_nonnull(mounts);
	wanted = part;
	while (getline(&line, &room, mounts) != -1) {
		char *rest, *point, *type;

		strtok_r(line, " ", &rest);
		point = strtok_r(NULL, " ", &rest);
		type = strtok_r(NULL, " ", &rest);
		/* A cgroup may go while we walk. Those below others come first. */
		if (type != NULL && strncmp(type, "cgroup", 6) == 0)
			nftw(point, list_one, 16, FTW_PHYS | FTW_DEPTH);
	}
	free(line);
	fclose(mounts);
	ck_assert_int_eq(fclose(picture), 0);
	return keep(text);
}

/* The PID of who runs all tests of a suite, and the test's own. */
char *
scratch_name(void)
{
	return scratch_text("scratch-%d-%d", getppid(), getpid());
}

void
scratch_end(void)
{
	char *left = scratch_cgroups(scratch_text("scratch-%d-", getpid()));
	char *folder, *rest;

	for (folder = strtok_r(left, "\n", &rest); folder != NULL;
		folder = strtok_r(NULL, "\n", &rest))
		cgroup_remove((char *const[]){folder, NULL});
	support_remove(top);
	free(top);
	top = NULL;
	scratch_forget();
}
