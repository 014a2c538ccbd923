/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One picture of a node's pods and devices, joined from what each source says, and where two sources contradict each other. A pure
 * function: nothing is read, nothing changed; what a source does not say is left empty, never guessed.
 */
#ifndef WARDEN_MODEL_H
#define WARDEN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kube/devinfo.h"
#include "kube/grants.h"
#include "kube/pods.h"
#include "kube/scan.h"
#include "lib/cgroup.h"
#include "lib/netns.h"
#include "track/track.h"

/* Who says something of pods; the names are public. */
#define POD_SOURCES(X)                                                        \
	X(ATTACH, "attach") /* the journal of the warden's own attachments */ \
	X(KUBELET, "kubelet") /* its PodResources socket */                   \
	X(CHECKPOINT, "checkpoint") /* the file of its device manager */      \
	X(API, "api") /* the Kubernetes API */                                \
	X(PROC, "proc") /* cgroups and netns of processes */                  \
	X(DEVINFO, "devinfo") /* Multus' and the device plugin's files */     \
	X(CLAIM, "claim") /* a claim that somebody made by request */         \
	X(NETNS, "netns") /* the name of a netns, or the unit of a process in it: no Kubernetes */

enum pod_source {
#define X(id, name) POD_SOURCE_##id,
	POD_SOURCES(X)
#undef X
		POD_SOURCE_COUNT
};

const char *pod_source_name(enum pod_source source);

/* ---- what is joined ---- */

/* An attachment of the warden's own. */
struct model_attachment {
	char container_id[CONTAINER_ID_LEN];
	char ifname[16];
	char owner[WARDEN_OWNER_LEN];
	char uid[POD_UID_LEN]; /* "": the runtime did not tell */
	char pci[WARDEN_PARENT_LEN];
	struct netns_id netns;
	char *result; /* what ADD answered (JSON), or NULL */
};

/* A netdev of a PCI function or an auxiliary device, in whatever netns it is. */
struct model_netdev {
	char parent[WARDEN_PARENT_LEN];
	char name[16];
	struct netns_id netns;
};

/* A netns that no pod's process is in, by what keeps it: its name in /run/netns, or the unit of a process. */
struct model_netns {
	struct netns_id id;
	char name[128]; /* legal as the name of an owner */
	bool unit;
};

/* NULL, or a count of 0, where a source says nothing. All must outlive the model's making, nothing of it is kept. */
struct model_input {
	struct netns_id host;
	bool shared; /* the RDMA subsystem's netns mode: each RDMA device is in the host's netns, and its netdev says whose it is */
	const struct tracked_device *devices;
	size_t device_count;
	const struct model_netdev *netdevs;
	size_t netdev_count;
	const struct model_netns *netns;
	size_t netns_count;
	const struct model_attachment *attachments;
	size_t attachment_count;
	const struct scan *scan;
	/* NULL: neither the kubelet nor its checkpoint answers; empty: it gave nothing. */
	const struct kube_grants *granted;
	bool by_checkpoint; /* `granted` is the checkpoint's, whose pods have UIDs and no names */
	const struct kube_grants *allocatable;
	const struct kube_pods *api;
	const struct devinfos *devinfo; /* of the folder cni/, or of dp/ */
};

/* ---- the picture ---- */

#define MODEL_NONE ((size_t)-1)

struct model_container {
	char id[CONTAINER_ID_LEN];
	char name[64]; /* "": not known, as that of a sandbox */
	pid_t pid; /* 0: no process of it was seen */
};

/* As Multus' network-status, or the attachment's result has it: what the pod was promised. */
#define MODEL_ADDRESSES 8
struct model_network {
	enum pod_source source; /* API or ATTACH */
	char name[128]; /* "NAMESPACE/NAME" of the network, or its name */
	char ifname[16];
	char pci[WARDEN_PARENT_LEN]; /* "": not said */
	char mac[24]; /* "": not said */
	uint32_t mtu; /* 0: not said */
	char address[MODEL_ADDRESSES][64]; /* without prefix */
	size_t addresses;
};

