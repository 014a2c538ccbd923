// SPDX-License-Identifier: Apache-2.0
/* The rules on counters: begin, no begin by a burst, end, and what counters do that is no traffic. */
#include "qos/effects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/rules.h"

#define SECOND 1000000000ull
#define INTERVAL 10 /* s, as by default */

/* Counters of one subject, which the test lets grow. */
struct counter {
	const char *name;
	enum effect_source source;
	uint64_t value;
	uint64_t step; /* by round */
};

struct source {
	enum effect_kind kind;
	uint32_t index;
	const char *name, *port;
	bool away; /* not in the next rounds */
	int error; /* of its reading */
	struct counter counters[12]; /* up to one without a name */
};

struct fixture {
	struct qos_profile profile;
	struct effects *effects;
	uint64_t now;
	struct source sources[4]; /* up to one without a name */
	struct effect_change last;
	unsigned int begun, ended;
	struct qos_finding finding; /* what find() found */
	const char *rule, *subject;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(qos_profile_named("spiderpool", &f->profile), 0);
	f->now = 1000 * SECOND;
	*state = f;
	return effects_open(&f->effects, &f->profile, 0, INTERVAL * SECOND);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	effects_close(f->effects);
	free(f);
	return 0;
}

static void note(const struct effect_change *change, void *ctx)
{
	struct fixture *f = ctx;

	f->last = *change;
	f->begun += change->begins;
	f->ended += !change->begins;
}

static void feed(struct fixture *f, struct source *s)
{
	struct effect_subject *subject = effects_subject(f->effects, s->kind, s->index, s->name);

	assert_non_null(subject);
	if (s->port)
		effects_join(subject, s->port);
	effects_read(subject, s->error);
	for (struct counter *c = s->counters; c->name && !s->error; c++)
		effects_counter(subject, c->source, c->name, c->value);
}

static void round_after(struct fixture *f, uint64_t seconds)
{
	f->now += seconds * SECOND;
	effects_begin(f->effects, f->now);
	for (struct source *s = f->sources; s->name; s++) {
		for (struct counter *c = s->counters; c->name; c++)
			c->value += c->step;
		if (!s->away)
			feed(f, s);
	}
	effects_end(f->effects, note, f);
}

static void rounds(struct fixture *f, unsigned int count)
{
	while (count--)
		round_after(f, INTERVAL);
}

static void keep(const struct qos_finding *finding, void *ctx)
{
	struct fixture *f = ctx;

	if (!strcmp(finding->rule, f->rule) && !strcmp(finding->subject, f->subject))
		f->finding = *finding;
}

static const struct qos_finding *find(struct fixture *f, const char *rule, const char *subject)
{
	f->rule = rule;
	f->subject = subject;
	f->finding = (struct qos_finding){};
	effects_findings(f->effects, &f->profile, keep, f);
	assert_non_null(f->finding.rule);
	return &f->finding;
}

