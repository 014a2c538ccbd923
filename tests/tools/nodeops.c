// SPDX-License-Identifier: Apache-2.0
/*
 * The node's operations one at a time, for the lab: what user/net, user/sriov and user/rdma change, as their callers call it.
 * NETNS is a name of ip-netns, or "-" for the own one. Prints what came of it; status 1 and the error's sentence otherwise.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/mac.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "net/neigh.h"
#include "net/netops.h"
#include "rdma/rdma.h"
#include "sriov/sriov.h"

static struct err err;

static void die(const char *what, const char *value)
{
	fprintf(stderr, "nodeops: %s \"%s\"\n", what, value);
	exit(2);
}

static int enter(const char *netns)
{
	int fd = netns_open(strcmp(netns, "-") ? netns : "/proc/self/ns/net", 0, &err);

	if (fd < 0)
		die("no netns:", netns);
	return fd;
}

static uint64_t number(const char *text, uint64_t max)
{
	uint64_t value;

	if (parse_u64(text, 10, 0, max, &value))
		die("no such number:", text);
	return value;
}

static void read_mac(const char *text, uint8_t *to)
{
	char rest;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &to[0], &to[1], &to[2], &to[3], &to[4], &to[5], &rest) != 6)
		die("no MAC:", text);
}

static struct net_address read_address(char *text)
{
	struct net_address a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	a.prefix = slash ? (uint8_t)number(slash + 1, 128) : 32;
	if (inet_pton(a.family, text, a.bytes) != 1)
		die("no address:", text);
	return a;
}

/* ---- VFs ---- */

static unsigned int read_setting(struct sriov_vf *vf, const char *key, const char *value)
{
	if (!strcmp(key, "vlan"))
		return vf->vlan = (int64_t)number(value, UINT32_MAX), SRIOV_VLAN;
	if (!strcmp(key, "qos"))
		return vf->vlan_qos = (int64_t)number(value, UINT32_MAX), SRIOV_VLAN;
	if (!strcmp(key, "proto"))
		return vf->vlan_proto = strcmp(value, "802.1ad") ? ETH_P_8021Q : ETH_P_8021AD, SRIOV_VLAN;
	if (!strcmp(key, "mac"))
		return read_mac(value, vf->mac), SRIOV_MAC;
	if (!strcmp(key, "min"))
		return vf->min_rate = (int64_t)number(value, UINT32_MAX), SRIOV_RATE;
	if (!strcmp(key, "max"))
		return vf->max_rate = (int64_t)number(value, UINT32_MAX), SRIOV_RATE;
	if (!strcmp(key, "spoofchk"))
		return vf->spoofchk = (int)number(value, 1), SRIOV_SPOOFCHK;
	if (!strcmp(key, "trust"))
		return vf->trust = (int)number(value, 1), SRIOV_TRUST;
	if (!strcmp(key, "link"))
		return vf->link_state = (int)number(value, 9), SRIOV_LINK_STATE;
	die("unknown setting:", key);
	return 0;
}

static unsigned int read_settings(struct sriov_vf *vf, char **args)
{
	unsigned int settings = 0;

	for (; *args; args++) {
		char *equals = strchr(*args, '=');

		if (!equals)
			die("not KEY=VALUE:", *args);
		*equals = '\0';
		settings |= read_setting(vf, *args, equals + 1);
	}
	return settings;
}

static int get(const char *pci, struct sriov_vf *vf)
{
	int r = sriov_vf_get(pci, vf);

	return r ? fail(&err, r, "VF %s: %s", pci, strerror(-r)) : 0;
}

static int run_vf_get(char **args)
{
	char mac[MAC_TEXT_LEN];
	struct sriov_vf vf = {};
	int r = get(args[0], &vf);

	mac_print(vf.mac, mac);
	if (!r)
		printf("mac=%s vlan=%ld qos=%ld proto=%x min=%ld max=%ld spoofchk=%d "
		       "trust=%d link=%d\n",
		       mac, (long)vf.vlan, (long)vf.vlan_qos, (unsigned int)vf.vlan_proto, (long)vf.min_rate,
		       (long)vf.max_rate, vf.spoofchk, vf.trust, vf.link_state);
	return r;
}

static int run_vf_set(char **args)
{
	struct sriov_vf to;
	int r = get(args[0], &to);

	return r ? r : sriov_vf_set(args[0], read_settings(&to, args + 1), &to, NULL, &err);
}

