/* SPDX-License-Identifier: Apache-2.0 */
/* The list under the key node_policy. */
#ifndef WARDEN_CONFIG_POLICY_H
#define WARDEN_CONFIG_POLICY_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "lib/err.h"
#include "sriov/policy.h"

/* Reads it into POLICY_COUNT entries. `name` is that of the key. 0, or -errno and a message that names file and key. */
int config_policies(const char *file, const char *name, const cJSON *list, struct node_policy *policies, size_t *count,
		    struct err *err);

#endif
