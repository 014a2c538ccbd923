// SPDX-License-Identifier: Apache-2.0
#include "rdma/internal.h"

#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/list.h"
#include "lib/netlink.h"
#include "lib/netns.h"
#include "lib/util.h"

#define ANSWER_S 5 /* the kernel answers at once, or its answer was lost */

struct rdma_nl {
	struct mnl_socket *socket;
	uint32_t seq;
};

bool rdma_module_loaded(const char *module)
{
	char path[128];

	return !try_snprintf(path, sizeof(path), "/sys/module/%s", module) && !access(path, F_OK);
}

int rdma_open(struct rdma_nl **nl, int netns_fd)
{
	int fd;

	if (!rdma_module_loaded("ib_core"))
		return -EPROTONOSUPPORT;
	fd = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_RDMA);
	return fd < 0 ? fd : rdma_open_on(nl, fd);
}

int rdma_open_on(struct rdma_nl **nl, int fd)
{
	const struct timeval timeout = { .tv_sec = ANSWER_S };
	struct rdma_nl *n = calloc(1, sizeof(*n));
	int r;

	if (!n) {
		close(fd);
		return -ENOMEM;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	n->socket = mnl_socket_fdopen(fd);
	if (!n->socket || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		if (!n->socket)
			close(fd);
		rdma_close(&n);
		return r;
	}
	*nl = n;
	return 0;
}

void rdma_close(struct rdma_nl **nl)
{
	if (!*nl)
		return;
	if ((*nl)->socket)
		mnl_socket_close((*nl)->socket);
	free(*nl);
	*nl = NULL;
}

int rdma_netns(const struct rdma_nl *nl)
{
	int fd = ioctl(mnl_socket_get_fd(nl->socket), SIOCGSKNS);

	return fd < 0 ? -errno : fd;
}

struct nlmsghdr *rdma_request(struct rdma_nl *nl, char *buf, int command, int flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++nl->seq;
	return h;
}

int rdma_talk(struct rdma_nl *nl, struct nlmsghdr *h, mnl_cb_t parse, void *ctx)
{
	char buf[32 * 1024];
	bool dump = h->nlmsg_flags & NLM_F_DUMP, ack = h->nlmsg_flags & NLM_F_ACK;
	ssize_t len;
	int r;

	if (mnl_socket_sendto(nl->socket, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		len = netlink_receive(mnl_socket_get_fd(nl->socket), buf, sizeof(buf));
		if (len < 0)
			return (int)len;
		r = mnl_cb_run(buf, (size_t)len, nl->seq, mnl_socket_get_portid(nl->socket), parse, ctx);
	} while (r > 0 && (dump || ack)); /* a plain GET answers with one message */
	return r < 0 ? -errno : 0;
}

const struct nlattr *rdma_attr(const struct nlmsghdr *h, uint16_t type, enum mnl_attr_data_type data_type)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, 0) {
		if (mnl_attr_get_type(attr) == type)
			return mnl_attr_validate(attr, data_type) < 0 ? NULL : attr;
	}
	return NULL;
}

static int string_get(const struct nlmsghdr *h, uint16_t type, char *to, size_t size)
{
	const struct nlattr *attr = rdma_attr(h, type, MNL_TYPE_NUL_STRING);

	if (!attr)
		return -ENODATA;
	return try_snprintf(to, size, "%s", mnl_attr_get_str(attr));
}

/* ---- devices ---- */

struct device_list {
	struct rdma_device *devices;
	size_t count, room;
	int error;
};

static int list_append(struct device_list *list, const struct rdma_device *device)
{
	struct rdma_device *to = list_place(&list->devices, &list->room, list->count, sizeof(*to));

	if (!to)
		return -ENOMEM;
	*to = *device;
	list->count++;
	return 0;
}

