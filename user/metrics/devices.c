// SPDX-License-Identifier: Apache-2.0
/* The warden's own figures of each device and port. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rules.h"
#include "lib/util.h"
#include "metrics/families.h"
#include "report/events.h"
#include "report/packet_names.h"
#include "report/text.h"

#define END \
	{   \
	}

/* Without Kubernetes the owner's two parts serve, "netns" or "unit" and a name, as in `wardenctl devices`. */
void families_pod(const struct snapshot_device *d, struct pod_labels *labels)
{
	const struct model_pod *pod = d->pod;
	const char *slash;

	*labels = (struct pod_labels){};
	if (!pod)
		return;
	slash = strchr(pod->owner, '/');
	if (pod->namespace[0])
		snprintf(labels->namespace, sizeof(labels->namespace), "%s", pod->namespace);
	else if (slash)
		snprintf(labels->namespace, sizeof(labels->namespace), "%.*s", (int)(slash - pod->owner), pod->owner);
	snprintf(labels->name, sizeof(labels->name), "%s", pod->name[0] ? pod->name : slash ? slash + 1 : "");
}

static void base_labels(const struct snapshot_device *d, struct bytes *text)
{
	struct pod_labels pod;

	families_pod(d, &pod);
	exposition_labels(text,
			  (struct label[]){ { "device", d->stats->name },
					    { "pci", d->stats->pci },
					    { "pf", d->stats->pf },
					    { "pod_namespace", pod.namespace },
					    { "pod_name", pod.name } },
			  5);
}

/* Those of each device are written down once. */
struct written {
	const struct snapshot *snapshot;
	struct exposition *e;
	struct bytes *labels;
};

static const struct label none[] = { END };

/* ---- one figure of each device: false where it is not told ---- */

typedef bool (*figure)(const struct snapshot_device *d, uint64_t *value);

static bool link_up(const struct snapshot_device *d, uint64_t *value)
{
	*value = !strncmp(d->stats->link, "ACTIVE", 6);
	return d->stats->link[0];
}

static bool speed(const struct snapshot_device *d, uint64_t *value)
{
	*value = d->stats->speed_mbps * 125000;
	return d->stats->speed_mbps;
}

#define FIGURE(function, expression, told)                                     \
	static bool function(const struct snapshot_device *d, uint64_t *value) \
	{                                                                      \
		*value = expression;                                           \
		return told;                                                   \
	}

FIGURE(queue_pairs, d->stats->usage.qp, true)
FIGURE(regions, d->stats->usage.mr, true)
FIGURE(region_bytes, d->stats->mr_bytes, true)
FIGURE(completion_queues, d->stats->usage.cq, true)
FIGURE(contexts, d->stats->usage.ctx, true)
FIGURE(connections, d->stats->connections, true)
FIGURE(rx_bytes, d->traffic.rx_bytes, d->traffic.has_bytes)
FIGURE(tx_bytes, d->traffic.tx_bytes, d->traffic.has_bytes)
FIGURE(rx_packets, d->traffic.rx_packets, d->traffic.source != STATS_TRAFFIC_NONE)
FIGURE(tx_packets, d->traffic.tx_packets, d->traffic.source != STATS_TRAFFIC_NONE)

static const struct device_family {
	const char *name;
	enum metric_type type;
	figure figure;
	const char *help;
} device_families[] = {
	{ "rdma_warden_device_link_up", METRIC_GAUGE, link_up, "1: the port is active." },
	{ "rdma_warden_device_link_speed_bytes_per_second", METRIC_GAUGE, speed, "The speed of the device's netdev." },
	{ "rdma_warden_device_queue_pairs", METRIC_GAUGE, queue_pairs, "Queue pairs that processes have." },
	{ "rdma_warden_device_memory_regions", METRIC_GAUGE, regions, "Memory regions that processes have." },
	{ "rdma_warden_device_memory_region_bytes", METRIC_GAUGE, region_bytes, "What these come to." },
	{ "rdma_warden_device_completion_queues", METRIC_GAUGE, completion_queues,
	  "Completion queues that processes have." },
	{ "rdma_warden_device_contexts", METRIC_GAUGE, contexts, "Contexts, one for each open of the device." },
	{ "rdma_warden_device_connections", METRIC_GAUGE, connections, "Connections of rdma_cm." },
	{ "rdma_warden_device_receive_bytes_total", METRIC_COUNTER, rx_bytes,
	  "RDMA traffic that was received; who counts it is the label traffic_source of rdma_warden_device_info." },
	{ "rdma_warden_device_transmit_bytes_total", METRIC_COUNTER, tx_bytes, "RDMA traffic that was sent." },
	{ "rdma_warden_device_receive_packets_total", METRIC_COUNTER, rx_packets, "RDMA packets that were received." },
	{ "rdma_warden_device_transmit_packets_total", METRIC_COUNTER, tx_packets, "RDMA packets that were sent." },
};

