// SPDX-License-Identifier: Apache-2.0
#include "lib/names.h"

#include <ctype.h>
#include <string.h>

bool name_valid(const char *s, size_t len, size_t max)
{
	if (len == 0 || len > max || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
			return false;
	return true;
}

bool name_resource_valid(const char *s, size_t len)
{
	const char *slash = len ? memchr(s, '/', len) : NULL, *end = s + len;

	if (!slash || !name_valid(s, (size_t)(slash - s), NAME_SUBDOMAIN_MAX) || end - slash < 2 ||
	    end - slash > NAME_LABEL_MAX + 1)
		return false;
	for (s = slash + 1; s < end; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '_' && *s != '.')
			return false;
	return true;
}
