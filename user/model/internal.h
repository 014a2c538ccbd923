/* SPDX-License-Identifier: Apache-2.0 */
/* A model in the making: what its parts share. Memory that is not there sets `failed`, and what follows does nothing. */
#ifndef WARDEN_PODS_INTERNAL_H
#define WARDEN_PODS_INTERNAL_H

#include "model/index.h"
#include "model/model.h"

struct join {
	const struct model_input *in;
	struct model *model;
	bool failed;
	size_t pod_room;
	const char **alias; /* of each pod: another UID that is its, as a static pod has one in the API; NULL */
	/* To pods. By owner are those alone whose name, or whose owner, some source tells. */
	struct index by_uid, by_owner, by_netns, by_container_netns;
	struct index devices, netdevs; /* by parent, to the model's devices and to the input's netdevs */
	/* Pods, of each of the input's pods of the API, grants, attachments and devices. */
	size_t *api_pod, *granted_to, *attached_to, *claimed_for;
	unsigned int *said; /* of each device: the sources that name a pod, 1 << enum pod_source, agreeing or not */
};

/* An array of `count`, zeroed; NULL and `failed` without memory. For a count of 0 one that must not be looked into. */
void *join_array(struct join *j, size_t count, size_t size);

/* In this order. */
void join_pods(struct join *j);
void join_devices(struct join *j);
void join_networks(struct join *j);
void join_contradictions(struct join *j);

/* How much a pod is there: 2 lives, 1 its end has been asked for, 0 has ended. */
int pod_rank(const struct model_pod *pod);

/* Whose netns it is, also that of one of its containers; MODEL_NONE: nobody's, the host's, or of more than one pod. */
size_t join_pod_by_netns(const struct join *j, uint64_t cookie);

/* Which source tells of the pod's netns: PROC, or NETNS, or POD_SOURCE_COUNT where neither does. */
enum pod_source netns_source(const struct model_pod *pod);

/* Two pods that cannot be one, by what is known of both. */
bool pods_differ(const struct model_pod *a, const struct model_pod *b);

/* The parent that its ID names: a device plugin's ID is that; the CDI name of a claim may end in it. */
const char *grant_parent(const struct kube_grant *grant);

/* What the kubelet says of a pod that has ended is void: it has given its devices back. */
bool grant_counts(const struct model *model, const struct model_grant *grant);

/* KUBELET or CHECKPOINT */
enum pod_source grant_source(const struct join *j);

/* By trust: the order in which they say whose a device is. */
#define TRUSTED 6
extern const enum pod_source trusted[TRUSTED];

#endif
