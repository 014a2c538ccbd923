// SPDX-License-Identifier: Apache-2.0
/* Node policy: the reader on trees made here, laid out as the kernel's sysfs is (PF, VFs, drivers), and the planner on them. */
#include "sriov/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/mac.h"
#include "lib/util.h"
#include "sriov/policy_node.h"

#define PF "0000:3b:00.0"
#define MTU "1500"

/* ---- a tree ---- */

static char tree[128];

static void begin(const char *name)
{
	snprintf(tree, sizeof(tree), "%s", temp_path(name));
	assert_int_equal(mkdir(tree, 0755), 0);
}

static void put(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *text, const char *fmt, ...)
{
	char path[512], dir[512], name[256];
	va_list args;
	FILE *file;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/%s", tree, name);
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	assert_int_equal(make_dirs(dir), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void link_to(const char *target, const char *pci, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", tree, pci, name);
	unlink(path);
	if (target)
		assert_int_equal(symlink(target, path), 0);
}

static void netdev(const char *pci, const char *name, const char *mac, const char *assign, const char *flags)
{
	put(mac, "bus/pci/devices/%s/net/%s/address", pci, name);
	put(assign, "bus/pci/devices/%s/net/%s/addr_assign_type", pci, name);
	put(MTU, "bus/pci/devices/%s/net/%s/mtu", pci, name);
	put(flags, "bus/pci/devices/%s/net/%s/flags", pci, name);
	put("1", "bus/pci/devices/%s/net/%s/type", pci, name);
}

static void make_pf(const char *pci, const char *name, const char *total, const char *num)
{
	put("0x020000", "bus/pci/devices/%s/class", pci);
	put("0x15b3", "bus/pci/devices/%s/vendor", pci);
	put("0x1017", "bus/pci/devices/%s/device", pci);
	put(total, "bus/pci/devices/%s/sriov_totalvfs", pci);
	put(num, "bus/pci/devices/%s/sriov_numvfs", pci);
	netdev(pci, name, "b8:ce:f6:00:00:01", "0", "0x1003");
}

/* VF number N of the PF, with a driver and a netdev whose MAC ends in N; `assign` 0: permanent, 1: drawn. */
static const char *make_vf(const char *pf, unsigned int n, const char *assign)
{
	static char pci[16];
	char link[16], target[64], name[16], mac[24];

	snprintf(pci, sizeof(pci), "0000:3b:00.%u", n + 2);
	snprintf(name, sizeof(name), "pf0v%u", n);
	snprintf(mac, sizeof(mac), "02:00:00:00:00:%02x", n);
	put("0x020000", "bus/pci/devices/%s/class", pci);
	netdev(pci, name, mac, assign, "0x1002");
	snprintf(target, sizeof(target), "../%s", pci);
	snprintf(link, sizeof(link), "virtfn%u", n);
	link_to(target, pf, link);
	snprintf(target, sizeof(target), "../%s", pf);
	link_to(target, pci, "physfn");
	link_to("../../../bus/pci/drivers/mlx5_core", pci, "driver");
	return pci;
}

static void rdma(const char *pci, const char *guid)
{
	put(guid, "bus/pci/devices/%s/infiniband/mlx5_2/node_guid", pci);
	put("231:194", "bus/pci/devices/%s/infiniband_verbs/uverbs2/dev", pci);
}

static void remove_netdev(const char *pci, const char *name)
{
	static const char *const files[] = { "address", "addr_assign_type", "mtu", "flags", "type", "" };
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/net/%s/%s", tree, pci, name, files[i]);
		if (files[i][0])
			unlink(path);
		else
			rmdir(path);
	}
}

/* ---- what sysfs does not have ---- */

static uint8_t admin[8][6]; /* by the last digit of the address, less two */
static const char *busy_pci, *away_pci;

/* Stands in for IFLA_VFINFO_LIST, as sriov_vf_get() answers from it. */
static int admin_mac(const char *pci, uint8_t mac[6])
{
	memcpy(mac, admin[pci[11] - '2'], 6);
	return 0;
}

/* Stands in for the tracker of claims. */
static void busy(const char *pci, char *why, size_t size, void *ctx)
{
	(void)ctx;
	if (busy_pci && !strcmp(pci, busy_pci))
		snprintf(why, size, "mlx5_2 is claimed by ml/train");
}

/* Stands in for the walk over the netns, sriov_away_each(). */
static int away(void (*visit)(const char *pci, const char *netdev, const char *netns, void *ctx), void *ctx)
{
	if (away_pci)
		visit(away_pci, "net1", "pod-a", ctx);
	return 0;
}

static struct policy_node node;
static struct policy_plan plan;
static struct node_policy policies[4];
static size_t policy_count;

static struct node_policy *policy(const char *resource, unsigned int num_vfs, const char *pf_name)
{
	struct node_policy *p = &policies[policy_count++];

	*p = (struct node_policy){ .num_vfs = num_vfs, .vendor = -1, .device = -1 };
	snprintf(p->resource, sizeof(p->resource), "%s", resource);
	assert_int_equal(policy_parse_pf_name(pf_name, &p->pf_names[0]), 0);
	return p;
}

static void forget(void)
{
	policy_plan_free(&plan);
	policy_node_free(&node);
}

/* Reads and plans; the only PF's item. */
static const struct policy_item *planned(void)
{
	static char dir[160];
	struct policy_source source = {
		.sysfs = tree, .operator_dir = dir, .admin_mac = admin_mac, .away = away, .busy = busy
	};
	struct err err = {};

	snprintf(dir, sizeof(dir), "%s/operator", tree);
	forget();
	if (policy_node_read(&source, &node, &err))
		test_fail("%s", err.text);
	assert_int_equal(policy_plan_make(&node, policies, policy_count, &plan), 0);
	assert_true(plan.count >= 1);
	return &plan.items[0];
}

static void is(const struct policy_item *item, enum policy_state state, size_t actions, const char *reason)
{
	if (item->state != state || item->action_count != actions)
		test_fail("%s with %zu actions instead of %s with %zu: %s", policy_state_name(item->state),
			  item->action_count, policy_state_name(state), actions, item->reason);
	if (reason[0])
		assert_contains(item->reason, reason);
	else
		assert_string_equal(item->reason, "");
}

static void does(const struct policy_item *item, size_t i, enum policy_step step, unsigned int vf, const char *from,
		 const char *to)
{
	const struct policy_action *a = &item->actions[i];

	assert_true(i < item->action_count);
	if (a->step != step || a->vf != vf || strcmp(a->from, from) || strcmp(a->to, to))
		test_fail("action %zu: %s of VF %u from %s to %s", i, policy_step_name(a->step), a->vf, a->from, a->to);
}

static int set_up(void **state)
{
	(void)state;
	memset(admin, 0, sizeof(admin));
	busy_pci = away_pci = NULL;
	policy_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	forget();
	return 0;
}

/* Each VF has as its administrative MAC the one that it has: as a PF is after a run. */
static void settle(unsigned int vfs)
{
	for (unsigned int i = 0; i < vfs; i++)
		memcpy(admin[i], ((const uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)i }), 6);
}

