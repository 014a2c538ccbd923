// SPDX-License-Identifier: Apache-2.0
#include "attach/node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/mac.h"
#include "lib/util.h"
#include "rdma/rdma.h"

#define HOME_MS 10000 /* the kernel takes a netns down in the background */
#define GONE_MS 2000
#define MAC_MS 10000 /* a VF may be in a reset by its PF */

static int host_netns(struct err *err)
{
	return netns_open("/proc/thread-self/ns/net", 0, err);
}

/*
 * Waits until `home` says so, or for a while there is none to be fetched: its driver has been unbound or unloaded. For a
 * moment there is none, too, while the kernel moves it.
 */
static bool wait_home(bool (*home)(const struct record *record), bool (*exists)(const char *device),
		      const struct record *record)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	uint64_t now = boot_ns(), deadline = now + HOME_MS * 1000000ull, seen = now;

	while (!home(record)) {
		if (exists(record->pci))
			seen = now;
		if (now > deadline || now > seen + GONE_MS * 1000000ull)
			return now <= deadline;
		nanosleep(&pause, NULL);
		now = boot_ns();
	}
	return true;
}

/* domain:bus:device.function; an auxiliary device's name has no colon. */
static bool is_pci(const char *device)
{
	return strchr(device, ':') != NULL;
}

static bool device_has(const char *device, const char *what)
{
	char path[PATH_MAX];

	return (!try_snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, what) && !access(path, F_OK)) ||
	       (!try_snprintf(path, sizeof(path), "/sys/bus/auxiliary/devices/%s/%s", device, what) &&
		!access(path, F_OK));
}

static bool device_exists(const char *device)
{
	return device_has(device, "");
}

/* In whatever netns. Without a driver that makes netdevs there is none. */
static bool netdev_exists(const char *device)
{
	enum sriov_driver driver;

	return device_has(device, "driver") &&
	       (!is_pci(device) || sriov_driver_get(device, &driver, NULL, 0) || driver == SRIOV_DRIVER_NETDEV);
}

/* Its uverbs node is to be seen from each netns, if there are such nodes at all. */
static bool rdma_exists(const char *device)
{
	return access("/sys/class/infiniband_verbs", F_OK) || device_has(device, "infiniband_verbs");
}

/* ---- the device, at home ---- */

static int find_netdev(const char *device, bool is_pci, struct node_device *found, struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	char name[IF_NAMESIZE];
	int r = is_pci ? sriov_netdev_name(device, name, sizeof(name))
		       : sriov_aux_netdev_name(device, name, sizeof(name));

	if (!r)
		r = rtnl_open(&nl, -1);
	if (!r)
		r = netdev_find(nl, name);
	if (r > 0)
		r = netdev_link_get(nl, (uint32_t)r, &found->link);
	if (!r)
		return 0;
	found->link = (struct netdev_link){};
	/* There is none, or it has gone in this moment; one that cannot be asked is not none. */
	return r == -ENODEV ? 0 : fail(err, r, "the netdev of %s: %s", device, strerror(-r));
}

static int find_rdma(const char *device, struct node_device *found, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int self = host_netns(err);
	struct rdma_device devices[2];
	int count, r;

	if (self < 0)
		return self;
	r = rdma_open(&nl, self);
	if (r == -EPROTONOSUPPORT)
		return 0;
	count = r ? r : rdma_find_children(nl, device, devices, ARRAY_SIZE(devices));
	if (count < 0)
		return fail(err, count, "RDMA netlink: %s", strerror(-count));
	found->rdma_count = (size_t)count;
	if (!count)
		return 0;
	snprintf(found->rdma_name, sizeof(found->rdma_name), "%s", devices[0].name);
	found->rdma_index = devices[0].index;
	found->rdma_guid = devices[0].node_guid;
	return 0;
}

int node_device_find(const char *device, bool is_pci, struct node_device *found, struct err *err)
{
	enum sriov_driver driver = SRIOV_DRIVER_NETDEV;
	int r;

	*found = (struct node_device){};
	if (!device_exists(device))
		return fail(err, -ENODEV, "device %.64s: there is none", device);
	r = find_netdev(device, is_pci, found, err);
	if (!r)
		r = find_rdma(device, found, err);
	if (r || !is_pci)
		return r;
	found->userspace = !sriov_driver_get(device, &driver, NULL, 0) && driver == SRIOV_DRIVER_USER;
	found->has_vf = !sriov_vf_get(device, &found->vf);
	return 0;
}

