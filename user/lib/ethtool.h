/* SPDX-License-Identifier: Apache-2.0 */
/* A netdev's own statistics, by the ioctls of ethtool: netlink does not tell what a driver alone has names for. */
#ifndef WARDEN_ETHTOOL_H
#define WARDEN_ETHTOOL_H

#include <stdint.h>

typedef void (*ethtool_visit)(const char *name, uint64_t value, void *ctx);

/*
 * Calls `visit` for each statistic of the netdev, by the driver's name for it. `socket` is any socket of the netns that
 * has the netdev. 0, -EOPNOTSUPP: the driver has none; -ENODEV: there is no such netdev; -EAGAIN: their number did not
 * stay the same for the length of one reading; or another -errno.
 */
int ethtool_stats(int socket, const char *netdev, ethtool_visit visit, void *ctx);

#endif
