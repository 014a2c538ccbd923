// SPDX-License-Identifier: Apache-2.0
#include "report/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "kube/http.h"
#include "lib/timer.h"
#include "lib/util.h"

struct sender {
	struct sender_options options;
	struct kube_http *http;
	struct source timer;
	struct notify_health health;
	uint64_t retry_ns; /* nothing is sent before */
	bool stopped;
	/* what runs in a thread, whose all this is while `busy` */
	bool busy;
	struct sender_request request;
	struct kube_answer answer;
	int result;
	struct err err;
};

static void request_free(struct sender_request *request)
{
	free(request->url);
	free(request->body);
	*request = (struct sender_request){};
}

static void run(void *ctx)
{
	struct sender *s = ctx;
	const struct kube_request request = {
		.url = s->request.url,
		.who = s->options.who,
		.ca = s->options.ca,
		.token = s->options.token,
		.plain = s->options.plain,
		.method = s->request.method,
		.type = s->request.type,
		.body = s->request.body,
		.answer_ms = s->options.answer_ms,
		.total_ms = s->options.answer_ms,
	};

	s->result = kube_http_ask(s->http, &request, &s->answer, &s->err);
}

/* Not all nodes at once, when the server that they have lost is there again. */
static void wait_longer(struct sender *s)
{
	const struct sender_options *o = &s->options;
	uint64_t ms = o->retry_min_ms, random = 0;

	for (unsigned int i = 0; i < s->health.failures && ms < o->retry_max_ms; i++)
		ms *= 2;
	s->health.failures++;
	ms = ms < o->retry_max_ms ? ms : o->retry_max_ms;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		ms -= random % (ms / 3 + 1);
	if (ms < s->answer.retry_after_s * 1000ull)
		ms = s->answer.retry_after_s * 1000ull;
	s->retry_ns = boot_ns() + ms * 1000000;
}

static void done(void *ctx)
{
	struct sender *s = ctx;

	s->busy = false;
	request_free(&s->request);
	if (s->stopped)
		return;
	if (s->result) {
		s->health.failed++;
		snprintf(s->health.error, sizeof(s->health.error), "%s", s->err.text);
	} else {
		s->health.sent++;
	}
	if (s->options.ended(s->options.ctx, s->result, s->answer.status, &s->err))
		s->health.failures = 0;
	else
		wait_longer(s);
	sender_wake(s);
}

void sender_wake(struct sender *s)
{
	uint64_t now = boot_ns(), due = UINT64_MAX;

	if (s->busy || s->stopped)
		return;
	if (now < s->retry_ns)
		due = s->retry_ns;
	else
		s->busy = s->options.next(s->options.ctx, now, &s->request, &due);
	if (s->busy && work_start(s->options.work, run, done, s)) {
		s->answer = (struct kube_answer){};
		s->result = fail(&s->err, -ENOMEM, "out of memory");
		done(s); /* which waits, and so does not come here again at once */
		return;
	}
	if (!s->busy && due != UINT64_MAX)
		timer_once(&s->timer, due > now ? (due - now) / 1000000 + 1 : 1);
}

static void timer_ready(struct source *source, uint32_t events)
{
	(void)events;
	if (timer_fired(source))
		sender_wake(CONTAINER_OF(source, struct sender, timer));
}

int sender_open(struct sender **to, const struct sender_options *options, struct err *err)
{
	struct sender *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(err, -ENOMEM, "out of memory");
	s->options = *options;
	s->timer.fd = -1;
	r = timer_open(&s->timer, options->loop, timer_ready, err);
	if (!r)
		r = kube_http_open(&s->http, err);
	if (r) {
		sender_close(s);
		return r;
	}
	*to = s;
	return 0;
}

void sender_stop(struct sender *s)
{
	s->stopped = true;
	kube_http_stop(s->http);
}

void sender_close(struct sender *s)
{
	if (!s)
		return;
	request_free(&s->request); /* of one whose end nobody has seen */
	kube_http_close(s->http);
	util_close(&s->timer.fd);
	free(s);
}

const struct notify_health *sender_health(const struct sender *s)
{
	return &s->health;
}
