// SPDX-License-Identifier: Apache-2.0
/* The other nodes of the RDMA stack: umad and issm, which belong to nobody, and rdma_cm, which has no device. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <stdio.h>
#include <unistd.h>

#include "attack.h"
#include "uverbs/pass.h"

static int open_node(struct scene *s)
{
	s->c.step = "open";
	s->c.fd = open(s->node, O_RDWR | O_CLOEXEC);
	return s->c.fd < 0 ? -errno : 0;
}

/* issm has no other modes; a port of RoCE may have no such capability, which the driver says after the guard. */
static int open_issm(struct scene *s)
{
	int err = open_node(s);

	return err == -ENOSYS || err == -EOPNOTSUPP || err == -EINVAL ? 0 : err;
}

static int open_made_node(struct scene *s)
{
	char path[64];
	struct stat st;
	int err;

	s->c.step = "make";
	snprintf(path, sizeof(path), "/dev/shm/attack-%d", getpid());
	if (stat(s->node, &st) || mknod(path, S_IFCHR | 0600, st.st_rdev))
		return -errno;
	s->c.step = "open";
	s->c.fd = open(path, O_RDWR | O_CLOEXEC);
	err = s->c.fd < 0 ? -errno : 0;
	unlink(path);
	return err;
}

static int owner_passes_node(struct scene *s)
{
	int err = open_node(s);

	if (!err)
		err = send_fd(s->sock, s->c.fd);
	wait_for_end(s);
	return err;
}

static int receive_node(struct scene *s)
{
	s->c.step = "receive";
	s->c.fd = receive_fd(s->sock);
	return s->c.fd < 0 ? s->c.fd : 0;
}

#define ANYBODY (R(OWNER) | R(HOST) | R(POD) | R(PRIVILEGED))

const struct vector node_vectors[] = { { .name = "umad.path",
					 .what = "open of a umad node",
					 .feature = "exclusive.open",
					 .rule = "exclusive.umad",
					 .roles = ANYBODY,
					 .act = open_node,
					 .need = NEED_UMAD },
				       { .name = "umad.mknod",
					 .what = "the same by a node made with mknod",
					 .feature = "exclusive.open",
					 .rule = "exclusive.umad",
					 .roles = R(HOST) | R(PRIVILEGED),
					 .act = open_made_node,
					 .need = NEED_UMAD },
				       { .name = "issm.path",
					 .what = "open of an issm node",
					 .feature = "exclusive.open",
					 .rule = "exclusive.umad",
					 .roles = ANYBODY,
					 .act = open_issm,
					 .need = NEED_ISSM },
				       { .name = "rdma_cm.path",
					 .what = "open of rdma_cm by a pod without a device",
					 .feature = "exclusive.open",
					 .rule = "exclusive.open",
					 .roles = R(IDLE),
					 .control = R(OWNER),
					 .act = open_node,
					 .need = NEED_CM },
				       { .name = "rdma_cm.mknod",
					 .what = "the same by a node made with mknod",
					 .feature = "exclusive.open",
					 .rule = "exclusive.open",
					 .roles = R(IDLE),
					 .control = R(OWNER),
					 .act = open_made_node,
					 .need = NEED_CM },
				       { .name = "rdma_cm.scm-rights",
					 .what = "a descriptor of rdma_cm passed to a pod without a device",
					 .feature = "exclusive.fd-pass",
					 .rule = "exclusive.fd-pass",
					 .roles = R(IDLE),
					 .control = R(OWNER),
					 .owner = owner_passes_node,
					 .act = receive_node,
					 .need = NEED_CM },
				       { .name = "rdma_cm.allowed",
					 .what = "rdma_cm opened by pods with a device and by the host",
					 .feature = "exclusive.open",
					 .roles = R(OWNER) | R(POD) | R(HOST),
					 .act = open_node,
					 .need = NEED_CM },
				       { 0 } };
