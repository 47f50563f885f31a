#include "lines.h"

#include <errno.h>
#include <stdlib.h>

int
lines_append(char ***lines, char *text)
{
	size_t count = 0;

	while (*lines != NULL && (*lines)[count] != NULL)
		count++;
	char **longer =
		text == NULL ? NULL
			     : reallocarray(*lines, count + 2, sizeof(*longer));
	if (longer == NULL) {
		free(text);
		errno = ENOMEM;
		return -1;
	}
	longer[count] = text;
	longer[count + 1] = NULL;
	*lines = longer;
	return 0;
}

void
lines_free(char **lines)
{
	for (char **line = lines; line != NULL && *line != NULL; line++)
		free(*line);
	free(lines);
}
