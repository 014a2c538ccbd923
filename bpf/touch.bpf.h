/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The exclusive rule itself: what a touch of an RDMA character device is, and whether its caller may. */
#ifndef WARDEN_TOUCH_BPF_H
#define WARDEN_TOUCH_BPF_H

#include "common.bpf.h"

#define EPERM 1

/* One touch of a node of the RDMA stack. */
struct touch {
	__u32 dev;
	__u32 ib_index;
	__u32 kind;
	const struct warden_claim *claim; /* NULL: unclaimed */
};

/* Whether the file is a node of the RDMA stack; the test that every open on the node pays for. */
static __always_inline bool is_rdma_node(struct file *file, __u32 *dev)
{
	struct inode *inode = file->f_inode;
	struct warden_majors *m;
	__u32 zero = 0, major;

	if (!inode || (inode->i_mode & S_IFMT) != S_IFCHR)
		return false;
	*dev = inode->i_rdev;
	major = *dev >> 20;
	m = bpf_map_lookup_elem(&majors, &zero);
	return m && m->bits[(major / 64) % (WARDEN_MAJORS / 64)] >> (major % 64) & 1;
}

static __always_inline bool owns(const struct warden_claim *claim)
{
	if (claim->netns_cookie != caller_netns_cookie())
		return false;
	return !claim->cgroup_id || bpf_get_current_ancestor_cgroup_id(claim->cgroup_level) == claim->cgroup_id;
}

static __always_inline bool below(const struct warden_cgroup *cgroup)
{
	return cgroup->id && bpf_get_current_ancestor_cgroup_id(cgroup->level) == cgroup->id;
}

/* The host: in the initial netns, and no pod that shares it (hostNetwork). */
static __always_inline bool caller_is_host(const struct warden_settings *s)
{
	if (caller_netns_cookie() != s->host_netns_cookie)
		return false;
	for (int i = 0; i < WARDEN_POD_CGROUPS; i++)
		if (below(&s->pods[i]))
			return false;
	return true;
}

static __always_inline bool may_touch(const struct touch *t, const struct warden_settings *s)
{
	if (t->kind == CDEV_UMAD || t->kind == CDEV_ISSM)
		return s->umad_for_host && caller_is_host(s);
	if (t->claim)
		return owns(t->claim);
	return caller_is_host(s);
}

static __always_inline void report(const struct touch *t, enum warden_rule rule, enum warden_verdict verdict,
				   __u64 arg0, __u64 arg1)
{
	struct warden_event *e;

	count(verdict == VERDICT_OBSERVED ? COUNTER_OBSERVED : COUNTER_DENIED);
	e = event_begin(EVENT_VIOLATION, rule);
	if (!e)
		return;
	e->verdict = verdict;
	e->dev = t->dev;
	e->ib_index = t->ib_index;
	e->arg[0] = arg0;
	e->arg[1] = arg1;
	event_submit(e);
}

/*
 * Fills in the touch and judges it: 0, or -EPERM after an event. `how` is the verdict that a refusal is reported
 * as: denied, or killed where the hook cannot refuse and the caller of this function sends the signal.
 */
static __always_inline int judge_touch(struct touch *t, const struct warden_settings *s, enum warden_rule rule,
				       enum warden_verdict how)
{
	struct warden_cdev *c = bpf_map_lookup_elem(&cdevs, &t->dev);

	/* The major is of the RDMA stack but the node is unknown: not yet learnt, or the map was full. */
	t->kind = c ? c->kind : CDEV_UVERBS;
	t->ib_index = c ? c->ib_index : WARDEN_NO_INDEX;
	t->claim = bpf_map_lookup_elem(&claims, &t->ib_index);
	count(COUNTER_TOUCHES);
	if (may_touch(t, s))
		return 0;
	if (t->kind != CDEV_UVERBS)
		rule = RULE_EXCLUSIVE_UMAD;
	if (s->mode != MODE_ENFORCE) {
		report(t, rule, VERDICT_OBSERVED, 0, 0);
		return 0;
	}
	report(t, rule, how, 0, 0);
	return -EPERM;
}

#endif
