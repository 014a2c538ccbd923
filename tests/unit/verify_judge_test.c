// SPDX-License-Identifier: Apache-2.0
#include "verify/verify.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/test.h"
#include "lib/util.h"

/*
 * A node on which all is well: a PF (mlx5_0) with five VFs. Two pods have one each (mlx5_2, mlx5_3), a hostNetwork pod has the third
 * (mlx5_4), a named netns without Kubernetes the fourth (mlx5_5), and nobody the fifth (mlx5_6).
 */

enum { T0, T1, LAB, AGENT, IDLE, PODS };
enum { PF, VF2, VF3, VF4, VF5, VF6, DEVICES };

#define HOST 1
#define NETNS(pod) (100 + (uint64_t)(pod))
#define UVERBS 0xe7u /* 231 */

static struct model_pod pods[PODS];
static struct model_container containers[2][2];
static struct model_network networks0[3], networks1[1];
static struct model_device devices[DEVICES];
static struct model_grant granted[4], allocatable[9];
static struct contradiction contradictions[3];
static struct model model;

static struct inside_pod looked[3];
static struct inside_netdev netdevs[3][8];
static struct inside_rdma rdma[3][8];
static struct inside_node nodes[2][8];
static struct verify_inside inside;

static struct verify_policy_vfs policy[1];
static struct verify_resource resources[1];
static struct verify_device settings[5];
static struct verify_node node;

#define COPY(to, text) snprintf(to, sizeof(to), "%s", text)

/* ---- the picture ---- */

static void make_pod(size_t i, const char *namespace, const char *name)
{
	pods[i] = (struct model_pod){ .sources = 1u << POD_SOURCE_PROC,
				      .netns = { NETNS(i), 4026532000u + (uint32_t)i },
				      .cgroup = { 1000 + i, 4 },
				      .pid = 500 + 10 * (pid_t)i };
	COPY(pods[i].namespace, namespace);
	COPY(pods[i].name, name);
	snprintf(pods[i].owner, sizeof(pods[i].owner), "%s%s%s", namespace[0] ? namespace : "netns", "/", name);
	if (namespace[0])
		snprintf(pods[i].uid, sizeof(pods[i].uid), "00000000-0000-0000-0000-%012zu", i);
}

static void make_container(size_t pod, size_t i, const char *name)
{
	struct model_container *c = &containers[pod][i];

	*c = (struct model_container){ .pid = pods[pod].pid + (pid_t)i };
	snprintf(c->id, sizeof(c->id), "c%zu%zu", pod, i);
	COPY(c->name, name);
	pods[pod].containers = containers[pod];
	pods[pod].container_count = i + 1;
}

static void make_network(struct model_network *n, enum pod_source source, const char *ifname, const char *pci)
{
	*n = (struct model_network){ .source = source };
	COPY(n->ifname, ifname);
	COPY(n->pci, pci);
}

static void promise(struct model_network *n, const char *address)
{
	COPY(n->address[n->addresses++], address);
}

static void make_pods(void)
{
	make_pod(T0, "ml", "trainer-0");
	make_pod(T1, "ml", "trainer-1");
	make_pod(LAB, "", "lab");
	make_pod(AGENT, "kube-system", "agent");
	make_pod(IDLE, "ml", "idle");
	pods[LAB].pid = 0;
	pods[AGENT].host_network = true;
	pods[AGENT].netns.cookie = HOST;
	for (size_t i = 0; i < 2; i++) {
		make_container(i, 0, "");
		make_container(i, 1, "main");
	}
	make_network(&networks0[0], POD_SOURCE_API, "eth0", "");
	promise(&networks0[0], "10.1.0.5");
	make_network(&networks0[1], POD_SOURCE_API, "net1", "0000:3b:00.2");
	promise(&networks0[1], "10.7.0.2");
	promise(&networks0[1], "fd07::2");
	COPY(networks0[1].mac, "02:00:00:00:00:02");
	networks0[1].mtu = 9000;
	networks0[2] = networks0[1];
	networks0[2].source = POD_SOURCE_ATTACH;
	make_network(&networks1[0], POD_SOURCE_ATTACH, "net1", "0000:3b:00.3");
	promise(&networks1[0], "10.7.0.3");
	pods[T0].networks = networks0, pods[T0].network_count = 3;
	pods[T1].networks = networks1, pods[T1].network_count = 1;
}

static void make_device(size_t i, unsigned int number)
{
	struct model_device *d = &devices[i];

	*d = (struct model_device){ .tracked = { .index = number }, .pod = MODEL_NONE };
	snprintf(d->tracked.device.name, sizeof(d->tracked.device.name), "mlx5_%u", number);
	snprintf(d->tracked.device.parent, sizeof(d->tracked.device.parent), "0000:3b:00.%u", number);
	COPY(d->tracked.pf, number ? "ens1f0" : "");
	d->tracked.device.netns_cookie = HOST;
	d->tracked.device.uverbs = dev_to_kernel(makedev(UVERBS, number));
	snprintf(d->tracked.cdevs, sizeof(d->tracked.cdevs), "uverbs%u umad%u issm%u", number, number, number);
	for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
		d->by[s] = MODEL_NONE;
}

