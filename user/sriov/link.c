// SPDX-License-Identifier: Apache-2.0
/* What of sriov.h changes links, and looks for them in other netns. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "lib/netns.h"
#include "lib/util.h"
#include "sriov/sriov.h"

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

static int talk(struct mnl_socket *socket, struct nlmsghdr *h, mnl_cb_t parse, void *ctx)
{
	unsigned int port = mnl_socket_get_portid(socket);
	char buf[32 * 1024];
	int r = MNL_CB_OK;

	h->nlmsg_seq = 1;
	if (mnl_socket_sendto(socket, h, h->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(socket, buf, sizeof(buf));

		if (len < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)len, 1, port, parse, ctx);
	}
	return r < 0 ? -errno : 0;
}

static struct ifinfomsg *put_header(struct nlmsghdr *h, uint16_t type, uint16_t flags)
{
	struct ifinfomsg *info;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	return info;
}

static int set_link(struct nlmsghdr *h)
{
	_cleanup_(socket_close) struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return talk(socket, h, NULL, NULL);
}

int sriov_set_up(const char *netdev)
{
	char buf[256] = {};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info = put_header(h, RTM_NEWLINK, NLM_F_ACK);

	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	mnl_attr_put_strz(h, IFLA_IFNAME, netdev);
	return set_link(h);
}

int sriov_set_mtu(const char *netdev, uint32_t mtu)
{
	char buf[256] = {};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	put_header(h, RTM_NEWLINK, NLM_F_ACK);
	mnl_attr_put_strz(h, IFLA_IFNAME, netdev);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return set_link(h);
}

int sriov_set_vf_mac(const char *pf, uint32_t vf, const uint8_t mac[6])
{
	char buf[512] = {};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifla_vf_mac one = { .vf = vf };
	struct nlattr *list, *info;

	memcpy(one.mac, mac, 6);
	put_header(h, RTM_NEWLINK, NLM_F_ACK);
	mnl_attr_put_strz(h, IFLA_IFNAME, pf);
	list = mnl_attr_nest_start(h, IFLA_VFINFO_LIST);
	info = mnl_attr_nest_start(h, IFLA_VF_INFO);
	mnl_attr_put(h, IFLA_VF_MAC, sizeof(one), &one);
	mnl_attr_nest_end(h, info);
	mnl_attr_nest_end(h, list);
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

/* A netns that cannot be asked, because it ends just now, has nothing of anybody's. */
static int away_netns(int fd, const struct netns_id *id, void *ctx)
{
	_cleanup_(socket_close) struct mnl_socket *socket = NULL;
	char buf[256] = {};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct away *a = ctx;
	int sock;

	if (id->inum == a->own)
		return 0;
	sock = netns_socket(fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (sock < 0)
		return 0;
	socket = mnl_socket_fdopen(sock);
	if (!socket)
		return close(sock), -ENOMEM;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID))
		return 0;
	netns_describe(id->inum, a->netns, sizeof(a->netns));
	put_header(h, RTM_GETLINK, NLM_F_DUMP);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	talk(socket, h, away_link, a);
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
