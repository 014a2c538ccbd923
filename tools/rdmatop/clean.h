/* SPDX-License-Identifier: Apache-2.0 */
/* Text that others wrote, on a terminal: nothing that a terminal obeys, and as wide as it looks. */
#ifndef RDMATOP_CLEAN_H
#define RDMATOP_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * UTF-8 with '?' for what is no UTF-8 and for what has no shape of its own: control characters (C0, DEL, C1), and those that
 * turn the direction of a line or cannot be seen. Cut at a character where `to` is too small.
 */
void clean_text(const char *from, char *to, size_t size);

/* After setlocale(): can the terminal show more than ASCII. Without it all else is '?'. */
bool clean_has_utf8(void);

/* Terminal columns that clean text takes. */
int clean_width(const char *text);

/* Clean text in exactly `width` columns, cut or padded; what is cut ends in '~'. `right`: aligned to the right. */
void clean_fit(const char *text, int width, bool right, char *to, size_t size);

#endif
