// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "net/netops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/netlab.h"
#include "common/test.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "net/netdev.h"

static const uint8_t mac[6] = { 0x02, 0, 0, 0, 0x12, 0x34 };
static const uint8_t multicast_mac[6] = { 0x01, 0, 0, 0, 0x12, 0x34 };

#define _cleanup_rtnl_ _cleanup_(rtnl_close)

/* ---- handle and batch ---- */

static void the_kernels_words(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	const struct netdev_change too_big = { .mtu = 70000 };
	struct err err = {};

	(void)state;
	assert_int_equal(netdev_set(nl, v, &too_big, &err), -EINVAL);
	assert_contains(err.text, "netdev v0: cannot set the MTU: mtu greater than device maximum");
	assert_int_equal(netdev_find(nl, "nobody"), -ENODEV);
	assert_string_equal(rtnl_said(nl, -ENODEV), "No such device"); /* not the words about the one before */
}

static void a_batch_goes_on_and_names_the_first_failure(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	struct rtnl_batch batch;
	struct netdev_link link;
	unsigned int before = rtnl_sent(nl);
	uint32_t v = netlab_veth(netns, "v0", "v1");

	(void)state;
	rtnl_batch_begin(&batch, nl);
	for (int i = 0; i < 4; i++) {
		struct nlmsghdr *h = rtnl_batch_add(&batch, RTM_SETLINK, 0, sizeof(struct ifinfomsg));

		((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = i == 1 || i == 2 ? 4711 : (int)v;
		mnl_attr_put_u32(h, IFLA_MTU, (uint32_t)(1400 + i));
	}
	assert_int_equal(rtnl_batch_end(&batch), -ENODEV);
	assert_int_equal(batch.failed, 1);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_int_equal(link.mtu, 1403);
	assert_int_equal(rtnl_sent(nl) - before, 5);
}

static void a_batch_longer_than_one_sendmsg(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	struct net_address addresses[3 * RTNL_BATCH];
	struct net_config config = { .addresses = addresses, .address_count = ARRAY_SIZE(addresses) };
	struct netdev netdev;
	struct err err = {};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		snprintf(text, sizeof(text), "10.1.%zu.1", i);
		addresses[i] = netlab_address(text, 24);
	}
	assert_int_equal(netdev_configure(nl, v, &config, &err), 0);
	assert_int_equal(netdev_read(netns, v, &netdev), 0);
	assert_int_equal(netdev.addresses, ARRAY_SIZE(addresses));
	assert_int_equal(netdev_flush(nl, v, &err), 0);
	assert_int_equal(netdev_read(netns, v, &netdev), 0);
	assert_int_equal(netdev.addresses, 0);

	/* One in the second sendmsg that the kernel refuses: told by its number, and the third is not sent. */
	addresses[RTNL_BATCH + 5] = netlab_address("::", 0);
	assert_int_equal(netdev_configure(nl, v, &config, &err), -EADDRNOTAVAIL);
	assert_contains(err.text, "cannot add the address ::/0");
	assert_int_equal(netdev_read(netns, v, &netdev), 0);
	assert_true(netdev.addresses < 2 * RTNL_BATCH);
}

/* ---- settings ---- */

static void settings(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	const struct netdev_change up = { .state = NETDEV_UP, .mac = mac, .mtu = 1400 };
	const struct netdev_change down = { .state = NETDEV_DOWN, .mtu = 1300 };
	const struct netdev_change bad_mac = { .state = NETDEV_UP, .mac = multicast_mac };
	struct netdev_link link;
	struct err err = {};

	(void)state;
	assert_int_equal(netdev_set(nl, v, &up, &err), 0);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_true(link.flags & IFF_UP);
	assert_memory_equal(link.mac, mac, 6);
	assert_int_equal(link.mtu, 1400);
	assert_int_equal(netdev_set(nl, v, &down, &err), 0);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_false(link.flags & IFF_UP);
	assert_int_equal(link.mtu, 1300);
	assert_int_equal(netdev_set(nl, v, &bad_mac, &err), -EADDRNOTAVAIL);
	assert_contains(err.text, "netdev v0: cannot set the MAC: ");
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_false(link.flags & IFF_UP);
	assert_int_equal(netdev_set(nl, 4711, &up, &err), -ENODEV);
	assert_contains(err.text, "netdev 4711: ");
}

static void promiscuity_ends(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	const struct netdev_change promisc = { .promisc_off = true }, allmulti = { .allmulti_off = true };
	struct netdev_link link;
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_SETLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

	(void)state;
	info->ifi_index = (int)v;
	info->ifi_flags = info->ifi_change = IFF_PROMISC | IFF_ALLMULTI;
	assert_int_equal(rtnl_talk(nl, h, NULL, NULL), 0);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_int_equal(link.promiscuity, 1);
	assert_true(link.flags & IFF_ALLMULTI);
	assert_int_equal(netdev_set(nl, v, &promisc, NULL), 0);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_int_equal(link.promiscuity, 0);
	assert_true(link.flags & IFF_ALLMULTI);
	assert_int_equal(netdev_set(nl, v, &allmulti, NULL), 0);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_false(link.flags & IFF_ALLMULTI);
}

static void a_mac_and_its_proof(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	struct netdev_link link;
	struct err err = {};

	(void)state;
	assert_int_equal(netdev_mac_set(nl, v, mac, 0, &err), 0);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_memory_equal(link.mac, mac, 6);
	assert_int_equal(netdev_mac_set(nl, v, multicast_mac, 30, &err), -EADDRNOTAVAIL);
	assert_contains(err.text, "cannot set the MAC");
	assert_int_equal(netdev_mac_set(nl, 4711, mac, 1000, &err), -ENODEV);
	assert_contains(err.text, "it is gone");
}

static void alternative_names(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	struct netdev_link link;
	struct err err = {};

	(void)state;
	netlab_altname(nl, v, "short");
	netlab_altname(nl, v, "a-name-of-more-than-sixteen-bytes");
	assert_int_equal(netdev_find(nl, "short"), v);
	assert_int_equal(netdev_find(nl, "a-name-of-more-than-sixteen-bytes"), v);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_int_equal(link.altnames, 2);
	assert_int_equal(netdev_altname_remove(nl, v, "short", &err), 0);
	assert_int_equal(netdev_find(nl, "short"), -ENODEV);
	assert_int_equal(netdev_altname_remove(nl, v, "short", &err), -ENOENT);
	assert_contains(err.text, "cannot remove the alternative name short");
	assert_int_equal(netdev_find(nl, ""), -EINVAL);
}

/* ---- moves ---- */

static void a_move(void **state)
{
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from), *there = netlab_open(to);
	uint32_t v = netlab_veth(from, "v0", "v1");
	const struct netdev_target target = { .netns_fd = to, .name = "net1", .mac = mac, .mtu = 1400 };
	struct netdev_place place;
	struct netdev_link link;
	struct err err = {};
	unsigned int before = rtnl_sent(nl);

	(void)state;
	netlab_up(from, "v0", "v1");
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), 0);
	assert_int_equal(rtnl_sent(nl) - before, 2);
	assert_true(place.moved);
	assert_string_equal(place.name, "net1");
	assert_int_equal(netdev_find(nl, "v0"), -ENODEV);
	assert_int_equal(netdev_find(nl, "net1"), -ENODEV);
	assert_int_equal(netdev_find(there, "net1"), place.ifindex);
	assert_int_equal(netdev_link_get(there, place.ifindex, &link), 0);
	assert_memory_equal(link.mac, mac, 6);
	assert_int_equal(link.mtu, 1400);
	assert_false(link.flags & IFF_UP);
}