static void give(size_t device, size_t pod, enum pod_source source)
{
	struct model_device *d = &devices[device];

	d->pod = d->by[source] = pod;
	d->source = source;
	if (pods[pod].host_network)
		return;
	d->by[source == POD_SOURCE_NETNS ? POD_SOURCE_NETNS : POD_SOURCE_PROC] = pod;
	d->tracked.device.netns_cookie = pods[pod].netns.cookie;
	d->tracked.claimed = true;
	d->tracked.claim.netns_cookie = pods[pod].netns.cookie;
	d->tracked.claim.netns_inum = pods[pod].netns.inum;
	d->tracked.claim.cgroup_id = pods[pod].cgroup.id;
	d->tracked.claim.cgroup_level = pods[pod].cgroup.level;
	COPY(d->tracked.claim.owner, pods[pod].owner);
	COPY(d->tracked.claim.source, "cni");
}

static void make_grant(struct model_grant *g, size_t pod, const char *resource, const char *device, size_t index)
{
	*g = (struct model_grant){ .pod = pod, .index = index };
	COPY(g->resource, resource);
	COPY(g->device, device);
}

static void make_devices(void)
{
	static const char roce[] = "nvidia.com/roce";

	make_device(PF, 0);
	for (unsigned int i = VF2; i <= VF6; i++) {
		make_device(i, i + 1);
		make_grant(&allocatable[i - VF2], MODEL_NONE, roce, devices[i].tracked.device.parent, i);
	}
	give(VF2, T0, POD_SOURCE_ATTACH);
	give(VF3, T1, POD_SOURCE_KUBELET);
	give(VF4, AGENT, POD_SOURCE_KUBELET);
	give(VF5, LAB, POD_SOURCE_NETNS);
	COPY(devices[VF5].tracked.claim.owner, "team/lab");
	devices[VF5].tracked.claim.cgroup_id = 0;
	COPY(devices[VF5].tracked.netns, "lab");
	make_grant(&allocatable[5], MODEL_NONE, "nvidia.com/gpu", "GPU-1", MODEL_NONE);
	make_grant(&allocatable[6], MODEL_NONE, "intel.com/dpdk", "0000:5e:01.1", MODEL_NONE);
	make_grant(&granted[0], T0, roce, "0000:3b:00.2", VF2);
	make_grant(&granted[1], T1, roce, "0000:3b:00.3", VF3);
	make_grant(&granted[2], AGENT, roce, "0000:3b:00.4", VF4);
	make_grant(&granted[3], T1, "nvidia.com/gpu", "GPU-1", MODEL_NONE);
}

/* ---- from inside ---- */

static void make_netdev(struct inside_netdev *n, const char *name, const char *parent, uint32_t mtu, uint8_t mac)
{
	*n = (struct inside_netdev){ .up = true, .carrier = true, .mtu = mtu, .mac = { 2, 0, 0, 0, 0, mac } };
	COPY(n->name, name);
	COPY(n->parent, parent);
}

static void address(uint8_t to[16], const char *text)
{
	char mapped[64];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, to), 1);
}

static void make_rdma(struct inside_rdma *r, size_t device, const char *netdev)
{
	*r = (struct inside_rdma){ .index = devices[device].tracked.index, .port_state = 4 };
	COPY(r->name, devices[device].tracked.device.name);
	COPY(r->netdev, netdev);
	address(r->gid[0], "fe80::2");
	r->gids = 1;
}

/* On the netdev, and as a GID. */
static void configure(struct inside_netdev *n, struct inside_rdma *r, const char *text)
{
	address(n->address[n->addresses++], text);
	if (r)
		address(r->gid[r->gids++], text);
}

static void make_node(size_t pod, const char *name, const char *cdev, dev_t dev)
{
	struct inside_node *n = &nodes[pod][looked[pod].node_count++];

	*n = (struct inside_node){ .dev = dev };
	COPY(n->name, name);
	COPY(n->cdev, cdev);
	COPY(n->container, containers[pod][1].id);
}

static void make_inside(void)
{
	for (size_t i = 0; i < 3; i++)
		looked[i] = (struct inside_pod){ .pod = i,
						 .netdevs = netdevs[i],
						 .rdma = rdma[i],
						 .nodes = i < 2 ? nodes[i] : NULL,
						 .nodes_seen = i < 2 };
	make_netdev(&netdevs[T0][0], "eth0", "", 1500, 0x50);
	make_netdev(&netdevs[T0][1], "net1", "0000:3b:00.2", 9000, 2);
	make_netdev(&netdevs[T1][0], "eth0", "", 1500, 0x51);
	make_netdev(&netdevs[T1][1], "net1", "0000:3b:00.3", 9000, 3);
	make_netdev(&netdevs[LAB][0], "vf5", "0000:3b:00.5", 9000, 5);
	make_rdma(&rdma[T0][0], VF2, "net1");
	make_rdma(&rdma[T1][0], VF3, "net1");
	make_rdma(&rdma[LAB][0], VF5, "vf5");
	looked[T0].netdev_count = looked[T1].netdev_count = 2;
	looked[LAB].netdev_count = 1;
	looked[T0].rdma_count = looked[T1].rdma_count = looked[LAB].rdma_count = 1;
	configure(&netdevs[T0][0], NULL, "10.1.0.5");
	configure(&netdevs[T0][1], &rdma[T0][0], "10.7.0.2");
	configure(&netdevs[T0][1], &rdma[T0][0], "fd07::2");
	configure(&netdevs[T1][1], &rdma[T1][0], "10.7.0.3");
	for (size_t i = 0; i < 2; i++) {
		make_node(i, "rdma_cm", "rdma_cm", makedev(10, 120));
		make_node(i, "null", "", makedev(1, 3));
	}
	make_node(T0, "uverbs2", "uverbs2", makedev(UVERBS, 2));
	make_node(T0, "umad2", "umad2", makedev(UVERBS, 130));
	make_node(T1, "uverbs3", "uverbs3", makedev(UVERBS, 3));
	inside = (struct verify_inside){ .pods = looked, .count = 3 };
}

