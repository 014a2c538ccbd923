// SPDX-License-Identifier: Apache-2.0
#include "track/slots.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kube/cgroup_pod.h"
#include "lib/cgroup.h"
#include "lib/hash.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "loader/loader.h"

#define LEAVES 4096 /* as many as pods.bpf.c remembers */
#define LOST_KNOWN 256

/* A cgroup that a pod's process was in, and whose. */
struct leaf {
	uint64_t cgroup_id;
	struct warden_pod_ref pod;
};

struct slots {
	int map_cgroups, map_netns, map_counters;
	struct warden_pod *pods; /* the map, mapped: WARDEN_MAX_PODS */
	size_t size; /* of the mapping */
	uint64_t host_netns;
	uint64_t *counts; /* of one counter, by CPU */
	int cpus;
	struct leaf leaves[LEAVES]; /* by cgroup id; of two on one place the later one counts */
	uint32_t lost[LOST_KNOWN]; /* who was counted; likewise */
};

/* ---- the maps ---- */

static struct warden_pod_ref ref_of(const struct slots *s, const struct warden_pod *pod)
{
	return (struct warden_pod_ref){ .slot = (uint32_t)(pod - s->pods), .generation = pod->generation };
}

/* Whose the reference is, as long as he has the slot. */
static struct warden_pod *ref_pod(const struct slots *s, const struct warden_pod_ref *ref)
{
	struct warden_pod *pod = ref->slot < WARDEN_MAX_PODS ? &s->pods[ref->slot] : NULL;

	return pod && ref->generation && pod->generation == ref->generation ? pod : NULL;
}

/* Of the pods that live, by the key of one of the two hashes. */
static struct warden_pod *find_by(const struct slots *s, int map, uint64_t key)
{
	struct warden_pod_ref ref;
	struct warden_pod *pod = key && !bpf_map_lookup_elem(map, &key, &ref) ? ref_pod(s, &ref) : NULL;

	return pod && pod->live ? pod : NULL;
}

/* There is room for each slot: an update fails for want of nothing. */
static void point(const struct slots *s, int map, uint64_t key, const struct warden_pod *pod)
{
	struct warden_pod_ref ref = ref_of(s, pod);

	if (key)
		bpf_map_update_elem(map, &key, &ref, BPF_ANY);
}

/* No two pods have the same one (set_cgroup, set_netns): what the key leads to is this one. */
static void forget_cgroup(const struct slots *s, struct warden_pod *pod)
{
	if (!pod->cgroup_id)
		return;
	bpf_map_delete_elem(s->map_cgroups, &pod->cgroup_id);
	pod->cgroup_id = 0;
}

static void forget_netns(const struct slots *s, struct warden_pod *pod)
{
	if (!pod->netns_cookie)
		return;
	bpf_map_delete_elem(s->map_netns, &pod->netns_cookie);
	pod->netns_cookie = 0;
	pod->netns_inum = 0;
}

/* Its name stays. */
static void end(struct slots *s, struct warden_pod *pod)
{
	if (!pod->live)
		return;
	pod->live = 0;
	pod->ended_ns = boot_ns();
	forget_cgroup(s, pod);
	forget_netns(s, pod);
}

/* ---- open ---- */

/* What leads to a pod that has ended. */
static void drop_stale(const struct slots *s, int map)
{
	uint64_t key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &key);

	while (more) {
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!find_by(s, map, key))
			bpf_map_delete_elem(map, &key);
		key = next;
	}
}

/* Each step is finished here that a wardend was killed in. */
static void take_over(struct slots *s)
{
	drop_stale(s, s->map_cgroups);
	drop_stale(s, s->map_netns);
	for (size_t i = 0; i < WARDEN_MAX_PODS; i++) {
		struct warden_pod *pod = &s->pods[i];

		if (!pod->live) {
			pod->cgroup_id = pod->netns_cookie = 0;
			continue;
		}
		point(s, s->map_cgroups, pod->cgroup_id, pod);
		point(s, s->map_netns, pod->netns_cookie, pod);
		if (pod->cgroup_id && cgroup_is_gone(pod->cgroup_id))
			end(s, pod);
	}
}

