/* SPDX-License-Identifier: Apache-2.0 */
/* VFs and their netdevs as the kernel tells of them: sysfs and rtnetlink. Owns no state. */
#ifndef WARDEN_SRIOV_H
#define WARDEN_SRIOV_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* What the PF enforces on a VF (linux/if_link.h, IFLA_VF_*). A driver tells what it knows: -1 is unknown. */
struct sriov_vf {
	uint8_t mac[6]; /* administrative; zero: the VF chooses */
	int64_t vlan, vlan_qos;
	int vlan_proto; /* ETH_P_8021Q or ETH_P_8021AD */
	int64_t min_rate, max_rate; /* Mb/s; 0: none */
	int spoofchk, trust;
	int link_state; /* IFLA_VF_LINK_STATE_* */
};

struct sriov_netdev {
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint32_t mtu, promiscuity, allmulti;
};

/* The netdev of a PCI function in the caller's netns, by PCI address: 0, or -ENODEV when there is none. */
int sriov_netdev_get(const char *pci, struct sriov_netdev *netdev);

/* The name of the PF's netdev, without asking for more: 0, or -ENODEV as below. */
int sriov_pf_name(const char *pci, char *to, size_t size);

/* The PF's netdev: 0, or -ENODEV when `pci` is no VF, or its PF has no netdev here. */
int sriov_pf_netdev_get(const char *pci, struct sriov_netdev *netdev);

/* What the PF of the VF has set for it: 0, -ENODEV as above, or -errno of netlink. */
int sriov_vf_get(const char *pci, struct sriov_vf *vf);

#endif
