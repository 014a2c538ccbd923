/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netdevs of any netns, by rtnetlink: what one is and has, and word of what changes. Owns no state but its sockets.
 * Source of the interface: linux/rtnetlink.h, linux/net_namespace.h.
 */
#ifndef WARDEN_NETDEV_H
#define WARDEN_NETDEV_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "net/rtnl.h"

#define NETDEV_ADDRESSES 8

struct netdev {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint32_t mtu;
	uint8_t address[NETDEV_ADDRESSES][16]; /* of IPv4 as ::ffff:a.b.c.d */
	size_t addresses; /* how many it has; those beyond NETDEV_ADDRESSES are not in `address` */
};

/* The netdev with that index in the netns: 0, -ENODEV, or another -errno. */
int netdev_read(int netns_fd, uint32_t ifindex, struct netdev *netdev);

/* Visits each address of each netdev, IPv4 as ::ffff:a.b.c.d: 0 or -errno, -EINTR when they changed meanwhile. */
int netdev_address_each(struct rtnl *nl, void (*visit)(uint32_t ifindex, const uint8_t address[16], void *ctx),
			void *ctx);

/*
 * Word of changes in every netns that has an identity (netwatch_identify): links, addresses, traffic control. The socket
 * lies in the caller's netns, so that it keeps no other one alive. Returns it, nonblocking, or -errno.
 */
int netwatch_open(void);

/* The identity of that netns in the caller's, given if it has none: 0 or more, NETWATCH_OWN, or -errno. */
#define NETWATCH_OWN INT32_MAX
int netwatch_identify(int netns_fd);

/*
 * Calls `changed` for each message that waits: a netdev of the netns with that identity is another one now. 0, or -ENOBUFS
 * when messages were lost, so that anything may have changed.
 */
int netwatch_read(int fd, void (*changed)(int netns, uint32_t ifindex, void *ctx), void *ctx);

#endif