void node_device_record(const struct node_device *device, bool netdev, bool rdma, struct record *r)
{
	r->has_netdev = netdev && device->link.ifindex;
	r->has_vf = netdev && device->has_vf;
	r->has_rdma = rdma;
	if (r->has_netdev) {
		memcpy(r->host_name, device->link.name, sizeof(r->host_name));
		memcpy(r->host_mac, device->link.mac, sizeof(r->host_mac));
		r->host_mtu = device->link.mtu;
		r->host_up = device->link.flags & IFF_UP;
		memcpy(r->host_altname, device->link.altname, sizeof(r->host_altname));
		r->host_altnames = device->link.altnames;
	}
	if (r->has_vf)
		r->vf = device->vf;
	if (rdma) {
		memcpy(r->rdma_name, device->rdma_name, sizeof(r->rdma_name));
		r->rdma_guid = device->rdma_guid;
	}
}

/* ---- netns ---- */

int node_netns_open(const char *path, const struct netns_id *id)
{
	_cleanup_close_ int fd = netns_open(path, 0, NULL);
	struct netns_id now;

	if (fd >= 0 && !netns_identify(fd, &now, NULL) && now.cookie == id->cookie)
		return take_fd(&fd);
	return netns_open_cookie(id->cookie);
}

bool node_netns_lives(const char *path, const struct netns_id *id)
{
	_cleanup_close_ int fd = node_netns_open(path, id);

	return fd >= 0;
}

/* ---- VF ---- */

static unsigned int vf_settings(const struct netconf *c, struct sriov_vf *to)
{
	static const int links[] = { [NETCONF_LINK_AUTO] = IFLA_VF_LINK_STATE_AUTO,
				     [NETCONF_LINK_ENABLE] = IFLA_VF_LINK_STATE_ENABLE,
				     [NETCONF_LINK_DISABLE] = IFLA_VF_LINK_STATE_DISABLE };
	unsigned int settings = 0;

	*to = (struct sriov_vf){};
	if (c->vlan.set) {
		settings |= SRIOV_VLAN;
		to->vlan = c->vlan.value;
		to->vlan_qos = c->vlan_qos;
		to->vlan_proto = c->vlan_8021ad ? ETH_P_8021AD : ETH_P_8021Q;
	}
	if (c->mac[0] && !mac_parse(c->mac, to->mac))
		settings |= SRIOV_MAC;
	if (c->min_tx_rate.set || c->max_tx_rate.set) {
		settings |= SRIOV_RATE;
		to->min_rate = c->min_tx_rate.value;
		to->max_rate = c->max_tx_rate.value;
	}
	if (c->spoofchk != NETCONF_KEEP) {
		settings |= SRIOV_SPOOFCHK;
		to->spoofchk = c->spoofchk == NETCONF_ON;
	}
	if (c->trust != NETCONF_KEEP) {
		settings |= SRIOV_TRUST;
		to->trust = c->trust == NETCONF_ON;
	}
	if (c->link_state != NETCONF_LINK_KEEP) {
		settings |= SRIOV_LINK_STATE;
		to->link_state = links[c->link_state];
	}
	return settings;
}

bool node_vf_settings(const struct netconf *conf)
{
	struct sriov_vf to;

	return vf_settings(conf, &to) != 0;
}

int node_vf_set(const char *pci, const struct netconf *conf, const struct sriov_vf *now, struct err *err)
{
	struct sriov_vf to;
	unsigned int settings = vf_settings(conf, &to);

	return settings ? sriov_vf_set(pci, settings, &to, now, err) : 0;
}

int node_vf_check(const char *pci, const struct netconf *conf, struct err *err)
{
	struct sriov_vf to, now;
	unsigned int s = vf_settings(conf, &to);
	const char *what;

	if (!s)
		return 0;
	if (sriov_vf_get(pci, &now))
		return fail(err, -EIO, "device %s: its PF does not tell what is set for it", pci);
	what = s & SRIOV_VLAN && (to.vlan != now.vlan || (now.vlan_qos >= 0 && to.vlan_qos != now.vlan_qos)) ? "VLAN"
	       : s & SRIOV_MAC && memcmp(to.mac, now.mac, sizeof(to.mac)) != 0                               ? "MAC"
	       : s & SRIOV_RATE && (to.max_rate != now.max_rate || to.min_rate != now.min_rate)              ? "rate"
	       : s & SRIOV_SPOOFCHK && to.spoofchk != now.spoofchk       ? "spoofchk"
	       : s & SRIOV_TRUST && to.trust != now.trust                ? "trust"
	       : s & SRIOV_LINK_STATE && to.link_state != now.link_state ? "link_state"
									 : NULL;
	return what ? fail(err, -ESTALE, "device %s: its %s is not what the configuration says any more", pci, what)
		    : 0;
}

