// SPDX-License-Identifier: Apache-2.0
#include "rdmatop/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/list.h"
#include "lib/util.h"
#include "rdmatop/clean.h"

/* ---- names of counters ---- */

/*
 * What a driver's counter counts. From: mlx5's counters.c, bnxt_re's hw_counters.c, irdma's verbs.c and rxe's rxe_hw_counters.c.
 * A retransmission is counted by who sends again; NAKs for sequence errors are out of sequence.
 */
static const struct {
	const char *name;
	enum sample_rate means;
} meanings[] = {
	{ "np_cnp_sent", RATE_CNP },
	{ "rp_cnp_handled", RATE_CNP },
	{ "cnpSent", RATE_CNP },
	{ "cnpHandled", RATE_CNP },
	{ "tx_cnp_pkts", RATE_CNP },
	{ "rx_cnp_pkts", RATE_CNP },
	{ "np_ecn_marked_roce_packets", RATE_ECN },
	{ "RxECNMrkd", RATE_ECN },
	{ "rx_ecn_marked_pkts", RATE_ECN },
	{ "local_ack_timeout_err", RATE_RETRANSMITS },
	{ "roce_adp_retrans", RATE_RETRANSMITS },
	{ "to_retransmits", RATE_RETRANSMITS },
	{ "completer_retry_err", RATE_RETRANSMITS },
	{ "out_of_sequence", RATE_OUT_OF_SEQUENCE },
	{ "packet_seq_err", RATE_OUT_OF_SEQUENCE },
	{ "oos_drop_count", RATE_OUT_OF_SEQUENCE },
	{ "seq_err_naks_rcvd", RATE_OUT_OF_SEQUENCE },
	{ "out_of_seq_request", RATE_OUT_OF_SEQUENCE },
	{ "rcvd_seq_err", RATE_OUT_OF_SEQUENCE },
};

#define NAMES 4096 /* a power of two; drivers have some hundred */

struct name {
	char text[64];
	enum sample_rate means; /* RATES: nothing of its own */
};

/* Filled by the thread that reads samples, and never emptied. */
static struct name *names[NAMES];
static size_t name_count;

static const struct name *intern(const char *text)
{
	struct name *name;
	size_t at;

	for (at = hash_text(text) % NAMES; names[at]; at = (at + 1) % NAMES)
		if (!strcmp(names[at]->text, text))
			return names[at];
	if (name_count >= NAMES / 2 || strlen(text) >= sizeof(name->text) || !(name = calloc(1, sizeof(*name))))
		return NULL;
	clean_text(text, name->text, sizeof(name->text));
	if (strcmp(name->text, text)) { /* no driver's */
		free(name);
		return NULL;
	}
	name->means = RATES;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (!strcmp(meanings[i].name, text))
			name->means = meanings[i].means;
	name_count++;
	return names[at] = name;
}

/* ---- memory ---- */

/* The next place of a list, emptied, or NULL. */
static void *grow(void *list, size_t *count, size_t *room, size_t size)
{
	void *place = list_place(list, room, *count, size);

	if (!place)
		return NULL;
	++*count;
	return memset(place, 0, size);
}

