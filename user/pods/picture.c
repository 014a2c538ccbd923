// SPDX-License-Identifier: Apache-2.0
/* What is known of the node now, from all that was asked and from the kernel's word since, as the model wants it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attach/attach.h"
#include "config/config.h"
#include "lib/list.h"
#include "lib/util.h"
#include "pods/internal.h"
#include "rdma/exclusive.h"

/* The input, and what it points to. */
struct gathered {
	struct pods *pods;
	struct model_input input;
	struct scan scan; /* with those that have begun since; its containers are the last pass's */
	size_t pod_room;
	struct tracked_device *devices;
	size_t device_count, device_room;
	struct model_attachment *attachments;
	size_t attachment_count, attachment_room;
	struct model_netns *netns;
	bool failed; /* no memory */
};

static void *place_in(struct gathered *g, void *list, size_t *room, size_t count, size_t size)
{
	void *place = list_place(list, room, count, size);

	g->failed |= !place;
	return place;
}

/* ---- devices ---- */

static int take_tracked(const struct tracked_device *device, void *ctx)
{
	struct gathered *g = ctx;
	struct tracked_device *to = place_in(g, &g->devices, &g->device_room, g->device_count, sizeof(*g->devices));

	if (!to)
		return -ENOMEM;
	*to = *device;
	g->device_count++;
	return 0;
}

/* The claim's netns has ended; the walk over all of them is for those alone that have left it. */
static bool is_orphan(const struct tracked_device *device)
{
	_cleanup_close_ int fd = -1;

	if (!device->claimed || device->claim.netns_cookie == device->device.netns_cookie)
		return false;
	fd = netns_open_cookie(device->claim.netns_cookie);
	return fd < 0;
}

static void take_device(uint32_t index, const struct warden_device *device, void *ctx)
{
	struct gathered *g = ctx;
	struct tracked_device one = { .index = index, .device = *device };

	one.claimed = track_claim_get(g->pods->options.track, index, &one.claim);
	one.orphan = is_orphan(&one);
	take_tracked(&one, g);
}

/* ---- attachments ---- */

static int take_attachment(const struct attach_view *view, void *ctx)
{
	struct gathered *g = ctx;
	struct model_attachment *to =
		place_in(g, &g->attachments, &g->attachment_room, g->attachment_count, sizeof(*g->attachments));

	if (!to)
		return -ENOMEM;
	*to = (struct model_attachment){ .netns = view->netns, .result = view->result ? strdup(view->result) : NULL };
	snprintf(to->container_id, sizeof(to->container_id), "%.64s", view->container_id);
	snprintf(to->ifname, sizeof(to->ifname), "%s", view->ifname);
	snprintf(to->owner, sizeof(to->owner), "%s", view->owner);
	snprintf(to->uid, sizeof(to->uid), "%.36s", view->pod_uid);
	snprintf(to->pci, sizeof(to->pci), "%s", view->pci);
	g->attachment_count++;
	return 0;
}

/* ---- pods: the last pass, and what the kernel has told since ---- */

static struct scan_pod *scan_find(struct gathered *g, const char *uid)
{
	for (size_t i = 0; i < g->scan.pod_count; i++)
		if (!strcmp(g->scan.pods[i].uid, uid))
			return &g->scan.pods[i];
	return NULL;
}

static void take_slot(const struct warden_pod *pod, void *ctx)
{
	struct gathered *g = ctx;
	struct scan_pod *to = scan_find(g, pod->uid);

	if (!to && pod->cgroup_id && strlen(pod->uid) < POD_UID_LEN) /* without a cgroup it is the journal's word */
		to = place_in(g, &g->scan.pods, &g->pod_room, g->scan.pod_count, sizeof(*to));
	if (!to)
		return;
	if (to == &g->scan.pods[g->scan.pod_count]) {
		*to = (struct scan_pod){};
		cgroup_by_id(pod->cgroup_id, &to->cgroup);
		memcpy(to->uid, pod->uid, strlen(pod->uid));
		g->scan.pod_count++;
	}
	if (!pod->netns_cookie)
		return;
	to->netns = (struct netns_id){ .cookie = pod->netns_cookie, .inum = pod->netns_inum };
	to->host_network = false;
}

static void take_pods(struct gathered *g)
{
	const struct scan *last = &g->pods->pass.scan;

	g->scan = *last;
	g->pod_room = last->pod_count + 32;
	g->scan.pods = calloc(g->pod_room, sizeof(*g->scan.pods));
	if (!g->scan.pods) {
		g->failed = true;
		return;
	}
	if (last->pod_count)
		memcpy(g->scan.pods, last->pods, last->pod_count * sizeof(*last->pods));
	slots_each(g->pods->options.slots, take_slot, g);
	g->input.scan = &g->scan;
}

/* ---- netns that no pod is known in ---- */

