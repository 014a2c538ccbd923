// SPDX-License-Identifier: Apache-2.0
#include "lib/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/log.h"
#include "lib/util.h"

static void notify(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	socklen_t len;

	if (!path || !path[0] || try_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path))
		return;
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&addr, len) < 0)
		pr_warn("cannot tell systemd \"%s\": %s", message, strerror(errno));
}

void notify_ready(void)
{
	notify("READY=1");
}

void notify_extend(unsigned int seconds)
{
	char message[64];

	snprintf(message, sizeof(message), "EXTEND_TIMEOUT_USEC=%u000000", seconds);
	notify(message);
}
