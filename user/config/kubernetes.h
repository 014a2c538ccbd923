/* SPDX-License-Identifier: Apache-2.0 */
/* The section "kubernetes" of the configuration file. */
#ifndef WARDEN_CONFIG_KUBERNETES_H
#define WARDEN_CONFIG_KUBERNETES_H

#include "config/reader.h"

void kubernetes_defaults(struct config_kubernetes *k);
int read_kubernetes(struct reader *r, const char *name, const cJSON *value);

#endif
