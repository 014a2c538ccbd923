/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations counted by size: four buckets for each doubling from 65 µs to 137 s, 16 µs wide below, so that a quantile is
 * known to a quarter of itself. Longer ones are in the last bucket. Owns no state; not locked.
 */
#ifndef WARDEN_HISTOGRAM_H
#define WARDEN_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 88

struct histogram {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* What `percent` of them (1 to 100) do not exceed, at most: ns, 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned int percent);

/* Up to where a bucket goes, exclusive: ns. That of the last one is where it would end if it did. */
uint64_t histogram_bound(unsigned int bucket);

#endif
