// SPDX-License-Identifier: Apache-2.0
#include "qos/dcb.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/dcbnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

#include "lib/netlink.h"
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

static void take_trust(const struct nlattr *table, struct qos_dcb *dcb)
{
	const struct nlattr *attr;

	dcb->has_trust = true;
	dcb->trust.count = 0;
	mnl_attr_for_each_nested (attr, table)
		if (dcb->trust.count < QOS_SELECTORS && mnl_attr_get_payload_len(attr) >= 1)
			dcb->trust.selector[dcb->trust.count++] = mnl_attr_get_u8(attr);
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
		case DCB_ATTR_DCB_APP_TRUST_TABLE:
			take_trust(attr, dcb);
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

/* The table is in the order of the trust: what stands behind DSCP counts for packets without a DSCP only. */
static enum qos_trust told_trust(const struct qos_selectors *trust)
{
	for (unsigned int i = 0; i < trust->count; i++) {
		if (trust->selector[i] == DCB_APP_SEL_PCP)
			return QOS_TRUST_PCP;
		if (trust->selector[i] == IEEE_8021QAZ_APP_SEL_DSCP)
			return QOS_TRUST_DSCP;
	}
	return QOS_TRUST_NONE;
}

enum qos_trust qos_dcb_trust(const struct qos_dcb *dcb)
{
	if (dcb->has_trust)
		return told_trust(&dcb->trust);
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		if (dcb->dscp_priorities[d])
			return QOS_TRUST_DSCP;
	return QOS_TRUST_PCP;
}

/* ---- requests ---- */

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

/* Sends the request and takes the answer, or the kernel's error. */
static int exchange(struct nlmsghdr *h, void *buf, size_t size, mnl_cb_t parse, void *ctx)
{
	_cleanup_(socket_close) struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	uint32_t seq = (uint32_t)time(NULL);
	ssize_t len;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	h->nlmsg_seq = seq;
	if (mnl_socket_sendto(socket, h, h->nlmsg_len) < 0)
		return -errno;
	len = netlink_receive(mnl_socket_get_fd(socket), buf, size);
	if (len < 0)
		return (int)len;
	return mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(socket), parse, ctx) < 0 ? -errno : 0;
}

static struct nlmsghdr *begin(void *buf, uint16_t type, uint8_t command, const char *netdev)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct dcbmsg *dcbmsg;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST;
	dcbmsg = mnl_nlmsg_put_extra_header(h, sizeof(*dcbmsg));
	dcbmsg->dcb_family = AF_UNSPEC;
	dcbmsg->cmd = command;
	mnl_attr_put_strz(h, DCB_ATTR_IFNAME, netdev);
	return h;
}

static int parse_answer(const struct nlmsghdr *h, void *ctx)
{
	if (mnl_nlmsg_get_payload_len(h) < sizeof(struct dcbmsg))
		return MNL_CB_OK;
	qos_dcb_parse(mnl_nlmsg_get_payload_offset(h, sizeof(struct dcbmsg)),
		      mnl_nlmsg_get_payload_len(h) - MNL_ALIGN(sizeof(struct dcbmsg)), ctx);
	return MNL_CB_OK;
}

void qos_dcb_read(const char *netdev, struct qos_dcb *dcb)
{
	_Alignas(struct nlmsghdr) char buf[32 * 1024]; /* an app table of some thousand entries */
	int r;

	*dcb = (struct qos_dcb){};
	r = exchange(begin(buf, RTM_GETDCB, DCB_CMD_IEEE_GET, netdev), buf, sizeof(buf), parse_answer, dcb);
	if (r)
		*dcb = (struct qos_dcb){ .error = r };
}

/* ---- setting ---- */

struct answer {
	uint16_t attribute;
	bool dcbx; /* the driver's word there: 0 or not, instead of an errno */
	int result;
};

/*
 * The driver's -errno comes in the low byte that it is cut to. What is above 0 is no error: ice tells so what its
 * hardware made of the change; whether it has it is for who reads it back.
 */
