// SPDX-License-Identifier: Apache-2.0
/*
 * In turn: the sources are asked; once more a moment later if something contradicted itself, since a pod that is being set up does; in
 * the loop's thread the daemon notes what it knows; in a thread the pods are looked at from inside, and judged.
 */
#include "control/verify_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/attach.h"
#include "control/args.h"
#include "control/pod_requests.h"
#include "control/policy_requests.h"
#include "control/qos_requests.h"
#include "control/requests.h"
#include "lib/rules.h"
#include "lib/util.h"
#include "lib/work.h"
#include "loader/loader.h"
#include "pods/pods.h"
#include "qos/effects.h"
#include "rdma/exclusive.h"
#include "sriov/sriov.h"
#include "verify/verify.h"

#define CONFIRM_US 700000 /* between two looks at what contradicts itself */

struct job {
	struct services *services;
	struct reply *reply;
	char owner[WARDEN_OWNER_LEN]; /* "": all */
	struct model *doubtful; /* the first look's, whose contradictions the second one has to have, too */
	struct model *model;
	struct verify_node node;
	struct verify_inside inside;
	cJSON *items; /* an array */
	unsigned int count[3]; /* by enum verify_result */
	int error;
	struct err err;
};

static void node_free(struct verify_node *node)
{
	free(node->policy);
	free(node->resources);
	free(node->devices);
}

/* Answers, and is gone. */
static void end(struct job *job, int r)
{
	reply_end(job->reply, r, &job->err);
	model_free(job->doubtful);
	model_free(job->model);
	verify_inside_free(&job->inside);
	node_free(&job->node);
	cJSON_Delete(job->items);
	free(job);
}

static void end_without_memory(struct job *job)
{
	end(job, fail(&job->err, -ENOMEM, "out of memory"));
}

/* ---- checks as items ---- */

static void add_item(struct job *job, const struct verify_check *check)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "id", check->id);
	cJSON_AddStringToObject(json, "owner", check->owner);
	cJSON_AddStringToObject(json, "subject", check->subject);
	cJSON_AddStringToObject(json, "result", verify_result_name(check->result));
	cJSON_AddStringToObject(json, "expected", check->expected);
	cJSON_AddStringToObject(json, "found", check->found);
	cJSON_AddStringToObject(json, "cure", check->cure);
	cJSON_AddItemToArray(job->items, json);
	job->count[check->result]++;
}

static void take_check(const struct verify_check *check, void *ctx)
{
	add_item(ctx, check);
}

/* The audit of the marking has findings of its own, which say the same in the same words. */
static void take_finding(const struct qos_finding *f, void *ctx)
{
	static const enum verify_result results[] = {
		[QOS_PASS] = VERIFY_PASS, [QOS_FAIL] = VERIFY_FAIL, [QOS_UNKNOWN] = VERIFY_UNKNOWN
	};
	struct verify_check check = { .id = f->rule, .result = results[f->result] };

	snprintf(check.subject, sizeof(check.subject), "%s", f->subject);
	snprintf(check.expected, sizeof(check.expected), "%s", f->expected);
	snprintf(check.found, sizeof(check.found), "%s", f->found);
	snprintf(check.cure, sizeof(check.cure), "%.255s", f->cure);
	add_item(ctx, &check);
}

/* ---- what the daemon knows ---- */

static int now_of(enum exclusive_now now)
{
	return now == EXCLUSIVE_YES ? 1 : now == EXCLUSIVE_NO ? 0 : -1;
}

/* Read anew: somebody may have changed it since wardend's start. */
static void note_exclusive(const struct services *s, struct verify_node *node)
{
	struct exclusive x = *s->exclusive;
	struct err ignored;
	bool known;

	x.wanted = false;
	exclusive_settle(&x, &ignored);
	known = !exclusive_next_boot(&x, &ignored);
	node->exclusive_now = now_of(x.now);
	node->exclusive_next_boot = known ? x.boot.mode == RDMA_BOOT_EXCLUSIVE : -1;
	snprintf(node->exclusive_by, sizeof(node->exclusive_by), "%.191s", x.boot.by);
	snprintf(node->exclusive_against, sizeof(node->exclusive_against), "%.191s", x.boot.against);
}

static void append(char *to, size_t size, const char *name)
{
	size_t len = strlen(to);

	snprintf(to + len, size - len, "%s%s", len ? ", " : "", name);
}

static void note_missing(const char *name, void *ctx)
{
	struct verify_node *node = ctx;

	append(node->programs_missing, sizeof(node->programs_missing), name);
}

static void note_programs(struct services *s, struct verify_node *node)
{
	loader_missing(s->loader, note_missing, node);
	if (!loader_rdma_attached(s->loader))
		note_missing("those on the RDMA modules", node);
	node->guard = loader_mechanism_name(loader_mechanism(s->loader));
	node->enforce = s->config->mode == MODE_ENFORCE;
}