static void a_move_where_index_and_old_name_are_taken(void **state)
{
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from), *there = netlab_open(to);
	uint32_t v = netlab_veth(from, "v0", "v1"), other = netlab_veth(to, "v0", "v1");
	const struct netdev_target target = { .netns_fd = to, .name = "net1" };
	struct netdev_place place;
	struct err err = {};

	(void)state;
	assert_int_equal(v, other);
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), 0);
	assert_int_not_equal(place.ifindex, v);
	assert_int_equal(netdev_find(there, "net1"), place.ifindex);
	assert_int_equal(netdev_find(there, "v0"), other);
}

static void a_name_that_is_taken(void **state)
{
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from), *there = netlab_open(to);
	uint32_t v = netlab_veth(from, "v0", "v1"), other = netlab_veth(to, "net1", "net2");
	struct netdev_target target = { .netns_fd = to, .name = "net1" };
	struct netdev_place place;
	struct netdev_link link;
	struct err err = {};

	(void)state;
	netlab_up(from, "v0", "v1");
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), -EEXIST);
	assert_contains(err.text, "netdev v0: the name net1 is taken in the target netns");
	assert_false(place.moved);
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_string_equal(link.name, "v0");
	assert_true(link.flags & IFF_UP); /* nothing was touched */

	target.any_name = true;
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), 0);
	assert_int_equal(strncmp(place.name, "warden", 6), 0);
	assert_int_equal(strlen(place.name), 14);
	assert_int_equal(netdev_find(there, place.name), place.ifindex);
	assert_int_equal(netdev_find(there, "net1"), other);

	/* And with the old name taken as well, the way back. */
	target.netns_fd = from;
	target.name = "v1";
	assert_int_equal(netdev_move(there, place.ifindex, &target, &place, &err), 0);
	assert_int_equal(strncmp(place.name, "warden", 6), 0);
}

