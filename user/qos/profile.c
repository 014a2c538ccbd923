// SPDX-License-Identifier: Apache-2.0
#include "qos/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

static const struct qos_profile named[] = {
	{ .name = "spiderpool", .dscp = 1ull << 40, .priority = 5, .cnp_dscp = 48, .cnp_priority = 6 },
	{ .name = "nvidia", .dscp = 1ull << 26, .priority = 3, .cnp_dscp = 48, .cnp_priority = 6 },
};

int qos_profile_named(const char *name, struct qos_profile *profile)
{
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (strcmp(named[i].name, name))
			continue;
		*profile = named[i];
		return 0;
	}
	return -ENOENT;
}

int qos_profile_check(const struct qos_profile *p, struct err *err)
{
	if (!p->dscp)
		return fail(err, -EINVAL, "the profile allows no DSCP");
	if (p->dscp >> p->cnp_dscp & 1)
		return fail(err, -EINVAL,
			    "cnp_dscp %u is also a DSCP of RDMA traffic: CNPs would wait behind what they throttle",
			    p->cnp_dscp);
	if (p->cnp_priority == p->priority)
		return fail(err, -EINVAL,
			    "cnp_priority %u is also the priority of RDMA traffic: CNPs would be paused with it",
			    p->cnp_priority);
	return 0;
}

void qos_dscp_text(uint64_t dscp, char *to, size_t size)
{
	size_t len = 0;

	to[0] = '\0';
	for (unsigned int d = 0; d < 64 && len < size; d++)
		if (dscp >> d & 1)
			len += (size_t)snprintf(to + len, size - len, "%s%u", len ? "," : "", d);
}
