// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "metrics/request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/util.h"

const char *answer_reason(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

bool request_is_whole(const char *head, size_t len)
{
	return memmem(head, len, "\r\n\r\n", 4) || memmem(head, len, "\n\n", 2);
}

static unsigned int refuse(struct request *r, unsigned int status, const char *problem)
{
	r->problem = problem;
	return status;
}

/* The next line without its end, or NULL; a lone line feed ends one, too (RFC 9112, 2.2). */
static char *next_line(char **rest)
{
	char *line = strsep(rest, "\n");
	size_t len = line ? strlen(line) : 0;

	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	return line;
}

static bool is_token(const char *word)
{
	size_t n = 0;

	for (; word[n]; n++)
		if (!isalnum((unsigned char)word[n]) && !strchr("!#$%&'*+-.^_`|~", word[n]))
			return false;
	return n > 0;
}

/* METHOD TARGET HTTP/1.x */
static unsigned int parse_line(char *line, struct request *r)
{
	char *method = strsep(&line, " "), *target = strsep(&line, " "), *version = line;

	if (!method || !target || !version || !is_token(method) || !*target || strchr(version, ' '))
		return refuse(r, 400, "this is no request of HTTP\n");
	if (strncmp(version, "HTTP/", 5))
		return refuse(r, 400, "this is no request of HTTP\n");
	if (strncmp(version, "HTTP/1.", 7) || !isdigit((unsigned char)version[7]) || version[8])
		return refuse(r, 505, "HTTP/1.1 is spoken here\n");
	r->head = !strcmp(method, "HEAD");
	if (!r->head && strcmp(method, "GET"))
		return refuse(r, 405, "GET and HEAD are all there is here\n");
	target[strcspn(target, "?")] = '\0';
	snprintf(r->path, sizeof(r->path), "%s", strlen(target) < sizeof(r->path) ? target : "");
	return 0;
}

static void add_accept(struct request *r, const char *value)
{
	size_t len = strlen(r->accept);

	if (len + strlen(value) + 2 < sizeof(r->accept))
		snprintf(r->accept + len, sizeof(r->accept) - len, "%s%s", len ? "," : "", value);
}

static unsigned int parse_header(char *line, struct request *r)
{
	char *value = strchr(line, ':');

	if (!value)
		return refuse(r, 400, "a header has no colon\n");
	*value++ = '\0';
	value += strspn(value, " \t");
	if (!is_token(line))
		return refuse(r, 400, "a header has no name\n");
	if (!strcasecmp(line, "Accept"))
		add_accept(r, value);
	else if (!strcasecmp(line, "Transfer-Encoding") ||
		 (!strcasecmp(line, "Content-Length") && strspn(value, "0") != strlen(value)))
		return refuse(r, 413, "a request has no body here\n");
	return 0;
}

unsigned int request_parse(char *head, size_t len, struct request *r)
{
	char *rest = head, *line;
	unsigned int status;

	*r = (struct request){ .problem = "" };
	head[len] = '\0';
	if (strlen(head) != len)
		return refuse(r, 400, "this is no request of HTTP\n");
	line = next_line(&rest);
	if (line && !*line)
		line = next_line(&rest); /* RFC 9112, 2.2: one empty line before it is ignored */
	status = line ? parse_line(line, r) : refuse(r, 400, "this is no request of HTTP\n");
	while (!status && (line = next_line(&rest)) && *line)
		status = parse_header(line, r);
	return status;
}
