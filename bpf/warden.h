/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Layouts that the BPF programs and user space share: what lies in the maps and in the event ring.
 * Only defines, enums and fixed-width structs. Pinned maps outlive a wardend; one whose maps have another layout makes
 * maps of its own and takes over from the older ones (loader.c, name_maps). Sizes are part of that layout by themselves.
 */
#ifndef WARDEN_H
#define WARDEN_H

#include <linux/types.h>

/* Add one where a meaning changes and no size does. */
#define WARDEN_LAYOUT 4

/* ib_device.index is cyclic over 31 bits (xa_limit_31b in ib_core's device.c), so this is never one. */
#define WARDEN_NO_INDEX 0xffffffffu

#define WARDEN_NAME_LEN 64 /* IB_DEVICE_NAME_MAX */
#define WARDEN_PARENT_LEN 32 /* a PCI address, or the name of an auxiliary device */
#define WARDEN_OWNER_LEN 320 /* NAMESPACE/NAME: 63 + 1 + 253 (Kubernetes' limits) and the NUL */
#define WARDEN_RESOURCE_LEN 320 /* DOMAIN/NAME: 253 + 1 + 63, likewise */
#define WARDEN_UID_LEN 40 /* a pod's: a UUID of 36 digits and dashes, and the NUL */

/*
 * Rule, its public name. The names are an interface: extend, never rename. pod.process and pod.end are between the
 * programs and wardend alone, and told to nobody.
 */
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
	X(EXCLUSIVE_MODE, "exclusive.mode")                 \
	X(EXCLUSIVE_NETDEV_MOVE, "exclusive.netdev-move")   \
	X(NETDEV_MOVE, "netdev.move")                       \
	X(WARDEN_TAMPER, "warden.tamper")                   \
	X(MARKING_PACKET, "marking.packet")                 \
	X(SPOOF_SOURCE, "spoof.source")                     \
	X(MARKING_PRIORITY, "marking.priority")             \
	X(QOS_EFFECT_PRIORITY, "qos.effect.priority")       \
	X(QOS_EFFECT_CNP_SENT, "qos.effect.cnp-sent")       \
	X(QOS_EFFECT_CNP_HANDLED, "qos.effect.cnp-handled") \
	X(QOS_EFFECT_PAUSE, "qos.effect.pause")             \
	X(QOS_EFFECT_SEQUENCE, "qos.effect.sequence")       \
	X(POD_PROCESS, "pod.process")                       \
	X(POD_END, "pod.end")                               \
	X(TRACK_POD, "track.pod")                           \
	X(TRACK_STRAY, "track.stray")                       \
	X(TRACK_MISSING, "track.missing")                   \
	X(TRACK_SPLIT, "track.split")                       \
	X(EXCLUSIVE_SHARED_PLUGIN, "exclusive.shared-plugin")

enum warden_rule {
#define X(id, name) RULE_##id,
	WARDEN_RULES(X)
#undef X
		RULE_COUNT
};

enum warden_event_kind { EVENT_VIOLATION, EVENT_CHANGE, EVENT_FAULT };

enum warden_verdict { VERDICT_NONE, VERDICT_OBSERVED, VERDICT_DENIED, VERDICT_KILLED, VERDICT_REMARKED };

/*
 * Counters in the per-CPU array `counters`. Those named lost.* count what the warden could not do:
 * none of them is expected to move, and each one that does is shown by `wardenctl status`.
 */
