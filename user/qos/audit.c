// SPDX-License-Identifier: Apache-2.0
#include "qos/audit.h"

#include <errno.h>
#include <linux/dcbnl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

#define BUFFER_LEAST \
	(32u << 10) /* holds a few jumbo frames; more is for the operator to compute from cable and speed */

struct audit {
	const struct qos_profile *profile;
	void (*tell)(const struct qos_finding *finding, void *ctx);
	void *ctx;
};

const char *qos_result_name(enum qos_result result)
{
	static const char *const names[] = { [QOS_PASS] = "pass", [QOS_FAIL] = "fail", [QOS_UNKNOWN] = "unknown" };

	return names[result];
}

/* ---- text ---- */

static void add(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Appends; the texts are sized so that nothing is cut. */
static void add(char *to, size_t size, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, fmt);
	vsnprintf(to + len, size - len, fmt, args);
	va_end(args);
}

#define ADD(array, ...) add(array, sizeof(array), __VA_ARGS__)

static void add_priorities(char *to, size_t size, uint8_t mask)
{
	const char *comma = "";

	if (!mask)
		add(to, size, "no priority");
	else
		add(to, size, "priority ");
	for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
		if (!(mask >> p & 1))
			continue;
		add(to, size, "%s%u", comma, p);
		comma = ",";
	}
}

/* "1,0,2": a list of all eight, as mlnx_qos takes it. */
static void add_list(char *to, size_t size, const uint8_t *values)
{
	for (unsigned int i = 0; i < QOS_PRIORITIES; i++)
		add(to, size, "%s%u", i ? "," : "", values[i]);
}

/* ---- findings ---- */

static struct qos_finding about(const char *rule, const char *subject)
{
	struct qos_finding f = { .rule = rule };

	ADD(f.subject, "%s", subject);
	return f;
}

static void tell(const struct audit *a, struct qos_finding *f, bool right)
{
	f->result = right ? QOS_PASS : QOS_FAIL;
	if (right)
		f->cure[0] = f->cure_mlx5[0] = '\0';
	a->tell(f, a->ctx);
}

static void tell_unknown(const struct audit *a, struct qos_finding *f, const char *why)
{
	f->result = QOS_UNKNOWN;
	f->found[0] = f->cure[0] = f->cure_mlx5[0] = '\0';
	ADD(f->found, "%s", why);
	a->tell(f, a->ctx);
}

/* The reason in words: what is common gets its own. */
static void tell_unread(const struct audit *a, struct qos_finding *f, const char *what, int error)
{
	char why[256] = "";

	if (error == -ENOENT)
		ADD(why, "%s: this driver and kernel do not show it", what);
	else if (error == -EBADMSG)
		ADD(why, "%s: not understood", what);
	else
		ADD(why, "%s: %s", what, strerror(-error));
	tell_unknown(a, f, why);
}

/* True when the driver told it, else the finding is told as unknown. */
static bool dcb_told(const struct audit *a, struct qos_finding *f, const struct qos_port *port, bool told,
		     const char *what)
{
	char why[256] = "";

	if (!port->dcb.error && told)
		return true;
	if (port->dcb.error == -EOPNOTSUPP)
		ADD(why, "the driver (or the kernel) answers no DCB requests");
	else if (port->dcb.error == -ENODEV)
		ADD(why, "the port's netdev is not to be seen in the host's network namespace");
	else if (port->dcb.error)
		ADD(why, "DCB netlink: %s", strerror(-port->dcb.error));
	else
		ADD(why, "the driver does not tell its %s, or failed to", what);
	tell_unknown(a, f, why);
	return false;
}

/* Where the NIC's firmware runs DCBX, what the host sets does not last: the host takes over first. */
static void begin_cure(struct qos_finding *f, const struct qos_port *port)
{
	bool firmware = port->dcb.has_dcbx && port->dcb.dcbx & DCB_CAP_DCBX_LLD_MANAGED;

	if (firmware)
		ADD(f->cure, "dcb dcbx set dev %s host ieee && ", port->name);
	if (firmware && port->host.mlx5)
		ADD(f->cure_mlx5, "mlnx_qos -i %s -d os && ", port->name);
}

/* ---- rules on DCB ---- */

