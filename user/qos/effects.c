// SPDX-License-Identifier: Apache-2.0
#include "qos/effects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rules.h"
#include "lib/util.h"

/* ---- thresholds: all rates are per second, over the time from one sample to the next ---- */

/*
 * A rule begins at the upper value and ends below the lower one, each EFFECTS_SAMPLES times in a row; in between it stays
 * as it is. With the default of a sample in 10 s, half a minute of it is told and a burst is not.
 */

/* Less RDMA traffic than 1 MB/s (a 10,000th of a 100 Gbit/s port) is management, and rounding of the counters. */
#define TRAFFIC_BEGIN 1e6
#define TRAFFIC_END 1e5
/* Share of it on its priority: below a hundredth is none (other traffic may be there), from a twentieth it is some. */
#define SHARE_BEGIN 0.01
#define SHARE_END 0.05
/*
 * At least half has to be seen on other priorities: what functions of one NIC send each other passes no port and is on
 * no priority at all.
 */
#define ELSEWHERE 0.5

/* NICs answer many marks with one CNP, so only none at all is wrong; a few marks may fall between two samples. */
#define CNP_BEGIN 10.0
#define CNP_END 1.0

/*
 * Time paused, in us/s: PFC that holds a port for a tenth of the time costs a tenth of its bandwidth and spreads to its
 * neighbours; ECN is there to keep it at nearly none.
 */
#define PAUSED_BEGIN 100e3
#define PAUSED_END 20e3
/*
 * Where the NIC counts frames only: one pauses for 65,535 times 512 bits at most, 335 us at 100 Gbit/s, and a sender
 * that keeps pausing repeats it well before. 3,000/s can hold such a port all the time, 10,000/s one of 400 Gbit/s.
 */
#define PAUSES_BEGIN 3000.0
#define PAUSES_END 600.0

/* A lossless class loses nothing; a link error or a change of routes makes a burst, not a rate. */
#define SEQUENCE_BEGIN 100.0
#define SEQUENCE_END 10.0

#define GAP_INTERVALS 3 /* rates over a longer time than that tell of no moment, and are not judged */
#define MISSED_ROUNDS EFFECTS_SAMPLES /* after that a subject, or a counter, is gone */

/* ---- what is counted ---- */

enum quantity {
	RDMA_BYTES, /* sent by a device */
	PRIORITY_BYTES, /* sent by a port, of each priority */
	MARKED, /* packets received with CE */
	CNP_SENT,
	CNP_HANDLED,
	CNP_IGNORED,
	OUT_OF_SEQUENCE,
	PAUSED_RX, /* us, of each priority: the switch paused this port */
	PAUSED_TX, /* this port paused the switch */
	PAUSES_RX, /* frames */
	PAUSES_TX,
};

#define NONE UINT8_MAX

/*
 * The names by driver; drivers do not share one for different things. Where {} stands a priority does. From:
 *   mlx5 devices      drivers/infiniband/hw/mlx5/counters.c; the congestion counters only on PFs
 *   mlx5 netdevs      Documentation/networking/device_drivers/ethernet/mellanox/mlx5/counters.rst
 *   bnxt_re, bnxt_en  drivers/infiniband/hw/bnxt_re/hw_counters.c, drivers/net/ethernet/broadcom/bnxt/bnxt_ethtool.c;
 *                     marks and CNPs handled are not told
 *   irdma, ice        drivers/infiniband/hw/irdma/verbs.c, drivers/net/ethernet/intel/ice/ice_ethtool.c
 *   rxe               drivers/infiniband/sw/rxe/rxe_hw_counters.c
 */
