// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "report/alertmanager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/json.h"
#include "lib/util.h"
#include "report/sender.h"
#include "report/text.h"

#define ALERTS_MOST 512 /* of some 1.5 KiB */
#define RESEND_MS 30000
#define BURST 5
#define TOKEN_MS 1000
#define ANSWER_MS 10000
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
#define BATCH_MOST 64 /* alerts in a request */
#define BATCH_BYTES (1 << 20)
#define ENDED_NS 900000000000ull /* so long is a server waited for that has not heard of an end */

struct alert {
	struct notify_item item;
	char *head; /* its JSON with labels and annotations, up to the last one, without the braces that end it */
	bool state; /* it begins and ends */
	bool holds;
	bool again; /* it has happened again since it was due to be sent */
	uint64_t count;
	uint64_t begin_ns, end_ns; /* CLOCK_REALTIME; there is no end while it holds */
	uint64_t serial; /* grows whenever it is due to be sent: servers are told of all above what they have */
	uint64_t next_ns; /* of boot_ns(): due again */
};

struct server {
	struct server *next;
	struct alertmanager *all;
	struct sender *sender;
	struct notify_bucket bucket;
	const char *url;
	uint64_t seen; /* the serial up to which it was told */
	uint64_t sending; /* what `seen` will be when the request that runs has gone well */
	unsigned int batch; /* alerts in it, */
	unsigned int gone; /* of which so many are not here any more */
	uint64_t dropped;
};

struct alertmanager {
	struct alertmanager_options options;
	struct notify_table table; /* in the order of their serials */
	struct server *servers;
	uint64_t serial;
	struct notify_lost lost;
};

static struct alert *alert_of(const struct notify_item *item)
{
	return (struct alert *)((const char *)item - offsetof(struct alert, item));
}

/* ---- the table ---- */

static void say_dropped(struct alertmanager *a, const struct server *s, uint64_t alerts, const char *why)
{
	uint64_t say = notify_lost_add(&a->lost, alerts, boot_ns());
	char text[400];

	if (!say)
		return;
	snprintf(text, sizeof(text), "%llu alerts are not told to %.128s: %.192s", (unsigned long long)say, s->url,
		 why);
	a->options.fault(a->options.ctx, text);
}

static void alert_free(struct alert *alert)
{
	free(alert->head);
	free(alert);
}

static void drop(struct alertmanager *a, struct alert *alert, const char *why)
{
	for (struct server *s = a->servers; s; s = s->next) {
		if (alert->serial <= s->seen)
			continue;
		if (alert->serial <= s->sending) {
			s->gone++;
			continue;
		}
		s->dropped++;
		say_dropped(a, s, 1, why);
	}
	notify_remove(&a->table, &alert->item);
	alert_free(alert);
}

static bool is_over(const struct notify_item *item)
{
	return !alert_of(item)->holds;
}

static void make_room(struct alertmanager *a)
{
	struct notify_item *oldest = notify_to_go(&a->table, is_over);

	if (oldest)
		drop(a, alert_of(oldest), "there are too many of them");
}

static bool all_know(const struct alertmanager *a, const struct alert *alert)
{
	for (const struct server *s = a->servers; s; s = s->next)
		if (s->seen < alert->serial)
			return false;
	return true;
}

/* An end is told to everybody. What just happens ends at each server by itself, and is nothing to be told after that. */
static void forget_over(struct alertmanager *a)
{
	uint64_t now = wall_ns();
	struct notify_item *next;

	for (struct notify_item *i = a->table.first; i; i = next) {
		struct alert *alert = alert_of(i);

		next = i->next;
		if (alert->holds || now < alert->end_ns)
			continue;
		if (!alert->state || all_know(a, alert) || now > alert->end_ns + ENDED_NS)
			drop(a, alert, "it did not answer before they were over");
	}
}

static void due(struct alertmanager *a, struct alert *alert, uint64_t now)
{
	alert->serial = ++a->serial;
	alert->next_ns = now + a->options.resend_ms * 1000000ull;
	alert->again = false;
	notify_move_last(&a->table, &alert->item);
}

static void wake_all(struct alertmanager *a, const struct server *but)
{
	for (struct server *s = a->servers; s; s = s->next)
		if (s != but)
			sender_wake(s->sender);
}

/* What holds is due again and again, or the servers would take it for ended. When the next one is: UINT64_MAX for never. */
static uint64_t refresh(struct alertmanager *a, uint64_t now, bool *changed)
{
	uint64_t next_ns = UINT64_MAX;
	struct notify_item *next;

	for (struct notify_item *i = a->table.first; i; i = next) {
		struct alert *alert = alert_of(i);

		next = i->next;
		if (!alert->holds && !alert->again)
			continue;
		if (alert->next_ns <= now) {
			due(a, alert, now);
			*changed = true;
		}
		next_ns = alert->next_ns < next_ns ? alert->next_ns : next_ns;
	}
	return next_ns;
}

/* ---- texts ---- */

