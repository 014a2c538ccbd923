// SPDX-License-Identifier: Apache-2.0
/* The server of /metrics: what it answers to whom, and that nobody holds it up or makes it grow. */
#include "metrics/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics_world.h"

static struct server {
	struct http *http;
	uint16_t port;
	atomic_uint gets;
	bool slow, broken, unready;
	size_t vfs;
} server;

static int get(void *ctx, struct snapshot **snapshot, struct err *err)
{
	(void)ctx;
	atomic_fetch_add(&server.gets, 1);
	if (server.slow)
		poll(NULL, 0, 300);
	if (server.broken)
		return fail(err, -ECANCELED, "wardend is stopping");
	*snapshot = world_snapshot(server.vfs);
	return 0;
}

static int ready(void *ctx, struct err *err)
{
	(void)ctx;
	return server.unready ? fail(err, -ENOLINK, "a program is not attached any more") : 0;
}

/* A port that nobody has: the kernel's choice, given back. */
static uint16_t free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static int begin_with(unsigned int head_ms, unsigned int page_ms)
{
	struct http_options options = { .get = get, .ready = ready, .head_ms = head_ms, .page_ms = page_ms };
	char listen[64];
	struct err err;

	server = (struct server){ .port = free_port(), .vfs = 4 };
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", server.port);
	options.listen = listen;
	return http_open(&server.http, &options, &err);
}

static int begin(void **state)
{
	(void)state;
	return begin_with(600, 1500);
}

static int begin_patient(void **state)
{
	(void)state;
	return begin_with(60000, 60000);
}

static int end(void **state)
{
	(void)state;
	http_close(server.http);
	return 0;
}

static int dial(int room)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(server.port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (room)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* All that comes until the other side ends, to be freed. */
static char *read_all(int fd)
{
	struct bytes all = {};
	char piece[65536];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0)
		assert_int_equal(bytes_add(&all, piece, (size_t)n, 1 << 30), 0);
	close(fd);
	return all.data ? all.data : strdup("");
}

static char *ask(const char *request, size_t len)
{
	int fd = dial(0);

	assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
	return read_all(fd);
}

static void expect(const char *request, const char *first_line, const char *piece)
{
	char *answer = ask(request, strlen(request));

	if (strncmp(answer, first_line, strlen(first_line)))
		test_fail("%s\nexpected %s of: %s", answer, first_line, request);
	assert_contains(answer, piece);
	free(answer);
}

