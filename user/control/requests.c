// SPDX-License-Identifier: Apache-2.0
#include "control/requests.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/args.h"
#include "control/cni_requests.h"
#include "control/packet_requests.h"
#include "control/pod_requests.h"
#include "control/policy_requests.h"
#include "control/qos_requests.h"
#include "control/stats_requests.h"
#include "control/verify_requests.h"
#include "lib/util.h"
#include "lib/version.h"
#include "loader/loader.h"
#include "pods/pods.h"
#include "track/slots.h"
#include "qos/profile.h"
#include "qos/effects.h"
#include "rdma/exclusive.h"
#include "report/notifiers.h"
#include "report/text.h"
#include "track/track.h"

/* ---- status ---- */

static const char *const counter_names[COUNTER_COUNT] = {
#define X(id, name) [COUNTER_##id] = name,
	WARDEN_COUNTERS(X)
#undef X
};

void requests_counters(struct loader *loader, void (*visit)(const char *name, uint64_t value, void *ctx), void *ctx)
{
	int cpus = libbpf_num_possible_cpus(), fd = loader_map(loader, MAP_COUNTERS);
	_cleanup_free_ uint64_t *values = cpus > 0 ? calloc((size_t)cpus, sizeof(*values)) : NULL;

	for (uint32_t i = 0; values && i < COUNTER_COUNT; i++) {
		uint64_t sum = 0;

		if (bpf_map_lookup_elem(fd, &i, values))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += values[cpu];
		visit(counter_names[i], sum, ctx);
	}
}

static void add_counter(const char *name, uint64_t value, void *ctx)
{
	cJSON_AddNumberToObject(ctx, name, (double)value);
}

static void programs_json(struct loader *loader, cJSON *json)
{
	struct program_info programs[64];
	size_t count = loader_programs(loader, programs, ARRAY_SIZE(programs));

	for (size_t i = 0; i < count; i++) {
		cJSON *p = cJSON_CreateObject();

		cJSON_AddStringToObject(p, "name", programs[i].name);
		cJSON_AddStringToObject(p, "state", programs[i].state);
		cJSON_AddNumberToObject(p, "id", programs[i].id);
		cJSON_AddNumberToObject(p, "skipped", (double)programs[i].skipped);
		cJSON_AddItemToArray(json, p);
	}
}

static const char *mechanism(struct loader *loader)
{
	size_t count;
	const struct feature *f = loader_features(loader, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(f[i].name, "guard.mechanism"))
			return f[i].by;
	return "";
}

/* null: not known. */
static void exclusive_json(const struct exclusive *x, cJSON *json)
{
	if (x->now == EXCLUSIVE_UNKNOWN)
		cJSON_AddNullToObject(json, "now");
	else
		cJSON_AddBoolToObject(json, "now", x->now == EXCLUSIVE_YES);
	cJSON_AddStringToObject(json, "problem", x->problem);
	cJSON_AddBoolToObject(json, "next_boot", x->boot.mode == RDMA_BOOT_EXCLUSIVE);
	cJSON_AddStringToObject(json, "by", x->boot.by);
	cJSON_AddStringToObject(json, "against", x->boot.against);
	cJSON_AddStringToObject(json, "next_boot_problem", x->boot_problem);
}

struct attachment_count {
	unsigned int all, quarantined;
};

static int count_attachment(const struct attach_view *view, void *ctx)
{
	struct attachment_count *count = ctx;

	count->all++;
	count->quarantined += view->quarantined;
	return 0;
}

static int handle_status(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	struct services *s = ctx;
	cJSON *json, *qos;
	struct attachment_count attachments = {};
	struct slots_count pods;
	char set[256];
	int r = args_known(args, known, err);

	if (r)
		return r;
	attach_for_each(s->attach, count_attachment, &attachments);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "version", warden_version);
	cJSON_AddNumberToObject(json, "pid", getpid());
	cJSON_AddStringToObject(json, "mode", config_mode_name(s->config->mode));
	cJSON_AddStringToObject(json, "guard", mechanism(s->loader));
	cJSON_AddBoolToObject(json, "rule_in_force", s->config->mode == MODE_ENFORCE);
	cJSON_AddNumberToObject(json, "claims", track_claim_count(s->track));
	cJSON_AddNumberToObject(json, "attachments", attachments.all);
	cJSON_AddNumberToObject(json, "quarantined", attachments.quarantined);
	exclusive_json(s->exclusive, cJSON_AddObjectToObject(json, "exclusive"));
	qos = cJSON_AddObjectToObject(json, "qos");
	cJSON_AddNumberToObject(qos, "samples", s->effects ? (double)effects_rounds(s->effects) : 0);
	qos_dscp_text(s->config->profile.dscp, set, sizeof(set));
	cJSON_AddStringToObject(qos, "profile", s->config->profile.name);
	cJSON_AddStringToObject(qos, "dscp", set);
	cJSON_AddStringToObject(qos, "on_violation", config_reaction_name(s->config->reactions[RULE_MARKING_DSCP]));
	slots_count(s->slots, &pods);
	cJSON_AddNumberToObject(json, "pods", pods.live);
	cJSON_AddNumberToObject(json, "contradictions", (double)pods_contradictions(s->pods));
	sources_json(s, cJSON_AddArrayToObject(json, "sources"));
	notifiers_json(s->notifiers, cJSON_AddArrayToObject(json, "notify"));
	programs_json(s->loader, cJSON_AddArrayToObject(json, "programs"));
	requests_counters(s->loader, add_counter, cJSON_AddObjectToObject(json, "counters"));
	cJSON_AddNumberToObject(json, "events_reported", (double)events_count(s->events));
	reply_item(reply, json);
	return 0;
}

