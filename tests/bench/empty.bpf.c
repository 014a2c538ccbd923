// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Nothing, on the hooks that the figures are about: what any program there costs, whatever it does. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("lsm/file_open")
int open_lsm(void *ctx)
{
	return 0;
}

SEC("fmod_ret/security_file_open")
int open_fmod_ret(void *ctx)
{
	return 0;
}

SEC("lsm.s/file_ioctl")
int ioctl_lsm(void *ctx)
{
	return 0;
}

SEC("fmod_ret/security_file_ioctl")
int ioctl_fmod_ret(void *ctx)
{
	return 0;
}
