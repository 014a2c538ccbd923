/* SPDX-License-Identifier: Apache-2.0 */
/* A netdev's own statistics, and its speed, by the ioctls of ethtool: netlink does not tell what a driver alone has names for. */
#ifndef WARDEN_ETHTOOL_H
#define WARDEN_ETHTOOL_H

#include <stddef.h>
#include <stdint.h>

typedef void (*ethtool_visit)(const char *name, uint64_t value, void *ctx);

/*
 * Calls `visit` for each statistic of the netdev, by the driver's name for it. `socket` is any socket of the netns that
 * has the netdev. 0, -EOPNOTSUPP: the driver has none; -ENODEV: there is no such netdev; -EAGAIN: their number did not
 * stay the same for the length of one reading; or another -errno.
 */
int ethtool_stats(int socket, const char *netdev, ethtool_visit visit, void *ctx);

/* Memory, and what was learnt of the kernel, that several readings share. Begins as {}. */
struct ethtool_room {
	void *start;
	size_t usable, size;
};

struct ethtool_reader {
	struct ethtool_room names, values;
	int8_t link_words;
};

int ethtool_read(struct ethtool_reader *reader, int socket, const char *netdev, ethtool_visit visit, void *ctx);
void ethtool_reader_close(struct ethtool_reader *reader);

/* The link's speed in Mb/s, 0: not told, as without a link. */
uint64_t ethtool_speed(struct ethtool_reader *reader, int socket, const char *netdev);

#endif
