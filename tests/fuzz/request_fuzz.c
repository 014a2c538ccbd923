// SPDX-License-Identifier: Apache-2.0
/*
 * Lines on the control socket from any bytes: framing, JSON, choice of the handler, and the arguments of
 * requests, up to where a handler would begin to act. The two sources are included for what is static in them.
 */
#include "control/server.c" /* first: it wants _GNU_SOURCE */

#include "control/requests.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_claim(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct claim_request request = {};
	int r = claim_args(args, &request, err);

	(void)ctx;
	if (r)
		return r;
	if (!request.device[0] || !request.owner[0] || !request.netns == (request.pid < 1))
		abort();
	reply_item(reply, cJSON_Duplicate(args, true));
	return 0;
}

static int fuzz_events(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { "since", "follow", NULL };
	double since;
	int r = args_known(args, known, err);

	(void)ctx;
	(void)reply;
	if (!r)
		r = args_number(args, "since", 1e10, &since, err);
	return r;
}

static const struct request_kind fuzz_kinds[] = { { "claim", fuzz_claim }, { "events", fuzz_events }, { NULL, NULL } };

static struct server *start(void)
{
	static struct server server = { .options.kinds = fuzz_kinds, .timer.fd = -1 };
	struct err err;

	if (loop_open(&server.loop) || timer_open(&server.timer, server.loop, timer_ready, &err))
		abort();
	return &server;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ucred nobody;
	static struct server *server;
	struct client *c;
	int fds[2];

	if (!server)
		server = start();
	if (size > CONTROL_MAX_REQUEST)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) || client_add(server, fds[0], &nobody))
		abort();
	c = server->clients;
	memcpy(c->in, data, size);
	c->in_len = size;
	serve_input(c);
	if (memchr(c->in, '\n', c->in_len) || (c->out_len && c->out[c->out_len - 1] != '\n'))
		abort();
	client_close(c);
	close(fds[1]);
	return 0;
}
