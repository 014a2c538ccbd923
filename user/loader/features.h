/* SPDX-License-Identifier: Apache-2.0 */
/* The table of capabilities as it is filled in. */
#ifndef WARDEN_FEATURES_H
#define WARDEN_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "loader/loader.h"

#define MAX_FEATURES 48

struct features {
	struct feature items[MAX_FEATURES];
	size_t count;
};

/* Enters the feature, or changes it; by and the reason are cut to what a feature has room for. */
void features_set(struct features *features, const char *name, enum feature_state state, const char *by,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

bool features_known(const struct features *features, const char *name);

#endif