#define GROW(sample, what) \
	grow(&(sample)->what##s, &(sample)->what##_count, &(sample)->what##_room, sizeof(*(sample)->what##s))

struct sample *sample_new(void)
{
	return calloc(1, sizeof(struct sample));
}

void sample_free(struct sample *s)
{
	if (!s)
		return;
	free(s->nodes);
	free(s->devices);
	free(s->pfs);
	free(s->qps);
	free(s->counters);
	free(s);
}

void sample_begin(struct sample *s)
{
	s->time_ns = s->wait_ns = 0;
	s->time[0] = '\0';
	s->node_count = s->device_count = s->pf_count = s->qp_count = 0;
	s->counter_count = s->event_count = s->missing_count = 0;
	s->odd = 0;
	s->fleet = false;
}

/* ---- items ---- */

struct field {
	const char *name;
	enum { TEXT, NUMBER, NESTED } kind;
	size_t offset, size;
	void (*nested)(struct sample *sample, void *to, const cJSON *value);
};

#define TEXT_FIELD(type, name)                                                                   \
	{                                                                                        \
		#name, TEXT, offsetof(struct type, name), sizeof(((struct type *)0)->name), NULL \
	}
#define NUMBER_FIELD(type, name)                                    \
	{                                                           \
		#name, NUMBER, offsetof(struct type, name), 0, NULL \
	}
#define NESTED_FIELD(name, read)         \
	{                                \
		name, NESTED, 0, 0, read \
	}

/* Negative, or beyond 64 bits, is not told. */
static void read_number(const cJSON *value, struct counted *to)
{
	double d = cJSON_IsNumber(value) ? value->valuedouble : cJSON_IsBool(value) ? cJSON_IsTrue(value) : -1;

	if (!(d >= 0 && d < 0x1p64))
		return;
	to->value = (uint64_t)d;
	to->known = true;
}

static int compare_field(const void *name, const void *field)
{
	return strcmp(name, ((const struct field *)field)->name);
}

/* `fields` in the order of their names. */
static void read_fields(struct sample *s, const cJSON *item, const struct field *fields, size_t count, void *to)
{
	const struct field *f;
	const cJSON *value;

	cJSON_ArrayForEach (value, item) {
		f = value->string ? bsearch(value->string, fields, count, sizeof(*fields), compare_field) : NULL;
		if (!f)
			continue;
		if (f->kind == NESTED)
			f->nested(s, to, value);
		else if (f->kind == NUMBER)
			read_number(value, (struct counted *)((char *)to + f->offset));
		else if (cJSON_IsString(value))
			clean_text(value->valuestring, (char *)to + f->offset, f->size);
	}
}

static size_t node_place(struct sample *s, const char *text)
{
	struct sample_node *node;
	char name[sizeof(node->node)];

	clean_text(text, name, sizeof(name));
	for (size_t i = s->node_count; i-- > 0;)
		if (!strcmp(s->nodes[i].node, name))
			return i;
	node = GROW(s, node);
	if (!node)
		return 0;
	memcpy(node->node, name, sizeof(name));
	return s->node_count - 1;
}

/* That of the item, or the last one told. */
static size_t node_of(struct sample *s, const cJSON *item)
{
	const cJSON *node = cJSON_GetObjectItemCaseSensitive(item, "node");

	if (cJSON_IsString(node))
		return node_place(s, node->valuestring);
	return s->node_count ? s->node_count - 1 : node_place(s, "");
}

static void read_missing(struct sample *s, void *to, const cJSON *list)
{
	const cJSON *text;

	(void)to;
	cJSON_ArrayForEach (text, list)
		if (cJSON_IsString(text) && s->missing_count < SAMPLE_MISSING)
			clean_text(text->valuestring, s->missing[s->missing_count++], sizeof(s->missing[0]));
}

static void read_time(struct sample *s, void *to, const cJSON *value)
{
	(void)to;
	if (cJSON_IsString(value))
		clean_text(value->valuestring, s->time, sizeof(s->time));
}

static void read_time_ns(struct sample *s, void *to, const cJSON *value)
{
	struct counted time = {};

	(void)to;
	read_number(value, &time);
	s->time_ns = time.value;
}

/* What is said of many nodes at once; theirs follow. */
static void take_fleet(struct sample *s, const cJSON *item)
{
	static const struct field fields[] = {
		NESTED_FIELD("missing", read_missing),
		NESTED_FIELD("time", read_time),
		NESTED_FIELD("time_ns", read_time_ns),
	};

	s->fleet = true;
	read_fields(s, item, fields, ARRAY_SIZE(fields), s);
}

static void take_node(struct sample *s, const cJSON *item)
{
	static const struct field fields[] = {
		NUMBER_FIELD(sample_node, daemon),     NUMBER_FIELD(sample_node, events),
		TEXT_FIELD(sample_node, guard),        NUMBER_FIELD(sample_node, lost),
		NESTED_FIELD("missing", read_missing), TEXT_FIELD(sample_node, mode),
		TEXT_FIELD(sample_node, netns_mode),   NESTED_FIELD("time", read_time),
		NESTED_FIELD("time_ns", read_time_ns), TEXT_FIELD(sample_node, version),
		NUMBER_FIELD(sample_node, violations),
	};
	size_t place = node_of(s, item);

	if (place < s->node_count)
		read_fields(s, item, fields, ARRAY_SIZE(fields), &s->nodes[place]);
}

static void read_netns(struct sample *s, void *to, const cJSON *netns)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(netns, "name");
	const cJSON *inode = cJSON_GetObjectItemCaseSensitive(netns, "inode");
	struct sample_device *d = to;

	(void)s;
	if (cJSON_IsString(name) && *name->valuestring)
		clean_text(name->valuestring, d->netns, sizeof(d->netns));
	else if (cJSON_IsNumber(inode))
		snprintf(d->netns, sizeof(d->netns), "%.0f", inode->valuedouble);
}

