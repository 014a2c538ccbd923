// SPDX-License-Identifier: Apache-2.0
/* Devices that others have attached to pods are claimed for them, and given free when they have come home. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/attach.h"
#include "config/config.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/util.h"
#include "pods/internal.h"
#include "rdma/exclusive.h"
#include "report/events.h"

/* For that long the kubelet may tell whose a device is, before what the kernel shows alone decides, */
#define KUBELET_GRACE_NS 700000000ull
/* and for that long somebody may claim what is in a netns of which nobody knows whose it is. */
#define NETNS_GRACE_NS 200000000ull
#define AWAIT_MS 50
#define GIVE_BACK_MS 1000 /* between two looks at a device that is home and still in use */

static void again(struct pods *p, unsigned int ms)
{
	if (!p->again_ms || ms < p->again_ms)
		p->again_ms = ms;
}

/* ---- devices that are away ---- */

static struct away *away_find(struct pods *p, uint32_t index)
{
	for (size_t i = 0; i < p->away_count; i++)
		if (p->away[i].index == index)
			return &p->away[i];
	return NULL;
}

/* NULL: no memory; the next round tries again. */
static struct away *away_put(struct pods *p, uint32_t index, const struct netns_id *netns)
{
	struct away *a = away_find(p, index);

	if (!a) {
		a = list_place(&p->away, &p->away_room, p->away_count, sizeof(*a));
		if (!a)
			return NULL;
		p->away_count++;
		*a = (struct away){ .index = index };
	}
	if (a->netns.cookie != netns->cookie)
		*a = (struct away){ .index = index, .netns = *netns, .since_ns = boot_ns() };
	a->seen = true;
	return a;
}

static void away_forget_unseen(struct pods *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->away_count; i++)
		if (p->away[i].seen)
			p->away[kept++] = p->away[i];
	p->away_count = kept;
}

/* What keeps its netns, where no pod is known that does. */
static const char *keeper_of(struct away *a)
{
	char name[WARDEN_OWNER_LEN];
	bool unit;

	if (a->keeper[0])
		return a->keeper;
	if (netns_keeper(a->netns.inum, name, sizeof(name), &unit))
		snprintf(a->keeper, sizeof(a->keeper), "%s/%.300s", unit ? "unit" : "netns", name);
	else
		snprintf(a->keeper, sizeof(a->keeper), "netns/%u", a->netns.inum);
	return a->keeper;
}

/* ---- what the kubelet says ---- */

struct grantee {
	const struct kube_grant *grant;
	char owner[WARDEN_OWNER_LEN];
	bool named; /* else by UID alone */
};

static bool has_ended(const struct pods *p, const struct kube_grant *g)
{
	const struct kube_pods *pods = p->api ? kube_api_pods(p->api) : NULL;

	for (size_t i = 0; pods && i < pods->count; i++) {
		const struct kube_pod *pod = pods->list[i];
		bool same = g->pod_uid ? !strcmp(pod->uid, g->pod_uid)
				       : !strcmp(pod->namespace, g->pod_namespace) && !strcmp(pod->name, g->pod_name);

		if (same)
			return !strcmp(pod->phase, "Succeeded") || !strcmp(pod->phase, "Failed");
	}
	return false;
}

static void name_grantee(const struct pods *p, struct grantee *to)
{
	const struct kube_grant *g = to->grant;
	const struct kube_pod *pod = NULL;
	struct warden_pod slot;

	to->named = true;
	if (g->pod_name && g->pod_namespace) {
		snprintf(to->owner, sizeof(to->owner), "%s/%s", g->pod_namespace, g->pod_name);
		return;
	}
	if (p->api && g->pod_uid)
		pod = kube_pods_find(kube_api_pods(p->api), g->pod_uid);
	if (pod)
		snprintf(to->owner, sizeof(to->owner), "%s/%s", pod->namespace, pod->name);
	else if (g->pod_uid && slots_by_uid(p->options.slots, g->pod_uid, &slot) && slot.owner[0])
		snprintf(to->owner, sizeof(to->owner), "%.319s", slot.owner);
	else
		snprintf(to->owner, sizeof(to->owner), "pod-uid/%s", g->pod_uid ? g->pod_uid : "");
	to->named = strncmp(to->owner, "pod-uid/", 8) != 0;
}

static bool same_pod(const struct grantee *g, const struct warden_pod *pod)
{
	if (g->grant->pod_uid && g->grant->pod_uid[0])
		return !strcmp(g->grant->pod_uid, pod->uid);
	return !pod->owner[0] || !strncmp(pod->owner, "pod-uid/", 8) || !strcmp(g->owner, pod->owner);
}

/*
 * To which pod the kubelet has given the device: that whose netns it is in, where there are several (a pod that has ended may still be
 * on the list). False: to none, or to several others.
 */
static bool find_grantee(const struct pods *p, const char *device, const struct warden_pod *inside, struct grantee *to)
{
	const struct kube_grants *grants = &p->answer.granted;
	struct grantee one;
	size_t found = 0;

	for (size_t i = 0; p->answer.has_granted && i < grants->count; i++) {
		one = (struct grantee){ .grant = &grants->list[i] };
		if (strcmp(one.grant->device, device) || has_ended(p, one.grant))
			continue;
		name_grantee(p, &one);
		if (inside && same_pod(&one, inside)) {
			*to = one;
			return true;
		}
		found += !found || strcmp(one.owner, to->owner);
		*to = one;
	}
	return found == 1;
}

