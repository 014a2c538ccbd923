/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node policy: which VFs the PFs of this node are to have, in the words of the SR-IOV operator's SriovNetworkNodePolicy, and
 * what there is to be done for it. Planning reads nothing and changes nothing: from the node as it was read and the
 * policies it makes a list of actions. policy_node.h reads the node, policy_perform.h performs.
 */
#ifndef WARDEN_POLICY_H
#define WARDEN_POLICY_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define POLICY_COUNT 32
#define POLICY_SELECTORS 16
#define POLICY_RESOURCE_LEN 64
#define POLICY_PCI_LEN 16
#define POLICY_VFS 65535 /* SR-IOV's own limit: the field has 16 bits */
#define POLICY_MTU_MIN 68 /* ETH_MIN_MTU */
#define POLICY_MTU_MAX 65535

enum policy_device_type { POLICY_NETDEVICE, POLICY_VFIO_PCI };

/* "ens1f0#2-5"; without a range `first` is -1, and all the VFs that the policy makes are meant. */
struct policy_pf_name {
	char name[IF_NAMESIZE];
	int first, last;
};

struct node_policy {
	char resource[POLICY_RESOURCE_LEN];
	unsigned int priority; /* 0 to 99: the lowest number is the strongest */
	unsigned int num_vfs, mtu; /* mtu 0: as it is */
	bool is_rdma, externally_managed;
	enum policy_device_type type;
	int vendor, device; /* -1: any */
	struct policy_pf_name pf_names[POLICY_SELECTORS]; /* name "": the end */
	char root_devices[POLICY_SELECTORS][POLICY_PCI_LEN]; /* "": the end */
};

/* ---- the node as it was read ---- */

enum policy_guid { POLICY_GUID_NONE /* no RDMA device, or not to be read here */, POLICY_GUID_ZERO, POLICY_GUID_SET };

struct policy_vf {
	char pci[POLICY_PCI_LEN];
	char driver[32]; /* "": none */
	char netdev[IF_NAMESIZE]; /* in wardend's netns, or "" */
	uint8_t mac[6]; /* the netdev's */
	bool mac_random; /* its driver drew it, and will draw another one */
	bool admin_known;
	uint8_t admin_mac[6]; /* what the PF gives it; zero: nothing */
	unsigned int mtu;
	char ibdev[64];
	enum policy_guid guid;
	char busy[192]; /* why it must be left alone, or "" */
};

struct policy_pf {
	char pci[POLICY_PCI_LEN];
	char netdev[IF_NAMESIZE];
	uint8_t mac[6]; /* its permanent one */
	int vendor, device;
	unsigned int total_vfs, num_vfs, mtu;
	bool up;
	char manager[128]; /* the SR-IOV operator's file that says that the PF is its own, or "" */
	struct policy_vf *vfs; /* num_vfs, by number */
};

struct policy_node {
	struct policy_pf *pfs;
	size_t count;
	bool vfio; /* the driver vfio-pci is there */
};

/* ---- the plan ---- */

/* In the order in which they are done. */
enum policy_step {
	POLICY_PF_UP, /* before its VFs are made: some drivers of VFs ask the PF for their MAC as they are bound */
	POLICY_PF_MTU,
	POLICY_NUM_VFS, /* what is to be done with VFs that are not there yet, the next plan says */
	POLICY_VF_MAC,
	POLICY_VF_BIND, /* once more to its driver, or to another one */
	POLICY_VF_MTU,
};

struct policy_action {
	enum policy_step step;
	unsigned int vf; /* its number */
	unsigned int value; /* the MTU or the number of VFs */
	uint8_t mac[6];
	enum policy_device_type type; /* of the driver to bind to */
	char from[48], to[48], reason[128];
};

struct policy_group {
	const struct node_policy *policy;
	unsigned int first, last;
};

enum policy_state {
	POLICY_FITS, /* as it is to be */
	POLICY_CHANGE, /* the actions make it so, or as far as they may: the reason says what they must leave */
	POLICY_REFUSED, /* it is not, and nothing may be done about it now */
	POLICY_WATCHED, /* somebody else manages it: as it is to be, or the reason says what is not */
};

/* One PF that some policy is for. */
struct policy_item {
	const struct policy_pf *pf;
	unsigned int num_vfs, mtu;
	bool externally_managed;
	struct policy_group groups[POLICY_COUNT]; /* by their first VF */
	size_t group_count;
	enum policy_state state;
	char reason[512];
	char note[256]; /* what is wanted and no action can bring about */
	struct policy_action *actions;
	size_t action_count;
};

struct policy_plan {
	struct policy_item *items;
	size_t count;
	bool matched[POLICY_COUNT]; /* by policy: some PF is meant */
};

/* 0 or -ENOMEM. The plan points into the node and the policies. */
int policy_plan_make(const struct policy_node *node, const struct node_policy *policies, size_t count,
		     struct policy_plan *plan);
void policy_plan_free(struct policy_plan *plan);

/* How many actions there are. */
size_t policy_plan_actions(const struct policy_plan *plan);

/* As it is to be: POLICY_FITS, or POLICY_WATCHED without a reason against it; and nothing to note. */
bool policy_item_fits(const struct policy_item *item);

void policy_node_free(struct policy_node *node);

const char *policy_step_name(enum policy_step step);
const char *policy_state_name(enum policy_state state);
const char *policy_type_name(enum policy_device_type type);

/* Drivers with which a function has no netdev, for programs in user space. */
bool policy_userspace_driver(const char *driver);

/*
 * A MAC for a VF whose driver would draw another one at each boot: locally administered, and the same as long as the
 * PF, its place and the VF's number are.
 */
void policy_stable_mac(const struct policy_pf *pf, unsigned int vf, uint8_t mac[6]);

/* PF#FIRST-LAST or PF: 0, or -EINVAL. */
int policy_parse_pf_name(const char *text, struct policy_pf_name *name);
/* DDDD:BB:DD.F in lower case. */
bool policy_is_pci(const char *text);

#endif
