// SPDX-License-Identifier: Apache-2.0
#include "metrics/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/kubernetes.h"
#include "control/requests.h"
#include "lib/list.h"
#include "lib/util.h"
#include "packet/packets.h"
#include "pods/pods.h"
#include "qos/dcb.h"
#include "rdma/exclusive.h"
#include "report/events.h"
#include "track/slots.h"

static const char *const counter_names[COUNTER_COUNT] = {
#define X(id, name) [COUNTER_##id] = name,
	WARDEN_COUNTERS(X)
#undef X
};

const char *snapshot_counter_name(unsigned int counter)
{
	return counter_names[counter];
}

const char *snapshot_guard(const struct snapshot *s)
{
	for (size_t i = 0; i < s->features.count; i++)
		if (!strcmp(s->features.items[i].name, "guard.mechanism") && s->features.items[i].by[0])
			return s->features.items[i].by;
	return "none";
}

void snapshot_netns(const struct snapshot *s, uint64_t cookie, char *to, size_t size)
{
	static const char folder[] = "/run/netns/";

	to[0] = '\0';
	for (size_t i = 0; i < s->place_count; i++)
		if (s->places[i].id.cookie == cookie && !strncmp(s->places[i].path, folder, strlen(folder)))
			snprintf(to, size, "%s", s->places[i].path + strlen(folder));
}

/* ---- life ---- */

struct snapshot *snapshot_new(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	atomic_init(&s->holders, 1);
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void snapshot_hold(struct snapshot *s)
{
	atomic_fetch_add(&s->holders, 1);
}

void snapshot_drop(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->holders, 1) != 1)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(s->pages); i++)
		bytes_free(&s->pages[i]);
	stats_free(s->stats);
	model_free(s->model);
	tally_free(&s->tally);
	free(s->devices);
	free(s->pfc);
	free(s->marking);
	free(s->flows);
	free(s->quarantined);
	free(s->places);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- in the loop's thread ---- */

static int copy_devices(struct snapshot *s, struct services *services)
{
	s->model = pods_model(services->pods);
	if (!s->model)
		return -ENOMEM;
	s->marking = calloc(s->model->device_count + 1, sizeof(*s->marking));
	if (!s->marking)
		return -ENOMEM;
	for (size_t i = 0; i < s->model->device_count; i++)
		s->marking[i] = marking_state(services, &s->model->devices[i].tracked);
	return 0;
}

static bool has_claim(uint32_t index, uint64_t claim, void *ctx)
{
	const struct model *m = ctx;

	for (size_t i = 0; i < m->device_count; i++) {
		const struct tracked_device *d = &m->devices[i].tracked;

		if (d->index == index)
			return claim == (d->claimed ? d->claim.id : 0);
	}
	return false;
}

static int add_flow(struct snapshot *s, const struct snapshot_flow *flow)
{
	struct snapshot_flow *to = list_place(&s->flows, &s->flow_room, s->flow_count, sizeof(*to));

	if (!to)
		return -ENOMEM;
	*to = *flow;
	s->flow_count++;
	return 0;
}

static int copy_direction(struct snapshot *s, const struct packet_vf *vf, uint8_t direction)
{
	int r = 0;

	for (uint8_t dscp = 0; dscp < 64; dscp++)
		for (uint8_t class = 0; !r && class < ROCE_CLASSES; class ++) {
			const struct packet_flow *f = &vf->counts->flows[direction][dscp][class];

			if (f->packets)
				r = add_flow(s, &(struct snapshot_flow){ .index = vf->ib_index,
									 .direction = direction,
									 .dscp = dscp,
									 .class = class,
									 .packets = f->packets,
									 .bytes = f->bytes });
		}
	return r;
}

static int copy_flows(const struct packet_vf *vf, void *ctx)
{
	int r = copy_direction(ctx, vf, DIRECTION_INGRESS);

	return r ? r : copy_direction(ctx, vf, DIRECTION_EGRESS);
}

static void count_step(struct snapshot *s, const char *step)
{
	size_t i = 0;

	while (i < s->step_count && strcmp(s->steps[i].step, step))
		i++;
	if (i == SNAPSHOT_STEPS)
		return;
	if (i == s->step_count)
		snprintf(s->steps[s->step_count++].step, sizeof(s->steps[0].step), "%s", step);
	s->steps[i].count++;
}

static int copy_attachment(const struct attach_view *view, void *ctx)
{
	struct snapshot *s = ctx;
	char(*to)[WARDEN_PARENT_LEN];

	count_step(s, view->step);
	if (!view->quarantined)
		return 0;
	to = list_place(&s->quarantined, &s->quarantined_room, s->quarantined_count, sizeof(*to));
	if (!to)
		return -ENOMEM;
	snprintf(*to, sizeof(*to), "%s", view->pci);
	s->quarantined_count++;
	return 0;
}

static int copy_timing(const struct attach_timing *timing, void *ctx)
{
	struct snapshot *s = ctx;

	if (s->timing_count < SNAPSHOT_TIMINGS)
		s->timings[s->timing_count++] = *timing;
	return 0;
}

static void copy_counter(const char *name, uint64_t value, void *ctx)
{
	struct snapshot *s = ctx;

	for (unsigned int i = 0; i < COUNTER_COUNT; i++)
		if (!strcmp(counter_names[i], name))
			s->counters[i] = value;
}

