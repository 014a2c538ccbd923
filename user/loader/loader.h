/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs: which ones this kernel takes, loaded, attached, pinned, and what each one gives.
 * Owns the folder of pins (links/ in it, and maps-LAYOUT/) and everything in it.
 *
 * The pins are what keeps the rule while no wardend runs. A start finds them, loads its own programs onto
 * the same maps, and replaces a link only when its program is another one: the new link is attached before
 * the old one goes, so that there is no moment without.
 */
#ifndef WARDEN_LOADER_H
#define WARDEN_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct loader;

/*
 * The chain of mechanisms, best first. The first two refuse whatever breaks the rule; the device cgroup refuses the open
 * alone, and what comes after it is answered by killing; the last only kills.
 */
enum guard_mechanism { GUARD_AUTO, GUARD_LSM, GUARD_FMOD_RET, GUARD_DEVICE_CGROUP, GUARD_KILL };

/* "auto", "lsm", …: as the option --guard and the capabilities have it. */
const char *loader_mechanism_name(enum guard_mechanism mechanism);

struct loader_options {
	const char *bpffs; /* the folder of pins */
	enum guard_mechanism guard; /* GUARD_AUTO: the first of the chain that works */
};

enum loader_map {
	MAP_CDEVS,
	MAP_CLAIMS,
	MAP_OWNERS,
	MAP_DEVICES,
	MAP_SETTINGS,
	MAP_MAJORS,
	MAP_COUNTERS,
	MAP_EVENTS,
	MAP_MERGES,
	MAP_OWN,
	MAP_CM_CLASSES,
	MAP_PODS,
	MAP_POD_CGROUPS,
	MAP_POD_NETNS,
	MAP_POD_LEAVES,
	MAP_COUNT
};

enum feature_state { FEATURE_ACTIVE, FEATURE_FALLBACK, FEATURE_UNAVAILABLE };

struct feature {
	const char *name;
	enum feature_state state;
	char by[32];
	char reason[200];
};

/*
 * Probes the mechanisms, takes the lock of the folder, and loads the guard without attaching it: the maps
 * are there and can be filled. -EBUSY: another wardend holds the folder.
 */
int loader_open(struct loader **loader, const struct loader_options *options, struct err *err);
/* The maps were made by this start: there are none of this layout from before, and no claims in them. */
bool loader_maps_are_new(const struct loader *loader);
/* There was no folder of pins: no earlier start has left anything. */
bool loader_is_first(const struct loader *loader);
/* Attaches and pins the guard. */
int loader_attach_guard(struct loader *loader, struct err *err);
/*
 * Loads and attaches what needs the RDMA modules, if they are there now and it is not attached yet.
 * Returns 1 when something was newly attached (the devices there before are then to be entered), else 0;
 * what is missing shows in the features. Removes the programs of an earlier start that are replaced now.
 */
int loader_attach_rdma(struct loader *loader);
/* True when the programs of loader_attach_rdma() are all attached. */
bool loader_rdma_attached(const struct loader *loader);
/* Whether something that is not attached needs the module of that name. */
bool loader_waits_for(const struct loader *loader, const char *module);
bool loader_audits_kernel_copy(const struct loader *loader);
/* As settings.judged_twice (warden.h): whose touches a second program judges too. */
uint32_t loader_judged_twice(const struct loader *loader);
/* What the RDMA subsystem itself does about netns, as a feature among the others, and what it will do after a boot. */
void loader_note_netns_mode(struct loader *loader, bool exclusive, const char *next_boot);

enum guard_mechanism loader_mechanism(const struct loader *loader);

/*
 * Of the mechanisms that refuse, only the device cgroup has a link that can be detached while it is held open. Attaches
 * it again where that was done: how many, or -errno.
 */
int loader_reattach(struct loader *loader, struct err *err);

/*
 * Notices when somebody else takes pins away, which would end the rule with this process (the links are held open
 * here too, so not before): a descriptor that is readable then, owned by the loader; or -errno.
 */
int loader_watch(struct loader *loader, struct err *err);
/* Puts back what is missing: how many pins, or -errno. */
int loader_repair(struct loader *loader, struct err *err);

/*
 * The start is done: from now on the pins outlive this process, and those of an older layout go. True when there were
 * such: what their ring still held is lost.
 */
bool loader_keep(struct loader *loader);
/*
 * Leaves the pins; a first start that never came to loader_keep() is undone, while a later one leaves in
 * force what the one before had attached.
 */
void loader_close(struct loader *loader);

int loader_map(const struct loader *loader, enum loader_map map);

/* The programs of vf.bpf.c and their maps, as its head comment has them. */
struct loader_packets {
	uint32_t vfs; /* for how many there is room */
	bool tcx; /* the kernel has it; else clsact */
	int program[2]; /* by enum warden_direction */
	int map_slots, map_places, map_vfs, map_stats, map_told;
};

/* The kernel has tcx: no filter of clsact was ever set on it. */
bool loader_has_tcx(const struct loader *loader);

/*
 * Loads them, attached to nothing; to be called once. NULL: not possible, as the feature `packets` tells then, or not
 * wanted (0 VFs), for that reason.
 */
const struct loader_packets *loader_load_packets(struct loader *loader, uint32_t vfs, const char *why_not);

/* Links beside those of the loader's own programs, pinned and held like them. A link of that name is replaced. */
int loader_pin_link(struct loader *loader, const char *name, int link_fd, struct err *err);
/* A link pinned by this start or an earlier one: its descriptor, which stays the loader's; -ENOENT. */
int loader_pinned_link(struct loader *loader, const char *name);
void loader_unpin_link(struct loader *loader, const char *name);
void loader_prune_links(struct loader *loader, const char *prefix, bool (*keep)(const char *name, void *ctx),
			void *ctx);

/* The features so far; valid until the next loader_attach_*(). */
const struct feature *loader_features(const struct loader *loader, size_t *count);

struct program_info {
	char name[48];
	const char *state;
	uint32_t id;
	uint64_t skipped; /* calls that the kernel did not give it: a verdict that was not spoken */
};
/* Up to `max` attached programs; returns how many. */
size_t loader_programs(const struct loader *loader, struct program_info *programs, size_t max);
/* Calls that the kernel did not give to the programs of an object, by its name, since this start attached them. */
uint64_t loader_skipped(const struct loader *loader, const char *object);

/* Calls `visit` for each program that was attached and that somebody has detached: how many. */
size_t loader_missing(struct loader *loader, void (*visit)(const char *name, void *ctx), void *ctx);

/*
 * Removes every pin, and with the links every program; `first` takes away what holds programs without a pin. An absent
 * folder is fine; -EBUSY: a wardend runs.
 */
int loader_unload(const char *bpffs, void (*first)(void), struct err *err);

#endif