static void settled_pf(const char *name, unsigned int vfs)
{
	char num[8];

	begin(name);
	snprintf(num, sizeof(num), "%u", vfs);
	make_pf(PF, "pf0", "8", num);
	for (unsigned int i = 0; i < vfs; i++)
		make_vf(PF, i, "0");
	settle(vfs);
}

/* ---- reading ---- */

static void reads(void **state)
{
	const struct policy_item *item;
	const struct policy_vf *vf;

	(void)state;
	settled_pf("reads", 2);
	rdma("0000:3b:00.2", "0000:0000:0000:0000");
	rdma("0000:3b:00.3", "b8ce:f600:0300:0001");
	put("0x030000", "bus/pci/devices/0000:01:00.0/class"); /* no NIC */
	put("0x020000", "bus/pci/devices/0000:02:00.0/class"); /* one without SR-IOV */
	policy("a", 2, "pf0");
	item = planned();
	assert_int_equal(node.count, 1);
	assert_int_equal(item->pf->vendor, 0x15b3);
	assert_int_equal(item->pf->device, 0x1017);
	assert_int_equal(item->pf->total_vfs, 8);
	assert_int_equal(item->pf->mtu, 1500);
	assert_true(item->pf->up);
	vf = &item->pf->vfs[1];
	assert_string_equal(vf->pci, "0000:3b:00.3");
	assert_string_equal(vf->driver, "mlx5_core");
	assert_string_equal(vf->netdev, "pf0v1");
	assert_int_equal(vf->mac[5], 1);
	assert_int_equal(vf->guid, POLICY_GUID_SET);
	assert_int_equal(item->pf->vfs[0].guid, POLICY_GUID_ZERO);
	assert_false(vf->mac_random);
	assert_string_equal(vf->busy, "");
}

