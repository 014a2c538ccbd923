// SPDX-License-Identifier: Apache-2.0
#include "metrics/collector.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "lib/work.h"

#define JOBS 4 /* requests of the control socket; more of them wait */

/* A reading that is under way. It lies on the stack of who reads, who waits until all have taken it. */
struct flight {
	unsigned int waiting;
	bool done;
	struct snapshot *result;
	int error;
	struct err err;
};

struct collector {
	struct services *services;
	struct work *work;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct flight *flight; /* who comes now joins it; NULL */
	uint64_t readings;
	bool stopped;
	/* Of the one who reads. */
	struct stats_place *places;
	size_t place_count;
};

/* ---- whom to look for ---- */

static struct stats_place *find_place(struct stats_place *list, size_t count, uint64_t cookie)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].id.cookie == cookie)
			return &list[i];
	return NULL;
}

static void add_place(struct collector *c, struct stats_place *list, size_t *count, const struct netns_id *id,
		      const struct netns_id *host)
{
	const struct stats_place *before;

	if (!id->cookie || id->cookie == host->cookie || find_place(list, *count, id->cookie))
		return;
	before = find_place(c->places, c->place_count, id->cookie);
	list[(*count)++] = before ? *before : (struct stats_place){ .id = *id };
}

/* Where the maps have the devices; in shared mode they are all the host's, and their netdevs where their owners are. */
static int find_places_of(struct collector *c, const struct snapshot *s)
{
	struct stats_place *list = calloc(s->model->device_count * 3 + 1, sizeof(*list));
	size_t count = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < s->model->device_count; i++) {
		const struct tracked_device *d = &s->model->devices[i].tracked;
		const struct netns_id at = { .cookie = d->device.netns_cookie, .inum = d->device.netns_inum };
		const struct netns_id owner = { .cookie = d->claim.netns_cookie, .inum = d->claim.netns_inum };

		add_place(c, list, &count, &at, &s->model->host);
		if (d->claimed && !d->orphan)
			add_place(c, list, &count, &owner, &s->model->host);
		add_place(c, list, &count, &s->model->devices[i].netdev_netns, &s->model->host);
	}
	free(c->places);
	c->places = list;
	c->place_count = count;
	return 0;
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct stats_parent *)a)->index, y = ((const struct stats_parent *)b)->index;

	return (x > y) - (x < y);
}

/* NULL: no memory. */
static struct stats_parent *parents_of(const struct model *m)
{
	struct stats_parent *list = calloc(m->device_count + 1, sizeof(*list));

	if (!list)
		return NULL;
	for (size_t i = 0; i < m->device_count; i++) {
		list[i].index = m->devices[i].tracked.index;
		memcpy(list[i].parent, m->devices[i].tracked.device.parent, sizeof(list[i].parent));
	}
	qsort(list, m->device_count, sizeof(*list), by_index);
	return list;
}

/* ---- one reading ---- */

struct copying {
	struct snapshot *snapshot;
	struct services *services;
};

static int copy_in_loop(void *ctx)
{
	struct copying *c = ctx;

	return snapshot_copy(c->snapshot, c->services);
}

static int read_kernel(struct collector *c, struct snapshot *s, struct err *err)
{
	_cleanup_free_ struct stats_parent *parents = parents_of(s->model);
	struct stats_known known = { .parents = parents,
				     .parent_count = s->model->device_count,
				     .ports = s->config->qos_netdevs,
				     .port_count = CONFIG_QOS_NETDEVS };
	struct stats *stats = NULL;
	int r;

	if (!parents || find_places_of(c, s))
		return fail(err, -ENOMEM, "out of memory");
	known.places = c->places;
	known.place_count = c->place_count;
	r = stats_read_known(&known, &stats, &s->problem);
	if (!r)
		s->problem.text[0] = '\0';
	if (!stats)
		stats = calloc(1, sizeof(*stats));
	s->places = calloc(c->place_count + 1, sizeof(*s->places));
	if (!stats || snapshot_join(s, stats) || !s->places)
		return fail(err, -ENOMEM, "out of memory");
	s->place_count = c->place_count;
	memcpy(s->places, c->places, c->place_count * sizeof(*s->places));
	return 0;
}

static int read_node(struct collector *c, struct snapshot **snapshot, struct err *err)
{
	struct copying copying = { .snapshot = snapshot_new(), .services = c->services };
	struct snapshot *s = copying.snapshot;
	uint64_t begin = boot_ns();
	int r = s ? work_in_loop(c->work, copy_in_loop, &copying) : -ENOMEM;

	if (r)
		fail(err, r, "%s", r == -ECANCELED ? "wardend is stopping" : "out of memory");
	else
		r = read_kernel(c, s, err);
	if (r) {
		snapshot_drop(s);
		return r;
	}
	s->took_ns = boot_ns() - begin;
	*snapshot = s;
	return 0;
}

/* ---- who asks ---- */

/* With the lock. */
static void take(struct flight *f, struct snapshot **snapshot, int *error, struct err *err)
{
	*error = f->error;
	*err = f->err;
	*snapshot = f->result;
	if (f->result)
		snapshot_hold(f->result);
}

static void join(struct collector *c, struct snapshot **snapshot, int *error, struct err *err)
{
	struct flight *f = c->flight;

	f->waiting++;
	while (!f->done)
		pthread_cond_wait(&c->changed, &c->lock);
	take(f, snapshot, error, err);
	f->waiting--;
	pthread_cond_broadcast(&c->changed);
}

static void fly(struct collector *c, struct snapshot **snapshot, int *error, struct err *err)
{
	struct flight f = {};

	c->flight = &f;
	c->readings++;
	pthread_mutex_unlock(&c->lock);
	f.error = read_node(c, &f.result, &f.err);
	pthread_mutex_lock(&c->lock);
	c->flight = NULL;
	f.done = true;
	pthread_cond_broadcast(&c->changed);
	while (f.waiting)
		pthread_cond_wait(&c->changed, &c->lock);
	*error = f.error;
	*err = f.err;
	*snapshot = f.result;
}

int collector_get(struct collector *c, struct snapshot **snapshot, struct err *err)
{
	int error;

	*snapshot = NULL;
	pthread_mutex_lock(&c->lock);
	if (c->stopped)
		error = fail(err, -ECANCELED, "wardend is stopping");
	else if (c->flight)
		join(c, snapshot, &error, err);
	else
		fly(c, snapshot, &error, err);
	pthread_mutex_unlock(&c->lock);
	return error;
}

int collector_work(struct collector *c, void (*run)(void *job), void (*done)(void *job), void *job)
{
	return work_start(c->work, run, done, job);
}

int collector_in_loop(struct collector *c, int (*call)(void *ctx), void *ctx)
{
	return work_in_loop(c->work, call, ctx);
}

uint64_t collector_readings(struct collector *c)
{
	uint64_t n;

	pthread_mutex_lock(&c->lock);
	n = c->readings;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* ---- life ---- */

int collector_open(struct collector **collector, struct services *services, struct loop *loop, struct err *err)
{
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return fail(err, -ENOMEM, "out of memory");
	c->services = services;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	r = work_open(&c->work, loop, JOBS, err);
	if (r) {
		collector_close(c);
		return r;
	}
	*collector = c;
	return 0;
}

void collector_stop(struct collector *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopped = true;
	pthread_mutex_unlock(&c->lock);
	work_refuse(c->work);
}

void collector_close(struct collector *c)
{
	if (!c)
		return;
	work_close(c->work);
	free(c->places);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	free(c);
}