/* ---- capabilities ---- */

void requests_capabilities(struct services *s, void (*visit)(cJSON *item, void *ctx), void *ctx)
{
	static const char *const states[] = {
		[FEATURE_ACTIVE] = "active", [FEATURE_FALLBACK] = "fallback", [FEATURE_UNAVAILABLE] = "unavailable"
	};
	size_t count;
	const struct feature *f = loader_features(s->loader, &count);

	for (size_t i = 0; i < count; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "feature", f[i].name);
		cJSON_AddStringToObject(item, "state", states[f[i].state]);
		cJSON_AddStringToObject(item, "by", f[i].by);
		cJSON_AddStringToObject(item, "reason", f[i].reason);
		visit(item, ctx);
	}
}

static void send_item(cJSON *item, void *ctx)
{
	reply_item(ctx, item);
}

static int handle_capabilities(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	int r = args_known(args, known, err);

	if (!r)
		requests_capabilities(ctx, send_item, reply);
	return r;
}

/* ---- devices ---- */

struct devices_walk {
	struct services *services;
	struct reply *reply;
	struct model *model; /* NULL: no pod can be named */
};

const char *marking_state(const struct services *s, const struct tracked_device *d)
{
	if (!d->claimed || !d->claim.marking)
		return "none";
	if (!loader_audits_kernel_copy(s->loader) || d->device.devx == d->claim.id)
		return "unverified";
	if (d->device.marking_wrong != d->claim.wrong_before)
		return "wrong";
	return d->device.marking_right != d->claim.right_before ? "good" : "none";
}

static void cdevs_json(const char *names, cJSON *json)
{
	char copy[256], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", names);
	while ((name = strsep(&rest, " ")))
		if (*name)
			cJSON_AddItemToArray(json, cJSON_CreateString(name));
}

static int device_item(const struct tracked_device *d, void *ctx)
{
	struct devices_walk *w = ctx;
	cJSON *json = cJSON_CreateObject(), *netns;
	char guid[32];

	text_guid(d->device.node_guid, guid, sizeof(guid));
	cJSON_AddStringToObject(json, "device", d->device.name);
	cJSON_AddNumberToObject(json, "port", 1);
	cJSON_AddStringToObject(json, "pci", d->device.parent);
	cJSON_AddStringToObject(json, "pf", d->pf);
	cJSON_AddStringToObject(json, "netdev", d->netdev);
	cJSON_AddStringToObject(json, "node_guid", guid);
	cdevs_json(d->cdevs, cJSON_AddArrayToObject(json, "cdevs"));
	netns = cJSON_AddObjectToObject(json, "netns");
	cJSON_AddNumberToObject(netns, "inode", d->device.netns_inum);
	cJSON_AddStringToObject(netns, "name", d->netns);
	cJSON_AddStringToObject(json, "owner", d->claimed ? d->claim.owner : "");
	cJSON_AddStringToObject(json, "claim_source", d->claimed ? d->claim.source : "");
	cJSON_AddStringToObject(json, "resource", d->claimed ? d->claim.resource : "");
	cJSON_AddItemToObject(json, "pod", pod_of_device_json(w->model, d->index));
	cJSON_AddNumberToObject(json, "qps", d->device.objects[OBJECT_QP]);
	cJSON_AddNumberToObject(json, "mrs", d->device.objects[OBJECT_MR]);
	cJSON_AddNumberToObject(json, "contexts", d->device.objects[OBJECT_CTX]);
	cJSON_AddStringToObject(json, "marking", marking_state(w->services, d));
	cJSON_AddStringToObject(json, "unclean", d->unclean);
	cJSON_AddStringToObject(json, "state", d->orphan ? "orphan" : d->claimed ? "claimed" : "free");
	reply_item(w->reply, json);
	return 0;
}

static int handle_devices(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	struct devices_walk walk = { .services = ctx, .reply = reply };
	int r = args_known(args, known, err);

	if (r)
		return r;
	walk.services->drain(walk.services->ctx);
	walk.model = pods_model(walk.services->pods);
	r = track_for_each(walk.services->track, device_item, &walk);
	model_free(walk.model);
	return r ? fail(err, r, "devices: %s", strerror(-r)) : 0;
}

/* ---- claims ---- */

