// SPDX-License-Identifier: Apache-2.0
/*
 * A fleet, by the HTTP API of a Prometheus that scrapes its wardends: one query a refresh, whose answer has the gauges as they
 * are, and the rates as Prometheus calculates them, each with the label "rate" that says of what. Items are made of it.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/curl.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/util.h"
#include "rdmatop/source.h"
#include "report/text.h"

#define LARGEST_ANSWER (256u << 20)

struct prometheus {
	struct source source; /* first */
	const struct curl_api *curl;
	CURL *easy;
	char url[512];
	char *form; /* the query, as it is sent */
	struct bytes answer;
};

/* ---- the query ---- */

/* Series whose value is a counter, and what its rate is called: those with a meaning in sample.c's names are added up there. */
static const struct {
	const char *metric, *rate;
} rates[] = {
	{ "rdma_warden_device_transmit_bytes_total", "tx_bytes" },
	{ "rdma_warden_device_receive_bytes_total", "rx_bytes" },
	{ "rdma_warden_device_transmit_packets_total", "tx_packets" },
	{ "rdma_warden_device_receive_packets_total", "rx_packets" },
	/* Spiderpool's names, of what mlx5 counts */
	{ "rdma_np_cnp_sent_total", "cnp" },
	{ "rdma_rp_cnp_handled_total", "cnp" },
	{ "rdma_np_ecn_marked_roce_packets_total", "ecn" },
	{ "rdma_local_ack_timeout_err_total", "retransmits" },
	{ "rdma_roce_adp_retrans_total", "retransmits" },
	{ "rdma_out_of_sequence_total", "out_of_sequence" },
	{ "rdma_packet_seq_err_total", "out_of_sequence" },
};

static const char gauges[] =
	"{__name__=~\"rdma_warden_(build_info|enforcing|guard_info|exclusive_mode|device_(info|link_up|"
	"link_speed_bytes_per_second|queue_pairs|memory_regions|memory_region_bytes|completion_queues|"
	"contexts|connections|marking)|pf_(link_up|link_speed_bytes_per_second|pfc_enabled))\"}";

/* The pauses of RDMA priorities, violations by device, and targets that should have told something. */
static const char sums[] =
	" or label_replace(sum by (instance,node,pf,pci) (rate(rdma_warden_pf_pause_frames_total[%us])"
	" and on (instance,pf,pci,priority) rdma_warden_pf_pfc_enabled),\"rate\",\"pause\",\"\",\"\")"
	" or label_replace(sum by (instance,node,device,pci) "
	"(rdma_warden_device_violations_total),\"rate\",\"violations\",\"\",\"\")"
	" or label_replace(up == 0 and on (job) group by (job) "
	"(last_over_time(rdma_warden_build_info[1h])),\"rate\",\"down\",\"\",\"\")";

static void escape(const char *text, FILE *to)
{
	for (; *text; text++)
		if (strchr("-_.~", *text) || (*text >= '0' && *text <= '9') ||
		    ((*text | 32) >= 'a' && (*text | 32) <= 'z'))
			fputc(*text, to);
		else
			fprintf(to, "%%%02X", (unsigned char)*text);
}

static char *make_form(unsigned int seconds)
{
	_cleanup_free_ char *query = NULL;
	char *form = NULL;
	size_t len;
	FILE *out = open_memstream(&query, &len);

	if (!out)
		return NULL;
	fputs(gauges, out);
	/* The place in the list tells two counters of one rate apart. */
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		fprintf(out, " or label_replace(rate(%s[%us]),\"rate\",\"%s/%zu\",\"\",\"\")", rates[i].metric, seconds,
			rates[i].rate, i);
	fprintf(out, sums, seconds);
	if (fclose(out) || !(out = open_memstream(&form, &len)))
		return NULL;
	fputs("query=", out);
	escape(query, out);
	return fclose(out) ? NULL : form;
}

/* ---- HTTP ---- */

static size_t take_bytes(char *bytes, size_t one, size_t len, void *ctx)
{
	struct prometheus *p = ctx;

	(void)one;
	return bytes_add(&p->answer, bytes, len, LARGEST_ANSWER) ? 0 : len;
}

