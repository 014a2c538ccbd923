// SPDX-License-Identifier: Apache-2.0
#include "common/test.h"
#include "lib/histogram.h"

static void each_bucket_begins_where_the_last_one_ends(void **state)
{
	(void)state;
	for (unsigned int i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		struct histogram h = {};

		histogram_add(&h, histogram_bound(i) - 1);
		histogram_add(&h, histogram_bound(i));
		assert_int_equal(h.bucket[i], 1);
		assert_int_equal(h.bucket[i + 1], 1);
	}
}

static void a_bucket_is_a_quarter_wide_at_most(void **state)
{
	(void)state;
	for (unsigned int i = 4; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram_bound(i) - histogram_bound(i - 1) <= histogram_bound(i - 1) / 4);
}

static void quantiles_are_never_too_small(void **state)
{
	const uint64_t ms = 1000000;
	struct histogram h = {};

	(void)state;
	assert_int_equal(histogram_quantile(&h, 50), 0);
	for (uint64_t i = 1; i <= 100; i++)
		histogram_add(&h, i * ms);
	assert_in_range(histogram_quantile(&h, 50), 50 * ms, 63 * ms);
	assert_in_range(histogram_quantile(&h, 99), 99 * ms, 100 * ms);
	assert_int_equal(histogram_quantile(&h, 100), 100 * ms);
	assert_int_equal(h.sum_ns, 5050 * ms);
	assert_int_equal(h.count, 100);
}

static void the_largest_have_a_place(void **state)
{
	struct histogram h = {};

	(void)state;
	histogram_add(&h, UINT64_MAX);
	histogram_add(&h, 0);
	assert_int_equal(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(histogram_quantile(&h, 100), UINT64_MAX);
	assert_int_equal(histogram_quantile(&h, 1), histogram_bound(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bucket_begins_where_the_last_one_ends),
		cmocka_unit_test(a_bucket_is_a_quarter_wide_at_most),
		cmocka_unit_test(quantiles_are_never_too_small),
		cmocka_unit_test(the_largest_have_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
