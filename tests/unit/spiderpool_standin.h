// Test code: stands for Spiderpool's agent, by the HTTP contract of its IPAM (health, POST and DELETE /v1/ipam/ip). Keeps no pools.
/* SPDX-License-Identifier: Apache-2.0 */
/* To be included once in a test program. Serves in a thread, one connection after the other, each with one request. */
#ifndef WARDEN_SPIDERPOOL_STANDIN_H
#define WARDEN_SPIDERPOOL_STANDIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/json.h"
#include "lib/util.h"

enum manner {
	MANNER_PLAIN,
	MANNER_SLOW, /* a byte at a time */
	MANNER_HANG, /* all but the last byte, then nothing until the client gives up */
	MANNER_CUT, /* the connection ends before the last byte */
	MANNER_HUGE, /* a body without an end */
};

struct answer {
	int status; /* 0: as the agent would */
	const char *body;
	enum manner manner;
};

#define STANDIN_REQUESTS 16

struct standin {
	struct answer health, post, delete;
	bool vanishes; /* its socket is gone once it has answered that it is healthy */
	char path[100];
	int fd;
	pthread_t thread;
	char *requests[STANDIN_REQUESTS]; /* as they came, head and body */
	atomic_int count;
};

/* The addresses of all the pod's interfaces, as the first ADD is answered. */
#define STANDIN_IPS                                                                                               \
	"{\"ips\":[{\"version\":4,\"address\":\"10.6.0.5/16\",\"nic\":\"eth0\",\"gateway\":\"10.6.0.1\"},"        \
	"{\"version\":4,\"address\":\"10.7.0.5/16\",\"nic\":\"net1\",\"gateway\":\"10.7.0.1\",\"ipPool\":\"p4\"," \
	"\"vlan\":0,\"mac\":\"\",\"enableIPConflictDetection\":true},"                                            \
	"{\"version\":6,\"address\":\"fd07::5/64\",\"nic\":\"net1\",\"gateway\":\"\",\"ipPool\":\"p6\"}],"        \
	"\"routes\":[{\"ifName\":\"eth0\",\"dst\":\"0.0.0.0/0\",\"gw\":\"10.6.0.1\"},"                            \
	"{\"ifName\":\"net1\",\"dst\":\"10.70.0.0/16\",\"gw\":\"10.7.0.1\"}],\"dns\":{\"nameservers\":null}}\n"

/* The framework in front of the agent refuses what lacks a field. */
static bool standin_has_fields(const char *body, bool post)
{
	static const char *const fields[] = { "containerID", "ifName", "podNamespace",
					      "podName",     "podUID", "netNamespace" };
	_cleanup_(json_free) cJSON *json = cJSON_Parse(body);

	for (size_t i = 0; i < ARRAY_SIZE(fields) - !post; i++)
		if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(json, fields[i])))
			return false;
	return true;
}

static struct answer standin_choose(const struct standin *s, const char *request)
{
	const char *body = strstr(request, "\r\n\r\n");
	bool post = !strncmp(request, "POST ", 5);

	if (!strstr(request, "\r\nHost:\r\n") && !strstr(request, "\r\nHost: \r\n"))
		return (struct answer){ 400, "\"no empty Host\"", MANNER_PLAIN };
	if (!strncmp(request, "GET /v1/ipam/healthy HTTP/1.1\r\n", 31))
		return (struct answer){ s->health.status ? s->health.status : 200, s->health.body, s->health.manner };
	if (strncmp(request, "POST /v1/ipam/ip HTTP/1.1\r\n", 27) &&
	    strncmp(request, "DELETE /v1/ipam/ip HTTP/1.1\r\n", 29))
		return (struct answer){ 404, "{\"code\":404,\"message\":\"path was not found\"}", MANNER_PLAIN };
	if (!strstr(request, "\r\nContent-Type: application/json\r\n") || !standin_has_fields(body + 4, post))
		return (struct answer){ 422, "{\"code\":602,\"message\":\"a field in body is required\"}",
					MANNER_PLAIN };
	if (!post)
		return (struct answer){ s->delete.status ? s->delete.status : 200, s->delete.body, s->delete.manner };
	if (s->post.status <= 200 && !s->post.body)
		return (struct answer){ 200, STANDIN_IPS, s->post.manner };
	return s->post;
}

static bool standin_send(int fd, const char *bytes, size_t len, size_t step)
{
	for (ssize_t n; len; bytes += n, len -= (size_t)n) {
		n = send(fd, bytes, len < step ? len : step, MSG_NOSIGNAL);
		if (n < 0)
			return false;
	}
	return true;
}

static void standin_answer(int fd, const struct answer *a)
{
	const char *body = a->body ? a->body : "";
	char head[256], byte;
	size_t len = strlen(body), step = a->manner == MANNER_SLOW ? 1 : 4096;

	snprintf(head, sizeof(head),
		 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		 a->status, a->manner == MANNER_HUGE ? (size_t)1 << 40 : len);
	if (!standin_send(fd, head, strlen(head), step))
		return;
	while (a->manner == MANNER_HUGE)
		if (!standin_send(fd, "                                ", 32, 32))
			return;
	if (a->manner == MANNER_HANG || a->manner == MANNER_CUT)
		len--;
	standin_send(fd, body, len, step);
	while (a->manner == MANNER_HANG && recv(fd, &byte, 1, 0) > 0)
		;
}

/* The request to its end, as Content-Length says. */
static char *standin_read(int fd)
{
	size_t room = 65536, len = 0, wanted = SIZE_MAX;
	char *text = calloc(1, room), *end, *field;
	ssize_t n;

	while (len < wanted && len + 1 < room && (n = recv(fd, text + len, room - len - 1, 0)) > 0) {
		len += (size_t)n;
		end = strstr(text, "\r\n\r\n");
		field = strstr(text, "\r\nContent-Length: ");
		if (end)
			wanted = (size_t)(end + 4 - text) + (field && field < end ? (size_t)atoi(field + 18) : 0);
	}
	return text;
}

static void *standin_serve(void *ctx)
{
	struct standin *s = ctx;
	struct answer answer;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		char *request = standin_read(fd);

		if (s->count == STANDIN_REQUESTS)
			test_fail("more requests than the stand-in keeps");
		answer = standin_choose(s, request);
		s->requests[s->count] = request;
		s->count++;
		if (s->vanishes)
			unlink(s->path);
		standin_answer(fd, &answer);
		close(fd);
	}
	return NULL;
}

static void standin_start(struct standin *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static unsigned int count;
	char name[32];

	snprintf(name, sizeof(name), "agent.%u", count++);
	snprintf(s->path, sizeof(s->path), "%s", temp_path(name));
	memcpy(addr.sun_path, s->path, sizeof(s->path));
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, standin_serve, s), 0);
}

static void standin_stop(struct standin *s)
{
	shutdown(s->fd, SHUT_RDWR); /* ends accept() */
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
	for (int i = 0; i < s->count; i++)
		free(s->requests[i]);
}

#endif
