/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the node at one moment: the kernel's counters (stats.h), and a copy of what wardend's loop has. Nobody changes it any
 * more once it is made, and it ends with the last one who holds it, so that whoever writes it down slowly holds up nobody.
 */
#ifndef WARDEN_SNAPSHOT_H
#define WARDEN_SNAPSHOT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "attach/attach.h"
#include "config/config.h"
#include "lib/bytes.h"
#include "loader/features.h"
#include "loader/loader.h"
#include "model/model.h"
#include "pods/sources.h"
#include "report/tally.h"
#include "stats/stats.h"
#include "warden.h"

struct services;

#define SNAPSHOT_PROGRAMS 64
#define SNAPSHOT_STEPS 16 /* of an attachment, of which there are fewer */
#define SNAPSHOT_TIMINGS 32 /* likewise */

struct snapshot_flow {
	uint32_t index; /* of the device */
	uint8_t direction, dscp, class;
	uint64_t packets, bytes;
};

struct snapshot_step {
	char step[16];
	unsigned int count;
};

/* A device that the kernel has, with what wardend knows of it. */
struct snapshot_device {
	const struct stats_device *stats;
	const struct model_device *model; /* NULL: the maps did not have it yet */
	const struct model_pod *pod; /* NULL: nobody's, or not known */
	const char *container; /* by the kubelet, "" */
	const char *state; /* "free", "claimed", "orphan", "quarantined" */
	const char *marking; /* "good", "wrong", "unverified", "none" */
	uint64_t marked_right, marked_wrong; /* address vectors, of this claim */
	uint64_t violations; /* likewise */
	uint64_t claim; /* its id, 0: none */
	struct stats_traffic traffic; /* the kernel's, or what vf.bpf.c has counted where that knows more */
};

/* PFC of a port in `stats`. */
struct snapshot_pfc {
	bool known;
	uint8_t on; /* bit p */
};

struct snapshot {
	atomic_uint holders;
	const struct config *config;
	struct stats *stats;
	struct err problem; /* why it has no devices, "" */
	struct snapshot_device *devices; /* as stats->devices */
	struct snapshot_pfc *pfc; /* as stats->pfs */
	struct stats_place *places; /* where the netns were found */
	size_t place_count;
	uint64_t took_ns; /* the reading of it all */
	unsigned int unread; /* as stats->unread, and devices that were not found where they should be */
	char node[254];

	/* The loop's, at the beginning of the reading. */
	struct model *model;
	const char **marking; /* as model->devices */
	struct snapshot_flow *flows; /* those that are not zero, by device */
	size_t flow_count, flow_room;
	struct tally tally;
	uint64_t counters[COUNTER_COUNT];
	struct features features;
	struct program_info programs[SNAPSHOT_PROGRAMS];
	size_t program_count;
	struct snapshot_step steps[SNAPSHOT_STEPS];
	size_t step_count;
	char (*quarantined)[WARDEN_PARENT_LEN];
	size_t quarantined_count, quarantined_room;
	struct attach_timing timings[SNAPSHOT_TIMINGS];
	size_t timing_count;
	struct source_health health[POD_SOURCE_COUNT];
	size_t contradictions[CONTRADICTION_COUNT];
	bool exclusive_known, exclusive;
	uint64_t events;
	unsigned int pods;

	/* Written down, each once: by enum exposition_format. */
	pthread_mutex_t lock;
	struct bytes pages[2];
};

/* NULL: no memory. One holds it. */
struct snapshot *snapshot_new(void);
void snapshot_hold(struct snapshot *snapshot);
void snapshot_drop(struct snapshot *snapshot); /* also NULL */

/* Copies what is the loop's, in its thread: 0 or -ENOMEM. */
int snapshot_copy(struct snapshot *snapshot, struct services *services);

/* Joins it with `stats`, which it owns from now on, also on an error: 0 or -ENOMEM. */
int snapshot_join(struct snapshot *snapshot, struct stats *stats);

/* The counter of the programs by its public name, and the name. */
const char *snapshot_counter_name(unsigned int counter);
/* The name of that netns in /run/netns, or "". */
void snapshot_netns(const struct snapshot *snapshot, uint64_t cookie, char *to, size_t size);
/* The mechanism of the guard: "lsm", …, "none". */
const char *snapshot_guard(const struct snapshot *snapshot);

#endif
