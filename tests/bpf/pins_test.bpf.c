// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Two programs on one map, to be pinned, replaced and compared. What they hook on any kernel has. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} shared SEC(".maps");

static __always_inline void put(__u64 value)
{
	__u32 zero = 0;

	bpf_map_update_elem(&shared, &zero, &value, BPF_ANY);
}

SEC("tp_btf/sched_process_exit")
int one(void *ctx)
{
	put(1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int other(void *ctx)
{
	put(2);
	return 0;
}
