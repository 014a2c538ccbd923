// SPDX-License-Identifier: Apache-2.0
#include "lib/hash.h"
#include "report/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- how often ---- */

/* Its tokens are kept as the time until it is full: `size` of them are missing when that is `size` times token_ns away. */
uint64_t notify_bucket_due(const struct notify_bucket *b, uint64_t now)
{
	uint64_t missing = b->full_ns > now ? b->full_ns - now : 0, most = (b->size - 1) * b->token_ns;

	return missing <= most ? now : now + (missing - most);
}

void notify_bucket_take(struct notify_bucket *b, uint64_t now)
{
	b->full_ns = (b->full_ns > now ? b->full_ns : now) + b->token_ns;
}

/* ---- how many ---- */

void notify_series_add(struct notify_series *s, uint64_t times, uint64_t wall_ns)
{
	if (!s->count)
		s->first_ns = wall_ns;
	s->count += times;
	if (wall_ns > s->last_ns)
		s->last_ns = wall_ns;
}

void notify_series_begin(struct notify_series *s, uint64_t now, uint64_t interval_ns)
{
	s->telling = s->count;
	s->next_ns = now + interval_ns;
}

/* ---- what is lost ---- */

uint64_t notify_lost_add(struct notify_lost *l, uint64_t times, uint64_t now)
{
	uint64_t all = l->unsaid + times;

	l->unsaid = now < l->next_ns ? all : 0;
	if (now < l->next_ns)
		return 0;
	l->next_ns = now + NOTIFY_SAY_NS;
	return all;
}

/* ---- of what ---- */

struct notify_item *notify_find(const struct notify_table *t, const char *key)
{
	uint64_t hash = hash_text(key);

	for (struct notify_item *i = t->first; i; i = i->next)
		if (i->hash == hash && !strcmp(i->key, key))
			return i;
	return NULL;
}

static void link_last(struct notify_table *t, struct notify_item *item)
{
	item->next = NULL;
	item->previous = t->last;
	*(t->last ? &t->last->next : &t->first) = item;
	t->last = item;
}

static void unlink_item(struct notify_table *t, struct notify_item *item)
{
	*(item->previous ? &item->previous->next : &t->first) = item->next;
	*(item->next ? &item->next->previous : &t->last) = item->previous;
}

int notify_put(struct notify_table *t, struct notify_item *item, const char *key)
{
	if (t->count == t->most)
		return -ENOSPC;
	item->key = strdup(key);
	if (!item->key)
		return -ENOMEM;
	item->hash = hash_text(key);
	link_last(t, item);
	t->count++;
	return 0;
}

void notify_move_last(struct notify_table *t, struct notify_item *item)
{
	unlink_item(t, item);
	link_last(t, item);
}

struct notify_item *notify_oldest(const struct notify_table *t, bool (*may_go)(const struct notify_item *item))
{
	for (struct notify_item *i = t->first; i; i = i->next)
		if (!i->busy && (!may_go || may_go(i)))
			return i;
	return NULL;
}

struct notify_item *notify_to_go(const struct notify_table *t, bool (*may_go)(const struct notify_item *item))
{
	struct notify_item *item;

	if (t->count < t->most)
		return NULL;
	item = notify_oldest(t, may_go);
	return item ? item : notify_oldest(t, NULL);
}

void notify_remove(struct notify_table *t, struct notify_item *item)
{
	unlink_item(t, item);
	t->count--;
	free(item->key);
	item->key = NULL;
}
