/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample: what was counted at one moment, of one node or of many. It is read from items of JSON, which wardend's answer to
 * `stats` has, a recording has line by line, and the other sources make. Whatever an item holds, a sample is sound: its texts are
 * clean (clean.h), a value that was not told is not known, and an item that is none is passed over.
 *
 * A sample is filled again and again and keeps its memory, so that a refresh allocates nothing once it has grown.
 */
#ifndef RDMATOP_SAMPLE_H
#define RDMATOP_SAMPLE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_PRIORITIES 8
#define SAMPLE_EVENTS 256 /* kept of one refresh, the last ones */
#define SAMPLE_MISSING 16

struct counted {
	uint64_t value;
	bool known;
};

/* What has a rate; the names are those in "rates" of an item whose source gives rates instead of counters. */
#define SAMPLE_RATES(X)                                                       \
	X(TX_BYTES, "tx_bytes")                                               \
	X(RX_BYTES, "rx_bytes")                                               \
	X(TX_PACKETS, "tx_packets")                                           \
	X(RX_PACKETS, "rx_packets")                                           \
	X(TX_MESSAGES, "tx_messages")                                         \
	X(RX_MESSAGES, "rx_messages")                                         \
	X(CNP, "cnp") /* congestion notification packets, sent and handled */ \
	X(ECN, "ecn") /* packets received with the mark of congestion */      \
	X(RETRANSMITS, "retransmits")                                         \
	X(OUT_OF_SEQUENCE, "out_of_sequence") /* found by the responder or told by a NAK */

enum sample_rate {
#define X(id, name) RATE_##id,
	SAMPLE_RATES(X)
#undef X
		RATES
};

/* A counter of a driver. Names are the same pointer in all samples. */
struct sample_counter {
	const char *name;
	uint64_t value;
};

struct sample_device {
	size_t node; /* in the sample's nodes */
	struct counted index;
	char device[64], pci[32], pf[64], netdev[64], netns[80], state[16], owner[320], claim_source[64], resource[128];
	char pod_namespace[64], pod[256], pod_source[64], container[64];
	char link[16], marking[16], traffic[16], node_guid[24];
	struct counted speed_mbps, mtu, qps, mrs, mr_bytes, cqs, pds, contexts, connections;
	struct counted marked_right, marked_wrong, violations;
	struct counted count[RATES];
	bool has_rates; /* the source gave these, per second, instead of counters; NAN: not known */
	double rate[RATES];
	size_t counters, counter_count; /* in the sample's pool */
};

struct sample_priority {
	struct counted rx_pause, tx_pause, rx_discards, tx_discards;
};

struct sample_pf {
	size_t node;
	char pf[64], pci[32], link[16];
	struct counted speed_mbps, vfs, priority; /* priority: of RDMA traffic */
	struct counted pfc; /* 1: on for it */
	struct sample_priority priorities[SAMPLE_PRIORITIES];
	bool has_rate;
	double pause_rate; /* as in a device; frames on `priority`, both directions */
};

struct sample_node {
	char node[128], version[32], mode[16], guard[24], netns_mode[16];
	struct counted daemon, lost, events, violations;
};

struct sample_qp {
	struct counted qpn, remote_qpn, pid, dscp;
	char device[64], type[16], state[16], comm[32], peer[80];
};

struct sample_event {
	char time[40], kind[16], rule[48], verdict[16], device[64], pci[32], owner[320], message[400];
};

struct sample {
	uint64_t time_ns; /* of one clock that goes on in a suspend; 0: not told */
	char time[40]; /* for people */
	struct sample_node *nodes;
	struct sample_device *devices;
	struct sample_pf *pfs;
	struct sample_qp *qps;
	size_t node_count, device_count, pf_count, qp_count;
	size_t node_room, device_room, pf_room, qp_room;
	struct sample_counter *counters;
	size_t counter_count, counter_room;
	struct sample_event events[SAMPLE_EVENTS]; /* the event n stands at n % SAMPLE_EVENTS */
	size_t event_count;
	char missing[SAMPLE_MISSING][200];
	size_t missing_count;
	unsigned int odd; /* items that were none */
	bool fleet; /* of many nodes */
	uint64_t wait_ns; /* until the next one, as the source wants it; 0: as the user does */
};

struct sample *sample_new(void); /* NULL: no memory */
void sample_free(struct sample *sample);
/* Empties it. */
void sample_begin(struct sample *sample);
/* Takes what the item has. */
void sample_item(struct sample *sample, const cJSON *item);

/* Who has the device: "namespace/name" of its pod, or its owner, or "" for nobody. */
const char *sample_owner(const struct sample_device *device, char *to, size_t size);

#endif
