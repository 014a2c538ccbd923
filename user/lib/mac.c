// SPDX-License-Identifier: Apache-2.0
#include "lib/mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void mac_print(const uint8_t mac[MAC_LEN], char to[static MAC_TEXT_LEN])
{
	snprintf(to, MAC_TEXT_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* -1 for what is none: sscanf would take a sign, a space and a single digit, too. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint8_t mac[MAC_LEN])
{
	uint8_t octets[MAC_LEN];

	if (strlen(text) != MAC_TEXT_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < MAC_LEN; i++, text += 3) {
		int high = digit(text[0]), low = digit(text[1]);

		if (high < 0 || low < 0 || text[2] != (i + 1 < MAC_LEN ? ':' : '\0'))
			return -EINVAL;
		octets[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(mac, octets, sizeof(octets));
	return 0;
}