static int post(struct prometheus *p, struct err *err)
{
	CURLcode code;

	p->answer.len = 0; /* in its room of before */
	code = p->curl->easy_perform(p->easy);
	return code ? fail(err, -EIO, "%s: %s", p->url, p->curl->easy_strerror(code)) : 0;
}

/* The vector of the answer, which belongs to `*json`; NULL and the reason. */
static const cJSON *vector_of(struct prometheus *p, cJSON **json, struct err *err)
{
	const cJSON *status, *error, *result;

	*json = cJSON_ParseWithLength(p->answer.data, p->answer.len);
	status = cJSON_GetObjectItemCaseSensitive(*json, "status");
	error = cJSON_GetObjectItemCaseSensitive(*json, "error");
	result = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(*json, "data"), "result");
	if (cJSON_IsString(error))
		fail(err, -EPROTO, "Prometheus: %s", error->valuestring);
	else if (!cJSON_IsString(status) || !cJSON_IsArray(result))
		fail(err, -EPROTO, "%s: what answers there is no Prometheus", p->url);
	else
		return result;
	return NULL;
}

/* ---- from series to items ---- */

/* Items by their key, in the order in which they came. */
struct items {
	struct {
		uint64_t key;
		cJSON *item;
	} *table;
	size_t room;
	cJSON *list;
};

/* `named`: the key that the name has in the item, or NULL. A new one where there is none. */
static cJSON *item_of(struct items *items, const char *kind, const char *node, const char *named, const char *name)
{
	uint64_t key = hash_part(hash_part(hash_part(HASH_BEGIN, kind), node), name);
	size_t at = key & (items->room - 1);

	for (; items->table[at].item; at = (at + 1) & (items->room - 1))
		if (items->table[at].key == key)
			return items->table[at].item;
	items->table[at].key = key;
	items->table[at].item = cJSON_CreateObject();
	cJSON_AddStringToObject(items->table[at].item, "kind", kind);
	cJSON_AddStringToObject(items->table[at].item, "node", node);
	if (named)
		cJSON_AddStringToObject(items->table[at].item, named, name);
	cJSON_AddItemToArray(items->list, items->table[at].item);
	return items->table[at].item;
}

/* A label, or "". */
static const char *label(const cJSON *labels, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(labels, name);

	return cJSON_IsString(value) ? value->valuestring : "";
}

static const char *node_label(const cJSON *labels)
{
	return *label(labels, "node") ? label(labels, "node") : label(labels, "instance");
}

static void set_text(cJSON *item, const char *key, const char *text)
{
	if (*text && !cJSON_HasObjectItem(item, key))
		cJSON_AddStringToObject(item, key, text);
}

static void set_number(cJSON *item, const char *key, double value)
{
	if (!cJSON_HasObjectItem(item, key))
		cJSON_AddNumberToObject(item, key, value);
}

static void add_rate(cJSON *item, const char *rate, double value)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "rates"), *sum;
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(rate, "/"), rate);
	if (!list)
		list = cJSON_AddObjectToObject(item, "rates");
	sum = cJSON_GetObjectItemCaseSensitive(list, name);
	if (sum)
		cJSON_SetNumberValue(sum, sum->valuedouble + value);
	else
		cJSON_AddNumberToObject(list, name, value);
}

static void take_info(cJSON *item, const cJSON *labels)
{
	static const char *const texts[][2] = { { "pci", "pci" },           { "pf", "pf" },
						{ "netdev", "netdev" },     { "node_guid", "node_guid" },
						{ "state", "state" },       { "claim_source", "claim_source" },
						{ "resource", "resource" }, { "traffic", "traffic_source" } };
	cJSON *pod;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		set_text(item, texts[i][0], label(labels, texts[i][1]));
	set_number(item, "violations", 0); /* only those that were seen have a series */
	if (!*label(labels, "pod_name") || cJSON_HasObjectItem(item, "pod"))
		return;
	pod = cJSON_AddObjectToObject(item, "pod");
	cJSON_AddStringToObject(pod, "namespace", label(labels, "pod_namespace"));
	cJSON_AddStringToObject(pod, "name", label(labels, "pod_name"));
	cJSON_AddStringToObject(pod, "container", label(labels, "container"));
}

