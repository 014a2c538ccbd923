// SPDX-License-Identifier: Apache-2.0
#include "net/netdev.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/netlink.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "net/rtnl.h"

/* ---- what a netdev is and has ---- */

static int parse_link_attr(const struct nlattr *attr, void *ctx)
{
	struct netdev *d = ctx;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(d->name, sizeof(d->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(d->mac))
			memcpy(d->mac, mnl_attr_get_payload(attr), sizeof(d->mac));
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			d->mtu = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int parse_link(const struct nlmsghdr *h, void *ctx)
{
	if (h->nlmsg_type == RTM_NEWLINK)
		mnl_attr_parse(h, sizeof(struct ifinfomsg), parse_link_attr, ctx);
	return MNL_CB_OK;
}

struct address {
	int family;
	const void *address, *local; /* of a point-to-point link the first is the peer's */
};

static int parse_address_attr(const struct nlattr *attr, void *ctx)
{
	struct address *a = ctx;
	size_t size = a->family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attr) != size)
		return MNL_CB_OK;
	if (mnl_attr_get_type(attr) == IFA_ADDRESS)
		a->address = mnl_attr_get_payload(attr);
	else if (mnl_attr_get_type(attr) == IFA_LOCAL)
		a->local = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

struct address_walk {
	void (*visit)(uint32_t ifindex, const uint8_t address[16], void *ctx);
	void *ctx;
};

static int parse_address(const struct nlmsghdr *h, void *ctx)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff }; /* RFC 4291, 2.5.5.2 */
	const struct address_walk *walk = ctx;
	struct address a = {};
	const void *own;

	if (h->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(h) < sizeof(*ifa) ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	a.family = ifa->ifa_family;
	mnl_attr_parse(h, sizeof(*ifa), parse_address_attr, &a);
	own = a.local ? a.local : a.address;
	if (!own)
		return MNL_CB_OK;
	memcpy(a.family == AF_INET ? mapped + 12 : mapped, own, a.family == AF_INET ? 4 : 16);
	walk->visit(ifa->ifa_index, mapped, walk->ctx);
	return MNL_CB_OK;
}

static int read_link(struct rtnl *nl, struct netdev *netdev)
{
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

	info->ifi_index = (int)netdev->ifindex;
	return rtnl_talk(nl, h, parse_link, netdev);
}

/* Of all netdevs where the kernel does not filter by index, and with index 0. */
static int read_addresses(struct rtnl *nl, uint32_t ifindex, struct address_walk *walk)
{
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);

	ifa->ifa_index = ifindex;
	return rtnl_talk(nl, h, parse_address, walk);
}

int netdev_address_each(struct rtnl *nl, void (*visit)(uint32_t ifindex, const uint8_t address[16], void *ctx),
			void *ctx)
{
	struct address_walk walk = { .visit = visit, .ctx = ctx };

	return read_addresses(nl, 0, &walk);
}

static void take_address(uint32_t ifindex, const uint8_t address[16], void *ctx)
{
	struct netdev *d = ctx;

	if (ifindex != d->ifindex)
		return;
	if (d->addresses < NETDEV_ADDRESSES)
		memcpy(d->address[d->addresses], address, sizeof(d->address[0]));
	d->addresses++;
}

int netdev_read(int netns_fd, uint32_t ifindex, struct netdev *netdev)
{
	struct address_walk walk = { .visit = take_address, .ctx = netdev };
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int r;

	*netdev = (struct netdev){ .ifindex = ifindex };
	r = rtnl_open(&nl, netns_fd);
	if (!r)
		r = read_link(nl, netdev);
	if (!r && !netdev->name[0])
		r = -ENODEV;
	return r ? r : read_addresses(nl, ifindex, &walk);
}

/* ---- what changes ---- */

int netwatch_open(void)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_TC };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)))
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])))
			return -errno;
	return take_fd(&fd);
}

static int parse_nsid_attr(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == NETNSA_NSID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*(int *)ctx = (int)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int parse_nsid(const struct nlmsghdr *h, void *ctx)
{
	if (h->nlmsg_type == RTM_NEWNSID)
		mnl_attr_parse(h, sizeof(struct rtgenmsg), parse_nsid_attr, ctx);
	return MNL_CB_OK;
}

static int nsid_request(struct rtnl *nl, uint16_t type, int netns_fd, int *nsid)
{
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, type, 0, sizeof(struct rtgenmsg));

	mnl_attr_put_u32(h, NETNSA_FD, (uint32_t)netns_fd);
	if (type == RTM_NEWNSID)
		mnl_attr_put_u32(h, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED); /* any that is free */
	return rtnl_talk(nl, h, parse_nsid, nsid);
}

int netwatch_identify(int netns_fd)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int nsid = NETNSA_NSID_NOT_ASSIGNED, r;
	struct netns_id own, other;

	r = rtnl_open(&nl, -1);
	if (r)
		return r;
	if (netns_self(&own, NULL) || netns_identify(netns_fd, &other, NULL))
		return -EIO;
	if (own.cookie == other.cookie)
		return NETWATCH_OWN;
	r = nsid_request(nl, RTM_NEWNSID, netns_fd, &nsid);
	if (!r || r == -EEXIST)
		r = nsid_request(nl, RTM_GETNSID, netns_fd, &nsid);
	if (r)
		return r;
	return nsid >= 0 ? nsid : -ENOENT;
}

/* The identity of the netns that the message comes from: the kernel names none for the socket's own. */
static int message_netns(struct msghdr *message)
{
	int nsid = NETWATCH_OWN;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

struct reading {
	int netns;
	void (*changed)(int netns, uint32_t ifindex, void *ctx);
	void *ctx;
};

static int parse_change(const struct nlmsghdr *h, void *ctx)
{
	size_t len = mnl_nlmsg_get_payload_len(h);
	const void *payload = mnl_nlmsg_get_payload(h);
	const struct reading *r = ctx;
	uint32_t ifindex = 0;

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (len >= sizeof(struct ifinfomsg))
			ifindex = (uint32_t)((const struct ifinfomsg *)payload)->ifi_index;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (len >= sizeof(struct ifaddrmsg))
			ifindex = ((const struct ifaddrmsg *)payload)->ifa_index;
		break;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		if (len >= sizeof(struct tcmsg))
			ifindex = (uint32_t)((const struct tcmsg *)payload)->tcm_ifindex;
		break;
	}
	if (ifindex)
		r->changed(r->netns, ifindex, r->ctx);
	return MNL_CB_OK;
}

int netwatch_read(int fd, void (*changed)(int netns, uint32_t ifindex, void *ctx), void *ctx)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char buf[32 * 1024];
	struct reading reading = { .changed = changed, .ctx = ctx };
	int r = 0;

	for (;;) {
		struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
		struct sockaddr_nl from = {};
		struct msghdr message = { .msg_name = &from,
					  .msg_namelen = sizeof(from),
					  .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT);

		if (len < 0 && errno == ENOBUFS)
			r = -ENOBUFS;
		else if (len < 0)
			return errno == EAGAIN || errno == EINTR ? r : -errno;
		else if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
			r = -ENOBUFS;
		else if (!from.nl_pid &&
			 netlink_lengths_are_sound(buf, (size_t)len)) { /* the kernel's, not another process's */
			reading.netns = message_netns(&message);
			mnl_cb_run(buf, (size_t)len, 0, 0, parse_change, &reading);
		}
	}
}
