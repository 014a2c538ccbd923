// SPDX-License-Identifier: Apache-2.0
/* The control server in a process of its own, with requests made for the test, and connections to it. */
#define _GNU_SOURCE
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "track_standin.h"

#define MIB (1 << 20)

static char socket_path[100];
static pid_t server_pid;
static int silent; /* a connection from the beginning, on which nothing is said */

/* ---- in the server's process ---- */

struct daemon {
	struct loop *loop;
	struct events *events;
	struct reply *later[4]; /* answers that wait for "answer" */
	size_t later_count;
};

static double number(const cJSON *args, const char *name)
{
	return cJSON_GetNumberValue(cJSON_GetObjectItem(args, name));
}

static int handle_echo(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	(void)ctx;
	(void)err;
	reply_item(reply, cJSON_Duplicate(args, true));
	return 0;
}

static int handle_busy(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	(void)ctx;
	(void)args;
	(void)reply;
	return fail(err, -EBUSY, "it is \"%s\"", "busy");
}

static int handle_peer(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	char line[64];

	(void)ctx;
	(void)args;
	(void)err;
	snprintf(line, sizeof(line), "{\"pid\":%u,\"uid\":%u}", reply_peer(reply)->pid, reply_peer(reply)->uid);
	reply_line(reply, line, strlen(line));
	return 0;
}

/* An item of that many bytes, and a small one after it. */
static int handle_big(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	size_t size = (size_t)number(args, "bytes");
	char *text = malloc(size + 1);

	(void)ctx;
	(void)err;
	memset(text, 'x', size);
	text[size] = '\0';
	reply_item(reply, cJSON_CreateString(text));
	reply_item(reply, cJSON_CreateString("after"));
	free(text);
	return 0;
}

static int handle_follow(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	(void)ctx;
	(void)args;
	(void)err;
	reply_follow(reply);
	return 0;
}

/* That many events, each with its number. */
static int handle_publish(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct warden_event ev = { .kind = EVENT_CHANGE, .rule = RULE_DEVICE_RENAME, .ib_index = WARDEN_NO_INDEX };
	static unsigned int made;
	struct daemon *d = ctx;

	(void)reply;
	(void)err;
	for (double n = number(args, "count"); n > 0; n--) {
		snprintf(ev.text, sizeof(ev.text), "<%u>", ++made);
		events_feed(d->events, &ev);
	}
	return 0;
}

static int handle_later(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct daemon *d = ctx;

	(void)args;
	(void)err;
	d->later[d->later_count++] = reply_later(reply);
	return REPLY_LATER;
}

/* Ends all that wait: with an item, or with an error where there is a "code". */
static int handle_answer(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	bool wrong = cJSON_HasObjectItem(args, "code");
	struct daemon *d = ctx;
	struct err why;

	(void)reply;
	(void)err;
	fail(&why, -EIO, "not so");
	for (size_t i = 0; i < d->later_count; i++) {
		if (!wrong)
			reply_item(d->later[i], cJSON_CreateString("at last"));
		reply_end(d->later[i], wrong ? -EIO : 0, &why);
	}
	d->later_count = 0;
	return 0;
}

static int handle_stop(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	struct daemon *d = ctx;

	(void)args;
	(void)reply;
	(void)err;
	loop_stop(d->loop);
	return 0;
}

static const struct request_kind kinds[] = {
	{ "echo", handle_echo }, { "busy", handle_busy },     { "peer", handle_peer },
	{ "big", handle_big },   { "follow", handle_follow }, { "publish", handle_publish },
	{ "stop", handle_stop }, { "later", handle_later },   { "answer", handle_answer },
	{ NULL, NULL },
};