/* What could be done to others has been done; or it was stopped; or it is a matter of how well things go. */
static const char *severity_of(const struct notice *n)
{
	bool guard = !strncmp(n->rule, "exclusive.", 10) || !strncmp(n->rule, "spoof.", 6) ||
		     !strncmp(n->rule, "warden.", 7);

	return guard && !n->state && !strcmp(n->verdict, "observed") ? "critical" : "warning";
}

/* A server takes a label without a value for one that is not there. */
static void add_label(cJSON *labels, const char *name, const char *value)
{
	char text[512];

	notice_clean(value, text, sizeof(text));
	if (*text)
		cJSON_AddStringToObject(labels, name, text);
}

static void add_labels(cJSON *labels, const char *node, const struct notice *n)
{
	const char *pod = n->has_actor ? n->actor : n->owner, *slash = strchr(pod, '/');
	char name[NOTICE_NAME_LEN], text[512];

	notice_name(n->rule, name);
	snprintf(text, sizeof(text), "RdmaWarden%s", name);
	add_label(labels, "alertname", text);
	add_label(labels, "severity", severity_of(n));
	add_label(labels, "node", node);
	add_label(labels, "rule", n->rule);
	add_label(labels, "verdict", n->verdict);
	add_label(labels, "device", *n->device ? n->device : n->netdev);
	add_label(labels, "pci", n->pci);
	add_label(labels, "owner", n->owner);
	if (!slash)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)(slash - pod), pod);
	add_label(labels, "namespace", text);
	add_label(labels, "pod", slash + 1);
}

static char *head_text(const char *node, const struct notice *n)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *labels = cJSON_AddObjectToObject(json, "labels"), *annotations;
	char text[1024], *head;

	add_labels(labels, node, n);
	annotations = cJSON_AddObjectToObject(json, "annotations");
	notice_clean(n->message, text, 256);
	cJSON_AddStringToObject(annotations, "summary", text);
	notice_text(n, text, sizeof(text));
	cJSON_AddStringToObject(annotations, "description", text);
	head = cJSON_PrintUnformatted(json);
	if (head)
		head[strlen(head) - 2] = '\0'; /* the number of times follows */
	return head;
}

