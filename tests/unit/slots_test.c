// SPDX-License-Identifier: Apache-2.0
/*
 * Slots on real maps, without programs: what the kernel would tell comes as records made here, by the contract of
 * struct warden_pod_event (bpf/warden.h). With programs and processes: tests/bpf/pods_test.c.
 */
#define _GNU_SOURCE
#include "track/slots.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "loader/loader.h"

#define UID "73dc8baf-43a0-413e-aac2-5eb0868f6c1a"
#define UID_ "73dc8baf_43a0_413e_aac2_5eb0868f6c1a"
#define OTHER "90b1ecb8-b850-451a-97c6-c073b5ddbb53"
#define ID "1111111111111111111111111111111111111111111111111111111111111111"

static int maps[MAP_COUNT];
static struct slots *slots;

/* Stands for the loader, by the contract of loader_map() in user/loader/loader.h. */
int loader_map(const struct loader *loader, enum loader_map map)
{
	(void)loader;
	return maps[map];
}

static int make_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, "test", key, value, entries, &opts);

	if (fd < 0)
		skip_because("no BPF maps here: %s", strerror(errno));
	return fd;
}

static void open_slots(void)
{
	struct err err = { "" };

	if (slots_open(&slots, NULL, &err))
		test_fail("%s", err.text);
}

/* As bpf/maps.bpf.h has them. */
static void need_slots(void)
{
	maps[MAP_PODS] = make_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct warden_pod), WARDEN_MAX_PODS,
				  BPF_F_MMAPABLE);
	maps[MAP_POD_CGROUPS] =
		make_map(BPF_MAP_TYPE_HASH, sizeof(uint64_t), sizeof(struct warden_pod_ref), WARDEN_MAX_PODS, 0);
	maps[MAP_POD_NETNS] =
		make_map(BPF_MAP_TYPE_HASH, sizeof(uint64_t), sizeof(struct warden_pod_ref), WARDEN_MAX_PODS, 0);
	maps[MAP_COUNTERS] = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t), sizeof(uint64_t), COUNTER_COUNT, 0);
	open_slots();
}

static int teardown(void **state)
{
	(void)state;
	slots_close(slots);
	slots = NULL;
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (maps[i] > 0)
			close(maps[i]);
		maps[i] = 0;
	}
	return 0;
}

static int put(const char *uid, const char *owner, uint64_t cgroup_id, uint64_t netns_cookie)
{
	const struct slot_pod pod = {
		.uid = uid, .owner = owner, .cgroup_id = cgroup_id, .netns_cookie = netns_cookie, .netns_inum = 7
	};

	return slots_put(slots, &pod);
}

static struct warden_pod get(const char *uid)
{
	struct warden_pod pod = {};

	if (!slots_by_uid(slots, uid, &pod))
		test_fail("no pod %s", uid);
	return pod;
}

static bool ref_in(enum loader_map map, uint64_t key, struct warden_pod_ref *ref)
{
	return !bpf_map_lookup_elem(maps[map], &key, ref);
}

/* What an event would name that the programs find by that key. */
static void key_names(enum loader_map map, uint64_t key, const char *uid)
{
	struct warden_pod_ref ref;
	struct warden_pod pod;

	if (!uid) {
		assert_false(ref_in(map, key, &ref));
		return;
	}
	assert_true(ref_in(map, key, &ref));
	assert_true(slots_get(slots, ref.slot, ref.generation, &pod));
	assert_string_equal(pod.uid, uid);
}

static void count_is(unsigned int live, uint64_t lost)
{
	struct slots_count count;

	slots_count(slots, &count);
	assert_int_equal(count.live, live);
	assert_int_equal(count.room, WARDEN_MAX_PODS);
	assert_int_equal(count.lost, lost);
}

/* ---- what is known ---- */

static void what_becomes_known(void **state)
{
	struct warden_pod pod;

	(void)state;
	need_slots();
	assert_int_equal(put("", "team/a", 0, 0), -EINVAL);
	assert_int_equal(put(UID, "", 0, 0), 1);
	assert_string_equal(get(UID).owner, "pod-uid/" UID);
	assert_int_equal(put(UID, "", 0, 0), 0);
	assert_int_equal(put(UID, "team/a", 0, 0), 1);
	assert_int_equal(put(UID, "", 50, 0), 1);
	assert_int_equal(put(UID, "", 0, 60), 1);
	assert_int_equal(put(UID, "team/a", 50, 60), 0);
	pod = get(UID);
	assert_string_equal(pod.owner, "team/a");
	assert_int_equal(pod.cgroup_id, 50);
	assert_int_equal(pod.netns_cookie, 60);
	assert_int_equal(pod.netns_inum, 7);
	key_names(MAP_POD_CGROUPS, 50, UID);
	key_names(MAP_POD_NETNS, 60, UID);
	assert_true(slots_by_netns(slots, 60, &pod));
	assert_string_equal(pod.uid, UID);
	count_is(1, 0);
}

