/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked over the control socket: status, capabilities, devices, attachments, timings, cni, claim, release, events, packets, qos, policy, resources, verify, stats, qps. */
#ifndef WARDEN_REQUESTS_H
#define WARDEN_REQUESTS_H

#include "config/config.h"
#include "control/server.h"

struct attach;
struct collector;
struct exclusive;
struct loader;
struct packets;
struct pods;
struct slots;
struct track;
struct work;
struct effects;
struct tracked_device;

struct services {
	const struct config *config;
	struct loader *loader;
	struct track *track;
	struct events *events;
	struct packets *packets;
	struct work *work;
	struct attach *attach;
	struct slots *slots;
	struct pods *pods;
	struct collector *collector;
	struct effects *effects; /* NULL: the counters are not sampled */
	const struct exclusive *exclusive;
	/* Reads the ring empty, so that events of before come before what a request changes. */
	void (*drain)(void *ctx);
	/* A claim has begun or ended. */
	void (*claims_changed)(void *ctx);
	void *ctx;
};

/* Ends with a NULL name; the handlers' ctx is a struct services. */
extern const struct request_kind request_kinds[];

/* "good", "wrong", "unverified" or "none". */
const char *marking_state(const struct services *services, const struct tracked_device *device);

/* Calls `visit` for each counter of the programs (warden.h), summed over the CPUs. */
void requests_counters(struct loader *loader, void (*visit)(const char *name, uint64_t value, void *ctx), void *ctx);

/* The capabilities as JSON objects, one a visit. */
void requests_capabilities(struct services *services, void (*visit)(cJSON *item, void *ctx), void *ctx);

#endif