static void a_move_without_a_new_name(void **state)
{
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from);
	uint32_t v = netlab_veth(from, "v0", "v1");
	struct netdev_target target = { .netns_fd = to };
	struct netdev_place place;
	struct err err = {};

	(void)state;
	netlab_veth(to, "v1", "x1");
	assert_int_equal(netdev_move(nl, (uint32_t)netdev_find(nl, "v1"), &target, &place, &err), -EEXIST);
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), 0);
	assert_string_equal(place.name, "v0");
	target.netns_fd = from;
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), -ENODEV);
	assert_int_equal(place.ifindex, 0);
	v = (uint32_t)netdev_find(nl, "v1");
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), -EALREADY);
	assert_int_equal(place.ifindex, v);
}

static void alternative_names_in_the_way(void **state)
{
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from), *there = netlab_open(to);
	uint32_t v = netlab_veth(from, "v0", "v1"), other = netlab_veth(to, "w0", "w1");
	const struct netdev_target target = { .netns_fd = to, .name = "net1" };
	struct netdev_place place;
	struct netdev_link link;
	struct err err = {};

	(void)state;
	netlab_altname(nl, v, "net1");
	netlab_altname(nl, v, "both");
	netlab_altname(nl, v, "mine");
	netlab_altname(there, other, "both");
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), 0);
	assert_int_equal(netdev_link_get(there, place.ifindex, &link), 0);
	assert_string_equal(link.name, "net1");
	assert_int_equal(link.altnames, 1);
	assert_string_equal(link.altname[0], "mine");
	assert_int_equal(netdev_find(there, "both"), other);
}

/* The kernel refuses a setting after the move: it is told which, and where the netdev is. */
static void a_move_that_is_half_done(void **state)
{
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from), *there = netlab_open(to);
	uint32_t v = netlab_veth(from, "v0", "v1");
	struct netdev_target target = { .netns_fd = to, .name = "net1", .mac = mac, .mtu = 70000 };
	struct netdev_place place;
	struct err err = {};

	(void)state;
	assert_int_equal(netdev_move(nl, v, &target, &place, &err), -EINVAL);
	assert_contains(err.text, "netdev v0: moved, as v0, but the MTU was refused: mtu greater than device maximum");
	assert_true(place.moved);
	assert_string_equal(place.name, "v0");
	assert_int_equal(netdev_find(there, "v0"), place.ifindex);

	target = (struct netdev_target){ .netns_fd = from, .name = "v9", .mac = multicast_mac };
	assert_int_equal(netdev_move(there, place.ifindex, &target, &place, &err), -EADDRNOTAVAIL);
	assert_contains(err.text, "but the MAC was refused");
	assert_int_equal(netdev_find(nl, "v0"), place.ifindex);
}

