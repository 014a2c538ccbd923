// SPDX-License-Identifier: Apache-2.0
/* rdmatop's rates: wraps, resets, devices that come and go, a suspend, and what has no rate. */
#include <math.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"
#include "rdmatop/columns.h"
#include "rdmatop/rates.h"
#include "rdmatop/source.h"

#define SECOND 1000000000ull

static struct sample *sample;
static struct tracker *tracker;

static int set_up(void **state)
{
	(void)state;
	sample = sample_new();
	tracker = tracker_new();
	return !sample || !tracker;
}

static int tear_down(void **state)
{
	(void)state;
	sample_free(sample);
	tracker_free(tracker);
	return 0;
}

static void begin(double seconds)
{
	char line[128];
	struct feed feed = { .sample = sample };

	sample_begin(sample);
	snprintf(line, sizeof(line), "{\"kind\":\"node\",\"node\":\"n\",\"time_ns\":%.0f}", seconds * 1e9);
	feed_line(&feed, line, strlen(line));
}

static void device(const char *name, unsigned int index, double tx_bytes)
{
	char line[256];
	struct feed feed = { .sample = sample };

	snprintf(line, sizeof(line),
		 "{\"kind\":\"device\",\"device\":\"%s\",\"pci\":\"0000:3b:00.1\",\"index\":%u,\"traffic\":\"vport\","
		 "\"tx_bytes\":%.0f,"
		 "\"rx_bytes\":0,\"counters\":{\"np_cnp_sent\":%.0f,\"odd\":1}}",
		 name, index, tx_bytes, tx_bytes);
	feed_line(&feed, line, strlen(line));
}

static double tx_bits(size_t i)
{
	return tracker_device(tracker, i)->figure[FIGURE_TX_BITS];
}

/* The rate between two samples of one device. */
static double between(double before, double now)
{
	begin(1000);
	device("a", 1, before);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	begin(1001);
	device("a", 1, now);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	return tx_bits(0) / 8;
}

static void the_first_sample_has_no_rates(void **state)
{
	(void)state;
	begin(1000);
	device("a", 1, 5000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tx_bits(0)));
	assert_true(isnan(tracker_device(tracker, 0)->counter[0]));
	assert_true(isnan(tracker_seconds(tracker)));
	assert_true(tracker_device(tracker, 0)->fresh);
}

static void a_rate_is_a_second(void **state)
{
	(void)state;
	begin(1000);
	device("a", 1, 1000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	begin(1002.5);
	device("a", 1, 6000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 16000); /* 5000 bytes in 2.5 s */
	assert_true(tracker_device(tracker, 0)->figure[FIGURE_RX_BITS] == 0); /* known, and nothing */
	assert_true(tracker_device(tracker, 0)->figure[FIGURE_CNP] == 2000);
	assert_true(tracker_device(tracker, 0)->counter[0] == 2000);
	assert_true(tracker_device(tracker, 0)->counter[1] == 0);
	assert_true(isnan(tracker_device(tracker, 0)->figure[FIGURE_ECN])); /* nobody counts it */
	assert_true(tracker_seconds(tracker) == 2.5);
	assert_false(tracker_device(tracker, 0)->fresh);
}

static void counters_wrap(void **state)
{
	uint64_t delta;

	(void)state;
	assert_true(between(4294967000.0, 704) == 1000); /* at 2^32 */
	assert_true(rates_delta(UINT64_MAX - 99, 900, &delta)); /* at 2^64 */
	assert_int_equal(delta, 1000);
	assert_true(rates_delta(UINT32_MAX, 0, &delta));
	assert_int_equal(delta, 1);
	assert_true(rates_delta(4294967000, 4294968000, &delta)); /* past 2^32: no wrap there */
	assert_int_equal(delta, 1000);
	/* As JSON has it, to 2048. */
	assert_true(fabs(between(18446744073709549568.0, 1000000) - 1002048) < 1);
}

/* Not a wrap, which would be a burst that never was; and nothing is made up for it. */
static void a_reset_has_no_rate(void **state)
{
	(void)state;
	assert_true(isnan(between(1000000, 5)));
	assert_true(isnan(between(3000000000.0, 2000000000.0)));
	assert_true(isnan(between(1e15, 7)));
	begin(1002);
	device("a", 1, 1007);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 8000); /* and it goes on from there */
}

/* The same name and address with another index is another device. */
static void a_device_that_came_anew_begins_anew(void **state)
{
	(void)state;
	begin(1000);
	device("a", 1, 1000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	begin(1001);
	device("a", 2, 900000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tx_bits(0)));
	assert_true(tracker_device(tracker, 0)->fresh);
	begin(1002);
	device("renamed", 2, 901000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 8000); /* a name is only a name */
}

