// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "common/netlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

int netlab_netns(void)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	assert_true(home >= 0);
	if (unshare(CLONE_NEWNET)) {
		close(home);
		skip_because("no netns can be made here: %s", strerror(errno));
	}
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	assert_true(fd >= 0);
	return fd;
}

struct rtnl *netlab_open(int netns)
{
	struct rtnl *nl = NULL;

	assert_int_equal(rtnl_open(&nl, netns), 0);
	return nl;
}

uint32_t netlab_veth(int netns, const char *name, const char *peer)
{
	_cleanup_(rtnl_close) struct rtnl *nl = netlab_open(netns);
	char buf[512];
	struct nlmsghdr *h = rtnl_request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	struct nlattr *info, *data, *other;
	int r;

	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(h, VETH_INFO_PEER);
	memset(mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, peer);
	mnl_attr_nest_end(h, other);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	r = rtnl_talk(nl, h, NULL, NULL);
	if (r == -EOPNOTSUPP)
		skip_because("no veth here: %s", rtnl_said(nl, r));
	assert_int_equal(r, 0);
	r = netdev_find(nl, name);
	assert_true(r > 0);
	return (uint32_t)r;
}

void netlab_altname(struct rtnl *nl, uint32_t ifindex, const char *name)
{
	char buf[512];
	struct nlmsghdr *h = rtnl_request(buf, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	struct nlattr *list;

	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = (int)ifindex;
	list = mnl_attr_nest_start(h, IFLA_PROP_LIST);
	mnl_attr_put_strz(h, IFLA_ALT_IFNAME, name);
	mnl_attr_nest_end(h, list);
	assert_int_equal(rtnl_talk(nl, h, NULL, NULL), 0);
}

struct net_address netlab_address(const char *text, uint8_t prefix)
{
	struct net_address a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET, .prefix = prefix };

	assert_int_equal(inet_pton(a.family, text, a.bytes), 1);
	return a;
}

void netlab_up(int netns, const char *name, const char *peer)
{
	_cleanup_(rtnl_close) struct rtnl *nl = netlab_open(netns);
	const struct netdev_change up = { .state = NETDEV_UP };
	int one = netdev_find(nl, name), other = netdev_find(nl, peer);

	assert_int_equal(netdev_set(nl, (uint32_t)one, &up, NULL), 0);
	assert_int_equal(netdev_set(nl, (uint32_t)other, &up, NULL), 0);
	assert_int_equal(netdev_wait_carrier(netns, (uint32_t)one, 5000, NULL), 0);
	assert_int_equal(netdev_wait_carrier(netns, (uint32_t)other, 5000, NULL), 0);
}
