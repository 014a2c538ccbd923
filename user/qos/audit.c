// SPDX-License-Identifier: Apache-2.0
#include "qos/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "qos/audit_internal.h"

const char *qos_result_name(enum qos_result result)
{
	static const char *const names[] = { [QOS_PASS] = "pass", [QOS_FAIL] = "fail", [QOS_UNKNOWN] = "unknown" };

	return names[result];
}

/* ---- findings ---- */

struct qos_finding audit_about(const char *rule, const char *subject)
{
	struct qos_finding f = { .rule = rule };

	ADD(f.subject, "%s", subject);
	return f;
}

struct qos_action *audit_action(struct qos_finding *f, enum qos_setting setting)
{
	struct qos_action *action = &f->actions[f->action_count++];

	*action = (struct qos_action){ .setting = setting };
	ADD(action->subject, "%s", f->subject);
	return action;
}

/* The commands one after the other; with mlnx_qos only where it can do all of it. */
static void write_cures(struct qos_finding *f)
{
	bool mlx5 = true;

	for (size_t i = 0; i < f->action_count; i++) {
		ADD(f->cure, "%s", i ? " && " : "");
		ADD(f->cure_mlx5, "%s", i ? " && " : "");
		qos_action_command(&f->actions[i], f->cure, sizeof(f->cure));
		mlx5 &= qos_action_command_mlx5(&f->actions[i], f->cure_mlx5, sizeof(f->cure_mlx5));
	}
	if (!mlx5)
		f->cure_mlx5[0] = '\0';
}

void audit_tell(const struct audit *a, struct qos_finding *f, bool right)
{
	f->result = right ? QOS_PASS : QOS_FAIL;
	if (right)
		f->action_count = 0;
	write_cures(f);
	a->tell(f, a->ctx);
}

void audit_unknown(const struct audit *a, struct qos_finding *f, const char *why)
{
	f->result = QOS_UNKNOWN;
	f->found[0] = '\0';
	f->action_count = 0;
	ADD(f->found, "%s", why);
	a->tell(f, a->ctx);
}

void audit_unread(const struct audit *a, struct qos_finding *f, const char *what, int error)
{
	char why[256] = "";

	if (error == -ENOENT)
		ADD(why, "%s: this driver and kernel do not show it", what);
	else if (error == -EBADMSG)
		ADD(why, "%s: not understood", what);
	else
		ADD(why, "%s: %s", what, strerror(-error));
	audit_unknown(a, f, why);
}

/* ---- rules on the rest of a port ---- */

static struct qos_action *set_number(struct qos_finding *f, enum qos_setting setting, unsigned int from,
				     unsigned int to)
{
	struct qos_action *action = audit_action(f, setting);

	action->from.number = from;
	action->to.number = to;
	return action;
}

static void switch_on(struct qos_finding *f, enum qos_setting point, unsigned int priority)
{
	set_number(f, point, 0, 1)->priority = priority;
}

static void judge_ecn(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.ecn", port->name);
	const struct qos_reading *np = &port->host.ecn_np, *rp = &port->host.ecn_rp;
	unsigned int p = a->profile->priority;
	bool np_on = np->value >> p & 1, rp_on = rp->value >> p & 1;

	if (!a->profile->ecn)
		return;
	ADD(f.expected, "notification and reaction point on for priority %u", p);
	if (np->error || rp->error) {
		audit_unread(a, &f, "the switches of ECN", np->error ? np->error : rp->error);
		return;
	}
	ADD(f.found, "notification point %s, reaction point %s", np_on ? "on" : "off", rp_on ? "on" : "off");
	if (!np_on)
		switch_on(&f, QOS_ECN_NP, p);
	if (!rp_on)
		switch_on(&f, QOS_ECN_RP, p);
	audit_tell(a, &f, np_on && rp_on);
}

/* CNPs are told apart by DSCP or by PCP, as the ports do. */
static void judge_cnp(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.ecn", port->name);
	bool dscp = a->profile->trust == QOS_TRUST_DSCP;
	const struct qos_reading *found = dscp ? &port->host.cnp_dscp : &port->host.cnp_priority;
	unsigned int wanted = dscp ? a->profile->cnp_dscp : a->profile->cnp_priority;
	struct qos_action *action;

	if (!a->profile->ecn)
		return;
	ADD(f.expected, "CNPs with %s %u", dscp ? "DSCP" : "priority", wanted);
	if (found->error) {
		audit_unread(a, &f, dscp ? "the DSCP of CNPs" : "the priority of CNPs", found->error);
		return;
	}
	ADD(f.found, "CNPs with %s %u", dscp ? "DSCP" : "priority", found->value);
	action = set_number(&f, dscp ? QOS_CNP_DSCP : QOS_CNP_PRIORITY, found->value, wanted);
	ADD(action->pci, "%s", port->host.cc_pci);
	audit_tell(a, &f, found->value == wanted);
}

