// SPDX-License-Identifier: Apache-2.0
#include "control/policy_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/attach.h"
#include "control/args.h"
#include "control/requests.h"
#include "lib/log.h"
#include "lib/mac.h"
#include "lib/notify.h"
#include "lib/util.h"
#include "lib/work.h"
#include "report/text.h"
#include "sriov/policy_perform.h"
#include "track/track.h"

#define SYSFS "/sys"
#define START_SECONDS 60 /* that systemd is to wait for the next action: twice the longest wait, and then some */

/* ---- whose the VFs are, as the tracker knows it when the request comes ---- */

struct user {
	char pci[WARDEN_PARENT_LEN]; /* "": a software device, known by its netdev */
	char netdev[32];
	char why[192];
};

struct users {
	struct user *list;
	size_t count;
};

static void users_free(struct users *u)
{
	free(u->list);
}

static int note_user(const struct tracked_device *d, void *ctx)
{
	struct users *u = ctx;
	struct user *grown;

	if (!d->claimed && !d->orphan && !d->device.objects[OBJECT_CTX])
		return 0;
	grown = realloc(u->list, (u->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	u->list = grown;
	grown += u->count++;
	*grown = (struct user){};
	snprintf(grown->pci, sizeof(grown->pci), "%s", d->device.parent);
	snprintf(grown->netdev, sizeof(grown->netdev), "%s", d->netdev);
	if (d->orphan)
		snprintf(grown->why, sizeof(grown->why), "%.63s has not come back clean from %.80s", d->device.name,
			 d->claim.owner);
	else if (d->claimed)
		snprintf(grown->why, sizeof(grown->why), "%.63s is claimed by %.80s", d->device.name, d->claim.owner);
	else
		snprintf(grown->why, sizeof(grown->why), "%.63s is open in a process", d->device.name);
	return 0;
}

static int note_attachment(const struct attach_view *view, void *ctx)
{
	struct users *u = ctx;
	struct user *grown = realloc(u->list, (u->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	u->list = grown;
	grown += u->count++;
	*grown = (struct user){};
	snprintf(grown->pci, sizeof(grown->pci), "%s", view->pci);
	snprintf(grown->why, sizeof(grown->why), "it is attached for %.80s (%.32s)", view->owner, view->step);
	return 0;
}

static void busy(const char *pci, char *why, size_t size, void *ctx)
{
	const struct users *u = ctx;
	char netdev[IF_NAMESIZE];

	policy_netdev(SYSFS, pci, netdev, sizeof(netdev));
	for (size_t i = 0; i < u->count; i++) {
		const struct user *x = &u->list[i];

		if (strcmp(x->pci, pci) && (x->pci[0] || !netdev[0] || strcmp(x->netdev, netdev)))
			continue;
		snprintf(why, size, "%s", x->why);
		return;
	}
}

static int source_open(struct services *s, struct users *users, struct policy_source *source, struct err *err)
{
	int r;

	*source = (struct policy_source){
		.sysfs = SYSFS, .operator_dir = s->config->operator_dir, .busy = busy, .ctx = users
	};
	policy_source_of_kernel(source);
	s->drain(s->ctx);
	r = track_for_each(s->track, note_user, users);
	if (!r)
		r = attach_for_each(s->attach, note_attachment, users);
	return r ? fail(err, r, "node_policy: %s", strerror(-r)) : 0;
}

/* ---- as JSON ---- */

static void group_json(const struct policy_group *g, cJSON *array)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "resourceName", g->policy->resource);
	cJSON_AddNumberToObject(json, "priority", g->policy->priority);
	cJSON_AddNumberToObject(json, "first", g->first);
	cJSON_AddNumberToObject(json, "last", g->last);
	cJSON_AddStringToObject(json, "deviceType", policy_type_name(g->policy->type));
	cJSON_AddBoolToObject(json, "isRdma", g->policy->is_rdma);
	cJSON_AddNumberToObject(json, "mtu", g->policy->mtu);
	cJSON_AddItemToArray(array, json);
}

static cJSON *action_json(const struct policy_pf *pf, const struct policy_action *a)
{
	cJSON *json = cJSON_CreateObject();
	bool vf = a->step >= POLICY_VF_MAC;

	cJSON_AddStringToObject(json, "action", policy_step_name(a->step));
	cJSON_AddStringToObject(json, "subject", vf ? pf->vfs[a->vf].pci : pf->pci);
	if (vf)
		cJSON_AddNumberToObject(json, "vf", a->vf);
	cJSON_AddStringToObject(json, "from", a->from);
	cJSON_AddStringToObject(json, "to", a->to);
	cJSON_AddStringToObject(json, "reason", a->reason);
	return json;
}

static void vf_json(unsigned int number, const struct policy_vf *vf, cJSON *array)
{
	cJSON *json = cJSON_CreateObject();
	char mac[MAC_TEXT_LEN];

	cJSON_AddNumberToObject(json, "vf", number);
	cJSON_AddStringToObject(json, "pci", vf->pci);
	cJSON_AddStringToObject(json, "driver", vf->driver);
	cJSON_AddStringToObject(json, "netdev", vf->netdev);
	cJSON_AddNumberToObject(json, "mtu", vf->mtu);
	mac_print(vf->admin_mac, mac);
	cJSON_AddStringToObject(json, "admin_mac", vf->admin_known ? mac : "");
	cJSON_AddStringToObject(json, "rdma", vf->ibdev);
	cJSON_AddStringToObject(json, "busy", vf->busy);
	cJSON_AddItemToArray(array, json);
}

static void item_reply(struct reply *reply, const struct policy_item *item)
{
	cJSON *json = cJSON_CreateObject(), *wanted, *found, *list;
	const struct policy_pf *pf = item->pf;

	cJSON_AddStringToObject(json, "pf", pf->pci);
	cJSON_AddStringToObject(json, "netdev", pf->netdev);
	cJSON_AddStringToObject(json, "result", policy_item_fits(item) ? "pass" : "fail");
	cJSON_AddStringToObject(json, "state", policy_state_name(item->state));
	wanted = cJSON_AddObjectToObject(json, "wanted");
	cJSON_AddNumberToObject(wanted, "numVfs", item->num_vfs);
	cJSON_AddNumberToObject(wanted, "mtu", item->mtu);
	cJSON_AddBoolToObject(wanted, "externallyManaged", item->externally_managed);
	list = cJSON_AddArrayToObject(wanted, "groups");
	for (size_t i = 0; i < item->group_count; i++)
		group_json(&item->groups[i], list);
	found = cJSON_AddObjectToObject(json, "found");
	cJSON_AddNumberToObject(found, "numVfs", pf->num_vfs);
	cJSON_AddNumberToObject(found, "totalVfs", pf->total_vfs);
	cJSON_AddNumberToObject(found, "mtu", pf->mtu);
	cJSON_AddBoolToObject(found, "up", pf->up);
	cJSON_AddStringToObject(found, "manager", pf->manager);
	list = cJSON_AddArrayToObject(found, "vfs");
	for (unsigned int i = 0; i < pf->num_vfs; i++)
		vf_json(i, &pf->vfs[i], list);
	list = cJSON_AddArrayToObject(json, "actions");
	for (size_t i = 0; i < item->action_count; i++)
		cJSON_AddItemToArray(list, action_json(pf, &item->actions[i]));
	cJSON_AddStringToObject(json, "reason", item->reason);
	cJSON_AddStringToObject(json, "note", item->note);
	reply_item(reply, json);
}

/* A policy that is for none of this node's PFs: a configuration may be that of many nodes. */
static void unmatched_reply(struct reply *reply, const struct node_policy *p)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "pf", "");
	cJSON_AddStringToObject(json, "result", "unknown");
	cJSON_AddStringToObject(json, "resourceName", p->resource);
	cJSON_AddStringToObject(json, "reason", "no PF of this node is meant");
	reply_item(reply, json);
}

