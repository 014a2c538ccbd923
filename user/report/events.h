/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: from the ring of the BPF programs, and the daemon's own, to JSON lines with names instead of
 * numbers. Each line goes to stdout, into the memory of the last EVENTS_KEPT, and to who follows.
 */
#ifndef WARDEN_EVENTS_H
#define WARDEN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "warden.h"

#define EVENTS_KEPT 4096

struct events;
struct slots;
struct track;
struct claim_change;
struct effect_change;
struct tally;

struct follower {
	struct follower *next;
	/* A line without its newline. Must not add or remove followers. */
	void (*line)(struct follower *follower, const char *line, size_t len);
};

/* `track` and `slots` (NULL: an actor's pod is known by its claim alone) must outlive it. 0 or -errno. */
int events_open(struct events **events, struct track *track, const struct slots *slots, struct err *err);
void events_close(struct events *events);

/* An event of the ring. What is not worth a line (a netns that concerns no claim, what slots_event() takes in) is dropped here. */
void events_feed(struct events *events, const struct warden_event *event);

/*
 * Goes through the map of merged violations: what was merged and whose window has passed is told by one more event, and
 * the entry goes. True while entries are left.
 */
bool events_sweep(struct events *events, int merges_fd);

/* The daemon's own: a claim that was set or released (by process 0: by itself), a fault of the warden itself. */
void events_claim(struct events *events, const struct claim_change *change, uint32_t pid, uint32_t uid);
/* A setting of the node that was asked to be changed; `error` says why it was not, or is "". */
struct setting_change {
	const char *rule, *subject, *setting, *from, *to, *error;
};
void events_setting(struct events *events, const struct setting_change *change, uint32_t pid, uint32_t uid);

/* A rule on counters that begins (a violation, which can only be observed) or ends (a change). */
void events_effect(struct events *events, const struct effect_change *change);

/* Two sources that contradict each other, which begins (a violation, which can only be observed) or ends (a change). */
struct contradiction_change {
	const char *rule, *subject; /* a PCI address, a device's name or a resource */
	const char *owner[2], *source[2]; /* who is concerned, "" nobody; and who says so */
	const char *text, *cure;
	bool begins;
};
void events_contradiction(struct events *events, const struct contradiction_change *change);

void events_fault(struct events *events, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The lines kept whose time is not before `since_ns` (CLOCK_REALTIME), oldest first. */
void events_kept(struct events *events, uint64_t since_ns, void (*visit)(const char *line, size_t len, void *ctx),
		 void *ctx);

void events_follow(struct events *events, struct follower *follower);
void events_unfollow(struct events *events, struct follower *follower);

uint64_t events_count(const struct events *events);

/* How many violations were told, with those that went with another event. */
const struct tally *events_tally(const struct events *events);
/* No device and no claim of it is what `is_there` says it is not (any more): its counts end. */
void events_tally_prune(struct events *events, bool (*is_there)(uint32_t index, uint64_t claim, void *ctx), void *ctx);

/* "observed", "denied", …, and "none". */
const char *events_verdict_name(uint32_t verdict);

#endif