static const struct counter {
	enum effect_kind kind;
	enum effect_source source;
	enum quantity quantity;
	const char *name, *after; /* what is before and after the priority; without one, NULL is after */
} counters[] = {
	{ EFFECT_DEVICE, EFFECT_ETHTOOL, RDMA_BYTES, "tx_vport_rdma_unicast_bytes",
	  NULL }, /* mlx5, by the device's netdev */
	{ EFFECT_DEVICE, EFFECT_ETHTOOL, RDMA_BYTES, "tx_vport_rdma_multicast_bytes", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, RDMA_BYTES, "tx_bytes", NULL }, /* bnxt_re */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PRIORITY_BYTES, "tx_prio", "_bytes" }, /* mlx5 */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PRIORITY_BYTES, "tx_bytes_pri", "" }, /* bnxt_en */
	{ EFFECT_DEVICE, EFFECT_RDMA, MARKED, "np_ecn_marked_roce_packets", NULL }, /* mlx5 */
	{ EFFECT_DEVICE, EFFECT_RDMA, MARKED, "RxECNMrkd", NULL }, /* irdma */
	{ EFFECT_DEVICE, EFFECT_RDMA, CNP_SENT, "np_cnp_sent", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, CNP_SENT, "cnpSent", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, CNP_HANDLED, "rp_cnp_handled", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, CNP_HANDLED, "cnpHandled", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, CNP_IGNORED, "rp_cnp_ignored", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, CNP_IGNORED, "cnpIgnored", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, OUT_OF_SEQUENCE, "out_of_sequence", NULL }, /* mlx5: as responder */
	{ EFFECT_DEVICE, EFFECT_RDMA, OUT_OF_SEQUENCE, "packet_seq_err", NULL }, /* as requester, told by a NAK */
	{ EFFECT_DEVICE, EFFECT_RDMA, OUT_OF_SEQUENCE, "oos_drop_count", NULL }, /* bnxt_re, likewise */
	{ EFFECT_DEVICE, EFFECT_RDMA, OUT_OF_SEQUENCE, "seq_err_naks_rcvd", NULL },
	{ EFFECT_DEVICE, EFFECT_RDMA, OUT_OF_SEQUENCE, "out_of_seq_request", NULL }, /* rxe, likewise */
	{ EFFECT_DEVICE, EFFECT_RDMA, OUT_OF_SEQUENCE, "rcvd_seq_err", NULL },
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSED_RX, "rx_prio",
	  "_pause_duration" }, /* mlx5, while PFC is on for the priority */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSED_TX, "tx_prio", "_pause_duration" },
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSED_RX, "pfc_pri", "_rx_duration_us" }, /* bnxt_en */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSED_TX, "pfc_pri", "_tx_duration_us" },
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSES_RX, "rx_prio", "_pause" }, /* mlx5 */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSES_TX, "tx_prio", "_pause" },
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSES_RX, "rx_pfc_ena_frames_pri", "" }, /* bnxt_en */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSES_TX, "tx_pfc_ena_frames_pri", "" },
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSES_RX, "rx_priority_", "_xoff.nic" }, /* ice */
	{ EFFECT_PORT, EFFECT_ETHTOOL, PAUSES_TX, "tx_priority_", "_xoff.nic" },
};

#define COUNTERS ARRAY_SIZE(counters)

struct slot {
	bool known; /* came in one of the last rounds */
	bool rated; /* in this round, and the one before it was good for a rate */
	uint64_t value, at_ns, round;
	double rate;
};

/* How a rule stands. */
struct state {
	bool active;
	unsigned int streak; /* samples in a row that speak for a change */
	unsigned int judged; /* samples, up to EFFECTS_SAMPLES */
	char found[256]; /* by the last one that spoke for the begin */
};

#define RULES 5

struct effect_subject {
	struct effect_subject *next;
	struct effects *effects;
	enum effect_kind kind;
	uint32_t index;
	char name[QOS_NAME_LEN], port[QOS_NAME_LEN];
	uint64_t round; /* the last one that it was in */
	int error; /* of the last reading */
	struct slot slots[COUNTERS][QOS_PRIORITIES]; /* a counter without priorities has the first one */
	struct state states[RULES];
};

