/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_TRACK_INTERNAL_H
#define WARDEN_TRACK_INTERNAL_H

#include "track/journal.h"
#include "track/track.h"

/* What differs between map and kernel, and is not mended before a later look has found the same. */
struct drift {
	uint32_t index;
	int32_t by[OBJECT_COUNT]; /* what the kernel has more */
	bool unseen; /* no netns has the device */
	uint64_t since_ns;
};

struct track {
	const struct loader *loader;
	int cdevs, claims, owners, devices, majors; /* map descriptors, the loader's */
	uint32_t max_devices;
	struct netns_id host;
	struct track_options options;
	/*
	 * The map of claims, which nobody else writes, in memory: each event asks it. And, without an index, the claims on
	 * devices that have gone and may come back; for those there is as much room again.
	 */
	struct known_claim *known;
	size_t known_count;
	/* The last look (scan.c). */
	struct drift *drifts;
	size_t drift_count;
	bool unsettled;
	uint64_t looked_ns, skipped_moves, skipped_objects;
};

/* Reads the claims that an earlier wardend made: from the map, or where that is new, from the journal. 0 or -errno. */
int claims_load(struct track *t, bool maps_are_new);

/* Puts the claims of the journal, whose devices are known now, into the map. */
void claims_settle(struct track *t);

/* The part of track_mend() that is about where devices are, for who cannot wait a second: true when there was a look. */
bool track_mend_moves(struct track *t);

#endif
