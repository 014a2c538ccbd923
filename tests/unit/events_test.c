// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/rules.h"
#include "report/events.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "track/slots.h"
#include "qos/effects.h"
#include "track_standin.h"

/*
 * Stands for user/track/slots.c, by the contract of slots_of_event() in user/track/slots.h: one pod, which has slot 7 in
 * generation 3.
 */
struct slots {
	struct warden_pod pod;
};

bool slots_of_event(const struct slots *slots, const struct warden_event *event, struct warden_pod *pod)
{
	if (event->pod_slot != 7 || event->pod_generation != 3)
		return false;
	*pod = slots->pod;
	return true;
}

struct fixture {
	struct track track;
	struct slots slots;
	struct events *events;
	int out, saved; /* what events write to stdout goes to a file */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct warden_device *d = &f->track.devices[3].device;
	struct warden_claim *c = &f->track.devices[3].claim;

	f->track.devices[3].present = f->track.devices[3].claimed = true;
	strcpy(d->name, "mlx5_3");
	strcpy(d->parent, "0000:01:00.3");
	c->netns_cookie = 77;
	c->netns_inum = 4026532000u;
	strcpy(c->owner, "team/trainer-0");
	strcpy(c->source, "manual");
	fflush(stdout);
	f->saved = dup(1);
	f->out = open(temp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	dup2(f->out, 1);
	*state = f;
	return events_open(&f->events, &f->track, &f->slots, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fflush(stdout);
	dup2(f->saved, 1);
	close(f->saved);
	close(f->out);
	events_close(f->events);
	free(f);
	return 0;
}

static void keep_last(const char *line, size_t len, void *ctx)
{
	char **last = ctx;

	assert_int_equal(strlen(line), len);
	assert_null(memchr(line, '\n', len));
	free(*last);
	*last = strdup(line);
}

/* The last line, parsed. */
static cJSON *last_event(struct fixture *f)
{
	char *line = NULL;
	cJSON *json;

	events_kept(f->events, 0, keep_last, &line);
	assert_non_null(line);
	json = cJSON_Parse(line);
	assert_non_null(json);
	free(line);
	return json;
}

/* PATH with dots; of an array, its members by their numbers. */
static const cJSON *at(const cJSON *json, const char *path)
{
	char copy[64], *rest = copy, *name;

	strcpy(copy, path);
	while ((name = strsep(&rest, ".")))
		json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, atoi(name))
					   : cJSON_GetObjectItemCaseSensitive(json, name);
	if (!json)
		test_fail("no %s", path);
	return json;
}

static void text_is(const cJSON *json, const char *path, const char *wanted)
{
	const char *text = cJSON_GetStringValue(at(json, path));

	assert_non_null(text);
	assert_string_equal(text, wanted);
}

static void number_is(const cJSON *json, const char *path, uint64_t wanted)
{
	assert_true(cJSON_GetNumberValue(at(json, path)) == (double)wanted);
}

static struct warden_event violation(enum warden_rule rule)
{
	struct warden_event ev = {
		.time_ns = boot_ns(),
		.kind = EVENT_VIOLATION,
		.rule = rule,
		.verdict = VERDICT_DENIED,
		.ib_index = 3,
		.pid = 4711,
		.uid = 1000,
		.netns_inum = 4026531840u,
		.netns_cookie = 1,
		.cgroup_id = 0x7fffffffffffull,
		.comm = "intruder",
	};
	return ev;
}

static cJSON *feed(struct fixture *f, const struct warden_event *ev)
{
	events_feed(f->events, ev);
	return last_event(f);
}

static void a_violation(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	cJSON *json = feed(*state, &ev);

	number_is(json, "seq", 1);
	text_is(json, "kind", "violation");
	text_is(json, "rule", "exclusive.open");
	text_is(json, "verdict", "denied");
	text_is(json, "device", "mlx5_3");
	text_is(json, "pci", "0000:01:00.3");
	text_is(json, "owner", "team/trainer-0");
	number_is(json, "actor.pid", 4711);
	text_is(json, "actor.comm", "intruder");
	number_is(json, "actor.uid", 1000);
	number_is(json, "actor.netns", 4026531840u);
	text_is(json, "actor.pod", "");
	text_is(json, "actor.cgroup", "id:140737488355327"); /* one that is gone */
	text_is(json, "message", "open of a device of another owner");
	assert_true(cJSON_IsObject(at(json, "detail")));
	cJSON_Delete(json);
}

static void an_actor_of_a_pod(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_INHERITED_FD);
	cJSON *json;

