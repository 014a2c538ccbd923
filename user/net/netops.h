/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netdevs changed: moved between netns, renamed, set up, given addresses and routes. Each function is one meaning, waits for
 * nothing but the kernel, and is told by its error. Owns no state; fault points (lib/fault.h) stand around each change.
 */
#ifndef WARDEN_NETOPS_H
#define WARDEN_NETOPS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "net/rtnl.h"

#define NETDEV_ALTNAMES 16
#define NETDEV_ALTNAME_LEN 128 /* ALTIFNAMSIZ */

/* A netdev without its addresses. */
struct netdev_link {
	uint32_t ifindex;
	unsigned int flags; /* IFF_*, as ifi_flags */
	char name[IF_NAMESIZE];
	char parent[32]; /* the PCI function or auxiliary device that it is of, in whatever netns; "": none */
	uint8_t mac[6]; /* zero: it has none of six bytes */
	uint32_t mtu;
	uint32_t promiscuity, allmulti; /* how many want it; the second is told from 6.4 on */
	char altname[NETDEV_ALTNAMES][NETDEV_ALTNAME_LEN];
	size_t altnames; /* those beyond NETDEV_ALTNAMES are left out */
};

/* The index of the netdev that has that name or alternative name, or -errno: -ENODEV when none has. */
int netdev_find(struct rtnl *nl, const char *name);

/* The index of the first netdev of that parent in the netns, whatever it is called, or -errno: -ENODEV when there is none. */
int netdev_find_parent(struct rtnl *nl, const char *parent);

/* 0, -ENODEV or another -errno. */
int netdev_link_get(struct rtnl *nl, uint32_t ifindex, struct netdev_link *link);

/* Visits each netdev of the netns: 0 or -errno, -EINTR when they changed meanwhile. */
int netdev_link_each(struct rtnl *nl, void (*visit)(const struct netdev_link *link, void *ctx), void *ctx);

struct netdev_target {
	int netns_fd;
	const char *name; /* NULL: the one it has */
	const uint8_t *mac; /* NULL: as it is */
	uint32_t mtu; /* 0: as it is */
	bool any_name; /* when the name is taken: a free one, warden and eight digits, instead of -EEXIST */
};

/* Where the netdev is now, also after an error: not moved, or in the target. */
struct netdev_place {
	bool moved;
	uint32_t ifindex; /* 0: not found */
	char name[IF_NAMESIZE];
};

/*
 * Moves a netdev out of the netns of `from`: 0 or -errno. It is down afterwards, without addresses and with another index
 * perhaps. A name that is taken in the target (-EEXIST) is found out before anything is touched; the name it had until then
 * may be taken there. Alternative names in the way, and one that is the new name, are removed. Four messages, more when
 * alternative names are in the way.
 */
int netdev_move(struct rtnl *from, uint32_t ifindex, const struct netdev_target *to, struct netdev_place *place,
		struct err *err);

enum netdev_state { NETDEV_KEEP, NETDEV_UP, NETDEV_DOWN };

struct netdev_change {
	enum netdev_state state;
	const uint8_t *mac; /* NULL: as it is */
	uint32_t mtu; /* 0: as it is */
	bool promisc_off, allmulti_off; /* what ip(8) has set; a packet socket's own wish ends with the socket */
};

/* Down comes before the rest, up after it: one message, or two in one sendmsg. 0 or -errno. */
int netdev_set(struct rtnl *nl, uint32_t ifindex, const struct netdev_change *change, struct err *err);

/*
 * Sets the MAC until the netdev has it, for as long as `timeout_ms`: a VF's driver may refuse while it is being reset by its
 * PF, take it and ask the PF later, or only take what the PF has set, when the netdev goes down: so one that is refused goes
 * down and up once, or up and down. Nothing is sent when it has the MAC. 0 or -errno.
 */
int netdev_mac_set(struct rtnl *nl, uint32_t ifindex, const uint8_t mac[6], int timeout_ms, struct err *err);

/* Of one that is down: 0 or -errno. */
int netdev_rename(struct rtnl *nl, uint32_t ifindex, const char *name, struct err *err);

int netdev_altname_remove(struct rtnl *nl, uint32_t ifindex, const char *name, struct err *err);

/* ---- addresses and routes ---- */

struct net_address {
	int family; /* AF_INET, AF_INET6; 0: none */
	uint8_t prefix;
	uint8_t bytes[16]; /* network order, the first 4 for AF_INET */
};

struct net_number {
	bool set;
	uint32_t value;
};

struct net_route {
	struct net_address dst;
	struct net_address gateway; /* family 0: none */
	struct net_number mtu, advmss, priority, table, scope; /* not set: the kernel's default, main, universe */
};

struct net_config {
	bool up; /* the netdev too, before all else: the kernel takes no route over one that is down */
	const struct net_address *addresses;
	size_t address_count;
	const struct net_route *routes;
	size_t route_count;
};

#define NET_ADDRESS_LEN 64
void net_address_print(const struct net_address *address, char to[NET_ADDRESS_LEN]);

/*
 * All of it in one sendmsg (per RTNL_BATCH). What is there already is no error, so it can be done again. Other addresses and
 * routes stay. IPv6 addresses are usable at once (no DAD).
 */
int netdev_configure(struct rtnl *nl, uint32_t ifindex, const struct net_config *config, struct err *err);

/*
 * Looks for routes in the whole netns, in any table and over any netdev, by destination and, where it is said, gateway: 0 with
 * the position of the first that is not there, or `count`, in *missing, or -errno.
 */
int net_routes_find(struct rtnl *nl, const struct net_route *routes, size_t count, size_t *missing);

/* Removes all addresses and the routes that the kernel did not make itself. */
int netdev_flush(struct rtnl *nl, uint32_t ifindex, struct err *err);

/* Until frames can pass: 0, -ETIMEDOUT, -ENODEV, or another -errno. */
int netdev_wait_carrier(int netns_fd, uint32_t ifindex, int timeout_ms, struct err *err);

/* ---- sysctls ---- */

/*
 * Those of a netns: "net.ipv4.conf.net1.arp_notify". A '/', an empty part and what is not below "net." is -EINVAL; a netdev
 * whose name has a dot cannot be named.
 */
int netns_sysctl_set(int netns_fd, const char *name, const char *value, struct err *err);
int netns_sysctl_get(int netns_fd, const char *name, char *to, size_t size, struct err *err);

#endif
