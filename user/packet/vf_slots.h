/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of vf.bpf.c: a slot for each configuration in force, which VF it is of, and what was counted and merged in it.
 * How a change is made so that no packet sees half of it stands at the head of vf.bpf.c.
 */
#ifndef WARDEN_VF_SLOTS_H
#define WARDEN_VF_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "loader/loader.h"
#include "packet/packets.h"

struct vf_slots;

/* 0 or -errno. */
int vf_slots_open(struct vf_slots **slots, const struct loader_packets *maps, struct err *err);
void vf_slots_close(struct vf_slots *slots);

/* A slot with that configuration, and no counts: its number, -ENOSPC, or another -errno. No packet comes to it yet. */
int vf_slots_take(struct vf_slots *slots, const struct warden_vf *vf);
/* The packets of the VF come to that slot from now on; `alone`: no other VF has its place. 0 or -errno. */
int vf_slots_point(struct vf_slots *slots, const struct warden_vf_key *vf, uint32_t slot, bool alone);
/* The VF is not known any more. */
void vf_slots_forget(struct vf_slots *slots, const struct warden_vf_key *vf);
/* Who was alone on a place may be so no more, or again. */
void vf_slots_place(struct vf_slots *slots, const struct warden_vf_key *vf, uint32_t slot, bool alone);

/* Returns when no packet is under way with what a slot was before. */
void vf_slots_settle(void);
/* The slot is free. After vf_slots_settle(). */
void vf_slots_free(struct vf_slots *slots, uint32_t slot);

void vf_slots_count(const struct vf_slots *slots, uint32_t slot, struct packet_counts *sum);

/*
 * Tells what was merged and whose window has passed, or with `all` whatever was merged. True while there is something that
 * waits.
 */
bool vf_slots_sweep(struct vf_slots *slots, uint32_t slot, const struct warden_vf *vf, bool all,
		    void (*tell)(const struct warden_event *event, void *ctx), void *ctx);

#endif
