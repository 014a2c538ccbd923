/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a UNIX stream socket (mode 0600), answered only to root (SO_PEERCRED). A request is
 * one line of JSON, {"request": NAME, ...}. The answer is lines of JSON: the items, one object a line, and
 * last {"ok": true} or {"ok": false, "error": TEXT, "errno": NUMBER}. A connection serves requests one
 * after the other, until it follows the events.
 */
#ifndef WARDEN_SERVER_H
#define WARDEN_SERVER_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "report/events.h"

#define CONTROL_MAX_REQUEST (4 << 20) /* a network configuration of 1 MiB, as a string in JSON */

struct server;
struct reply;

struct peer {
	uint32_t pid, uid;
};

#define REPLY_LATER 1

struct request_kind {
	const char *name;
	/*
	 * Answers with items; 0, or -errno with the reason, and then nothing must be changed. Or, after reply_later(),
	 * REPLY_LATER.
	 */
	int (*handle)(void *ctx, const cJSON *args, struct reply *reply, struct err *err);
};

struct server_options {
	const char *path;
	const struct request_kind *kinds; /* ends with a NULL name */
	void *ctx;
	struct events *events; /* for reply_follow() */
};

int server_open(struct server **server, struct loop *loop, const struct server_options *options, struct err *err);
/* Closes the connections and removes the socket. */
void server_close(struct server *server);

/* Sends one item and takes it apart. */
void reply_item(struct reply *reply, cJSON *item);
void reply_line(struct reply *reply, const char *line, size_t len);
/*
 * The answer comes later, from the loop's thread, by reply_end(); until then the connection's next request waits. NULL: out
 * of memory. It is to be ended also when who asked has gone, which reply_item() and reply_end() do not mind.
 */
struct reply *reply_later(struct reply *reply);
void reply_end(struct reply *later, int code, const struct err *err);
/* From now on the connection gets each event as it comes. */
void reply_follow(struct reply *reply);
const struct peer *reply_peer(const struct reply *reply);

#endif
