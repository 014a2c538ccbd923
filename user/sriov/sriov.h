/* SPDX-License-Identifier: Apache-2.0 */
/* VFs and their netdevs as the kernel tells of them: sysfs and rtnetlink. Owns no state. */
#ifndef WARDEN_SRIOV_H
#define WARDEN_SRIOV_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* What the PF enforces on a VF (linux/if_link.h, IFLA_VF_*). A driver tells what it knows: -1 is unknown. */
struct sriov_vf {
	uint8_t mac[6]; /* administrative; zero: the VF chooses */
	int64_t vlan, vlan_qos;
	int32_t vlan_proto; /* ETH_P_8021Q, ETH_P_8021AD */
	int64_t min_rate, max_rate; /* Mb/s; 0: none */
	int spoofchk, trust;
	int link_state; /* IFLA_VF_LINK_STATE_* */
};

struct sriov_netdev {
	char name[IF_NAMESIZE];
	uint8_t mac[6], permanent_mac[6]; /* the latter zero: the driver does not say */
	uint32_t mtu, promiscuity, allmulti;
};

/* The netdev of a PCI function in the caller's netns, by PCI address: 0, or -ENODEV when there is none. */
int sriov_netdev_get(const char *pci, struct sriov_netdev *netdev);

/* The name alone: 0, -ENODEV, or -errno when it cannot be read. Of a function, and of an auxiliary device (a scalable function). */
int sriov_netdev_name(const char *pci, char *to, size_t size);
int sriov_aux_netdev_name(const char *device, char *to, size_t size);

/* The name of the PF's netdev, without asking for more: 0, or -ENODEV as below. */
int sriov_pf_name(const char *pci, char *to, size_t size);

/* The PF's netdev: 0, or -ENODEV when `pci` is no VF, or its PF has no netdev here. */
int sriov_pf_netdev_get(const char *pci, struct sriov_netdev *netdev);

/* What the PF of the VF has set for it: 0, -ENODEV as above, or -errno of netlink. */
int sriov_vf_get(const char *pci, struct sriov_vf *vf);

/* The index of the PF's netdev, and which of its VFs it is: 0 or -ENODEV as above. */
int sriov_pf_ifindex(const char *pci, uint32_t *ifindex);
int sriov_vf_number(const char *pci, uint32_t *number);

/* Which settings of a struct sriov_vf are meant. */
enum sriov_settings {
	SRIOV_VLAN = 1 << 0, /* with vlan_qos and vlan_proto */
	SRIOV_MAC = 1 << 1,
	SRIOV_RATE = 1 << 2, /* both */
	SRIOV_SPOOFCHK = 1 << 3,
	SRIOV_TRUST = 1 << 4,
	SRIOV_LINK_STATE = 1 << 5,
	SRIOV_ALL = (1 << 6) - 1,
};

/*
 * Sets what `settings` names as `to` has it, in one message, and reads it back: 0 or -errno, -EIO when the driver took it and
 * has something else. What is so already is not sent, so a driver that lacks a setting can keep it. `now` is what
 * sriov_vf_get() gave, or NULL: then it is asked first.
 */
int sriov_vf_set(const char *pci, unsigned int settings, const struct sriov_vf *to, const struct sriov_vf *now,
		 struct err *err);

/* Everything back to what it was, save what was unknown then. */
int sriov_vf_restore(const char *pci, const struct sriov_vf *saved, struct err *err);

enum sriov_driver {
	SRIOV_DRIVER_NONE, /* not bound */
	SRIOV_DRIVER_NETDEV, /* any of the kernel's own */
	SRIOV_DRIVER_USER, /* vfio-pci, uio_pci_generic, igb_uio: the function belongs to a process */
};

/* The function has VFs, or could have. */
bool sriov_is_pf(const char *pci);

/* What the function is bound to and, where `name` is not NULL, the driver's name, "" without one. -ENODEV: no such function. */
int sriov_driver_get(const char *pci, enum sriov_driver *driver, char *name, size_t size);
/* Of a netdev in the caller's netns; each 0 or -errno. */
int sriov_set_up(const char *netdev);
int sriov_set_mtu(const char *netdev, uint32_t mtu);

/*
 * The netdevs with a PCI function as parent that are in other netns than the caller's: `visit` gets the function, the
 * netdev's name and what the netns is called. 0 or -errno.
 */
int sriov_away_each(void (*visit)(const char *pci, const char *netdev, const char *netns, void *ctx), void *ctx);

#endif