static void who_uses_a_vf(void **state)
{
	(void)state;
	settled_pf("users", 4);
	rdma("0000:3b:00.2", "0000:0000:0000:0001");
	busy_pci = "0000:3b:00.2";
	away_pci = "0000:3b:00.3";
	remove_netdev("0000:3b:00.3", "pf0v1");
	remove_netdev("0000:3b:00.4", "pf0v2");
	put("231:195", "bus/pci/devices/0000:3b:00.5/infiniband_verbs/uverbs3/dev");
	policy("a", 4, "pf0");
	planned();
	assert_string_equal(node.pfs[0].vfs[0].busy, "mlx5_2 is claimed by ml/train");
	assert_string_equal(node.pfs[0].vfs[1].busy, "its netdev net1 is in netns pod-a");
	assert_contains(node.pfs[0].vfs[2].busy, "no netdev here");
	assert_string_equal(node.pfs[0].vfs[3].busy, "its RDMA device (uverbs3) is in another netns");
}

/* ---- planning one policy ---- */

static void nothing_to_do(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("nothing", 4);
	policy("a", 4, "pf0")->mtu = 1500;
	item = planned();
	is(item, POLICY_FITS, 0, "");
	assert_true(policy_item_fits(item));
}

static void vfs_are_made(void **state)
{
	const struct policy_item *item;

	(void)state;
	begin("made");
	make_pf(PF, "pf0", "8", "0");
	put("0x1002", "bus/pci/devices/" PF "/net/pf0/flags");
	policy("a", 4, "pf0")->mtu = 9000;
	item = planned();
	is(item, POLICY_CHANGE, 3, "");
	does(item, 0, POLICY_PF_UP, 0, "", "");
	does(item, 1, POLICY_PF_MTU, 0, "1500", "9000");
	does(item, 2, POLICY_NUM_VFS, 0, "0", "4");
	policies[0].num_vfs = 9;
	is(planned(), POLICY_REFUSED, 0, "numVfs is 9, but the PF can have 8");
}

/* A lower MTU of the PF is left to whom it serves; numVfs 0 takes the VFs away. */
static void vfs_go(void **state)
{
	(void)state;
	settled_pf("go", 2);
	policy("a", 0, "pf0")->mtu = 1400;
	is(planned(), POLICY_CHANGE, 1, "");
	does(&plan.items[0], 0, POLICY_NUM_VFS, 0, "2", "0");
	put("0", "bus/pci/devices/" PF "/sriov_numvfs");
	is(planned(), POLICY_FITS, 0, "");
}

