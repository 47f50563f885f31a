/*
 * monitor: look again each second, and mark what has come and what has gone.
 */
#ifndef COMMON_MONITOR_H
#define COMMON_MONITOR_H

#include <stdbool.h>

#include "columns.h"
#include "ns.h"

struct monitor {
	struct columns *columns;
	bool heading;
	int how;	    /* as in scan_take */
	bool members;	    /* the processes of one namespace, else all */
	struct ns_id space; /* namespaces; this one */
};

/*
 * Show it until Ctrl-C is typed, or until that one namespace is gone. On a
 * terminal the screen is drawn again each time. Elsewhere all rows are printed
 * once, and then those that have come or gone, each on a line.
 * The terminal's modes are not touched. Ends by die.
 */
void monitor_run(const struct monitor *monitor);

/* How many columns and lines the terminal has on which standard output is
 * shown; both are 0 when it is none. */
void monitor_size(int *columns, int *lines);

#endif
