/* SPDX-License-Identifier: Apache-2.0 */
/* How many violations there were since the start, by rule and verdict, and of each device while its claim holds. */
#ifndef WARDEN_TALLY_H
#define WARDEN_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warden.h"

#define TALLY_VERDICTS (VERDICT_REMARKED + 1)

struct tally_device {
	uint32_t index, rule, verdict;
	uint64_t claim; /* by its id, 0: it had none */
	uint64_t count;
};

/* Begins as {}. */
struct tally {
	uint64_t by_rule[RULE_COUNT][TALLY_VERDICTS];
	struct tally_device *devices;
	size_t count, room;
};

/* `index` WARDEN_NO_INDEX: of no device. Without memory a device's count alone is lost. */
void tally_add(struct tally *tally, uint32_t rule, uint32_t verdict, uint32_t index, uint64_t claim, uint64_t count);

/* Forgets the devices and claims of which `is_there` says that they have ended. */
void tally_prune(struct tally *tally, bool (*is_there)(uint32_t index, uint64_t claim, void *ctx), void *ctx);

/* 0 or -ENOMEM; to be freed. */
int tally_copy(const struct tally *from, struct tally *to);
void tally_free(struct tally *tally);

uint64_t tally_sum(const struct tally *tally);

#endif
