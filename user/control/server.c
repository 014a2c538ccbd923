// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/timer.h"
#include "lib/util.h"

#define MAX_CLIENTS 64
#define MAX_OUTPUT (4 << 20) /* what a slow reader may have waiting */
#define INPUT_ROOM (64 * 1024) /* to begin with */
#define REQUEST_SECONDS 10 /* for a request to become whole */

struct client {
	struct source source; /* first: the loop hands it back */
	struct follower follower;
	struct client *next;
	struct server *server;
	struct peer peer;
	char *in;
	size_t in_len, in_room;
	char *out;
	size_t out_len, out_sent, out_room;
	uint64_t deadline_ns; /* of the request that has begun; 0: none has */
	uint64_t lost; /* events that did not fit */
	struct reply *later; /* the answer that is waited for */
	bool follows, closing;
};

struct server {
	struct source source;
	struct source timer;
	struct loop *loop;
	struct server_options options;
	struct client *clients;
	size_t count;
};

struct reply {
	struct client *client; /* NULL: it has gone */
};

/* ---- output ---- */

/* Room is made where what was sent lies, once that is the larger part. */
static void out_compact(struct client *c)
{
	if (c->out_sent < c->out_len - c->out_sent)
		return;
	memmove(c->out, c->out + c->out_sent, c->out_len - c->out_sent);
	c->out_len -= c->out_sent;
	c->out_sent = 0;
}

/* What is left to send must be read in time, or the connection would keep its place for ever. */
static void begin_closing(struct client *c)
{
	c->closing = true;
	c->deadline_ns = boot_ns() + REQUEST_SECONDS * 1000000000ull;
}

static bool out_append(struct client *c, const char *bytes, size_t len)
{
	char *grown;

	if (c->out_len + len > c->out_room && c->out_sent)
		out_compact(c);
	if (c->out_len + len > c->out_room) {
		grown = realloc(c->out, (c->out_len + len) * 2);
		if (!grown)
			return false;
		c->out = grown;
		c->out_room = (c->out_len + len) * 2;
	}
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
	return true;
}

static bool out_line(struct client *c, const char *line, size_t len)
{
	if (c->out_len - c->out_sent + len + 1 > MAX_OUTPUT || !out_append(c, line, len))
		return false;
	return out_append(c, "\n", 1);
}

/* An answer with a hole in it would be worse than one without an end: after what was lost nothing follows. */
static void out_answer(struct client *c, const char *line, size_t len)
{
	if (c->closing || !line || !out_line(c, line, len))
		begin_closing(c);
}

static void out_json(struct client *c, cJSON *json)
{
	char *line = cJSON_PrintUnformatted(json);

	cJSON_Delete(json);
	out_answer(c, line, line ? strlen(line) : 0);
	free(line);
}

static void out_end(struct client *c, int code, const struct err *err)
{
	cJSON *end = cJSON_CreateObject();

	cJSON_AddBoolToObject(end, "ok", code == 0);
	if (code) {
		cJSON_AddStringToObject(end, "error", err->text);
		cJSON_AddNumberToObject(end, "errno", -code);
	}
	out_json(c, end);
}

static void want(struct client *c)
{
	uint32_t events = c->closing || c->later ? 0 : EPOLLIN;

	if (c->out_sent < c->out_len)
		events |= EPOLLOUT;
	loop_change(c->server->loop, &c->source, events);
}

/* Sends what it can: 0, or -errno when the connection is broken. */
static int flush(struct client *c)
{
	ssize_t n;

	while (c->out_sent < c->out_len) {
		n = send(c->source.fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->out_sent += (size_t)n;
	}
	c->out_len = c->out_sent = 0;
	return 0;
}

void reply_item(struct reply *reply, cJSON *item)
{
	if (reply->client)
		out_json(reply->client, item);
	else
		cJSON_Delete(item);
}

void reply_line(struct reply *reply, const char *line, size_t len)
{
	if (reply->client)
		out_answer(reply->client, line, len);
}

const struct peer *reply_peer(const struct reply *reply)
{
	return &reply->client->peer;
}

/* ---- following ---- */

static void tell_lost(struct client *c)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "{\"kind\":\"fault\",\"rule\":\"warden.fault\",\"lost\":%llu}",
			   (unsigned long long)c->lost);

	if (out_line(c, line, (size_t)len))
		c->lost = 0;
}

static void follow_line(struct follower *follower, const char *line, size_t len)
{
	struct client *c = CONTAINER_OF(follower, struct client, follower);

	if (c->lost)
		tell_lost(c);
	if (c->lost || !out_line(c, line, len))
		c->lost++;
	flush(c); /* a broken connection is noticed by the loop */
	want(c);
}