/* What was, is saved; then set, and put back. The state in between is printed. */
static int run_vf_around(char **args)
{
	struct sriov_vf saved, to;
	int r = get(args[0], &saved);

	to = saved;
	if (!r)
		r = sriov_vf_set(args[0], read_settings(&to, args + 1), &to, &saved, &err);
	if (!r)
		r = run_vf_get(args);
	return r ? r : sriov_vf_restore(args[0], &saved, &err);
}

static int run_driver(char **args)
{
	static const char *const kinds[] = { "none", "netdev", "user" };
	enum sriov_driver driver;
	char name[64];
	int r = sriov_driver_get(args[0], &driver, name, sizeof(name));

	if (!r)
		printf("%s %s\n", kinds[driver], name);
	return r ? fail(&err, r, "%s: %s", args[0], strerror(-r)) : 0;
}

/* ---- netdevs ---- */

/* FROM NETDEV TO NAME [MAC [MTU]] */
static int run_move(char **args)
{
	_cleanup_close_ int from = enter(args[0]), to = enter(args[2]);
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct netdev_target target = { .netns_fd = to, .name = args[3] };
	struct netdev_place place;
	uint8_t mac[6];
	int r = rtnl_open(&nl, from);

	if (args[4]) {
		read_mac(args[4], mac);
		target.mac = mac;
		target.mtu = args[5] ? (uint32_t)number(args[5], UINT32_MAX) : 0;
	}
	r = r ? r : netdev_find(nl, args[1]);
	if (r < 0)
		return fail(&err, r, "%s: %s", args[1], strerror(-r));
	r = netdev_move(nl, (uint32_t)r, &target, &place, &err);
	printf("%s %s\n", place.moved ? "moved" : "here", place.name);
	return r;
}

struct configured {
	struct net_address addresses[8];
	size_t count;
};

static void read_addresses(struct configured *c, char **args)
{
	for (; *args && c->count < ARRAY_SIZE(c->addresses); args++)
		c->addresses[c->count++] = read_address(*args);
}

/* Where a netdev of that netns sends from. */
static int open_port(const char *netns, const char *netdev, struct neigh_port *port)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct netdev_link link;
	int r;

	port->netns_fd = enter(netns);
	r = rtnl_open(&nl, port->netns_fd);
	r = r ? r : netdev_find(nl, netdev);
	if (r > 0)
		r = netdev_link_get(nl, (uint32_t)r, &link);
	if (r)
		return fail(&err, r, "%s: %s", netdev, strerror(-r));
	port->ifindex = link.ifindex;
	memcpy(port->mac, link.mac, sizeof(link.mac));
	return 0;
}

/* NETNS NETDEV ADDRESS/PREFIX… */
static int run_configure(char **args)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct configured c = {};
	struct net_config config = { .up = true, .addresses = c.addresses };
	struct neigh_port port;
	int r = open_port(args[0], args[1], &port);

	read_addresses(&c, args + 2);
	config.address_count = c.count;
	r = r ? r : rtnl_open(&nl, port.netns_fd);
	r = r ? r : netdev_configure(nl, port.ifindex, &config, &err);
	return r ? r : netdev_wait_carrier(port.netns_fd, port.ifindex, 30000, &err);
}

static int run_flush(char **args)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct neigh_port port;
	int r = open_port(args[0], args[1], &port);

	r = r ? r : rtnl_open(&nl, port.netns_fd);
	return r ? r : netdev_flush(nl, port.ifindex, &err);
}

/* NETNS NETDEV MAC */
static int run_mac(char **args)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct neigh_port port;
	uint8_t mac[6];
	int r = open_port(args[0], args[1], &port);

	read_mac(args[2], mac);
	r = r ? r : rtnl_open(&nl, port.netns_fd);
	return r ? r : netdev_mac_set(nl, port.ifindex, mac, 6000, &err);
}

static int run_announce(char **args)
{
	struct configured c = {};
	struct neigh_port port;
	int r = open_port(args[0], args[1], &port);

	read_addresses(&c, args + 2);
	return r ? r : neigh_announce(&port, c.addresses, c.count, &err);
}

static int run_conflicts(char **args)
{
	struct configured c = {};
	struct neigh_port port;
	int r = open_port(args[0], args[1], &port);

	read_addresses(&c, args + 2);
	return r ? r : neigh_conflicts(&port, c.addresses, c.count, 200, 1000, &err);
}

