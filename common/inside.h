/*
 * inside: paths of a container, looked up from outside. The kernel takes the
 * container's root for the root (openat2(2), RESOLVE_IN_ROOT, Linux 5.6), so no
 * symbolic link and no ".." leads out. What is found is a descriptor: who uses
 * it does not look the path up again, and nobody can exchange it meanwhile
 * (CVE-2021-30465).
 */
#ifndef COMMON_INSIDE_H
#define COMMON_INSIDE_H

#include <stdbool.h>

/*
 * root: a descriptor of the container's root; path: absolute. The descriptors
 * that these return are O_PATH.
 *
 * inside_look: resolve is more of openat2(2), or 0. Returns -1 with errno when
 * it cannot be opened. inside_open: the same, ends by die.
 */
int inside_look(int root, const char *path, unsigned resolve);
int inside_open(int root, const char *path, unsigned resolve);

/*
 * Open a path, and make what is missing of it, one part at a time: folders,
 * and as the last part a folder or an empty file. A link that leads nowhere is
 * refused. Ends by die.
 */
int inside_make(int root, const char *path, bool folder_wanted);

/* Make one name in a folder that is open, which must not be there if it is to
 * be a file. Ends by die. */
int inside_make_below(int folder, const char *name, bool folder_wanted);

/* A path that names what the descriptor names, for mount(2), which takes no
 * descriptor. To be freed. Needs /proc. Ends by die. */
char *inside_fd_path(int fd);

bool inside_is_folder(int fd);

/* A copy of a path without its ".", ".." and needless "/", to be freed: "/a/b",
 * and "" for the root. By the text alone: what is a link is seen when it is
 * opened. Returns NULL when memory is out. */
char *inside_clean(const char *path);

#endif
