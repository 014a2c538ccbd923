/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the counters that the rules on effects are about, in all network namespaces, without a fork. Owns no state. */
#ifndef WARDEN_SAMPLE_H
#define WARDEN_SAMPLE_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/effects.h"

struct sample_options {
	const char (*netdevs)[IF_NAMESIZE]; /* ports beside those of the devices, up to one that is "" */
	size_t netdev_count;
	/* The netdev of the device's PF, "" for what is no VF. */
	void (*pf)(uint32_t index, char *to, size_t size, void *ctx);
	void *ctx;
};

/*
 * Gives what there is to the round that was begun. What cannot be read is missing from it. 0, or -errno: the
 * caller's own netns cannot be read.
 */
int effects_sample(struct effects *effects, const struct sample_options *options);

#endif
