/* SPDX-License-Identifier: Apache-2.0 */
/* Where samples come from: wardend, the kernel, a recording or Prometheus. Each makes items (sample.h), which are recorded here. */
#ifndef RDMATOP_SOURCE_H
#define RDMATOP_SOURCE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"
#include "rdmatop/sample.h"

#define SOURCE_END 1 /* there are no more samples */
#define SOURCE_SECONDS 5 /* that an answer may take */

/* Where a source puts its items. */
struct feed {
	struct sample *sample;
	FILE *record; /* or NULL */
};

void feed_item(struct feed *feed, const cJSON *item);
/* Text of an item, one line; what is none counts as odd. */
void feed_line(struct feed *feed, const char *line, size_t len);

struct source;

struct source_kind {
	/*
	 * The next sample into the feed, blocking. `device`: whose queue pairs are wanted (a PCI address or a name), or NULL.
	 * 0, SOURCE_END, or -errno: it did not answer this time.
	 */
	int (*read)(struct source *source, const char *device, struct feed *feed, struct err *err);
	void (*close)(struct source *source);
};

struct source {
	const struct source_kind *kind;
};

/* wardend at that socket. */
struct source *socket_open(const char *path, struct err *err);
/* wardend where it answers; else, until it does, the kernel. Once it has answered it is waited for when it goes. */
struct source *local_open(const char *path, struct err *err);
struct source *kernel_open(struct err *err);
/* Why it is the kernel that is asked: to be shown. */
void kernel_because(struct source *kernel, const struct err *reason);
struct source *replay_open(const char *path, struct err *err);
/* Of many nodes. Rates are those over `window_seconds`. */
struct source *prometheus_open(const char *url, unsigned int window_seconds, struct err *err);

int source_read(struct source *source, const char *device, struct feed *feed, struct err *err);
void source_close(struct source *source);

/* A new recording: NULL and the reason. */
FILE *record_open(const char *path, struct err *err);

#endif
