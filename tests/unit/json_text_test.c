// SPDX-License-Identifier: Apache-2.0
#include "lib/json_text.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"

/* The member as text of `len` bytes, or NULL for none. */
static void finds(const char *object, const char *value)
{
	const char *found = json_find(object, "b");

	if (!value)
		assert_null(found);
	else if (!found || strncmp(found, value, strlen(value)))
		test_fail("%s: %s", object, found ? found : "nothing");
}

static void members(void **state)
{
	(void)state;
	finds("{\"b\":1}", "1");
	finds(" {\t\"a\" : \"x\" ,\n \"b\" : true }", "true");
	finds("{\"a\":{\"b\":2,\"c\":[\"}\",{}]},\"b\":3}", "3");
	finds("{\"a\":[[],{\"b\":[1]}],\"b\":\"4\"}", "\"4\"");
	finds("{\"a\":\"\\\",\\\"b\\\":0\",\"b\":5}", "5");
	finds("{\"a\":-1.5e3,\"b\":6,\"b\":7}", "6");
	finds("{\"bb\":1,\"\":2,\"b\":8}", "8");
	finds("{\"a\":{\"b\":1}}", NULL);
	finds("{\"a\":\"b\"}", NULL);
	finds("{}", NULL);
	finds("[\"b\",1]", NULL);
	finds("", NULL);
}

/* No end is passed by: what a text lacks is found nowhere. */
static void cut_anywhere(void **state)
{
	static const char whole[] = "{\"a\":{\"x\":[1,\"\\u00e9\\\"\",{}]},\"c\":\"\\\\\",\"b\":true}";

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		_cleanup_free_ char *text = strndup(whole, len);
		const char *found = json_find(text, "b");

		if (found && found != text + (strstr(whole, "true") - whole))
			test_fail("%s", text);
	}
	assert_null(json_find("{\"a\":,\"b\":1}", "b"));
	assert_null(json_find("{\"a\" 1,\"b\":1}", "b"));
	assert_null(json_find("{a:1,\"b\":1}", "b"));
}

static void reads(const char *value, const char *text)
{
	_cleanup_free_ char *got = json_string(value);

	if (!text)
		assert_null(got);
	else
		assert_string_equal(got, text);
}

static void strings(void **state)
{
	(void)state;
	reads("\"\"", "");
	reads("\"abc\" , 1", "abc");
	reads("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
	reads("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00é\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9");
	reads("12", NULL);
	reads("\"abc", NULL);
	reads("\"abc\\\"", NULL);
	reads("\"\\x41\"", NULL);
	reads("\"\\u0000\"", NULL);
	reads("\"\\u12\"", NULL);
	reads("\"\\u12g4\"", NULL);
	reads("\"\\ud83d\"", NULL);
	reads("\"\\ud83d\\u0041\"", NULL);
	reads("\"\\ude00\"", NULL);
}

/* What is quoted, cJSON and json_string() read, and it is spelled as cJSON spells it. */
static void quoted_and_back(void **state)
{
	char text[130] = "", *line = NULL;
	_cleanup_free_ char *back = NULL, *theirs = NULL;
	size_t len;
	cJSON *json;
	FILE *to = open_memstream(&line, &len);

	(void)state;
	for (int i = 1; i < 128; i++)
		text[i - 1] = (char)i;
	strcat(text, "é");
	json_quote(to, text);
	fclose(to);
	back = json_string(line);
	assert_string_equal(back, text);
	json = cJSON_CreateString(text);
	theirs = cJSON_PrintUnformatted(json);
	assert_string_equal(line, theirs);
	cJSON_Delete(json);
	free(line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(strings),
		cmocka_unit_test(quoted_and_back),
	};

	return RUN_CASES("json_text", tests);
}
