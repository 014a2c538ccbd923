/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's PodResources v1 API: what it has given to which container, from itself. */
#ifndef WARDEN_KUBE_PODRESOURCES_H
#define WARDEN_KUBE_PODRESOURCES_H

#include "kube/grants.h"

#define PODRESOURCES_SOCKET "/var/lib/kubelet/pod-resources/kubelet.sock"
#define PODRESOURCES_MAX (16 << 20) /* bytes of an answer, as the kubelet's other clients have it */

/*
 * Each call blocks for up to `ms` milliseconds. `grants` is set when it returns 0 and is to be freed; else `err` names the socket
 * and the cause: those of grpc_call() (kube/grpc.h; -ENOENT: no socket is there), and
 *   -EOPNOTSUPP  this kubelet does not serve the call, or has it switched off
 *   -EAGAIN      it is asked too often (it limits its clients), try later
 *   -EREMOTEIO   another refusal, in its words
 *   -EBADMSG     what it answered is not legal; -E2BIG, -ENOMEM
 */

/* The devices of all the pods on the node. */
int podresources_list(const char *socket, unsigned int ms, struct kube_grants *grants, struct err *err);

/* What there is to give: resource, device and NUMA nodes. From Kubernetes 1.23 on. */
int podresources_allocatable(const char *socket, unsigned int ms, struct kube_grants *grants, struct err *err);

/* The devices of one pod; -ESRCH: there is no such pod. From Kubernetes 1.27 on, where its feature gate is on. */
int podresources_get(const char *socket, unsigned int ms, const char *pod_namespace, const char *pod_name,
		     struct kube_grants *grants, struct err *err);

#endif
