// SPDX-License-Identifier: Apache-2.0
/* What is set and looked at in the pod itself: sysctls, addresses, routes, neighbours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/node.h"
#include "lib/log.h"
#include "lib/util.h"
#include "net/neigh.h"
#include "net/netdev.h"

#define CARRIER_MS 10000 /* a VF may be in a reset by its PF */
#define PROBE_MS 250 /* of a conflict: three questions */
#define PROBES 3

/* With the interface's own name for IFNAME. */
static int sysctl_name(const struct netconf_sysctl *sysctl, const char *ifname, char *to, size_t size)
{
	static const char prefix[] = "/proc/sys/";
	char path[256];

	if (netconf_sysctl_path(sysctl, ifname, path, sizeof(path)) || strncmp(path, prefix, sizeof(prefix) - 1))
		return -ENAMETOOLONG;
	for (char *c = path; *c; c++)
		*c = *c == '/' ? '.' : *c;
	return try_snprintf(to, size, "%s", path + sizeof(prefix) - 1);
}

int node_sysctls(int netns, const struct netconf *conf, const char *ifname, struct err *err)
{
	char name[160];
	int r = 0;

	/* A later change of the MAC is told to the neighbours; as sriov-cni has it, and like there no reason to fail. */
	if (!try_snprintf(name, sizeof(name), "net.ipv4.conf.%s.arp_notify", ifname))
		netns_sysctl_set(netns, name, "1", NULL);
	if (!try_snprintf(name, sizeof(name), "net.ipv6.conf.%s.ndisc_notify", ifname))
		netns_sysctl_set(netns, name, "1", NULL);
	for (size_t i = 0; !r && i < conf->sysctl_count; i++) {
		r = sysctl_name(&conf->sysctls[i], ifname, name, sizeof(name));
		r = r ? fail(err, r, "sysctl %s: too long", conf->sysctls[i].name)
		      : netns_sysctl_set(netns, name, conf->sysctls[i].value, err);
	}
	return r;
}

static struct net_address to_address(const struct cni_addr *a)
{
	struct net_address to = { .family = a->family, .prefix = a->prefix };

	memcpy(to.bytes, a->bytes, sizeof(to.bytes));
	return to;
}

static struct net_number to_number(const struct key_number *n)
{
	return (struct net_number){ .set = n->set, .value = n->value };
}

/* A route without a gateway has that of the addresses of its family, as CNI's own plugins do. */
static struct net_route to_route(const struct cni_route *route, const struct cni_result *result)
{
	struct net_route to = { .dst = to_address(&route->dst),
				.gateway = to_address(&route->gw),
				.mtu = to_number(&route->mtu),
				.advmss = to_number(&route->advmss),
				.priority = to_number(&route->priority),
				.table = to_number(&route->table),
				.scope = to_number(&route->scope) };

	for (size_t i = 0; !to.gateway.family && !route->scope.set && i < result->ip_count; i++)
		if (result->ips[i].gateway.family == route->dst.family)
			to.gateway = to_address(&result->ips[i].gateway);
	return to;
}

int node_configure(int netns, uint32_t ifindex, const struct cni_result *result, struct err *err)
{
	_cleanup_free_ struct net_address *addresses = calloc(result->ip_count + 1, sizeof(*addresses));
	_cleanup_free_ struct net_route *routes = calloc(result->route_count + 1, sizeof(*routes));
	struct net_config config = { .up = true,
				     .addresses = addresses,
				     .address_count = result->ip_count,
				     .routes = routes,
				     .route_count = result->route_count };
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int r;

	if (!addresses || !routes)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < result->ip_count; i++)
		addresses[i] = to_address(&result->ips[i].address);
	for (size_t i = 0; i < result->route_count; i++)
		routes[i] = to_route(&result->routes[i], result);
	r = rtnl_open(&nl, netns);
	return r ? fail(err, r, "rtnetlink: %s", strerror(-r)) : netdev_configure(nl, ifindex, &config, err);
}

