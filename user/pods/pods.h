/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pod has which device, kept up to date: the sources are asked when the kernel tells of something that one of them may explain,
 * and now and then; devices that others have attached to pods are claimed for them; what contradicts itself is told.
 *
 * All in the loop's thread, but for the asking, which has threads of its own. What the asking costs is bounded: after each round it
 * rests for twenty times the CPU time that the round has taken (5 % of a core). What that delays is not discovery, which lives on the
 * kernel's events and one question to the kubelet, but the look for contradictions.
 */
#ifndef WARDEN_PODS_H
#define WARDEN_PODS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "model/model.h"
#include "pods/sources.h"

struct attach;
struct config;
struct events;
struct exclusive;
struct pods;
struct slots;
struct track;

/* What they point to must outlive it. */
struct pods_options {
	const struct config *config;
	struct loop *loop;
	struct track *track;
	struct slots *slots;
	struct events *events;
	struct attach *attach;
	const struct exclusive *exclusive;
	/* A claim has begun or ended, or has another owner. */
	void (*claims_changed)(void *ctx);
	void *ctx;
};

int pods_open(struct pods **pods, const struct pods_options *options, struct err *err);
/* The loop has ended. */
void pods_close(struct pods *pods);

/* Takes in an event of the kernel, after track_event() and slots_event(). NULL: they are not open yet. */
void pods_event(struct pods *pods, const struct warden_event *event);
/* Devices may have moved without an event. */
void pods_moved(struct pods *pods);

/*
 * The warden attaches a device to a pod, none of whose containers has begun. `cgroup` is what the kubelet has made for it, and id 0
 * where that is not found.
 */
void pods_attaching(struct pods *pods, const char *owner, const char *uid, const struct netns_id *netns,
		    struct cgroup_ref *cgroup);

/*
 * The picture as it is known now, to be freed by the caller. Of struct tracked_device it has what the maps tell: the device and its
 * claim. NULL: no memory.
 */
struct model *pods_model(struct pods *pods);

/* Asks all sources anew, and then calls `done` with a picture that is `done`'s, and has all of struct tracked_device. 0, or -ENOMEM, and `done` is not called. */
int pods_look(struct pods *pods, void (*done)(struct model *model, void *ctx), void *ctx);

/* Of each source, now. */
void pods_health(struct pods *pods, struct source_health health[POD_SOURCE_COUNT]);

/* How many contradictions hold. */
size_t pods_contradictions(const struct pods *pods);
size_t pods_contradictions_of(const struct pods *pods, enum contradiction_rule rule);

#endif
