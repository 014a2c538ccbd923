// SPDX-License-Identifier: Apache-2.0
/* The programs of a VF's packets on this machine's kernel, as BPF_PROG_TEST_RUN gives them frames. */
#define _GNU_SOURCE
#include "packet_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frames.h"
#include "common/test.h"
#include "lib/util.h"
#include "warden.h"
#include "packet_test.skel.h" /* needs warden.h */

#define LOOPBACK 1 /* whose packets those of a test run are */
#define SLOT 3
#define OTHER_SLOT 4
#define PASSED (-1)
#define DROPPED 2
#define DSCP 40
#define CNP_DSCP 48

enum { NOT_ROCE, IS_ROCE, LATER_FRAGMENT, IS_MALFORMED }; /* bpf/packet.bpf.h */

static struct packet_test_bpf *skel;
static struct ring_buffer *ring;
static int load_err;
static struct warden_event told[64];
static size_t told_count;
static struct frame frame, after; /* what went in, what came out */

static int note_event(void *ctx, void *data, size_t size)
{
	(void)ctx;
	assert_int_equal(size, sizeof(told[0]));
	if (told_count < ARRAY_SIZE(told))
		memcpy(&told[told_count++], data, size);
	return 0;
}

static size_t events(void)
{
	told_count = 0;
	ring_buffer__consume(ring);
	return told_count;
}

/* A machine may not let us; that the verifier refuses them (EACCES) is a fault. */
static void need_programs(void)
{
	if (skel)
		return;
	if (load_err == -EPERM)
		skip_because("no right to load programs");
	test_fail("the kernel does not load the programs: %s", strerror(-load_err));
}

static int verdict(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.bytes, .data_size_in = frame.len, .data_out = after.bytes,
		    .data_size_out = sizeof(after.bytes));

	need_programs();
	memset(after.bytes, 0, sizeof(after.bytes));
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	after.len = opts.data_size_out;
	return (int)opts.retval;
}

static int egress(void)
{
	return verdict(skel->progs.vf_egress);
}

static int ingress(void)
{
	return verdict(skel->progs.vf_ingress);
}

static struct warden_vf profile(enum warden_vf_action action)
{
	static const uint8_t ipv4[16] = { [10] = 0xff, 0xff, 10, 1, 2, 3 }, ipv6[16] = FRAME_SOURCE6;
	struct warden_vf vf = { .dscp_allowed = 1ull << DSCP,
				.netns_cookie = 77,
				.netns_inum = 78,
				.ib_index = 79,
				.action = { (uint8_t)action, (uint8_t)action },
				.remark_dscp = DSCP,
				.cnp_dscp = CNP_DSCP,
				.priority = 5,
				.cnp_priority = 6,
				.addresses = 3,
				.mac = FRAME_FROM };

	vf.address[0][0] = 0xfe;
	memcpy(vf.address[1], ipv4, 16);
	memcpy(vf.address[2], ipv6, 16);
	return vf;
}

static void clear_array(const struct bpf_map *map, uint32_t key)
{
	void *zero = calloc((size_t)libbpf_num_possible_cpus(), 1 << 12);

	assert_non_null(zero);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &key, zero, BPF_ANY), 0);
	free(zero);
}

static void put_place(uint32_t ifindex, uint32_t slot)
{
	struct warden_vf_place place = { .ifindex = ifindex, .slot = slot };
	uint32_t at = LOOPBACK % WARDEN_VF_PLACES;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.vf_places), &at, &place, BPF_ANY), 0);
}

static void put_vf(uint32_t slot, const struct warden_vf *vf)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.vfs), &slot, vf, BPF_ANY), 0);
}

/* A VF with that configuration, of which nothing has been seen yet. */
static void begin(const struct warden_vf *vf)
{
	need_programs();
	for (uint32_t slot = SLOT; slot <= OTHER_SLOT; slot++)
		for (uint32_t direction = 0; direction < DIRECTION_COUNT; direction++) {
			clear_array(skel->maps.vf_stats, slot * DIRECTION_COUNT + direction);
			clear_array(skel->maps.vf_told, slot * DIRECTION_COUNT + direction);
		}
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		clear_array(skel->maps.counters, i);
	put_place(LOOPBACK, SLOT);
	put_vf(SLOT, vf);
	events();
}

static uint64_t counter(uint32_t which)
{
	uint64_t values[1024], sum = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.counters), &which, values), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += values[i];
	return sum;
}