	ev.netns_cookie = 77;
	json = feed(*state, &ev);
	text_is(json, "actor.pod", "team/trainer-0");
	cJSON_Delete(json);
}

/* Whom the slot names; where that has no name, a claim of the actor's netns may have one. */
static void an_actor_in_a_slot(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	struct fixture *f = *state;
	cJSON *json;

	ev.pod_slot = 7;
	ev.pod_generation = 3;
	strcpy(f->slots.pod.owner, "team/other-0");
	json = feed(f, &ev);
	text_is(json, "actor.pod", "team/other-0");
	cJSON_Delete(json);
	ev.netns_cookie = 77;
	json = feed(f, &ev);
	text_is(json, "actor.pod", "team/other-0");
	cJSON_Delete(json);
	strcpy(f->slots.pod.owner, "pod-uid/90b1ecb8-b850-451a-97c6-c073b5ddbb53");
	json = feed(f, &ev);
	text_is(json, "actor.pod", "team/trainer-0");
	cJSON_Delete(json);
	ev.netns_cookie = 78;
	json = feed(f, &ev);
	text_is(json, "actor.pod", "pod-uid/90b1ecb8-b850-451a-97c6-c073b5ddbb53");
	cJSON_Delete(json);
	ev.pod_generation = 2; /* the slot is another one's now */
	json = feed(f, &ev);
	text_is(json, "actor.pod", "");
	cJSON_Delete(json);
}

static bool is_internal(uint32_t rule)
{
	return rule == RULE_POD_PROCESS || rule == RULE_POD_END;
}

static void names_of_every_rule(void **state)
{
	static const char *const names[] = {
#define X(id, name) name,
		WARDEN_RULES(X)
#undef X
	};
	struct fixture *f = *state;
	uint32_t internal = 0;
	struct warden_event ev;
	cJSON *json;

	for (uint32_t rule = 0; rule < RULE_COUNT; rule++) {
		assert_string_equal(rule_name(rule), names[rule]);
		f->track.devices[3].claimed = true;
		ev = violation((enum warden_rule)rule);
		ev.arg[0] = 77; /* for netns.end: the claim's */
		if (is_internal(rule)) {
			events_feed(f->events, &ev);
			internal++;
			continue;
		}
		json = feed(f, &ev);
		text_is(json, "rule", names[rule]);
		assert_true(strlen(cJSON_GetStringValue(at(json, "message"))) > 0);
		cJSON_Delete(json);
	}
	assert_int_equal(events_count(f->events), RULE_COUNT - internal);
}

/* A rule on counters: of a device with its owner, of a port with its netdev. */
static void effects_begin_and_end(void **state)
{
	struct effect_change change = {
		.rule = RULE_QOS_EFFECT_SEQUENCE,
		.kind = EFFECT_DEVICE,
		.index = 3,
		.begins = true,
		.finding = { .subject = "mlx5_3", .found = "120 packets/s", .expected = "fewer", .cure = "look there" }
	};
	struct fixture *f = *state;
	cJSON *json;

	events_effect(f->events, &change);
	json = last_event(f);
	text_is(json, "kind", "violation");
	text_is(json, "verdict", "observed");
	text_is(json, "rule", "qos.effect.sequence");
	text_is(json, "device", "mlx5_3");
	text_is(json, "pci", "0000:01:00.3");
	text_is(json, "owner", "team/trainer-0");
	text_is(json, "message", "120 packets/s");
	text_is(json, "detail.netdev", "");
	text_is(json, "detail.expected", "fewer");
	text_is(json, "detail.cure", "look there");
	cJSON_Delete(json);

	change.begins = false;
	change.rule = RULE_QOS_EFFECT_PAUSE;
	change.kind = EFFECT_PORT;
	strcpy(change.finding.subject, "eth0");
	events_effect(f->events, &change);
	json = last_event(f);
	text_is(json, "kind", "change");
	text_is(json, "verdict", "none");
	text_is(json, "rule", "qos.effect.pause");
	text_is(json, "device", "");
	text_is(json, "owner", "");
	text_is(json, "message", "eth0: no longer: 120 packets/s");
	text_is(json, "detail.netdev", "eth0");
	cJSON_Delete(json);
}

