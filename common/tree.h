/*
 * tree: draw a tree with lines, in ASCII where the locale is not UTF-8.
 */
#ifndef COMMON_TREE_H
#define COMMON_TREE_H

#include <stdbool.h>
#include <stdio.h>

/* How deep a node may be. */
enum { TREE_LEVELS = 64 };

/* Where we are in the tree. To be set to zero, but for `out` and `limit`. */
struct tree {
	FILE *out;
	int limit; /* no line takes more columns; 0: nothing is cut off */
	int depth; /* of the node that is drawn next: 0 is the top */
	bool last[TREE_LEVELS]; /* at each depth: no sister follows */
};

/* Draw a node: one line. Its own text has been cleaned (display.h).
 * last: it is the last one below its parent. */
void tree_node(struct tree *tree, const char *text, bool last);

/* What is drawn now stands below the last node; and the way back. */
void tree_down(struct tree *tree);
void tree_up(struct tree *tree);

#endif
