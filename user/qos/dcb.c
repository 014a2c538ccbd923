// SPDX-License-Identifier: Apache-2.0
#include "qos/dcb.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/dcbnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

#include "lib/util.h"

/* ---- answers ---- */

/* Copied, for netlink aligns to 4 bytes only. A kernel newer than this may have appended to the struct. */
static bool take(const struct nlattr *attr, void *to, size_t size)
{
	if (mnl_attr_get_payload_len(attr) < size)
		return false;
	memcpy(to, mnl_attr_get_payload(attr), size);
	return true;
}

static void take_pfc(const struct nlattr *attr, struct qos_dcb *dcb)
{
	struct ieee_pfc pfc;

	if (!take(attr, &pfc, sizeof(pfc)))
		return;
	dcb->has_pfc = true;
	dcb->pfc = pfc.pfc_en;
}

/* A class that does not exist would be an index out of bounds later: such an answer is none. */
static bool all_below(const uint8_t *values, size_t count, uint8_t limit)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] >= limit)
			return false;
	return true;
}

static void take_ets(const struct nlattr *attr, struct qos_dcb *dcb)
{
	struct ieee_ets ets;

	if (!take(attr, &ets, sizeof(ets)) || !all_below(ets.prio_tc, QOS_PRIORITIES, QOS_TCS))
		return;
	dcb->has_ets = true;
	dcb->tcs = ets.ets_cap && ets.ets_cap < QOS_TCS ? ets.ets_cap : QOS_TCS;
	memcpy(dcb->tc_of, ets.prio_tc, sizeof(dcb->tc_of));
	memcpy(dcb->tc_bandwidth, ets.tc_tx_bw, sizeof(dcb->tc_bandwidth));
	memcpy(dcb->tc_algorithm, ets.tc_tsa, sizeof(dcb->tc_algorithm));
}

static void take_buffer(const struct nlattr *attr, struct qos_dcb *dcb)
{
	struct dcbnl_buffer buffer;

	if (!take(attr, &buffer, sizeof(buffer)) || !all_below(buffer.prio2buffer, QOS_PRIORITIES, DCBX_MAX_BUFFERS))
		return;
	dcb->has_buffer = true;
	memcpy(dcb->buffer_of, buffer.prio2buffer, sizeof(dcb->buffer_of));
	memcpy(dcb->buffer_size, buffer.buffer_size, sizeof(dcb->buffer_size));
	dcb->buffer_total = buffer.total_size;
}

static void take_apps(const struct nlattr *table, struct qos_dcb *dcb)
{
	const struct nlattr *attr;
	struct dcb_app app;

	dcb->has_apps = true;
	mnl_attr_for_each_nested (attr, table) {
		if (mnl_attr_get_type(attr) != DCB_ATTR_IEEE_APP || !take(attr, &app, sizeof(app)))
			continue;
		if (app.selector == IEEE_8021QAZ_APP_SEL_DSCP && app.protocol < QOS_DSCPS &&
		    app.priority < QOS_PRIORITIES)
			dcb->dscp_priorities[app.protocol] |= (uint8_t)(1u << app.priority);
	}
}

static void take_ieee(const struct nlattr *ieee, struct qos_dcb *dcb)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, ieee) {
		switch (mnl_attr_get_type(attr)) {
		case DCB_ATTR_IEEE_PFC:
			take_pfc(attr, dcb);
			break;
		case DCB_ATTR_IEEE_ETS:
			take_ets(attr, dcb);
			break;
		case DCB_ATTR_DCB_BUFFER:
			take_buffer(attr, dcb);
			break;
		case DCB_ATTR_IEEE_APP_TABLE:
			take_apps(attr, dcb);
			break;
		default:
			break;
		}
	}
}

void qos_dcb_parse(const void *attributes, size_t len, struct qos_dcb *dcb)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload (attributes, len) {
		if (mnl_attr_get_type(attr) == DCB_ATTR_IEEE)
			take_ieee(attr, dcb);
		else if (mnl_attr_get_type(attr) == DCB_ATTR_DCBX)
			dcb->has_dcbx = take(attr, &dcb->dcbx, sizeof(dcb->dcbx));
	}
}

enum qos_trust qos_dcb_trust(const struct qos_dcb *dcb)
{
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		if (dcb->dscp_priorities[d])
			return QOS_TRUST_DSCP;
	return QOS_TRUST_PCP;
}

/* ---- the request ---- */

static int parse_answer(const struct nlmsghdr *h, void *ctx)
{
	if (mnl_nlmsg_get_payload_len(h) < sizeof(struct dcbmsg))
		return MNL_CB_OK;
	qos_dcb_parse(mnl_nlmsg_get_payload_offset(h, sizeof(struct dcbmsg)),
		      mnl_nlmsg_get_payload_len(h) - MNL_ALIGN(sizeof(struct dcbmsg)), ctx);
	return MNL_CB_OK;
}

static int talk(struct mnl_socket *socket, const char *netdev, struct qos_dcb *dcb)
{
	char buf[32 * 1024]; /* an app table of some thousand entries */
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	uint32_t seq = (uint32_t)time(NULL);
	struct dcbmsg *dcbmsg;
	ssize_t len;

	h->nlmsg_type = RTM_GETDCB;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = seq;
	dcbmsg = mnl_nlmsg_put_extra_header(h, sizeof(*dcbmsg));
	dcbmsg->dcb_family = AF_UNSPEC;
	dcbmsg->cmd = DCB_CMD_IEEE_GET;
	mnl_attr_put_strz(h, DCB_ATTR_IFNAME, netdev);
	if (mnl_socket_sendto(socket, h, h->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(socket, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(socket), parse_answer, dcb) < 0 ? -errno : 0;
}

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

void qos_dcb_read(const char *netdev, struct qos_dcb *dcb)
{
	_cleanup_(socket_close) struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	*dcb = (struct qos_dcb){};
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	else
		r = talk(socket, netdev, dcb);
	if (r)
		*dcb = (struct qos_dcb){ .error = r };
}