static void claim_item(struct services *s, struct reply *reply, uint32_t index, const struct warden_claim *claim)
{
	cJSON *json = cJSON_CreateObject();
	struct warden_device d = {};

	track_device_get(s->track, index, &d);
	cJSON_AddStringToObject(json, "device", d.name);
	cJSON_AddStringToObject(json, "pci", d.parent);
	cJSON_AddStringToObject(json, "owner", claim->owner);
	cJSON_AddNumberToObject(json, "netns", claim->netns_inum);
	cJSON_AddNumberToObject(json, "cgroup_id", (double)claim->cgroup_id);
	reply_item(reply, json);
}

static int claim_args(const cJSON *args, struct claim_request *request, struct err *err)
{
	static const char *const known[] = { "device", "netns", "pid", "cgroup", "owner", "resource", NULL };
	double pid;
	int r = args_known(args, known, err);

	if (!r)
		r = args_string(args, "device", true, &request->device, err);
	if (!r)
		r = args_string(args, "owner", true, &request->owner, err);
	if (!r)
		r = args_string(args, "netns", false, &request->netns, err);
	if (!r)
		r = args_string(args, "resource", false, &request->resource, err);
	if (!r)
		r = args_string(args, "cgroup", false, &request->cgroup, err);
	if (!r)
		r = args_number(args, "pid", 4194304, &pid, err); /* PID_MAX_LIMIT */
	if (r)
		return r;
	if (!request->netns == (pid < 0))
		return fail(err, -EINVAL, "give either \"netns\" or \"pid\"");
	request->pid = (pid_t)pid;
	return 0;
}

static int handle_claim(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct claim_request request = {};
	struct services *s = ctx;
	struct claim_change change;
	struct warden_claim claim;
	uint32_t index;
	int r = claim_args(args, &request, err);

	if (r)
		return r;
	s->drain(s->ctx);
	r = track_claim(s->track, &request, &index, &claim, err);
	if (r)
		return r;
	change = (struct claim_change){ .rule = RULE_CLAIM_SET, .why = "asked for", .index = index, .claim = claim };
	events_claim(s->events, &change, reply_peer(reply)->pid, reply_peer(reply)->uid);
	s->claims_changed(s->ctx);
	claim_item(s, reply, index, &claim);
	return 0;
}

static int handle_release(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "device", "force", NULL };
	const cJSON *force = cJSON_GetObjectItemCaseSensitive(args, "force");
	struct services *s = ctx;
	struct claim_change change;
	struct warden_claim claim;
	const char *device;
	uint32_t index;
	int r = args_known(args, known, err);

	if (!r)
		r = args_string(args, "device", true, &device, err);
	if (r)
		return r;
	if (force && !cJSON_IsBool(force))
		return fail(err, -EINVAL, "argument \"force\" must be true or false");
	s->drain(s->ctx);
	r = track_release(s->track, device, cJSON_IsTrue(force), &index, &claim, err);
	if (r)
		return r;
	change =
		(struct claim_change){ .rule = RULE_CLAIM_RELEASE, .why = "asked for", .index = index, .claim = claim };
	if (index == WARDEN_NO_INDEX)
		snprintf(change.pci, sizeof(change.pci), "%s", device);
	events_claim(s->events, &change, reply_peer(reply)->pid, reply_peer(reply)->uid);
	s->claims_changed(s->ctx);
	claim_item(s, reply, index, &claim);
	return 0;
}

/* ---- events ---- */

static void send_line(const char *line, size_t len, void *ctx)
{
	reply_line(ctx, line, len);
}

static int handle_events(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "since", "follow", NULL };
	const cJSON *follow = cJSON_GetObjectItemCaseSensitive(args, "follow");
	struct services *s = ctx;
	double since;
	int r = args_known(args, known, err);

	if (!r)
		r = args_number(args, "since", 1e10, &since, err); /* seconds since the epoch */
	if (r)
		return r;
	if (follow && !cJSON_IsBool(follow))
		return fail(err, -EINVAL, "argument \"follow\" must be true or false");
	s->drain(s->ctx);
	/* Who follows without a time wants what comes, not what was. */
	if (since > 0 || !cJSON_IsTrue(follow))
		events_kept(s->events, since > 0 ? (uint64_t)since * 1000000000u : 0, send_line, reply);
	if (cJSON_IsTrue(follow))
		reply_follow(reply);
	return 0;
}

const struct request_kind request_kinds[] = {
	{ "status", handle_status },
	{ "capabilities", handle_capabilities },
	{ "devices", handle_devices },
	{ "claim", handle_claim },
	{ "release", handle_release },
	{ "events", handle_events },
	{ "packets", handle_packets },
	{ "qos", handle_qos },
	{ "qos-plan", handle_qos_plan },
	{ "qos-apply", handle_qos_apply },
	{ "attachments", handle_attachments },
	{ "timings", handle_timings },
	{ "cni", handle_cni },
	{ "resources", handle_resources },
	{ "verify", handle_verify },
	{ "stats", handle_stats },
	{ "qps", handle_qps },
	{ "policy", handle_policy }, /* a line each: the list grows */
	{ NULL, NULL },
};
