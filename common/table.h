/*
 * table: the namespaces of some processes side by side, a column each. Equal
 * namespaces in a row have the same letter.
 */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <sys/types.h>

/*
 * Print the table on standard output, or with --json one document. What cannot
 * be read is a "-" in the table, and a line on standard error.
 * Returns how many processes could not be read whole. Ends by die when the
 * output cannot be written.
 */
int table_print(const pid_t *pids, int count);

#endif
