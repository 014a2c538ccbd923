// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "report/kube_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/json.h"
#include "lib/names.h"
#include "lib/util.h"
#include "report/sender.h"
#include "report/text.h"

#define SERIES_MOST 512 /* of some 1.5 KiB */
#define INTERVAL_MS 10000
#define BURST 50
#define TOKEN_MS 1000

#define API "/apis/events.k8s.io/v1"

/* One Event of the API. */
struct kube_event {
	struct notify_item item;
	struct notify_series series;
	char *head; /* its JSON up to the series, without the brace that ends it */
	char namespace[NAME_LABEL_MAX + 1], name[KUBE_EVENT_NAME_MAX + 1];
	bool created;
};

struct kube_events {
	struct kube_events_options options;
	struct sender *sender;
	struct notify_table table; /* in the order of their writes */
	struct notify_bucket bucket;
	struct kube_event *writing; /* or NULL */
	bool forbidden[2]; /* creating, and patching: it has been said */
	uint64_t dropped;
	struct notify_lost lost;
};

static struct kube_event *event_of(const struct notify_item *item)
{
	return (struct kube_event *)((const char *)item - offsetof(struct kube_event, item));
}

/* ---- the table ---- */

static bool is_told(const struct notify_item *item)
{
	const struct notify_series *s = &event_of(item)->series;

	return s->told == s->count;
}

static void count_dropped(struct kube_events *k, uint64_t times, const char *why)
{
	char text[400];
	uint64_t say;

	if (!times)
		return;
	k->dropped += times;
	say = notify_lost_add(&k->lost, times, boot_ns());
	if (!say)
		return;
	snprintf(text, sizeof(text), "Kubernetes Events do not tell of %llu violations: %.256s",
		 (unsigned long long)say, why);
	k->options.fault(k->options.ctx, text);
}

static void event_free(struct kube_event *e)
{
	free(e->head);
	free(e);
}

static void drop(struct kube_events *k, struct kube_event *e, const char *why)
{
	uint64_t times = e->series.count - e->series.told;

	notify_remove(&k->table, &e->item);
	event_free(e);
	count_dropped(k, times, why);
}

/* Those that were silent for so long that the next one begins a new series. */
static void forget_over(struct kube_events *k)
{
	uint64_t now = wall_ns();
	struct notify_item *next;

	for (struct notify_item *i = k->table.first; i; i = next) {
		struct kube_event *e = event_of(i);

		next = i->next;
		if (!i->busy && is_told(i) && now > e->series.last_ns + KUBE_EVENTS_OVER_MS * 1000000ull)
			drop(k, e, "");
	}
}

static void make_room(struct kube_events *k)
{
	struct notify_item *oldest = notify_to_go(&k->table, is_told);

	if (oldest)
		drop(k, event_of(oldest), "too many of them wait for the API server");
}

/* ---- texts ---- */

void kube_event_name(const char *regarding, uint64_t number, char to[KUBE_EVENT_NAME_MAX + 1])
{
	size_t len = strlen(regarding), most = KUBE_EVENT_NAME_MAX - 17;

	len = len < most ? len : most;
	while (len && strchr(".-", regarding[len - 1]))
		len--;
	snprintf(to, KUBE_EVENT_NAME_MAX + 1, "%.*s.%016llx", (int)len, regarding, (unsigned long long)number);
}

/* Whom an Event is about. */
struct object {
	bool pod; /* else the node */
	char namespace[NAME_LABEL_MAX + 1], name[NAME_SUBDOMAIN_MAX + 1], uid[WARDEN_UID_LEN];
};

static bool find_pod(struct kube_events *k, const char *owner, struct object *to)
{
	const char *slash = strchr(owner, '/');
	size_t len = slash ? (size_t)(slash - owner) : 0;

	*to = (struct object){ .pod = true };
	if (!slash || !name_valid(owner, len, NAME_LABEL_MAX) ||
	    !name_valid(slash + 1, strlen(slash + 1), NAME_SUBDOMAIN_MAX) ||
	    !k->options.uid_of(k->options.ctx, owner, to->uid))
		return false;
	memcpy(to->namespace, owner, len);
	strcpy(to->name, slash + 1);
	return true;
}

/* The UID of a node is its name in Events, as the kubelet has it, and kubectl. */
static cJSON *object_json(const struct object *o)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "apiVersion", "v1");
	cJSON_AddStringToObject(json, "kind", o->pod ? "Pod" : "Node");
	if (o->pod)
		cJSON_AddStringToObject(json, "namespace", o->namespace);
	cJSON_AddStringToObject(json, "name", o->name);
	cJSON_AddStringToObject(json, "uid", o->pod ? o->uid : o->name);
	return json;
}

