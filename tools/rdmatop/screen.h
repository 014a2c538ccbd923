/* SPDX-License-Identifier: Apache-2.0 */
/* The live view. */
#ifndef RDMATOP_SCREEN_H
#define RDMATOP_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "rdmatop/rows.h"
#include "rdmatop/source.h"

struct screen_options {
	double seconds; /* 0: as the source wants it */
	FILE *record;
	struct view *view;
	bool mouse;
};

/* Is there a terminal that curses can draw on. */
bool screen_usable(void);

/* Until the user has enough of it: the exit status. The source belongs to it then. */
int screen_run(struct source *source, const struct screen_options *options);

#endif
