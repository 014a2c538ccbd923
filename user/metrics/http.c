// SPDX-License-Identifier: Apache-2.0
#include "metrics/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/listen.h"
#include "lib/log.h"
#include "lib/util.h"
#include "metrics/page.h"

#define BLOCK (32 << 10) /* bytes that are sent at once */
#define STACK (256 << 10)
#define MEMORY (16 << 10) /* of a connection, for its request */

struct http {
	struct http_options options;
	struct MHD_Daemon *daemon;
	atomic_uint sending;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result queued;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, "Retry-After", "1");
	queued = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, const struct err *err)
{
	char text[sizeof(err->text) + 1];

	snprintf(text, sizeof(text), "%s\n", err->text);
	return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

/* ---- the page, which the snapshot has ---- */

struct sending {
	struct http *http;
	struct snapshot *snapshot;
	const struct bytes *page;
	uint64_t until_ns;
};

static ssize_t send_some(void *ctx, uint64_t at, char *to, size_t room)
{
	const struct sending *s = ctx;
	size_t left = s->page->len - (size_t)at, len = left < room ? left : room;

	if (boot_ns() > s->until_ns)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	memcpy(to, s->page->data + at, len);
	return (ssize_t)len;
}

static void sent(void *ctx)
{
	struct sending *s = ctx;

	atomic_fetch_sub(&s->http->sending, 1);
	snapshot_drop(s->snapshot);
	free(s);
}

static enum MHD_Result send_page(struct MHD_Connection *connection, struct sending *s, enum exposition_format format)
{
	struct MHD_Response *r = MHD_create_response_from_callback(s->page->len, BLOCK, send_some, s, sent);
	enum MHD_Result queued;

	if (!r) {
		sent(s);
		return MHD_NO;
	}
	MHD_add_response_header(r, "Content-Type", exposition_content_type(format));
	MHD_add_response_header(r, "Vary", "Accept");
	queued = MHD_queue_response(connection, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result metrics(struct http *h, struct MHD_Connection *connection)
{
	enum exposition_format format =
		exposition_accept(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"));
	struct sending *s;
	struct err err;

	if (atomic_fetch_add(&h->sending, 1) >= HTTP_PAGES) {
		atomic_fetch_sub(&h->sending, 1);
		return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many read this page at once\n");
	}
	s = calloc(1, sizeof(*s));
	fail(&err, -ENOMEM, "out of memory");
	if (s && !h->options.get(h->options.ctx, &s->snapshot, &err))
		s->page = page_of(s->snapshot, format);
	if (!s || !s->page) {
		if (s)
			snapshot_drop(s->snapshot);
		free(s);
		atomic_fetch_sub(&h->sending, 1);
		return refuse(connection, &err);
	}
	s->http = h;
	s->until_ns = boot_ns() + HTTP_PAGE_S * 1000000000ull;
	return send_page(connection, s, format);
}

static enum MHD_Result ready(struct http *h, struct MHD_Connection *connection)
{
	struct err err;

	if (h->options.ready(h->options.ctx, &err))
		return refuse(connection, &err);
	return answer(connection, MHD_HTTP_OK, "ready\n");
}

/* ---- requests ---- */

/* Called once when the head of a request is there, again with a body's pieces, and at its end: a body is refused at the head. */
static enum MHD_Result request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_len, void **state)
{
	struct http *h = ctx;

	(void)version;
	(void)upload;
	(void)state;
	if (*upload_len) {
		*upload_len = 0;
		return MHD_NO;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are all there is here\n");
	if (!strcmp(url, "/metrics"))
		return metrics(h, connection);
	if (!strcmp(url, "/healthz"))
		return answer(connection, MHD_HTTP_OK, "alive\n");
	if (!strcmp(url, "/readyz"))
		return ready(h, connection);
	return answer(connection, MHD_HTTP_NOT_FOUND, "there is /metrics, /healthz and /readyz\n");
}

/* What clients do wrong is theirs, and no reason to fill a log. */
static void logged(void *ctx, const char *format, va_list args)
{
	char text[256];

	(void)ctx;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	pr_debug("metrics: %s", text);
}

/* ---- life ---- */

int http_open(struct http **http, const struct http_options *options, struct err *err)
{
	_cleanup_close_ int fd = listen_open("metrics", options->listen, err);
	struct http *h;
	sigset_t all, before;

	if (fd < 0)
		return fd;
	h = calloc(1, sizeof(*h));
	if (!h)
		return fail(err, -ENOMEM, "out of memory");
	h->options = *options;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* they are the loop's */
	h->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
					     MHD_USE_ITC | MHD_USE_ERROR_LOG,
				     0, NULL, NULL, request, h, MHD_OPTION_EXTERNAL_LOGGER, logged, NULL,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned int)HTTP_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned int)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
				     MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!h->daemon) {
		free(h);
		return fail(err, -ENOMEM, "metrics: the server on %s cannot be started", options->listen);
	}
	take_fd(&fd);
	*http = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon);
	free(h);
}