/* NETNS NETDEV GATEWAY OWN */
static int run_gateway(char **args)
{
	struct net_address gateway = read_address(args[2]), own = read_address(args[3]);
	struct neigh_port port;
	int r = open_port(args[0], args[1], &port);

	return r ? r : neigh_gateway(&port, &gateway, &own, 200, 3000, &err);
}

/* ---- RDMA devices ---- */

static void open_rdma(struct rdma_nl **nl, const char *netns)
{
	_cleanup_close_ int fd = enter(netns);

	if (rdma_open(nl, fd))
		die("no RDMA netlink in netns", netns);
}

static int open_device(struct rdma_nl **nl, char **args, struct rdma_device *device)
{
	int r;

	open_rdma(nl, args[0]);
	r = rdma_find(*nl, args[1], device);
	return r ? fail(&err, r, "RDMA device %s: %s", args[1], strerror(-r)) : 0;
}

/* NETNS NAME NETNS */
static int run_rdma_move(char **args)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int to = enter(args[2]);
	struct rdma_device device;
	int r = open_device(&nl, args, &device);

	return r ? r : rdma_move(nl, device.index, to, &err);
}

/* NETNS NAME NAME */
static int run_rdma_rename(char **args)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device device, found;
	int r = open_device(&nl, args, &device);

	r = r ? r : rdma_rename(nl, device.index, args[2], &err);
	if (!r && (rdma_get(nl, device.index, &found) || strcmp(found.name, args[2])))
		return fail(&err, -EIO, "the index %u is not that of %s", device.index, args[2]);
	return r;
}

/* NETNS PARENT */
static int run_rdma_children(char **args)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device devices[4];
	int r;

	open_rdma(&nl, args[0]);
	r = rdma_find_children(nl, args[1], devices, ARRAY_SIZE(devices));
	for (int i = 0; i < r && i < (int)ARRAY_SIZE(devices); i++)
		printf("%s\n", devices[i].name);
	return r < 0 ? fail(&err, r, "%s: %s", args[1], strerror(-r)) : 0;
}

/* NETNS NAME ADDRESS MILLISECONDS */
static int run_rdma_gid(char **args)
{
	_cleanup_close_ int netns = enter(args[0]);
	struct net_address a = read_address(args[2]);
	uint8_t gid[16] = { [10] = 0xff, [11] = 0xff };

	memcpy(a.family == AF_INET ? gid + 12 : gid, a.bytes, a.family == AF_INET ? 4 : 16);
	return rdma_wait_gid(netns, args[1], gid, (int)number(args[3], 100000), &err);
}

/* NETNS NAME NETDEV */
static int run_rxe_add(char **args)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;

	open_rdma(&nl, args[0]);
	return rdma_rxe_add(nl, args[1], args[2], &err);
}

static int run_rxe_delete(char **args)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device device;
	int r = open_device(&nl, args, &device);

	return r ? r : rdma_link_delete(nl, device.index, &err);
}

/* ---- */

static int print_name(const char *name, void *ctx)
{
	(void)ctx;
	printf("%s\n", name);
	return 0;
}

static int run_faults(char **args)
{
	(void)args;
	return fault_for_each(print_name, NULL);
}

static const struct {
	const char *name;
	int least;
	int (*run)(char **args);
} commands[] = {
	{ "vf-get", 1, run_vf_get },
	{ "vf-set", 1, run_vf_set },
	{ "vf-around", 1, run_vf_around },
	{ "driver", 1, run_driver },
	{ "move", 4, run_move },
	{ "configure", 2, run_configure },
	{ "flush", 2, run_flush },
	{ "mac", 3, run_mac },
	{ "announce", 2, run_announce },
	{ "conflicts", 3, run_conflicts },
	{ "gateway", 4, run_gateway },
	{ "rdma-move", 3, run_rdma_move },
	{ "rdma-rename", 3, run_rdma_rename },
	{ "rdma-children", 2, run_rdma_children },
	{ "rdma-gid", 4, run_rdma_gid },
	{ "rxe-add", 3, run_rxe_add },
	{ "rxe-delete", 2, run_rxe_delete },
	{ "faults", 0, run_faults },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) || argc - 2 < commands[i].least)
			continue;
		if (!commands[i].run(argv + 2))
			return 0;
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	die("no such command, or too few arguments:", argc > 1 ? argv[1] : "");
}
