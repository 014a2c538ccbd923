// SPDX-License-Identifier: Apache-2.0
/* The rules on DCB. */
#include <errno.h>
#include <linux/dcbnl.h>
#include <string.h>

#include "lib/util.h"
#include "qos/audit_internal.h"

#define BUFFER_LEAST \
	(32u << 10) /* holds a few jumbo frames; more is for the operator to compute from cable and speed */

static void add_priorities(char *to, size_t size, uint8_t mask)
{
	const char *comma = "";

	if (!mask)
		qos_add(to, size, "no priority");
	else
		qos_add(to, size, "priority ");
	for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
		if (!(mask >> p & 1))
			continue;
		qos_add(to, size, "%s%u", comma, p);
		comma = ",";
	}
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
	audit_unknown(a, f, why);
	return false;
}

static struct qos_action *port_action(struct qos_finding *f, const struct qos_port *port, enum qos_setting setting)
{
	struct qos_action *action = audit_action(f, setting);

	action->mlx5 = port->host.mlx5;
	return action;
}

/*
 * Where the NIC's firmware runs DCBX, what the host sets does not last: the host takes over first. Some drivers say that
 * the firmware does, mlx5 that the host does not (en_dcbnl.c).
 */
static void dcbx_first(struct qos_finding *f, const struct qos_port *port)
{
	struct qos_action *action;

	if (!port->dcb.has_dcbx || (port->dcb.dcbx & DCB_CAP_DCBX_HOST && !(port->dcb.dcbx & DCB_CAP_DCBX_LLD_MANAGED)))
		return;
	action = port_action(f, port, QOS_DCBX);
	action->from.number = port->dcb.dcbx;
	action->to.number = DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE;
}

/* What the RDMA and CNP DSCPs need, as arguments: "40:5 48:6". */
static void add_needed(const struct qos_profile *p, char *to, size_t size)
{
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		if (p->dscp >> d & 1 || d == p->cnp_dscp)
			qos_add(to, size, " %u:%u", d, p->map[d]);
}

/* What the DSCPs of the mask have at present, as the beginning of a change to the app table. */
static struct qos_action *app_action(struct qos_finding *f, const struct qos_port *port, uint64_t dscps)
{
	struct qos_action *action = port_action(f, port, QOS_APP);

	action->from.dscps = action->to.dscps = dscps;
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		if (dscps >> d & 1)
			action->from.priorities[d] = port->dcb.dscp_priorities[d];
	return action;
}

/* The trusted ones stay, behind the wanted one. DSCP cannot stay behind PCP: packets without a VLAN have no PCP. */
static void order_trust(struct qos_finding *f, const struct qos_port *port, enum qos_trust wanted)
{
	struct qos_action *action = port_action(f, port, QOS_APP_TRUST);
	uint8_t first = wanted == QOS_TRUST_DSCP ? IEEE_8021QAZ_APP_SEL_DSCP : DCB_APP_SEL_PCP;
	struct qos_selectors *to = &action->to.selectors;

	action->from.selectors = port->dcb.trust;
	to->selector[to->count++] = first;
	for (unsigned int i = 0; i < port->dcb.trust.count && to->count < QOS_SELECTORS; i++) {
		uint8_t selector = port->dcb.trust.selector[i];

		if (selector != first && selector != IEEE_8021QAZ_APP_SEL_DSCP)
			to->selector[to->count++] = selector;
	}
}

/* By the app table, as mlx5 has it: all entries for DSCPs, or none. */
static void fill_table(const struct audit *a, struct qos_finding *f, const struct qos_port *port)
{
	const struct qos_profile *p = a->profile;
	uint64_t dscps = p->dscp | 1ull << p->cnp_dscp;
	struct qos_action *action;

	if (p->trust == QOS_TRUST_PCP) {
		dscps = 0;
		for (unsigned int d = 0; d < QOS_DSCPS; d++)
			dscps |= port->dcb.dscp_priorities[d] ? 1ull << d : 0;
	}
	action = app_action(f, port, dscps);
	action->flips_trust = true;
	for (unsigned int d = 0; p->trust == QOS_TRUST_DSCP && d < QOS_DSCPS; d++)
		if (dscps >> d & 1)
			action->to.priorities[d] = (uint8_t)(1u << p->map[d]);
}