void reply_follow(struct reply *reply)
{
	struct client *c = reply->client;

	if (c->follows)
		return;
	c->follows = true;
	c->follower.line = follow_line;
	events_follow(c->server->options.events, &c->follower);
}

/* ---- requests ---- */

/* Ticks only while there are connections. */
static void timer_arm(struct server *s)
{
	timer_each(&s->timer, s->count ? 1000 : 0);
}

static void client_close(struct client *c)
{
	struct client **p = &c->server->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->server->count--;
	timer_arm(c->server);
	if (c->follows)
		events_unfollow(c->server->options.events, &c->follower);
	if (c->later)
		c->later->client = NULL;
	loop_remove(c->server->loop, &c->source);
	util_close(&c->source.fd);
	free(c->in);
	free(c->out);
	free(c);
}

static int dispatch(struct client *c, const cJSON *request, struct err *err)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(request, "request");
	const struct request_kind *kind = c->server->options.kinds;
	struct reply reply = { .client = c };

	if (!cJSON_IsObject(request) || !cJSON_IsString(name))
		return fail(err, -EINVAL, "a request is a JSON object with a \"request\"");
	while (kind->name && strcmp(kind->name, name->valuestring))
		kind++;
	if (!kind->name)
		return fail(err, -EINVAL, "unknown request \"%.64s\"", name->valuestring);
	return kind->handle(c->server->options.ctx, request, &reply, err);
}

/* One JSON value and nothing behind it, or NULL. */
static cJSON *parse_line(const char *line, size_t len)
{
	const char *end = NULL;
	cJSON *json = json_find_nul(line, len) ? NULL : cJSON_ParseWithLengthOpts(line, len, &end, 0);

	while (json && end < line + len && strchr(" \t\r", *end) && *end)
		end++;
	if (json && end == line + len)
		return json;
	cJSON_Delete(json);
	return NULL;
}

static void serve_line(struct client *c, const char *line, size_t len)
{
	struct err err = {};
	cJSON *request = parse_line(line, len);
	int r = request ? dispatch(c, request, &err) : fail(&err, -EINVAL, "the request is not JSON");

	cJSON_Delete(request);
	if (r != REPLY_LATER && (r || !c->follows))
		out_end(c, r, &err);
}

static void refuse(struct client *c, int code, const char *why)
{
	struct err err;

	fail(&err, code, "%s", why);
	out_end(c, code, &err);
	begin_closing(c);
}

/* Serves the whole lines of the input and keeps the rest. */
static void serve_input(struct client *c)
{
	char *start = c->in, *newline;
	size_t left = c->in_len;
	bool begun = !c->deadline_ns;

	while (!c->closing && !c->later && (newline = memchr(start, '\n', left))) {
		serve_line(c, start, (size_t)(newline - start));
		left -= (size_t)(newline + 1 - start);
		start = newline + 1;
		begun = true;
	}
	memmove(c->in, start, left);
	c->in_len = left;
	if (c->closing)
		return;
	if (!left || c->later) /* what waits behind an answer has time */
		c->deadline_ns = 0;
	else if (begun) /* more bytes of the same request do not prolong its time */
		c->deadline_ns = boot_ns() + REQUEST_SECONDS * 1000000000ull;
	if (left == CONTROL_MAX_REQUEST)
		refuse(c, -EMSGSIZE, "the request is larger than 4 MiB");
}

struct reply *reply_later(struct reply *reply)
{
	struct reply *later = calloc(1, sizeof(*later));

	if (!later)
		return NULL;
	later->client = reply->client;
	reply->client->later = later;
	return later;
}

void reply_end(struct reply *later, int code, const struct err *err)
{
	struct client *c = later->client;

	free(later);
	if (!c)
		return;
	c->later = NULL;
	out_end(c, code, err);
	serve_input(c);
	flush(c); /* a broken connection is noticed by the loop */
	want(c);
}

static bool in_grow(struct client *c)
{
	size_t room = c->in_room * 4 < CONTROL_MAX_REQUEST ? c->in_room * 4 : CONTROL_MAX_REQUEST;
	char *grown;

	if (c->in_len < c->in_room)
		return true;
	grown = realloc(c->in, room);
	if (!grown)
		return false;
	c->in = grown;
	c->in_room = room;
	return true;
}

