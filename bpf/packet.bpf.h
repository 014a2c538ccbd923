/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a frame is: RoCEv2, or not, or malformed. Pure over a cursor, so that the fuzzer and the unit tests run the same
 * code in user space. Nothing is concluded from bytes that are not there: a field is read only where the frame, the IP
 * length and the UDP length all say that it exists.
 */
#ifndef WARDEN_PACKET_BPF_H
#define WARDEN_PACKET_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include "warden.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_8021Q 0x8100
#define ETHERTYPE_8021AD 0x88a8
#define PROTOCOL_UDP 17
#define ROCE_PORT 4791 /* IANA roce; InfiniBand Architecture, annex A17 */
#define ROCE_ICRC_LEN 4
#define OPCODE_CNP 0x81 /* annex A17.9.3 */
#define CM_QPN 1 /* the general services interface: rdma_cm's own messages */
#define MAX_TAGS 2
#define MAX_EXTENSIONS 6 /* RFC 8200, 4.1: each kind once, destination options twice */
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS 1
#define IPV6_FRAGMENT_OFFSET 0xfff8

enum packet_kind { PACKET_NOT_ROCE, PACKET_ROCE, PACKET_LATER_FRAGMENT, PACKET_MALFORMED };

struct packet {
	__u8 kind; /* enum packet_kind; what follows is of PACKET_ROCE, except for the next one */
	__u8 malformed; /* enum warden_malformed */
	__u8 class; /* enum warden_roce_class */
	__u8 traffic_class; /* DSCP and ECN */
	__u8 opcode;
	bool fecn, becn;
	bool ipv6;
	bool fragmented; /* a first fragment */
	__u8 tags; /* VLAN tags, the kernel's own included; the outermost is the next one */
	__u16 tci;
	__u32 l3; /* where the IP header begins */
	__u32 qpn; /* the destination's */
};

/* As on the wire; unlike the kernel's struct ethhdr not packed, for which clang would read byte by byte. */
struct ethernet {
	__u8 to[6];
	__u8 from[6];
	__be16 type;
};

struct vlan_tag {
	__be16 tci;
	__be16 type;
};

/* Any IPv6 extension header that is known here, up to where the fragment header has its offset. */
struct ipv6_extension {
	__u8 next;
	__u8 length; /* in units of 8 bytes, the first not counted */
	__be16 fragment;
	__be32 rest;
};

struct bth {
	__u8 opcode;
	__u8 flags;
	__be16 pkey;
	__be32 qpn; /* FECN, BECN, 6 bits reserved, 24 of the QPN */
	__be32 psn;
};

union header {
	struct ethernet ethernet;
	struct vlan_tag tag;
	struct iphdr ipv4;
	struct ipv6hdr ipv6;
	struct ipv6_extension extension;
	struct udphdr udp;
	struct bth bth;
};

struct cursor {
#ifdef __bpf__
	struct __sk_buff *skb;
	const void *end; /* of what is linear */
#endif
	const void *data;
	__u32 len; /* of the whole frame */
	bool tagged; /* the kernel keeps a tag outside of the data */
	__u16 tci;
};

/* The bytes at that offset, or NULL where the frame is shorter; they may lie in `room`. */
#ifdef __bpf__
static __always_inline const void *peek(const struct cursor *c, __u32 at, __u32 size, union header *room)
{
	const void *p = c->data + at;

	if (likely(p + size <= c->end))
		return p;
	return bpf_skb_load_bytes(c->skb, at, room, size) ? NULL : room;
}
#else
static inline const void *peek(const struct cursor *c, __u32 at, __u32 size, union header *room)
{
	if (at > c->len || size > c->len - at)
		return NULL;
	return __builtin_memcpy(room, (const char *)c->data + at, size); /* aligned, as the structs above want it */
}
#endif

/* Where the transport header lies, by what the IP header says. */
struct transport {
	__u32 at, end;
};

static __always_inline bool malformed(struct packet *p, enum warden_malformed reason)
{
	p->kind = PACKET_MALFORMED;
	p->malformed = reason;
	return false;
}

static __always_inline bool is_tag(__be16 type)
{
	return type == bpf_htons(ETHERTYPE_8021Q) || type == bpf_htons(ETHERTYPE_8021AD);
}

static __always_inline bool parse_ethernet(const struct cursor *c, struct packet *p, __be16 *type)
{
	const struct ethernet *ethernet;
	const struct vlan_tag *tag;
	union header room;

	ethernet = peek(c, 0, sizeof(*ethernet), &room);
	if (unlikely(!ethernet))
		return malformed(p, MALFORMED_ETHERNET);
	*type = ethernet->type;
	p->l3 = sizeof(*ethernet);
	p->tags = c->tagged;
	p->tci = c->tci;
	for (int i = 0; i < MAX_TAGS && unlikely(is_tag(*type)); i++) {
		tag = peek(c, p->l3, sizeof(*tag), &room);
		if (unlikely(!tag))
			return malformed(p, MALFORMED_VLAN);
		if (!p->tags++)
			p->tci = bpf_ntohs(tag->tci);
		*type = tag->type;
		p->l3 += sizeof(*tag);
	}
	if (unlikely(p->tags > MAX_TAGS || is_tag(*type)))
		return malformed(p, MALFORMED_VLAN_DEPTH);
	return true;
}

/*
 * The lengths are looked at only where UDP follows: of TCP the kernel has segments in one frame whose length field is 0
 * (BIG TCP), which is no fault.
 */