/* ---- the node ---- */

static void make_node_itself(void)
{
	node = (struct verify_node){ .exclusive_now = 1,
				     .exclusive_next_boot = 1,
				     .exclusive_by = "/etc/modprobe.d/rdma-warden.conf",
				     .enforce = true,
				     .guard = "lsm",
				     .pfs_with_vfs = 1,
				     .policy = policy,
				     .policy_count = 1,
				     .resources = resources,
				     .resource_count = 1,
				     .devices = settings,
				     .device_count = 4,
				     .sources = { { "attach", true, true, "" },
						  { "kubelet", true, true, "" },
						  { "checkpoint", false, false, "" },
						  { "api", true, true, "" } },
				     .source_count = 4 };
	policy[0] = (struct verify_policy_vfs){ "ens1f0", true, "5 VFs, MTU 9000", "5 VFs, MTU 9000", "" };
	resources[0] = (struct verify_resource){ "roce", 5, true };
	for (size_t i = 0; i < 4; i++)
		settings[i] = (struct verify_device){ devices[VF2 + i].tracked.index, "good", 9000, 1, 0, {} };
	settings[0].admin_mac[0] = settings[1].admin_mac[0] = 2;
	settings[0].admin_mac[5] = 2, settings[1].admin_mac[5] = 3;
	settings[2].marking = "none";
}

static void healthy(void)
{
	make_pods();
	make_devices();
	make_inside();
	make_node_itself();
	model = (struct model){ .host = { HOST, 4026531840u },
				.pods = pods,
				.pod_count = PODS,
				.devices = devices,
				.device_count = DEVICES,
				.granted = granted,
				.granted_count = 4,
				.allocatable = allocatable,
				.allocatable_count = 7,
				.has_granted = true,
				.has_allocatable = true,
				.contradictions = contradictions };
}

/* ---- what is heard ---- */

static struct verify_check heard[256];
static size_t heard_count;

static void hear(const struct verify_check *check, void *ctx)
{
	(void)ctx;
	assert_true(heard_count < ARRAY_SIZE(heard));
	assert_non_null(strchr(check->id, '.'));
	assert_true(check->subject[0] && check->expected[0] && check->found[0]);
	assert_true(!check->cure[0] == (check->result != VERIFY_FAIL));
	for (size_t i = 0; i < heard_count; i++) /* one result for one subject */
		assert_true(strcmp(heard[i].id, check->id) || strcmp(heard[i].owner, check->owner) ||
			    strcmp(heard[i].subject, check->subject));
	heard[heard_count++] = *check;
}

static int judge(const char *owner)
{
	heard_count = 0;
	return verify_judge(&model, &inside, &node, owner, hear, NULL, NULL);
}

static const struct verify_check *find(const char *id, const char *owner, const char *subject)
{
	for (size_t i = 0; i < heard_count; i++)
		if (!strcmp(heard[i].id, id) && !strcmp(heard[i].owner, owner) &&
		    (!subject || !strcmp(heard[i].subject, subject)))
			return &heard[i];
	return NULL;
}

static size_t count(enum verify_result result)
{
	size_t n = 0;

	for (size_t i = 0; i < heard_count; i++)
		n += heard[i].result == result;
	return n;
}

static void show(const char *title)
{
	print_error("%s:\n", title);
	for (size_t i = 0; i < heard_count; i++)
		if (heard[i].result != VERIFY_PASS)
			print_error("    %s %s [%s] %s: %s\n", verify_result_name(heard[i].result), heard[i].id,
				    heard[i].owner, heard[i].subject, heard[i].found);
}

#define A "ml/trainer-0"
#define B "ml/trainer-1"
#define L "netns/lab"
#define AG "kube-system/agent"
#define DEV2 "0000:3b:00.2"
#define DEV3 "0000:3b:00.3"
#define DEV4 "0000:3b:00.4"
#define DEV5 "0000:3b:00.5"
#define DEV6 "0000:3b:00.6"
#define DEV0 "0000:3b:00.0"

static void a_healthy_node(void **state)
{
	static const struct {
		const char *id, *owner, *subject;
	} told[] = {
		{ "exclusive.now", "", NULL },
		{ "exclusive.next-boot", "", NULL },
		{ "guard.programs", "", NULL },
		{ "guard.lost", "", NULL },
		{ "attach.quarantine", "", NULL },
		{ "sriov.enabled", "", NULL },
		{ "sriov.policy", "", "ens1f0" },
		{ "resource.name", "", "roce" },
		{ "resource.count", "", "roce" },
		{ "source.attach", "", NULL },
		{ "source.kubelet", "", NULL },
		{ "source.api", "", NULL },
		{ "device.orphan", "", NULL },
		{ "device.unclaimed", "", NULL },
		{ "resource.shared-plugin", "", NULL },
		{ "track.agree", A, NULL },
		{ "track.agree", AG, NULL },
		{ "track.agree", L, NULL },
		{ "pod.devices", A, DEV2 },
		{ "pod.devices", A, "others" },
		{ "pod.netdevs", A, "all" },
		{ "pod.interface", A, "eth0" },
		{ "pod.interface", A, "net1" },
		{ "pod.address", A, "eth0" },
		{ "pod.address", A, "net1" },
		{ "pod.mtu", A, "net1" },
		{ "pod.mac", A, "net1" },
		{ "pod.link", A, "eth0" },
		{ "pod.link", A, "net1" },
		{ "pod.link", A, DEV2 },
		{ "pod.gid", A, DEV2 },
		{ "pod.nodes", A, DEV2 },
		{ "pod.nodes", A, "rdma_cm" },
		{ "pod.nodes", A, "others" },
		{ "pod.claim", A, DEV2 },
		{ "pod.spoofchk", A, DEV2 },
		{ "pod.trust", A, DEV2 },
		{ "pod.marking", A, DEV2 },
		{ "pod.mtu", B, "net1" },
		{ "pod.mac", B, "net1" },
		{ "pod.devices", L, DEV5 },
		{ "pod.claim", L, DEV5 },
		{ "pod.mtu", L, "vf5" },
		{ "pod.marking", AG, DEV4 },
		{ "resource.device", "", "nvidia.com/roce" },
	};

	(void)state;
	healthy();
	assert_int_equal(judge(NULL), 0);
	if (count(VERIFY_PASS) != heard_count)
		show("healthy");
	assert_int_equal(count(VERIFY_PASS), heard_count);
	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (!find(told[i].id, told[i].owner, told[i].subject))
			test_fail("%s of [%s] is not told", told[i].id, told[i].owner);
}