static void note_lost(const char *name, uint64_t value, void *ctx)
{
	struct verify_node *node = ctx;

	if (strncmp(name, "lost.", 5) || !value)
		return;
	append(node->lost_names, sizeof(node->lost_names), name);
	node->lost += value;
}

static int count_quarantined(const struct attach_view *view, void *ctx)
{
	struct verify_node *node = ctx;

	node->quarantined += view->quarantined;
	return 0;
}

static void note_policy_item(const struct policy_item *item, struct verify_node *node)
{
	struct verify_policy_vfs *to = &node->policy[node->policy_count++];

	*to = (struct verify_policy_vfs){ .fits = policy_item_fits(item) };
	snprintf(to->pf, sizeof(to->pf), "%s", item->pf->netdev);
	snprintf(to->expected, sizeof(to->expected), "%u VFs%s", item->num_vfs,
		 item->externally_managed ? ", which somebody else manages" : "");
	if (to->fits)
		snprintf(to->found, sizeof(to->found), "%u VFs", item->pf->num_vfs);
	else
		snprintf(to->found, sizeof(to->found), "%u VFs; %s%s%.200s", item->pf->num_vfs,
			 policy_state_name(item->state), item->reason[0] || item->note[0] ? ": " : "",
			 item->reason[0] ? item->reason : item->note);
	snprintf(to->cure, sizeof(to->cure), "wardenctl policy --apply");
}

static void note_resource(struct verify_node *node, const struct policy_group *group)
{
	unsigned int vfs = group->last - group->first + 1;

	for (size_t i = 0; i < node->resource_count; i++) {
		if (strcmp(node->resources[i].name, group->policy->resource))
			continue;
		node->resources[i].vfs += vfs;
		node->resources[i].rdma = node->resources[i].rdma && group->policy->is_rdma;
		return;
	}
	node->resources[node->resource_count].vfs = vfs;
	node->resources[node->resource_count].rdma = group->policy->is_rdma;
	node->resources[node->resource_count].rdma = group->policy->is_rdma;
	snprintf(node->resources[node->resource_count++].name, sizeof(node->resources->name), "%s",
		 group->policy->resource);
}

static int note_policy(struct services *s, struct verify_node *node, struct err *err)
{
	struct policy_survey survey;
	size_t groups = 0;
	int r = policy_survey(s, &survey, err);

	if (r)
		return r;
	for (size_t i = 0; i < survey.node.count; i++)
		node->pfs_with_vfs += survey.node.pfs[i].num_vfs > 0;
	for (size_t i = 0; i < survey.plan.count; i++)
		groups += survey.plan.items[i].group_count;
	node->policy = calloc(survey.plan.count + 1, sizeof(*node->policy));
	node->resources = calloc(groups + 1, sizeof(*node->resources));
	for (size_t i = 0; node->policy && node->resources && i < survey.plan.count; i++) {
		note_policy_item(&survey.plan.items[i], node);
		for (size_t k = 0; k < survey.plan.items[i].group_count; k++)
			note_resource(node, &survey.plan.items[i].groups[k]);
	}
	policy_survey_free(&survey);
	return node->policy && node->resources ? 0 : fail(err, -ENOMEM, "out of memory");
}

static void note_sources(struct services *s, struct verify_node *node)
{
	struct source_health health[POD_SOURCE_COUNT];

	pods_health(s->pods, health);
	for (enum pod_source i = 0; i < POD_SOURCE_COUNT; i++) {
		struct verify_source *to = &node->sources[node->source_count];

		if (i == POD_SOURCE_CLAIM || i == POD_SOURCE_NETNS)
			continue;
		*to = (struct verify_source){ .name = pod_source_name(i),
					      .on = health[i].on && !health[i].absent,
					      .ok = source_is_well(&health[i]) };
		/* The checkpoint is read only where the socket does not answer. */
		if (i == POD_SOURCE_CHECKPOINT && source_is_well(&health[POD_SOURCE_KUBELET]))
			to->on = false;
		if (!to->ok)
			snprintf(to->why, sizeof(to->why), "%.255s", health[i].error.text);
		node->source_count++;
	}
}

static int note_devices(struct services *s, const struct model *model, struct verify_node *node)
{
	node->devices = calloc(model->device_count + 1, sizeof(*node->devices));
	for (size_t i = 0; node->devices && i < model->device_count; i++) {
		const struct tracked_device *t = &model->devices[i].tracked;
		struct verify_device *to = &node->devices[node->device_count++];
		struct sriov_netdev pf;
		struct sriov_vf vf;

		*to = (struct verify_device){
			.index = t->index, .marking = marking_state(s, t), .spoofchk = -1, .trust = -1
		};
		if (!sriov_pf_netdev_get(t->device.parent, &pf))
			to->mtu = pf.mtu;
		if (sriov_vf_get(t->device.parent, &vf))
			continue;
		to->spoofchk = vf.spoofchk;
		to->trust = vf.trust;
		memcpy(to->admin_mac, vf.mac, sizeof(vf.mac));
	}
	return node->devices ? 0 : -ENOMEM;
}

