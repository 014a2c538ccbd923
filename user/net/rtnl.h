/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handle on rtnetlink in one netns: single requests, several in one sendmsg, and what the kernel said about one that it
 * refused. A handle belongs to one thread at a time. Source of the interface: linux/netlink.h, linux/rtnetlink.h.
 */
#ifndef WARDEN_RTNL_H
#define WARDEN_RTNL_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "lib/err.h"

struct rtnl;

/* In the netns of `netns_fd`, or in the caller's with -1: 0 or -errno. */
int rtnl_open(struct rtnl **nl, int netns_fd);
void rtnl_close(struct rtnl **nl); /* for _cleanup_() */

/* How many messages were sent over it. */
unsigned int rtnl_sent(const struct rtnl *nl);

/* The cookie of its netns (lib/netns.h), 0 when the kernel does not tell. */
uint64_t rtnl_cookie(const struct rtnl *nl);

/*
 * A request with its header, of `size` bytes after it which are zero: `buf` must have room for that and for what is put
 * behind. Flags are those beside NLM_F_REQUEST and NLM_F_ACK.
 */
struct nlmsghdr *rtnl_request(void *buf, uint16_t type, uint16_t flags, size_t size);

/*
 * Sends the request and gives each message of the answer to `parse`, which may be NULL: 0, or -errno, of the kernel or of a
 * `parse` that ended with MNL_CB_ERROR. -EINTR: what a dump shows changed meanwhile.
 */
int rtnl_talk(struct rtnl *nl, struct nlmsghdr *request, mnl_cb_t parse, void *ctx);

/* Why the last request failed with `error`: the kernel's own sentence where it gave one, else that of errno. */
const char *rtnl_said(const struct rtnl *nl, int error);

/*
 * Several requests at once, done by the kernel in their order. It does not stop at one that it refuses: what follows is
 * tried all the same, save what is beyond the RTNL_BATCH messages of one sendmsg.
 */
#define RTNL_BATCH 64 /* their acknowledgements must find room in the socket's buffer */

struct rtnl_batch {
	struct rtnl *nl;
	int tolerate; /* a negative errno that is no failure, or 0 */
	unsigned int count; /* waiting ones */
	unsigned int done; /* earlier ones */
	int error; /* of the first that failed, and its number */
	unsigned int failed;
	size_t used;
	_Alignas(8) char buf[16 * 1024];
};

void rtnl_batch_begin(struct rtnl_batch *batch, struct rtnl *nl);

/* As rtnl_request(); up to RTNL_BATCH_ROOM bytes of attributes may be put before the next call. */
#define RTNL_BATCH_ROOM 512
struct nlmsghdr *rtnl_batch_add(struct rtnl_batch *batch, uint16_t type, uint16_t flags, size_t size);

/* 0, or the -errno of the first that failed, whose number (from 0) is in batch->failed. */
int rtnl_batch_end(struct rtnl_batch *batch);

#endif
