// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Connections (rdma_cm).
 *
 * hook                  what it does
 * ucma_write (kprobe)   the exclusive rule for a descriptor of rdma_cm that was opened elsewhere or earlier: its commands
 *                       act in the netns of the caller, with the devices that are there
 * ucma_open (kprobe)    the same for an open that a tracing program of the guard was not asked
 * rdma_init_qp_attr (fexit)   notes the traffic class that rdma_cm gives an application for its queue pair: its ToS option,
 *                       else the device's default_roce_tos (configfs) or, on the side that was called, what the caller asked
 * ucma_close (fentry)   nothing; a kprobe does not keep the module from being unloaded, and would not come back with it
 *
 * Needs the BTF of rdma_ucm and rdma_cm.
 */
#include "marking.bpf.h"
#include "rdma.h"
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("kprobe/ucma_open")
int BPF_KPROBE(cm_open_last, struct inode *inode, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_OPEN);
}

SEC("kprobe/ucma_write")
int BPF_KPROBE(cm_write_last, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_INHERITED_FD);
}

SEC("fexit/rdma_init_qp_attr")
int BPF_PROG(cm_class_given, struct rdma_id_private *id, struct ib_qp_attr *attr, int *mask, int err)
{
	struct warden_cm_class given = { .origin = ORIGIN_CM_DEFAULT };
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	int set = 0;

	bpf_probe_read_kernel(&set, sizeof(set), mask);
	if (err || !(set & IB_QP_AV))
		return 0;
	given.traffic_class = BPF_CORE_READ(attr, ah_attr.grh.traffic_class);
	if (BPF_CORE_READ_BITFIELD_PROBED(id, tos_set) && BPF_CORE_READ(id, tos) == given.traffic_class)
		given.origin = ORIGIN_CM_OPTION;
	bpf_map_update_elem(&cm_classes, &tgid, &given, BPF_ANY);
	return 0;
}

SEC("fentry/ucma_close")
int BPF_PROG(cm_held)
{
	return 0;
}