/* Ends by exit(), so that a sanitizer looks for leaks. */
static void serve(int ready)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct server *server = NULL;
	struct track track = {};
	struct daemon d = {};
	struct err err = {};
	bool bad;

	bad = loop_open(&d.loop) || events_open(&d.events, &track, NULL, &err) ||
	      server_open(&server, d.loop, &(struct server_options){ socket_path, kinds, &d, d.events }, &err);
	if (bad)
		fprintf(stderr, "# %s\n", err.text);
	fflush(NULL);
	dup2(null, 1); /* the events */
	if (!bad && write(ready, "", 1) == 1)
		bad = loop_run(d.loop);
	server_close(server);
	events_close(d.events);
	loop_close(d.loop);
	close(null);
	exit(bad);
}

/* ---- the connections' side ---- */

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 30 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, socket_path);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A line without its newline; nothing after it is taken. False at the end. */
static bool hear(int fd, char *line, size_t size)
{
	char ahead[4096], *newline = NULL;
	size_t len = 0;
	ssize_t n;

	while (!newline && (n = recv(fd, ahead, sizeof(ahead), MSG_PEEK)) > 0) {
		newline = memchr(ahead, '\n', (size_t)n);
		n = recv(fd, ahead, newline ? (size_t)(newline + 1 - ahead) : (size_t)n, 0);
		assert_in_range(n, 1, size - 1 - len);
		memcpy(line + len, ahead, (size_t)n);
		len += (size_t)n;
	}
	if (!newline && n < 0 && errno != ECONNRESET)
		test_fail("no answer: %s", strerror(errno));
	line[newline ? len - 1 : len] = '\0';
	return newline;
}

static void hears(int fd, const char *piece)
{
	char line[4096];

	if (!hear(fd, line, sizeof(line)))
		test_fail("the connection ended instead of: %s", piece);
	assert_contains(line, piece);
}

static void hears_end(int fd)
{
	char line[4096];

	if (hear(fd, line, sizeof(line)))
		test_fail("went on: %s", line);
	close(fd);
}

static void still_serves(void)
{
	int fd = dial();

	say(fd, "{\"request\":\"echo\"}\n");
	hears(fd, "{\"request\":\"echo\"}");
	hears(fd, "{\"ok\":true}");
	close(fd);
}

static void start(void **state)
{
	int ready[2];
	char one;

	(void)state;
	snprintf(socket_path, sizeof(socket_path), "%s", temp_path("sock"));
	temp_file("sock", "stale", 5); /* left by one that was killed */
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	server_pid = test_fork();
	if (!server_pid)
		serve(ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &one, 1), 1);
	close(ready[0]);
	silent = dial();
}

static void only_root_may_connect(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(lstat(socket_path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void good_request(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"request\":\"echo\",\"x\":[1,\"two\"]}\n");
	hears(fd, "{\"request\":\"echo\",\"x\":[1,\"two\"]}");
	hears(fd, "{\"ok\":true}");
	say(fd, "{\"request\":\"busy\"}\n");
	hears(fd, "{\"ok\":false,\"error\":\"it is \\\"busy\\\"\",\"errno\":16}");
	say(fd, "{\"request\":\"peer\"}\n");
	hears(fd, "\"uid\":0");
	hears(fd, "{\"ok\":true}");
	close(fd);
}

static void bad_requests_do_not_end_it(void **state)
{
	static const char *const bad[] = {
		"\n",
		"garbage\n",
		"\xff\xfe\x80\x01\n",
		"[]\n",
		"7\n",
		"null\n",
		"{}\n",
		"{\"request\":7}\n",
		"{\"request\":null}\n",
		"{\"request\":\"\"}\n",
		"{\"request\":\"ECHO\"}\n",
		"{\"request\":\"format\"}\n",
		"{\"request\":\"echo\"\n",
	};
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		say(fd, bad[i]);
		hears(fd, "\"errno\":22");
	}
	say(fd, "{\"request\":\"format\"}\n");
	hears(fd, "unknown request \\\"format\\\"");
	say(fd, "{\"request\":\"echo\"}\n");
	hears(fd, "{\"request\":\"echo\"}");
	close(fd);
}

static void half_a_request(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"request\":");
	shutdown(fd, SHUT_WR);
	hears(fd, "ended before its newline");
	hears_end(fd);
	fd = dial();
	say(fd, "{\"request\":");
	close(fd);
	fd = dial();
	shutdown(fd, SHUT_WR);
	hears_end(fd);
	still_serves();
}