static struct counter *counter(struct fixture *f, unsigned int source, const char *name)
{
	for (struct counter *c = f->sources[source].counters; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	test_fail("no counter %s", name);
	return NULL;
}

/* ---- each rule ---- */

static const struct source mlx5_device = { .kind = EFFECT_DEVICE,
					   .index = 3,
					   .name = "mlx5_3",
					   .port = "eth0",
					   .counters = { { "tx_vport_rdma_unicast_bytes", EFFECT_ETHTOOL, 5, 0 },
							 { "tx_vport_rdma_multicast_bytes", EFFECT_ETHTOOL, 5, 0 },
							 { "np_ecn_marked_roce_packets", EFFECT_RDMA, 7, 0 },
							 { "np_cnp_sent", EFFECT_RDMA, 7, 0 },
							 { "rp_cnp_handled", EFFECT_RDMA, 8, 0 },
							 { "rp_cnp_ignored", EFFECT_RDMA, 9, 0 },
							 { "out_of_sequence", EFFECT_RDMA, 1, 0 },
							 { "packet_seq_err", EFFECT_RDMA, 1, 0 } } };
static const struct source mlx5_port = { .kind = EFFECT_PORT,
					 .name = "eth0",
					 .counters = { { "tx_prio0_bytes", EFFECT_ETHTOOL, 5, 0 },
						       { "tx_prio5_bytes", EFFECT_ETHTOOL, 5, 0 },
						       { "rx_prio5_pause_duration", EFFECT_ETHTOOL, 5, 0 },
						       { "tx_prio5_pause_duration", EFFECT_ETHTOOL, 5, 0 },
						       { "rx_prio5_pause", EFFECT_ETHTOOL, 5, 0 } } };

struct set {
	unsigned int source;
	const char *name;
	uint64_t step;
};

/* A rule, what makes it bad, what is between its thresholds, what makes it good again. */
static const struct example {
	const char *rule, *subject;
	struct set bad[2], between[2], good[2];
	const char *found;
} examples[] = {
	{ "qos.effect.priority",
	  "eth0",
	  { { 0, "tx_vport_rdma_unicast_bytes", 500000000 }, { 1, "tx_prio0_bytes", 510000000 } },
	  { { 1, "tx_prio5_bytes", 15000000 } },
	  { { 1, "tx_prio5_bytes", 500000000 } },
	  "50000000 B/s of RDMA, 0 B/s on priority 5, most other on priority 0" },
	{ "qos.effect.cnp-sent",
	  "mlx5_3",
	  { { 0, "np_ecn_marked_roce_packets", 1000 } },
	  { { 0, "np_ecn_marked_roce_packets", 50 } },
	  { { 0, "np_cnp_sent", 1 }, { 0, "np_ecn_marked_roce_packets", 1000 } },
	  "100 packets/s marked with CE, 0 CNPs/s sent" },
	{ "qos.effect.cnp-handled",
	  "mlx5_3",
	  { { 0, "rp_cnp_ignored", 200 } },
	  { { 0, "rp_cnp_ignored", 50 } },
	  { { 0, "rp_cnp_handled", 200 } },
	  "20 CNPs/s received and ignored, 0 handled" },
	{ "qos.effect.pause",
	  "eth0",
	  { { 1, "tx_prio5_pause_duration", 2000000 } },
	  { { 1, "tx_prio5_pause_duration", 500000 } },
	  { { 1, "tx_prio5_pause_duration", 100000 } },
	  "paused by the switch 0.0 % of the time, pausing it 20.0 %" },
	{ "qos.effect.sequence",
	  "mlx5_3",
	  { { 0, "out_of_sequence", 600 }, { 0, "packet_seq_err", 600 } },
	  { { 0, "out_of_sequence", 50 }, { 0, "packet_seq_err", 200 } },
	  { { 0, "out_of_sequence", 20 }, { 0, "packet_seq_err", 0 } },
	  "120 packets/s out of sequence" },
};

static void grow(struct fixture *f, const struct set *set)
{
	for (unsigned int i = 0; i < 2 && set[i].name; i++)
		counter(f, set[i].source, set[i].name)->step = set[i].step;
}

static void stop(struct fixture *f)
{
	for (struct source *s = f->sources; s->name; s++)
		for (struct counter *c = s->counters; c->name; c++)
			c->step = 0;
}

static void quiet_node(struct fixture *f)
{
	f->sources[0] = mlx5_device;
	f->sources[1] = mlx5_port;
	f->sources[2] = (struct source){};
	rounds(f, 4);
	assert_int_equal(f->begun, 0);
}

static void one_example(struct fixture *f, const struct example *e)
{
	quiet_node(f);
	grow(f, e->bad);
	rounds(f, EFFECTS_SAMPLES - 1);
	assert_int_equal(f->begun, 0);
	assert_true(find(f, e->rule, e->subject)->result != QOS_FAIL);
	rounds(f, 1);
	assert_int_equal(f->begun, 1);
	assert_string_equal(f->last.finding.rule, e->rule);
	assert_string_equal(f->last.finding.subject, e->subject);
	assert_contains(f->last.finding.found, e->found);
	assert_true(f->last.finding.cure[0] && f->last.finding.expected[0]);
	assert_int_equal(find(f, e->rule, e->subject)->result, QOS_FAIL);
	assert_contains(f->finding.found, e->found);
	rounds(f, 5); /* told once */
	assert_int_equal(f->begun, 1);

	grow(f, e->between);
	rounds(f, 5);
	assert_int_equal(f->ended, 0);
	grow(f, e->good);
	rounds(f, EFFECTS_SAMPLES - 1);
	assert_int_equal(f->ended, 0);
	grow(f, e->bad); /* which starts the count anew */
	if (strstr(e->rule, "cnp-sent"))
		counter(f, 0, "np_cnp_sent")->step = 0;
	if (strstr(e->rule, "cnp-handled"))
		counter(f, 0, "rp_cnp_handled")->step = 0;
	if (strstr(e->rule, "priority"))
		counter(f, 1, "tx_prio5_bytes")->step = 0;
	rounds(f, 1);
	grow(f, e->good);
	rounds(f, EFFECTS_SAMPLES - 1);
	assert_int_equal(f->ended, 0);
	rounds(f, 1);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->begun, 1);
	assert_string_equal(f->last.finding.rule, e->rule);
	assert_int_equal(f->last.finding.result, QOS_PASS);
	assert_int_equal(find(f, e->rule, e->subject)->result, QOS_PASS);
	assert_string_equal(f->finding.cure, "");
}

