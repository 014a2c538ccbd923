/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the traffic class that a verbs command asks for, as the application wrote it: MODIFY_QP (plain and extended)
 * and CREATE_AH. Pure functions over user memory: the guard runs them in its hooks, tests/bpf in a syscall program.
 */
#ifndef WARDEN_VERBS_COMMAND_BPF_H
#define WARDEN_VERBS_COMMAND_BPF_H

#include "vmlinux.h"
#include <asm/ioctl.h>
#include <bpf/bpf_helpers.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include "marking.bpf.h"

/* CORE_IN, CORE_OUT, WRITE_CMD, UHW_IN, UHW_OUT, and room for attributes that the kernel ignores */
#define MAX_ATTRS 16

/*
 * A sleepable program faults a page in; the others cannot, and fail on a page that is not present. The
 * application has just written the command, so that happens only to one that arranges it.
 */
static __always_inline long read_user(void *to, __u32 size, __u64 from, bool sleepable)
{
	return sleepable ? bpf_copy_from_user(to, size, (void *)from) : bpf_probe_read_user(to, size, (void *)from);
}

/* NO_CLASS: another command, which asks for none. PAST_THE_KERNEL: one that programs the NIC in words of its own. */
enum parsed { NO_CLASS, CLASS_READ, UNREADABLE, PAST_THE_KERNEL };

struct verbs_command {
	bool is_ah; /* which of the two */
	union {
		struct ib_uverbs_modify_qp qp; /* the extended form begins so, too */
		struct ib_uverbs_create_ah ah;
	};
};

static __always_inline bool asks_for_class(__u64 number)
{
	return number == IB_USER_VERBS_CMD_MODIFY_QP || number == IB_USER_VERBS_CMD_CREATE_AH ||
	       number == (IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_MODIFY_QP);
}

/* Where a write command that travels in a verbs ioctl has its number and its buffer. */
struct command_place {
	__u64 number;
	__u64 buffer;
	__u32 len;
};

/*
 * The write commands travel as method INVOKE_WRITE of the object DEVICE, with the command number and the command's buffer
 * as attributes in any order, and the kernel ignores attributes that it does not know unless they are marked mandatory
 * (uverbs_ioctl.c, uverbs_set_attr). CLASS_READ: it is such a command, to be read.
 */
static __always_inline enum parsed find_command(__u64 arg, struct command_place *place, bool sleepable)
{
	struct ib_uverbs_attr attr[MAX_ATTRS];
	struct ib_uverbs_ioctl_hdr hdr;

	if (read_user(&hdr, sizeof(hdr), arg, sleepable))
		return UNREADABLE;
	if (hdr.object_id == MLX5_IB_OBJECT_DEVX_OBJ && hdr.driver_id == RDMA_DRIVER_MLX5)
		return PAST_THE_KERNEL;
	if (hdr.object_id != UVERBS_OBJECT_DEVICE || hdr.method_id != UVERBS_METHOD_INVOKE_WRITE)
		return NO_CLASS;
	/* All attributes at once: each reading of user memory costs as much as the rest of the verdict. */
	if (hdr.num_attrs > MAX_ATTRS || read_user(attr, hdr.num_attrs * sizeof(*attr), arg + sizeof(hdr), sleepable))
		return UNREADABLE;
	for (__u32 i = 0; i < MAX_ATTRS; i++) {
		if (i >= hdr.num_attrs)
			break;
		if (attr[i].attr_id == UVERBS_ATTR_CORE_IN) {
			place->buffer = attr[i].data;
			place->len = attr[i].len;
		} else if (attr[i].attr_id == UVERBS_ATTR_WRITE_CMD) {
			place->number = attr[i].data;
		}
	}
	return asks_for_class(place->number) ? CLASS_READ : NO_CLASS;
}

/* A shorter buffer would be refused by the kernel too; one of up to 8 bytes would be inline data. */
static __always_inline enum parsed read_command(struct verbs_command *cmd, const struct command_place *place,
						bool sleepable)
{
	__u64 from = place->buffer;

	cmd->is_ah = place->number == IB_USER_VERBS_CMD_CREATE_AH;
	if (cmd->is_ah)
		return place->len < sizeof(cmd->ah) || read_user(&cmd->ah, sizeof(cmd->ah), from, sleepable)
			       ? UNREADABLE
			       : CLASS_READ;
	return place->len < sizeof(cmd->qp) || read_user(&cmd->qp, sizeof(cmd->qp), from, sleepable) ? UNREADABLE
												     : CLASS_READ;
}

/* The attributes are no more on the stack when the command comes to it: both would not fit. */
static __always_inline enum parsed parse_command(__u64 arg, struct verbs_command *cmd, bool sleepable)
{
	struct command_place place = {};
	enum parsed found = find_command(arg, &place, sleepable);

	return found == CLASS_READ ? read_command(cmd, &place, sleepable) : found;
}

/* A path without a global route has no traffic class, and on RoCE the kernel refuses it. */
static __always_inline bool path_is_right(const struct ib_uverbs_qp_dest *path, __u64 allowed)
{
	return !path->is_global || dscp_allowed(allowed, path->traffic_class);
}

/* The traffic class that breaks the set of allowed DSCPs, or -1. */
static __always_inline int command_wrong_class(const struct verbs_command *cmd, __u64 allowed)
{
	const struct ib_uverbs_ah_attr *ah = &cmd->ah.attr;

	if (cmd->is_ah)
		return !ah->is_global || dscp_allowed(allowed, ah->grh.traffic_class) ? -1 : ah->grh.traffic_class;
	if (cmd->qp.attr_mask & IB_QP_AV && !path_is_right(&cmd->qp.dest, allowed))
		return cmd->qp.dest.traffic_class;
	if (cmd->qp.attr_mask & IB_QP_ALT_PATH && !path_is_right(&cmd->qp.alt_dest, allowed))
		return cmd->qp.alt_dest.traffic_class;
	return -1;
}

/* The service level that breaks the set of allowed priorities, or -1. */
static __always_inline int command_wrong_sl(const struct verbs_command *cmd, __u32 allowed)
{
	if (cmd->is_ah)
		return sl_allowed(allowed, cmd->ah.attr.sl) ? -1 : cmd->ah.attr.sl;
	if (cmd->qp.attr_mask & IB_QP_AV && !sl_allowed(allowed, cmd->qp.dest.sl))
		return cmd->qp.dest.sl;
	if (cmd->qp.attr_mask & IB_QP_ALT_PATH && !sl_allowed(allowed, cmd->qp.alt_dest.sl))
		return cmd->qp.alt_dest.sl;
	return -1;
}

#endif
