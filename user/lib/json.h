/* SPDX-License-Identifier: Apache-2.0 */
/* What every reader of JSON needs beside cJSON. */
#ifndef WARDEN_JSON_H
#define WARDEN_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* For _cleanup_(). */
static inline void json_free(cJSON **json)
{
	cJSON_Delete(*json);
}

/*
 * The first NUL in a JSON text, plain or escaped, or NULL. cJSON takes a plain one for white space and hands out
 * strings that end at one, so that "/a\u0000b" would be taken for "/a".
 */
const char *json_find_nul(const char *text, size_t len);

/*
 * One JSON object, for text that others wrote: what readers of JSON are known to take differently is an error. That is
 * a key that stands twice (at any depth), a NUL, text that is not UTF-8, a number out of a double's range, nesting
 * deeper than JSON_MAX_DEPTH, control characters, and anything behind the object. NULL: see *err.
 */
#define JSON_MAX_DEPTH 64
cJSON *json_parse_strict(const char *text, size_t len, struct err *err);

/* Is it UTF-8, without overlong forms and surrogates. */
bool json_is_utf8(const char *text, size_t len);
/* Length of the UTF-8 sequence that the bytes begin with, or 0 for none. */
size_t json_utf8_length(const char *text, size_t left);

#endif