#define WARDEN_COUNTERS(X)                                                                                    \
	X(TOUCHES, "touches") /* opens and ioctls of RDMA character devices judged */                         \
	X(DENIED, "denied") /* refused */                                                                     \
	X(OBSERVED, "observed") /* would have been refused */                                                 \
	X(EVENTS, "events") /* written to the ring */                                                         \
	X(MERGED, "merged") /* violations told by the `merged` of another event */                            \
	X(LOST_EVENTS, "lost.events") /* the ring was full */                                                 \
	X(LOST_CDEVS, "lost.cdevs") /* the map of character devices was full */                               \
	X(LOST_DEVICES, "lost.devices") /* the map of RDMA devices was full */                                \
	X(UNREADABLE_COMMANDS, "unreadable.verbs") /* a verbs command that could not be read */               \
	X(UNKNOWN_NODES, "unreadable.nodes") /* touches of a node of the RDMA stack that no entry tells of */ \
	X(REMARKED, "remarked") /* packets given another DSCP */                                              \
	X(LOST_VFS, "lost.vfs") /* packets of a VF that no entry tells of: neither judged nor counted */      \
	X(LOST_FLOWS, "lost.flows") /* packets judged, but not counted: the VF's lines were all taken */      \
	X(LOST_REMARKS, "lost.remarks") /* packets that could not be written to, and passed as they were */   \
	X(LOST_PODS, "lost.pods") /* pods that found no slot: their events have no name */

enum warden_counter {
#define X(id, name) COUNTER_##id,
	WARDEN_COUNTERS(X)
#undef X
		COUNTER_COUNT
};

/* rdma_cm is one node for all devices: the host's, and that of every owner of a device. */
enum warden_cdev_kind { CDEV_UVERBS = 1, CDEV_UMAD = 2, CDEV_ISSM = 3, CDEV_RDMA_CM = 4 };

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
	__u64 dscp_allowed; /* bit d: the owner's profile has DSCP d */
	__u32 marking; /* a marking profile is in force for this owner */
	__u32 sl_allowed; /* bit p: it trusts PCP and has priority p; 0: it trusts DSCP, and no SL is judged */
	__u32 discovered; /* made of what others have attached, who may take it home */
	__u32 pad;
	__u64 right_before, wrong_before; /* the device's marking_right and marking_wrong when the claim began */
	char source[16]; /* who said so: "manual" */
	char owner[WARDEN_OWNER_LEN];
	char resource[WARDEN_RESOURCE_LEN]; /* as which Kubernetes knows the device; "": not said */
};