/* What is away for a sample was perhaps something else meanwhile. */
static void a_device_that_was_away_begins_anew(void **state)
{
	(void)state;
	begin(1000);
	device("a", 1, 1000);
	device("b", 2, 1000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	begin(1001);
	device("b", 2, 2000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 8000);
	begin(1002);
	device("b", 2, 3000);
	device("a", 1, 2000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 8000);
	assert_true(isnan(tx_bits(1)));
}

/* The clock counts the time asleep, so that the rate is that of all the time. */
static void a_suspend_is_time(void **state)
{
	(void)state;
	begin(1000);
	device("a", 1, 1000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	begin(1000 + 3600);
	device("a", 1, 1000 + 3600);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 8);
}

/* A node that was booted, or one moment told twice. */
static void a_clock_that_does_not_go_on_gives_no_rates(void **state)
{
	(void)state;
	begin(1000);
	device("a", 1, 1000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	begin(1000);
	device("a", 1, 2000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tx_bits(0)));
	begin(20);
	device("a", 1, 3000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tx_bits(0)));
	begin(21);
	device("a", 1, 4000);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 8000);
}

static void rates_of_the_source_are_taken(void **state)
{
	static const char line[] =
		"{\"kind\":\"device\",\"device\":\"a\",\"pci\":\"x\",\"rates\":{\"tx_bytes\":100,\"cnp\":3}}";
	struct feed feed = { .sample = sample };

	(void)state;
	begin(1000);
	feed_line(&feed, line, sizeof(line) - 1);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tx_bits(0) == 800);
	assert_true(tracker_device(tracker, 0)->figure[FIGURE_CNP] == 3);
	assert_true(isnan(tracker_device(tracker, 0)->figure[FIGURE_RX_BITS]));
}

static void pf_with(double rx_pause, int priority)
{
	char line[256];
	struct feed feed = { .sample = sample };

	snprintf(line, sizeof(line),
		 "{\"kind\":\"pf\",\"pf\":\"p\",\"pci\":\"x\",\"priority\":%d,\"priorities\":[{\"priority\":5,\"rx_"
		 "pause\":%.0f,\"tx_pause\":1},"
		 "{\"priority\":3,\"rx_pause\":1000,\"tx_pause\":0}]}",
		 priority, rx_pause);
	feed_line(&feed, line, strlen(line));
}

/* Those of the priority of RDMA traffic; another one's before are not those of this one. */
static void pauses_are_of_the_priority(void **state)
{
	(void)state;
	begin(1000);
	pf_with(10, 5);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tracker_pause(tracker, 0)));
	begin(1002);
	pf_with(30, 5);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(tracker_pause(tracker, 0) == 10);
	begin(1003);
	pf_with(40, 3);
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tracker_pause(tracker, 0)));
	begin(1004);
	pf_with(50, 4); /* nobody counts it */
	assert_int_equal(tracker_feed(tracker, sample), 0);
	assert_true(isnan(tracker_pause(tracker, 0)));
}

/* The newest on the right, blanks before the first. */
static void history_is_drawn(void **state)
{
	char text[64];

	(void)state;
	for (int i = 0; i < 5; i++) {
		begin(1000 + i);
		device("a", 1, 1000.0 * i * i);
		assert_int_equal(tracker_feed(tracker, sample), 0);
	}
	history_text(tracker_device(tracker, 0)->history, 6, false, text, sizeof(text));
	assert_string_equal(text, "  .-+#");
	history_text(tracker_device(tracker, 0)->history, 3, true, text, sizeof(text));
	assert_string_equal(text, "▄▆█");
}

/* Many come and go: none is taken for another one. */
static void many_devices(void **state)
{
	char name[32];

	(void)state;
	for (unsigned int round = 0; round < 20; round++) {
		begin(1000 + round);
		for (unsigned int i = round * 50; i < round * 50 + 300; i++) {
			snprintf(name, sizeof(name), "d%u", i);
			device(name, i, 1000.0 * i * round);
		}
		assert_int_equal(tracker_feed(tracker, sample), 0);
		for (unsigned int i = 0; i < 300; i++)
			if (i < 250 && round)
				assert_true(tx_bits(i) == 8000.0 * (i + round * 50));
			else
				assert_true(isnan(tx_bits(i)));
	}
}

static void figures_are_short(void **state)
{
	static const struct {
		double value;
		bool binary;
		const char *text;
	} cases[] = {
		{ NAN, false, "-" },       { 0, false, "0" },           { 0.01, false, "<0.1" },
		{ 3.3333, false, "3.3" },  { 7, false, "7" },           { 999, false, "999" },
		{ 999.6, false, "1.0k" },  { 1500, false, "1.5k" },     { 99960, false, "100k" },
		{ 999500, false, "1.0M" }, { 1.234e11, false, "123G" }, { 1e27, false, "1000Y" },
		{ 1048576, true, "1.0M" }, { 1023, true, "1023" },      { 1024, true, "1.0K" },
		{ -1, false, "-" },
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		figure_text(cases[i].value, cases[i].binary, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		assert_true(strlen(text) <= 6);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_first_sample_has_no_rates),
		CASE(a_rate_is_a_second),
		CASE(counters_wrap),
		CASE(a_reset_has_no_rate),
		CASE(a_device_that_came_anew_begins_anew),
		CASE(a_device_that_was_away_begins_anew),
		CASE(a_suspend_is_time),
		CASE(a_clock_that_does_not_go_on_gives_no_rates),
		CASE(rates_of_the_source_are_taken),
		CASE(pauses_are_of_the_priority),
		CASE(history_is_drawn),
		CASE(many_devices),
		cmocka_unit_test(figures_are_short),
	};

	test_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
