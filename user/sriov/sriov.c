// SPDX-License-Identifier: Apache-2.0
#include "sriov/sriov.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"
#include "net/rtnl.h"

#define SYSFS_PCI "/sys/bus/pci/devices"

/* ---- sysfs ---- */

/* The first netdev below the function's folder SUB ("net", "physfn/net") in the caller's netns. */
static int netdev_name(const char *pci, const char *sub, char *to, size_t size)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_MAX];

	if (!pci[0] || try_snprintf(path, sizeof(path), SYSFS_PCI "/%s/%s", pci, sub))
		return -ENODEV;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ENODEV : -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			return try_snprintf(to, size, "%s", entry->d_name) ? -ENODEV : 0;
	return -ENODEV;
}

int sriov_netdev_name(const char *pci, char *to, size_t size)
{
	return netdev_name(pci, "net", to, size);
}

int sriov_aux_netdev_name(const char *device, char *to, size_t size)
{
	char below[PATH_MAX];

	if (strchr(device, '/') || try_snprintf(below, sizeof(below), "../../auxiliary/devices/%s", device))
		return -ENODEV;
	return netdev_name(below, "net", to, size);
}

static int netdev_index(const char *pci, const char *sub, const char *name, uint32_t *ifindex)
{
	char path[PATH_MAX], line[32];
	uint64_t value;

	if (try_snprintf(path, sizeof(path), SYSFS_PCI "/%s/%s/%s/ifindex", pci, sub, name) ||
	    read_line(path, line, sizeof(line)) || parse_u64(line, 10, 1, INT32_MAX, &value))
		return -ENODEV;
	*ifindex = (uint32_t)value;
	return 0;
}

int sriov_pf_ifindex(const char *pci, uint32_t *ifindex)
{
	char name[IF_NAMESIZE];

	if (netdev_name(pci, "physfn/net", name, sizeof(name)))
		return -ENODEV;
	return netdev_index(pci, "physfn/net", name, ifindex);
}

/* Which of its PF's links virtfnN leads to it. */
int sriov_vf_number(const char *pci, uint32_t *number)
{
	char path[PATH_MAX], target[PATH_MAX];

	for (uint32_t i = 0; i < UINT16_MAX; i++) {
		ssize_t len;

		if (try_snprintf(path, sizeof(path), SYSFS_PCI "/%s/physfn/virtfn%u", pci, i))
			return -ENODEV;
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			return -ENODEV;
		target[len] = '\0';
		if (strcmp(basename(target), pci))
			continue;
		*number = i;
		return 0;
	}
	return -ENODEV;
}

bool sriov_is_pf(const char *pci)
{
	char path[PATH_MAX], line[16];
	uint64_t total;

	return pci[0] && !strchr(pci, '/') && !try_snprintf(path, sizeof(path), SYSFS_PCI "/%s/sriov_totalvfs", pci) &&
	       !read_line(path, line, sizeof(line)) && !parse_u64(line, 10, 1, UINT16_MAX, &total);
}

static bool is_user_driver(const char *name)
{
	static const char *const drivers[] = { "vfio-pci", "uio_pci_generic", "igb_uio" };

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(name, drivers[i]))
			return true;
	return false;
}

int sriov_driver_get(const char *pci, enum sriov_driver *driver, char *name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	if (!pci[0] || strchr(pci, '/') || try_snprintf(path, sizeof(path), SYSFS_PCI "/%s/driver", pci))
		return -ENODEV;
	len = readlink(path, target, sizeof(target) - 1);
	path[strlen(path) - strlen("/driver")] = '\0';
	if (len < 0 && access(path, F_OK))
		return -ENODEV;
	target[len < 0 ? 0 : len] = '\0';
	*driver = len < 0                            ? SRIOV_DRIVER_NONE
		  : is_user_driver(basename(target)) ? SRIOV_DRIVER_USER
						     : SRIOV_DRIVER_NETDEV;
	return name ? try_snprintf(name, size, "%s", len < 0 ? "" : basename(target)) : 0;
}

/* ---- rtnetlink ---- */

static int link_get(uint32_t ifindex, uint32_t mask, mnl_cb_t parse, void *ctx)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	int r = rtnl_open(&nl, -1);

	if (r)
		return r;
	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = (int)ifindex;
	mnl_attr_put_u32(h, IFLA_EXT_MASK, mask);
	return rtnl_talk(nl, h, parse, ctx); /* a PF of 128 VFs answers with some 24 KiB */
}

