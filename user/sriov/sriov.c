// SPDX-License-Identifier: Apache-2.0
#include "sriov/sriov.h"

#include <errno.h>
#include <libgen.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

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
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			return try_snprintf(to, size, "%s", entry->d_name) ? -ENODEV : 0;
	return -ENODEV;
}

/* The VF's number: which of its PF's links virtfnN leads to it. */
static int vf_number(const char *pci, uint32_t *number)
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

/* ---- rtnetlink ---- */

static int link_request(struct mnl_socket *socket, const char *ifname, uint32_t mask, mnl_cb_t parse, void *ctx)
{
	char buf[32 * 1024]; /* a PF of 128 VFs answers with some 24 KiB */
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	uint32_t seq = (uint32_t)time(NULL);
	struct ifinfomsg *info;
	ssize_t len;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = seq;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(h, IFLA_IFNAME, ifname);
	if (mask)
		mnl_attr_put_u32(h, IFLA_EXT_MASK, mask);
	if (mnl_socket_sendto(socket, h, h->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(socket, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(socket), parse, ctx) < 0 ? -errno : 0;
}

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

static int link_get(const char *ifname, uint32_t mask, mnl_cb_t parse, void *ctx)
{
	_cleanup_(socket_close) struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return link_request(socket, ifname, mask, parse, ctx);
}

static int parse_netdev(const struct nlmsghdr *h, void *ctx)
{
	struct sriov_netdev *n = ctx;
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, sizeof(struct ifinfomsg)) {
		uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);

		if (type == IFLA_ADDRESS && len == sizeof(n->mac))
			memcpy(n->mac, mnl_attr_get_payload(attr), sizeof(n->mac));
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
	*n = (struct sriov_netdev){};
	if (netdev_name(pci, sub, n->name, sizeof(n->name)))
		return -ENODEV;
	return link_get(n->name, RTEXT_FILTER_SKIP_STATS, parse_netdev, n);
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
	char pf[IF_NAMESIZE];
	int r;

	if (sriov_pf_name(pci, pf, sizeof(pf)) || vf_number(pci, &search.number))
		return -ENODEV;
	r = link_get(pf, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS, parse_vfs, &search);
	return r ? r : search.found ? 0 : -ENODEV;
}
