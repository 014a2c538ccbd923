/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What beside DCB decides how RoCE traffic is marked and paced, from sysfs, configfs, debugfs and an ioctl. Owns no
 * state. `root` is "/sys", or a copy of it in a test.
 */
#ifndef WARDEN_HOST_H
#define WARDEN_HOST_H

#include <stdbool.h>

#include "qos/profile.h"

/* One setting: its value, or why there is none. */
struct qos_reading {
	int error; /* 0 or -errno */
	unsigned int value;
};

enum { QOS_PAUSE_RX = 1, QOS_PAUSE_TX = 2 };

/* A netdev: the PF's, where it concerns the port. */
struct qos_host_port {
	bool mlx5; /* mlx5_core drives it, so mlnx_qos can set it */
	struct qos_reading mtu;
	struct qos_reading ecn_np, ecn_rp; /* bit p: on for priority p; notification and reaction point */
	struct qos_reading cnp_dscp, cnp_priority;
	char cc_pci[16]; /* in whose debugfs the kernel's own mlx5 keeps the two; "": OFED's place, or none */
	struct qos_reading pause; /* QOS_PAUSE_*: that of the whole link (802.3x), not by priority */
};

/* An RDMA device. */
struct qos_host_device {
	bool visible; /* in this sysfs: not one that a pod's netns has in exclusive mode */
	bool infiniband; /* its link layer: no RoCE, nothing to judge */
	/* What the driver forces on every QP. -ENOENT: it cannot; -ENODATA: it can, and does not; -EBADMSG: by rules. */
	struct qos_reading tclass;
	struct qos_reading cma_tos; /* rdma_cm's default */
	struct qos_reading cma_mode; /* enum qos_roce_mode: which GIDs rdma_cm takes */
};

void qos_host_port_read(const char *root, const char *netdev, struct qos_host_port *port);

/*
 * rdma_cm shows its defaults in configfs, in folders that are made on demand (mkdir); the folder holds no state of its
 * own. One that is missing is made for the reading and removed again, as OFED's cma_roce_tos does: without it,
 * nearly every device would be unknown.
 */
void qos_host_device_read(const char *root, const char *device, struct qos_host_device *host);

/* Of the netdev in the caller's netns, by ioctl. */
struct qos_reading qos_pause_read(const char *netdev);

#endif