static void judge_trust(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.trust", port->name);
	enum qos_trust wanted = a->profile->trust, found = qos_dcb_trust(&port->dcb);
	struct qos_value order = { .selectors = port->dcb.trust };
	char text[64];

	ADD(f.expected, "%s", qos_trust_name(wanted));
	if (!dcb_told(a, &f, port, port->dcb.has_apps || port->dcb.has_trust, "app table"))
		return;
	qos_value_text(QOS_APP_TRUST, &order, text, sizeof(text));
	if (port->dcb.has_trust)
		ADD(f.found, "%s (trusted: %s)", qos_trust_name(found), text);
	else
		ADD(f.found, "%s (%s DSCP entries in the app table)", qos_trust_name(found),
		    found == QOS_TRUST_DSCP ? "there are" : "no");
	dcbx_first(&f, port);
	if (port->dcb.has_trust)
		order_trust(&f, port, wanted);
	else
		fill_table(a, &f, port);
	audit_tell(a, &f, wanted == found);
}

static void judge_pfc(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.pfc", port->name);
	uint8_t wanted = a->profile->pfc;
	struct qos_action *action;

	ADD(f.expected, "on for ");
	add_priorities(f.expected, sizeof(f.expected), wanted);
	if (!dcb_told(a, &f, port, port->dcb.has_pfc, "PFC"))
		return;
	ADD(f.found, "on for ");
	add_priorities(f.found, sizeof(f.found), port->dcb.pfc);
	dcbx_first(&f, port);
	action = port_action(&f, port, QOS_PFC);
	action->from.number = port->dcb.pfc;
	action->to.number = wanted;
	audit_tell(a, &f, port->dcb.pfc == wanted);
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
	struct qos_finding f = audit_about("qos.map", port->name);
	const struct qos_profile *p = a->profile;
	size_t room = sizeof(f.found) - 48;
	struct qos_action *action;
	uint64_t wrong = 0;

	if (p->trust != QOS_TRUST_DSCP)
		return;
	ADD(f.expected, "DSCP:priority");
	add_needed(p, f.expected, sizeof(f.expected));
	if (!dcb_told(a, &f, port, port->dcb.has_apps, "app table"))
		return;
	if (!port->dcb.has_trust && qos_dcb_trust(&port->dcb) != QOS_TRUST_DSCP)
		return; /* without an entry there is no map: that is told as trust */
	for (unsigned int d = 0; d < QOS_DSCPS; d++) {
		if (!map_is_wrong(p, &port->dcb, d))
			continue;
		if (strlen(f.found) < room) {
			ADD(f.found, "%sDSCP %u to ", wrong ? ", " : "", d);
			add_priorities(f.found, sizeof(f.found), port->dcb.dscp_priorities[d]);
		}
		wrong |= 1ull << d;
	}
	if (!wrong)
		ADD(f.found, "as expected");
	dcbx_first(&f, port);
	action = app_action(&f, port, wrong);
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		action->to.priorities[d] = wrong >> d & 1 ? (uint8_t)(1u << p->map[d]) : 0;
	audit_tell(a, &f, !wrong);
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

/* Half of the bandwidth of the class that has most goes to `tc`, so that the sum stays 100. */
static void share_bandwidth(const struct qos_dcb *dcb, unsigned int tc, uint8_t *bandwidth)
{
	int donor = -1;

	memcpy(bandwidth, dcb->tc_bandwidth, QOS_TCS);
	for (unsigned int t = 0; t < QOS_TCS; t++)
		if (dcb->tc_algorithm[t] == IEEE_8021QAZ_TSA_ETS && bandwidth[t] > 1 &&
		    (donor < 0 || bandwidth[t] > bandwidth[donor]))
			donor = (int)t;
	if (donor < 0) {
		bandwidth[tc] = 100;
		return;
	}
	bandwidth[tc] = bandwidth[donor] / 2;
	bandwidth[donor] = (uint8_t)(bandwidth[donor] - bandwidth[tc]);
}

/* Classes and bandwidths as they should be, in one change: another class may be one without bandwidth. */
static void ets_action(const struct audit *a, struct qos_finding *f, const struct qos_port *port)
{
	const struct qos_profile *p = a->profile;
	const struct qos_dcb *dcb = &port->dcb;
	struct qos_action *action;
	struct qos_value *to;
	unsigned int tc;
	int spare;

	dcbx_first(f, port);
	action = port_action(f, port, QOS_ETS);
	memcpy(action->from.tc_of, dcb->tc_of, sizeof(dcb->tc_of));
	memcpy(action->from.tc_bandwidth, dcb->tc_bandwidth, sizeof(dcb->tc_bandwidth));
	memcpy(action->tc_algorithm, dcb->tc_algorithm, sizeof(dcb->tc_algorithm));
	action->to = action->from;
	to = &action->to;
	if (lossy_sharer(p, dcb->tc_of) >= 0) {
		spare = free_value(p, dcb->tc_of, dcb->tcs);
		if (spare < 0) { /* the classes are few: all that is lossy in one */
			memset(to->tc_of, 0, sizeof(to->tc_of));
			spare = dcb->tcs > 1;
		}
		to->tc_of[p->priority] = (uint8_t)spare;
	}
	tc = to->tc_of[p->priority];
	if (dcb->tc_algorithm[tc] == IEEE_8021QAZ_TSA_ETS && !dcb->tc_bandwidth[tc])
		share_bandwidth(dcb, tc, to->tc_bandwidth);
}

static void judge_ets_class(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.ets", port->name);
	unsigned int priority = a->profile->priority;
	const struct qos_dcb *dcb = &port->dcb;
	int other;

	ADD(f.expected, "priority %u in a traffic class without lossy ones", priority);
	if (!dcb_told(a, &f, port, dcb->has_ets, "ETS"))
		return;
	other = lossy_sharer(a->profile, dcb->tc_of);
	ADD(f.found, "class %u", dcb->tc_of[priority]);
	if (other >= 0)
		ADD(f.found, ", and priority %d with it", other);
	if (dcb->tcs > 1) /* else the NIC has no second class, and nothing mends it */
		ets_action(a, &f, port);
	audit_tell(a, &f, other < 0);
}

static const char *algorithm_name(uint8_t algorithm)
{
	return algorithm == IEEE_8021QAZ_TSA_STRICT ? "strict" : algorithm == IEEE_8021QAZ_TSA_ETS ? "ets" : "vendor";
}

static void judge_ets_bandwidth(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.ets", port->name);
	const struct qos_dcb *dcb = &port->dcb;
	unsigned int tc;
	bool starved;

	if (dcb->error || !dcb->has_ets)
		return; /* told by judge_ets_class() */
	tc = dcb->tc_of[a->profile->priority];
	starved = dcb->tc_algorithm[tc] == IEEE_8021QAZ_TSA_ETS && !dcb->tc_bandwidth[tc];
	ADD(f.expected, "bandwidth for the class of priority %u", a->profile->priority);
	ADD(f.found, "class %u: %s", tc, algorithm_name(dcb->tc_algorithm[tc]));
	if (dcb->tc_algorithm[tc] == IEEE_8021QAZ_TSA_ETS)
		ADD(f.found, ", %u %%", dcb->tc_bandwidth[tc]);
	ets_action(a, &f, port);
	audit_tell(a, &f, !starved);
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

static void buffer_action(struct qos_finding *f, const struct qos_port *port, unsigned int priority,
			  unsigned int buffer)
{
	const struct qos_dcb *dcb = &port->dcb;
	struct qos_action *action;
	struct qos_value *to;

	dcbx_first(f, port);
	action = port_action(f, port, QOS_BUFFER);
	memcpy(action->from.buffer_of, dcb->buffer_of, sizeof(dcb->buffer_of));
	memcpy(action->from.buffer_size, dcb->buffer_size, sizeof(dcb->buffer_size));
	action->to = action->from;
	to = &action->to;
	to->buffer_of[priority] = (uint8_t)buffer;
	if (!to->buffer_size[buffer])
		share_buffer(dcb, buffer, to->buffer_size);
}

static void judge_buffer(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.buffer", port->name);
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
	buffer_action(&f, port, priority, buffer);
	audit_tell(a, &f, other < 0 && dcb->buffer_size[buffer]);
}

void audit_dcb(const struct audit *a, const struct qos_port *port)
{
	judge_trust(a, port);
	judge_pfc(a, port);
	judge_map(a, port);
	judge_ets_class(a, port);
	judge_ets_bandwidth(a, port);
	judge_buffer(a, port);
}
