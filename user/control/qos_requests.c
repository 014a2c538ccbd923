// SPDX-License-Identifier: Apache-2.0
#include "control/qos_requests.h"

#include <errno.h>
#include <string.h>

#include "control/args.h"
#include "control/requests.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "qos/effects.h"
#include "qos/node.h"
#include "rdma/rdma.h"
#include "track/track.h"

struct qos_walk {
	struct qos_node node;
	struct rdma_nl *nl; /* of the host's netns; NULL: no RDMA device is to be seen there */
	struct reply *reply;
};

static int qos_device(const struct tracked_device *d, void *ctx)
{
	struct qos_walk *w = ctx;
	char netdev[RDMA_NAME_MAX] = "";
	/* What the tracker calls its netdev may be the name in a pod, and something else's here. */
	bool here = w->nl && !rdma_port_netdev(w->nl, d->index, netdev, sizeof(netdev));

	return qos_node_add_device(&w->node, d->device.name, here, d->pf, netdev);
}

static void qos_item(const struct qos_finding *f, void *ctx)
{
	cJSON *json = cJSON_CreateObject(), *devices;
	struct qos_walk *w = ctx;

	cJSON_AddStringToObject(json, "id", f->rule);
	cJSON_AddStringToObject(json, "result", qos_result_name(f->result));
	cJSON_AddStringToObject(json, "subject", f->subject);
	devices = cJSON_AddArrayToObject(json, "devices");
	for (size_t i = 0; i < w->node.device_count; i++)
		if (!strcmp(w->node.devices[i].port, f->subject))
			cJSON_AddItemToArray(devices, cJSON_CreateString(w->node.devices[i].name));
	cJSON_AddStringToObject(json, "expected", f->expected);
	cJSON_AddStringToObject(json, "found", f->found);
	cJSON_AddStringToObject(json, "cure", f->cure);
	cJSON_AddStringToObject(json, "cure_mlx5", f->cure_mlx5);
	reply_item(w->reply, json);
}

/* The profile of that name, or the configuration's. */
static int qos_profile_arg(const struct services *s, const cJSON *args, struct qos_profile *profile, struct err *err)
{
	static const char *const known[] = { "profile", NULL };
	const char *name;
	int r = args_known(args, known, err);

	if (!r)
		r = args_string(args, "profile", false, &name, err);
	if (r)
		return r;
	if (name && qos_profile_named(name, profile))
		return fail(err, -EINVAL,
			    "there is no profile \"%.64s\": name spiderpool or nvidia, or leave it out for "
			    "the configuration's",
			    name);
	if (!name && !s->config->profile.name[0])
		return fail(err, -EINVAL, "the configuration names no profile (qos.profile): say which to judge by");
	if (!name)
		*profile = s->config->profile;
	return 0;
}

static int qos_collect(struct services *s, struct qos_walk *w, struct err *err)
{
	_cleanup_close_ int self = netns_open("/proc/self/ns/net", 0, err);
	int r = 0;

	if (self < 0)
		return self;
	rdma_open(&w->nl, self);
	for (size_t i = 0; !r && i < CONFIG_QOS_NETDEVS && s->config->qos_netdevs[i][0]; i++)
		r = qos_node_add_port(&w->node, s->config->qos_netdevs[i]);
	if (!r)
		r = track_for_each(s->track, qos_device, w);
	rdma_close(&w->nl);
	if (r)
		return fail(err, r, "qos: %s", strerror(-r));
	if (!w->node.port_count && !w->node.device_count)
		return fail(err, -ENODEV, "nothing to judge: no RDMA device, and the configuration has no qos.netdevs");
	return 0;
}

/* What the traffic itself says, from the samples of before. */
static void qos_effects(const struct services *s, const struct qos_profile *profile, struct qos_walk *w)
{
	struct qos_finding f = { .rule = "qos.effect",
				 .subject = "all",
				 .result = QOS_UNKNOWN,
				 .expected = "counters that are sampled",
				 .found = "no counter is sampled: the configuration has no profile, or "
					  "qos.effects_interval is 0" };

	if (s->effects)
		effects_findings(s->effects, profile, qos_item, w);
	else
		qos_item(&f, w);
}

int handle_qos(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct qos_walk walk = { .reply = reply };
	struct qos_profile profile;
	int r = qos_profile_arg(ctx, args, &profile, err);

	if (!r)
		r = qos_collect(ctx, &walk, err);
	if (!r)
		qos_audit(&profile, &walk.node, qos_item, &walk);
	if (!r)
		qos_effects(ctx, &profile, &walk);
	qos_node_free(&walk.node);
	return r;
}
