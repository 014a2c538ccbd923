// SPDX-License-Identifier: Apache-2.0
/*
 * Pods are real netns, each held by a process; a container's root is a folder that such a process has as its root, with real device
 * nodes. The kernel here need not have RDMA devices: these are looked at in the lab.
 */
#define _GNU_SOURCE
#include "verify/verify.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/netlab.h"
#include "common/test.h"
#include "lib/util.h"

static struct model_pod pods[2];
static struct model_container containers[2];
static struct model_network networks[2];
static struct model model;
static struct verify_inside inside;
static int netns[2] = { -1, -1 };
static pid_t held[4];
static size_t held_count;

/* ---- pods ---- */

/* A process in that netns and, where it is given, with that root, until the case ends. */
static pid_t hold(int netns_fd, const char *root)
{
	int ready[2], e = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = test_fork();
	if (!pid) {
		if (setns(netns_fd, CLONE_NEWNET) || (root && (chroot(root) || chdir("/"))))
			e = errno;
		(void)!write(ready[1], &e, sizeof(e));
		for (;;)
			pause();
	}
	held[held_count++] = pid;
	close(ready[1]);
	assert_int_equal(read(ready[0], &e, sizeof(e)), sizeof(e));
	close(ready[0]);
	assert_int_equal(e, 0);
	return pid;
}

static int release(void **state)
{
	(void)state;
	for (size_t i = 0; i < held_count; i++) {
		kill(held[i], SIGKILL);
		waitpid(held[i], NULL, 0);
	}
	held_count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(netns); i++)
		util_close(&netns[i]);
	netns[0] = netns[1] = -1;
	verify_inside_free(&inside);
	return 0;
}

/* Two pods that were promised a network each, and a container of the first. */
static void make(const char *root)
{
	model = (struct model){ .pods = pods, .pod_count = 2 };
	memset(pods, 0, sizeof(pods));
	memset(networks, 0, sizeof(networks));
	for (size_t i = 0; i < 2; i++) {
		netns[i] = netlab_netns();
		assert_int_equal(netns_identify(netns[i], &pods[i].netns, NULL), 0);
		snprintf(networks[i].ifname, sizeof(networks[i].ifname), "net1");
		pods[i].networks = &networks[i];
		pods[i].network_count = 1;
	}
	containers[0] = (struct model_container){ .id = "c0", .pid = hold(netns[0], root) };
	containers[1] = (struct model_container){};
	pods[0].containers = containers;
	pods[0].container_count = 1;
	hold(netns[1], NULL);
}

static const struct inside_pod *look(size_t pod)
{
	struct netns_id before, after;
	struct err err;

	verify_inside_free(&inside);
	assert_int_equal(netns_self(&before, NULL), 0);
	assert_int_equal(verify_look(&model, &inside, &err), 0);
	assert_int_equal(netns_self(&after, NULL), 0);
	assert_true(before.cookie == after.cookie);
	for (size_t i = 0; i < inside.count; i++)
		if (inside.pods[i].pod == pod)
			return &inside.pods[i];
	return NULL;
}

static const struct inside_netdev *netdev(const struct inside_pod *in, const char *name)
{
	for (size_t i = 0; i < in->netdev_count; i++)
		if (!strcmp(in->netdevs[i].name, name))
			return &in->netdevs[i];
	return NULL;
}

static void configure(int fd, uint32_t ifindex, const struct net_address *addresses, size_t count)
{
	_cleanup_(rtnl_close) struct rtnl *nl = netlab_open(fd);
	struct net_config config = { .up = true, .addresses = addresses, .address_count = count };

	assert_int_equal(netdev_configure(nl, ifindex, &config, NULL), 0);
}

static bool has(const struct inside_netdev *n, const char *address)
{
	uint8_t wanted[16];

	assert_int_equal(inet_pton(AF_INET6, address, wanted), 1);
	for (size_t i = 0; i < n->addresses && i < INSIDE_ADDRESSES; i++)
		if (!memcmp(n->address[i], wanted, sizeof(wanted)))
			return true;
	return false;
}

/* ---- netdevs ---- */

