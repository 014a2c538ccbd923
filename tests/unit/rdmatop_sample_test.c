// SPDX-License-Identifier: Apache-2.0
/* rdmatop's samples: what items say, what they leave open, and items that are none; and texts on a terminal. */
#include <locale.h>
#include <math.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"
#include "rdmatop/clean.h"
#include "rdmatop/sample.h"
#include "rdmatop/source.h"

static void take(struct sample *s, const char *line)
{
	struct feed feed = { .sample = s };

	feed_line(&feed, line, strlen(line));
}

static const char whole_device[] = "{\"kind\":\"device\",\"device\":\"mlx5_2\",\"port\":1,\"index\":7,\"pci\":\"0000:"
				   "3b:00.1\",\"pf\":\"ens1f0\",\"netdev\":\"eth0\","
				   "\"node_guid\":\"0425:94ff:fe07:b68a\",\"netns\":{\"inode\":4026532000,\"name\":"
				   "\"\"},\"state\":\"claimed\",\"owner\":\"ml/a\","
				   "\"claim_source\":\"cni\",\"resource\":\"nvidia.com/"
				   "roce\",\"pod\":{\"namespace\":\"ml\",\"name\":\"a\",\"container\":\"c\","
				   "\"source\":\"cni\"},\"link\":\"ACTIVE\",\"speed_mbps\":100000,\"mtu\":9000,\"qps\":"
				   "1,\"mrs\":2,\"mr_bytes\":3,\"cqs\":4,\"pds\":5,"
				   "\"contexts\":6,\"connections\":8,\"marking\":\"good\",\"marked_right\":9,\"marked_"
				   "wrong\":10,\"violations\":11,"
				   "\"traffic\":\"vport\",\"rx_bytes\":12,\"tx_bytes\":13,\"rx_packets\":14,\"tx_"
				   "packets\":15,\"tx_messages\":16,\"rx_messages\":17,"
				   "\"counters\":{\"np_cnp_sent\":18,\"rp_cnp_handled\":1,\"lifespan\":19},\"ethtool\":"
				   "{\"rx_vport_rdma_unicast_bytes\":20}}";

static void assert_number(struct counted got, uint64_t wanted)
{
	assert_true(got.known);
	assert_int_equal(got.value, wanted);
}

/* All keys; that the table of fields is in order is seen here, too. */
static void every_field_is_read(void **state)
{
	struct sample *s = sample_new();
	const struct sample_device *d;

	(void)state;
	take(s, whole_device);
	assert_int_equal(s->device_count, 1);
	d = s->devices;
	assert_string_equal(d->device, "mlx5_2");
	assert_string_equal(d->pci, "0000:3b:00.1");
	assert_string_equal(d->pf, "ens1f0");
	assert_string_equal(d->netdev, "eth0");
	assert_string_equal(d->netns, "4026532000");
	assert_string_equal(d->node_guid, "0425:94ff:fe07:b68a");
	assert_string_equal(d->state, "claimed");
	assert_string_equal(d->owner, "ml/a");
	assert_string_equal(d->claim_source, "cni");
	assert_string_equal(d->resource, "nvidia.com/roce");
	assert_string_equal(d->pod_namespace, "ml");
	assert_string_equal(d->pod, "a");
	assert_string_equal(d->container, "c");
	assert_string_equal(d->link, "ACTIVE");
	assert_string_equal(d->marking, "good");
	assert_string_equal(d->traffic, "vport");
	assert_number(d->index, 7);
	assert_number(d->speed_mbps, 100000);
	assert_number(d->mtu, 9000);
	assert_number(d->qps, 1);
	assert_number(d->mrs, 2);
	assert_number(d->mr_bytes, 3);
	assert_number(d->cqs, 4);
	assert_number(d->pds, 5);
	assert_number(d->contexts, 6);
	assert_number(d->connections, 8);
	assert_number(d->marked_right, 9);
	assert_number(d->marked_wrong, 10);
	assert_number(d->violations, 11);
	assert_number(d->count[RATE_RX_BYTES], 12);
	assert_number(d->count[RATE_TX_BYTES], 13);
	assert_number(d->count[RATE_RX_PACKETS], 14);
	assert_number(d->count[RATE_TX_PACKETS], 15);
	assert_number(d->count[RATE_TX_MESSAGES], 16);
	assert_number(d->count[RATE_RX_MESSAGES], 17);
	assert_number(d->count[RATE_CNP], 19);
	assert_false(d->count[RATE_ECN].known);
	assert_int_equal(d->counter_count, 4);
	assert_string_equal(s->counters[d->counters + 3].name, "rx_vport_rdma_unicast_bytes");
	assert_int_equal(s->counters[d->counters + 3].value, 20);
	sample_free(s);
}

