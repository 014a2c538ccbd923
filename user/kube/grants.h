/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which container has been given which device, as a source of the kubelet says: one entry for each device of each container.
 * What the sources say is checked here, in one place: every text is one that Kubernetes would take, and of bounded length.
 */
#ifndef WARDEN_KUBE_GRANTS_H
#define WARDEN_KUBE_GRANTS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define KUBE_GRANTS_MAX \
	65536 /* a node has 110 pods by default, and some hundred devices; plugins for shared ones have more */
#define KUBE_DEVICE_MAX 1024 /* bytes of a device's ID, for which Kubernetes has no rule */

/* What the source does not say is NULL. */
struct kube_grant {
	char *pod_namespace, *pod_name;
	char *pod_uid;
	char *container;
	char *resource; /* DOMAIN/NAME; of a device plugin's */
	char *claim_namespace, *claim_name; /* of dynamic resource allocation */
	char *device; /* the plugin's ID, which is the PCI address of an SR-IOV VF; a claim's is a CDI name */
	uint64_t numa_nodes; /* a bit for each; none: not known */
};

struct kube_grants {
	struct kube_grant *list;
	size_t count, room;
};

void kube_grants_free(struct kube_grants *grants);

/* Bytes that somebody wrote; NULL: he has no such field. */
struct kube_text {
	const char *at;
	size_t len;
};

/* An entry to be. */
struct kube_draft {
	struct kube_text pod_namespace, pod_name, pod_uid, container, resource, claim_namespace, claim_name, device;
	uint64_t numa_nodes;
};

/* Appends a copy: -EBADMSG a text is not legal, -E2BIG there are too many, -ENOMEM. `err` says which text. */
int kube_grants_add(struct kube_grants *grants, const struct kube_draft *draft, struct err *err);

/* Node `id` into a mask; -1, which stands for none, is left out. -EBADMSG: there is no such node. */
int kube_numa_add(uint64_t *nodes, int64_t id, struct err *err);

#endif
