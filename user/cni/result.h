/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ADD answers, as one struct for all versions of the specification: built, read from a prevResult or an IPAM
 * plugin, printed in any version. Keys that a version does not have are left out when it is printed.
 */
#ifndef WARDEN_CNI_RESULT_H
#define WARDEN_CNI_RESULT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni/error.h"
#include "cni/keys.h"

/* More than a sane network has; a result with more is refused. */
#define CNI_MAX_INTERFACES 64
#define CNI_MAX_IPS 256
#define CNI_MAX_ROUTES 1024

/* An address, or a network with its prefix length. */
struct cni_addr {
	int family; /* AF_INET, AF_INET6; 0: none */
	uint8_t prefix; /* the full length where only an address is meant */
	uint8_t bytes[16]; /* network order, the first 4 for AF_INET */
};

struct cni_interface {
	char name[64];
	char mac[64];
	uint32_t mtu; /* 0: not said; printed from 1.1.0 on */
	char pci_id[64]; /* likewise */
	char *socket_path; /* likewise; NULL: none */
	char *sandbox; /* path of the netns, NULL or "": the host */
};

struct cni_ip {
	struct cni_addr address; /* with the prefix of its network, host bits kept */
	struct cni_addr gateway; /* family 0: none */
	int interface; /* position among the interfaces, -1: none */
};

/* The numbers are printed from 1.1.0 on. */
struct cni_route {
	struct cni_addr dst; /* host bits are zero */
	struct cni_addr gw; /* family 0: none */
	struct key_number mtu, advmss, priority, table, scope;
};

struct cni_dns {
	cJSON *json; /* nameservers, domain, search, options, checked; NULL: none */
};

/* All zero is an empty one. */
struct cni_result {
	struct cni_interface *interfaces;
	struct cni_ip *ips;
	struct cni_route *routes;
	size_t interface_count, ip_count, route_count;
	struct cni_dns dns;
};

void cni_result_free(struct cni_result *result); /* for _cleanup_() */

/* Each gives a new, zeroed one at the end (an address with interface -1), or NULL: no memory, or too many. */
struct cni_interface *cni_result_add_interface(struct cni_result *result);
struct cni_ip *cni_result_add_ip(struct cni_result *result);
struct cni_route *cni_result_add_route(struct cni_result *result);

/*
 * Adds a copy of all that another one has, behind what is there; its DNS, where it has some, takes the other's place. 0, or
 * -ENOMEM: no memory, or too many.
 */
int cni_result_append(struct cni_result *to, const struct cni_result *from);

/* Whether the address is of the interface of that name in a container, or of none that the result names. */
bool cni_ip_is_of(const struct cni_result *result, const struct cni_ip *ip, const char *ifname);

/*
 * Reads a result. One without cniVersion is taken for `assumed`. Keys that nobody knows are passed over, as results come
 * from other plugins; known ones must be right. On an error *result is empty and the code is CNI_DECODE, or
 * CNI_INCOMPATIBLE_VERSION.
 */
int cni_result_read(const cJSON *json, enum cni_version assumed, struct cni_result *result, struct cni_error *e);

/* One line, to be freed; NULL without memory. */
char *cni_result_print(const struct cni_result *result, enum cni_version version);

/* The "dns" object of a result or a configuration: a checked copy of what is known of it. */
int cni_dns_read(const cJSON *json, struct cni_dns *dns, struct cni_error *e);

/* "10.0.0.1/24" (prefix needed) or "10.0.0.1" (none allowed): 0 or -EINVAL. */
int cni_addr_parse(const char *text, bool prefix, struct cni_addr *addr);
#define CNI_ADDR_LEN 64
void cni_addr_print(const struct cni_addr *addr, bool prefix, char to[CNI_ADDR_LEN]);
/* As GIDs have it: IPv4 as ::ffff:a.b.c.d. */
void cni_addr_mapped(const struct cni_addr *addr, uint8_t to[16]);
/* Sets the host bits to zero. */
void cni_addr_mask(struct cni_addr *addr);

#endif
