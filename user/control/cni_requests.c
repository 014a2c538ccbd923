// SPDX-License-Identifier: Apache-2.0
#include "control/cni_requests.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "control/args.h"
#include "control/requests.h"
#include "lib/cgroup.h"
#include "lib/log.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "lib/work.h"
#include "packet/packets.h"
#include "pods/pods.h"
#include "track/track.h"

/* ---- one call, in a thread of its own ---- */

struct job {
	struct services *services;
	struct reply *reply;
	cJSON *args; /* holds what the variables point to */
	struct cni_variables variables;
	const char *config;
	char *answer;
	bool success;
};

static void run(void *ctx)
{
	struct job *job = ctx;

	job->success =
		attach_call(job->services->attach, &job->variables, job->config, strlen(job->config), &job->answer);
}

static void done(void *ctx)
{
	struct job *job = ctx;
	cJSON *item = cJSON_CreateObject();

	cJSON_AddBoolToObject(item, "success", job->success);
	cJSON_AddStringToObject(item, "output", job->answer ? job->answer : "");
	reply_item(job->reply, item);
	reply_end(job->reply, 0, NULL);
	free(job->answer);
	cJSON_Delete(job->args);
	free(job);
}

static int read_args(const cJSON *args, struct job *job, struct err *err)
{
	static const char *const known[] = { "command", "container_id", "netns",  "ifname",
					     "args",    "path",         "config", NULL };
	struct cni_variables *v = &job->variables;
	int r = args_known(args, known, err);

	if (!r)
		r = args_string(args, "command", true, &v->command, err);
	if (!r)
		r = args_string(args, "container_id", false, &v->container_id, err);
	if (!r)
		r = args_string(args, "netns", false, &v->netns, err);
	if (!r)
		r = args_string(args, "ifname", false, &v->ifname, err);
	if (!r)
		r = args_string(args, "args", false, &v->args, err);
	if (!r)
		r = args_string(args, "path", false, &v->path, err);
	return r ? r : args_string(args, "config", true, &job->config, err);
}

int handle_cni(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct services *s = ctx;
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return fail(err, -ENOMEM, "out of memory");
	job->services = s;
	job->args = cJSON_Duplicate(args, true);
	r = job->args ? read_args(job->args, job, err) : fail(err, -ENOMEM, "out of memory");
	if (!r)
		job->reply = reply_later(reply);
	if (!r && !job->reply)
		r = fail(err, -ENOMEM, "out of memory");
	if (!r && work_start(s->work, run, done, job)) {
		cJSON_Delete(job->args);
		reply_end(job->reply, -ENOMEM, &(struct err){ .text = "out of memory" });
		free(job);
		return REPLY_LATER;
	}
	if (!r)
		return REPLY_LATER;
	cJSON_Delete(job->args);
	free(job);
	return r;
}

/* ---- what is attached ---- */

static int attachment_item(const struct attach_view *view, void *ctx)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "container_id", view->container_id);
	cJSON_AddStringToObject(json, "ifname", view->ifname);
	cJSON_AddStringToObject(json, "network", view->network);
	cJSON_AddStringToObject(json, "owner", view->owner);
	cJSON_AddStringToObject(json, "pci", view->pci);
	cJSON_AddStringToObject(json, "step", view->step);
	cJSON_AddBoolToObject(json, "quarantined", view->quarantined);
	cJSON_AddStringToObject(json, "trouble", view->trouble);
	reply_item(ctx, json);
	return 0;
}

int handle_attachments(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	struct services *s = ctx;
	int r = args_known(args, known, err);

	return r ? r : attach_for_each(s->attach, attachment_item, reply);
}

static int timing_item(const struct attach_timing *timing, void *ctx)
{
	const struct histogram *times = &timing->times;
	cJSON *json;

	if (!times->count)
		return 0;
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "command", timing->command);
	cJSON_AddStringToObject(json, "step", timing->step);
	cJSON_AddNumberToObject(json, "count", (double)times->count);
	cJSON_AddNumberToObject(json, "sum_ns", (double)times->sum_ns);
	cJSON_AddNumberToObject(json, "p50_ns", (double)histogram_quantile(times, 50));
	cJSON_AddNumberToObject(json, "p99_ns", (double)histogram_quantile(times, 99));
	cJSON_AddNumberToObject(json, "max_ns", (double)times->max_ns);
	reply_item(ctx, json);
	return 0;
}

int handle_timings(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	struct services *s = ctx;
	int r = args_known(args, known, err);

	return r ? r : attach_timing_for_each(s->attach, timing_item, reply);
}

