// SPDX-License-Identifier: Apache-2.0
/* rdmatop's rows: groups, folds, filters, orders, and which columns stand where there is little room. */
#include <math.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"
#include "rdmatop/rows.h"
#include "rdmatop/source.h"

static struct sample *sample;
static struct tracker *tracker;
static struct rows rows;
static struct view view;

static void device(const char *name, const char *pf, const char *owner, double tx_bytes, int qps, const char *marking)
{
	const char *slash = strchr(owner, '/');
	char pod[160] = "null", rates[64] = "{}", line[512];
	struct feed feed = { .sample = sample };

	if (slash)
		snprintf(pod, sizeof(pod), "{\"namespace\":\"%.*s\",\"name\":\"%s\"}", (int)(slash - owner), owner,
			 slash + 1);
	if (tx_bytes >= 0)
		snprintf(rates, sizeof(rates), "{\"tx_bytes\":%.0f}", tx_bytes);
	snprintf(line, sizeof(line),
		 "{\"kind\":\"device\",\"device\":\"%s\",\"pci\":\"0000:3b:00.%s\",\"pf\":\"%s\",\"owner\":\"%s\","
		 "\"pod\":%s,\"qps\":%d,"
		 "\"rates\":%s,\"marking\":\"%s\",\"state\":\"%s\",\"link\":\"ACTIVE\",\"speed_mbps\":1000}",
		 name, name + 1, pf, owner, pod, qps, rates, marking, slash ? "claimed" : "free");
	feed_line(&feed, line, strlen(line));
}

static int set_up(void **state)
{
	static const char pf[] =
		"{\"kind\":\"pf\",\"pf\":\"pf0\",\"link\":\"up\",\"speed_mbps\":25000,\"rates\":{\"pause\":4}}";
	struct feed feed = { .sample = sample = sample_new() };

	(void)state;
	tracker = tracker_new();
	view = (struct view){ .sort = COLUMN_TX, .group = GROUP_PF };
	feed_line(&feed, pf, sizeof(pf) - 1);
	device("d1", "pf0", "ml/a", 100, 5, "good");
	device("d2", "pf0", "ml/b", 300, 1, "wrong");
	device("d3", "pf1", "hpc/a", 200, 9, "unverified");
	device("d4", "pf1", "", -1, 0, "none");
	device("d5", "pf1", "ml/a", 1000, 2, "good");
	return tracker_feed(tracker, sample);
}

static int tear_down(void **state)
{
	(void)state;
	view_fold_all(&view, false);
	rows_free(&rows);
	tracker_free(tracker);
	sample_free(sample);
	return 0;
}

/* The rows as "group" in brackets and devices, from above. */
static const char *told(void)
{
	static char text[512];

	text[0] = '\0';
	assert_int_equal(rows_build(&rows, sample, tracker, &view), 0);
	for (size_t i = 0; i < rows.count; i++) {
		const struct row *row = &rows.row[i];

		snprintf(text + strlen(text), sizeof(text) - strlen(text), row->is_group ? "%s[%s]" : "%s%s",
			 i ? " " : "", row->is_group ? row->name : sample->devices[row->device].device);
	}
	return text;
}

static void devices_stand_in_groups(void **state)
{
	(void)state;
	assert_string_equal(told(), "[pf1] d5 d3 d4 [pf0] d2 d1");
	view.group = GROUP_POD;
	assert_string_equal(told(), "[ml/a] d5 d1 [ml/b] d2 [hpc/a] d3 [no pod] d4");
	view.group = GROUP_NAMESPACE;
	assert_string_equal(told(), "[ml] d5 d2 d1 [hpc] d3 [no namespace] d4");
	view.group = GROUP_NODE;
	assert_string_equal(told(), "[] d5 d2 d3 d1 d4");
	view.group = GROUP_NONE;
	assert_string_equal(told(), "d5 d2 d3 d1 d4");
}

/* Sums, the worst marking, the port's own link and pauses; and what nobody knows of is not zero. */
static void groups_are_summed_up(void **state)
{
	const struct row *pf0;

	(void)state;
	told();
	pf0 = &rows.row[4];
	assert_string_equal(pf0->name, "pf0");
	assert_int_equal(pf0->devices, 2);
	assert_true(pf0->figure[FIGURE_TX_BITS] == 3200);
	assert_true(pf0->figure[FIGURE_QPS] == 6);
	assert_true(pf0->figure[FIGURE_PAUSE] == 4);
	assert_true(pf0->figure[FIGURE_SPEED] == 25e9);
	assert_true(isnan(pf0->figure[FIGURE_RX_BITS]));
	assert_string_equal(pf0->marking, "wrong");
	assert_true(isnan(rows.row[0].figure[FIGURE_PAUSE])); /* pf1 */
	assert_true(rows.total.figure[FIGURE_QPS] == 17);
	assert_int_equal(rows.shown, 5);
	view.filter[0] = 'x';
	told();
	assert_int_equal(rows.shown, 0);
	assert_true(isnan(rows.total.figure[FIGURE_QPS]));
}