static void answers(void **state)
{
	(void)state;
	expect("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nalive\n");
	expect("GET /readyz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nready\n");
	expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "text/plain; version=0.0.4");
	expect("GET /metrics?a=b HTTP/1.1\n\n", "HTTP/1.1 200 OK\r\n", "\nprocess_start_time_seconds ");
	expect("\r\nGET /metrics HTTP/1.1\r\naCCept:application/openmetrics-text\r\n\r\n", "HTTP/1.1 200 OK\r\n",
	       "\n# EOF\n");
	expect("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "/metrics");
	expect("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
	expect("GET /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 413 ", "no body");
	expect("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 413 ", "no body");
	expect("GET /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 ", "");
	expect("GET /metrics HTTP/2.0\r\n\r\n", "HTTP/1.1 505 ", "HTTP/1.1");
	expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ", "");
	expect("GET /metrics\r\n\r\n", "HTTP/1.1 400 ", "no request");
	expect("GET  /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "");
	expect("GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.1 400 ", "colon");
	expect("GET /metrics HTTP/1.1\r\nbad name: x\r\n\r\n", "HTTP/1.1 400 ", "name");
	expect("GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "");
}

static void head_has_no_body(void **state)
{
	char *get_answer, *head_answer, *body;
	static const char get_request[] = "GET /readyz HTTP/1.1\r\n\r\n",
			  head_request[] = "HEAD /readyz HTTP/1.1\r\n\r\n";

	(void)state;
	get_answer = ask(get_request, strlen(get_request));
	head_answer = ask(head_request, strlen(head_request));
	body = strstr(get_answer, "\r\n\r\n") + 4;
	assert_string_equal(body, "ready\n");
	*body = '\0';
	assert_string_equal(get_answer, head_answer);
	free(get_answer);
	free(head_answer);
	expect("HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: ");
}

static void says_what_is_the_matter(void **state)
{
	(void)state;
	server.unready = server.broken = true;
	expect("GET /readyz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ", "a program is not attached any more\n");
	expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ", "wardend is stopping\n");
	expect("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", "");
}

/* Bytes of all kinds, also with NULs and without an end: an answer or an end, and the server lives. */
static void garbage(void **state)
{
	uint64_t seed = 88172645463325252ull;
	char bytes[300];

	(void)state;
	for (int i = 0; i < 300; i++) {
		size_t len = 0;

		for (; len < sizeof(bytes) - 4; len++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[len] = (char)seed;
		}
		memcpy(bytes + len, "\r\n\r\n", 4);
		if (i % 3 == 0)
			memcpy(bytes, "GET /metrics HTTP/1.1\r\n", 23);
		free(ask(bytes, len + 4));
	}
	expect("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", "");
}

static void too_long_a_head(void **state)
{
	char *request = malloc(100000), *answer;

	(void)state;
	memset(request, 'a', 100000);
	memcpy(request, "GET /", 5);
	answer = ask(request, 20000);
	assert_contains(answer, "HTTP/1.1 431 ");
	free(answer);
	free(request);
}

/* A byte now and then is no way to hold a connection: the time of a head is that of all of it. */
static void slow_head_ends(void **state)
{
	int fd = dial(0);
	uint64_t begin_ns = boot_ns();
	char *answer;

	(void)state;
	for (int i = 0; i < 20; i++) {
		send(fd, "G", 1, MSG_NOSIGNAL);
		poll(NULL, 0, 50);
	}
	answer = read_all(fd);
	assert_true(!*answer || strstr(answer, "HTTP/1.1 408 "));
	assert_true(boot_ns() - begin_ns < 5000000000ull);
	free(answer);
}

/* More than there may be pages: they hold up nobody who asks for something else, and end. */
static void slow_readers_cost_themselves(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	int fds[HTTP_PAGES + 4], refused = 0;
	char first[16];

	(void)state;
	server.vfs = 128; /* so that the kernel's buffers do not hold it */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(4096);
		assert_int_equal(send(fds[i], request, strlen(request), MSG_NOSIGNAL), strlen(request));
		assert_int_equal(recv(fds[i], first, 12, MSG_WAITALL), 12);
		refused += !memcmp(first, "HTTP/1.1 503", 12);
	}
	assert_int_equal(refused, 4);
	expect("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", "");
	expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ", "Retry-After");
	poll(NULL, 0, 2600);
	expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", "");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* Those beyond the bound wait until others have ended. */
static void too_many_connections_wait(void **state)
{
	int fds[HTTP_CONNECTIONS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial(0);
	expect("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", ""); /* after their heads' time */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void *one_client(void *ctx)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
	char *answer;

	(void)ctx;
	for (int i = 0; i < 10; i++) {
		answer = ask(request, strlen(request));
		assert_true(strstr(answer, "\nprocess_start_time_seconds ") || strstr(answer, " 503 "));
		free(answer);
	}
	return NULL;
}

static void many_clients(void **state)
{
	pthread_t threads[20];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, one_client, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

/* With clients in the middle of it, whatever they do. */
static void ends_at_once(void **state)
{
	uint64_t begin_ns = boot_ns();
	int idle, slow;

	(void)state;
	server.vfs = 128;
	idle = dial(0);
	slow = dial(4096);
	assert_int_equal(send(slow, "GET /metrics HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL), 25);
	poll(NULL, 0, 100);
	http_close(server.http);
	server.http = NULL;
	assert_true(boot_ns() - begin_ns < 30000000000ull);
	close(idle);
	close(slow);
}

static void errors_name_the_key(void **state)
{
	struct http_options options = { .get = get, .ready = ready };
	struct http *other = NULL;
	char listen[64];
	struct err err;

	(void)state;
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", server.port);
	options.listen = listen;
	assert_int_equal(http_open(&other, &options, &err), -EADDRINUSE);
	assert_contains(err.text, "metrics: cannot listen on 127.0.0.1:");
	options.listen = "203.0.113.7:9779";
	assert_int_equal(http_open(&other, &options, &err), -EADDRNOTAVAIL);
	assert_contains(err.text, "metrics: cannot listen on 203.0.113.7:9779");
	options.listen = "nonsense";
	assert_int_equal(http_open(&other, &options, &err), -EINVAL);
	assert_contains(err.text, "metrics: \"nonsense\"");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(answers),
		CASE(head_has_no_body),
		CASE(says_what_is_the_matter),
		CASE(garbage),
		CASE(too_long_a_head),
		CASE(slow_head_ends),
		CASE(slow_readers_cost_themselves),
		CASE(too_many_connections_wait),
		CASE(many_clients),
		cmocka_unit_test_setup_teardown(ends_at_once, begin_patient, end),
		CASE(errors_name_the_key),
	};

	return RUN_CASES("http", cases);
}
