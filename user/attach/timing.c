// SPDX-License-Identifier: Apache-2.0
#include "attach/timing.h"

#include "attach/internal.h"
#include "lib/util.h"

static const struct {
	const char *command, *step;
} names[TIMING_COUNT] = {
	[TIMING_ADD] = { "ADD", "" },
	[TIMING_ADD_FIND] = { "ADD", "find" },
	[TIMING_ADD_VF] = { "ADD", "vf" },
	[TIMING_ADD_NETDEV] = { "ADD", "netdev" },
	[TIMING_ADD_RDMA] = { "ADD", "rdma" },
	[TIMING_ADD_CLAIM] = { "ADD", "claim" },
	[TIMING_ADD_UP] = { "ADD", "up" },
	[TIMING_ADD_IPAM] = { "ADD", "ipam" },
	[TIMING_ADD_ADDRESSES] = { "ADD", "addresses" },
	[TIMING_ADD_GIDS] = { "ADD", "gids" },
	[TIMING_ADD_ANSWER] = { "ADD", "answer" },
	[TIMING_ADD_COMMIT] = { "ADD", "commit" },
	[TIMING_ADD_ANNOUNCE] = { "ADD", "announce" },
	[TIMING_DEL] = { "DEL", "" },
	[TIMING_DEL_RELEASE] = { "DEL", "release" },
	[TIMING_DEL_RDMA] = { "DEL", "rdma" },
	[TIMING_DEL_NETDEV] = { "DEL", "netdev" },
	[TIMING_DEL_VF] = { "DEL", "vf" },
	[TIMING_DEL_FINISH] = { "DEL", "finish" },
	[TIMING_DEL_PROOF] = { "DEL", "proof" },
	[TIMING_DEL_IPAM] = { "DEL", "ipam" },
	[TIMING_CHECK] = { "CHECK", "" },
	[TIMING_GC] = { "GC", "" },
	[TIMING_STATUS] = { "STATUS", "" },
};

uint64_t timing_note(struct attach *a, enum timing what, uint64_t then_ns)
{
	uint64_t now = boot_ns();

	pthread_mutex_lock(&a->lock);
	histogram_add(&a->timings[what], now - then_ns);
	pthread_mutex_unlock(&a->lock);
	return now;
}

int attach_timing_for_each(struct attach *a, int (*visit)(const struct attach_timing *timing, void *ctx), void *ctx)
{
	int r = 0;

	for (size_t i = 0; !r && i < TIMING_COUNT; i++) {
		struct attach_timing one = { .command = names[i].command, .step = names[i].step };

		pthread_mutex_lock(&a->lock);
		one.times = a->timings[i];
		pthread_mutex_unlock(&a->lock);
		r = visit(&one, ctx);
	}
	return r;
}
