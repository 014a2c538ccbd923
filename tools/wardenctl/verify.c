// SPDX-License-Identifier: Apache-2.0
#include "wardenctl/verify.h"

#include <stdio.h>
#include <string.h>

#include "wardenctl/print.h"

struct counts {
	unsigned int pass, fail, unknown;
};

void verify_take(const cJSON *item, void *ctx)
{
	struct verify_view *view = ctx;

	if (!*print_text(item, "id"))
		return;
	if (!view->checks)
		view->checks = cJSON_CreateArray();
	cJSON_AddItemToArray(view->checks, cJSON_Duplicate(item, true));
}

static bool is_of(const cJSON *check, const char *owner)
{
	return !strcmp(print_text(check, "owner"), owner);
}

static bool has_result(const cJSON *check, const char *result)
{
	return !strcmp(print_text(check, "result"), result);
}

/* Of one owner, or of all with NULL. */
static struct counts count(const cJSON *checks, const char *owner)
{
	struct counts counts = {};
	const cJSON *c;

	cJSON_ArrayForEach (c, checks) {
		if (owner && !is_of(c, owner))
			continue;
		counts.pass += has_result(c, "pass");
		counts.fail += has_result(c, "fail");
		counts.unknown += has_result(c, "unknown");
	}
	return counts;
}

static void print_line(const char *head, const char *value)
{
	if (*value)
		printf("             %-9s %s\n", head, value);
}

static void print_check(const cJSON *check)
{
	printf("    %-8s %-20s %-16s %s\n", print_text(check, "result"), print_text(check, "id"),
	       print_text(check, "subject"), print_text(check, "found"));
	if (has_result(check, "pass"))
		return;
	print_line("expected", print_text(check, "expected"));
	print_line("cure", print_text(check, "cure"));
}

static void print_owner(const struct verify_view *view, const char *owner)
{
	struct counts counts = count(view->checks, owner);
	const cJSON *c;

	printf("%s: %u passed", *owner ? owner : "node", counts.pass);
	if (counts.fail)
		printf(", %u failed", counts.fail);
	if (counts.unknown)
		printf(", %u unknown", counts.unknown);
	printf("\n");
	cJSON_ArrayForEach (c, view->checks)
		if (is_of(c, owner) && (view->all || !has_result(c, "pass")))
			print_check(c);
}

/* Whether none before it is of the same owner. */
static bool is_first(const cJSON *checks, const cJSON *check)
{
	const cJSON *c;

	cJSON_ArrayForEach (c, checks) {
		if (c == check)
			return true;
		if (is_of(c, print_text(check, "owner")))
			return false;
	}
	return true;
}

static void print_verdict(const cJSON *checks)
{
	struct counts counts = count(checks, NULL);
	unsigned int all = counts.pass + counts.fail + counts.unknown;

	printf("verdict: %s (", counts.fail ? "fail" : counts.unknown || !all ? "unknown" : "pass");
	if (counts.fail)
		printf("%u of %u checks failed", counts.fail, all);
	else
		printf("%u of %u checks passed", counts.pass, all);
	if (counts.unknown)
		printf(", %u unknown", counts.unknown);
	printf(")\n");
}

void verify_print(struct verify_view *view)
{
	const cJSON *c;

	for (int pods = 0; pods < 2; pods++)
		cJSON_ArrayForEach (c, view->checks)
			if (!*print_text(c, "owner") == !pods && is_first(view->checks, c))
				print_owner(view, print_text(c, "owner"));
	print_verdict(view->checks);
	cJSON_Delete(view->checks);
	view->checks = NULL;
}
