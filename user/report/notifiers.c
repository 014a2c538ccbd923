// SPDX-License-Identifier: Apache-2.0
#include "report/notifiers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/kubernetes.h"
#include "kube/api.h"
#include "lib/util.h"
#include "lib/work.h"
#include "report/alertmanager.h"
#include "report/events.h"
#include "report/kube_events.h"
#include "report/notice.h"
#include "track/slots.h"

struct notifiers {
	struct subscriber subscriber;
	struct events *events;
	const struct slots *slots;
	struct work *work;
	struct kube_config api;
	char node[254];
	struct kube_events *kube; /* or NULL, */
	struct err kube_error; /* with the reason, or none: it is off */
	struct alertmanager *alertmanager; /* or NULL */
	struct err alertmanager_error;
};

/* ---- what happens ---- */

static void told(struct subscriber *subscriber, const cJSON *event, uint64_t wall_ns)
{
	struct notifiers *n = CONTAINER_OF(subscriber, struct notifiers, subscriber);
	struct notice notice;

	if (!notice_read(event, &notice))
		return;
	if (n->kube)
		kube_events_tell(n->kube, &notice, wall_ns);
	if (n->alertmanager)
		alertmanager_tell(n->alertmanager, &notice, wall_ns);
}

static void fault(void *ctx, const char *text)
{
	struct notifiers *n = ctx;

	events_fault(n->events, "%s", text);
}

struct by_owner {
	const char *owner;
	char *uid;
};

static void find_owner(const struct warden_pod *pod, void *ctx)
{
	struct by_owner *find = ctx;

	if (!strcmp(pod->owner, find->owner))
		snprintf(find->uid, WARDEN_UID_LEN, "%s", pod->uid);
}

/*
 * Without Kubernetes an owner stands for the UID that it lacks: that is no pod of the API's. One whose name is not known cannot be
 * told of there.
 */
static bool uid_of(void *ctx, const char *owner, char uid[WARDEN_UID_LEN])
{
	const struct notifiers *n = ctx;
	struct by_owner find = { .owner = owner, .uid = uid };

	uid[0] = '\0';
	if (!strncmp(owner, POD_BY_UID, strlen(POD_BY_UID)))
		return false;
	slots_each(n->slots, find_owner, &find);
	return uid[0] && !strchr(uid, '/');
}

/* ---- open and close ---- */

static void open_kube(struct notifiers *n, const struct config *config, struct loop *loop)
{
	struct kube_events_options options = {
		.loop = loop,
		.work = n->work,
		.api = &n->api,
		.node = n->node,
		.uid_of = uid_of,
		.fault = fault,
		.ctx = n,
	};
	struct err none;

	if (!config->notify.kubernetes_events || kubernetes_api(&config->kubernetes, &n->api, &none))
		return; /* the API is not asked for anything, or who asks it for pods says why not */
	kube_events_defaults(&options);
	if (kube_events_open(&n->kube, &options, &n->kube_error))
		events_fault(n->events, "no Kubernetes Events are written: %s", n->kube_error.text);
}

static int add_servers(struct notifiers *n, const struct config *config, struct loop *loop)
{
	struct alertmanager_options options = {
		.loop = loop, .work = n->work, .node = n->node, .fault = fault, .ctx = n
	};
	int r;

	alertmanager_defaults(&options);
	r = alertmanager_open(&n->alertmanager, &options, &n->alertmanager_error);
	for (int i = 0; !r && i < CONFIG_ALERTMANAGERS && config->notify.alertmanager[i][0]; i++)
		r = alertmanager_add(n->alertmanager, config->notify.alertmanager[i], &n->alertmanager_error);
	return r;
}

static void open_alertmanager(struct notifiers *n, const struct config *config, struct loop *loop)
{
	if (!config->notify.alertmanager[0][0] || !add_servers(n, config, loop))
		return;
	events_fault(n->events, "no alerts are sent: %s", n->alertmanager_error.text);
	alertmanager_close(take_ptr(n->alertmanager));
}

int notifiers_open(struct notifiers **to, const struct config *config, struct loop *loop, struct events *events,
		   const struct slots *slots, struct err *err)
{
	struct notifiers *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return fail(err, -ENOMEM, "out of memory");
	n->events = events;
	n->slots = slots;
	kubernetes_node(&config->kubernetes, n->node, sizeof(n->node));
	r = work_open(&n->work, loop, 1 + CONFIG_ALERTMANAGERS, err);
	if (r) {
		free(n);
		return r;
	}
	open_kube(n, config, loop);
	open_alertmanager(n, config, loop);
	n->subscriber.event = told;
	if (n->kube || n->alertmanager)
		events_subscribe(events, &n->subscriber);
	*to = n;
	return 0;
}

void notifiers_close(struct notifiers *n)
{
	if (!n)
		return;
	events_unsubscribe(n->events, &n->subscriber);
	kube_events_stop(n->kube);
	alertmanager_stop(n->alertmanager);
	work_close(n->work);
	kube_events_close(n->kube);
	alertmanager_close(n->alertmanager);
	free(n);
}

/* ---- what has become of it ---- */

static const char *state_of(const struct notify_health *h)
{
	return h->failures ? "failed" : h->sent ? "ok" : "waiting";
}

static void add_health(const char *name, const char *state, const struct notify_health *h, cJSON *array)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "name", name);
	cJSON_AddStringToObject(json, "state", state);
	cJSON_AddNumberToObject(json, "sent", (double)h->sent);
	cJSON_AddNumberToObject(json, "failed", (double)h->failed);
	cJSON_AddNumberToObject(json, "dropped", (double)h->dropped);
	cJSON_AddNumberToObject(json, "waiting", (double)h->waiting);
	cJSON_AddStringToObject(json, "error", h->error);
	cJSON_AddItemToArray(array, json);
}

static void add_server(const char *url, const struct notify_health *h, void *ctx)
{
	add_health(url, state_of(h), h, ctx);
}

void notifiers_json(const struct notifiers *n, cJSON *array)
{
	struct notify_health health = {};

	if (n->kube)
		kube_events_health(n->kube, &health);
	else
		snprintf(health.error, sizeof(health.error), "%s", n->kube_error.text);
	add_health("kubernetes-events", n->kube ? state_of(&health) : *health.error ? "failed" : "off", &health, array);
	if (n->alertmanager)
		alertmanager_health(n->alertmanager, add_server, array);
	if (!*n->alertmanager_error.text)
		return;
	health = (struct notify_health){};
	snprintf(health.error, sizeof(health.error), "%s", n->alertmanager_error.text);
	add_health("alertmanager", "failed", &health, array);
}
