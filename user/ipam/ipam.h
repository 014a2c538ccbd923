/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses for an attachment, by whoever the configuration's "ipam" names: nobody ({}), Spiderpool's agent over its
 * socket (type "spiderpool", unless "direct" is false), or else a CNI IPAM plugin of that type in CNI_PATH.
 *
 * All functions block until they have an answer or the deadline has passed, may run in any thread, several at once, and
 * touch neither signals nor anything global. They return 0 or a negative errno; the error holds what the runtime is to be
 * told, in the words and with the code of the plugin or the agent where these gave some. What the configuration's version
 * does not have yet (CHECK before 0.4.0, GC and STATUS before 1.1.0) is not asked of a plugin, and counts as done.
 */
#ifndef WARDEN_IPAM_H
#define WARDEN_IPAM_H

#include "cni/netconf.h"

/* What an undo after a failed ADD may take beyond the deadline. */
#define IPAM_UNDO_MS 10000

struct ipam_call {
	const struct netconf *conf;
	const struct cni_env
		*env; /* of ADD, DEL or CHECK; the command is the function's. GC and STATUS use its path only */
	uint64_t deadline_ns; /* of boot_ns() */
};

/* What Spiderpool's agent says beside the addresses; all zero from others. */
struct ipam_hints {
	bool detect_conflicts; /* the addresses are to be probed (ARP, ND) before they are used */
	bool detect_gateway; /* likewise that the gateways answer */
	struct key_number vlan;
	char mac[18];
};

/*
 * Asks for addresses. The result has addresses, routes and DNS, but no interfaces, and every address has interface -1.
 * Without IPAM it is empty, else it has at least one address. Where it fails with no clear answer, what may have been
 * given is given back before it returns (IPAM_UNDO_MS). `hints` may be NULL.
 */
int ipam_add(const struct ipam_call *call, struct cni_result *result, struct ipam_hints *hints, struct cni_error *e);

/* Gives the addresses back. To be called also where ADD failed, and as often as one likes. */
int ipam_del(const struct ipam_call *call, struct cni_error *e);

/* Are the addresses of the configuration's prevResult still this attachment's. */
int ipam_check(const struct ipam_call *call, struct cni_error *e);

/* Tells which attachments of this network are alive; the addresses of others are free. */
int ipam_gc(const struct ipam_call *call, const struct netconf_attachment *valid, size_t count, struct cni_error *e);

/* Could it serve an ADD: 0, or CNI_NOT_AVAILABLE (or what the plugin says). */
int ipam_status(const struct ipam_call *call, struct cni_error *e);

/* Checks the "ipam" section as far as it is ours (Spiderpool's keys), without asking anybody. */
int ipam_config_check(const struct netconf *conf, struct cni_error *e);

/* ms until the deadline, 0 when it has passed, at most `most`. */
unsigned int ipam_left_ms(uint64_t deadline_ns, unsigned int most);

#endif
