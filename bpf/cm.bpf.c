// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Connections (rdma_cm).
 *
 * hook                  what it does
 * ucma_write (kprobe)   the exclusive rule for a descriptor of rdma_cm that was opened elsewhere or earlier: its commands
 *                       act in the netns of the caller, with the devices that are there
 * ucma_open (kprobe)    the same for an open that a tracing program of the guard was not asked
 * ucma_close (fentry)   nothing; a kprobe does not keep the module from being unloaded, and would not come back with it
 *
 * Needs the BTF of rdma_ucm.
 */
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

SEC("fentry/ucma_close")
int BPF_PROG(cm_held)
{
	return 0;
}
