/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the test tells its programs and what the parser has found: struct packet, in fixed widths. */
#ifndef WARDEN_PACKET_TEST_H
#define WARDEN_PACKET_TEST_H

#include <linux/types.h>

#define PACKET_TEST_FAILED 4711
#define PACKET_TEST_LONG 4712 /* the short way leaves it to the long one */

struct packet_test_question {
	__u32 tci; /* to push */
	__u32 kind;
	__u32 malformed;
	__u32 class;
	__u32 traffic_class;
	__u32 opcode;
	__u32 tags;
	__u32 tci_found;
	__u32 qpn;
	__u32 l3;
	__u32 bits; /* FECN, BECN, IPv6, first fragment */
};

#endif