static void read_pod(struct sample *s, void *to, const cJSON *pod)
{
	static const struct {
		const char *name;
		size_t offset, size;
	} texts[] = {
#define PART(name, member) { name, offsetof(struct sample_device, member), sizeof(((struct sample_device *)0)->member) }
		PART("namespace", pod_namespace),
		PART("name", pod),
		PART("container", container),
		PART("source", pod_source),
#undef PART
	};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const cJSON *text = cJSON_GetObjectItemCaseSensitive(pod, texts[i].name);

		if (cJSON_IsString(text))
			clean_text(text->valuestring, (char *)to + texts[i].offset, texts[i].size);
	}
}

static void add_counter(struct sample *s, struct sample_device *d, const cJSON *value)
{
	const struct name *name = value->string ? intern(value->string) : NULL;
	struct sample_counter *counter;
	struct counted count = {};

	read_number(value, &count);
	if (!name || !count.known || !(counter = GROW(s, counter)))
		return;
	*counter = (struct sample_counter){ name->text, count.value };
	d->counter_count++;
	if (name->means == RATES)
		return;
	d->count[name->means].value += count.value;
	d->count[name->means].known = true;
}

/* Those of RDMA netlink and those of ethtool lie behind each other in the pool. */
static void read_counters(struct sample *s, void *to, const cJSON *list)
{
	struct sample_device *d = to;
	const cJSON *value;

	if (!d->counter_count)
		d->counters = s->counter_count;
	if (cJSON_IsObject(list))
		cJSON_ArrayForEach (value, list)
			add_counter(s, d, value);
}

static void read_rates(struct sample *s, void *to, const cJSON *rates)
{
	static const char *const rate_names[] = {
#define X(id, name) name,
		SAMPLE_RATES(X)
#undef X
	};
	struct sample_device *d = to;

	(void)s;
	d->has_rates = cJSON_IsObject(rates);
	for (size_t i = 0; i < RATES; i++) {
		const cJSON *rate = cJSON_GetObjectItemCaseSensitive(rates, rate_names[i]);

		d->rate[i] = cJSON_IsNumber(rate) && isfinite(rate->valuedouble) ? rate->valuedouble : NAN;
	}
}

