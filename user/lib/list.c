// SPDX-License-Identifier: Apache-2.0
#include "lib/list.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16

void *list_place(void *list, size_t *room, size_t count, size_t size)
{
	size_t more = *room * 2 + FIRST_ROOM;
	char *elements;
	void *grown;

	memcpy(&elements, list, sizeof(elements));
	if (count < *room)
		return elements + count * size;
	grown = reallocarray(elements, more, size);
	if (!grown)
		return NULL;
	memcpy(list, &grown, sizeof(grown));
	*room = more;
	return (char *)grown + count * size;
}
