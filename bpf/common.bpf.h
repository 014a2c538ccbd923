/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every program needs: counters, settings, the caller, and an event begun. */
#ifndef WARDEN_COMMON_BPF_H
#define WARDEN_COMMON_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "maps.bpf.h"

static __always_inline void count(enum warden_counter counter)
{
	__u32 key = counter;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		*value += 1; /* per CPU; a preempting program on the same CPU may cost one count */
}

static __always_inline const struct warden_settings *settings_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/* Read directly, not by helpers: each touch of a device asks. */
static __always_inline __u64 caller_netns_cookie(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	return task->nsproxy->net_ns->net_cookie;
}

#define TICK_NS 10000000 /* of USER_HZ, 100 on every architecture but two that RDMA is not on */

/* Also from inside a pod's netns, where it fetches devices. With its start, since a tgid comes to others after its end. */
static __always_inline bool caller_is_warden(const struct warden_settings *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	return s->warden == bpf_get_current_pid_tgid() >> 32 &&
	       s->warden_start == BPF_CORE_READ(task, group_leader, start_boottime) / TICK_NS;
}

static __always_inline bool below(const struct warden_cgroup *cgroup)
{
	return cgroup->id && bpf_get_current_ancestor_cgroup_id(cgroup->level) == cgroup->id;
}

/* ---- the caller's pod ---- */

/* By its cgroup, which is one (guaranteed) or two (burstable, best-effort) levels below that of all pods. */
static __always_inline const struct warden_pod_ref *pod_by_cgroup(const struct warden_settings *s)
{
	for (int i = 0; i < WARDEN_POD_CGROUPS; i++) {
		if (!below(&s->pods[i]))
			continue;
		for (int depth = 1; depth <= 2; depth++) {
			__u64 id = bpf_get_current_ancestor_cgroup_id(s->pods[i].level + depth);
			const struct warden_pod_ref *ref = bpf_map_lookup_elem(&pod_cgroups, &id);

			if (ref)
				return ref;
		}
	}
	return NULL;
}

/* Of pods without a cgroup: whoever has entered a pod's netns without being of its cgroup is not the pod. */
static __always_inline const struct warden_pod_ref *pod_by_netns(__u64 cookie)
{
	const struct warden_pod_ref *ref = bpf_map_lookup_elem(&pod_netns, &cookie);
	const struct warden_pod *pod;
	__u32 slot;

	if (!ref)
		return NULL;
	slot = ref->slot;
	pod = bpf_map_lookup_elem(&pods, &slot);
	return pod && pod->generation == ref->generation && !pod->cgroup_id ? ref : NULL;
}

static __always_inline void event_set_pod(struct warden_event *e)
{
	const struct warden_settings *s = settings_get();
	const struct warden_pod_ref *ref = s ? pod_by_cgroup(s) : NULL;

	if (!ref)
		ref = pod_by_netns(e->netns_cookie);
	if (!ref)
		return;
	e->pod_slot = ref->slot;
	e->pod_generation = ref->generation;
}

/* ---- events ---- */

/* The actor, and nothing else. */
static __always_inline void event_fill(struct warden_event *e, enum warden_event_kind kind, enum warden_rule rule)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_boot_ns();
	e->kind = kind;
	e->rule = rule;
	e->ib_index = WARDEN_NO_INDEX;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->uid = bpf_get_current_uid_gid();
	e->netns_inum = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	e->netns_cookie = BPF_CORE_READ(task, nsproxy, net_ns, net_cookie);
	e->cgroup_id = bpf_get_current_cgroup_id();
	event_set_pod(e);
	bpf_get_current_comm(e->comm, sizeof(e->comm));
}

/* An event with the actor filled in, to be completed and submitted; NULL (counted) when the ring is full. */
static __always_inline struct warden_event *event_begin(enum warden_event_kind kind, enum warden_rule rule)
{
	struct warden_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count(COUNTER_LOST_EVENTS);
		return NULL;
	}
	event_fill(e, kind, rule);
	return e;
}

static __always_inline void event_submit(struct warden_event *e)
{
	count(COUNTER_EVENTS);
	bpf_ringbuf_submit(e, 0);
}

#endif
