// SPDX-License-Identifier: Apache-2.0
/* Descriptors of the owner's verbs node that somebody else has come by. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "uverbs/pass.h"

/* ---- beginnings, as the owner ---- */

int before_open(struct scene *s)
{
	s->c.step = "before";
	return open_device(&s->c, s->node);
}

static int before_context(struct scene *s)
{
	s->c.step = "before";
	return open_context(&s->c, s->node);
}

static int before_context_by_write(struct scene *s)
{
	s->c.opt.by_write = true;
	return before_context(s);
}

/* ---- use of what was opened before ---- */

int act_ioctl(struct scene *s)
{
	return get_context(&s->c);
}

static int act_second_ioctl(struct scene *s)
{
	return alloc_pd(&s->c);
}

static int send_compat(int fd, const void *header, size_t len)
{
	void *low = low_memory();

	if (!low || len > LOW_SIZE)
		return -ENOMEM;
	memcpy(low, header, len);
	return compat_call(COMPAT_IOCTL, (unsigned long)fd, RDMA_VERBS_IOCTL, (uintptr_t)low);
}

static int act_compat_ioctl(struct scene *s)
{
	int err;

	s->c.opt.send = send_compat;
	err = get_context(&s->c);
	return err == -ENOSYS ? skip(s, "no 32-bit system calls") : err;
}

static int act_reopen(struct scene *s)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->c.fd);
	return use_fd(s, open(path, O_RDWR | O_CLOEXEC));
}

/* The test drivers have no page at that place: an error of theirs means that the guard was passed. */
static int act_mmap(struct scene *s)
{
	s->c.step = "mmap";
	if (mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED, s->c.fd, 0) != MAP_FAILED)
		return 0;
	return errno == EINVAL || errno == ENODEV || errno == EOPNOTSUPP ? 0 : -errno;
}

static int act_write(struct scene *s)
{
	s->c.opt.by_write = true;
	return alloc_pd(&s->c);
}

/* A plain command by hand, for the roads that are not write(2). */
struct written {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_alloc_pd in;
};

static void fill_command(struct written *command, struct ib_uverbs_alloc_pd_resp *answer)
{
	memset(command, 0, sizeof(*command));
	command->hdr.command = IB_USER_VERBS_CMD_ALLOC_PD;
	command->hdr.in_words = sizeof(*command) / 4;
	command->hdr.out_words = sizeof(*answer) / 4;
	command->in.response = (uintptr_t)answer;
}

static int act_writev(struct scene *s)
{
	struct ib_uverbs_alloc_pd_resp answer;
	struct written command;
	struct iovec iov = { &command, sizeof(command) };

	fill_command(&command, &answer);
	s->c.step = "writev";
	return writev(s->c.fd, &iov, 1) == sizeof(command) ? 0 : -errno;
}

static int uring_write(struct scene *s, struct io_uring_sqe request)
{
	struct ib_uverbs_alloc_pd_resp answer;
	struct written command;
	int n;

	fill_command(&command, &answer);
	s->c.step = "io_uring write";
	request.opcode = IORING_OP_WRITE;
	request.addr = (uintptr_t)&command;
	request.len = sizeof(command);
	n = uring_do(&s->ring, &request);
	return n == sizeof(command) ? 0 : n < 0 ? n : -EIO;
}

static int act_uring_write(struct scene *s)
{
	int err = uring_open(&s->ring);

	return err ? err : uring_write(s, (struct io_uring_sqe){ .fd = s->c.fd });
}

/*
 * A worker thread of the ring, made while the process was the owner: it moves to another cgroup with its process, but
 * keeps its netns, as any thread does that does not setns itself. So the claim's cgroup is what stops it.
 */
static int before_worker(struct scene *s)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_NOP, .flags = IOSQE_ASYNC };
	int err = before_context_by_write(s);

	if (!err)
		err = uring_open(&s->ring);
	return err ? err : uring_do(&s->ring, &request);
}

static int act_worker_open(struct scene *s)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_OPENAT,
					.flags = IOSQE_ASYNC,
					.fd = AT_FDCWD,
					.addr = (uintptr_t)s->node,
					.open_flags = O_RDWR | O_CLOEXEC };
	int fd = uring_do(&s->ring, &request);

	s->c.step = "io_uring open";
	return fd < 0 ? fd : 0;
}