static int note_node(struct job *job)
{
	struct services *s = job->services;
	int r;

	note_exclusive(s, &job->node);
	note_programs(s, &job->node);
	requests_counters(s->loader, note_lost, &job->node);
	attach_for_each(s->attach, count_quarantined, &job->node);
	note_sources(s, &job->node);
	r = note_policy(s, &job->node, &job->err);
	if (!r && note_devices(s, job->model, &job->node))
		r = fail(&job->err, -ENOMEM, "out of memory");
	if (!r && !job->owner[0] && s->config->profile.name[0] && job->model->device_count)
		r = qos_findings(s, take_finding, job, &job->err);
	return r;
}

/* ---- looking and judging, in a thread ---- */

static void judge(void *ctx)
{
	struct job *job = ctx;

	job->error = verify_look(job->model, &job->inside, &job->err);
	if (!job->error)
		job->error = verify_judge(job->model, &job->inside, &job->node, job->owner[0] ? job->owner : NULL,
					  take_check, job, &job->err);
}

static void judged(void *ctx)
{
	static const char *const names[] = {
		[VERIFY_PASS] = "pass", [VERIFY_FAIL] = "fail", [VERIFY_UNKNOWN] = "unknown"
	};
	struct job *job = ctx;
	cJSON *item;

	while (!job->error && (item = cJSON_DetachItemFromArray(job->items, 0)))
		reply_item(job->reply, item);
	if (!job->error) {
		item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "verdict",
					names[job->count[VERIFY_FAIL]      ? VERIFY_FAIL
					      : job->count[VERIFY_UNKNOWN] ? VERIFY_UNKNOWN
									   : VERIFY_PASS]);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			cJSON_AddNumberToObject(item, names[i], job->count[i]);
		reply_item(job->reply, item);
	}
	end(job, job->error);
}

/* ---- contradictions, twice ---- */

static bool has_contradiction(const struct model *model, const struct model *of, const struct contradiction *c)
{
	for (size_t i = 0; i < model->contradiction_count; i++) {
		const struct contradiction *one = &model->contradictions[i];

		if (one->rule == c->rule && !strcmp(one->device, c->device) &&
		    !strcmp(model_owner(model, one->pods[0]), model_owner(of, c->pods[0])) &&
		    !strcmp(model_owner(model, one->pods[1]), model_owner(of, c->pods[1])))
			return true;
	}
	return false;
}

/* Only what the first look saw, too. */
static void keep_confirmed(struct model *model, const struct model *first)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->contradiction_count; i++)
		if (has_contradiction(first, model, &model->contradictions[i]))
			model->contradictions[kept++] = model->contradictions[i];
	model->contradiction_count = kept;
}

static void seen(struct model *model, void *ctx);

static void wait_a_moment(void *ctx)
{
	(void)ctx;
	usleep(CONFIRM_US);
}

static void look_again(void *ctx)
{
	struct job *job = ctx;

	if (pods_look(job->services->pods, seen, job))
		end_without_memory(job);
}

static void seen(struct model *model, void *ctx)
{
	struct job *job = ctx;
	int r;

	if (!model) {
		end_without_memory(job);
		return;
	}
	if (model->contradiction_count && !job->doubtful) {
		job->doubtful = model;
		if (work_start(job->services->work, wait_a_moment, look_again, job))
			end_without_memory(job);
		return;
	}
	job->model = model;
	if (job->doubtful)
		keep_confirmed(model, job->doubtful);
	r = note_node(job);
	if (r)
		end(job, r);
	else if (work_start(job->services->work, judge, judged, job))
		end_without_memory(job);
}

int handle_verify(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "owner", NULL };
	const char *owner = NULL;
	struct job *job;
	int r = args_known(args, known, err);

	if (!r)
		r = args_string(args, "owner", false, &owner, err);
	if (r)
		return r;
	job = calloc(1, sizeof(*job));
	if (!job)
		return fail(err, -ENOMEM, "out of memory");
	*job = (struct job){ .services = ctx, .items = cJSON_CreateArray(), .reply = reply_later(reply) };
	if (owner)
		snprintf(job->owner, sizeof(job->owner), "%s", owner);
	if (!job->reply || !job->items) {
		cJSON_Delete(job->items);
		free(job);
		return fail(err, -ENOMEM, "out of memory");
	}
	if (pods_look(job->services->pods, seen, job))
		end_without_memory(job);
	return REPLY_LATER;
}
