/* SPDX-License-Identifier: Apache-2.0 */
/* `wardenctl qos --apply` and `--revert`: shows what would be changed, asks, and has it done. */
#ifndef WARDENCTL_CHANGE_H
#define WARDENCTL_CHANGE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "lib/err.h"

struct change_options {
	const char *socket;
	bool revert, yes, json;
};

/*
 * `request` holds the arguments. `show` gets each item of what was done and of the audit after it. 0 when each change
 * was made; 1 after a message when one was not, or nothing was to be done without a yes; else -errno.
 */
int change_settings(const struct change_options *options, const cJSON *request,
		    void (*show)(const cJSON *item, void *ctx), void *ctx, struct err *err);

#endif
