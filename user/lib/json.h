/* SPDX-License-Identifier: Apache-2.0 */
/* What every reader of JSON needs beside cJSON. */
#ifndef WARDEN_JSON_H
#define WARDEN_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/json_text.h"

/* For _cleanup_(). */
static inline void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

/*
 * One JSON object, for text that others wrote: what readers of JSON are known to take differently is an error. That is
 * a key that stands twice (at any depth), a NUL, text that is not UTF-8, a number out of a double's range, nesting
 * deeper than JSON_MAX_DEPTH, control characters, and anything behind the object. NULL: see *err.
 */
#define JSON_MAX_DEPTH 64
cJSON *json_parse_strict(const char *text, size_t len, struct err *err);

#endif
