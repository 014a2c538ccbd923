/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted on the node's devices and ports, for who shows it: user/control/server.h. */
#ifndef WARDEN_STATS_REQUESTS_H
#define WARDEN_STATS_REQUESTS_H

#include <cjson/cJSON.h>

#include "lib/err.h"

struct reply;

/* {"request":"stats"}: a line of the node, one each PF, one each device. All counters are cumulative. */
int handle_stats(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

/* {"request":"qps","device":NAME-or-PCI}: a line each queue pair that processes have. */
int handle_qps(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

#endif
