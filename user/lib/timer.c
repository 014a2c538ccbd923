// SPDX-License-Identifier: Apache-2.0
#include "lib/timer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timer_open(struct source *timer, struct loop *loop, void (*ready)(struct source *timer, uint32_t events),
	       struct err *err)
{
	int r;

	timer->ready = ready;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r = timer->fd < 0 ? -errno : loop_add(loop, timer, EPOLLIN);
	return r ? fail(err, r, "timer: %s", strerror(-r)) : 0;
}

static void timer_set(const struct source *timer, uint64_t ms, bool again)
{
	const struct timespec when = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000) };
	const struct itimerspec spec = { .it_value = when, .it_interval = again ? when : (struct timespec){} };

	timerfd_settime(timer->fd, 0, &spec, NULL);
}

void timer_once(const struct source *timer, uint64_t ms)
{
	timer_set(timer, ms, false);
}

void timer_each(const struct source *timer, uint64_t ms)
{
	timer_set(timer, ms, true);
}

bool timer_fired(const struct source *timer)
{
	uint64_t ticks;

	return read(timer->fd, &ticks, sizeof(ticks)) == sizeof(ticks);
}
