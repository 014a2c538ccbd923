/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unary gRPC call to a unix socket. HTTP/2 is libcurl's; the protocol above it (one message each way behind five bytes, the
 * status in the trailers) is that of gRPC's "gRPC over HTTP2", without compression and without TLS.
 */
#ifndef WARDEN_KUBE_GRPC_H
#define WARDEN_KUBE_GRPC_H

#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"

/* gRPC's own numbers. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_UNKNOWN = 2,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_UNIMPLEMENTED = 12,
};

struct grpc_call {
	const char *socket;
	const char *method; /* "package.Service/Method" */
	const void *request; /* the message */
	size_t len;
	unsigned int ms; /* for all of it, from now on */
	size_t max; /* bytes of the answer's message */
};

struct grpc_reply {
	int status; /* enum grpc_status, or another number of gRPC's */
	char text[256]; /* of a status that is not GRPC_OK: what the server says, with '?' for what cannot be printed */
	const uint8_t *message; /* within `body` */
	size_t len;
	struct bytes body;
};

void grpc_reply_free(struct grpc_reply *reply);

/*
 * 0: there is an answer, whatever its status. Else `err` names socket and method: -ENOENT no socket is there, -ECONNREFUSED nobody
 * listens at it, -ETIMEDOUT, -EMSGSIZE the message is longer than `max`, -EPROTO what came is no answer, or not all of it, -ENOSYS
 * there is no libcurl that has HTTP/2, -ENOMEM.
 */
int grpc_call(const struct grpc_call *call, struct grpc_reply *reply, struct err *err);

#endif