static void used_vfs_are_kept(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("kept", 2);
	busy_pci = "0000:3b:00.2";
	away_pci = "0000:3b:00.3";
	remove_netdev("0000:3b:00.3", "pf0v1");
	policy("a", 4, "pf0");
	item = planned();
	is(item, POLICY_REFUSED, 0, "numVfs cannot be changed");
	assert_contains(item->reason, "VF 0 (0000:3b:00.2): mlx5_2 is claimed by ml/train");
	assert_contains(item->reason, "VF 1 (0000:3b:00.3): its netdev net1 is in netns pod-a");
	policies[0].num_vfs = 2;
	policies[0].mtu = 9000;
	is(planned(), POLICY_REFUSED, 0, "the PF's MTU cannot be changed");
	policies[0].mtu = 1500;
	is(planned(), POLICY_FITS, 0, "");
}

/* One VF that is in use does not keep the others from what they need. */
static void free_vfs_are_changed(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("partly", 2);
	busy_pci = "0000:3b:00.2";
	put("9000", "bus/pci/devices/" PF "/net/pf0/mtu");
	policy("a", 2, "pf0")->mtu = 9000;
	item = planned();
	is(item, POLICY_CHANGE, 1, "VF 0 (0000:3b:00.2) is to be changed (vf-mtu), but mlx5_2 is claimed");
	does(item, 0, POLICY_VF_MTU, 1, "1500", "9000");
	assert_false(policy_item_fits(item));
}

static void macs(void **state)
{
	const struct policy_item *item;
	uint8_t stable[6], other[6];
	char text[20];

	(void)state;
	settled_pf("macs", 3);
	make_vf(PF, 1, "1"); /* drawn; the PF tells it as if it were given */
	memset(admin[2], 0, 6);
	policy("a", 3, "pf0");
	item = planned();
	is(item, POLICY_CHANGE, 3, "");
	policy_stable_mac(item->pf, 1, stable);
	mac_print(stable, text);
	assert_int_equal(stable[0] & 3, 2);
	does(item, 0, POLICY_VF_MAC, 1, "02:00:00:00:00:01", text);
	does(item, 1, POLICY_VF_BIND, 1, "mlx5_core", "mlx5_core");
	does(item, 2, POLICY_VF_MAC, 2, "00:00:00:00:00:00", "02:00:00:00:00:02"); /* its own, and it has it already */
	policy_stable_mac(item->pf, 2, other);
	assert_memory_not_equal(stable, other, 6);

	memcpy(admin[1], stable, 6); /* given, and not taken yet */
	settle(1);
	memcpy(admin[2], ((const uint8_t[]){ 2, 0, 0, 0, 0, 2 }), 6);
	item = planned();
	is(item, POLICY_CHANGE, 1, "");
	does(item, 0, POLICY_VF_BIND, 1, "mlx5_core", "mlx5_core");
}

/* By PF and number, and the same each time: it is in the fabric's tables. */
static void stable_macs_stay(void **state)
{
	const struct policy_pf pf = { .pci = PF, .mac = { 0xb8, 0xce, 0xf6, 0, 0, 1 } };
	const struct policy_pf twin = { .pci = "0000:3b:00.1", .mac = { 0xb8, 0xce, 0xf6, 0, 0, 1 } };
	static const uint8_t expected[6] = { 0xa6, 0xcc, 0x08, 0xa5, 0xd9, 0x3f };
	uint8_t mac[6], other[6];

	(void)state;
	policy_stable_mac(&pf, 7, mac);
	assert_memory_equal(mac, expected, 6);
	policy_stable_mac(&twin, 7, other);
	assert_memory_not_equal(mac, other, 6);
}

static void guids(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("guids", 3);
	rdma("0000:3b:00.2", "0000:0000:0000:0000");
	rdma("0000:3b:00.3", "b8ce:f600:0300:0001");
	policy("a", 3, "pf0")->is_rdma = true;
	item = planned();
	is(item, POLICY_CHANGE, 1, "");
	does(item, 0, POLICY_VF_BIND, 0, "mlx5_core", "mlx5_core");
	assert_contains(item->note, "VF 2 has no RDMA device");
	policies[0].is_rdma = false;
	is(planned(), POLICY_FITS, 0, "");
}

