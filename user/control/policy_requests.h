/* SPDX-License-Identifier: Apache-2.0 */
/* The request policy: what node_policy wants of each PF, what there is, and what is to be done; or have it done. */
#ifndef WARDEN_POLICY_REQUESTS_H
#define WARDEN_POLICY_REQUESTS_H

#include <cjson/cJSON.h>

#include "lib/err.h"
#include "sriov/policy.h"

struct reply;
struct services;

int handle_policy(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

/* The PFs and VFs as they are now, and what the node policy has to say of them: 0 or -errno. To be freed when it was 0. */
struct policy_survey {
	struct policy_node node;
	struct policy_plan plan;
};
int policy_survey(struct services *services, struct policy_survey *survey, struct err *err);
void policy_survey_free(struct policy_survey *survey);

/* As a start does with node_policy_apply: what fails is told as a fault, and hinders nothing. */
void policy_apply_at_start(struct services *services);

#endif