static void nodes_and_pfs_are_read(void **state)
{
	struct sample *s = sample_new();
	const struct sample_pf *pf;

	(void)state;
	take(s, "{\"kind\":\"node\",\"time\":\"2026\",\"time_ns\":5000000000,\"node\":\"n\",\"version\":\"1\","
		"\"daemon\":true,\"mode\":\"audit\","
		"\"guard\":\"lsm\",\"netns_mode\":\"exclusive\",\"lost\":1,\"events\":2,\"violations\":3,\"missing\":["
		"\"a\",4,\"b\"]}");
	take(s, "{\"kind\":\"pf\",\"pf\":\"p\",\"pci\":\"x\",\"link\":\"up\",\"speed_mbps\":0,\"vfs\":8,\"priority\":5,"
		"\"pfc\":true,\"priorities\":"
		"[{\"priority\":5,\"rx_pause\":1,\"tx_pause\":2,\"rx_discards\":3,\"tx_discards\":4},{\"priority\":8,"
		"\"rx_pause\":9},7]}");
	take(s, whole_device);
	assert_int_equal(s->time_ns, 5000000000);
	assert_string_equal(s->nodes[0].guard, "lsm");
	assert_string_equal(s->nodes[0].mode, "audit");
	assert_number(s->nodes[0].violations, 3);
	assert_int_equal(s->missing_count, 2);
	assert_string_equal(s->missing[1], "b");
	pf = s->pfs;
	assert_false(pf->speed_mbps.known);
	assert_number(pf->priority, 5);
	assert_number(pf->pfc, 1);
	assert_number(pf->priorities[5].tx_pause, 2);
	assert_false(pf->priorities[4].rx_pause.known);
	assert_int_equal(s->devices[0].node, 0);
	sample_free(s);
}

/* Null is what nobody counts, 0 is none. */
static void what_is_not_counted_is_not_known(void **state)
{
	struct sample *s = sample_new();

	(void)state;
	take(s, "{\"kind\":\"device\",\"device\":\"a\",\"traffic\":\"hw\",\"tx_bytes\":null,\"rx_bytes\":null,"
		"\"tx_packets\":5,\"rx_packets\":0,"
		"\"tx_messages\":null,\"rx_messages\":0,\"speed_mbps\":null,\"pod\":null,\"qps\":null}");
	assert_false(s->devices[0].count[RATE_TX_BYTES].known);
	assert_false(s->devices[0].count[RATE_TX_MESSAGES].known);
	assert_false(s->devices[0].speed_mbps.known);
	assert_false(s->devices[0].qps.known);
	assert_string_equal(s->devices[0].pod, "");
	assert_number(s->devices[0].count[RATE_RX_PACKETS], 0);
	assert_number(s->devices[0].count[RATE_RX_MESSAGES], 0);
	sample_free(s);
}

/* Cut at every byte, and with every byte changed: never more than an odd item. */
static void garbage_is_survived(void **state)
{
	struct sample *s = sample_new();
	char line[sizeof(whole_device)];
	struct feed feed = { .sample = s };

	(void)state;
	for (size_t len = 0; len < sizeof(whole_device); len++) {
		sample_begin(s);
		feed_line(&feed, whole_device, len);
		assert_int_equal(s->device_count + s->odd, 1);
	}
	for (size_t at = 0; at < sizeof(whole_device) - 1; at++) {
		static const char changes[] = { '\0', '"', '{', '}', '[', '-', '9', '\x1b', '\xff' };

		for (size_t c = 0; c < sizeof(changes); c++) {
			memcpy(line, whole_device, sizeof(line));
			line[at] = changes[c];
			sample_begin(s);
			feed_line(&feed, line, sizeof(line) - 1);
			assert_true(s->device_count <= 1);
		}
	}
	sample_free(s);
}

