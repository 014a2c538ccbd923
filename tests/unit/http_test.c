// SPDX-License-Identifier: Apache-2.0
/* The server of /metrics: what it answers to whom, and that nobody holds it up or makes it grow. */
#define _GNU_SOURCE
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
	atomic_bool held; /* it takes until this is over */
	bool broken, unready;
	size_t vfs;
	pthread_mutex_t lock; /* of what all are given */
	struct snapshot *snapshot;
} server;

static int get(void *ctx, struct snapshot **snapshot, struct err *err)
{
	(void)ctx;
	atomic_fetch_add(&server.gets, 1);
	while (atomic_load(&server.held))
		poll(NULL, 0, 10);
	if (server.broken)
		return fail(err, -ECANCELED, "wardend is stopping");
	pthread_mutex_lock(&server.lock);
	if (!server.snapshot)
		server.snapshot = world_snapshot(server.vfs);
	snapshot_hold(server.snapshot);
	*snapshot = server.snapshot;
	pthread_mutex_unlock(&server.lock);
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

	server = (struct server){ .port = free_port(), .vfs = 4, .lock = PTHREAD_MUTEX_INITIALIZER };
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", server.port);
	options.listen = listen;
	return http_open(&server.http, &options, &err);
}

/* No deadline where none is tested: who runs the test may be held up himself. */
static int begin(void **state)
{
	(void)state;
	return begin_with(60000, 60000);
}

static int begin_with_short_heads(void **state)
{
	(void)state;
	return begin_with(2000, 60000);
}

static int begin_with_short_answers(void **state)
{
	(void)state;
	return begin_with(60000, 5000);
}

