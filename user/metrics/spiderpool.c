// SPDX-License-Identifier: Apache-2.0
/*
 * The RDMA metrics of Spiderpool by its names and labels (docs/reference/metrics.md there), so that its dashboards go on. What differs:
 *  - A device is a root when it is the device of a PF, whatever its GUIDs: Spiderpool compares the node's with the system image's, by
 *    which the second port of a card is none.
 *  - A PF's own device has a parent, too, itself: the panels on utilization divide the sum of VFs by the PF of the same
 *    rdma_parent_name, which Spiderpool does not give to PFs, so that they have nothing to divide by.
 *  - In shared mode, and for hostNetwork pods, a device has its pod as far as wardend knows it, and "" else.
 *  - rdma_device_tos_total is there where the driver has a traffic class, and no 0 stands for one that has none.
 * A pod that no source names, or that is none of Kubernetes', is "" here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/list.h"
#include "lib/util.h"
#include "metrics/families.h"
#include "report/text.h"

#define END \
	{   \
	}
#define NAME_LEN 96

static const struct label none[] = { END };

static const char *text_or_empty(const struct model_pod *pod, const char *text)
{
	return pod && pod->namespace[0] && pod->name[0] ? text : "";
}

static bool is_root(const struct stats_device *d)
{
	return d->pci[0] && !d->pf[0];
}

static void labels_of(const struct snapshot *s, const struct snapshot_device *d, struct bytes *text)
{
	const struct stats_device *k = d->stats;
	const struct model_pod *pod = d->pod;
	const char *kind = text_or_empty(pod, pod ? pod->made_kind : "");
	char guid[32], image[32];

	text_guid(k->node_guid, guid, sizeof(guid));
	text_guid(k->sys_image_guid, image, sizeof(image));
	exposition_labels(
		text,
		(struct label[]){ { "node_name", s->node },
				  { "ifname", k->name },
				  { "net_dev_name", k->netdev },
				  { "node_guid", guid },
				  { "sys_image_guid", image },
				  { "is_root", is_root(k) ? "true" : "false" },
				  { "rdma_parent_name", is_root(k) ? k->netdev : k->pf },
				  { "pod_namespace", text_or_empty(pod, pod ? pod->namespace : "") },
				  { "pod_name", text_or_empty(pod, pod ? pod->name : "") },
				  { "owner_api_version", text_or_empty(pod, pod ? pod->made_api_version : "") },
				  { "owner_kind", kind },
				  { "owner_namespace", *kind ? pod->namespace : "" },
				  { "owner_name", text_or_empty(pod, pod ? pod->made_name : "") } },
		13);
}

/* ---- which families there are: by the drivers' names of counters ---- */

/* One counter of one device. */
struct item {
	char name[NAME_LEN]; /* of its family */
	char priority[2]; /* "": it has none */
	size_t device;
	uint64_t value;
};

struct items {
	struct item *list;
	size_t count, room;
	int error;
};

static void add(struct items *items, size_t device, const char *name, const char *priority, uint64_t value)
{
	char clean[72];
	struct item *to;

	to = list_place(&items->list, &items->room, items->count, sizeof(*to));
	if (!to) {
		items->error = -ENOMEM;
		return;
	}
	items->count++;
	*to = (struct item){ .device = device, .value = value };
	exposition_name(name, clean, sizeof(clean));
	snprintf(to->name, sizeof(to->name), "rdma_%s_total", clean);
	snprintf(to->priority, sizeof(to->priority), "%s", priority);
}

/* rx_prio5_pause is rx_pause of priority 5. */
static void add_ethtool(struct items *items, size_t device, const struct stats_counter *c)
{
	char name[sizeof(c->name)], priority[2] = "";

	if (strstr(c->name, "vport")) {
		add(items, device, c->name, "", c->value);
		return;
	}
	priority[0] = c->name[7];
	snprintf(name, sizeof(name), "%.2s%s", c->name, c->name + 8);
	add(items, device, name, priority, c->value);
}

static bool has_speed(const struct stats_counters *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->counter[i].name, "vport_speed_mbps"))
			return true;
	return false;
}

static void add_device(struct items *items, const struct snapshot *s, size_t device)
{
	const struct stats_device *d = &s->stats->devices[device];

	for (size_t i = 0; i < d->rdma.count; i++)
		add(items, device, d->rdma.counter[i].name, "", d->rdma.counter[i].value);
	for (size_t i = 0; i < d->ethtool.count; i++)
		add_ethtool(items, device, &d->ethtool.counter[i]);
	if (d->speed_mbps && !has_speed(&d->ethtool))
		add(items, device, "vport_speed_mbps", "", d->speed_mbps);
}

static int by_name(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (!r)
		r = (x->device > y->device) - (x->device < y->device);
	return r ? r : strcmp(x->priority, y->priority);
}

/* Two names of a driver that come to one name here: the first one counts. */
static bool is_same(const struct item *a, const struct item *b)
{
	return a->device == b->device && !strcmp(a->priority, b->priority) && !strcmp(a->name, b->name);
}

static void write_items(const struct items *items, const struct bytes *labels, struct exposition *e)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (!i || strcmp(item->name, item[-1].name))
			exposition_family(e, METRIC_COUNTER, item->name,
					  "A counter of the driver's, as Spiderpool names it.");
		else if (is_same(item, &item[-1]))
			continue;
		exposition_sample(e, &labels[item->device],
				  item->priority[0] ? (struct label[]){ { "priority", item->priority }, END } : none,
				  item->value);
	}
}

/* ---- the traffic class that a PF's device gives to all its traffic: MLNX_OFED's drivers alone have it ---- */

static bool traffic_class(const struct stats_device *d, uint64_t *value)
{
	static const char prefix[] = "Global tclass=";
	char path[256], line[64];

	return is_root(d) &&
	       !try_snprintf(path, sizeof(path), "/sys/class/infiniband/%s/tc/1/traffic_class", d->name) &&
	       !read_line(path, line, sizeof(line)) && !strncmp(line, prefix, strlen(prefix)) &&
	       !parse_u64(line + strlen(prefix), 10, 0, 255, value);
}

static void traffic_classes(const struct snapshot *s, struct exposition *e)
{
	uint64_t value;
	bool any = false;

	for (size_t i = 0; i < s->stats->device_count; i++) {
		const struct stats_device *d = &s->stats->devices[i];

		if (!traffic_class(d, &value))
			continue;
		if (!any)
			exposition_family(e, METRIC_COUNTER, "rdma_device_tos_total",
					  "The traffic class that a PF gives to all traffic; as Spiderpool names it.");
		any = true;
		exposition_sample(
			e, NULL,
			(struct label[]){
				{ "node_name", s->node }, { "ifname", d->name }, { "net_dev_name", d->netdev }, END },
			value);
	}
}

void families_spiderpool(const struct snapshot *s, struct exposition *e)
{
	size_t count = s->stats->device_count;
	struct bytes *labels = calloc(count + 1, sizeof(*labels));
	struct items items = { .error = labels ? 0 : -ENOMEM };

	for (size_t i = 0; !items.error && i < count; i++) {
		labels_of(s, &s->devices[i], &labels[i]);
		add_device(&items, s, i);
	}
	if (items.count)
		qsort(items.list, items.count, sizeof(*items.list), by_name);
	if (items.error)
		e->error = items.error;
	else
		write_items(&items, labels, e);
	traffic_classes(s, e);
	for (size_t i = 0; labels && i < count; i++)
		bytes_free(&labels[i]);
	free(labels);
	free(items.list);
}