struct effects {
	const struct qos_profile *profile;
	uint8_t priorities; /* those of RDMA traffic, the profile's among them */
	uint64_t interval_ns, now_ns, round;
	struct effect_subject *subjects;
};

int effects_open(struct effects **effects, const struct qos_profile *profile, uint8_t priorities, uint64_t interval_ns)
{
	struct effects *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->profile = profile;
	e->priorities = priorities | (uint8_t)(1u << profile->priority);
	e->interval_ns = interval_ns;
	*effects = e;
	return 0;
}

void effects_close(struct effects *e)
{
	struct effect_subject *next;

	for (struct effect_subject *s = e ? e->subjects : NULL; s; s = next) {
		next = s->next;
		free(s);
	}
	free(e);
}

uint64_t effects_rounds(const struct effects *e)
{
	return e->round;
}

/* ---- samples ---- */

void effects_begin(struct effects *e, uint64_t now_ns)
{
	e->now_ns = now_ns;
	e->round++;
	for (struct effect_subject *s = e->subjects; s; s = s->next)
		for (size_t i = 0; i < COUNTERS * QOS_PRIORITIES; i++)
			s->slots[i / QOS_PRIORITIES][i % QOS_PRIORITIES].rated = false;
}

static bool is_same(const struct effect_subject *s, enum effect_kind kind, uint32_t index, const char *name)
{
	if (s->kind != kind)
		return false;
	return kind == EFFECT_DEVICE ? s->index == index : !strcmp(s->name, name);
}

struct effect_subject *effects_subject(struct effects *e, enum effect_kind kind, uint32_t index, const char *name)
{
	struct effect_subject **p = &e->subjects, *s;

	while (*p && !is_same(*p, kind, index, name))
		p = &(*p)->next;
	s = *p;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->effects = e;
		s->kind = kind;
		s->index = index;
		s->round = e->round;
		*p = s;
	}
	snprintf(s->name, sizeof(s->name), "%s", name); /* devices are renamed */
	return s;
}

void effects_join(struct effect_subject *device, const char *port)
{
	snprintf(device->port, sizeof(device->port), "%s", port);
}

void effects_read(struct effect_subject *s, int error)
{
	s->error = error;
	if (!error || error == -EOPNOTSUPP)
		s->round = s->effects->round;
}

/* The priority in the name, 0 for a counter without one, or NONE: it is another counter. */
static uint8_t match_name(const struct counter *c, const char *name)
{
	size_t len = strlen(c->name);

	if (!c->after)
		return strcmp(c->name, name) ? NONE : 0;
	if (strncmp(c->name, name, len) || name[len] < '0' || name[len] >= '0' + QOS_PRIORITIES ||
	    strcmp(c->after, name + len + 1))
		return NONE;
	return (uint8_t)(name[len] - '0');
}

/*
 * What a counter grew by. One that shrank has wrapped where the values lie on both ends of its range (mlx5's queue
 * counters have 32 bits), and was set anew otherwise: false, there is no telling. A reset that looks like a wrap makes
 * one sample, which begins nothing.
 */
static bool growth(uint64_t before, uint64_t now, uint64_t *by)
{
	uint64_t range = before <= UINT32_MAX ? UINT32_MAX : UINT64_MAX;

	*by = now - before;
	if (now >= before)
		return true;
	if (before < range / 4 * 3 || now > range / 4)
		return false;
	*by = now + (range - before) + 1;
	return true;
}

static void take(struct slot *slot, const struct effects *e, uint64_t value)
{
	uint64_t by, gap = e->now_ns - slot->at_ns;

	/* The gap is measured: a round that came late, or after a suspension, has its own. */
	slot->rated = slot->known && e->now_ns > slot->at_ns && gap <= GAP_INTERVALS * e->interval_ns &&
		      growth(slot->value, value, &by);
	if (slot->rated)
		slot->rate = (double)by * 1e9 / (double)gap;
	slot->known = true;
	slot->value = value;
	slot->at_ns = e->now_ns;
	slot->round = e->round;
}

