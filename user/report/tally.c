// SPDX-License-Identifier: Apache-2.0
#include "lib/list.h"
#include "report/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX \
	16384 /* of a node that nobody asks, so that nothing is pruned: then devices are no longer told apart */

static struct tally_device *find(struct tally *t, const struct tally_device *key)
{
	for (size_t i = 0; i < t->count; i++) {
		struct tally_device *d = &t->devices[i];

		if (d->index == key->index && d->rule == key->rule && d->verdict == key->verdict &&
		    d->claim == key->claim)
			return d;
	}
	return NULL;
}

static struct tally_device *enter(struct tally *t, const struct tally_device *key)
{
	struct tally_device *d = NULL;

	if (t->count < t->room || t->room < DEVICES_MAX)
		d = list_place(&t->devices, &t->room, t->count, sizeof(*d));
	if (!d)
		return NULL;
	*d = *key;
	t->count++;
	return d;
}

void tally_add(struct tally *t, uint32_t rule, uint32_t verdict, uint32_t index, uint64_t claim, uint64_t count)
{
	const struct tally_device key = { .index = index, .rule = rule, .verdict = verdict, .claim = claim };
	struct tally_device *d;

	if (rule >= RULE_COUNT || verdict >= TALLY_VERDICTS)
		return;
	t->by_rule[rule][verdict] += count;
	if (index == WARDEN_NO_INDEX)
		return;
	d = find(t, &key);
	if (!d)
		d = enter(t, &key);
	if (d)
		d->count += count;
}

void tally_prune(struct tally *t, bool (*is_there)(uint32_t index, uint64_t claim, void *ctx), void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++)
		if (is_there(t->devices[i].index, t->devices[i].claim, ctx))
			t->devices[kept++] = t->devices[i];
	t->count = kept;
}

int tally_copy(const struct tally *from, struct tally *to)
{
	*to = *from;
	to->room = from->count;
	to->devices = calloc(from->count + 1, sizeof(*to->devices));
	if (!to->devices)
		return -ENOMEM;
	if (from->count)
		memcpy(to->devices, from->devices, from->count * sizeof(*to->devices));
	return 0;
}

void tally_free(struct tally *t)
{
	free(t->devices);
	*t = (struct tally){};
}

uint64_t tally_sum(const struct tally *t)
{
	uint64_t sum = 0;

	for (size_t rule = 0; rule < RULE_COUNT; rule++)
		for (size_t verdict = 0; verdict < TALLY_VERDICTS; verdict++)
			sum += t->by_rule[rule][verdict];
	return sum;
}
