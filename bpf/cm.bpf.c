// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Connections (rdma_cm).
 *
 * hook                  what it does
 * ucma_write (fentry)   the exclusive rule for a descriptor of rdma_cm that was opened elsewhere or earlier: its commands
 *                       act in the netns of the caller, with the devices that are there
 *
 * Needs the BTF of rdma_ucm.
 */
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("fentry/ucma_write")
int BPF_PROG(cm_write_audited, struct file *file)
{
	return audit_write(file);
}