static const char *action_of(const struct notice *n)
{
	static const char *const actions[][2] = {
		{ "denied", "Deny" }, { "killed", "Kill" }, { "remarked", "Remark" }, { "observed", "Observe" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(n->verdict, actions[i][0]))
			return actions[i][1];
	return n->ends ? "Resolve" : "Observe";
}

/* What may not change in an Event, as the API has it: all but the series. */
static char *head_text(const struct kube_events *k, const struct kube_event *e, const struct notice *n,
		       const struct object *regarding, const struct object *related)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	char text[KUBE_EVENT_NOTE_MAX + 1], reason[NOTICE_NAME_LEN];
	cJSON *metadata = cJSON_AddObjectToObject(json, "metadata");
	char *head;

	notice_name(n->rule, reason);
	cJSON_AddStringToObject(json, "apiVersion", "events.k8s.io/v1");
	cJSON_AddStringToObject(json, "kind", "Event");
	cJSON_AddStringToObject(metadata, "namespace", e->namespace);
	cJSON_AddStringToObject(metadata, "name", e->name);
	text_time(e->series.first_ns, text, sizeof(text));
	cJSON_AddStringToObject(json, "eventTime", text);
	cJSON_AddStringToObject(json, "reportingController", "rdma-warden");
	snprintf(text, sizeof(text), "%.128s", k->options.node);
	cJSON_AddStringToObject(json, "reportingInstance", text);
	snprintf(text, sizeof(text), "%s%s", reason, n->ends ? "Ended" : "");
	cJSON_AddStringToObject(json, "reason", text);
	cJSON_AddStringToObject(json, "action", action_of(n));
	cJSON_AddStringToObject(json, "type", n->ends ? "Normal" : "Warning");
	cJSON_AddItemToObject(json, "regarding", object_json(regarding));
	if (related)
		cJSON_AddItemToObject(json, "related", object_json(related));
	notice_text(n, text, sizeof(text));
	cJSON_AddStringToObject(json, "note", text);
	head = cJSON_PrintUnformatted(json);
	if (head)
		head[strlen(head) - 1] = '\0';
	return head;
}

/* The API counts in 32 bits. */
static char *series_text(const char *before, const struct notify_series *s)
{
	uint64_t count = s->telling < INT32_MAX ? s->telling : INT32_MAX;
	char when[64], *text;

	text_time(s->last_ns, when, sizeof(when));
	if (asprintf(&text, "%s\"series\":{\"count\":%llu,\"lastObservedTime\":\"%s\"}}", before,
		     (unsigned long long)count, when) < 0)
		return NULL;
	return text;
}

/* ---- what happens ---- */

static struct kube_event *new_event(struct kube_events *k, const char *key, const struct notice *n, uint64_t wall_ns,
				    const struct object *regarding, const struct object *related)
{
	struct kube_event *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	snprintf(e->namespace, sizeof(e->namespace), "%s", regarding->pod ? regarding->namespace : "default");
	kube_event_name(regarding->name, hash_text(key) ^ wall_ns * 0x9e3779b97f4a7c15u, e->name);
	e->series.first_ns = wall_ns;
	e->head = head_text(k, e, n, regarding, related);
	make_room(k);
	if (e->head && !notify_put(&k->table, &e->item, key))
		return e;
	event_free(e);
	return NULL;
}

static void tell_on(struct kube_events *k, const struct notice *n, uint64_t wall_ns, const struct object *regarding,
		    const struct object *related)
{
	char key[NOTICE_KEY_LEN + 64];
	struct notify_item *item;
	struct kube_event *e;

	snprintf(key, sizeof(key), "%s|%s%s", regarding->pod ? regarding->uid : "node", n->key,
		 n->ends ? "|ended" : "");
	item = notify_find(&k->table, key);
	e = item ? event_of(item) : new_event(k, key, n, wall_ns, regarding, related);
	if (e)
		notify_series_add(&e->series, n->times, wall_ns);
	else
		count_dropped(k, n->times, "out of memory");
}

void kube_events_tell(struct kube_events *k, const struct notice *n, uint64_t wall_ns)
{
	struct object node = {}, actor, owner;
	bool has_actor = find_pod(k, n->has_actor ? n->actor : n->owner, &actor),
	     has_owner = find_pod(k, n->owner, &owner);
	const struct object *other = has_actor && has_owner && !strcmp(actor.uid, owner.uid) ? NULL : &owner;

	forget_over(k);
	snprintf(node.name, sizeof(node.name), "%s", k->options.node);
	tell_on(k, n, wall_ns, &node, has_owner ? &owner : has_actor ? &actor : NULL);
	if (has_actor)
		tell_on(k, n, wall_ns, &actor, has_owner ? other : NULL);
	sender_wake(k->sender);
}

/* ---- the requests ---- */

static void fill_in(struct kube_events *k, struct kube_event *e, struct sender_request *request)
{
	const char *server = k->options.api->server;
	_cleanup_free_ char *head = NULL;

	if (e->created) {
		*request = (struct sender_request){ .method = "PATCH", .type = "application/merge-patch+json" };
		request->body = series_text("{", &e->series);
		if (asprintf(&request->url, "%s" API "/namespaces/%s/events/%s", server, e->namespace, e->name) < 0)
			request->url = NULL;
		return;
	}
	*request = (struct sender_request){ .method = "POST", .type = "application/json" };
	if (asprintf(&head, e->series.telling > 1 ? "%s," : "%s}", e->head) < 0)
		head = NULL;
	if (head)
		request->body = e->series.telling > 1 ? series_text(head, &e->series) : take_ptr(head);
	if (asprintf(&request->url, "%s" API "/namespaces/%s/events", server, e->namespace) < 0)
		request->url = NULL;
}

