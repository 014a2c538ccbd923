// Test code: stands for Spiderpool's agent (tests/common/spiderpool.h), in a thread of a test program. Keeps no pools.
/* SPDX-License-Identifier: Apache-2.0 */
/* To be included once in a test program. Serves one connection after the other, each with one request. */
#ifndef WARDEN_SPIDERPOOL_STANDIN_H
#define WARDEN_SPIDERPOOL_STANDIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/spiderpool.h"
#include "common/test.h"

#define STANDIN_REQUESTS 16

struct standin {
	struct answers answers;
	bool vanishes; /* its socket is gone once it has answered that it is healthy */
	char path[100];
	int fd;
	pthread_t thread;
	char *requests[STANDIN_REQUESTS]; /* as they came, head and body */
	atomic_int count;
};

static void *standin_serve(void *ctx)
{
	struct standin *s = ctx;
	struct answer answer;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		char *request = standin_read(fd);

		if (s->count == STANDIN_REQUESTS)
			test_fail("more requests than the stand-in keeps");
		answer = standin_choose(&s->answers, request);
		s->requests[s->count] = request;
		s->count++;
		if (s->vanishes)
			unlink(s->path);
		standin_answer(fd, &answer);
		close(fd);
	}
	return NULL;
}

static void standin_start(struct standin *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static unsigned int count;
	char name[32];

	snprintf(name, sizeof(name), "agent.%u", count++);
	snprintf(s->path, sizeof(s->path), "%s", temp_path(name));
	memcpy(addr.sun_path, s->path, sizeof(s->path));
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, standin_serve, s), 0);
}

static void standin_stop(struct standin *s)
{
	shutdown(s->fd, SHUT_RDWR); /* ends accept() */
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
	for (int i = 0; i < s->count; i++)
		free(s->requests[i]);
}

#endif
