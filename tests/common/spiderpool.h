// Test code: stands for Spiderpool's agent, by the HTTP contract of its IPAM (health, POST and DELETE /v1/ipam/ip): one request.
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_TEST_SPIDERPOOL_H
#define WARDEN_TEST_SPIDERPOOL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

struct answers {
	struct answer health, post, delete;
};

/* What the first ADD of a pod is answered with: the addresses of all its interfaces, `nic` and another one. */
static const char *standin_ips(const char *nic, unsigned int number, bool conflicts)
{
	static char text[2048];

	snprintf(
		text, sizeof(text),
		"{\"ips\":[{\"version\":4,\"address\":\"10.6.0.5/16\",\"nic\":\"eth0\",\"gateway\":\"10.6.0.1\"},"
		"{\"version\":4,\"address\":\"10.7.0.%u/16\",\"nic\":\"%s\",\"gateway\":\"10.7.0.1\",\"ipPool\":\"p4\","
		"\"vlan\":0,\"mac\":\"\",\"enableIPConflictDetection\":%s},"
		"{\"version\":6,\"address\":\"fd07::%x/64\",\"nic\":\"%s\",\"gateway\":\"\",\"ipPool\":\"p6\"}],"
		"\"routes\":[{\"ifName\":\"eth0\",\"dst\":\"0.0.0.0/0\",\"gw\":\"10.6.0.1\"},"
		"{\"ifName\":\"%s\",\"dst\":\"10.70.0.0/16\",\"gw\":\"10.7.0.1\"}],\"dns\":{\"nameservers\":null}}\n",
		number, nic, conflicts ? "true" : "false", number, nic, nic);
	return text;
}

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

static struct answer standin_choose(const struct answers *a, const char *request)
{
	const char *body = strstr(request, "\r\n\r\n");
	bool post = !strncmp(request, "POST ", 5);

	if (!strstr(request, "\r\nHost:\r\n") && !strstr(request, "\r\nHost: \r\n"))
		return (struct answer){ 400, "\"no empty Host\"", MANNER_PLAIN };
	if (!strncmp(request, "GET /v1/ipam/healthy HTTP/1.1\r\n", 31))
		return (struct answer){ a->health.status ? a->health.status : 200, a->health.body, a->health.manner };
	if (strncmp(request, "POST /v1/ipam/ip HTTP/1.1\r\n", 27) &&
	    strncmp(request, "DELETE /v1/ipam/ip HTTP/1.1\r\n", 29))
		return (struct answer){ 404, "{\"code\":404,\"message\":\"path was not found\"}", MANNER_PLAIN };
	if (!strstr(request, "\r\nContent-Type: application/json\r\n") || !standin_has_fields(body + 4, post))
		return (struct answer){ 422, "{\"code\":602,\"message\":\"a field in body is required\"}",
					MANNER_PLAIN };
	if (!post)
		return (struct answer){ a->delete.status ? a->delete.status : 200, a->delete.body, a->delete.manner };
	if (a->post.status <= 200 && !a->post.body)
		return (struct answer){ 200, standin_ips("net1", 5, true), a->post.manner };
	return a->post;
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
	bool cut = a->manner == MANNER_HANG ||
		   a->manner == MANNER_CUT; /* without a body, the head's last byte is missing */
	char head[256], byte;
	size_t len = strlen(body), step = a->manner == MANNER_SLOW ? 1 : 4096;

	snprintf(head, sizeof(head),
		 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		 a->status, a->manner == MANNER_HUGE ? (size_t)1 << 40 : len);
	if (!standin_send(fd, head, strlen(head) - (cut && !len), step))
		return;
	while (a->manner == MANNER_HUGE)
		if (!standin_send(fd, "                                ", 32, 32))
			return;
	standin_send(fd, body, len - (cut && len), step);
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

#endif
