/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of attachments: a file for each, in a folder of its own. Its first line, written before anything on the
 * node is changed, says what was there before and all that the way back needs; each line after it says how far the
 * attachment has come. A line that is not whole (the machine stopped in the middle of it) is as if it were not there.
 */
#ifndef WARDEN_RECORD_H
#define WARDEN_RECORD_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "cni/env.h"
#include "cni/netconf.h"
#include "lib/err.h"
#include "lib/netns.h"
#include "net/netops.h"
#include "sriov/sriov.h"
#include "warden.h"

/*
 * How far it has come, in this order. What is named after a step is done once the next one is reached; the steps exist for
 * people and for tests, recovery looks at the node.
 */
enum record_step {
	STEP_INTENT,
	STEP_VF, /* what the PF enforces on the VF is set */
	STEP_NETDEV, /* the netdev is in the pod, or is on its way */
	STEP_RDMA, /* likewise the RDMA device */
	STEP_CLAIM,
	STEP_IPAM, /* from here on IPAM may hold addresses */
	STEP_ADDRESSES,
	STEP_ATTACHED, /* the answer was given, or could be */
	STEP_DELETE, /* the way back has begun; it is never turned round */
	STEP_HOME, /* the devices are back and free for others; what is left is with IPAM */
	STEP_COUNT
};

const char *record_step_name(enum record_step step);

struct record {
	char container_id[CNI_ID_LEN];
	char ifname[IF_NAMESIZE]; /* in the pod */
	char network[CNI_ID_LEN];
	enum netconf_role role;
	char owner[WARDEN_OWNER_LEN]; /* of the claim */
	char pci[WARDEN_PARENT_LEN]; /* the function, or the auxiliary device */
	struct netns_id netns; /* the pod's */
	char netns_path[PATH_MAX]; /* as the runtime named it */
	char boot_id[40]; /* after a reboot nothing on the node is ours any more, but what IPAM holds */

	bool has_netdev; /* not one that a userspace driver has */
	char host_name[IF_NAMESIZE];
	uint8_t host_mac[6];
	uint32_t host_mtu;
	bool host_up;
	char host_altname[NETDEV_ALTNAMES][NETDEV_ALTNAME_LEN];
	size_t host_altnames;
	bool has_vf; /* has a PF, which enforces: */
	struct sriov_vf vf;
	bool has_rdma, softroce;
	char rdma_name[64]; /* as it was */
	uint64_t rdma_guid; /* big endian, as the kernel keeps it */

	bool has_ipam;
	char cni_path[PATH_MAX], cni_args[PATH_MAX];
	char pod_uid[128]; /* which those name, or "" */
	char *config; /* as it came, for IPAM's DEL and CHECK */

	enum record_step step;
	char *result; /* JSON, from STEP_ATTACHED on; else NULL */
	char trouble[256]; /* why it is not on its way home any more, though it should be; "". In memory alone. */
};

void record_free(struct record *record); /* frees what it holds, and itself; NULL is fine */

/* The folder below state_dir; makes it. 0 or -errno. */
int record_folder(const char *state_dir, char to[PATH_MAX], struct err *err);

/* Writes the first line, and returns when it is on the disk. -EEXIST: there is such an attachment. */
int record_create(const char *folder, const struct record *record, struct err *err);

/* Adds a line; `result` may be NULL. With `sync` it returns when that is on the disk. */
int record_advance(const char *folder, struct record *record, enum record_step step, const char *result, bool sync,
		   struct err *err);

/* The attachment is no more. A file that is not there is fine. */
int record_remove(const char *folder, const struct record *record, struct err *err);

/*
 * Reads one, by the name of its file: -EBADMSG when it is damaged; its file then has got another name, ending in
 * ".damaged", and is never read again.
 */
int record_read(const char *folder, const char *file, struct record **record, struct err *err);

/* Calls `visit` with each that can be read, which takes it over, and `damaged` with the reason for each other one. */
int record_for_each(const char *folder, void (*visit)(struct record *record, void *ctx),
		    void (*damaged)(const char *why, void *ctx), void *ctx, struct err *err);

/* The name of its file: 0 or -ENAMETOOLONG. A container has one attachment for each interface and role. */
int record_file(const struct record *record, char *to, size_t size);

#endif
