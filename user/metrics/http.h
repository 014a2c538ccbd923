/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics, /healthz and /readyz over HTTP/1.1, by libmicrohttpd: GET and HEAD, one request a connection; a body is not read. Each
 * connection has a thread of its own, so that a slow reader costs itself alone; how many there are, how long they may last, and how
 * many pages they may hold are bounded. What is no request of HTTP, or too long a one, the library refuses. No TLS.
 */
#ifndef WARDEN_HTTP_H
#define WARDEN_HTTP_H

#include "lib/err.h"
#include "metrics/snapshot.h"

#define HTTP_CONNECTIONS 64 /* who comes then waits for one to end */
#define HTTP_PAGES 8 /* that are being sent; who asks for more is told to come again */

struct http;

struct http_options {
	const char *listen; /* the value of the key `metrics` */
	/* Gives what there is now, to be dropped, as collector_get(). */
	int (*get)(void *ctx, struct snapshot **snapshot, struct err *err);
	/* Whether the rule is looked after: 0, or -errno and why not. */
	int (*ready)(void *ctx, struct err *err);
	void *ctx;
	/* For a request to come, and for its answer to be made and read, however the bytes trickle; 0: 10 and 30 seconds. */
	unsigned int head_ms, page_ms;
};

/* Both are called in the connections' threads. 0, or -errno with a sentence that names the key. */
int http_open(struct http **http, const struct http_options *options, struct err *err);
/* Ends the connections: what `get` and `ready` wait for must come to an end by itself. */
void http_close(struct http *http);

#endif
