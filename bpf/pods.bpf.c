// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which pods there are: a pod is known when a process of it is executed, before that process runs an instruction of its own.
 *
 * hook                            what it does
 * sched_process_exec (tp_btf)     a process below one of settings.pods (the kubelet's cgroups): once for each cgroup and
 *                                 netns, a record with ids and names of the cgroups down to the container's
 * cgroup_rmdir (tp_btf)           the cgroup of a pod is gone, or one that may have been a pod's
 *
 * wardend makes slots of the records (user/track/slots.c); the programs of the other files name an event's pod by slot.
 *
 * Nothing is refused here. Failure leaves an event without a pod's name, until wardend hears of the pod from another
 * source: when the ring is full (lost.events grows, and the next exec of that cgroup tells), when a process was there before
 * these programs, when a pod's process never executes another program, and when the kernel skips a call (as guard.bpf.c
 * has it).
 *
 * Cost: an exec outside pods pays one look-up and, for each cgroup of pods that is configured, a comparison (measured by
 * tests/bench/exec.c); one in a pod a look-up in a hash more. Opens and ioctls pay nothing.
 */
#include "common.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A pair that was told; and of cgroups above it, which may be the pod's, the one with netns 0. */
struct pod_leaf {
	__u64 cgroup_id;
	__u64 netns_cookie;
};

#define POD_DEPTHS 2 /* the pod's own cgroup is one or two levels below that of all pods */

/* Full: the pair that has not executed anything for the longest time gives way, and is told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WARDEN_MAX_POD_LEAVES);
	__type(key, struct pod_leaf);
	__type(value, __u8); /* not used */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pod_leaves SEC(".maps") __weak;

/* The cgroups on the way down from that level: `levels` of them at most. */
static __always_inline void names_read(struct warden_pod_event *e, struct task_struct *task, __u32 level)
{
	struct cgroup *leaf = BPF_CORE_READ(task, cgroups, dfl_cgrp), *cgroup;
	struct cgroup **ancestors = (void *)leaf + bpf_core_field_offset(struct cgroup, ancestors);
	__u32 depth = BPF_CORE_READ(leaf, level);

	for (int i = 0; i < WARDEN_POD_LEVELS; i++) {
		if (level + i > depth || bpf_probe_read_kernel(&cgroup, sizeof(cgroup), ancestors + level + i))
			return;
		e->cgroup_id[i] = BPF_CORE_READ(cgroup, kn, id);
		bpf_probe_read_kernel_str(e->cgroup_name[i], sizeof(e->cgroup_name[i]),
					  BPF_CORE_READ(cgroup, kn, name));
		e->levels = i + 1;
	}
}

/* So that the end of each is told behind this record, whether wardend has read it by then or not. */
static __always_inline void remember_above(const struct warden_pod_event *e)
{
	struct pod_leaf above = {};
	__u8 told = 1;

	for (int i = 0; i < POD_DEPTHS; i++) {
		above.cgroup_id = e->cgroup_id[1 + i];
		if (above.cgroup_id)
			bpf_map_update_elem(&pod_leaves, &above, &told, BPF_ANY);
	}
}

static __always_inline void tell_process(struct task_struct *task, __u32 level)
{
	struct pod_leaf leaf = { .cgroup_id = bpf_get_current_cgroup_id(), .netns_cookie = caller_netns_cookie() };
	struct warden_pod_event *e;
	__u8 told = 1;

	if (bpf_map_lookup_elem(&pod_leaves, &leaf))
		return;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(COUNTER_LOST_EVENTS);
		return;
	}
	__builtin_memset((void *)e + sizeof(e->event), 0, sizeof(*e) - sizeof(e->event));
	event_fill(&e->event, EVENT_CHANGE, RULE_POD_PROCESS);
	e->first_netns_cookie =
		BPF_CORE_READ(task, nsproxy, pid_ns_for_children, child_reaper, nsproxy, net_ns, net_cookie);
	names_read(e, task, level);
	remember_above(e);
	event_submit(&e->event);
	bpf_map_update_elem(&pod_leaves, &leaf, &told, BPF_ANY);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_executed, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	const struct warden_settings *s = settings_get();

	for (int i = 0; s && i < WARDEN_POD_CGROUPS; i++) {
		if (!below(&s->pods[i]))
			continue;
		tell_process(task, s->pods[i].level);
		break;
	}
	return 0;
}

/* Of the v2 hierarchy, which is number 0 (cgroups(7)); a v1 one has ids of its own. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_removed, struct cgroup *cgroup, const char *path)
{
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	struct pod_leaf above = { .cgroup_id = id };
	struct warden_event *e;

	if (!bpf_map_lookup_elem(&pod_cgroups, &id) && !bpf_map_lookup_elem(&pod_leaves, &above))
		return 0;
	if (BPF_CORE_READ(cgroup, root, hierarchy_id))
		return 0;
	bpf_map_delete_elem(&pod_leaves, &above);
	e = event_begin(EVENT_CHANGE, RULE_POD_END);
	if (!e)
		return 0;
	e->arg[0] = id;
	event_submit(e);
	return 0;
}