void effects_counter(struct effect_subject *s, enum effect_source source, const char *name, uint64_t value)
{
	uint8_t priority;

	for (size_t i = 0; i < COUNTERS; i++) {
		if (counters[i].kind != s->kind || counters[i].source != source)
			continue;
		priority = match_name(&counters[i], name);
		if (priority == NONE)
			continue;
		/* A name that comes twice in a round would be a rate over no time. */
		if (!s->slots[i][priority].known || s->slots[i][priority].round != s->effects->round)
			take(&s->slots[i][priority], s->effects, value);
		return;
	}
}

/* ---- rules ---- */

enum verdict {
	ABSENT, /* the driver has not the counters */
	UNRATED, /* a sample is missing, or is the first one */
	QUIET, /* nothing is there to judge by */
	FINE,
	BETWEEN, /* the thresholds */
	BAD,
};

static void add(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Appends; a text that is too long is cut. */
static void add(char *to, size_t size, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, fmt);
	vsnprintf(to + len, size - len, fmt, args);
	va_end(args);
}

#define ADD(array, ...) add(array, sizeof(array), __VA_ARGS__)

struct sum {
	unsigned int known, rated;
	double rate;
};

/* Adds up the counters of that quantity which the subject's driver has. */
static void add_up(const struct effect_subject *s, enum quantity quantity, unsigned int priority, struct sum *sum)
{
	for (size_t i = 0; i < COUNTERS; i++) {
		const struct slot *slot = &s->slots[i][counters[i].after ? priority : 0];

		if (counters[i].quantity != quantity || !slot->known)
			continue;
		sum->known++;
		if (!slot->rated)
			continue;
		sum->rated++;
		sum->rate += slot->rate;
	}
}

static struct sum sum_of(const struct effect_subject *s, enum quantity quantity, unsigned int priority)
{
	struct sum sum = {};

	add_up(s, quantity, priority, &sum);
	return sum;
}

/* ABSENT or UNRATED, with the reason, or FINE: the sum can be judged. */
static enum verdict usable(const struct sum *sum, const char *what, char *found, size_t size)
{
	if (!sum->known)
		add(found, size, "the driver counts no %s", what);
	else if (!sum->rated)
		add(found, size, "no rate of %s yet", what);
	return !sum->known ? ABSENT : !sum->rated ? UNRATED : FINE;
}

/* By the devices that the port carries. */
static struct sum rdma_bytes(const struct effect_subject *port)
{
	struct sum sum = {};

	for (const struct effect_subject *s = port->effects->subjects; s; s = s->next)
		if (s->kind == EFFECT_DEVICE && !strcmp(s->port, port->name))
			add_up(s, RDMA_BYTES, 0, &sum);
	return sum;
}

/* What the port sends on those priorities, and on which most. */
static struct sum sent_on(const struct effect_subject *port, uint8_t priorities, unsigned int *most)
{
	struct sum all = {};
	double highest = -1;

	for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
		struct sum one = sum_of(port, PRIORITY_BYTES, p);

		if (!(priorities >> p & 1))
			continue;
		all.known += one.known;
		all.rated += one.rated;
		all.rate += one.rate;
		if (one.rate > highest) {
			highest = one.rate;
			*most = p;
		}
	}
	return all;
}

static enum verdict judge_priority(const struct effect_subject *s, struct qos_finding *f)
{
	uint8_t wanted = s->effects->priorities;
	unsigned int most = 0;
	struct sum right = sent_on(s, wanted, &most), wrong = sent_on(s, (uint8_t)~wanted, &most), rdma = rdma_bytes(s);
	char set[32];
	enum verdict v;

