/* SPDX-License-Identifier: Apache-2.0 */
/* Reads PFs and VFs as policy.h wants them: from sysfs, and what that does not have from those who know. */
#ifndef WARDEN_POLICY_NODE_H
#define WARDEN_POLICY_NODE_H

#include "sriov/policy.h"

struct policy_source {
	const char *sysfs; /* "/sys", or a copy of it in a test */
	const char *operator_dir; /* where the SR-IOV operator keeps a file for each PF that it has configured */
	/* The PF's permanent MAC, and the one that it gives a VF: 0, or -errno when that is not known. */
	int (*pf_mac)(const char *pci, uint8_t mac[6]);
	int (*admin_mac)(const char *pci, uint8_t mac[6]);
	/* Visits the netdevs that are in other netns: sriov_away_each(). */
	int (*away)(void (*visit)(const char *pci, const char *netdev, const char *netns, void *ctx), void *ctx);
	/* Why the VF is not to be touched, as others know it; "": not at all. */
	void (*busy)(const char *pci, char *why, size_t size, void *ctx);
	void *ctx;
};

/* pf_mac, admin_mac and away of the kernel that runs. */
void policy_source_of_kernel(struct policy_source *source);

/* 0 or -errno. To be freed with policy_node_free(). */
int policy_node_read(const struct policy_source *source, struct policy_node *node, struct err *err);

/* The driver of a PCI function, or "". */
void policy_driver(const char *sysfs, const char *pci, char *to, size_t size);
/* Its netdev in wardend's netns, or "". */
void policy_netdev(const char *sysfs, const char *pci, char *to, size_t size);

#endif
