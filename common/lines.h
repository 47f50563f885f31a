/*
 * lines: a list of texts that grows, and ends with NULL. A list that is NULL
 * is one without texts.
 */
#ifndef COMMON_LINES_H
#define COMMON_LINES_H

/*
 * Append a text, which the list owns from then on; it is freed when it cannot
 * be appended. NULL stands for a text for which there was no memory.
 * Returns 0, or -1 with errno ENOMEM.
 */
int lines_append(char ***lines, char *text);

void lines_free(char **lines);

#endif
