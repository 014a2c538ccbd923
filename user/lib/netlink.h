/* SPDX-License-Identifier: Apache-2.0 */
/* What every reader of netlink needs beside libmnl. */
#ifndef WARDEN_NETLINK_H
#define WARDEN_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The next datagram of the kernel's, with messages whose lengths are sound: its length, or -errno (-ENOSPC: larger than
 * `size`; -EBADMSG). In its own netns a pod with CAP_NET_ADMIN may send to a socket of the warden's, too: what is not the
 * kernel's is dropped, and so many that do not end are an error.
 */
ssize_t netlink_receive(int fd, void *buf, size_t size);

/* libmnl takes a length of 2 GiB and more for a negative one, which fits. */
bool netlink_lengths_are_sound(const void *messages, size_t len);

/* Where the kernel tells of devices that come and go: a socket that does not wait, or -1. */
int netlink_uevents(void);

#endif
