// SPDX-License-Identifier: Apache-2.0
#include "kube/grpc.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/curl.h"
#include "lib/util.h"

#define FRAME 5 /* the bytes before a message: is it compressed, and its length */
#define HEADERS_MAX (64 << 10)
#define NO_STATUS (-1)

/* What has come, and why no more was taken. */
struct incoming {
	struct grpc_reply *reply;
	size_t max, header_bytes;
	int body_error; /* of bytes_add() */
	bool is_grpc;
};

struct exchange {
	const struct curl_api *api;
	CURL *curl;
	struct curl_slist *headers;
	uint8_t *body;
	char error[CURL_ERROR_SIZE];
};

static void exchange_end(struct exchange *x)
{
	if (x->headers)
		x->api->slist_free_all(x->headers);
	if (x->curl)
		x->api->easy_cleanup(x->curl);
	free(x->body);
}

void grpc_reply_free(struct grpc_reply *reply)
{
	bytes_free(&reply->body);
	*reply = (struct grpc_reply){};
}

/* ---- what comes ---- */

static size_t take_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct incoming *in = ctx;

	(void)one;
	in->body_error = bytes_add(&in->reply->body, bytes, len, in->max + FRAME);
	return in->body_error ? 0 : len;
}

/* The text behind "NAME:" without the white space around it; false: it is another header. */
static bool header_is(const char *line, size_t len, const char *name, char *to, size_t size)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) || line[n] != ':')
		return false;
	for (line += n + 1, len -= n + 1; len && isspace((unsigned char)*line); line++)
		len--;
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	snprintf(to, size, "%.*s", (int)len, line);
	return true;
}

static int hex(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* In place. gRPC percent-encodes its message. */
static void decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++, to++) {
		*to = *from;
		if (*from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
			*to = (char)(hex(from[1]) << 4 | hex(from[2]));
			from += 2;
		}
		if (!isprint((unsigned char)*to))
			*to = '?';
	}
	*to = '\0';
}

/* The headers, and the trailers too. */
static size_t take_header(char *line, size_t one, size_t len, void *ctx)
{
	struct incoming *in = ctx;
	struct grpc_reply *reply = in->reply;
	char value[256];
	uint64_t status;

	(void)one;
	in->header_bytes += len;
	if (in->header_bytes > HEADERS_MAX)
		return 0;
	if (header_is(line, len, "content-type", value, sizeof(value)))
		in->is_grpc = !strncmp(value, "application/grpc", strlen("application/grpc"));
	else if (header_is(line, len, "grpc-status", value, sizeof(value)))
		reply->status = parse_u64(value, 10, 0, 1000, &status) ? NO_STATUS : (int)status;
	else if (header_is(line, len, "grpc-message", reply->text, sizeof(reply->text)))
		decode(reply->text);
	return len;
}

/* ---- what goes ---- */

static bool add_header(struct exchange *x, const char *line)
{
	struct curl_slist *longer = x->api->slist_append(x->headers, line);

	if (longer)
		x->headers = longer;
	return longer;
}

static int begin(struct exchange *x, const struct grpc_call *call, struct err *err)
{
	uint32_t len = htobe32((uint32_t)call->len);
	char timeout[64];
	struct err why;

	x->api = curl_load(&why);
	if (!x->api)
		return fail(err, -ENOSYS, "%s: it cannot be asked: %s", call->socket, why.text);
	/* gRPC takes 8 digits. */
	snprintf(timeout, sizeof(timeout), "grpc-timeout: %um", call->ms < 100000000 ? call->ms : 99999999);
	x->curl = x->api->easy_init();
	x->body = calloc(1, FRAME + call->len);
	if (!x->curl || !x->body || !add_header(x, "Content-Type: application/grpc") ||
	    !add_header(x, "TE: trailers") || !add_header(x, "Accept:") || !add_header(x, "Expect:") ||
	    !add_header(x, timeout))
		return fail(err, -ENOMEM, "%s: out of memory", call->socket);
	memcpy(x->body + 1, &len, sizeof(len));
	if (call->len)
		memcpy(x->body + FRAME, call->request, call->len);
	return 0;
}

/* With a unix socket libcurl uses no proxy, whatever the environment says. The first option that is refused decides. */
static CURLcode set_up(struct exchange *x, const struct grpc_call *call, bool bare, struct incoming *in)
{
	CURLcode r = 0;
	char url[256];

#define SET(option, value) (r = r ? r : x->api->easy_setopt(x->curl, option, value))
	if (try_snprintf(url, sizeof(url), "http://localhost/%s", call->method))
		return CURLE_URL_MALFORMAT;
	SET(CURLOPT_UNIX_SOCKET_PATH, call->socket);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)call->ms);
	SET(CURLOPT_HTTPHEADER, x->headers);
	if (bare) {
		SET(CURLOPT_CUSTOMREQUEST, "POST");
	} else {
		SET(CURLOPT_POSTFIELDSIZE, (long)(FRAME + call->len));
		SET(CURLOPT_POSTFIELDS, (char *)x->body);
	}
	SET(CURLOPT_ERRORBUFFER, x->error);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, in);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, in);
#undef SET
	return r;
}

/* ---- what came ---- */

