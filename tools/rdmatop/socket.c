// SPDX-License-Identifier: Apache-2.0
/*
 * wardend's control socket: one connection on which the samples are asked for, and another one that follows the events. Both are
 * kept, and made anew when they broke.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/client.h"
#include "lib/json.h"
#include "lib/util.h"
#include "rdmatop/source.h"

#define LONGEST_ANSWER (64 << 20) /* of a line: wardend's have some KiB */
#define EVENTS_SECONDS 3600 /* that are asked for at first */

/* A connection, and the bytes that have come and are no whole line yet. */
struct line_reader {
	int fd;
	char *bytes;
	size_t begin, end, room;
};

struct socket_source {
	struct source source; /* first */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* a longer one is none */
	struct line_reader answers, events;
	bool had_events; /* those of before are known */
};

static void reader_close(struct line_reader *r)
{
	util_close(&r->fd);
	r->begin = r->end = 0;
}

static int reader_connect(struct line_reader *r, const char *path, struct err *err)
{
	int fd = r->fd >= 0 ? r->fd : client_connect(path, SOURCE_SECONDS, err);

	if (fd < 0)
		return fd;
	r->fd = fd;
	return 0;
}

/* Room for more, by moving what is left to the front and by growing. */
static int reader_room(struct line_reader *r, struct err *err)
{
	char *grown;

	if (r->end < r->room)
		return 0;
	if (r->begin) {
		memmove(r->bytes, r->bytes + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
		return 0;
	}
	if (r->room >= LONGEST_ANSWER)
		return fail(err, -EMSGSIZE, "wardend answered a line without an end");
	grown = realloc(r->bytes, r->room ? r->room * 2 : 65536);
	if (!grown)
		return fail(err, -ENOMEM, "out of memory");
	r->room = r->room ? r->room * 2 : 65536;
	r->bytes = grown;
	return 0;
}

/* The next line with its length, valid until the next call: 1; 0: none has come, where `flags` say not to wait; or -errno. */
static int reader_line(struct line_reader *r, int flags, char **line, size_t *len, struct err *err)
{
	size_t looked = 0;
	ssize_t n;

	for (;;) {
		char *newline = r->end > r->begin + looked
					? memchr(r->bytes + r->begin + looked, '\n', r->end - r->begin - looked)
					: NULL;

		if (newline) {
			*line = r->bytes + r->begin;
			*len = (size_t)(newline - *line);
			r->begin += *len + 1;
			return 1;
		}
		looked = r->end - r->begin;
		if (reader_room(r, err))
			return -ENOMEM;
		n = recv(r->fd, r->bytes + r->end, r->room - r->end, flags);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return flags & MSG_DONTWAIT ? 0 : fail(err, -ETIMEDOUT, "wardend does not answer");
		if (n <= 0)
			return fail(err, n ? -errno : -EPIPE, "wardend closed the connection");
		r->end += (size_t)n;
	}
}

static int send_text(struct line_reader *r, const char *text, struct err *err)
{
	int error = client_send(r->fd, text, strlen(text));

	return error ? fail(err, error, "wardend cannot be asked: %s", strerror(-error)) : 0;
}

/* The answer's end: 0, or the reason that it has. */
static int finish(const cJSON *end, struct err *err)
{
	struct err reason;
	int r = client_end(end, &reason);

	return r ? fail(err, r, "wardend: %s", reason.text) : 0;
}

/* Asks and feeds what comes; each item is given `kind` and `device` where they are not NULL. */
static int ask(struct socket_source *s, const char *request, const char *kind, const char *device, struct feed *feed,
	       struct err *err)
{
	char *line;
	size_t len;
	int r = send_text(&s->answers, request, err);

	while (!r) {
		_cleanup_(json_free) cJSON *item = NULL;

		r = reader_line(&s->answers, 0, &line, &len, err);
		if (r < 0)
			return r;
		item = cJSON_ParseWithLength(line, len);
		if (!item)
			return fail(err, -EPROTO, "what answers at %s is no wardend", s->path);
		if (cJSON_HasObjectItem(item, "ok"))
			return finish(item, err);
		if (kind && !cJSON_HasObjectItem(item, "kind"))
			cJSON_AddStringToObject(item, "kind", kind);
		if (device && !cJSON_HasObjectItem(item, "device"))
			cJSON_AddStringToObject(item, "device", device);
		feed_item(feed, item);
		r = 0;
	}
	return r;
}

static int ask_qps(struct socket_source *s, const char *device, struct feed *feed, struct err *err)
{
	_cleanup_(json_free) cJSON *request = cJSON_CreateObject();
	_cleanup_free_ char *text = NULL;
	char line[256];

	cJSON_AddStringToObject(request, "request", "qps");
	cJSON_AddStringToObject(request, "device", device);
	text = cJSON_PrintUnformatted(request);
	if (!text || try_snprintf(line, sizeof(line), "%s\n", text))
		return fail(err, -ENAMETOOLONG, "out of memory");
	return ask(s, line, "qp", device, feed, err);
}

/* What has come of events, without waiting. That they cannot be followed is no reason to show nothing. */
static void read_events(struct socket_source *s, struct feed *feed)
{
	uint64_t since = (uint64_t)time(NULL) - (s->had_events ? 0 : EVENTS_SECONDS);
	char request[96], *line;
	struct err err;
	size_t len;
	int r;

	if (s->events.fd < 0) {
		snprintf(request, sizeof(request), "{\"request\":\"events\",\"follow\":true,\"since\":%llu}\n",
			 (unsigned long long)since);
		if (reader_connect(&s->events, s->path, &err) || send_text(&s->events, request, &err))
			return;
		s->had_events = true;
	}
	while ((r = reader_line(&s->events, MSG_DONTWAIT, &line, &len, &err)) > 0) {
		_cleanup_(json_free) cJSON *item = cJSON_CreateObject();
		cJSON *event = cJSON_ParseWithLength(line, len);

		cJSON_AddStringToObject(item, "kind", "event");
		if (event)
			cJSON_AddItemToObject(item, "event", event);
		if (!cJSON_HasObjectItem(event, "ok")) /* it was refused */
			feed_item(feed, item);
	}
	if (r < 0)
		reader_close(&s->events);
}

static int socket_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	struct socket_source *s = (struct socket_source *)source;
	struct err ignored;
	int r = reader_connect(&s->answers, s->path, err);

	if (!r)
		r = ask(s, "{\"request\":\"stats\"}\n", NULL, NULL, feed, err);
	if (r) { /* whatever it was, an answer that was not read to its end must not be taken for the next one */
		reader_close(&s->answers);
		return r;
	}
	/* A device that has just gone has no queue pairs. */
	if (device && ask_qps(s, device, feed, &ignored))
		reader_close(&s->answers);
	read_events(s, feed);
	return 0;
}

