// SPDX-License-Identifier: Apache-2.0
#include "rdma-warden/semver.h"

#include "common/test.h"
#include "lib/util.h"

static void valid_ones(void **state)
{
	static const char *const good[] = { "0.0.0",       "1.2.3",       "10.20.30",
					    "1.0.0-rc.1",  "1.0.0--.-x",  "1.0.0-0a.0",
					    "1.0.0+001.b", "1.0.0-a+b-c", "99999999999999999999.0.0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!semver_valid(good[i]))
			test_fail("%s", good[i]);
}

static void others(void **state)
{
	static const char *const bad[] = {
		"",           "1",
		"1.2",        "1.2.",
		"1.2.3.4",    "01.2.3",
		"1.02.3",     "v1.2.3",
		"1.2.3 ",     " 1.2.3",
		"1.2.3-",     "1.2.3-01",
		"1.2.3-a..b", "1.2.3+",
		"1.2.3+a+",   "1.2.3-a_",
		"-1.2.3",     "1.2.3\n",
		"a.b.c",      "1..3",
		"1.2.3-é",    "1.2.3-123456789-123456789-123456789-123456789-123456789-1234567890"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (semver_valid(bad[i]))
			test_fail("%s", bad[i]);
}

/* Each one is older than all behind it. */
static void order(void **state)
{
	static const char *const ascending[] = { "0.0.9",
						 "0.1.0-1",
						 "0.1.0-9",
						 "0.1.0-10",
						 "0.1.0-99999999999999999999",
						 "0.1.0--",
						 "0.1.0-alpha",
						 "0.1.0-alpha.1",
						 "0.1.0-alpha.beta",
						 "0.1.0-beta",
						 "0.1.0-beta.2",
						 "0.1.0-beta.11",
						 "0.1.0-rc.1",
						 "0.1.0-rc.1.0",
						 "0.1.0-rc-1",
						 "0.1.0",
						 "0.1.1",
						 "0.2.0",
						 "0.10.0",
						 "1.0.0",
						 "2.0.0",
						 "18446744073709551617.0.0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ascending); j++) {
			int r = semver_compare(ascending[i], ascending[j]);

			if ((i < j && r >= 0) || (i == j && r) || (i > j && r <= 0))
				test_fail("%s and %s: %d", ascending[i], ascending[j], r);
		}
}

static void builds_are_alike(void **state)
{
	(void)state;
	assert_int_equal(semver_compare("1.0.0+a", "1.0.0+b.c"), 0);
	assert_int_equal(semver_compare("1.0.0+a", "1.0.0"), 0);
	assert_int_equal(semver_compare("1.0.0-rc.1+a", "1.0.0-rc.1"), 0);
	assert_true(semver_compare("1.0.0-rc.1+a", "1.0.0+a") < 0);
	assert_true(semver_compare("1.0.0-rc+z", "1.0.0-rc.1") < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_ones),
		cmocka_unit_test(others),
		cmocka_unit_test(order),
		cmocka_unit_test(builds_are_alike),
	};

	return RUN_CASES("semver", tests);
}
