// SPDX-License-Identifier: Apache-2.0
#include "control/stats_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/args.h"
#include "control/pod_requests.h"
#include "control/requests.h"
#include "lib/util.h"
#include "lib/version.h"
#include "metrics/collector.h"
#include "report/text.h"
#include "stats/items.h"
#include "track/track.h"

#define ANSWER_MAX (64 << 20)

/* ---- a question that a thread answers, by lines ---- */

struct job {
	struct services *services;
	struct reply *reply;
	struct bytes lines; /* each with its newline */
	int error;
	struct err err;
	/* qps */
	uint32_t index;
	struct netns_id netns;
};

static void add_line(struct job *job, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	int r = text ? bytes_add(&job->lines, text, strlen(text), ANSWER_MAX) : -ENOMEM;

	if (!r)
		r = bytes_add(&job->lines, "\n", 1, ANSWER_MAX);
	if (r && !job->error)
		job->error = fail(&job->err, r, "out of memory");
	free(text);
	cJSON_Delete(json);
}

static void answer(void *ctx)
{
	struct job *job = ctx;
	char *line = job->lines.data, *end;

	for (; !job->error && line && *line; line = end + 1) {
		end = strchr(line, '\n');
		reply_line(job->reply, line, (size_t)(end - line));
	}
	reply_end(job->reply, job->error, &job->err);
	bytes_free(&job->lines);
	free(job);
}

static int begin(struct job *asked, void (*run)(void *job), struct reply *reply, struct err *err)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return fail(err, -ENOMEM, "out of memory");
	*job = *asked;
	job->reply = reply_later(reply);
	if (!job->reply) {
		free(job);
		return fail(err, -ENOMEM, "out of memory");
	}
	if (collector_work(job->services->collector, run, answer, job)) {
		job->error = fail(&job->err, -ENOMEM, "out of memory");
		answer(job);
	}
	return REPLY_LATER;
}

/* ---- stats ---- */

static void number(cJSON *json, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(json, name, (double)value);
}

static void add_missing(const struct snapshot *s, cJSON *list)
{
	char text[300];

	if (s->problem.text[0])
		cJSON_AddItemToArray(list, cJSON_CreateString(s->problem.text));
	for (size_t i = 0; i < s->features.count; i++) {
		const struct feature *f = &s->features.items[i];

		if (f->state != FEATURE_UNAVAILABLE)
			continue;
		snprintf(text, sizeof(text), "%s: %s", f->name, f->reason);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
	if (!s->unread)
		return;
	snprintf(text, sizeof(text), "%u counters could not be read", s->unread);
	cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

static uint64_t lost(const struct snapshot *s)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < COUNTER_COUNT; i++)
		if (!strncmp(snapshot_counter_name(i), "lost.", 5))
			sum += s->counters[i];
	return sum;
}

static cJSON *node_json(const struct snapshot *s)
{
	cJSON *json = cJSON_CreateObject();
	char when[64];

	text_time(s->stats->unix_ns, when, sizeof(when));
	cJSON_AddStringToObject(json, "kind", "node");
	cJSON_AddStringToObject(json, "time", when);
	number(json, "time_ns", s->stats->time_ns);
	cJSON_AddStringToObject(json, "node", s->node);
	cJSON_AddStringToObject(json, "version", warden_version);
	cJSON_AddBoolToObject(json, "daemon", true);
	cJSON_AddStringToObject(json, "mode", config_mode_name(s->config->mode));
	cJSON_AddStringToObject(json, "guard", snapshot_guard(s));
	cJSON_AddStringToObject(json, "netns_mode", s->stats->shared ? "shared" : "exclusive");
	number(json, "lost", lost(s));
	number(json, "events", s->events);
	number(json, "violations", tally_sum(&s->tally));
	add_missing(s, cJSON_AddArrayToObject(json, "missing"));
	return json;
}

