/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network configuration as the runtime gives it on stdin: checked, and every key as the attachment needs it. What is
 * mistyped is an error and never "off". The keys of sriov-cni have its meaning and its defaults.
 */
#ifndef WARDEN_CNI_NETCONF_H
#define WARDEN_CNI_NETCONF_H

#include <limits.h>

#include "cni/env.h"
#include "cni/keys.h"
#include "cni/result.h"

#define NETCONF_MAX_BYTES (1 << 20)
#define NETCONF_SYSCTLS 64
#define NETCONF_IPS 32
#define NETCONF_ATTACHMENTS 65536

/* As which plugin we are called: the configuration's "type". */
enum netconf_role {
	NETCONF_WARDEN = 1, /* "rdma-warden": netdev, RDMA device and all */
	NETCONF_SRIOV = 2, /* "sriov": a netdev; an RDMA device only where "rdma" asks for it, as "rdma" may follow */
	NETCONF_RDMA = 4, /* "rdma": the RDMA device of an interface that a plugin before has made */
};

/* A setting that stays as it is found unless it is named. */
enum netconf_switch { NETCONF_KEEP, NETCONF_OFF, NETCONF_ON };
enum netconf_link { NETCONF_LINK_KEEP, NETCONF_LINK_AUTO, NETCONF_LINK_ENABLE, NETCONF_LINK_DISABLE };
enum netconf_rdma {
	NETCONF_RDMA_AUTO, /* where the VF has one; default of "rdma-warden" */
	NETCONF_RDMA_NO, /* default of "sriov" */
	NETCONF_RDMA_YES, /* must be there; always so for "rdma", and with softroce */
};
enum netconf_log { NETCONF_LOG_PANIC, NETCONF_LOG_ERROR, NETCONF_LOG_WARNING, NETCONF_LOG_INFO, NETCONF_LOG_DEBUG };

struct netconf_sysctl {
	char name[128]; /* "net.ipv4.conf.IFNAME.arp_notify" */
	char value[128];
};

struct netconf_attachment {
	char container_id[CNI_ID_LEN];
	char ifname[IF_NAMESIZE];
};

struct netconf {
	enum cni_version version;
	enum netconf_role role;
	char name[CNI_ID_LEN];
	char type[64];

	char device_id[64]; /* PCI address in lower case, or an auxiliary device's name; "" except for ADD */
	bool device_is_pci;
	char resource_name[320];

	struct key_number vlan; /* 0 clears it; with it QoS and protocol are set, too */
	uint32_t vlan_qos;
	bool vlan_8021ad;
	char mac[18]; /* the one that counts: runtimeConfig, CNI_ARGS, args.cni, the configuration; "" keeps */
	enum netconf_switch spoofchk, trust;
	enum netconf_link link_state;
	struct key_number min_tx_rate, max_tx_rate; /* Mbit/s. With one of them both are set, the other one to 0 */

	uint32_t mtu; /* 0 keeps */
	enum netconf_rdma rdma;
	bool softroce;
	char profile[64]; /* name of a marking profile, "" the node's */
	struct netconf_sysctl *sysctls;
	size_t sysctl_count;

	char log_file
		[PATH_MAX]; /* "" is stderr. Not checked against anything: whether to write there is the caller's */
	enum netconf_log log_level;

	char ipam_type[64]; /* "" is none */
	const cJSON *ipam; /* the object, NULL without a type */
	struct cni_addr ips[NETCONF_IPS]; /* runtimeConfig.ips, in their order; prefix is full where none was given */
	size_t ip_count;
	struct cni_dns dns;

	const cJSON *prev_json; /* prevResult as it came, to be printed unchanged; NULL: none */
	struct cni_result prev;

	bool has_attachments; /* GC says which are alive; always there for GC */
	struct netconf_attachment *attachments;
	size_t attachment_count;

	bool debug; /* args.cni.debug of rdma-cni */

	char *text; /* all as it came, for IPAM plugins and the journal */
	size_t len;
	cJSON *json; /* owns ipam and prev_json */
};

/*
 * Reads it for the command of `env`, which must outlive nothing. On an error *conf is empty, except that conf->version is
 * the one to answer in: the configuration's own if that could be read, the newest otherwise.
 */
int netconf_read(const char *text, size_t len, const struct cni_env *env, struct netconf *conf, struct cni_error *e);
void netconf_free(struct netconf *conf); /* for _cleanup_() */

/* The sysctl's file in the netns of the pod, where an element IFNAME of the name stands for the interface: 0 or -ENAMETOOLONG. */
int netconf_sysctl_path(const struct netconf_sysctl *sysctl, const char *ifname, char *to, size_t size);

#endif
