/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs by hand, through the ioctl or write(2): what the subcommands of the raw client are made of. */
#ifndef UVERBS_VERBS_H
#define UVERBS_VERBS_H

#include <rdma/ib_user_verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define __cleanup(f) __attribute__((cleanup(f)))

enum { PORT = 1, HOP_LIMIT = 64 };

#define ATTRS_MAX 254 /* the kernel takes a header of one page at most */

enum unmapped { UNMAPPED_NONE, UNMAPPED_INPUT, UNMAPPED_HEADER };

struct options {
	uint32_t tclass;
	uint32_t sl;
	uint32_t alt_tclass;
	bool alt_path;
	bool extended;
	bool by_write;
	bool dgid_given;
	uint8_t dgid[16];
	uint32_t sgid_index;
	bool sgid_given;
	uint32_t pad_attrs;
	enum unmapped unmapped;
	uint32_t qps;
	uint32_t mrs;
	uint32_t ahs;
	bool rtr;
	const char *netns;
	/* How a verbs ioctl gets to the kernel, where it is not ioctl(2): 0 or -errno. */
	int (*send)(int fd, const void *header, size_t len);
};

struct client {
	int fd;
	uint32_t driver_id;
	uint32_t pd;
	uint32_t cq;
	const char *step; /* what was tried last, for the message */
	struct options opt;
};

struct command {
	uint32_t number; /* IB_USER_VERBS_CMD_… or, with the flag, IB_USER_VERBS_EX_CMD_… */
	void *in;
	size_t in_len;
	void *out;
	size_t out_len;
	uint32_t pad_attrs;
	enum unmapped unmapped;
};

struct qp {
	uint32_t handle;
	uint32_t number;
};

#define COMMAND(num, request, answer)                                                           \
	{                                                                                       \
		.number = (num), .in = &(request), .in_len = sizeof(request), .out = &(answer), \
		.out_len = sizeof(answer)                                                       \
	}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* All return 0 or -errno. `step` is for the message. */
int invoke(struct client *c, const char *step, const struct command *cmd);
int open_device(struct client *c, const char *device);
int get_context(struct client *c);
int open_context(struct client *c, const char *device);
int alloc_pd(struct client *c);
int create_qp(struct client *c, struct qp *qp);
int reg_mr(struct client *c, void *start, size_t length);
int open_queues(struct client *c, const char *device);
int fill_addresses(struct client *c);
int create_ah(struct client *c, uint32_t *handle);
int modify_to_init(struct client *c, const struct qp *qp);
struct ib_uverbs_modify_qp rtr_request(const struct options *opt, const struct qp *qp);
int connect_qp(struct client *c, const struct qp *qp);
/* The beginning of mlx5's own way to make a queue pair; another driver's device answers -EINVAL. */
int devx_create(struct client *c);
int query_qp(struct client *c, const struct qp *qp, struct ib_uverbs_query_qp_resp *answer);

#endif