int node_vf_restore(const struct record *record, struct err *err)
{
	return device_exists(record->pci) ? sriov_vf_restore(record->pci, &record->vf, err) : 0;
}

/* ---- netdev ---- */

int node_netdev_up(int netns, uint32_t ifindex, struct err *err)
{
	const struct netdev_change change = { .state = NETDEV_UP };
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl, netns);

	return r ? fail(err, r, "rtnetlink: %s", strerror(-r)) : netdev_set(nl, ifindex, &change, err);
}

int node_netdev_send(const struct record *record, uint32_t ifindex, int netns, const struct netconf *conf,
		     uint32_t *there, struct err *err)
{
	const struct netdev_target target = { .netns_fd = netns, .name = record->ifname, .mtu = conf->mtu };
	_cleanup_(rtnl_close) struct rtnl *nl = NULL, *pod = NULL;
	struct netdev_place place;
	struct sriov_vf to;
	int r = rtnl_open(&nl, -1);

	if (r)
		return fail(err, r, "rtnetlink: %s", strerror(-r));
	r = netdev_move(nl, ifindex, &target, &place, err);
	if (r)
		return r;
	*there = place.ifindex;
	if (!(vf_settings(conf, &to) & SRIOV_MAC))
		return 0;
	r = rtnl_open(&pod, netns);
	return r ? fail(err, r, "rtnetlink: %s", strerror(-r))
		 : netdev_mac_set(pod, place.ifindex, to.mac, MAC_MS, err);
}

static bool netdev_is_home(const struct record *record)
{
	char name[IF_NAMESIZE];

	return !device_exists(record->pci) || !sriov_netdev_name(record->pci, name, sizeof(name)) ||
	       !sriov_aux_netdev_name(record->pci, name, sizeof(name));
}

/* Where somebody in the pod has given it another name, it is still the function's. */
static int fetch_from(const struct record *record, int netns, struct err *err)
{
	_cleanup_close_ int home = host_netns(err);
	const struct netdev_target target = {
		.netns_fd = home, .name = record->host_name, .mtu = record->host_mtu, .any_name = true
	};
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct netdev_place place;
	int index, r;

	if (home < 0)
		return home;
	r = rtnl_open(&nl, netns);
	if (r)
		return fail(err, r, "rtnetlink: %s", strerror(-r));
	index = netdev_find_parent(nl, record->pci);
	if (index == -ENODEV)
		return 0; /* somebody else has taken it; whether it is home is seen next */
	return index < 0 ? fail(err, index, "the netdev of %s: %s", record->pci, strerror(-index))
			 : netdev_move(nl, (uint32_t)index, &target, &place, err);
}

static bool had_altname(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->host_altnames; i++)
		if (!strcmp(record->host_altname[i], name))
			return true;
	return false;
}

/* A netdev takes them along, and whoever has CAP_NET_ADMIN in the pod may have given it some. */
static int drop_altnames(struct rtnl *nl, const struct record *record, const struct netdev_link *link, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < link->altnames; i++)
		if (!had_altname(record, link->altname[i]))
			r = netdev_altname_remove(nl, link->ifindex, link->altname[i], err);
	return r;
}

/* Its netdev at home: 1, 0 when it has none (any more), or -errno. */
static int open_at_home(const struct record *record, struct rtnl **nl, struct node_device *now, struct err *err)
{
	int r = node_device_find(record->pci, is_pci(record->pci), now, err);

	if (r || !now->link.ifindex)
		return r == -ENODEV ? 0 : r;
	r = rtnl_open(nl, -1);
	return r ? fail(err, r, "rtnetlink: %s", strerror(-r)) : 1;
}

/* As it was when it went: for those that the kernel has brought home itself, too. */
static int make_as_before(const struct record *record, struct err *err)
{
	const struct netdev_change change = {
		.state = NETDEV_DOWN, .mtu = record->host_mtu, .promisc_off = true, .allmulti_off = true
	};
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct node_device now;
	int r = open_at_home(record, &nl, &now, err);

	if (r <= 0)
		return r;
	r = netdev_set(nl, now.link.ifindex, &change, err);
	if (!r)
		r = drop_altnames(nl, record, &now.link, err);
	if (!r && strcmp(now.link.name, record->host_name) && netdev_find(nl, record->host_name) == -ENODEV)
		r = netdev_rename(nl, now.link.ifindex, record->host_name, err);
	return r;
}

