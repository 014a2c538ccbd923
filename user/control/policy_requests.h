/* SPDX-License-Identifier: Apache-2.0 */
/* The request policy: what node_policy wants of each PF, what there is, and what is to be done; or have it done. */
#ifndef WARDEN_POLICY_REQUESTS_H
#define WARDEN_POLICY_REQUESTS_H

#include <cjson/cJSON.h>

#include "lib/err.h"

struct reply;
struct services;

int handle_policy(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

/* As a start does with node_policy_apply: what fails is told as a fault, and hinders nothing. */
void policy_apply_at_start(struct services *services);

#endif
