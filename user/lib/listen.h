/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen on, as the configuration has them: "127.0.0.1:9779", "[::1]:9779". Names are not looked up. */
#ifndef WARDEN_LISTEN_H
#define WARDEN_LISTEN_H

#include <sys/socket.h>

#include "lib/err.h"

/* 0, or -EINVAL for what is no address and port (1 to 65535). */
int listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *len);

/* A TCP socket that listens there: a descriptor, nonblocking, or -errno with a sentence that begins with `key`. */
int listen_open(const char *key, const char *text, struct err *err);

#endif