/* What was not promised is not said to be kept. */
static void what_is_left_out(void **state)
{
	(void)state;
	healthy();
	judge(NULL);
	assert_null(find("source.checkpoint", "", NULL)); /* switched off */
	assert_null(find("pod.address", L, NULL)); /* nothing was promised */
	assert_null(find("pod.gid", L, NULL)); /* it has no address */
	assert_null(find("pod.mac", L, NULL));
	assert_null(find("pod.nodes", L, NULL)); /* it has no containers */
	assert_null(find("pod.mtu", A, "eth0"));
	assert_null(find("pod.mac", A, "eth0"));
	assert_null(find("pod.claim", AG, NULL)); /* its device stays the host's */
	assert_null(find("pod.devices", AG, NULL));
	assert_null(find("track.agree", "ml/idle", NULL));
	COPY(allocatable[4].device, "scalable-function-4"); /* an ID that tells nothing */
	allocatable[4].index = MODEL_NONE;
	judge(NULL);
	assert_int_equal(count(VERIFY_PASS), heard_count);
	node.source_count = 0;
	model.has_allocatable = false;
	model.allocatable_count = 0;
	judge(NULL);
	assert_null(find("resource.name", "", NULL));
	assert_null(find("resource.count", "", NULL));
	assert_null(find("resource.shared-plugin", "", NULL));
	assert_int_equal(count(VERIFY_PASS), heard_count);
}

static void one_pod_alone(void **state)
{
	(void)state;
	healthy();
	node.exclusive_now = 0;
	assert_int_equal(judge(A), 0);
	assert_true(heard_count > 10);
	for (size_t i = 0; i < heard_count; i++)
		assert_string_equal(heard[i].owner, A);
	assert_int_equal(count(VERIFY_PASS), heard_count);
	assert_int_equal(judge("ml/idle"), 0);
	assert_non_null(find("track.agree", "ml/idle", NULL));
	assert_int_equal(judge("ml/nobody"), -ENOENT);
	assert_int_equal(heard_count, 0);
}

/* ---- what breaks, each alone on the healthy node ---- */

#define BREAK(name, ...)       \
	static void name(void) \
	{                      \
		__VA_ARGS__;   \
	}

static void contradict(enum contradiction_rule rule, const char *device, size_t one, size_t other)
{
	struct contradiction *x = &contradictions[model.contradiction_count++];

	*x = (struct contradiction){ .rule = rule, .pods = { one, other }, .text = "one says so, another does not" };
	COPY(x->device, device);
	COPY(x->cure, "look");
}

static void see(size_t pod, size_t device)
{
	make_rdma(&rdma[pod][looked[pod].rdma_count++], device, "");
}

static void netdev(size_t pod, const char *name, const char *parent, bool is_pf)
{
	struct inside_netdev *n = &netdevs[pod][looked[pod].netdev_count++];

	make_netdev(n, name, parent, 1500, 0x60);
	n->is_pf = is_pf;
}

static void by_netns_alone(size_t device, size_t pod)
{
	give(device, pod, POD_SOURCE_PROC);
	see(pod, device);
}

static void forget_containers(size_t pod)
{
	pods[pod].container_count = 0;
	looked[pod].nodes_seen = false;
	looked[pod].node_count = 0;
}

BREAK(shared_now, node.exclusive_now = 0)
BREAK(mode_unknown, node.exclusive_now = -1)
BREAK(shared_later, node.exclusive_next_boot = 0)
BREAK(shared_later_by, node.exclusive_next_boot = 0; COPY(node.exclusive_against, "/etc/modprobe.d/ib.conf"))
BREAK(later_unknown, node.exclusive_next_boot = -1)
BREAK(program_missing, COPY(node.programs_missing, "guard_file_open"))
BREAK(no_guard, node.guard = NULL)
BREAK(events_lost, node.lost = 7; COPY(node.lost_names, "lost.events=7"))
BREAK(in_quarantine, node.quarantined = 1)
BREAK(no_vfs, node.pfs_with_vfs = 0)
BREAK(policy_not_met, policy[0].fits = false; COPY(policy[0].found, "4 VFs"))
BREAK(not_advertised, for (size_t i = 0; i < 5; i++) COPY(allocatable[i].resource, "nvidia.com/other"))
BREAK(too_few, allocatable[4] = allocatable[--model.allocatable_count])
BREAK(too_many, make_grant(&allocatable[model.allocatable_count++], MODEL_NONE, "nvidia.com/roce", DEV0, PF))
BREAK(gone, allocatable[4].index = MODEL_NONE)
BREAK(gone_beside_others, allocatable[4].index = MODEL_NONE; resources[0].rdma = false)
BREAK(all_gone, for (size_t i = 0; i < 5; i++) allocatable[i].index = MODEL_NONE)
BREAK(kubelet_silent, model.has_allocatable = false; model.allocatable_count = 0; node.sources[1].ok = false;
      COPY(node.sources[1].why, "connection refused"))
