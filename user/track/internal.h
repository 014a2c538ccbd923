/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_TRACK_INTERNAL_H
#define WARDEN_TRACK_INTERNAL_H

#include "track/track.h"

struct track {
	int cdevs, claims, devices, majors; /* map descriptors, the loader's */
	uint32_t max_devices;
	struct netns_id host;
};

#endif