static int parse_device(const struct nlmsghdr *h, void *data)
{
	struct device_list *list = data;
	const struct nlattr *index = rdma_attr(h, RDMA_NLDEV_ATTR_DEV_INDEX, MNL_TYPE_U32);
	const struct nlattr *guid = rdma_attr(h, RDMA_NLDEV_ATTR_NODE_GUID, MNL_TYPE_U64);
	const struct nlattr *image = rdma_attr(h, RDMA_NLDEV_ATTR_SYS_IMAGE_GUID, MNL_TYPE_U64);
	struct rdma_device d = {};

	if (!index || string_get(h, RDMA_NLDEV_ATTR_DEV_NAME, d.name, sizeof(d.name)))
		return MNL_CB_OK;
	d.index = mnl_attr_get_u32(index);
	if (guid)
		d.node_guid = htobe64(mnl_attr_get_u64(guid)); /* nldev.c sends it in host order */
	if (image)
		d.sys_image_guid = htobe64(mnl_attr_get_u64(image));
	if (!list->error)
		list->error = list_append(list, &d);
	return MNL_CB_OK;
}

int rdma_for_each(struct rdma_nl *nl, int (*visit)(const struct rdma_device *device, void *ctx), void *ctx)
{
	struct device_list list = {};
	char buf[256];
	int r = rdma_talk(nl, rdma_request(nl, buf, RDMA_NLDEV_CMD_GET, NLM_F_DUMP), parse_device, &list);

	/* Not from within the dump: a visitor asks more on the same socket. */
	if (!r)
		r = list.error;
	for (size_t i = 0; !r && i < list.count; i++)
		r = visit(&list.devices[i], ctx);
	free(list.devices);
	return r;
}

static int parse_u64_attr(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *attr = rdma_attr(h, RDMA_NLDEV_ATTR_CHARDEV, MNL_TYPE_U64);

	if (attr)
		*(uint64_t *)data = mnl_attr_get_u64(attr);
	return MNL_CB_OK;
}

int rdma_uverbs(struct rdma_nl *nl, uint32_t index, dev_t *dev)
{
	uint64_t encoded = 0;
	struct nlmsghdr *h;
	char buf[256];
	int r;

	if (!rdma_module_loaded("ib_uverbs"))
		return -ENODEV;
	h = rdma_request(nl, buf, RDMA_NLDEV_CMD_GET_CHARDEV, 0);
	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
	r = rdma_talk(nl, h, parse_u64_attr, &encoded);
	if (r)
		return r;
	if (!encoded)
		return -ENODEV;
	*dev = (dev_t)encoded; /* huge_encode_dev(): the form that user space has too */
	return 0;
}

static struct nlmsghdr *port_request(struct rdma_nl *nl, char *buf, int command, uint32_t index, uint32_t port)
{
	struct nlmsghdr *h = rdma_request(nl, buf, command, 0);

	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_PORT_INDEX, port);
	return h;
}

static int parse_port(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *state = rdma_attr(h, RDMA_NLDEV_ATTR_PORT_STATE, MNL_TYPE_U8);
	const struct nlattr *ifindex = rdma_attr(h, RDMA_NLDEV_ATTR_NDEV_INDEX, MNL_TYPE_U32);
	struct rdma_port *port = data;

	if (state)
		port->state = mnl_attr_get_u8(state);
	if (ifindex)
		port->ifindex = mnl_attr_get_u32(ifindex);
	string_get(h, RDMA_NLDEV_ATTR_NDEV_NAME, port->netdev, sizeof(port->netdev));
	return MNL_CB_OK;
}

int rdma_port_get(struct rdma_nl *nl, uint32_t index, struct rdma_port *port)
{
	char buf[256];

	*port = (struct rdma_port){};
	return rdma_talk(nl, port_request(nl, buf, RDMA_NLDEV_CMD_PORT_GET, index, 1), parse_port, port);
}

int rdma_port_netdev(struct rdma_nl *nl, uint32_t index, char *to, size_t size)
{
	struct rdma_port port;
	int r = rdma_port_get(nl, index, &port);

	snprintf(to, size, "%s", port.netdev);
	return r;
}

