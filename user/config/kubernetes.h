/* SPDX-License-Identifier: Apache-2.0 */
/* The section "kubernetes" of the configuration file. */
#ifndef WARDEN_CONFIG_KUBERNETES_H
#define WARDEN_CONFIG_KUBERNETES_H

#include "config/reader.h"

void kubernetes_defaults(struct config_kubernetes *k);
struct kube_config;

/* This node's name, as "kubernetes.node" says it; "" where nobody does. */
void kubernetes_node(const struct config_kubernetes *k, char *to, size_t size);
/* Where the API server is and what is shown to it. -ENOENT: it is not to be asked; -EINVAL: it cannot be. */
int kubernetes_api(const struct config_kubernetes *k, struct kube_config *to, struct err *err);

int read_kubernetes(struct reader *r, const char *name, const cJSON *value);

#endif
