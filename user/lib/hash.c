// SPDX-License-Identifier: Apache-2.0
#include "lib/hash.h"

#include <string.h>

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

uint64_t hash_text(const char *text)
{
	return hash_bytes(HASH_BEGIN, text, strlen(text));
}

uint64_t hash_part(uint64_t hash, const char *text)
{
	return hash_bytes(hash, text, strlen(text) + 1);
}
