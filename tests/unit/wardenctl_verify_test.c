// SPDX-License-Identifier: Apache-2.0
#include "wardenctl/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/json.h"
#include "lib/util.h"

static void take(struct verify_view *view, const char *id, const char *owner, const char *subject, const char *result)
{
	_cleanup_(json_free) cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "id", id);
	cJSON_AddStringToObject(item, "owner", owner);
	cJSON_AddStringToObject(item, "subject", subject);
	cJSON_AddStringToObject(item, "result", result);
	cJSON_AddStringToObject(item, "expected", "on");
	cJSON_AddStringToObject(item, "found", "off");
	cJSON_AddStringToObject(item, "cure", strcmp(result, "fail") ? "" : "switch it on");
	verify_take(item, view);
}

/* What is printed, in a buffer of the test's. */
static const char *printed(struct verify_view *view)
{
	static char text[4096];
	const char *path = temp_path("printed");
	int home = dup(STDOUT_FILENO);
	_cleanup_fclose_ FILE *file = NULL;
	size_t len;

	fflush(stdout);
	assert_non_null(freopen(path, "w", stdout));
	verify_print(view);
	fflush(stdout);
	dup2(home, STDOUT_FILENO);
	close(home);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	return text;
}

static void the_node_first_and_pod_by_pod(void **state)
{
	struct verify_view view = {};

	(void)state;
	take(&view, "pod.mtu", "ml/a", "net1", "pass");
	take(&view, "pod.trust", "ml/b", "0000:3b:00.3", "unknown");
	take(&view, "pod.spoofchk", "ml/a", "0000:3b:00.2", "fail");
	take(&view, "guard.lost", "", "counters", "pass");
	assert_string_equal(printed(&view), "node: 1 passed\n"
					    "ml/a: 1 passed, 1 failed\n"
					    "    fail     pod.spoofchk         0000:3b:00.2     off\n"
					    "             expected  on\n"
					    "             cure      switch it on\n"
					    "ml/b: 0 passed, 1 unknown\n"
					    "    unknown  pod.trust            0000:3b:00.3     off\n"
					    "             expected  on\n"
					    "verdict: fail (1 of 4 checks failed, 1 unknown)\n");
	assert_null(view.checks);
}

static void all_of_them(void **state)
{
	struct verify_view view = { .all = true };

	(void)state;
	take(&view, "guard.lost", "", "counters", "pass");
	assert_string_equal(printed(&view), "node: 1 passed\n"
					    "    pass     guard.lost           counters         off\n"
					    "verdict: pass (1 of 1 checks passed)\n");
}

static void verdicts(void **state)
{
	_cleanup_(json_free) cJSON *end = cJSON_Parse("{\"verdict\":\"pass\",\"pass\":9,\"fail\":0,\"unknown\":0}");
	struct verify_view view = {};

	(void)state;
	take(&view, "pod.mtu", "ml/a", "net1", "pass");
	take(&view, "pod.trust", "ml/a", "0000:3b:00.2", "unknown");
	verify_take(end, &view);
	assert_contains(printed(&view), "verdict: unknown (1 of 2 checks passed, 1 unknown)\n");
	assert_string_equal(printed(&view), "verdict: unknown (0 of 0 checks passed)\n");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(the_node_first_and_pod_by_pod),
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(verdicts),
	};

	return RUN_CASES("wardenctl_verify", cases);
}