/* What is not known stands last, in either direction. */
static void rows_are_sorted(void **state)
{
	(void)state;
	view.group = GROUP_NONE;
	view.reverse = true;
	assert_string_equal(told(), "d1 d3 d2 d5 d4");
	view.sort = COLUMN_QPS;
	assert_string_equal(told(), "d4 d2 d5 d1 d3");
	view.reverse = false;
	assert_string_equal(told(), "d3 d1 d5 d2 d4");
	view.sort = COLUMN_DEVICE;
	assert_string_equal(told(), "d1 d2 d3 d4 d5");
	view.sort = COLUMN_POD;
	assert_string_equal(told(), "d4 d3 d1 d5 d2");
	view.sort = COLUMN_CNP; /* known of none: by name */
	assert_string_equal(told(), "d4 d3 d1 d5 d2");
	for (enum column c = 0; c < COLUMNS; c++) {
		view.sort = c;
		told();
		assert_int_equal(rows.count, 5);
	}
}

static void rows_are_filtered(void **state)
{
	(void)state;
	view.group = GROUP_NONE;
	snprintf(view.filter, sizeof(view.filter), "ML");
	assert_string_equal(told(), "d5 d2 d1");
	snprintf(view.filter, sizeof(view.filter), "ml !wrong");
	assert_string_equal(told(), "d5 d1");
	snprintf(view.filter, sizeof(view.filter), "  ml  pf0 ");
	assert_string_equal(told(), "d2 d1");
	snprintf(view.filter, sizeof(view.filter), "free");
	assert_string_equal(told(), "d4");
	snprintf(view.filter, sizeof(view.filter), "00.3");
	assert_string_equal(told(), "d3");
	snprintf(view.filter, sizeof(view.filter), "!");
	assert_string_equal(told(), "");
	view.group = GROUP_PF;
	snprintf(view.filter, sizeof(view.filter), "wrong");
	assert_string_equal(told(), "[pf0] d2");
}

static void groups_are_folded(void **state)
{
	(void)state;
	view_fold(&view, "pf1", true);
	view_fold(&view, "pf1", true);
	assert_string_equal(told(), "[pf1] [pf0] d2 d1");
	assert_true(rows.row[0].folded);
	assert_int_equal(rows.row[0].devices, 3);
	assert_int_equal(rows.shown, 5);
	view_fold(&view, "pf1", false);
	assert_string_equal(told(), "[pf1] d5 d3 d4 [pf0] d2 d1");
	view_fold_all(&view, true);
	assert_string_equal(told(), "[pf1] [pf0]");
	view_fold(&view, "pf0", false);
	assert_string_equal(told(), "[pf1] [pf0] d2 d1");
	view_fold_all(&view, false);
	assert_string_equal(told(), "[pf1] d5 d3 d4 [pf0] d2 d1");
}

static void cells_have_texts(void **state)
{
	char text[ROW_TEXT];

	(void)state;
	told();
	row_text(&rows.row[0], sample, COLUMN_POD, text, sizeof(text));
	assert_string_equal(text, "pf1 (3)");
	row_text(&rows.row[4], sample, COLUMN_LINK, text, sizeof(text));
	assert_string_equal(text, "25.0G");
	row_text(&rows.row[3], sample, COLUMN_POD, text, sizeof(text));
	assert_string_equal(text, "(free)");
	row_text(&rows.row[3], sample, COLUMN_TX, text, sizeof(text));
	assert_string_equal(text, "-");
	row_text(&rows.row[3], sample, COLUMN_QPS, text, sizeof(text));
	assert_string_equal(text, "0");
	row_text(&rows.row[1], sample, COLUMN_LINK, text, sizeof(text));
	assert_string_equal(text, "1.0G");
	row_text(&rows.row[1], sample, COLUMN_VF, text, sizeof(text));
	assert_string_equal(text, "3b:00.5");
	assert_int_equal(row_alarm(&rows.row[4], sample, COLUMN_MARKING), ALARM_BAD);
	assert_int_equal(row_alarm(&rows.row[1], sample, COLUMN_MARKING), ALARM_GOOD);
}

/* None before a more important one has its place, and never wider than there is room, down to one column. */
static void columns_give_way(void **state)
{
	enum column shown[COLUMNS];
	int pod_width;

	(void)state;
	for (int width = 1; width < 400; width++) {
		size_t count = columns_fit(width, 30, shown, &pod_width);
		int used = pod_width, least = 1000;

		assert_int_equal(shown[0], COLUMN_POD);
		for (size_t i = 1; i < count; i++) {
			used += column_kinds[shown[i]].width + 1;
			assert_true(shown[i] > shown[i - 1]);
			if (column_kinds[shown[i]].importance < least)
				least = column_kinds[shown[i]].importance;
		}
		assert_true(used <= width);
		assert_true(pod_width >= (width < COLUMN_POD_LEAST ? width : COLUMN_POD_LEAST));
		for (enum column c = 0; c < COLUMNS; c++)
			if (column_kinds[c].importance > least) {
				bool there = false;

				for (size_t i = 0; i < count; i++)
					there |= shown[i] == c;
				assert_true(there);
			}
	}
	assert_int_equal(columns_fit(300, 30, shown, &pod_width), COLUMNS);
	assert_int_equal(pod_width, 30);
	assert_true(columns_fit(80, 20, shown, &pod_width) >= 7);
}

static void columns_are_found(void **state)
{
	(void)state;
	for (enum column c = 0; c < COLUMNS; c++)
		assert_int_equal(column_find(column_kinds[c].option), c);
	assert_int_equal(column_find("nothing"), COLUMNS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(devices_stand_in_groups),
		CASE(groups_are_summed_up),
		CASE(rows_are_sorted),
		CASE(rows_are_filtered),
		CASE(groups_are_folded),
		CASE(cells_have_texts),
		cmocka_unit_test(columns_give_way),
		cmocka_unit_test(columns_are_found),
	};

	test_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