static void wrong_types_are_not_known(void **state)
{
	struct sample *s = sample_new();

	(void)state;
	take(s, "{\"kind\":\"device\",\"device\":7,\"pci\":[],\"qps\":\"many\",\"mrs\":-1,\"cqs\":1e300,\"index\":{},"
		"\"netns\":7,\"pod\":\"x\","
		"\"counters\":[1,2],\"ethtool\":{\"a\":\"b\",\"c\":{}},\"rates\":[],\"traffic\":{}}");
	take(s, "[]");
	take(s, "{\"kind\":7}");
	take(s, "{\"kind\":\"unheard-of\"}");
	take(s, "");
	assert_int_equal(s->device_count, 1);
	assert_int_equal(s->odd, 4);
	assert_string_equal(s->devices[0].device, "");
	assert_false(s->devices[0].qps.known);
	assert_false(s->devices[0].mrs.known);
	assert_false(s->devices[0].cqs.known);
	assert_int_equal(s->devices[0].counter_count, 0);
	sample_free(s);
}

/* The last ones, when there are more than can be kept. */
static void events_are_kept(void **state)
{
	struct sample *s = sample_new();
	char line[128];

	(void)state;
	for (int i = 0; i < SAMPLE_EVENTS + 10; i++) {
		snprintf(line, sizeof(line),
			 "{\"kind\":\"event\",\"event\":{\"message\":\"%d\",\"kind\":\"violation\"}}", i);
		take(s, line);
	}
	assert_int_equal(s->event_count, SAMPLE_EVENTS + 10);
	assert_string_equal(s->events[(SAMPLE_EVENTS + 9) % SAMPLE_EVENTS].message, "265");
	assert_string_equal(s->events[10].message, "10");
	sample_free(s);
}

/* Nothing that a terminal obeys, that hides or that turns a line. */
static void texts_are_clean(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "plain-name.1", "plain-name.1" },
		{ "\x1b[31mred\x07\r\n\t\x7f", "?[31mred?????" },
		{ "\xc2\x9b"
		  "2J\xc2\x85",
		  "?2J?" },
		{ "r\xc3\xa4um-\xe6\x97\xa5", "r\xc3\xa4um-\xe6\x97\xa5" },
		{ "a\xe2\x80\xae"
		  "b\xe2\x81\xa6"
		  "c\xe2\x80\x8b\xef\xbb\xbf",
		  "a?b?c??" },
		{ "\xc0\xaf\xff\xed\xa0\x80", "??????" },
		{ "cut\xe6\x97", "cut??" },
	};
	char to[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		clean_text(cases[i].from, to, sizeof(to));
		assert_string_equal(to, cases[i].to);
	}
	clean_text("\xe6\x97\xa5\xe6\x97\xa5", to, 6); /* no half of a character */
	assert_string_equal(to, "\xe6\x97\xa5");
}

static void texts_fit(void **state)
{
	char to[64];

	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip_because("there is no C.UTF-8 here");
	clean_fit("abc", 5, false, to, sizeof(to));
	assert_string_equal(to, "abc  ");
	clean_fit("abc", 5, true, to, sizeof(to));
	assert_string_equal(to, "  abc");
	clean_fit("abcdef", 4, true, to, sizeof(to));
	assert_string_equal(to, "abc~");
	clean_fit("日本語", 5, false, to, sizeof(to)); /* of two columns each */
	assert_string_equal(to, "日本~");
	clean_fit("日本語", 4, false, to, sizeof(to));
	assert_string_equal(to, "日~ ");
	clean_fit("x", 0, false, to, sizeof(to));
	assert_string_equal(to, "");
	setlocale(LC_CTYPE, "C");
	clean_fit("räum", 6, false, to, sizeof(to));
	assert_string_equal(to, "r?um  ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(nodes_and_pfs_are_read),
		cmocka_unit_test(what_is_not_counted_is_not_known),
		cmocka_unit_test(garbage_is_survived),
		cmocka_unit_test(wrong_types_are_not_known),
		cmocka_unit_test(events_are_kept),
		cmocka_unit_test(texts_are_clean),
		cmocka_unit_test(texts_fit),
	};

	test_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