/* Without an error of the system's: somebody took the connection and ended it before libcurl had looked at it. */
static int unreachable(const struct exchange *x, const struct grpc_call *call, struct err *err)
{
	long code = 0;

	x->api->easy_getinfo(x->curl, CURLINFO_OS_ERRNO, &code);
	if (code)
		return fail(err, -(int)code, "%s: %s", call->socket, strerror((int)code));
	return fail(err, -EPROTO, "%s: the connection ended at once", call->socket);
}

static int failed(const struct exchange *x, const struct grpc_call *call, CURLcode code, const struct incoming *in,
		  struct err *err)
{
	const char *why = x->error[0] ? x->error : x->api->easy_strerror(code);

	if (in->body_error == -EMSGSIZE)
		return fail(err, -EMSGSIZE, "%s: %s is answered with more than %zu bytes", call->socket, call->method,
			    in->max);
	if (in->body_error || code == CURLE_OUT_OF_MEMORY)
		return fail(err, -ENOMEM, "%s: out of memory", call->socket);
	if (code == CURLE_COULDNT_CONNECT)
		return unreachable(x, call, err);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return fail(err, -ETIMEDOUT, "%s: %s is not answered within %u ms", call->socket, call->method,
			    call->ms);
	return fail(err,
		    code == CURLE_HTTP2_STREAM           ? -ECONNRESET
		    : code == CURLE_UNSUPPORTED_PROTOCOL ? -ENOSYS
							 : -EPROTO,
		    "%s: %s: %s", call->socket, call->method, why);
}

static int not_grpc(const struct grpc_call *call, const char *what, struct err *err)
{
	return fail(err, -EPROTO, "%s: the answer to %s %s", call->socket, call->method, what);
}

/*
 * A server that answers before it has the whole request resets the stream behind its answer, which is no error for gRPC, and is one
 * for libcurl. The status is the last that comes.
 */
static bool ended(CURLcode code, const struct incoming *in)
{
	return !code || (code == CURLE_HTTP2_STREAM && in->reply->status != NO_STATUS);
}

/* One message, and all of it; with a status that is not OK none is looked for. */
static int read_answer(const struct grpc_call *call, const struct incoming *in, long http, struct err *err)
{
	struct grpc_reply *reply = in->reply;
	uint32_t len;

	if (http != 200 || !in->is_grpc)
		return not_grpc(call, "is not gRPC's", err);
	if (reply->status == NO_STATUS)
		return not_grpc(call, "has no status", err);
	if (reply->status != GRPC_OK)
		return 0;
	if (reply->body.len < FRAME)
		return not_grpc(call, "has no message", err);
	if (reply->body.data[0])
		return not_grpc(call, "is compressed", err);
	memcpy(&len, reply->body.data + 1, sizeof(len));
	if (be32toh(len) != reply->body.len - FRAME)
		return not_grpc(call, "is not of the length that it says", err);
	reply->message = (const uint8_t *)reply->body.data + FRAME;
	reply->len = reply->body.len - FRAME;
	return 0;
}

/* `bare`: without a message. */
static int attempt(const struct grpc_call *call, bool bare, struct grpc_reply *reply, struct err *err)
{
	_cleanup_(exchange_end) struct exchange x = {};
	struct incoming in = { .reply = reply, .max = call->max };
	CURLcode code;
	long http = 0;
	int r;

	*reply = (struct grpc_reply){ .status = NO_STATUS };
	if (!call->ms)
		return fail(err, -ETIMEDOUT, "%s: no time is left for it", call->socket);
	/* A node without a kubelet is not to load libcurl, with all that it brings, in vain. */
	if (access(call->socket, F_OK) && errno == ENOENT)
		return fail(err, -ENOENT, "%s: %s", call->socket, strerror(ENOENT));
	r = begin(&x, call, err);
	if (r)
		return r;
	code = set_up(&x, call, bare, &in);
	if (!code)
		code = x.api->easy_perform(x.curl);
	if (ended(code, &in))
		code = x.api->easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &http);
	r = code ? failed(&x, call, code, &in, err) : read_answer(call, &in, http, err);
	if (r)
		grpc_reply_free(reply);
	return r;
}

/*
 * A server that has no such method may say so before it has the message, and reset the stream behind that. Where both come before
 * libcurl (7.88) has sent the message, it loses the answer. Without a message there is nothing to reset: then it can be told.
 */
static bool is_unimplemented(struct grpc_call call, uint64_t deadline_ns, struct grpc_reply *reply)
{
	uint64_t now = boot_ns();

	call.ms = now < deadline_ns ? (unsigned int)((deadline_ns - now) / 1000000) : 0;
	if (attempt(&call, true, reply, NULL))
		return false;
	if (reply->status == GRPC_UNIMPLEMENTED)
		return true;
	grpc_reply_free(reply);
	return false;
}

int grpc_call(const struct grpc_call *call, struct grpc_reply *reply, struct err *err)
{
	uint64_t deadline_ns = boot_ns() + call->ms * 1000000ull;
	int r = attempt(call, false, reply, err);

	if (r != -ECONNRESET)
		return r;
	return is_unimplemented(*call, deadline_ns, reply) ? 0 : -EPROTO;
}