static void each_rule_begins_and_ends(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct fixture *f = *state;

		one_example(f, &examples[i]);
		teardown(state);
		setup(state);
	}
}

/* A burst of any size, in one sample or in two, and again and again. */
static void a_burst_begins_nothing(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct fixture *f = *state;

		quiet_node(f);
		for (int again = 0; again < 4; again++) {
			grow(f, examples[i].bad);
			rounds(f, EFFECTS_SAMPLES - 1);
			stop(f);
			rounds(f, 1);
		}
		assert_int_equal(f->begun, 0);
		teardown(state);
		setup(state);
	}
}

static void between_the_thresholds(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct fixture *f = *state;

		quiet_node(f);
		grow(f, examples[i].bad);
		grow(f, examples[i].between);
		rounds(f, 6);
		assert_int_equal(f->begun, 0);
		teardown(state);
		setup(state);
	}
}

/* The traffic ends: so does what was wrong with it, and then there is nothing to judge by. */
static void no_traffic_ends_it(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	assert_int_equal(find(f, "qos.effect.priority", "eth0")->result, QOS_UNKNOWN);
	assert_contains(f->finding.found, "too little to judge by");
	grow(f, examples[0].bad);
	rounds(f, EFFECTS_SAMPLES);
	assert_int_equal(f->begun, 1);
	stop(f);
	rounds(f, EFFECTS_SAMPLES);
	assert_int_equal(f->ended, 1);
	assert_int_equal(find(f, "qos.effect.priority", "eth0")->result, QOS_UNKNOWN);
	assert_int_equal(find(f, "qos.effect.cnp-sent", "mlx5_3")->result, QOS_UNKNOWN);
	grow(f, examples[1].bad);
	rounds(f, EFFECTS_SAMPLES);
	assert_int_equal(f->begun, 2);
	stop(f);
	rounds(f, EFFECTS_SAMPLES);
	assert_int_equal(f->ended, 2);
}

/* What functions of a NIC send each other is counted by them, and passes no port. */
static void traffic_within_the_nic(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	counter(f, 0, "tx_vport_rdma_unicast_bytes")->step = 500000000;
	counter(f, 1, "tx_prio0_bytes")->step = 2000000;
	rounds(f, 6);
	assert_int_equal(f->begun, 0);
	assert_int_equal(find(f, "qos.effect.priority", "eth0")->result, QOS_UNKNOWN);
}

static void the_priority_is_the_profiles(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(qos_profile_named("nvidia", &f->profile), 0);
	effects_close(f->effects);
	assert_int_equal(effects_open(&f->effects, &f->profile, 0, INTERVAL * SECOND), 0);
	quiet_node(f);
	grow(f, examples[0].good); /* on 5, where 3 is wanted, and has no counter */
	rounds(f, 6);
	assert_int_equal(f->begun, 0);
	assert_contains(find(f, "qos.effect.priority", "eth0")->found, "the driver counts no bytes by priority");
	f->sources[1].counters[2].name = "tx_prio3_bytes";
	counter(f, 0, "tx_vport_rdma_unicast_bytes")->step = 500000000;
	rounds(f, 4);
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "0 B/s on priority 3, most other on priority 5");
}

/* Some owners have a profile of their own, and a port carries the traffic of all. */
static void priorities_of_other_profiles(void **state)
{
	struct fixture *f = *state;

	effects_close(f->effects);
	assert_int_equal(effects_open(&f->effects, &f->profile, 1 << 3, INTERVAL * SECOND), 0);
	f->sources[0] = mlx5_device;
	f->sources[1] = mlx5_port;
	f->sources[1].counters[2].name = "tx_prio3_bytes";
	counter(f, 0, "tx_vport_rdma_unicast_bytes")->step = 500000000;
	counter(f, 1, "tx_prio0_bytes")->step = 500000000;
	counter(f, 1, "tx_prio3_bytes")->step = 500000000;
	rounds(f, 6);
	assert_int_equal(f->begun, 0);
	assert_int_equal(find(f, "qos.effect.priority", "eth0")->result, QOS_PASS);
	counter(f, 1, "tx_prio3_bytes")->step = 0;
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "0 B/s on priority 3,5, most other on priority 0");
}

