// SPDX-License-Identifier: Apache-2.0
#include "lib/json.h"

#include <string.h>

const char *json_find_nul(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; p < end; p++) {
		if (!*p)
			return p;
		if (*p != '\\')
			continue;
		if (end - p >= 6 && !memcmp(p + 1, "u0000", 5))
			return p;
		p++; /* what is escaped begins no escape */
	}
	return NULL;
}
