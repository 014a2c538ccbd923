/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be told to somebody far away who may not listen: not a queue of messages but a table of what there is to tell, one item
 * a key. What happens again is counted in its item, and the item is told anew; what is told is always the whole, so that a server
 * that was away misses nothing that still stands here, and one that is told twice is told the same.
 *
 * Pure: no clock, no socket. Times are those of the caller.
 */
#ifndef WARDEN_REPORT_NOTIFY_H
#define WARDEN_REPORT_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has become of it, for each server. */
struct notify_health {
	uint64_t sent, failed; /* requests */
	uint64_t dropped; /* of what has happened, or alerts: the server has not heard of them and will not */
	uint64_t waiting; /* the same: it is going to hear of them */
	unsigned int failures; /* since it was well */
	char error[512]; /* of the last request that failed */
};

/* ---- how often: so many at once, and then one in so many ns ---- */

struct notify_bucket {
	unsigned int size;
	uint64_t token_ns; /* until one more is there */
	uint64_t full_ns; /* when it is full again, if nobody takes any; 0 in the beginning */
};

/* When there is one: `now`, or later. */
uint64_t notify_bucket_due(const struct notify_bucket *bucket, uint64_t now);
void notify_bucket_take(struct notify_bucket *bucket, uint64_t now);

/* ---- how many: what has happened once, and again ---- */

struct notify_series {
	uint64_t count; /* of what has happened */
	uint64_t told; /* of it, to the server; 0: nothing */
	uint64_t telling; /* what `told` will be when the write that runs has gone well */
	uint64_t first_ns, last_ns; /* CLOCK_REALTIME */
	uint64_t next_ns; /* no write before this: the caller's clock */
};

/* `times` more, the last at `wall_ns`. */
void notify_series_add(struct notify_series *series, uint64_t times, uint64_t wall_ns);
/* A write begins; the next one may begin `interval_ns` after `now`. */
void notify_series_begin(struct notify_series *series, uint64_t now, uint64_t interval_ns);

/* ---- what is lost: said now and then ---- */

#define NOTIFY_SAY_NS 600000000000ull /* between two words on it */

struct notify_lost {
	uint64_t unsaid, next_ns;
};

/* `times` more: how many are to be said now, 0 while it was said a moment ago. */
uint64_t notify_lost_add(struct notify_lost *lost, uint64_t times, uint64_t now);

/* ---- of what: items by their keys ---- */

struct notify_item {
	struct notify_item *next, *previous;
	char *key; /* the table's */
	uint64_t hash;
	bool busy; /* a thread reads it: it stays */
};

/* Begins as { .most = N }. */
struct notify_table {
	struct notify_item *first, *last;
	size_t count, most;
};

struct notify_item *notify_find(const struct notify_table *table, const char *key);
/*
 * Puts it behind the others. -ENOMEM: no memory for the key. -ENOSPC: the table is full; notify_to_go() says who makes room.
 */
int notify_put(struct notify_table *table, struct notify_item *item, const char *key);
/* Behind the others again. */
void notify_move_last(struct notify_table *table, struct notify_item *item);
/* The first one of which `may_go` says so (NULL: any), or NULL; one that is busy never may. */
struct notify_item *notify_oldest(const struct notify_table *table, bool (*may_go)(const struct notify_item *item));
/* NULL while there is room; else who is to make it: the first one that may go or, where none may, the first one at all. */
struct notify_item *notify_to_go(const struct notify_table *table, bool (*may_go)(const struct notify_item *item));
/* Takes it out; it is the caller's again. */
void notify_remove(struct notify_table *table, struct notify_item *item);

#endif
