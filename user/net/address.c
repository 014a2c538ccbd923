// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/fault.h"
#include "lib/util.h"
#include "net/netops.h"

/* Of the 16 KiB of a batch each removal takes RTNL_BATCH_ROOM at most. */
#define FLUSH_AT_ONCE 24
#define FLUSH_PASSES 256

static size_t address_size(const struct net_address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

static bool is_valid(const struct net_address *a)
{
	return (a->family == AF_INET || a->family == AF_INET6) && a->prefix <= address_size(a) * 8;
}

void net_address_print(const struct net_address *a, char to[NET_ADDRESS_LEN])
{
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(a->family, a->bytes, text, sizeof(text));
	snprintf(to, NET_ADDRESS_LEN, "%s/%u", text, a->prefix);
}

/* ---- set ---- */

/*
 * Without DAD: while it runs, for a second and more, a bind() to the address fails and the pod has no IPv6. The address comes
 * from an IPAM that gives it to one pod, and who doubts that has conflict_probe() (net/neigh.h). NODAD does not need the
 * kernel's CONFIG_IPV6_OPTIMISTIC_DAD and its sysctl as optimistic addresses do.
 */
static void add_address(struct rtnl_batch *batch, uint32_t ifindex, const struct net_address *a)
{
	struct nlmsghdr *h = rtnl_batch_add(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	uint32_t broadcast;

	ifa->ifa_family = (uint8_t)a->family;
	ifa->ifa_prefixlen = a->prefix;
	ifa->ifa_index = ifindex;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	mnl_attr_put(h, IFA_LOCAL, address_size(a), a->bytes);
	mnl_attr_put(h, IFA_ADDRESS, address_size(a), a->bytes);
	if (a->family == AF_INET6) {
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD);
	} else if (a->prefix < 31) {
		memcpy(&broadcast, a->bytes, sizeof(broadcast));
		broadcast |= htonl(UINT32_MAX >> a->prefix);
		mnl_attr_put(h, IFA_BROADCAST, sizeof(broadcast), &broadcast);
	}
}

static void put_metrics(struct nlmsghdr *h, const struct net_route *route)
{
	struct nlattr *nest;

	if (!route->mtu.set && !route->advmss.set)
		return;
	nest = mnl_attr_nest_start(h, RTA_METRICS);
	if (route->mtu.set)
		mnl_attr_put_u32(h, RTAX_MTU, route->mtu.value);
	if (route->advmss.set)
		mnl_attr_put_u32(h, RTAX_ADVMSS, route->advmss.value);
	mnl_attr_nest_end(h, nest);
}

/* Neither NLM_F_REPLACE, which would take another netdev's default route, nor NLM_F_EXCL, which would be refused beside it. */
static void add_route(struct rtnl_batch *batch, uint32_t ifindex, const struct net_route *route)
{
	struct nlmsghdr *h = rtnl_batch_add(batch, RTM_NEWROUTE, NLM_F_CREATE, sizeof(struct rtmsg));
	uint32_t table = route->table.set ? route->table.value : RT_TABLE_MAIN;
	struct rtmsg *rt = mnl_nlmsg_get_payload(h);

	rt->rtm_family = (uint8_t)route->dst.family;
	rt->rtm_dst_len = route->dst.prefix;
	rt->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	rt->rtm_protocol = RTPROT_BOOT;
	rt->rtm_scope = route->scope.set ? (uint8_t)route->scope.value : RT_SCOPE_UNIVERSE;
	rt->rtm_type = RTN_UNICAST;
	if (route->dst.prefix)
		mnl_attr_put(h, RTA_DST, address_size(&route->dst), route->dst.bytes);
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	mnl_attr_put_u32(h, RTA_TABLE, table);
	if (route->gateway.family)
		mnl_attr_put(h, RTA_GATEWAY, address_size(&route->gateway), route->gateway.bytes);
	if (route->priority.set)
		mnl_attr_put_u32(h, RTA_PRIORITY, route->priority.value);
	put_metrics(h, route);
}

static int check_config(uint32_t ifindex, const struct net_config *c, struct err *err)
{
	const struct net_route *r;

	for (size_t i = 0; i < c->address_count; i++)
		if (!is_valid(&c->addresses[i]))
			return fail(err, -EINVAL, "netdev %u: address %zu has no such family or prefix", ifindex, i);
	for (size_t i = 0; i < c->route_count; i++) {
		r = &c->routes[i];
		if (!is_valid(&r->dst) || (r->gateway.family && r->gateway.family != r->dst.family))
			return fail(err, -EINVAL, "netdev %u: route %zu: destination and gateway do not fit", ifindex,
				    i);
		if (r->scope.set && r->scope.value > UINT8_MAX)
			return fail(err, -EINVAL, "netdev %u: route %zu: no scope %u", ifindex, i, r->scope.value);
	}
	return 0;
}

static int send_config(struct rtnl *nl, uint32_t ifindex, const struct net_config *c, unsigned int *failed)
{
	struct rtnl_batch batch;
	struct ifinfomsg *info;
	int r;

	rtnl_batch_begin(&batch, nl);
	/* A route that is there already, equal in all (fib_table_insert(), fib6_add_rt2node()); addresses are replaced. */
	batch.tolerate = -EEXIST;
	if (c->up) {
		info = mnl_nlmsg_get_payload(rtnl_batch_add(&batch, RTM_SETLINK, 0, sizeof(*info)));
		info->ifi_index = (int)ifindex;
		info->ifi_change = info->ifi_flags = IFF_UP;
	}
	for (size_t i = 0; i < c->address_count; i++)
		add_address(&batch, ifindex, &c->addresses[i]);
	for (size_t i = 0; i < c->route_count; i++)
		add_route(&batch, ifindex, &c->routes[i]);
	r = rtnl_batch_end(&batch);
	*failed = batch.failed;
	return r;
}

/* The number of the message that failed, back to what it was about. */
static int tell_config(struct rtnl *nl, uint32_t ifindex, const struct net_config *c, size_t failed, int error,
		       struct err *err)
{
	char text[NET_ADDRESS_LEN], gateway[NET_ADDRESS_LEN];
	const struct net_route *route;

	if (c->up && !failed--)
		return fail(err, error, "netdev %u: cannot be set up: %s", ifindex, rtnl_said(nl, error));
	if (failed < c->address_count) {
		net_address_print(&c->addresses[failed], text);
		return fail(err, error, "netdev %u: cannot add the address %s: %s", ifindex, text,
			    rtnl_said(nl, error));
	}
	failed -= c->address_count;
	if (failed >= c->route_count)
		return fail(err, error, "netdev %u: cannot be configured: %s", ifindex, rtnl_said(nl, error));
	route = &c->routes[failed];
	net_address_print(&route->dst, text);
	if (!route->gateway.family)
		return fail(err, error, "netdev %u: cannot add the route to %s: %s", ifindex, text,
			    rtnl_said(nl, error));
	inet_ntop(route->gateway.family, route->gateway.bytes, gateway, sizeof(gateway));
	return fail(err, error, "netdev %u: cannot add the route to %s via %s: %s", ifindex, text, gateway,
		    rtnl_said(nl, error));
}

int netdev_configure(struct rtnl *nl, uint32_t ifindex, const struct net_config *c, struct err *err)
{
	unsigned int failed = 0;
	int r = check_config(ifindex, c, err);

	if (r || (!c->up && !c->address_count && !c->route_count))
		return r;
	r = fault_around("netdev.configure", send_config(nl, ifindex, c, &failed));
	return r ? tell_config(nl, ifindex, c, failed, r, err) : 0;
}

/* ---- finding ---- */

struct search {
	const struct net_route *routes;
	size_t count;
	bool *found;
};

static int take_ends(const struct nlattr *attr, void *ctx)
{
	uint16_t type = mnl_attr_get_type(attr);
	struct net_route *route = ctx;
	struct net_address *to = type == RTA_DST ? &route->dst : type == RTA_GATEWAY ? &route->gateway : NULL;

	if (to && mnl_attr_get_payload_len(attr) <= sizeof(to->bytes)) {
		memcpy(to->bytes, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
		to->family = route->dst.family;
	}
	return MNL_CB_OK;
}

static bool same_address(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int compare_route(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	const struct search *s = ctx;
	struct net_route told = {};

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*rt))
		return MNL_CB_OK;
	told.dst.family = rt->rtm_family;
	mnl_attr_parse(h, sizeof(*rt), take_ends, &told);
	for (size_t i = 0; i < s->count; i++) {
		const struct net_route *r = &s->routes[i];

		s->found[i] |= rt->rtm_dst_len == r->dst.prefix && same_address(&told.dst, &r->dst) &&
			       (!r->gateway.family || same_address(&told.gateway, &r->gateway));
	}
	return MNL_CB_OK;
}

int net_routes_find(struct rtnl *nl, const struct net_route *routes, size_t count, size_t *missing)
{
	_cleanup_free_ bool *found = calloc(count + 1, sizeof(*found));
	struct search search = { .routes = routes, .count = count, .found = found };
	char buf[256];
	int r = -EINTR;

	if (!found)
		return -ENOMEM;
	for (int pass = 0; r == -EINTR && pass < FLUSH_PASSES; pass++) /* something changed during the dump */
		r = rtnl_talk(nl, rtnl_request(buf, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg)), compare_route,
			      &search);
	for (*missing = 0; *missing < count && found[*missing]; ++*missing)
		;
	return r;
}

