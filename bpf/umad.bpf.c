// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Management datagrams (umad).
 *
 * hook                     what it does
 * ib_umad_write (kprobe)   the exclusive rule for a descriptor of a umad node that was opened elsewhere or earlier
 * ib_umad_open, ib_umad_sm_open, ib_umad_ioctl (kprobe)   the same for what a tracing program of the guard was not asked
 * ib_umad_close (fentry)   nothing; a kprobe does not keep the module from being unloaded, and would not come back with it
 *
 * Needs the BTF of ib_umad.
 */
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("kprobe/ib_umad_open")
int BPF_KPROBE(umad_open_last, struct inode *inode, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_UMAD);
}

SEC("kprobe/ib_umad_sm_open")
int BPF_KPROBE(issm_open_last, struct inode *inode, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_UMAD);
}

SEC("kprobe/ib_umad_ioctl")
int BPF_KPROBE(umad_ioctl_last, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_UMAD);
}

SEC("kprobe/ib_umad_write")
int BPF_KPROBE(umad_write_last, struct file *file)
{
	return judge_last(file, RULE_EXCLUSIVE_UMAD);
}

SEC("fentry/ib_umad_close")
int BPF_PROG(umad_held)
{
	return 0;
}