static void client_input(struct client *c)
{
	ssize_t n;

	if (!in_grow(c)) {
		refuse(c, -ENOMEM, "out of memory");
		return;
	}
	n = recv(c->source.fd, c->in + c->in_len, c->in_room - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		c->in_len += (size_t)n;
		serve_input(c);
		return;
	}
	if (c->in_len)
		refuse(c, -EPROTO, "the request ended before its newline");
	begin_closing(c);
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *c = CONTAINER_OF(source, struct client, source);
	bool broken = events & (EPOLLERR | EPOLLHUP);

	if (events & EPOLLIN && !c->closing && !c->later)
		client_input(c);
	if (!flush(c) && c->lost)
		tell_lost(c); /* perhaps no event comes for long that would */
	if (flush(c) || broken || (c->closing && c->out_sent == c->out_len)) {
		client_close(c);
		return;
	}
	want(c);
}

/* ---- connections ---- */

static int client_add(struct server *s, int fd, const struct ucred *cred)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct client){
		.source = { .fd = fd, .ready = client_ready },
		.server = s,
		.peer = { .pid = (uint32_t)cred->pid, .uid = cred->uid },
		.in = malloc(INPUT_ROOM),
		.in_room = INPUT_ROOM,
		.deadline_ns = boot_ns() + REQUEST_SECONDS * 1000000000ull,
	};
	if (!c->in || loop_add(s->loop, &c->source, EPOLLIN)) {
		free(c->in);
		free(c);
		return -ENOMEM;
	}
	c->next = s->clients;
	s->clients = c;
	s->count++;
	timer_arm(s);
	return 0;
}

static void server_ready(struct source *source, uint32_t events)
{
	struct server *s = CONTAINER_OF(source, struct server, source);
	_cleanup_close_ int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static const char busy[] = "{\"ok\":false,\"error\":\"too many connections\",\"errno\":11}\n";
	struct ucred cred = {};
	socklen_t len = sizeof(cred);

	(void)events;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || (cred.uid && cred.uid != geteuid())) {
		pr_warn("control: refused a connection of uid %u, pid %d", cred.uid, cred.pid);
		return;
	}
	if (s->count >= MAX_CLIENTS) {
		if (send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			pr_debug("control: %s", strerror(errno));
		return;
	}
	if (!client_add(s, fd, &cred))
		take_fd(&fd);
}

/* A connection that began a request, or none yet, and does not go on. */
static void timer_ready(struct source *source, uint32_t events)
{
	struct server *s = CONTAINER_OF(source, struct server, timer);
	uint64_t ticks, now = boot_ns();
	struct client *c, *next;

	(void)events;
	if (read(source->fd, &ticks, sizeof(ticks)) < 0)
		return;
	for (c = s->clients; c; c = next) {
		next = c->next;
		if (!c->deadline_ns || now < c->deadline_ns || (c->follows && !c->closing))
			continue;
		if (c->closing) { /* it does not read its answer either */
			client_close(c);
			continue;
		}
		refuse(c, -ETIMEDOUT, "no whole request within 10 seconds");
		if (flush(c) || c->out_sent == c->out_len)
			client_close(c);
		else
			want(c);
	}
}

/* A wardend with other pins may have the same run_dir; one that was killed does not answer. */
static bool answers(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	return !connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN;
}

static int listen_at(const char *path, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	if (fd < 0)
		return fail(err, -errno, "control socket: %s", strerror(errno));
	if (try_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path))
		return fail(err, -ENAMETOOLONG, "control socket %s: the path is longer than %zu bytes", path,
			    sizeof(addr.sun_path) - 1);
	if (answers(&addr))
		return fail(err, -EADDRINUSE, "control socket %s: a wardend answers there", path);
	unlink(path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (r || listen(fd, 16))
		return fail(err, -errno, "control socket %s: %s", path, strerror(errno));
	return take_fd(&fd);
}

int server_open(struct server **server, struct loop *loop, const struct server_options *options, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->options = *options;
	s->source.ready = server_ready;
	s->timer.fd = -1;
	s->source.fd = r = listen_at(options->path, err);
	if (r >= 0)
		r = timer_open(&s->timer, loop, timer_ready, err);
	if (r >= 0 && loop_add(loop, &s->source, EPOLLIN))
		r = fail(err, -ENOMEM, "control socket %s: out of memory", options->path);
	if (r < 0) {
		server_close(s);
		return r;
	}
	*server = s;
	return 0;
}

void server_close(struct server *s)
{
	if (!s)
		return;
	while (s->clients)
		client_close(s->clients);
	if (s->source.fd >= 0)
		unlink(s->options.path);
	util_close(&s->source.fd);
	util_close(&s->timer.fd);
	free(s);
}