static void drivers(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("drivers", 3);
	remove_netdev("0000:3b:00.2", "pf0v0");
	link_to(NULL, "0000:3b:00.2", "driver");
	remove_netdev("0000:3b:00.3", "pf0v1");
	link_to("../../../bus/pci/drivers/vfio-pci", "0000:3b:00.3", "driver");
	policy("a", 3, "pf0");
	item = planned();
	is(item, POLICY_CHANGE, 2, "");
	does(item, 0, POLICY_VF_BIND, 0, "no driver", "its kernel driver");
	does(item, 1, POLICY_VF_BIND, 1, "vfio-pci", "its kernel driver");
	policies[0].type = POLICY_VFIO_PCI;
	is(planned(), POLICY_REFUSED, 0, "load the module vfio-pci");
	put("", "bus/pci/drivers/vfio-pci/bind");
	item = planned();
	is(item, POLICY_CHANGE, 2, "");
	does(item, 0, POLICY_VF_BIND, 0, "no driver", "vfio-pci");
	does(item, 1, POLICY_VF_BIND, 2, "mlx5_core", "vfio-pci");
}

/* The SR-IOV operator's file, or the policy itself, says that it is another's: looked at, never touched. */
static void others_are_watched(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("watched", 2);
	policy("a", 4, "pf0")->externally_managed = true;
	item = planned();
	is(item, POLICY_WATCHED, 0, "it has 2 VFs, and is to have 4");
	assert_false(policy_item_fits(item));
	policies[0].num_vfs = 1; /* more than are wanted are well */
	is(planned(), POLICY_WATCHED, 0, "");
	assert_true(policy_item_fits(&plan.items[0]));
	policies[0].externally_managed = false;
	put("{}", "operator/" PF);
	policies[0].num_vfs = 8;
	policies[0].mtu = 9000;
	item = planned();
	is(item, POLICY_WATCHED, 0, "it has 2 VFs, and is to have 8");
	assert_contains(item->reason, "its MTU is 1500, and is to be 9000");
	assert_contains(item->reason, "VF 1: vf-mtu is 1500, and is to be 9000");
	assert_contains(item->pf->manager, "operator/" PF);
}

/* ---- which policies are for a PF, and which wins ---- */

static void selectors(void **state)
{
	static const struct {
		int vendor, device;
		const char *root, *name;
		bool match;
	} table[] = {
		{ 0x15b3, -1, "", "", true },
		{ 0x8086, -1, "", "", false },
		{ -1, 0x1017, "", "", true },
		{ -1, 0x1018, "", "", false },
		{ -1, -1, PF, "", true },
		{ -1, -1, "0000:3b:00.1", "", false },
		{ -1, -1, "", "pf0#1-2", true },
		{ -1, -1, "", "pf01", false },
		{ 0x15b3, 0x1017, PF, "pf0", true },
		{ 0x15b3, 0x1017, PF, "pf1", false },
		{ 0x15b3, 0x1017, "0000:3b:00.1", "pf0", false },
	};
	struct policy_plan p;

	(void)state;
	settled_pf("selectors", 4);
	policy("a", 4, "pf0");
	planned();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		policies[0] =
			(struct node_policy){ .num_vfs = 4, .vendor = table[i].vendor, .device = table[i].device };
		snprintf(policies[0].root_devices[0], POLICY_PCI_LEN, "%s", table[i].root);
		if (table[i].name[0])
			assert_int_equal(policy_parse_pf_name(table[i].name, &policies[0].pf_names[0]), 0);
		assert_int_equal(policy_plan_make(&node, policies, 1, &p), 0);
		if ((p.count == 1) != table[i].match || p.matched[0] != table[i].match)
			test_fail("row %zu", i);
		policy_plan_free(&p);
	}
}

static void has_group(const struct policy_item *item, size_t i, const char *resource, unsigned int first,
		      unsigned int last)
{
	assert_true(i < item->group_count);
	assert_string_equal(item->groups[i].policy->resource, resource);
	assert_int_equal(item->groups[i].first, first);
	assert_int_equal(item->groups[i].last, last);
}

