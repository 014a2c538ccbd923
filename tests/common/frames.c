// SPDX-License-Identifier: Apache-2.0
#include "common/frames.h"

#include <string.h>

#define UDP 17
#define ROCE_PORT 4791
#define BTH_LEN 12
#define ICRC_LEN 4

uint16_t frame_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void frame_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint16_t frame_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < (header[0] & 15) * 2; i++)
		sum += frame_get16(header + 2 * i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The place of the next SIZE bytes. */
static uint8_t *add(struct frame *f, uint32_t size)
{
	uint8_t *at = f->bytes + f->len;

	f->len += size;
	return at;
}

static void add_ethernet(struct frame *f, const struct frame_spec *s)
{
	static const uint8_t to[6] = FRAME_TO, from[6] = FRAME_FROM;
	uint8_t *at;

	memcpy(add(f, 6), to, 6);
	memcpy(add(f, 6), from, 6);
	for (int i = 0; i < s->tags; i++) {
		at = add(f, 4);
		frame_put16(at, i + 1 < s->tags ? 0x88a8 : 0x8100);
		frame_put16(at + 2, s->tci[i]);
	}
	frame_put16(add(f, 2), s->arp ? 0x0806 : s->ipv6 ? 0x86dd : 0x0800);
	f->l3 = f->len;
}

static void add_ipv4(struct frame *f, const struct frame_spec *s, uint16_t inner)
{
	static const uint8_t from[4] = FRAME_SOURCE4, to[4] = { 10, 1, 2, 4 };
	uint32_t len = 20 + s->option_words * 4u;
	uint8_t *ip = add(f, len);

	ip[0] = (uint8_t)(0x40 | len / 4);
	ip[1] = s->traffic_class;
	frame_put16(ip + 2, (uint16_t)(len + inner));
	frame_put16(ip + 6, s->fragment);
	ip[8] = 64;
	ip[9] = s->protocol ? s->protocol : UDP;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	memset(ip + 20, 1, len - 20); /* no operation */
	frame_put16(ip + 10, frame_checksum(ip));
}

static uint8_t protocol_of(const struct frame_spec *s, int i)
{
	if (i < s->extensions)
		return s->extension[i];
	return s->protocol ? s->protocol : UDP;
}

/* The second extension header and those behind it have 16 bytes each, but for the fragment header. */
static void add_ipv6(struct frame *f, const struct frame_spec *s, uint16_t inner)
{
	static const uint8_t from[16] = FRAME_SOURCE6, to[16] = { 0xfd, [15] = 4 };
	uint8_t *ip = add(f, 40), *extension;
	uint32_t size;

	ip[0] = (uint8_t)(0x60 | s->traffic_class >> 4);
	ip[1] = (uint8_t)(s->traffic_class << 4 | 0x0a);
	ip[2] = 0xbc;
	ip[6] = protocol_of(s, 0);
	ip[7] = 64;
	memcpy(ip + 8, from, 16);
	memcpy(ip + 24, to, 16);
	f->extension = s->extensions ? f->len : 0;
	for (int i = 0; i < s->extensions; i++) {
		size = i && s->extension[i] != 44 ? 16 : 8;
		extension = add(f, size);
		extension[0] = protocol_of(s, i + 1);
		extension[1] = (uint8_t)(size / 8 - 1);
		if (s->extension[i] == 44)
			frame_put16(extension + 2, s->fragment);
	}
	frame_put16(ip + 4, (uint16_t)(f->len - f->l3 - 40 + inner));
}

static void add_roce(struct frame *f, const struct frame_spec *s, uint16_t inner)
{
	uint32_t qpn = s->qpn ? s->qpn : 0x123456;
	uint8_t *at;

	f->udp = f->len;
	at = add(f, 8);
	frame_put16(at, 0xc001);
	frame_put16(at + 2, s->port ? s->port : ROCE_PORT);
	frame_put16(at + 4, inner);
	f->bth = f->len;
	at = add(f, inner - 8u);
	at[0] = s->opcode;
	frame_put16(at + 2, 0xffff);
	frame_put16(at + 4, (uint16_t)(qpn >> 16));
	frame_put16(at + 6, (uint16_t)qpn);
	memset(at + BTH_LEN, 0x5a, s->payload + ICRC_LEN);
}

void frame_build(struct frame *frame, const struct frame_spec *spec)
{
	uint16_t inner = (uint16_t)(8 + BTH_LEN + spec->payload + ICRC_LEN);

	memset(frame, 0, sizeof(*frame));
	add_ethernet(frame, spec);
	if (spec->arp) {
		add(frame, 46);
		return;
	}
	if (spec->ipv6)
		add_ipv6(frame, spec, inner);
	else
		add_ipv4(frame, spec, inner);
	add_roce(frame, spec, inner);
}
