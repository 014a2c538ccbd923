/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on the page of /metrics, family by family: deploy/metrics.md says of each what it means. */
#ifndef WARDEN_FAMILIES_H
#define WARDEN_FAMILIES_H

#include "metrics/exposition.h"
#include "metrics/snapshot.h"

/* The whole page. e->error afterwards: 0 or -errno. */
void families_write(const struct snapshot *snapshot, struct exposition *e);

/* In parts; of each device the pod as `pod_namespace` and `pod_name` have it, "" both: nobody's. */
void families_warden(const struct snapshot *snapshot, struct exposition *e);
void families_devices(const struct snapshot *snapshot, struct exposition *e);
void families_ports(const struct snapshot *snapshot, struct exposition *e);
void families_spiderpool(const struct snapshot *snapshot, struct exposition *e);
void families_process(struct exposition *e);

struct pod_labels {
	char namespace[254], name[WARDEN_OWNER_LEN];
};
void families_pod(const struct snapshot_device *device, struct pod_labels *labels);

#endif