static int parse_netdev(const struct nlmsghdr *h, void *ctx)
{
	struct sriov_netdev *n = ctx;
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, sizeof(struct ifinfomsg)) {
		uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

		if (type == IFLA_ADDRESS && len == sizeof(n->mac))
			memcpy(n->mac, mnl_attr_get_payload(attr), sizeof(n->mac));
		else if (type == IFLA_PERM_ADDRESS && len == sizeof(n->permanent_mac))
			memcpy(n->permanent_mac, mnl_attr_get_payload(attr), sizeof(n->permanent_mac));
		else if (type == IFLA_MTU && len == sizeof(uint32_t))
			n->mtu = mnl_attr_get_u32(attr);
		else if (type == IFLA_PROMISCUITY && len == sizeof(uint32_t))
			n->promiscuity = mnl_attr_get_u32(attr);
		else if (type == IFLA_ALLMULTI && len == sizeof(uint32_t)) /* since 6.4 */
			n->allmulti = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

static int netdev_get(const char *pci, const char *sub, struct sriov_netdev *n)
{
	uint32_t ifindex;

	*n = (struct sriov_netdev){};
	if (netdev_name(pci, sub, n->name, sizeof(n->name)) || netdev_index(pci, sub, n->name, &ifindex))
		return -ENODEV;
	return link_get(ifindex, RTEXT_FILTER_SKIP_STATS, parse_netdev, n);
}

int sriov_netdev_get(const char *pci, struct sriov_netdev *n)
{
	return netdev_get(pci, "net", n);
}

int sriov_pf_name(const char *pci, char *to, size_t size)
{
	return netdev_name(pci, "physfn/net", to, size);
}

int sriov_pf_netdev_get(const char *pci, struct sriov_netdev *n)
{
	return netdev_get(pci, "physfn/net", n);
}

/* ---- IFLA_VF_INFO ---- */

struct vf_search {
	uint32_t number;
	struct sriov_vf *vf;
	bool found;
};

/* The payload as the struct of that size, or NULL when it is shorter: an older kernel's, or nonsense. */
static const void *payload(const struct nlattr *attr, size_t size)
{
	return mnl_attr_get_payload_len(attr) >= size ? mnl_attr_get_payload(attr) : NULL;
}

/* The list has one VLAN: the kernel takes no more (net/core/rtnetlink.c, MAX_VLAN_LIST_LEN). */
static int32_t vlan_proto(const struct nlattr *list)
{
	const struct ifla_vf_vlan_info *info;
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, list) {
		info = mnl_attr_get_type(attr) == IFLA_VF_VLAN_INFO ? payload(attr, sizeof(*info)) : NULL;
		if (info)
			return ntohs(info->vlan_proto);
	}
	return -1;
}

static void take_attribute(const struct nlattr *attr, struct vf_search *s)
{
	struct sriov_vf *vf = s->vf;
	const struct ifla_vf_mac *mac;
	const struct ifla_vf_vlan *vlan;
	const struct ifla_vf_rate *rate;
	const struct ifla_vf_spoofchk *flag; /* the structs of trust and link state are alike */

	switch (mnl_attr_get_type(attr)) {
	case IFLA_VF_MAC:
		mac = payload(attr, sizeof(*mac));
		if (mac) {
			s->found = mac->vf == s->number;
			memcpy(vf->mac, mac->mac, sizeof(vf->mac));
		}
		break;
	case IFLA_VF_VLAN:
		vlan = payload(attr, sizeof(*vlan));
		vf->vlan = vlan ? (int64_t)vlan->vlan : -1;
		vf->vlan_qos = vlan ? (int64_t)vlan->qos : -1;
		break;
	case IFLA_VF_VLAN_LIST:
		vf->vlan_proto = vlan_proto(attr);
		break;
	case IFLA_VF_RATE:
		rate = payload(attr, sizeof(*rate));
		vf->min_rate = rate ? (int64_t)rate->min_tx_rate : -1;
		vf->max_rate = rate ? (int64_t)rate->max_tx_rate : -1;
		break;
	case IFLA_VF_SPOOFCHK:
		flag = payload(attr, sizeof(*flag));
		vf->spoofchk = flag ? (int)flag->setting : -1;
		break;
	case IFLA_VF_TRUST:
		flag = payload(attr, sizeof(*flag));
		vf->trust = flag ? (int)flag->setting : -1;
		break;
	case IFLA_VF_LINK_STATE:
		flag = payload(attr, sizeof(*flag));
		vf->link_state = flag ? (int)flag->setting : -1;
		break;
	default:
		break;
	}
}

static void parse_vf(const struct nlattr *info, struct vf_search *s)
{
	const struct nlattr *attr;

	*s->vf = (struct sriov_vf){ .vlan = -1,
				    .vlan_qos = -1,
				    .vlan_proto = -1,
				    .min_rate = -1,
				    .max_rate = -1,
				    .spoofchk = -1,
				    .trust = -1,
				    .link_state = -1 };
	mnl_attr_for_each_nested (attr, info)
		take_attribute(attr, s);
}

static int parse_vfs(const struct nlmsghdr *h, void *ctx)
{
	struct vf_search *s = ctx;
	const struct nlattr *attr, *info;

	mnl_attr_for_each (attr, h, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_VFINFO_LIST)
			continue;
		mnl_attr_for_each_nested (info, attr) {
			parse_vf(info, s);
			if (s->found)
				return MNL_CB_OK;
		}
	}
	return MNL_CB_OK;
}

int sriov_vf_get(const char *pci, struct sriov_vf *vf)
{
	struct vf_search search = { .vf = vf };
	uint32_t pf;
	int r;

	if (sriov_pf_ifindex(pci, &pf) || sriov_vf_number(pci, &search.number))
		return -ENODEV;
	r = link_get(pf, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS, parse_vfs, &search);
	return r ? r : search.found ? 0 : -ENODEV;
}
