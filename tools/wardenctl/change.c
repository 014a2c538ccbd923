// SPDX-License-Identifier: Apache-2.0
#include "wardenctl/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "wardenctl/print.h"

struct planning {
	bool json;
	char plan[32];
	unsigned int changes;
};

static void show_plan(const cJSON *item, void *ctx)
{
	const cJSON *plan = cJSON_GetObjectItemCaseSensitive(item, "plan");
	const cJSON *changes = cJSON_GetObjectItemCaseSensitive(item, "changes");
	struct planning *p = ctx;

	(p->json ? print_json : print_change)(item, NULL);
	if (!cJSON_IsString(plan) || !cJSON_IsNumber(changes) || changes->valuedouble < 0)
		return;
	snprintf(p->plan, sizeof(p->plan), "%s", plan->valuestring);
	p->changes = (unsigned int)changes->valuedouble;
}

static cJSON *ask_for(const char *name, const struct change_options *options, const cJSON *arguments)
{
	cJSON *request = cJSON_Duplicate(arguments, true);

	cJSON_AddStringToObject(request, "request", name);
	if (options->revert)
		cJSON_AddTrueToObject(request, "revert");
	return request;
}

/* On stderr, so that stdout stays what was asked for. */
static bool confirmed(const struct change_options *options, const struct planning *p)
{
	char answer[16];

	if (options->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		fputs("wardenctl: nothing was changed: there is no terminal to ask at; --yes makes the changes\n",
		      stderr);
		return false;
	}
	fprintf(stderr, "Make %s %u change%s? [y/N] ", p->changes == 1 ? "this" : "these", p->changes,
		p->changes == 1 ? "" : "s");
	if (fgets(answer, sizeof(answer), stdin) && (!strcmp(answer, "y\n") || !strcmp(answer, "yes\n")))
		return true;
	fputs("wardenctl: nothing was changed\n", stderr);
	return false;
}

struct doing {
	void (*show)(const cJSON *item, void *ctx);
	void *ctx;
	bool json;
	unsigned int failed;
};

static void show_done(const cJSON *item, void *ctx)
{
	const cJSON *done = cJSON_GetObjectItemCaseSensitive(item, "done");
	struct doing *d = ctx;

	if (!cJSON_IsString(done)) {
		d->show(item, d->ctx);
		return;
	}
	d->failed += strcmp(done->valuestring, "done") != 0;
	(d->json ? print_json : print_change)(item, NULL);
}

int change_settings(const struct change_options *options, const cJSON *arguments,
		    void (*show)(const cJSON *item, void *ctx), void *ctx, struct err *err)
{
	struct planning planning = { .json = options->json };
	struct doing doing = { .show = show, .ctx = ctx, .json = options->json };
	cJSON *request;
	int r = client_request(options->socket, ask_for("qos-plan", options, arguments), show_plan, &planning, err);

	if (r)
		return r;
	if (planning.changes && !confirmed(options, &planning))
		return 1;
	request = ask_for("qos-apply", options, arguments);
	cJSON_AddStringToObject(request, "plan", planning.plan);
	r = client_request(options->socket, request, show_done, &doing, err);
	return r ? r : doing.failed > 0;
}
