// SPDX-License-Identifier: Apache-2.0
/*
 * Who executes what in which cgroup and netns, by real processes; the slots that wardend makes of it; and whom the events of
 * the programs name.
 */
#define _GNU_SOURCE
#include "track/slots.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/cgroup.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "loader/loader.h"
#include "pods_test.skel.h" /* needs warden.h */

#define UID "73dc8baf-43a0-413e-aac2-5eb0868f6c1a"
#define UID_ "73dc8baf_43a0_413e_aac2_5eb0868f6c1a"
#define OTHER "90b1ecb8-b850-451a-97c6-c073b5ddbb53"
#define ID "1111111111111111111111111111111111111111111111111111111111111111"
#define ID_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define POD "kubepods/burstable/pod" UID
#define AGENT "kubepods/pod" OTHER

static struct pods_test_bpf *skel;
static struct ring_buffer *ring;
static struct slots *slots;
static char base[64]; /* what all cgroups of this test are in */
static struct warden_event last; /* of make_event */
static unsigned int records, ends; /* since the case began */

/* Stands for the loader: the maps are the skeleton's, as user/loader/loader.h has loader_map(). */
int loader_map(const struct loader *loader, enum loader_map map)
{
	(void)loader;
	return bpf_map__fd(map == MAP_PODS          ? skel->maps.pods
			   : map == MAP_POD_CGROUPS ? skel->maps.pod_cgroups
			   : map == MAP_POD_NETNS   ? skel->maps.pod_netns
						    : skel->maps.counters);
}

/* ---- cgroups and processes ---- */

static const char *cgroup_dir(const char *cgroup)
{
	static char path[512];

	assert_int_equal(try_snprintf(path, sizeof(path), CGROUP_ROOT "/%s/%s", base, cgroup), 0);
	return path;
}

static uint64_t cgroup_id(const char *cgroup)
{
	struct stat st;

	assert_int_equal(stat(cgroup_dir(cgroup), &st), 0);
	return st.st_ino;
}

static void make_cgroup(const char *cgroup)
{
	assert_int_equal(make_dirs(cgroup_dir(cgroup)), 0);
}

static int remove_dir(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)where;
	return type == FTW_DP ? rmdir(path) : 0;
}

static void remove_cgroup(const char *cgroup)
{
	assert_int_equal(nftw(cgroup_dir(cgroup), remove_dir, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

/* What a process is before it does its work. */
enum place {
	HERE = 0, /* in the cgroup, and else where this test is */
	NETNS = 1, /* in a netns of its own, as an agent of the node that has entered one */
	CONTAINER = 3, /* in a netns and a PID namespace of its own */
};

static void into_cgroup(const char *cgroup)
{
	char procs[600];
	_cleanup_close_ int fd = -1;

	if (try_snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup_dir(cgroup)))
		_exit(1);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(2);
}

static void make_event(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.make_event), &opts))
		_exit(3);
}

static void execute(void)
{
	execl("/bin/true", "true", NULL);
	_exit(4);
}

static int in_child(void (*work)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		work();
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? 5 : 0;
}

/* Does `work` in the cgroup ("": where this test is). `netns`: a descriptor to enter first, or -1. */
static void run_in(const char *cgroup, enum place place, int netns, void (*work)(void))
{
	int status, flags = (place & NETNS ? CLONE_NEWNET : 0) | (place == CONTAINER ? CLONE_NEWPID : 0);
	pid_t pid = test_fork();

	if (!pid) {
		if (cgroup[0])
			into_cgroup(cgroup);
		if (netns >= 0 && setns(netns, CLONE_NEWNET))
			_exit(6);
		if (unshare(flags))
			_exit(7);
		_exit(in_child(work));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void exec_in(const char *cgroup, enum place place)
{
	run_in(cgroup, place, -1, execute);
}

/* ---- frame ---- */

static int on_event(void *ctx, void *data, size_t size)
{
	const struct warden_event *ev = data;

	(void)ctx;
	records += ev->rule == RULE_POD_PROCESS;
	ends += ev->rule == RULE_POD_END;
	if (ev->rule == RULE_DEVICE_ADD)
		last = *ev;
	slots_event(slots, ev, size);
	return 0;
}

static void drain(void)
{
	assert_true(ring_buffer__consume(ring) >= 0);
}

static bool load(void)
{
	struct bpf_map *map;
	int r;

	skel = pods_test_bpf__open();
	assert_non_null(skel);
	/* The maps are this process' own: what a wardend has pinned is not touched. */
	bpf_object__for_each_map(map, skel->obj) bpf_map__set_pin_path(map, NULL);
	r = pods_test_bpf__load(skel);
	if (!r)
		r = pods_test_bpf__attach(skel);
	if (r) {
		pods_test_bpf__destroy(skel);
		skel = NULL;
	}
	return !r;
}

static void set_pods(const char *cgroup)
{
	struct warden_settings settings = { .pods[2] = { .id = cgroup_id(cgroup), .level = 2 } };
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.settings), &zero, &settings, BPF_ANY), 0);
}

