// SPDX-License-Identifier: Apache-2.0
/*
 * RDMA netlink: what changes devices is not for pods, their own devices included.
 *
 * The requests change nothing when they come through, since some mechanisms of the guard kill after the fact: they set
 * what is set already, or are refused in the kernel's own code (a type of link that does not exist, say), behind the
 * guard. That answer counts as having come through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"

struct request {
	char data[4096];
	uint32_t len;
	uint32_t begin; /* of the message that is being written */
	uint32_t messages;
};

static struct nlmsghdr *message(struct request *r)
{
	return (struct nlmsghdr *)(r->data + r->begin);
}

static void begin(struct request *r, unsigned command, unsigned flags)
{
	r->begin = r->len;
	*message(r) = (struct nlmsghdr){ .nlmsg_len = sizeof(struct nlmsghdr),
					 .nlmsg_type = (uint16_t)RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command),
					 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
					 .nlmsg_seq = ++r->messages };
	r->len += sizeof(struct nlmsghdr);
}

static void put(struct request *r, uint16_t type, const void *value, size_t len)
{
	struct nlattr attr = { .nla_len = (uint16_t)(sizeof(attr) + len), .nla_type = type };

	memcpy(r->data + r->len, &attr, sizeof(attr));
	memcpy(r->data + r->len + sizeof(attr), value, len);
	r->len += NLA_ALIGN(attr.nla_len);
	message(r)->nlmsg_len = r->len - r->begin;
}

static void put_u32(struct request *r, uint16_t type, uint32_t value)
{
	put(r, type, &value, sizeof(value));
}

static void put_string(struct request *r, uint16_t type, const char *value)
{
	put(r, type, value, strlen(value) + 1);
}

/* The error of the last message that the kernel acknowledges; all replies are read. */
static int read_answers(int sock, uint32_t messages)
{
	char buf[16384];

	for (;;) {
		ssize_t n = recv(sock, buf, sizeof(buf), 0);

		if (n < 0)
			return -errno;
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR && (h->nlmsg_seq == messages || e->error))
				return e->error;
		}
	}
}

static int send_request(struct scene *s, const struct request *r)
{
	__cleanup(close_fd) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);

	s->c.step = "send";
	if (sock < 0 || send(sock, r->data, r->len, 0) < 0)
		return -errno;
	s->c.step = "answer";
	return read_answers(sock, r->messages);
}

/* What the kernel says to such a request of one who may make it. */
static int came_through(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP || err == -EBADF || err == -ENOENT ? 0 : err;
}

static void begin_set(struct scene *s, struct request *r)
{
	begin(r, RDMA_NLDEV_CMD_SET, 0);
	put_u32(r, RDMA_NLDEV_ATTR_DEV_INDEX, s->index);
}

/* To the name that it has. */
static int rename_behind(struct scene *s, unsigned harmless)
{
	struct request r = { 0 };

	for (unsigned i = 0; i < harmless; i++)
		begin(&r, RDMA_NLDEV_CMD_SYS_GET, 0);
	begin_set(s, &r);
	put_string(&r, RDMA_NLDEV_ATTR_DEV_NAME, s->device);
	return came_through(send_request(s, &r));
}

static int netlink_rename(struct scene *s)
{
	return rename_behind(s, 0);
}

/* Behind a harmless message in the same send, and behind more than the guard reads. */
static int netlink_second(struct scene *s)
{
	return rename_behind(s, 1);
}

static int netlink_ninth(struct scene *s)
{
	return rename_behind(s, 8);
}

/* The index of no device first: of two the kernel takes the last. */
static int netlink_twice(struct scene *s)
{
	struct request r = { 0 };

	begin(&r, RDMA_NLDEV_CMD_SET, 0);
	put_u32(&r, RDMA_NLDEV_ATTR_DEV_INDEX, INT32_MAX);
	put_u32(&r, RDMA_NLDEV_ATTR_DEV_INDEX, s->index);
	put_string(&r, RDMA_NLDEV_ATTR_DEV_NAME, s->device);
	return came_through(send_request(s, &r));
}

static int netlink_move(struct scene *s)
{
	struct request r = { 0 };

	begin_set(s, &r);
	put_u32(&r, RDMA_NLDEV_NET_NS_FD, UINT16_MAX); /* no such descriptor */
	return came_through(send_request(s, &r));
}

static int netlink_add(struct scene *s)
{
	struct request r = { 0 };

	begin(&r, RDMA_NLDEV_CMD_NEWLINK, 0);
	put_string(&r, RDMA_NLDEV_ATTR_DEV_NAME, "attack%d");
	put_string(&r, RDMA_NLDEV_ATTR_LINK_TYPE, "none-such");
	put_string(&r, RDMA_NLDEV_ATTR_NDEV_NAME, "lo");
	return came_through(send_request(s, &r));
}

