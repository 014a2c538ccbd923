/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets of VFs: which claimed VFs have the programs of vf.bpf.c on their netdevs, by which configuration their
 * packets are judged, and what was counted.
 */
#ifndef WARDEN_PACKETS_H
#define WARDEN_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "net/netdev.h"
#include "warden.h"

struct config;
struct events;
struct loader;
struct packets;
struct track;

struct packet_flow {
	uint64_t packets, bytes;
};

/* By enum warden_direction; flows by DSCP and enum warden_roce_class. */
struct packet_counts {
	struct packet_flow flows[DIRECTION_COUNT][64][ROCE_CLASSES];
	uint64_t malformed[DIRECTION_COUNT][MALFORMED_COUNT];
	uint64_t fragments[DIRECTION_COUNT];
};

struct packet_vf {
	uint32_t ib_index;
	struct netdev netdev;
	bool tcx;
	const char *problem; /* why its packets are not judged, or not wholly; "" */
	const struct warden_vf *vf; /* its configuration; NULL: not judged at all */
	const struct packet_counts *counts;
};

/* Loads the programs where the configuration wants them; all arguments must outlive it. 0 or -errno. */
int packets_open(struct packets **packets, struct loader *loader, struct track *track, struct events *events,
		 const struct config *config, struct err *err);
/* What is attached stays so. */
void packets_close(struct packets *packets);

/* Takes away what stays on netdevs by itself. No wardend runs. */
void packets_unload(void);

/*
 * Brings the programs and their configuration to what the claims, the netdevs and their addresses are now. Says by an event
 * when somebody has taken programs away.
 */
void packets_sync(struct packets *packets);

/*
 * The same for one device alone, when its claim has begun or ended: without a look into every netns. `netns_fd` is that of
 * the claim.
 */
void packets_claimed(struct packets *packets, uint32_t ib_index, const struct warden_claim *claim, int netns_fd);
void packets_released(struct packets *packets, uint32_t ib_index);

/* A descriptor that is readable when netdevs have changed, or -1 where nothing is to be watched. It stays the packets'. */
int packets_watch(const struct packets *packets);
/* Reads it: true when packets_sync() is due. */
bool packets_changed(struct packets *packets);

/* Tells the violations that were merged and that nobody would tell. True while some wait. */
bool packets_sweep(struct packets *packets);

/* Calls `visit` for each claimed VF that has a netdev in its owner's netns. 0, or the nonzero answer of `visit`. */
int packets_for_each(struct packets *packets, int (*visit)(const struct packet_vf *vf, void *ctx), void *ctx);

#endif
