// SPDX-License-Identifier: Apache-2.0
#include "report/text.h"

#include <endian.h>
#include <string.h>

#include "common/test.h"

static void bytes_of_anybody(void **state)
{
	static const char comm[16] = "caf\xc3\xa9\n\x1b[31m\x7f\"\\";
	static const char full[16] = { '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f' };
	char text[32], small[4];

	(void)state;
	text_from_bytes(comm, sizeof(comm), text, sizeof(text));
	assert_string_equal(text, "caf????[31m?\"\\");
	text_from_bytes(full, sizeof(full), text, sizeof(text));
	assert_string_equal(text, "0123456789abcdef");
	text_from_bytes(full, sizeof(full), small, sizeof(small));
	assert_string_equal(small, "012");
	text_from_bytes("", 1, text, sizeof(text));
	assert_string_equal(text, "");
	text_from_bytes(full, 0, text, sizeof(text));
	assert_string_equal(text, "");
	text_from_bytes(" ~", 2, text, sizeof(text));
	assert_string_equal(text, " ~");
}

static void times(void **state)
{
	char text[64];

	(void)state;
	text_time(0, text, sizeof(text));
	assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
	text_time(951782400000001999ull, text, sizeof(text));
	assert_string_equal(text, "2000-02-29T00:00:00.000001Z");
	text_time(4102444799999999999ull, text, sizeof(text));
	assert_string_equal(text, "2099-12-31T23:59:59.999999Z");
	/* What no clock says must not break a line either. */
	text_time(UINT64_MAX, text, sizeof(text));
	assert_int_equal(strlen(text), strlen("1970-01-01T00:00:00.000000Z"));
}

static void guids(void **state)
{
	char text[32];

	(void)state;
	text_guid(htobe64(0x0123456789abcdefull), text, sizeof(text));
	assert_string_equal(text, "0123:4567:89ab:cdef");
	text_guid(0, text, sizeof(text));
	assert_string_equal(text, "0000:0000:0000:0000");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(bytes_of_anybody),
		cmocka_unit_test(times),
		cmocka_unit_test(guids),
	};

	return RUN_CASES("text", cases);
}
