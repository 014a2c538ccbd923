// SPDX-License-Identifier: Apache-2.0
#include "metrics/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/listen.h"
#include "lib/log.h"
#include "lib/util.h"
#include "metrics/page.h"

#define HEAD_MS 10000
#define PAGE_MS 30000
#define MEMORY (16 << 10) /* bytes of a connection, for its request's head and its answer's */
#define STACK (256 << 10)
#define SEND_BUFFER (128 << 10) /* bytes: what the kernel takes of an answer is twice of it, and not a page */
#define NEVER UINT64_MAX

/*
 * select() and not poll(), with which the library goes on taking connections at its limit, and closes them. With select() it closes
 * those whose descriptor is beyond FD_SETSIZE: 1,024, which is the usual limit of a service anyway.
 */
#define FLAGS (MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC | MHD_USE_ERROR_LOG)

struct connection {
	int fd; /* -1: none */
	uint64_t until_ns; /* of now_ns() */
};

struct http {
	struct http_options options;
	struct MHD_Daemon *daemon;
	pthread_t guard; /* that ends who takes too long */
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct connection connections[HTTP_CONNECTIONS];
	unsigned int sending;
	bool stopped;
};

/* ---- deadlines: the library has none, only a timeout that a byte now and then renews ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* With the lock: ends those that are late, and gives the next one's time. */
static uint64_t end_late(struct http *h)
{
	uint64_t now = now_ns(), next = NEVER;

	for (size_t i = 0; i < HTTP_CONNECTIONS; i++) {
		struct connection *c = &h->connections[i];

		if (c->fd >= 0 && c->until_ns <= now) {
			shutdown(c->fd, SHUT_RDWR); /* and the library ends it, as it does when its client has gone */
			c->until_ns = NEVER;
		}
		if (c->fd >= 0 && c->until_ns < next)
			next = c->until_ns;
	}
	return next;
}

static void *guard_time(void *arg)
{
	struct http *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->stopped) {
		uint64_t next = end_late(h);
		const struct timespec t = { .tv_sec = (time_t)(next / 1000000000),
					    .tv_nsec = (long)(next % 1000000000) };

		if (next == NEVER)
			pthread_cond_wait(&h->changed, &h->lock);
		else
			pthread_cond_timedwait(&h->changed, &h->lock, &t);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void set_time(struct http *h, struct connection *c, unsigned int ms)
{
	pthread_mutex_lock(&h->lock);
	c->until_ns = now_ns() + ms * 1000000ull;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

/* With the lock. The library counts a connection before it is told of and until after its end, so that there is room. */
static struct connection *unused(struct http *h)
{
	struct connection *c = h->connections;

	while (c->fd >= 0)
		c++;
	return c;
}

/* Both before the descriptor is closed. */
static void connected(void *ctx, struct MHD_Connection *connection, void **mine,
		      enum MHD_ConnectionNotificationCode what)
{
	struct http *h = ctx;
	struct connection *c = *mine;

	pthread_mutex_lock(&h->lock);
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		c = *mine = unused(h);
		c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		c->until_ns = now_ns() + h->options.head_ms * 1000000ull;
		pthread_cond_signal(&h->changed);
	} else {
		c->fd = -1;
	}
	pthread_mutex_unlock(&h->lock);
}

/* ---- answers ---- */

/* Takes the response over, which may be NULL: no memory. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *type,
			      struct MHD_Response *r)
{
	enum MHD_Result queued;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "Connection", "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, "Retry-After", "1");
	queued = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	return answer(connection, status, "text/plain; charset=utf-8",
		      MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result refuse(struct MHD_Connection *connection, const struct err *err)
{
	char text[sizeof(err->text) + 1];

	snprintf(text, sizeof(text), "%s\n", err->text);
	return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

/* ---- the page: the snapshot has it, and is held until it is sent ---- */

struct sending {
	struct http *http;
	struct snapshot *snapshot;
};

static struct sending *begin_sending(struct http *h)
{
	struct sending *s = NULL;

	pthread_mutex_lock(&h->lock);
	if (h->sending < HTTP_PAGES)
		s = calloc(1, sizeof(*s));
	if (s) {
		s->http = h;
		h->sending++;
	}
	pthread_mutex_unlock(&h->lock);
	return s;
}

static void end_sending(void *ctx)
{
	struct sending *s = ctx;

	pthread_mutex_lock(&s->http->lock);
	s->http->sending--;
	pthread_mutex_unlock(&s->http->lock);
	snapshot_drop(s->snapshot);
	free(s);
}

/* Takes over `s`. */
static enum MHD_Result answer_page(struct MHD_Connection *connection, struct sending *s, const struct bytes *page,
				   enum exposition_format format)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer_with_free_callback_cls(page->len, page->data, end_sending, s);

	if (r)
		MHD_add_response_header(r, "Vary", "Accept");
	else
		end_sending(s);
	return answer(connection, MHD_HTTP_OK, exposition_content_type(format), r);
}

