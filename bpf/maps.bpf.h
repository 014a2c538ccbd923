/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that all the warden's objects share. They stand in a header, against the rule of the house,
 * because the objects are loaded at different times (guard.bpf.c at once, the others when the RDMA
 * modules are there) and must find the same maps: each is pinned by name and reused. Weak, since the
 * Makefile links several objects into one file.
 *
 * All are preallocated: an update never waits for memory, and what the warden costs is fixed.
 */
#ifndef WARDEN_MAPS_BPF_H
#define WARDEN_MAPS_BPF_H

#include <bpf/bpf_helpers.h>
#include "warden.h"

#define WARDEN_MAX_DEVICES 2048 /* 8 PFs of 128 VFs, twice */
#define WARDEN_MAX_CDEVS (3 * WARDEN_MAX_DEVICES) /* uverbs, umad and issm of each */
#define WARDEN_MAX_MERGES 4096
#define WARDEN_MAX_POD_LEAVES 4096 /* four cgroups of containers for each pod */
#define WARDEN_RING_BYTES (4 << 20) /* 17,000 events: 0.2 s of a flood while wardend is away */

/* Full: nobody may touch the node (its owner cannot be told), lost.cdevs and unreadable.nodes grow. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_CDEVS);
	__type(key, __u32); /* kernel dev_t */
	__type(value, struct warden_cdev);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cdevs SEC(".maps") __weak;

/* Written by wardend alone, which refuses a claim when this is full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_DEVICES);
	__type(key, __u32); /* ib_device.index */
	__type(value, struct warden_claim);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} claims SEC(".maps") __weak;

/* Written by wardend alone, one entry at most for each claim. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_DEVICES);
	__type(key, struct warden_owner);
	__type(value, __u32); /* not used */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} owners SEC(".maps") __weak;

/* Full (so many processes break the rule at once): an event is told on its own, and none is merged into it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_MERGES);
	__type(key, struct warden_merge_key);
	__type(value, struct warden_merge);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} merges SEC(".maps") __weak;

/* Full: the device is guarded by its character device all the same, but not shown; lost.devices grows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_DEVICES);
	__type(key, __u32); /* ib_device.index */
	__type(value, struct warden_device);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} devices SEC(".maps") __weak;

/*
 * Written by wardend alone: some 80 of its maps, programs, links and folders, and two links for each VF whose packets it
 * judges. Full: what has no entry is not kept from pods, which wardend logs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct warden_own);
	__type(value, __u64); /* for wardend: the round in which it was entered */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} own SEC(".maps") __weak;

/* Full: the process that has not connected for the longest time gives way, and its class counts as the application's own. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tgid */
	__type(value, struct warden_cm_class);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cm_classes SEC(".maps") __weak;

/* Written by wardend alone, which maps it. Full: a pod more has no slot, and its events no name; lost.pods grows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WARDEN_MAX_PODS);
	__type(key, __u32); /* slot */
	__type(value, struct warden_pod);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pods SEC(".maps") __weak;

/* Written by wardend alone, one entry at most for each slot, so that neither is ever full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_PODS);
	__type(key, __u64); /* id of a pod's cgroup */
	__type(value, struct warden_pod_ref);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pod_cgroups SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WARDEN_MAX_PODS);
	__type(key, __u64); /* cookie of a pod's netns */
	__type(value, struct warden_pod_ref);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pod_netns SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct warden_settings);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} settings SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct warden_majors);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} majors SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} counters SEC(".maps") __weak;

/* Full (wardend is away or slow): the verdict stands, the event is lost and lost.events grows. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WARDEN_RING_BYTES);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} events SEC(".maps") __weak;

#endif
