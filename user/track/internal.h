/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_TRACK_INTERNAL_H
#define WARDEN_TRACK_INTERNAL_H

#include "track/track.h"

struct known_claim {
	uint32_t index;
	struct warden_claim claim;
};

struct track {
	int cdevs, claims, owners, devices, majors; /* map descriptors, the loader's */
	uint32_t max_devices;
	struct netns_id host;
	struct known_claim *known; /* the map of claims, which nobody else writes, in memory: each event asks it */
	size_t known_count;
};

/* Reads the claims that an earlier wardend made. 0 or -errno. */
int claims_load(struct track *t);

#endif
