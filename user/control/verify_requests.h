/* SPDX-License-Identifier: Apache-2.0 */
/* The request verify: does the node keep what it promises. Its ctx is a struct services. */
#ifndef WARDEN_VERIFY_REQUESTS_H
#define WARDEN_VERIFY_REQUESTS_H

#include <cjson/cJSON.h>

#include "control/server.h"

/* The checks, an item each, and at the end the verdict. All sources are asked anew, and each pod is looked at from inside. */
int handle_verify(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

#endif