/* Another source knows better. */
static void what_changes(void **state)
{
	(void)state;
	need_slots();
	put(UID, "team/a", 50, 60);
	assert_int_equal(put(UID, "team/b", 51, 61), 1);
	assert_string_equal(get(UID).owner, "team/b");
	key_names(MAP_POD_CGROUPS, 50, NULL);
	key_names(MAP_POD_CGROUPS, 51, UID);
	key_names(MAP_POD_NETNS, 60, NULL);
	key_names(MAP_POD_NETNS, 61, UID);
}

/* One cgroup, and one netns, is one pod's: of two that are said to have it the later one. */
static void two_of_one_netns(void **state)
{
	(void)state;
	need_slots();
	put(UID, "", 50, 60);
	assert_int_equal(put(OTHER, "", 50, 60), 1);
	key_names(MAP_POD_CGROUPS, 50, OTHER);
	key_names(MAP_POD_NETNS, 60, OTHER);
	assert_int_equal(get(UID).cgroup_id, 0);
	assert_int_equal(get(UID).netns_cookie, 0);
	slots_end(slots, UID);
	key_names(MAP_POD_CGROUPS, 50, OTHER);
	key_names(MAP_POD_NETNS, 60, OTHER);
}

static void the_hosts_netns(void **state)
{
	struct warden_pod pod;
	struct netns_id host;

	(void)state;
	need_slots();
	assert_int_equal(netns_self(&host, NULL), 0);
	put(UID, "", 50, 60);
	assert_int_equal(put(UID, "", 0, host.cookie), 0);
	assert_int_equal(get(UID).netns_cookie, 60);
	assert_false(slots_by_netns(slots, host.cookie, &pod));
	assert_false(slots_by_netns(slots, 0, &pod));
}

/* Without Kubernetes the owner is all there is, and may be longer than a UID. */
static void long_names(void **state)
{
	static const char one[] = "netns/cni-73dc8baf-43a0-413e-aac2-5eb0868f6c1a";
	static const char two[] = "netns/cni-73dc8baf-43a0-413e-aac2-5eb0868f6c1b";

	(void)state;
	need_slots();
	assert_int_equal(put(one, one, 0, 60), 1);
	assert_int_equal(put(two, two, 0, 61), 1);
	assert_int_equal(put(one, one, 0, 60), 0);
	assert_string_equal(get(one).owner, one);
	assert_string_equal(get(two).owner, two);
	count_is(2, 0);
	slots_end(slots, one);
	count_is(1, 0);
}

/* ---- ends ---- */

static void its_name_stays(void **state)
{
	struct warden_pod_ref ref;
	struct warden_pod pod;

	(void)state;
	need_slots();
	put(UID, "team/a", 50, 60);
	assert_true(ref_in(MAP_POD_CGROUPS, 50, &ref));
	slots_end(slots, OTHER);
	count_is(1, 0);
	slots_end(slots, UID);
	slots_end(slots, UID);
	count_is(0, 0);
	key_names(MAP_POD_CGROUPS, 50, NULL);
	key_names(MAP_POD_NETNS, 60, NULL);
	assert_false(slots_by_netns(slots, 60, &pod));
	assert_true(slots_get(slots, ref.slot, ref.generation, &pod));
	assert_string_equal(pod.owner, "team/a");
	assert_false(pod.live);
	/* The same pod again: under the same name all the time. */
	assert_int_equal(put(UID, "", 0, 0), 1);
	assert_true(slots_get(slots, ref.slot, ref.generation, &pod));
	assert_string_equal(pod.owner, "team/a");
	assert_true(pod.live);
}

static void uid_of(unsigned int n, char uid[WARDEN_UID_LEN])
{
	snprintf(uid, WARDEN_UID_LEN, "%08x-43a0-413e-aac2-5eb0868f6c1a", n);
}

