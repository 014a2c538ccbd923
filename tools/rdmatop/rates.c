// SPDX-License-Identifier: Apache-2.0
#include "rdmatop/rates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/util.h"

/* Who it is, and what it had counted. */
struct tracked {
	uint64_t hash;
	char node[128], pci[32], device[64];
	struct counted index;
	unsigned int round; /* the last one that it was in */
	struct counted count[RATES];
	struct sample_counter *before;
	double *per_second;
	size_t counters, before_room, rate_room;
	struct history history;
};

struct tracked_pf {
	char node[128], pci[32], pf[64];
	struct counted priority, pauses;
	unsigned int round;
};

struct tracker {
	struct tracked **table; /* open addressing, of a power of two */
	size_t room, used;
	struct tracked_pf *tracked_pf;
	size_t tracked_pfs;
	struct device_rates *devices;
	double *pauses;
	size_t device_room, pause_room;
	unsigned int round;
	uint64_t time_ns;
	double seconds;
};

/* ---- deltas ---- */

bool rates_delta(uint64_t before, uint64_t now, uint64_t *delta)
{
	uint64_t width = before <= UINT32_MAX ? 1ull << 32 : 0; /* 0: 2^64, as numbers of 64 bits calculate */

	*delta = now - before;
	if (now >= before)
		return true;
	/* From the last quarter into the first one: what was reset comes from anywhere. */
	*delta = width + now - before;
	return *delta < (width ? width / 4 : 1ull << 62) && now < (width ? width / 4 : 1ull << 62);
}

static double per_second(const struct counted *before, const struct counted *now, double seconds)
{
	uint64_t delta;

	if (!before->known || !now->known || !rates_delta(before->value, now->value, &delta))
		return NAN;
	return (double)delta / seconds;
}

/* ---- who is who ---- */

/* By its name only where the source has no index. */
static uint64_t hash_of(const char *node, const struct sample_device *d)
{
	uint64_t hash = hash_part(hash_part(HASH_BEGIN, node), d->pci);

	return d->index.known ? hash_bytes(hash, &d->index.value, sizeof(d->index.value)) : hash_part(hash, d->device);
}

static bool is_same(const struct tracked *t, uint64_t hash, const char *node, const struct sample_device *d)
{
	if (t->hash != hash || t->index.known != d->index.known || strcmp(t->node, node) || strcmp(t->pci, d->pci))
		return false;
	return d->index.known ? t->index.value == d->index.value : !strcmp(t->device, d->device);
}

static void tracked_free(struct tracked *t)
{
	free(t->before);
	free(t->per_second);
	free(t);
}

static void insert(struct tracked **table, size_t room, struct tracked *t)
{
	size_t at = t->hash & (room - 1);

	while (table[at])
		at = (at + 1) & (room - 1);
	table[at] = t;
}

/* A table with room for `more`, without those that the last round had not. */
static int rebuild(struct tracker *tr, size_t more)
{
	size_t room = 64;
	struct tracked **table;

	while (room < more * 4)
		room *= 2;
	table = calloc(room, sizeof(*table));
	if (!table)
		return -ENOMEM;
	tr->used = 0;
	for (size_t i = 0; i < tr->room; i++) {
		struct tracked *t = tr->table[i];

		if (!t)
			continue;
		if (t->round == tr->round) {
			insert(table, room, t);
			tr->used++;
		} else {
			tracked_free(t);
		}
	}
	free(tr->table);
	tr->table = table;
	tr->room = room;
	return 0;
}

static struct tracked *find(const struct tracker *tr, uint64_t hash, const char *node, const struct sample_device *d)
{
	for (size_t at = hash & (tr->room - 1); tr->table[at]; at = (at + 1) & (tr->room - 1))
		if (is_same(tr->table[at], hash, node, d))
			return tr->table[at];
	return NULL;
}

static struct tracked *add(struct tracker *tr, uint64_t hash, const char *node, const struct sample_device *d)
{
	struct tracked *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->hash = hash;
	t->index = d->index;
	memccpy(t->node, node, 0, sizeof(t->node));
	memcpy(t->pci, d->pci, sizeof(t->pci));
	memcpy(t->device, d->device, sizeof(t->device));
	for (size_t i = 0; i < HISTORY; i++)
		t->history.value[i] = NAN;
	insert(tr->table, tr->room, t);
	tr->used++;
	return t;
}

