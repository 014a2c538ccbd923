// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The guard: who may touch an RDMA character device, and which DSCP its queue pairs and address
 * handles may ask for.
 *
 * hook                          what it does
 * cdev_device_add (fentry)      learns the dev_t of each uverbs, umad and issm node before it can be opened
 * cdev_device_del (fentry)      forgets it, so that a recycled dev_t never meets the old entry
 * misc_register (fexit), misc_deregister (fentry)   the same for rdma_cm, whose number is known only then
 * security_file_open            the exclusive rule
 * security_file_receive         the same for a descriptor that comes over SCM_RIGHTS or pidfd_getfd
 * security_mmap_file            the same for a mapping
 * security_file_ioctl(_compat)  the exclusive rule for a descriptor that was opened elsewhere or earlier,
 *                               and the DSCP verdict on MODIFY_QP and CREATE_AH
 * security_netlink_send         RDMA netlink that changes devices or the mode is the host's alone
 *
 * The security hooks come three times: as LSM and as fmod_ret programs, which refuse, and as fentry programs, which
 * kill who ought to have been refused. The loader takes the set that works on the running kernel. The object needs
 * nothing but vmlinux BTF, so it is in force before any RDMA module is loaded, and stays in force, by its pins, when
 * wardend is gone.
 *
 * The kernel skips a tracing program (fmod_ret, fentry; not an LSM or a cgroup one) on a CPU where another task was
 * preempted inside the same program (prog->active, kernel/bpf/trampoline.c): on a preemptible kernel the call then passes
 * unjudged. Disabling preemption inside the program does not help: the task is then preempted where it is enabled again.
 * So where the hooks are tracing programs, kprobes at the devices' own functions judge once more (judge_last): who came
 * past the guard is killed.
 *
 * Failure: what cannot be read is refused where the device is claimed and the rule enforced. A node of the RDMA stack
 * that is not in the map of character devices is closed to everybody, and counted.
 */
#include "verbs_command.bpf.h"
#include "netlink.bpf.h"
#include "origin.bpf.h"
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EACCES 13

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

static __always_inline void cdev_learn(__u32 devt, __u32 kind)
{
	struct warden_cdev c = { .kind = kind, .ib_index = WARDEN_NO_INDEX };

	if (bpf_map_update_elem(&cdevs, &devt, &c, BPF_ANY))
		count(COUNTER_LOST_CDEVS);
	major_seen(devt >> 20);
}

SEC("fentry/cdev_device_add")
int BPF_PROG(cdev_added, struct cdev *cdev, struct device *dev)
{
	__u32 kind = cdev_kind(dev);

	if (kind)
		cdev_learn(BPF_CORE_READ(dev, devt), kind);
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

/* The node of rdma_cm: as dev_t, or 0 for another misc device. */
static __always_inline __u32 rdma_cm_node(struct miscdevice *misc)
{
	char name[8] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(misc, name));
	return starts_with(name, "rdma_cm", sizeof(name)) ? MISC_MAJOR << 20 | BPF_CORE_READ(misc, minor) : 0;
}

SEC("fexit/misc_register")
int BPF_PROG(misc_added, struct miscdevice *misc, int err)
{
	__u32 devt = rdma_cm_node(misc);

	if (devt && !err)
		cdev_learn(devt, CDEV_RDMA_CM);
	return 0;
}

SEC("fentry/misc_deregister")
int BPF_PROG(misc_deleted, struct miscdevice *misc)
{
	__u32 devt = rdma_cm_node(misc);

	if (devt)
		bpf_map_delete_elem(&cdevs, &devt);
	return 0;
}

/* ---- the DSCP verdict ---- */

/* 0, or -EACCES after an event with these arguments. Called for the owner of a claimed device. */
static __always_inline int refuse_marking(const struct touch *t, const struct warden_settings *s, enum warden_rule rule,
					  __u64 arg0, __u64 arg1)
{
	/* What passes here is seen again, and reported, by the audit of the kernel's copy. */
	if (s->reactions[rule] == REACTION_OBSERVE && s->kernel_copy_audited)
		return 0;
	return react(t, s, rule, HOOK_REFUSES_AND_KILLS, arg0, arg1) ? -EACCES : 0;
}

/* mlx5's DEVX makes and changes queue pairs without ib_modify_qp: from the first time on, the device's marking is not known. */
static __always_inline void note_devx(const struct touch *t)
{
	struct warden_device *device = bpf_map_lookup_elem(&devices, &t->ib_index);

	if (device && __sync_lock_test_and_set(&device->devx, t->claim->id) != t->claim->id)
		report(t, RULE_MARKING_UNVERIFIED, VERDICT_OBSERVED, UNVERIFIED_DEVX, 0);
}

