// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "metrics/http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/listen.h"
#include "lib/log.h"
#include "lib/util.h"
#include "metrics/page.h"
#include "metrics/request.h"

#define HEAD_MS 10000
#define PAGE_MS 30000
#define LINGER_MS 500 /* that what is still on its way is read away, or the answer would be lost with it */
#define PIECE (64 << 10) /* bytes that are sent at once */
#define STACK (256 << 10)
#define RETRY_MS 100 /* where there is no memory, or no descriptor, for another connection */

struct connection {
	struct connection *next;
	struct http *http;
	int fd;
};

struct http {
	struct http_options options;
	int listener, stop; /* an eventfd: it is to end, or there is room again */
	pthread_t thread; /* that takes connections */
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t ended;
	struct connection *connections;
	unsigned int count, sending;
	bool stopped;
};

/* ---- bytes, until a deadline ---- */

/* 0, or -ETIMEDOUT. */
static int wait_for(int fd, short events, uint64_t until_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = boot_ns();
	int n;

	if (now >= until_ns)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)((until_ns - now) / 1000000) + 1);
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : -ETIMEDOUT;
}

static int send_until(int fd, const char *bytes, size_t len, uint64_t until_ns)
{
	while (len) {
		ssize_t n = send(fd, bytes, len < PIECE ? len : PIECE, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		if (len && wait_for(fd, POLLOUT, until_ns))
			return -ETIMEDOUT;
	}
	return 0;
}

/* Up to the empty line that ends the head: 0, -E2BIG, -ETIMEDOUT, or -ENODATA when it is not whole. */
static int receive_head(int fd, char *head, size_t size, size_t *len, uint64_t until_ns)
{
	*len = 0;
	while (!request_is_whole(head, *len)) {
		ssize_t n;

		if (*len == size)
			return -E2BIG;
		if (wait_for(fd, POLLIN, until_ns))
			return -ETIMEDOUT;
		n = recv(fd, head + *len, size - *len, MSG_DONTWAIT);
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			return -ENODATA;
		*len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* RFC 9112, 9.6: a connection that is closed while bytes of the other side wait is reset, and the answer may go with it. */
static void linger(int fd)
{
	uint64_t until = boot_ns() + LINGER_MS * 1000000ull;
	char bytes[4096];

	shutdown(fd, SHUT_WR);
	for (size_t got = 0; got < 64 * sizeof(bytes);) {
		ssize_t n = wait_for(fd, POLLIN, until) ? 0 : recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n <= 0)
			return;
		got += (size_t)n;
	}
}

/* ---- answers ---- */

static void send_answer(const struct connection *c, const struct answer *a, bool with_body)
{
	const struct http_options *o = &c->http->options;
	uint64_t until = boot_ns() + (o->page_ms ? o->page_ms : PAGE_MS) * 1000000ull;
	char head[512];
	int len = snprintf(head, sizeof(head),
			   "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
			   "Cache-Control: no-store\r\n%s\r\n",
			   a->status, answer_reason(a->status), a->type, a->len, a->headers);

	if (!send_until(c->fd, head, (size_t)len, until) && with_body)
		send_until(c->fd, a->body, a->len, until);
	linger(c->fd);
}

static void send_text(const struct connection *c, unsigned int status, const char *text, bool with_body)
{
	const struct answer a = { .status = status,
				  .type = "text/plain; charset=utf-8",
				  .headers = status == 405   ? "Allow: GET, HEAD\r\n"
					     : status == 503 ? "Retry-After: 1\r\n"
							     : "",
				  .body = text,
				  .len = strlen(text) };

	send_answer(c, &a, with_body);
}

static void send_refusal(const struct connection *c, const struct err *err, bool with_body)
{
	char text[sizeof(err->text) + 1];

	snprintf(text, sizeof(text), "%s\n", err->text);
	send_text(c, 503, text, with_body);
}

static bool begin_sending(struct http *h)
{
	bool may;

	pthread_mutex_lock(&h->lock);
	may = h->sending < HTTP_PAGES;
	h->sending += may;
	pthread_mutex_unlock(&h->lock);
	return may;
}

static void end_sending(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	h->sending--;
	pthread_mutex_unlock(&h->lock);
}

static void send_metrics(const struct connection *c, const struct request *r)
{
	enum exposition_format format = exposition_accept(r->accept[0] ? r->accept : NULL);
	const struct http_options *o = &c->http->options;
	struct snapshot *snapshot = NULL;
	const struct bytes *page = NULL;
	struct err err;

	fail(&err, -ENOMEM, "out of memory");
	if (!o->get(o->ctx, &snapshot, &err))
		page = page_of(snapshot, format);
	if (page)
		send_answer(c,
			    &(struct answer){ .status = 200,
					      .type = exposition_content_type(format),
					      .headers = "Vary: Accept\r\n",
					      .body = page->data,
					      .len = page->len },
			    !r->head);
	else
		send_refusal(c, &err, !r->head);
	snapshot_drop(snapshot);
}

static void send_ready(const struct connection *c, const struct request *r)
{
	const struct http_options *o = &c->http->options;
	struct err err;

	if (o->ready(o->ctx, &err))
		send_refusal(c, &err, !r->head);
	else
		send_text(c, 200, "ready\n", !r->head);
}

static void serve_request(const struct connection *c, const struct request *r)
{
	if (!strcmp(r->path, "/healthz")) {
		send_text(c, 200, "alive\n", !r->head);
	} else if (!strcmp(r->path, "/readyz")) {
		send_ready(c, r);
	} else if (strcmp(r->path, "/metrics")) {
		send_text(c, 404, "there is /metrics, /healthz and /readyz\n", !r->head);
	} else if (!begin_sending(c->http)) {
		send_text(c, 503, "too many read this page at once\n", !r->head);
	} else {
		send_metrics(c, r);
		end_sending(c->http);
	}
}

/* ---- connections ---- */

static void serve(const struct connection *c)
{
	const struct http_options *o = &c->http->options;
	uint64_t until = boot_ns() + (o->head_ms ? o->head_ms : HEAD_MS) * 1000000ull;
	char head[HTTP_HEAD_MAX + 1];
	struct request request;
	unsigned int status;
	size_t len;
	int r = receive_head(c->fd, head, HTTP_HEAD_MAX, &len, until);

	if (r == -ENODATA)
		return;
	if (r) {
		send_text(c, r == -E2BIG ? 431 : 408,
			  r == -E2BIG ? "the request is too long\n" : "the request did not come in time\n", true);
		return;
	}
	status = request_parse(head, len, &request);
	if (status)
		send_text(c, status, request.problem, !request.head);
	else
		serve_request(c, &request);
}

static void *run(void *arg)
{
	struct connection *c = arg, **p;
	struct http *h = c->http;

	serve(c);
	pthread_mutex_lock(&h->lock);
	for (p = &h->connections; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	h->count--;
	close(c->fd);
	eventfd_write(h->stop, 1); /* there is room again */
	pthread_cond_signal(&h->ended);
	pthread_mutex_unlock(&h->lock);
	free(c);
	return NULL;
}

static int begin_thread(struct connection *c)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	r = pthread_create(&thread, &attributes, run, c);
	pthread_attr_destroy(&attributes);
	return -r;
}

/* Takes over the descriptor. */
static int begin(struct http *h, int fd)
{
	struct connection *c = malloc(sizeof(*c));
	int r = -ENOMEM;

	pthread_mutex_lock(&h->lock);
	if (c) {
		*c = (struct connection){ .next = h->connections, .http = h, .fd = fd };
		h->connections = c;
		h->count++;
		r = begin_thread(c);
	}
	if (c && r) {
		h->connections = c->next;
		h->count--;
	}
	pthread_mutex_unlock(&h->lock);
	if (r) {
		close(fd);
		free(c);
	}
	return r;
}

static bool has_room(struct http *h, bool *stopped)
{
	bool room;

	pthread_mutex_lock(&h->lock);
	room = h->count < HTTP_CONNECTIONS;
	*stopped = h->stopped;
	pthread_mutex_unlock(&h->lock);
	return room;
}

/* Who comes while there is no room waits in the backlog. */
static void *take_connections(void *arg)
{
	struct http *h = arg;
	eventfd_t count;
	bool stopped;

	for (;;) {
		struct pollfd p[] = { { .fd = h->stop, .events = POLLIN },
				      { .fd = has_room(h, &stopped) ? h->listener : -1, .events = POLLIN } };
		int fd;

		if (stopped)
			return NULL;
		poll(p, 2, -1);
		if (p[0].revents)
			eventfd_read(h->stop, &count);
		if (!p[1].revents)
			continue;
		fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0 ? begin(h, fd) : errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			poll(NULL, 0, RETRY_MS);
	}
}

/* ---- life ---- */

static void release(struct http *h)
{
	util_close(&h->listener);
	util_close(&h->stop);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->ended);
	free(h);
}

int http_open(struct http **http, const struct http_options *options, struct err *err)
{
	struct http *h = calloc(1, sizeof(*h));
	sigset_t all, before;
	int r;

	if (!h)
		return fail(err, -ENOMEM, "out of memory");
	h->options = *options;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->ended, NULL);
	h->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->listener = listen_open("metrics", options->listen, err);
	r = h->listener < 0 ? h->listener : h->stop < 0 ? fail(err, -errno, "eventfd: %s", strerror(errno)) : 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* they are the loop's */
	if (!r && pthread_create(&h->thread, NULL, take_connections, h))
		r = fail(err, -ENOMEM, "metrics: no thread can be started");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		release(h);
		return r;
	}
	*http = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stopped = true;
	eventfd_write(h->stop, 1);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	pthread_mutex_lock(&h->lock);
	for (struct connection *c = h->connections; c; c = c->next)
		shutdown(c->fd, SHUT_RDWR);
	while (h->count)
		pthread_cond_wait(&h->ended, &h->lock);
	pthread_mutex_unlock(&h->lock);
	release(h);
}
