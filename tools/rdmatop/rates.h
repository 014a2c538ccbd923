/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From cumulative counters to rates: what each device counted since the sample before. Pure: samples go in, figures come out.
 *
 * A device is who has its node, PCI address and index: one that came anew under an old name begins anew. A counter that went back
 * has wrapped, at 32 or at 64 bits, where the way over the end is short, else it was reset, and then has no rate this once. What
 * has no rate, and what nobody counts, is NAN.
 */
#ifndef RDMATOP_RATES_H
#define RDMATOP_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rdmatop/sample.h"

/* What a row shows as a number. Those up to OUT_OF_SEQUENCE are per second, in the order of enum sample_rate. */
enum figure {
	FIGURE_TX_BITS,
	FIGURE_RX_BITS,
	FIGURE_TX_PACKETS,
	FIGURE_RX_PACKETS,
	FIGURE_TX_MESSAGES,
	FIGURE_RX_MESSAGES,
	FIGURE_CNP,
	FIGURE_ECN,
	FIGURE_RETRANSMITS,
	FIGURE_OUT_OF_SEQUENCE,
	FIGURE_PAUSE, /* frames a second on the priority of RDMA traffic, both directions, of the PF */
	FIGURE_SPEED, /* bits a second */
	FIGURE_QPS,
	FIGURE_MRS,
	FIGURE_PINNED, /* bytes registered */
	FIGURE_CONNECTIONS,
	FIGURE_VIOLATIONS, /* since wardend counts */
	FIGURES,
};

#define HISTORY 64

/* Bits a second, sent and received; NAN where they were not known. `next` is where the next one will be: the oldest. */
struct history {
	float value[HISTORY];
	unsigned int next;
};

struct device_rates {
	double figure[FIGURES];
	const struct history *history;
	const double *counter; /* per second, of each of the device's counters */
	bool fresh; /* seen for the first time */
};

struct tracker;

struct tracker *tracker_new(void); /* NULL: no memory */
void tracker_free(struct tracker *tracker);

/* Devices of before that are not in it are forgotten. 0 or -ENOMEM. */
int tracker_feed(struct tracker *tracker, const struct sample *sample);

/* Of the sample's devices and PFs; valid until the next feed. Seconds between the two samples, NAN: no rates. */
const struct device_rates *tracker_device(const struct tracker *tracker, size_t device);
double tracker_pause(const struct tracker *tracker, size_t pf);
double tracker_seconds(const struct tracker *tracker);

/* What was counted between the two: false, it was reset. */
bool rates_delta(uint64_t before, uint64_t now, uint64_t *delta);

#endif
