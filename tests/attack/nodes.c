// SPDX-License-Identifier: Apache-2.0
/* The other nodes of the RDMA stack: umad and issm, which belong to nobody, and rdma_cm, which has no device. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <rdma/ib_user_mad.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_cm.h>
#include <stdint.h>
#include <sys/ioctl.h>
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

/* An identifier for connections, by the only way into rdma_cm that there is. */
static int create_cm_id(struct scene *s)
{
	struct rdma_ucm_create_id_resp answer;
	struct {
		struct rdma_ucm_cmd_hdr hdr;
		struct rdma_ucm_create_id in;
	} command = { .hdr = { .cmd = RDMA_USER_CM_CMD_CREATE_ID, .in = sizeof(command.in), .out = sizeof(answer) },
		      .in = { .response = (uintptr_t)&answer, .ps = RDMA_PS_TCP, .qp_type = IB_UVERBS_QPT_RC } };

	s->c.step = "write";
	return write(s->c.fd, &command, sizeof(command)) == sizeof(command) ? 0 : -errno;
}

static int umad_ioctl(struct scene *s)
{
	s->c.step = "ioctl";
	return ioctl(s->c.fd, IB_USER_MAD_ENABLE_PKEY) ? -errno : 0;
}

/* Of an agent that does not exist: the driver says so, behind the guard. */
static int umad_write(struct scene *s)
{
	uint8_t mad[512] = { 0 };

	s->c.step = "write";
	return write(s->c.fd, mad, sizeof(mad)) >= 0 || errno == EINVAL ? 0 : -errno;
}

#define ANYBODY (R(OWNER) | R(HOST) | R(POD) | R(PRIVILEGED))

/* What forbids it: feature and rule. */
#define UMAD .feature = "exclusive.open", .rule = "exclusive.umad"
#define OPEN .feature = "exclusive.open", .rule = "exclusive.open"
#define PASS .feature = "exclusive.fd-pass", .rule = "exclusive.fd-pass"
#define UMAD_IOCTL .feature = "exclusive.ioctl", .rule = "exclusive.umad"
#define UMAD_WRITE .feature = "exclusive.umad-write", .rule = "exclusive.umad"
#define CM_WRITE .feature = "exclusive.rdma-cm-write", .rule = "exclusive.inherited-fd"

/* Of nobody: there is no control but the bare kernel. */
#define NOBODYS(n, w, law, r, a, i)                                                  \
	{                                                                            \
		.name = (n), .what = (w), law, .roles = (r), .act = (a), .need = (i) \
	}
#define EARLY(n, w, law, a)                                                                                          \
	{                                                                                                            \
		.name = (n), .what = (w), law, .roles = R(HOST), .before = open_node, .act = (a), .need = NEED_UMAD, \
		.early = true                                                                                        \
	}
#define CM(n, w, law, r, o, b, a)                                                                              \
	{                                                                                                      \
		.name = (n), .what = (w), law, .roles = (r), .control = R(OWNER), .owner = (o), .before = (b), \
		.act = (a), .need = NEED_CM                                                                    \
	}

const struct vector node_vectors[] = {
	NOBODYS("umad.path", "open of a umad node", UMAD, ANYBODY, open_node, NEED_UMAD),
	NOBODYS("umad.mknod", "the same by a node made with mknod", UMAD, R(HOST) | R(PRIVILEGED), open_made_node,
		NEED_UMAD),
	NOBODYS("issm.path", "open of an issm node", UMAD, ANYBODY, open_issm, NEED_ISSM),
	EARLY("early.umad-ioctl", "a umad node opened by the host before wardend ran, then ioctl", UMAD_IOCTL,
	      umad_ioctl),
	EARLY("early.umad-write", "the same, then write(2)", UMAD_WRITE, umad_write),
	CM("rdma_cm.path", "open of rdma_cm by a pod without a device", OPEN, R(IDLE) | R(HOST_NETWORK), NULL, NULL,
	   open_node),
	CM("rdma_cm.mknod", "the same by a node made with mknod", OPEN, R(IDLE), NULL, NULL, open_made_node),
	CM("rdma_cm.scm-rights", "a descriptor of rdma_cm passed to such a pod", PASS, R(IDLE), owner_passes_node, NULL,
	   receive_node),
	CM("rdma_cm.write", "a command on rdma_cm after leaving the owner for such a pod", CM_WRITE, R(IDLE), NULL,
	   open_node, create_cm_id),
	/* Allowed. */
	{ .name = "rdma_cm.allowed",
	  .what = "rdma_cm opened by pods with a device and by the host",
	  .feature = "exclusive.open",
	  .roles = R(OWNER) | R(POD) | R(HOST),
	  .act = open_node,
	  .need = NEED_CM },
	{ 0 }
};