static void names_that_are_none(void **state)
{
	static const char *const names[] = { "", "net%d", "sixteen-bytes-no", "a/b", "a b", "a:1", "..", "a\n" };
	_cleanup_close_ int from = netlab_netns(), to = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(from);
	uint32_t v = netlab_veth(from, "v0", "v1");
	struct netdev_place place;
	struct netdev_link link;
	struct err err = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct netdev_target target = { .netns_fd = to, .name = names[i] };

		assert_int_equal(netdev_move(nl, v, &target, &place, &err), -EINVAL);
		assert_false(place.moved);
	}
	assert_int_equal(netdev_link_get(nl, v, &link), 0);
	assert_string_equal(link.name, "v0");
}

/* ---- addresses and routes ---- */

struct route_seen {
	const struct net_route *wanted;
	bool found;
	uint8_t scope;
	uint32_t oif, priority, mtu, advmss, table;
	bool gateway;
};

static int note_route(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct route_seen *s = ctx, seen = { .wanted = s->wanted, .found = true, .scope = rt->rtm_scope };
	size_t size = rt->rtm_family == AF_INET ? 4 : 16;
	const struct nlattr *attr, *metric;
	bool same = !s->wanted->dst.prefix;

	if (rt->rtm_family != s->wanted->dst.family || rt->rtm_dst_len != s->wanted->dst.prefix ||
	    rt->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, h, sizeof(*rt)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_DST:
			same = !memcmp(mnl_attr_get_payload(attr), s->wanted->dst.bytes, size);
			break;
		case RTA_OIF:
			seen.oif = mnl_attr_get_u32(attr);
			break;
		case RTA_TABLE:
			seen.table = mnl_attr_get_u32(attr);
			break;
		case RTA_PRIORITY:
			seen.priority = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			seen.gateway = !memcmp(mnl_attr_get_payload(attr), s->wanted->gateway.bytes, size);
			break;
		case RTA_METRICS:
			mnl_attr_for_each_nested (metric, attr) {
				if (mnl_attr_get_type(metric) == RTAX_MTU)
					seen.mtu = mnl_attr_get_u32(metric);
				if (mnl_attr_get_type(metric) == RTAX_ADVMSS)
					seen.advmss = mnl_attr_get_u32(metric);
			}
			break;
		}
	}
	if (same)
		*s = seen;
	return MNL_CB_OK;
}

static struct route_seen see_route(struct rtnl *nl, const struct net_route *route)
{
	struct route_seen seen = { .wanted = route };
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));

	assert_int_equal(rtnl_talk(nl, h, note_route, &seen), 0);
	return seen;
}