static int parse_result(const struct nlmsghdr *h, void *ctx)
{
	struct answer *answer = ctx;
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, sizeof(struct dcbmsg)) {
		if (mnl_attr_get_type(attr) != answer->attribute || mnl_attr_get_payload_len(attr) < 1)
			continue;
		answer->result = (int8_t)mnl_attr_get_u8(attr);
		if (answer->dcbx)
			answer->result = answer->result ? -EIO : 0;
		else if (answer->result > 0)
			answer->result = 0;
	}
	return MNL_CB_OK;
}

static int send_set(struct nlmsghdr *h, struct answer *answer)
{
	_Alignas(struct nlmsghdr) char buf[4096];
	int r;

	answer->result = -EPROTO; /* nothing was answered */
	r = exchange(h, buf, sizeof(buf), parse_result, answer);
	return r ? r : answer->result;
}

/* One attribute of DCB_ATTR_IEEE. */
static int set_ieee(const char *netdev, uint16_t type, const void *value, size_t size)
{
	_Alignas(struct nlmsghdr) char buf[1024];
	struct nlmsghdr *h = begin(buf, RTM_SETDCB, DCB_CMD_IEEE_SET, netdev);
	struct nlattr *ieee = mnl_attr_nest_start(h, DCB_ATTR_IEEE);

	mnl_attr_put(h, type, size, value);
	mnl_attr_nest_end(h, ieee);
	return send_set(h, &(struct answer){ .attribute = DCB_ATTR_IEEE });
}

struct raw {
	uint16_t type;
	void *value;
	size_t size;
	bool found;
};

static int parse_raw(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *ieee, *attr;
	struct raw *raw = ctx;

	mnl_attr_for_each (ieee, h, sizeof(struct dcbmsg)) {
		if (mnl_attr_get_type(ieee) != DCB_ATTR_IEEE)
			continue;
		mnl_attr_for_each_nested (attr, ieee)
			if (mnl_attr_get_type(attr) == raw->type)
				raw->found = take(attr, raw->value, raw->size);
	}
	return MNL_CB_OK;
}

/* The struct as it is, for what is not to be changed in it. */
static int get_raw(const char *netdev, uint16_t type, void *value, size_t size)
{
	struct raw raw = { .type = type, .value = value, .size = size };
	_Alignas(struct nlmsghdr) char buf[32 * 1024];
	int r = exchange(begin(buf, RTM_GETDCB, DCB_CMD_IEEE_GET, netdev), buf, sizeof(buf), parse_raw, &raw);

	if (r)
		return r;
	return raw.found ? 0 : -EOPNOTSUPP;
}

int qos_dcb_set_dcbx(const char *netdev, uint8_t mode)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *h = begin(buf, RTM_SETDCB, DCB_CMD_SDCBX, netdev);

	mnl_attr_put_u8(h, DCB_ATTR_DCBX, mode);
	return send_set(h, &(struct answer){ .attribute = DCB_ATTR_DCBX, .dcbx = true });
}

int qos_dcb_set_pfc(const char *netdev, uint8_t mask)
{
	struct ieee_pfc pfc;
	int r = get_raw(netdev, DCB_ATTR_IEEE_PFC, &pfc, sizeof(pfc));

	pfc.pfc_en = mask;
	return r ? r : set_ieee(netdev, DCB_ATTR_IEEE_PFC, &pfc, sizeof(pfc));
}

int qos_dcb_set_ets(const char *netdev, const uint8_t *tc_of, const uint8_t *bandwidth)
{
	struct ieee_ets ets;
	int r = get_raw(netdev, DCB_ATTR_IEEE_ETS, &ets, sizeof(ets));

	memcpy(ets.prio_tc, tc_of, sizeof(ets.prio_tc));
	memcpy(ets.tc_tx_bw, bandwidth, sizeof(ets.tc_tx_bw));
	return r ? r : set_ieee(netdev, DCB_ATTR_IEEE_ETS, &ets, sizeof(ets));
}

