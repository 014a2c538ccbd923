// SPDX-License-Identifier: Apache-2.0
#include "lib/bytes.h"

#include <errno.h>
#include <string.h>

#include "common/test.h"

static void pieces_stand_one_behind_the_other(void **state)
{
	struct bytes b = {};

	(void)state;
	for (int i = 0; i < 3000; i++)
		assert_int_equal(bytes_add(&b, "abc", 3, 9000), 0);
	assert_int_equal(b.len, 9000);
	assert_int_equal(strlen(b.data), 9000);
	assert_memory_equal(b.data + 8994, "abcabc", 6);
	bytes_free(&b);
	assert_null(b.data);
}

static void too_many_leave_them_as_they_were(void **state)
{
	struct bytes b = {};

	(void)state;
	assert_int_equal(bytes_add(&b, "1234", 4, 5), 0);
	assert_int_equal(bytes_add(&b, "56", 2, 5), -EMSGSIZE);
	assert_int_equal(bytes_add(&b, "56", 2, 3), -EMSGSIZE);
	assert_string_equal(b.data, "1234");
	assert_int_equal(bytes_add(&b, "5", 1, 5), 0);
	assert_string_equal(b.data, "12345");
	bytes_free(&b);
}

static void nothing_is_a_piece_too(void **state)
{
	struct bytes b = {};

	(void)state;
	assert_int_equal(bytes_add(&b, NULL, 0, 0), 0);
	assert_string_equal(b.data, "");
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_stand_one_behind_the_other),
		cmocka_unit_test(too_many_leave_them_as_they_were),
		cmocka_unit_test(nothing_is_a_piece_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