/* The sum of all CPUs, the lines by DSCP and class. */
struct totals {
	uint64_t malformed[MALFORMED_COUNT], malformed_in_all, fragments;
	uint64_t packets[64][ROCE_CLASSES], bytes[64][ROCE_CLASSES], roce;
};

static void add_stats(struct totals *t, const struct warden_vf_stats *stats)
{
	const struct warden_vf_line *line;

	for (int i = 0; i < MALFORMED_COUNT; i++) {
		t->malformed[i] += stats->malformed[i];
		t->malformed_in_all += stats->malformed[i];
	}
	t->fragments += stats->fragments;
	for (int i = 0; i < WARDEN_VF_LINES; i++) {
		line = &stats->lines[i];
		assert_true(line->dscp < 64 && line->class < ROCE_CLASSES);
		t->packets[line->dscp][line->class] += line->packets;
		t->bytes[line->dscp][line->class] += line->bytes;
		t->roce += line->packets;
	}
}

static struct totals totals(uint32_t slot, enum warden_direction direction)
{
	int cpus = libbpf_num_possible_cpus();
	struct warden_vf_stats *stats = calloc((size_t)cpus, sizeof(*stats));
	uint32_t key = slot * DIRECTION_COUNT + direction;
	struct totals t = {};

	assert_non_null(stats);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.vf_stats), &key, stats), 0);
	for (int i = 0; i < cpus; i++)
		add_stats(&t, &stats[i]);
	free(stats);
	return t;
}

static void build(const struct frame_spec *spec)
{
	frame_build(&frame, spec);
}

static void unchanged(void)
{
	assert_int_equal(after.len, frame.len);
	assert_memory_equal(after.bytes, frame.bytes, frame.len);
}

/* ---- what frames are ---- */

struct kind {
	struct frame_spec spec;
	uint32_t kind, class, traffic_class, qpn, bits, malformed;
	bool is_long; /* not for the short way */
};

#define RIGHT .traffic_class = DSCP << 2 | 2
#define FOUND .kind = IS_ROCE, .traffic_class = DSCP << 2 | 2, .qpn = 0x123456

static const struct kind kinds[] = {
	{ .spec = { RIGHT }, FOUND },
	{ .spec = { RIGHT, .ipv6 = true }, FOUND, .bits = 4 },
	{ .spec = { RIGHT, .tags = 1, .tci = { 0xa007 } }, FOUND },
	{ .spec = { RIGHT, .tags = 2, .tci = { 0xa007, 8 } }, FOUND },
	{ .spec = { RIGHT, .tags = 2, .tci = { 0xa007, 8 }, .ipv6 = true }, FOUND, .bits = 4 },
	{ .spec = { .tags = 3 }, .kind = IS_MALFORMED, .malformed = MALFORMED_VLAN_DEPTH, .is_long = true },
	{ .spec = { RIGHT, .option_words = 10 }, FOUND, .is_long = true },
	{ .spec = { RIGHT, .ipv6 = true, .extensions = 1, .extension = { 60 } }, FOUND, .bits = 4, .is_long = true },
	{ .spec = { RIGHT, .ipv6 = true, .extensions = 6, .extension = { 0, 60, 43, 44, 60, 60 } },
	  FOUND,
	  .bits = 4,
	  .is_long = true },
	{ .spec = { .ipv6 = true, .extensions = 7, .extension = { 0, 60, 43, 44, 60, 60, 60 } },
	  .kind = IS_MALFORMED,
	  .malformed = MALFORMED_EXTENSION_CHAIN,
	  .is_long = true },
	{ .spec = { RIGHT, .fragment = 0x4000 }, FOUND },
	{ .spec = { RIGHT, .fragment = 0x2000 }, FOUND, .bits = 8, .is_long = true },
	{ .spec = { .fragment = 0x2001 }, .kind = LATER_FRAGMENT, .is_long = true },
	{ .spec = { RIGHT, .ipv6 = true, .extensions = 1, .extension = { 44 }, .fragment = 1 },
	  FOUND,
	  .bits = 12,
	  .is_long = true },
	{ .spec = { .ipv6 = true, .extensions = 1, .extension = { 44 }, .fragment = 8 },
	  .kind = LATER_FRAGMENT,
	  .is_long = true },
	{ .spec = { RIGHT, .opcode = 0x81 }, FOUND, .class = ROCE_CNP },
	{ .spec = { RIGHT, .opcode = 0x80 }, FOUND, .class = ROCE_OTHER },
	{ .spec = { RIGHT, .opcode = 0x2a }, FOUND, .class = ROCE_UC },
	{ .spec = { RIGHT, .opcode = 0x44 }, FOUND, .class = ROCE_OTHER },
	{ .spec = { RIGHT, .opcode = 0x64 }, FOUND, .class = ROCE_UD },
	{ .spec = { RIGHT, .opcode = 0xa4 }, FOUND, .class = ROCE_OTHER },
	{ .spec = { RIGHT, .opcode = 0xff }, FOUND, .class = ROCE_OTHER },
	{ .spec = { RIGHT, .opcode = 0x64, .qpn = 1 },
	  .kind = IS_ROCE,
	  .traffic_class = DSCP << 2 | 2,
	  .qpn = 1,
	  .class = ROCE_CM },
	{ .spec = { RIGHT, .qpn = 0xc0fffffe },
	  .kind = IS_ROCE,
	  .traffic_class = DSCP << 2 | 2,
	  .qpn = 0xfffffe,
	  .bits = 3 },
	{ .spec = { .port = 53 } },
	{ .spec = { .port = 53, .ipv6 = true } },
	{ .spec = { .protocol = 6 } },
	{ .spec = { .protocol = 50, .ipv6 = true } },
	{ .spec = { .protocol = 6, .ipv6 = true, .extensions = 1, .extension = { 0 } }, .is_long = true },
	{ .spec = { .arp = true } },
};