static int ensure(void *list, size_t *room, size_t count, size_t size)
{
	void *grown;

	if (count <= *room)
		return 0;
	grown = realloc(*(void **)list, count * 2 * size);
	if (!grown)
		return -ENOMEM;
	*(void **)list = grown;
	*room = count * 2;
	return 0;
}

/* ---- rounds ---- */

/* A driver's list of counters is the same as before as a rule, so that each stands at its place. */
static const struct sample_counter *counter_before(const struct tracked *t, size_t place, const char *name)
{
	if (place < t->counters && t->before[place].name == name)
		return &t->before[place];
	for (size_t i = 0; i < t->counters; i++)
		if (t->before[i].name == name)
			return &t->before[i];
	return NULL;
}

static int rate_counters(struct tracked *t, const struct sample_counter *counters, size_t count, double seconds)
{
	uint64_t delta;

	if (ensure(&t->per_second, &t->rate_room, count, sizeof(*t->per_second)) ||
	    ensure(&t->before, &t->before_room, count, sizeof(*t->before)))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct sample_counter *before = counter_before(t, i, counters[i].name);

		t->per_second[i] =
			before && rates_delta(before->value, counters[i].value, &delta) ? (double)delta / seconds : NAN;
	}
	if (count)
		memcpy(t->before, counters, count * sizeof(*counters));
	t->counters = count;
	return 0;
}

static double gauge(const struct counted *value)
{
	return value->known ? (double)value->value : NAN;
}

static void remember(struct history *h, double tx, double rx)
{
	double sum = isnan(tx) ? rx : isnan(rx) ? tx : tx + rx;

	h->value[h->next] = (float)sum;
	h->next = (h->next + 1) % HISTORY;
}

static void fill(struct device_rates *r, struct tracked *t, const struct sample_device *d, double seconds)
{
	for (size_t i = 0; i < RATES; i++) {
		r->figure[i] = d->has_rates ? d->rate[i] : per_second(&t->count[i], &d->count[i], seconds);
		t->count[i] = d->count[i];
	}
	r->figure[FIGURE_TX_BITS] *= 8;
	r->figure[FIGURE_RX_BITS] *= 8;
	r->figure[FIGURE_PAUSE] = NAN;
	r->figure[FIGURE_SPEED] = gauge(&d->speed_mbps) * 1e6;
	r->figure[FIGURE_QPS] = gauge(&d->qps);
	r->figure[FIGURE_MRS] = gauge(&d->mrs);
	r->figure[FIGURE_PINNED] = gauge(&d->mr_bytes);
	r->figure[FIGURE_CONNECTIONS] = gauge(&d->connections);
	r->figure[FIGURE_VIOLATIONS] = gauge(&d->violations);
	remember(&t->history, r->figure[FIGURE_TX_BITS], r->figure[FIGURE_RX_BITS]);
	r->history = &t->history;
}

static int feed_device(struct tracker *tr, const struct sample *s, size_t i)
{
	const struct sample_device *d = &s->devices[i];
	const char *node = d->node < s->node_count ? s->nodes[d->node].node : "";
	uint64_t hash = hash_of(node, d);
	struct tracked *t = find(tr, hash, node, d);
	bool fresh = !t;

	if (!t)
		t = add(tr, hash, node, d);
	if (!t || rate_counters(t, s->counters + d->counters, d->counter_count, tr->seconds))
		return -ENOMEM;
	t->round = tr->round;
	fill(&tr->devices[i], t, d, tr->seconds);
	tr->devices[i].fresh = fresh;
	tr->devices[i].counter = t->per_second;
	return 0;
}

/* Those of the priority that carries RDMA traffic. */
static struct counted pauses_of(const struct sample_pf *pf)
{
	const struct sample_priority *p = &pf->priorities[pf->priority.value % SAMPLE_PRIORITIES];
	bool known = pf->priority.known && p->rx_pause.known && p->tx_pause.known;

	return (struct counted){ known ? p->rx_pause.value + p->tx_pause.value : 0, known };
}

static struct tracked_pf *pf_place(struct tracker *tr, const char *node, const struct sample_pf *pf)
{
	struct tracked_pf *grown;

