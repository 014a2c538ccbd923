// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/util.h"

#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h: the handle is the 64-bit kernfs id */

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The id is the inode number (kernfs), and the inode of the root of the hierarchy is always 1. */
static int check_root(const char *cgroup, struct err *err)
{
	struct stat st;

	if (stat(CGROUP_ROOT, &st) || !is_cgroup2(CGROUP_ROOT) || st.st_ino != 1)
		return fail(err, -EOPNOTSUPP,
			    "cgroup %s: " CGROUP_ROOT " is not the root of a cgroup v2 hierarchy; claim by netns alone",
			    cgroup);
	return 0;
}

int cgroup_enter_host(struct err *err)
{
	_cleanup_close_ int fd = open("/proc/1/ns/cgroup", O_RDONLY | O_CLOEXEC);
	struct stat own, host;

	if (fd >= 0 && !fstat(fd, &host) && !stat("/proc/self/ns/cgroup", &own) && own.st_ino == host.st_ino)
		return 0;
	if (fd < 0 || setns(fd, CLONE_NEWCGROUP))
		return fail(err, -errno, "the host's cgroup namespace cannot be entered: %s", strerror(errno));
	return 0;
}

static uint32_t depth(const char *path)
{
	uint32_t level = 0;

	for (const char *p = path; *p; p++)
		if (*p != '/' && (p == path || p[-1] == '/'))
			level++;
	return level;
}

int cgroup_resolve(const char *cgroup, struct cgroup_ref *ref, struct err *err)
{
	const char *below = cgroup;
	char path[PATH_MAX];
	struct stat st;
	int r = check_root(cgroup, err);

	if (r)
		return r;
	if (!strncmp(cgroup, CGROUP_ROOT "/", strlen(CGROUP_ROOT) + 1))
		below = cgroup + strlen(CGROUP_ROOT);
	if (strstr(below, ".."))
		return fail(err, -EINVAL, "cgroup %s: \"..\" is not taken", cgroup);
	if (try_snprintf(path, sizeof(path), CGROUP_ROOT "/%s", below))
		return fail(err, -ENAMETOOLONG, "cgroup: the path is too long");
	if (stat(path, &st))
		return fail(err, -errno, "cgroup %s: %s", path, errno == ENOENT ? "it is gone" : strerror(errno));
	if (!S_ISDIR(st.st_mode) || !is_cgroup2(path))
		return fail(err, -EINVAL, "cgroup %s: not a cgroup", path);
	if (depth(below) == 0)
		return fail(err, -EINVAL, "cgroup %s: the root owns nothing", cgroup);
	*ref = (struct cgroup_ref){ .id = st.st_ino, .level = depth(below) };
	return 0;
}

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

bool cgroup_is_gone(uint64_t id)
{
	char path[PATH_MAX];

	return is_cgroup2(CGROUP_ROOT) && cgroup_path(id, path, sizeof(path)) == -ESTALE;
}

int cgroup_self(char *to, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096 + 8];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4)) /* cgroups(7): of the v2 hierarchy */
			continue;
		line[strcspn(line, "\n")] = '\0';
		return try_snprintf(to, size, "%s", line + 4);
	}
	return -ENOENT;
}

int cgroup_by_id(uint64_t id, struct cgroup_ref *cgroup)
{
	char path[PATH_MAX];
	int r = cgroup_path(id, path, sizeof(path));

	return r ? r : cgroup_resolve(path, cgroup, NULL);
}
