/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for the tests and the benchmark of the packet path, built from what they are to have. */
#ifndef WARDEN_FRAMES_H
#define WARDEN_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_MAX 1024

struct frame_spec {
	const char *name;
	uint8_t tags; /* VLAN tags in the data */
	uint16_t tci[3]; /* 802.1ad for all but the last, which is 802.1Q */
	bool ipv6;
	uint8_t option_words; /* of IPv4 */
	uint8_t extensions; /* of IPv6 */
	uint8_t extension[8]; /* their protocol numbers */
	uint8_t traffic_class;
	uint16_t fragment; /* the IPv4 field, or that of IPv6's fragment header */
	uint8_t protocol; /* 0: UDP */
	uint16_t port; /* 0: RoCE's */
	uint8_t opcode;
	uint32_t qpn; /* with FECN and BECN, as the BTH has it; 0: 0x123456 */
	uint16_t payload; /* bytes between BTH and ICRC */
	bool arp;
};

/* Where the parts begin; what a frame has not is 0. */
struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t len, l3, extension, udp, bth;
};

#define FRAME_TO                       \
	{                              \
		0x02, 0, 0, 0, 0, 0x01 \
	}
#define FRAME_FROM                     \
	{                              \
		0x02, 0, 0, 0, 0, 0x02 \
	}
#define FRAME_SOURCE4       \
	{                   \
		10, 1, 2, 3 \
	}
#define FRAME_SOURCE6                                             \
	{                                                         \
		0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3 \
	}

void frame_build(struct frame *frame, const struct frame_spec *spec);
uint16_t frame_get16(const uint8_t *at);
void frame_put16(uint8_t *at, uint16_t value);

/* Of an IPv4 header: 0 when its checksum is right. */
uint16_t frame_checksum(const uint8_t *header);

#endif
