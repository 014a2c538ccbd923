/* SPDX-License-Identifier: Apache-2.0 */
/* What the fabric expects of RoCE traffic. Owns nothing but the profiles that have a name. */
#ifndef WARDEN_PROFILE_H
#define WARDEN_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define QOS_DSCPS 64
#define QOS_PRIORITIES 8

/* What a port reads the priority of an incoming packet from. */
enum qos_trust { QOS_TRUST_DSCP, QOS_TRUST_PCP, QOS_TRUST_NONE /* of a port, not of a profile */ };
enum qos_roce_mode { QOS_ROCE_V1, QOS_ROCE_V2 };

struct qos_profile {
	char name[16]; /* "spiderpool", "nvidia", "custom"; "" means that none is in force */
	uint64_t dscp; /* bit d: DSCP d (0..63) is right for RDMA traffic */
	unsigned int priority; /* 802.1p / PFC priority of RDMA traffic, 0..7 */
	unsigned int cnp_dscp;
	unsigned int cnp_priority;
	uint8_t pfc; /* bit p: PFC is on for priority p */
	enum qos_trust trust;
	uint8_t map[QOS_DSCPS]; /* priority by DSCP; of meaning under QOS_TRUST_DSCP alone */
	bool ecn; /* congestion control by ECN and CNPs is wanted */
	unsigned int mtu; /* the least MTU of netdevs under RoCE; 0: not judged */
	enum qos_roce_mode roce_mode;
};

/* The profile of that name: 0 or -ENOENT. */
int qos_profile_named(const char *name, struct qos_profile *profile);

/* What a profile is where it does not say otherwise: trust dscp, DSCP / 8 as the priority, ECN, RoCE v2. */
void qos_profile_defaults(struct qos_profile *profile);

/* Contradictions inside a profile: 0, or -EINVAL with the reason, which begins with the key's name. */
int qos_profile_check(const struct qos_profile *profile, struct err *err);

const char *qos_trust_name(enum qos_trust trust);

/* The set as text: "40", "24,26". */
void qos_dscp_text(uint64_t dscp, char *to, size_t size);

#endif