static void copy_node(struct snapshot *s, struct services *services)
{
	const struct feature *features = loader_features(services->loader, &s->features.count);
	struct slots_count pods;

	if (s->features.count > MAX_FEATURES)
		s->features.count = MAX_FEATURES;
	if (s->features.count)
		memcpy(s->features.items, features, s->features.count * sizeof(*features));
	s->program_count = loader_programs(services->loader, s->programs, SNAPSHOT_PROGRAMS);
	requests_counters(services->loader, copy_counter, s);
	pods_health(services->pods, s->health);
	for (enum contradiction_rule rule = 0; rule < CONTRADICTION_COUNT; rule++)
		s->contradictions[rule] = pods_contradictions_of(services->pods, rule);
	s->exclusive_known = services->exclusive->now != EXCLUSIVE_UNKNOWN;
	s->exclusive = services->exclusive->now == EXCLUSIVE_YES;
	s->events = events_count(services->events);
	slots_count(services->slots, &pods);
	s->pods = pods.live;
	attach_timing_for_each(services->attach, copy_timing, s);
}

int snapshot_copy(struct snapshot *s, struct services *services)
{
	int r;

	services->drain(services->ctx);
	s->config = services->config;
	kubernetes_node(&s->config->kubernetes, s->node, sizeof(s->node));
	r = copy_devices(s, services);
	if (!r)
		r = packets_for_each(services->packets, copy_flows, s);
	if (!r)
		r = attach_for_each(services->attach, copy_attachment, s);
	if (r)
		return r;
	events_tally_prune(services->events, has_claim, s->model);
	r = tally_copy(events_tally(services->events), &s->tally);
	copy_node(s, services);
	return r;
}

/* ---- joined ---- */

static bool is_quarantined(const struct snapshot *s, const char *pci)
{
	for (size_t i = 0; i < s->quarantined_count; i++)
		if (pci[0] && !strcmp(s->quarantined[i], pci))
			return true;
	return false;
}

static const char *container_of(const struct model *m, size_t device)
{
	for (size_t i = 0; i < m->granted_count; i++)
		if (m->granted[i].index == device)
			return m->granted[i].container;
	return "";
}

static uint64_t violations_of(const struct snapshot *s, const struct snapshot_device *d)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->tally.count; i++)
		if (s->tally.devices[i].index == d->stats->index && s->tally.devices[i].claim == d->claim)
			sum += s->tally.devices[i].count;
	return sum;
}

/* Where the device has no counter of bytes, the packets of soft RoCE on the VF's netdev are its traffic. */
static void take_packets(const struct snapshot *s, struct snapshot_device *d)
{
	struct stats_traffic t = { .source = STATS_TRAFFIC_PACKETS, .has_bytes = true };
	bool any = false;

	d->traffic = d->stats->traffic;
	if (d->traffic.has_bytes)
		return;
	for (size_t i = 0; i < s->flow_count; i++) {
		const struct snapshot_flow *f = &s->flows[i];
		bool in = f->direction == DIRECTION_INGRESS;

		if (f->index != d->stats->index)
			continue;
		any = true;
		*(in ? &t.rx_packets : &t.tx_packets) += f->packets;
		*(in ? &t.rx_bytes : &t.tx_bytes) += f->bytes;
	}
	if (any)
		d->traffic = t;
}

static void take_model(struct snapshot *s, struct snapshot_device *d, size_t at)
{
	const struct model_device *m = &s->model->devices[at];
	const struct tracked_device *t = &m->tracked;

	d->model = m;
	d->pod = m->pod == MODEL_NONE ? NULL : &s->model->pods[m->pod];
	d->container = container_of(s->model, at);
	d->marking = s->marking[at];
	d->state = is_quarantined(s, t->device.parent) ? "quarantined"
		   : t->orphan                         ? "orphan"
		   : t->claimed                        ? "claimed"
						       : "free";
	if (!t->claimed)
		return;
	d->claim = t->claim.id;
	d->marked_right = t->device.marking_right - t->claim.right_before;
	d->marked_wrong = t->device.marking_wrong - t->claim.wrong_before;
}

static void join_device(struct snapshot *s, struct snapshot_device *d, const struct stats_device *stats)
{
	*d = (struct snapshot_device){ .stats = stats, .container = "", .state = "free", .marking = "none" };
	for (size_t i = 0; i < s->model->device_count; i++)
		if (s->model->devices[i].tracked.index == stats->index)
			take_model(s, d, i);
	d->violations = violations_of(s, d);
	take_packets(s, d);
}

static void read_pfc(struct snapshot *s)
{
	if (!s->config->profile.name[0])
		return;
	for (size_t i = 0; i < s->stats->pf_count; i++) {
		struct qos_dcb dcb;

		qos_dcb_read(s->stats->pfs[i].netdev, &dcb);
		s->pfc[i] = (struct snapshot_pfc){ .known = dcb.has_pfc, .on = dcb.pfc };
	}
}

int snapshot_join(struct snapshot *s, struct stats *stats)
{
	s->stats = stats;
	s->devices = calloc(stats->device_count + 1, sizeof(*s->devices));
	s->pfc = calloc(stats->pf_count + 1, sizeof(*s->pfc));
	if (!s->devices || !s->pfc)
		return -ENOMEM;
	for (size_t i = 0; i < stats->device_count; i++)
		join_device(s, &s->devices[i], &stats->devices[i]);
	read_pfc(s);
	s->unread = stats->unread;
	if (s->model->device_count > stats->device_count)
		s->unread += (unsigned int)(s->model->device_count - stats->device_count);
	return 0;
}