static int map_pods(struct slots *s, int fd, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	s->size = (WARDEN_MAX_PODS * sizeof(*s->pods) + page - 1) & ~(page - 1);
	s->pods = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->pods != MAP_FAILED)
		return 0;
	s->pods = NULL;
	return fail(err, -errno, "map pods: %s", strerror(errno));
}

int slots_open(struct slots **slots, const struct loader *loader, struct err *err)
{
	struct slots *s = calloc(1, sizeof(*s));
	struct netns_id host;
	int r;

	if (!s)
		return fail(err, -ENOMEM, "out of memory");
	s->map_cgroups = loader_map(loader, MAP_POD_CGROUPS);
	s->map_netns = loader_map(loader, MAP_POD_NETNS);
	s->map_counters = loader_map(loader, MAP_COUNTERS);
	s->cpus = libbpf_num_possible_cpus();
	s->counts = s->cpus > 0 ? calloc((size_t)s->cpus, sizeof(*s->counts)) : NULL;
	r = s->counts ? netns_self(&host, err) : fail(err, -ENOMEM, "out of memory");
	if (!r)
		r = map_pods(s, loader_map(loader, MAP_PODS), err);
	if (r) {
		slots_close(s);
		return r;
	}
	s->host_netns = host.cookie;
	take_over(s);
	*slots = s;
	return 0;
}

void slots_close(struct slots *s)
{
	if (!s)
		return;
	if (s->pods)
		munmap(s->pods, s->size);
	free(s->counts);
	free(s);
}

/* ---- who has which slot ---- */

/* The UID as a slot has it: of a longer name the beginning and a digest, so that no two names are taken for one. */
static void key_of(const char *uid, char key[WARDEN_UID_LEN])
{
	if (strlen(uid) < WARDEN_UID_LEN)
		snprintf(key, WARDEN_UID_LEN, "%s", uid);
	else
		snprintf(key, WARDEN_UID_LEN, "%.22s~%016llx", uid, (unsigned long long)hash_text(uid));
}

static struct warden_pod *find_uid(const struct slots *s, const char *key)
{
	for (size_t i = 0; i < WARDEN_MAX_PODS; i++)
		if (s->pods[i].generation && !strcmp(s->pods[i].uid, key))
			return &s->pods[i];
	return NULL;
}

/* One that nobody has had, else that of the pod that ended first; NULL: all live. */
static struct warden_pod *find_free(const struct slots *s)
{
	struct warden_pod *first = NULL;

	for (size_t i = 0; i < WARDEN_MAX_PODS; i++) {
		struct warden_pod *pod = &s->pods[i];

		if (!pod->generation)
			return pod;
		if (!pod->live && (!first || pod->ended_ns < first->ended_ns))
			first = pod;
	}
	return first;
}

/* Stores before it are not put behind those after it: a wardend that is killed in between leaves no mixture of two pods. */
static void in_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Under a new generation, which is never 0. */
static struct warden_pod *take_slot(struct slots *s, const char *key)
{
	struct warden_pod *pod = find_free(s);

	if (!pod)
		return NULL;
	pod->generation = pod->generation + 1 ? pod->generation + 1 : 1;
	in_order();
	pod->uid[0] = '\0';
	in_order();
	*pod = (struct warden_pod){ .generation = pod->generation };
	snprintf(pod->owner, sizeof(pod->owner), POD_BY_UID "%s", key);
	snprintf(pod->uid, sizeof(pod->uid), "%s", key);
	in_order();
	pod->live = 1;
	return pod;
}

/* No program has this counter. */
static void count_lost(struct slots *s, const char *uid)
{
	uint32_t counter = COUNTER_LOST_PODS, digest = (uint32_t)hash_text(uid) | 1;

	if (s->lost[digest / 2 % LOST_KNOWN] == digest)
		return;
	s->lost[digest / 2 % LOST_KNOWN] = digest;
	if (bpf_map_lookup_elem(s->map_counters, &counter, s->counts))
		return;
	s->counts[0]++;
	bpf_map_update_elem(s->map_counters, &counter, s->counts, BPF_ANY);
}

/* ---- what is known of a pod ---- */

static bool set_owner(struct warden_pod *pod, const char *owner)
{
	if (!owner[0] || !strcmp(pod->owner, owner))
		return false;
	snprintf(pod->owner, sizeof(pod->owner), "%s", owner);
	return true;
}