BREAK(shared_plugin, contradict(CONTRADICTION_SHARED_PLUGIN, "rdma/hca", MODEL_NONE, MODEL_NONE))
BREAK(api_silent, node.sources[3].ok = false)
BREAK(orphan, devices[VF6].tracked.orphan = devices[VF6].tracked.claimed = true)
BREAK(unclean_orphan, devices[VF6].tracked.orphan = devices[VF6].tracked.claimed = true;
      COPY(devices[VF6].tracked.unclean, "1 QP"))
BREAK(unclaimed, devices[VF2].tracked.claimed = false)
BREAK(unclaimed_in_netns, devices[VF5].tracked.claimed = false)
BREAK(two_pods, contradict(CONTRADICTION_POD, DEV2, T0, T1))
BREAK(stray, contradict(CONTRADICTION_STRAY, DEV2, T0, MODEL_NONE))
BREAK(missing, contradict(CONTRADICTION_MISSING, DEV3, T1, MODEL_NONE))
BREAK(split, contradict(CONTRADICTION_SPLIT, DEV2, MODEL_NONE, T0))
BREAK(split_at_home, contradict(CONTRADICTION_SPLIT, DEV6, MODEL_NONE, MODEL_NONE))
BREAK(of_an_ended_one, pods[IDLE].ended = true; contradict(CONTRADICTION_POD, DEV6, IDLE, MODEL_NONE))
BREAK(device_not_seen, looked[T0].rdma_count = 0)
BREAK(sees_another, see(T0, VF3))
BREAK(sees_a_free_one, see(T0, VF6))
BREAK(sees_the_pf, see(T1, PF))
BREAK(sees_an_unknown_one, see(T0, VF3); rdma[T0][1].index = 99; COPY(rdma[T0][1].name, "rxe$(x)"))
BREAK(has_the_pf_by_netns, by_netns_alone(PF, T0))
BREAK(has_a_stray_one_by_netns, by_netns_alone(VF6, T0))
BREAK(disputed, devices[VF2].pod = MODEL_NONE)
BREAK(sees_all_in_shared_mode, node.exclusive_now = 0; see(T0, VF3); see(T0, PF))
BREAK(netdev_of_the_pf, netdev(T0, "ens1f0", DEV0, true))
BREAK(netdev_of_a_pf_without_rdma, netdev(T0, "eno1", "0000:19:00.0", true))
BREAK(netdev_of_another, netdev(T0, "net2", DEV3, false))
BREAK(netdev_of_a_free_one, netdev(T1, "net2", DEV6, false))
BREAK(netdev_granted_to_another, make_grant(&granted[3], T1, "intel.com/nic", "0000:5e:01.1", MODEL_NONE);
      netdev(T0, "net2", "0000:5e:01.1", false))
BREAK(no_interface, COPY(netdevs[T1][1].name, "renamed"))
BREAK(no_default_interface, netdevs[T0][0] = netdevs[T0][1]; looked[T0].netdev_count = 1)
BREAK(address_missing, netdevs[T0][1].addresses = 1)
BREAK(address_of_another_source, promise(&networks0[2], "10.7.0.99"))
BREAK(address_of_eth0, netdevs[T0][0].addresses = 0)
BREAK(too_many_addresses, netdevs[T0][0].addresses = INSIDE_ADDRESSES + 1; memset(netdevs[T0][0].address, 1, 256))
BREAK(no_address_at_all, COPY(networks0[0].address[0], "10.1.0.x"))
BREAK(mtu_not_as_promised, netdevs[T0][1].mtu = 1500)
BREAK(mtu_not_the_pfs, netdevs[T1][1].mtu = 1500)
BREAK(mtu_not_the_pfs_in_netns, netdevs[LAB][0].mtu = 1500)
BREAK(mac_not_as_promised, netdevs[T0][1].mac[5] = 9)
BREAK(mac_not_the_pfs, settings[0].admin_mac[5] = 9)
BREAK(mac_not_the_pfs_unpromised, netdevs[T1][1].mac[5] = 9)
BREAK(mac_unreadable, COPY(networks0[1].mac, "02:00:00:00:00"))
BREAK(down, netdevs[T0][1].up = netdevs[T0][1].carrier = false)
BREAK(no_carrier, netdevs[LAB][0].carrier = false)
BREAK(port_down, rdma[T1][0].port_state = 1)
BREAK(port_unknown, rdma[T1][0].port_state = 0)
BREAK(gid_missing, rdma[T0][0].gids--)
BREAK(gids_unreadable, rdma[T0][0].gids_error = -EACCES; rdma[T0][0].gids = 0)
BREAK(too_many_gids, rdma[T0][0].gids = INSIDE_GIDS + 1; memset(rdma[T0][0].gid, 1, sizeof(rdma[T0][0].gid)))
BREAK(no_uverbs, nodes[T0][2].dev = makedev(1, 5); nodes[T0][2].cdev[0] = '\0')
BREAK(no_cm, nodes[T0][0].cdev[0] = '\0')
BREAK(uverbs_of_another, make_node(T0, "uverbs3", "uverbs3", makedev(UVERBS, 3)))
BREAK(umad_of_the_pf_by_another_name, make_node(T1, "tty0", "umad0", makedev(UVERBS, 128)))
BREAK(issm_of_another, make_node(T1, "issm22", "issm22", makedev(UVERBS, 140)))
BREAK(issm_whose_name_begins_alike, COPY(devices[VF3].tracked.cdevs, "uverbs33 umad33 issm33");
      make_node(T1, "issm3", "issm3", makedev(UVERBS, 140)))