static cJSON *pf_json(const struct snapshot *s, size_t i)
{
	const struct qos_profile *profile = &s->config->profile;
	cJSON *json = stats_pf_item(&s->stats->pfs[i]);

	if (profile->name[0])
		number(json, "priority", profile->priority);
	else
		cJSON_AddNullToObject(json, "priority");
	if (s->pfc[i].known)
		cJSON_AddBoolToObject(json, "pfc", s->pfc[i].on >> profile->priority & 1);
	else
		cJSON_AddNullToObject(json, "pfc");
	return json;
}

/* What the kernel tells of a device, and whose it is. */
static cJSON *device_json(const struct snapshot *s, const struct snapshot_device *d)
{
	const struct tracked_device *t = d->model ? &d->model->tracked : NULL;
	cJSON *json = stats_device_item(d->stats, &d->traffic);
	bool claimed = t && t->claimed;
	char name[128];

	snapshot_netns(s, d->stats->netns.cookie, name, sizeof(name));
	cJSON_AddStringToObject(cJSON_GetObjectItem(json, "netns"), "name", name);
	cJSON_AddStringToObject(json, "state", d->state);
	cJSON_AddStringToObject(json, "owner", claimed ? t->claim.owner : "");
	cJSON_AddStringToObject(json, "claim_source", claimed ? t->claim.source : "");
	cJSON_AddStringToObject(json, "resource", d->model ? d->model->resource : "");
	cJSON_AddItemToObject(json, "pod", pod_of_device_json(s->model, d->stats->index));
	cJSON_AddStringToObject(json, "marking", d->marking);
	number(json, "marked_right", d->marked_right);
	number(json, "marked_wrong", d->marked_wrong);
	number(json, "violations", d->violations);
	return json;
}

static void run_stats(void *ctx)
{
	struct job *job = ctx;
	struct snapshot *s;

	job->error = collector_get(job->services->collector, &s, &job->err);
	if (job->error)
		return;
	add_line(job, node_json(s));
	for (size_t i = 0; i < s->stats->pf_count; i++)
		add_line(job, pf_json(s, i));
	for (size_t i = 0; i < s->stats->device_count; i++)
		add_line(job, device_json(s, &s->devices[i]));
	snapshot_drop(s);
}

int handle_stats(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	int r = args_known(args, known, err);

	return r ? r : begin(&(struct job){ .services = ctx }, run_stats, reply, err);
}

/* ---- qps ---- */

static int add_qp(const struct stats_qp *qp, void *ctx)
{
	struct job *job = ctx;

	add_line(job, stats_qp_item(qp));
	return job->error;
}

static void run_qps(void *ctx)
{
	struct job *job = ctx;
	int r = stats_qps(&job->netns, job->index, add_qp, job);

	if (r && !job->error)
		job->error = fail(&job->err, r, "queue pairs: %s",
				  r == -ENOENT || r == -ENODEV || r == -EINVAL ? "the device is elsewhere by now"
									       : strerror(-r));
}

struct search {
	const char *wanted;
	struct job *job;
	unsigned int found;
};

static void match_device(uint32_t index, const struct warden_device *device, void *ctx)
{
	struct search *s = ctx;

	if (strcmp(device->name, s->wanted) && strcmp(device->parent, s->wanted))
		return;
	s->found++;
	s->job->index = index;
	s->job->netns = (struct netns_id){ .cookie = device->netns_cookie, .inum = device->netns_inum };
}

int handle_qps(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "device", NULL };
	struct job job = { .services = ctx };
	struct search search = { .job = &job };
	int r = args_known(args, known, err);

	if (!r)
		r = args_string(args, "device", true, &search.wanted, err);
	if (r)
		return r;
	job.services->drain(job.services->ctx);
	track_device_each(job.services->track, match_device, &search);
	if (search.found != 1)
		return fail(err, search.found ? -ENOTUNIQ : -ENODEV, "%s device is called %.64s",
			    search.found ? "more than one" : "no", search.wanted);
	return begin(&job, run_qps, reply, err);
}
