// Test code: stands for the port of a NIC with DCB (an mlx5 PF), as DCB netlink and ethtool show it. No data path.
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A netdev dcbsim0 that keeps what it is told: PFC, ETS, app table, buffers, DCBX mode, pause. While the DCBX mode says
 * that firmware manages it, it refuses to be told. Control files in debugfs:
 *   dcbsim/failing         write names of operations (pfc ets buffer app dcbx apptrust pause mtu): these return -EIO; an empty
 *                          line: none
 *   dcbsim/ignoring        likewise: what these are told is taken, and not kept
 *   dcbsim/absent          likewise: these the driver does not have; at first apptrust, as with mlx5 (pause and mtu stay)
 *   dcbsim/dcbx            the DCBX mode (DCB_CAP_DCBX_*), read and write
 *   dcbsim/counters/NAME   value of one ethtool counter, read and write
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <net/dcbnl.h>

#define PRIORITIES IEEE_8021QAZ_MAX_TCS
#define LINE_MAX_LEN 128
#define BUFFER_BYTES (256 * 1024)

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define HAS_APPTRUST
#endif

enum { PFC, ETS, BUFFER, APP, DCBX, APPTRUST, PAUSE, MTU, OPERATIONS };

static const char *const operations[] = { "pfc", "ets", "buffer", "app", "dcbx", "apptrust", "pause", "mtu" };
static const char *const counter_forms[] = {
	"rx_prio%u_bytes", "tx_prio%u_bytes", "rx_prio%u_packets",        "tx_prio%u_packets",
	"rx_prio%u_pause", "tx_prio%u_pause", "rx_prio%u_pause_duration", "tx_prio%u_pause_duration",
};
/* Of the function itself, not of its port. */
static const char *const function_counters[] = { "tx_vport_rdma_unicast_bytes", "tx_vport_rdma_multicast_bytes" };

#define PORT_COUNTERS (ARRAY_SIZE(counter_forms) * PRIORITIES)
#define COUNTERS (PORT_COUNTERS + ARRAY_SIZE(function_counters))

/* Guarded by RTNL, under which the kernel calls the operations; the counters by nothing, a torn one does no harm. */
static struct {
	struct net_device *ndev;
	struct dentry *root;
	struct dcbnl_rtnl_ops ops; /* what is absent is NULL in it */
	bool failing[OPERATIONS], absent[OPERATIONS], ignoring[OPERATIONS];
	struct ieee_pfc pfc;
	struct ieee_ets ets;
	struct dcbnl_buffer buffer;
	struct ethtool_pauseparam pause;
	u8 dcbx;
	u8 trusted[U8_MAX + 1]; /* at most each selector once */
	int trusted_count;
	u64 counters[COUNTERS];
} sim;

static int may_get(int operation)
{
	return sim.failing[operation] ? -EIO : 0;
}

static int may_set(int operation)
{
	if (sim.dcbx & DCB_CAP_DCBX_LLD_MANAGED)
		return -EPERM;
	return may_get(operation);
}

/* ---- DCB ---- */

static int get_pfc(struct net_device *ndev, struct ieee_pfc *pfc)
{
	int err = may_get(PFC);

	if (!err)
		*pfc = sim.pfc;
	return err;
}

static int set_pfc(struct net_device *ndev, struct ieee_pfc *pfc)
{
	int err = may_set(PFC);

	if (!err && !sim.ignoring[PFC])
		sim.pfc.pfc_en = pfc->pfc_en;
	return err;
}

static int get_ets(struct net_device *ndev, struct ieee_ets *ets)
{
	int err = may_get(ETS);

	if (!err)
		*ets = sim.ets;
	return err;
}

/* As mlx5 has it: the classes exist, and the bandwidths of those under ETS, if there are any, make up the whole. */
static bool ets_is_sound(const struct ieee_ets *ets)
{
	unsigned int sum = 0, shared = 0, i;

	for (i = 0; i < PRIORITIES; i++) {
		if (ets->prio_tc[i] >= PRIORITIES)
			return false;
		if (ets->tc_tsa[i] != IEEE_8021QAZ_TSA_ETS)
			continue;
		sum += ets->tc_tx_bw[i];
		shared++;
	}
	return !shared || sum == 100;
}

static int set_ets(struct net_device *ndev, struct ieee_ets *ets)
{
	int err = may_set(ETS);

	if (err)
		return err;
	if (!ets_is_sound(ets))
		return -EINVAL;
	if (sim.ignoring[ETS])
		return 0;
	memcpy(sim.ets.prio_tc, ets->prio_tc, sizeof(sim.ets.prio_tc));
	memcpy(sim.ets.tc_tsa, ets->tc_tsa, sizeof(sim.ets.tc_tsa));
	memcpy(sim.ets.tc_tx_bw, ets->tc_tx_bw, sizeof(sim.ets.tc_tx_bw));
	return 0;
}