static void fill(void)
{
	char uid[WARDEN_UID_LEN];

	for (unsigned int i = 0; i < WARDEN_MAX_PODS; i++) {
		uid_of(i, uid);
		assert_int_equal(put(uid, "", 1000 + i, 5000 + i), 1);
	}
}

static void full(void **state)
{
	struct warden_pod pod;

	(void)state;
	need_slots();
	fill();
	count_is(WARDEN_MAX_PODS, 0);
	assert_int_equal(put(UID, "team/a", 50, 60), -ENOSPC);
	assert_int_equal(put(UID, "team/a", 50, 60), -ENOSPC);
	count_is(WARDEN_MAX_PODS, 1); /* one pod, however often it is tried */
	assert_int_equal(put(OTHER, "team/b", 51, 61), -ENOSPC);
	count_is(WARDEN_MAX_PODS, 2);
	assert_false(slots_by_uid(slots, UID, &pod));
	key_names(MAP_POD_CGROUPS, 50, NULL);
	slots_end(slots, "000003ff-43a0-413e-aac2-5eb0868f6c1a");
	assert_int_equal(put(UID, "team/a", 50, 60), 1);
	key_names(MAP_POD_CGROUPS, 50, UID);
	count_is(WARDEN_MAX_PODS, 2);
}

/* Given away longest ended first; who names the former pod by its generation names nobody then. */
static void reused(void **state)
{
	struct warden_pod_ref first, second;
	struct warden_pod pod;

	(void)state;
	need_slots();
	fill();
	assert_true(ref_in(MAP_POD_CGROUPS, 1000 + 9, &first));
	assert_true(ref_in(MAP_POD_CGROUPS, 1000 + 4, &second));
	slots_end(slots, "00000009-43a0-413e-aac2-5eb0868f6c1a");
	slots_end(slots, "00000004-43a0-413e-aac2-5eb0868f6c1a");
	assert_int_equal(put(UID, "", 50, 0), 1);
	assert_false(slots_get(slots, first.slot, first.generation, &pod));
	assert_true(slots_get(slots, second.slot, second.generation, &pod));
	assert_true(ref_in(MAP_POD_CGROUPS, 50, &second));
	assert_int_equal(second.slot, first.slot);
	assert_int_equal(second.generation, first.generation + 1);
	assert_int_equal(get(UID).netns_cookie, 0); /* nothing is left of the former one */
	assert_false(slots_by_uid(slots, "00000009-43a0-413e-aac2-5eb0868f6c1a", &pod));
	assert_false(slots_get(slots, WARDEN_MAX_PODS, 1, &pod));
	assert_false(slots_get(slots, 0, 0, &pod));
}

/* After 2^32 pods in one slot. */
static void a_generation_is_never_0(void **state)
{
	struct warden_pod pod = { .generation = UINT32_MAX, .uid = OTHER };
	uint32_t slot;

	(void)state;
	need_slots();
	for (slot = 0; slot < WARDEN_MAX_PODS; slot++)
		assert_int_equal(bpf_map_update_elem(maps[MAP_PODS], &slot, &pod, BPF_ANY), 0);
	assert_int_equal(put(UID, "", 0, 0), 1);
	assert_int_equal(get(UID).generation, 1);
}

static bool is_other(const struct warden_pod *pod, void *ctx)
{
	(*(int *)ctx)++;
	return !strcmp(pod->uid, OTHER);
}

static void visit(const struct warden_pod *pod, void *ctx)
{
	is_other(pod, ctx);
}

static void pruned(void **state)
{
	int asked = 0;

	(void)state;
	need_slots();
	put(UID, "", 50, 60);
	put(OTHER, "", 51, 61);
	put("gone", "", 52, 62);
	slots_end(slots, "gone");
	slots_prune(slots, is_other, &asked);
	assert_int_equal(asked, 2);
	count_is(1, 0);
	assert_true(get(OTHER).live);
	asked = 0;
	slots_each(slots, visit, &asked);
	assert_int_equal(asked, 1);
}

/* ---- an earlier wardend's ---- */

