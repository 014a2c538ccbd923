// SPDX-License-Identifier: Apache-2.0
/* Each device, what it was given to whom by, and whose it is by each source. */
#include <ctype.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/util.h"
#include "model/internal.h"

const enum pod_source trusted[TRUSTED] = { POD_SOURCE_ATTACH,     POD_SOURCE_CLAIM, POD_SOURCE_KUBELET,
					   POD_SOURCE_CHECKPOINT, POD_SOURCE_PROC,  POD_SOURCE_NETNS };

/* ---- what is there ---- */

static void index_parents(struct join *j)
{
	for (size_t d = 0; d < j->in->device_count; d++)
		if (!index_put(&j->devices, hash_text(j->in->devices[d].device.parent), d))
			j->failed = true;
	for (size_t n = 0; n < j->in->netdev_count; n++)
		if (!index_put(&j->netdevs, hash_text(j->in->netdevs[n].parent), n))
			j->failed = true;
}

/* A function may have several, as a PF has its VFs' representors: the one that is with the RDMA device is its own. */
static const struct model_netdev *netdev_of(const struct join *j, const struct warden_device *device)
{
	const struct model_netdev *found = NULL;

	if (!device->parent[0])
		return NULL;
	INDEX_EACH(&j->netdevs, hash_text(device->parent), n)
	{
		const struct model_netdev *one = &j->in->netdevs[n];

		if (strcmp(one->parent, device->parent))
			continue;
		if (!found || one->netns.cookie == device->netns_cookie)
			found = one;
	}
	return found;
}

static void fill_device(struct join *j, struct model_device *d, const struct tracked_device *tracked)
{
	const struct model_netdev *netdev = netdev_of(j, &tracked->device);

	d->tracked = *tracked;
	for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
		d->by[s] = MODEL_NONE;
	d->pod = MODEL_NONE;
	d->source = POD_SOURCE_COUNT;
	if (netdev) {
		memcpy(d->netdev, netdev->name, sizeof(d->netdev));
		d->netdev_netns = netdev->netns;
	} else if (try_snprintf(d->netdev, sizeof(d->netdev), "%s", tracked->netdev)) {
		d->netdev[0] = '\0';
	}
	if (tracked->claimed)
		memcpy(d->resource, tracked->claim.resource, sizeof(d->resource));
}

/* ---- what the kubelet gave ---- */

/* 'x' stands for a digit. */
static bool is_pci(const char *text)
{
	const char *shape = "xxxx:xx:xx.x";

	for (; *shape && *text; shape++, text++)
		if (*shape == 'x' ? !isdigit((unsigned char)*text) && !(*text >= 'a' && *text <= 'f') : *shape != *text)
			return false;
	return *shape == *text;
}

const char *grant_parent(const struct kube_grant *g)
{
	size_t len = strlen(g->device);
	const char *tail = len > 12 ? g->device + len - 12 : NULL;

	if (g->claim_name && tail && is_pci(tail) && !isalnum((unsigned char)tail[-1]))
		return tail;
	return g->device;
}

static size_t find_device(const struct join *j, const char *parent)
{
	size_t found = MODEL_NONE;

	if (!*parent)
		return found;
	INDEX_EACH(&j->devices, hash_text(parent), d)
	if (!strcmp(j->in->devices[d].device.parent, parent) && d < found)
		found = d;
	return found;
}

