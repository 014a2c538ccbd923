// SPDX-License-Identifier: Apache-2.0
#include "lib/histogram.h"

#define UNIT_SHIFT 14 /* 16.384 µs, the narrowest bucket */

static unsigned int bucket_of(uint64_t ns)
{
	uint64_t units = ns >> UNIT_SHIFT;
	unsigned int top, bucket;

	if (units < 4)
		return (unsigned int)units;
	top = 63 - (unsigned int)__builtin_clzll(units);
	bucket = (top - 1) * 4 + (units >> (top - 2) & 3);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bound(unsigned int bucket)
{
	if (bucket < 4)
		return (uint64_t)(bucket + 1) << UNIT_SHIFT;
	return (uint64_t)(bucket % 4 + 5) << (bucket / 4 - 1) << UNIT_SHIFT;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->bucket[bucket_of(ns)]++;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned int percent)
{
	uint64_t rank = (h->count * percent + 99) / 100, seen = 0, bound;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (!seen || seen < rank)
			continue;
		bound = histogram_bound(i);
		return bound < h->max_ns && i < HISTOGRAM_BUCKETS - 1 ? bound : h->max_ns;
	}
	return 0;
}
