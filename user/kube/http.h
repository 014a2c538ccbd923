/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the Kubernetes API server, and to others that speak JSON, one after the other, from a thread that may wait. TLS, unless
 * the request says that it may be without; the server's certificate must be of the given CA and for its name. No proxy is asked,
 * and no redirection is followed.
 */
#ifndef WARDEN_KUBE_HTTP_H
#define WARDEN_KUBE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct kube_http;

struct kube_request {
	const char *url; /* https://, or where `plain`, http:// */
	const char *who; /* the server, in messages; NULL: the API server */
	const char *ca; /* a file; NULL: the machine's own CAs */
	const char *
		token; /* a file, read for this request: the kubelet replaces it before the token ends; NULL: none is shown */
	bool plain;
	const char *method; /* NULL: GET, without a body; else one of these, */
	const char *type; /* of this media type, */
	const char *body; /* with this */
	unsigned int answer_ms; /* for the answer to begin, */
	unsigned int total_ms; /* and to end */
	/*
	 * Is given the body of an answer of success, piece by piece. What is not 0 ends the request, and is its answer. NULL: nobody
	 * wants it.
	 */
	int (*take)(void *ctx, const char *bytes, size_t len, struct err *err);
	void *ctx;
};

/* 0 or -errno (-ENOENT without libcurl). */
int kube_http_open(struct kube_http **http, struct err *err);
void kube_http_close(struct kube_http *http);

/* From another thread: ends what waits, now and from now on, with -ECANCELED. */
void kube_http_stop(struct kube_http *http);

struct kube_answer {
	unsigned int status; /* 0: there was none */
	unsigned int retry_after_s; /* what the server asks to wait, or 0 */
};

/*
 * 0: status 200, of other methods than GET any 2xx, and the whole body. -ESTALE: 410 Gone. -EACCES: no token, 401 or 403. -EAGAIN: 429 or the server's own
 * failure (5xx). -EBADMSG: any other status. -ETIMEDOUT. -EIO: no connection, not the right server, or the connection broke.
 */
int kube_http_ask(struct kube_http *http, const struct kube_request *request, struct kube_answer *answer,
		  struct err *err);

/* Waits: 0 or -ECANCELED. */
int kube_http_wait(struct kube_http *http, unsigned int ms);

#endif