static void contradiction(void **state)
{
	struct contradiction_change change = { .rule = "track.pod",
					       .subject = "0000:01:00.3",
					       .owner = { "", "team/b" },
					       .source = { "kubelet", "proc" },
					       .text = "one says this, one that",
					       .cure = "ask them",
					       .begins = true };
	struct fixture *f = *state;
	cJSON *json;

	events_contradiction(f->events, &change);
	json = last_event(f);
	text_is(json, "kind", "violation");
	text_is(json, "verdict", "observed");
	text_is(json, "rule", "track.pod");
	text_is(json, "pci", "0000:01:00.3");
	text_is(json, "owner", "team/b");
	text_is(json, "message", "one says this, one that");
	text_is(json, "detail.sources.0", "kubelet");
	text_is(json, "detail.sources.1", "proc");
	text_is(json, "detail.owners.1", "team/b");
	text_is(json, "detail.cure", "ask them");
	cJSON_Delete(json);

	change.begins = false;
	change.owner[0] = "team/a";
	events_contradiction(f->events, &change);
	json = last_event(f);
	text_is(json, "kind", "change");
	text_is(json, "verdict", "none");
	text_is(json, "owner", "team/a");
	text_is(json, "message", "no longer: one says this, one that");
	cJSON_Delete(json);
}

/* Of a newer program, or broken: named so, and nothing is read beyond the tables. */
static void unknown_numbers(void **state)
{
	struct warden_event ev = violation(RULE_COUNT);
	cJSON *json;

	ev.kind = 99;
	ev.verdict = 0xffffffffu;
	ev.ib_index = WARDEN_NO_INDEX;
	json = feed(*state, &ev);
	text_is(json, "rule", "unknown");
	text_is(json, "kind", "unknown");
	text_is(json, "verdict", "unknown");
	text_is(json, "device", "");
	text_is(json, "owner", "");
	cJSON_Delete(json);
	assert_string_equal(rule_name(0xffffffffu), "unknown");
}

static void a_comm_of_anybody(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	cJSON *json;

	memcpy(ev.comm, "\"}\n\x1b[2J\xc3\xa9xxxxxx", 16); /* no NUL at the end either */
	json = feed(*state, &ev);
	text_is(json, "actor.comm", "\"}??[2J??xxxxxx");
	cJSON_Delete(json);
}

static void a_wrong_dscp(void **state)
{
	struct warden_event ev = violation(RULE_MARKING_DSCP);
	cJSON *json;

	ev.arg[0] = 26;
	ev.arg[1] = 1ull << 40 | 1ull << 63;
	json = feed(*state, &ev);
	number_is(json, "detail.dscp_asked", 26);
	text_is(json, "detail.dscp_expected", "40,63");
	text_is(json, "message", "DSCP 26 asked for, by application; the profile expects 40,63");
	text_is(json, "detail.origin", "application");
	text_is(json, "detail.cure",
		"set the traffic class in the application (NCCL_IB_TC, UCX_IB_TRAFFIC_CLASS, …) to 160");
	cJSON_Delete(json);
	ev.arg[0] = MARKING_ARG(104, ORIGIN_CM_OPTION);
	json = feed(*state, &ev);
	number_is(json, "detail.dscp_asked", 26);
	text_is(json, "detail.origin", "rdma_cm ToS option");
	cJSON_Delete(json);
	ev.arg[0] = MARKING_ARG(0, ORIGIN_CM_DEFAULT);
	json = feed(*state, &ev);
	number_is(json, "detail.dscp_asked", 0);
	text_is(json, "detail.origin", "rdma_cm default_roce_tos, or the peer's");
	cJSON_Delete(json);
	ev.arg[0] = ~0ull; /* of another version: no origin that is known */
	json = feed(*state, &ev);
	text_is(json, "detail.origin", "application");
	cJSON_Delete(json);
	ev.arg[1] = ~0ull; /* the longest text */
	cJSON_Delete(feed(*state, &ev));
}

