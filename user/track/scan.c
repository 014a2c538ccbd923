// SPDX-License-Identifier: Apache-2.0
/*
 * The maps against the kernel: what was there before the programs is entered, and what they were not told is mended. For the kernel
 * does not give a tracing program each call: it skips one on a CPU where another task was preempted inside the same program
 * (prog->active in kernel/bpf/trampoline.c), which on a preemptible kernel happens when several devices move at once. It counts what
 * it skips (recursion_misses of struct bpf_prog_info), so that nobody has to look without a reason.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/log.h"
#include "lib/util.h"
#include "loader/loader.h"
#include "rdma/rdma.h"
#include "track/internal.h"
#include "track/map.h"

#define DRIFT_NS 500000000ull /* a program that was preempted has long come to its end */
#define OBJECTS_NS 10000000000ull /* between two looks for objects alone: a busy node skips some all the time */

/* ---- character devices ---- */

static uint32_t cdev_kind(const char *name)
{
	if (!strncmp(name, "uverbs", 6))
		return CDEV_UVERBS;
	if (!strncmp(name, "umad", 4))
		return CDEV_UMAD;
	if (!strcmp(name, "rdma_cm"))
		return CDEV_RDMA_CM;
	return strncmp(name, "issm", 4) ? 0 : CDEV_ISSM;
}

/*
 * The program that learns a new node sets the bits too, and both only ever add some: written again until
 * it is seen to stand, so that neither loses the other's.
 */
static void major_enter(struct track *t, uint32_t maj)
{
	struct warden_majors m = {};
	uint32_t zero = 0;

	for (int i = 0; i < 3; i++) {
		if (bpf_map_lookup_elem(t->majors, &zero, &m) || m.bits[maj / 64] >> (maj % 64) & 1)
			return;
		m.bits[maj / 64] |= 1ull << (maj % 64);
		bpf_map_update_elem(t->majors, &zero, &m, BPF_ANY);
	}
}

static int enter_cdev(const struct rdma_cdev *cdev, void *ctx)
{
	struct warden_cdev c = { .kind = cdev_kind(cdev->name), .ib_index = WARDEN_NO_INDEX };
	uint32_t key = dev_to_kernel(cdev->dev);
	struct track *t = ctx;

	if (!c.kind || major(cdev->dev) >= WARDEN_MAJORS)
		return 0;
	major_enter(t, major(cdev->dev));
	if (bpf_map_update_elem(t->cdevs, &key, &c, BPF_NOEXIST) && errno != EEXIST)
		pr_warn("cannot enter %s: %s", cdev->name, strerror(errno));
	return 0;
}

/* ---- RDMA devices ---- */

struct look {
	struct track *track;
	struct rdma_nl *nl;
	struct netns_id netns;
	bool objects; /* they are counted, too */
	bool unsettled; /* something was mended, or has to be seen once more before it is */
	uint32_t *seen;
	size_t seen_count;
	struct drift *drifts;
	size_t drift_count;
};

static bool was_seen(const struct look *l, uint32_t index)
{
	for (size_t i = 0; i < l->seen_count; i++)
		if (l->seen[i] == index)
			return true;
	return false;
}

static const struct drift *find_drift(const struct track *t, const struct drift *drift)
{
	for (size_t i = 0; i < t->drift_count; i++)
		if (t->drifts[i].index == drift->index && t->drifts[i].unseen == drift->unseen &&
		    !memcmp(t->drifts[i].by, drift->by, sizeof(drift->by)))
			return &t->drifts[i];
	return NULL;
}

/*
 * Something that the program may be about to enter: true when a look of a while ago found the same. Else it is kept for the next
 * one. Without memory it is never true.
 */
static bool drifts_still(struct look *l, struct drift drift)
{
	const struct drift *earlier = find_drift(l->track, &drift);
	struct drift *drifts;

	drift.since_ns = earlier ? earlier->since_ns : boot_ns();
	if (boot_ns() - drift.since_ns >= DRIFT_NS)
		return true;
	l->unsettled = true;
	drifts = reallocarray(l->drifts, l->drift_count + 1, sizeof(*drifts));
	if (!drifts)
		return false;
	l->drifts = drifts;
	drifts[l->drift_count++] = drift;
	return false;
}

static void look_at_objects(struct look *l, uint32_t index, bool known, struct warden_device *d)
{
	struct drift drift = { .index = index };
	struct rdma_usage usage;
	bool drifted = false;

	if (rdma_usage_get(l->nl, index, &usage))
		return;
	memcpy(drift.by, d->objects, sizeof(drift.by));
	drift.by[OBJECT_PD] = (int32_t)usage.pd;
	drift.by[OBJECT_CQ] = (int32_t)usage.cq;
	drift.by[OBJECT_QP] = (int32_t)usage.qp;
	drift.by[OBJECT_MR] = (int32_t)usage.mr;
	drift.by[OBJECT_CTX] = (int32_t)usage.ctx;
	for (size_t i = 0; i < OBJECT_COUNT; i++) {
		drift.by[i] -= d->objects[i];
		drifted |= drift.by[i] != 0;
	}
	if (!drifted || (known && !drifts_still(l, drift)))
		return;
	for (size_t i = 0; i < OBJECT_COUNT; i++)
		d->objects[i] += drift.by[i];
}

struct parent_search {
	dev_t dev;
	struct warden_device *device;
};

static int parent_found(const struct rdma_cdev *cdev, void *ctx)
{
	struct parent_search *s = ctx;

	if (cdev->dev != s->dev)
		return 0;
	snprintf(s->device->parent, sizeof(s->device->parent), "%s", cdev->parent);
	return 1;
}

