// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What becomes of RDMA devices: which exist, under which name, in which netns.
 *
 * hook                                 what it does
 * enable_device_and_get (fentry)       a device was registered, or came out in another netns
 * cdev_device_add (fexit)              its uverbs node
 * ib_device_rename (fexit)             its new name
 * __ib_unregister_device (fentry)      it is gone; wardend drops the claim, whose index never comes back
 * __dev_change_net_namespace (fexit)   the netdev of its VF came into another netns
 * rdma_dev_exit_net (fentry)           a netns ended
 *
 * Needs the BTF of ib_core and ib_uverbs. A claim is bound to the netns cookie, not to where the device
 * is: when its netns ends, the device stays closed to everybody until the claim is released.
 */
#include "common.bpf.h"
#include "rdma.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The task_struct flag of kernel threads: a netns is taken down by one, an administrator is none. */
static __always_inline bool caller_is_kernel(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task_btf(), flags) & PF_KTHREAD;
}

static __always_inline void device_read(struct warden_device *d, struct ib_device *ib)
{
	struct net *net = BPF_CORE_READ(ib, coredev.rdma_net.net);

	d->node_guid = BPF_CORE_READ(ib, node_guid);
	d->netns_cookie = BPF_CORE_READ(net, net_cookie);
	d->netns_inum = BPF_CORE_READ(net, ns.inum);
	bpf_probe_read_kernel_str(d->name, sizeof(d->name), BPF_CORE_READ(ib, dev.kobj.name));
	bpf_probe_read_kernel_str(d->parent, sizeof(d->parent), BPF_CORE_READ(ib, dev.parent, kobj.name));
}

static __always_inline void report(enum warden_event_kind kind, enum warden_rule rule, __u32 index,
				   const struct warden_device *d, __u32 from_inum)
{
	struct warden_event *e = event_begin(kind, rule);

	if (!e)
		return;
	e->verdict = kind == EVENT_VIOLATION ? VERDICT_OBSERVED : VERDICT_NONE;
	e->ib_index = index;
	e->arg[0] = from_inum;
	e->arg[1] = d->netns_inum;
	__builtin_memcpy(e->name, d->name, sizeof(e->name));
	if (rule == RULE_DEVICE_ADD || rule == RULE_DEVICE_REMOVE)
		__builtin_memcpy(e->text, d->parent, sizeof(d->parent));
	event_submit(e);
}

static __always_inline void device_appeared(__u32 index, struct ib_device *ib)
{
	struct warden_device d = {};

	device_read(&d, ib);
	if (bpf_map_update_elem(&devices, &index, &d, BPF_NOEXIST))
		count(COUNTER_LOST_DEVICES);
	report(EVENT_CHANGE, RULE_DEVICE_ADD, index, &d, 0);
}

/* Who has attached it takes it home when the pod ends, as rdma-cni and sriov-cni do, and asks nobody. */
static __always_inline bool is_given_back(const struct warden_claim *claim, __u64 to_cookie)
{
	const struct warden_settings *s = settings_get();

	return claim->discovered && s && to_cookie == s->host_netns_cookie;
}

/* A claimed device that leaves its owner: taken away by somebody, or left over by a netns that ended. */
static __always_inline void device_moved(__u32 index, const struct warden_device *d, __u32 from_inum)
{
	struct warden_claim *claim = bpf_map_lookup_elem(&claims, &index);

	if (!claim || claim->netns_cookie == d->netns_cookie || is_given_back(claim, d->netns_cookie))
		report(EVENT_CHANGE, RULE_DEVICE_MOVE, index, d, from_inum);
	else if (caller_is_kernel())
		report(EVENT_CHANGE, RULE_EXCLUSIVE_ORPHAN, index, d, from_inum);
	else
		report(EVENT_VIOLATION, RULE_EXCLUSIVE_DEVICE_MOVE, index, d, from_inum);
}

SEC("fentry/enable_device_and_get")
int BPF_PROG(device_enabled, struct ib_device *ib)
{
	__u32 index = BPF_CORE_READ(ib, index), from_inum;
	struct warden_device *d = bpf_map_lookup_elem(&devices, &index);
	__u64 from;

	if (!d) {
		device_appeared(index, ib);
		return 0;
	}
	from = d->netns_cookie;
	from_inum = d->netns_inum;
	device_read(d, ib);
	d->uverbs = 0; /* the node is made anew */
	if (d->netns_cookie != from)
		device_moved(index, d, from_inum);
	return 0;
}

SEC("fexit/cdev_device_add")
int BPF_PROG(uverbs_added, struct cdev *cdev, struct device *dev, int err)
{
	struct ib_uverbs_device *uverbs = (void *)dev - bpf_core_field_offset(struct ib_uverbs_device, dev);
	__u32 devt = BPF_CORE_READ(dev, devt), index;
	struct warden_device *d;
	struct warden_cdev *c;

	c = bpf_map_lookup_elem(&cdevs, &devt); /* entered by the guard, which runs before the function */
	if (err || !c || c->kind != CDEV_UVERBS)
		return 0;
	index = BPF_CORE_READ(uverbs, ib_dev, index);
	c->ib_index = index;
	d = bpf_map_lookup_elem(&devices, &index);
	if (d)
		d->uverbs = devt;
	return 0;
}

