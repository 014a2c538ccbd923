// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "rdma/rdma.h"

/* ---- devices ---- */

struct search {
	const char *name; /* NULL: by index */
	uint32_t index;
	struct rdma_device *device;
};

static int is_searched(const struct rdma_device *device, void *ctx)
{
	struct search *s = ctx;

	if (s->name ? strcmp(s->name, device->name) != 0 : s->index != device->index)
		return 0;
	*s->device = *device;
	return 1;
}

static int search_device(struct rdma_nl *nl, struct search *s)
{
	int r = rdma_for_each(nl, is_searched, s);

	return r < 0 ? r : r ? 0 : -ENODEV;
}

int rdma_get(struct rdma_nl *nl, uint32_t index, struct rdma_device *device)
{
	struct search search = { .index = index, .device = device };

	return search_device(nl, &search);
}

int rdma_find(struct rdma_nl *nl, const char *name, struct rdma_device *device)
{
	struct search search = { .name = name, .device = device };

	return search_device(nl, &search);
}

struct children {
	struct rdma_nl *nl;
	struct rdma_device *devices;
	size_t room;
	int count;
};

/*
 * It has gone meanwhile, or has no such node (nldev_get_chardev() in ib_core's nldev.c). That is not the same as one that could
 * not be asked, which may be the one that is looked for.
 */
static bool is_gone(int r)
{
	return r == -EINVAL || r == -ENODEV || r == -EOPNOTSUPP;
}

/* One that is in another netns is not found; one that is renamed in this moment is no longer of that name or that node. */
static int take_child(const struct rdma_cdev *cdev, void *ctx)
{
	struct children *c = ctx;
	struct rdma_device device;
	dev_t node;
	int r = rdma_find(c->nl, cdev->ibdev, &device);

	if (!r)
		r = rdma_uverbs(c->nl, device.index, &node);
	if (r)
		return is_gone(r) ? 0 : r;
	if (node != cdev->dev)
		return 0;
	if ((size_t)c->count < c->room)
		c->devices[c->count] = device;
	c->count++;
	return 0;
}

/*
 * By their uverbs nodes, whose sysfs folders are to be seen below the parent from every netns, while its folder infiniband/
 * is empty when the device is in another one. So it takes two messages for each, however many others the netns has.
 */
int rdma_find_children(struct rdma_nl *nl, const char *parent, struct rdma_device *devices, size_t room)
{
	struct children children = { .nl = nl, .devices = devices, .room = room };
	int r = parent[0] ? rdma_cdev_for_each_of(parent, take_child, &children) : -EINVAL;

	return r ? r : children.count;
}

/* ---- GIDs ---- */

/*
 * A sysfs of the caller's netns that is mounted nowhere, so that neither a mount namespace nor another process sees anything
 * of it: it ends with the descriptor. RDMA netlink tells no GIDs, and a pod's uverbs node is closed to the host.
 */
static int private_sysfs(void *ctx)
{
	_cleanup_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	int fd;

	(void)ctx;
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Entries that are not in use read as zeros, or cannot be read. */
static bool read_gid(int dir, const char *entry, uint8_t gid[16])
{
	static const uint8_t unused[16];
	_cleanup_close_ int fd = openat(dir, entry, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return inet_pton(AF_INET6, text, gid) == 1 && memcmp(gid, unused, sizeof(unused)) != 0;
}

int rdma_sysfs(int netns_fd)
{
	return netns_call(netns_fd, private_sysfs, NULL);
}

/* 0, -errno, or the nonzero answer of `visit`. */
static int gid_each(int sysfs, const char *name, int (*visit)(const uint8_t gid[16], void *ctx), void *ctx)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[128];
	uint8_t gid[16];
	int fd, r = 0;

	if (strchr(name, '/') || try_snprintf(path, sizeof(path), "class/infiniband/%s/ports/1/gids", name))
		return -EINVAL;
	fd = openat(sysfs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (!r && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && read_gid(fd, entry->d_name, gid))
			r = visit(gid, ctx);
	return r;
}

struct gid_list {
	uint8_t (*gids)[16];
	size_t room, count;
};

static int take_gid(const uint8_t gid[16], void *ctx)
{
	struct gid_list *list = ctx;

	for (size_t i = 0; i < list->count && i < list->room; i++)
		if (!memcmp(list->gids[i], gid, sizeof(list->gids[i])))
			return 0;
	if (list->count < list->room)
		memcpy(list->gids[list->count], gid, sizeof(list->gids[0]));
	list->count++;
	return 0;
}

int rdma_gids(int netns_fd, const char *name, uint8_t (*gids)[16], size_t room)
{
	_cleanup_close_ int sysfs = rdma_sysfs(netns_fd);
	struct gid_list list = { .gids = gids, .room = room };
	int r = sysfs < 0 ? sysfs : gid_each(sysfs, name, take_gid, &list);

	return r ? r : (int)list.count;
}

static int is_gid(const uint8_t gid[16], void *ctx)
{
	return !memcmp(gid, ctx, 16);
}

/* The kernel fills the table in a work of its own (ib_core's roce_gid_mgmt.c) and tells nobody when it has. */
static int wait_gid(int netns_fd, const char *name, const uint8_t gid[16], int timeout_ms)
{
	uint64_t deadline = boot_ns() + (uint64_t)timeout_ms * 1000000;
	_cleanup_close_ int sysfs = rdma_sysfs(netns_fd);
	struct timespec pause = { .tv_nsec = 1000000 };
	uint8_t wanted[16];
	int r;

	if (sysfs < 0)
		return sysfs;
	memcpy(wanted, gid, sizeof(wanted));
	for (;;) {
		r = gid_each(sysfs, name, is_gid, wanted);
		if (r)
			return r < 0 ? r : 0;
		if (boot_ns() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 32000000)
			pause.tv_nsec *= 2;
	}
}

int rdma_wait_gid(int netns_fd, const char *name, const uint8_t gid[16], int timeout_ms, struct err *err)
{
	int r = fault_point("rdma.gid");

	if (!r)
		r = wait_gid(netns_fd, name, gid, timeout_ms);
	if (r == -ETIMEDOUT)
		return fail(err, r, "RDMA device %s: no GID of the address after %d ms", name, timeout_ms);
	return r ? fail(err, r, "RDMA device %s: cannot read its GIDs: %s", name, strerror(-r)) : 0;
}
