// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "control/requests.h"
#include "loader/loader.h"
#include "metrics/collector.h"
#include "lib/log.h"
#include "metrics/http.h"
#include "report/events.h"

struct metrics {
	struct services *services;
	struct collector *collector;
	struct http *http; /* NULL: the configuration wants none, or the address cannot be had */
	bool told; /* that it cannot */
};

static int get(void *ctx, struct snapshot **snapshot, struct err *err)
{
	const struct metrics *m = ctx;

	return collector_get(m->collector, snapshot, err);
}

/* ---- is it ready ---- */

static void name_missing(const char *name, void *ctx)
{
	fail(ctx, -ENOLINK, "the program %s is not attached any more", name);
}

struct question {
	struct services *services;
	struct err *err;
};

static int look_in_loop(void *ctx)
{
	const struct question *q = ctx;

	if (loader_missing(q->services->loader, name_missing, q->err))
		return -ENOLINK;
	return 0;
}

/* That the loop answers is a part of the answer. */
static int is_ready(void *ctx, struct err *err)
{
	const struct metrics *m = ctx;
	struct question q = { .services = m->services, .err = err };

	fail(err, -ECANCELED, "wardend is stopping");
	return collector_in_loop(m->collector, look_in_loop, &q);
}

/* ---- life ---- */

int metrics_open(struct metrics **metrics, struct services *services, struct loop *loop, struct err *err)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return fail(err, -ENOMEM, "out of memory");
	m->services = services;
	r = collector_open(&m->collector, services, loop, err);
	services->collector = m->collector;
	if (r) {
		metrics_close(m);
		return r;
	}
	*metrics = m;
	return 0;
}

void metrics_listen(struct metrics *m)
{
	const struct http_options options = {
		.listen = m->services->config->metrics, .get = get, .ready = is_ready, .ctx = m
	};
	struct err err;

	if (m->http || !options.listen[0])
		return;
	if (!http_open(&m->http, &options, &err))
		pr_info("metrics at http://%s/metrics", options.listen);
	else if (!m->told)
		events_fault(m->services->events, "%s; it is tried again", err.text);
	m->told = true;
}

/* First nobody waits for the loop any more, then the threads end that did, then what they used. */
void metrics_close(struct metrics *m)
{
	if (!m)
		return;
	collector_stop(m->collector);
	http_close(m->http);
	collector_close(m->collector);
	free(m);
}