static void is_found(const struct kind *k)
{
	const struct packet_test_question *q = &skel->bss->question;

	assert_int_equal(q->kind, k->kind);
	if (k->kind == IS_MALFORMED)
		assert_int_equal(q->malformed, k->malformed);
	if (k->kind != IS_ROCE)
		return;
	assert_int_equal(q->class, k->class);
	assert_int_equal(q->traffic_class, k->traffic_class);
	assert_int_equal(q->qpn, k->qpn);
	assert_int_equal(q->bits, k->bits);
	assert_int_equal(q->opcode, k->spec.opcode);
	assert_int_equal(q->tags, k->spec.tags);
	if (k->spec.tags)
		assert_int_equal(q->tci_found, k->spec.tci[0]);
	assert_int_equal(q->l3, frame.l3);
}

static void kinds_of_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		build(&kinds[i].spec);
		assert_int_equal(verdict(skel ? skel->progs.parse_long : NULL), PASSED);
		is_found(&kinds[i]);
		memset(&skel->bss->question, 0xff, sizeof(skel->bss->question));
		assert_int_equal(verdict(skel->progs.parse_short), kinds[i].is_long ? PACKET_TEST_LONG : PASSED);
		if (!kinds[i].is_long)
			is_found(&kinds[i]);
	}
}

/* What a test run takes: a byte of content, and since 6.18 the whole IP header that the EtherType promises. */
static uint32_t shortest(const struct frame_spec *spec)
{
	return spec->tags ? 15 : frame.l3 + (spec->ipv6 ? 40u : 20u);
}

/* With any mark and any source refused, a frame that has lost its end is never dropped, and is counted as malformed. */
static void cut_at_every_byte(void **state)
{
	struct warden_vf vf = profile(VF_DROP);
	uint64_t malformed = 0;
	struct totals t;
	uint32_t whole;

	(void)state;
	vf.dscp_allowed = 0;
	vf.cnp_dscp = WARDEN_VF_ANY;
	vf.source_action = VF_DROP;
	vf.addresses = 0;
	begin(&vf);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].kind != IS_ROCE)
			continue;
		build(&kinds[i].spec);
		assert_int_equal(egress(), DROPPED);
		whole = frame.len;
		for (frame.len = shortest(&kinds[i].spec); frame.len < whole; frame.len++) {
			assert_int_equal(egress(), PASSED);
			unchanged();
			malformed++;
		}
	}
	t = totals(SLOT, DIRECTION_EGRESS);
	assert_int_equal(t.malformed_in_all, malformed);
	for (int i = 0; i < MALFORMED_COUNT; i++)
		if (i == MALFORMED_VLAN || i == MALFORMED_IPV4 || i == MALFORMED_IPV4_LENGTH || i == MALFORMED_IPV6 ||
		    i == MALFORMED_IPV6_LENGTH || i == MALFORMED_EXTENSION)
			assert_true(t.malformed[i] > 0);
}

/* ---- lies ---- */

struct lie {
	struct frame_spec spec;
	enum { AT_L3, AT_EXTENSION, AT_UDP } part;
	uint32_t offset;
	uint16_t value;
	bool wide;
	uint32_t reason;
};