static bool set_cgroup(struct slots *s, struct warden_pod *pod, uint64_t id)
{
	struct warden_pod *before;

	if (!id || pod->cgroup_id == id)
		return false;
	before = find_by(s, s->map_cgroups, id);
	if (before)
		forget_cgroup(s, before);
	forget_cgroup(s, pod);
	pod->cgroup_id = id;
	point(s, s->map_cgroups, id, pod);
	return true;
}

static bool set_netns(struct slots *s, struct warden_pod *pod, uint64_t cookie, uint32_t inum)
{
	struct warden_pod *before;

	if (!cookie || pod->netns_cookie == cookie || cookie == s->host_netns)
		return false;
	before = find_by(s, s->map_netns, cookie);
	if (before)
		forget_netns(s, before);
	forget_netns(s, pod);
	pod->netns_cookie = cookie;
	pod->netns_inum = inum;
	point(s, s->map_netns, cookie, pod);
	return true;
}

/* Is it a pod that has ended, and what is said of it is older than that? */
static bool is_late(const struct warden_pod *pod, const struct slot_pod *known)
{
	return !pod->live && known->cgroup_id && cgroup_is_gone(known->cgroup_id);
}

/* `told`: by a program, which tells the end of the cgroup, too. */
static int put(struct slots *s, const struct slot_pod *known, bool told)
{
	char key[WARDEN_UID_LEN];
	struct warden_pod *pod;
	bool news;

	if (!known->uid[0])
		return -EINVAL;
	key_of(known->uid, key);
	pod = find_uid(s, key);
	if (pod && is_late(pod, known))
		return set_owner(pod, known->owner);
	news = !pod || !pod->live;
	if (!pod)
		pod = take_slot(s, key);
	if (!pod) {
		count_lost(s, key);
		return -ENOSPC;
	}
	pod->live = 1;
	news |= set_owner(pod, known->owner);
	news |= set_netns(s, pod, known->netns_cookie, known->netns_inum);
	if (!set_cgroup(s, pod, known->cgroup_id))
		return news;
	/* It may have gone before it could be entered, so that its end was not told: from now on it would be. */
	if (!told && cgroup_is_gone(known->cgroup_id))
		end(s, pod);
	return 1;
}

int slots_put(struct slots *s, const struct slot_pod *known)
{
	return put(s, known, false);
}

void slots_end(struct slots *s, const char *uid)
{
	char key[WARDEN_UID_LEN];
	struct warden_pod *pod;

	key_of(uid, key);
	pod = find_uid(s, key);
	if (pod)
		end(s, pod);
}

void slots_prune(struct slots *s, bool (*seen)(const struct warden_pod *pod, void *ctx), void *ctx)
{
	for (size_t i = 0; i < WARDEN_MAX_PODS; i++)
		if (s->pods[i].live && !seen(&s->pods[i], ctx))
			end(s, &s->pods[i]);
}

/* ---- events ---- */

static struct leaf *leaf_of(const struct slots *s, uint64_t cgroup_id)
{
	return (struct leaf *)&s->leaves[cgroup_id * 0x9e3779b97f4a7c15u >> 52]; /* 12 bits: LEAVES */
}

/* The path from the cgroup of all pods down, which cgroup_pod_parse() takes for one at the root. */
static void path_of(const struct warden_pod_event *e, char *path, size_t size)
{
	size_t len = 0;

	path[0] = '\0';
	for (uint32_t i = 0; i < e->levels && i < WARDEN_POD_LEVELS; i++)
		len += (size_t)snprintf(path + len, size - len, "/%.*s", (int)sizeof(e->cgroup_name[i]) - 1,
					e->cgroup_name[i]);
}

static size_t components(const char *path, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += path[i] == '/';
	return n;
}

/*
 * The netns that a process tells to be its pod's: it is in a container, not the runtime's own beside one (conmon), it has not
 * entered another pod's netns, as an agent of the node does, and no pod is known to have that one.
 */
static bool tells_netns(const struct slots *s, const struct warden_pod_event *e, const struct cgroup_pod *pod)
{
	return pod->container[0] && e->event.netns_cookie == e->first_netns_cookie &&
	       !find_by(s, s->map_netns, e->event.netns_cookie);
}