/* Ties the uverbs node to the device's index, without which no claim is found from an open. */
static void tie_uverbs(const struct track *t, uint32_t index, uint32_t uverbs)
{
	struct warden_cdev c = {};

	if (!bpf_map_lookup_elem(t->cdevs, &uverbs, &c) && c.kind == CDEV_UVERBS && c.ib_index == index)
		return;
	c = (struct warden_cdev){ .kind = CDEV_UVERBS, .ib_index = index };
	if (bpf_map_update_elem(t->cdevs, &uverbs, &c, BPF_ANY))
		pr_warn("cannot enter a uverbs node: %s", strerror(errno));
}

static void look_at_uverbs(const struct look *l, uint32_t index, struct warden_device *d)
{
	struct parent_search search = { .device = d };

	if (rdma_uverbs(l->nl, index, &search.dev))
		return;
	d->uverbs = dev_to_kernel(search.dev);
	if (!d->parent[0])
		rdma_cdev_for_each(parent_found, &search);
	tie_uverbs(l->track, index, d->uverbs);
}

static void tell_mended(const struct warden_device *before, const struct warden_device *now)
{
	if (before->netns_cookie != now->netns_cookie)
		pr_warn("the kernel skipped a program: %s is in netns %u, and was taken for one of netns %u", now->name,
			now->netns_inum, before->netns_inum);
	else
		pr_warn("the kernel skipped a program: what is known of %s was not right any more", now->name);
}

/*
 * A program has entered where a device is before anybody can see the device there. So what the map had before the device was
 * listed and has still after that, though the list is of another netns, is wrong.
 */
static int look_at_device(const struct rdma_device *rdma, void *ctx)
{
	struct look *l = ctx;
	const struct track *t = l->track;
	struct warden_device before = {}, now, meanwhile;
	bool known = track_device_get(t, rdma->index, &before);

	if (was_seen(l, rdma->index) || l->seen_count == t->max_devices)
		return 0; /* in shared mode each netns sees it; the host's, where it is, comes first */
	l->seen[l->seen_count++] = rdma->index;
	now = before;
	now.node_guid = rdma->node_guid;
	now.netns_cookie = l->netns.cookie;
	now.netns_inum = l->netns.inum;
	if (strcmp(now.name, rdma->name))
		snprintf(now.name, sizeof(now.name), "%s", rdma->name);
	look_at_uverbs(l, rdma->index, &now);
	if (!known || l->objects)
		look_at_objects(l, rdma->index, known, &now);
	if (known && !memcmp(&before, &now, sizeof(now)))
		return 0;
	l->unsettled |= known;
	if (known && (!track_device_get(t, rdma->index, &meanwhile) || memcmp(&before, &meanwhile, sizeof(before))))
		return 0; /* it changes just now */
	if (bpf_map_update_elem(t->devices, &rdma->index, &now, known ? BPF_EXIST : BPF_ANY))
		pr_warn("cannot enter RDMA device %s: %s", rdma->name, strerror(errno));
	else if (known)
		tell_mended(&before, &now);
	return 0;
}

static int look_in_netns(int fd, const struct netns_id *id, void *ctx)
{
	struct look *l = ctx;

	l->netns = *id;
	if (rdma_open(&l->nl, fd))
		return 0;
	rdma_for_each(l->nl, look_at_device, l);
	rdma_close(&l->nl);
	return 0;
}

/* A device in a netns that no name and no process has is seen by its node. */
static int is_node_of(const struct rdma_cdev *cdev, void *ctx)
{
	const struct warden_device *d = ctx;

	return !strcmp(cdev->ibdev, d->name) && !strcmp(cdev->parent, d->parent);
}

static void drop_unseen(struct look *l)
{
	const struct track *t = l->track;
	_cleanup_free_ uint32_t *keys = NULL;
	long count = map_keys(t->devices, t->max_devices, sizeof(struct warden_device), &keys);
	struct warden_device d;

	for (long i = 0; i < count; i++) {
		const struct drift drift = { .index = keys[i], .unseen = true };

		if (was_seen(l, keys[i]) || !track_device_get(t, keys[i], &d) || rdma_cdev_for_each(is_node_of, &d) ||
		    !drifts_still(l, drift))
			continue;
		pr_warn("the kernel skipped a program: %s is gone", d.name);
		bpf_map_delete_elem(t->devices, &keys[i]);
	}
}

/* ---- looks ---- */

static void look(struct track *t, bool objects)
{
	struct look l = { .track = t, .objects = objects };

	t->skipped_moves = loader_skipped(t->loader, "netns");
	if (objects)
		t->skipped_objects = loader_skipped(t->loader, "verbs");
	t->looked_ns = boot_ns();
	rdma_cdev_for_each(enter_cdev, t);
	l.seen = reallocarray(NULL, t->max_devices, sizeof(*l.seen));
	if (l.seen && rdma_module_loaded("ib_core")) {
		netns_for_each(look_in_netns, &l);
		drop_unseen(&l);
	}
	free(l.seen);
	free(t->drifts);
	t->drifts = l.drifts;
	t->drift_count = l.drift_count;
	t->unsettled = l.unsettled;
	claims_settle(t);
}

/*
 * Twice at a start: before the programs are attached, and after. Objects of devices that the maps had already are compared by the
 * second one, when the programs count them.
 */
void track_scan(struct track *t)
{
	look(t, t->looked_ns);
}

bool track_mend_moves(struct track *t)
{
	if (loader_skipped(t->loader, "netns") == t->skipped_moves)
		return false;
	look(t, false);
	return true;
}

bool track_mend(struct track *t)
{
	if (!t->unsettled &&
	    (boot_ns() - t->looked_ns < OBJECTS_NS || loader_skipped(t->loader, "verbs") == t->skipped_objects))
		return track_mend_moves(t);
	look(t, true);
	return true;
}
