/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to wardend's control socket. */
#ifndef WARDEN_CONNECT_H
#define WARDEN_CONNECT_H

#include <stddef.h>

#include "lib/err.h"

#define CONTROL_SOCKET "/run/rdma-warden/warden.sock" /* as the configuration has it by default */

/* One on which sending and receiving wait so long (0: for ever), or -errno. */
int client_connect(const char *path, unsigned int seconds, struct err *err);
/* 0 or -errno. */
int client_send(int fd, const char *bytes, size_t len);

#endif