/* What the RDMA and CNP DSCPs need, as arguments: "40:5 48:6". */
static void add_needed(const struct qos_profile *p, char *to, size_t size)
{
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		if (p->dscp >> d & 1 || d == p->cnp_dscp)
			add(to, size, " %u:%u", d, p->map[d]);
}

static void judge_trust(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.trust", port->name);
	enum qos_trust wanted = a->profile->trust, found = qos_dcb_trust(&port->dcb);

	ADD(f.expected, "%s", qos_trust_name(wanted));
	if (!dcb_told(a, &f, port, port->dcb.has_apps, "app table"))
		return;
	ADD(f.found, "%s (%s DSCP entries in the app table)", qos_trust_name(found),
	    found == QOS_TRUST_DSCP ? "there are" : "no");
	begin_cure(&f, port);
	if (wanted == QOS_TRUST_DSCP) {
		ADD(f.cure, "dcb app add dev %s dscp-prio", port->name);
		add_needed(a->profile, f.cure, sizeof(f.cure));
	} else {
		ADD(f.cure, "dcb app flush dev %s dscp-prio", port->name);
	}
	if (port->host.mlx5)
		ADD(f.cure_mlx5, "mlnx_qos -i %s --trust %s", port->name, qos_trust_name(wanted));
	tell(a, &f, wanted == found);
}

static void judge_pfc(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.pfc", port->name);
	uint8_t wanted = a->profile->pfc;

	ADD(f.expected, "on for ");
	add_priorities(f.expected, sizeof(f.expected), wanted);
	if (!dcb_told(a, &f, port, port->dcb.has_pfc, "PFC"))
		return;
	ADD(f.found, "on for ");
	add_priorities(f.found, sizeof(f.found), port->dcb.pfc);
	begin_cure(&f, port);
	ADD(f.cure, "dcb pfc set dev %s prio-pfc all:off", port->name);
	if (port->host.mlx5)
		ADD(f.cure_mlx5, "mlnx_qos -i %s --pfc ", port->name);
	for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
		if (wanted >> p & 1)
			ADD(f.cure, " %u:on", p);
		if (port->host.mlx5)
			ADD(f.cure_mlx5, "%s%u", p ? "," : "", wanted >> p & 1);
	}
	tell(a, &f, port->dcb.pfc == wanted);
}

/*
 * Wrong is a DSCP of RDMA traffic or CNPs without exactly its priority, and any other that leads into a class with PFC
 * against the profile: lossy traffic would be paused there, and pause.
 */
static bool map_is_wrong(const struct qos_profile *p, const struct qos_dcb *dcb, unsigned int d)
{
	uint8_t found = dcb->dscp_priorities[d], wanted = (uint8_t)(1u << p->map[d]);

	if (p->dscp >> d & 1 || d == p->cnp_dscp)
		return found != wanted;
	return found & p->pfc & ~wanted;
}

static void judge_map(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.map", port->name);
	const struct qos_profile *p = a->profile;
	size_t room = sizeof(f.found) - 48;
	unsigned int wrong = 0;

	if (p->trust != QOS_TRUST_DSCP)
		return;
	ADD(f.expected, "DSCP:priority");
	add_needed(p, f.expected, sizeof(f.expected));
	if (!dcb_told(a, &f, port, port->dcb.has_apps, "app table") || qos_dcb_trust(&port->dcb) != QOS_TRUST_DSCP)
		return; /* without an entry there is no map: that is told as trust */
	begin_cure(&f, port);
	ADD(f.cure, "dcb app replace dev %s dscp-prio", port->name);
	for (unsigned int d = 0; d < QOS_DSCPS; d++) {
		if (!map_is_wrong(p, &port->dcb, d))
			continue;
		ADD(f.cure, " %u:%u", d, p->map[d]);
		if (port->host.mlx5)
			ADD(f.cure_mlx5, "%smlnx_qos -i %s --dscp2prio set,%u,%u", wrong ? " && " : "", port->name, d,
			    p->map[d]);
		if (strlen(f.found) < room) {
			ADD(f.found, "%sDSCP %u to ", wrong ? ", " : "", d);
			add_priorities(f.found, sizeof(f.found), port->dcb.dscp_priorities[d]);
		}
		wrong++;
	}
	if (!wrong)
		ADD(f.found, "as expected");
	tell(a, &f, !wrong);
}

