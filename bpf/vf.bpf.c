// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packets of a VF's netdev, where they pass the kernel: soft RoCE. RoCE of the hardware never becomes an skb.
 *
 *   vf_ingress   tcx ingress, or clsact ingress with direct-action: what the VF's owner receives
 *   vf_egress    likewise: what he sends; here his source addresses are judged too
 *
 * Each RoCEv2 packet is counted by DSCP and class, judged by the VF's configuration, told when it is wrong (once a second
 * for each VF, direction, DSCP and rule, with the number of the others), and passed, remarked or dropped. A packet that
 * is not dropped gets TC_ACT_UNSPEC, which is TCX_NEXT: other people's programs go on with it. What cannot be judged (a
 * VF that no entry tells of, a malformed frame, a later fragment) passes and is counted: the marking is a service to the
 * fabric, and a packet path that drops what it does not understand would cut off pods.
 *
 * For whoever attaches it (user/packet). These maps are not pinned: a wardend that starts has programs and maps of its own,
 * and puts its programs in the place of the older ones. They have a fixed size for each VF, 2.4 MiB in all and 1 MiB for
 * each CPU for 1,024 of them; where the node has fewer VFs, the max_entries of vfs (n), vf_stats and vf_told
 * (n * DIRECTION_COUNT) are set before loading. To begin with a VF:
 *   1. choose a free slot, clear its vf_stats and vf_told of both directions, write vfs[slot];
 *   2. vf_slots[{netns cookie, ifindex}] = slot;
 *   3. vf_places[ifindex % WARDEN_VF_PLACES] = {ifindex, slot}, or {0, 0} where another VF falls on that place;
 *   4. attach. The end of a VF is the reverse order, and gives the place back to a VF that is left alone on it.
 * An array's element is not written at once as packets see it, so another configuration goes into another slot, to which
 * vf_slots and vf_places then lead.
 * A VF that moves keeps its ifindex unless the netns has one like it; its entries are to be brought up to date after each
 * move, and clsact to be attached again (the kernel empties the qdiscs of a netdev that moves).
 * vf_told can be mapped: where told_ns is a window old, exchange `merged` with 0 and tell what it was. The rest of a flood
 * is then told too, as wardend does with `merges`.
 *
 * Why a packet finds its VF so. The ifindex alone is not unique across netns. A program of tc has no cookie of its
 * attachment; a copy of the programs for each VF would be verified for each; bpf_get_netns_cookie() is not for tc before
 * 6.15, and reading the cookie through skb->dev takes three calls, which is more than all the rest. But devices keep their
 * ifindex when they move, so two VFs with the same one are the exception, and known to whoever attaches. So the ifindex
 * decides where it is unique among the VFs that have programs (others do not come here), by an array, since a hash takes
 * longer than a packet may; and netns cookie and ifindex decide where it is not.
 */
#include "common.bpf.h"
#include "marking.bpf.h"
#include "packet.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2

/* Written by wardend alone, which attaches no program to a VF without entry. Missing: fail-open, lost.vfs grows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_VFS);
	__type(key, struct warden_vf_key);
	__type(value, __u32); /* the VF's slot */
} vf_slots SEC(".maps") __weak;

/* Written by wardend alone. Where a VF has no place, vf_slots is asked. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WARDEN_VF_PLACES);
	__type(key, __u32);
	__type(value, struct warden_vf_place);
} vf_places SEC(".maps") __weak;

/* Written by wardend alone. An array cannot be full; a slot of zeros ignores (fail-open). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WARDEN_MAX_VFS);
	__type(key, __u32);
	__type(value, struct warden_vf);
} vfs SEC(".maps") __weak;

/*
 * A flow of which the lines of its VF and CPU know nothing when all are taken is judged like the others (no failure at
 * all) and not counted; lost.flows grows.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WARDEN_MAX_VFS *DIRECTION_COUNT);
	__type(key, __u32);
	__type(value, struct warden_vf_stats);
} vf_stats SEC(".maps") __weak;

/* Has a place for each violation that can be, so that no flood of one makes another untold. It decides nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WARDEN_MAX_VFS *DIRECTION_COUNT);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct warden_vf_tolds);
} vf_told SEC(".maps") __weak;

static __noinline __u32 find_without_place(struct __sk_buff *skb)
{
	struct warden_vf_key key = { .ifindex = skb->ifindex };
	__u32 *slot;

	key.netns_cookie = BPF_CORE_READ((struct sk_buff *)skb, dev, nd_net.net, net_cookie);
	slot = bpf_map_lookup_elem(&vf_slots, &key);
	return slot ? *slot : WARDEN_MAX_VFS;
}

/* WARDEN_MAX_VFS, where the maps have nothing, for a VF that is not known. */
static __always_inline __u32 find_slot(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, at = ifindex % WARDEN_VF_PLACES;
	struct warden_vf_place place = {};
	const volatile __u64 *both = bpf_map_lookup_elem(&vf_places, &at);

	if (likely(both))
		*(__u64 *)&place = *both; /* at once: no ifindex with the slot of the next VF */
	return likely(place.ifindex == ifindex) ? place.slot : find_without_place(skb);
}

