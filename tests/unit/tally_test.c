// SPDX-License-Identifier: Apache-2.0
#include "report/tally.h"

#include "common/test.h"

static uint64_t of_device(const struct tally *t, uint32_t index, uint64_t claim)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->count; i++)
		if (t->devices[i].index == index && t->devices[i].claim == claim)
			sum += t->devices[i].count;
	return sum;
}

static void counts_by_rule_and_claim(void **state)
{
	struct tally t = {}, copy;

	(void)state;
	tally_add(&t, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, 3, 7, 1);
	tally_add(&t, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, 3, 7, 41);
	tally_add(&t, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, 3, 8, 2);
	tally_add(&t, RULE_TRACK_POD, VERDICT_OBSERVED, WARDEN_NO_INDEX, 0, 5);
	tally_add(&t, RULE_COUNT, VERDICT_DENIED, 3, 7, 1); /* of a program that is newer */
	tally_add(&t, RULE_EXCLUSIVE_OPEN, 99, 3, 7, 1);
	assert_int_equal(t.by_rule[RULE_EXCLUSIVE_OPEN][VERDICT_DENIED], 44);
	assert_int_equal(of_device(&t, 3, 7), 42);
	assert_int_equal(of_device(&t, 3, 8), 2);
	assert_int_equal(t.count, 2);
	assert_int_equal(tally_sum(&t), 49);
	assert_int_equal(tally_copy(&t, &copy), 0);
	tally_free(&t);
	assert_int_equal(of_device(&copy, 3, 7), 42);
	tally_free(&copy);
}

static bool is_second_claim(uint32_t index, uint64_t claim, void *ctx)
{
	(void)index;
	(void)ctx;
	return claim == 8;
}

/* What the device's owner of before has done does not become that of the next one. */
static void ends_with_the_claim(void **state)
{
	struct tally t = {};

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		tally_add(&t, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, i, 7 + i % 2, 1);
	tally_prune(&t, is_second_claim, NULL);
	assert_int_equal(t.count, 20);
	assert_int_equal(of_device(&t, 0, 7), 0);
	assert_int_equal(of_device(&t, 1, 8), 1);
	assert_int_equal(t.by_rule[RULE_EXCLUSIVE_OPEN][VERDICT_DENIED], 40);
	tally_free(&t);
}

/* A node that nobody asks never prunes. */
static void is_bounded(void **state)
{
	struct tally t = {};

	(void)state;
	for (uint32_t i = 0; i < 40000; i++)
		tally_add(&t, RULE_EXCLUSIVE_OPEN, VERDICT_DENIED, 0, i, 1);
	assert_true(t.count < 40000);
	assert_int_equal(t.by_rule[RULE_EXCLUSIVE_OPEN][VERDICT_DENIED], 40000);
	tally_free(&t);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(counts_by_rule_and_claim),
		cmocka_unit_test(ends_with_the_claim),
		cmocka_unit_test(is_bounded),
	};

	return RUN_CASES("tally", cases);
}