static void addresses_and_routes(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	const struct net_address addresses[] = { netlab_address("10.2.0.5", 24), netlab_address("2001:db8::5", 64),
						 netlab_address("10.2.0.6", 24) };
	const struct net_route routes[] = {
		{ .dst = netlab_address("0.0.0.0", 0), .gateway = netlab_address("10.2.0.1", 32) },
		{ .dst = netlab_address("::", 0),
		  .gateway = netlab_address("2001:db8::1", 128),
		  .priority = { true, 77 } },
		{ .dst = netlab_address("192.0.2.0", 24),
		  .mtu = { true, 1300 },
		  .advmss = { true, 1200 },
		  .scope = { true, RT_SCOPE_LINK },
		  .table = { true, 1000 } },
		{ .dst = netlab_address("198.51.100.0", 24) },
	};
	const struct net_config config = {
		.up = true, .addresses = addresses, .address_count = 3, .routes = routes, .route_count = 4
	};
	unsigned int before = rtnl_sent(nl);
	struct route_seen seen;
	struct netdev netdev;
	struct err err = {};

	(void)state;
	netlab_up(netns, "v0", "v1");
	assert_int_equal(netdev_configure(nl, v, &config, &err), 0);
	assert_int_equal(rtnl_sent(nl) - before, 8);
	seen = see_route(nl, &routes[0]);
	assert_true(seen.found && seen.gateway);
	assert_int_equal(seen.oif, v);
	assert_int_equal(seen.scope, RT_SCOPE_UNIVERSE);
	assert_int_equal(seen.table, RT_TABLE_MAIN);
	seen = see_route(nl, &routes[1]);
	assert_true(seen.found && seen.gateway);
	assert_int_equal(seen.priority, 77);
	seen = see_route(nl, &routes[2]);
	assert_true(seen.found);
	assert_int_equal(seen.mtu, 1300);
	assert_int_equal(seen.advmss, 1200);
	assert_int_equal(seen.scope, RT_SCOPE_LINK);
	assert_int_equal(seen.table, 1000);
	assert_int_equal(see_route(nl, &routes[3]).scope, RT_SCOPE_UNIVERSE);

	assert_int_equal(netdev_configure(nl, v, &config, &err), 0); /* done again */
	assert_int_equal(netdev_flush(nl, v, &err), 0);
	assert_int_equal(netdev_read(netns, v, &netdev), 0);
	assert_int_equal(netdev.addresses, 0);
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		assert_false(see_route(nl, &routes[i]).found);
	assert_int_equal(netdev_flush(nl, v, &err), 0);
}

static void routes_that_are_there(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	const struct net_address addresses[] = { netlab_address("10.2.0.5", 24), netlab_address("2001:db8::5", 64) };
	struct net_route routes[] = {
		{ .dst = netlab_address("::", 0), .gateway = netlab_address("2001:db8::1", 128) },
		{ .dst = netlab_address("192.0.2.0", 24),
		  .gateway = netlab_address("10.2.0.1", 32),
		  .table = { true, 1000 } },
		{ .dst = netlab_address("10.2.0.0", 24) }, /* the kernel's own */
	};
	const struct net_config config = {
		.up = true, .addresses = addresses, .address_count = 2, .routes = routes, .route_count = 2
	};
	size_t missing = 9;

	(void)state;
	netlab_up(netns, "v0", "v1");
	assert_int_equal(net_routes_find(nl, routes, 3, &missing), 0);
	assert_int_equal(missing, 0);
	assert_int_equal(netdev_configure(nl, v, &config, NULL), 0);
	assert_int_equal(net_routes_find(nl, routes, 3, &missing), 0);
	assert_int_equal(missing, 3);
	routes[1].table = (struct net_number){}; /* whatever table it is in */
	assert_int_equal(net_routes_find(nl, routes, 3, &missing), 0);
	assert_int_equal(missing, 3);
	routes[1].gateway = netlab_address("10.2.0.2", 32);
	assert_int_equal(net_routes_find(nl, routes, 3, &missing), 0);
	assert_int_equal(missing, 1);
	routes[0].dst.prefix = 8;
	assert_int_equal(net_routes_find(nl, routes, 3, &missing), 0);
	assert_int_equal(missing, 0);
}

static int note_flags(const struct nlmsghdr *h, void *ctx)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);

	if (ifa->ifa_family == AF_INET6 && ifa->ifa_scope == RT_SCOPE_UNIVERSE)
		*(unsigned int *)ctx = 0x100u | ifa->ifa_flags;
	return MNL_CB_OK;
}

static void an_ipv6_address_is_usable_at_once(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	const struct net_address address = netlab_address("2001:db8::5", 64);
	const struct net_config config = { .up = true, .addresses = &address, .address_count = 1 };
	unsigned int flags = 0;
	char buf[256];

	(void)state;
	netlab_up(netns, "v0", "v1");
	assert_int_equal(netdev_configure(nl, v, &config, NULL), 0);
	assert_int_equal(
		rtnl_talk(nl, rtnl_request(buf, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg)), note_flags, &flags),
		0);
	assert_true(flags & 0x100);
	assert_false(flags & IFA_F_TENTATIVE);
}

