/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about the marking of RoCE traffic; their ctx is a struct services. */
#ifndef WARDEN_QOS_REQUESTS_H
#define WARDEN_QOS_REQUESTS_H

#include <cjson/cJSON.h>

#include "control/server.h"

int handle_qos(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

#endif
