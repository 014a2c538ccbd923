// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "net/netops.h"

/* Each dot parts folders, so a name leads nowhere but below /proc/sys/net: "..", too, is an empty part. */
static int path_of(const char *name, char *to, size_t size, struct err *err)
{
	size_t len = strlen(name);

	if (strncmp(name, "net.", 4) || strchr(name, '/') || strstr(name, "..") || name[len - 1] == '.')
		return fail(err, -EINVAL, "sysctl \"%s\": not a name below \"net.\"", name);
	if (try_snprintf(to, size, "/proc/sys/%s", name))
		return fail(err, -ENAMETOOLONG, "sysctl: the name is too long");
	for (char *c = to + strlen("/proc/sys/"); *c; c++)
		if (*c == '.')
			*c = '/';
	return 0;
}

struct sysctl_call {
	const char *path;
	int flags;
};

/*
 * A runtime mounts /proc/sys read-only into every container that is not privileged. A proc that is mounted nowhere has no such
 * mount over it; to make one needs CAP_SYS_ADMIN, which entering a netns needs, too (fsopen(2), Linux 5.2).
 */
static int open_in_own_proc(const struct sysctl_call *call)
{
	_cleanup_close_ int context = fsopen("proc", FSOPEN_CLOEXEC);
	_cleanup_close_ int proc = -1;
	int fd;

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	proc = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (proc < 0)
		return -errno;
	fd = openat(proc, call->path + strlen("/proc/"), call->flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int open_sysctl(void *ctx)
{
	const struct sysctl_call *call = ctx;
	int fd = open(call->path, call->flags | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		return fd;
	return errno == EROFS ? open_in_own_proc(call) : -errno;
}

/*
 * /proc/sys/net shows the netns of the thread that looks a name up (net/sysctl_net.c), and the open file stays with that
 * one, so only the open is done inside.
 */
static int sysctl_open(int netns_fd, const char *name, int flags, struct err *err)
{
	char path[PATH_MAX];
	struct sysctl_call call = { .path = path, .flags = flags };
	int r = path_of(name, path, sizeof(path), err);

	if (r)
		return r;
	r = netns_call(netns_fd, open_sysctl, &call);
	return r < 0 ? fail(err, r, "sysctl %s: %s", name, strerror(-r)) : r;
}

static int write_value(int fd, const char *value)
{
	size_t len = strlen(value);
	ssize_t n = write(fd, value, len);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

int netns_sysctl_set(int netns_fd, const char *name, const char *value, struct err *err)
{
	_cleanup_close_ int fd = sysctl_open(netns_fd, name, O_WRONLY, err);
	int r;

	if (fd < 0)
		return fd;
	r = fault_around("sysctl.set", write_value(fd, value));
	return r ? fail(err, r, "sysctl %s: cannot be set to \"%s\": %s", name, value, strerror(-r)) : 0;
}

int netns_sysctl_get(int netns_fd, const char *name, char *to, size_t size, struct err *err)
{
	_cleanup_close_ int fd = sysctl_open(netns_fd, name, O_RDONLY, err);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, to, size - 1);
	if (n < 0)
		return fail(err, -errno, "sysctl %s: %s", name, strerror(errno));
	to[n] = '\0';
	to[strcspn(to, "\n")] = '\0';
	return 0;
}