/* Asked by another profile's priority than the samples were judged by. */
static void another_profile_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct qos_profile other;

	quiet_node(f);
	assert_int_equal(qos_profile_named("nvidia", &other), 0);
	assert_int_equal(find(f, "qos.effect.pause", "eth0")->result, QOS_PASS);
	effects_findings(f->effects, &other, keep, f);
	assert_int_equal(f->finding.result, QOS_UNKNOWN);
	assert_contains(f->finding.found, "the configuration's profile");
}

/* ---- drivers ---- */

static void without_counters(void **state)
{
	static const char *const device_rules[] = { "qos.effect.cnp-sent", "qos.effect.cnp-handled",
						    "qos.effect.sequence" };
	struct fixture *f = *state;

	f->sources[0] = (struct source){ .kind = EFFECT_DEVICE, .index = 1, .name = "siw0", .error = -EOPNOTSUPP };
	f->sources[1] = (struct source){ .kind = EFFECT_PORT, .name = "eth0", .error = -EOPNOTSUPP };
	rounds(f, 8);
	assert_int_equal(f->begun + f->ended, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(find(f, device_rules[i], "siw0")->result, QOS_UNKNOWN);
		assert_contains(f->finding.found, "the driver counts no");
	}
	assert_int_equal(find(f, "qos.effect.pause", "eth0")->result, QOS_UNKNOWN);
	assert_contains(f->finding.found, "the driver counts no pauses");
}

/* As an mlx5 VF: no congestion counters. And one that counts marks and no CNPs sent has no rule on them. */
static void with_some_counters(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = (struct source){ .kind = EFFECT_DEVICE,
					 .index = 1,
					 .name = "mlx5_9",
					 .counters = { { "out_of_sequence", EFFECT_RDMA, 0, 100000 },
						       { "np_ecn_marked_roce_packets", EFFECT_RDMA, 0, 100000 },
						       { "rp_cnp_ignored", EFFECT_RDMA, 0, 100000 } } };
	rounds(f, 6);
	assert_int_equal(f->begun, 1);
	assert_int_equal(f->last.rule, RULE_QOS_EFFECT_SEQUENCE);
	assert_contains(find(f, "qos.effect.cnp-sent", "mlx5_9")->found, "the driver counts no CNPs sent");
	assert_contains(find(f, "qos.effect.cnp-handled", "mlx5_9")->found, "the driver counts no CNPs handled");
}

/* A name of ethtool's is not one of RDMA netlink's, and names with a priority are taken whole. */
static void other_names(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = (struct source){ .kind = EFFECT_DEVICE,
					 .index = 1,
					 .name = "a",
					 .port = "eth0",
					 .counters = { { "tx_bytes", EFFECT_ETHTOOL, 0, 500000000 },
						       { "out_of_sequence", EFFECT_ETHTOOL, 0, 50000 } } };
	f->sources[1] = (struct source){ .kind = EFFECT_PORT,
					 .name = "eth0",
					 .counters = { { "tx_prio8_bytes", EFFECT_ETHTOOL, 0, 500000000 },
						       { "tx_prio", EFFECT_ETHTOOL, 0, 500000000 },
						       { "tx_prio5_bytes_phy", EFFECT_ETHTOOL, 0, 500000000 },
						       { "", EFFECT_ETHTOOL, 0, 500000000 },
						       { "rx_prio5_pause_durations", EFFECT_ETHTOOL, 0, 50000000 },
						       { "tx_prio0_bytes", EFFECT_ETHTOOL, 0, 500000000 } } };
	rounds(f, 6);
	assert_int_equal(f->begun, 0);
	assert_contains(find(f, "qos.effect.priority", "eth0")->found, "the driver counts no bytes by priority");
	assert_contains(find(f, "qos.effect.pause", "eth0")->found, "the driver counts no pauses");
	assert_contains(find(f, "qos.effect.sequence", "a")->found, "the driver counts no packets out of sequence");
}