static const struct lie lies[] = {
	{ { .payload = 8 }, AT_L3, 0, 0x65, false, MALFORMED_VERSION },
	{ { .payload = 8 }, AT_L3, 0, 0x44, false, MALFORMED_IHL },
	{ { .payload = 8 }, AT_L3, 0, 0x40, false, MALFORMED_IHL },
	{ { .payload = 8 }, AT_L3, 0, 0x4f, false, MALFORMED_IPV4_LENGTH },
	{ { .payload = 8 }, AT_L3, 2, 0, true, MALFORMED_IPV4_LENGTH },
	{ { .payload = 8 }, AT_L3, 2, 19, true, MALFORMED_IPV4_LENGTH },
	{ { .payload = 8 }, AT_L3, 2, 53, true, MALFORMED_IPV4_LENGTH },
	{ { .payload = 8 }, AT_L3, 2, 0xffff, true, MALFORMED_IPV4_LENGTH },
	{ { .payload = 8 }, AT_L3, 2, 27, true, MALFORMED_UDP },
	{ { .payload = 8 }, AT_L3, 2, 51, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8, .fragment = 0x2000 }, AT_L3, 2, 39, true, MALFORMED_BTH },
	{ { .payload = 8 }, AT_UDP, 4, 0, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8 }, AT_UDP, 4, 7, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8 }, AT_UDP, 4, 33, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8 }, AT_UDP, 4, 0xffff, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8 }, AT_UDP, 4, 8, true, MALFORMED_BTH },
	{ { .payload = 8 }, AT_UDP, 4, 23, true, MALFORMED_BTH },
	{ { .payload = 8, .ipv6 = true }, AT_L3, 0, 0x4a, false, MALFORMED_VERSION },
	{ { .payload = 8, .ipv6 = true }, AT_L3, 4, 0, true, MALFORMED_UDP },
	{ { .payload = 8, .ipv6 = true }, AT_L3, 4, 7, true, MALFORMED_UDP },
	{ { .payload = 8, .ipv6 = true }, AT_L3, 4, 31, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8, .ipv6 = true }, AT_L3, 4, 33, true, MALFORMED_IPV6_LENGTH },
	{ { .payload = 8, .ipv6 = true }, AT_L3, 4, 0xffff, true, MALFORMED_IPV6_LENGTH },
	{ { .payload = 8, .ipv6 = true }, AT_UDP, 4, 0xffff, true, MALFORMED_UDP_LENGTH },
	{ { .payload = 8, .ipv6 = true }, AT_UDP, 4, 20, true, MALFORMED_BTH },
	{ { .payload = 8, .ipv6 = true, .extensions = 1, .extension = { 60 } },
	  AT_L3,
	  4,
	  7,
	  true,
	  MALFORMED_EXTENSION },
	{ { .payload = 8, .ipv6 = true, .extensions = 1, .extension = { 60 } },
	  AT_EXTENSION,
	  1,
	  5,
	  false,
	  MALFORMED_EXTENSION },
};

static void lying_fields(void **state)
{
	struct warden_vf vf = profile(VF_DROP);
	uint64_t before;
	uint8_t *at;

	(void)state;
	vf.dscp_allowed = 0;
	begin(&vf);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		build(&lies[i].spec);
		assert_int_equal(egress(), DROPPED);
		at = frame.bytes + lies[i].offset +
		     (lies[i].part == AT_L3          ? frame.l3
		      : lies[i].part == AT_EXTENSION ? frame.extension
						     : frame.udp);
		if (lies[i].wide)
			frame_put16(at, lies[i].value);
		else
			*at = (uint8_t)lies[i].value;
		before = totals(SLOT, DIRECTION_EGRESS).malformed[lies[i].reason];
		assert_int_equal(egress(), PASSED);
		unchanged();
		assert_int_equal(totals(SLOT, DIRECTION_EGRESS).malformed[lies[i].reason], before + 1);
	}
}

/* ---- counting ---- */

static void counts(void **state)
{
	struct warden_vf vf = profile(VF_OBSERVE);
	struct totals t;

	(void)state;
	begin(&vf);
	build(&(struct frame_spec){ RIGHT });
	for (int i = 0; i < 5; i++)
		assert_int_equal(egress(), PASSED);
	assert_int_equal(ingress(), PASSED);
	build(&(struct frame_spec){ .traffic_class = CNP_DSCP << 2, .opcode = 0x81, .ipv6 = true });
	assert_int_equal(egress(), PASSED);
	build(&(struct frame_spec){ .fragment = 5 });
	assert_int_equal(egress(), PASSED);
	build(&(struct frame_spec){ .port = 53 });
	assert_int_equal(egress(), PASSED);
	t = totals(SLOT, DIRECTION_EGRESS);
	assert_int_equal(t.packets[DSCP][ROCE_RC], 5);
	assert_int_equal(t.bytes[DSCP][ROCE_RC], 5 * 58);
	assert_int_equal(t.packets[CNP_DSCP][ROCE_CNP], 1);
	assert_int_equal(t.bytes[CNP_DSCP][ROCE_CNP], 78);
	assert_int_equal(t.roce, 6);
	assert_int_equal(t.fragments, 1);
	assert_int_equal(t.malformed_in_all, 0);
	assert_int_equal(totals(SLOT, DIRECTION_INGRESS).packets[DSCP][ROCE_RC], 1);
	assert_int_equal(events(), 0);
}