int qos_dcb_set_buffer(const char *netdev, const uint8_t *buffer_of, const uint32_t *sizes)
{
	struct dcbnl_buffer buffer;
	int r = get_raw(netdev, DCB_ATTR_DCB_BUFFER, &buffer, sizeof(buffer));

	memcpy(buffer.prio2buffer, buffer_of, sizeof(buffer.prio2buffer));
	memcpy(buffer.buffer_size, sizes, sizeof(buffer.buffer_size));
	return r ? r : set_ieee(netdev, DCB_ATTR_DCB_BUFFER, &buffer, sizeof(buffer));
}

int qos_dcb_set_trust(const char *netdev, const struct qos_selectors *trust)
{
	_Alignas(struct nlmsghdr) char buf[1024];
	struct nlmsghdr *h = begin(buf, RTM_SETDCB, DCB_CMD_IEEE_SET, netdev);
	struct nlattr *ieee = mnl_attr_nest_start(h, DCB_ATTR_IEEE);
	struct nlattr *table = mnl_attr_nest_start(h, DCB_ATTR_DCB_APP_TRUST_TABLE);

	for (unsigned int i = 0; i < trust->count; i++)
		mnl_attr_put_u8(h, trust->selector[i] == DCB_APP_SEL_PCP ? DCB_ATTR_DCB_APP : DCB_ATTR_IEEE_APP,
				trust->selector[i]);
	mnl_attr_nest_end(h, table);
	mnl_attr_nest_end(h, ieee);
	return send_set(h, &(struct answer){ .attribute = DCB_ATTR_IEEE });
}

/* Adds the entries of `priorities`, or takes them away; without any nothing is sent. */
static int send_apps(const char *netdev, uint8_t command, const uint8_t *priorities)
{
	_Alignas(struct nlmsghdr) char buf[16 * 1024]; /* 512 entries of 8 bytes */
	struct nlmsghdr *h = begin(buf, RTM_SETDCB, command, netdev);
	struct nlattr *ieee = mnl_attr_nest_start(h, DCB_ATTR_IEEE);
	struct nlattr *table = mnl_attr_nest_start(h, DCB_ATTR_IEEE_APP_TABLE);
	unsigned int count = 0;

	for (unsigned int i = 0; i < QOS_DSCPS * QOS_PRIORITIES; i++) {
		struct dcb_app app = { .selector = IEEE_8021QAZ_APP_SEL_DSCP,
				       .priority = (uint8_t)(i % QOS_PRIORITIES),
				       .protocol = (uint16_t)(i / QOS_PRIORITIES) };

		if (!(priorities[app.protocol] >> app.priority & 1))
			continue;
		mnl_attr_put(h, DCB_ATTR_IEEE_APP, sizeof(app), &app);
		count++;
	}
	mnl_attr_nest_end(h, table);
	mnl_attr_nest_end(h, ieee);
	return count ? send_set(h, &(struct answer){ .attribute = DCB_ATTR_IEEE }) : 0;
}

/* By a look before each step: mlx5 takes the old entry of a DSCP away by itself, and removing it again is an error. */
int qos_dcb_set_apps(const char *netdev, uint64_t dscps, const uint8_t *priorities)
{
	static const uint8_t commands[] = { DCB_CMD_IEEE_SET, DCB_CMD_IEEE_DEL };

	for (unsigned int step = 0; step < ARRAY_SIZE(commands); step++) {
		uint8_t send[QOS_DSCPS] = {};
		struct qos_dcb dcb;
		int r;

		qos_dcb_read(netdev, &dcb);
		if (dcb.error || !dcb.has_apps)
			return dcb.error ? dcb.error : -EOPNOTSUPP;
		for (unsigned int d = 0; d < QOS_DSCPS; d++) {
			if (!(dscps >> d & 1))
				continue;
			send[d] = step ? dcb.dscp_priorities[d] & (uint8_t)~priorities[d]
				       : priorities[d] & (uint8_t)~dcb.dscp_priorities[d];
		}
		r = send_apps(netdev, commands[step], send);
		if (r)
			return r;
	}
	return 0;
}
