/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a cgroup is, by its path alone: what the kubelet names a pod's cgroup (kubelet, pkg/kubelet/cm) and what
 * the runtimes name the containers below it. Pure functions, without allocation; every loop is bounded by the path.
 */
#ifndef WARDEN_CGROUP_POD_H
#define WARDEN_CGROUP_POD_H

#include <stdbool.h>
#include <stddef.h>

enum pod_qos { POD_GUARANTEED, POD_BURSTABLE, POD_BESTEFFORT };

/* The cgroupfs driver's names do not tell containerd and docker apart: RUNTIME_UNTOLD. */
enum pod_runtime { RUNTIME_UNTOLD, RUNTIME_CONTAINERD, RUNTIME_CRIO, RUNTIME_DOCKER };

#define POD_UID_LEN 37 /* a UUID; or, of a static pod, the 32 digits of its hash */
#define CONTAINER_ID_LEN 65

struct cgroup_pod {
	char uid[POD_UID_LEN]; /* as the API writes it, whatever the driver makes of it */
	char container[CONTAINER_ID_LEN]; /* "": the pod's own cgroup, or what is no container in it, such as conmon */
	enum pod_qos qos;
	enum pod_runtime runtime;
	const char *path; /* the one that was parsed, not copied */
	size_t base_len; /* the part of it above the kubelet's cgroups */
	size_t pod_len; /* the part of it that is the pod's own cgroup; 0: it has none, only its containers do */
	bool unified; /* of cgroup_pod_of_process(): `path` is of the v2 hierarchy */
};

/*
 * Whose the cgroup at a path from /proc/PID/cgroup is. The outermost component that the kubelet could have made
 * decides: nothing that a pod makes below its own cgroup changes the answer. `base`: the path of the cgroup in which
 * the kubelet has its own ("" is the root); NULL: any but one of a user, who may make what looks like a pod's.
 * Whoever else was given a cgroup to make others in can do that too, so that a base is better than none.
 *
 * 0, or with nothing filled in: -ENOENT no pod's; -EINVAL among the kubelet's, but not in a form of its own; -EXDEV the
 * path leads out of the caller's cgroup namespace, where it does not tell; -ENAMETOOLONG.
 */
int cgroup_pod_parse(const char *path, const char *base, struct cgroup_pod *pod);

/*
 * The same for the whole text of a /proc/PID/cgroup, which is cut into lines and must outlive `pod`. Hierarchies that
 * name no pod are passed over; the v2 one is preferred. Errors as above, and -ENOTUNIQ: they name different ones.
 */
int cgroup_pod_of_process(char *text, const char *base, struct cgroup_pod *pod);

const char *pod_qos_name(enum pod_qos qos);
const char *pod_runtime_name(enum pod_runtime runtime);

#endif
