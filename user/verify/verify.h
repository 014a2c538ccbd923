/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the node keep what it promises: each pod its own RDMA devices, with its addresses, its marking, and nothing of anybody else's?
 * verify_look() reads what only can be seen from inside the pods (a thread may do that: it enters their netns); verify_judge() is a
 * pure function over that, the model and what the daemon knows of itself.
 */
#ifndef WARDEN_VERIFY_H
#define WARDEN_VERIFY_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/netns.h"
#include "model/model.h"
#include "rdma/rdma.h"

enum verify_result { VERIFY_PASS, VERIFY_FAIL, VERIFY_UNKNOWN };
const char *verify_result_name(enum verify_result result);

struct verify_check {
	const char *id; /* "pod.address" and so on: an interface, never renamed */
	char owner[WARDEN_OWNER_LEN]; /* the pod, or "": the node */
	char subject[128]; /* a device, an interface, a resource, … */
	enum verify_result result;
	char expected[256];
	char found[512]; /* of VERIFY_UNKNOWN: why it is not known */
	char cure[256]; /* of VERIFY_FAIL: what mends it */
};

/* ---- from inside ---- */

#define INSIDE_ADDRESSES 16
#define INSIDE_GIDS 64

struct inside_netdev {
	char name[IF_NAMESIZE];
	char parent[WARDEN_PARENT_LEN]; /* "": no hardware of its own */
	bool is_pf; /* it has VFs, or could have */
	uint32_t ifindex, mtu;
	uint8_t mac[6];
	bool up, carrier;
	uint8_t address[INSIDE_ADDRESSES][16]; /* IPv4 as ::ffff:a.b.c.d; without link-local ones */
	size_t addresses; /* how many it has; those beyond INSIDE_ADDRESSES are not in `address` */
};

struct inside_rdma {
	char name[RDMA_NAME_MAX];
	uint32_t index;
	uint8_t port_state; /* of port 1, IB_PORT_*; 4 is ACTIVE; 0: not known */
	char netdev[IF_NAMESIZE]; /* of port 1, in this netns; "" */
	uint8_t gid[INSIDE_GIDS][16]; /* each once */
	size_t gids; /* how many it has; those beyond INSIDE_GIDS are not in `gid` */
	int gids_error; /* -errno: they could not be read */
};

/* A node of the RDMA stack in a container's /dev/infiniband. */
struct inside_node {
	char container[CONTAINER_ID_LEN];
	char name[32]; /* as the container calls it, in printable ASCII */
	dev_t dev;
	char cdev
		[32]; /* what the kernel calls the node with that number, whatever its name there; "": none of the RDMA stack */
};

struct inside_pod {
	size_t pod; /* in the model */
	struct err error; /* why it cannot be seen from inside; text "" when it was */
	struct inside_netdev *netdevs;
	size_t netdev_count;
	struct inside_rdma *rdma;
	size_t rdma_count;
	struct inside_node *nodes;
	size_t node_count;
	bool nodes_seen; /* a container's /dev could be looked into */
	bool nodes_cut; /* there are more entries than are looked at */
};

struct verify_inside {
	struct inside_pod
		*pods; /* those of the model that have a netns of their own and a device, or were promised one */
	size_t count;
};

/*
 * Looks into each pod. 0 or -ENOMEM; what cannot be seen of a pod is said with it. RDMA devices that are not the pod's own are told by
 * name and index alone. What lies in a pod is its own to choose: all of it is bounded.
 */
int verify_look(const struct model *model, struct verify_inside *inside, struct err *err);
void verify_inside_free(struct verify_inside *inside);

/* ---- what the daemon knows of itself and of the node ---- */

struct verify_policy_vfs { /* of the node's policy, by PF */
	char pf[IF_NAMESIZE];
	bool fits;
	char expected[128], found[512], cure[128];
};

struct verify_resource { /* of the node's policy: the VFs that are to be advertised under a name */
	char name[64]; /* without the domain */
	unsigned int vfs;
	bool rdma; /* each of them is to have an RDMA device */
};

struct verify_source {
	const char *name; /* of POD_SOURCES */
	bool on, ok;
	char why[256]; /* what is not well */
};

struct verify_device { /* by ib_device.index, of what is claimed */
	uint32_t index;
	const char *marking; /* "good", "wrong", "unverified" or "none" */
	uint32_t mtu; /* the PF's, 0: not known */
	int spoofchk, trust; /* -1: not known */
	uint8_t admin_mac[6]; /* zero: not known */
};

struct verify_node {
	int exclusive_now, exclusive_next_boot; /* 1, 0 or -1: not known */
	char exclusive_by[192], exclusive_against[192];
	bool enforce;
	const char *guard; /* the mechanism */
	char programs_missing[256]; /* names of programs that are not attached, "" none */
	uint64_t lost; /* the sum of the counters named lost.* */
	char lost_names[256];
	unsigned int quarantined;
	struct verify_policy_vfs *policy;
	size_t policy_count;
	struct verify_resource *resources;
	size_t resource_count;
	struct verify_source sources[POD_SOURCE_COUNT];
	size_t source_count;
	struct verify_device *devices;
	size_t device_count;
	unsigned int pfs_with_vfs; /* PFs that have VFs */
};

/*
 * Judges: calls `tell` for each check, those of the node first, then pod by pod in the model's order. `owner` not NULL: that pod's
 * alone; -ENOENT when there is none of that name. Each check tells at most one result for one subject.
 */
int verify_judge(const struct model *model, const struct verify_inside *inside, const struct verify_node *node,
		 const char *owner, void (*tell)(const struct verify_check *check, void *ctx), void *ctx,
		 struct err *err);

#endif
