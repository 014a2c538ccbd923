// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The guard: who may touch an RDMA character device, and which DSCP its queue pairs may ask for.
 *
 * hook                          what it does
 * cdev_device_add (fentry)      learns the dev_t of each uverbs, umad and issm node before it can be opened
 * cdev_device_del (fentry)      forgets it, so that a recycled dev_t never meets the old entry
 * security_file_open            the exclusive rule
 * security_file_ioctl(_compat)  the exclusive rule for a descriptor that was opened elsewhere or earlier,
 *                               and the DSCP verdict on MODIFY_QP
 *
 * The security hooks come twice, as fmod_ret and as LSM programs; the loader takes the set that works on
 * the running kernel. The object needs nothing but vmlinux BTF, so it is in force before any RDMA module
 * is loaded, and stays in force, by its pins, when wardend is gone.
 *
 * Failure: what cannot be read is refused where the device is claimed and the rule enforced. A node that
 * is not in the map of character devices is judged as unclaimed: the host may, a pod may not.
 */
#include "common.bpf.h"
#include "modify_qp.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EPERM 1
#define EACCES 13
#define SIGKILL 9

/* ---- character devices ---- */

static __always_inline bool starts_with(const char *s, const char *prefix, int len)
{
	for (int i = 0; i < len; i++)
		if (s[i] != prefix[i])
			return false;
	return true;
}

static __always_inline __u32 cdev_kind(struct device *dev)
{
	char class_name[20] = {}, name[5] = {};

	bpf_probe_read_kernel_str(class_name, sizeof(class_name), BPF_CORE_READ(dev, class, name));
	if (!starts_with(class_name, "infiniband_", 11))
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dev, kobj.name));
	if (starts_with(name, "uver", 4))
		return CDEV_UVERBS;
	if (starts_with(name, "umad", 4))
		return CDEV_UMAD;
	return starts_with(name, "issm", 4) ? CDEV_ISSM : 0;
}

static __always_inline void major_seen(__u32 major)
{
	__u32 zero = 0;
	struct warden_majors *m = bpf_map_lookup_elem(&majors, &zero);

	if (m)
		__sync_fetch_and_or(&m->bits[(major / 64) % (WARDEN_MAJORS / 64)], 1ull << (major % 64));
}

SEC("fentry/cdev_device_add")
int BPF_PROG(cdev_added, struct cdev *cdev, struct device *dev)
{
	struct warden_cdev c = { .kind = cdev_kind(dev), .ib_index = WARDEN_NO_INDEX };
	__u32 devt = BPF_CORE_READ(dev, devt);

	if (!c.kind)
		return 0;
	if (bpf_map_update_elem(&cdevs, &devt, &c, BPF_ANY))
		count(COUNTER_LOST_CDEVS);
	major_seen(devt >> 20);
	return 0;
}

SEC("fentry/cdev_device_del")
int BPF_PROG(cdev_deleted, struct cdev *cdev, struct device *dev)
{
	__u32 devt = BPF_CORE_READ(dev, devt);

	if (cdev_kind(dev))
		bpf_map_delete_elem(&cdevs, &devt);
	return 0;
}

/* ---- the exclusive rule ---- */

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

/* Fills in the touch and judges it: 0, or -EPERM after an event. */
static __always_inline int judge_touch(struct touch *t, const struct warden_settings *s, enum warden_rule rule)
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
	report(t, rule, VERDICT_DENIED, 0, 0);
	return -EPERM;
}

static __always_inline int guard_open(struct file *file)
{
	const struct warden_settings *s;
	struct touch t = {};

	if (!is_rdma_node(file, &t.dev))
		return 0;
	s = settings_get();
	return s ? judge_touch(&t, s, RULE_EXCLUSIVE_OPEN) : 0;
}

/* ---- the DSCP verdict on MODIFY_QP ---- */

/* 0, or -EACCES after an event. Called for the owner of a claimed device. */
static __always_inline int refuse_marking(const struct touch *t, const struct warden_settings *s, enum warden_rule rule,
					  __u8 traffic_class)
{
	bool refuse = s->mode == MODE_ENFORCE && s->on_violation != REACTION_OBSERVE;
	bool kill = refuse && s->on_violation == REACTION_KILL;

	if (!refuse) {
		/* What passes here is seen again, and reported, by the audit of the kernel's copy. */
		if (!s->kernel_copy_audited)
			report(t, rule, VERDICT_OBSERVED, traffic_class >> 2, s->dscp_allowed);
		return 0;
	}
	if (kill)
		bpf_send_signal(SIGKILL);
	report(t, rule, kill ? VERDICT_KILLED : VERDICT_DENIED, traffic_class >> 2, s->dscp_allowed);
	return -EACCES;
}

static __always_inline int judge_marking(const struct touch *t, const struct warden_settings *s, __u64 arg,
					 bool sleepable)
{
	struct ib_uverbs_modify_qp cmd;
	int wrong;

	switch (parse_modify_qp(arg, &cmd, sleepable)) {
	case NOT_MODIFY_QP:
		return 0;
	case UNREADABLE:
		count(COUNTER_UNREADABLE_COMMANDS);
		return refuse_marking(t, s, RULE_MARKING_UNVERIFIED, 0);
	case MODIFY_QP_READ:
		break;
	}
	wrong = modify_qp_wrong_class(&cmd, s->dscp_allowed);
	return wrong < 0 ? 0 : refuse_marking(t, s, RULE_MARKING_DSCP, wrong);
}

static __always_inline int guard_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool sleepable)
{
	const struct warden_settings *s;
	struct touch t = {};
	int refused;

	if (!is_rdma_node(file, &t.dev))
		return 0;
	s = settings_get();
	if (!s)
		return 0;
	refused = judge_touch(&t, s, RULE_EXCLUSIVE_INHERITED_FD);
	if (refused || !s->marking || !t.claim || cmd != RDMA_VERBS_IOCTL)
		return refused;
	return judge_marking(&t, s, arg, sleepable);
}

/* ---- the hooks, in both forms; `ret` is the verdict of the program before ---- */

SEC("fmod_ret/security_file_open")
int BPF_PROG(open_fmod_ret, struct file *file, int ret)
{
	return ret ? ret : guard_open(file);
}

SEC("fmod_ret/security_file_ioctl")
int BPF_PROG(ioctl_fmod_ret, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, false);
}

SEC("fmod_ret/security_file_ioctl_compat")
int BPF_PROG(compat_fmod_ret, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, false);
}

SEC("lsm/file_open")
int BPF_PROG(open_lsm, struct file *file, int ret)
{
	return ret ? ret : guard_open(file);
}

SEC("lsm.s/file_ioctl")
int BPF_PROG(ioctl_lsm, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, true);
}

SEC("lsm/file_ioctl_compat") /* not among the kernel's sleepable hooks */
int BPF_PROG(compat_lsm, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, false);
}
