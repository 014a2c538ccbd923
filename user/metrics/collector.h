/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the node for whoever asks, one reading at a time: who asks while one is under way gets that one. Any thread may ask but the
 * loop's, which the reading needs.
 */
#ifndef WARDEN_COLLECTOR_H
#define WARDEN_COLLECTOR_H

#include "lib/err.h"
#include "metrics/snapshot.h"

struct collector;
struct loop;

/* `services` must outlive it, and be complete before somebody asks. 0 or -errno. */
int collector_open(struct collector **collector, struct services *services, struct loop *loop, struct err *err);

/* Nobody reads any more, and who waits gets nothing: before the threads are ended that ask. In the loop's thread, as the last. */
void collector_stop(struct collector *collector);
void collector_close(struct collector *collector);

/* What is known now, to be dropped: 0, -ECANCELED: wardend is stopping; -ENOMEM. */
int collector_get(struct collector *collector, struct snapshot **snapshot, struct err *err);

/* For requests of the control socket: `run` in a thread, where it may ask, then `done` in the loop's. 0 or -ENOMEM. */
int collector_work(struct collector *collector, void (*run)(void *job), void (*done)(void *job), void *job);

/* Calls it in the loop's thread and waits: its answer, or -ECANCELED. */
int collector_in_loop(struct collector *collector, int (*call)(void *ctx), void *ctx);

/* Readings so far. */
uint64_t collector_readings(struct collector *collector);

#endif