	for (size_t i = 0; i < tr->tracked_pfs; i++) {
		struct tracked_pf *t = &tr->tracked_pf[i];

		if (!strcmp(t->pci, pf->pci) && !strcmp(t->pf, pf->pf) && !strcmp(t->node, node))
			return t;
	}
	grown = reallocarray(tr->tracked_pf, tr->tracked_pfs + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	tr->tracked_pf = grown;
	grown += tr->tracked_pfs++;
	*grown = (struct tracked_pf){};
	memccpy(grown->node, node, 0, sizeof(grown->node));
	memcpy(grown->pci, pf->pci, sizeof(grown->pci));
	memcpy(grown->pf, pf->pf, sizeof(grown->pf));
	return grown;
}

static int feed_pf(struct tracker *tr, const struct sample *s, size_t i)
{
	const struct sample_pf *pf = &s->pfs[i];
	struct counted pauses = pauses_of(pf);
	struct tracked_pf *t;

	if (pf->has_rate) { /* nothing to remember */
		tr->pauses[i] = pf->pause_rate;
		return 0;
	}
	t = pf_place(tr, pf->node < s->node_count ? s->nodes[pf->node].node : "", pf);
	if (!t)
		return -ENOMEM;
	tr->pauses[i] = t->priority.value == pf->priority.value && t->round + 1 == tr->round
				? per_second(&t->pauses, &pauses, tr->seconds)
				: NAN;
	t->priority = pf->priority;
	t->pauses = pauses;
	t->round = tr->round;
	return 0;
}

/* A VF's row shows what its PF's port does. */
static void join_pauses(struct tracker *tr, const struct sample *s)
{
	for (size_t i = 0; i < s->pf_count; i++)
		for (size_t d = 0; !isnan(tr->pauses[i]) && d < s->device_count; d++)
			if (s->devices[d].node == s->pfs[i].node && s->devices[d].pf[0] &&
			    !strcmp(s->devices[d].pf, s->pfs[i].pf))
				tr->devices[d].figure[FIGURE_PAUSE] = tr->pauses[i];
}

/* Those whose time has passed must not be taken for known when they come again. */
static int forget_gone(struct tracker *tr, const struct sample *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < tr->tracked_pfs; i++)
		if (tr->tracked_pf[i].round == tr->round)
			tr->tracked_pf[kept++] = tr->tracked_pf[i];
	tr->tracked_pfs = kept;
	return tr->used != s->device_count ? rebuild(tr, s->device_count) : 0;
}

int tracker_feed(struct tracker *tr, const struct sample *s)
{
	bool forward = tr->time_ns && s->time_ns > tr->time_ns;

	if (tr->room < (tr->used + s->device_count) * 2 && rebuild(tr, tr->used + s->device_count))
		return -ENOMEM;
	if (ensure(&tr->devices, &tr->device_room, s->device_count, sizeof(*tr->devices)) ||
	    ensure(&tr->pauses, &tr->pause_room, s->pf_count, sizeof(*tr->pauses)))
		return -ENOMEM;
	tr->round++;
	tr->seconds = forward ? (double)(s->time_ns - tr->time_ns) / 1e9 : NAN;
	tr->time_ns = s->time_ns;
	for (size_t i = 0; i < s->device_count; i++)
		if (feed_device(tr, s, i))
			return -ENOMEM;
	for (size_t i = 0; i < s->pf_count; i++)
		if (feed_pf(tr, s, i))
			return -ENOMEM;
	join_pauses(tr, s);
	return forget_gone(tr, s);
}

struct tracker *tracker_new(void)
{
	struct tracker *tr = calloc(1, sizeof(*tr));

	if (tr && rebuild(tr, 0)) {
		free(tr);
		return NULL;
	}
	if (tr)
		tr->seconds = NAN;
	return tr;
}

void tracker_free(struct tracker *tr)
{
	if (!tr)
		return;
	for (size_t i = 0; i < tr->room; i++)
		if (tr->table[i])
			tracked_free(tr->table[i]);
	free(tr->table);
	free(tr->tracked_pf);
	free(tr->devices);
	free(tr->pauses);
	free(tr);
}

const struct device_rates *tracker_device(const struct tracker *tr, size_t device)
{
	return &tr->devices[device];
}

double tracker_pause(const struct tracker *tr, size_t pf)
{
	return tr->pauses[pf];
}

double tracker_seconds(const struct tracker *tr)
{
	return tr->seconds;
}