#define COUNT_FIELD(name, id)                                                           \
	{                                                                               \
		name, NUMBER, offsetof(struct sample_device, count[RATE_##id]), 0, NULL \
	}

static const struct field device_fields[] = {
	TEXT_FIELD(sample_device, claim_source),
	NUMBER_FIELD(sample_device, connections),
	NUMBER_FIELD(sample_device, contexts),
	NESTED_FIELD("counters", read_counters),
	NUMBER_FIELD(sample_device, cqs),
	TEXT_FIELD(sample_device, device),
	NESTED_FIELD("ethtool", read_counters),
	NUMBER_FIELD(sample_device, index),
	TEXT_FIELD(sample_device, link),
	NUMBER_FIELD(sample_device, marked_right),
	NUMBER_FIELD(sample_device, marked_wrong),
	TEXT_FIELD(sample_device, marking),
	NUMBER_FIELD(sample_device, mr_bytes),
	NUMBER_FIELD(sample_device, mrs),
	NUMBER_FIELD(sample_device, mtu),
	TEXT_FIELD(sample_device, netdev),
	NESTED_FIELD("netns", read_netns),
	TEXT_FIELD(sample_device, node_guid),
	TEXT_FIELD(sample_device, owner),
	TEXT_FIELD(sample_device, pci),
	NUMBER_FIELD(sample_device, pds),
	TEXT_FIELD(sample_device, pf),
	NESTED_FIELD("pod", read_pod),
	NUMBER_FIELD(sample_device, qps),
	NESTED_FIELD("rates", read_rates),
	TEXT_FIELD(sample_device, resource),
	COUNT_FIELD("rx_bytes", RX_BYTES),
	COUNT_FIELD("rx_messages", RX_MESSAGES),
	COUNT_FIELD("rx_packets", RX_PACKETS),
	NUMBER_FIELD(sample_device, speed_mbps),
	TEXT_FIELD(sample_device, state),
	TEXT_FIELD(sample_device, traffic),
	COUNT_FIELD("tx_bytes", TX_BYTES),
	COUNT_FIELD("tx_messages", TX_MESSAGES),
	COUNT_FIELD("tx_packets", TX_PACKETS),
	NUMBER_FIELD(sample_device, violations),
};

static void take_device(struct sample *s, const cJSON *item)
{
	size_t node = node_of(s, item);
	struct sample_device *d = GROW(s, device);

	if (!d)
		return;
	d->node = node;
	read_fields(s, item, device_fields, ARRAY_SIZE(device_fields), d);
}

static void read_priorities(struct sample *s, void *to, const cJSON *list)
{
	static const struct field fields[] = {
		NUMBER_FIELD(sample_priority, rx_discards),
		NUMBER_FIELD(sample_priority, rx_pause),
		NUMBER_FIELD(sample_priority, tx_discards),
		NUMBER_FIELD(sample_priority, tx_pause),
	};
	struct sample_pf *pf = to;
	const cJSON *one;

	cJSON_ArrayForEach (one, list) {
		const cJSON *priority = cJSON_GetObjectItemCaseSensitive(one, "priority");

		if (cJSON_IsNumber(priority) && priority->valueint >= 0 && priority->valueint < SAMPLE_PRIORITIES)
			read_fields(s, one, fields, ARRAY_SIZE(fields), &pf->priorities[priority->valueint]);
	}
}

static void read_pause_rate(struct sample *s, void *to, const cJSON *rates)
{
	const cJSON *rate = cJSON_GetObjectItemCaseSensitive(rates, "pause");
	struct sample_pf *pf = to;

	(void)s;
	pf->has_rate = cJSON_IsObject(rates);
	pf->pause_rate = cJSON_IsNumber(rate) && isfinite(rate->valuedouble) ? rate->valuedouble : NAN;
}

static void take_pf(struct sample *s, const cJSON *item)
{
	static const struct field fields[] = {
		TEXT_FIELD(sample_pf, link),
		TEXT_FIELD(sample_pf, pci),
		TEXT_FIELD(sample_pf, pf),
		NUMBER_FIELD(sample_pf, pfc),
		NESTED_FIELD("priorities", read_priorities),
		NUMBER_FIELD(sample_pf, priority),
		NESTED_FIELD("rates", read_pause_rate),
		NUMBER_FIELD(sample_pf, speed_mbps),
		NUMBER_FIELD(sample_pf, vfs),
	};
	size_t node = node_of(s, item);
	struct sample_pf *pf = GROW(s, pf);

	if (!pf)
		return;
	pf->node = node;
	read_fields(s, item, fields, ARRAY_SIZE(fields), pf);
	if (!pf->speed_mbps.value) /* the link is down */
		pf->speed_mbps.known = false;
	if (pf->priority.value >= SAMPLE_PRIORITIES)
		pf->priority.known = false;
}

static void take_qp(struct sample *s, const cJSON *item)
{
	static const struct field fields[] = {
		TEXT_FIELD(sample_qp, comm),         TEXT_FIELD(sample_qp, device), NUMBER_FIELD(sample_qp, dscp),
		TEXT_FIELD(sample_qp, peer),         NUMBER_FIELD(sample_qp, pid),  NUMBER_FIELD(sample_qp, qpn),
		NUMBER_FIELD(sample_qp, remote_qpn), TEXT_FIELD(sample_qp, state),  TEXT_FIELD(sample_qp, type),
	};
	struct sample_qp *qp = GROW(s, qp);

	if (qp)
		read_fields(s, item, fields, ARRAY_SIZE(fields), qp);
}

static void take_event(struct sample *s, const cJSON *item)
{
	static const struct field fields[] = {
		TEXT_FIELD(sample_event, device), TEXT_FIELD(sample_event, kind),    TEXT_FIELD(sample_event, message),
		TEXT_FIELD(sample_event, owner),  TEXT_FIELD(sample_event, pci),     TEXT_FIELD(sample_event, rule),
		TEXT_FIELD(sample_event, time),   TEXT_FIELD(sample_event, verdict),
	};
	const cJSON *inner = cJSON_GetObjectItemCaseSensitive(item, "event");
	struct sample_event *event = &s->events[s->event_count++ % SAMPLE_EVENTS];

	*event = (struct sample_event){};
	read_fields(s, inner, fields, ARRAY_SIZE(fields), event);
}

void sample_item(struct sample *s, const cJSON *item)
{
	static const struct {
		const char *kind;
		void (*take)(struct sample *sample, const cJSON *item);
	} kinds[] = {
		{ "device", take_device }, { "pf", take_pf },       { "node", take_node },
		{ "qp", take_qp },         { "event", take_event }, { "fleet", take_fleet },
	};
	const cJSON *kind = cJSON_GetObjectItemCaseSensitive(item, "kind");

	for (size_t i = 0; cJSON_IsString(kind) && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind->valuestring, kinds[i].kind)) {
			kinds[i].take(s, item);
			return;
		}
	s->odd++;
}

const char *sample_owner(const struct sample_device *d, char *to, size_t size)
{
	if (d->pod[0])
		snprintf(to, size, "%s/%s", d->pod_namespace, d->pod);
	else
		snprintf(to, size, "%s", d->owner);
	return to;
}
