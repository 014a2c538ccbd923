/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring by hand, one request at a time: what the vectors need of it, without a library. */
#ifndef ATTACK_URING_H
#define ATTACK_URING_H

#include <linux/io_uring.h>

struct uring {
	int fd;
	struct io_uring_params params;
};

#define URING_FILES 4 /* places in the table of registered files */

/* 0 or -errno. The ring outlives a fork and is used by either side, one at a time. */
int uring_open(struct uring *ring);

/* Fills the table of registered files with `fd` and empty places. */
int uring_register(const struct uring *ring, int fd);

/* Credentials of the caller, to be named in sqe->personality by whoever has the ring: the number or -errno. */
int uring_personality(const struct uring *ring);

/* Submits one request and waits for it: its result (-errno, 0 or more). */
int uring_do(const struct uring *ring, const struct io_uring_sqe *request);

#endif