	qos_dscp_text(wanted, set, sizeof(set));
	ADD(f->expected, "RDMA traffic on priority %s", set);
	ADD(f->cure, "wardenctl qos; ethtool -S %s | grep -E 'tx_(prio[0-7]_bytes|bytes_pri)'", s->name);
	v = usable(&right, "bytes by priority", f->found, sizeof(f->found));
	if (v == FINE)
		v = usable(&rdma, "bytes of RDMA", f->found, sizeof(f->found));
	if (v != FINE)
		return v;
	ADD(f->found, "%.0f B/s of RDMA, %.0f B/s on priority %s, most other on priority %u (%.0f B/s on all others)",
	    rdma.rate, right.rate, set, most, wrong.rate);
	if (rdma.rate < TRAFFIC_END)
		return QUIET;
	if (right.rate >= rdma.rate * SHARE_END)
		return FINE;
	if (wrong.rate < rdma.rate * ELSEWHERE)
		return QUIET;
	return rdma.rate >= TRAFFIC_BEGIN && right.rate < rdma.rate * SHARE_BEGIN ? BAD : BETWEEN;
}

/* Something comes in, and what should answer it does not. */
static enum verdict judge_answer(double comes, double answer)
{
	if (comes < CNP_END)
		return QUIET;
	if (answer > 0)
		return FINE;
	return comes >= CNP_BEGIN ? BAD : BETWEEN;
}

static enum verdict judge_cnp_sent(const struct effect_subject *s, struct qos_finding *f)
{
	struct sum marked = sum_of(s, MARKED, 0), sent = sum_of(s, CNP_SENT, 0);
	enum verdict v;

	ADD(f->expected, "CNPs sent for packets that were marked with CE");
	ADD(f->cure, "wardenctl qos # qos.ecn: the notification point");
	if (s->port[0])
		ADD(f->cure, "\necho 1 >/sys/class/net/%s/ecn/roce_np/enable/%u # OFED", s->port,
		    s->effects->profile->priority);
	v = usable(&marked, "packets marked with CE", f->found, sizeof(f->found));
	if (v == FINE)
		v = usable(&sent, "CNPs sent", f->found, sizeof(f->found));
	if (v != FINE)
		return v;
	ADD(f->found, "%.0f packets/s marked with CE, %.0f CNPs/s sent", marked.rate, sent.rate);
	return judge_answer(marked.rate, sent.rate);
}

static enum verdict judge_cnp_handled(const struct effect_subject *s, struct qos_finding *f)
{
	struct sum handled = sum_of(s, CNP_HANDLED, 0), ignored = sum_of(s, CNP_IGNORED, 0);
	enum verdict v;

	ADD(f->expected, "CNPs received and handled, so that the sender slows down");
	ADD(f->cure, "wardenctl qos # qos.ecn: the reaction point");
	if (s->port[0])
		ADD(f->cure, "\necho 1 >/sys/class/net/%s/ecn/roce_rp/enable/%u # OFED", s->port,
		    s->effects->profile->priority);
	v = usable(&handled, "CNPs handled", f->found, sizeof(f->found));
	if (v == FINE)
		v = usable(&ignored, "CNPs ignored", f->found, sizeof(f->found));
	if (v != FINE)
		return v;
	ADD(f->found, "%.0f CNPs/s received and ignored, %.0f handled", ignored.rate, handled.rate);
	return judge_answer(ignored.rate + handled.rate, handled.rate);
}

/* The time paused where the NIC tells it, else the frames; of both directions the worse. */
static enum verdict judge_pause(const struct effect_subject *s, struct qos_finding *f)
{
	unsigned int priority = s->effects->profile->priority;
	struct sum rx = sum_of(s, PAUSED_RX, priority), tx = sum_of(s, PAUSED_TX, priority), worse;
	bool time = rx.known || tx.known;
	enum verdict v;

