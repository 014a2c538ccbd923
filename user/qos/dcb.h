/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DCB settings of a netdev, by DCB netlink (linux/dcbnl.h). Owns no state. A driver that lacks an operation and one
 * whose operation fails look the same here: the kernel leaves the attribute out of its answer.
 */
#ifndef WARDEN_DCB_H
#define WARDEN_DCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/profile.h"

#define QOS_TCS 8
#define QOS_SELECTORS 8 /* of an app table: those of 802.1Q and PCP are six */

/* IEEE_8021QAZ_APP_SEL_* and DCB_APP_SEL_PCP, the most trusted first. */
struct qos_selectors {
	uint8_t count, selector[QOS_SELECTORS];
};

struct qos_dcb {
	int error; /* 0, or -errno: nothing could be asked, and the rest is empty */
	bool has_pfc, has_ets, has_apps, has_buffer, has_dcbx; /* the driver told it */
	uint8_t pfc; /* bit p: on for priority p */
	uint8_t tcs; /* traffic classes that ETS offers */
	uint8_t tc_of[QOS_PRIORITIES];
	uint8_t tc_bandwidth[QOS_TCS]; /* percent; of the classes under IEEE_8021QAZ_TSA_ETS alone */
	uint8_t tc_algorithm[QOS_TCS]; /* IEEE_8021QAZ_TSA_* */
	uint8_t dscp_priorities[QOS_DSCPS]; /* bit p: the app table maps the DSCP to priority p; 0: no entry */
	uint8_t buffer_of[QOS_PRIORITIES];
	uint32_t buffer_size[QOS_PRIORITIES]; /* bytes */
	uint32_t buffer_total;
	uint8_t dcbx; /* DCB_CAP_DCBX_* */
	bool has_trust; /* the kernel (6.2 and later) and the driver tell the trust itself */
	struct qos_selectors trust;
};

/* Asks for the netdev of that name in the caller's netns. Whatever happens is told in `dcb`. */
void qos_dcb_read(const char *netdev, struct qos_dcb *dcb);

/* Takes in the attributes of an answer to DCB_CMD_IEEE_GET, which begin behind its struct dcbmsg. */
void qos_dcb_parse(const void *attributes, size_t len, struct qos_dcb *dcb);

/*
 * What a packet's priority is read from. Where the driver does not tell: mlx5, which has no other way to set it, trusts
 * DSCP from the first DSCP entry of the app table to the last (en_dcbnl.c), and PCP without any.
 */
enum qos_trust qos_dcb_trust(const struct qos_dcb *dcb);

/*
 * Set one setting of the netdev, as DCB netlink has it: what else its struct holds stays as it is. 0, or -errno of
 * netlink or of the driver. That the driver keeps what it took is for the caller to see.
 */
int qos_dcb_set_dcbx(const char *netdev, uint8_t mode);
int qos_dcb_set_pfc(const char *netdev, uint8_t mask);
int qos_dcb_set_ets(const char *netdev, const uint8_t *tc_of, const uint8_t *bandwidth);
int qos_dcb_set_buffer(const char *netdev, const uint8_t *buffer_of, const uint32_t *sizes);
int qos_dcb_set_trust(const char *netdev, const struct qos_selectors *trust);
/* The DSCPs of the mask get the priorities (bit p) and lose all others; what is new is added before the old goes. */
int qos_dcb_set_apps(const char *netdev, uint64_t dscps, const uint8_t *priorities);

#endif
