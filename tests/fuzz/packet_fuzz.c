// SPDX-License-Identifier: Apache-2.0
/*
 * Frames of any bytes through both parsers of the packet path: the short way says what the long one says, and no verdict
 * comes without the bytes for it. The first three bytes are the tag that the kernel keeps elsewhere.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packet.bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct packet parse_long(const struct cursor *c)
{
	struct packet p = {};

	parse_packet(c, &p);
	return p;
}

static bool same(const struct packet *a, const struct packet *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind != PACKET_ROCE)
		return true;
	return a->class == b->class && a->traffic_class == b->traffic_class && a->opcode == b->opcode &&
	       a->fecn == b->fecn && a->becn == b->becn && a->ipv6 == b->ipv6 && a->fragmented == b->fragmented &&
	       a->tags == b->tags && (!a->tags || a->tci == b->tci) && a->l3 == b->l3 && a->qpn == b->qpn;
}

/* By the bytes themselves: the traffic class, and where the IP header says that the packet ends. */
static uint32_t end_of(const struct packet *p, const uint8_t *frame)
{
	const uint8_t *ip = frame + p->l3;

	if (p->traffic_class != (p->ipv6 ? (ip[0] << 4 | ip[1] >> 4) & 0xff : ip[1]))
		abort();
	return p->l3 + (p->ipv6 ? 40u + (uint32_t)(ip[4] << 8 | ip[5]) : (uint32_t)(ip[2] << 8 | ip[3]));
}

/* A frame that is cut anywhere in its packet is never judged. */
static void cut(struct cursor c, const struct packet *p, const uint8_t *frame)
{
	uint32_t end = end_of(p, frame);

	if (end > c.len || p->l3 + 40 > c.len || p->tags > MAX_TAGS)
		abort();
	for (c.len = 0; c.len < end; c.len++)
		if (parse_long(&c).kind == PACKET_ROCE)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p, quick = {};
	struct cursor c;
	uint8_t *room;

	if (size < 3)
		return 0;
	/* As NET_IP_ALIGN has it, and not a byte longer. */
	room = malloc(size - 3 + 2);
	if (!room)
		abort();
	memcpy(room + 2, data + 3, size - 3);
	c = (struct cursor){ .data = room + 2,
			     .len = (uint32_t)size - 3,
			     .tagged = data[0] & 1,
			     .tci = (uint16_t)(data[1] << 8 | data[2]) };
	p = parse_long(&c);
	if (p.kind > PACKET_MALFORMED || (p.kind == PACKET_MALFORMED && p.malformed >= MALFORMED_COUNT))
		abort();
	if (parse_common(c.data, room + size - 1, c.len, c.tagged, c.tci, &quick) && !same(&p, &quick))
		abort();
	if (p.kind == PACKET_ROCE)
		cut(c, &p, room + 2);
	free(room);
	return 0;
}
