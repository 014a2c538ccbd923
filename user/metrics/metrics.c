// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "control/requests.h"
#include "metrics/collector.h"

struct metrics {
	struct collector *collector;
};

int metrics_open(struct metrics **metrics, struct services *services, struct loop *loop, struct err *err)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return fail(err, -ENOMEM, "out of memory");
	r = collector_open(&m->collector, services, loop, err);
	if (r) {
		metrics_close(m);
		return r;
	}
	services->collector = m->collector;
	*metrics = m;
	return 0;
}

void metrics_close(struct metrics *m)
{
	if (!m)
		return;
	collector_stop(m->collector);
	collector_close(m->collector);
	free(m);
}