BREAK(no_node_at_all, looked[T0].node_count = 0)
BREAK(only_the_sandbox, looked[T0].node_count = 0; pods[T0].container_count = 1)
BREAK(not_looked_into, forget_containers(T1))
BREAK(too_many_nodes, looked[T0].node_count = 2; looked[T0].nodes_cut = true)
BREAK(claimed_by_another, COPY(devices[VF2].tracked.claim.owner, B))
BREAK(claimed_for_another_netns, devices[VF2].tracked.claim.netns_cookie = NETNS(T1))
BREAK(claimed_for_another_cgroup, devices[VF2].tracked.claim.cgroup_id = 1001)
BREAK(claimed_for_all_pods, devices[VF2].tracked.claim.cgroup_id = 7; devices[VF2].tracked.claim.cgroup_level = 1)
BREAK(claimed_for_a_deeper_cgroup, devices[VF2].tracked.claim.cgroup_id = 7;
      devices[VF2].tracked.claim.cgroup_level = 5)
BREAK(netns_claimed_elsewhere, devices[VF5].tracked.claim.netns_cookie = HOST)
BREAK(spoofchk_off, settings[0].spoofchk = 0)
BREAK(spoofchk_unknown, settings[0].spoofchk = -1)
BREAK(trust_on, settings[2].trust = 1)
BREAK(trust_unknown, settings[1].trust = -1)
BREAK(marking_wrong, settings[1].marking = "wrong")
BREAK(marking_unverified, settings[1].marking = "unverified")
BREAK(netns_gone, COPY(looked[T1].error.text, "its netns is gone"))
BREAK(netns_unknown, pods[T1].netns.cookie = devices[VF3].tracked.claim.netns_cookie = 0; inside.count = 1)

#define F VERIFY_FAIL
#define U VERIFY_UNKNOWN

struct breakage {
	const char *name;
	void (*break_it)(void);
	struct {
		const char *id, *owner, *subject;
		enum verify_result result;
	} wanted[7];
};