static void a_wrong_priority(void **state)
{
	struct warden_event ev = violation(RULE_MARKING_PRIORITY);
	cJSON *json;

	ev.arg[0] = 3;
	ev.arg[1] = 1u << 5;
	json = feed(*state, &ev);
	text_is(json, "rule", "marking.priority");
	number_is(json, "detail.sl_asked", 3);
	text_is(json, "detail.priority_expected", "5");
	cJSON_Delete(json);
	ev.arg[1] = ~0ull; /* not from a wardend, and longer than there is room */
	cJSON_Delete(feed(*state, &ev));
}

static void a_wrong_packet(void **state)
{
	struct warden_event ev = violation(RULE_MARKING_PACKET);
	cJSON *json;

	ev.arg[0] = PACKET_ARG(26, PACKET_UNTAGGED, ROCE_UD, DIRECTION_EGRESS);
	ev.arg[1] = 1ull << 40;
	json = feed(*state, &ev);
	number_is(json, "detail.dscp", 26);
	text_is(json, "detail.dscp_expected", "40");
	text_is(json, "detail.class", "ud");
	text_is(json, "detail.direction", "egress");
	number_is(json, "actor.pid", 0);
	text_is(json, "message", "a RoCE packet with DSCP 26 was sent; the profile expects DSCP 40");
	cJSON_Delete(json);
	ev.arg[0] = PACKET_ARG(40, 3, ROCE_CLASSES, DIRECTION_INGRESS);
	json = feed(*state, &ev);
	number_is(json, "detail.pcp", 3);
	text_is(json, "detail.class", "any");
	text_is(json, "actor.pod", ""); /* who sent it is not known here */
	text_is(json, "message", "a RoCE packet with DSCP 40 and priority 3 was received; the profile expects DSCP 40");
	cJSON_Delete(json);
	ev.arg[0] = ev.arg[1] = ~0ull; /* not from a wardend */
	cJSON_Delete(feed(*state, &ev));
}

static void a_foreign_source(void **state)
{
	static const struct {
		uint64_t what, vlan;
		const char *hex, *name, *text;
	} cases[] = {
		{ SPOOFED_MAC, 0, "0200000000fe", "MAC", "02:00:00:00:00:fe" },
		{ SPOOFED_VLAN, 7, "", "VLAN", "7" },
		{ SPOOFED_ADDRESS, 0, "0a010203", "address", "10.1.2.3" },
		{ SPOOFED_ADDRESS, 0, "fd000000000000000000000000000001", "address", "fd00::1" },
		{ 0, 0, "", "source", "" }, /* merged: what it was is not kept */
		{ SPOOFED_MAC, 0, "02xy", "MAC", "" }, /* and what no program tells */
		{ SPOOFED_ADDRESS, 0, "fd0000000000000000000000000000010000", "address", "" },
		{ 99, 0, "00", "source", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct warden_event ev = violation(RULE_SPOOF_SOURCE);
		cJSON *json;

		ev.arg[0] = cases[i].what;
		ev.arg[1] = cases[i].vlan;
		memcpy(ev.text, cases[i].hex, strlen(cases[i].hex));
		json = feed(*state, &ev);
		text_is(json, "detail.what", cases[i].name);
		text_is(json, "detail.source", cases[i].text);
		cJSON_Delete(json);
	}
}

static void merged_ones(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	cJSON *json = feed(*state, &ev);

	number_is(json, "merged", 0);
	cJSON_Delete(json);
	ev.merged = 499;
	json = feed(*state, &ev);
	number_is(json, "merged", 499);
	cJSON_Delete(json);
}

static void tampering(void **state)
{
	struct warden_event ev = violation(RULE_WARDEN_TAMPER);
	cJSON *json;

	ev.arg[0] = OWN_LINK;
	ev.arg[1] = 42;
	json = feed(*state, &ev);
	text_is(json, "detail.what", "a link");
	number_is(json, "detail.id", 42);
	text_is(json, "message", "a link of the warden's was reached for");
	cJSON_Delete(json);
	ev.arg[0] = 99;
	json = feed(*state, &ev);
	text_is(json, "detail.what", "something");
	cJSON_Delete(json);
}

static void a_netdev_that_moves(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_NETDEV_MOVE);
	cJSON *json;

	ev.arg[0] = 4026532000u;
	ev.arg[1] = 4026531840u;
	strcpy(ev.text, "net1");
	json = feed(*state, &ev);
	text_is(json, "detail.netdev", "net1");
	number_is(json, "detail.netns_from", 4026532000u);
	number_is(json, "detail.netns_to", 4026531840u);
	cJSON_Delete(json);
}