static void one_family(const struct written *w, const struct device_family *f)
{
	uint64_t value;

	exposition_family(w->e, f->type, f->name, f->help);
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++)
		if (f->figure(&w->snapshot->devices[i], &value))
			exposition_sample(w->e, &w->labels[i], none, value);
}

/* ---- the others ---- */

static void infos(const struct written *w)
{
	exposition_family(w->e, METRIC_INFO, "rdma_warden_device_info", "What a device is, and whose.");
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++) {
		const struct snapshot_device *d = &w->snapshot->devices[i];
		bool claimed = d->model && d->model->tracked.claimed;
		char guid[32];

		text_guid(d->stats->node_guid, guid, sizeof(guid));
		exposition_sample(w->e, &w->labels[i],
				  (struct label[]){ { "netdev", d->stats->netdev },
						    { "node_guid", guid },
						    { "state", d->state },
						    { "claim_source", claimed ? d->model->tracked.claim.source : "" },
						    { "resource", d->model ? d->model->resource : "" },
						    { "container", d->container },
						    { "traffic_source", stats_traffic_name(d->traffic.source) },
						    END },
				  1);
	}
}

static void marking(const struct written *w)
{
	exposition_family(w->e, METRIC_GAUGE, "rdma_warden_device_marking",
			  "Whether the owner's traffic class is that of his profile: 1 for the state that is.");
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++)
		exposition_sample(w->e, &w->labels[i],
				  (struct label[]){ { "state", w->snapshot->devices[i].marking }, END }, 1);
	exposition_family(w->e, METRIC_COUNTER, "rdma_warden_device_address_vectors_total",
			  "Address vectors of queue pairs and address handles, by whether their class was right.");
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++) {
		const struct snapshot_device *d = &w->snapshot->devices[i];

		if (!d->claim)
			continue;
		exposition_sample(w->e, &w->labels[i], (struct label[]){ { "verdict", "right" }, END },
				  d->marked_right);
		exposition_sample(w->e, &w->labels[i], (struct label[]){ { "verdict", "wrong" }, END },
				  d->marked_wrong);
	}
}

static void flows_of(const struct written *w, size_t device, bool bytes)
{
	const struct snapshot *s = w->snapshot;
	char dscp[8];

	for (size_t i = 0; i < s->flow_count; i++) {
		const struct snapshot_flow *f = &s->flows[i];

		if (f->index != s->devices[device].stats->index)
			continue;
		snprintf(dscp, sizeof(dscp), "%u", f->dscp);
		exposition_sample(w->e, &w->labels[device],
				  (struct label[]){ { "direction", f->direction == DIRECTION_INGRESS ? "in" : "out" },
						    { "class", packet_class_name(f->class) },
						    { "dscp", dscp },
						    END },
				  bytes ? f->bytes : f->packets);
	}
}

static void flows(const struct written *w)
{
	exposition_family(
		w->e, METRIC_COUNTER, "rdma_warden_roce_packets_total",
		"RoCE packets on the netdevs of claimed VFs: soft RoCE alone, hardware has none in the kernel.");
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++)
		flows_of(w, i, false);
	exposition_family(w->e, METRIC_COUNTER, "rdma_warden_roce_bytes_total", "The bytes of their frames.");
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++)
		flows_of(w, i, true);
}

static void violations(const struct written *w)
{
	const struct tally *t = &w->snapshot->tally;

	exposition_family(w->e, METRIC_COUNTER, "rdma_warden_device_violations_total",
			  "Violations on a device while its claim holds.");
	for (size_t i = 0; i < w->snapshot->stats->device_count; i++)
		for (size_t v = 0; v < t->count; v++) {
			const struct tally_device *one = &t->devices[v];

			if (one->index != w->snapshot->devices[i].stats->index ||
			    one->claim != w->snapshot->devices[i].claim)
				continue;
			exposition_sample(w->e, &w->labels[i],
					  (struct label[]){ { "rule", rule_name(one->rule) },
							    { "verdict", events_verdict_name(one->verdict) },
							    END },
					  one->count);
		}
}

