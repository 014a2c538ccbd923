// SPDX-License-Identifier: Apache-2.0
#include "control/client.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

static int send_request(int fd, cJSON *request, struct err *err)
{
	_cleanup_free_ char *line = cJSON_PrintUnformatted(request);
	int r;

	cJSON_Delete(request);
	if (!line)
		return fail(err, -ENOMEM, "out of memory");
	r = client_send(fd, line, strlen(line));
	if (!r)
		r = client_send(fd, "\n", 1);
	return r ? fail(err, r, "the request cannot be sent: %s", strerror(-r)) : 0;
}

int client_end(const cJSON *end, struct err *err)
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
	_cleanup_close_ int fd = client_connect(socket_path, 0, err);
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
			r = client_end(json, err);
		else
			item(json, ctx);
		cJSON_Delete(json);
		if (last)
			return r;
	}
	return fail(err, -EPIPE, "the daemon closed the connection before the end of its answer");
}
