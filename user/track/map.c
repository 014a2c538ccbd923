// SPDX-License-Identifier: Apache-2.0
#include "track/map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/util.h"

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

long map_keys(int fd, uint32_t max_entries, size_t value_size, uint32_t **keys)
{
	/* Twice the size: a bucket that does not fit into what is left ends a batch with -ENOSPC. */
	_cleanup_free_ uint32_t *k = calloc(2 * (size_t)max_entries, sizeof(*k));
	_cleanup_free_ char *values = calloc(2 * (size_t)max_entries, value_size);
	uint32_t position = 0, count = 2 * max_entries;

	if (!k || !values)
		return -ENOMEM;
	/* The whole map in one batch: -ENOENT says that its end was reached. */
	if (bpf_map_lookup_batch(fd, NULL, &position, k, values, &count, NULL) && errno != ENOENT)
		return -errno;
	qsort(k, count, sizeof(*k), compare);
	*keys = take_ptr(k);
	return count;
}