/* The programs of a VF run with softirqs off, so nobody else writes to this CPU's lines meanwhile. */
static __always_inline void count_packet(struct warden_vf_stats *stats, const struct packet *p, __u32 bytes)
{
	__u32 dscp = p->traffic_class >> 2, class = p->class;
	struct warden_vf_line *line;

	for (__u32 i = 0; i < WARDEN_VF_LINES; i++) {
		line = &stats->lines[(dscp + class * 3 + i) % WARDEN_VF_LINES];
		if (!line->packets) {
			line->dscp = dscp;
			line->class = class;
		} else if (line->dscp != dscp || line->class != class) {
			continue;
		}
		line->packets++;
		line->bytes += bytes;
		return;
	}
	count(COUNTER_LOST_FLOWS);
}

/* What is told of a violation. */
struct finding {
	struct warden_vf_told *told;
	const struct warden_vf *vf;
	__u32 rule;
	__u32 verdict;
	__u64 arg[2];
	__u32 at, size; /* of the frame's bytes to be told in hex */
};

static __always_inline void hex(struct warden_event *e, const __u8 *bytes, __u32 size)
{
	for (__u32 i = 0; i < 16 && i < size; i++) {
		e->text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		e->text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
}

/* False when the ring is full. No actor: the process that runs is any. */
static __always_inline bool tell_event(struct __sk_buff *skb, const struct finding *f, __u64 now, __u64 merged)
{
	struct warden_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	__u8 bytes[16] = {};

	if (!e)
		return false;
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = now;
	e->kind = EVENT_VIOLATION;
	e->rule = f->rule;
	e->verdict = f->verdict;
	e->ib_index = f->vf->ib_index;
	e->netns_inum = f->vf->netns_inum;
	e->netns_cookie = f->vf->netns_cookie;
	e->arg[0] = f->arg[0];
	e->arg[1] = f->arg[1];
	e->merged = merged;
	/* The BTH is there, so 16 bytes are, from wherever a source begins. */
	if (f->size && !bpf_skb_load_bytes(skb, f->at, bytes, sizeof(bytes)))
		hex(e, bytes, f->size);
	event_submit(e);
	return true;
}

/*
 * Tells a violation, or counts it into the next event of its kind. One CPU wins the right to tell; where the ring has no
 * room, the packet goes with the next event as well, so lost.events is then of events, and no packet is untold.
 */
static __noinline int tell(struct __sk_buff *skb, const struct finding *f)
{
	struct warden_vf_told *told = f->told;
	__u64 now = bpf_ktime_get_boot_ns(), before = told->told_ns, merged;

	count(f->verdict == VERDICT_DENIED     ? COUNTER_DENIED
	      : f->verdict == VERDICT_REMARKED ? COUNTER_REMARKED
					       : COUNTER_OBSERVED);
	if ((before && now - before < MERGE_WINDOW_NS) || !__sync_bool_compare_and_swap(&told->told_ns, before, now)) {
		__sync_fetch_and_add(&told->merged, 1);
		count(COUNTER_MERGED);
		return 0;
	}
	merged = __sync_lock_test_and_set(&told->merged, 0);
	if (tell_event(skb, f, now, merged))
		return 0;
	__sync_fetch_and_add(&told->merged, merged + 1);
	count(COUNTER_LOST_EVENTS);
	return 0;
}

/*
 * Gives the packet another DSCP and leaves ECN alone. The IPv4 checksum follows (RFC 1624, eqn. 3) in the same write, so
 * that no packet leaves with half of it; IPv6 has none, and that of UDP does not cover the field. The ICRC stays right:
 * it is computed with ToS and header checksum, or traffic class, as all ones (InfiniBand Architecture, annex A17.3.3).
 */
static __noinline int remark(struct __sk_buff *skb, __u32 l3, __u32 dscp, __u32 ipv6)
{
	__u16 word[6], old;
	__u8 *byte = (__u8 *)word;
	__u32 sum;

	if (bpf_skb_load_bytes(skb, l3, word, sizeof(word)))
		return -1;
	if (ipv6) {
		byte[0] = 0x60 | dscp >> 2;
		byte[1] = dscp << 6 | (byte[1] & 0x3f);
		return bpf_skb_store_bytes(skb, l3, word, 2, BPF_F_RECOMPUTE_CSUM);
	}
	old = word[0];
	byte[1] = dscp << 2 | (byte[1] & 3);
	sum = (__u16)~word[5] + (__u16)~old + word[0];
	sum = (sum & 0xffff) + (sum >> 16);
	word[5] = ~(sum + (sum >> 16));
	return bpf_skb_store_bytes(skb, l3, word, sizeof(word), 0);
}

/* CNPs have a DSCP of their own. What has no tag has no PCP that could be wrong. */
static __always_inline bool mark_is_right(const struct warden_vf *vf, const struct packet *p)
{
	__u8 dscp = p->traffic_class >> 2, priority = vf->priority;
	bool right = dscp_allowed(vf->dscp_allowed, p->traffic_class);

	if (p->class == ROCE_CNP) {
		priority = vf->cnp_priority;
		if (vf->cnp_dscp != WARDEN_VF_ANY)
			right = dscp == vf->cnp_dscp;
	}
	return right && (!p->tags || priority == WARDEN_VF_ANY || p->tci >> 13 == priority);
}

/* A wrong PCP with a right DSCP is only told under VF_REMARK: the tag is not rewritten. */
static __always_inline int wrong_mark(struct __sk_buff *skb, const struct packet *p, struct finding *f,
				      enum warden_direction direction)
{
	const struct warden_vf *vf = f->vf;
	bool cnp = p->class == ROCE_CNP && vf->cnp_dscp != WARDEN_VF_ANY;
	__u32 dscp = p->traffic_class >> 2, action = vf->action[direction % DIRECTION_COUNT],
	      to = cnp ? vf->cnp_dscp : vf->remark_dscp;

	f->rule = RULE_MARKING_PACKET;
	f->verdict = action == VF_DROP ? VERDICT_DENIED : VERDICT_OBSERVED;
	f->arg[0] = PACKET_ARG(dscp, p->tags ? p->tci >> 13 : PACKET_UNTAGGED, p->class, direction);
	f->arg[1] = cnp ? 1ull << (vf->cnp_dscp & 63) : vf->dscp_allowed;
	if (action == VF_REMARK && dscp != to) {
		if (remark(skb, p->l3, to & 63, p->ipv6))
			count(COUNTER_LOST_REMARKS);
		else
			f->verdict = VERDICT_REMARKED;
	}
	tell(skb, f);
	return action == VF_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* The bytes at that offset of the frame, where they are linear or else in `room`; NULL: it has not so many. */
static __always_inline const void *peek(struct __sk_buff *skb, __u32 at, __u32 size, void *room)
{
	const void *p = (const void *)(long)skb->data + at;

	if (likely(p + size <= (const void *)(long)skb->data_end))
		return p;
	return bpf_skb_load_bytes(skb, at, room, size) ? NULL : room;
}

/* Addresses as two words of this machine, which is little-endian. */
static __always_inline bool owns_address(const struct warden_vf *vf, const struct cursor *c, const struct packet *p)
{
	const __u64 *own, *source;
	__u64 upper = 0, lower, room[2];

	source = p->ipv6 ? peek(c->skb, p->l3 + offsetof(struct ipv6hdr, saddr), 16, room)
			 : peek(c->skb, p->l3 + offsetof(struct iphdr, saddr), 4, room);
	if (unlikely(!source))
		return false;
	if (p->ipv6) {
		upper = source[0];
		lower = source[1];
	} else {
		lower = (__u64) * (const __u32 *)source << 32 | bpf_htonl(0xffff);
	}
	for (__u32 i = 0; i < WARDEN_VF_ADDRESSES && i < vf->addresses; i++) {
		own = (const __u64 *)vf->address[i];
		if (own[0] == upper && own[1] == lower)
			return true;
	}
	return false;
}

static __always_inline bool owns_mac(const struct warden_vf *vf, const struct cursor *c)
{
	const __u16 *own = (const __u16 *)vf->mac, *from;
	__u16 room[3];

	from = peek(c->skb, offsetof(struct ethernet, from), 6, room);
	if (unlikely(!from))
		return false;
	return from[0] == own[0] && from[1] == own[1] && from[2] == own[2];
}

/* What of the source is not the VF's own: 0, or an enum warden_spoofed. */
static __always_inline __u32 spoofed(const struct cursor *c, const struct packet *p, const struct warden_vf *vf)
{
	if (unlikely(!owns_mac(vf, c)))
		return SPOOFED_MAC;
	if (unlikely((p->tags ? p->tci & 0xfff : 0) != vf->vlan))
		return SPOOFED_VLAN;
	return likely(owns_address(vf, c, p)) ? 0 : SPOOFED_ADDRESS;
}

static __always_inline int wrong_source(struct __sk_buff *skb, const struct packet *p, struct finding *f, __u32 what)
{
	const struct warden_vf *vf = f->vf;

	f->rule = RULE_SPOOF_SOURCE;
	f->verdict = vf->source_action == VF_DROP ? VERDICT_DENIED : VERDICT_OBSERVED;
	f->arg[0] = what;
	f->arg[1] = p->tags ? p->tci & 0xfff : 0;
	if (what == SPOOFED_MAC) {
		f->at = offsetof(struct ethernet, from);
		f->size = 6;
	} else if (what == SPOOFED_ADDRESS) {
		f->at = p->l3 + (p->ipv6 ? offsetof(struct ipv6hdr, saddr) : offsetof(struct iphdr, saddr));
		f->size = p->ipv6 ? 16 : 4;
	}
	tell(skb, f);
	return vf->source_action == VF_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

static __always_inline int judge(const struct cursor *c, const struct packet *p, __u32 slot,
				 enum warden_direction direction)
{
	const struct warden_vf *vf = bpf_map_lookup_elem(&vfs, &slot);
	__u32 place = slot * DIRECTION_COUNT + direction, what = 0;
	struct warden_vf_tolds *tolds;
	struct finding f;
	bool wrong;

	if (unlikely(!vf))
		return TC_ACT_UNSPEC;
	/* To QPN 1 go rdma_cm's messages, which have the priority of management; their source is judged. */
	wrong = vf->action[direction % DIRECTION_COUNT] && p->class != ROCE_CM && !mark_is_right(vf, p);
	if (direction == DIRECTION_EGRESS && vf->source_action)
		what = spoofed(c, p, vf);
	if (likely(!wrong && !what))
		return TC_ACT_UNSPEC;
	tolds = bpf_map_lookup_elem(&vf_told, &place);
	if (!tolds)
		return TC_ACT_UNSPEC;
	f = (struct finding){ .vf = vf, .told = &tolds->source };
	if (what && wrong_source(c->skb, p, &f, what) == TC_ACT_SHOT)
		return TC_ACT_SHOT;
	if (!wrong)
		return TC_ACT_UNSPEC;
	f = (struct finding){ .vf = vf, .told = &tolds->marking[p->traffic_class >> 2] };
	return wrong_mark(c->skb, p, &f, direction);
}

static __always_inline int count_and_judge(const struct cursor *c, const struct packet *p,
					   enum warden_direction direction)
{
	__u32 slot = find_slot(c->skb), place = slot * DIRECTION_COUNT + direction;
	struct warden_vf_stats *stats = bpf_map_lookup_elem(&vf_stats, &place);

	if (unlikely(!stats)) {
		count(COUNTER_LOST_VFS);
		return TC_ACT_UNSPEC;
	}
	if (p->kind == PACKET_ROCE) {
		count_packet(stats, p, c->len);
		return judge(c, p, slot, direction);
	}
	if (p->kind == PACKET_LATER_FRAGMENT)
		stats->fragments++;
	else if (p->malformed < MALFORMED_COUNT)
		stats->malformed[p->malformed]++;
	return TC_ACT_UNSPEC;
}

/* The kernel has no tag where it says so; its TCI may be an old one. */
static __always_inline struct cursor cursor_of(struct __sk_buff *skb)
{
	return (struct cursor){ .skb = skb, .len = skb->len, .tagged = skb->vlan_present, .tci = skb->vlan_tci };
}

/* The long way, apart: what it needs is not to be carried along on the short one. */
static __noinline int parse_and_judge(struct __sk_buff *skb, enum warden_direction direction)
{
	struct cursor c = cursor_of(skb);
	struct packet p = {};

	parse_packet(&c, &p);
	return p.kind == PACKET_NOT_ROCE ? TC_ACT_UNSPEC : count_and_judge(&c, &p, direction);
}

static __always_inline int judge_packet(struct __sk_buff *skb, enum warden_direction direction)
{
	struct cursor c = cursor_of(skb);
	struct packet p = {};

	if (unlikely(!parse_common((const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end, c.len, c.tagged,
				   c.tci, &p)))
		return parse_and_judge(skb, direction);
	return p.kind == PACKET_NOT_ROCE ? TC_ACT_UNSPEC : count_and_judge(&c, &p, direction);
}

SEC("tc/ingress")
int vf_ingress(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_INGRESS);
}

SEC("tc/egress")
int vf_egress(struct __sk_buff *skb)
{
	return judge_packet(skb, DIRECTION_EGRESS);
}