static int act_worker_write(struct scene *s)
{
	return uring_write(s, (struct io_uring_sqe){ .fd = s->c.fd, .flags = IOSQE_ASYNC });
}

/* The file is in the ring's table alone, no descriptor is left. */
static int before_registered(struct scene *s)
{
	int err = before_context_by_write(s);

	if (!err)
		err = uring_open(&s->ring);
	if (!err)
		err = uring_register(&s->ring, s->c.fd);
	close_fd(&s->c.fd);
	return err;
}

static int act_registered_write(struct scene *s)
{
	return uring_write(s, (struct io_uring_sqe){ .fd = 0, .flags = IOSQE_FIXED_FILE });
}

/* The file is opened with credentials that the kernel compares: io_uring lends them to whoever has the ring. */
static int owner_lends(struct scene *s)
{
	int err = before_context_by_write(s);

	if (!err)
		err = uring_register(&s->ring, s->c.fd);
	say(s, err ? err : uring_personality(&s->ring));
	wait_for_end(s);
	return 0;
}

static int act_lent_write(struct scene *s)
{
	int id = hear(s);

	if (id < 0)
		return id;
	return uring_write(s, (struct io_uring_sqe){ .fd = 0, .flags = IOSQE_FIXED_FILE, .personality = (uint16_t)id });
}

/* The program that is executed is this one: `attack --use FD RESULT`. */
static int act_exec(struct scene *s)
{
	char fd[16], result[16];

	fcntl(s->c.fd, F_SETFD, 0);
	fcntl(s->result_fd, F_SETFD, 0);
	snprintf(fd, sizeof(fd), "%d", s->c.fd);
	snprintf(result, sizeof(result), "%d", s->result_fd);
	s->c.step = "exec";
	execl("/proc/self/exe", "attack", "--use", fd, result, NULL);
	return -errno;
}

/* ---- descriptors that are given ---- */

int owner_holds(struct scene *s)
{
	int err = open_device(&s->c, s->node);

	say(s, err ? err : s->c.fd);
	wait_for_end(s);
	return err;
}

static int owner_passes(struct scene *s)
{
	int err = open_device(&s->c, s->node);

	if (!err)
		err = send_fd(s->sock, s->c.fd);
	wait_for_end(s);
	return err;
}

static int owner_passes_o_path(struct scene *s)
{
	s->c.fd = open(s->node, O_PATH | O_CLOEXEC);
	send_fd(s->sock, s->c.fd);
	wait_for_end(s);
	return 0;
}

static int act_receive(struct scene *s)
{
	s->c.step = "receive";
	s->c.fd = receive_fd(s->sock);
	return s->c.fd < 0 ? s->c.fd : get_context(&s->c);
}

static int act_receive_o_path(struct scene *s)
{
	s->c.step = "receive";
	s->c.fd = receive_fd(s->sock);
	return s->c.fd < 0 ? s->c.fd : act_reopen(s);
}

static int act_receive_and_map(struct scene *s)
{
	s->c.step = "receive";
	s->c.fd = receive_fd(s->sock);
	return s->c.fd < 0 ? s->c.fd : act_mmap(s);
}

static int act_pidfd_getfd(struct scene *s)
{
	int fd = hear(s), pidfd;

	if (fd < 0)
		return fd;
	s->c.step = "pidfd_open";
	pidfd = (int)syscall(__NR_pidfd_open, s->owner, 0);
	if (pidfd < 0)
		return -errno;
	s->c.step = "pidfd_getfd";
	s->c.fd = (int)syscall(__NR_pidfd_getfd, pidfd, fd, 0);
	return s->c.fd < 0 ? -errno : get_context(&s->c);
}

