// SPDX-License-Identifier: Apache-2.0
#include "config/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

/* One of the names, as its position. */
int read_choice(struct reader *r, const char *name, const cJSON *value, const char *const *choices, size_t count)
{
	char list[128] = "";

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list);

		if (cJSON_IsString(value) && !strcmp(value->valuestring, choices[i]))
			return (int)i;
		snprintf(list + len, sizeof(list) - len, "%s\"%s\"", i ? ", " : "", choices[i]);
	}
	return fail(r->err, -EINVAL, "%s: \"%s\" must be one of %s", r->file, name, list);
}

int read_path(struct reader *r, const char *name, const cJSON *value, char *to)
{
	if (!cJSON_IsString(value) || value->valuestring[0] != '/')
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an absolute path", r->file, name);
	if (try_snprintf(to, PATH_MAX, "%s", value->valuestring))
		return fail(r->err, -EINVAL, "%s: \"%s\" is too long", r->file, name);
	return 0;
}

int read_number(struct reader *r, const char *name, const cJSON *value, unsigned int max, unsigned int *to)
{
	double v = cJSON_IsNumber(value) ? value->valuedouble : -1;

	if (!(v >= 0 && v <= max) || v != (double)(unsigned int)v)
		return fail(r->err, -ERANGE, "%s: \"%s\" must be a whole number from 0 to %u", r->file, name, max);
	*to = (unsigned int)v;
	return 0;
}

/* Runs each member of the object through its reader. */
int read_object(struct reader *r, const char *section, const cJSON *object, const struct key *keys, size_t count)
{
	const cJSON *member, *twin;
	char name[160];
	size_t k;
	int e;

	cJSON_ArrayForEach (member, object) {
		snprintf(name, sizeof(name), "%s%s%.64s", section, *section ? "." : "", member->string);
		for (twin = object->child; twin != member; twin = twin->next)
			if (!strcmp(twin->string, member->string))
				return fail(r->err, -EINVAL, "%s: the key \"%s\" stands twice", r->file, name);
		for (k = 0; k < count && strcmp(keys[k].name, member->string); k++)
			;
		if (k == count)
			return fail(r->err, -EINVAL, "%s: unknown key \"%s\"", r->file, name);
		e = keys[k].read(r, name, member);
		if (e)
			return e;
	}
	return 0;
}