/* Another priority without PFC with the same value (class, buffer) as that of RDMA traffic, or -1. */
static int lossy_sharer(const struct qos_profile *p, const uint8_t *value_of)
{
	for (unsigned int other = 0; other < QOS_PRIORITIES; other++)
		if (value_of[other] == value_of[p->priority] && !(p->pfc >> other & 1))
			return (int)other;
	return -1;
}

/* A value below `limit` that no other priority has, or -1. */
static int free_value(const struct qos_profile *p, const uint8_t *value_of, unsigned int limit)
{
	unsigned int used = 0;

	for (unsigned int other = 0; other < QOS_PRIORITIES; other++)
		used |= other == p->priority ? 0 : 1u << value_of[other];
	if (p->priority < limit && !(used >> p->priority & 1))
		return (int)p->priority;
	for (unsigned int v = 0; v < limit; v++)
		if (!(used >> v & 1))
			return (int)v;
	return -1;
}

static void judge_ets_class(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.ets", port->name);
	unsigned int priority = a->profile->priority;
	const struct qos_dcb *dcb = &port->dcb;
	uint8_t tc_of[QOS_PRIORITIES] = {};
	int other, tc;

	ADD(f.expected, "priority %u in a traffic class without lossy ones", priority);
	if (!dcb_told(a, &f, port, dcb->has_ets, "ETS"))
		return;
	other = lossy_sharer(a->profile, dcb->tc_of);
	ADD(f.found, "class %u", dcb->tc_of[priority]);
	if (other >= 0)
		ADD(f.found, ", and priority %d with it", other);
	begin_cure(&f, port);
	ADD(f.cure, "dcb ets set dev %s prio-tc", port->name);
	tc = free_value(a->profile, dcb->tc_of, dcb->tcs);
	if (tc >= 0)
		memcpy(tc_of, dcb->tc_of, sizeof(tc_of));
	else
		ADD(f.cure, " all:0"), tc = dcb->tcs > 1; /* the classes are few: all that is lossy in one */
	tc_of[priority] = (uint8_t)tc;
	ADD(f.cure, " %u:%d", priority, tc);
	if (port->host.mlx5) {
		ADD(f.cure_mlx5, "mlnx_qos -i %s -p ", port->name);
		add_list(f.cure_mlx5, sizeof(f.cure_mlx5), tc_of);
	}
	if (dcb->tcs < 2)
		f.cure[0] = f.cure_mlx5[0] = '\0'; /* the NIC has no second class */
	tell(a, &f, other < 0);
}

/* Half of the bandwidth of the class that has most goes to `tc`, so that the sum stays 100. */
static void share_bandwidth(const struct qos_dcb *dcb, unsigned int tc, uint8_t *bandwidth, int *donor)
{
	*donor = -1;
	memcpy(bandwidth, dcb->tc_bandwidth, QOS_TCS);
	for (unsigned int t = 0; t < QOS_TCS; t++)
		if (dcb->tc_algorithm[t] == IEEE_8021QAZ_TSA_ETS && bandwidth[t] > 1 &&
		    (*donor < 0 || bandwidth[t] > bandwidth[*donor]))
			*donor = (int)t;
	if (*donor < 0) {
		bandwidth[tc] = 100;
		return;
	}
	bandwidth[tc] = bandwidth[*donor] / 2;
	bandwidth[*donor] = (uint8_t)(bandwidth[*donor] - bandwidth[tc]);
}

static const char *algorithm_name(uint8_t algorithm)
{
	return algorithm == IEEE_8021QAZ_TSA_STRICT ? "strict" : algorithm == IEEE_8021QAZ_TSA_ETS ? "ets" : "vendor";
}

