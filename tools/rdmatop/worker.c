// SPDX-License-Identifier: Apache-2.0
#include "rdmatop/worker.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

struct worker {
	struct source *source;
	struct sample *filling; /* the thread's own */
	FILE *record;
	double seconds;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	struct sample *ready;
	struct err problem;
	enum worker_news news;
	bool paused, hurry, stop, reading;
	char device[64];
};

/* Until `due`, or until somebody is in a hurry, and as long as what was read is not taken. Called with the lock. */
static void wait_until(struct worker *w, const struct timespec *due)
{
	while (!w->stop && (w->paused || w->news != WORKER_NOTHING))
		pthread_cond_wait(&w->changed, &w->lock);
	while (!w->stop && !w->hurry && !w->paused && !pthread_cond_timedwait(&w->changed, &w->lock, due))
		;
	while (!w->stop && w->paused)
		pthread_cond_wait(&w->changed, &w->lock);
	w->hurry = false;
}

static void publish(struct worker *w, int r, const struct err *err)
{
	uint64_t one = 1;

	if (!r) {
		struct sample *taken = w->ready;

		w->ready = w->filling;
		w->filling = taken;
	}
	w->problem = *err;
	w->news = !r ? WORKER_SAMPLE : r == SOURCE_END ? WORKER_END : WORKER_PROBLEM;
	if (write(w->fd, &one, sizeof(one)) < 0)
		abort(); /* a counter of 64 bits that is read for each */
}

/* What is shown next is due that long after what was shown last, and not after its reading has ended. */
static void next_due(struct timespec *due, uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	timespec_add(due, ns);
	if (due->tv_sec < now.tv_sec || (due->tv_sec == now.tv_sec && due->tv_nsec < now.tv_nsec))
		*due = now;
}

/* A recording at its own pace waits before a sample is shown, all others wait after it. */
static void *work(void *ctx)
{
	struct worker *w = ctx;
	struct timespec due;
	char device[sizeof(w->device)];
	struct err err;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &due);
	pthread_mutex_lock(&w->lock);
	while (!w->stop && r != SOURCE_END) {
		struct feed feed = { .sample = w->filling, .record = w->record };

		memcpy(device, w->device, sizeof(device));
		w->reading = true;
		pthread_mutex_unlock(&w->lock);
		err.text[0] = '\0';
		r = source_read(w->source, *device ? device : NULL, &feed, &err);
		if (!w->seconds)
			next_due(&due, w->filling->wait_ns);
		pthread_mutex_lock(&w->lock);
		w->reading = false;
		if (!w->seconds)
			wait_until(w, &due);
		publish(w, r, &err);
		if (w->seconds) {
			next_due(&due, (uint64_t)(w->seconds * 1e9));
			wait_until(w, &due);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct worker *worker_open(struct source *source, double seconds, FILE *record, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_condattr_t monotonic;

	if (!w || !(w->filling = sample_new()) || !(w->ready = sample_new()))
		return fail(err, -ENOMEM, "out of memory"), NULL;
	w->source = source;
	w->seconds = seconds;
	w->record = record;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return fail(err, -errno, "%s", strerror(errno)), NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &monotonic);
	if (pthread_create(&w->thread, NULL, work, w))
		return fail(err, -EAGAIN, "no thread can be made"), NULL;
	return w;
}

void worker_close(struct worker *w)
{
	bool reading;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	reading = w->reading;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (reading)
		return;
	pthread_join(w->thread, NULL);
	source_close(w->source);
	sample_free(w->filling);
	sample_free(w->ready);
	util_close(&w->fd);
	free(w);
}

int worker_fd(const struct worker *w)
{
	return w->fd;
}

enum worker_news worker_take(struct worker *w, struct sample **sample, struct err *err)
{
	enum worker_news news;
	struct sample *given;
	uint64_t count;

	if (read(w->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return WORKER_NOTHING;
	pthread_mutex_lock(&w->lock);
	news = w->news;
	if (news == WORKER_SAMPLE) {
		given = *sample;
		*sample = w->ready;
		w->ready = given;
	}
	*err = w->problem;
	w->news = WORKER_NOTHING;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return news;
}

void worker_pause(struct worker *w, bool paused)
{
	pthread_mutex_lock(&w->lock);
	w->paused = paused;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void worker_device(struct worker *w, const char *device)
{
	pthread_mutex_lock(&w->lock);
	w->hurry = *device && strcmp(w->device, device) && w->seconds; /* a recording has its own time */
	snprintf(w->device, sizeof(w->device), "%s", device);
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}