/* ---- the plan ---- */

static int survey_by(const struct config *c, const struct policy_source *source, struct policy_survey *to,
		     struct err *err)
{
	int r;

	*to = (struct policy_survey){};
	r = policy_node_read(source, &to->node, err);
	if (r)
		return r;
	if (!policy_plan_make(&to->node, c->policies, c->policy_count, &to->plan))
		return 0;
	policy_node_free(&to->node);
	return fail(err, -ENOMEM, "node_policy: out of memory");
}

void policy_survey_free(struct policy_survey *survey)
{
	policy_plan_free(&survey->plan);
	policy_node_free(&survey->node);
}

int policy_survey(struct services *s, struct policy_survey *survey, struct err *err)
{
	_cleanup_(users_free) struct users users = {};
	struct policy_source source;
	int r = source_open(s, &users, &source, err);

	return r ? r : survey_by(s->config, &source, survey, err);
}

static int show_plan(struct services *s, const struct policy_source *source, struct reply *reply, struct err *err)
{
	const struct config *c = s->config;
	struct policy_survey survey;
	int r = survey_by(c, source, &survey, err);

	if (r)
		return r;
	for (size_t i = 0; i < survey.plan.count; i++)
		item_reply(reply, &survey.plan.items[i]);
	for (size_t i = 0; i < c->policy_count; i++)
		if (!survey.plan.matched[i])
			unmatched_reply(reply, &c->policies[i]);
	policy_survey_free(&survey);
	return 0;
}