static void another_netdevs_default_route_stays(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1"), w = netlab_veth(netns, "w0", "w1");
	const struct net_address a = netlab_address("10.2.0.5", 24), b = netlab_address("10.3.0.5", 24);
	const struct net_route first = { .dst = netlab_address("0.0.0.0", 0),
					 .gateway = netlab_address("10.2.0.1", 32) };
	const struct net_route second = { .dst = netlab_address("0.0.0.0", 0),
					  .gateway = netlab_address("10.3.0.1", 32) };
	struct net_config config = {
		.up = true, .addresses = &a, .address_count = 1, .routes = &first, .route_count = 1
	};
	struct err err = {};

	(void)state;
	assert_int_equal(netdev_configure(nl, v, &config, &err), 0);
	config.addresses = &b;
	config.routes = &second;
	assert_int_equal(netdev_configure(nl, w, &config, &err), 0);
	assert_int_equal(netdev_flush(nl, w, &err), 0);
	assert_int_equal(see_route(nl, &first).oif, v);
}

static void what_cannot_be_configured(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	struct net_address address = netlab_address("10.2.0.5", 24);
	struct net_route route = { .dst = netlab_address("192.0.2.0", 24), .gateway = netlab_address("10.9.0.1", 32) };
	struct net_config config = {
		.up = true, .addresses = &address, .address_count = 1, .routes = &route, .route_count = 1
	};
	struct err err = {};

	(void)state;
	assert_int_equal(netdev_configure(nl, v, &config, &err), -ENETUNREACH);
	assert_contains(err.text, "cannot add the route to 192.0.2.0/24 via 10.9.0.1: Nexthop has invalid gateway");
	assert_int_equal(netdev_configure(nl, 4711, &config, &err), -ENODEV);
	assert_contains(err.text, "netdev 4711: cannot be set up");
	route.gateway = netlab_address("2001:db8::1", 128);
	assert_int_equal(netdev_configure(nl, v, &config, &err), -EINVAL);
	assert_contains(err.text, "route 0: destination and gateway do not fit");
	route.gateway.family = 0;
	route.dst.prefix = 33;
	assert_int_equal(netdev_configure(nl, v, &config, &err), -EINVAL);
	config.route_count = 0;
	address.prefix = 33;
	assert_int_equal(netdev_configure(nl, v, &config, &err), -EINVAL);
	assert_contains(err.text, "address 0 has no such family or prefix");
	address.family = 0;
	assert_int_equal(netdev_configure(nl, v, &config, &err), -EINVAL);
}

/* ---- carrier ---- */

