/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_PODS_INTERNAL_H
#define WARDEN_PODS_INTERNAL_H

#include "kube/api.h"
#include "lib/work.h"
#include "pods/pods.h"
#include "track/slots.h"

/* A device that is not the host's, by its netns or its netdev's, and that the warden has not attached. */
struct away {
	uint32_t index;
	struct netns_id netns;
	uint64_t since_ns;
	char keeper[WARDEN_OWNER_LEN]; /* "netns/NAME", "unit/NAME"; "": not asked for yet */
	bool seen; /* in this round */
};

/* What has been found once, and is told when it is found again. */
struct told {
	struct contradiction what; /* its pods are not those of the model that there is now: */
	char owner[2][WARDEN_OWNER_LEN];
	uint64_t first_ns;
	bool seen, active;
};

struct waiting_look {
	struct waiting_look *next;
	void (*done)(struct model *model, void *ctx);
	void *ctx;
	uint64_t asked_ns;
};

/* What a thread fills in while it asks. */
struct round {
	struct pods *pods;
	struct node_pass pass;
	struct kubelet_answer answer;
};

struct pods {
	struct pods_options options;
	struct netns_id host;
	struct work *work;
	struct kube_api *api; /* NULL: it is not asked */
	struct source_health health[POD_SOURCE_COUNT]; /* but for API */

	/* What was asked last. */
	struct node_pass pass;
	struct kubelet_answer answer;
	bool passing, asking;
	struct round pass_round, answer_round; /* theirs */
	uint64_t pass_after_ns, ask_after_ns; /* the rests */
	uint64_t pass_wanted_ns, ask_wanted_ns; /* something has happened since; 0: nothing */
	struct waiting_look *looks;

	struct source settle_timer, round_timer;
	uint64_t settle_ns; /* when settle_timer goes off; 0: it does not run */
	bool names_wanted; /* the API has told something, or a pod has come that has no name */
	bool devices_wanted; /* something has happened to a device, or to whose it is */
	unsigned int again_ms; /* a device is waited for: to be looked at again; 0: none is */

	struct away *away;
	size_t away_count, away_room;
	struct told *told;
	size_t told_count, told_room;
};

/* ---- pods.c ---- */

/* The kubelet is asked as soon as it may be, or the node is looked at. */
void pods_want_answer(struct pods *pods);
void pods_want_pass(struct pods *pods);

/* ---- discover.c ---- */

/* Brings the claims of devices that others attach to what is known now, and sets again_ms. */
void discover(struct pods *pods);

/* ---- contradict.c ---- */

/* Tells what contradicts itself in two pictures one after the other, and what does no longer. True: some was seen once. */
bool contradict(struct pods *pods);

/* ---- picture.c ---- */

/* The picture as it is known now. `full`: with what has to be looked for in each netns, too (struct tracked_device). */
struct model *picture(struct pods *pods, bool full);

#endif
