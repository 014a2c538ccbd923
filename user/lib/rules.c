// SPDX-License-Identifier: Apache-2.0
#include "lib/rules.h"

#include <errno.h>
#include <string.h>

#include "warden.h"

static const char *const names[RULE_COUNT] = {
#define X(id, name) [RULE_##id] = name,
	WARDEN_RULES(X)
#undef X
};

const char *rule_name(uint32_t rule)
{
	return rule < RULE_COUNT ? names[rule] : "unknown";
}

int rule_find(const char *name)
{
	for (int i = 0; i < RULE_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	return -ENOENT;
}
