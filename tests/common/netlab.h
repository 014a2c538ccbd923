/* SPDX-License-Identifier: Apache-2.0 */
/* Netns and veth pairs of a test's own, for code that changes netdevs. */
#ifndef WARDEN_NETLAB_H
#define WARDEN_NETLAB_H

#include <stdint.h>

#include "net/netops.h"

/* A netns that nothing but this descriptor keeps; the case is skipped where none can be made. */
int netlab_netns(void);

/* A veth pair in that netns; the case is skipped where the kernel has none. The index of the first. */
uint32_t netlab_veth(int netns, const char *name, const char *peer);

struct rtnl *netlab_open(int netns);
void netlab_altname(struct rtnl *nl, uint32_t ifindex, const char *name);
struct net_address netlab_address(const char *text, uint8_t prefix);

/* Up at both ends, with carrier. */
void netlab_up(int netns, const char *name, const char *peer);

#endif
