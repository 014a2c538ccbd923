/* SPDX-License-Identifier: Apache-2.0 */
/* One reading, as the files of this part share it. */
#ifndef WARDEN_STATS_INTERNAL_H
#define WARDEN_STATS_INTERNAL_H

#include "lib/ethtool.h"
#include "stats/stats.h"

/* An RDMA device's name, and what it is a child of. Names are unique on a node, whatever the netns (ib_core's device.c). */
struct named_parent {
	char name[RDMA_NAME_MAX], parent[WARDEN_PARENT_LEN];
};

struct reading {
	struct stats *stats;
	const struct stats_known *known; /* NULL: nothing */
	size_t device_room, pf_room;
	struct ethtool_reader ethtool;
	uint64_t home; /* cookie of the own netns */
	struct named_parent *names; /* where nothing is known; read once */
	size_t name_count, name_room;
	bool names_read;
	/* of the netns that is being read */
	struct netns_id netns;
	int fd, socket, sysfs; /* sysfs -1: not needed yet; -2: cannot be had */
	struct rdma_nl *nl;
	struct rdma_totals *totals;
	size_t total_count, total_room;
	int error; /* -ENOMEM, from where none can be returned */
};

/* Room for one more of a list that grows: its place, or NULL and r->error. */
void *reading_place(struct reading *r, void *list, size_t *room, size_t count, size_t size);

/* Adds a counter: on no memory r->error. */
void reading_count(struct reading *r, struct stats_counters *list, const char *name, uint64_t value);

/* Reads a device of the netns that is being read, or what was missing of it. 0 or -ENOMEM. */
int read_device(const struct rdma_device *device, void *ctx);

/* Of what a device is a child, and, where that is a VF, its PF's address and netdev; "" each. */
void read_parent(struct reading *r, struct stats_device *device, char pf_pci[WARDEN_PARENT_LEN]);

/* The port of a PF, once for each address; and those of PFs with VFs that no device is of. */
void read_port(struct reading *r, const char *pci, const char *netdev);
void read_other_ports(struct reading *r);
void read_named_ports(struct reading *r);

/* Where each place is now: those that are nowhere have no path afterwards. */
void find_places(struct stats_place *places, size_t count);

#endif
