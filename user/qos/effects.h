/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether RoCE traffic does on the wire what the profile expects, by counters. A pure state machine: samples go in, one
 * round of them after the other, and what begins and ends comes out. It reads nothing. A rule begins, and ends, after
 * several samples in a row; one whose counters the driver does not have never begins.
 */
#ifndef WARDEN_EFFECTS_H
#define WARDEN_EFFECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "qos/audit.h"
#include "warden.h"

#define EFFECTS_SAMPLES 3 /* in a row, for a rule to begin or to end */

struct effects;
struct effect_subject;

/* A port is the netdev of a PF, as in the audit; a device is an RDMA device, also that of a VF in a pod. */
enum effect_kind { EFFECT_PORT, EFFECT_DEVICE };

/* Who tells a counter: names of one are not those of the other. */
enum effect_source { EFFECT_RDMA, EFFECT_ETHTOOL };

/*
 * `profile` must outlive it. RDMA traffic may also be on `priorities`, a bit each, where other profiles hold for some.
 * `interval_ns` is what is between two rounds as a rule. 0 or -ENOMEM.
 */
int effects_open(struct effects **effects, const struct qos_profile *profile, uint8_t priorities, uint64_t interval_ns);
void effects_close(struct effects *effects);

/* A round of samples: begin, for each subject its counters, end. `now_ns` is of a clock that does not go back. */
void effects_begin(struct effects *effects, uint64_t now_ns);

/* One that is to be sampled in this round. A device is known by its index, a port by its name. NULL: no memory. */
struct effect_subject *effects_subject(struct effects *effects, enum effect_kind kind, uint32_t index,
				       const char *name);
/* The port that carries the device's traffic. */
void effects_join(struct effect_subject *device, const char *port);
/* Takes any counter by its driver's name, and keeps those that a rule is about. */
void effects_counter(struct effect_subject *subject, enum effect_source source, const char *name, uint64_t value);

/* How the reading of its counters ended: 0, -EOPNOTSUPP: the driver has none; another -errno: it is missing from the round. */
void effects_read(struct effect_subject *subject, int error);

struct effect_change {
	enum warden_rule rule;
	enum effect_kind kind;
	uint32_t index; /* of a device */
	bool begins;
	struct qos_finding finding; /* what was found and what was expected; the cure of one that begins */
};

/* Judges the round. A subject that was missing in several rounds is forgotten, and what it had begun ends. */
void effects_end(struct effects *effects, void (*tell)(const struct effect_change *change, void *ctx), void *ctx);

/*
 * Each rule on each subject as it stands: fails from its begin to its end, is unknown without its counters, without
 * enough samples and without traffic to judge by. Another profile's priority is not what was judged by: unknown.
 */
void effects_findings(const struct effects *effects, const struct qos_profile *profile,
		      void (*tell)(const struct qos_finding *finding, void *ctx), void *ctx);

/* Rounds judged so far. */
uint64_t effects_rounds(const struct effects *effects);

#endif