/* A driver of hardware lets nobody remove its device so. */
static int netlink_remove(struct scene *s)
{
	struct request r = { 0 };

	begin(&r, RDMA_NLDEV_CMD_DELLINK, 0);
	put_u32(&r, RDMA_NLDEV_ATTR_DEV_INDEX, s->index);
	return came_through(send_request(s, &r));
}

/* Set to what it is. */
static int netlink_mode(struct scene *s)
{
	struct request r = { 0 };
	uint8_t shared = !s->exclusive;

	begin(&r, RDMA_NLDEV_CMD_SYS_SET, 0);
	put(&r, RDMA_NLDEV_SYS_ATTR_NETNS_MODE, &shared, sizeof(shared));
	return came_through(send_request(s, &r));
}

/* The drivers of the lab have no counters that can be bound. */
static int netlink_counter(struct scene *s)
{
	struct request r = { 0 };

	begin(&r, RDMA_NLDEV_CMD_STAT_SET, 0);
	put_u32(&r, RDMA_NLDEV_ATTR_DEV_INDEX, s->index);
	put_u32(&r, RDMA_NLDEV_ATTR_PORT_INDEX, PORT);
	put_u32(&r, RDMA_NLDEV_ATTR_STAT_MODE, 1); /* automatic */
	put_u32(&r, RDMA_NLDEV_ATTR_STAT_RES, RDMA_NLDEV_ATTR_RES_QP);
	put_u32(&r, RDMA_NLDEV_ATTR_STAT_AUTO_MODE_MASK, 1);
	return came_through(send_request(s, &r));
}

/* The request in an io_uring, as a send to a socket. */
static int netlink_uring(struct scene *s)
{
	__cleanup(close_fd) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SEND, .fd = sock };
	struct request r = { 0 };
	int n;

	begin_set(s, &r);
	put_u32(&r, RDMA_NLDEV_NET_NS_FD, UINT16_MAX);
	sqe.addr = (uintptr_t)r.data;
	sqe.len = r.len;
	s->c.step = "io_uring";
	n = uring_open(&s->ring);
	if (!n)
		n = uring_do(&s->ring, &sqe);
	return n < 0 ? n : came_through(read_answers(sock, r.messages));
}

static int netlink_read(struct scene *s)
{
	static const unsigned commands[] = { RDMA_NLDEV_CMD_GET, RDMA_NLDEV_CMD_RES_GET };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct request r = { 0 };

		begin(&r, commands[i], NLM_F_DUMP);
		err = send_request(s, &r);
	}
	return err;
}

#define PODS (R(OWNER) | R(PRIVILEGED))
#define NETLINK(n, w, e, f)                                                                           \
	{                                                                                             \
		.name = (n), .what = (w), .feature = "exclusive.netlink", .rule = (e), .roles = PODS, \
		.control = R(IN_NETNS), .act = (f)                                                    \
	}
#define DEVICELESS(n, w, e, f)                                                                        \
	{                                                                                             \
		.name = (n), .what = (w), .feature = "exclusive.netlink", .rule = (e), .roles = PODS, \
		.control = R(IN_NETNS), .act = (f), .deviceless = true                                \
	}

const struct vector netlink_vectors[] = {
	{ .name = "netlink.read",
	  .what = "reading devices and resources",
	  .feature = "exclusive.netlink",
	  .roles = R(OWNER) | R(POD) | R(IN_NETNS),
	  .act = netlink_read },
	NETLINK("netlink.rename", "a device gets another name", "exclusive.netlink", netlink_rename),
	NETLINK("netlink.second", "the same behind another message", "exclusive.netlink", netlink_second),
	DEVICELESS("netlink.ninth", "the same behind eight others", "exclusive.netlink", netlink_ninth),
	NETLINK("netlink.twice", "the same with the index of another device first", "exclusive.netlink", netlink_twice),
	NETLINK("netlink.move", "a device gets another netns", "exclusive.netlink", netlink_move),
	NETLINK("netlink.io_uring", "the same sent by an io_uring", "exclusive.netlink", netlink_uring),
	DEVICELESS("netlink.add", "a device is added", "exclusive.netlink", netlink_add),
	NETLINK("netlink.remove", "a device is removed", "exclusive.netlink", netlink_remove),
	NETLINK("netlink.counter", "a counter is bound", "exclusive.netlink", netlink_counter),
	DEVICELESS("netlink.mode", "the netns mode is set", "exclusive.mode", netlink_mode),
	{ 0 }
};
