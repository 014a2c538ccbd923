/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the rules, as events, the configuration and metrics have them. */
#ifndef WARDEN_RULES_H
#define WARDEN_RULES_H

#include <stdint.h>

/* "unknown" for what is none. */
const char *rule_name(uint32_t rule);
/* The rule (enum warden_rule) of that name, or -ENOENT. */
int rule_find(const char *name);

#endif