static bool process_seen(struct slots *s, const struct warden_pod_event *e)
{
	char path[WARDEN_POD_LEVELS * (WARDEN_CGROUP_NAME_LEN + 1)];
	struct slot_pod known = { .owner = "" };
	struct cgroup_pod parsed;
	struct warden_pod *pod;
	bool news;

	path_of(e, path, sizeof(path));
	if (cgroup_pod_parse(path, "", &parsed) || !parsed.pod_len)
		return false;
	known.uid = parsed.uid;
	known.cgroup_id = e->cgroup_id[components(path, parsed.pod_len) - 1];
	pod = find_uid(s, parsed.uid);
	if (tells_netns(s, e, &parsed) && !(pod && pod->netns_cookie)) {
		known.netns_cookie = e->event.netns_cookie;
		known.netns_inum = e->event.netns_inum;
	}
	news = put(s, &known, true) > 0;
	pod = find_uid(s, parsed.uid);
	if (!pod)
		return false;
	*leaf_of(s, e->event.cgroup_id) = (struct leaf){ e->event.cgroup_id, ref_of(s, pod) };
	return news;
}

static bool cgroup_ended(struct slots *s, uint64_t id)
{
	struct warden_pod *pod = find_by(s, s->map_cgroups, id);

	if (pod)
		end(s, pod);
	return pod;
}

/* A sandbox that is made anew has another one. */
static bool netns_ended(struct slots *s, uint64_t cookie)
{
	struct warden_pod *pod = find_by(s, s->map_netns, cookie);

	if (pod)
		forget_netns(s, pod);
	return pod;
}

bool slots_event(struct slots *s, const struct warden_event *event, size_t size)
{
	switch (event->rule) {
	case RULE_POD_PROCESS:
		return size >= sizeof(struct warden_pod_event) &&
		       process_seen(s, (const struct warden_pod_event *)event);
	case RULE_POD_END:
		return cgroup_ended(s, event->arg[0]);
	case RULE_NETNS_END:
		return netns_ended(s, event->arg[0]);
	default:
		return false;
	}
}

/* ---- questions ---- */

static bool tell(const struct warden_pod *found, struct warden_pod *pod)
{
	if (found)
		*pod = *found;
	return found;
}

bool slots_get(const struct slots *s, uint32_t slot, uint32_t generation, struct warden_pod *pod)
{
	return tell(ref_pod(s, &(struct warden_pod_ref){ slot, generation }), pod);
}

bool slots_of_event(const struct slots *s, const struct warden_event *event, struct warden_pod *pod)
{
	const struct leaf *leaf = leaf_of(s, event->cgroup_id);

	if (event->pod_generation)
		return slots_get(s, event->pod_slot, event->pod_generation, pod);
	return event->cgroup_id && leaf->cgroup_id == event->cgroup_id && tell(ref_pod(s, &leaf->pod), pod);
}

bool slots_by_netns(const struct slots *s, uint64_t cookie, struct warden_pod *pod)
{
	return tell(find_by(s, s->map_netns, cookie), pod);
}

bool slots_by_uid(const struct slots *s, const char *uid, struct warden_pod *pod)
{
	char key[WARDEN_UID_LEN];

	key_of(uid, key);
	return tell(find_uid(s, key), pod);
}

void slots_each(const struct slots *s, void (*visit)(const struct warden_pod *pod, void *ctx), void *ctx)
{
	for (size_t i = 0; i < WARDEN_MAX_PODS; i++)
		if (s->pods[i].live)
			visit(&s->pods[i], ctx);
}

void slots_count(const struct slots *s, struct slots_count *count)
{
	uint32_t counter = COUNTER_LOST_PODS;

	*count = (struct slots_count){ .room = WARDEN_MAX_PODS };
	for (size_t i = 0; i < WARDEN_MAX_PODS; i++)
		count->live += s->pods[i].live;
	if (bpf_map_lookup_elem(s->map_counters, &counter, s->counts))
		return;
	for (int cpu = 0; cpu < s->cpus; cpu++)
		count->lost += s->counts[cpu];
}
