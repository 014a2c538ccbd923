// SPDX-License-Identifier: Apache-2.0
#include "net/rtnl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/netlink.h"
#include "lib/netns.h"
#include "lib/util.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, since 5.14 */
#endif

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	unsigned int sent;
	char said[256]; /* about the last request that was refused; "": nothing */
};

static int new_socket(int netns_fd)
{
	int fd;

	if (netns_fd >= 0)
		return netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return fd < 0 ? -errno : fd;
}

/*
 * Refusals come with their reason, acknowledgements without the request, and dumps are filtered as asked. A kernel that
 * knows one of these not does without.
 */
static void set_options(struct mnl_socket *socket)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int on = 1;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		mnl_socket_setsockopt(socket, options[i], &on, sizeof(on));
}

int rtnl_open(struct rtnl **nl, int netns_fd)
{
	_cleanup_close_ int fd = new_socket(netns_fd);
	_cleanup_(rtnl_close) struct rtnl *n = NULL;

	if (fd < 0)
		return fd;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->socket = mnl_socket_fdopen(fd);
	if (!n->socket)
		return -ENOMEM;
	take_fd(&fd);
	if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	set_options(n->socket);
	*nl = take_ptr(n);
	return 0;
}

void rtnl_close(struct rtnl **nl)
{
	if (!*nl)
		return;
	if ((*nl)->socket)
		mnl_socket_close((*nl)->socket);
	free(*nl);
	*nl = NULL;
}

unsigned int rtnl_sent(const struct rtnl *nl)
{
	return nl->sent;
}

uint64_t rtnl_cookie(const struct rtnl *nl)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(mnl_socket_get_fd(nl->socket), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		return 0;
	return cookie;
}

struct nlmsghdr *rtnl_request(void *buf, uint16_t type, uint16_t flags, size_t size)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		h->nlmsg_flags |= NLM_F_ACK;
	mnl_nlmsg_put_extra_header(h, size); /* which it fills with zeros */
	return h;
}

const char *rtnl_said(const struct rtnl *nl, int error)
{
	return nl->said[0] ? nl->said : strerror(error < 0 ? -error : error);
}

/* ---- answers ---- */

/* Behind the struct nlmsgerr comes the request, unless NLM_F_CAPPED, and then the attributes. */
static void take_reason(struct rtnl *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t len = mnl_nlmsg_get_payload_len(h), offset = sizeof(*e);
	const struct nlattr *attr;

	if (nl->said[0] || !(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len >= sizeof(e->msg))
		offset += MNL_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	if (offset > len)
		return;
	mnl_attr_for_each (attr, h, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(nl->said, sizeof(nl->said), "%s", mnl_attr_get_str(attr));
}

/* The answers to the requests from `first` to `last`. */
struct answers {
	struct rtnl *nl;
	uint32_t first, last;
	mnl_cb_t parse;
	void *ctx;
	int tolerate;
	int error; /* the first one, and of which request */
	uint32_t failed;
	bool ended;
};

static void take_end(struct answers *a, const struct nlmsghdr *h)
{
	int error = -EBADMSG;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(int))
		memcpy(&error, mnl_nlmsg_get_payload(h), sizeof(error)); /* of both NLMSG_ERROR and NLMSG_DONE */
	if (error < 0 && error != a->tolerate && !a->error) {
		if (h->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(h) >= sizeof(struct nlmsgerr))
			take_reason(a->nl, h);
		a->error = error;
		a->failed = h->nlmsg_seq - a->first;
	}
	a->ended = a->ended || h->nlmsg_seq == a->last;
}

static void take_message(struct answers *a, const struct nlmsghdr *h)
{
	if (h->nlmsg_seq - a->first > a->last - a->first)
		return; /* of an earlier request whose caller has given up */
	if ((h->nlmsg_flags & NLM_F_DUMP_INTR) && !a->error)
		a->error = -EINTR;
	errno = 0;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
		take_end(a, h);
	else if (a->parse && a->parse(h, a->ctx) < 0 && !a->error)
		a->error = errno ? -errno : -EBADMSG;
}

static int read_answers(struct answers *a)
{
	_Alignas(struct nlmsghdr) char buf[32 * 1024]; /* the kernel's dumps come in pieces of at most that */

	a->nl->said[0] = '\0';
	while (!a->ended) {
		ssize_t got = netlink_receive(mnl_socket_get_fd(a->nl->socket), buf, sizeof(buf));
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)got;

		if (got < 0)
			return (int)got;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take_message(a, h);
	}
	return a->error;
}

int rtnl_talk(struct rtnl *nl, struct nlmsghdr *request, mnl_cb_t parse, void *ctx)
{
	struct answers answers = { .nl = nl, .parse = parse, .ctx = ctx };

	nl->said[0] = '\0';
	request->nlmsg_seq = answers.first = answers.last = ++nl->seq;
	nl->sent++;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	return read_answers(&answers);
}

/* ---- several at once ---- */

void rtnl_batch_begin(struct rtnl_batch *b, struct rtnl *nl)
{
	b->nl = nl;
	b->tolerate = b->error = 0;
	b->count = b->done = b->failed = 0;
	b->used = 0;
}

/* Only now the last message is whole: what its writer put behind its header is counted in its own length. */
static void close_last(struct rtnl_batch *b)
{
	if (b->count)
		b->used += MNL_ALIGN(((const struct nlmsghdr *)(b->buf + b->used))->nlmsg_len);
}

static void send_waiting(struct rtnl_batch *b)
{
	struct rtnl *nl = b->nl;
	struct answers answers = {
		.nl = nl, .first = nl->seq + 1, .last = nl->seq + b->count, .tolerate = b->tolerate
	};
	int left = (int)b->used, r = 0;

	if (!b->count || b->error)
		return;
	for (struct nlmsghdr *h = (void *)b->buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		h->nlmsg_seq = ++nl->seq;
	nl->sent += b->count;
	if (mnl_socket_sendto(nl->socket, b->buf, b->used) < 0)
		r = -errno;
	if (!r)
		r = read_answers(&answers);
	if (r) {
		b->error = r;
		b->failed = b->done + answers.failed;
	}
	b->done += b->count;
	b->count = 0;
	b->used = 0;
}

struct nlmsghdr *rtnl_batch_add(struct rtnl_batch *b, uint16_t type, uint16_t flags, size_t size)
{
	struct nlmsghdr *h;

	close_last(b);
	if (b->count == RTNL_BATCH || b->used + sizeof(*h) + size + RTNL_BATCH_ROOM > sizeof(b->buf)) {
		send_waiting(b);
		b->count = 0; /* also after a failure: what is written now is never sent */
		b->used = 0;
	}
	h = rtnl_request(b->buf + b->used, type, flags, size);
	b->count++;
	return h;
}

int rtnl_batch_end(struct rtnl_batch *b)
{
	close_last(b);
	send_waiting(b);
	return b->error;
}
