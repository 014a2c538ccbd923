// SPDX-License-Identifier: Apache-2.0
#include "control/qos_requests.h"

#include <errno.h>
#include <string.h>

#include "control/args.h"
#include "control/requests.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "qos/effects.h"
#include "qos/journal.h"
#include "qos/node.h"
#include "qos/perform.h"
#include "qos/plan.h"
#include "rdma/rdma.h"
#include "track/track.h"

#define SYSFS "/sys"

struct qos_walk {
	const struct services *services;
	bool by_owner; /* the configuration's profile is judged by, and so are those of some owners */
	struct qos_node node;
	struct rdma_nl *nl; /* of the host's netns; NULL: no RDMA device is to be seen there */
	struct reply *reply;
	struct qos_plan *plan; /* what the audit's findings need; NULL: the findings are sent instead */
	int error;
};

static int qos_device(const struct tracked_device *d, void *ctx)
{
	struct qos_walk *w = ctx;
	char netdev[RDMA_NAME_MAX] = "";
	/* What the tracker calls its netdev may be the name in a pod, and something else's here. */
	bool here = w->nl && !rdma_port_netdev(w->nl, d->index, netdev, sizeof(netdev));

	const struct qos_profile *own;
	int r = qos_node_add_device(&w->node, d->device.name, here, d->pf, netdev);

	if (r || !w->by_owner || !d->claimed)
		return r;
	own = config_profile(w->services->config, d->claim.owner, d->claim.resource);
	w->node.devices[w->node.device_count - 1].profile = own->name[0] ? own : NULL;
	return 0;
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
	const char *name;
	int r = args_string(args, "profile", false, &name, err);

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
	_cleanup_close_ int self = netns_open("/proc/thread-self/ns/net", 0, err);
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

/* ---- the audit ---- */

static void take_finding(const struct qos_finding *f, void *ctx)
{
	struct qos_walk *w = ctx;

	if (qos_plan_take(w->plan, f))
		w->error = -ENOMEM;
}

/* Reads the node, and sends the findings or plans by them. */
static int audit(struct services *s, const struct qos_profile *profile, struct reply *reply, struct qos_plan *plan,
		 struct err *err)
{
	struct qos_walk walk = { .services = s,
				 .by_owner = !memcmp(profile, &s->config->profile, sizeof(*profile)),
				 .reply = reply,
				 .plan = plan };
	int r = qos_collect(s, &walk, err);

	if (!r)
		qos_audit(profile, &walk.node, plan ? take_finding : qos_item, &walk);
	if (!r && !plan)
		qos_effects(s, profile, &walk);
	qos_node_free(&walk.node);
	return walk.error ? fail(err, walk.error, "out of memory") : r;
}

int qos_findings(struct services *s, void (*visit)(const struct qos_finding *finding, void *ctx), void *ctx,
		 struct err *err)
{
	const struct qos_profile *profile = &s->config->profile;
	struct qos_walk walk = { .services = s, .by_owner = true };
	int r = qos_collect(s, &walk, err);

	if (!r) {
		qos_audit(profile, &walk.node, visit, ctx);
		if (s->effects)
			effects_findings(s->effects, profile, visit, ctx);
	}
	qos_node_free(&walk.node);
	return r;
}

int handle_qos(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "profile", NULL };
	struct qos_profile profile;
	int r = args_known(args, known, err);

	if (!r)
		r = qos_profile_arg(ctx, args, &profile, err);
	return r ? r : audit(ctx, &profile, reply, NULL, err);
}

/* ---- changes: planned, shown, and made as they were shown ---- */

static cJSON *change_json(const struct qos_change *change)
{
	const struct qos_action *a = &change->action;
	cJSON *json = cJSON_CreateObject();
	char text[QOS_VALUE_LEN];

	cJSON_AddNumberToObject(json, "change", change->number);
	cJSON_AddStringToObject(json, "id", change->rule);
	qos_action_name(a, text, sizeof(text));
	cJSON_AddStringToObject(json, "setting", text);
	cJSON_AddStringToObject(json, "subject", a->subject);
	qos_value_text(a->setting, &a->from, text, sizeof(text));
	cJSON_AddStringToObject(json, "from", text);
	qos_value_text(a->setting, &a->to, text, sizeof(text));
	cJSON_AddStringToObject(json, "to", text);
	qos_action_by(a, text, sizeof(text));
	cJSON_AddStringToObject(json, "by", text);
	if (a->mlx5 && a->setting == QOS_PFC)
		cJSON_AddStringToObject(json, "note", "mlx5 takes the link down and up for it");
	return json;
}

/* One that was set by the last run: its way back, or (reply not NULL) why it is left alone. */
static int plan_back(const struct qos_change *made, struct qos_plan *plan, struct reply *reply)
{
	struct qos_action back = made->action;
	char reason[QOS_VALUE_LEN + 64] = "";
	struct qos_value now;
	cJSON *json;
	int r;

	back.from = made->action.to;
	back.to = made->action.from;
	r = qos_setting_read(SYSFS, &made->action, &now);
	if (r) {
		qos_add(reason, sizeof(reason), "it cannot be read: %s", strerror(-r));
	} else if (qos_value_same(back.setting, &now, &back.from)) {
		r = qos_plan_add(plan, made->rule, &back);
		if (!r)
			plan->changes[plan->count - 1].number = made->number;
		return r;
	} else {
		qos_add(reason, sizeof(reason), "not what was set any more: ");
		qos_value_text(back.setting, &now, reason + strlen(reason), sizeof(reason) - strlen(reason));
	}
	if (!reply)
		return 0;
	json = change_json(&(struct qos_change){ .number = made->number, .action = back });
	cJSON_ReplaceItemInObject(json, "id", cJSON_CreateString(made->rule));
	cJSON_AddStringToObject(json, "left", reason);
	reply_item(reply, json);
	return 0;
}

