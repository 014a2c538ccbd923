/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Layouts that the BPF programs and user space share: what lies in the maps and in the event ring.
 * Only defines, enums and fixed-width structs. Pinned maps outlive a wardend: where a size below changes, libbpf
 * refuses the pins of the version before, and `wardend --unload` has to come first; where only a meaning would
 * change, change a size too.
 */
#ifndef WARDEN_H
#define WARDEN_H

#include <linux/types.h>

/* ib_device.index is cyclic over 31 bits (xa_limit_31b in ib_core's device.c), so this is never one. */
#define WARDEN_NO_INDEX 0xffffffffu

#define WARDEN_NAME_LEN 64 /* IB_DEVICE_NAME_MAX */
#define WARDEN_PARENT_LEN 32 /* a PCI address, or the name of an auxiliary device */
#define WARDEN_OWNER_LEN 320 /* NAMESPACE/NAME: 63 + 1 + 253 (Kubernetes' limits) and the NUL */

/* Rule, its public name. The names are an interface: extend, never rename. */
#define WARDEN_RULES(X)                                     \
	X(EXCLUSIVE_OPEN, "exclusive.open")                 \
	X(EXCLUSIVE_INHERITED_FD, "exclusive.inherited-fd") \
	X(EXCLUSIVE_UMAD, "exclusive.umad")                 \
	X(EXCLUSIVE_DEVICE_MOVE, "exclusive.device-move")   \
	X(EXCLUSIVE_ORPHAN, "exclusive.orphan")             \
	X(MARKING_DSCP, "marking.dscp")                     \
	X(MARKING_UNVERIFIED, "marking.unverified")         \
	X(DEVICE_ADD, "device.add")                         \
	X(DEVICE_REMOVE, "device.remove")                   \
	X(DEVICE_RENAME, "device.rename")                   \
	X(DEVICE_MOVE, "device.move")                       \
	X(NETNS_END, "netns.end")                           \
	X(CLAIM_SET, "claim.set")                           \
	X(CLAIM_RELEASE, "claim.release")                   \
	X(WARDEN_FAULT, "warden.fault")                     \
	X(EXCLUSIVE_FD_PASS, "exclusive.fd-pass")           \
	X(EXCLUSIVE_MMAP, "exclusive.mmap")                 \
	X(EXCLUSIVE_NETLINK, "exclusive.netlink")           \
	X(EXCLUSIVE_MODE, "exclusive.mode")

enum warden_rule {
#define X(id, name) RULE_##id,
	WARDEN_RULES(X)
#undef X
		RULE_COUNT
};

enum warden_event_kind { EVENT_VIOLATION, EVENT_CHANGE, EVENT_FAULT };

enum warden_verdict { VERDICT_NONE, VERDICT_OBSERVED, VERDICT_DENIED, VERDICT_KILLED };

/*
 * Counters in the per-CPU array `counters`. Those named lost.* count what the warden could not do:
 * none of them is expected to move, and each one that does is shown by `wardenctl status`.
 */
#define WARDEN_COUNTERS(X)                                                            \
	X(TOUCHES, "touches") /* opens and ioctls of RDMA character devices judged */ \
	X(DENIED, "denied") /* refused */                                             \
	X(OBSERVED, "observed") /* would have been refused */                         \
	X(EVENTS, "events") /* written to the ring */                                 \
	X(LOST_EVENTS, "lost.events") /* the ring was full */                         \
	X(LOST_CDEVS, "lost.cdevs") /* the map of character devices was full */       \
	X(LOST_DEVICES, "lost.devices") /* the map of RDMA devices was full */        \
	X(UNREADABLE_COMMANDS, "unreadable.verbs") /* a verbs command that could not be read */

enum warden_counter {
#define X(id, name) COUNTER_##id,
	WARDEN_COUNTERS(X)
#undef X
		COUNTER_COUNT
};

enum warden_cdev_kind { CDEV_UVERBS = 1, CDEV_UMAD = 2, CDEV_ISSM = 3 };

