// SPDX-License-Identifier: Apache-2.0
#include "lib/util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

void util_close(int *fd)
{
	if (*fd >= 0)
		close(*fd); /* not retried on EINTR: on Linux the descriptor is gone either way */
	*fd = -1;
}

void util_free(void *ptr)
{
	free(*(void **)ptr);
}

void util_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

void util_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int try_snprintf(char *to, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(to, size, fmt, args);
	va_end(args);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int parse_u64(const char *text, int base, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end = NULL;
	uint64_t v;

	/* strtoull() would pass over white space and a sign. */
	if (!text || !isxdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (*end)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*value = v;
	return 0;
}

int read_line(const char *path, char *to, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(to, (int)size, file))
		return ferror(file) ? -EIO : -ENODATA;
	to[strcspn(to, "\n")] = '\0';
	return 0;
}

void read_link_name(const char *path, char *to, size_t size)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	to[0] = '\0';
	if (len < 0)
		return;
	target[len] = '\0';
	slash = strrchr(target, '/');
	if (try_snprintf(to, size, "%s", slash ? slash + 1 : target))
		to[0] = '\0';
}

int read_regular(const char *path, size_t max, char **text, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return -EBADMSG;
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	for (*len = 0; n && *len < (size_t)st.st_size; *len += (size_t)n) {
		n = read(fd, bytes + *len, (size_t)st.st_size - *len);
		if (n < 0)
			return -errno;
	}
	*text = take_ptr(bytes);
	return 0;
}

int make_dirs(const char *path)
{
	char part[PATH_MAX];
	struct stat st;

	if (try_snprintf(part, sizeof(part), "%s", path))
		return -ENAMETOOLONG;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (!mkdir(part, 0700))
		return 0;
	if (errno != EEXIST || stat(part, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t boot_ns(void)
{
	return now_ns(CLOCK_BOOTTIME);
}

uint64_t wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

void timespec_add(struct timespec *t, uint64_t ns)
{
	ns += (uint64_t)t->tv_nsec;
	t->tv_sec += (time_t)(ns / 1000000000u);
	t->tv_nsec = (long)(ns % 1000000000u);
}

uint32_t dev_to_kernel(dev_t dev)
{
	return (uint32_t)(major(dev) << 20 | minor(dev));
}

dev_t dev_from_kernel(uint32_t dev)
{
	return makedev(dev >> 20, dev & 0xfffff);
}

void remove_empty_dir(const char *path)
{
	char on_node[PATH_MAX];

	/* The root of a container is read-only, and what is said of that comes first. */
	if (rmdir(path) && (errno == EBUSY || errno == EROFS) &&
	    !try_snprintf(on_node, sizeof(on_node), "/proc/1/root%s", path))
		rmdir(on_node);
}

int write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int sync_dir(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -errno : 0;
}
