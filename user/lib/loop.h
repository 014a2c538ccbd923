/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll loop, one thread. A source is a descriptor and what to do when it is ready. */
#ifndef WARDEN_LOOP_H
#define WARDEN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct source {
	int fd;
	/* Called with the EPOLL* bits. It may remove and free its own source, and no other. */
	void (*ready)(struct source *source, uint32_t events);
};

/* 0 or -errno. */
int loop_open(struct loop **loop);
void loop_close(struct loop *loop);
int loop_add(struct loop *loop, struct source *source, uint32_t events);
int loop_change(struct loop *loop, struct source *source, uint32_t events);
void loop_remove(struct loop *loop, struct source *source);
/* Serves the sources until loop_stop(), after which it may be called again: 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
