/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file in which the kubelet's device manager keeps what it has given, for where its PodResources socket is not there. It knows
 * pods by their UID, and nothing of claims of dynamic resource allocation.
 */
#ifndef WARDEN_KUBE_CHECKPOINT_H
#define WARDEN_KUBE_CHECKPOINT_H

#include "kube/grants.h"

#define CHECKPOINT_PATH "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"

/*
 * Reads it: pod UID, container, resource, device, and the NUMA node where the kubelet is 1.20 or newer. Its checksum is over how a
 * Go program prints the data, and is not judged. What is there of pods that have ended is the kubelet's business: it removes them
 * when it next writes. `grants` is to be freed. Errors: -ENOENT and other -errno of the file, -EBADMSG it is not such a file, or not
 * legal, -E2BIG, -ENOMEM; `err` names file and cause.
 */
int checkpoint_read(const char *path, struct kube_grants *grants, struct err *err);

#endif
