// SPDX-License-Identifier: Apache-2.0
#include "lib/mac.h"

#include <string.h>

#include "common/test.h"

static void there_and_back(void **state)
{
	static const uint8_t wanted[MAC_LEN] = { 0x02, 0x00, 0xab, 0xCD, 0x0f, 0xff };
	char text[MAC_TEXT_LEN];
	uint8_t mac[MAC_LEN];

	(void)state;
	assert_int_equal(mac_parse("02:00:aB:Cd:0f:FF", mac), 0);
	assert_memory_equal(mac, wanted, sizeof(wanted));
	mac_print(mac, text);
	assert_string_equal(text, "02:00:ab:cd:0f:ff");
}

static void what_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"02",
		"02:00:00:00:00",
		"02:00:00:00:00:1",
		"02:00:00:00:00:01:",
		"02:00:00:00:00:001",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:-1",
		"02:00:00:00:00: 1",
		"02-00-00-00-00-01",
		"02:00:00:00:0x:01",
		" 2:00:00:00:00:01",
		"02:00:00:00:00:\xb1\xb1",
		"0200:00:00:0:0:01",
		"02:00:00:00:00:01:02",
	};
	uint8_t mac[MAC_LEN], before[MAC_LEN] = { 1, 2, 3, 4, 5, 6 };

	(void)state;
	memcpy(mac, before, sizeof(mac));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!mac_parse(texts[i], mac))
			test_fail("\"%s\" is taken for a MAC", texts[i]);
		assert_memory_equal(mac, before, sizeof(mac));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(there_and_back), cmocka_unit_test(what_is_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
