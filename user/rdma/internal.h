/* SPDX-License-Identifier: Apache-2.0 */
/* RDMA netlink, as the files of this part share it. */
#ifndef WARDEN_RDMA_INTERNAL_H
#define WARDEN_RDMA_INTERNAL_H

#include <libmnl/libmnl.h>

#include "rdma/rdma.h"

/* The header of a request in `buf`, of 256 bytes or more; flags beside NLM_F_REQUEST. */
struct nlmsghdr *rdma_request(struct rdma_nl *nl, char *buf, int command, int flags);

/* Sends the request and runs the answers through `parse` until the last one: 0 or -errno. */
int rdma_talk(struct rdma_nl *nl, struct nlmsghdr *h, mnl_cb_t parse, void *ctx);

/* The attribute of that type, if its payload has the size (or the NUL) that it must have; else NULL. */
const struct nlattr *rdma_attr(const struct nlmsghdr *h, uint16_t type, enum mnl_attr_data_type data_type);

/* A descriptor of the netns of the handle, or -errno. */
int rdma_netns(const struct rdma_nl *nl);

#endif
