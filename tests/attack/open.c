// SPDX-License-Identifier: Apache-2.0
/* Ways to open the owner's verbs node. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

#define MODE (O_RDWR | O_CLOEXEC)
#define DEV "/dev/"
#define SCRATCH "/mnt" /* a folder to mount things on, in a mount namespace of one's own */

static int open_path(struct scene *s)
{
	return use_fd(s, open(s->node, MODE));
}

static int open_read_only(struct scene *s)
{
	return use_fd(s, open(s->node, O_RDONLY | O_CLOEXEC));
}

static int open_openat2(struct scene *s)
{
	struct open_how how = { .flags = MODE, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return use_fd(s, (int)syscall(__NR_openat2, AT_FDCWD, s->node, &how, sizeof(how)));
}

static int open_compat(struct scene *s)
{
	char *path = low_memory();
	int fd;

	if (!path)
		return -errno;
	strcpy(path, s->node);
	fd = compat_call(COMPAT_OPEN, (uintptr_t)path, MODE, 0);
	if (fd == -ENOSYS)
		return skip(s, "no 32-bit system calls");
	errno = fd < 0 ? -fd : 0;
	return use_fd(s, fd);
}

/* Another name beside the node: a name of this process's alone, gone once it is open. */
static int open_beside(struct scene *s, const char *folder, int (*make)(const char *node, const char *path))
{
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), "%s/attack-%d", folder, getpid());
	s->c.step = "make";
	if (make(s->node, path))
		return -errno;
	fd = open(path, MODE);
	err = errno;
	unlink(path);
	errno = err;
	return use_fd(s, fd);
}

static int make_node(const char *node, const char *path)
{
	struct stat st;

	return stat(node, &st) || mknod(path, S_IFCHR | 0600, st.st_rdev);
}

static int open_symlink(struct scene *s)
{
	return open_beside(s, "/dev/shm", symlink);
}

static int open_hardlink(struct scene *s)
{
	return open_beside(s, "/dev/infiniband", link);
}

static int open_mknod(struct scene *s)
{
	return open_beside(s, "/dev/shm", make_node);
}

static int private_mounts(struct scene *s)
{
	s->c.step = "unshare";
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

static int mount_scratch(struct scene *s, const char *type, const char *options)
{
	s->c.step = "mount";
	return mount(type, SCRATCH, type, 0, options) ? -errno : 0;
}

static int open_devtmpfs(struct scene *s)
{
	char path[128];
	int err = private_mounts(s);

	if (!err)
		err = mount_scratch(s, "devtmpfs", NULL);
	if (err)
		return err;
	snprintf(path, sizeof(path), SCRATCH "/%s", s->node + strlen(DEV));
	return use_fd(s, open(path, MODE));
}

static int open_bind_mount(struct scene *s)
{
	int err = private_mounts(s);

	if (!err)
		err = mount_scratch(s, "tmpfs", NULL);
	if (err)
		return err;
	s->c.step = "bind";
	if (mknod(SCRATCH "/file", S_IFREG | 0600, 0) || mount(s->node, SCRATCH "/file", NULL, MS_BIND, NULL))
		return -errno;
	return use_fd(s, open(SCRATCH "/file", MODE));
}

/* A mount that is in no mount namespace. */
static int open_detached_mount(struct scene *s)
{
	int tree = (int)syscall(__NR_open_tree, AT_FDCWD, "/dev", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	s->c.step = "open_tree";
	if (tree < 0)
		return -errno;
	return use_fd(s, openat(tree, s->node + strlen(DEV), MODE));
}

/* The node seen through an overlay has an inode of the overlay's. */
static int open_overlay(struct scene *s)
{
	int err = private_mounts(s);

	if (!err)
		err = mount_scratch(s, "tmpfs", NULL);
	if (err)
		return err;
	s->c.step = "overlay";
	if (mkdir(SCRATCH "/lower", 0700) || mkdir(SCRATCH "/upper", 0700) || mkdir(SCRATCH "/work", 0700) ||
	    mkdir(SCRATCH "/merged", 0700) || make_node(s->node, SCRATCH "/lower/node") ||
	    mount("overlay", SCRATCH "/merged", "overlay", 0,
		  "lowerdir=" SCRATCH "/lower,upperdir=" SCRATCH "/upper,workdir=" SCRATCH "/work"))
		return -errno;
	return use_fd(s, open(SCRATCH "/merged/node", MODE));
}

static int open_proc_fd(struct scene *s)
{
	char path[64];
	int fd = hear(s);

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", s->owner, fd);
	return use_fd(s, open(path, MODE));
}

static int open_proc_root(struct scene *s)
{
	char path[128];
	int fd = hear(s);

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", s->owner, s->node);
	return use_fd(s, open(path, MODE));
}

static int open_handle(struct scene *s)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	__cleanup(close_fd) int mount_fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int mount_id;

	s->c.step = "name_to_handle_at";
	if (mount_fd < 0 || name_to_handle_at(AT_FDCWD, s->node, &h.handle, &mount_id, 0))
		return -errno;
	return use_fd(s, open_by_handle_at(mount_fd, &h.handle, MODE));
}

static int open_o_path(struct scene *s)
{
	__cleanup(close_fd) int path_fd = open(s->node, O_PATH | O_CLOEXEC);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	return use_fd(s, open(path, MODE));
}

static int uring_open_node(struct scene *s, struct io_uring_sqe request)
{
	int err = uring_open(&s->ring);

	s->c.step = "io_uring";
	if (err)
		return err;
	request.fd = AT_FDCWD;
	request.addr = (uintptr_t)s->node;
	request.open_flags = MODE;
	return uring_do(&s->ring, &request);
}

static int open_uring(struct scene *s)
{
	int fd = uring_open_node(s, (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT });

	errno = fd < 0 ? -fd : 0;
	return use_fd(s, fd);
}

/* By a worker thread of the kernel's. */
static int open_uring_worker(struct scene *s)
{
	int fd = uring_open_node(s, (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC });

	errno = fd < 0 ? -fd : 0;
	return use_fd(s, fd);
}

/* Into the table of registered files, past the table of descriptors. Nothing but a write could use it there. */
static int open_uring_direct(struct scene *s)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_OPENAT,
					.fd = AT_FDCWD,
					.addr = (uintptr_t)s->node,
					.open_flags = O_RDWR,
					.file_index = 1 };
	int err = uring_open(&s->ring);

	s->c.step = "io_uring";
	if (!err)
		err = uring_register(&s->ring, -1);
	return err ? err : uring_do(&s->ring, &request);
}

