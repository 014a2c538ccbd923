// SPDX-License-Identifier: Apache-2.0
/* The plugin's reader of JSON: of what cJSON takes, too, it finds the same strings; of all else it reads no byte that is not there. */
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json_text.h"
#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* cJSON takes control characters for white space, and finds keys that escapes stand for: of these nothing is said. */
static bool comparable(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p == '\\' || ((unsigned char)*p < 0x20 && !strchr("\t\r\n", *p)))
			return false;
	return true;
}

static void compare(const char *text)
{
	_cleanup_free_ char *ours = NULL, *line = NULL;
	const char *found = json_find(text, "cniVersion");
	cJSON *json = cJSON_ParseWithOpts(text, NULL, 1);
	const cJSON *theirs = cJSON_GetObjectItemCaseSensitive(json, "cniVersion");
	size_t len;
	FILE *to;

	ours = found ? json_string(found) : NULL;
	if (cJSON_IsString(theirs) && cJSON_IsObject(json) && comparable(text) &&
	    (!ours || strcmp(ours, theirs->valuestring)))
		abort();
	if (ours) {
		_cleanup_free_ char *back = NULL;

		to = open_memstream(&line, &len);
		json_quote(to, ours);
		fclose(to);
		back = json_string(line);
		if (!back || strcmp(back, ours))
			abort();
	}
	cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!memchr(text, '\0', size))
		compare(text);
	free(text);
	return 0;
}
