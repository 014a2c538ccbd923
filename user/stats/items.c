// SPDX-License-Identifier: Apache-2.0
#include "stats/items.h"

#include "report/text.h"

static void number(cJSON *json, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(json, name, (double)value);
}

/* Null where nobody counts it. */
static void counted(cJSON *json, const char *name, bool known, uint64_t value)
{
	if (known)
		number(json, name, value);
	else
		cJSON_AddNullToObject(json, name);
}

static void add_priority(cJSON *list, unsigned int priority, const struct stats_priority *counts)
{
	cJSON *json = cJSON_CreateObject();

	number(json, "priority", priority);
	number(json, "rx_pause", counts->rx_pause);
	number(json, "tx_pause", counts->tx_pause);
	number(json, "rx_discards", counts->rx_discards);
	number(json, "tx_discards", counts->tx_discards);
	cJSON_AddItemToArray(list, json);
}

cJSON *stats_pf_item(const struct stats_pf *pf)
{
	cJSON *json = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(json, "kind", "pf");
	cJSON_AddStringToObject(json, "pf", pf->netdev);
	cJSON_AddStringToObject(json, "pci", pf->pci);
	cJSON_AddStringToObject(json, "link", pf->up ? "up" : "down");
	counted(json, "speed_mbps", pf->speed_mbps, pf->speed_mbps);
	number(json, "vfs", pf->vfs);
	list = cJSON_AddArrayToObject(json, "priorities");
	for (unsigned int p = 0; pf->has_priorities && p < STATS_PRIORITIES; p++)
		add_priority(list, p, &pf->priority[p]);
	return json;
}

static void add_identity(cJSON *json, const struct stats_device *d)
{
	char guid[32];

	cJSON_AddStringToObject(json, "device", d->name);
	number(json, "port", 1);
	number(json, "index", d->index);
	cJSON_AddStringToObject(json, "pci", d->pci);
	cJSON_AddStringToObject(json, "pf", d->pf);
	cJSON_AddStringToObject(json, "netdev", d->netdev);
	text_guid(d->node_guid, guid, sizeof(guid));
	cJSON_AddStringToObject(json, "node_guid", guid);
	text_guid(d->sys_image_guid, guid, sizeof(guid));
	cJSON_AddStringToObject(json, "sys_image_guid", guid);
	number(cJSON_AddObjectToObject(json, "netns"), "inode", d->netns.inum);
}

static void add_state(cJSON *json, const struct stats_device *d)
{
	cJSON_AddStringToObject(json, "link", d->link);
	counted(json, "speed_mbps", d->speed_mbps, d->speed_mbps);
	number(json, "mtu", d->mtu);
	number(json, "qps", d->usage.qp);
	number(json, "mrs", d->usage.mr);
	number(json, "mr_bytes", d->mr_bytes);
	number(json, "cqs", d->usage.cq);
	number(json, "pds", d->usage.pd);
	number(json, "contexts", d->usage.ctx);
	number(json, "connections", d->connections);
	counted(json, "tx_messages", d->has_tx_messages, d->tx_messages);
	counted(json, "rx_messages", d->has_rx_messages, d->rx_messages);
}

static void add_traffic(cJSON *json, const struct stats_traffic *t)
{
	cJSON_AddStringToObject(json, "traffic", stats_traffic_name(t->source));
	counted(json, "rx_bytes", t->has_bytes, t->rx_bytes);
	counted(json, "tx_bytes", t->has_bytes, t->tx_bytes);
	counted(json, "rx_packets", t->source != STATS_TRAFFIC_NONE, t->rx_packets);
	counted(json, "tx_packets", t->source != STATS_TRAFFIC_NONE, t->tx_packets);
}

static void add_counters(cJSON *json, const struct stats_counters *counters)
{
	for (size_t i = 0; i < counters->count; i++)
		number(json, counters->counter[i].name, counters->counter[i].value);
}

cJSON *stats_device_item(const struct stats_device *device, const struct stats_traffic *traffic)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "kind", "device");
	add_identity(json, device);
	add_state(json, device);
	add_traffic(json, traffic);
	add_counters(cJSON_AddObjectToObject(json, "counters"), &device->rdma);
	add_counters(cJSON_AddObjectToObject(json, "ethtool"), &device->ethtool);
	return json;
}

cJSON *stats_qp_item(const struct stats_qp *qp)
{
	char comm[sizeof(qp->comm) + 1];
	cJSON *json = cJSON_CreateObject();

	number(json, "qpn", qp->qpn);
	cJSON_AddStringToObject(json, "type", qp->type);
	cJSON_AddStringToObject(json, "state", qp->state);
	number(json, "remote_qpn", qp->remote_qpn);
	number(json, "pid", qp->pid);
	text_from_bytes(qp->comm, sizeof(qp->comm), comm, sizeof(comm));
	cJSON_AddStringToObject(json, "comm", comm);
	cJSON_AddStringToObject(json, "peer", qp->peer);
	if (qp->traffic_class_known)
		number(json, "dscp", qp->traffic_class_known - 1);
	else
		cJSON_AddNullToObject(json, "dscp");
	return json;
}