static void take_device(struct items *items, const char *metric, const cJSON *labels, double value)
{
	static const char *const numbers[][2] = {
		{ "queue_pairs", "qps" },       { "memory_regions", "mrs" }, { "memory_region_bytes", "mr_bytes" },
		{ "completion_queues", "cqs" }, { "contexts", "contexts" },  { "connections", "connections" }
	};
	cJSON *item = item_of(items, "device", node_label(labels), "device", label(labels, "device"));

	if (!strcmp(metric, "info"))
		take_info(item, labels);
	else if (!strcmp(metric, "link_up"))
		set_text(item, "link", value ? "ACTIVE" : "DOWN");
	else if (!strcmp(metric, "link_speed_bytes_per_second"))
		set_number(item, "speed_mbps", value * 8 / 1e6);
	else if (!strcmp(metric, "marking") && value)
		set_text(item, "marking", label(labels, "state"));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(metric, numbers[i][0]))
			set_number(item, numbers[i][1], value);
}

static void take_pf(struct items *items, const char *metric, const cJSON *labels, double value)
{
	cJSON *item = item_of(items, "pf", node_label(labels), "pf", label(labels, "pf"));

	set_text(item, "pci", label(labels, "pci"));
	if (!strcmp(metric, "link_up"))
		set_text(item, "link", value ? "up" : "down");
	else if (!strcmp(metric, "link_speed_bytes_per_second"))
		set_number(item, "speed_mbps", value * 8 / 1e6);
	else if (!strcmp(metric, "pfc_enabled")) {
		set_number(item, "priority", atoi(label(labels, "priority")));
		set_number(item, "pfc", value);
	}
}

static void take_node(struct items *items, const char *metric, const cJSON *labels, double value)
{
	cJSON *item = item_of(items, "node", node_label(labels), NULL, "");

	set_number(item, "daemon", 1);
	if (!strcmp(metric, "build_info"))
		set_text(item, "version", label(labels, "version"));
	else if (!strcmp(metric, "enforcing"))
		set_text(item, "mode", value ? "enforce" : "audit");
	else if (!strcmp(metric, "guard_info") && value)
		set_text(item, "guard", label(labels, "mechanism"));
	else if (!strcmp(metric, "exclusive_mode"))
		set_text(item, "netns_mode", value ? "exclusive" : "shared");
}

/* Spiderpool's series call the device `ifname`. What has no device of ours is not shown. */
static void take_rate(struct items *items, cJSON *missing, const char *rate, const cJSON *labels, double value)
{
	const char *device = *label(labels, "device") ? label(labels, "device") : label(labels, "ifname");
	const char *node = node_label(labels);
	char text[256];

	if (!strcmp(rate, "down")) {
		snprintf(text, sizeof(text), "node %s: Prometheus cannot scrape it", node);
		cJSON_AddItemToArray(missing, cJSON_CreateString(text));
	} else if (!strcmp(rate, "pause")) {
		add_rate(item_of(items, "pf", node, "pf", label(labels, "pf")), rate, value);
	} else if (!strcmp(rate, "violations")) {
		cJSON *item = item_of(items, "device", node, "device", device);

		cJSON_DeleteItemFromObjectCaseSensitive(item, "violations");
		cJSON_AddNumberToObject(item, "violations", value);
	} else if (*device) {
		add_rate(item_of(items, "device", node, "device", device), rate, value);
	}
}

static void take_series(struct items *items, cJSON *missing, const cJSON *series)
{
	const cJSON *labels = cJSON_GetObjectItemCaseSensitive(series, "metric");
	const cJSON *text = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(series, "value"), 1);
	const char *metric = label(labels, "__name__"), *rate = label(labels, "rate");
	double value = cJSON_IsString(text) ? strtod(text->valuestring, NULL) : NAN;

	if (!isfinite(value))
		return;
	if (!strncmp(metric, "rdma_warden_device_", 19))
		take_device(items, metric + 19, labels, value);
	else if (!strncmp(metric, "rdma_warden_pf_", 15))
		take_pf(items, metric + 15, labels, value);
	else if (!strncmp(metric, "rdma_warden_", 12))
		take_node(items, metric + 12, labels, value);
	else if (*rate)
		take_rate(items, missing, rate, labels, value);
}

/* ---- a sample ---- */