#define CASE(name, ...)             \
	{                           \
		#name, name,        \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

static const struct breakage breakages[] = {
	CASE(shared_now, { "exclusive.now", "", "RDMA subsystem", F }),
	CASE(mode_unknown, { "exclusive.now", "", "RDMA subsystem", U }),
	CASE(shared_later, { "exclusive.next-boot", "", "RDMA subsystem", F }),
	CASE(shared_later_by, { "exclusive.next-boot", "", "RDMA subsystem", F }),
	CASE(later_unknown, { "exclusive.next-boot", "", "RDMA subsystem", U }),
	CASE(program_missing, { "guard.programs", "", "guard", F }),
	CASE(no_guard, { "guard.programs", "", "guard", F }),
	CASE(events_lost, { "guard.lost", "", "counters", F }),
	CASE(in_quarantine, { "attach.quarantine", "", "attachments", F }),
	CASE(no_vfs, { "sriov.enabled", "", "PFs", F }),
	CASE(policy_not_met, { "sriov.policy", "", "ens1f0", F }),
	CASE(not_advertised, { "resource.name", "", "roce", F }),
	CASE(too_few, { "resource.count", "", "roce", F }),
	CASE(too_many, { "resource.count", "", "roce", F }),
	CASE(gone, { "resource.device", "", DEV6, F }),
	CASE(gone_beside_others, { "resource.device", "", DEV6, F }),
	CASE(all_gone, { "resource.device", "", DEV2, F }, { "resource.device", "", DEV3, F },
	     { "resource.device", "", DEV4, F }, { "resource.device", "", DEV5, F },
	     { "resource.device", "", DEV6, F }),
	CASE(kubelet_silent, { "resource.name", "", "roce", U }, { "resource.shared-plugin", "", "resources", U },
	     { "source.kubelet", "", "kubelet", U }),
	CASE(shared_plugin, { "resource.shared-plugin", "", "rdma/hca", F }),
	CASE(api_silent, { "source.api", "", "api", U }),
	CASE(orphan, { "device.orphan", "", DEV6, F }),
	CASE(unclean_orphan, { "device.orphan", "", DEV6, F }),
	CASE(unclaimed, { "device.unclaimed", "", DEV2, F }, { "pod.claim", A, DEV2, F }),
	CASE(unclaimed_in_netns, { "device.unclaimed", "", DEV5, F }, { "pod.claim", L, DEV5, F }),
	CASE(two_pods, { "track.pod", A, DEV2, F }, { "track.pod", B, DEV2, F }),
	CASE(stray, { "track.stray", A, DEV2, F }),
	CASE(missing, { "track.missing", B, DEV3, F }),
	CASE(split, { "track.split", A, DEV2, F }),
	CASE(split_at_home, { "track.split", "", DEV6, F }),
	CASE(of_an_ended_one, { "track.pod", "ml/idle", DEV6, F }),
	CASE(device_not_seen, { "pod.devices", A, DEV2, F }),
	CASE(sees_another, { "pod.devices", A, DEV3, F }),
	CASE(sees_a_free_one, { "pod.devices", A, DEV6, F }),
	CASE(sees_the_pf, { "pod.devices", B, DEV0, F }),
	CASE(sees_an_unknown_one, { "pod.devices", A, "rxe$(x)", F }),
	CASE(has_the_pf_by_netns, { "pod.devices", A, DEV0, F }),
	CASE(has_a_stray_one_by_netns, { "pod.devices", A, DEV6, F }),
	CASE(disputed, { "pod.devices", A, DEV2, F }, { "pod.nodes", A, "others", F }),
	CASE(sees_all_in_shared_mode, { "exclusive.now", "", "RDMA subsystem", F }, { "pod.devices", A, "others", F }),
	CASE(netdev_of_the_pf, { "pod.netdevs", A, "ens1f0", F }),
	CASE(netdev_of_a_pf_without_rdma, { "pod.netdevs", A, "eno1", F }),
	CASE(netdev_of_another, { "pod.netdevs", A, "net2", F }),
	CASE(netdev_of_a_free_one, { "pod.netdevs", B, "net2", F }),
	CASE(netdev_granted_to_another, { "pod.netdevs", A, "net2", F }),
	CASE(no_interface, { "pod.interface", B, "net1", F }),
	CASE(no_default_interface, { "pod.interface", A, "eth0", F }),
	CASE(address_missing, { "pod.address", A, "net1", F }),
	CASE(address_of_another_source, { "pod.address", A, "net1", F }),
	CASE(address_of_eth0, { "pod.address", A, "eth0", F }),
	CASE(too_many_addresses, { "pod.address", A, "eth0", U }),
	CASE(no_address_at_all, { "pod.address", A, "eth0", U }),
	CASE(mtu_not_as_promised, { "pod.mtu", A, "net1", F }),
	CASE(mtu_not_the_pfs, { "pod.mtu", B, "net1", F }),
	CASE(mtu_not_the_pfs_in_netns, { "pod.mtu", L, "vf5", F }),
	CASE(mac_not_as_promised, { "pod.mac", A, "net1", F }),
	CASE(mac_not_the_pfs, { "pod.mac", A, "net1", F }),
	CASE(mac_not_the_pfs_unpromised, { "pod.mac", B, "net1", F }),
	CASE(mac_unreadable, { "pod.mac", A, "net1", U }),
	CASE(down, { "pod.link", A, "net1", F }),
	CASE(no_carrier, { "pod.link", L, "vf5", F }),
	CASE(port_down, { "pod.link", B, DEV3, F }),
	CASE(port_unknown, { "pod.link", B, DEV3, U }),
	CASE(gid_missing, { "pod.gid", A, DEV2, F }),
	CASE(gids_unreadable, { "pod.gid", A, DEV2, U }),
	CASE(too_many_gids, { "pod.gid", A, DEV2, U }),
	CASE(no_uverbs, { "pod.nodes", A, DEV2, F }),
	CASE(no_cm, { "pod.nodes", A, "rdma_cm", F }),
	CASE(uverbs_of_another, { "pod.nodes", A, "others", F }),
	CASE(umad_of_the_pf_by_another_name, { "pod.nodes", B, "others", F }),
	CASE(issm_of_another, { "pod.nodes", B, "others", F }),
	CASE(issm_whose_name_begins_alike, { "pod.nodes", B, "others", F }),
	CASE(no_node_at_all, { "pod.nodes", A, DEV2, F }, { "pod.nodes", A, "rdma_cm", F }),
	CASE(only_the_sandbox, { "pod.nodes", A, DEV2, U }, { "pod.nodes", A, "rdma_cm", U }),
	CASE(not_looked_into, { "pod.nodes", B, DEV3, U }, { "pod.nodes", B, "rdma_cm", U }),
	CASE(too_many_nodes, { "pod.nodes", A, DEV2, U }, { "pod.nodes", A, "others", U }),
	CASE(claimed_by_another, { "pod.claim", A, DEV2, F }),
	CASE(claimed_for_another_netns, { "pod.claim", A, DEV2, F }),
	CASE(claimed_for_another_cgroup, { "pod.claim", A, DEV2, F }),
	CASE(claimed_for_all_pods, { "pod.claim", A, DEV2, F }),
	CASE(claimed_for_a_deeper_cgroup, { "pod.claim", A, DEV2, U }),
	CASE(netns_claimed_elsewhere, { "pod.claim", L, DEV5, F }),
	CASE(spoofchk_off, { "pod.spoofchk", A, DEV2, F }),
	CASE(spoofchk_unknown, { "pod.spoofchk", A, DEV2, U }),
	CASE(trust_on, { "pod.trust", AG, DEV4, F }),
	CASE(trust_unknown, { "pod.trust", B, DEV3, U }),
	CASE(marking_wrong, { "pod.marking", B, DEV3, F }),
	CASE(marking_unverified, { "pod.marking", B, DEV3, U }),
	CASE(netns_gone, { "pod.devices", B, "all", U }, { "pod.interface", B, "net1", U }),
	CASE(netns_unknown, { "pod.devices", B, "all", U }, { "pod.interface", B, "net1", U },
	     { "pod.devices", L, "all", U }),
};

static void check_breakage(const struct breakage *b)
{
	size_t wanted = 0;
	bool right = true;

	healthy();
	b->break_it();
	judge(NULL);
	for (; wanted < ARRAY_SIZE(b->wanted) && b->wanted[wanted].id; wanted++) {
		const struct verify_check *c =
			find(b->wanted[wanted].id, b->wanted[wanted].owner, b->wanted[wanted].subject);

		right = right && c && c->result == b->wanted[wanted].result;
	}
	if (right && wanted && count(VERIFY_FAIL) + count(VERIFY_UNKNOWN) == wanted)
		return;
	show(b->name);
	test_fail("%s: not what was to be told", b->name);
}

static void breakages_each_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(breakages); i++)
		check_breakage(&breakages[i]);
}