static int end(void **state)
{
	(void)state;
	http_close(server.http);
	snapshot_drop(server.snapshot);
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

/* A request by its first line, and what comes behind it. */
#define REQUEST(line, more) line " HTTP/1.1\r\nHost: a\r\n" more

static void answers(void **state)
{
	(void)state;
	expect(REQUEST("GET /healthz", "\r\n"), "HTTP/1.1 200 OK\r\n", "\r\n\r\nalive\n");
	expect("GET /readyz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nready\n");
	expect(REQUEST("GET /metrics", "\r\n"), "HTTP/1.1 200 OK\r\n", "text/plain; version=0.0.4");
	expect(REQUEST("GET /metrics?a=b", "\r\n"), "HTTP/1.1 200 OK\r\n", "\nprocess_start_time_seconds ");
	expect(REQUEST("\r\nGET /metrics", "aCCept:application/openmetrics-text\r\n\r\n"), "HTTP/1.1 200 OK\r\n",
	       "\n# EOF\n");
	expect(REQUEST("GET /", "\r\n"), "HTTP/1.1 404 ", "/metrics");
	expect(REQUEST("GET /metrics/../../etc/passwd", "\r\n"), "HTTP/1.1 404 ", "");
	expect(REQUEST("POST /metrics", "Content-Length: 3\r\n\r\nabc"), "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
	expect(REQUEST("BREW /metrics", "\r\n"), "HTTP/1.1 405 ", "GET and HEAD are all there is here\n");
}

/* What is said about it is the library's, and differs between its versions. */
static void refuses_what_is_no_request(void **state)
{
	(void)state;
	expect(REQUEST("GET /metrics", "Content-Length: x\r\n\r\n"), "HTTP/1.1 400 ", "");
	expect("GET /metrics HTTP/2.0\r\n\r\n", "HTTP/1.1 505 ", "");
	expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ", "");
	expect("GET /metrics\r\n\r\n", "HTTP/1.1 400 ", "");
	expect(REQUEST("GET /metrics", "no colon\r\n\r\n"), "HTTP/1.1 400 ", "");
}

/* A body is not waited for, and no second request comes on the connection. */
static void one_request_a_connection(void **state)
{
	char *answer;
	static const char two[] = REQUEST("GET /readyz", "\r\n") REQUEST("GET /healthz", "\r\n");

	(void)state;
	expect(REQUEST("GET /readyz", "Content-Length: 3\r\n\r\nabc"), "HTTP/1.1 200 ", "\r\n\r\nready\n");
	expect(REQUEST("GET /readyz", "Content-Length: 1000\r\n\r\n"), "HTTP/1.1 200 ", "\r\n\r\nready\n");
	expect(REQUEST("GET /readyz", "Transfer-Encoding: chunked\r\n\r\n"), "HTTP/1.1 200 ", "\r\n\r\nready\n");
	answer = ask(two, strlen(two));
	assert_contains(answer, "\r\nConnection: close\r\n");
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nready\n");
	free(answer);
}

/* The time is another one in the next second. */
static void drop_date(char *answer)
{
	char *date = strstr(answer, "\r\nDate: "), *end;

	assert_non_null(date);
	end = strstr(date + 2, "\r\n");
	assert_non_null(end);
	memmove(date, end, strlen(end) + 1);
}

static void head_has_no_body(void **state)
{
	char *get_answer, *head_answer, *body;
	static const char get_request[] = REQUEST("GET /readyz", "\r\n"),
			  head_request[] = REQUEST("HEAD /readyz", "\r\n");

	(void)state;
	get_answer = ask(get_request, strlen(get_request));
	head_answer = ask(head_request, strlen(head_request));
	drop_date(get_answer);
	drop_date(head_answer);
	body = strstr(get_answer, "\r\n\r\n") + 4;
	assert_string_equal(body, "ready\n");
	*body = '\0';
	assert_string_equal(get_answer, head_answer);
	free(get_answer);
	free(head_answer);
	expect(REQUEST("HEAD /metrics", "\r\n"), "HTTP/1.1 200 OK\r\n", "Content-Length: ");
}

static void says_what_is_the_matter(void **state)
{
	(void)state;
	server.unready = server.broken = true;
	expect(REQUEST("GET /readyz", "\r\n"), "HTTP/1.1 503 ", "a program is not attached any more\n");
	expect(REQUEST("GET /metrics", "\r\n"), "HTTP/1.1 503 ", "wardend is stopping\n");
	expect(REQUEST("GET /healthz", "\r\n"), "HTTP/1.1 200 ", "");
}

/* Bytes of all kinds, also with NULs and without an end: an answer or an end, and the server lives. */
static void garbage(void **state)
{
	uint64_t seed = 88172645463325252ull;
	char bytes[300];
	int fd;

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
			memcpy(bytes, REQUEST("GET /metrics", ""), strlen(REQUEST("GET /metrics", "")));
		fd = dial(0);
		send(fd, bytes, len + 4, MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		free(read_all(fd));
	}
	expect(REQUEST("GET /healthz", "\r\n"), "HTTP/1.1 200 ", "");
}

static void too_long_a_head(void **state)
{
	char *request = malloc(20001);

	(void)state;
	memset(request, 'a', 20000);
	request[20000] = '\0';
	memcpy(request, "GET /", 5);
	expect(request, "HTTP/1.1 414 ", "");
	memcpy(request, REQUEST("GET /healthz", ""), strlen(REQUEST("GET /healthz", "")));
	expect(request, "HTTP/1.1 4", ""); /* 431, or 414 of newer ones */
	free(request);
}

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 50) == 1;
}

/* A byte now and then is no way to hold a connection: the time of a head is that of all of it. */
static void dripping_head_ends(void **state)
{
	int fd = dial(0);
	uint64_t begin_ns = boot_ns();

	(void)state;
	while (!has_ended(fd) && boot_ns() - begin_ns < 40000000000ull)
		send(fd, "G", 1, MSG_NOSIGNAL);
	assert_true(boot_ns() - begin_ns < 20000000000ull);
	close(fd);
}