/* For each case. The cgroup v2 hierarchy is where wardend expects it, wherever the machine has it. */
static void need_programs(void)
{
	struct stat st;

	if (private_mounts())
		skip_because("no private mounts here");
	if ((stat(CGROUP_ROOT "/cgroup.controllers", &st) && mount("none", CGROUP_ROOT, "cgroup2", 0, NULL)) ||
	    stat(CGROUP_ROOT, &st) || st.st_ino != 1)
		skip_because("no cgroup v2 hierarchy, or not its root");
	if (!load())
		skip_because("the kernel does not load the programs: %s", strerror(errno));
	assert_int_equal(try_snprintf(base, sizeof(base), "rdma-warden-test-%d", getpid()), 0);
	assert_int_equal(slots_open(&slots, NULL, NULL), 0);
	ring = ring_buffer__new(bpf_map__fd(skel->maps.events), on_event, NULL, NULL);
	assert_non_null(ring);
	records = ends = 0;
	make_cgroup("kubepods");
	set_pods("kubepods");
}

static int teardown(void **state)
{
	(void)state;
	if (!base[0])
		return 0;
	ring_buffer__free(ring);
	slots_close(slots);
	pods_test_bpf__destroy(skel);
	remove_cgroup("");
	base[0] = '\0';
	return 0;
}

/* ---- cases ---- */

/* A pod's process in a container of its own netns, and where the pod's own cgroup is. */
static void known_by_path(const char *root, const char *pod, const char *container)
{
	char cgroup[400];
	struct warden_pod found;

	make_cgroup(root);
	set_pods(root);
	assert_int_equal(try_snprintf(cgroup, sizeof(cgroup), "%s/%s", pod, container), 0);
	make_cgroup(cgroup);
	exec_in(cgroup, CONTAINER);
	drain();
	if (!slots_by_uid(slots, UID, &found))
		test_fail("not known: %s", cgroup);
	assert_string_equal(found.owner, "pod-uid/" UID);
	assert_true(found.live);
	assert_int_equal(found.cgroup_id, cgroup_id(pod));
	assert_true(found.netns_cookie);
	remove_cgroup(root);
	drain();
	assert_true(slots_by_uid(slots, UID, &found));
	assert_false(found.live);
}

static void every_kind_of_path(void **state)
{
	static const struct {
		const char *root, *pod, *container;
	} kinds[] = {
		{ "kubepods.slice", "kubepods.slice/kubepods-pod" UID_ ".slice", "cri-containerd-" ID ".scope" },
		{ "kubepods.slice", "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice",
		  "cri-containerd-" ID ".scope" },
		{ "kubepods.slice", "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice",
		  "cri-containerd-" ID ".scope" },
		{ "kubepods.slice", "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice",
		  "crio-" ID ".scope" },
		{ "kubepods.slice", "kubepods.slice/kubepods-pod" UID_ ".slice", "crio-" ID ".scope/container" },
		{ "k8s-kubepods.slice",
		  "k8s-kubepods.slice/k8s-kubepods-burstable.slice/k8s-kubepods-burstable-pod" UID_ ".slice",
		  "cri-containerd-" ID ".scope" },
		{ "kubepods", "kubepods/pod" UID, ID },
		{ "kubepods", "kubepods/burstable/pod" UID, ID },
		{ "kubepods", "kubepods/besteffort/pod" UID, ID "/init.scope" },
		{ "kubepods", "kubepods/burstable/pod" UID, "crio-" ID },
	};

	(void)state;
	need_programs();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known_by_path(kinds[i].root, kinds[i].pod, kinds[i].container);
	assert_int_equal(records, ARRAY_SIZE(kinds));
	assert_true(ends >= (int)ARRAY_SIZE(kinds)); /* also of what is above or below a pod's own */
}

static void outside_of_pods(void **state)
{
	(void)state;
	need_programs();
	make_cgroup("system/pod" UID "/" ID);
	exec_in("", HERE);
	exec_in("system/pod" UID "/" ID, CONTAINER);
	exec_in("", CONTAINER);
	drain();
	assert_int_equal(records, 0);
}

static void told_once(void **state)
{
	struct warden_pod before, after;

	(void)state;
	need_programs();
	make_cgroup(POD "/" ID);
	exec_in(POD "/" ID, HERE);
	exec_in(POD "/" ID, HERE);
	drain();
	assert_int_equal(records, 1);
	exec_in(POD "/" ID, CONTAINER);
	drain();
	assert_int_equal(records, 2);
	assert_true(slots_by_uid(slots, UID, &before));
	exec_in(POD "/" ID, CONTAINER); /* a nested container: not the pod's netns */
	drain();
	assert_int_equal(records, 3);
	assert_true(slots_by_uid(slots, UID, &after));
	assert_memory_equal(&before, &after, sizeof(before));
}