/* Ranges that do not overlap stand beside each other; of number and MTU the higher counts. */
static void a_pf_is_shared(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("shared", 4);
	policy("b", 4, "pf0#2-3")->priority = 10;
	policy("a", 3, "pf0#0-1")->mtu = 1400;
	policies[1].priority = 20;
	item = planned();
	assert_int_equal(item->group_count, 2);
	has_group(item, 0, "a", 0, 1);
	has_group(item, 1, "b", 2, 3);
	assert_int_equal(item->num_vfs, 4);
	assert_int_equal(item->mtu, 1400);
	is(item, POLICY_CHANGE, 2, "");
	does(item, 0, POLICY_VF_MTU, 0, "1500", "1400");
}

/* The lower number is the stronger: what it overlaps goes, with its numbers. */
static void the_stronger_wins(void **state)
{
	const struct policy_item *item;

	(void)state;
	settled_pf("stronger", 4);
	policy("strong", 4, "pf0#0-1")->priority = 5;
	policy("weak", 8, "pf0#1-7")->priority = 6;
	policies[1].mtu = 9000;
	item = planned();
	assert_int_equal(item->group_count, 1);
	has_group(item, 0, "strong", 0, 1);
	assert_int_equal(item->num_vfs, 4);
	assert_int_equal(item->mtu, 0);
	is(item, POLICY_FITS, 0, "");
	policies[0].priority = 7; /* and the other way round */
	item = planned();
	has_group(item, 0, "weak", 1, 7);
	assert_int_equal(item->num_vfs, 8);
}

static void equals_that_clash(void **state)
{
	(void)state;
	settled_pf("clash", 4);
	policy("a", 4, "pf0#0-2");
	policy("b", 4, "pf0#2-3");
	is(planned(), POLICY_REFUSED, 0, "policies of priority 0 overlap: a has VFs 0-2, b has VFs 2-3");
	assert_int_equal(policy_parse_pf_name("pf0#3-3", &policies[1].pf_names[0]), 0);
	is(planned(), POLICY_FITS, 0, "");
	snprintf(policies[1].resource, sizeof(policies[1].resource), "a");
	is(planned(), POLICY_REFUSED, 0, "two policies of priority 0 give resource a on it");
	snprintf(policies[1].resource, sizeof(policies[1].resource), "b");
	policies[1].externally_managed = true;
	is(planned(), POLICY_REFUSED, 0, "externallyManaged is true in one policy for it and false in another");
}

static void pf_names(void **state)
{
	static const char *const bad[] = { "",          "#1-2",     "pf0#",        "pf0#1",
					   "pf0#1-",    "pf0#-1",   "pf0#2-1",     "pf0#a-b",
					   "pf0#1-2-3", "pf0#1-2x", "pf0#1-65535", "a/b",
					   "a b",       "..",       "a:b",         "sixteenbytesname",
					   "pf0#+1-2",  "pf0# 1-2" };
	struct policy_pf_name name;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!policy_parse_pf_name(bad[i], &name))
			test_fail("\"%s\" was taken", bad[i]);
	assert_int_equal(policy_parse_pf_name("fifteenbytename", &name), 0);
	assert_int_equal(name.first, -1);
	assert_int_equal(policy_parse_pf_name("ens1f0np0#10-65534", &name), 0);
	assert_string_equal(name.name, "ens1f0np0");
	assert_int_equal(name.first, 10);
	assert_int_equal(name.last, 65534);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup_teardown(reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_uses_a_vf, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_to_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(vfs_are_made, set_up, tear_down),
		cmocka_unit_test_setup_teardown(vfs_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(used_vfs_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(free_vfs_are_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(macs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stable_macs_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(guids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drivers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_are_watched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(selectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pf_is_shared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_stronger_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(equals_that_clash, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pf_names, set_up, tear_down),
	};

	return RUN_CASES("policy", cases);
}