/* Map `owners`: the owners of claims, whatever their devices; as claims name them. */
struct warden_owner {
	__u64 netns_cookie;
	__u64 cgroup_id; /* 0: the netns alone decides */
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
	__u32 netdev_inum; /* the netns that its netdev was last seen to come into, 0: none seen */
	__u32 pad;
	__u64 devx; /* the last claim, by id, under which objects were made past the kernel (mlx5 DEVX) with a profile in force */
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
#define WARDEN_HOST_CGROUPS 8
#define WARDEN_MAX_RULES 64

/* Map `settings`: one entry; zero (nothing is refused, no marking rule) until wardend has written it. */
struct warden_settings {
	__u64 host_netns_cookie;
	__u32 umad_for_host; /* the host may open umad and issm nodes */
	__u32 kernel_copy_audited; /* verbs.bpf.c is attached and reports what the guard lets pass */
	__u64 warden_start; /* when the wardend that wrote this was started, as its /proc/PID/stat has it (USER_HZ) */
	__u32 warden; /* its tgid */
	__u32 judged_twice; /* bit k: so is a touch of that enum warden_cdev_kind, 0: RDMA netlink (judge_last) */
	__u8 reactions[WARDEN_MAX_RULES]; /* enum warden_reaction, by rule; the mode has gone into it */
	struct warden_cgroup pods[WARDEN_POD_CGROUPS]; /* below them are pods, never the host */
	struct warden_cgroup hosts[WARDEN_HOST_CGROUPS]; /* but below these, in turn, is the host */
};

/*
 * Map `merges`: a violation that was told, by all that makes two of them equal. For MERGE_WINDOW_NS the next ones
 * are counted here. The next one after that is told again, with the count; where none comes, wardend tells it.
 */
#define MERGE_WINDOW_NS 1000000000ull

struct warden_merge_key {
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u64 arg; /* the event's first */
	__u32 rule;
	__u32 verdict;
	__u32 dev;
	__u32 ib_index;
	__u32 pid;
	__u32 uid;
};

struct warden_merge {
	__u64 told_ns; /* CLOCK_BOOTTIME */
	__u64 merged;
	__u64 arg; /* the event's second */
	__u32 netns_inum;
	__u32 pod_slot; /* as in the event */
	__u32 pod_generation;
	__u32 pad;
	char comm[16];
};

/* Map `cm_classes`: the traffic class that rdma_cm last gave a process for a queue pair, by tgid; and where it had it from. */
enum warden_origin { ORIGIN_APPLICATION, ORIGIN_CM_OPTION, ORIGIN_CM_DEFAULT };

struct warden_cm_class {
	__u32 traffic_class;
	__u32 origin; /* enum warden_origin */
};

/* The first argument of a marking.dscp event. */
#define MARKING_ARG(traffic_class, origin) ((__u64)(traffic_class) >> 2 | (__u64)(origin) << 8)
#define MARKING_ARG_DSCP(arg) ((arg)&0x3f)
#define MARKING_ARG_ORIGIN(arg) ((arg) >> 8)

/* The first argument of a marking.unverified event: why. */
enum warden_unverified { UNVERIFIED_UNREADABLE, UNVERIFIED_DEVX };

/* Map `majors`: bit m of the whole is set when major m has belonged to a node of the RDMA stack. */
#define WARDEN_MAJORS 4096 /* 12 bits (kdev_t.h) */
struct warden_majors {
	__u64 bits[WARDEN_MAJORS / 64];
};

/* Map `own`: what is the warden's own, by kind and by id (a folder of pins: by inode number). */
enum warden_own_kind { OWN_MAP = 1, OWN_PROGRAM, OWN_LINK, OWN_FOLDER };

struct warden_own {
	__u32 kind;
	__u32 id;
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
		[2]; /* marking.dscp: MARKING_ARG, set allowed; marking.priority: SL asked for, set allowed; marking.unverified: why; moves: netns inode from, to; netns.end: cookie, inode; pod.end: the cgroup's id; warden.tamper: what, its id; marking.packet: PACKET_ARG, set allowed; spoof.source: enum warden_spoofed, VID */
	__u64 merged; /* equal events since the one before that were not told on their own */
	__u32 pod_slot; /* the actor's, in the map `pods` */
	__u32 pod_generation; /* that the slot had then; 0: no pod, or none that was known */
	char comm[16];
	char name[WARDEN_NAME_LEN]; /* the RDMA device, where the program knows it */
	char text
		[WARDEN_NAME_LEN]; /* device.rename: the new name; device.add and .remove: the parent; netdev moves: the netdev */
};

/* ---- pods (pods.bpf.c) ---- */

#define WARDEN_MAX_PODS 1024 /* one for each VF at most, and a node runs 110 (the kubelet's default) to 500 */

/* Map `pods`: a pod, by its slot. Written by wardend alone. */
struct warden_pod {
	__u32 generation; /* grows with each pod that gets the slot; 0: none has had it */
	__u32 live; /* else it has ended, and its name is kept until the slot is needed */
	__u64 netns_cookie; /* never the host's; 0: not known, or the host's */
	__u64 cgroup_id; /* the pod's own cgroup (v2), 0: not known */
	__u64 ended_ns; /* CLOCK_BOOTTIME */
	__u32 netns_inum;
	__u32 pad;
	char uid[WARDEN_UID_LEN];
	char owner[WARDEN_OWNER_LEN]; /* NAMESPACE/NAME; "pod-uid/UID" where the name is not known */
};

/* Maps `pod_cgroups`, by the id of the pod's own cgroup, and `pod_netns`, by the cookie of its netns: of pods that live. */
struct warden_pod_ref {
	__u32 slot;
	__u32 generation;
};

/*
 * The record of pod.process: a process that was executed below one of settings.pods. With names, since the cgroups may be
 * gone when it is read. The names are one below the other, the first one that of the cgroup in settings itself; a name
 * that does not fit is cut, and none of a pod or a container is that long.
 */
#define WARDEN_POD_LEVELS \
	4 /* kubepods.slice, kubepods-burstable.slice, kubepods-burstable-podUID.slice, the container's */
#define WARDEN_CGROUP_NAME_LEN \
	128 /* cri-containerd-, an ID of 64, .scope: 85; and what a --cgroup-root adds to a pod's */

struct warden_pod_event {
	struct warden_event event;
	__u64 first_netns_cookie; /* of the first process of its PID namespace: a process that has entered another pod's differs */
	__u32 levels; /* how many there are */
	__u32 pad;
	__u64 cgroup_id[WARDEN_POD_LEVELS];
	char cgroup_name[WARDEN_POD_LEVELS][WARDEN_CGROUP_NAME_LEN];
};

/* ---- the packets of VFs (vf.bpf.c) ---- */

/* By the BTH. ROCE_CM: to QPN 1, rdma_cm's messages. ROCE_OTHER: RD, XRC, and what has no meaning. */
enum warden_roce_class { ROCE_RC, ROCE_UC, ROCE_UD, ROCE_CNP, ROCE_CM, ROCE_OTHER, ROCE_CLASSES };

/* Why a frame that may have been RoCE was not judged; its public name. */
#define WARDEN_MALFORMED(X)                                              \
	X(ETHERNET, "ethernet.short")                                    \
	X(VLAN, "vlan.short")                                            \
	X(VLAN_DEPTH, "vlan.depth") /* more than two tags */             \
	X(VERSION, "ip.version") /* is not that of the EtherType */      \
	X(IPV4, "ipv4.short")                                            \
	X(IHL, "ipv4.ihl") /* below 5 */                                 \
	X(IPV4_LENGTH, "ipv4.length") /* of header or frame differs */   \
	X(IPV6, "ipv6.short")                                            \
	X(IPV6_LENGTH, "ipv6.length") /* more than the frame has */      \
	X(EXTENSION, "ipv6.extension-short")                             \
	X(EXTENSION_CHAIN, "ipv6.extension-chain") /* longer than six */ \
	X(UDP, "udp.short")                                              \
	X(UDP_LENGTH, "udp.length") /* below 8, or more than IP has */   \
	X(BTH, "bth.short")

enum warden_malformed {
#define X(id, name) MALFORMED_##id,
	WARDEN_MALFORMED(X)
#undef X
		MALFORMED_COUNT
};

/* As the VF sees it: what its owner receives, what he sends. */
enum warden_direction { DIRECTION_INGRESS, DIRECTION_EGRESS, DIRECTION_COUNT };

/* VF_IGNORE: counted, not judged. Of a source, VF_REMARK is as VF_OBSERVE. */
enum warden_vf_action { VF_IGNORE, VF_OBSERVE, VF_REMARK, VF_DROP };

#define WARDEN_MAX_VFS 1024 /* 8 PFs of 128 VFs */
#define WARDEN_VF_ANY 0xff /* no DSCP or priority in particular */
#define WARDEN_VF_ADDRESSES 8

/* Map `vf_slots`: the slot of each VF. */
struct warden_vf_key {
	__u64 netns_cookie;
	__u32 ifindex;
	__u32 pad;
};

/*
 * Map `vf_places`, by ifindex % WARDEN_VF_PLACES: the same without a hash, for the one VF whose ifindex falls on that
 * place, whatever its netns. Zero where there is none, or more than one.
 */
#define WARDEN_VF_PLACES 8192
struct warden_vf_place {
	__u32 ifindex;
	__u32 slot;
} __attribute__((aligned(8))); /* read and written as one */

/* Map `vfs`: a VF, by its slot. */
struct warden_vf {
	__u64 dscp_allowed; /* bit d: DSCP d is right */
	__u64 netns_cookie; /* this one and the next two are for the events */
	__u32 netns_inum;
	__u32 ib_index; /* or WARDEN_NO_INDEX */
	__u8 action[DIRECTION_COUNT]; /* enum warden_vf_action, on a wrong mark */
	__u8 source_action; /* the same, on a source that the VF does not own; of egress only */
	__u8 remark_dscp;
	__u8 cnp_dscp; /* the one right DSCP of a CNP, also to remark to; WARDEN_VF_ANY: judged as any other packet */
	__u8 priority; /* the PCP that a tagged packet has to have, or WARDEN_VF_ANY */
	__u8 cnp_priority;
	__u8 addresses; /* how many */
	__u8 mac[6];
	__u16 vlan; /* the outermost tag's VID; 0: untagged, or tagged for its priority only */
	__u8 address[WARDEN_VF_ADDRESSES][16]; /* of IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2) */
};

/* One line of counts: a DSCP and a class. Not used while its packets are 0. */
struct warden_vf_line {
	__u32 dscp;
	__u32 class; /* enum warden_roce_class */
	__u64 packets;
	__u64 bytes; /* of frames, without FCS and without a tag that the kernel keeps elsewhere */
};

#define WARDEN_VF_LINES 16 /* of 384 that are possible: profiles know one or two DSCPs */

/* Map `vf_stats`, per CPU, by slot * DIRECTION_COUNT + direction. A line of one CPU has another place on the next. */
struct warden_vf_stats {
	__u64 malformed[MALFORMED_COUNT];
	__u64 fragments; /* later ones, of UDP: their ports are not known */
	struct warden_vf_line lines[WARDEN_VF_LINES];
};

/* As struct warden_merge, without what identifies: that is the place. */
struct warden_vf_told {
	__u64 told_ns; /* CLOCK_BOOTTIME */
	__u64 merged;
};

/* Map `vf_told`, by slot * DIRECTION_COUNT + direction. */
struct warden_vf_tolds {
	struct warden_vf_told marking[64]; /* by DSCP */
	struct warden_vf_told source;
};

/* The first argument of a marking.packet event. ROCE_CLASSES: not known which. */
#define PACKET_UNTAGGED 0xff
#define PACKET_ARG(dscp, pcp, class, direction) \
	((__u64)(dscp) | (__u64)(pcp) << 8 | (__u64)(class) << 16 | (__u64)(direction) << 24)
#define PACKET_ARG_DSCP(arg) ((arg)&0x3f)
#define PACKET_ARG_PCP(arg) ((arg) >> 8 & 0xff)
#define PACKET_ARG_CLASS(arg) ((arg) >> 16 & 0xff)
#define PACKET_ARG_DIRECTION(arg) ((arg) >> 24 & 0xff)

/* arg[0] of spoof.source: what it was that the VF does not own; 0: not known. The event's text has its value in hex. */
enum warden_spoofed { SPOOFED_MAC = 1, SPOOFED_VLAN, SPOOFED_ADDRESS };

_Static_assert(sizeof(struct warden_vf_key) == 16, "layout");
_Static_assert(sizeof(struct warden_vf_place) == 8, "layout");
_Static_assert(sizeof(struct warden_vf) == 168, "layout");
_Static_assert(sizeof(struct warden_vf_line) == 24, "layout");
_Static_assert(sizeof(struct warden_vf_stats) == 504, "layout");
_Static_assert(sizeof(struct warden_vf_told) == 16, "layout");
_Static_assert(sizeof(struct warden_vf_tolds) == 1040, "layout");
_Static_assert(sizeof(struct warden_cdev) == 8, "layout");
_Static_assert(sizeof(struct warden_claim) == 736, "layout");
_Static_assert(sizeof(struct warden_device) == 176, "layout");
_Static_assert(sizeof(struct warden_settings) == 288, "layout");
_Static_assert(sizeof(struct warden_merge_key) == 48, "layout");
_Static_assert(sizeof(struct warden_merge) == 56, "layout");
_Static_assert(sizeof(struct warden_event) == 232, "layout");
_Static_assert(sizeof(struct warden_pod) == 400, "layout");
_Static_assert(sizeof(struct warden_pod_ref) == 8, "layout");
_Static_assert(sizeof(struct warden_pod_event) == 792, "layout");
_Static_assert(sizeof(struct warden_cm_class) == 8, "layout");
_Static_assert((int)RULE_COUNT <= WARDEN_MAX_RULES, "a reaction for each rule");

#endif