static int get_buffer(struct net_device *ndev, struct dcbnl_buffer *buffer)
{
	int err = may_get(BUFFER);

	if (!err)
		*buffer = sim.buffer;
	return err;
}

static int set_buffer(struct net_device *ndev, struct dcbnl_buffer *buffer)
{
	int err = may_set(BUFFER), i;
	u64 sum = 0;

	if (err)
		return err;
	for (i = 0; i < DCBX_MAX_BUFFERS; i++) {
		sum += buffer->buffer_size[i];
		if (buffer->prio2buffer[i] >= DCBX_MAX_BUFFERS)
			return -EINVAL;
	}
	if (sum > sim.buffer.total_size)
		return -EINVAL;
	if (sim.ignoring[BUFFER])
		return 0;
	memcpy(sim.buffer.prio2buffer, buffer->prio2buffer, sizeof(sim.buffer.prio2buffer));
	memcpy(sim.buffer.buffer_size, buffer->buffer_size, sizeof(sim.buffer.buffer_size));
	return 0;
}

/* The table itself is the kernel's. */
static int set_app(struct net_device *ndev, struct dcb_app *app)
{
	int err = may_set(APP);

	if (err || sim.ignoring[APP])
		return err;
	return dcb_ieee_setapp(ndev, app);
}

static int del_app(struct net_device *ndev, struct dcb_app *app)
{
	int err = may_set(APP);

	if (err || sim.ignoring[APP])
		return err;
	return dcb_ieee_delapp(ndev, app);
}

static u8 get_dcbx(struct net_device *ndev)
{
	return sim.dcbx;
}

/* Nonzero is a failure. */
static u8 set_dcbx(struct net_device *ndev, u8 mode)
{
	if (may_get(DCBX))
		return 1;
	if (!sim.ignoring[DCBX])
		sim.dcbx = mode;
	return 0;
}

#ifdef HAS_APPTRUST
static int get_trust(struct net_device *ndev, u8 *selectors, int *count)
{
	int err = may_get(APPTRUST);

	if (err)
		return err;
	memcpy(selectors, sim.trusted, sim.trusted_count);
	*count = sim.trusted_count;
	return 0;
}

static int set_trust(struct net_device *ndev, u8 *selectors, int count)
{
	int err = may_set(APPTRUST);

	if (err || sim.ignoring[APPTRUST])
		return err;
	memcpy(sim.trusted, selectors, count);
	sim.trusted_count = count;
	return 0;
}
#endif

static void fill_ops(void)
{
	sim.ops = (struct dcbnl_rtnl_ops){
		.ieee_getpfc = sim.absent[PFC] ? NULL : get_pfc,
		.ieee_setpfc = sim.absent[PFC] ? NULL : set_pfc,
		.ieee_getets = sim.absent[ETS] ? NULL : get_ets,
		.ieee_setets = sim.absent[ETS] ? NULL : set_ets,
		.dcbnl_getbuffer = sim.absent[BUFFER] ? NULL : get_buffer,
		.dcbnl_setbuffer = sim.absent[BUFFER] ? NULL : set_buffer,
		.ieee_setapp = sim.absent[APP] ? NULL : set_app,
		.ieee_delapp = sim.absent[APP] ? NULL : del_app,
		.getdcbx = sim.absent[DCBX] ? NULL : get_dcbx,
		.setdcbx = sim.absent[DCBX] ? NULL : set_dcbx,
#ifdef HAS_APPTRUST
		.dcbnl_getapptrust = sim.absent[APPTRUST] ? NULL : get_trust,
		.dcbnl_setapptrust = sim.absent[APPTRUST] ? NULL : set_trust,
#endif
	};
}

/* ---- ethtool ---- */

static void counter_name(unsigned int i, char *to)
{
	if (i >= PORT_COUNTERS) {
		strscpy(to, function_counters[i - PORT_COUNTERS], ETH_GSTRING_LEN);
		return;
	}
	snprintf(to, ETH_GSTRING_LEN, counter_forms[i % ARRAY_SIZE(counter_forms)],
		 (unsigned int)(i / ARRAY_SIZE(counter_forms)));
}

static int get_sset_count(struct net_device *ndev, int set)
{
	return set == ETH_SS_STATS ? COUNTERS : -EOPNOTSUPP;
}

static void get_strings(struct net_device *ndev, u32 set, u8 *names)
{
	unsigned int i;

	for (i = 0; set == ETH_SS_STATS && i < COUNTERS; i++)
		counter_name(i, names + i * ETH_GSTRING_LEN);
}

static void get_stats(struct net_device *ndev, struct ethtool_stats *stats, u64 *values)
{
	memcpy(values, sim.counters, sizeof(sim.counters));
}

