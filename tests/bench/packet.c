// SPDX-License-Identifier: Apache-2.0
/*
 * The ns that the programs of a VF add to a packet, over a program that does nothing, which runs on the same frame just
 * before. Medians of five, in CPU time, so that what runs beside counts less.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/frames.h"
#include "lib/util.h"
#include "warden.h"
#include "packet.skel.h" /* needs warden.h */

#define ROUNDS 5
#define REPEAT 1000000
#define LOOPBACK 1 /* whose packets those of a test run are */
#define NOT_ROCE_NS 5
#define ROCE_NS 15

struct row {
	struct frame_spec spec;
	bool source; /* the source is judged too */
	int target; /* ns, or 0 */
};

static const struct row rows[] = {
	{ { .name = "ARP", .arp = true }, .target = NOT_ROCE_NS },
	{ { .name = "TCP on IPv4", .protocol = 6 }, .target = NOT_ROCE_NS },
	{ { .name = "TCP on IPv6", .ipv6 = true, .protocol = 6 }, .target = NOT_ROCE_NS },
	{ { .name = "UDP to another port, IPv4", .port = 53 }, .target = NOT_ROCE_NS },
	{ { .name = "UDP to another port, IPv6", .ipv6 = true, .port = 53 }, .target = NOT_ROCE_NS },
	{ { .name = "UDP to another port, 1 tag", .port = 53, .tags = 1 }, .target = NOT_ROCE_NS },
	{ { .name = "RoCE on IPv4", .traffic_class = 40 << 2 }, .target = ROCE_NS },
	{ { .name = "RoCE on IPv6", .traffic_class = 40 << 2, .ipv6 = true }, .target = ROCE_NS },
	{ { .name = "RoCE on IPv4, 1 tag", .traffic_class = 40 << 2, .tags = 1, .tci = { 5 << 13 } },
	  .target = ROCE_NS },
	{ { .name = "RoCE on IPv4, 2 tags", .traffic_class = 40 << 2, .tags = 2, .tci = { 5 << 13 } },
	  .target = ROCE_NS },
	{ { .name = "CNP", .traffic_class = 48 << 2, .opcode = 0x81 }, .target = ROCE_NS },
	{ { .name = "RoCE on IPv4, source", .traffic_class = 40 << 2 }, .source = true, .target = ROCE_NS },
	{ { .name = "RoCE on IPv6, source", .traffic_class = 40 << 2, .ipv6 = true },
	  .source = true,
	  .target = ROCE_NS },
	{ { .name = "the long way: IPv4 options", .traffic_class = 40 << 2, .option_words = 1 }, .target = 0 },
	{ { .name = "RoCE, wrong DSCP, merged", .traffic_class = 26 << 2 }, .target = 0 },
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Ns of CPU time a run. */
static int run(const struct bpf_program *prog, const struct frame *frame, double *ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len, .repeat = REPEAT);
	struct timespec begin, end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	if ((int)opts.retval != -1)
		return -EPROTO;
	*ns = ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / REPEAT;
	return 0;
}

static int median(const struct packet_bpf *skel, const struct frame *frame, double *ns)
{
	double over[ROUNDS], nothing = 0, judged = 0;
	int err = 0;

	for (int i = 0; !err && i < ROUNDS; i++) {
		err = run(skel->progs.nothing, frame, &nothing) ?: run(skel->progs.vf_egress, frame, &judged);
		over[i] = judged - nothing;
	}
	qsort(over, ROUNDS, sizeof(over[0]), compare);
	*ns = over[ROUNDS / 2];
	return err;
}

static int enter_vf(const struct packet_bpf *skel, uint32_t ifindex, uint32_t slot, bool source)
{
	static const uint8_t ipv4[16] = { [10] = 0xff, 0xff, 10, 1, 2, 3 }, ipv6[16] = FRAME_SOURCE6;
	struct warden_vf vf = { .dscp_allowed = 1ull << 40,
				.action = { VF_OBSERVE, VF_OBSERVE },
				.source_action = source ? VF_DROP : VF_IGNORE,
				.cnp_dscp = 48,
				.priority = 5,
				.cnp_priority = 6,
				.addresses = 2,
				.mac = FRAME_FROM };
	struct warden_vf_place place = { .ifindex = ifindex, .slot = slot };

	memcpy(vf.address[0], ipv4, 16);
	memcpy(vf.address[1], ipv6, 16);
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.vfs), &slot, &vf, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.vf_places), &ifindex, &place, BPF_ANY))
		return -errno;
	return 0;
}

/* The loopback's VF has the last slot, the others go before. */
static int enter_vfs(const struct packet_bpf *skel, uint32_t count, bool source)
{
	int err = 0;

	for (uint32_t i = 0; !err && i + 1 < count; i++)
		err = enter_vf(skel, LOOPBACK + 1 + i, i, source);
	return err ?: enter_vf(skel, LOOPBACK, count - 1, source);
}

static int measure(const struct packet_bpf *skel)
{
	static const uint32_t counts[] = { 1, WARDEN_MAX_VFS };
	double ns[ARRAY_SIZE(rows)][ARRAY_SIZE(counts)];
	struct frame frame;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(counts) * ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i % ARRAY_SIZE(rows)];

		frame_build(&frame, &row->spec);
		err = enter_vfs(skel, counts[i / ARRAY_SIZE(rows)], row->source)
			      ?: median(skel, &frame, &ns[i % ARRAY_SIZE(rows)][i / ARRAY_SIZE(rows)]);
	}
	if (err)
		return err;
	printf("%-28s %10s %10s %10s\n", "ns over an empty program", "1 VF", "1024 VFs", "target");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		printf("%-28s %10.1f %10.1f ", rows[i].spec.name, ns[i][0], ns[i][1]);
		if (rows[i].target)
			printf("%7s %2d %s\n", "<=", rows[i].target,
			       ns[i][0] <= rows[i].target && ns[i][1] <= rows[i].target ? "met" : "missed");
		else
			printf("%10s\n", "-");
	}
	return 0;
}

int main(void)
{
	struct packet_bpf *skel = packet_bpf__open();
	struct bpf_map *map;
	int err = skel ? 0 : -errno;

	if (!err) {
		/* The maps are this process' own: what a wardend has pinned is not touched. */
		bpf_object__for_each_map(map, skel->obj) bpf_map__set_pin_path(map, NULL);
		err = packet_bpf__load(skel) ?: measure(skel);
	}
	if (err)
		fprintf(stderr, "packet: %s\n", strerror(-err));
	packet_bpf__destroy(skel);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
