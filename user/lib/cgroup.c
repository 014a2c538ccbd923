// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h: the handle is the 64-bit kernfs id */

int cgroup_path(uint64_t id, char *to, size_t size)
{
	_Alignas(struct file_handle) char room[sizeof(struct file_handle) + sizeof(id)];
	struct file_handle *handle = (struct file_handle *)room;
	_cleanup_close_ int root = open(CGROUP_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	char link[64], path[PATH_MAX];
	ssize_t len;

	if (root < 0)
		return -errno;
	handle->handle_bytes = sizeof(id);
	handle->handle_type = FILEID_KERNFS;
	memcpy(handle->f_handle, &id, sizeof(id));
	fd = open_by_handle_at(root, handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	if (strncmp(path, CGROUP_ROOT, strlen(CGROUP_ROOT)))
		return -ENOENT;
	return try_snprintf(to, size, "%s", path[strlen(CGROUP_ROOT)] ? path + strlen(CGROUP_ROOT) : "/");
}