int rdma_port_ifindex(struct rdma_nl *nl, uint32_t index, uint32_t *ifindex)
{
	struct rdma_port port;
	int r = rdma_port_get(nl, index, &port);

	*ifindex = port.ifindex;
	return r ? r : port.ifindex ? 0 : -ENODEV;
}

/* ---- counters ---- */

struct counter_walk {
	rdma_counter_visit visit;
	void *ctx;
	bool told; /* the answer had the table */
};

static void counter_entry(const struct nlattr *entry, const struct counter_walk *w)
{
	const char *name = NULL;
	const struct nlattr *attr, *value = NULL;

	mnl_attr_for_each_nested (attr, entry) {
		if (mnl_attr_get_type(attr) == RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE &&
		    mnl_attr_validate(attr, MNL_TYPE_U64) >= 0)
			value = attr;
	}
	if (name && value)
		w->visit(name, mnl_attr_get_u64(value), w->ctx);
}

static int parse_counters(const struct nlmsghdr *h, void *data)
{
	struct counter_walk *w = data;
	const struct nlattr *table = rdma_attr(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTERS, MNL_TYPE_NESTED), *entry;

	if (!table)
		return MNL_CB_OK;
	w->told = true;
	mnl_attr_for_each_nested (entry, table)
		if (mnl_attr_validate(entry, MNL_TYPE_NESTED) >= 0)
			counter_entry(entry, w);
	return MNL_CB_OK;
}

/*
 * Whatever is wrong, the kernel says EINVAL. The list of the counters' names (since 5.16) it gives without asking the
 * driver for values, so a driver that has them, and failed, is known by it.
 */
static int why_no_counters(struct rdma_nl *nl, uint32_t index, uint32_t port)
{
	char buf[256];

	if (rdma_talk(nl, port_request(nl, buf, RDMA_NLDEV_CMD_PORT_GET, index, port), NULL, NULL))
		return -ENODEV;
	if (!rdma_talk(nl, port_request(nl, buf, RDMA_NLDEV_CMD_STAT_GET_STATUS, index, port), NULL, NULL))
		return -EIO;
	return -EOPNOTSUPP;
}

int rdma_counters(struct rdma_nl *nl, uint32_t index, uint32_t port, rdma_counter_visit visit, void *ctx)
{
	struct counter_walk w = { .visit = visit, .ctx = ctx };
	char buf[256];
	int r = rdma_talk(nl, port_request(nl, buf, RDMA_NLDEV_CMD_STAT_GET, index, port), parse_counters, &w);

	if (r == -EINVAL)
		return why_no_counters(nl, index, port);
	if (!r && !w.told)
		return -EBADMSG;
	return r;
}

/* ---- the netns mode of the subsystem ---- */

static int parse_mode(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *attr = rdma_attr(h, RDMA_NLDEV_SYS_ATTR_NETNS_MODE, MNL_TYPE_U8);

	if (attr)
		*(int *)data = mnl_attr_get_u8(attr);
	return MNL_CB_OK;
}

int rdma_netns_mode_get(struct rdma_nl *nl, enum rdma_netns_mode *mode)
{
	char buf[256];
	int value = -1, r;

	r = rdma_talk(nl, rdma_request(nl, buf, RDMA_NLDEV_CMD_SYS_GET, 0), parse_mode, &value);
	if (r)
		return r;
	if (value < 0)
		return -ENODATA;
	*mode = value ? RDMA_NETNS_SHARED : RDMA_NETNS_EXCLUSIVE;
	return 0;
}

int rdma_netns_mode_set(struct rdma_nl *nl, enum rdma_netns_mode mode)
{
	struct nlmsghdr *h;
	char buf[256];

	h = rdma_request(nl, buf, RDMA_NLDEV_CMD_SYS_SET, NLM_F_ACK);
	mnl_attr_put_u8(h, RDMA_NLDEV_SYS_ATTR_NETNS_MODE, mode == RDMA_NETNS_SHARED);
	return rdma_talk(nl, h, NULL, NULL);
}