static void judge_ets_bandwidth(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.ets", port->name);
	const struct qos_dcb *dcb = &port->dcb;
	uint8_t bandwidth[QOS_TCS];
	unsigned int tc;
	bool starved;
	int donor;

	if (dcb->error || !dcb->has_ets)
		return; /* told by judge_ets_class() */
	tc = dcb->tc_of[a->profile->priority];
	starved = dcb->tc_algorithm[tc] == IEEE_8021QAZ_TSA_ETS && !dcb->tc_bandwidth[tc];
	ADD(f.expected, "bandwidth for the class of priority %u", a->profile->priority);
	ADD(f.found, "class %u: %s", tc, algorithm_name(dcb->tc_algorithm[tc]));
	if (dcb->tc_algorithm[tc] == IEEE_8021QAZ_TSA_ETS)
		ADD(f.found, ", %u %%", dcb->tc_bandwidth[tc]);
	share_bandwidth(dcb, tc, bandwidth, &donor);
	begin_cure(&f, port);
	ADD(f.cure, "dcb ets set dev %s tc-bw", port->name);
	if (donor >= 0)
		ADD(f.cure, " %d:%u", donor, bandwidth[donor]);
	ADD(f.cure, " %u:%u", tc, bandwidth[tc]);
	if (port->host.mlx5) {
		ADD(f.cure_mlx5, "mlnx_qos -i %s -s ", port->name);
		for (unsigned int t = 0; t < QOS_TCS; t++)
			ADD(f.cure_mlx5, "%s%s", t ? "," : "", algorithm_name(dcb->tc_algorithm[t]));
		ADD(f.cure_mlx5, " -t ");
		add_list(f.cure_mlx5, sizeof(f.cure_mlx5), bandwidth);
	}
	tell(a, &f, !starved);
}

/* The sizes after `buffer` has got what is free, or else half of the largest. */
static void share_buffer(const struct qos_dcb *dcb, unsigned int buffer, uint32_t *size)
{
	unsigned int largest = buffer;
	uint64_t sum = 0;

	memcpy(size, dcb->buffer_size, sizeof(dcb->buffer_size));
	for (unsigned int b = 0; b < QOS_PRIORITIES; b++) {
		sum += size[b];
		if (size[b] > size[largest])
			largest = b;
	}
	if (dcb->buffer_total >= sum + BUFFER_LEAST) {
		size[buffer] = (uint32_t)(dcb->buffer_total - sum);
		return;
	}
	size[buffer] = size[largest] / 2;
	size[largest] -= size[buffer];
}

static void buffer_cure(struct qos_finding *f, const struct qos_port *port, unsigned int priority, unsigned int buffer)
{
	const struct qos_dcb *dcb = &port->dcb;
	uint8_t buffer_of[QOS_PRIORITIES];
	uint32_t size[QOS_PRIORITIES];

	memcpy(buffer_of, dcb->buffer_of, sizeof(buffer_of));
	memcpy(size, dcb->buffer_size, sizeof(size));
	buffer_of[priority] = (uint8_t)buffer;
	if (!size[buffer])
		share_buffer(dcb, buffer, size);
	begin_cure(f, port);
	ADD(f->cure, "dcb buffer set dev %s prio-buffer %u:%u", port->name, priority, buffer);
	if (!dcb->buffer_size[buffer])
		ADD(f->cure, " buffer-size");
	for (unsigned int b = 0; b < QOS_PRIORITIES; b++)
		if (size[b] != dcb->buffer_size[b])
			ADD(f->cure, " %u:%u", b, size[b]);
	if (!port->host.mlx5)
		return;
	ADD(f->cure_mlx5, "mlnx_qos -i %s --prio2buffer=", port->name);
	add_list(f->cure_mlx5, sizeof(f->cure_mlx5), buffer_of);
	for (unsigned int b = 0; !dcb->buffer_size[buffer] && b < QOS_PRIORITIES; b++)
		ADD(f->cure_mlx5, "%s%u", b ? "," : " --buffer_size=", size[b]);
}

static void judge_buffer(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.buffer", port->name);
	unsigned int priority = a->profile->priority, buffer;
	const struct qos_dcb *dcb = &port->dcb;
	int other, spare;

	ADD(f.expected, "priority %u in a buffer that holds something and has no lossy ones", priority);
	if (!dcb_told(a, &f, port, dcb->has_buffer, "buffers"))
		return;
	buffer = dcb->buffer_of[priority];
	other = lossy_sharer(a->profile, dcb->buffer_of);
	spare = free_value(a->profile, dcb->buffer_of, QOS_PRIORITIES);
	ADD(f.found, "buffer %u of %u bytes", buffer, dcb->buffer_size[buffer]);
	if (other >= 0)
		ADD(f.found, ", and priority %d with it", other);
	if (other >= 0 && spare >= 0)
		buffer = (unsigned int)spare;
	buffer_cure(&f, port, priority, buffer);
	tell(a, &f, other < 0 && dcb->buffer_size[buffer]);
}