SEC("fexit/ib_device_rename")
int BPF_PROG(device_renamed, struct ib_device *ib, const char *name, int err)
{
	__u32 index = BPF_CORE_READ(ib, index);
	struct warden_device *d = bpf_map_lookup_elem(&devices, &index);
	struct warden_event *e;

	if (err || !d)
		return 0;
	e = event_begin(EVENT_CHANGE, RULE_DEVICE_RENAME);
	if (e) {
		e->ib_index = index;
		__builtin_memcpy(e->name, d->name, sizeof(e->name));
		bpf_probe_read_kernel_str(e->text, sizeof(e->text), BPF_CORE_READ(ib, dev.kobj.name));
		event_submit(e);
	}
	bpf_probe_read_kernel_str(d->name, sizeof(d->name), BPF_CORE_READ(ib, dev.kobj.name));
	return 0;
}

SEC("fentry/__ib_unregister_device")
int BPF_PROG(device_gone, struct ib_device *ib)
{
	__u32 index = BPF_CORE_READ(ib, index);
	struct warden_device *d = bpf_map_lookup_elem(&devices, &index);

	if (!d)
		return 0;
	report(EVENT_CHANGE, RULE_DEVICE_REMOVE, index, d, d->netns_inum);
	bpf_map_delete_elem(&devices, &index);
	return 0;
}

/* ---- the netdev of a VF ---- */

struct netdev_move {
	char parent[WARDEN_PARENT_LEN];
	char netdev[16];
	__u64 to_cookie;
	__u32 to_inum;
	__u32 pad;
};

static __always_inline void report_netdev_move(__u32 index, const struct warden_device *d, const struct netdev_move *m,
					       __u32 from_inum)
{
	struct warden_claim *claim = bpf_map_lookup_elem(&claims, &index);
	bool leaves = claim && claim->netns_cookie != m->to_cookie && !is_given_back(claim, m->to_cookie);
	struct warden_event *e;

	/* A netns that is taken down gives its netdevs back to the host: no violation, and told as the end of the netns. */
	if (leaves && !caller_is_kernel())
		e = event_begin(EVENT_VIOLATION, RULE_EXCLUSIVE_NETDEV_MOVE);
	else
		e = event_begin(EVENT_CHANGE, RULE_NETDEV_MOVE);
	if (!e)
		return;
	e->verdict = e->kind == EVENT_VIOLATION ? VERDICT_OBSERVED : VERDICT_NONE;
	e->ib_index = index;
	e->arg[0] = from_inum;
	e->arg[1] = m->to_inum;
	__builtin_memcpy(e->name, d->name, sizeof(e->name));
	__builtin_memcpy(e->text, m->netdev, sizeof(m->netdev));
	event_submit(e);
}

/* For each device: is it the one on the same function as the netdev? */
static long match_netdev(void *map, __u32 *index, struct warden_device *d, struct netdev_move *m)
{
	__u32 from_inum = d->netdev_inum;

	for (int i = 0; i < WARDEN_PARENT_LEN; i++) {
		if (d->parent[i] != m->parent[i])
			return 0;
		if (!d->parent[i])
			break;
	}
	d->netdev_inum = m->to_inum;
	report_netdev_move(*index, d, m, from_inum);
	return 0;
}

SEC("fexit/__dev_change_net_namespace")
int BPF_PROG(netdev_moved, struct net_device *ndev, struct net *net)
{
	struct netdev_move m = {};
	__u64 err = 0;

	/* The number of arguments differs between kernels, so the place of the result is not fixed. */
	if (bpf_get_func_ret(ctx, &err) || (int)err)
		return 0;
	bpf_probe_read_kernel_str(m.parent, sizeof(m.parent), BPF_CORE_READ(ndev, dev.parent, kobj.name));
	if (!m.parent[0])
		return 0;
	bpf_probe_read_kernel_str(m.netdev, sizeof(m.netdev), ndev->name);
	m.to_cookie = BPF_CORE_READ(net, net_cookie);
	m.to_inum = BPF_CORE_READ(net, ns.inum);
	bpf_for_each_map_elem(&devices, match_netdev, &m, 0);
	return 0;
}

SEC("fentry/rdma_dev_exit_net")
int BPF_PROG(netns_ended, struct net *net)
{
	struct warden_event *e = event_begin(EVENT_CHANGE, RULE_NETNS_END);

	if (!e)
		return 0;
	e->arg[0] = BPF_CORE_READ(net, net_cookie);
	e->arg[1] = BPF_CORE_READ(net, ns.inum);
	event_submit(e);
	return 0;
}