	ADD(f->expected, "priority %u paused for less than %.0f %% of the time", priority, PAUSED_BEGIN / 1e4);
	ADD(f->cure, "ethtool -S %s | grep -iE '(prio|pri|priority_)%u.*(pause|pfc|xoff|duration)'", s->name, priority);
	if (!time) {
		rx = sum_of(s, PAUSES_RX, priority);
		tx = sum_of(s, PAUSES_TX, priority);
	}
	worse = rx.rated && (!tx.rated || rx.rate >= tx.rate) ? rx : tx;
	worse.known = rx.known + tx.known;
	v = usable(&worse, "pauses of the priority", f->found, sizeof(f->found));
	if (v != FINE)
		return v;
	if (time)
		ADD(f->found, "paused by the switch %.1f %% of the time, pausing it %.1f %%", rx.rate / 1e4,
		    tx.rate / 1e4);
	else
		ADD(f->found, "%.0f pauses/s received, %.0f sent", rx.rate, tx.rate);
	if (worse.rate >= (time ? PAUSED_BEGIN : PAUSES_BEGIN))
		return BAD;
	return worse.rate < (time ? PAUSED_END : PAUSES_END) ? FINE : BETWEEN;
}

static enum verdict judge_sequence(const struct effect_subject *s, struct qos_finding *f)
{
	struct sum sum = sum_of(s, OUT_OF_SEQUENCE, 0);
	enum verdict v;

	ADD(f->expected, "fewer than %.0f packets/s out of sequence: the class loses none", SEQUENCE_BEGIN);
	ADD(f->cure,
	    "wardenctl qos; rdma statistic show # here and at the peer; a fabric that spreads the packets of a "
	    "flow (adaptive routing) makes them, too");
	v = usable(&sum, "packets out of sequence", f->found, sizeof(f->found));
	if (v != FINE)
		return v;
	ADD(f->found, "%.0f packets/s out of sequence", sum.rate);
	if (sum.rate >= SEQUENCE_BEGIN)
		return BAD;
	return sum.rate < SEQUENCE_END ? FINE : BETWEEN;
}

static const struct rule {
	enum warden_rule rule;
	enum effect_kind kind;
	bool of_priority; /* judged by the profile's */
	enum verdict (*judge)(const struct effect_subject *subject, struct qos_finding *finding);
} rules[RULES] = {
	{ RULE_QOS_EFFECT_PRIORITY, EFFECT_PORT, true, judge_priority },
	{ RULE_QOS_EFFECT_PAUSE, EFFECT_PORT, true, judge_pause },
	{ RULE_QOS_EFFECT_CNP_SENT, EFFECT_DEVICE, false, judge_cnp_sent },
	{ RULE_QOS_EFFECT_CNP_HANDLED, EFFECT_DEVICE, false, judge_cnp_handled },
	{ RULE_QOS_EFFECT_SEQUENCE, EFFECT_DEVICE, false, judge_sequence },
};

static struct qos_finding about(const struct rule *rule, const struct effect_subject *s)
{
	struct qos_finding f = { .rule = rule_name(rule->rule) };

	ADD(f.subject, "%s", s->name);
	return f;
}

/* ---- hysteresis ---- */

/* True: the rule begins or ends with this sample. */
static bool step(struct state *state, enum verdict verdict)
{
	bool speaks = state->active ? verdict == FINE || verdict == QUIET || verdict == ABSENT : verdict == BAD;

	if (verdict == UNRATED)
		return false; /* says nothing, and takes nothing back */
	if (verdict == ABSENT)
		state->judged = 0;
	else if (state->judged < EFFECTS_SAMPLES)
		state->judged++;
	state->streak = speaks ? state->streak + 1 : 0;
	if (state->streak < EFFECTS_SAMPLES)
		return false;
	state->active = !state->active;
	state->streak = 0;
	return true;
}

static void tell_change(const struct effect_subject *s, const struct rule *rule, struct qos_finding *f, bool begins,
			void (*tell)(const struct effect_change *change, void *ctx), void *ctx)
{
	struct effect_change change = { .rule = rule->rule, .kind = s->kind, .index = s->index, .begins = begins };

	f->result = begins ? QOS_FAIL : QOS_PASS;
	if (!begins)
		f->cure[0] = '\0';
	change.finding = *f;
	tell(&change, ctx);
}

