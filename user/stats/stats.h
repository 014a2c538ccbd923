/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted on each RDMA device and each PF's port of the node, in all network namespaces, read from the kernel in one go and
 * without a fork: RDMA netlink, sysfs' port counters, the driver's own names by ethtool. Whose a device is, is not known here: wardend
 * adds it, and who reads the kernel without wardend has none. Owns no state between two readings.
 *
 * Any thread: the calling one moves into the netns and back.
 */
#ifndef WARDEN_STATS_H
#define WARDEN_STATS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/netns.h"
#include "rdma/rdma.h"
#include "warden.h"

#define STATS_PRIORITIES 8

/* A counter by the name that its driver has for it. */
struct stats_counter {
	char name[64];
	uint64_t value;
};

struct stats_counters {
	struct stats_counter *counter;
	size_t count;
};

/* Who counted a device's bytes and packets; the names are public. NONE: nobody, and the figures are 0. */
#define STATS_TRAFFIC(X)                                                                             \
	X(NONE, "none")                                                                              \
	X(VPORT, "vport") /* the driver's vport_rdma counters, by ethtool: RDMA alone */             \
	X(PORT, "port") /* port_xmit_data and its like in sysfs: RDMA alone */                       \
	X(PACKETS, "packets") /* RoCE packets that vf.bpf.c has seen on the VF's netdev: software */ \
	X(HW, "hw") /* the device's own counters, by RDMA netlink: of soft RoCE its packets; no bytes */

enum stats_traffic_source {
#define X(id, name) STATS_TRAFFIC_##id,
	STATS_TRAFFIC(X)
#undef X
};

const char *stats_traffic_name(enum stats_traffic_source source);

/* As the wire has it, since the device came up. */
struct stats_traffic {
	enum stats_traffic_source source;
	bool has_bytes; /* else nobody counts them */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
};

struct stats_device {
	uint32_t index; /* ib_device.index: never comes again, so that a device that was replaced is a new one */
	char name[RDMA_NAME_MAX];
	char pci[WARDEN_PARENT_LEN]; /* "": a software device without one */
	char pf[IF_NAMESIZE]; /* of a VF: the netdev of its PF; else "" */
	char netdev[IF_NAMESIZE]; /* "": it has none in its netns */
	uint64_t node_guid, sys_image_guid; /* big endian, 0: not told */
	struct netns_id netns;
	char link[16]; /* ACTIVE, DOWN, INIT, ARMED, or "": not told */
	uint64_t speed_mbps; /* 0: not told */
	uint32_t mtu; /* of the netdev, bytes */
	struct rdma_usage usage;
	uint64_t mr_bytes; /* registered, by all processes */
	uint32_t connections; /* rdma_cm ids that are connected */
	struct stats_traffic traffic;
	bool has_tx_messages, has_rx_messages; /* the driver counts them */
	uint64_t tx_messages, rx_messages; /* requests */
	struct stats_counters rdma; /* RDMA netlink, port 1 */
	struct stats_counters
		ethtool; /* of the netdev, those with "vport" in their name alone, and prioN_pause and prioN_discards */
};

struct stats_priority {
	uint64_t rx_pause, tx_pause, rx_discards, tx_discards;
};

/* The port of a PF that has VFs or an RDMA device, or one that the caller has named. */
struct stats_pf {
	char netdev[IF_NAMESIZE];
	char pci[WARDEN_PARENT_LEN]; /* "": it is no function's */
	bool up; /* has a carrier */
	uint64_t speed_mbps; /* 0: not told */
	unsigned int vfs;
	bool has_priorities; /* the driver counts by priority */
	struct stats_priority priority[STATS_PRIORITIES];
};

struct stats {
	uint64_t time_ns; /* CLOCK_BOOTTIME, in the middle of the reading: rates are right across a suspend */
	uint64_t unix_ns; /* CLOCK_REALTIME, for people */
	bool shared; /* the netns mode of the RDMA subsystem */
	struct stats_device *devices; /* in the order of PF, PCI address, name */
	size_t device_count;
	struct stats_pf *pfs;
	size_t pf_count;
	unsigned int unread; /* devices or ports of which something could not be read, and is 0 */
};

/*
 * Reads all of it: to be freed with stats_free(). 0; -EPROTONOSUPPORT: there is no RDMA subsystem (`stats` has the PFs alone);
 * or another -errno. A device that goes away meanwhile is left out.
 */
int stats_read(struct stats **stats, struct err *err);

/* A netns that is to be read, and where it was found. */
struct stats_place {
	struct netns_id id;
	char path[64]; /* "": not known; it is looked for in /run/netns, and then by the processes */
	uint64_t missed_ns; /* boot_ns() when no process had it: not looked for so again for a while; 0 */
};

/* The PCI function or auxiliary device of an RDMA device. */
struct stats_parent {
	uint32_t index;
	char parent[WARDEN_PARENT_LEN];
};

/* What a caller knows, so that it need not be looked for with each reading. */
struct stats_known {
	struct stats_place
		*places; /* beside the caller's own netns; `path` and `missed_ns` are changed, for the next reading */
	size_t place_count;
	const struct stats_parent *parents; /* in the order of their indexes */
	size_t parent_count;
	/* Ports beside those of PFs, up to one that is "": what the caller was told to look at, as a bond over two PFs. */
	const char (*ports)[IF_NAMESIZE];
	size_t port_count;
};

/* The same, of the netns that `known` names and no other ones. */
int stats_read_known(const struct stats_known *known, struct stats **stats, struct err *err);
void stats_free(struct stats *stats);

/* One queue pair of a device, as RDMA netlink tells it. */
struct stats_qp {
	uint32_t qpn, remote_qpn; /* remote: connected ones alone, else 0 */
	char type[8], state[8]; /* RC UC UD XRC_INI …; RESET INIT RTR RTS SQD SQE ERR */
	uint32_t pid; /* 0: the kernel's, or not told */
	char comm[16];
	char peer[64]; /* address:port, from rdma_cm; "": it was not connected by it */
	uint64_t traffic_class_known; /* 0: not known, as the kernel's tables do not have it; else the DSCP + 1 */
};

/* Those of one device that processes have. 0, or -errno, or the nonzero answer of `visit`. */
int stats_qps(const struct netns_id *netns, uint32_t index, int (*visit)(const struct stats_qp *qp, void *ctx),
	      void *ctx);

#endif
