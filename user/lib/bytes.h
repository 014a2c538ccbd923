/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that come piece by piece from somebody who may send too many. Begins as {}. */
#ifndef WARDEN_BYTES_H
#define WARDEN_BYTES_H

#include <stddef.h>

struct bytes {
	char *data; /* a NUL stands behind them; NULL before the first piece */
	size_t len, room;
};

/* Puts a piece behind the others: 0, -EMSGSIZE when they would be more than `max`, or -ENOMEM; then they are as before. */
int bytes_add(struct bytes *bytes, const void *piece, size_t len, size_t max);

void bytes_free(struct bytes *bytes); /* it is {} again */

#endif
