// SPDX-License-Identifier: Apache-2.0
#include "control/pod_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/args.h"
#include "control/policy_requests.h"
#include "control/requests.h"
#include "lib/util.h"
#include "pods/pods.h"

/* ---- whose a device is ---- */

static const struct model_grant *grant_of(const struct model *model, size_t device)
{
	for (size_t i = 0; i < model->granted_count; i++)
		if (model->granted[i].index == device)
			return &model->granted[i];
	return NULL;
}

/* Without Kubernetes the owner's two parts serve: "netns" and its name, "unit" and its name. */
static cJSON *pod_json(const struct model_pod *pod)
{
	cJSON *json = cJSON_CreateObject();
	const char *slash = strchr(pod->owner, '/');
	char space[WARDEN_OWNER_LEN];

	snprintf(space, sizeof(space), "%.*s", slash ? (int)(slash - pod->owner) : 0, pod->owner);
	cJSON_AddStringToObject(json, "namespace", pod->namespace[0] ? pod->namespace : space);
	cJSON_AddStringToObject(json, "name", pod->name[0] ? pod->name : slash ? slash + 1 : "");
	cJSON_AddStringToObject(json, "uid", pod->uid);
	return json;
}

cJSON *pod_of_device_json(const struct model *model, uint32_t index)
{
	const struct model_grant *grant;
	const struct model_device *d;
	cJSON *json;

	for (size_t i = 0; model && i < model->device_count; i++) {
		d = &model->devices[i];
		if (d->tracked.index != index || d->pod == MODEL_NONE)
			continue;
		json = pod_json(&model->pods[d->pod]);
		grant = grant_of(model, i);
		cJSON_AddStringToObject(json, "container", grant ? grant->container : "");
		cJSON_AddStringToObject(json, "source", pod_source_name(d->source));
		return json;
	}
	return cJSON_CreateNull();
}

/* ---- the sources ---- */

void sources_json(struct services *s, cJSON *array)
{
	struct source_health health[POD_SOURCE_COUNT];
	uint64_t now;

	pods_health(s->pods, health);
	now = boot_ns();
	for (enum pod_source source = 0; source < POD_SOURCE_COUNT; source++) {
		const struct source_health *h = &health[source];
		cJSON *json;

		if (source == POD_SOURCE_CLAIM || source == POD_SOURCE_NETNS)
			continue; /* what is asked for, and the kernel itself */
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "name", pod_source_name(source));
		cJSON_AddStringToObject(json, "state", source_state(h));
		if (h->success_ns)
			cJSON_AddNumberToObject(json, "age_s", (double)((now - h->success_ns) / 1000000) / 1000);
		else
			cJSON_AddNullToObject(json, "age_s");
		cJSON_AddNumberToObject(json, "failures", h->failures);
		cJSON_AddStringToObject(json, "error", h->on && !source_is_well(h) ? h->error.text : "");
		cJSON_AddItemToArray(array, json);
	}
}

/* ---- resources ---- */

static const struct model_device *device_of(const struct model *model, const char *pci)
{
	for (size_t i = 0; i < model->device_count; i++)
		if (!strcmp(model->devices[i].tracked.device.parent, pci))
			return &model->devices[i];
	return NULL;
}

static void vfs_json(const struct policy_pf *pf, const struct model *model, cJSON *json)
{
	cJSON *list = cJSON_AddArrayToObject(json, "vf_list"), *one;
	unsigned int taken = 0;

	for (unsigned int i = 0; i < pf->num_vfs; i++) {
		const struct model_device *d = device_of(model, pf->vfs[i].pci);
		bool has_owner = d && (d->pod != MODEL_NONE || d->tracked.claimed);

		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "pci", pf->vfs[i].pci);
		cJSON_AddStringToObject(one, "device", d ? d->tracked.device.name : "");
		cJSON_AddStringToObject(one, "resource", d ? d->resource : "");
		cJSON_AddStringToObject(one, "owner",
					!has_owner             ? ""
					: d->pod != MODEL_NONE ? model->pods[d->pod].owner
							       : d->tracked.claim.owner);
		cJSON_AddItemToArray(list, one);
		taken += has_owner;
	}
	cJSON_AddNumberToObject(json, "taken", taken);
}

static void send_pf(const struct policy_pf *pf, const struct model *model, struct reply *reply)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "kind", "pf");
	cJSON_AddStringToObject(json, "pf", pf->netdev);
	cJSON_AddStringToObject(json, "pci", pf->pci);
	cJSON_AddNumberToObject(json, "total_vfs", pf->total_vfs);
	cJSON_AddNumberToObject(json, "vfs", pf->num_vfs);
	cJSON_AddNumberToObject(json, "mtu", pf->mtu);
	cJSON_AddBoolToObject(json, "up", pf->up);
	vfs_json(pf, model, json);
	reply_item(reply, json);
}

static int by_resource(const void *a, const void *b)
{
	const struct model_grant *const *x = a, *const *y = b;
	int r = strcmp((*x)->resource, (*y)->resource);

	return r ? r : strcmp((*x)->device, (*y)->device);
}

