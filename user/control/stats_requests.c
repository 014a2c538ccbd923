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
	cJSON_AddStringToObject(json, "version", WARDEN_VERSION);
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

static void priorities_json(const struct stats_pf *pf, cJSON *list)
{
	for (unsigned int p = 0; pf->has_priorities && p < STATS_PRIORITIES; p++) {
		cJSON *one = cJSON_CreateObject();

		number(one, "priority", p);
		number(one, "rx_pause", pf->priority[p].rx_pause);
		number(one, "tx_pause", pf->priority[p].tx_pause);
		number(one, "rx_discards", pf->priority[p].rx_discards);
		number(one, "tx_discards", pf->priority[p].tx_discards);
		cJSON_AddItemToArray(list, one);
	}
}

static cJSON *pf_json(const struct snapshot *s, size_t i)
{
	const struct qos_profile *profile = &s->config->profile;
	const struct stats_pf *pf = &s->stats->pfs[i];
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "kind", "pf");
	cJSON_AddStringToObject(json, "pf", pf->netdev);
	cJSON_AddStringToObject(json, "pci", pf->pci);
	cJSON_AddStringToObject(json, "link", pf->up ? "up" : "down");
	number(json, "speed_mbps", pf->speed_mbps);
	number(json, "vfs", pf->vfs);
	if (profile->name[0])
		number(json, "priority", profile->priority);
	else
		cJSON_AddNullToObject(json, "priority");
	if (s->pfc[i].known)
		cJSON_AddBoolToObject(json, "pfc", s->pfc[i].on >> profile->priority & 1);
	else
		cJSON_AddNullToObject(json, "pfc");
	priorities_json(pf, cJSON_AddArrayToObject(json, "priorities"));
	return json;
}

static void counters_json(const struct stats_counters *counters, cJSON *json)
{
	for (size_t i = 0; i < counters->count; i++)
		number(json, counters->counter[i].name, counters->counter[i].value);
}

static void identity_json(const struct snapshot *s, const struct snapshot_device *d, cJSON *json)
{
	const struct tracked_device *t = d->model ? &d->model->tracked : NULL;
	const struct stats_device *k = d->stats;
	bool claimed = t && t->claimed;
	char guid[32], name[128];
	cJSON *netns;

	cJSON_AddStringToObject(json, "device", k->name);
	number(json, "port", 1);
	number(json, "index", k->index);
	cJSON_AddStringToObject(json, "pci", k->pci);
	cJSON_AddStringToObject(json, "pf", k->pf);
	cJSON_AddStringToObject(json, "netdev", k->netdev);
	text_guid(k->node_guid, guid, sizeof(guid));
	cJSON_AddStringToObject(json, "node_guid", guid);
	text_guid(k->sys_image_guid, guid, sizeof(guid));
	cJSON_AddStringToObject(json, "sys_image_guid", guid);
	netns = cJSON_AddObjectToObject(json, "netns");
	number(netns, "inode", k->netns.inum);
	snapshot_netns(s, k->netns.cookie, name, sizeof(name));
	cJSON_AddStringToObject(netns, "name", name);
	cJSON_AddStringToObject(json, "state", d->state);
	cJSON_AddStringToObject(json, "owner", claimed ? t->claim.owner : "");
	cJSON_AddStringToObject(json, "claim_source", claimed ? t->claim.source : "");
	cJSON_AddStringToObject(json, "resource", d->model ? d->model->resource : "");
	cJSON_AddItemToObject(json, "pod", pod_of_device_json(s->model, k->index));
}

static void state_json(const struct snapshot_device *d, cJSON *json)
{
	const struct stats_device *k = d->stats;

	cJSON_AddStringToObject(json, "link", k->link);
	number(json, "speed_mbps", k->speed_mbps);
	number(json, "mtu", k->mtu);
	number(json, "qps", k->usage.qp);
	number(json, "mrs", k->usage.mr);
	number(json, "mr_bytes", k->mr_bytes);
	number(json, "cqs", k->usage.cq);
	number(json, "pds", k->usage.pd);
	number(json, "contexts", k->usage.ctx);
	number(json, "connections", k->connections);
	cJSON_AddStringToObject(json, "marking", d->marking);
	number(json, "marked_right", d->marked_right);
	number(json, "marked_wrong", d->marked_wrong);
	number(json, "violations", d->violations);
	cJSON_AddStringToObject(json, "traffic", stats_traffic_name(d->traffic.source));
	number(json, "rx_bytes", d->traffic.rx_bytes);
	number(json, "tx_bytes", d->traffic.tx_bytes);
	number(json, "rx_packets", d->traffic.rx_packets);
	number(json, "tx_packets", d->traffic.tx_packets);
	number(json, "tx_messages", k->tx_messages);
	number(json, "rx_messages", k->rx_messages);
	counters_json(&k->rdma, cJSON_AddObjectToObject(json, "counters"));
	counters_json(&k->ethtool, cJSON_AddObjectToObject(json, "ethtool"));
}

static void run_stats(void *ctx)
{
	struct job *job = ctx;
	struct snapshot *s;
	cJSON *json;

	job->error = collector_get(job->services->collector, &s, &job->err);
	if (job->error)
		return;
	add_line(job, node_json(s));
	for (size_t i = 0; i < s->stats->pf_count; i++)
		add_line(job, pf_json(s, i));
	for (size_t i = 0; i < s->stats->device_count; i++) {
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "kind", "device");
		identity_json(s, &s->devices[i], json);
		state_json(&s->devices[i], json);
		add_line(job, json);
	}
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
	cJSON *json = cJSON_CreateObject();
	char comm[sizeof(qp->comm) + 1];
	struct job *job = ctx;

	number(json, "qpn", qp->qpn);
	cJSON_AddStringToObject(json, "type", qp->type);
	cJSON_AddStringToObject(json, "state", qp->state);
	number(json, "remote_qpn", qp->remote_qpn);
	number(json, "pid", qp->pid);
	text_from_bytes(qp->comm, sizeof(qp->comm), comm, sizeof(comm));
	cJSON_AddStringToObject(json, "comm", comm);
	cJSON_AddStringToObject(json, "peer", qp->peer);
	if (qp->traffic_class_known)
		number(json, "dscp", qp->traffic_class_known - 1);
	else
		cJSON_AddNullToObject(json, "dscp");
	add_line(job, json);
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