static void a_move(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_DEVICE_MOVE);
	cJSON *json;

	ev.arg[0] = 4026532000u;
	ev.arg[1] = 4026531840u;
	json = feed(*state, &ev);
	number_is(json, "detail.netns_from", 4026532000u);
	number_is(json, "detail.netns_to", 4026531840u);
	cJSON_Delete(json);
}

static void a_rename(void **state)
{
	struct warden_event ev = violation(RULE_DEVICE_RENAME);
	cJSON *json;

	strcpy(ev.name, "mlx5_old");
	strcpy(ev.text, "mlx5_new");
	json = feed(*state, &ev);
	text_is(json, "device", "mlx5_old");
	text_is(json, "detail.new_name", "mlx5_new");
	cJSON_Delete(json);
}

static void a_device_that_is_gone(void **state)
{
	struct warden_event ev = violation(RULE_DEVICE_REMOVE);
	struct fixture *f = *state;
	cJSON *json;

	f->track.devices[3].present = false;
	ev.kind = EVENT_CHANGE;
	ev.verdict = VERDICT_NONE;
	strcpy(ev.name, "mlx5_3");
	strcpy(ev.text, "0000:01:00.3");
	json = feed(f, &ev);
	text_is(json, "kind", "change");
	text_is(json, "verdict", "none");
	text_is(json, "device", "mlx5_3");
	text_is(json, "pci", "0000:01:00.3");
	text_is(json, "owner", "team/trainer-0"); /* known to this last event */
	cJSON_Delete(json);
}

static void the_end_of_a_netns(void **state)
{
	struct warden_event ev = violation(RULE_NETNS_END);
	struct fixture *f = *state;
	cJSON *json;

	ev.ib_index = WARDEN_NO_INDEX;
	ev.arg[0] = 78; /* nobody's: no line */
	events_feed(f->events, &ev);
	assert_int_equal(events_count(f->events), 0);
	ev.arg[0] = 77;
	ev.arg[1] = 4026532000u;
	json = feed(f, &ev);
	text_is(json, "owner", "team/trainer-0");
	number_is(json, "detail.netns", 4026532000u);
	cJSON_Delete(json);
}

static void a_claim(void **state)
{
	struct fixture *f = *state;
	struct claim_change change = {
		.rule = RULE_CLAIM_SET, .why = "asked for", .index = 3, .claim = f->track.devices[3].claim
	};
	cJSON *json;

	events_claim(f->events, &change, 42, 0);
	json = last_event(f);
	text_is(json, "kind", "change");
	text_is(json, "rule", "claim.set");
	text_is(json, "device", "mlx5_3");
	text_is(json, "owner", "team/trainer-0");
	number_is(json, "actor.pid", 42);
	number_is(json, "actor.uid", 0);
	number_is(json, "detail.netns", 4026532000u);
	text_is(json, "detail.claim_source", "manual");
	text_is(json, "message", "claimed: asked for");
	cJSON_Delete(json);
	change.rule = RULE_CLAIM_RELEASE;
	change.why = "the device is gone";
	strcpy(change.pci, "0000:01:00.7"); /* of a device that cannot be looked up any more */
	events_claim(f->events, &change, 0, 0);
	json = last_event(f);
	text_is(json, "message", "released: the device is gone");
	text_is(json, "pci", "0000:01:00.7");
	number_is(json, "seq", 2);
	cJSON_Delete(json);
}

