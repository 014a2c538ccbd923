// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Management datagrams (umad).
 *
 * hook                     what it does
 * ib_umad_write (fentry)   the exclusive rule for a descriptor of a umad node that was opened elsewhere or earlier
 *
 * Needs the BTF of ib_umad.
 */
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("fentry/ib_umad_write")
int BPF_PROG(umad_write_audited, struct file *file)
{
	return audit_write(file);
}