/* The first one that has waited for long enough: they take turns, whichever of them happens most. */
static bool next_request(void *ctx, uint64_t now, struct sender_request *request, uint64_t *due_ns)
{
	struct kube_events *k = ctx;
	uint64_t token = notify_bucket_due(&k->bucket, now), when;

	for (struct notify_item *i = k->table.first; i; i = i->next) {
		struct kube_event *e = event_of(i);

		if (is_told(i))
			continue;
		when = e->series.next_ns > token ? e->series.next_ns : token;
		if (when > now) {
			*due_ns = when < *due_ns ? when : *due_ns;
			continue;
		}
		notify_series_begin(&e->series, now, k->options.interval_ms * 1000000ull);
		fill_in(k, e, request);
		if (!request->url || !request->body) {
			free(request->url);
			free(request->body);
			*due_ns = e->series.next_ns;
			continue;
		}
		notify_bucket_take(&k->bucket, now);
		notify_move_last(&k->table, i);
		i->busy = true;
		k->writing = e;
		return true;
	}
	return false;
}

/* A namespace that ends takes no new objects, which is nobody's lack of rights (the API server's NamespaceLifecycle). */
static bool is_terminating(const struct err *err)
{
	return strstr(err->text, "being terminated");
}

static bool forbidden(struct kube_events *k, bool patching, const struct err *err)
{
	char text[500];

	if (!k->forbidden[patching]) {
		k->forbidden[patching] = true;
		snprintf(text, sizeof(text),
			 "Kubernetes Events are not written: allow verb \"%s\" on resource \"events\" of API group "
			 "\"events.k8s.io\" to wardend's service account (%.256s)",
			 patching ? "patch" : "create", err->text);
		k->options.fault(k->options.ctx, text);
	}
	return false;
}

/* What the answer was to a write of `e`, which was a patch or not. */
static bool settle(struct kube_events *k, struct kube_event *e, bool patch, unsigned int status, const struct err *err)
{
	if (status / 100 == 2) {
		e->created = true;
		e->series.told = e->series.telling;
		k->forbidden[patch] = false;
		return true;
	}
	if (patch && status == 404) { /* its time in the API is over, or somebody has deleted it */
		e->created = false;
		return true;
	}
	if (!patch && status == 409) { /* the answer to the create before this one was lost */
		e->created = true;
		e->series.told = e->series.telling > 1 ? e->series.telling - 1 : 1;
		return true;
	}
	if (status == 403 && !is_terminating(err))
		return forbidden(k, patch, err);
	if (status == 0 || status == 401 || status == 408 || status == 429 || status >= 500)
		return false;
	drop(k, e, err->text);
	return true;
}

static bool ended(void *ctx, int r, unsigned int status, const struct err *err)
{
	struct kube_events *k = ctx;
	struct kube_event *e = take_ptr(k->writing);

	e->item.busy = false;
	/* What the sender waits is enough: the interval is between two that the server has taken. */
	if (r)
		e->series.next_ns = 0;
	return settle(k, e, e->created, r && status / 100 == 2 ? 0 : status, err);
}

/* ---- open and close ---- */

void kube_events_defaults(struct kube_events_options *options)
{
	options->most = SERIES_MOST;
	options->interval_ms = INTERVAL_MS;
	options->burst = BURST;
	options->token_ms = TOKEN_MS;
}

int kube_events_open(struct kube_events **to, const struct kube_events_options *options, struct err *err)
{
	const struct kube_config *api = options->api;
	struct kube_events *k = calloc(1, sizeof(*k));
	const struct sender_options sending = {
		.loop = options->loop,
		.work = options->work,
		.ca = api->ca,
		.token = api->token,
		.answer_ms = api->answer_ms,
		.retry_min_ms = api->retry_min_ms,
		.retry_max_ms = api->retry_max_ms,
		.next = next_request,
		.ended = ended,
		.ctx = k,
	};
	int r;

	if (!k)
		return fail(err, -ENOMEM, "out of memory");
	k->options = *options;
	k->table.most = options->most;
	k->bucket = (struct notify_bucket){ .size = options->burst, .token_ns = options->token_ms * 1000000ull };
	r = sender_open(&k->sender, &sending, err);
	if (r) {
		free(k);
		return r;
	}
	*to = k;
	return 0;
}

void kube_events_stop(struct kube_events *k)
{
	if (k)
		sender_stop(k->sender);
}

void kube_events_close(struct kube_events *k)
{
	if (!k)
		return;
	sender_close(k->sender);
	for (struct notify_item *i; (i = k->table.first);) {
		notify_remove(&k->table, i);
		event_free(event_of(i));
	}
	free(k);
}

void kube_events_health(const struct kube_events *k, struct notify_health *health)
{
	*health = *sender_health(k->sender);
	health->dropped = k->dropped;
	for (const struct notify_item *i = k->table.first; i; i = i->next)
		health->waiting += event_of(i)->series.count - event_of(i)->series.told;
}
