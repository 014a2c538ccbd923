// SPDX-License-Identifier: Apache-2.0
#include "track/track.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/log.h"
#include "lib/util.h"
#include "loader/loader.h"
#include "rdma/rdma.h"
#include "sriov/sriov.h"
#include "track/clean.h"
#include "track/internal.h"
#include "track/map.h"

int track_open(struct track **track, const struct loader *loader, const struct track_options *options, struct err *err)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	struct track *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return fail(err, -ENOMEM, "out of memory");
	t->cdevs = loader_map(loader, MAP_CDEVS);
	t->claims = loader_map(loader, MAP_CLAIMS);
	t->owners = loader_map(loader, MAP_OWNERS);
	t->devices = loader_map(loader, MAP_DEVICES);
	t->majors = loader_map(loader, MAP_MAJORS);
	r = netns_self(&t->host, err);
	if (!r && bpf_obj_get_info_by_fd(t->devices, &info, &len))
		r = fail(err, -errno, "map devices: %s", strerror(errno));
	if (r) {
		track_close(t);
		return r;
	}
	t->max_devices = info.max_entries;
	t->options = *options;
	r = claims_load(t, loader_maps_are_new(loader));
	if (r) {
		track_close(t);
		return fail(err, r, "map claims: %s", strerror(-r));
	}
	*track = t;
	return 0;
}

void track_close(struct track *t)
{
	if (t)
		free(t->known);
	free(t);
}

/* ---- what was there before the programs ---- */

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

struct scan {
	struct track *track;
	struct rdma_nl *nl;
	struct netns_id netns;
};

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

static void enter_objects(struct rdma_nl *nl, uint32_t index, struct warden_device *d)
{
	struct rdma_usage usage;

	if (rdma_usage_get(nl, index, &usage))
		return;
	d->objects[OBJECT_PD] = (int32_t)usage.pd;
	d->objects[OBJECT_CQ] = (int32_t)usage.cq;
	d->objects[OBJECT_QP] = (int32_t)usage.qp;
	d->objects[OBJECT_MR] = (int32_t)usage.mr;
	d->objects[OBJECT_CTX] = (int32_t)usage.ctx;
}

/* Ties the uverbs node to the device's index, without which no claim is found from an open. */
static void tie_uverbs(struct track *t, uint32_t index, dev_t uverbs)
{
	struct warden_cdev c = { .kind = CDEV_UVERBS, .ib_index = index };
	uint32_t key = dev_to_kernel(uverbs);

	if (bpf_map_update_elem(t->cdevs, &key, &c, BPF_ANY))
		pr_warn("cannot enter a uverbs node: %s", strerror(errno));
}

static int enter_device(const struct rdma_device *rdma, void *ctx)
{
	struct scan *s = ctx;
	struct warden_device d = { .node_guid = rdma->node_guid,
				   .netns_cookie = s->netns.cookie,
				   .netns_inum = s->netns.inum };
	struct parent_search search = { .device = &d };

	if (!bpf_map_lookup_elem(s->track->devices, &rdma->index, &d) && d.uverbs)
		return 0;
	snprintf(d.name, sizeof(d.name), "%s", rdma->name);
	if (!rdma_uverbs(s->nl, rdma->index, &search.dev)) {
		d.uverbs = dev_to_kernel(search.dev);
		rdma_cdev_for_each(parent_found, &search);
		tie_uverbs(s->track, rdma->index, search.dev);
	}
	enter_objects(s->nl, rdma->index, &d);
	if (bpf_map_update_elem(s->track->devices, &rdma->index, &d, BPF_ANY))
		pr_warn("cannot enter RDMA device %s: %s", rdma->name, strerror(errno));
	return 0;
}

static int scan_netns(int fd, const struct netns_id *id, void *ctx)
{
	struct scan s = { .track = ctx, .netns = *id };

	if (rdma_open(&s.nl, fd))
		return 0;
	rdma_for_each(s.nl, enter_device, &s);
	rdma_close(&s.nl);
	return 0;
}

void track_scan(struct track *t)
{
	rdma_cdev_for_each(enter_cdev, t);
	if (rdma_module_loaded("ib_core"))
		netns_for_each(scan_netns, t);
	claims_settle(t);
}

/* ---- the whole picture ---- */

/* Cookies of the netns that exist, and for each device the name of its netdev. */
struct picture {
	struct tracked_device *devices;
	size_t count;
};

struct netdev_fill {
	struct picture *picture;
	struct rdma_nl *nl;
};

static int fill_netdev(const struct rdma_device *rdma, void *ctx)
{
	struct netdev_fill *f = ctx;

	for (size_t i = 0; i < f->picture->count; i++) {
		struct tracked_device *d = &f->picture->devices[i];

		if (d->index == rdma->index && !d->netdev[0])
			rdma_port_netdev(f->nl, rdma->index, d->netdev, sizeof(d->netdev));
	}
	return 0;
}

static int fill_from_netns(int fd, const struct netns_id *id, void *ctx)
{
	struct picture *p = ctx;
	struct netdev_fill fill = { .picture = p };

	for (size_t i = 0; i < p->count; i++)
		if (p->devices[i].claimed && p->devices[i].claim.netns_cookie == id->cookie)
			p->devices[i].orphan = false;
	if (rdma_open(&fill.nl, fd))
		return 0;
	rdma_for_each(fill.nl, fill_netdev, &fill);
	rdma_close(&fill.nl);
	return 0;
}

static int fill_cdev(const struct rdma_cdev *cdev, void *ctx)
{
	struct picture *p = ctx;

	for (size_t i = 0; i < p->count; i++) {
		struct tracked_device *d = &p->devices[i];
		size_t len = strlen(d->cdevs);

		if (strcmp(d->device.name, cdev->ibdev) || strcmp(d->device.parent, cdev->parent))
			continue;
		snprintf(d->cdevs + len, sizeof(d->cdevs) - len, "%s%s", len ? " " : "", cdev->name);
	}
	return 0;
}

static int picture_take(struct track *t, struct picture *p)
{
	_cleanup_free_ uint32_t *keys = NULL;
	long count = map_keys(t->devices, t->max_devices, sizeof(struct warden_device), &keys);

	if (count < 0)
		return (int)count;
	p->devices = calloc((size_t)count + 1, sizeof(*p->devices));
	if (!p->devices)
		return -ENOMEM;
	for (long i = 0; i < count; i++) {
		struct tracked_device *d = &p->devices[p->count];

		d->index = keys[i];
		if (!track_device_get(t, d->index, &d->device))
			continue;
		d->claimed = d->orphan = track_claim_get(t, d->index, &d->claim);
		netns_name(d->device.netns_inum, d->netns, sizeof(d->netns));
		sriov_pf_name(d->device.parent, d->pf, sizeof(d->pf)); /* which leaves it empty for what is no VF */
		p->count++;
	}
	netns_for_each(fill_from_netns, p);
	rdma_cdev_for_each(fill_cdev, p);
	for (size_t i = 0; i < p->count; i++)
		if (p->devices[i].orphan)
			device_is_clean(&p->devices[i].device, &t->host, p->devices[i].unclean,
					sizeof(p->devices[i].unclean));
	return 0;
}

int track_for_each(struct track *t, int (*visit)(const struct tracked_device *device, void *ctx), void *ctx)
{
	struct picture p = {};
	int r = picture_take(t, &p);

	for (size_t i = 0; !r && i < p.count; i++)
		r = visit(&p.devices[i], ctx);
	free(p.devices);
	return r;
}