static enum MHD_Result answer_metrics(struct http *h, struct MHD_Connection *connection)
{
	enum exposition_format format =
		exposition_accept(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"));
	struct sending *s = begin_sending(h);
	const struct bytes *page = NULL;
	struct err err;

	if (!s)
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many read this page at once\n");
	fail(&err, -ENOMEM, "out of memory");
	if (!h->options.get(h->options.ctx, &s->snapshot, &err))
		page = page_of(s->snapshot, format);
	if (page)
		return answer_page(connection, s, page, format);
	end_sending(s);
	return refuse(connection, &err);
}

static enum MHD_Result answer_ready(struct http *h, struct MHD_Connection *connection)
{
	struct err err;

	if (h->options.ready(h->options.ctx, &err))
		return refuse(connection, &err);
	return answer_text(connection, MHD_HTTP_OK, "ready\n");
}

/* Called when the head of a request is there; each is answered then, and a body is not waited for. */
static enum MHD_Result request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
			       const char *version, const char *body, size_t *body_len, void **state)
{
	struct http *h = ctx;

	(void)version;
	(void)body;
	(void)body_len;
	(void)state;
	set_time(h, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context,
		 h->options.page_ms);
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are all there is here\n");
	if (!strcmp(url, "/metrics"))
		return answer_metrics(h, connection);
	if (!strcmp(url, "/healthz"))
		return answer_text(connection, MHD_HTTP_OK, "alive\n");
	if (!strcmp(url, "/readyz"))
		return answer_ready(h, connection);
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "there is /metrics, /healthz and /readyz\n");
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

static struct http *new_http(const struct http_options *options)
{
	struct http *h = calloc(1, sizeof(*h));
	pthread_condattr_t clock;

	if (!h)
		return NULL;
	h->options = *options;
	h->options.head_ms = options->head_ms ? options->head_ms : HEAD_MS;
	h->options.page_ms = options->page_ms ? options->page_ms : PAGE_MS;
	for (size_t i = 0; i < HTTP_CONNECTIONS; i++)
		h->connections[i].fd = -1;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &clock);
	pthread_condattr_destroy(&clock);
	return h;
}

static void release(struct http *h)
{
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->changed);
	free(h);
}

static void stop_guard(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	h->stopped = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->guard, NULL);
}

/* The listener is the library's from now on, which closes it on most of its errors. */
static int start(struct http *h, int listener)
{
	if (pthread_create(&h->guard, NULL, guard_time, h))
		return -ENOMEM;
	h->daemon = MHD_start_daemon(FLAGS, 0, NULL, NULL, request, h, MHD_OPTION_EXTERNAL_LOGGER, logged, NULL,
				     MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_CONNECTION, connected, h,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
				     (size_t)STACK, MHD_OPTION_END);
	if (!h->daemon) {
		stop_guard(h);
		return -ENOMEM;
	}
	return 0;
}

int http_open(struct http **http, const struct http_options *options, struct err *err)
{
	int listener = listen_open("metrics", options->listen, err), r;
	sigset_t all, before;
	struct http *h;

	if (listener < 0)
		return listener;
	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BUFFER },
		   sizeof(int)); /* its connections inherit it */
	h = new_http(options);
	if (!h) {
		util_close(&listener);
		return fail(err, -ENOMEM, "out of memory");
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* they are the loop's */
	r = start(h, listener);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		release(h);
		return fail(err, r, "metrics: the server on %s cannot be started", options->listen);
	}
	*http = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon);
	stop_guard(h);
	release(h);
}
