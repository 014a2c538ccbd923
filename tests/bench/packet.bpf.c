// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs of a VF's packets, and one that does nothing, to measure them over. */
#include "vf.bpf.c"

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}
