/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The exclusive rule itself: what a touch of an RDMA character device is, and whether its caller may. */
#ifndef WARDEN_TOUCH_BPF_H
#define WARDEN_TOUCH_BPF_H

#include <asm/ptrace.h>
#include "common.bpf.h"

#define EPERM 1
#define SIGKILL 9
#define MISC_MAJOR 10 /* Documentation/admin-guide/devices.txt */
#define MAX_CGROUP_DEPTH 16 /* of an owner's cgroup; kubelet's are 4 to 6 deep */

/*
 * What the hook of a verdict can do: a cgroup device program cannot kill, a program at a function's entry not refuse.
 * HOOK_LAST kills too, and comes behind one of the others.
 */
enum hook_power { HOOK_REFUSES, HOOK_REFUSES_AND_KILLS, HOOK_KILLS, HOOK_LAST };

/* One touch of a node of the RDMA stack. */
struct touch {
	__u32 dev;
	__u32 ib_index;
	__u32 kind;
	const struct warden_claim *claim; /* NULL: unclaimed */
	bool judged_again; /* by a later program (judge_last), to which it is left to tell what is only observed */
};

static __always_inline bool is_rdma_major(__u32 major)
{
	__u32 zero = 0;
	struct warden_majors *m = bpf_map_lookup_elem(&majors, &zero);

	return m && m->bits[(major / 64) % (WARDEN_MAJORS / 64)] >> (major % 64) & 1;
}

/* Whether the file may be a node of the RDMA stack; the test that every open on the node pays for. */
static __always_inline bool is_rdma_node(struct file *file, __u32 *dev)
{
	struct inode *inode = file->f_inode;

	if (!inode || (inode->i_mode & S_IFMT) != S_IFCHR) /* without an inode it is no device */
		return false;
	*dev = inode->i_rdev;
	return is_rdma_major(*dev >> 20);
}

static __always_inline bool owns(const struct warden_claim *claim)
{
	if (claim->netns_cookie != caller_netns_cookie())
		return false;
	return !claim->cgroup_id || bpf_get_current_ancestor_cgroup_id(claim->cgroup_level) == claim->cgroup_id;
}

static __always_inline bool below_one_of(const struct warden_cgroup *cgroups, int count)
{
	for (int i = 0; i < count; i++)
		if (below(&cgroups[i]))
			return true;
	return false;
}

/* In a pod's cgroup, and in none that the configuration makes the host's again. */
static __always_inline bool caller_is_pod(const struct warden_settings *s)
{
	return below_one_of(s->pods, WARDEN_POD_CGROUPS) && !below_one_of(s->hosts, WARDEN_HOST_CGROUPS);
}

/* The host: in the initial netns, and no pod that shares it (hostNetwork). */
static __always_inline bool caller_is_host(const struct warden_settings *s)
{
	return caller_netns_cookie() == s->host_netns_cookie && !caller_is_pod(s);
}

/*
 * Whoever moves devices on the host's behalf does part of it from inside the pod's netns (rdma-cni does, to bring
 * a device back), so here the cgroup decides wherever the pods' cgroups are known.
 */
static __always_inline bool caller_acts_for_host(const struct warden_settings *s)
{
	bool known = false;

	for (int i = 0; i < WARDEN_POD_CGROUPS; i++)
		known |= s->pods[i].id != 0;
	if (caller_is_pod(s))
		return false;
	return known || caller_netns_cookie() == s->host_netns_cookie;
}

/* The owner of any device: by netns alone, or by a cgroup that the caller is in or below. */
static __always_inline bool caller_owns_some(void)
{
	struct warden_owner owner = { .netns_cookie = caller_netns_cookie() };

	if (bpf_map_lookup_elem(&owners, &owner))
		return true;
	for (int level = 1; level <= MAX_CGROUP_DEPTH; level++) {
		owner.cgroup_id = bpf_get_current_ancestor_cgroup_id(level);
		if (!owner.cgroup_id)
			return false;
		if (bpf_map_lookup_elem(&owners, &owner))
			return true;
	}
	return false;
}

static __always_inline bool may_touch(const struct touch *t, const struct warden_settings *s)
{
	if (t->kind == CDEV_UMAD || t->kind == CDEV_ISSM)
		return s->umad_for_host && caller_is_host(s);
	if (t->kind == CDEV_RDMA_CM)
		return caller_is_host(s) || caller_owns_some();
	if (t->claim)
		return owns(t->claim);
	return caller_is_host(s);
}

/*
 * Tells a violation, or counts it into the equal one that was told within the window. An update that meets the sweep
 * of wardend may count for nobody; it is never told twice.
 */
