/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a source in a thread of its own, so that whatever the source waits for, the screen answers. A sample waits until it is
 * taken, so that none is lost.
 */
#ifndef RDMATOP_WORKER_H
#define RDMATOP_WORKER_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"
#include "rdmatop/source.h"

struct worker;

/* Reads every `seconds`, or as the source wants it where that is 0. The source belongs to it then. NULL and the reason. */
struct worker *worker_open(struct source *source, double seconds, FILE *record, struct err *err);

/*
 * Ends it, and closes the source; but where the source is waited for just now, all of it is left to the end of the process, which
 * must be near.
 */
void worker_close(struct worker *worker);

/* Readable when something is to be taken. */
int worker_fd(const struct worker *worker);

enum worker_news { WORKER_NOTHING, WORKER_SAMPLE, WORKER_PROBLEM, WORKER_END };

/* WORKER_SAMPLE: `*sample` has changed places with the new one. WORKER_PROBLEM: `err` says why there is none; it goes on trying. */
enum worker_news worker_take(struct worker *worker, struct sample **sample, struct err *err);

/* Nothing is read until it goes on. */
void worker_pause(struct worker *worker, bool paused);
/* Whose queue pairs are wanted, at once; "" for nobody's. */
void worker_device(struct worker *worker, const char *device);

#endif