/* A process that shares the owner's table of descriptors, from elsewhere. */
static int before_shared_table(struct scene *s)
{
	int err = before_open(s), status;
	pid_t child;

	if (err)
		return err;
	child = (pid_t)syscall(__NR_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (child <= 0)
		return child ? -errno : 0; /* the child goes on as the actor */
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		kill(getpid(), WTERMSIG(status)); /* the runner sees how it ended */
	_exit(0);
}

/* IORING_MSG_SEND_FD puts a file into the table of another ring and asks no security module. */
static int owner_messages(struct scene *s)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_MSG_RING,
					.fd = s->ring.fd,
					.addr = IORING_MSG_SEND_FD,
					.file_index = 1,
					.msg_ring_flags = IORING_MSG_RING_CQE_SKIP };
	struct uring own;
	int err = open_device(&s->c, s->node);

	if (!err)
		err = uring_register(&s->ring, -1);
	if (!err)
		err = uring_open(&own);
	if (!err)
		err = uring_register(&own, s->c.fd);
	say(s, err ? err : uring_do(&own, &request));
	wait_for_end(s);
	return err;
}

static int act_message_write(struct scene *s)
{
	int err = hear(s);

	return err < 0 ? err : uring_write(s, (struct io_uring_sqe){ .fd = 0, .flags = IOSQE_FIXED_FILE });
}

#define FIXED_FD_INSTALL 54 /* IORING_OP_FIXED_FD_INSTALL, since 6.8: headers of older systems lack it */

static int act_message_install(struct scene *s)
{
	struct io_uring_sqe request = { .opcode = FIXED_FD_INSTALL, .fd = 0, .flags = IOSQE_FIXED_FILE };
	int fd = hear(s);

	if (fd < 0)
		return fd;
	s->c.step = "fixed-fd-install";
	fd = uring_do(&s->ring, &request);
	if (fd == -EINVAL)
		return skip(s, "the kernel has no IORING_OP_FIXED_FD_INSTALL");
	errno = fd < 0 ? -fd : 0;
	return use_fd(s, fd);
}

/* ---- seccomp: a supervisor answers a system call with a descriptor of its own ---- */

