// SPDX-License-Identifier: Apache-2.0
#include "lib/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

#define BACKLOG 64

static int parse_v6(const char *text, size_t len, struct sockaddr_in6 *six)
{
	char address[INET6_ADDRSTRLEN];

	if (len < 2 || text[0] != '[' || text[len - 1] != ']' ||
	    try_snprintf(address, sizeof(address), "%.*s", (int)(len - 2), text + 1))
		return -EINVAL;
	six->sin6_family = AF_INET6;
	return inet_pton(AF_INET6, address, &six->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_v4(const char *text, size_t len, struct sockaddr_in *four)
{
	char address[INET_ADDRSTRLEN];

	if (try_snprintf(address, sizeof(address), "%.*s", (int)len, text))
		return -EINVAL;
	four->sin_family = AF_INET;
	return inet_pton(AF_INET, address, &four->sin_addr) == 1 ? 0 : -EINVAL;
}

int listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in6 six = {};
	struct sockaddr_in four = {};
	uint64_t port;

	if (!colon || colon[1] < '0' || colon[1] > '9' || parse_u64(colon + 1, 10, 1, UINT16_MAX, &port))
		return -EINVAL;
	six.sin6_port = four.sin_port = htons((uint16_t)port);
	*address = (struct sockaddr_storage){};
	if (!parse_v4(text, (size_t)(colon - text), &four)) {
		memcpy(address, &four, sizeof(four));
		*len = sizeof(four);
		return 0;
	}
	if (parse_v6(text, (size_t)(colon - text), &six))
		return -EINVAL;
	memcpy(address, &six, sizeof(six));
	*len = sizeof(six);
	return 0;
}

/* An IPv6 address is that alone: who wants both gives "[::]", and IPv4 comes with it where the system has it so. */
int listen_open(const char *key, const char *text, struct err *err)
{
	struct sockaddr_storage address;
	_cleanup_close_ int fd = -1;
	socklen_t len;

	if (listen_parse(text, &address, &len))
		return fail(err, -EINVAL, "%s: \"%s\" is no address with a port", key, text);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, -errno, "%s: %s: %s", key, text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, BACKLOG))
		return fail(err, -errno, "%s: cannot listen on %s: %s", key, text, strerror(errno));
	return take_fd(&fd);
}