static __always_inline bool parse_ipv4(const struct cursor *c, struct packet *p, struct transport *t)
{
	const struct iphdr *ip;
	union header room;
	__u16 fragment;
	__u32 len;

	ip = peek(c, p->l3, sizeof(*ip), &room);
	if (unlikely(!ip))
		return malformed(p, MALFORMED_IPV4);
	if (unlikely(ip->version != 4))
		return malformed(p, MALFORMED_VERSION);
	if (unlikely(ip->ihl < 5))
		return malformed(p, MALFORMED_IHL);
	if (ip->protocol != PROTOCOL_UDP)
		return false;
	len = bpf_ntohs(ip->tot_len);
	if (unlikely(len < ip->ihl * 4u || len > c->len - p->l3))
		return malformed(p, MALFORMED_IPV4_LENGTH);
	fragment = bpf_ntohs(ip->frag_off);
	if (unlikely(fragment & IPV4_FRAGMENT_OFFSET)) {
		p->kind = PACKET_LATER_FRAGMENT;
		return false;
	}
	p->fragmented = fragment & IPV4_MORE_FRAGMENTS;
	p->traffic_class = ip->tos;
	t->at = p->l3 + ip->ihl * 4u;
	t->end = p->l3 + len;
	return true;
}

static __always_inline bool is_extension(__u8 protocol)
{
	return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60;
}

/* What follows the extension headers in *next; false where that is not to be looked at. */
static __always_inline bool parse_extensions(const struct cursor *c, struct packet *p, __u32 *at, __u8 *next)
{
	const struct ipv6_extension *extension;
	union header room;
	__u16 fragment;

	for (int i = 0; i < MAX_EXTENSIONS && is_extension(*next); i++) {
		extension = peek(c, *at, sizeof(*extension), &room);
		if (unlikely(!extension))
			return malformed(p, MALFORMED_EXTENSION);
		if (*next == 44) {
			fragment = bpf_ntohs(extension->fragment);
			if (fragment & IPV6_FRAGMENT_OFFSET) {
				p->kind = PACKET_LATER_FRAGMENT;
				return false;
			}
			p->fragmented |= fragment & IPV6_MORE_FRAGMENTS;
			*at += sizeof(*extension);
		} else {
			*at += (extension->length + 1) * 8;
		}
		*next = extension->next;
	}
	return is_extension(*next) ? malformed(p, MALFORMED_EXTENSION_CHAIN) : true;
}

static __always_inline bool parse_ipv6(const struct cursor *c, struct packet *p, struct transport *t)
{
	const struct ipv6hdr *ip;
	union header room;
	__u32 len;
	__u8 next;

	ip = peek(c, p->l3, sizeof(*ip), &room);
	if (unlikely(!ip))
		return malformed(p, MALFORMED_IPV6);
	if (unlikely(ip->version != 6))
		return malformed(p, MALFORMED_VERSION);
	p->ipv6 = true;
	p->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	t->at = p->l3 + sizeof(*ip);
	next = ip->nexthdr;
	len = bpf_ntohs(ip->payload_len);
	if (next != PROTOCOL_UDP && !parse_extensions(c, p, &t->at, &next))
		return false;
	if (next != PROTOCOL_UDP)
		return false;
	if (len > c->len - p->l3 - sizeof(*ip))
		return malformed(p, MALFORMED_IPV6_LENGTH);
	t->end = p->l3 + sizeof(*ip) + len;
	return t->at > t->end ? malformed(p, MALFORMED_EXTENSION) : true;
}

static __always_inline enum warden_roce_class roce_class(__u8 opcode, __u32 qpn)
{
	if (opcode == OPCODE_CNP)
		return ROCE_CNP;
	if (qpn == CM_QPN)
		return ROCE_CM;
	switch (opcode >> 5) { /* InfiniBand Architecture, table 38 */
	case 0:
		return ROCE_RC;
	case 1:
		return ROCE_UC;
	case 3:
		return ROCE_UD;
	default:
		return ROCE_OTHER;
	}
}

static __always_inline void parse_roce(const struct cursor *c, struct packet *p, const struct transport *t)
{
	__u32 room_for = t->end - t->at, len, qpn;
	const struct udphdr *udp;
	const struct bth *bth;
	union header room;

	udp = room_for < sizeof(*udp) ? NULL : peek(c, t->at, sizeof(*udp), &room);
	if (!udp) {
		malformed(p, MALFORMED_UDP);
		return;
	}
	if (udp->dest != bpf_htons(ROCE_PORT))
		return;
	len = bpf_ntohs(udp->len);
	/* That of a first fragment is of the whole datagram. */
	if (unlikely(len < sizeof(*udp) || (len > room_for && !p->fragmented))) {
		malformed(p, MALFORMED_UDP_LENGTH);
		return;
	}
	bth = len < sizeof(*udp) + sizeof(*bth) + ROCE_ICRC_LEN || room_for < sizeof(*udp) + sizeof(*bth)
		      ? NULL
		      : peek(c, t->at + sizeof(*udp), sizeof(*bth), &room);
	if (!bth) {
		malformed(p, MALFORMED_BTH);
		return;
	}
	qpn = bpf_ntohl(bth->qpn);
	p->kind = PACKET_ROCE;
	p->opcode = bth->opcode;
	p->fecn = qpn >> 31;
	p->becn = qpn >> 30 & 1;
	p->qpn = qpn & 0xffffff;
	p->class = roce_class(p->opcode, p->qpn);
}

/* *p is to be zero. */
static __always_inline void parse_packet(const struct cursor *c, struct packet *p)
{
	struct transport t;
	__be16 type;

	if (!parse_ethernet(c, p, &type))
		return;
	if (type == bpf_htons(ETHERTYPE_IPV4)) {
		if (!parse_ipv4(c, p, &t))
			return;
	} else if (type != bpf_htons(ETHERTYPE_IPV6) || !parse_ipv6(c, p, &t)) {
		return;
	}
	parse_roce(c, p, &t);
}

#endif