struct model_pod {
	char namespace[64], name[254]; /* "": no source tells */
	char uid[POD_UID_LEN]; /* likewise */
	/* NAMESPACE/NAME; without a name "pod-uid/UID"; without Kubernetes "netns/NAME", "unit/NAME", or as an attachment has it. */
	char owner[WARDEN_OWNER_LEN];
	/* What has made it, by the API: a Deployment, a Job …; "": not known, or nothing has. Of the pod's own namespace. */
	char made_api_version[64], made_kind[64], made_name[254];
	unsigned int sources; /* 1 << enum pod_source */
	struct netns_id netns; /* cookie 0: not known */
	bool host_network;
	/* The API has it as Succeeded or Failed, or has it not and the checkpoint alone does: its devices are free for others. */
	bool ended;
	bool deleting; /* its end has been asked for */
	struct cgroup_ref cgroup; /* id 0: not known */
	pid_t pid; /* of its oldest container; 0: none seen */
	struct model_container *containers;
	size_t container_count;
	struct model_network *networks;
	size_t network_count;
};

/* A device of a container, by the kubelet. */
struct model_grant {
	size_t pod; /* MODEL_NONE: none (of what is allocatable) */
	char container[64];
	char resource[WARDEN_RESOURCE_LEN];
	char device[128]; /* the plugin's ID, cut: for SR-IOV VFs the PCI address */
	size_t index; /* in `devices`, or MODEL_NONE */
};

struct model_device {
	struct tracked_device tracked;
	char netdev[16]; /* wherever it is; "": it has none that anybody sees */
	struct netns_id netdev_netns; /* cookie 0: none */
	char resource[WARDEN_RESOURCE_LEN]; /* by the kubelet, or the claim; "" */
	/* Whose it is by each source: an index of pods or MODEL_NONE. By PROC, whose netns it is in; NETNS, likewise without Kubernetes. */
	size_t by[POD_SOURCE_COUNT];
	size_t pod; /* by the most trusted of those that agree; MODEL_NONE: nobody's, or they contradict each other */
	enum pod_source source; /* which says so */
};

/* Two sources that cannot both be right. The names of the rules are events' and checks'. */
#define CONTRADICTIONS(X)                                                           \
	X(POD, "track.pod") /* one source says pod A, another one pod B */          \
	X(STRAY, "track.stray") /* in a pod, and nobody allocated it */             \
	X(MISSING, "track.missing") /* allocated, and not in the pod */             \
	X(SPLIT, "track.split") /* netdev and RDMA device are in different netns */ \
	X(SHARED_PLUGIN, "exclusive.shared-plugin") /* the shared RDMA device plugin beside the SR-IOV one */

enum contradiction_rule {
#define X(id, name) CONTRADICTION_##id,
	CONTRADICTIONS(X)
#undef X
		CONTRADICTION_COUNT
};

const char *contradiction_name(enum contradiction_rule rule);

struct contradiction {
	enum contradiction_rule rule;
	char device[128]; /* PCI address, else its name; of SHARED_PLUGIN the resource */
	size_t pods[2]; /* who is concerned, or MODEL_NONE */
	enum pod_source sources[2]; /* who says what, in the order of the text */
	char text[512]; /* a sentence that names both sources and what each says */
	char cure[256];
};

struct model {
	struct netns_id host;
	struct model_pod *pods;
	size_t pod_count;
	struct model_device *devices;
	size_t device_count;
	struct model_grant *granted, *allocatable;
	size_t granted_count, allocatable_count;
	bool has_granted, has_allocatable; /* the kubelet, or its checkpoint, answered */
	struct contradiction *contradictions;
	size_t contradiction_count;
};

/* NULL: no memory. To be freed with model_free(). */
struct model *model_make(const struct model_input *input);
void model_free(struct model *model);

/* MODEL_NONE: there is none. */
size_t model_pod_by_uid(const struct model *model, const char *uid);
size_t model_pod_by_owner(const struct model *model, const char *owner);
size_t model_pod_by_netns(const struct model *model, uint64_t cookie); /* never a hostNetwork pod, nor one of two */

/* The owner of a pod, "" of MODEL_NONE. */
const char *model_owner(const struct model *model, size_t pod);

#endif
