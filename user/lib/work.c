// SPDX-License-Identifier: Apache-2.0
#include "lib/work.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/util.h"

struct job {
	struct job *next;
	void (*run)(void *job);
	void (*done)(void *job);
	void *ctx;
	struct work *work;
	pthread_t thread;
};

/* What a job wants done in the loop. It lies on the stack of the job, which waits for it. */
struct call {
	struct call *next;
	int (*call)(void *ctx);
	void *ctx;
	int answer;
	bool answered;
};

struct work {
	struct source source; /* an eventfd: something is in `calls` or `ended` */
	struct loop *loop;
	pthread_t thread; /* the loop's */
	unsigned int most, running, waiting_count;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t answered;
	struct job *waiting, *ended;
	struct call *calls;
	bool closed;
};

/* ---- the threads' side ---- */

static void wake(struct work *w)
{
	eventfd_write(w->source.fd, 1);
}

static void *run_job(void *arg)
{
	struct job *job = arg;
	struct work *w = job->work;

	job->run(job->ctx);
	pthread_mutex_lock(&w->lock);
	job->next = w->ended;
	w->ended = job;
	pthread_mutex_unlock(&w->lock);
	wake(w);
	return NULL;
}

int work_in_loop(struct work *w, int (*call)(void *ctx), void *ctx)
{
	struct call c = { .call = call, .ctx = ctx }, **last;

	if (pthread_equal(pthread_self(), w->thread))
		return call(ctx);
	pthread_mutex_lock(&w->lock);
	for (last = &w->calls; *last; last = &(*last)->next)
		;
	if (!w->closed)
		*last = &c;
	else
		c = (struct call){ .answered = true, .answer = -ECANCELED };
	wake(w);
	while (!c.answered)
		pthread_cond_wait(&w->answered, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return c.answer;
}

/* ---- the loop's side ---- */

/* The signals are the loop's: a thread inherits that they are blocked. */
static int begin(struct work *w, struct job *job)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&job->thread, NULL, run_job, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!r)
		w->running++;
	return -r;
}

/* One that cannot be begun for want of memory is tried again with the next one that begins or ends. */
static void begin_waiting(struct work *w)
{
	while (w->waiting && w->running < w->most) {
		struct job *job = w->waiting, *next = job->next; /* the thread's, as soon as it runs */

		if (begin(w, job))
			return;
		w->waiting = next;
		w->waiting_count--;
	}
}

int work_start(struct work *w, void (*run)(void *job), void (*done)(void *job), void *ctx)
{
	struct job *job = calloc(1, sizeof(*job)), **last;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ .run = run, .done = done, .ctx = ctx, .work = w };
	for (last = &w->waiting; *last; last = &(*last)->next)
		;
	*last = job;
	w->waiting_count++;
	begin_waiting(w);
	return 0;
}

static struct call *take_call(struct work *w)
{
	struct call *c;

	pthread_mutex_lock(&w->lock);
	c = w->calls;
	if (c)
		w->calls = c->next;
	pthread_mutex_unlock(&w->lock);
	return c;
}

static void answer_call(struct work *w, struct call *c, int answer)
{
	pthread_mutex_lock(&w->lock);
	c->answer = answer;
	c->answered = true;
	pthread_cond_broadcast(&w->answered);
	pthread_mutex_unlock(&w->lock);
}

static struct job *take_ended(struct work *w)
{
	struct job *job;

	pthread_mutex_lock(&w->lock);
	job = w->ended;
	if (job)
		w->ended = job->next;
	pthread_mutex_unlock(&w->lock);
	return job;
}

static void ready(struct source *source, uint32_t events)
{
	struct work *w = CONTAINER_OF(source, struct work, source);
	eventfd_t count;
	struct call *c;
	struct job *job;

	(void)events;
	eventfd_read(source->fd, &count);
	while ((c = take_call(w)))
		answer_call(w, c, c->call(c->ctx));
	while ((job = take_ended(w))) {
		pthread_join(job->thread, NULL);
		w->running--;
		job->done(job->ctx);
		free(job);
	}
	begin_waiting(w);
}

unsigned int work_count(const struct work *w)
{
	return w->running + w->waiting_count;
}

int work_open(struct work **work, struct loop *loop, unsigned int most, struct err *err)
{
	struct work *w = calloc(1, sizeof(*w));

	if (!w)
		return fail(err, -ENOMEM, "out of memory");
	*w = (struct work){ .loop = loop, .most = most, .thread = pthread_self(), .source.ready = ready };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->answered, NULL);
	w->source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->source.fd < 0 || loop_add(loop, &w->source, EPOLLIN)) {
		fail(err, -errno, "eventfd: %s", strerror(errno));
		util_close(&w->source.fd);
		free(w);
		return -EMFILE;
	}
	*work = w;
	return 0;
}

void work_refuse(struct work *w)
{
	struct call *c;

	pthread_mutex_lock(&w->lock);
	w->closed = true;
	pthread_mutex_unlock(&w->lock);
	while ((c = take_call(w)))
		answer_call(w, c, -ECANCELED);
}

void work_close(struct work *w)
{
	struct job *job;

	if (!w)
		return;
	work_refuse(w);
	while (w->waiting) {
		job = w->waiting;
		w->waiting = job->next;
		free(job);
	}
	while (w->running) {
		job = take_ended(w);
		if (!job) {
			poll(&(struct pollfd){ .fd = w->source.fd, .events = POLLIN }, 1, -1);
			eventfd_read(w->source.fd, &(eventfd_t){ 0 });
			continue;
		}
		pthread_join(job->thread, NULL);
		w->running--;
		free(job);
	}
	loop_remove(w->loop, &w->source);
	util_close(&w->source.fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->answered);
	free(w);
}
