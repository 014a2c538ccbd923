/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attachment does to the node, in its own words: a function's devices found, sent and fetched, whatever they are
 * called and wherever they are. Owns no state.
 */
#ifndef WARDEN_ATTACH_NODE_H
#define WARDEN_ATTACH_NODE_H

#include "attach/record.h"
#include "cni/netconf.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "net/netops.h"
#include "sriov/sriov.h"

/* A PCI function or an auxiliary device (a scalable function), as it is in the host's netns. */
struct node_device {
	struct netdev_link link; /* its netdev; ifindex 0: it has none here */
	bool userspace; /* a driver that gives it to a process has it */
	bool has_vf;
	struct sriov_vf vf;
	size_t rdma_count; /* RDMA devices here */
	char rdma_name[64]; /* of the first one */
	uint32_t rdma_index;
	uint64_t rdma_guid;
};

/* -ENODEV: there is no such device. */
int node_device_find(const char *device, bool is_pci, struct node_device *found, struct err *err);
/* Enters what is to be found again on the way back. */
void node_device_record(const struct node_device *device, bool netdev, bool rdma, struct record *record);

/* The netns that once had that identity is there. */
bool node_netns_lives(const char *path, const struct netns_id *id);
/* A descriptor of it: by the path, if it is still that one there, or by a walk over all. -ENOENT when it is gone. */
int node_netns_open(const char *path, const struct netns_id *id);

/* ---- VF ---- */

/* The configuration has something for the PF to set. */
bool node_vf_settings(const struct netconf *conf);
/* What the configuration says; `now` is what it has, or NULL. */
int node_vf_set(const char *pci, const struct netconf *conf, const struct sriov_vf *now, struct err *err);
/* It is as the configuration says: 0, or -ESTALE with the first difference. */
int node_vf_check(const char *pci, const struct netconf *conf, struct err *err);
int node_vf_restore(const struct record *record, struct err *err);

/* ---- netdev ---- */

/* Into the pod, under its name there; it is down. `there` is its index in the pod. */
int node_netdev_send(const struct record *record, uint32_t ifindex, int netns, const struct netconf *conf,
		     uint32_t *there, struct err *err);
int node_netdev_up(int netns, uint32_t ifindex, struct err *err);
/*
 * Fetches it from wherever it is, down, and with the name and the MTU that it had: 0, also when it is home. `netns` is -1
 * when the pod's is gone; the kernel then brings the netdev home in its own time, which is waited for. -EAGAIN: not yet.
 */
int node_netdev_fetch(const struct record *record, int netns, struct err *err);
/* Gives it its MAC again, once the PF lets it, and brings it up if it was. */
int node_netdev_finish(const struct record *record, struct err *err);
/* What function or auxiliary device the netdev of that name in the pod is of: 0 or -ENODEV. */
int node_netdev_parent(int netns, const char *ifname, char *parent, size_t size, struct err *err);
/* The netdev with that index in the pod, as it is now: 0 or -ENODEV. */
int node_netdev_get(int netns, uint32_t ifindex, struct netdev_link *link, struct err *err);
/* The function's netdev in the pod, whatever it is called: 0 or -ENODEV. */
int node_netdev_find(int netns, const char *pci, struct netdev_link *link, struct err *err);

/* ---- RDMA device ---- */

/* Sends the device with that index. */
int node_rdma_send(uint32_t index, int netns, struct err *err);
/* Fetches it, as node_netdev_fetch(). A soft one, which was made for the pod, is ended, and gone afterwards. */
int node_rdma_fetch(const struct record *record, int netns, struct err *err);
/* An rxe device of the record's name on the pod's netdev. */
int node_softroce_add(const struct record *record, int netns, struct err *err);
/* The RDMA device is in the netns, and has its uverbs node: 0, or -ENODEV with the reason. */
int node_rdma_check(const struct record *record, int netns, struct err *err);

/*
 * It has a GID for each of the interface's addresses, within that time: 0, or -errno with the reason. A port without a netdev
 * (InfiniBand) has none of addresses.
 */
int node_gids_check(const struct record *record, int netns, const struct cni_result *result, int timeout_ms,
		    struct err *err);

/* What hooks know the device by: the PCI function, or a soft device's name. */
const char *node_claim_name(const struct record *record);

/* ---- in the pod ---- */

int node_sysctls(int netns, const struct netconf *conf, const char *ifname, struct err *err);
/* The result's addresses and routes. */
int node_configure(int netns, uint32_t ifindex, const struct cni_result *result, struct err *err);
/* Those of the interface are there: 0, or -ESTALE with the first that is not. */
int node_addresses_check(int netns, uint32_t ifindex, const struct cni_result *result, struct err *err);
/* Its routes are there, in whatever table a later plugin may have put them: 0, or -ESTALE with the first that is not. */
int node_routes_check(int netns, const struct cni_result *result, struct err *err);
/* Conflicts and gateways, where IPAM wants them looked for. */
int node_probe(int netns, uint32_t ifindex, const struct cni_result *result, bool conflicts, bool gateways,
	       struct err *err);
/* Waits a moment for the carrier. What fails is only logged: the addresses work without it, later. */
void node_announce(int netns, uint32_t ifindex, const struct cni_result *result, int carrier_ms);

#endif
