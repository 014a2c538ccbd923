// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The exclusive rule at the device cgroup, for kernels where no security hook can refuse.
 *
 * Attached to the root of cgroup v2, above every pod: a container runtime that replaces the program of its container's
 * cgroup does not touch this one, and the kernel asks both. It is asked for each open of a device node (and for mknod),
 * by whatever path, and for nothing else: what comes after the open is left to the fentry programs of the guard.
 *
 * Failure: as the guard's; the rule is the same function. It cannot kill: the reaction "kill" refuses.
 */
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("cgroup/dev")
int open_devcg(struct bpf_cgroup_dev_ctx *ctx)
{
	struct touch t = { .dev = ctx->major << 20 | (ctx->minor & 0xfffff) };
	const struct warden_settings *s = settings_get();

	if ((ctx->access_type & 0xffff) != BPF_DEVCG_DEV_CHAR || !s || !is_rdma_major(ctx->major))
		return 1;
	return judge_touch(&t, s, RULE_EXCLUSIVE_OPEN, HOOK_REFUSES) == 0;
}