/* The seventeenth flow has no line: judged, and counted as lost. All on one CPU, as the lines are of one. */
static void lines_run_out(void **state)
{
	struct warden_vf vf = profile(VF_DROP);
	cpu_set_t one, all;

	(void)state;
	begin(&vf);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (uint8_t dscp = 0; dscp < WARDEN_VF_LINES + 2; dscp++) {
		build(&(struct frame_spec){ .traffic_class = (uint8_t)(dscp << 2) });
		assert_int_equal(egress(), DROPPED);
		assert_int_equal(egress(), DROPPED);
	}
	sched_setaffinity(0, sizeof(all), &all);
	assert_int_equal(totals(SLOT, DIRECTION_EGRESS).roce, 2 * WARDEN_VF_LINES);
	assert_int_equal(counter(COUNTER_LOST_FLOWS), 4);
	assert_int_equal(counter(COUNTER_DENIED), 2 * (WARDEN_VF_LINES + 2));
}

/* ---- marking ---- */

struct mark {
	struct frame_spec spec;
	bool right;
	uint32_t remarked; /* the DSCP after VF_REMARK */
	uint32_t pcp;
};

static const struct mark marks[] = {
	{ { .traffic_class = DSCP << 2 | 3 }, true, DSCP, 0 },
	{ { .traffic_class = DSCP << 2, .ipv6 = true }, true, DSCP, 0 },
	{ { .traffic_class = 26 << 2 | 1 }, false, DSCP, 0xff },
	{ { .traffic_class = 26 << 2 | 2, .ipv6 = true }, false, DSCP, 0xff },
	{ { .traffic_class = 0, .option_words = 3 }, false, DSCP, 0xff },
	{ { .traffic_class = 63 << 2 | 3, .ipv6 = true, .extensions = 2, .extension = { 0, 60 } }, false, DSCP, 0xff },
	{ { .traffic_class = 26 << 2, .fragment = 0x2000 }, false, DSCP, 0xff },
	{ { .traffic_class = DSCP << 2, .tags = 1, .tci = { 5 << 13 | 9 } }, true, DSCP, 0 },
	{ { .traffic_class = DSCP << 2, .tags = 1, .tci = { 3 << 13 | 9 } }, false, DSCP, 3 },
	{ { .traffic_class = 26 << 2 | 3, .tags = 2, .tci = { 5 << 13 | 9, 8 } }, false, DSCP, 5 },
	{ { .traffic_class = CNP_DSCP << 2, .opcode = 0x81 }, true, CNP_DSCP, 0 },
	{ { .traffic_class = CNP_DSCP << 2, .opcode = 0x81, .tags = 1, .tci = { 6 << 13 } }, true, CNP_DSCP, 0 },
	{ { .traffic_class = CNP_DSCP << 2, .opcode = 0x81, .tags = 1, .tci = { 5 << 13 } }, false, CNP_DSCP, 5 },
	{ { .traffic_class = DSCP << 2, .opcode = 0x81 }, false, CNP_DSCP, 0xff },
	{ { .traffic_class = CNP_DSCP << 2 }, false, DSCP, 0xff },
	{ { .traffic_class = 0, .opcode = 0x64, .qpn = 1 }, true, 0, 0 },
};

static uint32_t traffic_class_of(const struct frame *f, bool ipv6)
{
	const uint8_t *ip = f->bytes + frame.l3;

	return ipv6 ? (ip[0] << 4 | ip[1] >> 4) & 0xff : ip[1];
}

