/* SPDX-License-Identifier: Apache-2.0 */
/* The request about the packets of VFs; its ctx is a struct services. */
#ifndef WARDEN_PACKET_REQUESTS_H
#define WARDEN_PACKET_REQUESTS_H

#include <cjson/cJSON.h>

#include "control/server.h"

int handle_packets(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

#endif