/* ---- flush ---- */

/* Of one dump as many removals as fit into one sendmsg; while that is full there may be more. */
struct flush {
	struct rtnl_batch batch;
	uint32_t ifindex;
};

/* The message that told of it, as the request to remove it: the kernel takes what it gives. */
static void remove_it(struct flush *f, const struct nlmsghdr *told, uint16_t type)
{
	size_t len = mnl_nlmsg_get_payload_len(told);
	struct nlmsghdr *h;

	if (len > RTNL_BATCH_ROOM || f->batch.count == FLUSH_AT_ONCE)
		return;
	h = rtnl_batch_add(&f->batch, type, 0, len);
	memcpy(mnl_nlmsg_get_payload(h), mnl_nlmsg_get_payload(told), len);
}

static int flush_address(const struct nlmsghdr *h, void *ctx)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct flush *f = ctx;

	if (h->nlmsg_type == RTM_NEWADDR && mnl_nlmsg_get_payload_len(h) >= sizeof(*ifa) &&
	    ifa->ifa_index == f->ifindex)
		remove_it(f, h, RTM_DELADDR);
	return MNL_CB_OK;
}

static int take_oif(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == RTA_OIF && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*(uint32_t *)ctx = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

/* The kernel's own come and go with the addresses and the netdev. */
static int flush_route(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct flush *f = ctx;
	uint32_t oif = 0;

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*rt) ||
	    rt->rtm_protocol == RTPROT_KERNEL || (rt->rtm_flags & RTM_F_CLONED))
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*rt), take_oif, &oif);
	if (oif == f->ifindex)
		remove_it(f, h, RTM_DELROUTE);
	return MNL_CB_OK;
}