static __always_inline void report(const struct touch *t, enum warden_rule rule, enum warden_verdict verdict,
				   __u64 arg0, __u64 arg1)
{
	struct warden_merge_key key = { .netns_cookie = caller_netns_cookie(),
					.cgroup_id = bpf_get_current_cgroup_id(),
					.arg = arg0,
					.rule = rule,
					.verdict = verdict,
					.dev = t->dev,
					.ib_index = t->ib_index,
					.pid = bpf_get_current_pid_tgid() >> 32,
					.uid = bpf_get_current_uid_gid() };
	struct warden_merge *m = bpf_map_lookup_elem(&merges, &key), fresh = { .arg = arg1 };
	__u64 now = bpf_ktime_get_boot_ns();
	struct warden_event *e;

	count(verdict == VERDICT_OBSERVED ? COUNTER_OBSERVED : COUNTER_DENIED);
	if (m && now - m->told_ns < MERGE_WINDOW_NS) {
		__sync_fetch_and_add(&m->merged, 1);
		count(COUNTER_MERGED);
		return;
	}
	e = event_begin(EVENT_VIOLATION, rule);
	if (!e)
		return;
	e->verdict = verdict;
	e->dev = t->dev;
	e->ib_index = t->ib_index;
	e->arg[0] = arg0;
	e->arg[1] = arg1;
	fresh.told_ns = now;
	fresh.netns_inum = e->netns_inum;
	fresh.pod_slot = e->pod_slot;
	fresh.pod_generation = e->pod_generation;
	if (m) {
		m->told_ns = now;
		e->merged = __sync_lock_test_and_set(&m->merged, 0);
	}
	event_submit(e);
	if (m)
		return;
	bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
	bpf_map_update_elem(&merges, &key, &fresh, BPF_NOEXIST);
}

/* Where the compiler knows that a rule is within bounds and the verifier does not, the bound is still to be there. */
static __always_inline enum warden_reaction reaction_to(const struct warden_settings *s, __u32 rule)
{
	barrier_var(rule);
	return s->reactions[rule % WARDEN_MAX_RULES];
}

/* Does with a broken rule what is configured, as far as the hook can: 0 (let it pass), or -EPERM. */
static __always_inline int react(const struct touch *t, const struct warden_settings *s, enum warden_rule rule,
				 enum hook_power power, __u64 arg0, __u64 arg1)
{
	enum warden_reaction reaction = reaction_to(s, rule);
	bool kill = power >= HOOK_KILLS || (reaction == REACTION_KILL && power == HOOK_REFUSES_AND_KILLS);

	if (reaction == REACTION_OBSERVE) {
		if (!t->judged_again)
			report(t, rule, VERDICT_OBSERVED, arg0, arg1);
		return 0;
	}
	if (kill)
		bpf_send_signal(SIGKILL);
	report(t, rule, kill ? VERDICT_KILLED : VERDICT_DENIED, arg0, arg1);
	return -EPERM;
}

/* Fills in the touch and judges it: 0, or -EPERM after an event. */
static __always_inline int judge_touch(struct touch *t, const struct warden_settings *s, enum warden_rule rule,
				       enum hook_power power)
{
	struct warden_cdev *c = bpf_map_lookup_elem(&cdevs, &t->dev);

	if (!c && t->dev >> 20 == MISC_MAJOR)
		return 0; /* rdma_cm shares its major with what is not RDMA */
	count(COUNTER_TOUCHES);
	t->ib_index = WARDEN_NO_INDEX;
	if (!c) {
		/* The major is of the RDMA stack, the node unknown: its owner cannot be told, so nobody may. */
		count(COUNTER_UNKNOWN_NODES);
		return react(t, s, rule, power, 0, 0);
	}
	t->kind = c->kind;
	t->ib_index = c->ib_index;
	t->claim = bpf_map_lookup_elem(&claims, &t->ib_index);
	/* A descriptor that is passed comes by no function of its device. */
	t->judged_again = power != HOOK_LAST && rule != RULE_EXCLUSIVE_FD_PASS && s->judged_twice >> t->kind & 1;
	if (may_touch(t, s))
		return 0;
	if (t->kind == CDEV_UMAD || t->kind == CDEV_ISSM)
		rule = RULE_EXCLUSIVE_UMAD;
	return react(t, s, rule, power, 0, 0);
}

/* Open, pass, map: a touch by the caller, and nothing else to judge. */
static __always_inline int guard_touch(struct file *file, enum warden_rule rule, enum hook_power power)
{
	const struct warden_settings *s;
	struct touch t = {};

	if (!file || !is_rdma_node(file, &t.dev))
		return 0;
	s = settings_get();
	return s ? judge_touch(&t, s, rule, power) : 0;
}

/* He has been judged already, and does not live to see what his call gives. */
static __always_inline bool caller_is_dying(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	return task->pending.signal.sig[0] >> (SIGKILL - 1) & 1;
}

/*
 * The last judge of a touch, a kprobe at the device's own function: behind the security hooks, and alone where there is
 * none (a command by write(2)). Its handler runs with preemption disabled, so the kernel gives it every call, unlike a
 * tracing program (guard.bpf.c). It does not refuse: the first command of a stranger is carried out, and he does not live
 * to send a second one.
 */
static __always_inline int judge_last(struct file *file, enum warden_rule rule)
{
	struct touch t = { .dev = BPF_CORE_READ(file, f_inode, i_rdev) };
	const struct warden_settings *s = settings_get();

	if (s && !caller_is_dying())
		judge_touch(&t, s, rule, HOOK_LAST);
	return 0;
}

#endif
