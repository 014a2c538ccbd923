/* SPDX-License-Identifier: Apache-2.0 */
/* Collects what the audit judges: ports and RDMA devices, each with what its readers give. */
#ifndef WARDEN_NODE_H
#define WARDEN_NODE_H

#include "qos/audit.h"

/* Reads the netdev's settings; one that is in the list already is not read again. 0 or -ENOMEM. */
int qos_node_add_port(struct qos_node *node, const char *netdev);

/*
 * Reads the device's settings where it is `here`, in the caller's netns (another may have one of the same name), and
 * those of its port. `pf` is the netdev of its PF, "" for what is no VF: its own
 * `netdev` is its port then, and where that is not to be seen ("") the device has none. 0 or -ENOMEM.
 */
int qos_node_add_device(struct qos_node *node, const char *device, bool here, const char *pf, const char *netdev);

/* For _cleanup_(). */
void qos_node_free(struct qos_node *node);

#endif
