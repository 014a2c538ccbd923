// SPDX-License-Identifier: Apache-2.0
#include "qos/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

static const struct qos_profile named[] = {
	{ .name = "spiderpool", .dscp = 1ull << 40, .priority = 5, .cnp_dscp = 48, .cnp_priority = 6, .pfc = 1 << 5 },
	{ .name = "nvidia", .dscp = 1ull << 26, .priority = 3, .cnp_dscp = 48, .cnp_priority = 6, .pfc = 1 << 3 },
};

void qos_profile_defaults(struct qos_profile *p)
{
	p->trust = QOS_TRUST_DSCP;
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		p->map[d] = (uint8_t)(d / 8); /* the class selectors of RFC 2474, and what NICs begin with */
	p->ecn = true;
	p->mtu = 0;
	p->roce_mode = QOS_ROCE_V2;
}

int qos_profile_named(const char *name, struct qos_profile *profile)
{
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (strcmp(named[i].name, name))
			continue;
		*profile = named[i];
		qos_profile_defaults(profile);
		return 0;
	}
	return -ENOENT;
}

static int check_pfc(const struct qos_profile *p, struct err *err)
{
	if (!(p->pfc >> p->priority & 1))
		return fail(err, -EINVAL, "pfc is off for priority %u, that of RDMA traffic: the class would be lossy",
			    p->priority);
	if (p->pfc >> p->cnp_priority & 1)
		return fail(err, -EINVAL, "pfc is on for cnp_priority %u: CNPs would be paused", p->cnp_priority);
	return 0;
}

static int check_map(const struct qos_profile *p, struct err *err)
{
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		if (p->dscp >> d & 1 && p->map[d] != p->priority)
			return fail(err, -EINVAL, "dscp %u is mapped to priority %u, but priority is %u: see \"map\"",
				    d, p->map[d], p->priority);
	if (p->map[p->cnp_dscp] != p->cnp_priority)
		return fail(err, -EINVAL, "cnp_dscp %u is mapped to priority %u, but cnp_priority is %u: see \"map\"",
			    p->cnp_dscp, p->map[p->cnp_dscp], p->cnp_priority);
	return 0;
}

int qos_profile_check(const struct qos_profile *p, struct err *err)
{
	int r;

	if (!p->dscp)
		return fail(err, -EINVAL, "dscp: the profile allows no DSCP");
	if (p->dscp >> p->cnp_dscp & 1)
		return fail(err, -EINVAL,
			    "cnp_dscp %u is also a DSCP of RDMA traffic: CNPs would wait behind what they throttle",
			    p->cnp_dscp);
	if (p->cnp_priority == p->priority)
		return fail(err, -EINVAL,
			    "cnp_priority %u is also the priority of RDMA traffic: CNPs would be paused with it",
			    p->cnp_priority);
	r = check_pfc(p, err);
	if (!r && p->trust == QOS_TRUST_DSCP)
		r = check_map(p, err);
	return r;
}

const char *qos_trust_name(enum qos_trust trust)
{
	return trust == QOS_TRUST_DSCP ? "dscp" : trust == QOS_TRUST_PCP ? "pcp" : "neither dscp nor pcp";
}

void qos_dscp_text(uint64_t dscp, char *to, size_t size)
{
	size_t len = 0;

	to[0] = '\0';
	for (unsigned int d = 0; d < QOS_DSCPS && len < size; d++)
		if (dscp >> d & 1)
			len += (size_t)snprintf(to + len, size - len, "%s%u", len ? "," : "", d);
}
