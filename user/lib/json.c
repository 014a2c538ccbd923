// SPDX-License-Identifier: Apache-2.0
#include "lib/json.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

/* What is to be known before cJSON recurses into the text. */
static int check_text(const char *text, size_t len, struct err *err)
{
	unsigned int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (quoted && (unsigned char)c < 0x20)
			return fail(err, -EBADMSG, "a control character in a string");
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\')
			i++;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth)
			depth--;
		if (depth > JSON_MAX_DEPTH)
			return fail(err, -EBADMSG, "nested deeper than %d", JSON_MAX_DEPTH);
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, as an object may have as many keys as fit into the text. */
static int check_twins(const cJSON *object, struct err *err)
{
	size_t count = (size_t)cJSON_GetArraySize(object), n = 0;
	_cleanup_free_ const char **names = count > 1 ? calloc(count, sizeof(*names)) : NULL;
	const cJSON *member;

	if (count < 2)
		return 0;
	if (!names)
		return fail(err, -ENOMEM, "out of memory");
	cJSON_ArrayForEach (member, object)
		names[n++] = member->string;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(names[i - 1], names[i]))
			return fail(err, -EBADMSG, "the key \"%.64s\" stands twice", names[i]);
	return 0;
}

/* Recursion is bounded by check_text(). */
static int check_tree(const cJSON *json, struct err *err)
{
	const cJSON *member;
	int r = cJSON_IsObject(json) ? check_twins(json, err) : 0;

	if (cJSON_IsNumber(json) && !isfinite(json->valuedouble))
		return fail(err, -EBADMSG, "a number is out of range");
	if (r || (!cJSON_IsObject(json) && !cJSON_IsArray(json)))
		return r;
	cJSON_ArrayForEach (member, json) {
		r = check_tree(member, err);
		if (r)
			return r;
	}
	return 0;
}

cJSON *json_parse_strict(const char *text, size_t len, struct err *err)
{
	_cleanup_(json_free) cJSON *json = NULL;
	const char *end = NULL;

	if (json_find_nul(text, len))
		return fail(err, -EBADMSG, "it holds a NUL"), NULL;
	if (!json_is_utf8(text, len))
		return fail(err, -EBADMSG, "it is not UTF-8"), NULL;
	if (check_text(text, len, err))
		return NULL;
	json = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	if (!json)
		return fail(err, -EBADMSG, "not JSON"), NULL;
	for (; end < text + len; end++)
		if (!strchr(" \t\r\n", *end))
			return fail(err, -EBADMSG, "something follows the JSON object"), NULL;
	if (!cJSON_IsObject(json))
		return fail(err, -EBADMSG, "it must be one JSON object"), NULL;
	return check_tree(json, err) ? NULL : take_ptr(json);
}
