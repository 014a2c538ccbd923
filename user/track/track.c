// SPDX-License-Identifier: Apache-2.0
#include "track/track.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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
	t->loader = loader;
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
	if (!t)
		return;
	free(t->known);
	free(t->drifts);
	free(t);
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
