/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_TRACK_INTERNAL_H
#define WARDEN_TRACK_INTERNAL_H

#include "track/journal.h"
#include "track/track.h"

struct track {
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
};

/* Reads the claims that an earlier wardend made: from the map, or where that is new, from the journal. 0 or -errno. */
int claims_load(struct track *t, bool maps_are_new);

/* Puts the claims of the journal, whose devices are known now, into the map. */
void claims_settle(struct track *t);

#endif
