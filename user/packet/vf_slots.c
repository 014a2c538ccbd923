// SPDX-License-Identifier: Apache-2.0
#include "packet/vf_slots.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/util.h"

struct vf_slots {
	const struct loader_packets *maps;
	bool *taken;
	int cpus;
	struct warden_vf_stats *stats; /* of one slot and direction, by CPU */
	struct warden_vf_tolds *told; /* the map, mapped */
	size_t told_size;
};

int vf_slots_open(struct vf_slots **slots, const struct loader_packets *maps, struct err *err)
{
	struct vf_slots *s = calloc(1, sizeof(*s));
	long page = sysconf(_SC_PAGESIZE);

	if (!s)
		return fail(err, -ENOMEM, "out of memory");
	s->maps = maps;
	s->cpus = libbpf_num_possible_cpus();
	s->taken = calloc(maps->vfs, sizeof(*s->taken));
	s->stats = s->cpus > 0 ? calloc((size_t)s->cpus, sizeof(*s->stats)) : NULL;
	s->told_size = maps->vfs * DIRECTION_COUNT * sizeof(*s->told);
	s->told_size = (s->told_size + (size_t)page - 1) & ~((size_t)page - 1);
	s->told = mmap(NULL, s->told_size, PROT_READ | PROT_WRITE, MAP_SHARED, maps->map_told, 0);
	if (s->told != MAP_FAILED && s->taken && s->stats) {
		*slots = s;
		return 0;
	}
	fail(err, -errno, "map vf_told: %s", strerror(errno));
	vf_slots_close(s);
	return -ENOMEM;
}

void vf_slots_close(struct vf_slots *s)
{
	if (!s)
		return;
	if (s->told && s->told != MAP_FAILED)
		munmap(s->told, s->told_size);
	free(s->stats);
	free(s->taken);
	free(s);
}

/* ---- slots ---- */

static uint32_t place_of(uint32_t slot, enum warden_direction direction)
{
	return slot * DIRECTION_COUNT + direction;
}

static int slot_clear(struct vf_slots *s, uint32_t slot)
{
	memset(s->stats, 0, (size_t)s->cpus * sizeof(*s->stats));
	for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
		uint32_t place = place_of(slot, d);

		memset(&s->told[place], 0, sizeof(*s->told));
		if (bpf_map_update_elem(s->maps->map_stats, &place, s->stats, BPF_ANY))
			return -errno;
	}
	return 0;
}

int vf_slots_take(struct vf_slots *s, const struct warden_vf *vf)
{
	uint32_t slot = 0;
	int r;

	while (slot < s->maps->vfs && s->taken[slot])
		slot++;
	if (slot == s->maps->vfs)
		return -ENOSPC;
	r = slot_clear(s, slot);
	if (!r && bpf_map_update_elem(s->maps->map_vfs, &slot, vf, BPF_ANY))
		r = -errno;
	if (r)
		return r;
	s->taken[slot] = true;
	return (int)slot;
}

void vf_slots_free(struct vf_slots *s, uint32_t slot)
{
	s->taken[slot] = false;
}

void vf_slots_place(struct vf_slots *s, const struct warden_vf_key *vf, uint32_t slot, bool alone)
{
	const struct warden_vf_place place = { .ifindex = alone ? vf->ifindex : 0, .slot = alone ? slot : 0 };
	uint32_t at = vf->ifindex % WARDEN_VF_PLACES;

	bpf_map_update_elem(s->maps->map_places, &at, &place, BPF_ANY); /* an array takes it */
}

int vf_slots_point(struct vf_slots *s, const struct warden_vf_key *vf, uint32_t slot, bool alone)
{
	if (bpf_map_update_elem(s->maps->map_slots, vf, &slot, BPF_ANY))
		return -errno;
	vf_slots_place(s, vf, slot, alone);
	return 0;
}

