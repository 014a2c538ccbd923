// SPDX-License-Identifier: Apache-2.0
/*
 * Values of settings from any text, as the journal of changes has them, and answers of DCB netlink from any bytes. The
 * first byte says which. A value that is taken says the same again.
 */
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "qos/action.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_value(enum qos_setting setting, const char *text)
{
	char once[QOS_VALUE_LEN], twice[QOS_VALUE_LEN];
	struct qos_action action = { .setting = setting, .subject = "pf0", .mlx5 = true };
	char command[QOS_CURE_LEN] = "";

	if (qos_value_parse(setting, text, &action.to))
		return;
	qos_value_text(setting, &action.to, once, sizeof(once));
	if (qos_value_parse(setting, once, &action.from))
		abort();
	qos_value_text(setting, &action.from, twice, sizeof(twice));
	if (strcmp(once, twice))
		abort();
	qos_action_command(&action, command, sizeof(command));
	command[0] = '\0';
	qos_action_command_mlx5(&action, command, sizeof(command));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(struct nlmsghdr) char bytes[4096];
	struct qos_dcb dcb = {};

	if (size < 1 || size >= sizeof(bytes))
		return 0;
	memcpy(bytes, data + 1, size - 1);
	bytes[size - 1] = '\0';
	if (data[0] < QOS_SETTINGS) {
		fuzz_value((enum qos_setting)data[0], bytes);
		return 0;
	}
	qos_dcb_parse(bytes, size - 1, &dcb);
	qos_dcb_trust(&dcb);
	return 0;
}
