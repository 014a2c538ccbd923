// SPDX-License-Identifier: Apache-2.0
/* One call many times over; prints the ns of one in the quickest batch, as whatever disturbs makes a batch slower. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/uverbs/verbs.h"

#define BATCHES 100
#define CALLS 200

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The opens alone: they are closed when the time has been taken. */
static int batch_of_opens(const char *path, double *ns)
{
	int fds[CALLS], err = 0;
	double begin = now_ns();

	for (int i = 0; i < CALLS; i++)
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
	*ns = now_ns() - begin;
	for (int i = 0; i < CALLS; i++)
		if (fds[i] < 0 || close(fds[i]))
			err = -EIO;
	return err;
}

static int query(struct client *c, const struct qp *qp)
{
	struct ib_uverbs_query_qp_resp answer;

	return query_qp(c, qp, &answer);
}

static int batch_of_ioctls(struct client *c, const struct qp *qp, int (*call)(struct client *, const struct qp *),
			   double *ns)
{
	double begin = now_ns();
	int err = 0;

	for (int i = 0; !err && i < CALLS; i++)
		err = call(c, qp);
	*ns = now_ns() - begin;
	return err;
}

static int opens(const char *path, double *best)
{
	double ns;
	int err = 0;

	for (int i = 0; !err && i < BATCHES; i++) {
		err = batch_of_opens(path, &ns);
		if (ns < *best)
			*best = ns;
	}
	return err;
}

/* A queue pair may go from INIT to INIT as often as it likes, so the command is the same each time. */
static int ioctls(const char *node, int (*call)(struct client *, const struct qp *), double *best)
{
	struct client c = { .fd = -1, .opt = { .qps = 1 } };
	struct qp qp = { 0 };
	double ns;
	int err = open_queues(&c, node);

	if (!err)
		err = create_qp(&c, &qp);
	if (!err)
		err = modify_to_init(&c, &qp);
	for (int i = 0; !err && i < BATCHES; i++) {
		err = batch_of_ioctls(&c, &qp, call, &ns);
		if (ns < *best)
			*best = ns;
	}
	close_fd(&c.fd);
	return err;
}

int main(int argc, char **argv)
{
	double best = 1e18;
	int err = -EINVAL;

	if (argc == 3 && !strcmp(argv[1], "open"))
		err = opens(argv[2], &best);
	else if (argc == 3 && !strcmp(argv[1], "query"))
		err = ioctls(argv[2], query, &best);
	else if (argc == 3 && !strcmp(argv[1], "modify"))
		err = ioctls(argv[2], modify_to_init, &best);
	else
		fprintf(stderr, "usage: loop open PATH | query NODE | modify NODE\n");
	if (err) {
		fprintf(stderr, "loop: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	printf("%.1f\n", best / CALLS);
	return EXIT_SUCCESS;
}