void vf_slots_forget(struct vf_slots *s, const struct warden_vf_key *vf)
{
	vf_slots_place(s, vf, 0, false);
	bpf_map_delete_elem(s->maps->map_slots, vf);
}

/* It waits for the grace period in which every program ends that has begun before. */
void vf_slots_settle(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* ---- counts ---- */

static void add_lines(const struct warden_vf_stats *stats, struct packet_flow flows[64][ROCE_CLASSES])
{
	for (size_t i = 0; i < WARDEN_VF_LINES; i++) {
		const struct warden_vf_line *line = &stats->lines[i];

		if (!line->packets || line->dscp >= 64 || line->class >= ROCE_CLASSES)
			continue;
		flows[line->dscp][line->class].packets += line->packets;
		flows[line->dscp][line->class].bytes += line->bytes;
	}
}

void vf_slots_count(const struct vf_slots *s, uint32_t slot, struct packet_counts *sum)
{
	for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
		uint32_t place = place_of(slot, d);

		if (bpf_map_lookup_elem(s->maps->map_stats, &place, s->stats))
			continue;
		for (int cpu = 0; cpu < s->cpus; cpu++) {
			add_lines(&s->stats[cpu], sum->flows[d]);
			sum->fragments[d] += s->stats[cpu].fragments;
			for (size_t m = 0; m < MALFORMED_COUNT; m++)
				sum->malformed[d][m] += s->stats[cpu].malformed[m];
		}
	}
}

/* ---- what was merged ---- */

static uint32_t verdict_of(uint8_t action)
{
	return action == VF_DROP ? VERDICT_DENIED : action == VF_REMARK ? VERDICT_REMARKED : VERDICT_OBSERVED;
}

struct sweep {
	const struct warden_vf *vf;
	bool all, left;
	void (*tell)(const struct warden_event *event, void *ctx);
	void *ctx;
};

/* The last of `merged` packets, which the others go with. */
static void sweep_one(struct sweep *s, struct warden_vf_told *told, enum warden_rule rule, uint32_t verdict,
		      uint64_t arg0, uint64_t arg1)
{
	struct warden_event ev = { .kind = EVENT_VIOLATION,
				   .rule = rule,
				   .verdict = verdict,
				   .ib_index = s->vf->ib_index,
				   .netns_inum = s->vf->netns_inum,
				   .netns_cookie = s->vf->netns_cookie,
				   .arg = { arg0, arg1 } };
	uint64_t merged = __atomic_load_n(&told->merged, __ATOMIC_RELAXED);

	if (!merged)
		return;
	ev.time_ns = boot_ns();
	if (!s->all && ev.time_ns - __atomic_load_n(&told->told_ns, __ATOMIC_RELAXED) < MERGE_WINDOW_NS) {
		s->left = true;
		return;
	}
	merged = __atomic_exchange_n(&told->merged, 0, __ATOMIC_ACQ_REL);
	if (!merged)
		return;
	ev.merged = merged - 1;
	s->tell(&ev, s->ctx);
}

/* Which class and which PCP, or what of the source it was, is not kept for those. */
bool vf_slots_sweep(struct vf_slots *slots, uint32_t slot, const struct warden_vf *vf, bool all,
		    void (*tell)(const struct warden_event *event, void *ctx), void *ctx)
{
	struct sweep s = { .vf = vf, .all = all, .tell = tell, .ctx = ctx };

	for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
		struct warden_vf_tolds *told = &slots->told[place_of(slot, d)];

		for (uint64_t dscp = 0; dscp < 64; dscp++)
			sweep_one(&s, &told->marking[dscp], RULE_MARKING_PACKET, verdict_of(vf->action[d]),
				  PACKET_ARG(dscp, PACKET_UNTAGGED, ROCE_CLASSES, d), vf->dscp_allowed);
		sweep_one(&s, &told->source, RULE_SPOOF_SOURCE, verdict_of(vf->source_action), 0, 0);
	}
	return s.left;
}
