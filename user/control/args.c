// SPDX-License-Identifier: Apache-2.0
#include "control/args.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int args_known(const cJSON *args, const char *const *known, struct err *err)
{
	const cJSON *member;

	cJSON_ArrayForEach (member, args) {
		const char *const *k = known;

		while (*k && strcmp(*k, member->string))
			k++;
		if (!*k && strcmp(member->string, "request"))
			return fail(err, -EINVAL, "unknown argument \"%.64s\"", member->string);
	}
	return 0;
}

int args_string(const cJSON *args, const char *name, bool required, const char **value, struct err *err)
{
	const cJSON *arg = cJSON_GetObjectItemCaseSensitive(args, name);

	*value = NULL;
	if (!arg)
		return required ? fail(err, -EINVAL, "argument \"%s\" is missing", name) : 0;
	if (!cJSON_IsString(arg) || !arg->valuestring[0])
		return fail(err, -EINVAL, "argument \"%s\" must be a string", name);
	*value = arg->valuestring;
	return 0;
}

int args_number(const cJSON *args, const char *name, double max, double *value, struct err *err)
{
	const cJSON *arg = cJSON_GetObjectItemCaseSensitive(args, name);

	*value = -1;
	if (!arg)
		return 0;
	if (!cJSON_IsNumber(arg) || !(arg->valuedouble >= 1 && arg->valuedouble <= max) ||
	    floor(arg->valuedouble) != arg->valuedouble)
		return fail(err, -ERANGE, "argument \"%s\" must be a whole number from 1 to %.0f", name, max);
	*value = arg->valuedouble;
	return 0;
}
