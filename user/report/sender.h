/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One server that is told things by HTTP, a request at a time, each in a thread of its own: the loop waits for nobody. What fails and
 * may go well later waits, each time twice as long, and at least as long as the server asks for.
 *
 * In the loop's thread.
 */
#ifndef WARDEN_SENDER_H
#define WARDEN_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "lib/work.h"
#include "report/notify.h"

struct sender;

struct sender_request {
	const char *method, *type;
	char *url, *body; /* malloc()ed; the sender's from then on */
};

struct sender_options {
	struct loop *loop; /* both must outlive it */
	struct work *work; /* for which this is one job more at most */
	const char *who; /* the server in messages, and */
	const char *ca, *token; /* files, or NULL, as in struct kube_request: they must outlive it */
	bool plain;
	unsigned int answer_ms, retry_min_ms, retry_max_ms;
	/*
	 * What is to be sent now. False: nothing before *due_ns (of boot_ns(); UINT64_MAX: not before sender_wake()).
	 */
	bool (*next)(void *ctx, uint64_t now, struct sender_request *request, uint64_t *due_ns);
	/*
	 * What next() gave has ended: 0, or as kube_http_ask() says it; `status` 0 without an answer. True: the server is well,
	 * whatever it thinks of this one request.
	 */
	bool (*ended)(void *ctx, int r, unsigned int status, const struct err *err);
	void *ctx;
};

/* 0 or -errno (-ENOENT without libcurl). */
int sender_open(struct sender **sender, const struct sender_options *options, struct err *err);
/* Ends a request that runs, without waiting for that: work_close() does, and then sender_close(). */
void sender_stop(struct sender *sender);
void sender_close(struct sender *sender);

/* There may be something to send. */
void sender_wake(struct sender *sender);

/* Without what has become of what was to be told: that is its owner's. */
const struct notify_health *sender_health(const struct sender *sender);

#endif
