/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of what decides the class of RoCE traffic: a pure function over what the readers gave. It reads nothing and
 * changes nothing. What could not be read is unknown, never right.
 */
#ifndef WARDEN_AUDIT_H
#define WARDEN_AUDIT_H

#include "qos/action.h"
#include "qos/dcb.h"
#include "qos/host.h"
#include "qos/profile.h"

enum qos_result { QOS_PASS, QOS_FAIL, QOS_UNKNOWN };

/* A port of the node: a PF's netdev. VFs have no DCB of their own and are judged by their PF's. */
struct qos_port {
	char name[QOS_NAME_LEN];
	struct qos_dcb dcb;
	struct qos_host_port host;
};

struct qos_device {
	char name[QOS_NAME_LEN];
	char port[QOS_NAME_LEN]; /* name of its qos_port; "" when that is not to be seen here */
	char netdev[QOS_NAME_LEN]; /* its own, "" likewise */
	struct qos_reading mtu; /* of `netdev` */
	const struct qos_profile *profile; /* its owner's; NULL: the node's. Its port is always judged by the node's */
	struct qos_host_device host;
};

struct qos_node {
	struct qos_port *ports;
	size_t port_count;
	struct qos_device *devices;
	size_t device_count;
};

#define QOS_FINDING_ACTIONS 3

struct qos_finding {
	const char *rule; /* qos.trust and so on */
	char subject[QOS_NAME_LEN]; /* a netdev or an RDMA device */
	enum qos_result result;
	char expected[256];
	char found[256]; /* of QOS_UNKNOWN: why it is not known */
	char cure[QOS_CURE_LEN]; /* of QOS_FAIL: the command that mends it, or "" when no command does */
	char cure_mlx5[QOS_CURE_LEN]; /* the same with mlnx_qos, where that is the NIC's; or "" */
	struct qos_action actions[QOS_FINDING_ACTIONS]; /* what `cure` says, in its order */
	size_t action_count;
};

/* Calls `tell` for each finding. */
void qos_audit(const struct qos_profile *profile, const struct qos_node *node,
	       void (*tell)(const struct qos_finding *finding, void *ctx), void *ctx);

const char *qos_result_name(enum qos_result result);

#endif