static void a_request_in_pieces(void **state)
{
	static const char text[] = "{\"request\":\"echo\"}\n";
	int fd = dial();

	(void)state;
	for (const char *p = text; *p; p++)
		assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
	hears(fd, "{\"request\":\"echo\"}");
	hears(fd, "{\"ok\":true}");
	close(fd);
}

static void several_in_one_write(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"request\":\"echo\",\"n\":1}\n{\"request\":\"busy\"}\n{\"request\":\"echo\",\"n\":3}\n{\"reque");
	hears(fd, "\"n\":1");
	hears(fd, "\"ok\":true");
	hears(fd, "\"errno\":16");
	hears(fd, "\"n\":3");
	hears(fd, "\"ok\":true");
	say(fd, "st\":\"echo\",\"n\":4}\n");
	shutdown(fd, SHUT_WR);
	hears(fd, "\"n\":4");
	hears(fd, "\"ok\":true");
	hears_end(fd);
}

static void ten_mib_without_a_newline(void **state)
{
	_cleanup_free_ char *x = malloc(10 * MIB);
	size_t sent = 0;
	int fd = dial();
	ssize_t n;

	(void)state;
	memset(x, 'x', 10 * MIB);
	while (sent < 10 * MIB && (n = send(fd, x + sent, 10 * MIB - sent, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	assert_in_range(sent, CONTROL_MAX_REQUEST, 10 * MIB - 1);
	hears(fd, "\"errno\":90"); /* EMSGSIZE */
	hears_end(fd);
	still_serves();
}

static void the_largest_request(void **state)
{
	static char text[CONTROL_MAX_REQUEST + 1];
	int fd = dial();

	(void)state;
	memset(text, ' ', CONTROL_MAX_REQUEST - 1);
	memcpy(text, "{\"request\":\"busy\"}", 18);
	text[CONTROL_MAX_REQUEST - 1] = '\n';
	say(fd, text);
	hears(fd, "\"errno\":16");
	text[CONTROL_MAX_REQUEST - 1] = ' ';
	text[CONTROL_MAX_REQUEST] = '\0';
	say(fd, text);
	hears(fd, "\"errno\":90");
	hears_end(fd);
}

static void an_answer_that_comes_later(void **state)
{
	int fd = dial(), other = dial();

	(void)state;
	/* What is behind it on the same connection waits; others do not. */
	say(fd, "{\"request\":\"later\"}\n{\"request\":\"busy\"}\n");
	say(other, "{\"request\":\"busy\"}\n");
	hears(other, "\"errno\":16");
	say(other, "{\"request\":\"answer\"}\n");
	hears(other, "\"ok\":true");
	hears(fd, "at last");
	hears(fd, "\"ok\":true");
	hears(fd, "\"errno\":16");
	say(fd, "{\"request\":\"later\"}\n");
	say(other, "{\"request\":\"peer\"}\n");
	hears(other, "\"pid\"");
	hears(other, "\"ok\":true");
	say(other, "{\"request\":\"answer\",\"code\":1}\n");
	hears(other, "\"ok\":true");
	hears(fd, "not so");
	close(fd);
	close(other);
}

static void who_does_not_wait_for_it(void **state)
{
	int fd = dial(), other = dial();

	(void)state;
	say(fd, "{\"request\":\"later\"}\n{\"request\":\"busy\"}\n");
	say(other, "{\"request\":\"busy\"}\n");
	hears(other, "\"errno\":16");
	close(fd);
	say(other, "{\"request\":\"answer\"}\n");
	hears(other, "\"ok\":true");
	close(other);
	still_serves();
}

/* 64 are served at once, one of which is the silent one. */
static void seventy_connections(void **state)
{
	int fds[70], served = 0, refused = 0;
	char line[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		send(fds[i], "{\"request\":\"busy\"}\n", 19, MSG_NOSIGNAL);
		assert_true(hear(fds[i], line, sizeof(line)));
		if (strstr(line, "too many connections"))
			refused++;
		else if (strstr(line, "\"errno\":16"))
			served++;
	}
	assert_int_equal(served, 63);
	assert_int_equal(refused, 7);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	/* The server may see the next connection before it has seen all of these end. */
	do {
		fds[0] = dial();
		send(fds[0], "{\"request\":\"busy\"}\n", 19, MSG_NOSIGNAL);
		assert_true(hear(fds[0], line, sizeof(line)));
		close(fds[0]);
	} while (strstr(line, "too many connections") && refused++ < 1000);
	assert_contains(line, "\"errno\":16");
}

static void an_answer_with_a_hole(void **state)
{
	char *line = malloc(5 * MIB);
	int fd = dial();

	(void)state;
	say(fd, "{\"request\":\"big\",\"bytes\":3000000}\n");
	assert_true(hear(fd, line, 5 * MIB));
	assert_int_equal(strlen(line), 3000002);
	hears(fd, "after");
	hears(fd, "{\"ok\":true}");
	/* What does not fit ends the connection; "ok" would be a lie. */
	say(fd, "{\"request\":\"big\",\"bytes\":4194304}\n");
	hears_end(fd);
	free(line);
	still_serves();
}

/* ---- followers ---- */

static void publish(unsigned int count)
{
	int fd = dial();
	char text[64];

	snprintf(text, sizeof(text), "{\"request\":\"publish\",\"count\":%u}\n", count);
	say(fd, text);
	hears(fd, "{\"ok\":true}");
	close(fd);
}

/* Reads as many events; they must come one after the other. Returns the number of the last one. */
static unsigned int follow(int fd, unsigned int count)
{
	unsigned int last = 0, n;
	char line[1024];

	while (count--) {
		assert_true(hear(fd, line, sizeof(line)));
		assert_non_null(strchr(line, '<'));
		n = (unsigned int)atoi(strchr(line, '<') + 1);
		assert_true(!last || n == last + 1);
		last = n;
	}
	return last;
}

static int dial_follower(void)
{
	int fd = dial();

	say(fd, "{\"request\":\"follow\"}\n");
	publish(1); /* a second connection is served after the first one's request */
	follow(fd, 1);
	return fd;
}

static void a_follower(void **state)
{
	int one = dial_follower(), two = dial_follower();

	(void)state;
	follow(one, 1);
	publish(3);
	assert_int_equal(follow(one, 3), follow(two, 3));
	close(one);
	publish(1);
	follow(two, 1);
	close(two);
	publish(1);
}

/* More than 4 MiB that it does not read: the others are served, the loss is told, and what comes after comes. */
static void a_slow_follower(void **state)
{
	int fd = dial_follower();
	unsigned int got = 0, lost = 0;
	char line[1024];

	(void)state;
	publish(20000);
	still_serves();
	while (got + lost < 20000) {
		assert_true(hear(fd, line, sizeof(line)));
		if (strstr(line, "\"lost\":"))
			lost += (unsigned int)atoi(strstr(line, "\"lost\":") + 7);
		else
			got++;
	}
	assert_in_range(got, 1000, 19000);
	assert_int_equal(got + lost, 20000);
	publish(1);
	follow(fd, 1);
	close(fd);
}

/* It is always behind, but never by 4 MiB: nothing may be lost. */
static void a_follower_that_lags(void **state)
{
	int fd = dial_follower();

	(void)state;
	publish(5000);
	for (int i = 0; i < 4; i++) {
		follow(fd, 3000);
		publish(3000);
	}
	follow(fd, 5000);
	close(fd);
}

/* ---- others ---- */

/* 0: it got no answer; 1: it got one; 2: it could not get there. */
static int as_nobody(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char byte;
	pid_t pid = test_fork();
	int status, fd;

	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		strcpy(addr.sun_path, socket_path);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			_exit(2);
		send(fd, "{\"request\":\"busy\"}\n", 19, MSG_NOSIGNAL);
		_exit(recv(fd, &byte, 1, 0) == 1);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void other_users_get_no_answer(void **state)
{
	int r;

	(void)state;
	if (geteuid())
		skip_because("only root can become another user");
	assert_int_equal(as_nobody(), 2); /* the mode of the socket */
	assert_int_equal(chmod(socket_path, 0666), 0);
	assert_int_equal(chmod(temp_dir(), 0755), 0);
	r = as_nobody();
	assert_int_equal(chmod(socket_path, 0600), 0);
	if (r == 2)
		skip_because("another user does not get to %s", socket_path);
	assert_int_equal(r, 0);
	still_serves();
}

/* Byte after byte in less than the patience for a whole request, and not a byte: both end. */
static void who_does_not_come_to_the_point(void **state)
{
	uint64_t begin = boot_ns();
	int fd = dial(), n = 0, deaf = dial();
	struct pollfd hung_up = { .fd = deaf };

	(void)state;
	/* It asks for more than the socket holds, and goes without reading it. */
	say(deaf, "{\"request\":\"big\",\"bytes\":3000000}\n");
	assert_int_equal(shutdown(deaf, SHUT_WR), 0);
	while (send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 && boot_ns() - begin < 20 * 1000000000ull) {
		usleep(200000);
		n++;
	}
	assert_in_range(boot_ns() - begin, 9 * 1000000000ull, 15 * 1000000000ull);
	assert_in_range(n, 10, 1000);
	hears(fd, "\"errno\":110"); /* ETIMEDOUT */
	hears_end(fd);
	hears(silent, "\"errno\":110");
	hears_end(silent);
	assert_int_equal(poll(&hung_up, 1, 5000), 1);
	assert_true(hung_up.revents & POLLHUP);
	close(deaf);
	still_serves();
}

static void stop(void **state)
{
	int fd = dial(), follower = dial_follower(), status;

	(void)state;
	say(fd, "{\"request\":\"stop\"}\n");
	hears(fd, "{\"ok\":true}");
	hears_end(fd);
	hears_end(follower);
	assert_int_equal(waitpid(server_pid, &status, 0), server_pid);
	server_pid = 0;
	assert_int_equal(status, 0);
	assert_int_equal(access(socket_path, F_OK), -1);
}

static void paths_that_cannot_be(void **state)
{
	struct server_options options = { .kinds = kinds };
	struct server *server = NULL;
	char path[200];
	struct loop *loop;
	struct err err;

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	options.path = temp_path("none/sock");
	assert_int_equal(server_open(&server, loop, &options, &err), -ENOENT);
	assert_contains(err.text, "none/sock");
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	options.path = path;
	assert_int_equal(server_open(&server, loop, &options, &err), -ENAMETOOLONG);
	assert_null(server);
	loop_close(loop);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(paths_that_cannot_be),
		cmocka_unit_test(start),
		cmocka_unit_test(only_root_may_connect),
		cmocka_unit_test(good_request),
		cmocka_unit_test(bad_requests_do_not_end_it),
		cmocka_unit_test(half_a_request),
		cmocka_unit_test(a_request_in_pieces),
		cmocka_unit_test(several_in_one_write),
		cmocka_unit_test(ten_mib_without_a_newline),
		cmocka_unit_test(the_largest_request),
		cmocka_unit_test(an_answer_that_comes_later),
		cmocka_unit_test(who_does_not_wait_for_it),
		cmocka_unit_test(seventy_connections),
		cmocka_unit_test(an_answer_with_a_hole),
		cmocka_unit_test(a_follower),
		cmocka_unit_test(a_slow_follower),
		cmocka_unit_test(a_follower_that_lags),
		cmocka_unit_test(other_users_get_no_answer),
		cmocka_unit_test(who_does_not_come_to_the_point),
		cmocka_unit_test(stop),
	};
	int failed = RUN_CASES("server", cases);

	if (server_pid)
		kill(server_pid, SIGKILL);
	return failed;
}
