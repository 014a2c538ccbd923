// SPDX-License-Identifier: Apache-2.0
#include "lib/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "lib/util.h"

#define STRANGERS_MAX 1000 /* messages of others than the kernel before its answer */

bool netlink_lengths_are_sound(const void *messages, size_t len)
{
	const char *at = messages;

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)at;

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
			return false;
		if (NLMSG_ALIGN(h->nlmsg_len) >= len)
			return true;
		at += NLMSG_ALIGN(h->nlmsg_len);
		len -= NLMSG_ALIGN(h->nlmsg_len);
	}
	return true;
}

ssize_t netlink_receive(int fd, void *buf, size_t size)
{
	for (int i = 0; i < STRANGERS_MAX; i++) {
		struct sockaddr_nl from = {};
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, buf, size, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

		if (len < 0)
			return -errno;
		if (from_len != sizeof(from) || from.nl_pid)
			continue;
		if ((size_t)len > size)
			return -ENOSPC;
		return netlink_lengths_are_sound(buf, (size_t)len) ? len : -EBADMSG;
	}
	return -EBADMSG;
}

int netlink_uevents(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 /* the kernel's, not udev's */ };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	return take_fd(&fd);
}
