// Test code: stands for user/track (the part that events.c asks), by the contract of user/track/track.h. No BPF maps.
/* SPDX-License-Identifier: Apache-2.0 */
/* To be included once in a test program: what is defined there is not taken from the library. */
#ifndef WARDEN_TRACK_STANDIN_H
#define WARDEN_TRACK_STANDIN_H

#include <string.h>

#include "track/track.h"

struct track {
	struct {
		bool present, claimed;
		struct warden_device device;
		struct warden_claim claim;
	} devices[8]; /* by index */
};

#define STANDIN_DEVICES (sizeof(((struct track *)0)->devices) / sizeof(((struct track *)0)->devices[0]))

bool track_device_get(const struct track *track, uint32_t index, struct warden_device *device)
{
	if (index >= STANDIN_DEVICES || !track->devices[index].present)
		return false;
	*device = track->devices[index].device;
	return true;
}

bool track_claim_get(const struct track *track, uint32_t index, struct warden_claim *claim)
{
	if (index >= STANDIN_DEVICES || !track->devices[index].claimed)
		return false;
	*claim = track->devices[index].claim;
	return true;
}

bool track_claim_find(const struct track *track, bool (*match)(const struct warden_claim *claim, const void *ctx),
		      const void *ctx, struct warden_claim *claim)
{
	for (uint32_t i = 0; i < STANDIN_DEVICES; i++)
		if (track_claim_get(track, i, claim) && match(claim, ctx))
			return true;
	return false;
}

#endif