static void other_drivers(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = (struct source){ .kind = EFFECT_DEVICE,
					 .index = 1,
					 .name = "bnxt_re0",
					 .port = "eth0",
					 .counters = { { "tx_bytes", EFFECT_RDMA, 0, 500000000 } } };
	f->sources[1] = (struct source){ .kind = EFFECT_PORT,
					 .name = "eth0",
					 .counters = { { "tx_bytes_pri0", EFFECT_ETHTOOL, 0, 500000000 },
						       { "tx_bytes_pri5", EFFECT_ETHTOOL, 0, 0 } } };
	f->sources[2] = (struct source){ .kind = EFFECT_DEVICE,
					 .index = 2,
					 .name = "irdma0",
					 .counters = { { "RxECNMrkd", EFFECT_RDMA, 0, 500 },
						       { "cnpSent", EFFECT_RDMA, 0, 0 } } };
	f->sources[3] = (struct source){};
	rounds(f, 4);
	assert_int_equal(f->begun, 2);
	assert_int_equal(find(f, "qos.effect.priority", "eth0")->result, QOS_FAIL);
	assert_int_equal(find(f, "qos.effect.cnp-sent", "irdma0")->result, QOS_FAIL);
}

/* Where the NIC does not tell the time: by frames, and only by those of the priority. */
static void pauses_by_frames(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = (struct source){ .kind = EFFECT_PORT,
					 .name = "eth0",
					 .counters = { { "rx_prio4_pause", EFFECT_ETHTOOL, 0, 90000 },
						       { "rx_priority_5_xoff.nic", EFFECT_ETHTOOL, 0, 0 } } };
	rounds(f, 6);
	assert_int_equal(f->begun, 0);
	f->sources[0].counters[1].step = 40000;
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "4000 pauses/s received, 0 sent");
}

/* ---- what counters do ---- */

/* mlx5's queue counters have 32 bits: the growth goes on over the wrap. */
static void a_wrap_goes_on(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	counter(f, 0, "out_of_sequence")->value = UINT32_MAX - 4000;
	rounds(f, 1);
	rounds(f, 1);
	assert_int_equal(f->begun, 0);
	for (int i = 0; i < EFFECTS_SAMPLES; i++) {
		counter(f, 0, "out_of_sequence")->value = (uint32_t)counter(f, 0, "out_of_sequence")->value + 3000;
		counter(f, 0, "out_of_sequence")->value = (uint32_t)counter(f, 0, "out_of_sequence")->value;
		rounds(f, 1);
	}
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "300 packets/s");
}

static void a_wrap_of_64_bits(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	counter(f, 0, "out_of_sequence")->value = UINT64_MAX - 4000;
	rounds(f, 2);
	counter(f, 0, "out_of_sequence")->step = 3000;
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "300 packets/s");
}

/* Set to nothing again and again, from anywhere: there is never a rate in that, so nothing begins. */
static void a_reset_is_no_growth(void **state)
{
	static const uint64_t from[] = { 1000000, 1ull << 31, UINT32_MAX, 1ull << 40, UINT64_MAX };
	struct fixture *f = *state;

	quiet_node(f);
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		counter(f, 0, "out_of_sequence")->value = from[i];
		rounds(f, 1);
		counter(f, 0, "out_of_sequence")->value = 0;
		rounds(f, 4);
	}
	for (uint64_t value = 9000000; value; value -= 1000000) { /* and set back in each sample */
		counter(f, 0, "out_of_sequence")->value = value;
		rounds(f, 1);
	}
	assert_int_equal(f->begun, 0);
}

/* Two of a name, as drivers by mistake have them: the first one counts. */
static void a_name_that_comes_twice(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	f->sources[0].counters[8] = (struct counter){ "out_of_sequence", EFFECT_RDMA, 1, 0 };
	grow(f, examples[4].bad);
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "120 packets/s");
}

/* A reset in the middle of it takes nothing back. */
static void a_reset_ends_nothing(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	grow(f, examples[4].bad);
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	counter(f, 0, "out_of_sequence")->value = 0;
	counter(f, 0, "packet_seq_err")->value = 0;
	rounds(f, 5);
	assert_int_equal(f->ended, 0);
}

/* ---- rounds and subjects that are missing ---- */

static void late_rounds(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	grow(f, examples[4].bad); /* 120/s, when it is 10 s */
	round_after(f, 2 * INTERVAL); /* 60/s */
	rounds(f, 2);
	assert_int_equal(f->begun, 0);
	round_after(f, 0); /* no time has passed: no rate */
	assert_int_equal(f->begun, 0);
	rounds(f, 1);
	assert_int_equal(f->begun, 1);
	stop(f);
	for (int i = 0; i < 4; i++)
		round_after(f, 4 * INTERVAL); /* too long to tell of a moment */
	assert_int_equal(f->ended, 0);
}

