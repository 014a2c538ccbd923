/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be included once in a test program: a node as it may be, made by hand, as the snapshot that a page of metrics is written from. One
 * PF with a device of its own, VFs in pods of a Deployment and of nobody, one free, one in quarantine; names that have to be escaped.
 */
#ifndef WARDEN_METRICS_WORLD_H
#define WARDEN_METRICS_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"
#include "metrics/families.h"
#include "metrics/snapshot.h"

static struct config world_config;

static const char world_pod[] =
	"{\"metadata\":{\"namespace\":\"ml\",\"name\":\"train-5d9c7-x1\",\"uid\":\"6c7f0e5e-0000-4000-8000-"
	"000000000001\","
	"\"labels\":{\"pod-template-hash\":\"5d9c7\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":"
	"\"ReplicaSet\",\"name\":\"train-5d9c7\",\"controller\":true}]},\"status\":{\"phase\":\"Running\"}}";

static void world_track(struct tracked_device *t, uint32_t index, const char *name, const char *pci, const char *owner)
{
	*t = (struct tracked_device){ .index = index, .device = { .netns_cookie = *owner ? 100 + index : 1 } };
	snprintf(t->device.name, sizeof(t->device.name), "%s", name);
	snprintf(t->device.parent, sizeof(t->device.parent), "%s", pci);
	if (!*owner)
		return;
	t->claimed = true;
	t->claim = (struct warden_claim){ .id = 70 + index, .netns_cookie = 100 + index, .right_before = 5 };
	t->device.marking_right = 12;
	t->device.marking_wrong = 1;
	snprintf(t->claim.owner, sizeof(t->claim.owner), "%s", owner);
	snprintf(t->claim.source, sizeof(t->claim.source), "manual");
}

static void world_counter(struct stats_counters *list, const char *name, uint64_t value)
{
	list->counter = reallocarray(list->counter, list->count + 1, sizeof(*list->counter));
	assert_non_null(list->counter);
	snprintf(list->counter[list->count].name, sizeof(list->counter[0].name), "%s", name);
	list->counter[list->count++].value = value;
}

static void world_device(struct stats_device *d, uint32_t index, const char *name, const char *pci, const char *pf)
{
	*d = (struct stats_device){ .index = index,
				    .speed_mbps = 100000,
				    .mtu = 4200,
				    .usage = { .pd = 1, .cq = 2, .qp = 3, .mr = 4, .ctx = 1 },
				    .mr_bytes = 1 << 20,
				    .link = "ACTIVE" };
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->pci, sizeof(d->pci), "%s", pci);
	snprintf(d->pf, sizeof(d->pf), "%s", pf);
	snprintf(d->netdev, sizeof(d->netdev), "%s", *pf ? "net1" : "ens1f0");
	world_counter(&d->rdma, "np_cnp_sent", 10 + index);
	world_counter(&d->rdma, "out-of sequence", index);
	world_counter(&d->ethtool, "rx_vport_rdma_unicast_bytes", 1000 * index);
	world_counter(&d->ethtool, "tx_vport_rdma_unicast_bytes", 18014398509481985ull);
	world_counter(&d->ethtool, "rx_prio5_pause", 77);
	d->traffic = (struct stats_traffic){ .source = STATS_TRAFFIC_VPORT,
					     .has_bytes = true,
					     .rx_bytes = 1000 * index,
					     .tx_bytes = 18014398509481985ull };
}

static struct stats *world_stats(size_t vfs)
{
	struct stats *s = calloc(1, sizeof(*s));
	char name[32], pci[32];