static uint64_t counter(uint32_t which)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc((size_t)cpus, sizeof(*values));
	uint64_t sum = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.counters), &which, values), 0);
	for (int cpu = 0; cpu < cpus; cpu++)
		sum += values[cpu];
	return sum;
}

/* Where the ring is full nothing is noted as told. */
static void told_again_after_a_loss(void **state)
{
	struct warden_pod pod;

	(void)state;
	need_programs();
	make_cgroup(POD "/" ID);
	while (!counter(COUNTER_LOST_EVENTS))
		make_event();
	exec_in(POD "/" ID, HERE);
	drain();
	assert_int_equal(records, 0);
	exec_in(POD "/" ID, HERE);
	drain();
	assert_int_equal(records, 1);
	assert_true(slots_by_uid(slots, UID, &pod));
}

/* Beside the containers: its cgroup tells the pod, its netns does not. */
static void the_runtimes_own(void **state)
{
	struct warden_pod pod;

	(void)state;
	need_programs();
	make_cgroup(POD "/crio-conmon-" ID);
	exec_in(POD "/crio-conmon-" ID, CONTAINER);
	drain();
	assert_true(slots_by_uid(slots, UID, &pod));
	assert_int_equal(pod.cgroup_id, cgroup_id(POD));
	assert_int_equal(pod.netns_cookie, 0);
	make_cgroup(POD "/" ID);
	exec_in(POD "/" ID, CONTAINER);
	drain();
	assert_true(slots_by_uid(slots, UID, &pod));
	assert_true(pod.netns_cookie);
}

/* A pod of the host's netns whose process has entered another netns and executes something there. */
static void who_has_entered_a_netns(void **state)
{
	struct warden_pod pod;

	(void)state;
	need_programs();
	make_cgroup(AGENT "/" ID);
	exec_in(AGENT "/" ID, HERE);
	exec_in(AGENT "/" ID, NETNS);
	drain();
	assert_int_equal(records, 2);
	assert_true(slots_by_uid(slots, OTHER, &pod));
	assert_int_equal(pod.cgroup_id, cgroup_id(AGENT));
	assert_int_equal(pod.netns_cookie, 0);
}

/* What lived for a moment, and is read late. */
static void gone_before_it_was_read(void **state)
{
	struct warden_pod pod;

	(void)state;
	need_programs();
	make_cgroup(POD "/" ID);
	exec_in(POD "/" ID, CONTAINER);
	run_in(POD "/" ID, HERE, -1, make_event);
	remove_cgroup(POD);
	drain();
	assert_true(ends > 0); /* though nobody had known it as a pod's */
	assert_true(slots_by_uid(slots, UID, &pod));
	assert_false(pod.live);
	assert_true(slots_of_event(slots, &last, &pod));
	assert_string_equal(pod.uid, UID);
}