/* Nobody else waits for a reading that takes long, and it may take longer than a request. */
static void slow_reading_holds_up_nobody(void **state)
{
	static const char request[] = REQUEST("GET /metrics", "\r\n");
	char *answer;
	int fd;

	(void)state;
	atomic_store(&server.held, true);
	fd = dial(0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while (!atomic_load(&server.gets))
		poll(NULL, 0, 10);
	expect(REQUEST("GET /healthz", "\r\n"), "HTTP/1.1 200 ", "");
	expect(REQUEST("GET /readyz", "\r\n"), "HTTP/1.1 200 ", "");
	poll(NULL, 0, 2500);
	atomic_store(&server.held, false);
	answer = read_all(fd);
	assert_contains(answer, "\nprocess_start_time_seconds ");
	free(answer);
}

static bool gets_the_page(void)
{
	static const char request[] = REQUEST("GET /metrics", "\r\n");
	char *answer = ask(request, strlen(request));
	bool there = !strncmp(answer, "HTTP/1.1 200 ", 13);

	free(answer);
	return there;
}

/*
 * More than there may be pages: they hold up nobody who asks for something else, and end, although they read a little now and then: an
 * answer's time is that of all of it.
 */
static void slow_readers_cost_themselves(void **state)
{
	static const char request[] = REQUEST("GET /metrics", "\r\n");
	uint64_t begin_ns = boot_ns();
	int fds[HTTP_PAGES + 4], refused = 0;
	char piece[128];

	(void)state;
	server.vfs = 128; /* so that the kernel's buffers do not hold it */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(4096);
		assert_int_equal(send(fds[i], request, strlen(request), MSG_NOSIGNAL), strlen(request));
		assert_int_equal(recv(fds[i], piece, 12, MSG_WAITALL), 12);
		refused += !memcmp(piece, "HTTP/1.1 503", 12);
	}
	assert_int_equal(refused, 4);
	expect(REQUEST("GET /healthz", "\r\n"), "HTTP/1.1 200 ", "");
	expect(REQUEST("GET /metrics", "\r\n"), "HTTP/1.1 503 ", "Retry-After");
	while (!gets_the_page() && boot_ns() - begin_ns < 40000000000ull) {
		poll(NULL, 0, 50);
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			(void)!recv(fds[i], piece, sizeof(piece), MSG_DONTWAIT);
	}
	assert_true(boot_ns() - begin_ns < 20000000000ull);
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
	expect(REQUEST("GET /healthz", "\r\n"), "HTTP/1.1 200 ", ""); /* after their heads' time */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void *one_client(void *ctx)
{
	static const char request[] = REQUEST("GET /metrics", "\r\n");
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
	static const char request[] = REQUEST("GET /metrics", "\r\n");
	uint64_t begin_ns = boot_ns();
	int idle, slow;

	(void)state;
	server.vfs = 128;
	idle = dial(0);
	slow = dial(4096);
	assert_int_equal(send(slow, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	poll(NULL, 0, 100);
	http_close(server.http);
	server.http = NULL;
	assert_true(boot_ns() - begin_ns < 30000000000ull);
	close(idle);
	close(slow);
}

static void listens_on_ipv6(void **state)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				  .sin6_port = htons(server.port) };
	struct http_options options = { .get = get, .ready = ready };
	static const char request[] = REQUEST("GET /readyz", "\r\n");
	struct http *other;
	char listen[64], *answer;
	struct err err;
	int fd, r;

	(void)state;
	snprintf(listen, sizeof(listen), "[::1]:%u", server.port);
	options.listen = listen;
	r = http_open(&other, &options, &err);
	if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
		skip_because("no IPv6 here");
	assert_int_equal(r, 0);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	answer = read_all(fd);
	assert_contains(answer, "\r\n\r\nready\n");
	free(answer);
	http_close(other);
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
#define CASE_WITH(f, setup) cmocka_unit_test_setup_teardown(f, setup, end)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(answers),
		CASE(refuses_what_is_no_request),
		CASE(one_request_a_connection),
		CASE(head_has_no_body),
		CASE(says_what_is_the_matter),
		CASE(garbage),
		CASE(too_long_a_head),
		CASE_WITH(dripping_head_ends, begin_with_short_heads),
		CASE_WITH(slow_reading_holds_up_nobody, begin_with_short_heads),
		CASE_WITH(slow_readers_cost_themselves, begin_with_short_answers),
		CASE_WITH(too_many_connections_wait, begin_with_short_heads),
		CASE(many_clients),
		CASE(ends_at_once),
		CASE(listens_on_ipv6),
		CASE(errors_name_the_key),
	};

	return RUN_CASES("http", cases);
}
