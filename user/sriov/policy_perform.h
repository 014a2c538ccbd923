/* SPDX-License-Identifier: Apache-2.0 */
/* Does what a plan of policy.h says, on the kernel that runs. */
#ifndef WARDEN_POLICY_PERFORM_H
#define WARDEN_POLICY_PERFORM_H

#include "sriov/policy_node.h"

struct policy_done {
	const struct policy_item *item;
	const struct policy_action *action;
	const char *error; /* "": it is done */
};

/* A pass that does nothing ends it; VFs made in one are set up in the next. More than this is a driver that keeps nothing. */
#define POLICY_PASSES 5

/*
 * Reads, plans and acts, until nothing is left to be done; `told` gets each action. One that fails ends the work on its PF:
 * what had been unbound for it is bound again, or the error says that it is not. It waits, for drivers, up to ten seconds
 * for a VF. 0, or -errno when the node cannot be read; what did not go well shows in the next plan.
 */
int policy_apply(const struct policy_source *source, const struct node_policy *policies, size_t count,
		 void (*told)(const struct policy_done *done, void *ctx), void *ctx, struct err *err);

#endif