/* ---- hooks: what the loop's thread does for a job ---- */

struct hook_call {
	struct services *services;
	const struct attach_claim *claim;
	const char *device;
	bool netdev;
	char *why;
	size_t size;
	struct err *err;
};

/* Claimed by the same owner already: by another try, or before this wardend was started. */
static bool is_claimed_so(struct services *s, const struct attach_claim *claim)
{
	struct warden_claim now;

	return track_claim_of(s->track, claim->device, &now) && !now.discovered && !strcmp(now.owner, claim->owner);
}

/* The path of the pod's cgroup, which the kubelet has made already, or "": not found, and the netns alone decides. */
static void pod_enters(struct services *s, const struct attach_claim *claim, int netns, char *to, size_t size)
{
	struct cgroup_ref cgroup = {};
	struct netns_id id;

	to[0] = '\0';
	if (netns_identify(netns, &id, NULL))
		return;
	pods_attaching(s->pods, claim->owner, claim->pod_uid, &id, &cgroup);
	if (cgroup.id && cgroup_path(cgroup.id, to, size))
		to[0] = '\0';
}

static int claim_in_loop(void *ctx)
{
	struct hook_call *c = ctx;
	char cgroup[PATH_MAX];
	const struct claim_request request = { .device = c->claim->device,
					       .netns = c->claim->netns_path,
					       .cgroup = cgroup,
					       .owner = c->claim->owner,
					       .resource = c->claim->resource[0] ? c->claim->resource : NULL,
					       .source = "cni" };
	struct services *s = c->services;
	struct claim_change change = { .rule = RULE_CLAIM_SET, .why = "attached" };
	_cleanup_close_ int netns = netns_open(c->claim->netns_path, 0, c->err);
	int r;

	if (netns < 0)
		return netns;
	s->drain(s->ctx);
	if (is_claimed_so(s, c->claim))
		return 0;
	pod_enters(s, c->claim, netns, cgroup, sizeof(cgroup));
	r = track_claim(s->track, &request, &change.index, &change.claim, c->err);
	if (r)
		return r;
	events_claim(s->events, &change, 0, 0);
	packets_claimed(s->packets, change.index, &change.claim, netns);
	return 0;
}

static int claim(const struct attach_claim *wanted, struct err *err, void *ctx)
{
	struct services *s = ctx;
	struct hook_call call = { .services = s, .claim = wanted, .err = err };

	fail(err, -ECANCELED, "wardend is stopping");
	return work_in_loop(s->work, claim_in_loop, &call);
}

static int release_in_loop(void *ctx)
{
	struct hook_call *c = ctx;
	struct services *s = c->services;
	struct claim_change change = { .rule = RULE_CLAIM_RELEASE, .why = "detached" };

	s->drain(s->ctx);
	if (track_release(s->track, c->device, true, &change.index, &change.claim, NULL))
		return 0;
	if (change.index == WARDEN_NO_INDEX)
		snprintf(change.pci, sizeof(change.pci), "%s", c->device);
	events_claim(s->events, &change, 0, 0);
	packets_released(s->packets, change.index);
	return 0;
}

static void release(const char *device, void *ctx)
{
	struct services *s = ctx;
	struct hook_call call = { .services = s, .device = device };

	work_in_loop(s->work, release_in_loop, &call);
}

static int clean_in_loop(void *ctx)
{
	struct hook_call *c = ctx;

	c->services->drain(c->services->ctx);
	return track_idle(c->services->track, c->device, c->netdev, c->why, c->size);
}

static bool clean(const char *device, bool netdev, char *why, size_t size, void *ctx)
{
	struct services *s = ctx;
	struct hook_call call = { .services = s, .device = device, .netdev = netdev, .why = why, .size = size };

	snprintf(why, size, "wardend is stopping");
	return work_in_loop(s->work, clean_in_loop, &call) == 1;
}

static int fault_in_loop(void *ctx)
{
	struct hook_call *c = ctx;

	events_fault(c->services->events, "%s", c->why);
	return 0;
}

static void fault(const char *text, void *ctx)
{
	struct services *s = ctx;
	struct hook_call call = { .services = s, .why = (char *)text };

	if (work_in_loop(s->work, fault_in_loop, &call))
		pr_warn("%s", text);
}

struct attach_hooks cni_hooks(struct services *services)
{
	return (struct attach_hooks){
		.claim = claim, .release = release, .clean = clean, .fault = fault, .ctx = services
	};
}
