// SPDX-License-Identifier: Apache-2.0
#include "control/connect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/util.h"

int client_connect(const char *path, unsigned int seconds, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = seconds };

	if (fd < 0)
		return fail(err, -errno, "%s: %s", path, strerror(errno));
	if (try_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path))
		return fail(err, -ENAMETOOLONG, "%s: the path is too long", path);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return fail(err, -errno, "%s: %s", path, strerror(errno));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fail(err, -errno, "%s: %s", path,
			    errno == ENOENT || errno == ECONNREFUSED ? "no wardend answers there" : strerror(errno));
	return take_fd(&fd);
}

int client_send(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}
