// SPDX-License-Identifier: Apache-2.0
/* The configuration from any bytes. What it takes must be within its own limits, what it refuses must change nothing. */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config, before;
	struct err err = {};
	int r;

	memset(&before, 0, sizeof(before));
	config_defaults(&before);
	memcpy(&config, &before, sizeof(config));
	r = config_parse((const char *)data, size, "FILE", &config, &err);
	check(r <= 0);
	if (r) {
		check(!memcmp(&config, &before, sizeof(config)));
		check(!strncmp(err.text, "FILE: ", 6));
		return 0;
	}
	check(config.mode <= MODE_ENFORCE && config.reactions[RULE_MARKING_DSCP] <= REACTION_KILL);
	check(config.run_dir[0] == '/' && config.state_dir[0] == '/' && config.bpffs[0] == '/');
	check(config.policy_count <= POLICY_COUNT);
	for (size_t i = 0; i < config.policy_count; i++)
		check(config.policies[i].resource[0] && config.policies[i].priority < 100 &&
		      config.policies[i].num_vfs <= POLICY_VFS);
	check(memchr(config.metrics, ':', sizeof(config.metrics)));
	if (config.profile.name[0])
		check(config.profile.priority < 8 && config.profile.cnp_priority < 8 &&
		      !qos_profile_check(&config.profile, NULL));
	return 0;
}
