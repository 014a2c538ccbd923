/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about the marking of RoCE traffic; their ctx is a struct services. */
#ifndef WARDEN_QOS_REQUESTS_H
#define WARDEN_QOS_REQUESTS_H

#include <cjson/cJSON.h>

#include "control/server.h"
#include "qos/audit.h"

struct services;

/* The audit of the node by a profile. */
int handle_qos(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

/* What it finds by the configuration's profile, which there must be; the effects on counters, too. 0 or -errno. */
int qos_findings(struct services *services, void (*visit)(const struct qos_finding *finding, void *ctx), void *ctx,
		 struct err *err);

/*
 * What would be changed to mend what the audit finds, or to take the last changes back ("revert"), with a digest at the
 * end; and its doing, which is refused when the plan has another digest by now.
 */
int handle_qos_plan(void *ctx, const cJSON *args, struct reply *reply, struct err *err);
int handle_qos_apply(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

#endif