static void one_event(const struct mark *m, enum warden_verdict expected, enum warden_direction direction)
{
	uint64_t class = m->spec.opcode == 0x81 ? ROCE_CNP : ROCE_RC;

	assert_int_equal(events(), m->right ? 0 : 1);
	if (m->right)
		return;
	assert_int_equal(told[0].kind, EVENT_VIOLATION);
	assert_int_equal(told[0].rule, RULE_MARKING_PACKET);
	assert_int_equal(told[0].verdict, expected);
	assert_int_equal(told[0].netns_cookie, 77);
	assert_int_equal(told[0].netns_inum, 78);
	assert_int_equal(told[0].ib_index, 79);
	assert_int_equal(told[0].arg[0],
			 m->spec.traffic_class >> 2 | m->pcp << 8 | class << 16 | (uint64_t)direction << 24);
	assert_int_equal(told[0].arg[1], 1ull << (class == ROCE_CNP ? CNP_DSCP : DSCP));
}

static void observe(void **state)
{
	struct warden_vf vf = profile(VF_OBSERVE);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		begin(&vf);
		build(&marks[i].spec);
		assert_int_equal(egress(), PASSED);
		unchanged();
		one_event(&marks[i], VERDICT_OBSERVED, DIRECTION_EGRESS);
		assert_int_equal(ingress(), PASSED);
		unchanged();
		one_event(&marks[i], VERDICT_OBSERVED, DIRECTION_INGRESS);
		assert_int_equal(counter(COUNTER_OBSERVED), marks[i].right ? 0 : 2);
	}
}

/* Another direction has another action; what is ignored is counted all the same. */
static void drop(void **state)
{
	struct warden_vf vf = profile(VF_DROP);

	(void)state;
	vf.action[DIRECTION_INGRESS] = VF_IGNORE;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		begin(&vf);
		build(&marks[i].spec);
		assert_int_equal(egress(), marks[i].right ? PASSED : DROPPED);
		one_event(&marks[i], VERDICT_DENIED, DIRECTION_EGRESS);
		assert_int_equal(counter(COUNTER_DENIED), !marks[i].right);
		assert_int_equal(ingress(), PASSED);
		assert_int_equal(events(), 0);
		assert_int_equal(totals(SLOT, DIRECTION_EGRESS).roce, 1);
		assert_int_equal(totals(SLOT, DIRECTION_INGRESS).roce, 1);
	}
}

/* Only the DSCP and the IPv4 checksum have changed, and the checksum is right; twice is not needed. */
static void remark(void **state)
{
	struct warden_vf vf = profile(VF_REMARK);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const struct mark *m = &marks[i];
		bool changes = m->spec.traffic_class >> 2 != m->remarked;
		struct frame_spec expected = m->spec;

		begin(&vf);
		build(&m->spec);
		assert_int_equal(egress(), PASSED);
		one_event(m, changes ? VERDICT_REMARKED : VERDICT_OBSERVED, DIRECTION_EGRESS);
		assert_int_equal(counter(COUNTER_REMARKED), changes);
		assert_int_equal(traffic_class_of(&after, m->spec.ipv6),
				 m->remarked << 2 | (m->spec.traffic_class & 3));
		if (!m->spec.ipv6)
			assert_int_equal(frame_checksum(after.bytes + frame.l3), 0);
		expected.traffic_class = (uint8_t)(m->remarked << 2 | (m->spec.traffic_class & 3));
		build(&expected);
		unchanged();
	}
}

/* The checksum of each old and new value of the field, also where the sum folds. */
static void remark_checksums(void **state)
{
	struct warden_vf vf = profile(VF_REMARK);

	(void)state;
	vf.dscp_allowed = 0;
	for (uint8_t to = 0; to < 64; to = (uint8_t)(to + 7)) {
		vf.remark_dscp = to;
		begin(&vf);
		for (int tos = 0; tos < 256; tos++) {
			build(&(struct frame_spec){ .traffic_class = (uint8_t)tos });
			assert_int_equal(egress(), PASSED);
			assert_int_equal(traffic_class_of(&after, false), to << 2 | (tos & 3));
			assert_int_equal(frame_checksum(after.bytes + frame.l3), 0);
		}
	}
}

/* ---- sources ---- */

static void spoofed(enum warden_spoofed what, const char *text, int expected)
{
	assert_int_equal(egress(), expected);
	assert_int_equal(events(), what ? 1 : 0);
	if (!what)
		return;
	assert_int_equal(told[0].rule, RULE_SPOOF_SOURCE);
	assert_int_equal(told[0].verdict, expected == DROPPED ? VERDICT_DENIED : VERDICT_OBSERVED);
	assert_int_equal(told[0].arg[0], what);
	assert_string_equal(told[0].text, text);
	/* What others send is theirs. */
	assert_int_equal(ingress(), PASSED);
	assert_int_equal(events(), 0);
}

