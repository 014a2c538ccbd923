/* SPDX-License-Identifier: Apache-2.0 */
/* What every reader of JSON needs beside cJSON. */
#ifndef WARDEN_JSON_H
#define WARDEN_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>

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

#endif