/* Sorted by resource and device; NULL: no memory. */
static const struct model_grant **sorted(const struct model_grant *list, size_t count)
{
	const struct model_grant **by = calloc(count + 1, sizeof(struct model_grant *));

	for (size_t i = 0; by && i < count; i++)
		by[i] = &list[i];
	if (by)
		qsort(by, count, sizeof(struct model_grant *), by_resource);
	return by;
}

/* What is allocatable and what is allocated, each sorted, are gone through side by side. */
struct merging {
	const struct model *model;
	const struct model_grant **allocatable, **granted;
	size_t a, g; /* where each of them stands */
};

static const struct model_grant *peek(const struct model_grant **list, size_t at, size_t count)
{
	return at < count ? list[at] : NULL;
}

/* The device that comes next of that resource, and to whom it is given; false: no more. */
static bool next_device(struct merging *m, const char *resource, const struct model_grant **device,
			const struct model_grant **granted)
{
	const struct model_grant *a = peek(m->allocatable, m->a, m->model->allocatable_count);
	const struct model_grant *g = peek(m->granted, m->g, m->model->granted_count);
	int order;

	if (a && strcmp(a->resource, resource))
		a = NULL;
	if (g && strcmp(g->resource, resource))
		g = NULL;
	if (!a && !g)
		return false;
	order = !a ? 1 : !g ? -1 : strcmp(a->device, g->device);
	*device = order <= 0 ? a : g;
	*granted = order >= 0 ? g : NULL;
	m->a += order <= 0;
	m->g += order >= 0;
	return true;
}

static void device_json(const struct model *model, const struct model_grant *device, const struct model_grant *granted,
			cJSON *list)
{
	bool to_pod = granted && granted->pod != MODEL_NONE;
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "device", device->device);
	cJSON_AddStringToObject(json, "rdma",
				device->index == MODEL_NONE ? "" : model->devices[device->index].tracked.device.name);
	cJSON_AddStringToObject(json, "pod", to_pod ? model->pods[granted->pod].owner : "");
	cJSON_AddStringToObject(json, "container", to_pod ? granted->container : "");
	cJSON_AddItemToArray(list, json);
}

static void send_resource(struct merging *m, const char *resource, struct reply *reply)
{
	const struct model_grant *device, *granted;
	unsigned int allocated = 0, count = 0;
	cJSON *json = cJSON_CreateObject(), *list = cJSON_CreateArray();

	while (next_device(m, resource, &device, &granted)) {
		device_json(m->model, device, granted, list);
		allocated += granted != NULL;
		count += device != granted;
	}
	cJSON_AddStringToObject(json, "kind", "resource");
	cJSON_AddStringToObject(json, "resource", resource);
	if (m->model->has_allocatable)
		cJSON_AddNumberToObject(json, "allocatable", count);
	else
		cJSON_AddNullToObject(json, "allocatable"); /* the kubelet does not tell */
	cJSON_AddNumberToObject(json, "allocated", allocated);
	cJSON_AddItemToObject(json, "devices", list);
	reply_item(reply, json);
}

static int send_resources(const struct model *model, struct reply *reply)
{
	struct merging m = { .model = model,
			     .allocatable = sorted(model->allocatable, model->allocatable_count),
			     .granted = sorted(model->granted, model->granted_count) };
	const struct model_grant *a, *g;
	int r = m.allocatable && m.granted ? 0 : -ENOMEM;

	while (!r) {
		a = peek(m.allocatable, m.a, model->allocatable_count);
		g = peek(m.granted, m.g, model->granted_count);
		if (!a && !g)
			break;
		if (a && (!g || strcmp(a->resource, g->resource) <= 0))
			send_resource(&m, a->resource, reply);
		else
			send_resource(&m, g->resource, reply);
	}
	free(m.allocatable);
	free(m.granted);
	return r;
}

struct waiting {
	struct services *services;
	struct reply *reply;
};

static void resources_known(struct model *model, void *ctx)
{
	struct waiting *w = ctx;
	struct policy_survey survey;
	struct err err = { .text = "out of memory" };
	int r = model ? policy_survey(w->services, &survey, &err) : -ENOMEM;

	if (!r) {
		for (size_t i = 0; i < survey.node.count; i++)
			send_pf(&survey.node.pfs[i], model, w->reply);
		policy_survey_free(&survey);
		r = send_resources(model, w->reply);
	}
	reply_end(w->reply, r, &err);
	model_free(model);
	free(w);
}

int handle_resources(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	struct waiting *w;
	int r = args_known(args, known, err);

	if (r)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return fail(err, -ENOMEM, "out of memory");
	*w = (struct waiting){ .services = ctx, .reply = reply_later(reply) };
	if (w->reply && !pods_look(w->services->pods, resources_known, w))
		return REPLY_LATER;
	if (w->reply) {
		reply_end(w->reply, -ENOMEM, &(struct err){ .text = "out of memory" });
		free(w);
		return REPLY_LATER;
	}
	free(w);
	return fail(err, -ENOMEM, "out of memory");
}