static void carrier(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	_cleanup_rtnl_ struct rtnl *nl = netlab_open(netns);
	uint32_t v = netlab_veth(netns, "v0", "v1");
	uint32_t w = (uint32_t)netdev_find(nl, "v1");
	const struct netdev_change up = { .state = NETDEV_UP }, down = { .state = NETDEV_DOWN };
	struct err err = {};
	int pid, status;

	(void)state;
	assert_int_equal(netdev_set(nl, v, &up, NULL), 0);
	assert_int_equal(netdev_wait_carrier(netns, v, 20, &err), -ETIMEDOUT); /* its peer is down */
	assert_contains(err.text, "no carrier after 20 ms");
	assert_int_equal(netdev_set(nl, w, &up, NULL), 0);
	assert_int_equal(netdev_wait_carrier(netns, v, 5000, &err), 0);
	assert_int_equal(netdev_set(nl, w, &down, NULL), 0);

	/* It comes while it is waited for. */
	pid = test_fork();
	if (!pid) {
		usleep(50000);
		_exit(netdev_set(nl, w, &up, NULL) ? 1 : 0);
	}
	assert_int_equal(netdev_wait_carrier(netns, v, 5000, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(netdev_wait_carrier(netns, 4711, 5000, &err), -ENODEV);
}

/* ---- sysctls ---- */

static void sysctls(void **state)
{
	_cleanup_close_ int netns = netlab_netns(), other = netlab_netns();
	struct err err = {};
	char text[32];

	(void)state;
	netlab_veth(netns, "v0", "v1");
	netlab_veth(other, "v0", "v1");
	assert_int_equal(netns_sysctl_set(netns, "net.ipv4.conf.v0.arp_notify", "1", &err), 0);
	assert_int_equal(netns_sysctl_get(netns, "net.ipv4.conf.v0.arp_notify", text, sizeof(text), &err), 0);
	assert_string_equal(text, "1");
	assert_int_equal(netns_sysctl_get(other, "net.ipv4.conf.v0.arp_notify", text, sizeof(text), &err), 0);
	assert_string_equal(text, "0");
	assert_int_equal(netns_sysctl_set(netns, "net.ipv4.conf.v9.arp_notify", "1", &err), -ENOENT);
	assert_contains(err.text, "sysctl net.ipv4.conf.v9.arp_notify: No such file");
	assert_int_equal(netns_sysctl_set(netns, "net.ipv4.conf.v0.arp_notify", "many", &err), -EINVAL);
	assert_contains(err.text, "cannot be set to \"many\"");
}

static void sysctls_that_are_none(void **state)
{
	static const char *const names[] = { "",
					     "net.",
					     "net..core",
					     "kernel.hostname",
					     "net.ipv4/conf",
					     "net/ipv4",
					     "net.../kernel.x",
					     "net.ipv4.conf.",
					     "network.x",
					     "net.ipv4....kernel.hostname" };
	_cleanup_close_ int netns = netlab_netns();
	struct err err = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(netns_sysctl_set(netns, names[i], "0", &err), -EINVAL);
		assert_contains(err.text, "not a name below");
	}
}

/* Another process of the netns answers in the kernel's stead: what it says is not taken, and not an answer awaited. */
static void a_stranger_is_not_the_kernel(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	struct sockaddr_nl to = { .nl_family = AF_NETLINK,
				  .nl_pid = (uint32_t)getpid() }; /* what the first socket is given */
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} lie = { .h = { .nlmsg_len = sizeof(lie), .nlmsg_type = NLMSG_ERROR, .nlmsg_pid = to.nl_pid },
		  .e = { .error = -EPERM } };
	struct rtnl *nl = netlab_open(netns);
	_cleanup_close_ int stranger = netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct netdev_link link;

	(void)state;
	for (lie.h.nlmsg_seq = 0; lie.h.nlmsg_seq < 8; lie.h.nlmsg_seq++)
		assert_int_equal(sendto(stranger, &lie, sizeof(lie), 0, (struct sockaddr *)&to, sizeof(to)),
				 sizeof(lie));
	assert_int_equal(netdev_link_get(nl, 1, &link), 0);
	assert_string_equal(link.name, "lo");
	rtnl_close(&nl);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(the_kernels_words),
		cmocka_unit_test(a_batch_goes_on_and_names_the_first_failure),
		cmocka_unit_test(a_batch_longer_than_one_sendmsg),
		cmocka_unit_test(settings),
		cmocka_unit_test(promiscuity_ends),
		cmocka_unit_test(a_mac_and_its_proof),
		cmocka_unit_test(alternative_names),
		cmocka_unit_test(a_move),
		cmocka_unit_test(a_move_where_index_and_old_name_are_taken),
		cmocka_unit_test(a_name_that_is_taken),
		cmocka_unit_test(a_move_without_a_new_name),
		cmocka_unit_test(alternative_names_in_the_way),
		cmocka_unit_test(a_move_that_is_half_done),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(addresses_and_routes),
		cmocka_unit_test(routes_that_are_there),
		cmocka_unit_test(an_ipv6_address_is_usable_at_once),
		cmocka_unit_test(another_netdevs_default_route_stays),
		cmocka_unit_test(what_cannot_be_configured),
		cmocka_unit_test(carrier),
		cmocka_unit_test(sysctls),
		cmocka_unit_test(sysctls_that_are_none),
		cmocka_unit_test(a_stranger_is_not_the_kernel),
	};

	return RUN_CASES("netops", cases);
}
