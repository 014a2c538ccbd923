/* SPDX-License-Identifier: Apache-2.0 */
/* A command whose buffer changes while the kernel reads it: once for the guard, and once more to carry it out. */
#ifndef UVERBS_RACE_H
#define UVERBS_RACE_H

#include "verbs.h"

struct race {
	uint8_t other; /* the class that the command's own is exchanged for, and back, without pause */
	uint32_t rounds; /* at most; the race ends with the first that slips through */
	uint32_t tried, denied, slipped; /* slipped: the kernel took the other class */
};

/* Connects queue pairs of a context that has queues and addresses: 0 or -errno of what was not the guard's refusal. */
int race_qps(struct client *c, struct race *race);

#endif
