// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The two programs themselves, and ways into them that BPF_PROG_TEST_RUN has not. */
#include "vf.bpf.c"
#include "packet_test.h"

struct packet_test_question question;

/* A tag that the kernel keeps outside of the data, as a NIC's offload leaves it. */
SEC("tc")
int tagged_egress(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(ETHERTYPE_8021Q), question.tci))
		return PACKET_TEST_FAILED;
	return judge_packet(skb, DIRECTION_EGRESS);
}

static __always_inline void answer(const struct packet *p)
{
	question.kind = p->kind;
	question.malformed = p->malformed;
	question.class = p->class;
	question.traffic_class = p->traffic_class;
	question.opcode = p->opcode;
	question.tags = p->tags;
	question.tci_found = p->tci;
	question.qpn = p->qpn;
	question.l3 = p->l3;
	question.bits = p->fecn | p->becn << 1 | p->ipv6 << 2 | p->fragmented << 3;
}

SEC("tc")
int parse_long(struct __sk_buff *skb)
{
	struct cursor c = cursor_of(skb);
	struct packet p = {};

	parse_packet(&c, &p);
	answer(&p);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int parse_short(struct __sk_buff *skb)
{
	struct cursor c = cursor_of(skb);
	struct packet p = {};

	if (!parse_common((const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end, c.len, c.tagged, c.tci, &p))
		return PACKET_TEST_LONG;
	answer(&p);
	return TC_ACT_UNSPEC;
}
