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
#else
	const void *data;
#endif
	__u32 len; /* of the whole frame */
	bool tagged; /* the kernel keeps a tag outside of the data */
	__u16 tci;
};

/* Copies what lies at that offset, linear or not, to where it is aligned. False where the frame is shorter. */
#ifdef __bpf__
static __always_inline bool fetch(const struct cursor *c, __u32 at, __u32 size, union header *header)
{
	return !bpf_skb_load_bytes(c->skb, at, header, size);
}
#else
static inline bool fetch(const struct cursor *c, __u32 at, __u32 size, union header *header)
{
	if (at > c->len || size > c->len - at)
		return false;
	__builtin_memcpy(header, (const char *)c->data + at, size);
	return true;
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

static __always_inline bool parse_ethernet(const struct cursor *c, struct packet *p, union header *h, __be16 *type)
{
	const struct ethernet *ethernet = &h->ethernet;
	const struct vlan_tag *tag = &h->tag;

	if (!fetch(c, 0, sizeof(*ethernet), h))
		return malformed(p, MALFORMED_ETHERNET);
	*type = ethernet->type;
	p->l3 = sizeof(*ethernet);
	p->tags = c->tagged;
	p->tci = c->tci;
	for (int i = 0; i < MAX_TAGS && is_tag(*type); i++) {
		if (!fetch(c, p->l3, sizeof(*tag), h))
			return malformed(p, MALFORMED_VLAN);
		if (!p->tags++)
			p->tci = bpf_ntohs(tag->tci);
		*type = tag->type;
		p->l3 += sizeof(*tag);
	}
	if (p->tags > MAX_TAGS || is_tag(*type))
		return malformed(p, MALFORMED_VLAN_DEPTH);
	return true;
}

/*
 * The lengths are looked at only where UDP follows: of TCP the kernel has segments in one frame whose length field is 0
 * (BIG TCP), which is no fault.
 */
static __always_inline bool parse_ipv4(const struct cursor *c, struct packet *p, union header *h, struct transport *t)
{
	const struct iphdr *ip = &h->ipv4;
	__u16 fragment;
	__u32 len;

	if (!fetch(c, p->l3, sizeof(*ip), h))
		return malformed(p, MALFORMED_IPV4);
	if (ip->version != 4)
		return malformed(p, MALFORMED_VERSION);
	if (ip->ihl < 5)
		return malformed(p, MALFORMED_IHL);
	if (ip->protocol != PROTOCOL_UDP)
		return false;
	len = bpf_ntohs(ip->tot_len);
	if (len < ip->ihl * 4u || len > c->len - p->l3)
		return malformed(p, MALFORMED_IPV4_LENGTH);
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IPV4_FRAGMENT_OFFSET) {
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
static __always_inline bool parse_extensions(const struct cursor *c, struct packet *p, union header *h, __u32 *at,
					     __u8 *next)
{
	const struct ipv6_extension *extension = &h->extension;
	__u16 fragment;

	for (int i = 0; i < MAX_EXTENSIONS && is_extension(*next); i++) {
		if (!fetch(c, *at, sizeof(*extension), h))
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

static __always_inline bool parse_ipv6(const struct cursor *c, struct packet *p, union header *h, struct transport *t)
{
	const struct ipv6hdr *ip = &h->ipv6;
	__u32 len;
	__u8 next;

	if (!fetch(c, p->l3, sizeof(*ip), h))
		return malformed(p, MALFORMED_IPV6);
	if (ip->version != 6)
		return malformed(p, MALFORMED_VERSION);
	p->ipv6 = true;
	p->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	t->at = p->l3 + sizeof(*ip);
	next = ip->nexthdr;
	len = bpf_ntohs(ip->payload_len);
	if (next != PROTOCOL_UDP && !parse_extensions(c, p, h, &t->at, &next))
		return false;
	if (next != PROTOCOL_UDP)
		return false;
	if (len > c->len - p->l3 - sizeof(*ip))
		return malformed(p, MALFORMED_IPV6_LENGTH);
	t->end = p->l3 + sizeof(*ip) + len;
	return t->at > t->end ? malformed(p, MALFORMED_EXTENSION) : true;
}

/* By the upper three bits of the opcode, a nibble each (InfiniBand Architecture, table 38). */
#define CLASSES                                                                                           \
	(ROCE_RC | ROCE_UC << 4 | ROCE_OTHER << 8 | ROCE_UD << 12 | ROCE_OTHER << 16 | ROCE_OTHER << 20 | \
	 ROCE_OTHER << 24 | (__u32)ROCE_OTHER << 28)

static __always_inline void set_bth(struct packet *p, const struct bth *bth)
{
	__u32 qpn = bpf_ntohl(bth->qpn);

	p->kind = PACKET_ROCE;
	p->opcode = bth->opcode;
	p->fecn = qpn >> 31;
	p->becn = qpn >> 30 & 1;
	p->qpn = qpn & 0xffffff;
	p->class = p->opcode == OPCODE_CNP ? ROCE_CNP
		   : p->qpn == CM_QPN      ? ROCE_CM
					   : CLASSES >> (p->opcode >> 5) * 4 & 15;
}

static __always_inline void parse_roce(const struct cursor *c, struct packet *p, union header *h,
				       const struct transport *t)
{
	__u32 room_for = t->end - t->at, len;
	const struct udphdr *udp = &h->udp;

	if (room_for < sizeof(*udp) || !fetch(c, t->at, sizeof(*udp), h)) {
		malformed(p, MALFORMED_UDP);
		return;
	}
	if (udp->dest != bpf_htons(ROCE_PORT))
		return;
	len = bpf_ntohs(udp->len);
	/* That of a first fragment is of the whole datagram. */
	if (len < sizeof(*udp) || (len > room_for && !p->fragmented)) {
		malformed(p, MALFORMED_UDP_LENGTH);
		return;
	}
	if (len < sizeof(*udp) + sizeof(h->bth) + ROCE_ICRC_LEN || room_for < sizeof(*udp) + sizeof(h->bth) ||
	    !fetch(c, t->at + sizeof(*udp), sizeof(h->bth), h)) {
		malformed(p, MALFORMED_BTH);
		return;
	}
	set_bth(p, &h->bth);
}

/* *p is to be zero. */
static __always_inline void parse_packet(const struct cursor *c, struct packet *p)
{
	struct transport t;
	union header h;
	__be16 type;

	if (!parse_ethernet(c, p, &h, &type))
		return;
	if (type == bpf_htons(ETHERTYPE_IPV4)) {
		if (!parse_ipv4(c, p, &h, &t))
			return;
	} else if (type != bpf_htons(ETHERTYPE_IPV6) || !parse_ipv6(c, p, &h, &t)) {
		return;
	}
	parse_roce(c, p, &h, &t);
}

/*
 * The short way, for the frames that are nearly all: linear, without options, extension headers and fragments, and with
 * lengths that are right. Says what parse_packet() would, or false, with *p undefined, for that to be asked; the tests
 * compare the two. It takes a seventh of the time.
 */
static __always_inline bool parse_common(const __u8 *data, const __u8 *end, __u32 len, bool tagged, __u16 tci,
					 struct packet *p)
{
	const __u8 *ip = data + sizeof(struct ethernet), *l4;
	__u32 l3 = sizeof(struct ethernet), l4_at, ip_end; /* apart, since pointers cannot be subtracted in a program */
	const struct udphdr *udp;
	__u32 tags = tagged;
	__be16 type;

	if (unlikely(ip > end))
		return false;
	type = ((const struct ethernet *)data)->type;
	if (unlikely(is_tag(type))) {
		const struct vlan_tag *tag = (const struct vlan_tag *)ip;

		if (ip + sizeof(*tag) > end)
			return false;
		tci = tagged ? tci : bpf_ntohs(tag->tci);
		tags++;
		type = tag->type;
		ip += sizeof(*tag);
		l3 += sizeof(*tag);
		if (is_tag(type)) {
			tag = (const struct vlan_tag *)ip;
			if (ip + sizeof(*tag) > end || tagged)
				return false;
			tags++;
			type = tag->type;
			ip += sizeof(*tag);
			l3 += sizeof(*tag);
		}
	}
	if (type == bpf_htons(ETHERTYPE_IPV4)) {
		const struct iphdr *ipv4 = (const struct iphdr *)ip;

		l4 = ip + sizeof(*ipv4);
		l4_at = l3 + sizeof(*ipv4);
		if (unlikely(l4 > end || ip[0] != 0x45))
			return false;
		if (ipv4->protocol != PROTOCOL_UDP)
			return true;
		if (unlikely(ipv4->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)))
			return false;
		ip_end = l3 + bpf_ntohs(ipv4->tot_len);
		p->traffic_class = ipv4->tos;
		p->ipv6 = false;
	} else if (type == bpf_htons(ETHERTYPE_IPV6)) {
		const struct ipv6hdr *ipv6 = (const struct ipv6hdr *)ip;

		l4 = ip + sizeof(*ipv6);
		l4_at = l3 + sizeof(*ipv6);
		if (unlikely(l4 > end || ip[0] >> 4 != 6))
			return false;
		if (ipv6->nexthdr != PROTOCOL_UDP)
			return !is_extension(ipv6->nexthdr);
		ip_end = l4_at + bpf_ntohs(ipv6->payload_len);
		p->traffic_class = bpf_ntohs(*(const __be16 *)ip) >> 4;
		p->ipv6 = true;
	} else {
		return !is_tag(type);
	}
	udp = (const struct udphdr *)l4;
	if (unlikely(l4 + sizeof(*udp) > end || ip_end > len || ip_end < l4_at + sizeof(*udp)))
		return false;
	if (udp->dest != bpf_htons(ROCE_PORT))
		return true;
	if (unlikely(l4 + sizeof(*udp) + sizeof(struct bth) > end || bpf_ntohs(udp->len) > ip_end - l4_at ||
		     bpf_ntohs(udp->len) < sizeof(*udp) + sizeof(struct bth) + ROCE_ICRC_LEN))
		return false;
	set_bth(p, (const struct bth *)(l4 + sizeof(*udp)));
	p->tags = tags;
	p->tci = tci;
	p->l3 = l3;
	return true;
}

#endif
