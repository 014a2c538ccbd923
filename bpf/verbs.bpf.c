// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Inventory of RDMA objects, and the audit of what the kernel was really asked for.
 *
 * hook                                what it does
 * rdma_restrack_add (fexit)           counts protection domains, CQs, QPs, MRs and contexts of processes up
 * rdma_restrack_del (fentry)          and down again: contexts and MRs on every kernel, all kinds on 6.1
 * rdma_restrack_commit_del (fentry)   the rest, on kernels whose removal of an object has two steps
 * ib_modify_qp_with_udata (kprobe)    compares the kernel's own copy of the address vector with the profile:
 *                                     no race on the user's buffer and no other road into the verbs goes past
 * rdma_create_user_ah (kprobe)        the same for an address handle
 * ib_uverbs_write (kprobe)            the exclusive rule for commands by write(2), by killing the stranger
 * ib_uverbs_open, _ioctl, _mmap (kprobe)   the same for what a tracing program of the guard was not asked
 * rdma_nl_rcv (kprobe)                the same for RDMA netlink
 *
 * Needs the BTF of ib_core and ib_uverbs. Refuses nothing; with the reaction "kill" it ends the process whose queue pair
 * the guard did not stop. A device that is not in the map is not counted.
 */
#include "marking.bpf.h"
#include "netlink.bpf.h"
#include "origin.bpf.h"
#include "rdma.h"
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CONTAINER(res, type) ((struct type *)((void *)(res)-bpf_core_field_offset(struct type, res)))

/* The device of a tracked object, or NULL for kinds that are not counted. */
static __always_inline struct ib_device *res_device(struct rdma_restrack_entry *res, enum rdma_restrack_type type)
{
	switch (type) {
	case RDMA_RESTRACK_PD:
		return BPF_CORE_READ(CONTAINER(res, ib_pd), device);
	case RDMA_RESTRACK_CQ:
		return BPF_CORE_READ(CONTAINER(res, ib_cq), device);
	case RDMA_RESTRACK_QP:
		return BPF_CORE_READ(CONTAINER(res, ib_qp), device);
	case RDMA_RESTRACK_MR:
		return BPF_CORE_READ(CONTAINER(res, ib_mr), device);
	case RDMA_RESTRACK_CTX:
		return BPF_CORE_READ(CONTAINER(res, ib_ucontext), device);
	default:
		return NULL;
	}
}

static __always_inline void count_object(struct rdma_restrack_entry *res, int by)
{
	enum rdma_restrack_type type = BPF_CORE_READ(res, type);
	struct warden_device *device;
	struct ib_device *ib;
	__u32 index;

	/* Not what the kernel made for itself (the QP1 of a port and what belongs to it). */
	if (!BPF_CORE_READ(res, valid) || !BPF_CORE_READ(res, user) || type >= OBJECT_COUNT)
		return;
	ib = res_device(res, type);
	if (!ib)
		return;
	index = BPF_CORE_READ(ib, index);
	device = bpf_map_lookup_elem(&devices, &index);
	if (device)
		__sync_fetch_and_add(&device->objects[type], by);
}

SEC("fexit/rdma_restrack_add")
int BPF_PROG(object_added, struct rdma_restrack_entry *res)
{
	count_object(res, 1);
	return 0;
}

SEC("fentry/rdma_restrack_del")
int BPF_PROG(object_deleted, struct rdma_restrack_entry *res)
{
	count_object(res, -1);
	return 0;
}

SEC("fentry/rdma_restrack_commit_del")
int BPF_PROG(object_committed, struct rdma_restrack_entry *res)
{
	count_object(res, -1);
	return 0;
}

/* The traffic class that breaks the profile, or -1: also where there is no global route, and so no class. */
static __always_inline int wrong_class(struct rdma_ah_attr *path, __u64 allowed)
{
	__u8 class = BPF_CORE_READ(path, grh.traffic_class);

	return BPF_CORE_READ(path, ah_flags) & IB_AH_GRH && !dscp_allowed(allowed, class) ? class : -1;
}

