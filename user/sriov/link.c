// SPDX-License-Identifier: Apache-2.0
/* What of sriov.h changes links, and looks for them in other netns. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/netns.h"
#include "lib/util.h"
#include "net/rtnl.h"
#include "sriov/sriov.h"

#define DUMP_TRIES 3 /* of a netns in which links change */

static int set_link(struct nlmsghdr *h)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl, -1);

	return r ? r : rtnl_talk(nl, h, NULL, NULL);
}

int sriov_set_up(const char *netdev)
{
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, netdev);
	return set_link(h);
}

int sriov_set_mtu(const char *netdev, uint32_t mtu)
{
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));

	mnl_attr_put_strz(h, IFLA_IFNAME, netdev);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return set_link(h);
}

/* ---- in other netns ---- */

struct away {
	uint32_t own; /* netns */
	char netns[64];
	void (*visit)(const char *pci, const char *netdev, const char *netns, void *ctx);
	void *ctx;
};

static int away_link(const struct nlmsghdr *h, void *ctx)
{
	const char *name = NULL, *parent = NULL, *bus = NULL;
	const struct nlattr *attr;
	struct away *a = ctx;

	mnl_attr_for_each (attr, h, sizeof(struct ifinfomsg)) {
		uint16_t type = mnl_attr_get_type(attr);

		if ((type != IFLA_IFNAME && type != IFLA_PARENT_DEV_NAME && type != IFLA_PARENT_DEV_BUS_NAME) ||
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			continue;
		if (type == IFLA_IFNAME)
			name = mnl_attr_get_str(attr);
		else if (type == IFLA_PARENT_DEV_NAME)
			parent = mnl_attr_get_str(attr);
		else
			bus = mnl_attr_get_str(attr);
	}
	if (name && parent && bus && !strcmp(bus, "pci"))
		a->visit(parent, name, a->netns, a->ctx);
	return MNL_CB_OK;
}

/* A netns that cannot be asked ends just now, or its VFs are not found anywhere, which is no word that they are free. */
static int away_netns(int fd, const struct netns_id *id, void *ctx)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct away *a = ctx;
	int r = -EINTR;

	if (id->inum == a->own || rtnl_open(&nl, fd))
		return 0;
	netns_describe(id->inum, a->netns, sizeof(a->netns));
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		char buf[256];
		struct nlmsghdr *h = rtnl_request(buf, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));

		mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		r = rtnl_talk(nl, h, away_link, a);
	}
	return 0;
}

int sriov_away_each(void (*visit)(const char *pci, const char *netdev, const char *netns, void *ctx), void *ctx)
{
	struct away a = { .visit = visit, .ctx = ctx };
	struct netns_id own;
	int r = netns_self(&own, NULL);

	if (r)
		return r;
	a.own = own.inum;
	return netns_for_each(away_netns, &a);
}
