/*
 * listing: lesson07 as a tool. Its options, and what they ask for: the list of
 * all namespaces, the members of one, the namespaces of a process, a tree, or
 * a snapshot of all that.
 */
#ifndef COMMON_LISTING_H
#define COMMON_LISTING_H

#include <stdbool.h>

#include "options.h"

/* For struct lesson's `own`. */
extern const struct option_entry listing_options[];

/* Was one of them given? Call it after options_parse. */
bool listing_wanted(void);

/*
 * Do what the options and the operands ask for.
 * Returns the exit code: 0, or 1 with one line on standard error when there is
 * no such namespace or process, or when a file is of no use. Wrong usage ends
 * the process with 2.
 */
int listing_tool(const struct lesson *lesson, char **operands, int count);

#endif
