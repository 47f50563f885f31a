/*
 * scratch: a folder of a suite's own, with bundles in it. What is allocated
 * here lives until the test ends.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <jansson.h>
#include <stdbool.h>

/* Unchecked fixtures: make the folder below $TMPDIR; remove it, and the
 * cgroups that a test which failed has left under a scratch_name. */
void scratch_begin(void);
void scratch_end(void);

/* A container's name that no other test has, on the whole machine. */
char *scratch_name(void);

/* Checked fixture, after each test: free what was allocated. */
void scratch_forget(void);

/* Text as printf(3) makes it. */
char *
scratch_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A new, empty folder in the suite's; open to all users. */
char *scratch_folder(void);

/* Make a folder with those above it, or a file with this text. */
void scratch_make_folder(const char *path);
void scratch_make_file(const char *path, const char *text);

/* Copy a file, with its mode. */
void scratch_copy(const char *from, const char *to);

/*
 * A bundle in a folder of its own: the project's config.json without a terminal
 * and with these changes (objects are merged, all else replaced), and a rootfs
 * with busybox as sh, true, sleep and others, with the program attack, also
 * under the name victim, and with the folders of a system. Takes the
 * reference. Returns the bundle's path.
 */
char *scratch_bundle(json_t *changes);

/* Change it again. Takes the reference. */
void scratch_change(const char *bundle, json_t *changes);

/* All that is in a folder: names, modes, sizes, times, contents. */
char *scratch_picture(const char *folder);

/* The folders with this in their name in all hierarchies of cgroups, a line
 * each; "" when there is none. */
char *scratch_cgroups(const char *part);

#endif