static void netdevs_and_their_addresses(void **state)
{
	struct net_address addresses[3];
	const struct netdev_change change = { .mac = (const uint8_t[]){ 2, 0, 0, 0, 0, 7 }, .mtu = 9000 };
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	const struct inside_pod *in;
	const struct inside_netdev *n;
	uint32_t ifindex;

	(void)state;
	make(NULL);
	ifindex = netlab_veth(netns[0], "net1", "peer");
	netlab_veth(netns[1], "other", "down");
	nl = netlab_open(netns[0]);
	assert_int_equal(netdev_set(nl, ifindex, &change, NULL), 0);
	netlab_up(netns[0], "net1", "peer");
	addresses[0] = netlab_address("10.7.0.2", 24);
	addresses[1] = netlab_address("fd07::2", 64);
	addresses[2] = netlab_address("fe80::2", 64);
	configure(netns[0], ifindex, addresses, 3);
	in = look(0);
	assert_non_null(in);
	assert_string_equal(in->error.text, "");
	assert_int_equal(in->netdev_count, 3); /* with lo */
	n = netdev(in, "net1");
	assert_non_null(n);
	assert_int_equal(n->ifindex, ifindex);
	assert_int_equal(n->mtu, 9000);
	assert_memory_equal(n->mac, change.mac, 6);
	assert_true(n->up && n->carrier && !n->is_pf && !n->parent[0]);
	assert_int_equal(n->addresses, 2);
	assert_true(has(n, "::ffff:10.7.0.2") && has(n, "fd07::2"));
	assert_null(netdev(in, "other"));
	assert_int_equal(in->rdma_count, 0);
	in = look(1);
	assert_string_equal(in->error.text, "");
	n = netdev(in, "other");
	assert_non_null(n);
	assert_true(!n->up && !n->carrier && !n->addresses);
	assert_null(netdev(in, "net1"));
}

static void up_without_carrier(void **state)
{
	const struct netdev_change up = { .state = NETDEV_UP };
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	const struct inside_netdev *n;
	uint32_t ifindex;

	(void)state;
	make(NULL);
	ifindex = netlab_veth(netns[0], "net1", "peer");
	nl = netlab_open(netns[0]);
	assert_int_equal(netdev_set(nl, ifindex, &up, NULL), 0);
	n = netdev(look(0), "net1");
	assert_true(n->up && !n->carrier);
}

static void more_addresses_than_there_is_room_for(void **state)
{
	struct net_address addresses[INSIDE_ADDRESSES + 4];
	const struct inside_netdev *n;
	uint32_t ifindex;
	char text[32];

	(void)state;
	make(NULL);
	ifindex = netlab_veth(netns[0], "net1", "peer");
	for (unsigned int i = 0; i < ARRAY_SIZE(addresses); i++) {
		snprintf(text, sizeof(text), "10.7.0.%u", i + 1);
		addresses[i] = netlab_address(text, 24);
	}
	configure(netns[0], ifindex, addresses, ARRAY_SIZE(addresses));
	n = netdev(look(0), "net1");
	assert_int_equal(n->addresses, ARRAY_SIZE(addresses));
	assert_true(has(n, "::ffff:10.7.0.16") && !has(n, "::ffff:10.7.0.17"));
}

/* ---- which pods ---- */

static void pods_that_are_not_looked_into(void **state)
{
	(void)state;
	make(NULL);
	pods[0].host_network = true;
	assert_null(look(0));
	pods[0].host_network = false, pods[0].ended = true;
	assert_null(look(0));
	pods[0].ended = false, pods[0].network_count = 0;
	assert_null(look(0)); /* it has nothing, and nothing was promised */
	pods[0].network_count = 1, pods[0].netns.cookie = 0;
	assert_null(look(0));
	assert_int_equal(inside.count, 1);
	assert_non_null(look(1));
}

static void a_device_or_a_grant_is_enough(void **state)
{
	struct model_grant grant = { .pod = 0, .index = MODEL_NONE };
	struct model_device device = { .pod = MODEL_NONE };

	(void)state;
	make(NULL);
	pods[0].network_count = 0;
	model.granted = &grant, model.granted_count = 1;
	assert_non_null(look(0));
	model.granted_count = 0;
	for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
		device.by[s] = MODEL_NONE;
	model.devices = &device, model.device_count = 1;
	assert_null(look(0));
	device.by[POD_SOURCE_CHECKPOINT] = 0; /* though another source contradicts it */
	assert_non_null(look(0));
	device.by[POD_SOURCE_CHECKPOINT] = MODEL_NONE, device.pod = 0;
	assert_non_null(look(0));
}

static void a_netns_that_is_gone(void **state)
{
	const struct inside_pod *in;

	(void)state;
	make(NULL);
	pods[0].netns.cookie = UINT64_MAX - 1;
	in = look(0);
	assert_non_null(in);
	assert_contains(in->error.text, "gone");
	assert_int_equal(in->netdev_count, 0);
	assert_string_equal(look(1)->error.text, "");
}

/* ---- nodes ---- */