static int seccomp_listener(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	fd = (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	return fd < 0 ? -errno : fd;
}

/* Where the descriptor is withheld, the call that waits for it has to end all the same. */
static int owner_supervises(struct scene *s)
{
	struct seccomp_notif_addfd add = { .flags = SECCOMP_ADDFD_FLAG_SEND };
	struct seccomp_notif_resp refusal = { .error = -EPERM };
	struct seccomp_notif call = { 0 };
	int listener, err = open_device(&s->c, s->node);

	if (err)
		return err;
	listener = receive_fd(s->sock);
	if (listener < 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
		return -EPIPE;
	add.id = refusal.id = call.id;
	add.srcfd = (uint32_t)s->c.fd;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &refusal);
	wait_for_end(s);
	return 0;
}

static int act_supervised(struct scene *s)
{
	int listener = seccomp_listener();

	s->c.step = "seccomp";
	if (listener < 0)
		return listener;
	send_fd(s->sock, listener);
	close(listener); /* or the call would wait for ever when the owner's process ends */
	return use_fd(s, (int)syscall(__NR_getppid));
}

#define LEAVERS (R(IN_NETNS) | R(IN_CGROUP) | R(HOST) | R(PRIVILEGED))
#define STRANGERS (R(HOST) | R(POD) | R(PRIVILEGED) | R(IN_NETNS))

/* What forbids it: feature and rule. */
#define IOCTL .feature = "exclusive.ioctl", .rule = "exclusive.inherited-fd"
#define COMPAT .feature = "exclusive.ioctl-compat", .rule = "exclusive.inherited-fd"
#define WRITE .feature = "exclusive.write-abi", .rule = "exclusive.inherited-fd"
#define PASS .feature = "exclusive.fd-pass", .rule = "exclusive.fd-pass"
#define MMAP .feature = "exclusive.mmap", .rule = "exclusive.mmap"
#define REOPEN .feature = "exclusive.open", .rule = "exclusive.open"

/* Opened as the owner, used in another role. */
#define KEPT(n, w, law, r, b, a)                                                                            \
	{                                                                                                   \
		.name = (n), .what = (w), law, .roles = (r), .control = R(OWNER), .before = (b), .act = (a) \
	}
/* Given by a process of the owner's. */
#define GIVEN(n, w, law, r, o, a)                                                                          \
	{                                                                                                  \
		.name = (n), .what = (w), law, .roles = (r), .control = R(OWNER), .owner = (o), .act = (a) \
	}
/* Opened by the host before the device belonged to anybody. */
#define EARLY(n, w, law, b, a)                                                                                   \
	{                                                                                                        \
		.name = (n), .what = (w), law, .roles = R(HOST), .control = R(OWNER), .before = (b), .act = (a), \
		.early = true                                                                                    \
	}

const struct vector descriptor_vectors[] = {
	KEPT("kept.ioctl", "the first ioctl after leaving the owner's netns, cgroup or both", IOCTL, LEAVERS,
	     before_open, act_ioctl),
	KEPT("kept.ioctl-context", "an ioctl on a context made before leaving", IOCTL, LEAVERS, before_context,
	     act_second_ioctl),
	KEPT("kept.ioctl-compat", "a 32-bit ioctl after leaving", COMPAT, R(IN_NETNS) | R(HOST), before_open,
	     act_compat_ioctl),
	KEPT("kept.exec", "a descriptor kept over leaving and exec", IOCTL, R(IN_NETNS) | R(HOST), before_open,
	     act_exec),
	KEPT("kept.shared-table", "a table of descriptors shared with the owner (CLONE_FILES)", IOCTL, LEAVERS,
	     before_shared_table, act_ioctl),
	KEPT("kept.reopen", "/proc/self/fd of a kept descriptor", REOPEN, R(IN_NETNS) | R(HOST), before_open,
	     act_reopen),
	KEPT("kept.mmap", "mmap after leaving", MMAP, LEAVERS, before_context, act_mmap),
	KEPT("kept.write", "write(2) after leaving", WRITE, LEAVERS, before_context_by_write, act_write),
	KEPT("kept.writev", "the same by writev(2)", WRITE, R(IN_NETNS) | R(HOST), before_context_by_write, act_writev),
	KEPT("kept.io_uring-write", "the same by IORING_OP_WRITE", WRITE, R(IN_NETNS) | R(HOST),
	     before_context_by_write, act_uring_write),
	KEPT("kept.io_uring-registered", "the same, the file in the ring's table alone", WRITE, R(IN_NETNS) | R(HOST),
	     before_registered, act_registered_write),
	KEPT("kept.worker-open", "an open by a thread of the kernel that was the owner's", REOPEN,
	     R(HOST) | R(PRIVILEGED) | R(IN_NETNS), before_worker, act_worker_open),
	KEPT("kept.worker-write", "a write by such a thread", WRITE, R(HOST) | R(PRIVILEGED) | R(IN_NETNS),
	     before_worker, act_worker_write),
	GIVEN("given.scm-rights", "a descriptor over a unix socket", PASS, STRANGERS, owner_passes, act_receive),
	GIVEN("given.scm-rights-mmap", "the same, to be mapped", PASS, R(HOST) | R(POD), owner_passes,
	      act_receive_and_map),
	GIVEN("given.o-path", "an O_PATH descriptor over a unix socket", PASS, R(HOST) | R(POD), owner_passes_o_path,
	      act_receive_o_path),
	GIVEN("given.pidfd_getfd", "taken with pidfd_getfd", PASS, R(HOST) | R(PRIVILEGED), owner_holds,
	      act_pidfd_getfd),
	GIVEN("given.seccomp", "put there by a seccomp supervisor", PASS, R(HOST) | R(POD), owner_supervises,
	      act_supervised),
	GIVEN("given.msg-ring-install", "IORING_MSG_SEND_FD, then made a descriptor", PASS, R(HOST) | R(POD),
	      owner_messages, act_message_install),
	/* The kernel refuses the command to everybody but the opener, whose credentials are not the receiver's. */
	{ .name = "given.msg-ring-write",
	  .what = "IORING_MSG_SEND_FD, then IORING_OP_WRITE",
	  WRITE,
	  .roles = R(HOST) | R(POD),
	  .owner = owner_messages,
	  .act = act_message_write },
	GIVEN("given.personality", "a shared ring with the owner's file and credentials", WRITE, R(HOST) | R(POD),
	      owner_lends, act_lent_write),
	EARLY("early.ioctl", "opened by the host before the claim, then ioctl", IOCTL, before_open, act_ioctl),
	EARLY("early.mmap", "opened by the host before the claim, then mmap", MMAP, before_context, act_mmap),
	EARLY("early.write", "opened by the host before the claim, then write(2)", WRITE, before_context_by_write,
	      act_write),
	{ 0 }
};
