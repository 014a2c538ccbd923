/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RDMA devices as the kernel tells of them: RDMA netlink (one netns at a time) and sysfs. Owns no state.
 * Source of the netlink interface: include/uapi/rdma/rdma_netlink.h.
 */
#ifndef WARDEN_RDMA_H
#define WARDEN_RDMA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define RDMA_NAME_MAX 64

struct rdma_device {
	uint32_t index;
	uint64_t node_guid, sys_image_guid; /* big endian, as the kernel keeps them; 0: not told */
	char name[RDMA_NAME_MAX];
};

/* Objects that processes have; the kernel's own are not counted. */
struct rdma_usage {
	uint32_t pd, cq, qp, mr, ctx;
};

typedef void (*rdma_counter_visit)(const char *name, uint64_t value, void *ctx);

enum rdma_netns_mode { RDMA_NETNS_EXCLUSIVE, RDMA_NETNS_SHARED };

/* A character device of class infiniband_verbs or infiniband_mad, in whatever netns its device is, or rdma_cm. */
struct rdma_cdev {
	dev_t dev;
	char name[32]; /* uverbs0, umad0, issm0 */
	char ibdev[RDMA_NAME_MAX]; /* "": rdma_cm, which is of all devices */
	char parent[32]; /* the PCI function, or "" for a software device */
};

/* Whether the module that answers is loaded: without it a request would load it. */
bool rdma_module_loaded(const char *module);

struct rdma_nl;

/* Opens RDMA netlink in the netns of `netns_fd`. 0 or -errno (-EPROTONOSUPPORT: ib_core is not loaded). */
int rdma_open(struct rdma_nl **nl, int netns_fd);
/* The same with a socket of that netns (AF_NETLINK, NETLINK_RDMA), which is taken over, also on an error. */
int rdma_open_on(struct rdma_nl **nl, int socket);
void rdma_close(struct rdma_nl **nl);

/* Calls `visit` for each device that the netns sees. 0 or -errno; a nonzero answer of `visit` stops. */
int rdma_for_each(struct rdma_nl *nl, int (*visit)(const struct rdma_device *device, void *ctx), void *ctx);

/* The dev_t of a device's uverbs node. 0 or -errno. */
int rdma_uverbs(struct rdma_nl *nl, uint32_t index, dev_t *dev);

struct rdma_port {
	uint8_t state; /* enum ib_port_state; 0: not told */
	uint32_t ifindex; /* of the netdev behind it; 0: it is in another netns, or there is none */
	char netdev[RDMA_NAME_MAX]; /* its name, likewise "" */
};

/* Port 1: 0 or -errno. */
int rdma_port_get(struct rdma_nl *nl, uint32_t index, struct rdma_port *port);

/* The name of the netdev behind port 1; "" when it is in another netns or there is none. */
int rdma_port_netdev(struct rdma_nl *nl, uint32_t index, char *to, size_t size);

/* Its index: 0, or -ENODEV as above, or another -errno. */
int rdma_port_ifindex(struct rdma_nl *nl, uint32_t index, uint32_t *ifindex);

int rdma_usage_get(struct rdma_nl *nl, uint32_t index, struct rdma_usage *usage);

/* How many objects there are, the kernel's own among them. */
struct rdma_totals {
	uint32_t index;
	uint32_t pd, cq, qp, cm_id, mr, ctx;
};

/* Calls `visit` for each device that the netns sees; all of them are one dump. `visit` must not use `nl`. 0 or -errno. */
int rdma_totals_each(struct rdma_nl *nl, void (*visit)(const struct rdma_totals *totals, void *ctx), void *ctx);

struct rdma_objects {
	struct rdma_usage usage;
	uint64_t mr_bytes; /* of processes; without what is registered on demand and has no length */
	uint32_t connections; /* ids of rdma_cm that connect or are connected, the kernel's own among them */
};

/* What processes have of it, by as few dumps as the totals allow: 0 or -errno. */
int rdma_objects_get(struct rdma_nl *nl, const struct rdma_totals *totals, struct rdma_objects *objects);

struct rdma_qp {
	uint32_t qpn, remote_qpn; /* remote: 0 where it is not connected */
	uint8_t type, state; /* enum ib_qp_type, ib_qp_state: linux/include/rdma/ib_verbs.h */
	uint32_t pid; /* 0: the kernel's */
};

/* Those of the device; `visit` must not use `nl`. 0 or -errno. */
int rdma_qp_each(struct rdma_nl *nl, uint32_t index, void (*visit)(const struct rdma_qp *qp, void *ctx), void *ctx);

