// SPDX-License-Identifier: Apache-2.0
/* The kernel alone, where no wardend answers: what is counted, in the items that wardend would have. Whose a device is, is not known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/util.h"
#include "rdmatop/source.h"
#include "report/text.h"
#include "stats/stats.h"

struct kernel_source {
	struct source source; /* first */
	struct err reason; /* why it is not wardend that answers; "" where that was not asked for */
};

static void put(cJSON *json, const char *key, uint64_t value)
{
	cJSON_AddNumberToObject(json, key, (double)value);
}

static void feed_node(struct feed *feed, const struct stats *stats, const struct err *reason)
{
	static const char *const unknown[] = {
		"the owners, pods, claims and marking of devices, and violations: only wardend knows them",
		"which priority carries RDMA traffic: the profile of wardend's configuration says it"
	};
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *missing;
	struct utsname host = {};
	char text[600];

	uname(&host);
	cJSON_AddStringToObject(json, "kind", "node");
	text_time(stats->unix_ns, text, sizeof(text));
	cJSON_AddStringToObject(json, "time", text);
	put(json, "time_ns", stats->time_ns);
	cJSON_AddStringToObject(json, "node", host.nodename);
	cJSON_AddBoolToObject(json, "daemon", false);
	cJSON_AddStringToObject(json, "netns_mode", stats->shared ? "shared" : "exclusive");
	missing = cJSON_AddArrayToObject(json, "missing");
	if (reason->text[0])
		cJSON_AddItemToArray(missing, cJSON_CreateString(reason->text));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		cJSON_AddItemToArray(missing, cJSON_CreateString(unknown[i]));
	if (geteuid())
		cJSON_AddItemToArray(
			missing,
			cJSON_CreateString("devices in other network namespaces: only root may look into them"));
	if (stats->unread) {
		snprintf(text, sizeof(text), "a part of %u devices or ports: the kernel did not tell it",
			 stats->unread);
		cJSON_AddItemToArray(missing, cJSON_CreateString(text));
	}
	feed_item(feed, json);
}

static void feed_pf(struct feed *feed, const struct stats_pf *pf)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *list;

	cJSON_AddStringToObject(json, "kind", "pf");
	cJSON_AddStringToObject(json, "pf", pf->netdev);
	cJSON_AddStringToObject(json, "pci", pf->pci);
	cJSON_AddStringToObject(json, "link", pf->up ? "up" : "down");
	put(json, "speed_mbps", pf->speed_mbps);
	put(json, "vfs", pf->vfs);
	list = cJSON_AddArrayToObject(json, "priorities");
	for (unsigned int p = 0; pf->has_priorities && p < STATS_PRIORITIES; p++) {
		cJSON *one = cJSON_CreateObject();

		put(one, "priority", p);
		put(one, "rx_pause", pf->priority[p].rx_pause);
		put(one, "tx_pause", pf->priority[p].tx_pause);
		put(one, "rx_discards", pf->priority[p].rx_discards);
		put(one, "tx_discards", pf->priority[p].tx_discards);
		cJSON_AddItemToArray(list, one);
	}
	feed_item(feed, json);
}

static void put_counters(cJSON *json, const char *key, const struct stats_counters *counters)
{
	cJSON *list = cJSON_AddObjectToObject(json, key);

	for (size_t i = 0; i < counters->count; i++)
		put(list, counters->counter[i].name, counters->counter[i].value);
}

static void put_place(cJSON *json, const struct stats_device *d)
{
	cJSON *netns = cJSON_AddObjectToObject(json, "netns");
	char guid[32];

	put(netns, "inode", d->netns.inum);
	cJSON_AddStringToObject(json, "device", d->name);
	put(json, "index", d->index);
	cJSON_AddStringToObject(json, "pci", d->pci);
	cJSON_AddStringToObject(json, "pf", d->pf);
	cJSON_AddStringToObject(json, "netdev", d->netdev);
	text_guid(d->node_guid, guid, sizeof(guid));
	cJSON_AddStringToObject(json, "node_guid", guid);
	cJSON_AddStringToObject(json, "link", d->link);
	put(json, "speed_mbps", d->speed_mbps);
	put(json, "mtu", d->mtu);
}

static void feed_device(struct feed *feed, const struct stats_device *d)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "kind", "device");
	put_place(json, d);
	put(json, "qps", d->usage.qp);
	put(json, "mrs", d->usage.mr);
	put(json, "mr_bytes", d->mr_bytes);
	put(json, "cqs", d->usage.cq);
	put(json, "pds", d->usage.pd);
	put(json, "contexts", d->usage.ctx);
	put(json, "connections", d->connections);
	cJSON_AddStringToObject(json, "traffic", stats_traffic_name(d->traffic.source));
	put(json, "rx_bytes", d->traffic.rx_bytes);
	put(json, "tx_bytes", d->traffic.tx_bytes);
	put(json, "rx_packets", d->traffic.rx_packets);
	put(json, "tx_packets", d->traffic.tx_packets);
	put(json, "tx_messages", d->tx_messages);
	put(json, "rx_messages", d->rx_messages);
	put_counters(json, "counters", &d->rdma);
	put_counters(json, "ethtool", &d->ethtool);
	feed_item(feed, json);
}

static int feed_qp(const struct stats_qp *qp, void *ctx)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "kind", "qp");
	put(json, "qpn", qp->qpn);
	put(json, "remote_qpn", qp->remote_qpn);
	cJSON_AddStringToObject(json, "type", qp->type);
	cJSON_AddStringToObject(json, "state", qp->state);
	put(json, "pid", qp->pid);
	cJSON_AddStringToObject(json, "comm", qp->comm);
	cJSON_AddStringToObject(json, "peer", qp->peer);
	if (qp->traffic_class_known)
		put(json, "dscp", qp->traffic_class_known - 1);
	feed_item(ctx, json);
	return 0;
}

static bool is_called(const struct stats_device *d, const char *device)
{
	return device && (!strcmp(device, d->pci) || !strcmp(device, d->name));
}

static int kernel_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	struct kernel_source *k = (struct kernel_source *)source;
	struct stats *stats = NULL;
	struct err why = k->reason;
	int r = stats_read(&stats, err);

	if (r == -EPROTONOSUPPORT)
		fail(&why, r, "RDMA devices: %s", err->text);
	if (!stats)
		return r;
	feed_node(feed, stats, &why);
	for (size_t i = 0; i < stats->pf_count; i++)
		feed_pf(feed, &stats->pfs[i]);
	for (size_t i = 0; i < stats->device_count; i++)
		feed_device(feed, &stats->devices[i]);
	/* A device that has just gone has no queue pairs. */
	for (size_t i = 0; i < stats->device_count; i++)
		if (is_called(&stats->devices[i], device))
			stats_qps(&stats->devices[i].netns, stats->devices[i].index, feed_qp, feed);
	stats_free(stats);
	return 0;
}

static void kernel_close(struct source *source)
{
	free(source);
}

void kernel_because(struct source *source, const struct err *reason)
{
	((struct kernel_source *)source)->reason = *reason;
}

static const struct source_kind kernel_kind = { kernel_read, kernel_close };

struct source *kernel_open(struct err *err)
{
	struct kernel_source *k = calloc(1, sizeof(*k));

	if (!k)
		return fail(err, -ENOMEM, "out of memory"), NULL;
	k->source.kind = &kernel_kind;
	return &k->source;
}
