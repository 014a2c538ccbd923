/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Types of the RDMA modules (ib_core, ib_uverbs), as far as the BPF programs read them, kept by hand
 * from the module BTF of the packages that vmlinux.h names. Only for programs that are loaded when
 * those modules and their BTF are there.
 */
#ifndef VMLINUX_RDMA_H
#define VMLINUX_RDMA_H

#include "vmlinux.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ib_device;

struct ib_core_device {
	possible_net_t rdma_net;
};

struct ib_device {
	union {
		struct device dev;
		struct ib_core_device coredev;
	};
	__u64 node_guid;
	__u32 index;
};

struct ib_uverbs_device {
	struct device dev;
	struct ib_device *ib_dev;
};

enum rdma_restrack_type {
	RDMA_RESTRACK_PD,
	RDMA_RESTRACK_CQ,
	RDMA_RESTRACK_QP,
	RDMA_RESTRACK_CM_ID,
	RDMA_RESTRACK_MR,
	RDMA_RESTRACK_CTX,
};

struct rdma_restrack_entry {
	bool valid;
	enum rdma_restrack_type type;
	bool user;
};

struct ib_pd {
	struct ib_device *device;
	struct rdma_restrack_entry res;
};

struct ib_cq {
	struct ib_device *device;
	struct rdma_restrack_entry res;
};

struct ib_qp {
	struct ib_device *device;
	__u32 qp_num;
	struct rdma_restrack_entry res;
};

struct ib_mr {
	struct ib_device *device;
	struct rdma_restrack_entry res;
};

struct ib_ucontext {
	struct ib_device *device;
	struct rdma_restrack_entry res;
};

struct ib_global_route {
	__u8 traffic_class;
};

#define IB_AH_GRH 1 /* enum ib_ah_flags of include/rdma/ib_verbs.h */

struct rdma_ah_attr {
	struct ib_global_route grh;
	__u8 sl;
	__u8 ah_flags;
};

/* Begins with the rdma_cm_id that rdma_cm's functions take (cma_priv.h). */
struct rdma_id_private {
	__u8 tos;
	__u8 tos_set : 1;
};

struct ib_qp_attr {
	struct rdma_ah_attr ah_attr;
	struct rdma_ah_attr alt_ah_attr;
};

#pragma clang attribute pop

#endif
