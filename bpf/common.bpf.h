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

/* An event with the actor filled in, to be completed and submitted; NULL (counted) when the ring is full. */
static __always_inline struct warden_event *event_begin(enum warden_event_kind kind, enum warden_rule rule)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct warden_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count(COUNTER_LOST_EVENTS);
		return NULL;
	}
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
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	return e;
}

static __always_inline void event_submit(struct warden_event *e)
{
	count(COUNTER_EVENTS);
	bpf_ringbuf_submit(e, 0);
}

#endif
