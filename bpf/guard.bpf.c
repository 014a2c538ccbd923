// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The guard: who may touch an RDMA character device, and which DSCP its queue pairs may ask for.
 *
 * hook                          what it does
 * cdev_device_add (fentry)      learns the dev_t of each uverbs, umad and issm node before it can be opened
 * cdev_device_del (fentry)      forgets it, so that a recycled dev_t never meets the old entry
 * security_file_open            the exclusive rule
 * security_file_receive         the same for a descriptor that comes over SCM_RIGHTS or pidfd_getfd
 * security_mmap_file            the same for a mapping
 * security_file_ioctl(_compat)  the exclusive rule for a descriptor that was opened elsewhere or earlier,
 *                               and the DSCP verdict on MODIFY_QP
 * security_netlink_send         RDMA netlink that changes devices or the mode is the host's alone
 *
 * The security hooks come twice, as fmod_ret and as LSM programs; the loader takes the set that works on
 * the running kernel. The object needs nothing but vmlinux BTF, so it is in force before any RDMA module
 * is loaded, and stays in force, by its pins, when wardend is gone.
 *
 * Failure: what cannot be read is refused where the device is claimed and the rule enforced. A node that
 * is not in the map of character devices is judged as unclaimed: the host may, a pod may not.
 */
#include "modify_qp.bpf.h"
#include "touch.bpf.h"
#include <rdma/rdma_netlink.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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

/* Open, pass, map: a touch by the caller, and nothing else to judge. */
static __always_inline int guard_touch(struct file *file, enum warden_rule rule)
{
	const struct warden_settings *s;
	struct touch t = {};

	if (!file || !is_rdma_node(file, &t.dev))
		return 0;
	s = settings_get();
	return s ? judge_touch(&t, s, rule, VERDICT_DENIED) : 0;
}

/* ---- RDMA netlink: who may move, rename, add and remove devices, and flip the mode ---- */

#define MAX_MESSAGES 8 /* in one send; what rdma(8) and the libraries send has one */

/* The rule that a message of that type falls under, or -1: reading is free. */
static __always_inline int netlink_rule(__u16 type)
{
	if (RDMA_NL_GET_CLIENT(type) != RDMA_NL_NLDEV)
		return -1;
	switch (RDMA_NL_GET_OP(type)) {
	case RDMA_NLDEV_CMD_SYS_SET:
		return RULE_EXCLUSIVE_MODE;
	case RDMA_NLDEV_CMD_SET:
	case RDMA_NLDEV_CMD_NEWLINK:
	case RDMA_NLDEV_CMD_DELLINK:
	case RDMA_NLDEV_CMD_STAT_SET:
	case RDMA_NLDEV_CMD_STAT_DEL:
	case RDMA_NLDEV_CMD_NEWDEV:
	case RDMA_NLDEV_CMD_DELDEV:
		return RULE_EXCLUSIVE_NETLINK;
	default:
		return -1;
	}
}

/* The device that a message names, or WARDEN_NO_INDEX; its attribute comes first in what is sent. */
static __always_inline __u32 netlink_device(const unsigned char *message)
{
	struct {
		struct nlattr head;
		__u32 index;
	} attr;

	if (bpf_probe_read_kernel(&attr, sizeof(attr), message + sizeof(struct nlmsghdr)) ||
	    attr.head.nla_type != RDMA_NLDEV_ATTR_DEV_INDEX)
		return WARDEN_NO_INDEX;
	return attr.index;
}

struct netlink_finding {
	int rule; /* the first that a message falls under, or -1 */
	__u32 ib_index;
	__u16 command;
};

/* A message that cannot be read, or that stands behind too many others, falls under the rule too. */
static __always_inline struct netlink_finding netlink_judge(const unsigned char *data, __u32 len)
{
	struct netlink_finding f = { .rule = RULE_EXCLUSIVE_NETLINK, .ib_index = WARDEN_NO_INDEX };
	struct nlmsghdr h;
	__u32 at = 0;

	for (int i = 0; i < MAX_MESSAGES; i++) {
		f.rule = -1;
		if (at + sizeof(h) > len)
			return f;
		f.rule = RULE_EXCLUSIVE_NETLINK;
		if (bpf_probe_read_kernel(&h, sizeof(h), data + at))
			return f;
		f.rule = netlink_rule(h.nlmsg_type);
		f.command = RDMA_NL_GET_OP(h.nlmsg_type);
		f.ib_index = netlink_device(data + at);
		/* The kernel stops at such a length too (rdma_nl_rcv_skb). */
		if (f.rule >= 0 || h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - at)
			return f;
		at += (h.nlmsg_len + 3) & ~3u;
	}
	f.rule = RULE_EXCLUSIVE_NETLINK;
	return f;
}

/*
 * Whoever moves devices on the host's behalf does part of it from inside the pod's netns (rdma-cni does, to bring
 * a device back), so here the cgroup decides wherever the pods' cgroups are known.
 */
static __always_inline bool caller_acts_for_host(const struct warden_settings *s)
{
	bool known = false;

	for (int i = 0; i < WARDEN_POD_CGROUPS; i++) {
		if (below(&s->pods[i]))
			return false;
		known |= s->pods[i].id != 0;
	}
	return known || caller_netns_cookie() == s->host_netns_cookie;
}

static __always_inline int guard_netlink(struct sock *sk, struct sk_buff *skb)
{
	const struct warden_settings *s;
	struct netlink_finding f;
	struct touch t = {};

	if (BPF_CORE_READ(sk, sk_protocol) != NETLINK_RDMA)
		return 0;
	f = netlink_judge(BPF_CORE_READ(skb, data), BPF_CORE_READ(skb, len));
	s = settings_get();
	if (f.rule < 0 || !s || caller_acts_for_host(s))
		return 0;
	t.ib_index = f.ib_index;
	report(&t, f.rule, s->mode == MODE_ENFORCE ? VERDICT_DENIED : VERDICT_OBSERVED, f.command, 0);
	return s->mode == MODE_ENFORCE ? -EPERM : 0;
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
	refused = judge_touch(&t, s, RULE_EXCLUSIVE_INHERITED_FD, VERDICT_DENIED);
	if (refused || !s->marking || !t.claim || cmd != RDMA_VERBS_IOCTL)
		return refused;
	return judge_marking(&t, s, arg, sleepable);
}

/* ---- the hooks, in both forms; `ret` is the verdict of the program before ---- */

SEC("fmod_ret/security_file_open")
int BPF_PROG(open_fmod_ret, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_OPEN);
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
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_OPEN);
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

SEC("fmod_ret/security_file_receive")
int BPF_PROG(receive_fmod_ret, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_FD_PASS);
}

SEC("lsm/file_receive")
int BPF_PROG(receive_lsm, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_FD_PASS);
}

SEC("fmod_ret/security_mmap_file")
int BPF_PROG(mmap_fmod_ret, struct file *file, unsigned long prot, unsigned long flags, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_MMAP);
}

SEC("lsm/mmap_file")
int BPF_PROG(mmap_lsm, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_MMAP);
}

SEC("fmod_ret/security_netlink_send")
int BPF_PROG(netlink_fmod_ret, struct sock *sk, struct sk_buff *skb, int ret)
{
	return ret ? ret : guard_netlink(sk, skb);
}

SEC("lsm/netlink_send")
int BPF_PROG(netlink_lsm, struct sock *sk, struct sk_buff *skb, int ret)
{
	return ret ? ret : guard_netlink(sk, skb);
}