static void taken_over(void **state)
{
	struct warden_pod_ref before, after, stale = { .slot = 9, .generation = 3 };
	struct warden_pod ended;
	uint64_t key = 99;
	uint32_t one = 1;

	(void)state;
	need_slots();
	put(UID, "team/a", 50, 60);
	put(OTHER, "team/b", 51, 61);
	slots_end(slots, OTHER);
	assert_true(ref_in(MAP_POD_CGROUPS, 50, &before));
	/* It was killed between two steps: an entry is missing, and one too many. */
	assert_int_equal(bpf_map_delete_elem(maps[MAP_POD_NETNS], &(uint64_t){ 60 }), 0);
	assert_int_equal(bpf_map_update_elem(maps[MAP_POD_CGROUPS], &key, &stale, BPF_ANY), 0);
	ended = get(OTHER); /* in the slot after the first one */
	ended.cgroup_id = 51;
	assert_int_equal(bpf_map_update_elem(maps[MAP_PODS], &one, &ended, BPF_ANY), 0);
	slots_close(slots);
	open_slots();
	assert_true(ref_in(MAP_POD_CGROUPS, 50, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_string_equal(get(UID).owner, "team/a");
	key_names(MAP_POD_NETNS, 60, UID);
	key_names(MAP_POD_CGROUPS, 99, NULL);
	assert_false(get(OTHER).live);
	assert_string_equal(get(OTHER).owner, "team/b");
	count_is(1, 0);
	assert_int_equal(put(OTHER, "", 51, 0), 1);
	key_names(MAP_POD_CGROUPS, 51, OTHER);
}

/* ---- records ---- */

struct record {
	const char *names[WARDEN_POD_LEVELS];
	uint64_t netns, first; /* of its process, of the first one of its PID namespace */
};

static struct warden_pod_event event_of(const struct record *r)
{
	struct warden_pod_event e = { .event = { .rule = RULE_POD_PROCESS, .netns_cookie = r->netns, .netns_inum = 8 },
				      .first_netns_cookie = r->first };

	while (e.levels < WARDEN_POD_LEVELS && r->names[e.levels]) {
		e.cgroup_id[e.levels] = 100 + e.levels;
		snprintf(e.cgroup_name[e.levels], WARDEN_CGROUP_NAME_LEN, "%s", r->names[e.levels]);
		e.levels++;
	}
	e.event.cgroup_id = 100 + e.levels - 1;
	return e;
}

static bool tell(const struct record *r)
{
	struct warden_pod_event e = event_of(r);

	return slots_event(slots, &e.event, sizeof(e));
}

static void told_by_the_kernel(void **state)
{
	const struct record burstable = { { "kubepods.slice", "kubepods-burstable.slice",
					    "kubepods-burstable-pod" UID_ ".slice", "cri-containerd-" ID ".scope" },
					  60,
					  60 };
	const struct record guaranteed = { { "kubepods", "pod" OTHER, ID }, 61, 61 };

	(void)state;
	need_slots();
	assert_true(tell(&burstable));
	assert_false(tell(&burstable));
	assert_string_equal(get(UID).owner, "pod-uid/" UID);
	assert_int_equal(get(UID).netns_cookie, 60);
	assert_int_equal(get(UID).netns_inum, 8);
	assert_int_equal(get(UID).cgroup_id, 102);
	assert_true(tell(&guaranteed));
	assert_int_equal(get(OTHER).cgroup_id, 101);
}

static void tells_nothing_of_a_pod(void **state)
{
	static const struct record records[] = {
		{ { "kubepods" }, 60, 60 },
		{ { "kubepods", "burstable" }, 60, 60 },
		{ { "kubepods", "burstable", "system" }, 60, 60 },
		{ { "kubepods", "pod73dc8baf" }, 60, 60 },
		{ { "machines", "pod" UID, ID }, 60, 60 },
		{ { NULL }, 60, 60 },
	};
	struct warden_pod_event e = event_of(&(struct record){ { "kubepods", "pod" UID, ID }, 60, 60 });

	(void)state;
	need_slots();
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		assert_false(tell(&records[i]));
	assert_false(slots_event(slots, &e.event, sizeof(e) - 1));
	e.event.rule = RULE_DEVICE_ADD;
	assert_false(slots_event(slots, &e.event, sizeof(e)));
	/* Whatever lies in a record: no name has an end, there are more levels than there can be. */
	e.event.rule = RULE_POD_PROCESS;
	memset(e.cgroup_name, 'k', sizeof(e.cgroup_name));
	e.levels = UINT32_MAX;
	assert_false(slots_event(slots, &e.event, sizeof(e)));
	count_is(0, 0);
}

static void whose_netns(void **state)
{
	const struct record conmon = { { "kubepods", "pod" UID, "crio-conmon-" ID }, 60, 60 };
	const struct record agent = { { "kubepods", "pod" UID, ID }, 60, 70 };
	const struct record nested = { { "kubepods", "pod" UID, ID }, 62, 62 };
	const struct record own = { { "kubepods", "pod" UID, ID }, 61, 61 };
	const struct record thief = { { "kubepods", "burstable", "pod" OTHER, ID }, 61, 61 };

	(void)state;
	need_slots();
	assert_true(tell(&conmon));
	assert_false(tell(&agent));
	assert_int_equal(get(UID).netns_cookie, 0);
	assert_true(tell(&own));
	assert_false(tell(&nested));
	assert_int_equal(get(UID).netns_cookie, 61);
	assert_true(tell(&thief));
	assert_int_equal(get(OTHER).netns_cookie, 0);
	key_names(MAP_POD_NETNS, 61, UID);
}

/* A sandbox that is made anew has another netns, which its processes tell. */
static void a_netns_ends(void **state)
{
	const struct record before = { { "kubepods", "pod" UID, ID }, 60, 60 };
	const struct record after = { { "kubepods", "pod" UID, ID }, 61, 61 };
	struct warden_event ended = { .rule = RULE_NETNS_END, .arg = { 60, 7 } };

	(void)state;
	need_slots();
	tell(&before);
	assert_true(slots_event(slots, &ended, sizeof(ended)));
	assert_false(slots_event(slots, &ended, sizeof(ended)));
	key_names(MAP_POD_NETNS, 60, NULL);
	assert_int_equal(get(UID).netns_cookie, 0);
	assert_true(get(UID).live);
	assert_true(tell(&after));
	key_names(MAP_POD_NETNS, 61, UID);
}

static void a_cgroup_ends(void **state)
{
	const struct record r = { { "kubepods", "pod" UID, ID }, 60, 60 };
	struct warden_event ended = { .rule = RULE_POD_END, .arg = { 102, 0 } };

	(void)state;
	need_slots();
	tell(&r);
	assert_false(slots_event(slots, &ended, sizeof(ended))); /* a container's */
	ended.arg[0] = 101;
	assert_true(slots_event(slots, &ended, sizeof(ended)));
	assert_false(slots_event(slots, &ended, sizeof(ended)));
	assert_false(get(UID).live);
}

/* The event was made before wardend had read that there is a pod. */
static void an_event_without_a_slot(void **state)
{
	const struct record r = { { "kubepods", "pod" UID, ID }, 60, 60 };
	struct warden_event ev = { .rule = RULE_EXCLUSIVE_OPEN, .cgroup_id = 102 };
	struct warden_pod pod;

	(void)state;
	need_slots();
	assert_false(slots_of_event(slots, &ev, &pod));
	tell(&r);
	assert_true(slots_of_event(slots, &ev, &pod));
	assert_string_equal(pod.uid, UID);
	slots_end(slots, UID);
	assert_true(slots_of_event(slots, &ev, &pod));
	fill(); /* until the slot is another one's */
	assert_false(slots_of_event(slots, &ev, &pod));
	ev.cgroup_id = 0;
	assert_false(slots_of_event(slots, &ev, &pod));
	/* What an event names counts, and else nothing. */
	ev = (struct warden_event){ .cgroup_id = 102, .pod_slot = 5, .pod_generation = 77 };
	assert_false(slots_of_event(slots, &ev, &pod));
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(what_becomes_known, teardown),
		cmocka_unit_test_teardown(what_changes, teardown),
		cmocka_unit_test_teardown(two_of_one_netns, teardown),
		cmocka_unit_test_teardown(the_hosts_netns, teardown),
		cmocka_unit_test_teardown(long_names, teardown),
		cmocka_unit_test_teardown(its_name_stays, teardown),
		cmocka_unit_test_teardown(full, teardown),
		cmocka_unit_test_teardown(reused, teardown),
		cmocka_unit_test_teardown(a_generation_is_never_0, teardown),
		cmocka_unit_test_teardown(pruned, teardown),
		cmocka_unit_test_teardown(taken_over, teardown),
		cmocka_unit_test_teardown(told_by_the_kernel, teardown),
		cmocka_unit_test_teardown(tells_nothing_of_a_pod, teardown),
		cmocka_unit_test_teardown(whose_netns, teardown),
		cmocka_unit_test_teardown(a_netns_ends, teardown),
		cmocka_unit_test_teardown(a_cgroup_ends, teardown),
		cmocka_unit_test_teardown(an_event_without_a_slot, teardown),
	};

	libbpf_set_print(NULL);
	return RUN_CASES("slots", cases);
}