static void a_fault(void **state)
{
	struct fixture *f = *state;
	cJSON *json;

	events_fault(f->events, "the \"%s\" is %d%%", "ring", 100);
	json = last_event(f);
	text_is(json, "kind", "fault");
	text_is(json, "rule", "warden.fault");
	text_is(json, "message", "the \"ring\" is 100%");
	cJSON_Delete(json);
}

static void a_setting(void **state)
{
	struct setting_change change = {
		.rule = "qos.pfc", .subject = "pf0", .setting = "pfc", .from = "3", .to = "5", .error = ""
	};
	struct fixture *f = *state;
	cJSON *json;

	events_setting(f->events, &change, 42, 0);
	json = last_event(f);
	text_is(json, "kind", "change");
	text_is(json, "rule", "qos.pfc");
	text_is(json, "message", "pfc of pf0 was set from 3 to 5");
	text_is(json, "detail.from", "3");
	text_is(json, "detail.to", "5");
	number_is(json, "actor.pid", 42);
	cJSON_Delete(json);
	change.error = "refused: Input/output error";
	events_setting(f->events, &change, 42, 0);
	json = last_event(f);
	text_is(json, "kind", "fault");
	text_is(json, "message", "pfc of pf0 was not set: refused: Input/output error");
	text_is(json, "detail.error", "refused: Input/output error");
	cJSON_Delete(json);
}

/* The moment of the event, not of its report. */
static void the_time(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	struct tm tm = {};
	time_t then;
	cJSON *json;

	ev.time_ns -= 60 * 1000000000ull;
	json = feed(*state, &ev);
	assert_non_null(strptime(cJSON_GetStringValue(at(json, "time")), "%Y-%m-%dT%H:%M:%S", &tm));
	then = timegm(&tm);
	assert_in_range(time(NULL) - then, 58, 64);
	cJSON_Delete(json);
}

/* ---- who reads them ---- */

static void lines_go_to_stdout(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	struct fixture *f = *state;
	char text[8192] = "", *line, *rest = text;
	cJSON *json;

	/* As in a pipe: who reads there sees a violation at once all the same. */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	events_feed(f->events, &ev);
	events_feed(f->events, &ev);
	setvbuf(stdout, NULL, _IOLBF, 0);
	assert_true(pread(f->out, text, sizeof(text) - 1, 0) > 0);
	for (int seq = 1; seq <= 2; seq++) {
		line = strsep(&rest, "\n");
		json = cJSON_Parse(line);
		number_is(json, "seq", (uint64_t)seq);
		cJSON_Delete(json);
	}
	assert_string_equal(rest, "");
}

struct listener {
	struct follower follower;
	unsigned int lines;
};

static void listen_line(struct follower *follower, const char *line, size_t len)
{
	struct listener *l = CONTAINER_OF(follower, struct listener, follower);

	assert_int_equal(strlen(line), len);
	l->lines++;
}

static void followers(void **state)
{
	struct listener a = { .follower.line = listen_line }, b = a, c = a;
	struct fixture *f = *state;

	events_follow(f->events, &a.follower);
	events_follow(f->events, &b.follower);
	events_follow(f->events, &c.follower);
	events_fault(f->events, "one");
	events_unfollow(f->events, &b.follower);
	events_fault(f->events, "two");
	events_unfollow(f->events, &b.follower); /* twice is once */
	events_unfollow(f->events, &c.follower);
	events_unfollow(f->events, &a.follower);
	events_fault(f->events, "three");
	assert_int_equal(a.lines, 2);
	assert_int_equal(b.lines, 1);
	assert_int_equal(c.lines, 2);
}

struct order {
	unsigned int count;
	double first, last;
};

