// SPDX-License-Identifier: Apache-2.0
/*
 * The netdev operations as a build with FAULTS=1 has them, whatever this build is: each of their fault points fails once, and
 * what is true of the netdev then can be told by looking.
 */
#define _GNU_SOURCE
#undef WARDEN_FAULTS
#define WARDEN_FAULTS
#include "lib/fault.c"
#include "net/address.c"
#include "net/netops.c"
#include "net/sysctl.c"

#include <sys/wait.h>

#include "common/netlab.h"
#include "common/test.h"
#include "net/netdev.h"

#define _cleanup_rtnl_ _cleanup_(rtnl_close)

struct node {
	int netns, target;
	struct rtnl *nl, *there;
	uint32_t v;
	struct netdev_place place;
	struct err err;
};

static const struct net_address address = { .family = AF_INET, .prefix = 24, .bytes = { 10, 2, 0, 5 } };

static int do_move(struct node *n)
{
	const struct netdev_target target = { .netns_fd = n->target, .name = "net1" };

	return netdev_move(n->nl, n->v, &target, &n->place, &n->err);
}

static bool moved(struct node *n)
{
	bool there = netdev_find(n->there, "net1") > 0;

	/* What the operation says of itself is so. */
	assert_int_equal(n->place.moved, there);
	assert_int_equal(n->place.ifindex, there ? netdev_find(n->there, "net1") : netdev_find(n->nl, "v0"));
	assert_string_equal(n->place.name, there ? "net1" : "v0");
	return there;
}

static int do_set(struct node *n)
{
	const struct netdev_change change = { .mtu = 1400 };

	return netdev_set(n->nl, n->v, &change, &n->err);
}

static bool is_set(struct node *n)
{
	struct netdev_link link;

	assert_int_equal(netdev_link_get(n->nl, n->v, &link), 0);
	return link.mtu == 1400;
}

static int do_rename(struct node *n)
{
	return netdev_rename(n->nl, n->v, "v9", &n->err);
}

static bool renamed(struct node *n)
{
	return netdev_find(n->nl, "v9") == (int)n->v;
}

static int do_altname(struct node *n)
{
	return netdev_altname_remove(n->nl, n->v, "other", &n->err);
}

static bool altname_gone(struct node *n)
{
	return netdev_find(n->nl, "other") == -ENODEV;
}

static int do_configure(struct node *n)
{
	const struct net_config config = { .addresses = &address, .address_count = 1 };

	return netdev_configure(n->nl, n->v, &config, &n->err);
}

static bool configured(struct node *n)
{
	struct netdev netdev;

	assert_int_equal(netdev_read(n->netns, n->v, &netdev), 0);
	return netdev.addresses == 1;
}

static int do_flush(struct node *n)
{
	assert_int_equal(do_configure(n), 0); /* which has other fault points */
	return netdev_flush(n->nl, n->v, &n->err);
}

static bool flushed(struct node *n)
{
	return !configured(n);
}

static int do_sysctl(struct node *n)
{
	return netns_sysctl_set(n->netns, "net.ipv4.conf.v0.arp_notify", "1", &n->err);
}

static bool sysctl_is_set(struct node *n)
{
	char text[8];

	assert_int_equal(netns_sysctl_get(n->netns, "net.ipv4.conf.v0.arp_notify", text, sizeof(text), NULL), 0);
	return !strcmp(text, "1");
}

static const struct {
	const char *name;
	int (*run)(struct node *n);
	bool (*done)(struct node *n);
} operations[] = {
	{ "netdev.move", do_move, moved },
	{ "netdev.set", do_set, is_set },
	{ "netdev.rename", do_rename, renamed },
	{ "netdev.altname", do_altname, altname_gone },
	{ "netdev.configure", do_configure, configured },
	{ "netdev.flush", do_flush, flushed },
	{ "sysctl.set", do_sysctl, sysctl_is_set },
};

static struct node node_open(void)
{
	struct node n = { .netns = netlab_netns(), .target = netlab_netns() };

	n.v = netlab_veth(n.netns, "v0", "v1");
	n.nl = netlab_open(n.netns);
	n.there = netlab_open(n.target);
	netlab_altname(n.nl, n.v, "other");
	return n;
}

static void node_close(struct node *n)
{
	rtnl_close(&n->nl);
	rtnl_close(&n->there);
	close(n->netns);
	close(n->target);
}

#define _cleanup_node_ _cleanup_(node_close)

/* In a process of its own, as the passes of a fault point are counted in one. 0: as it must be. */
static void fails_once(size_t i, const char *where, bool done)
{
	_cleanup_node_ struct node n = node_open();
	int pid = test_fork(), status;
	char wish[64];

	if (!pid) {
		snprintf(wish, sizeof(wish), "%s.%s:EIO", operations[i].name, where);
		setenv("WARDEN_FAULT", wish, 1);
		if (operations[i].run(&n) != -EIO || !n.err.text[0])
			_exit(1);
		_exit(operations[i].done(&n) == done ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		test_fail("%s.%s: status %x", operations[i].name, where, status);
}

static void each_fails_before_and_after(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		fails_once(i, "before", false);
		fails_once(i, "after", true);
	}
}

static int is_in_table(const char *name, void *ctx)
{
	const char *dot = strrchr(name, '.');

	(void)ctx;
	for (size_t i = 0; dot && i < ARRAY_SIZE(operations); i++)
		if (strlen(operations[i].name) == (size_t)(dot - name) &&
		    !strncmp(name, operations[i].name, (size_t)(dot - name)))
			return 0;
	print_error("%s has no test\n", name);
	return 1;
}

static void none_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(fault_for_each(is_in_table, NULL), 0);
}

/*
 * A name that another netdev gets between the question and the move: the fault stands for that race, as it says EEXIST after
 * the move like the kernel. The netdev is there, and nothing more is done to it.
 */
static void a_name_that_is_taken_meanwhile(void **state)
{
	_cleanup_node_ struct node n = node_open();

	(void)state;
	setenv("WARDEN_FAULT", "netdev.move.after:EEXIST", 1);
	assert_int_equal(do_move(&n), -EEXIST);
	unsetenv("WARDEN_FAULT");
	assert_true(moved(&n));
	assert_int_equal(netdev_find(n.there, "other"), n.place.ifindex);
}

/* What has the name in the target is another's netdev: it is not taken for the one that was to move. */
static void anothers_netdev_is_not_taken(void **state)
{
	_cleanup_node_ struct node n = node_open();
	const struct netdev_target target = { .netns_fd = n.target, .name = "net1" };
	struct netdev_place place;
	struct netdev_link was;

	(void)state;
	assert_int_equal(netdev_link_get(n.nl, n.v, &was), 0);
	netlab_veth(n.target, "net1", "v0");
	was.ifindex = 4711; /* it is not here any more */
	look_for(n.nl, n.there, &was, &target, "net1", &place);
	assert_false(place.moved);
	assert_int_equal(place.ifindex, 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(each_fails_before_and_after),
		cmocka_unit_test(none_is_left_out),
		cmocka_unit_test(a_name_that_is_taken_meanwhile),
		cmocka_unit_test(anothers_netdev_is_not_taken),
	};

	return RUN_CASES("netops_fault", cases);
}
