/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of `wardenctl verify` for people: by pod, the node first, each with a count of what passes, and what does not in full.
 * Items are kept until the last one came, since checks of the node may come behind those of pods.
 */
#ifndef WARDENCTL_VERIFY_H
#define WARDENCTL_VERIFY_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct verify_view {
	bool all; /* what passes has a line of its own, too */
	cJSON *checks; /* an array; NULL before the first one */
};

/* Keeps a copy of a check; ctx is the view. The verdict at the end is no check, and left out: it is counted here. */
void verify_take(const cJSON *item, void *ctx);

/* Prints all that was taken, with the verdict, and lets it go. */
void verify_print(struct verify_view *view);

#endif