struct rdma_connection {
	uint32_t qpn; /* 0: it has none (yet) */
	uint32_t pid;
	char peer[64]; /* ADDRESS:PORT, of IPv6 [ADDRESS]:PORT; "": none */
};

/* The rdma_cm ids of the device that connect or are connected, likewise. */
int rdma_connection_each(struct rdma_nl *nl, uint32_t index,
			 void (*visit)(const struct rdma_connection *connection, void *ctx), void *ctx);

/*
 * Calls `visit` for each hardware counter of a port, by the driver's name for it; `visit` must not use `nl`. Those that
 * are optional and switched off are left out. 0, -EOPNOTSUPP: the driver has none; -EIO: it has and failed to read them;
 * -ENODEV: the netns sees no such device or port; or another -errno.
 */
int rdma_counters(struct rdma_nl *nl, uint32_t index, uint32_t port, rdma_counter_visit visit, void *ctx);

int rdma_netns_mode_get(struct rdma_nl *nl, enum rdma_netns_mode *mode);
/* -EBUSY while any netns but the initial one exists (ib_core's device.c, rdma_compatdev_set). */
int rdma_netns_mode_set(struct rdma_nl *nl, enum rdma_netns_mode mode);

/* ---- changes; fault points (lib/fault.h) stand around each ---- */

/*
 * Moves the device into that netns: 0 or -errno. Its index stays, its name too unless it is taken there. -EOPNOTSUPP: the
 * subsystem is in shared mode, or the driver cannot end the use of its device. What processes had open on it is dead then.
 */
int rdma_move(struct rdma_nl *nl, uint32_t index, int netns_fd, struct err *err);
int rdma_rename(struct rdma_nl *nl, uint32_t index, const char *name, struct err *err);

/*
 * A soft RoCE device on a netdev of the netns of `nl`. In exclusive mode the device itself is born in the initial netns. Moving
 * the netdev afterwards ends it.
 */
int rdma_rxe_add(struct rdma_nl *nl, const char *name, const char *netdev, struct err *err);
/* Ends such a device, which the netns of `nl` must see. */
int rdma_link_delete(struct rdma_nl *nl, uint32_t index, struct err *err);

/* ---- finding ---- */

/* By index, or by name: 0, or -ENODEV when the netns has no such device. */
int rdma_get(struct rdma_nl *nl, uint32_t index, struct rdma_device *device);
int rdma_find(struct rdma_nl *nl, const char *name, struct rdma_device *device);

/*
 * The devices of a PCI function or an auxiliary device that the netns of `nl` sees, up to `room` of them: how many there are, or
 * -errno. Without ib_uverbs nothing tells whose a device is, and there are none.
 */
int rdma_find_children(struct rdma_nl *nl, const char *parent, struct rdma_device *devices, size_t room);

/*
 * /sys as that netns has it, mounted nowhere: a descriptor or -errno. Its end waits for the kernel's readers (RCU), so this is for what
 * nothing else tells.
 */
int rdma_sysfs(int netns_fd);

/*
 * The GIDs of port 1 of the device, by its name in that netns, each once although the table has it for RoCE v1 and v2: how many
 * there are, of which the first `room` are told, or -ENODEV or another -errno.
 */
int rdma_gids(int netns_fd, const char *name, uint8_t (*gids)[16], size_t room);

/*
 * Waits until port 1 of the device, by its name in that netns, has the address as a GID (IPv4 as ::ffff:a.b.c.d): 0, or
 * -ETIMEDOUT, -ENODEV or another -errno.
 */
int rdma_wait_gid(int netns_fd, const char *name, const uint8_t gid[16], int timeout_ms, struct err *err);

/*
 * Whether a PCI function or an auxiliary device has an RDMA device in the netns that /sys shows, which for wardend is the
 * host's. Asks no netlink.
 */
bool rdma_is_here(const char *parent);

/* The character device with that number: 0, -ENODEV or -ENODATA when it is none of the RDMA stack (any more), or -errno. */
int rdma_cdev_get(dev_t dev, struct rdma_cdev *cdev);

/*
 * Calls `visit` for each RDMA character device of the node. 0, what `visit` answered, or -errno, after all others were visited,
 * when there is one that cannot be read.
 */
int rdma_cdev_for_each(int (*visit)(const struct rdma_cdev *cdev, void *ctx), void *ctx);

/* The same for the uverbs nodes of one PCI function or auxiliary device, in whatever netns its RDMA devices are. */
int rdma_cdev_for_each_of(const char *parent, int (*visit)(const struct rdma_cdev *cdev, void *ctx), void *ctx);

#endif