/*
 * What the port of an RDMA device makes of its netdev's MTU. No file shows the active one; mlx5, bnxt_re and rxe derive
 * it so (iboe_get_mtu() in ib_addr.h: the headers are counted as if each packet had them all).
 */
static unsigned int rdma_mtu(unsigned int mtu)
{
	const unsigned int headers = 96;
	unsigned int active = 4096;

	while (active >= 256 && mtu < active + headers)
		active /= 2;
	return active >= 256 ? active : 0;
}

static void judge_mtu(const struct audit *a, const char *netdev, const struct qos_reading *mtu)
{
	struct qos_finding f = audit_about("qos.mtu", netdev);

	if (!a->profile->mtu)
		return;
	ADD(f.expected, "at least %u", a->profile->mtu);
	if (mtu->error) {
		audit_unread(a, &f, "the MTU", mtu->error);
		return;
	}
	ADD(f.found, "%u: %u for RDMA", mtu->value, rdma_mtu(mtu->value));
	set_number(&f, QOS_MTU, mtu->value, a->profile->mtu);
	audit_tell(a, &f, mtu->value >= a->profile->mtu);
}

static void judge_pause(const struct audit *a, const struct qos_port *port)
{
	struct qos_finding f = audit_about("qos.pause", port->name);
	unsigned int pause = port->host.pause.value;

	ADD(f.expected, "off: PFC pauses by priority");
	if (port->host.pause.error) {
		audit_unread(a, &f, "the pause of the link", port->host.pause.error);
		return;
	}
	ADD(f.found, "receive %s, transmit %s", pause & QOS_PAUSE_RX ? "on" : "off",
	    pause & QOS_PAUSE_TX ? "on" : "off");
	set_number(&f, QOS_PAUSE, pause, 0);
	audit_tell(a, &f, !pause);
}

/* ---- rules on RDMA devices ---- */

static const char away[] =
	"the device is in another network namespace, where its settings are not to be seen from here";

static unsigned int first_dscp(const struct qos_profile *p)
{
	return (unsigned int)__builtin_ctzll(p->dscp);
}

/* What the driver forces is what goes on the wire; else rdma_cm's default is that of whoever asks for none. */
static void judge_tos(const struct audit *a, const struct qos_device *d)
{
	struct qos_finding f = audit_about("qos.tos", d->name);
	const struct qos_reading *forced = &d->host.tclass, *found = forced->error ? &d->host.cma_tos : forced;

	ADD(f.expected, "DSCP ");
	qos_dscp_text(a->profile->dscp, f.expected + strlen(f.expected), sizeof(f.expected) - strlen(f.expected));
	if (!d->host.visible) {
		audit_unknown(a, &f, away);
		return;
	}
	if (forced->error && forced->error != -ENOENT && forced->error != -ENODATA) {
		audit_unread(a, &f, "the traffic class that the driver forces", forced->error);
		return;
	}
	if (found->error) {
		audit_unread(a, &f, "rdma_cm's default ToS, in configfs", found->error);
		return;
	}
	ADD(f.found, "DSCP %u (traffic class %u), %s", found->value >> 2, found->value,
	    forced->error ? "rdma_cm's default; nothing forces those who set their own" : "forced by the driver");
	set_number(&f, forced->error ? QOS_CMA_TOS : QOS_TCLASS, found->value, first_dscp(a->profile) << 2);
	audit_tell(a, &f, a->profile->dscp >> (found->value >> 2) & 1);
}

static const char *mode_name(enum qos_roce_mode mode)
{
	return mode == QOS_ROCE_V2 ? "RoCE v2" : "RoCE v1";
}

static void judge_rocemode(const struct audit *a, const struct qos_device *d)
{
	struct qos_finding f = audit_about("qos.rocemode", d->name);
	enum qos_roce_mode wanted = a->profile->roce_mode;

	ADD(f.expected, "%s", mode_name(wanted));
	if (!d->host.visible) {
		audit_unknown(a, &f, away);
		return;
	}
	if (d->host.cma_mode.error) {
		audit_unread(a, &f, "rdma_cm's default RoCE mode, in configfs", d->host.cma_mode.error);
		return;
	}
	ADD(f.found, "%s", mode_name((enum qos_roce_mode)d->host.cma_mode.value));
	set_number(&f, QOS_CMA_MODE, d->host.cma_mode.value, wanted);
	audit_tell(a, &f, d->host.cma_mode.value == wanted);
}

/* ---- all ---- */

static void audit_port(const struct audit *a, const struct qos_port *port)
{
	audit_dcb(a, port);
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

	const struct audit own = { .profile = d->profile ? d->profile : a->profile, .tell = a->tell, .ctx = a->ctx };

	if (d->host.infiniband)
		return;
	judge_tos(&own, d);
	judge_rocemode(&own, d);
	if (!d->port[0]) {
		ADD(unseen.name, "%s", d->name);
		audit_port(a, &unseen);
	} else if (strcmp(d->port, d->netdev)) {
		judge_mtu(&own, d->netdev[0] ? d->netdev : d->name, &d->mtu);
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