/* Map `cdevs`: a character device of the RDMA stack, by kernel dev_t (major << 20 | minor). */
struct warden_cdev {
	__u32 kind; /* enum warden_cdev_kind */
	__u32 ib_index; /* the device's ib_device.index, or WARDEN_NO_INDEX while unknown */
};

/* Map `claims`: who owns a device, by ib_device.index. */
struct warden_claim {
	__u64 id; /* grows with each claim on this node since boot */
	__u64 netns_cookie; /* never reused, unlike the inode number */
	__u64 cgroup_id; /* cgroup v2; 0: the netns alone decides */
	__u32 cgroup_level; /* depth of that cgroup below the hierarchy's root */
	__u32 netns_inum; /* for people */
	__u64 since_ns; /* CLOCK_BOOTTIME */
	char source[16]; /* who said so: "manual" */
	char owner[WARDEN_OWNER_LEN];
};

/* Kinds of RDMA objects counted for each device; the order of the kernel's enum rdma_restrack_type. */
enum warden_object { OBJECT_PD, OBJECT_CQ, OBJECT_QP, OBJECT_CM_ID, OBJECT_MR, OBJECT_CTX, OBJECT_COUNT };

/* Map `devices`: an RDMA device that is registered now, by ib_device.index. */
struct warden_device {
	__u64 node_guid; /* big endian, as the kernel keeps it */
	__u64 netns_cookie;
	__u32 netns_inum;
	__u32 uverbs; /* kernel dev_t of its uverbs node, 0: none seen */
	__s32 objects[OBJECT_COUNT];
	__u64 marking_right; /* address vectors with a DSCP of the profile */
	__u64 marking_wrong;
	char name[WARDEN_NAME_LEN];
	char parent[WARDEN_PARENT_LEN];
};

enum warden_mode { MODE_AUDIT, MODE_ENFORCE };
enum warden_reaction { REACTION_OBSERVE, REACTION_DENY, REACTION_KILL };

/* A cgroup v2 by id and by its depth below the root of the hierarchy; id 0: none. */
struct warden_cgroup {
	__u64 id;
	__u32 level;
	__u32 pad;
};

#define WARDEN_POD_CGROUPS 4

/* Map `settings`: one entry; zero (audit, no marking rule) until wardend has written it. */
struct warden_settings {
	__u64 host_netns_cookie;
	__u64 dscp_allowed; /* bit d: the profile has DSCP d */
	__u32 mode; /* enum warden_mode */
	__u32 marking; /* a marking profile is in force */
	__u32 on_violation; /* enum warden_reaction, of the marking rules */
	__u32 umad_for_host; /* the host may open umad and issm nodes */
	__u32 kernel_copy_audited; /* verbs.bpf.c is attached and reports what the guard lets pass */
	__u32 pad;
	struct warden_cgroup pods[WARDEN_POD_CGROUPS]; /* below them are pods, never the host */
};

/* Map `majors`: bit m of the whole is set when major m has belonged to a node of the RDMA stack. */
#define WARDEN_MAJORS 4096 /* 12 bits (kdev_t.h) */
struct warden_majors {
	__u64 bits[WARDEN_MAJORS / 64];
};

/* One record of the ring `events`. */
struct warden_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u32 kind; /* enum warden_event_kind */
	__u32 rule;
	__u32 verdict;
	__u32 dev; /* the character device touched, kernel dev_t, or 0 */
	__u32 ib_index; /* or WARDEN_NO_INDEX */
	__u32 pid; /* tgid */
	__u32 uid;
	__u32 netns_inum;
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u64 arg
		[2]; /* marking.*: DSCP asked for, set allowed; moves: netns inode from, to; netns.end: cookie, inode */
	char comm[16];
	char name[WARDEN_NAME_LEN]; /* the RDMA device, where the program knows it */
	char text[WARDEN_NAME_LEN]; /* device.rename: the new name; device.add, device.remove: the parent */
};

_Static_assert(sizeof(struct warden_cdev) == 8, "layout");
_Static_assert(sizeof(struct warden_claim) == 376, "layout");
_Static_assert(sizeof(struct warden_device) == 160, "layout");
_Static_assert(sizeof(struct warden_settings) == 104, "layout");
_Static_assert(sizeof(struct warden_event) == 216, "layout");

#endif
