/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the control socket, for the tools. */
#ifndef WARDEN_CLIENT_H
#define WARDEN_CLIENT_H

#include <cjson/cJSON.h>

#include "lib/err.h"

#define CONTROL_SOCKET "/run/rdma-warden/warden.sock" /* as the configuration has it by default */

/*
 * Sends the request (taken apart) and calls `item` for each item of the answer; the item belongs to the
 * caller again afterwards. 0, or -errno with the daemon's reason. Does not return while a request follows.
 */
int client_request(const char *socket_path, cJSON *request, void (*item)(const cJSON *item, void *ctx), void *ctx,
		   struct err *err);

/* ---- its parts, for who keeps a connection ---- */

/* A connection on which sending and receiving wait so long (0: for ever), or -errno. */
int client_connect(const char *socket_path, unsigned int seconds, struct err *err);
/* 0 or -errno. */
int client_send(int fd, const char *bytes, size_t len);
/* What the last line of an answer, the one with "ok", says: 0, or -errno with the daemon's reason. */
int client_end(const cJSON *end, struct err *err);

#endif
