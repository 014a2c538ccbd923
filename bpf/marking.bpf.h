/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the guard and the audit agree on about marking. */
#ifndef WARDEN_MARKING_BPF_H
#define WARDEN_MARKING_BPF_H

#include "vmlinux.h"

/* enum ib_qp_attr_mask of include/rdma/ib_verbs.h; the same bits in the verbs ABI */
#define IB_QP_AV (1 << 7)
#define IB_QP_ALT_PATH (1 << 14)

/* DSCP is the upper six bits of the traffic class; the lower two are ECN. */
static __always_inline bool dscp_allowed(__u64 allowed, __u8 traffic_class)
{
	return allowed >> (traffic_class >> 2) & 1;
}

/* Of a service level three bits count: they are the priority of what is sent (mlx5's eth_prio, the PCP of a tagged frame). */
static __always_inline bool sl_allowed(__u32 allowed, __u8 sl)
{
	return !allowed || allowed >> (sl & 7) & 1;
}

#endif
