/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* RDMA netlink: who may move, rename, add and remove devices, and flip the mode. */
#ifndef WARDEN_NETLINK_BPF_H
#define WARDEN_NETLINK_BPF_H

#include "touch.bpf.h"
#include <rdma/rdma_netlink.h>

#define MAX_NETLINK_ATTRS 16
#define MAX_MESSAGES 8 /* in one send; what rdma(8) and the libraries send has one */

/* The rule that a message of that type falls under, or -1: reading is free. */
static __always_inline int netlink_rule(__u16 type)
{
	if (RDMA_NL_GET_CLIENT(type) != RDMA_NL_NLDEV)
		return -1;
	switch (RDMA_NL_GET_OP(type)) {
	case RDMA_NLDEV_CMD_SYS_SET:
		return RULE_EXCLUSIVE_MODE;
	case RDMA_NLDEV_CMD_SET:
	case RDMA_NLDEV_CMD_NEWLINK:
	case RDMA_NLDEV_CMD_DELLINK:
	case RDMA_NLDEV_CMD_STAT_SET:
	case RDMA_NLDEV_CMD_STAT_DEL:
	case RDMA_NLDEV_CMD_NEWDEV:
	case RDMA_NLDEV_CMD_DELDEV:
		return RULE_EXCLUSIVE_NETLINK;
	default:
		return -1;
	}
}

/*
 * The device that a message of that length names, or WARDEN_NO_INDEX. Of several attributes of one type the kernel takes the
 * last (nla_parse); behind too many of them it is not looked for.
 */
static __always_inline __u32 netlink_device(const unsigned char *message, __u32 len)
{
	__u32 at = sizeof(struct nlmsghdr), index = WARDEN_NO_INDEX;
	struct {
		struct nlattr head;
		__u32 index;
	} attr;

	for (int i = 0; i < MAX_NETLINK_ATTRS; i++) {
		if (at + sizeof(attr.head) > len ||
		    bpf_probe_read_kernel(&attr.head, sizeof(attr.head), message + at) ||
		    attr.head.nla_len < sizeof(attr.head))
			return index;
		if ((attr.head.nla_type & NLA_TYPE_MASK) == RDMA_NLDEV_ATTR_DEV_INDEX && at + sizeof(attr) <= len &&
		    !bpf_probe_read_kernel(&attr, sizeof(attr), message + at))
			index = attr.index;
		at += (attr.head.nla_len + 3) & ~3u;
	}
	return WARDEN_NO_INDEX;
}

struct netlink_finding {
	int rule; /* the first that a message falls under, or -1 */
	__u32 ib_index;
	__u16 command;
};

/* A message that cannot be read, or that stands behind too many others, falls under the rule too. */
static __always_inline struct netlink_finding netlink_judge(const unsigned char *data, __u32 len)
{
	struct netlink_finding f = { .rule = RULE_EXCLUSIVE_NETLINK, .ib_index = WARDEN_NO_INDEX };
	struct nlmsghdr h;
	__u32 at = 0;

	for (int i = 0; i < MAX_MESSAGES; i++) {
		f.rule = -1;
		if (at + sizeof(h) > len)
			return f;
		f.rule = RULE_EXCLUSIVE_NETLINK;
		if (bpf_probe_read_kernel(&h, sizeof(h), data + at))
			return f;
		f.rule = netlink_rule(h.nlmsg_type);
		f.command = RDMA_NL_GET_OP(h.nlmsg_type);
		f.ib_index = netlink_device(data + at, h.nlmsg_len <= len - at ? h.nlmsg_len : 0);
		/* The kernel stops at such a length too (rdma_nl_rcv_skb). */
		if (f.rule >= 0 || h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - at)
			return f;
		at += (h.nlmsg_len + 3) & ~3u;
	}
	f.rule = RULE_EXCLUSIVE_NETLINK;
	return f;
}

/* A buffer sent to RDMA netlink by the caller. */
static __always_inline int judge_netlink(struct sk_buff *skb, enum hook_power power)
{
	const struct warden_settings *s;
	struct netlink_finding f;
	struct touch t = {};

	f = netlink_judge(BPF_CORE_READ(skb, data), BPF_CORE_READ(skb, len));
	s = settings_get();
	if (f.rule < 0 || !s || caller_acts_for_host(s) || caller_is_warden(s))
		return 0;
	t.ib_index = f.ib_index;
	t.judged_again = power != HOOK_LAST && s->judged_twice & 1;
	return react(&t, s, f.rule, power, f.command, 0);
}

static __always_inline int guard_netlink(struct sock *sk, struct sk_buff *skb, enum hook_power power)
{
	return BPF_CORE_READ(sk, sk_protocol) == NETLINK_RDMA ? judge_netlink(skb, power) : 0;
}

#endif