static void take_netns(struct gathered *g)
{
	struct pods *p = g->pods;
	struct model_netns *to;

	g->netns = calloc(p->away_count + 1, sizeof(*g->netns));
	if (!g->netns) {
		g->failed = true;
		return;
	}
	for (size_t i = 0; i < p->away_count; i++) {
		const struct away *a = &p->away[i];
		const char *slash = strchr(a->keeper, '/');

		if (!slash)
			continue;
		to = &g->netns[g->input.netns_count++];
		*to = (struct model_netns){ .id = a->netns, .unit = !strncmp(a->keeper, "unit/", 5) };
		snprintf(to->name, sizeof(to->name), "%.127s", slash + 1);
	}
	g->input.netns = g->netns;
}

/* ---- all ---- */

static void gather(struct gathered *g, bool full)
{
	struct pods *p = g->pods;
	const struct kubelet_answer *a = &p->answer;

	if (full)
		track_for_each(p->options.track, take_tracked, g);
	else
		track_device_each(p->options.track, take_device, g);
	attach_for_each(p->options.attach, take_attachment, g);
	take_pods(g);
	take_netns(g);
	g->input.host = p->host;
	g->input.shared = p->options.exclusive->now == EXCLUSIVE_NO;
	g->input.devices = g->devices;
	g->input.device_count = g->device_count;
	g->input.attachments = g->attachments;
	g->input.attachment_count = g->attachment_count;
	g->input.netdevs = p->pass.netdevs;
	g->input.netdev_count = p->pass.netdev_count;
	g->input.granted = a->has_granted ? &a->granted : NULL;
	g->input.by_checkpoint = a->by_checkpoint;
	g->input.allocatable = a->has_allocatable ? &a->allocatable : NULL;
	g->input.devinfo = a->has_devinfo ? &a->devinfo : NULL;
	g->input.api = p->api && kube_api_health(p->api)->listed ? kube_api_pods(p->api) : NULL;
}

struct model *picture(struct pods *p, bool full)
{
	struct gathered g = { .pods = p };
	struct model *model;

	gather(&g, full);
	model = g.failed ? NULL : model_make(&g.input);
	for (size_t i = 0; i < g.attachment_count; i++)
		free(g.attachments[i].result);
	free(g.attachments);
	free(g.devices);
	free(g.netns);
	free(g.scan.pods);
	return model;
}

struct model *pods_model(struct pods *p)
{
	return picture(p, false);
}

/* ---- health ---- */

static void health_of_api(const struct kube_health *from, struct source_health *to)
{
	to->on = true;
	to->success_ns = from->success_ns;
	to->error_ns = from->error_ns;
	to->failures = from->failures;
	to->all_failures = from->all_failures;
	to->error = from->error;
}

void pods_health(struct pods *p, struct source_health health[POD_SOURCE_COUNT])
{
	memcpy(health, p->health, sizeof(p->health));
	if (p->api)
		health_of_api(kube_api_health(p->api), &health[POD_SOURCE_API]);
	/* The warden's own, and the kernel's word: always there, and never old. */
	health[POD_SOURCE_ATTACH].success_ns = health[POD_SOURCE_CLAIM].success_ns =
		health[POD_SOURCE_NETNS].success_ns = boot_ns();
}

/* ---- what the warden attaches itself ---- */

/* The kubelet has made it before the runtime is asked for a sandbox: by the drivers systemd and cgroupfs, and class. */
static bool find_cgroup(const char *base, const char *uid, struct cgroup_ref *cgroup)
{
	static const char *const classes[] = { "", "burstable", "besteffort" };
	char path[PATH_MAX], name[64], tail[POD_UID_LEN + 1];
	const char *slash_at = strrchr(base, '/'), *last = slash_at ? slash_at + 1 : base;
	size_t len = strlen(last);
	bool systemd = len > 6 && !strcmp(last + len - 6, ".slice");

	if (try_snprintf(tail, sizeof(tail), "%s", uid) ||
	    try_snprintf(name, sizeof(name), "%.*s", (int)(systemd ? len - 6 : len), last))
		return false;
	for (char *c = tail; systemd && *c; c++)
		*c = *c == '-' ? '_' : *c;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		const char *class = classes[i], *dash = *class ? "-" : "", *slash = *class ? "/" : "";
		int r = !systemd ? try_snprintf(path, sizeof(path), "%s/%s%spod%s", base, class, slash, tail)
			: *class ? try_snprintf(path, sizeof(path), "%s/%s-%s.slice/%s-%s-pod%s.slice", base, name,
						class, name, class, tail)
				 : try_snprintf(path, sizeof(path), "%s/%s%s-pod%s.slice", base, name, dash, tail);

		if (!r && !cgroup_resolve(path, cgroup, NULL))
			return true;
	}
	return false;
}

void pods_attaching(struct pods *p, const char *owner, const char *uid, const struct netns_id *netns,
		    struct cgroup_ref *cgroup)
{
	struct slot_pod slot = {
		.uid = uid[0] ? uid : owner, .owner = owner, .netns_cookie = netns->cookie, .netns_inum = netns->inum
	};

	*cgroup = (struct cgroup_ref){};
	for (size_t i = 0; uid[0] && !strchr(uid, '/') && i < WARDEN_POD_CGROUPS; i++) {
		const char *base = p->options.config->pod_cgroups[i];

		if (base[0] && find_cgroup(base, uid, cgroup))
			break;
	}
	slot.cgroup_id = cgroup->id;
	slots_put(p->options.slots, &slot);
}
