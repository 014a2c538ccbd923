/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a request, checked: 0, or -errno with a reason that names the argument. */
#ifndef WARDEN_ARGS_H
#define WARDEN_ARGS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "lib/err.h"

/* Refuses what the request does not know; `known` ends with NULL. */
int args_known(const cJSON *args, const char *const *known, struct err *err);
/* NULL when it is absent and not required. */
int args_string(const cJSON *args, const char *name, bool required, const char **value, struct err *err);
/* -1 when it is absent. */
int args_number(const cJSON *args, const char *name, double max, double *value, struct err *err);

#endif