static __always_inline int judge_marking(const struct touch *t, const struct warden_settings *s, __u64 arg,
					 bool sleepable)
{
	const struct warden_claim *claim = t->claim;
	struct verbs_command cmd;
	int wrong;

	switch (parse_command(arg, &cmd, sleepable)) {
	case NO_CLASS:
		return 0;
	case PAST_THE_KERNEL:
		note_devx(t);
		return 0;
	case UNREADABLE:
		count(COUNTER_UNREADABLE_COMMANDS);
		return refuse_marking(t, s, RULE_MARKING_UNVERIFIED, UNVERIFIED_UNREADABLE, 0);
	case CLASS_READ:
		break;
	}
	wrong = command_wrong_class(&cmd, claim->dscp_allowed);
	if (wrong >= 0)
		return refuse_marking(t, s, RULE_MARKING_DSCP, marking_arg(wrong), claim->dscp_allowed);
	wrong = command_wrong_sl(&cmd, claim->sl_allowed);
	return wrong < 0 ? 0 : refuse_marking(t, s, RULE_MARKING_PRIORITY, wrong, claim->sl_allowed);
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
	refused = judge_touch(&t, s, RULE_EXCLUSIVE_INHERITED_FD, HOOK_REFUSES_AND_KILLS);
	if (refused || !t.claim || !t.claim->marking || cmd != RDMA_VERBS_IOCTL)
		return refused;
	return judge_marking(&t, s, arg, sleepable);
}

/* ---- the hooks; `ret` is the verdict of the program before ---- */

SEC("lsm/file_open")
int BPF_PROG(open_lsm, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_OPEN, HOOK_REFUSES_AND_KILLS);
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(open_fmod_ret, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_OPEN, HOOK_REFUSES_AND_KILLS);
}

SEC("fentry/security_file_open")
int BPF_PROG(open_kill, struct file *file)
{
	guard_touch(file, RULE_EXCLUSIVE_OPEN, HOOK_KILLS);
	return 0;
}

SEC("lsm/file_receive")
int BPF_PROG(receive_lsm, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_FD_PASS, HOOK_REFUSES_AND_KILLS);
}

SEC("fmod_ret/security_file_receive")
int BPF_PROG(receive_fmod_ret, struct file *file, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_FD_PASS, HOOK_REFUSES_AND_KILLS);
}

SEC("fentry/security_file_receive")
int BPF_PROG(receive_kill, struct file *file)
{
	guard_touch(file, RULE_EXCLUSIVE_FD_PASS, HOOK_KILLS);
	return 0;
}

SEC("lsm/mmap_file")
int BPF_PROG(mmap_lsm, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_MMAP, HOOK_REFUSES_AND_KILLS);
}

SEC("fmod_ret/security_mmap_file")
int BPF_PROG(mmap_fmod_ret, struct file *file, unsigned long prot, unsigned long flags, int ret)
{
	return ret ? ret : guard_touch(file, RULE_EXCLUSIVE_MMAP, HOOK_REFUSES_AND_KILLS);
}

SEC("fentry/security_mmap_file")
int BPF_PROG(mmap_kill, struct file *file, unsigned long prot, unsigned long flags)
{
	guard_touch(file, RULE_EXCLUSIVE_MMAP, HOOK_KILLS);
	return 0;
}

SEC("lsm.s/file_ioctl")
int BPF_PROG(ioctl_lsm, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, true);
}

SEC("fmod_ret/security_file_ioctl")
int BPF_PROG(ioctl_fmod_ret, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, false);
}

SEC("fentry/security_file_ioctl")
int BPF_PROG(ioctl_kill, struct file *file, unsigned int cmd, unsigned long arg)
{
	guard_touch(file, RULE_EXCLUSIVE_INHERITED_FD, HOOK_KILLS);
	return 0;
}

SEC("lsm/file_ioctl_compat") /* not among the kernel's sleepable hooks */
int BPF_PROG(compat_lsm, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, false);
}

SEC("fmod_ret/security_file_ioctl_compat")
int BPF_PROG(compat_fmod_ret, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : guard_ioctl(file, cmd, arg, false);
}

SEC("fentry/security_file_ioctl_compat")
int BPF_PROG(compat_kill, struct file *file, unsigned int cmd, unsigned long arg)
{
	guard_touch(file, RULE_EXCLUSIVE_INHERITED_FD, HOOK_KILLS);
	return 0;
}

SEC("lsm/netlink_send")
int BPF_PROG(netlink_lsm, struct sock *sk, struct sk_buff *skb, int ret)
{
	return ret ? ret : guard_netlink(sk, skb, HOOK_REFUSES_AND_KILLS);
}

SEC("fmod_ret/security_netlink_send")
int BPF_PROG(netlink_fmod_ret, struct sock *sk, struct sk_buff *skb, int ret)
{
	return ret ? ret : guard_netlink(sk, skb, HOOK_REFUSES_AND_KILLS);
}

SEC("fentry/security_netlink_send")
int BPF_PROG(netlink_kill, struct sock *sk, struct sk_buff *skb)
{
	guard_netlink(sk, skb, HOOK_KILLS);
	return 0;
}
