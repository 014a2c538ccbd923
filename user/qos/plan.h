/* SPDX-License-Identifier: Apache-2.0 */
/* The changes that mend a node, or take the last ones back, in the order in which they are made. Owns its list. */
#ifndef WARDEN_PLAN_H
#define WARDEN_PLAN_H

#include "qos/audit.h"

#define QOS_RULE_LEN 24
#define QOS_DIGEST_LEN 24

struct qos_change {
	char rule[QOS_RULE_LEN]; /* of the finding that wants it */
	unsigned int number; /* in its plan, from 1; in one that takes back, that of the change taken back */
	struct qos_action action;
};

struct qos_plan {
	struct qos_change *changes;
	size_t count;
};

/* Appends: 0 or -ENOMEM. */
int qos_plan_add(struct qos_plan *plan, const char *rule, const struct qos_action *action);
/* Takes in what the finding needs; what is in the plan already (the host's DCBX) is not taken twice. 0 or -ENOMEM. */
int qos_plan_take(struct qos_plan *plan, const struct qos_finding *finding);

/* Puts the changes into their order and numbers them. */
void qos_plan_order(struct qos_plan *plan);

/* Another plan, or the same one on a node that has changed meanwhile, has another digest. No secret, no signature. */
void qos_plan_digest(const struct qos_plan *plan, char digest[QOS_DIGEST_LEN]);

/* For _cleanup_(). */
void qos_plan_free(struct qos_plan *plan);

#endif
