/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that waits for others (an IPAM plugin, a carrier), in threads beside the loop. What belongs to the loop's thread
 * alone is done there, on behalf of such a thread.
 */
#ifndef WARDEN_WORK_H
#define WARDEN_WORK_H

#include "lib/err.h"
#include "lib/loop.h"

struct work;

/* The loop must outlive it. `most` jobs run at once, and the others wait. 0 or -errno. */
int work_open(struct work **work, struct loop *loop, unsigned int most, struct err *err);

/* Calls `run` in a thread, and then `done` in the loop's. Neither is called on an error: -ENOMEM. */
int work_start(struct work *work, void (*run)(void *job), void (*done)(void *job), void *job);

/* Calls `call` in the loop's thread (which is that of work_open()) and waits for its answer. -ECANCELED: the loop has ended. */
int work_in_loop(struct work *work, int (*call)(void *ctx), void *ctx);

/* Jobs that run or wait. */
unsigned int work_count(const struct work *work);

/* In the loop's thread: from now on work_in_loop() does nothing but to answer -ECANCELED, also to who waits for it. */
void work_refuse(struct work *work);

/*
 * The loop has ended. Jobs that run are waited for; work_in_loop() does nothing for them any more. Jobs that wait are not
 * begun; `done` is called for neither.
 */
void work_close(struct work *work);

#endif
