/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Violations as alerts, for those without Prometheus: by the Alertmanager's API v2 (POST /api/v2/alerts) to all servers that are
 * given, each of which is told all. What begins and ends is an alert that is resent while it holds, and ended by its `endsAt`; what
 * just happens is one that ends ALERT_HOLDS_MS after it has happened last. Should wardend end, its alerts end by themselves after
 * that time, too.
 *
 * An alert's labels are those of when it began: alertname ("RdmaWarden" and the rule in camel case), severity, node, rule, verdict,
 * and where they are known device, pci, namespace and pod (whose process it was; of a state, whose device), owner (of the device).
 */
#ifndef WARDEN_ALERTMANAGER_H
#define WARDEN_ALERTMANAGER_H

#include "lib/err.h"
#include "lib/loop.h"
#include "report/notice.h"
#include "report/notify.h"

#define ALERT_HOLDS_MS 300000

struct work;

struct alertmanager_options {
	struct loop *loop; /* all of them must outlive it */
	struct work *work; /* with a job a server */
	const char *node;
	/* Something that the operator has to know, once. */
	void (*fault)(void *ctx, const char *text);
	void *ctx;
	size_t most; /* alerts at once; the oldest is dropped for a new one */
	unsigned int resend_ms; /* between two times that an alert is sent which has not begun or ended meanwhile */
	unsigned int burst, token_ms; /* of a server: so many requests at once, and then one in that time */
	unsigned int answer_ms, retry_min_ms, retry_max_ms;
};

struct alertmanager;

/* All but the loop, the work, the node and the function. */
void alertmanager_defaults(struct alertmanager_options *options);

int alertmanager_open(struct alertmanager **alertmanager, const struct alertmanager_options *options, struct err *err);
/* "http://HOST:PORT" or "https://…", without a slash at its end; it must outlive it. 0 or -errno (-ENOENT without libcurl). */
int alertmanager_add(struct alertmanager *alertmanager, const char *url, struct err *err);
/* The one, then work_close(), then the other. */
void alertmanager_stop(struct alertmanager *alertmanager);
void alertmanager_close(struct alertmanager *alertmanager);

/* It happened at `wall_ns` (CLOCK_REALTIME). */
void alertmanager_tell(struct alertmanager *alertmanager, const struct notice *notice, uint64_t wall_ns);

/* Of each server. */
void alertmanager_health(const struct alertmanager *alertmanager,
			 void (*visit)(const char *url, const struct notify_health *health, void *ctx), void *ctx);

#endif
