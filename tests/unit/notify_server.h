/* SPDX-License-Identifier: Apache-2.0 */
/* To be included once in a test program: a server in a process of its own, and a loop that runs until something is so. */
#ifndef WARDEN_NOTIFY_SERVER_H
#define WARDEN_NOTIFY_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/loop.h"
#include "lib/util.h"
#include "report/notice.h"

#define LONGEST_S 60 /* no test waits for that */

struct server_process {
	int pid;
	int input; /* its standard input, or -1 */
};

static void server_begin(struct server_process *p, const char *const arguments[])
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	p->pid = test_fork();
	if (!p->pid) {
		dup2(ends[0], 0);
		close(ends[0]);
		close(ends[1]);
		if (!freopen(temp_path("server.out"), "a", stdout) || dup2(1, 2) < 0)
			_exit(126);
		execvp(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	close(ends[0]);
	p->input = ends[1];
}

static void server_end(struct server_process *p)
{
	if (!p->pid)
		return;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->input);
	p->pid = 0;
}

/* ---- the loop ---- */

struct waiting {
	struct source timer;
	struct loop *loop;
	bool (*enough)(void *ctx);
	void *ctx;
};

static void look(struct source *source, uint32_t events)
{
	struct waiting *w = CONTAINER_OF(source, struct waiting, timer);
	uint64_t ticks;

	(void)events;
	if (read(source->fd, &ticks, sizeof(ticks)) == sizeof(ticks) && w->enough(w->ctx))
		loop_stop(w->loop);
}

/* What never comes ends the program. */
static void loop_until(struct loop *loop, bool (*enough)(void *ctx), void *ctx)
{
	const struct itimerspec often = { .it_value.tv_nsec = 5000000, .it_interval.tv_nsec = 5000000 };
	struct waiting w = { .timer = { .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), .ready = look },
			     .loop = loop,
			     .enough = enough,
			     .ctx = ctx };

	timerfd_settime(w.timer.fd, 0, &often, NULL);
	assert_int_equal(loop_add(loop, &w.timer, EPOLLIN), 0);
	alarm(LONGEST_S);
	assert_int_equal(loop_run(loop), 0);
	alarm(0);
	loop_remove(loop, &w.timer);
	close(w.timer.fd);
}

#endif
