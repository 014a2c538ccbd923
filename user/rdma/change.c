// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <string.h>

#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "rdma/internal.h"

struct move {
	struct rdma_nl *nl;
	uint32_t index;
	int netns_fd;
};

static int send_move(void *ctx)
{
	const struct move *m = ctx;
	char buf[256];
	struct nlmsghdr *h = rdma_request(m->nl, buf, RDMA_NLDEV_CMD_SET, NLM_F_ACK);

	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, m->index);
	mnl_attr_put_u32(h, RDMA_NLDEV_NET_NS_FD, (uint32_t)m->netns_fd);
	return rdma_talk(m->nl, h, NULL, NULL);
}

/*
 * The kernel finds the device in the netns of the socket, but takes it only out of that of the thread
 * (ib_core's device.c, ib_device_set_netns_put()): so the thread must be there, too.
 */
static int move_from_inside(struct rdma_nl *nl, uint32_t index, int netns_fd)
{
	struct move m = { .nl = nl, .index = index, .netns_fd = netns_fd };
	_cleanup_close_ int from = rdma_netns(nl);

	return from < 0 ? from : netns_call(from, send_move, &m);
}

/* Both causes of EOPNOTSUPP have a cure of their own (ib_core's device.c, ib_device_set_netns_put()). */
static const char *why_not_moved(struct rdma_nl *nl, int error)
{
	enum rdma_netns_mode mode;

	if (error == -EINVAL)
		return "it is not in this netns";
	if (error != -EOPNOTSUPP)
		return strerror(-error);
	if (!rdma_netns_mode_get(nl, &mode) && mode == RDMA_NETNS_SHARED)
		return "the RDMA subsystem is in shared netns mode";
	return "its driver cannot take it from those who use it";
}

int rdma_move(struct rdma_nl *nl, uint32_t index, int netns_fd, struct err *err)
{
	int r = fault_around("rdma.move", move_from_inside(nl, index, netns_fd));

	return r ? fail(err, r, "RDMA device %u: cannot be moved: %s", index, why_not_moved(nl, r)) : 0;
}

static int send_name(struct rdma_nl *nl, uint32_t index, const char *name)
{
	char buf[256];
	struct nlmsghdr *h = rdma_request(nl, buf, RDMA_NLDEV_CMD_SET, NLM_F_ACK);

	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_DEV_NAME, name);
	return rdma_talk(nl, h, NULL, NULL);
}

/* The kernel would cut a name that is too long, or read a % as a pattern. */
static int check_name(const char *name, struct err *err)
{
	if (name[0] && strlen(name) < RDMA_NAME_MAX && !strpbrk(name, "%/"))
		return 0;
	return fail(err, -EINVAL, "RDMA device: \"%.64s\" is no name for one", name);
}

int rdma_rename(struct rdma_nl *nl, uint32_t index, const char *name, struct err *err)
{
	int r = check_name(name, err);

	if (r)
		return r;
	r = fault_around("rdma.rename", send_name(nl, index, name));
	return r ? fail(err, r, "RDMA device %u: cannot be named %s: %s", index, name, strerror(-r)) : 0;
}

/* ---- soft RoCE ---- */

static int send_rxe(struct rdma_nl *nl, const char *name, const char *netdev)
{
	char buf[256];
	struct nlmsghdr *h = rdma_request(nl, buf, RDMA_NLDEV_CMD_NEWLINK, NLM_F_ACK);

	mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_DEV_NAME, name);
	mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_NDEV_NAME, netdev);
	return rdma_talk(nl, h, NULL, NULL);
}

int rdma_rxe_add(struct rdma_nl *nl, const char *name, const char *netdev, struct err *err)
{
	int r = check_name(name, err);

	if (r)
		return r;
	if (strlen(netdev) >= 16)
		return fail(err, -EINVAL, "RDMA device %s: no such netdev", name);
	r = fault_around("rdma.rxe", send_rxe(nl, name, netdev));
	if (r == -EINVAL)
		return fail(
			err, r,
			"RDMA device %s: cannot be made on %s: the kernel has no soft RoCE (rdma_rxe), or not there",
			name, netdev);
	return r ? fail(err, r, "RDMA device %s: cannot be made on %s: %s", name, netdev, strerror(-r)) : 0;
}

static int send_delete(struct rdma_nl *nl, uint32_t index)
{
	char buf[256];
	struct nlmsghdr *h = rdma_request(nl, buf, RDMA_NLDEV_CMD_DELLINK, NLM_F_ACK);

	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	return rdma_talk(nl, h, NULL, NULL);
}

int rdma_link_delete(struct rdma_nl *nl, uint32_t index, struct err *err)
{
	int r = fault_around("rdma.delete", send_delete(nl, index));

	return r ? fail(err, r, "RDMA device %u: cannot be deleted: %s", index, strerror(-r)) : 0;
}
