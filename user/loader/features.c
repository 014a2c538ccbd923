// SPDX-License-Identifier: Apache-2.0
#include "loader/features.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct feature *find(struct features *features, const char *name)
{
	for (size_t i = 0; i < features->count; i++)
		if (!strcmp(features->items[i].name, name))
			return &features->items[i];
	return NULL;
}

static struct feature *add(struct features *features, const char *name)
{
	if (features->count == MAX_FEATURES)
		abort(); /* the tables of the loader are larger than the array: not a matter of input */
	features->items[features->count] = (struct feature){ .name = name };
	return &features->items[features->count++];
}

void features_set(struct features *features, const char *name, enum feature_state state, const char *by,
		  const char *fmt, ...)
{
	struct feature *f = find(features, name);
	va_list args;

	if (!f)
		f = add(features, name);
	f->state = state;
	snprintf(f->by, sizeof(f->by), "%s", by);
	va_start(args, fmt);
	vsnprintf(f->reason, sizeof(f->reason), fmt, args);
	va_end(args);
}

bool features_known(const struct features *features, const char *name)
{
	return find((struct features *)features, name) != NULL;
}
