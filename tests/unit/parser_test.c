// SPDX-License-Identifier: Apache-2.0
/* The packet parsers in user space: the fuzzer's checks on a bounded run of mutated frames, and what each frame is. */
#include "fuzz/packet_fuzz.c"

#include "common/frames.h"
#include "common/test.h"
#include "lib/util.h"

#define MUTATIONS 1000000

static const struct frame_spec frames[] = {
	{ .traffic_class = 0xa2 },
	{ .traffic_class = 0xa2, .ipv6 = true },
	{ .tags = 1, .tci = { 5 << 13 | 7 } },
	{ .tags = 2, .tci = { 5 << 13 | 7, 9 }, .ipv6 = true },
	{ .tags = 3 },
	{ .option_words = 3 },
	{ .option_words = 10, .tags = 1 },
	{ .ipv6 = true, .extensions = 4, .extension = { 0, 60, 43, 44 } },
	{ .ipv6 = true, .extensions = 6, .extension = { 0, 60, 43, 44, 60, 60 } },
	{ .ipv6 = true, .extensions = 7, .extension = { 0, 60, 43, 44, 60, 60, 60 } },
	{ .fragment = 0x2000 },
	{ .fragment = 0x0001 },
	{ .ipv6 = true, .extensions = 1, .extension = { 44 }, .fragment = 0x0001 },
	{ .ipv6 = true, .extensions = 1, .extension = { 44 }, .fragment = 0x0008 },
	{ .opcode = 0x81 },
	{ .opcode = 0x64, .qpn = 1 },
	{ .port = 53 },
	{ .protocol = 6 },
	{ .arp = true },
};

/* Numerical Recipes' 64-bit LCG, upper bits: the same run each time. */
static uint32_t next_random(void)
{
	static uint64_t state = 20240229;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33);
}

/* Most bytes that matter are in the first hundred; some mutations also cut. */
static size_t mutate(uint8_t *bytes, size_t len)
{
	static const uint8_t telling[] = { 0, 1, 5, 6, 17, 43, 44, 60, 0x45, 0x60, 0x81, 0x88, 0xa8, 0xff };
	uint32_t changes = next_random() % 4;

	for (uint32_t i = 0; i < changes; i++) {
		uint8_t *at = bytes + next_random() % (len < 100 ? len : 100);

		*at = next_random() % 2 ? (uint8_t)next_random() : telling[next_random() % ARRAY_SIZE(telling)];
	}
	return next_random() % 8 ? len : next_random() % (len + 1);
}

static void mutated_frames(void **state)
{
	uint8_t bytes[3 + FRAME_MAX];
	struct frame frame;

	(void)state;
	for (uint32_t i = 0; i < MUTATIONS; i++) {
		frame_build(&frame, &frames[i % ARRAY_SIZE(frames)]);
		bytes[0] = !(next_random() % 4);
		bytes[1] = (uint8_t)next_random();
		bytes[2] = (uint8_t)next_random();
		memcpy(bytes + 3, frame.bytes, frame.len);
		LLVMFuzzerTestOneInput(bytes, 3 + mutate(bytes + 3, frame.len));
	}
}

static struct packet parse_frame(const struct frame_spec *spec, bool tagged)
{
	struct frame frame;
	struct cursor c = { .data = frame.bytes, .tagged = tagged, .tci = 0x6005 };

	frame_build(&frame, spec);
	c.len = frame.len;
	return parse_long(&c);
}

static void kinds(void **state)
{
	static const uint8_t kind[] = { PACKET_ROCE,      PACKET_ROCE,           PACKET_ROCE,    PACKET_ROCE,
					PACKET_MALFORMED, PACKET_ROCE,           PACKET_ROCE,    PACKET_ROCE,
					PACKET_ROCE,      PACKET_MALFORMED,      PACKET_ROCE,    PACKET_LATER_FRAGMENT,
					PACKET_ROCE,      PACKET_LATER_FRAGMENT, PACKET_ROCE,    PACKET_ROCE,
					PACKET_NOT_ROCE,  PACKET_NOT_ROCE,       PACKET_NOT_ROCE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
		assert_int_equal(parse_frame(&frames[i], false).kind, kind[i]);
	assert_int_equal(parse_frame(&frames[4], false).malformed, MALFORMED_VLAN_DEPTH);
	assert_int_equal(parse_frame(&frames[9], false).malformed, MALFORMED_EXTENSION_CHAIN);
}

/* The tag that the kernel keeps is the outermost, and counts. */
static void tag_of_the_kernel(void **state)
{
	struct packet p;

	(void)state;
	p = parse_frame(&frames[0], true);
	assert_int_equal(p.kind, PACKET_ROCE);
	assert_int_equal(p.tags, 1);
	assert_int_equal(p.tci, 0x6005);
	p = parse_frame(&frames[2], true);
	assert_int_equal(p.tags, 2);
	assert_int_equal(p.tci, 0x6005);
	p = parse_frame(&frames[3], true);
	assert_int_equal(p.kind, PACKET_MALFORMED);
	assert_int_equal(p.malformed, MALFORMED_VLAN_DEPTH);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(tag_of_the_kernel),
		cmocka_unit_test(mutated_frames),
	};

	return RUN_CASES("parser", cases);
}
