/* SPDX-License-Identifier: Apache-2.0 */
/* What the fabric expects of RoCE traffic. Owns nothing but the profiles that have a name. */
#ifndef WARDEN_PROFILE_H
#define WARDEN_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct qos_profile {
	char name[16]; /* "spiderpool", "nvidia", "custom"; "" means that none is in force */
	uint64_t dscp; /* bit d: DSCP d (0..63) is right for RDMA traffic */
	unsigned int priority; /* 802.1p / PFC priority of RDMA traffic, 0..7 */
	unsigned int cnp_dscp;
	unsigned int cnp_priority;
};

/* The profile of that name: 0 or -ENOENT. */
int qos_profile_named(const char *name, struct qos_profile *profile);

/* Contradictions inside a profile: 0, or -EINVAL with the reason. */
int qos_profile_check(const struct qos_profile *profile, struct err *err);

/* The set as text: "40", "24,26". */
void qos_dscp_text(uint64_t dscp, char *to, size_t size);

#endif
