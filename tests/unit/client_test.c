// SPDX-License-Identifier: Apache-2.0
/* The client against servers that answer what no good one would. */
#define _GNU_SOURCE
#include "control/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

static char socket_path[100];

/* One connection: reads the request to its newline, gives the answer in pieces of that size, and ends. */
static void serve_once(int listener, const char *wanted, const char *answer, size_t piece)
{
	char request[8192];
	size_t len = 0;
	int fd = accept(listener, NULL, NULL);

	while (!len || request[len - 1] != '\n') {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			_exit(2);
		len += (size_t)n;
	}
	request[len - 1] = '\0';
	for (len = strlen(answer); len;) {
		size_t now = len < piece ? len : piece;

		if (send(fd, answer, now, MSG_NOSIGNAL) != (ssize_t)now)
			break;
		answer += now;
		len -= now;
	}
	_exit(wanted && strcmp(request, wanted) ? 3 : 0);
}

static int listen_there(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(socket_path, sizeof(socket_path), "%s", temp_path("sock"));
	unlink(socket_path);
	strcpy(addr.sun_path, socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* What came, joined with blanks. */
static void join_item(const cJSON *item, void *ctx)
{
	char *text = cJSON_PrintUnformatted(item);

	strcat(strcat(ctx, text), " ");
	free(text);
}

struct result {
	char items[16384];
	struct err err;
	int code;
};

static struct result *ask(const char *wanted, const char *answer, size_t piece)
{
	static struct result result;
	int fd = listen_there(), status;
	cJSON *request = cJSON_CreateObject();
	pid_t pid = test_fork();

	if (!pid)
		serve_once(fd, wanted, answer, piece);
	close(fd);
	memset(&result, 0, sizeof(result));
	cJSON_AddStringToObject(request, "request", "status");
	cJSON_AddStringToObject(request, "text", "a\nb");
	result.code = client_request(socket_path, request, join_item, result.items, &result.err);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return &result;
}

static void an_answer(void **state)
{
	struct result *r =
		ask("{\"request\":\"status\",\"text\":\"a\\nb\"}", "{\"a\":1}\n{\"b\":2}\n{\"ok\":true}\n", 4096);

	(void)state;
	assert_int_equal(r->code, 0);
	assert_string_equal(r->items, "{\"a\":1} {\"b\":2} ");
}

static void an_answer_in_pieces(void **state)
{
	struct result *r = ask(NULL, "{\"a\":1}\n{\"b\":2}\n{\"ok\":true}\n", 1);

	(void)state;
	assert_int_equal(r->code, 0);
	assert_string_equal(r->items, "{\"a\":1} {\"b\":2} ");
}

static void no_items(void **state)
{
	struct result *r = ask(NULL, "{\"ok\":true}\n{\"after\":1}\n", 4096);

	(void)state;
	assert_int_equal(r->code, 0);
	assert_string_equal(r->items, "");
}

static void a_long_item(void **state)
{
	static char answer[8192 + 64];
	struct result *r;

	(void)state;
	snprintf(answer, sizeof(answer), "\"%08192d\"\n{\"ok\":true}\n", 0);
	r = ask(NULL, answer, 1000);
	assert_int_equal(r->code, 0);
	assert_int_equal(strlen(r->items), 8192 + 3);
}

static void a_refusal(void **state)
{
	struct result *r = ask(NULL, "{\"a\":1}\n{\"ok\":false,\"error\":\"no %s such\",\"errno\":19}\n", 4096);

	(void)state;
	assert_int_equal(r->code, -ENODEV);
	assert_string_equal(r->err.text, "no %s such");
	assert_string_equal(r->items, "{\"a\":1} ");
}

static void refusals_without_sense(void **state)
{
	static const char *const answers[] = {
		"{\"ok\":false}\n",
		"{\"ok\":false,\"errno\":0}\n",
		"{\"ok\":false,\"errno\":-5,\"error\":7}\n",
		"{\"ok\":false,\"errno\":\"19\"}\n",
		"{\"ok\":\"true\"}\n",
		"{\"ok\":1}\n",
		"{\"ok\":null}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct result *r = ask(NULL, answers[i], 4096);

		assert_int_equal(r->code, -EPROTO);
		assert_string_equal(r->err.text, "refused without a reason");
	}
}

static void no_end(void **state)
{
	static const char *const answers[] = { "", "{\"a\":1}\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct result *r = ask(NULL, answers[i], 4096);

		assert_int_equal(r->code, -EPIPE);
		assert_contains(r->err.text, "closed the connection");
	}
}

static void no_json(void **state)
{
	static const char *const answers[] = { "garbage\n", "\n", "{\"ok\":tr", "{\"a\":\n1}\n{\"ok\":true}\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct result *r = ask(NULL, answers[i], 4096);

		assert_int_equal(r->code, -EPROTO);
		assert_contains(r->err.text, "not JSON");
	}
}

static int try_path(const char *path, struct err *err)
{
	return client_request(path, cJSON_CreateObject(), join_item, NULL, err);
}

static void nobody_there(void **state)
{
	char path[200];
	struct err err;

	(void)state;
	assert_int_equal(try_path(temp_path("none"), &err), -ENOENT);
	assert_contains(err.text, "no wardend answers there");
	assert_contains(err.text, "none");
	close(listen_there()); /* the socket of one that was killed */
	assert_int_equal(try_path(socket_path, &err), -ECONNREFUSED);
	assert_contains(err.text, "no wardend answers there");
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(try_path(path, &err), -ENAMETOOLONG);
	assert_contains(err.text, "too long");
}

/* It ends while the request is still being sent: an error, not a SIGPIPE. */
static void it_hangs_up(void **state)
{
	_cleanup_free_ char *big = malloc((4 << 20) + 1);
	cJSON *request = cJSON_CreateObject();
	struct err err = {};
	int fd, r;
	pid_t pid;

	(void)state;
	signal(SIGPIPE, SIG_DFL); /* who started the test may ignore it */
	memset(big, 'x', 4 << 20);
	big[4 << 20] = '\0';
	cJSON_AddStringToObject(request, "request", big);
	fd = listen_there();
	pid = test_fork();
	if (!pid) {
		close(accept(fd, NULL, NULL));
		_exit(0);
	}
	close(fd);
	r = client_request(socket_path, request, join_item, NULL, &err);
	waitpid(pid, NULL, 0);
	assert_true(r == -EPIPE || r == -ECONNRESET);
	assert_contains(err.text, "cannot be sent");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(an_answer),    cmocka_unit_test(an_answer_in_pieces),
		cmocka_unit_test(no_items),     cmocka_unit_test(a_long_item),
		cmocka_unit_test(a_refusal),    cmocka_unit_test(refusals_without_sense),
		cmocka_unit_test(no_end),       cmocka_unit_test(no_json),
		cmocka_unit_test(nobody_there), cmocka_unit_test(it_hangs_up),
	};

	return RUN_CASES("client", cases);
}