static const char *root_path(const char *name)
{
	static char path[2][512];
	static unsigned int turn;
	char *to = path[turn++ % 2];

	assert_int_equal(try_snprintf(to, 512, "%s/root/%s", temp_dir(), name), 0);
	return to;
}

static void make_node(const char *path, unsigned int maj, unsigned int min)
{
	if (mknod(path, S_IFCHR | 0600, makedev(maj, min)))
		skip_because("no device nodes can be made here: %s", strerror(errno));
}

static void remove_root(void)
{
	char command[600];

	assert_int_equal(try_snprintf(command, sizeof(command), "rm -rf %s/root %s/outside", temp_dir(), temp_dir()),
			 0);
	assert_int_equal(system(command), 0);
}

/* With an empty dev/infiniband; a sibling `outside` has nodes that no container has. */
static void make_root(void)
{
	char path[512];

	if (geteuid())
		skip_because("not root");
	remove_root();
	assert_int_equal(make_dirs(root_path("dev/infiniband")), 0);
	assert_int_equal(try_snprintf(path, sizeof(path), "%s/outside/infiniband", temp_dir()), 0);
	assert_int_equal(make_dirs(path), 0);
	assert_int_equal(try_snprintf(path, sizeof(path), "%s/outside/infiniband/uverbs9", temp_dir()), 0);
	make_node(path, 231, 9);
}

static void nodes_of_a_container(void **state)
{
	const struct inside_pod *in;
	bool uverbs = false, odd = false;

	(void)state;
	make_root();
	make_node(root_path("dev/infiniband/uverbs0"), 231, 192);
	make_node(root_path("dev/infiniband/\x1b[2J\xff"), 10, 200);
	assert_int_equal(mkfifo(root_path("dev/infiniband/fifo"), 0600), 0);
	assert_int_equal(mkdir(root_path("dev/infiniband/by-path"), 0700), 0);
	assert_int_equal(mknod(root_path("dev/infiniband/block"), S_IFBLK | 0600, makedev(231, 1)), 0);
	assert_int_equal(mknod(root_path("dev/infiniband/file"), S_IFREG | 0600, 0), 0);
	assert_int_equal(symlink("uverbs0", root_path("dev/infiniband/link")), 0);
	make(root_path(""));
	in = look(0);
	assert_true(in->nodes_seen && !in->nodes_cut);
	assert_int_equal(in->node_count, 2);
	for (size_t i = 0; i < in->node_count; i++) {
		const struct inside_node *n = &in->nodes[i];

		assert_string_equal(n->container, "c0");
		assert_string_equal(n->cdev, "");
		uverbs = uverbs || (!strcmp(n->name, "uverbs0") && n->dev == makedev(231, 192));
		odd = odd || (!strcmp(n->name, "?[2J?") && n->dev == makedev(10, 200));
	}
	assert_true(uverbs && odd);
	in = look(1);
	assert_true(!in->nodes_seen && !in->node_count); /* it has no container */
}

static void expect_no_nodes(void)
{
	const struct inside_pod *in;

	make(root_path(""));
	in = look(0);
	assert_true(in->nodes_seen);
	assert_int_equal(in->node_count, 0);
	release(NULL);
}

/* The container's root is its own to fill. */
static void links_that_lead_out(void **state)
{
	char target[512];

	(void)state;
	make_root();
	assert_int_equal(try_snprintf(target, sizeof(target), "%s/outside/infiniband", temp_dir()), 0);
	assert_int_equal(rmdir(root_path("dev/infiniband")), 0);
	assert_int_equal(symlink(target, root_path("dev/infiniband")), 0);
	expect_no_nodes();
	assert_int_equal(unlink(root_path("dev/infiniband")), 0);
	assert_int_equal(symlink("../../outside/infiniband", root_path("dev/infiniband")), 0);
	expect_no_nodes();
	assert_int_equal(unlink(root_path("dev/infiniband")), 0);
	assert_int_equal(rmdir(root_path("dev")), 0);
	assert_int_equal(symlink("../outside", root_path("dev")), 0);
	expect_no_nodes();
	assert_int_equal(unlink(root_path("dev")), 0);
	assert_int_equal(symlink("dev", root_path("dev")), 0); /* a loop */
	expect_no_nodes();
	assert_int_equal(unlink(root_path("dev")), 0);
	assert_int_equal(mknod(root_path("dev"), S_IFREG | 0600, 0), 0);
	expect_no_nodes();
	assert_int_equal(unlink(root_path("dev")), 0);
	expect_no_nodes();
}