static void a_missed_sample(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	grow(f, examples[4].bad);
	rounds(f, 2);
	f->sources[0].away = true;
	rounds(f, 1);
	assert_int_equal(f->begun, 0);
	f->sources[0].away = false;
	rounds(f, 1);
	assert_int_equal(f->begun, 1);
	assert_contains(f->last.finding.found, "120 packets/s"); /* over both intervals */
}

static void a_device_that_goes(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	grow(f, examples[4].bad);
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	f->sources[0].away = true;
	rounds(f, 2);
	assert_int_equal(f->ended, 0);
	rounds(f, 1);
	assert_int_equal(f->ended, 1);
	assert_contains(f->last.finding.found, "the device is gone");
	assert_int_equal(f->last.index, 3);
	rounds(f, 3);
	f->sources[0].away = false; /* comes again, with its counters where they are now */
	f->sources[0].index = 8;
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	rounds(f, 1);
	assert_int_equal(f->begun, 2);
	assert_int_equal(f->last.index, 8);
}

static void a_reading_that_fails(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	f->sources[0].error = -EIO;
	rounds(f, 1);
	assert_int_equal(find(f, "qos.effect.sequence", "mlx5_3")->result, QOS_UNKNOWN);
	assert_contains(f->finding.found, "the counters cannot be read: Input/output error");
	f->sources[0].error = 0;
	rounds(f, 1);
	assert_int_equal(find(f, "qos.effect.sequence", "mlx5_3")->result, QOS_PASS);
}

/* The driver has been reloaded, and has one counter less. */
static void a_counter_that_goes(void **state)
{
	struct fixture *f = *state;

	quiet_node(f);
	grow(f, examples[4].bad);
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	counter(f, 0, "out_of_sequence")->name = "another";
	counter(f, 0, "packet_seq_err")->name = "yet_another";
	rounds(f, 8);
	assert_int_equal(f->ended, 1);
	assert_int_equal(find(f, "qos.effect.sequence", "mlx5_3")->result, QOS_UNKNOWN);
}

/* One of the two is bad, and both have the same name: in two netns that may be. */
static void two_devices(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = mlx5_device;
	f->sources[1] = mlx5_port;
	f->sources[2] = mlx5_device;
	f->sources[2].index = 4;
	rounds(f, 4);
	counter(f, 2, "out_of_sequence")->step = 5000;
	rounds(f, 3);
	assert_int_equal(f->begun, 1);
	assert_int_equal(f->last.index, 4);
	/* And the traffic of both is that of their port. */
	counter(f, 0, "tx_vport_rdma_unicast_bytes")->step = 6000000; /* 0.6 MB/s each */
	counter(f, 2, "tx_vport_rdma_unicast_bytes")->step = 6000000;
	counter(f, 1, "tx_prio0_bytes")->step = 12000000;
	rounds(f, 3);
	assert_int_equal(f->begun, 2);
	assert_contains(f->last.finding.found, "1200000 B/s of RDMA");
}

static void too_few_samples(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = mlx5_device;
	f->sources[1] = mlx5_port;
	f->now = 0; /* the node has just been started: what was counted before the first sample has no time */
	rounds(f, 3); /* of which two have a rate */
	assert_int_equal(find(f, "qos.effect.pause", "eth0")->result, QOS_UNKNOWN);
	assert_string_equal(f->finding.found, "2 of 3 samples so far");
	rounds(f, 1);
	assert_int_equal(find(f, "qos.effect.pause", "eth0")->result, QOS_PASS);
	assert_int_equal(effects_rounds(f->effects), 4);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(each_rule_begins_and_ends),
		CASE(a_burst_begins_nothing),
		CASE(between_the_thresholds),
		CASE(no_traffic_ends_it),
		CASE(traffic_within_the_nic),
		CASE(the_priority_is_the_profiles),
		CASE(priorities_of_other_profiles),
		CASE(another_profile_is_unknown),
		CASE(without_counters),
		CASE(with_some_counters),
		CASE(other_names),
		CASE(other_drivers),
		CASE(pauses_by_frames),
		CASE(a_wrap_goes_on),
		CASE(a_wrap_of_64_bits),
		CASE(a_reset_is_no_growth),
		CASE(a_name_that_comes_twice),
		CASE(a_reset_ends_nothing),
		CASE(late_rounds),
		CASE(a_missed_sample),
		CASE(a_device_that_goes),
		CASE(a_reading_that_fails),
		CASE(a_counter_that_goes),
		CASE(two_devices),
		CASE(too_few_samples),
	};

	return RUN_CASES("effects", cases);
}