int node_netdev_fetch(const struct record *record, int netns, struct err *err)
{
	int r;

	if (!netdev_is_home(record) && netns >= 0) {
		r = fetch_from(record, netns, err);
		if (r)
			return r;
	}
	if (!wait_home(netdev_is_home, netdev_exists, record))
		return fail(err, -EAGAIN, "the netdev of %s is not back from its netns", record->pci);
	return make_as_before(record, err);
}

int node_netdev_finish(const struct record *record, struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	const struct netdev_change last = { .state = record->host_up ? NETDEV_UP : NETDEV_DOWN };
	struct node_device now;
	int r = open_at_home(record, &nl, &now, err);

	if (r <= 0)
		return r;
	r = netdev_mac_set(nl, now.link.ifindex, record->host_mac, MAC_MS, err);
	return r ? r : netdev_set(nl, now.link.ifindex, &last, err);
}

int node_netdev_parent(int netns, const char *ifname, char *parent, size_t size, struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct netdev_link link;
	int index, r = rtnl_open(&nl, netns);

	if (r)
		return fail(err, r, "rtnetlink: %s", strerror(-r));
	index = netdev_find(nl, ifname);
	r = index < 0 ? index : netdev_link_get(nl, (uint32_t)index, &link);
	if (!r)
		r = link.parent[0] ? try_snprintf(parent, size, "%s", link.parent) : -ENODEV;
	return r ? fail(err, r, "%s in the pod is no function's netdev: %s", ifname, strerror(-r)) : 0;
}

int node_netdev_get(int netns, uint32_t ifindex, struct netdev_link *link, struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl, netns);

	if (!r)
		r = netdev_link_get(nl, ifindex, link);
	return r ? fail(err, r, "the netdev in the pod: %s", strerror(-r)) : 0;
}

int node_netdev_find(int netns, const char *pci, struct netdev_link *link, struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int index, r = rtnl_open(&nl, netns);

	if (r)
		return fail(err, r, "rtnetlink: %s", strerror(-r));
	index = netdev_find_parent(nl, pci);
	r = index < 0 ? index : netdev_link_get(nl, (uint32_t)index, link);
	return r ? fail(err, r, "the netdev of %s is not in the pod: %s", pci, strerror(-r)) : 0;
}

/* ---- RDMA device ---- */

const char *node_claim_name(const struct record *record)
{
	return record->softroce ? record->rdma_name : record->pci;
}

static int open_rdma(struct rdma_nl **nl, int netns, struct err *err)
{
	int r = rdma_open(nl, netns);

	return r ? fail(err, r, "RDMA netlink: %s", strerror(-r)) : 0;
}

int node_rdma_send(uint32_t index, int netns, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int home = host_netns(err);
	int r = home < 0 ? home : open_rdma(&nl, home, err);

	return r ? r : rdma_move(nl, index, netns, err);
}

/* One that the record knows, in that netns: 0 or -ENODEV. */
static int find_in(struct rdma_nl *nl, const struct record *record, struct rdma_device *device)
{
	struct rdma_device devices[2];
	int count;

	if (record->softroce)
		return rdma_find(nl, record->rdma_name, device);
	count = rdma_find_children(nl, record->pci, devices, ARRAY_SIZE(devices));
	if (count < 0)
		return count;
	*device = devices[0];
	return count ? 0 : -ENODEV;
}

/* The same, with the reason. */
static int look_in(struct rdma_nl *nl, const struct record *record, struct rdma_device *device, struct err *err)
{
	int r = find_in(nl, record, device);

	return r ? fail(err, r, "the RDMA device of %s: %s", record->pci, strerror(-r)) : 0;
}

static bool rdma_is_home(const struct record *record)
{
	return !device_exists(record->pci) || rdma_is_here(record->pci);
}

struct move {
	struct rdma_nl *nl;
	uint32_t index;
	int netns;
	struct err *err;
};

static int call_move(void *ctx)
{
	const struct move *m = ctx;

	return rdma_move(m->nl, m->index, m->netns, m->err);
}

