// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "net/netops.h"

/*
 * IFF_RUNNING follows the carrier only when linkwatch has worked it off (net/core/link_watch.c), which is also when the
 * queues start: a frame sent between both is lost without a word.
 */
#define CAN_SEND (IFF_UP | IFF_RUNNING | IFF_LOWER_UP)
#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000 /* linux/if.h, which does not go together with net/if.h */
#endif

/* A socket that hears of links, so that nothing is missed between the question and the wait. */
static int listen_links(int netns_fd)
{
	_cleanup_close_ int fd = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };

	if (fd < 0)
		return fd;
	return bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) ? -errno : take_fd(&fd);
}

static int ask(int fd, uint32_t ifindex)
{
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETLINK, 0, sizeof(struct ifinfomsg));

	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = (int)ifindex;
	return send(fd, h, h->nlmsg_len, 0) < 0 ? -errno : 0;
}

/* The answer to the question and word of a change are alike: 1 it can send, 0 not yet, or -errno. */
static int judge(const struct nlmsghdr *h, uint32_t ifindex)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(h) >= sizeof(*error))
		return error->error;
	if (mnl_nlmsg_get_payload_len(h) < sizeof(*info) || info->ifi_index != (int)ifindex)
		return 0;
	if (h->nlmsg_type == RTM_DELLINK)
		return -ENODEV;
	return h->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & CAN_SEND) == CAN_SEND;
}

static int read_links(int fd, uint32_t ifindex)
{
	_Alignas(struct nlmsghdr) char buf[32 * 1024];
	struct sockaddr_nl from = {};
	socklen_t from_len = sizeof(from);
	ssize_t got = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);
	const struct nlmsghdr *h = (const void *)buf;
	int left = (int)got, r = 0;

	if (got < 0 && errno == ENOBUFS)
		return ask(fd, ifindex); /* something was missed */
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (from.nl_pid)
		return 0; /* not the kernel's */
	for (; !r && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		r = judge(h, ifindex);
	return r;
}

static int wait_carrier(int netns_fd, uint32_t ifindex, int timeout_ms)
{
	uint64_t deadline = boot_ns() + (uint64_t)timeout_ms * 1000000, now;
	_cleanup_close_ int fd = listen_links(netns_fd);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		return fd;
	r = ask(fd, ifindex);
	while (!r) {
		now = boot_ns();
		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((deadline - now) / 1000000) + 1) > 0)
			r = read_links(fd, ifindex);
	}
	return r > 0 ? 0 : r;
}

int netdev_wait_carrier(int netns_fd, uint32_t ifindex, int timeout_ms, struct err *err)
{
	int r = fault_point("netdev.carrier");

	if (!r)
		r = wait_carrier(netns_fd, ifindex, timeout_ms);
	if (r == -ETIMEDOUT)
		return fail(err, r, "netdev %u: no carrier after %d ms", ifindex, timeout_ms);
	return r ? fail(err, r, "netdev %u: cannot wait for its carrier: %s", ifindex, strerror(-r)) : 0;
}