static void sources_of(enum warden_vf_action action, int expected, bool ipv6, uint8_t tags)
{
	const struct frame_spec spec = { RIGHT, .ipv6 = ipv6, .tags = tags, .tci = { 5 << 13 } };
	struct warden_vf vf = profile(VF_OBSERVE);

	vf.source_action = (uint8_t)action;
	begin(&vf);
	build(&spec);
	spoofed(0, "", PASSED);
	for (uint32_t i = 6; i < 12; i++) {
		begin(&vf);
		build(&spec);
		frame.bytes[i] ^= 0x40;
		assert_int_equal(egress(), expected);
		assert_int_equal(events(), 1);
	}
	begin(&vf);
	frame.bytes[11] ^= 0x40;
	frame.bytes[6] ^= 1;
	spoofed(SPOOFED_MAC, "030000000002", expected);
	for (uint32_t i = 0; i < (ipv6 ? 16u : 4u); i++) {
		begin(&vf);
		build(&spec);
		frame.bytes[frame.l3 + (ipv6 ? 8 : 12) + i] ^= 0x10;
		assert_int_equal(egress(), expected);
		assert_int_equal(events(), 1);
		assert_int_equal(told[0].arg[0], SPOOFED_ADDRESS);
	}
	begin(&vf);
	spoofed(SPOOFED_ADDRESS, ipv6 ? "fd000001000000000000000000000013" : "0a010213", expected);
	begin(&vf);
	build(&spec);
	vf.addresses = 1;
	put_vf(SLOT, &vf);
	assert_int_equal(egress(), expected);
}

static void sources(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 4; i++) {
		sources_of(VF_DROP, DROPPED, i & 1, i >> 1);
		sources_of(VF_OBSERVE, PASSED, i & 1, i >> 1);
	}
}

/* VLAN 0 is none: a tag may be there for its priority. */
static void source_vlan(void **state)
{
	struct warden_vf vf = profile(VF_OBSERVE);

	(void)state;
	vf.source_action = VF_DROP;
	begin(&vf);
	build(&(struct frame_spec){ RIGHT, .tags = 1, .tci = { 5 << 13 | 7 } });
	spoofed(SPOOFED_VLAN, "", DROPPED);
	assert_int_equal(told[0].arg[1], 7);
	vf.vlan = 7;
	begin(&vf);
	spoofed(0, "", PASSED);
	build(&(struct frame_spec){ RIGHT, .tags = 2, .tci = { 5 << 13 | 8, 7 } });
	spoofed(SPOOFED_VLAN, "", DROPPED);
	begin(&vf);
	build(&(struct frame_spec){ RIGHT });
	spoofed(SPOOFED_VLAN, "", DROPPED);
	/* To QPN 1 too: only the mark of rdma_cm's messages is free. */
	begin(&vf);
	build(&(struct frame_spec){ .opcode = 0x64, .qpn = 1 });
	spoofed(SPOOFED_VLAN, "", DROPPED);
}

static void tag_of_the_kernel(void **state)
{
	struct warden_vf vf = profile(VF_OBSERVE);

	(void)state;
	vf.source_action = VF_DROP;
	vf.vlan = 9;
	begin(&vf);
	build(&(struct frame_spec){ RIGHT });
	skel->bss->question.tci = 5 << 13 | 9;
	assert_int_equal(verdict(skel->progs.tagged_egress), PASSED);
	assert_int_equal(events(), 0);
	skel->bss->question.tci = 3 << 13 | 9;
	assert_int_equal(verdict(skel->progs.tagged_egress), PASSED);
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].rule, RULE_MARKING_PACKET);
	assert_int_equal(told[0].arg[0] >> 8 & 0xff, 3);
	skel->bss->question.tci = 5 << 13 | 8;
	assert_int_equal(verdict(skel->progs.tagged_egress), DROPPED);
	/* Before one in the data it is the outermost all the same. */
	build(&(struct frame_spec){ RIGHT, .tags = 1, .tci = { 3 << 13 | 8 } });
	skel->bss->question.tci = 5 << 13 | 9;
	events();
	assert_int_equal(verdict(skel->progs.tagged_egress), PASSED);
	assert_int_equal(events(), 0);
	/* With two in the data it is one too many. */
	build(&(struct frame_spec){ RIGHT, .tags = 2 });
	assert_int_equal(verdict(skel->progs.tagged_egress), PASSED);
	assert_int_equal(totals(SLOT, DIRECTION_EGRESS).malformed[MALFORMED_VLAN_DEPTH], 1);
}

/* ---- telling ---- */

