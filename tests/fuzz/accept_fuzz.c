// SPDX-License-Identifier: Apache-2.0
/* The header by which a reader of /metrics chooses the format, from any text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *accept = malloc(size + 1);
	enum exposition_format format;

	if (!accept)
		return 0;
	if (size)
		memcpy(accept, data, size);
	accept[size] = '\0';
	format = exposition_accept(accept);
	if (format != EXPOSITION_TEXT && format != EXPOSITION_OPENMETRICS)
		abort();
	free(accept);
	return 0;
}
