// SPDX-License-Identifier: Apache-2.0
#include "lib/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096

int bytes_add(struct bytes *b, const void *piece, size_t len, size_t max)
{
	size_t room = b->room ? b->room : FIRST_ROOM;
	char *bigger;

	if (b->len > max || len > max - b->len)
		return -EMSGSIZE;
	while (room <= b->len + len)
		room *= 2;
	if (room > b->room) {
		bigger = realloc(b->data, room);
		if (!bigger)
			return -ENOMEM;
		b->data = bigger;
		b->room = room;
	}
	if (len)
		memcpy(b->data + b->len, piece, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){};
}
