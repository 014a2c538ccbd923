// SPDX-License-Identifier: Apache-2.0
#include "lib/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "lib/util.h"

struct loop {
	int fd;
	bool stopped;
};

int loop_open(struct loop **loop)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0) {
		free(l);
		return -errno;
	}
	*loop = l;
	return 0;
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	util_close(&loop->fd);
	free(loop);
}

static int control(struct loop *loop, int op, struct source *source, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->fd, op, source->fd, &ev) ? -errno : 0;
}

int loop_add(struct loop *loop, struct source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, source, events);
}

int loop_change(struct loop *loop, struct source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop *loop, struct source *source)
{
	control(loop, EPOLL_CTL_DEL, source, 0);
}

int loop_run(struct loop *loop)
{
	struct epoll_event ev;
	int n;

	/* One event a turn: a source may then free itself without another one of the batch pointing at it. */
	while (!loop->stopped) {
		n = epoll_wait(loop->fd, &ev, 1, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 1) {
			struct source *source = ev.data.ptr;

			source->ready(source, ev.events);
		}
	}
	loop->stopped = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
