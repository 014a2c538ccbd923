/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the control socket, for the tools. */
#ifndef WARDEN_CLIENT_H
#define WARDEN_CLIENT_H

#include <cjson/cJSON.h>

#include "control/connect.h"
#include "lib/err.h"

/*
 * Sends the request (taken apart) and calls `item` for each item of the answer; the item belongs to the
 * caller again afterwards. 0, or -errno with the daemon's reason. Does not return while a request follows.
 */
int client_request(const char *socket_path, cJSON *request, void (*item)(const cJSON *item, void *ctx), void *ctx,
		   struct err *err);

/* What the last line of an answer, the one with "ok", says: 0, or -errno with the daemon's reason. */
int client_end(const cJSON *end, struct err *err);

#endif
