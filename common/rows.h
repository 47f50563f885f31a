/*
 * rows: what the lines of lesson07's tables are about, a namespace, a process
 * or a line of its /proc/PID/cgroup, and the columns that each can show.
 */
#ifndef COMMON_ROWS_H
#define COMMON_ROWS_H

#include "columns.h"
#include "look.h"

struct row {
	struct look *look;
	int space;	    /* of a namespace's row */
	int process;	    /* of a process's row */
	bool future;	    /* the process's *_for_children leads to it */
	const char *cgroup; /* a line of /proc/PID/cgroup */
	char mark;	    /* '+' has come, '-' has gone, ' ' was there */
};

/* The columns of each kind of row, and the names of those that are shown
 * when the reader does not choose. */
extern const struct column rows_spaces[], rows_processes[], rows_cgroups[];
extern const char rows_spaces_usual[], rows_processes_usual[],
	rows_cgroups_usual[], rows_links_usual[];

/* Many rows. To be set to zero before the first one is added. */
struct row_list {
	struct row *row;
	int count, room;
};

/* Add a row. Ends by die when memory is short. */
void rows_add(struct row_list *list, struct row row);

/* A row for each namespace; for each process in one; for each type of one
 * process; for each line of /proc/PID/cgroup of one process. */
void rows_add_spaces(struct row_list *list, struct look *look);
void rows_add_members(struct row_list *list, struct look *look, int space);
void rows_add_links(struct row_list *list, struct look *look, int process);
void rows_add_cgroups(struct row_list *list, struct look *look, int process);

/* Those rows as columns_text and its kin take them; free the pointer. */
struct rows rows_all(const struct row_list *list);

/* The number before the first colon of the row's line: the hierarchy. */
int rows_hierarchy(const struct row *row);

/* What keeps a namespace alive, in words. The caller frees it. */
char *rows_keepers(const struct scan_space *space);

#endif
