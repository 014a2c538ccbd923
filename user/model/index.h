/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a 64-bit hash to positions in a list of somebody else's: several may have one hash, so that who looks compares what lies
 * there. Nothing is ever taken out. Begins as {}.
 */
#ifndef WARDEN_INDEX_H
#define WARDEN_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_entry {
	uint64_t hash;
	size_t value;
	size_t next; /* in the same bucket */
};

struct index {
	struct index_entry *list;
	size_t *buckets; /* as many as there is room */
	size_t count, room;
};

#define INDEX_END ((size_t)-1)

/* False: no memory, and nothing is changed. */
bool index_put(struct index *index, uint64_t hash, size_t value);
void index_free(struct index *index);

/* The positions in `list` of the entries with that hash, the last put first: INDEX_END after the last one. */
size_t index_first(const struct index *index, uint64_t hash);
size_t index_next(const struct index *index, size_t entry);

/* `value` is each one's in turn. */
#define INDEX_EACH(index, hash_, value_)                                            \
	for (size_t entry_ = index_first(index, hash_), value_ = 0;                 \
	     entry_ != INDEX_END && ((value_ = (index)->list[entry_].value), true); \
	     entry_ = index_next(index, entry_))

#endif