/* ---- whose a device is ---- */

static bool kubelet_speaks(const struct pods *p)
{
	const struct source_health *socket = &p->health[POD_SOURCE_KUBELET], *file = &p->health[POD_SOURCE_CHECKPOINT];

	return (socket->on && !socket->absent) || (file->on && !file->absent);
}

static bool is_young(struct pods *p, const struct away *a, uint64_t grace_ns)
{
	if (boot_ns() >= a->since_ns + grace_ns)
		return false;
	again(p, AWAIT_MS);
	return true;
}

/* The kubelet has not said anything since the device came there, and may yet. */
static bool kubelet_is_awaited(struct pods *p, const struct away *a)
{
	if (!kubelet_speaks(p) || (p->answer.has_granted && p->answer.begun_ns > a->since_ns))
		return false;
	pods_want_answer(p);
	return is_young(p, a, KUBELET_GRACE_NS);
}

/* What is known of a device that is away. */
struct whose {
	struct warden_pod pod; /* in whose netns it is, where `inside` */
	struct grantee grantee; /* where `granted` */
	bool inside, granted;
};

/* Fills in owner, resource and source: false when nothing can be said, or only that sources contradict each other. */
static bool find_owner(struct pods *p, struct away *a, const struct warden_device *device, struct whose *w,
		       struct discovery *d)
{
	w->inside = slots_by_netns(p->options.slots, a->netns.cookie, &w->pod);
	w->granted = find_grantee(p, device->parent, w->inside ? &w->pod : NULL, &w->grantee);
	if (w->granted && w->inside && !same_pod(&w->grantee, &w->pod))
		return false;
	if (!w->granted && kubelet_is_awaited(p, a))
		return false;
	if (w->inside && w->pod.cgroup_id)
		cgroup_by_id(w->pod.cgroup_id, &d->cgroup);
	if (w->granted) {
		d->owner = w->inside && !w->grantee.named && w->pod.owner[0] ? w->pod.owner : w->grantee.owner;
		d->resource = w->grantee.grant->resource ? w->grantee.grant->resource : "";
		d->source = p->answer.by_checkpoint ? "checkpoint" : "kubelet";
		return true;
	}
	if (p->options.config->discover != DISCOVER_ALL)
		return false;
	if (!w->inside && is_young(p, a, NETNS_GRACE_NS))
		return false;
	d->owner = w->inside && w->pod.owner[0] ? w->pod.owner : keeper_of(a);
	d->source = w->inside ? "proc" : "netns";
	return true;
}

static void claim(struct pods *p, struct away *a, const struct warden_device *device)
{
	struct discovery d = { .index = a->index, .netns = a->netns, .resource = "" };
	struct claim_change change;
	struct whose whose;
	struct err err;
	int r;

	if (!find_owner(p, a, device, &whose, &d))
		return;
	r = track_discover(p->options.track, &d, &change, &err);
	if (r < 0 && r != -EEXIST)
		pr_warn("device %s of %s: %s", device->name, d.owner, err.text);
	if (r <= 0)
		return;
	events_claim(p->options.events, &change, 0, 0);
	p->options.claims_changed(p->options.ctx);
}

static void give_back(struct pods *p, uint32_t index)
{
	struct claim_change change;
	int r = track_given_back(p->options.track, index, &change);

	if (r == -EBUSY)
		again(p, GIVE_BACK_MS);
	if (r <= 0)
		return;
	events_claim(p->options.events, &change, 0, 0);
	p->options.claims_changed(p->options.ctx);
}

static int is_of_device(const struct attach_view *view, void *ctx)
{
	return view->has_rdma && !strcmp(view->pci, ctx);
}

/* The warden is attaching it, or has: its claim is that of the attachment. */
static bool is_attached(struct pods *p, const struct warden_device *device)
{
	return device->parent[0] && attach_for_each(p->options.attach, is_of_device, (void *)device->parent);
}

/* In shared mode every RDMA device is in the host's netns, and its netdev, as the last pass has seen it, says whose it is. */
static struct netns_id where_is(const struct pods *p, const struct warden_device *device)
{
	const struct netns_id own = { .cookie = device->netns_cookie, .inum = device->netns_inum };

	if (own.cookie != p->host.cookie || p->options.exclusive->now != EXCLUSIVE_NO || !device->parent[0])
		return own;
	for (size_t i = 0; i < p->pass.netdev_count; i++)
		if (!strcmp(p->pass.netdevs[i].parent, device->parent))
			return p->pass.netdevs[i].netns;
	return own;
}

static void look_at(uint32_t index, const struct warden_device *device, void *ctx)
{
	struct pods *p = ctx;
	const struct netns_id netns = where_is(p, device);
	struct warden_claim now;
	struct away *a;

	if (netns.cookie == p->host.cookie) {
		give_back(p, index);
		return;
	}
	if ((track_claim_get(p->options.track, index, &now) && !now.discovered) || is_attached(p, device))
		return;
	a = away_put(p, index, &netns);
	if (a)
		claim(p, a, device);
}

void discover(struct pods *p)
{
	p->again_ms = 0;
	for (size_t i = 0; i < p->away_count; i++)
		p->away[i].seen = false;
	track_device_each(p->options.track, look_at, p);
	away_forget_unseen(p);
}