void families_devices(const struct snapshot *s, struct exposition *e)
{
	struct written w = { .snapshot = s, .e = e };

	w.labels = calloc(s->stats->device_count + 1, sizeof(*w.labels));
	if (!w.labels) {
		e->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < s->stats->device_count; i++)
		base_labels(&s->devices[i], &w.labels[i]);
	infos(&w);
	for (size_t i = 0; i < ARRAY_SIZE(device_families); i++)
		one_family(&w, &device_families[i]);
	marking(&w);
	flows(&w);
	violations(&w);
	for (size_t i = 0; i < s->stats->device_count; i++)
		bytes_free(&w.labels[i]);
	free(w.labels);
}

/* ---- ports ---- */

static void port_gauges(const struct snapshot *s, struct exposition *e)
{
	exposition_family(e, METRIC_GAUGE, "rdma_warden_pf_link_up", "1: the PF's netdev has a link.");
	for (size_t i = 0; i < s->stats->pf_count; i++)
		exposition_sample(
			e, NULL,
			(struct label[]){ { "pf", s->stats->pfs[i].netdev }, { "pci", s->stats->pfs[i].pci }, END },
			s->stats->pfs[i].up);
	exposition_family(e, METRIC_GAUGE, "rdma_warden_pf_link_speed_bytes_per_second", "The link's speed.");
	for (size_t i = 0; i < s->stats->pf_count; i++)
		if (s->stats->pfs[i].speed_mbps)
			exposition_sample(e, NULL,
					  (struct label[]){ { "pf", s->stats->pfs[i].netdev },
							    { "pci", s->stats->pfs[i].pci },
							    END },
					  s->stats->pfs[i].speed_mbps * 125000);
}

static void one_priority(struct exposition *e, const struct stats_pf *pf, unsigned int priority, bool pause)
{
	const struct stats_priority *p = &pf->priority[priority];
	const char number[2] = { (char)('0' + priority), '\0' };
	struct label labels[] = {
		{ "pf", pf->netdev }, { "pci", pf->pci }, { "priority", number }, { "direction", "receive" }, END
	};

	exposition_sample(e, NULL, labels, pause ? p->rx_pause : p->rx_discards);
	labels[3].value = "transmit";
	exposition_sample(e, NULL, labels, pause ? p->tx_pause : p->tx_discards);
}

static void priorities(const struct snapshot *s, struct exposition *e, bool pause)
{
	for (size_t i = 0; i < s->stats->pf_count; i++)
		for (unsigned int p = 0; s->stats->pfs[i].has_priorities && p < STATS_PRIORITIES; p++)
			one_priority(e, &s->stats->pfs[i], p, pause);
}

static void pfc(const struct snapshot *s, struct exposition *e)
{
	uint8_t wanted = config_priorities(s->config);

	exposition_family(e, METRIC_GAUGE, "rdma_warden_pf_pfc_enabled",
			  "1: PFC is on for the priority, which is one of RDMA traffic by the profiles.");
	for (size_t i = 0; i < s->stats->pf_count; i++)
		for (unsigned int p = 0; s->pfc[i].known && p < STATS_PRIORITIES; p++) {
			const char number[2] = { (char)('0' + p), '\0' };

			if (wanted >> p & 1)
				exposition_sample(e, NULL,
						  (struct label[]){ { "pf", s->stats->pfs[i].netdev },
								    { "pci", s->stats->pfs[i].pci },
								    { "priority", number },
								    END },
						  s->pfc[i].on >> p & 1);
		}
}

void families_ports(const struct snapshot *s, struct exposition *e)
{
	port_gauges(s, e);
	exposition_family(e, METRIC_COUNTER, "rdma_warden_pf_pause_frames_total",
			  "PFC pause frames on the PF's port, by priority.");
	priorities(s, e, true);
	exposition_family(e, METRIC_COUNTER, "rdma_warden_pf_discards_total",
			  "Packets that the PF's port has dropped, by priority.");
	priorities(s, e, false);
	pfc(s, e);
}