/* ---- rules on the rest of a port ---- */

static void judge_ecn(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.ecn", port->name);
	const struct qos_reading *np = &port->host.ecn_np, *rp = &port->host.ecn_rp;
	unsigned int p = a->profile->priority;
	bool np_on = np->value >> p & 1, rp_on = rp->value >> p & 1;

	if (!a->profile->ecn)
		return;
	ADD(f.expected, "notification and reaction point on for priority %u", p);
	if (np->error || rp->error) {
		tell_unread(a, &f, "the switches of ECN", np->error ? np->error : rp->error);
		return;
	}
	ADD(f.found, "notification point %s, reaction point %s", np_on ? "on" : "off", rp_on ? "on" : "off");
	if (!np_on)
		ADD(f.cure, "echo 1 >/sys/class/net/%s/ecn/roce_np/enable/%u", port->name, p);
	if (!rp_on)
		ADD(f.cure, "%secho 1 >/sys/class/net/%s/ecn/roce_rp/enable/%u", np_on ? "" : " && ", port->name, p);
	tell(a, &f, np_on && rp_on);
}

/* CNPs are told apart by DSCP or by PCP, as the ports do. */
static void judge_cnp(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.ecn", port->name);
	bool dscp = a->profile->trust == QOS_TRUST_DSCP;
	const struct qos_reading *found = dscp ? &port->host.cnp_dscp : &port->host.cnp_priority;
	unsigned int wanted = dscp ? a->profile->cnp_dscp : a->profile->cnp_priority;

	if (!a->profile->ecn)
		return;
	ADD(f.expected, "CNPs with %s %u", dscp ? "DSCP" : "priority", wanted);
	if (found->error) {
		tell_unread(a, &f, dscp ? "the DSCP of CNPs" : "the priority of CNPs", found->error);
		return;
	}
	ADD(f.found, "CNPs with %s %u", dscp ? "DSCP" : "priority", found->value);
	ADD(f.cure, "echo %u >/sys/", wanted);
	if (port->host.cc_params[0])
		ADD(f.cure, "%s/%s", port->host.cc_params, dscp ? "np_cnp_dscp" : "np_cnp_prio");
	else
		ADD(f.cure, "class/net/%s/ecn/roce_np/%s", port->name, dscp ? "cnp_dscp" : "cnp_802p_prio");
	tell(a, &f, found->value == wanted);
}

static void judge_mtu(const struct audit *a, const char *netdev, const struct qos_reading *mtu)
{
	struct qos_finding f = about("qos.mtu", netdev);

	if (!a->profile->mtu)
		return;
	ADD(f.expected, "at least %u", a->profile->mtu);
	if (mtu->error) {
		tell_unread(a, &f, "the MTU", mtu->error);
		return;
	}
	ADD(f.found, "%u", mtu->value);
	ADD(f.cure, "ip link set dev %s mtu %u", netdev, a->profile->mtu);
	tell(a, &f, mtu->value >= a->profile->mtu);
}

static void judge_pause(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = about("qos.pause", port->name);
	unsigned int pause = port->host.pause.value;

	ADD(f.expected, "off: PFC pauses by priority");
	if (port->host.pause.error) {
		tell_unread(a, &f, "the pause of the link", port->host.pause.error);
		return;
	}
	ADD(f.found, "receive %s, transmit %s", pause & QOS_PAUSE_RX ? "on" : "off",
	    pause & QOS_PAUSE_TX ? "on" : "off");
	ADD(f.cure, "ethtool -A %s rx off tx off", port->name);
	tell(a, &f, !pause);
}

/* ---- rules on RDMA devices ---- */

static const char away[] =
	"the device is in another network namespace, where its settings are not to be seen from here";

static unsigned int first_dscp(const struct qos_profile *p)
{
	return (unsigned int)__builtin_ctzll(p->dscp);
}

/* By configfs itself: cma_roce_tos and cma_roce_mode come with OFED only. */
static void cma_cure(struct qos_finding *f, const char *device, const char *file, const char *value)
{
	ADD(f->cure, "mkdir -p /sys/kernel/config/rdma_cm/%s && echo %s >/sys/kernel/config/rdma_cm/%s/ports/1/%s",
	    device, value, device, file);
}