static struct nlmsghdr *addresses_of(void *buf, uint32_t ifindex)
{
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));

	((struct ifaddrmsg *)mnl_nlmsg_get_payload(h))->ifa_index = ifindex;
	return h;
}

static struct nlmsghdr *routes_over(void *buf, uint32_t ifindex)
{
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));

	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	return h;
}

/*
 * `gone` is what the kernel says of one that went with another: a secondary address with the first of its network, a route
 * with its address.
 */
static int flush_kind(struct rtnl *nl, uint32_t ifindex, struct nlmsghdr *(*ask)(void *buf, uint32_t ifindex),
		      mnl_cb_t each, int gone)
{
	struct flush f = { .ifindex = ifindex };
	bool more = true;
	char buf[256];
	int r = 0;

	for (int pass = 0; !r && more && pass < FLUSH_PASSES; pass++) {
		rtnl_batch_begin(&f.batch, nl);
		f.batch.tolerate = gone;
		r = rtnl_talk(nl, ask(buf, ifindex), each, &f);
		more = r == -EINTR || f.batch.count == FLUSH_AT_ONCE;
		if (!r ||
		    r == -EINTR) /* something changed during the dump: what it gave is right, but perhaps not all */
			r = rtnl_batch_end(&f.batch);
	}
	return r ? r : more ? -EBUSY : 0;
}

static int flush_all(struct rtnl *nl, uint32_t ifindex)
{
	int r = flush_kind(nl, ifindex, addresses_of, flush_address, -EADDRNOTAVAIL);

	return r ? r : flush_kind(nl, ifindex, routes_over, flush_route, -ESRCH);
}

int netdev_flush(struct rtnl *nl, uint32_t ifindex, struct err *err)
{
	int r = fault_around("netdev.flush", flush_all(nl, ifindex));

	return r ? fail(err, r, "netdev %u: cannot remove its addresses and routes: %s", ifindex, rtnl_said(nl, r)) : 0;
}