static void get_pause(struct net_device *ndev, struct ethtool_pauseparam *pause)
{
	pause->autoneg = 0;
	pause->rx_pause = sim.pause.rx_pause;
	pause->tx_pause = sim.pause.tx_pause;
}

static int set_pause(struct net_device *ndev, struct ethtool_pauseparam *pause)
{
	int err = may_get(PAUSE);

	if (!err && !sim.ignoring[PAUSE])
		sim.pause = *pause;
	return err;
}

static const struct ethtool_ops ethtool_ops = {
	.get_sset_count = get_sset_count,
	.get_strings = get_strings,
	.get_ethtool_stats = get_stats,
	.get_pauseparam = get_pause,
	.set_pauseparam = set_pause,
};

/* ---- control files ---- */

static int find_operation(const char *name)
{
	return match_string(operations, OPERATIONS, name);
}

/* One line of names; all of them are known, or nothing is changed. */
static int parse_names(char *line, bool *set)
{
	char *name;
	int i;

	while ((name = strsep(&line, " \n"))) {
		if (!*name)
			continue;
		i = find_operation(name);
		if (i < 0)
			return -EINVAL;
		set[i] = true;
	}
	return 0;
}

static ssize_t write_names(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	bool *to = file_inode(file)->i_private, set[OPERATIONS] = {};
	char line[LINE_MAX_LEN];
	int err;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, len))
		return -EFAULT;
	line[len] = '\0';
	err = parse_names(line, set);
	if (err)
		return err;
	rtnl_lock();
	memcpy(to, set, sizeof(set));
	fill_ops();
	rtnl_unlock();
	return len;
}

static const struct file_operations names_files = {
	.owner = THIS_MODULE,
	.write = write_names,
	.llseek = noop_llseek,
};

static void create_files(void)
{
	char name[ETH_GSTRING_LEN];
	struct dentry *dir;
	unsigned int i;

	sim.root = debugfs_create_dir("dcbsim", NULL);
	debugfs_create_file("failing", 0200, sim.root, sim.failing, &names_files);
	debugfs_create_file("ignoring", 0200, sim.root, sim.ignoring, &names_files);
	debugfs_create_file("absent", 0200, sim.root, sim.absent, &names_files);
	debugfs_create_u8("dcbx", 0600, sim.root, &sim.dcbx);
	dir = debugfs_create_dir("counters", sim.root);
	for (i = 0; i < COUNTERS; i++) {
		counter_name(i, name);
		debugfs_create_u64(name, 0600, dir, &sim.counters[i]);
	}
}

/* ---- the netdev ---- */

static netdev_tx_t drop(struct sk_buff *skb, struct net_device *ndev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int change_mtu(struct net_device *ndev, int mtu)
{
	int err = may_get(MTU);

	if (!err && !sim.ignoring[MTU])
		ndev->mtu = mtu;
	return err;
}

static const struct net_device_ops netdev_ops = {
	.ndo_start_xmit = drop,
	.ndo_change_mtu = change_mtu,
	.ndo_set_mac_address = eth_mac_addr,
};

static void setup(struct net_device *ndev)
{
	ether_setup(ndev);
	ndev->max_mtu = ETH_MAX_MTU;
	ndev->netdev_ops = &netdev_ops;
	ndev->ethtool_ops = &ethtool_ops;
	ndev->dcbnl_ops = &sim.ops;
	eth_hw_addr_random(ndev);
}

/* As a NIC comes: each priority in a class of its own, one buffer, no PFC, no DSCP, pause of the link on. */
static void defaults(void)
{
	u8 i;

	sim.dcbx = DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE;
	sim.pfc.pfc_cap = PRIORITIES;
	sim.ets.ets_cap = PRIORITIES;
	for (i = 0; i < PRIORITIES; i++)
		sim.ets.prio_tc[i] = i;
	sim.buffer.buffer_size[0] = BUFFER_BYTES;
	sim.buffer.total_size = BUFFER_BYTES;
	sim.pause.rx_pause = sim.pause.tx_pause = 1;
	sim.absent[APPTRUST] = true;
	fill_ops();
}

static int __init dcbsim_init(void)
{
	int err;

	defaults();
	sim.ndev = alloc_netdev(0, "dcbsim%d", NET_NAME_ENUM, setup);
	if (!sim.ndev)
		return -ENOMEM;
	err = register_netdev(sim.ndev);
	if (err)
		free_netdev(sim.ndev);
	else
		create_files();
	return err;
}

static void __exit dcbsim_exit(void)
{
	debugfs_remove_recursive(sim.root);
	unregister_netdev(sim.ndev);
	free_netdev(sim.ndev);
}

module_init(dcbsim_init);
module_exit(dcbsim_exit);
MODULE_DESCRIPTION("Test netdev with DCB settings");
MODULE_LICENSE("Dual BSD/GPL");
