/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Violations as Kubernetes Events (events.k8s.io/v1): one on the node, and one on the pod that it is about, where that is known; the
 * pod whose device it is stands in `related`. What happens again is counted in the same Event's series (the API's Event, field
 * `series`), until there was silence for KUBE_EVENTS_OVER_MS. Its rights: "create" and "patch" of events in API group events.k8s.io.
 *
 * A series' Event has always the same name, so that a create whose answer was lost may be tried again.
 */
#ifndef WARDEN_KUBE_EVENTS_H
#define WARDEN_KUBE_EVENTS_H

#include "kube/api.h"
#include "report/notice.h"
#include "report/notify.h"
#include "warden.h"

#define KUBE_EVENTS_OVER_MS 360000 /* as client-go has it */
#define KUBE_EVENT_NOTE_MAX 1024 /* bytes: the API's bound */
#define KUBE_EVENT_NAME_MAX 253

struct work;

struct kube_events_options {
	struct loop *loop; /* all of them must outlive it */
	struct work *work;
	const struct kube_config *api;
	const char *node;
	/* The UID of a pod that lives; false: that owner is no pod, or not any more. */
	bool (*uid_of)(void *ctx, const char *owner, char uid[WARDEN_UID_LEN]);
	/* Something that the operator has to know, once. */
	void (*fault)(void *ctx, const char *text);
	void *ctx;
	size_t most; /* series at once; the one that waits longest is dropped for a new one */
	unsigned int interval_ms; /* between two writes of one series */
	unsigned int burst, token_ms; /* of all: so many writes at once, and then one in that time */
};

struct kube_events;

/* All but the loop, the work, the API, the node and the functions. */
void kube_events_defaults(struct kube_events_options *options);

/* 0 or -errno (-ENOENT without libcurl). */
int kube_events_open(struct kube_events **events, const struct kube_events_options *options, struct err *err);
/* The one, then work_close(), then the other. */
void kube_events_stop(struct kube_events *events);
void kube_events_close(struct kube_events *events);

/* It happened at `wall_ns` (CLOCK_REALTIME). */
void kube_events_tell(struct kube_events *events, const struct notice *notice, uint64_t wall_ns);

void kube_events_health(const struct kube_events *events, struct notify_health *health);

/* The name of an Event on what is called `regarding`; the number makes it unique. A DNS subdomain if `regarding` is one. */
void kube_event_name(const char *regarding, uint64_t number, char to[KUBE_EVENT_NAME_MAX + 1]);

#endif
