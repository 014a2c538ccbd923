/* SPDX-License-Identifier: Apache-2.0 */
/* The section "notify" of the configuration file. */
#ifndef WARDEN_CONFIG_NOTIFY_H
#define WARDEN_CONFIG_NOTIFY_H

#include "config/reader.h"

int read_notify(struct reader *r, const char *name, const cJSON *value);

#endif
