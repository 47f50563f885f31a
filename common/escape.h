/*
 * escape: any bytes as plain ASCII, and back. A process may choose every byte
 * of its name; in a snapshot none of them may be lost, and in --raw none of
 * them may look like the end of a field.
 */
#ifndef COMMON_ESCAPE_H
#define COMMON_ESCAPE_H

#include <stdbool.h>

/*
 * A copy in which a backslash and each byte that is no printable ASCII
 * character is written as \xHH; with blanks, also each blank. The caller frees
 * it. Ends by die when memory is short.
 */
char *escape_text(const char *text, bool blanks);

/*
 * The bytes that escape_text was given. The caller frees them.
 * Returns NULL with errno: EINVAL (not made by escape_text: a byte that is not
 * printable ASCII, a backslash without xHH, or \x00), ENOMEM.
 */
char *escape_undo(const char *escaped);

#endif