/* The kernel lets only who is in the device's netns himself move it, whatever socket he has (rdma_dev_change_netns). */
static int fetch_rdma_from(const struct record *record, int netns, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int home = host_netns(err);
	struct rdma_device device;
	int r = home < 0 ? home : open_rdma(&nl, netns, err);

	if (!r)
		r = look_in(nl, record, &device, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	return netns_call(netns, call_move, &(struct move){ nl, device.index, home, err });
}

/* It is home, and has the name that it had. */
static int name_as_before(const struct record *record, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int home = host_netns(err);
	struct rdma_device device, other;
	int r = home < 0 ? home : open_rdma(&nl, home, err);

	if (!r)
		r = look_in(nl, record, &device, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	if (!strcmp(device.name, record->rdma_name) || !rdma_find(nl, record->rdma_name, &other))
		return 0;
	return rdma_rename(nl, device.index, record->rdma_name, err);
}

static int delete_softroce(const struct record *record, int netns, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device device;
	int r = open_rdma(&nl, netns, err);

	if (!r)
		r = look_in(nl, record, &device, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	return rdma_link_delete(nl, device.index, err);
}

static int is_named(const struct rdma_cdev *cdev, void *ctx)
{
	return !strcmp(cdev->ibdev, ctx);
}

static bool softroce_is_gone(const struct record *record)
{
	return rdma_cdev_for_each(is_named, (void *)record->rdma_name) <= 0;
}

static bool wait_softroce(const struct record *record)
{
	return wait_home(softroce_is_gone, device_exists, record);
}

/*
 * With the pod's netns gone the kernel ends it, when the netdev leaves that, and is left to it: who deletes it just then makes rxe
 * give up its socket twice (7.3: rxe_net_del, for NETDEV_UNREGISTER and for the deletion). It has no nodes while it comes home
 * itself, so that the netdev is waited for first. Until it has ended the next one cannot be made on the netdev.
 */
static bool softroce_ended(const struct record *record)
{
	return wait_home(netdev_is_home, netdev_exists, record) && wait_softroce(record);
}

static int end_softroce(const struct record *record, int netns, struct err *err)
{
	_cleanup_close_ int home = -1;
	int r;

	if (netns < 0 && softroce_ended(record))
		return 0;
	home = host_netns(err);
	if (home < 0)
		return home;
	r = netns >= 0 ? delete_softroce(record, netns, err) : 0;
	if (!r)
		r = delete_softroce(record, home, err);
	if (r || wait_softroce(record))
		return r;
	return fail(err, -EAGAIN, "the soft RDMA device %s is still there", record->rdma_name);
}

int node_rdma_fetch(const struct record *record, int netns, struct err *err)
{
	int r = 0;

	if (record->softroce)
		return end_softroce(record, netns, err);
	if (!rdma_is_home(record) && netns >= 0)
		r = fetch_rdma_from(record, netns, err);
	if (r)
		return r;
	if (!wait_home(rdma_is_home, rdma_exists, record))
		return fail(err, -EAGAIN, "the RDMA device of %s is not back from its netns", record->pci);
	return name_as_before(record, err);
}

int node_softroce_add(const struct record *record, int netns, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL, *host = NULL;
	_cleanup_close_ int home = host_netns(err);
	enum rdma_netns_mode mode;
	struct rdma_device device;
	int r = home < 0 ? home : open_rdma(&nl, netns, err);

	if (!r)
		r = open_rdma(&host, home, err);
	if (!r)
		r = rdma_rxe_add(nl, record->rdma_name, record->ifname, err);
	if (r)
		return r;
	r = rdma_netns_mode_get(host, &mode);
	if (r || mode == RDMA_NETNS_SHARED)
		return r ? fail(err, r, "RDMA netlink: %s", strerror(-r)) : 0;
	if (rdma_find(host, record->rdma_name, &device))
		return 0; /* born in the pod */
	return rdma_move(host, device.index, netns, err);
}

int node_rdma_check(const struct record *record, int netns, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device device;
	dev_t node;
	int r = open_rdma(&nl, netns, err);

	if (r)
		return r;
	if (find_in(nl, record, &device))
		return fail(err, -ENODEV, "the RDMA device of %s is not in the pod", record->pci);
	/* A function's was found by that node. */
	if (record->softroce && rdma_uverbs(nl, device.index, &node))
		return fail(err, -ENODEV, "RDMA device %s has no uverbs node", device.name);
	return 0;
}

int node_gids_check(const struct record *record, int netns, const struct cni_result *result, int timeout_ms,
		    struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device device;
	char netdev[IF_NAMESIZE];
	uint8_t gid[16];
	int r = open_rdma(&nl, netns, err);

	if (!r && find_in(nl, record, &device))
		r = fail(err, -ENODEV, "the RDMA device of %s is not in the pod", record->pci);
	if (r || rdma_port_netdev(nl, device.index, netdev, sizeof(netdev)) || !netdev[0])
		return r;
	for (size_t i = 0; !r && i < result->ip_count; i++) {
		if (!cni_ip_is_of(result, &result->ips[i], record->ifname))
			continue;
		cni_addr_mapped(&result->ips[i].address, gid);
		r = rdma_wait_gid(netns, device.name, gid, timeout_ms, err);
	}
	return r;
}
