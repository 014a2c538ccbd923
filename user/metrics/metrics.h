/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted, for others: over HTTP where the configuration has an address, and for requests of the control socket. */
#ifndef WARDEN_METRICS_H
#define WARDEN_METRICS_H

#include "lib/err.h"

struct loop;
struct metrics;
struct services;

/* Sets services->collector. `services` must outlive it, and be complete when somebody asks. 0 or -errno. */
int metrics_open(struct metrics **metrics, struct services *services, struct loop *loop, struct err *err);

/*
 * Listens at the configuration's address, where there is one. Who has it already is no reason to leave the node unguarded: that is
 * told once, and to be tried again by another call.
 */
void metrics_listen(struct metrics *metrics);

/* The loop has ended. */
void metrics_close(struct metrics *metrics);

#endif