/* What another source has seen of a pod before its end, and says after it. */
static void a_late_word(void **state)
{
	struct slot_pod known = { .uid = UID, .owner = "" };
	struct warden_pod before, after;

	(void)state;
	need_programs();
	make_cgroup(POD "/" ID);
	exec_in(POD "/" ID, CONTAINER);
	drain();
	known.cgroup_id = cgroup_id(POD);
	remove_cgroup(POD);
	drain();
	assert_true(slots_by_uid(slots, UID, &before));
	assert_int_equal(slots_put(slots, &known), 0);
	assert_true(slots_by_uid(slots, UID, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	known.owner = "team/a";
	assert_int_equal(slots_put(slots, &known), 1);
	assert_true(slots_by_uid(slots, UID, &after));
	assert_string_equal(after.owner, "team/a");
	assert_false(after.live);
	make_cgroup(POD);
	known.cgroup_id = cgroup_id(POD);
	assert_int_equal(slots_put(slots, &known), 1);
	assert_true(slots_by_uid(slots, UID, &after));
	assert_true(after.live);
}

/* ---- whom an event names ---- */

static void names(const char *uid)
{
	struct warden_pod pod;

	drain();
	if (!uid) {
		assert_int_equal(last.pod_generation, 0);
		return;
	}
	assert_true(last.pod_generation);
	assert_true(slots_get(slots, last.pod_slot, last.pod_generation, &pod));
	assert_string_equal(pod.uid, uid);
}

static void by_cgroup(void **state)
{
	(void)state;
	need_programs();
	make_cgroup(AGENT "/" ID);
	make_cgroup(POD "/" ID "/deeper/and/deeper");
	make_cgroup("kubepods/system");
	exec_in(POD "/" ID, CONTAINER);
	exec_in(AGENT "/" ID, CONTAINER);
	drain();
	run_in(POD "/" ID, HERE, -1, make_event);
	names(UID);
	run_in(POD "/" ID "/deeper/and/deeper", NETNS, -1, make_event);
	names(UID);
	run_in(POD, HERE, -1, make_event);
	names(UID);
	run_in(AGENT "/" ID, HERE, -1, make_event);
	names(OTHER);
	run_in("kubepods/system", HERE, -1, make_event);
	names(NULL);
	run_in("kubepods", HERE, -1, make_event);
	names(NULL);
	run_in("", HERE, -1, make_event);
	names(NULL);
}

/* A pod without Kubernetes is known by its netns. One with a cgroup is not: others enter its netns. */
static void by_netns(void **state)
{
	struct slot_pod known = { .uid = "netns/a", .owner = "netns/a" };
	struct netns_id id;
	_cleanup_close_ int own = netns_open(NULL, getpid(), NULL), other = -1;

	(void)state;
	need_programs();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	other = netns_open(NULL, getpid(), NULL);
	assert_int_equal(netns_identify(other, &id, NULL), 0);
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	known.netns_cookie = id.cookie;
	known.netns_inum = id.inum;
	assert_int_equal(slots_put(slots, &known), 1);
	run_in("", HERE, other, make_event);
	names("netns/a");
	make_cgroup(AGENT "/" ID);
	exec_in(AGENT "/" ID, HERE);
	drain();
	run_in(AGENT "/" ID, HERE, other, make_event);
	names(OTHER); /* who it is, wherever it has gone */
	make_cgroup("system");
	known.cgroup_id = cgroup_id("system");
	assert_int_equal(slots_put(slots, &known), 1);
	run_in("", HERE, other, make_event);
	names(NULL);
}

/* The slot of a pod that has ended names nobody else, and a later pod's events do not name the former one. */
static void after_its_end(void **state)
{
	struct warden_event first;
	struct warden_pod pod;

	(void)state;
	need_programs();
	make_cgroup(POD "/" ID);
	exec_in(POD "/" ID, CONTAINER);
	drain();
	run_in(POD "/" ID, HERE, -1, make_event);
	names(UID);
	first = last;
	remove_cgroup(POD);
	drain();
	assert_int_equal(ends, 1);
	names(UID); /* its name is kept */
	make_cgroup(AGENT "/" ID_2);
	exec_in(AGENT "/" ID_2, CONTAINER);
	drain();
	run_in(AGENT "/" ID_2, HERE, -1, make_event);
	names(OTHER);
	assert_true(slots_of_event(slots, &first, &pod));
	assert_string_equal(pod.uid, UID);
}

/* Ids of different hierarchies are equal sometimes. The kernel keeps the empty one of this case. */
static void a_cgroup_of_v1(void **state)
{
	const char *root = temp_path("v1");
	struct warden_pod_ref ref = { .slot = 0, .generation = 1 };
	char cgroup[300];
	struct stat st;

	(void)state;
	need_programs();
	assert_int_equal(make_dirs(root), 0);
	if (mount("none", root, "cgroup", 0, "none,name=rdma-warden-test"))
		return; /* a kernel without v1 has no such ids */
	assert_int_equal(try_snprintf(cgroup, sizeof(cgroup), "%s/pod", root), 0);
	assert_int_equal(mkdir(cgroup, 0755), 0);
	assert_int_equal(stat(cgroup, &st), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.pod_cgroups), &(uint64_t){ st.st_ino }, &ref, 0),
			 0);
	assert_int_equal(rmdir(cgroup), 0);
	drain();
	assert_int_equal(ends, 0);
	assert_int_equal(umount(root), 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(every_kind_of_path, teardown),
		cmocka_unit_test_teardown(outside_of_pods, teardown),
		cmocka_unit_test_teardown(told_once, teardown),
		cmocka_unit_test_teardown(told_again_after_a_loss, teardown),
		cmocka_unit_test_teardown(the_runtimes_own, teardown),
		cmocka_unit_test_teardown(who_has_entered_a_netns, teardown),
		cmocka_unit_test_teardown(gone_before_it_was_read, teardown),
		cmocka_unit_test_teardown(a_late_word, teardown),
		cmocka_unit_test_teardown(by_cgroup, teardown),
		cmocka_unit_test_teardown(by_netns, teardown),
		cmocka_unit_test_teardown(after_its_end, teardown),
		cmocka_unit_test_teardown(a_cgroup_of_v1, teardown),
	};

	libbpf_set_print(NULL);
	return RUN_CASES("pods", cases);
}
