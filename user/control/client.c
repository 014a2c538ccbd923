// SPDX-License-Identifier: Apache-2.0
#include "control/client.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/util.h"

static int connect_to(const char *path, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (fd < 0)
		return fail(err, -errno, "%s: %s", path, strerror(errno));
	if (try_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path))
		return fail(err, -ENAMETOOLONG, "%s: the path is too long", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fail(err, -errno, "%s: %s", path,
			    errno == ENOENT || errno == ECONNREFUSED ? "no wardend answers there" : strerror(errno));
	return take_fd(&fd);
}

static int send_all(int fd, const char *bytes, size_t len)
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

static int send_request(int fd, cJSON *request, struct err *err)
{
	_cleanup_free_ char *line = cJSON_PrintUnformatted(request);
	int r;

	cJSON_Delete(request);
	if (!line)
		return fail(err, -ENOMEM, "out of memory");
	r = send_all(fd, line, strlen(line));
	if (!r)
		r = send_all(fd, "\n", 1);
	return r ? fail(err, r, "the request cannot be sent: %s", strerror(-r)) : 0;
}

/* The daemon's last line: 0, or its error. */
static int finish(const cJSON *end, struct err *err)
{
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(end, "error");
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(end, "errno");

	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(end, "ok")))
		return 0;
	return fail(err, cJSON_IsNumber(code) && code->valueint > 0 ? -code->valueint : -EPROTO, "%s",
		    cJSON_IsString(text) ? text->valuestring : "refused without a reason");
}

int client_request(const char *socket_path, cJSON *request, void (*item)(const cJSON *item, void *ctx), void *ctx,
		   struct err *err)
{
	_cleanup_close_ int fd = connect_to(socket_path, err);
	_cleanup_fclose_ FILE *in = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int r;

	if (fd < 0) {
		cJSON_Delete(request);
		return fd;
	}
	r = send_request(fd, request, err);
	if (r)
		return r;
	in = fdopen(take_fd(&fd), "r");
	if (!in)
		return fail(err, -errno, "%s", strerror(errno));
	while (getline(&line, &room, in) > 0) {
		cJSON *json = cJSON_Parse(line);
		bool last = cJSON_HasObjectItem(json, "ok");

		if (!json)
			return fail(err, -EPROTO, "the daemon's answer is not JSON");
		if (last)
			r = finish(json, err);
		else
			item(json, ctx);
		cJSON_Delete(json);
		if (last)
			return r;
	}
	return fail(err, -EPIPE, "the daemon closed the connection before the end of its answer");
}
