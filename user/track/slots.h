/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pods of this node in BPF maps, so that an event carries its pod without a look-up: a slot for each pod, with a generation that
 * grows each time the slot is given to another one. What an event names by slot and generation is either that pod or, once the slot
 * has been given away, nobody; never another one. A slot keeps its pod's name after its end until it is needed, the longest ended
 * first, so that events that are read late still find it. The maps outlive wardend.
 *
 * In the loop's thread.
 */
#ifndef WARDEN_SLOTS_H
#define WARDEN_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "warden.h"

struct loader;
struct slots;

/* `loader` must outlive it. Takes over what an earlier wardend has left. 0 or -errno. */
int slots_open(struct slots **slots, const struct loader *loader, struct err *err);
void slots_close(struct slots *slots);

#define POD_BY_UID "pod-uid/" /* the owner of a pod whose name is not known begins so */

/*
 * What is known of a pod; "" and 0: not known (yet), and what is known already stays. A cgroup or a netns that was
 * another pod's is this one's from then on.
 */
struct slot_pod {
	const char *uid; /* never "": by it a pod is found again; without Kubernetes its owner (slots.c, key_of) */
	const char *owner; /* NAMESPACE/NAME; while it is not known, "pod-uid/UID" is the pod's */
	uint64_t cgroup_id; /* of the pod's own cgroup (v2) */
	uint64_t netns_cookie; /* never the host's */
	uint32_t netns_inum;
};

/*
 * Enters a pod, or what has become known of it: 1 when something is new, else 0. A pod that had ended lives again, unless
 * its cgroup is gone. -EINVAL: no UID. -ENOSPC: each slot has a pod that lives; the pod is counted (once, however often it
 * is tried), and its events have no name.
 */
int slots_put(struct slots *slots, const struct slot_pod *pod);
/* Its end. The name stays until the slot is needed. */
void slots_end(struct slots *slots, const char *uid);
/* Ends those whose `seen` answers false. */
void slots_prune(struct slots *slots, bool (*seen)(const struct warden_pod *pod, void *ctx), void *ctx);

/*
 * Takes in an event of the kernel (rules pod.process and pod.end; netns.end), before it is told to anybody: true when it told
 * something new of a pod. Of others' events nothing is taken.
 */
bool slots_event(struct slots *slots, const struct warden_event *event, size_t size);

/* The pod that an event names: false when its slot has another one by now. */
bool slots_get(const struct slots *slots, uint32_t slot, uint32_t generation, struct warden_pod *pod);
/*
 * Whose an event is: the pod that it names; where it names none, as when the pod is younger than the reading of the ring, by the
 * cgroup of its process.
 */
bool slots_of_event(const struct slots *slots, const struct warden_event *event, struct warden_pod *pod);
/* By its netns, which the host's never is: a pod that lives. Or by its UID, also after its end. */
bool slots_by_netns(const struct slots *slots, uint64_t cookie, struct warden_pod *pod);
bool slots_by_uid(const struct slots *slots, const char *uid, struct warden_pod *pod);

/* Those that live. */
void slots_each(const struct slots *slots, void (*visit)(const struct warden_pod *pod, void *ctx), void *ctx);

struct slots_count {
	unsigned int live, room;
	uint64_t lost; /* pods that found no slot since the maps were made; as the counter lost.pods */
};
void slots_count(const struct slots *slots, struct slots_count *count);

#endif
