/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which RDMA devices there are, and whose they are. The truth lies in the BPF maps, where the programs
 * keep it up to date and where it outlives wardend; this part enters what was there before the programs,
 * and is the only one that writes claims.
 */
#ifndef WARDEN_TRACK_H
#define WARDEN_TRACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/cgroup.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "warden.h"

struct loader;
struct track;

struct track_options {
	const char *state_dir; /* of the journal; "": none */
	/* Fills in dscp_allowed, marking and sl_allowed by the claim's owner and resource. NULL: no marking is judged. */
	void (*marking)(struct warden_claim *claim, const void *ctx);
	const void *ctx;
};

/* `loader` and what the options point to must outlive it. 0 or -errno. */
int track_open(struct track **track, const struct loader *loader, const struct track_options *options, struct err *err);
void track_close(struct track *track);

/*
 * Enters the character devices (from sysfs) and the RDMA devices (by RDMA netlink, in every netns that has a name or a process)
 * that the programs have not seen appear, and mends what the kernel did not give them (scan.c).
 */
void track_scan(struct track *track);

/*
 * Mends it where the kernel says that it has skipped a program since the last look: to be called once a second. True when it has
 * looked: there may have been an end of a netns, or a move, that no event tells of.
 */
bool track_mend(struct track *track);

/* A device with all that is known of it now. */
struct tracked_device {
	uint32_t index;
	struct warden_device device;
	bool claimed;
	struct warden_claim claim;
	bool orphan; /* the claim's netns is gone */
	char unclean[256]; /* of an orphan: what is left of its owner, or "" */
	char netdev[32]; /* "" when it cannot be told */
	char netns[128]; /* a name in /run/netns, or "" */
	char pf[32]; /* netdev of the PF, "" for what is no VF */
	char cdevs[256]; /* names, separated by blanks */
};

/* Calls `visit` for each device in the order of their indexes. 0, -errno, or the nonzero answer of `visit`. */
int track_for_each(struct track *track, int (*visit)(const struct tracked_device *device, void *ctx), void *ctx);

/* A claim that began or ended without being asked for. */
struct claim_change {
	enum warden_rule rule; /* RULE_CLAIM_SET or RULE_CLAIM_RELEASE */
	const char *why;
	uint32_t index;
	char pci[WARDEN_PARENT_LEN]; /* of the device, where it is gone */
	struct warden_claim claim;
};

struct claim_request {
	const char *device; /* name, PCI address or node GUID; must match one device */
	const char *netns; /* a name in /run/netns or an absolute path; or NULL and `pid` */
	pid_t pid;
	const char *cgroup; /* path of a cgroup v2, absolute or below /sys/fs/cgroup; NULL or "": the netns decides */
	const char *owner; /* NAMESPACE/NAME */
	const char *resource; /* DOMAIN/NAME, as which Kubernetes knows the device; or NULL */
	const char *source; /* who says so, up to 15 characters; NULL: "manual" */
};

/*
 * Claims a device for an owner; `claim` and `index` tell the result. Errors: -ENODEV no such device,
 * -ENOTUNIQ several, -EEXIST claimed already, -ENOENT the netns or cgroup is gone, -EINVAL, -ENOSPC.
 * Nothing is changed on an error.
 */
int track_claim(struct track *track, const struct claim_request *request, uint32_t *index, struct warden_claim *claim,
		struct err *err);
/*
 * Ends the claim on a device: -ENODEV, -ENOTUNIQ, -ENOENT when it has none, -EBUSY when its owner is gone and it is not
 * clean, unless `force`. Also that on a PCI function whose device has gone and is waited for; *index is WARDEN_NO_INDEX then.
 */
int track_release(struct track *track, const char *device, bool force, uint32_t *index, struct warden_claim *claim,
		  struct err *err);

/*
 * Nobody uses the device, and it is the host's, with its netdev if `netdev`; so is one that there is not. False: `why` says
 * what is not so.
 */
bool track_idle(struct track *track, const char *device, bool netdev, char *why, size_t size);

/*
 * Takes in what happened to a device: with one that is gone its claim ends, and begins again when the same function
 * comes back with the same GUID while the owner is there. True: `change` tells it.
 */
bool track_event(struct track *track, const struct warden_event *event, struct claim_change *change);

/*
 * Ends the claims whose owner is gone and whose device is clean; `ended` is called for each. True while there are
 * others, so that this is to be asked again.
 */
bool track_orphans(struct track *track, void (*ended)(const struct claim_change *change, void *ctx), void *ctx);

/* ---- devices that others attach to pods ---- */

/* Calls `visit` for each device that is registered, by the map alone. */
void track_device_each(struct track *track,
		       void (*visit)(uint32_t index, const struct warden_device *device, void *ctx), void *ctx);

/* Who has a device, as far as others say and the kernel shows. */
struct discovery {
	uint32_t index;
	struct netns_id netns; /* where the device is */
	struct cgroup_ref cgroup; /* id 0: the netns decides alone */
	const char *owner; /* NAMESPACE/NAME */
	const char *resource; /* DOMAIN/NAME or "" */
	const char *source; /* "kubelet", "proc", "netns" */
};

/*
 * Claims it for him, or corrects what an earlier discovery has claimed of the same netns: 1, and `change` tells it; 0 when all was so
 * already. -EEXIST: it is claimed otherwise, which stays; -ENOSPC, -EINVAL.
 */
int track_discover(struct track *track, const struct discovery *discovery, struct claim_change *change,
		   struct err *err);

/*
 * A discovered claim ends when the device and its netdev have come back to the host's netns and nobody uses them; and, where they have
 * come out of a netns that ended, the device is clean: 1, and `change` tells it. -EBUSY: they are back, and it is not so yet; 0: no such
 * claim, or they are not back.
 */
int track_given_back(struct track *track, uint32_t index, struct claim_change *change);

/* Look-ups for events: false when there is none (any more). */
bool track_device_get(const struct track *track, uint32_t index, struct warden_device *device);
bool track_claim_get(const struct track *track, uint32_t index, struct warden_claim *claim);
/* By what a request may call the device. */
bool track_claim_of(const struct track *track, const char *device, struct warden_claim *claim);
/* The first claim that matches. */
bool track_claim_find(const struct track *track, bool (*match)(const struct warden_claim *claim, const void *ctx),
		      const void *ctx, struct warden_claim *claim);

/* Whether some claim, also one whose device has gone, is of that netns. */
bool track_claims_in(const struct track *track, uint64_t netns_cookie);

/* Each claim on a device that is there. */
void track_claim_each(const struct track *track,
		      void (*visit)(uint32_t index, const struct warden_claim *claim, void *ctx), void *ctx);

uint32_t track_claim_count(const struct track *track);

#endif
