// SPDX-License-Identifier: Apache-2.0
#include "model/index.h"

#include <stdlib.h>

/* The room is a power of two; a hash may be a number whose low bits alone, or high bits alone, differ from another's. */
static size_t *bucket_of(const struct index *index, uint64_t hash)
{
	return &index->buckets[(hash * 0x9e3779b97f4a7c15 >> 32) & (index->room - 1)];
}

static void link_entry(struct index *index, size_t entry)
{
	size_t *bucket = bucket_of(index, index->list[entry].hash);

	index->list[entry].next = *bucket;
	*bucket = entry;
}

static bool grow(struct index *index)
{
	size_t room = index->room ? 2 * index->room : 64;
	struct index_entry *list = reallocarray(index->list, room, sizeof(*list));
	size_t *buckets = list ? malloc(room * sizeof(*buckets)) : NULL;

	if (list)
		index->list = list;
	if (!buckets)
		return false;
	free(index->buckets);
	index->buckets = buckets;
	index->room = room;
	for (size_t i = 0; i < room; i++)
		buckets[i] = INDEX_END;
	for (size_t i = 0; i < index->count; i++)
		link_entry(index, i);
	return true;
}

bool index_put(struct index *index, uint64_t hash, size_t value)
{
	if (index->count == index->room && !grow(index))
		return false;
	index->list[index->count] = (struct index_entry){ .hash = hash, .value = value };
	link_entry(index, index->count++);
	return true;
}

void index_free(struct index *index)
{
	free(index->list);
	free(index->buckets);
	*index = (struct index){};
}

static size_t same(const struct index *index, size_t entry, uint64_t hash)
{
	while (entry != INDEX_END && index->list[entry].hash != hash)
		entry = index->list[entry].next;
	return entry;
}

size_t index_first(const struct index *index, uint64_t hash)
{
	return index->room ? same(index, *bucket_of(index, hash), hash) : INDEX_END;
}

size_t index_next(const struct index *index, size_t entry)
{
	return same(index, index->list[entry].next, index->list[entry].hash);
}
