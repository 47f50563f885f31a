#include "tree.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "display.h"

/* What stands before a node, one for each level above it. */
struct lines {
	const char *node, *last_node; /* at the node's own level */
	const char *pass, *blank;     /* at a level further up */
};

static const struct lines *
choose_lines(void)
{
	static const struct lines ascii = {"|-- ", "`-- ", "|   ", "    "};
	static const struct lines utf8 = {"\u251c\u2500\u2500 ",
		"\u2514\u2500\u2500 ", "\u2502   ", "    "};

	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? &utf8 : &ascii;
}

/* A node at depth 0 has no lines. */
void
tree_node(struct tree *tree, const char *text, bool last)
{
	const struct lines *lines = choose_lines();
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (out == NULL)
		die("open_memstream");
	tree->last[tree->depth] = last;
	for (int i = 1; i < tree->depth; i++)
		fputs(tree->last[i] ? lines->blank : lines->pass, out);
	if (tree->depth > 0)
		fputs(last ? lines->last_node : lines->node, out);
	fputs(text, out);
	if (fclose(out) == EOF || line == NULL)
		die("malloc");
	if (tree->limit > 0)
		display_cut(tree->out, line, tree->limit);
	else
		fputs(line, tree->out);
	putc('\n', tree->out);
	free(line);
}

void
tree_down(struct tree *tree)
{
	if (tree->depth == TREE_LEVELS - 1)
		die_plain(DIE_FAILED, "a tree of more than %d levels",
			TREE_LEVELS);
	tree->depth++;
}

void
tree_up(struct tree *tree)
{
	tree->depth--;
}
