/* SPDX-License-Identifier: Apache-2.0 */
/* IPAM by Spiderpool's agent: HTTP over its unix socket, as its own plugin speaks it. See ipam.h. */
#ifndef WARDEN_IPAM_SPIDERPOOL_H
#define WARDEN_IPAM_SPIDERPOOL_H

#include "ipam/ipam.h"

#define SPIDERPOOL_SOCKET "/var/run/spidernet/spiderpool.sock"

/* The "ipam" section. What concerns the plugin alone (its log) is checked and not kept. */
struct spiderpool_config {
	char socket[108]; /* room of sun_path */
	const cJSON *ipv4_pools, *ipv6_pools; /* lists of texts, NULL: not said */
	bool clean_gateway, match_master_subnet;
	bool exec; /* "direct": false: its plugin is to be run */
};

int spiderpool_config(const struct netconf *conf, struct spiderpool_config *config, struct cni_error *e);

int spiderpool_add(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_result *result,
		   struct ipam_hints *hints, struct cni_error *e);
int spiderpool_del(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_error *e);
int spiderpool_status(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_error *e);

#endif
