// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does a security hook refuse on this kernel? Each program refuses /dev/null to one process alone, the
 * prober, which then opens it. That a program loads and attaches proves nothing: LSM programs do both
 * where bpf is not an active LSM, and are never called.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EPERM 1
#define DEV_NULL (1 << 20 | 3) /* Documentation/admin-guide/devices.txt */

const volatile __u32 prober; /* tgid */

static __always_inline int refuse(struct file *file)
{
	if (bpf_get_current_pid_tgid() >> 32 != prober || file->f_inode->i_rdev != DEV_NULL)
		return 0;
	return -EPERM;
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(probe_fmod_ret, struct file *file, int ret)
{
	return ret ? ret : refuse(file);
}

SEC("lsm/file_open")
int BPF_PROG(probe_lsm, struct file *file, int ret)
{
	return ret ? ret : refuse(file);
}