static void merged(void **state)
{
	struct warden_vf vf = profile(VF_OBSERVE);
	uint32_t place = SLOT * DIRECTION_COUNT + DIRECTION_EGRESS;
	struct warden_vf_tolds tolds;

	(void)state;
	begin(&vf);
	build(&(struct frame_spec){ .traffic_class = 26 << 2 });
	for (int i = 0; i < 100; i++)
		assert_int_equal(egress(), PASSED);
	build(&(struct frame_spec){ .traffic_class = 27 << 2 });
	egress();
	assert_int_equal(events(), 2);
	assert_int_equal(counter(COUNTER_MERGED), 99);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.vf_told), &place, &tolds), 0);
	assert_int_equal(tolds.marking[26].merged, 99);
	assert_int_equal(tolds.marking[27].merged, 0);
	/* As if it had been a window ago. */
	tolds.marking[26].told_ns -= MERGE_WINDOW_NS;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.vf_told), &place, &tolds, BPF_ANY), 0);
	build(&(struct frame_spec){ .traffic_class = 26 << 2 });
	egress();
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].merged, 99);
}

/* ---- whose packet it is ---- */

static uint64_t netns_cookie(void)
{
	socklen_t len = sizeof(uint64_t);
	uint64_t cookie = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len), 0);
	close(fd);
	return cookie;
}

static void put_slot(uint64_t cookie, uint32_t slot)
{
	struct warden_vf_key key = { .netns_cookie = cookie, .ifindex = LOOPBACK };

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.vf_slots), &key, &slot, BPF_ANY), 0);
}

static void unknown_vf(void **state)
{
	struct warden_vf vf = profile(VF_DROP);

	(void)state;
	begin(&vf);
	put_place(LOOPBACK + WARDEN_VF_PLACES, SLOT);
	build(&(struct frame_spec){ .traffic_class = 0 });
	assert_int_equal(egress(), PASSED);
	assert_int_equal(counter(COUNTER_LOST_VFS), 1);
	assert_int_equal(totals(SLOT, DIRECTION_EGRESS).roce, 0);
	put_place(LOOPBACK, WARDEN_MAX_VFS);
	assert_int_equal(egress(), PASSED);
	assert_int_equal(counter(COUNTER_LOST_VFS), 2);
}

/* Two netns, each with its loopback of ifindex 1. */
static void same_ifindex_in_two_netns(void **state)
{
	struct warden_vf drops = profile(VF_DROP), observes = profile(VF_OBSERVE);
	int old;

	(void)state;
	begin(&drops);
	put_vf(OTHER_SLOT, &observes);
	put_place(0, 0);
	put_slot(netns_cookie(), SLOT);
	old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET))
		skip_because("no netns of its own: %s", strerror(errno));
	put_slot(netns_cookie(), OTHER_SLOT);
	build(&(struct frame_spec){ .traffic_class = 0 });
	assert_int_equal(egress(), PASSED);
	assert_int_equal(setns(old, CLONE_NEWNET), 0);
	close(old);
	assert_int_equal(egress(), DROPPED);
	assert_int_equal(totals(SLOT, DIRECTION_EGRESS).roce, 1);
	assert_int_equal(totals(OTHER_SLOT, DIRECTION_EGRESS).roce, 1);
	assert_int_equal(counter(COUNTER_LOST_VFS), 0);
}

static void load(void)
{
	struct packet_test_bpf *s = packet_test_bpf__open();
	struct bpf_map *map;

	if (!s)
		return;
	/* The maps are this process' own: what a wardend has pinned is not touched. */
	bpf_object__for_each_map(map, s->obj) bpf_map__set_pin_path(map, NULL);
	load_err = packet_test_bpf__load(s);
	if (load_err) {
		packet_test_bpf__destroy(s);
		return;
	}
	ring = ring_buffer__new(bpf_map__fd(s->maps.events), note_event, NULL, NULL);
	if (ring)
		skel = s;
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(kinds_of_frames),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(lying_fields),
		cmocka_unit_test(counts),
		cmocka_unit_test(lines_run_out),
		cmocka_unit_test(observe),
		cmocka_unit_test(drop),
		cmocka_unit_test(remark),
		cmocka_unit_test(remark_checksums),
		cmocka_unit_test(sources),
		cmocka_unit_test(source_vlan),
		cmocka_unit_test(tag_of_the_kernel),
		cmocka_unit_test(merged),
		cmocka_unit_test(unknown_vf),
		cmocka_unit_test(same_ifindex_in_two_netns),
	};

	load();
	return RUN_CASES("packet", cases);
}