/* ---- what is said ---- */

static const struct verify_check *after(void (*break_it)(void), const char *id, const char *owner, const char *subject)
{
	const struct verify_check *c;

	healthy();
	break_it();
	judge(NULL);
	c = find(id, owner, subject);
	assert_non_null(c);
	return c;
}

static void what_is_found_and_what_mends_it(void **state)
{
	(void)state;
	assert_string_equal(after(mtu_not_as_promised, "pod.mtu", A, "net1")->cure,
			    "nsenter -t 500 -n ip link set net1 mtu 9000");
	assert_string_equal(after(mtu_not_the_pfs_in_netns, "pod.mtu", L, "vf5")->cure,
			    "ip netns exec lab ip link set vf5 mtu 9000");
	COPY(devices[VF5].tracked.netns, "cni-5");
	judge(NULL);
	assert_string_equal(find("pod.mtu", L, "vf5")->cure, "ip netns exec cni-5 ip link set vf5 mtu 9000");
	assert_string_equal(after(address_missing, "pod.address", A, "net1")->cure,
			    "nsenter -t 500 -n ip address add fd07::2/PREFIX dev net1");
	assert_string_equal(after(unclaimed, "device.unclaimed", "", DEV2)->cure,
			    "wardenctl claim --device 0000:3b:00.2 --pid 500 --owner ml/trainer-0");
	assert_string_equal(after(unclaimed_in_netns, "device.unclaimed", "", DEV5)->cure,
			    "wardenctl claim --device 0000:3b:00.5 --netns lab --owner netns/lab");
	assert_string_equal(after(no_interface, "pod.interface", B, "net1")->cure,
			    "kubectl -n ml delete pod trainer-1: its next one is attached anew");
	assert_contains(after(shared_later_by, "exclusive.next-boot", "", NULL)->cure, "/etc/modprobe.d/ib.conf");
	assert_contains(after(sees_another, "pod.devices", A, DEV3)->found, "which is of ml/trainer-1");
	assert_contains(after(sees_the_pf, "pod.devices", B, DEV0)->found, "no VF, but a PF");
	assert_contains(after(disputed, "pod.devices", A, DEV2)->found, "of more than one");
	assert_contains(after(umad_of_the_pf_by_another_name, "pod.nodes", B, "others")->found, "umad0 (as tty0");
	assert_contains(after(kubelet_silent, "source.kubelet", "", NULL)->found, "connection refused");
	assert_contains(after(mac_not_the_pfs, "pod.mac", A, "net1")->cure,
			"ip link set ens1f0 vf N mac 02:00:00:00:00:02");
	assert_contains(after(gid_missing, "pod.gid", A, DEV2)->found, "fd07::2");
}

/* A pod may call its devices as it likes: a command that somebody types has no part of it. */
static void hostile_names(void **state)
{
	const struct verify_check *c;

	(void)state;
	healthy();
	netdev(T0, "a;reboot", DEV0, true);
	netdev(T0, "-rf\x1b[2J", DEV0, true);
	judge(NULL);
	c = find("pod.netdevs", A, "a;reboot");
	assert_non_null(c);
	assert_null(strchr(c->cure, ';'));
	assert_contains(c->cure, "ip link set NAME netns 1");
	assert_non_null(find("pod.netdevs", A, "-rf?[2J"));
	/* Two devices of one function are told apart. */
	healthy();
	COPY(devices[VF3].tracked.device.parent, DEV2);
	judge(NULL);
	assert_non_null(find("pod.devices", A, "mlx5_2"));
	assert_non_null(find("pod.devices", B, "mlx5_3"));
}

static void long_texts(void **state)
{
	(void)state;
	healthy();
	memset(pods[T0].name, 'n', sizeof(pods[T0].name) - 1);
	memset(pods[T0].owner, 'o', sizeof(pods[T0].owner) - 1);
	for (size_t i = 0; i < MODEL_ADDRESSES; i++) {
		memset(networks0[1].address[i], 'f', sizeof(networks0[1].address[i]) - 1);
		networks0[1].address[i][63] = '\0';
	}
	networks0[1].addresses = MODEL_ADDRESSES + 3; /* more than there is room for is not read */
	looked[T0].rdma_count = 0;
	for (size_t i = 0; i < 5; i++)
		make_node(T0, "uverbs-with-a-name-of-31-letters", "uverbs3", makedev(UVERBS, 3));
	judge(NULL);
	assert_non_null(find("pod.address", pods[T0].owner, "net1"));
	assert_int_equal(find("pod.nodes", pods[T0].owner, "others")->result, VERIFY_FAIL);
}

static void names_of_results(void **state)
{
	(void)state;
	assert_string_equal(verify_result_name(VERIFY_PASS), "pass");
	assert_string_equal(verify_result_name(VERIFY_FAIL), "fail");
	assert_string_equal(verify_result_name(VERIFY_UNKNOWN), "unknown");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_healthy_node),
		cmocka_unit_test(what_is_left_out),
		cmocka_unit_test(one_pod_alone),
		cmocka_unit_test(breakages_each_alone),
		cmocka_unit_test(what_is_found_and_what_mends_it),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(names_of_results),
	};

	return RUN_CASES("verify_judge", cases);
}