static void socket_close(struct source *source)
{
	struct socket_source *s = (struct socket_source *)source;

	reader_close(&s->answers);
	reader_close(&s->events);
	free(s->answers.bytes);
	free(s->events.bytes);
	free(s);
}

static const struct source_kind socket_kind = { socket_read, socket_close };

struct source *socket_open(const char *path, struct err *err)
{
	struct socket_source *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(err, -ENOMEM, "out of memory"), NULL;
	s->source.kind = &socket_kind;
	s->answers.fd = s->events.fd = -1;
	if (try_snprintf(s->path, sizeof(s->path), "%s", path)) {
		free(s);
		return fail(err, -ENAMETOOLONG, "%s: the path is too long", path), NULL;
	}
	return &s->source;
}

/* ---- or the kernel ---- */

struct local {
	struct source source; /* first */
	struct source *warden, *kernel;
	bool answered;
};

static int local_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	struct local *l = (struct local *)source;
	int r = l->warden->kind->read(l->warden, device, feed, err);

	if (!r || l->answered) {
		l->answered = true;
		return r;
	}
	kernel_because(l->kernel, err);
	sample_begin(feed->sample);
	return l->kernel->kind->read(l->kernel, device, feed, err);
}

static void local_close(struct source *source)
{
	struct local *l = (struct local *)source;

	source_close(l->warden);
	source_close(l->kernel);
	free(l);
}

static const struct source_kind local_kind = { local_read, local_close };

struct source *local_open(const char *path, struct err *err)
{
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return fail(err, -ENOMEM, "out of memory"), NULL;
	l->source.kind = &local_kind;
	l->warden = socket_open(path, err);
	l->kernel = l->warden ? kernel_open(err) : NULL;
	if (l->kernel)
		return &l->source;
	local_close(&l->source);
	return NULL;
}