static void cut(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

static struct model_grant *fill_grants(struct join *j, const struct kube_grants *grants, const size_t *pods)
{
	struct model_grant *list = join_array(j, grants->count, sizeof(*list));

	for (size_t i = 0; list && i < grants->count; i++) {
		const struct kube_grant *g = &grants->list[i];

		list[i].pod = pods ? pods[i] : MODEL_NONE;
		list[i].index = find_device(j, grant_parent(g));
		cut(list[i].container, sizeof(list[i].container), g->container);
		cut(list[i].resource, sizeof(list[i].resource), g->resource);
		cut(list[i].device, sizeof(list[i].device), g->device);
	}
	return list;
}

static void take_resources(struct model *m, const struct model_grant *grants, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (grants[i].index != MODEL_NONE && grants[i].resource[0])
			memcpy(m->devices[grants[i].index].resource, grants[i].resource, WARDEN_RESOURCE_LEN);
}

static void add_grants(struct join *j)
{
	struct model *m = j->model;

	if (j->in->granted) {
		m->granted = fill_grants(j, j->in->granted, j->granted_to);
		m->granted_count = m->granted ? j->in->granted->count : 0;
	}
	if (j->in->allocatable) {
		m->allocatable = fill_grants(j, j->in->allocatable, NULL);
		m->allocatable_count = m->allocatable ? j->in->allocatable->count : 0;
	}
	take_resources(m, m->allocatable, m->allocatable_count);
	take_resources(m, m->granted, m->granted_count);
}

/* ---- whose it is ---- */

/* A source that names two pods, of which none is more alive than the other, names none. */
static void say(struct join *j, size_t d, enum pod_source source, size_t pod)
{
	const struct model_pod *pods = j->model->pods;
	size_t *by = &j->model->devices[d].by[source];
	bool first = !(j->said[d] & 1u << source);

	if (pod == MODEL_NONE)
		return;
	j->said[d] |= 1u << source;
	if (first || (*by != MODEL_NONE && pod_rank(&pods[pod]) > pod_rank(&pods[*by])))
		*by = pod;
	else if (*by != MODEL_NONE && *by != pod && pod_rank(&pods[pod]) == pod_rank(&pods[*by]))
		*by = MODEL_NONE;
}

static void say_parent(struct join *j, const char *parent, enum pod_source source, size_t pod)
{
	if (!*parent)
		return;
	INDEX_EACH(&j->devices, hash_text(parent), d)
	if (!strcmp(j->in->devices[d].device.parent, parent))
		say(j, d, source, pod);
}

bool grant_counts(const struct model *model, const struct model_grant *grant)
{
	return grant->pod != MODEL_NONE && !model->pods[grant->pod].ended;
}

static void say_grants(struct join *j)
{
	for (size_t i = 0; i < j->model->granted_count; i++)
		if (grant_counts(j->model, &j->model->granted[i]))
			say_parent(j, grant_parent(&j->in->granted->list[i]), grant_source(j), j->granted_to[i]);
}

static void say_netns(struct join *j, size_t d)
{
	uint64_t rdma = j->in->devices[d].device.netns_cookie, netdev = j->model->devices[d].netdev_netns.cookie;
	size_t pod = join_pod_by_netns(j, j->in->shared && rdma == j->in->host.cookie ? netdev : rdma);
	enum pod_source source = pod == MODEL_NONE ? POD_SOURCE_COUNT : netns_source(&j->model->pods[pod]);

	if (source != POD_SOURCE_COUNT)
		say(j, d, source, pod);
}

bool pods_differ(const struct model_pod *a, const struct model_pod *b)
{
	if (a == b)
		return false;
	if (a->uid[0] && b->uid[0])
		return true; /* one pod has one entry */
	if (a->namespace[0] && b->namespace[0] && strcmp(a->owner, b->owner))
		return true;
	return a->netns.cookie && b->netns.cookie && a->netns.cookie != b->netns.cookie;
}

static void settle(const struct model *m, struct model_device *d)
{
	for (size_t t = 0; t < TRUSTED; t++) {
		size_t pod = d->by[trusted[t]];

		if (pod == MODEL_NONE)
			continue;
		if (d->source == POD_SOURCE_COUNT) {
			d->pod = pod;
			d->source = trusted[t];
		} else if (pods_differ(&m->pods[d->pod], &m->pods[pod])) {
			d->pod = MODEL_NONE;
			return;
		}
	}
}

void join_devices(struct join *j)
{
	struct model *m = j->model;

	index_parents(j);
	m->devices = join_array(j, j->in->device_count, sizeof(*m->devices));
	if (j->failed)
		return;
	m->device_count = j->in->device_count;
	for (size_t d = 0; d < m->device_count; d++)
		fill_device(j, &m->devices[d], &j->in->devices[d]);
	add_grants(j);
	if (j->failed)
		return;
	say_grants(j);
	for (size_t i = 0; i < j->in->attachment_count; i++)
		say_parent(j, j->in->attachments[i].pci, POD_SOURCE_ATTACH, j->attached_to[i]);
	for (size_t d = 0; d < m->device_count; d++) {
		say(j, d, POD_SOURCE_CLAIM, j->claimed_for[d]);
		say_netns(j, d);
		settle(m, &m->devices[d]);
	}
}