/* Root in a user namespace of its own. */
static int open_user_namespace(struct scene *s)
{
	s->c.step = "unshare";
	if (unshare(CLONE_NEWUSER))
		return -errno;
	return use_fd(s, open(s->node, MODE));
}

#define OPEN(n, w, r, f)                                                                                       \
	{                                                                                                      \
		.name = (n), .what = (w), .feature = "exclusive.open", .rule = "exclusive.open", .roles = (r), \
		.control = R(OWNER), .act = (f)                                                                \
	}

#define STRANGERS (R(HOST) | R(POD) | R(PRIVILEGED) | R(IN_NETNS) | R(IN_CGROUP) | R(HOST_NETWORK))
#define MIGHTY (R(HOST) | R(PRIVILEGED))

const struct vector open_vectors[] = {
	OPEN("open.path", "open(2) by the node's path", STRANGERS | R(IDLE), open_path),
	OPEN("open.read-only", "the same, for reading alone", R(HOST) | R(POD), open_read_only),
	OPEN("open.openat2", "openat2(2) without symlinks", R(HOST) | R(POD), open_openat2),
	OPEN("open.compat", "open by a 32-bit system call", R(HOST) | R(POD), open_compat),
	OPEN("open.symlink", "through a symbolic link", R(HOST) | R(POD), open_symlink),
	OPEN("open.hardlink", "through a hard link in devtmpfs", MIGHTY, open_hardlink),
	OPEN("open.mknod", "a node made with mknod on tmpfs", R(HOST) | R(POD) | R(PRIVILEGED), open_mknod),
	OPEN("open.devtmpfs", "another mount of devtmpfs", MIGHTY, open_devtmpfs),
	OPEN("open.bind-mount", "the node mounted on a file", MIGHTY, open_bind_mount),
	OPEN("open.detached-mount", "a copy of the mount that is mounted nowhere (open_tree)", MIGHTY,
	     open_detached_mount),
	OPEN("open.overlay", "a node that overlayfs shows", MIGHTY, open_overlay),
	OPEN("open.handle", "open_by_handle_at", MIGHTY, open_handle),
	OPEN("open.o-path", "O_PATH, then /proc/self/fd", R(HOST) | R(POD), open_o_path),
	OPEN("open.io_uring", "IORING_OP_OPENAT", R(HOST) | R(POD), open_uring),
	OPEN("open.io_uring-worker", "the same in a thread of the kernel", R(HOST) | R(POD), open_uring_worker),
	OPEN("open.io_uring-direct", "the same into the table of registered files", R(HOST) | R(POD),
	     open_uring_direct),
	OPEN("open.user-namespace", "from a user namespace of its own", R(HOST) | R(POD), open_user_namespace),
	{ .name = "open.proc-fd",
	  .what = "/proc/PID/fd/N of the owner",
	  .feature = "exclusive.open",
	  .rule = "exclusive.open",
	  .roles = MIGHTY,
	  .control = R(OWNER),
	  .owner = owner_holds,
	  .act = open_proc_fd },
	{ .name = "open.proc-root",
	  .what = "/proc/PID/root of the owner",
	  .feature = "exclusive.open",
	  .rule = "exclusive.open",
	  .roles = MIGHTY,
	  .control = R(OWNER),
	  .owner = owner_holds,
	  .act = open_proc_root },
	{ .name = "open.free",
	  .what = "a device that belongs to nobody, by a pod",
	  .feature = "exclusive.open",
	  .rule = "exclusive.open",
	  .roles = R(POD) | R(PRIVILEGED) | R(HOST_NETWORK),
	  .control = R(HOST),
	  .act = open_path,
	  .need = NEED_FREE,
	  .deviceless = true },
	/* Allowed: the owner in all its shapes. */
	{ .name = "owner.path",
	  .what = "the owner, a cgroup below its own, a second container",
	  .feature = "exclusive.open",
	  .roles = R(OWNER) | R(NESTED) | R(SIBLING),
	  .act = open_path },
	{ .name = "owner.second-device",
	  .what = "a second device of the same pod",
	  .feature = "exclusive.open",
	  .roles = R(OWNER) | R(NESTED),
	  .act = open_path,
	  .need = NEED_SECOND },
	{ 0 }
};
