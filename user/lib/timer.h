/* SPDX-License-Identifier: Apache-2.0 */
/* Timers as sources of a loop. Their clock stands still while the machine is suspended. */
#ifndef WARDEN_TIMER_H
#define WARDEN_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"

/* A timer that does not run yet. 0 or -errno; its descriptor is to be closed by the caller (-1 where there is none). */
int timer_open(struct source *timer, struct loop *loop, void (*ready)(struct source *timer, uint32_t events),
	       struct err *err);

/* It goes off once, in that many ms; or every so many. 0 stops it. */
void timer_once(const struct source *timer, uint64_t ms);
void timer_each(const struct source *timer, uint64_t ms);

/* To be asked first by `ready`. False: it was stopped or set anew since it woke the loop. */
bool timer_fired(const struct source *timer);

#endif