	assert_non_null(s);
	s->devices = calloc(vfs + 1, sizeof(*s->devices));
	s->pfs = calloc(1, sizeof(*s->pfs));
	assert_true(s->devices && s->pfs);
	s->device_count = vfs + 1;
	s->pf_count = 1;
	s->time_ns = 1000000000;
	world_device(&s->devices[0], 0, "mlx5_0", "0000:3b:00.0", "");
	for (size_t i = 1; i <= vfs; i++) {
		snprintf(name, sizeof(name), "mlx5_%zu", i);
		snprintf(pci, sizeof(pci), "0000:3b:%02zx.%zu", i / 8, i % 8);
		world_device(&s->devices[i], (uint32_t)i, name, pci, "ens1f0");
	}
	s->pfs[0] =
		(struct stats_pf){ .netdev = "ens1f0", .pci = "0000:3b:00.0", .up = true, .vfs = (unsigned int)vfs };
	s->pfs[0].has_priorities = true;
	s->pfs[0].priority[5].rx_pause = 77;
	s->pfs[0].speed_mbps = 200000;
	return s;
}

/* VF 1 is of a pod of the API's; VF 2 of one that nobody else knows; 3 in quarantine; the others are free. */
static const char *world_owner(size_t vf)
{
	return vf == 1 ? "ml/train-5d9c7-x1" : vf == 2 ? "netns/blue" : "";
}

static void world_model(struct snapshot *s, const struct stats *stats)
{
	struct model_input in = { .host = { .cookie = 1 }, .device_count = stats->device_count };
	struct tracked_device *devices = calloc(stats->device_count, sizeof(*devices));
	cJSON *json = cJSON_Parse(world_pod);
	struct kube_pods api = {};
	struct err err;

	assert_true(devices && json);
	assert_int_equal(kube_pods_put(&api, kube_pod_read(json, &err), &err), 0);
	for (size_t i = 0; i < stats->device_count; i++)
		world_track(&devices[i], (uint32_t)i, stats->devices[i].name, stats->devices[i].pci, world_owner(i));
	in.devices = devices;
	in.api = &api;
	s->model = model_make(&in);
	s->marking = calloc(stats->device_count + 1, sizeof(*s->marking));
	assert_true(s->model && s->marking);
	for (size_t i = 0; i < stats->device_count; i++)
		s->marking[i] = world_owner(i)[0] ? "wrong" : "none";
	kube_pods_free(&api);
	cJSON_Delete(json);
	free(devices);
}

/* To be dropped. */
static struct snapshot *world_snapshot(size_t vfs)
{
	struct stats *stats = world_stats(vfs);
	struct snapshot *s = snapshot_new();

	assert_non_null(s);
	config_defaults(&world_config);
	world_config.mode = MODE_ENFORCE;
	s->config = &world_config;
	snprintf(s->node, sizeof(s->node), "node-1");
	world_model(s, stats);
	tally_add(&s->tally, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, 1, 71, 42);
	tally_add(&s->tally, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, 1, 70, 1000); /* of an earlier claim */
	s->flows = calloc(1, sizeof(*s->flows));
	s->quarantined = calloc(1, sizeof(*s->quarantined));
	assert_true(s->flows && s->quarantined);
	s->flows[0] = (struct snapshot_flow){
		.index = 1, .direction = DIRECTION_EGRESS, .dscp = 26, .class = ROCE_RC, .packets = 9, .bytes = 900
	};
	s->flow_count = s->quarantined_count = 1;
	snprintf(s->quarantined[0], sizeof(s->quarantined[0]), "%s", stats->devices[3].pci);
	features_set(&s->features, "guard.mechanism", FEATURE_ACTIVE, "lsm", "%s", "");
	s->programs[s->program_count++] = (struct program_info){ .name = "guard.open_lsm", .skipped = 2 };
	s->timings[s->timing_count++] = (struct attach_timing){ .command = "ADD", .step = "" };
	histogram_add(&s->timings[0].times, 3000000);
	histogram_add(&s->timings[0].times, 500000000000ull);
	s->health[POD_SOURCE_API] = (struct source_health){ .on = true, .success_ns = 500000000 };
	s->exclusive_known = s->exclusive = true;
	assert_int_equal(snapshot_join(s, stats), 0);
	return s;
}

#endif
