/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: one JSON object. Unknown or repeated keys, wrong types, values out of range and
 * contradictions are errors that name the file and the key; nothing is guessed.
 */
#ifndef WARDEN_CONFIG_H
#define WARDEN_CONFIG_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>

#include "lib/err.h"
#include "qos/profile.h"
#include "sriov/policy.h"
#include "warden.h"

#define CONFIG_CGROUP_LEN 256
#define CONFIG_HOST_CGROUPS (WARDEN_HOST_CGROUPS - 1) /* one is kept for wardend's own */
#define CONFIG_QOS_NETDEVS 64
#define CONFIG_QOS_OTHERS 32

/* A profile for some. */
struct config_profile {
	char pattern[WARDEN_OWNER_LEN]; /* fnmatch(3) on the whole name of an owner or a resource */
	struct qos_profile profile;
};

/* Which devices that others have attached to pods are claimed for them. */
enum config_discover {
	DISCOVER_OFF,
	DISCOVER_KUBELET, /* those that the kubelet says it has allocated */
	DISCOVER_ALL, /* those, too, that are in a pod's netns, or in any but the host's */
};

enum config_api { CONFIG_API_AUTO /* where wardend is a pod */, CONFIG_API_OFF, CONFIG_API_AT };

/* Who knows of pods. A path "" switches that source off. */
struct config_kubernetes {
	enum config_api api;
	char server[300]; /* of CONFIG_API_AT: "https://HOST:PORT" */
	char token[PATH_MAX], ca[PATH_MAX]; /* "": the service account's */
	char node[254]; /* "": NODE_NAME of the environment, else the host's name */
	char podresources[PATH_MAX], checkpoint[PATH_MAX];
	char devinfo[PATH_MAX]; /* the folder with Multus' dp/ and cni/ */
};

enum config_packets { CONFIG_PACKETS_BY_PROFILE, CONFIG_PACKETS_OFF, CONFIG_PACKETS_ON };

struct config {
	enum warden_mode mode;
	char run_dir[PATH_MAX];
	char state_dir[PATH_MAX];
	char bpffs[PATH_MAX];
	char metrics[64]; /* ADDRESS:PORT; "": none */
	bool set_exclusive;
	char modprobe_dir[PATH_MAX]; /* of set_exclusive's file for the next boot */
	struct node_policy policies[POLICY_COUNT];
	size_t policy_count;
	bool policy_apply; /* at the start */
	char operator_dir[PATH_MAX]; /* the SR-IOV operator's store on the node */
	bool umad_for_host; /* "umad": "host"; else umad and issm nodes belong to nobody */
	char pod_cgroups[WARDEN_POD_CGROUPS][CONFIG_CGROUP_LEN]; /* below the root of cgroup v2; "": none */
	char host_cgroups[CONFIG_HOST_CGROUPS][CONFIG_CGROUP_LEN]; /* below those, and yet the host's */
	enum warden_reaction reactions[RULE_COUNT]; /* of mode enforce, by rule; of the marking rules: on_violation */
	struct qos_profile profile; /* of whom no other one below is for */
	struct config_profile owners[CONFIG_QOS_OTHERS], resources[CONFIG_QOS_OTHERS]; /* pattern "": the end */
	enum config_packets packets;
	enum warden_vf_action on_packet; /* of mode enforce, on a wrong mark of what a VF sends */
	unsigned int ipam_timeout; /* seconds that IPAM has for one call of the CNI plugin */
	unsigned int effects_interval; /* seconds between two samples of the counters; 0: none */
	enum config_discover discover;
	struct config_kubernetes kubernetes;
	char qos_netdevs[CONFIG_QOS_NETDEVS][IF_NAMESIZE]; /* judged beside the PFs of the RDMA devices; "": none */
};

/* What is done about a violation: the rule's reaction in mode enforce, nothing but to tell in mode audit. */
enum warden_reaction config_reaction(const struct config *config, enum warden_rule rule);

/*
 * The marking profile of that owner's devices of that resource ("": not known): the first pattern that matches the owner,
 * else the first that matches the resource, else the node's. One without a name: none is in force.
 */
const struct qos_profile *config_profile(const struct config *config, const char *owner, const char *resource);

/* The priorities of all profiles, a bit each: the traffic of one port is that of many owners. */
uint8_t config_priorities(const struct config *config);

/* Whether packets are to be judged. */
bool config_packets(const struct config *config);
/* What is done with a packet that a VF sends wrongly marked, and with one whose source is not its own. */
enum warden_vf_action config_packet_action(const struct config *config);
enum warden_vf_action config_source_action(const struct config *config);

/* What this node is called: by the configuration, the environment's NODE_NAME, or as the host is. */
void config_node_name(const struct config *config, char *to, size_t size);

void config_defaults(struct config *config);

/* Reads the file into `config`, which holds the defaults before. 0 or -errno; unchanged on an error. */
int config_read(const char *path, struct config *config, struct err *err);

/* The same from text; `name` stands for the file in messages. */
int config_parse(const char *text, size_t len, const char *name, struct config *config, struct err *err);

const char *config_mode_name(enum warden_mode mode);
const char *config_reaction_name(enum warden_reaction reaction);

#endif
