// SPDX-License-Identifier: Apache-2.0
#include "report/text.h"

#include <endian.h>
#include <stdio.h>
#include <time.h>

void text_from_bytes(const char *bytes, size_t len, char *to, size_t size)
{
	size_t i;

	for (i = 0; i < len && bytes[i] && i + 1 < size; i++)
		to[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
	to[i] = '\0';
}

void text_time(uint64_t ns, char *to, size_t size)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	char date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to, size, "%s.%06uZ", date, (unsigned int)(ns % 1000000000u / 1000u));
}

void text_guid(uint64_t guid, char *to, size_t size)
{
	uint64_t g = be64toh(guid);

	snprintf(to, size, "%04x:%04x:%04x:%04x", (unsigned int)(g >> 48), (unsigned int)(g >> 32 & 0xffff),
		 (unsigned int)(g >> 16 & 0xffff), (unsigned int)(g & 0xffff));
}
