/* SPDX-License-Identifier: Apache-2.0 */
/* Pods as the Kubernetes API tells them, reduced to what the tracking needs, and the table of those of this node. */
#ifndef WARDEN_KUBE_PODS_H
#define WARDEN_KUBE_PODS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* The kubelet's own limit is 110, and who raises it stays far below this. */
#define KUBE_PODS_MAX 4096
/* What is beyond is left out, and the pod is marked so. */
#define KUBE_LABELS_MAX 64
#define KUBE_CONTAINERS_MAX 64
#define KUBE_NETWORKS_MAX 65536 /* bytes */

/* A label, or a container's name and its ID without "containerd://". */
struct kube_pair {
	char *name, *value;
};

struct kube_pairs {
	struct kube_pair *list;
	unsigned int count;
	bool cut;
};

struct kube_pod {
	char namespace[64], name[254], uid[64];
	/* A static pod's UID in the kubelet and its cgroups, else ""; as an annotation, it is the word of who made the pod. */
	char static_uid[64];
	/* Of the controller, else of the first owner; "": none. A Deployment's ReplicaSet stands for it (read_owner). */
	char owner_api_version[64], owner_kind[64], owner_name[254];
	char phase[16]; /* "Pending", "Running", "Succeeded", "Failed", "Unknown" or "" */
	bool host_network;
	bool deleting; /* its end has been asked for */
	struct kube_pairs labels, containers; /* init and ephemeral containers, too; none that was never made */
	char *networks; /* Multus' k8s.v1.cni.cncf.io/network-status as it is, or NULL: an annotation, too */
	bool networks_cut; /* it was longer than KUBE_NETWORKS_MAX, and is NULL */
};

/* A Pod object: NULL, and *err, for what is none. */
struct kube_pod *kube_pod_read(const cJSON *json, struct err *err);
void kube_pod_free(struct kube_pod *pod);

struct kube_pods {
	struct kube_pod **list;
	size_t count, size;
};

/* Takes the pod, in the place of the one that has its UID. -E2BIG, -ENOMEM: the pod is freed. */
int kube_pods_put(struct kube_pods *pods, struct kube_pod *pod, struct err *err);
void kube_pods_remove(struct kube_pods *pods, const char *uid);
/* By `uid`, else by a `static_uid` that one pod alone has, or NULL. Valid until the table is changed. */
const struct kube_pod *kube_pods_find(const struct kube_pods *pods, const char *uid);
/* Takes all of `with`, which is empty then, and frees what was there. */
void kube_pods_replace(struct kube_pods *pods, struct kube_pods *with);
void kube_pods_free(struct kube_pods *pods);

#endif