/* What the driver forces is what goes on the wire; else rdma_cm's default is that of whoever asks for none. */
static void judge_tos(const struct audit *a, const struct qos_device *d)
{
	struct qos_finding f = about("qos.tos", d->name);
	const struct qos_reading *forced = &d->host.tclass, *found = forced->error ? &d->host.cma_tos : forced;
	char tos[8] = "";

	ADD(tos, "%u", first_dscp(a->profile) << 2);
	ADD(f.expected, "DSCP ");
	qos_dscp_text(a->profile->dscp, f.expected + strlen(f.expected), sizeof(f.expected) - strlen(f.expected));
	if (!d->host.visible) {
		tell_unknown(a, &f, away);
		return;
	}
	if (forced->error && forced->error != -ENOENT && forced->error != -ENODATA) {
		tell_unread(a, &f, "the traffic class that the driver forces", forced->error);
		return;
	}
	if (found->error) {
		tell_unread(a, &f, "rdma_cm's default ToS, in configfs", found->error);
		return;
	}
	ADD(f.found, "DSCP %u (traffic class %u), %s", found->value >> 2, found->value,
	    forced->error ? "rdma_cm's default; nothing forces those who set their own" : "forced by the driver");
	if (forced->error)
		cma_cure(&f, d->name, "default_roce_tos", tos);
	else
		ADD(f.cure, "echo %s >/sys/class/infiniband/%s/tc/1/traffic_class", tos, d->name);
	tell(a, &f, a->profile->dscp >> (found->value >> 2) & 1);
}

static const char *mode_name(enum qos_roce_mode mode)
{
	return mode == QOS_ROCE_V2 ? "RoCE v2" : "RoCE v1";
}

static void judge_rocemode(const struct audit *a, const struct qos_device *d)
{
	struct qos_finding f = about("qos.rocemode", d->name);
	enum qos_roce_mode wanted = a->profile->roce_mode;

	ADD(f.expected, "%s", mode_name(wanted));
	if (!d->host.visible) {
		tell_unknown(a, &f, away);
		return;
	}
	if (d->host.cma_mode.error) {
		tell_unread(a, &f, "rdma_cm's default RoCE mode, in configfs", d->host.cma_mode.error);
		return;
	}
	ADD(f.found, "%s", mode_name((enum qos_roce_mode)d->host.cma_mode.value));
	cma_cure(&f, d->name, "default_roce_mode", wanted == QOS_ROCE_V2 ? "'RoCE v2'" : "'IB/RoCE v1'");
	tell(a, &f, d->host.cma_mode.value == wanted);
}

/* ---- all ---- */

static void audit_port(const struct audit *a, const struct qos_port *port)
{
	judge_trust(a, port);
	judge_pfc(a, port);
	judge_map(a, port);
	judge_ets_class(a, port);
	judge_ets_bandwidth(a, port);
	judge_buffer(a, port);
	judge_ecn(a, port);
	judge_cnp(a, port);
	judge_mtu(a, port->name, &port->host.mtu);
	judge_pause(a, port);
}

static void audit_device(const struct audit *a, const struct qos_device *d)
{
	/* A device whose port is not to be seen is unknown by each rule on ports, under its own name. */
	struct qos_port unseen = { .dcb.error = -ENODEV,
				   .host = { .mtu.error = -ENODEV,
					     .ecn_np.error = -ENODEV,
					     .cnp_dscp.error = -ENODEV,
					     .cnp_priority.error = -ENODEV,
					     .pause.error = -ENODEV } };

	if (d->host.infiniband)
		return;
	judge_tos(a, d);
	judge_rocemode(a, d);
	if (!d->port[0]) {
		ADD(unseen.name, "%s", d->name);
		audit_port(a, &unseen);
	} else if (strcmp(d->port, d->netdev)) {
		judge_mtu(a, d->netdev[0] ? d->netdev : d->name, &d->mtu);
	}
}

void qos_audit(const struct qos_profile *profile, const struct qos_node *node,
	       void (*tell_one)(const struct qos_finding *finding, void *ctx), void *ctx)
{
	struct audit a = { .profile = profile, .tell = tell_one, .ctx = ctx };

	for (size_t i = 0; i < node->port_count; i++)
		audit_port(&a, &node->ports[i]);
	for (size_t i = 0; i < node->device_count; i++)
		audit_device(&a, &node->devices[i]);
}