static int add_alert(const struct alert *alert, struct bytes *body)
{
	uint64_t end = alert->holds ? wall_ns() + ALERT_HOLDS_MS * 1000000ull : alert->end_ns;
	char begins[64], ends[64];
	_cleanup_free_ char *text = NULL;
	int len;

	text_time(alert->begin_ns, begins, sizeof(begins));
	text_time(end, ends, sizeof(ends));
	len = asprintf(&text, "%s%s,\"count\":\"%llu\"},\"startsAt\":\"%s\",\"endsAt\":\"%s\"}", body->len ? "," : "[",
		       alert->head, (unsigned long long)alert->count, begins, ends);
	if (len < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return bytes_add(body, text, (size_t)len, BATCH_BYTES - 2);
}

/* ---- what happens ---- */

static struct alert *new_alert(struct alertmanager *a, const struct notice *n, uint64_t wall_ns)
{
	struct alert *alert = calloc(1, sizeof(*alert));

	if (!alert)
		return NULL;
	alert->state = n->state;
	alert->begin_ns = wall_ns;
	alert->head = head_text(a->options.node, n);
	make_room(a);
	if (alert->head && !notify_put(&a->table, &alert->item, n->key))
		return alert;
	alert_free(alert);
	return NULL;
}

/* Whether it is to be told at once: what begins and what ends is. */
static bool take(struct alert *alert, const struct notice *n, uint64_t wall_ns)
{
	bool was_over = !alert->holds && alert->end_ns <= wall_ns;

	if (n->ends) {
		alert->holds = false;
		alert->end_ns = wall_ns;
		return true;
	}
	if (was_over)
		alert->begin_ns = wall_ns;
	alert->count += n->times;
	alert->holds = n->state;
	alert->end_ns = n->state ? 0 : wall_ns + ALERT_HOLDS_MS * 1000000ull;
	alert->again = true;
	return was_over;
}

void alertmanager_tell(struct alertmanager *a, const struct notice *n, uint64_t wall_ns)
{
	struct notify_item *item;
	struct alert *alert;

	forget_over(a);
	item = notify_find(&a->table, n->key);
	if (!item && n->ends)
		return; /* it has begun for nobody */
	alert = item ? alert_of(item) : new_alert(a, n, wall_ns);
	if (!alert) {
		for (struct server *s = a->servers; s; s = s->next)
			s->dropped++;
		return;
	}
	if (take(alert, n, wall_ns))
		due(a, alert, boot_ns());
	wake_all(a, NULL);
}

/* ---- the requests ---- */

static char *batch_text(struct server *s)
{
	struct bytes body = {};
	int r = 0;

	s->batch = 0;
	for (const struct notify_item *i = s->all->table.first; i && s->batch < BATCH_MOST; i = i->next) {
		if (alert_of(i)->serial <= s->seen)
			continue;
		r = add_alert(alert_of(i), &body);
		if (r)
			break;
		s->sending = alert_of(i)->serial;
		s->batch++;
	}
	if (s->batch && (!r || r == -EMSGSIZE) && !bytes_add(&body, "]", 1, BATCH_BYTES))
		return body.data;
	bytes_free(&body);
	s->sending = s->seen;
	s->batch = 0;
	return NULL;
}

static bool is_behind(const struct server *s)
{
	return s->all->table.last && alert_of(s->all->table.last)->serial > s->seen;
}

static bool next_request(void *ctx, uint64_t now, struct sender_request *request, uint64_t *due_ns)
{
	struct server *s = ctx;
	uint64_t token = notify_bucket_due(&s->bucket, now);
	bool changed = false;

	forget_over(s->all);
	*due_ns = refresh(s->all, now, &changed);
	if (changed)
		wake_all(s->all, s);
	if (!is_behind(s))
		return false;
	if (token > now) {
		*due_ns = token < *due_ns ? token : *due_ns;
		return false;
	}
	notify_bucket_take(&s->bucket, now);
	*request = (struct sender_request){ .method = "POST", .type = "application/json", .body = batch_text(s) };
	if (asprintf(&request->url, "%s/api/v2/alerts", s->url) < 0)
		request->url = NULL;
	if (request->body && request->url)
		return true;
	free(request->body);
	free(request->url);
	s->sending = s->seen;
	*due_ns = now + 1000000000u; /* there is no memory */
	return false;
}

/* The server takes those of a batch that it can, and names the others. */
static bool ended(void *ctx, int r, unsigned int status, const struct err *err)
{
	struct server *s = ctx;
	bool invalid = status == 400 || status == 413 || status == 422;
	unsigned int gone = s->gone;

	s->gone = 0;
	if (r && !invalid) {
		s->sending = s->seen;
		s->dropped += gone;
		if (gone)
			say_dropped(s->all, s, gone, err->text);
		return false;
	}
	if (r) {
		s->dropped += s->batch;
		say_dropped(s->all, s, s->batch, err->text);
	}
	s->seen = s->sending;
	return true;
}

/* ---- open and close ---- */

void alertmanager_defaults(struct alertmanager_options *options)
{
	options->most = ALERTS_MOST;
	options->resend_ms = RESEND_MS;
	options->burst = BURST;
	options->token_ms = TOKEN_MS;
	options->answer_ms = ANSWER_MS;
	options->retry_min_ms = RETRY_MIN_MS;
	options->retry_max_ms = RETRY_MAX_MS;
}

int alertmanager_open(struct alertmanager **to, const struct alertmanager_options *options, struct err *err)
{
	struct alertmanager *a = calloc(1, sizeof(*a));

	if (!a)
		return fail(err, -ENOMEM, "out of memory");
	a->options = *options;
	a->table.most = options->most;
	*to = a;
	return 0;
}

int alertmanager_add(struct alertmanager *a, const char *url, struct err *err)
{
	const struct alertmanager_options *o = &a->options;
	struct server *s = calloc(1, sizeof(*s));
	const struct sender_options sending = {
		.loop = o->loop,
		.work = o->work,
		.who = url,
		.plain = true,
		.answer_ms = o->answer_ms,
		.retry_min_ms = o->retry_min_ms,
		.retry_max_ms = o->retry_max_ms,
		.next = next_request,
		.ended = ended,
		.ctx = s,
	};
	int r;

	if (!s)
		return fail(err, -ENOMEM, "out of memory");
	*s = (struct server){ .next = a->servers, .all = a, .url = url };
	s->bucket = (struct notify_bucket){ .size = o->burst, .token_ns = o->token_ms * 1000000ull };
	r = sender_open(&s->sender, &sending, err);
	if (r) {
		free(s);
		return r;
	}
	a->servers = s;
	return 0;
}

void alertmanager_stop(struct alertmanager *a)
{
	for (struct server *s = a ? a->servers : NULL; s; s = s->next)
		sender_stop(s->sender);
}

void alertmanager_close(struct alertmanager *a)
{
	if (!a)
		return;
	for (struct server *s; (s = a->servers);) {
		a->servers = s->next;
		sender_close(s->sender);
		free(s);
	}
	for (struct notify_item *i; (i = a->table.first);) {
		notify_remove(&a->table, i);
		alert_free(alert_of(i));
	}
	free(a);
}

void alertmanager_health(const struct alertmanager *a,
			 void (*visit)(const char *url, const struct notify_health *health, void *ctx), void *ctx)
{
	for (const struct server *s = a->servers; s; s = s->next) {
		struct notify_health health = *sender_health(s->sender);

		health.dropped = s->dropped;
		for (const struct notify_item *i = a->table.first; i; i = i->next)
			health.waiting += alert_of(i)->serial > s->seen;
		visit(s->url, &health, ctx);
	}
}
