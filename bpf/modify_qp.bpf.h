/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the MODIFY_QP command out of a verbs ioctl, as the application wrote it. Pure functions over
 * user memory: the guard runs them in its hooks, tests/bpf in a syscall program.
 */
#ifndef WARDEN_MODIFY_QP_BPF_H
#define WARDEN_MODIFY_QP_BPF_H

#include "vmlinux.h"
#include <asm/ioctl.h>
#include <bpf/bpf_helpers.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
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

enum parsed { NOT_MODIFY_QP, MODIFY_QP_READ, UNREADABLE };

/*
 * Finds the MODIFY_QP command in a verbs ioctl. The write commands travel as method INVOKE_WRITE of the
 * object DEVICE, with the command number and the command's buffer as attributes in any order, and the
 * kernel ignores attributes that it does not know unless they are marked mandatory
 * (uverbs_ioctl.c, uverbs_set_attr). Both the plain and the extended command start with the same struct.
 */
static __always_inline enum parsed parse_modify_qp(__u64 arg, struct ib_uverbs_modify_qp *cmd, bool sleepable)
{
	__u64 attrs = arg + sizeof(struct ib_uverbs_ioctl_hdr), buffer = 0, number = 0;
	struct ib_uverbs_attr attr[MAX_ATTRS];
	struct ib_uverbs_ioctl_hdr hdr;
	__u32 buffer_len = 0;

	if (read_user(&hdr, sizeof(hdr), arg, sleepable))
		return UNREADABLE;
	if (hdr.object_id != UVERBS_OBJECT_DEVICE || hdr.method_id != UVERBS_METHOD_INVOKE_WRITE)
		return NOT_MODIFY_QP;
	/* All attributes at once: each reading of user memory costs as much as the rest of the verdict. */
	if (hdr.num_attrs > MAX_ATTRS || read_user(attr, hdr.num_attrs * sizeof(*attr), attrs, sleepable))
		return UNREADABLE;
	for (__u32 i = 0; i < MAX_ATTRS; i++) {
		if (i >= hdr.num_attrs)
			break;
		if (attr[i].attr_id == UVERBS_ATTR_CORE_IN) {
			buffer = attr[i].data;
			buffer_len = attr[i].len;
		} else if (attr[i].attr_id == UVERBS_ATTR_WRITE_CMD) {
			number = attr[i].data;
		}
	}
	if (number != IB_USER_VERBS_CMD_MODIFY_QP &&
	    number != (IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_MODIFY_QP))
		return NOT_MODIFY_QP;
	/* A shorter buffer would be refused by the kernel too; one of up to 8 bytes would be inline data. */
	if (buffer_len < sizeof(*cmd) || read_user(cmd, sizeof(*cmd), buffer, sleepable))
		return UNREADABLE;
	return MODIFY_QP_READ;
}

/* The traffic class that breaks the set of allowed DSCPs, or -1. */
static __always_inline int modify_qp_wrong_class(const struct ib_uverbs_modify_qp *cmd, __u64 allowed)
{
	if (cmd->attr_mask & IB_QP_AV && !dscp_allowed(allowed, cmd->dest.traffic_class))
		return cmd->dest.traffic_class;
	if (cmd->attr_mask & IB_QP_ALT_PATH && !dscp_allowed(allowed, cmd->alt_dest.traffic_class))
		return cmd->alt_dest.traffic_class;
	return -1;
}

#endif