/* The claim, if a profile binds its owner. The host's own traffic (storage, say) may have another class. */
static __always_inline const struct warden_claim *marking_claim(__u32 index)
{
	const struct warden_claim *claim = bpf_map_lookup_elem(&claims, &index);

	return claim && claim->marking ? claim : NULL;
}

/* What breaks the profile in the kernel's copy of a command, with the arguments of its event. */
struct marking_finding {
	bool wrong;
	enum warden_rule rule;
	__u64 arg0, arg1;
};

/* The first path that is wrong is the one that is told. */
static __always_inline void judge_path(const struct warden_claim *claim, struct rdma_ah_attr *path,
				       struct marking_finding *f)
{
	int class = wrong_class(path, claim->dscp_allowed);
	__u8 sl = BPF_CORE_READ(path, sl);

	if (f->wrong)
		return;
	if (class >= 0)
		*f = (struct marking_finding){ true, RULE_MARKING_DSCP, marking_arg(class), claim->dscp_allowed };
	else if (!sl_allowed(claim->sl_allowed, sl))
		*f = (struct marking_finding){ true, RULE_MARKING_PRIORITY, sl, claim->sl_allowed };
}

static __always_inline void audit_marking(__u32 index, const struct marking_finding *f)
{
	struct warden_device *device = bpf_map_lookup_elem(&devices, &index);
	const struct warden_settings *s = settings_get();
	struct touch t = { .ib_index = index };
	__u8 reaction;

	if (!device || !s)
		return;
	__sync_fetch_and_add(f->wrong ? &device->marking_wrong : &device->marking_right, 1);
	if (!f->wrong)
		return;
	t.dev = device->uverbs;
	/* By constant places: the verifier of 6.1 does not see that the rule is one of these two. */
	reaction = f->rule == RULE_MARKING_PRIORITY ? s->reactions[RULE_MARKING_PRIORITY]
						    : s->reactions[RULE_MARKING_DSCP];
	/* Only "kill" can be done from here; "deny" was the guard's to do, and what comes here went past it. */
	if (reaction == REACTION_KILL)
		react(&t, s, f->rule, HOOK_LAST, f->arg0, f->arg1);
	else
		report(&t, f->rule, VERDICT_OBSERVED, f->arg0, f->arg1);
}

SEC("kprobe/ib_modify_qp_with_udata")
int BPF_KPROBE(modify_qp_audited, struct ib_qp *qp, struct ib_qp_attr *attr, int mask)
{
	__u32 index = BPF_CORE_READ(qp, device, index);
	const struct warden_claim *claim;
	struct marking_finding f = {};

	if (!(mask & (IB_QP_AV | IB_QP_ALT_PATH)))
		return 0;
	claim = marking_claim(index);
	if (!claim)
		return 0;
	if (mask & IB_QP_AV)
		judge_path(claim, &attr->ah_attr, &f);
	if (mask & IB_QP_ALT_PATH)
		judge_path(claim, &attr->alt_ah_attr, &f);
	audit_marking(index, &f);
	return 0;
}

SEC("kprobe/rdma_create_user_ah")
int BPF_KPROBE(create_ah_audited, struct ib_pd *pd, struct rdma_ah_attr *attr)
{
	__u32 index = BPF_CORE_READ(pd, device, index);
	const struct warden_claim *claim = marking_claim(index);
	struct marking_finding f = {};

	if (!claim)
		return 0;
	judge_path(claim, attr, &f);
	audit_marking(index, &f);
	return 0;
}

/* ---- the last judge ---- */

SEC("kprobe/ib_uverbs_open")
int BPF_KPROBE(open_last, struct inode *inode, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_OPEN);
}

SEC("kprobe/ib_uverbs_ioctl")
int BPF_KPROBE(ioctl_last, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_INHERITED_FD);
}

SEC("kprobe/ib_uverbs_mmap")
int BPF_KPROBE(mmap_last, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_MMAP);
}

SEC("kprobe/ib_uverbs_write")
int BPF_KPROBE(write_last, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_INHERITED_FD);
}

SEC("kprobe/rdma_nl_rcv")
int BPF_KPROBE(netlink_last, struct sk_buff *skb)
{
	if (!caller_is_dying())
		judge_netlink(skb, HOOK_LAST);
	return 0;
}