/* ---- having it done ---- */

struct doing {
	struct services *services;
	struct reply *reply; /* NULL: the start, of which nobody asked */
};

static void tell(const struct policy_done *done, void *ctx)
{
	const struct policy_action *a = done->action;
	const struct policy_pf *pf = done->item->pf;
	struct doing *d = ctx;
	struct setting_change event = { .rule = "node.policy",
					.subject = a->step >= POLICY_VF_MAC ? pf->vfs[a->vf].pci : pf->netdev,
					.setting = policy_step_name(a->step),
					.from = a->from,
					.to = a->to,
					.error = done->error };
	cJSON *json;

	events_setting(d->services->events, &event, d->reply ? reply_peer(d->reply)->pid : 0,
		       d->reply ? reply_peer(d->reply)->uid : 0);
	if (!d->reply) {
		notify_extend(START_SECONDS);
		return;
	}
	json = action_json(pf, a);
	cJSON_AddStringToObject(json, "done", done->error[0] ? "failed" : "done");
	cJSON_AddStringToObject(json, "error", done->error);
	reply_item(d->reply, json);
}

static int apply(struct services *s, const struct policy_source *source, struct reply *reply, struct err *err)
{
	struct doing doing = { .services = s, .reply = reply };

	return policy_apply(source, s->config->policies, s->config->policy_count, tell, &doing, err);
}

int handle_policy(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "apply", NULL };
	const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(args, "apply");
	_cleanup_(users_free) struct users users = {};
	struct policy_source source;
	struct services *s = ctx;
	int r = args_known(args, known, err);

	if (!r && wanted && !cJSON_IsBool(wanted))
		r = fail(err, -EINVAL, "argument \"apply\" must be true or false");
	if (!r && !s->config->policy_count)
		r = fail(err, -ENOENT, "the configuration has no node_policy");
	if (!r)
		r = source_open(s, &users, &source, err);
	/* Its threads could take a VF that was free; none begins while this thread, the loop's, is here. */
	if (!r && cJSON_IsTrue(wanted) && work_count(s->work))
		r = fail(err, -EAGAIN, "attachments are just being worked on: nothing was done, try again");
	if (!r && cJSON_IsTrue(wanted))
		r = apply(s, &source, reply, err);
	return r ? r : show_plan(s, &source, reply, err);
}

/* What is not as it is to be after a start: said once, in the log and as a fault. */
static void report_rest(struct services *s, const struct policy_source *source)
{
	struct policy_survey survey;

	if (survey_by(s->config, source, &survey, NULL))
		return;
	for (size_t i = 0; i < survey.plan.count; i++) {
		const struct policy_item *item = &survey.plan.items[i];

		if (!policy_item_fits(item))
			events_fault(s->events, "node_policy: %s (%s) is not as it is to be: %s%s%s", item->pf->netdev,
				     item->pf->pci, item->reason, item->reason[0] && item->note[0] ? "; " : "",
				     item->reason[0] || item->note[0] ? item->note : "`wardenctl policy` shows it");
	}
	policy_survey_free(&survey);
}

void policy_apply_at_start(struct services *s)
{
	_cleanup_(users_free) struct users users = {};
	struct policy_source source;
	struct err err;
	int r;

	if (!s->config->policy_count || !s->config->policy_apply)
		return;
	notify_extend(START_SECONDS);
	r = source_open(s, &users, &source, &err);
	if (!r)
		r = apply(s, &source, NULL, &err);
	if (r)
		events_fault(s->events, "%s", err.text);
	else
		report_rest(s, &source);
}