/* Backwards, so that what had to come first goes last. */
static int plan_revert(struct services *s, struct qos_plan *plan, char *run, size_t size, struct reply *reply,
		       struct err *err)
{
	_cleanup_(qos_plan_free) struct qos_plan made = {};
	int r = qos_journal_last(s->config->state_dir, &made, run, size, err);

	for (size_t i = made.count; !r && i > 0; i--)
		if (plan_back(&made.changes[i - 1], plan, reply))
			r = fail(err, -ENOMEM, "out of memory");
	return r;
}

struct asked {
	struct qos_profile profile;
	bool judged; /* there is a profile */
	bool revert;
	char run[32]; /* what is taken back */
	const char *plan; /* the digest of what was shown, or NULL */
};

static int asked_from(struct services *s, const cJSON *args, bool apply, struct asked *asked, struct err *err)
{
	static const char *const known[] = { "profile", "revert", "plan", NULL };
	const cJSON *revert = cJSON_GetObjectItemCaseSensitive(args, "revert");
	int r = args_known(args, known, err);

	*asked = (struct asked){ .revert = cJSON_IsTrue(revert) };
	if (!r && revert && !cJSON_IsBool(revert))
		r = fail(err, -EINVAL, "argument \"revert\" must be true or false");
	if (!r)
		r = args_string(args, "plan", apply, &asked->plan, err);
	if (r)
		return r;
	r = qos_profile_arg(s, args, &asked->profile, err);
	asked->judged = !r;
	return asked->revert ? 0 : r; /* what was there before needs no profile */
}

static int make_plan(struct services *s, struct asked *asked, struct qos_plan *plan, struct reply *reply,
		     struct err *err)
{
	int r;

	if (asked->revert)
		return plan_revert(s, plan, asked->run, sizeof(asked->run), reply, err);
	r = audit(s, &asked->profile, NULL, plan, err);
	qos_plan_order(plan);
	return r;
}

int handle_qos_plan(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	_cleanup_(qos_plan_free) struct qos_plan plan = {};
	char digest[QOS_DIGEST_LEN];
	struct asked asked;
	cJSON *json;
	int r = asked_from(ctx, args, false, &asked, err);

	if (!r)
		r = make_plan(ctx, &asked, &plan, reply, err);
	if (r)
		return r;
	for (size_t i = 0; i < plan.count; i++)
		reply_item(reply, change_json(&plan.changes[i]));
	qos_plan_digest(&plan, digest);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "plan", digest);
	cJSON_AddNumberToObject(json, "changes", (double)plan.count);
	reply_item(reply, json);
	return 0;
}

static void tell_change(struct services *s, const struct qos_change *change, struct reply *reply, const char *error)
{
	const struct qos_action *a = &change->action;
	char name[64], from[QOS_VALUE_LEN], to[QOS_VALUE_LEN];
	struct setting_change event = {
		.rule = change->rule, .subject = a->subject, .setting = name, .from = from, .to = to, .error = error
	};
	cJSON *json = change_json(change);

	qos_action_name(a, name, sizeof(name));
	qos_value_text(a->setting, &a->from, from, sizeof(from));
	qos_value_text(a->setting, &a->to, to, sizeof(to));
	events_setting(s->events, &event, reply_peer(reply)->pid, reply_peer(reply)->uid);
	cJSON_AddStringToObject(json, "done", error[0] ? "failed" : "done");
	cJSON_AddStringToObject(json, "reason", error);
	reply_item(reply, json);
}

/* What cannot be noted before is not changed; one that fails does not hinder the others. */
static void make_change(struct services *s, struct qos_journal *journal, const struct qos_change *change,
			struct reply *reply)
{
	struct err err = {}, note = {};
	int r = qos_journal_note(journal, change, "intent", "", &err);

	if (!r) {
		r = qos_action_perform(SYSFS, &change->action, &err);
		if (qos_journal_note(journal, change, r ? "failed" : "done", r ? err.text : "", &note))
			events_fault(s->events, "%s", note.text);
	}
	tell_change(s, change, reply, r ? err.text : "");
}

int handle_qos_apply(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	_cleanup_(qos_plan_free) struct qos_plan plan = {};
	struct qos_journal journal = { .fd = -1 };
	char digest[QOS_DIGEST_LEN];
	struct services *s = ctx;
	struct asked asked;
	struct err ignored;
	int r = asked_from(s, args, true, &asked, err);

	if (!r)
		r = make_plan(s, &asked, &plan, NULL, err);
	if (r)
		return r;
	qos_plan_digest(&plan, digest);
	if (strcmp(digest, asked.plan))
		return fail(err, -ESTALE,
			    "the node has changed since the plan was shown: nothing was done, look again");
	if (plan.count)
		r = qos_journal_open(&journal, s->config->state_dir, asked.revert ? asked.run : NULL, err);
	if (r)
		return r;
	for (size_t i = 0; i < plan.count; i++)
		make_change(s, &journal, &plan.changes[i], reply);
	qos_journal_close(&journal);
	if (asked.judged)
		audit(s, &asked.profile, reply, NULL, &ignored);
	return 0;
}