/* The same links, where they stay inside, are followed as a process of the container follows them. */
static void links_that_stay_inside(void **state)
{
	(void)state;
	make_root();
	assert_int_equal(rename(root_path("dev/infiniband"), root_path("elsewhere")), 0);
	make_node(root_path("elsewhere/uverbs0"), 231, 192);
	assert_int_equal(symlink("/elsewhere", root_path("dev/infiniband")), 0);
	make(root_path(""));
	assert_int_equal(look(0)->node_count, 1);
}

/* /proc/PID/root and its like lead anywhere. */
static void magic_links(void **state)
{
	const struct inside_pod *in;
	char bind[512], target[64];
	_cleanup_close_ int outside = -1;

	(void)state;
	make_root();
	assert_int_equal(rmdir(root_path("dev/infiniband")), 0);
	assert_int_equal(make_dirs(root_path("proc")), 0);
	if (private_mounts())
		skip_because("no private mounts here");
	assert_int_equal(try_snprintf(bind, sizeof(bind), "mount -t proc proc %s", root_path("proc")), 0);
	if (system(bind))
		skip_because("no procfs can be mounted here");
	assert_int_equal(try_snprintf(target, sizeof(target), "%.40s/outside/infiniband", temp_dir()), 0);
	outside = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(outside >= 0);
	assert_int_equal(try_snprintf(target, sizeof(target), "/proc/%d/fd/%d", getpid(), outside), 0);
	assert_int_equal(symlink(target, root_path("dev/infiniband")), 0);
	make(root_path(""));
	in = look(0);
	assert_int_equal(in->node_count, 0);
	release(NULL);
	assert_int_equal(try_snprintf(bind, sizeof(bind), "umount %s", root_path("proc")), 0);
	assert_int_equal(system(bind), 0);
}

static void a_process_that_is_not_the_pods(void **state)
{
	(void)state;
	make_root();
	make_node(root_path("dev/infiniband/uverbs0"), 231, 192);
	make(root_path(""));
	assert_int_equal(look(0)->node_count, 1);
	/* As if the PID had been given to a process of another pod. */
	containers[0].pid = hold(netns[1], root_path(""));
	assert_true(!look(0)->nodes_seen && !look(0)->node_count);
	kill(held[0], SIGKILL);
	waitpid(held[0], NULL, 0);
	containers[0].pid = held[0];
	held[0] = hold(netns[0], NULL);
	held_count--;
	assert_true(!look(0)->nodes_seen);
	containers[0].pid = 0;
	assert_true(!look(0)->nodes_seen);
}

static void more_nodes_than_are_looked_at(void **state)
{
	const struct inside_pod *in;
	char name[64];

	(void)state;
	make_root();
	for (unsigned int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "dev/infiniband/n%u", i);
		make_node(root_path(name), 1, i % 256);
	}
	make(root_path(""));
	containers[1] = containers[0];
	pods[0].container_count = 2;
	in = look(0);
	assert_true(in->nodes_seen && in->nodes_cut);
	assert_int_equal(in->node_count, 256);
}

static void more_entries_than_are_looked_at(void **state)
{
	const struct inside_pod *in;
	char name[64];

	(void)state;
	make_root();
	for (unsigned int i = 0; i < 4200; i++) {
		snprintf(name, sizeof(name), "dev/infiniband/f%u", i);
		assert_int_equal(mknod(root_path(name), S_IFREG | 0600, 0), 0);
	}
	make(root_path(""));
	in = look(0);
	assert_true(in->nodes_seen && in->nodes_cut);
	assert_int_equal(in->node_count, 0);
	remove_root();
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(netdevs_and_their_addresses, release),
		cmocka_unit_test_teardown(up_without_carrier, release),
		cmocka_unit_test_teardown(more_addresses_than_there_is_room_for, release),
		cmocka_unit_test_teardown(pods_that_are_not_looked_into, release),
		cmocka_unit_test_teardown(a_device_or_a_grant_is_enough, release),
		cmocka_unit_test_teardown(a_netns_that_is_gone, release),
		cmocka_unit_test_teardown(nodes_of_a_container, release),
		cmocka_unit_test_teardown(links_that_lead_out, release),
		cmocka_unit_test_teardown(links_that_stay_inside, release),
		cmocka_unit_test_teardown(magic_links, release),
		cmocka_unit_test_teardown(a_process_that_is_not_the_pods, release),
		cmocka_unit_test_teardown(more_nodes_than_are_looked_at, release),
		cmocka_unit_test_teardown(more_entries_than_are_looked_at, release),
	};

	return RUN_CASES("verify_inside", cases);
}