static void check_order(const char *line, size_t len, void *ctx)
{
	struct order *o = ctx;
	cJSON *json = cJSON_ParseWithLength(line, len);
	double seq = cJSON_GetNumberValue(at(json, "seq"));

	if (o->count++)
		assert_true(seq == o->last + 1);
	else
		o->first = seq;
	o->last = seq;
	cJSON_Delete(json);
}

static void the_oldest_are_forgotten(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	struct fixture *f = *state;
	struct order o = {};

	events_kept(f->events, 0, check_order, &o);
	assert_int_equal(o.count, 0);
	for (int i = 0; i < EVENTS_KEPT + 10; i++)
		events_feed(f->events, &ev);
	events_kept(f->events, 0, check_order, &o);
	assert_int_equal(o.count, EVENTS_KEPT);
	assert_true(o.first == 11 && o.last == EVENTS_KEPT + 10);
	assert_int_equal(events_count(f->events), EVENTS_KEPT + 10);
}

static void since_a_time(void **state)
{
	struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	uint64_t now = (uint64_t)time(NULL) * 1000000000u;
	struct fixture *f = *state;
	struct order o = {};

	ev.time_ns -= 100 * 1000000000ull;
	events_feed(f->events, &ev);
	ev.time_ns = boot_ns();
	events_feed(f->events, &ev);
	events_kept(f->events, now - 50 * 1000000000ull, check_order, &o);
	assert_int_equal(o.count, 1);
	assert_true(o.first == 2);
	o.count = 0;
	events_kept(f->events, now + 50 * 1000000000ull, check_order, &o);
	assert_int_equal(o.count, 0);
}

struct hearer {
	struct subscriber subscriber;
	unsigned int count;
	uint64_t wall_ns;
	char rule[64];
};

static void hear(struct subscriber *subscriber, const cJSON *event, uint64_t wall_ns)
{
	struct hearer *l = CONTAINER_OF(subscriber, struct hearer, subscriber);

	l->count++;
	l->wall_ns = wall_ns;
	snprintf(l->rule, sizeof(l->rule), "%s", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, "rule")));
}

static void subscribers_are_told_until_they_go(void **state)
{
	struct fixture *f = *state;
	struct hearer one = { .subscriber.event = hear }, two = { .subscriber.event = hear };
	const struct warden_event ev = violation(RULE_EXCLUSIVE_OPEN);
	struct timespec now;

	events_subscribe(f->events, &one.subscriber);
	events_subscribe(f->events, &two.subscriber);
	events_feed(f->events, &ev);
	events_unsubscribe(f->events, &one.subscriber);
	events_fault(f->events, "something");
	clock_gettime(CLOCK_REALTIME, &now);
	assert_int_equal(one.count, 1);
	assert_string_equal(one.rule, "exclusive.open");
	assert_int_equal(two.count, 2);
	assert_string_equal(two.rule, "warden.fault");
	assert_in_range(two.wall_ns / 1000000000u, now.tv_sec - 5, now.tv_sec + 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(a_violation),
		CASE(an_actor_of_a_pod),
		CASE(an_actor_in_a_slot),
		CASE(names_of_every_rule),
		CASE(effects_begin_and_end),
		CASE(contradiction),
		CASE(unknown_numbers),
		CASE(a_comm_of_anybody),
		CASE(a_wrong_dscp),
		CASE(a_wrong_priority),
		CASE(a_move),
		CASE(a_wrong_packet),
		CASE(a_foreign_source),
		CASE(merged_ones),
		CASE(tampering),
		CASE(a_netdev_that_moves),
		CASE(a_rename),
		CASE(a_device_that_is_gone),
		CASE(the_end_of_a_netns),
		CASE(a_claim),
		CASE(a_setting),
		CASE(a_fault),
		CASE(the_time),
		CASE(lines_go_to_stdout),
		CASE(followers),
		CASE(subscribers_are_told_until_they_go),
		CASE(the_oldest_are_forgotten),
		CASE(since_a_time),
	};

	return RUN_CASES("events", cases);
}
