// SPDX-License-Identifier: Apache-2.0
/* Many operations: of the owner, who must not be refused once, and of an intruder, who must be each time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "attack.h"

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static int query_port(struct client *c)
{
	struct ib_uverbs_query_port request = { .port_num = PORT };
	struct ib_uverbs_query_port_resp answer;
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_QUERY_PORT, request, answer);

	return invoke(c, "query-port", &cmd);
}

static int work_once(const char *node)
{
	struct client c = { .fd = -1 };
	int err = open_context(&c, node);

	if (!err)
		err = query_port(&c);
	close_fd(&c.fd);
	return err;
}

/* Open, GET_CONTEXT, QUERY_PORT, close. */
int run_work(const char *node, unsigned long rounds)
{
	unsigned long refused = 0, failed = 0;

	for (unsigned long i = 0; i < rounds; i++) {
		int err = work_once(node);

		refused += err == -EPERM || err == -EACCES;
		failed += err && err != -EPERM && err != -EACCES;
	}
	printf("{\"pid\":%d,\"rounds\":%lu,\"refused\":%lu,\"failed\":%lu}\n", getpid(), rounds, refused, failed);
	return refused || failed;
}

/* 0 opens: until SIGTERM. */
int run_flood(const char *node, unsigned long opens)
{
	unsigned long opened = 0, refused = 0, failed = 0;

	signal(SIGTERM, stop);
	while (!stopped && (!opens || refused + opened + failed < opens)) {
		int fd = open(node, O_RDWR | O_CLOEXEC);

		opened += fd >= 0;
		refused += fd < 0 && errno == EPERM;
		failed += fd < 0 && errno != EPERM;
		close_fd(&fd);
	}
	printf("{\"pid\":%d,\"opened\":%lu,\"refused\":%lu,\"failed\":%lu}\n", getpid(), opened, refused, failed);
	return opened || failed;
}