/* The time of the evaluation, which each value has. */
static void feed_head(struct feed *feed, const cJSON *vector, cJSON *missing)
{
	_cleanup_(json_free) cJSON *head = cJSON_CreateObject();
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(vector, 0), "value");
	const cJSON *time = cJSON_GetArrayItem(value, 0);
	uint64_t ns = cJSON_IsNumber(time) && time->valuedouble > 0 && time->valuedouble < 1e10
			      ? (uint64_t)(time->valuedouble * 1e9)
			      : 0;
	char text[64];

	if (!ns)
		cJSON_AddItemToArray(missing, cJSON_CreateString("all: Prometheus has no metrics of wardend"));
	text_time(ns, text, sizeof(text));
	cJSON_AddStringToObject(head, "kind", "fleet");
	cJSON_AddStringToObject(head, "time", ns ? text : "");
	cJSON_AddNumberToObject(head, "time_ns", (double)ns);
	cJSON_AddItemToObject(head, "missing", missing);
	feed_item(feed, head);
}

static int feed_vector(struct feed *feed, const cJSON *vector, struct err *err)
{
	_cleanup_(json_free) cJSON *list = cJSON_CreateArray();
	struct items items = { .list = list, .room = 64 };
	cJSON *missing = cJSON_CreateArray();
	const cJSON *series, *item;

	while (items.room < (size_t)cJSON_GetArraySize(vector) * 2)
		items.room *= 2;
	items.table = calloc(items.room, sizeof(*items.table));
	if (!items.table || !list || !missing) {
		free(items.table);
		cJSON_Delete(missing);
		return fail(err, -ENOMEM, "out of memory");
	}
	cJSON_ArrayForEach (series, vector)
		take_series(&items, missing, series);
	free(items.table);
	feed_head(feed, vector, missing);
	cJSON_ArrayForEach (item, list)
		if (strcmp(label(item, "kind"), "device") || cJSON_HasObjectItem(item, "pci"))
			feed_item(feed, item);
	return 0;
}

static int prometheus_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	struct prometheus *p = (struct prometheus *)source;
	_cleanup_(json_free) cJSON *json = NULL;
	const cJSON *vector;

	(void)device;
	if (post(p, err))
		return -EIO;
	vector = vector_of(p, &json, err);
	return vector ? feed_vector(feed, vector, err) : -EPROTO;
}

static void prometheus_close(struct source *source)
{
	struct prometheus *p = (struct prometheus *)source;

	if (p->easy)
		p->curl->easy_cleanup(p->easy);
	free(p->form);
	bytes_free(&p->answer);
	free(p);
}

static const struct source_kind prometheus_kind = { prometheus_read, prometheus_close };

static int set_up(struct prometheus *p, struct err *err)
{
	p->curl = curl_load(err);
	if (!p->curl)
		return -ENOSYS;
	p->easy = p->curl->easy_init();
	if (!p->easy || !p->form)
		return fail(err, -ENOMEM, "out of memory");
	if (p->curl->easy_setopt(p->easy, CURLOPT_URL, p->url) ||
	    p->curl->easy_setopt(p->easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
	    p->curl->easy_setopt(p->easy, CURLOPT_POSTFIELDS, p->form) ||
	    p->curl->easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, take_bytes) ||
	    p->curl->easy_setopt(p->easy, CURLOPT_WRITEDATA, p) ||
	    p->curl->easy_setopt(p->easy, CURLOPT_TIMEOUT, (long)SOURCE_SECONDS * 2) ||
	    p->curl->easy_setopt(p->easy, CURLOPT_CONNECTTIMEOUT, (long)SOURCE_SECONDS) ||
	    p->curl->easy_setopt(p->easy, CURLOPT_NOSIGNAL, 1L))
		return fail(err, -EIO, "libcurl cannot be set up");
	return 0;
}

struct source *prometheus_open(const char *url, unsigned int seconds, struct err *err)
{
	struct prometheus *p = calloc(1, sizeof(*p));
	size_t len = strlen(url);

	if (!p)
		return fail(err, -ENOMEM, "out of memory"), NULL;
	p->source.kind = &prometheus_kind;
	p->form = make_form(seconds);
	while (len && url[len - 1] == '/')
		len--;
	if (try_snprintf(p->url, sizeof(p->url), "%.*s/api/v1/query", (int)len, url))
		fail(err, -ENAMETOOLONG, "the address is too long");
	else if (!set_up(p, err))
		return &p->source;
	prometheus_close(&p->source);
	return NULL;
}
