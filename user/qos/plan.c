// SPDX-License-Identifier: Apache-2.0
#include "qos/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/util.h"

int qos_plan_add(struct qos_plan *plan, const char *rule, const struct qos_action *action)
{
	struct qos_change *grown = reallocarray(plan->changes, plan->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	plan->changes = grown;
	grown[plan->count] = (struct qos_change){ .number = (unsigned int)plan->count + 1, .action = *action };
	snprintf(grown[plan->count].rule, QOS_RULE_LEN, "%s", rule);
	plan->count++;
	return 0;
}

static bool same_setting(const struct qos_action *a, const struct qos_action *b)
{
	return a->setting == b->setting && a->priority == b->priority && !strcmp(a->subject, b->subject);
}

int qos_plan_take(struct qos_plan *plan, const struct qos_finding *f)
{
	for (size_t i = 0; i < f->action_count; i++) {
		const struct qos_action *action = &f->actions[i];
		bool known = false;

		for (size_t k = 0; k < plan->count; k++)
			known |= same_setting(&plan->changes[k].action, action) &&
				 qos_value_same(action->setting, &plan->changes[k].action.to, &action->to);
		if (!known && qos_plan_add(plan, f->rule, action))
			return -ENOMEM;
	}
	return 0;
}

/*
 * enum qos_setting is in the order of the changes:
 * - DCBX first: while the firmware negotiates, it refuses or undoes what the host sets.
 * - MTU before buffers: drivers size these anew when it grows. PFs before VFs, which take none above their PF's; the
 *   audit tells ports before devices, and what is of one kind stays in its order.
 * - Classes and buffers before PFC: a priority that shares them would be paused with that of RDMA.
 * - Pause of the link before PFC: it and PFC exclude each other, and a NIC may refuse the second.
 * - PFC before the map, the map before the trust: no packet is led into a class that is not lossless yet, and none is
 *   judged by a table that is not right yet. (Where the first entry of the table is the trust, both are one change.)
 * - The marking of CNPs before the points that send and obey them.
 * - What marks the traffic of applications last: its way is ready then.
 */
static int compare(const void *a, const void *b)
{
	const struct qos_change *x = a, *y = b;

	if (x->action.setting != y->action.setting)
		return (x->action.setting > y->action.setting) - (x->action.setting < y->action.setting);
	return (x->number > y->number) - (x->number < y->number);
}

void qos_plan_order(struct qos_plan *plan)
{
	if (plan->count)
		qsort(plan->changes, plan->count, sizeof(*plan->changes), compare);
	for (size_t i = 0; i < plan->count; i++)
		plan->changes[i].number = (unsigned int)i + 1;
}

void qos_plan_digest(const struct qos_plan *plan, char digest[QOS_DIGEST_LEN])
{
	uint64_t state = HASH_BEGIN;
	char text[QOS_VALUE_LEN];

	for (size_t i = 0; i < plan->count; i++) {
		const struct qos_action *a = &plan->changes[i].action;

		qos_action_name(a, text, sizeof(text));
		state = hash_part(hash_part(hash_part(state, text), a->subject), a->pci);
		qos_value_text(a->setting, &a->from, text, sizeof(text));
		state = hash_part(state, text);
		qos_value_text(a->setting, &a->to, text, sizeof(text));
		state = hash_part(state, text);
	}
	snprintf(digest, QOS_DIGEST_LEN, "%016llx", (unsigned long long)state);
}

void qos_plan_free(struct qos_plan *plan)
{
	free(plan->changes);
	*plan = (struct qos_plan){};
}