static bool has_address(const struct netdev *netdev, const struct cni_addr *wanted)
{
	uint8_t as[16];

	cni_addr_mapped(wanted, as);
	for (size_t i = 0; i < netdev->addresses && i < NETDEV_ADDRESSES; i++)
		if (!memcmp(netdev->address[i], as, sizeof(as)))
			return true;
	return netdev->addresses > NETDEV_ADDRESSES; /* it may be among those that are not told */
}

int node_addresses_check(int netns, uint32_t ifindex, const struct cni_result *result, struct err *err)
{
	char text[CNI_ADDR_LEN];
	struct netdev netdev;
	int r = netdev_read(netns, ifindex, &netdev);

	if (r)
		return fail(err, r, "the netdev in the pod: %s", strerror(-r));
	for (size_t i = 0; i < result->ip_count; i++) {
		if (!cni_ip_is_of(result, &result->ips[i], netdev.name) ||
		    has_address(&netdev, &result->ips[i].address))
			continue;
		cni_addr_print(&result->ips[i].address, true, text);
		return fail(err, -ESTALE, "%s has lost its address %s", netdev.name, text);
	}
	return 0;
}

int node_routes_check(int netns, const struct cni_result *result, struct err *err)
{
	_cleanup_free_ struct net_route *routes = calloc(result->route_count + 1, sizeof(*routes));
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	char text[CNI_ADDR_LEN];
	size_t missing = 0;
	int r = routes ? rtnl_open(&nl, netns) : -ENOMEM;

	for (size_t i = 0; !r && i < result->route_count; i++)
		routes[i] = to_route(&result->routes[i], result);
	if (!r && result->route_count)
		r = net_routes_find(nl, routes, result->route_count, &missing);
	if (r)
		return fail(err, r, "the routes in the pod: %s", strerror(-r));
	if (missing == result->route_count)
		return 0;
	cni_addr_print(&result->routes[missing].dst, true, text);
	return fail(err, -ESTALE, "the pod has lost its route to %s", text);
}

static int port_of(int netns, uint32_t ifindex, struct neigh_port *port, struct err *err)
{
	struct netdev_link link;
	int r = node_netdev_get(netns, ifindex, &link, err);

	if (r)
		return r;
	*port = (struct neigh_port){ .netns_fd = netns, .ifindex = ifindex };
	memcpy(port->mac, link.mac, sizeof(port->mac));
	return 0;
}

int node_probe(int netns, uint32_t ifindex, const struct cni_result *result, bool conflicts, bool gateways,
	       struct err *err)
{
	struct neigh_port port;
	int r = netdev_wait_carrier(netns, ifindex, CARRIER_MS, err);

	if (!r)
		r = port_of(netns, ifindex, &port, err);
	for (size_t i = 0; !r && i < result->ip_count; i++) {
		struct net_address own = to_address(&result->ips[i].address);
		struct net_address gateway = to_address(&result->ips[i].gateway);

		if (conflicts)
			r = neigh_conflicts(&port, &own, 1, PROBE_MS, PROBES * PROBE_MS, err);
		if (!r && gateways && gateway.family)
			r = neigh_gateway(&port, &gateway, &own, PROBE_MS, PROBES * PROBE_MS, err);
	}
	return r;
}

void node_announce(int netns, uint32_t ifindex, const struct cni_result *result, int carrier_ms)
{
	_cleanup_free_ struct net_address *addresses = calloc(result->ip_count + 1, sizeof(*addresses));
	struct neigh_port port;
	struct err err;

	if (!addresses || !result->ip_count || netdev_wait_carrier(netns, ifindex, carrier_ms, &err) ||
	    port_of(netns, ifindex, &port, &err))
		return;
	for (size_t i = 0; i < result->ip_count; i++)
		addresses[i] = to_address(&result->ips[i].address);
	if (neigh_announce(&port, addresses, result->ip_count, &err))
		pr_info("addresses are not announced: %s", err.text);
}
