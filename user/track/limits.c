// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "track/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/util.h"

static int write_text(const char *dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (try_snprintf(path, sizeof(path), "%s/%s", dir, name))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Whether the cgroup's rdma.max has a line of the device, which it has only when it was limited. */
static bool is_limited(const char *dir, const char *device)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX], line[256];
	size_t len = strlen(device);

	if (try_snprintf(path, sizeof(path), "%s/rdma.max", dir))
		return false;
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, device, len) && line[len] == ' ' && !strstr(line, "hca_handle=max"))
			return true;
	return false;
}

static int limit(const char *dir, const char *device)
{
	char text[128];

	if (is_limited(dir, device))
		return 0;
	if (try_snprintf(text, sizeof(text), "%s hca_handle=0 hca_object=0", device) ||
	    write_text(dir, "rdma.max", text))
		return 0; /* it has gone, or lies in a part of the hierarchy where the controller cannot be enabled */
	return 1;
}

/* All cgroups in DIR but the one named KEEP. */
static int limit_siblings(const char *dir, const char *keep, const char *device)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *entry;
	char path[PATH_MAX];
	int n = 0;

	while (d && (entry = readdir(d)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && strcmp(entry->d_name, keep) &&
		    !try_snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name))
			n += limit(path, device);
	return n;
}

int limits_set(const char *device, const char *owner_cgroup)
{
	char dir[PATH_MAX] = CGROUP_ROOT, copy[PATH_MAX], *rest = copy, *name;
	int n = 0;

	if (access(CGROUP_ROOT "/cgroup.controllers", R_OK) || write_text(dir, "cgroup.subtree_control", "+rdma"))
		return -EOPNOTSUPP;
	if (try_snprintf(copy, sizeof(copy), "%s", owner_cgroup))
		return -ENAMETOOLONG;
	while ((name = strsep(&rest, "/"))) {
		size_t len = strlen(dir);

		if (!*name)
			continue;
		write_text(dir, "cgroup.subtree_control", "+rdma");
		n += limit_siblings(dir, name, device);
		if (try_snprintf(dir + len, sizeof(dir) - len, "/%s", name))
			return -ENAMETOOLONG;
	}
	return n;
}

/* nftw() has no context. */
static const char *lifted;

static int lift_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char text[128];

	(void)st;
	(void)ftw;
	if (type == FTW_D && is_limited(path, lifted) &&
	    !try_snprintf(text, sizeof(text), "%s hca_handle=max hca_object=max", lifted))
		write_text(path, "rdma.max", text);
	return 0;
}

void limits_lift(const char *device)
{
	lifted = device;
	nftw(CGROUP_ROOT, lift_one, 16, FTW_PHYS | FTW_MOUNT);
}