static void judge_subject(struct effect_subject *s, void (*tell)(const struct effect_change *change, void *ctx),
			  void *ctx)
{
	for (size_t i = 0; i < RULES; i++) {
		struct state *state = &s->states[i];
		struct qos_finding f = about(&rules[i], s);
		enum verdict verdict;

		if (rules[i].kind != s->kind)
			continue;
		verdict = rules[i].judge(s, &f);
		if (verdict == BAD)
			snprintf(state->found, sizeof(state->found), "%s", f.found);
		if (step(state, verdict))
			tell_change(s, &rules[i], &f, state->active, tell, ctx);
	}
}

static void end_subject(struct effect_subject *s, void (*tell)(const struct effect_change *change, void *ctx),
			void *ctx)
{
	for (size_t i = 0; i < RULES; i++) {
		struct qos_finding f = about(&rules[i], s);

		if (!s->states[i].active)
			continue;
		rules[i].judge(s, &f);
		snprintf(f.found, sizeof(f.found), "its counters are no longer to be read: the %s is gone, or moved",
			 s->kind == EFFECT_PORT ? "netdev" : "device");
		tell_change(s, &rules[i], &f, false, tell, ctx);
	}
}

/* A driver that no longer gives a counter has not got it any more. */
static void forget_counters(struct effect_subject *s)
{
	for (size_t i = 0; i < COUNTERS * QOS_PRIORITIES; i++) {
		struct slot *slot = &s->slots[i / QOS_PRIORITIES][i % QOS_PRIORITIES];

		if (slot->known && s->effects->round - slot->round >= MISSED_ROUNDS)
			slot->known = false;
	}
}

void effects_end(struct effects *e, void (*tell)(const struct effect_change *change, void *ctx), void *ctx)
{
	struct effect_subject **p = &e->subjects, *s;

	while ((s = *p)) {
		if (e->round - s->round < MISSED_ROUNDS) {
			forget_counters(s);
			p = &s->next;
			continue;
		}
		end_subject(s, tell, ctx);
		*p = s->next;
		free(s);
	}
	for (s = e->subjects; s; s = s->next)
		judge_subject(s, tell, ctx);
}

/* ---- as it stands ---- */

static void finding_of(const struct effect_subject *s, size_t i, const struct qos_profile *profile,
		       struct qos_finding *f)
{
	const struct state *state = &s->states[i];
	enum verdict verdict = rules[i].judge(s, f);

	f->result = QOS_UNKNOWN;
	if (rules[i].of_priority && profile->priority != s->effects->profile->priority) {
		snprintf(f->found, sizeof(f->found), "the samples are judged by the configuration's profile alone");
	} else if (state->active) {
		f->result = QOS_FAIL;
		snprintf(f->found, sizeof(f->found), "%s", state->found);
	} else if (s->error && s->error != -EOPNOTSUPP) {
		snprintf(f->found, sizeof(f->found), "the counters cannot be read: %s", strerror(-s->error));
	} else if (verdict != ABSENT && state->judged < EFFECTS_SAMPLES) {
		snprintf(f->found, sizeof(f->found), "%u of %d samples so far", state->judged, EFFECTS_SAMPLES);
	} else if (verdict == QUIET) {
		ADD(f->found, ": too little to judge by");
	} else if (verdict >= FINE) {
		f->result = QOS_PASS;
	}
	if (f->result != QOS_FAIL)
		f->cure[0] = '\0';
}

void effects_findings(const struct effects *e, const struct qos_profile *profile,
		      void (*tell)(const struct qos_finding *finding, void *ctx), void *ctx)
{
	for (const struct effect_subject *s = e->subjects; s; s = s->next)
		for (size_t i = 0; i < RULES; i++) {
			struct qos_finding f = about(&rules[i], s);

			if (rules[i].kind != s->kind)
				continue;
			finding_of(s, i, profile, &f);
			tell(&f, ctx);
		}
}
