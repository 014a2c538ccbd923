// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "uring.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 8

int uring_open(struct uring *ring)
{
	*ring = (struct uring){ 0 };
	ring->fd = (int)syscall(__NR_io_uring_setup, ENTRIES, &ring->params);
	return ring->fd < 0 ? -errno : 0;
}

int uring_register(const struct uring *ring, int fd)
{
	int32_t files[URING_FILES] = { fd, -1, -1, -1 };

	return syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_FILES, files, URING_FILES) < 0 ? -errno : 0;
}

int uring_personality(const struct uring *ring)
{
	int id = (int)syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_PERSONALITY, NULL, 0);

	return id < 0 ? -errno : id;
}

static void *map_ring(const struct uring *ring, size_t len, off_t what)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, what);

	return at == MAP_FAILED ? NULL : at;
}

static uint32_t *at(void *ring, uint32_t offset)
{
	return (uint32_t *)((char *)ring + offset);
}

/* Each process maps the ring anew and leaves that to its end: the mapping of a fork's parent is not relied on. */
int uring_do(const struct uring *ring, const struct io_uring_sqe *request)
{
	const struct io_uring_params *p = &ring->params;
	struct io_uring_sqe *sqes = map_ring(ring, p->sq_entries * sizeof(*sqes), IORING_OFF_SQES);
	void *sq = map_ring(ring, p->sq_off.array + p->sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	void *cq = map_ring(ring, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	const struct io_uring_cqe *cqe;
	uint32_t tail, head;

	if (!sqes || !sq || !cq)
		return -errno;
	tail = *at(sq, p->sq_off.tail);
	sqes[tail & (p->sq_entries - 1)] = *request;
	at(sq, p->sq_off.array)[tail & (p->sq_entries - 1)] = tail & (p->sq_entries - 1);
	__atomic_store_n(at(sq, p->sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	head = *at(cq, p->cq_off.head);
	if (__atomic_load_n(at(cq, p->cq_off.tail), __ATOMIC_ACQUIRE) == head)
		return -EAGAIN;
	cqe = (const struct io_uring_cqe *)at(cq, p->cq_off.cqes) + (head & (p->cq_entries - 1));
	__atomic_store_n(at(cq, p->cq_off.head), head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}
