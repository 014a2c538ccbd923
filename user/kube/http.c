// SPDX-License-Identifier: Apache-2.0
#include "kube/http.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/curl.h"
#include "lib/json.h"
#include "lib/util.h"

#define TOKEN_MAX 16384
#define IDLE_MS 60000 /* libcurl's own timers and kube_http_stop() end a wait before that */

/* A multi handle for one request at a time: its poll can be ended by another thread. */
struct kube_http {
	const struct curl_api *api;
	CURLM *multi;
	atomic_bool stopped;
};

struct exchange {
	struct kube_http *http;
	const struct kube_request *request;
	CURL *curl;
	struct curl_slist *headers;
	int taken; /* by request->take() */
	char words[1024]; /* the body of an answer that is not 200, as far as it fits */
	size_t len;
	char problem[CURL_ERROR_SIZE];
	struct err *err;
};

static void exchange_end(struct exchange *x)
{
	const struct curl_api *api = x->http->api;

	if (x->curl) {
		api->multi_remove_handle(x->http->multi, x->curl);
		api->easy_cleanup(x->curl);
	}
	if (x->headers)
		api->slist_free_all(x->headers);
}

/* 0 while there is none. */
static long status_of(const struct exchange *x)
{
	long status = 0;

	x->http->api->easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static const char *who(const struct exchange *x)
{
	return x->request->who ? x->request->who : "the API server";
}

static bool is_success(const struct exchange *x, long status)
{
	return x->request->method ? status / 100 == 2 : status == 200;
}

static size_t take_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct exchange *x = ctx;
	size_t fits = sizeof(x->words) - 1 - x->len;

	(void)one;
	if (is_success(x, status_of(x))) {
		if (!x->request->take)
			return len;
		x->taken = x->request->take(x->request->ctx, bytes, len, x->err);
		return x->taken ? 0 : len;
	}
	fits = len < fits ? len : fits;
	memcpy(x->words + x->len, bytes, fits);
	x->len += fits;
	return len;
}

/* ---- the request ---- */

/* What would end the header, and begin another one, is no token. */
static int read_token(const char *path, char *to, size_t size, struct err *err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return fail(err, -EACCES, "%s: %s", path, strerror(errno));
	len = fread(to, 1, size, file);
	if (ferror(file))
		return fail(err, -EACCES, "%s cannot be read", path);
	while (len && strchr(" \r\n", to[len - 1]))
		len--;
	if (!len || len == size)
		return fail(err, -EACCES, "%s holds no token", path);
	for (size_t i = 0; i < len; i++)
		if (to[i] <= ' ' || to[i] > '~')
			return fail(err, -EACCES, "%s holds no token", path);
	to[len] = '\0';
	return 0;
}

static int add_header(struct exchange *x, const char *line)
{
	struct curl_slist *longer = x->http->api->slist_append(x->headers, line);

	if (!longer)
		return fail(x->err, -ENOMEM, "out of memory");
	x->headers = longer;
	return 0;
}

static int add_token(struct exchange *x)
{
	_cleanup_free_ char *line = malloc(TOKEN_MAX + 32);
	char *token = line + sizeof("Authorization: Bearer ") - 1;
	int r;

	if (!line)
		return fail(x->err, -ENOMEM, "out of memory");
	strcpy(line, "Authorization: Bearer ");
	r = read_token(x->request->token, token, TOKEN_MAX, x->err);
	return r ? r : add_header(x, line);
}

/* A body is sent at once: nobody is asked first whether he wants it. */
static int add_headers(struct exchange *x)
{
	int r = x->request->token ? add_token(x) : 0;
	char type[128];

	if (!r)
		r = add_header(x, "Accept: application/json");
	if (r || !x->request->method)
		return r;
	snprintf(type, sizeof(type), "Content-Type: %s", x->request->type);
	r = add_header(x, type);
	return r ? r : add_header(x, "Expect:");
}

static CURLcode set_body(struct exchange *x)
{
	const struct kube_request *q = x->request;
	CURLcode r = x->http->api->easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(q->body));

	if (!r)
		r = x->http->api->easy_setopt(x->curl, CURLOPT_POSTFIELDS, q->body);
	return r ? r : x->http->api->easy_setopt(x->curl, CURLOPT_CUSTOMREQUEST, q->method);
}

/* Without CAPATH the machine's own CAs would be good, too; without a time of 0 libcurl would keep a CA for a day. */
static CURLcode set_ca(struct exchange *x)
{
	const struct curl_api *api = x->http->api;
	CURLcode r = api->easy_setopt(x->curl, CURLOPT_CAINFO, x->request->ca);

	if (!r)
		r = api->easy_setopt(x->curl, CURLOPT_CAPATH, NULL);
	return r ? r : api->easy_setopt(x->curl, CURLOPT_CA_CACHE_TIMEOUT, 0L);
}

/* The keep-alives find a server that is gone while a watch has nothing to tell. */
static CURLcode set_up(struct exchange *x)
{
	const struct kube_request *q = x->request;
	const struct curl_api *api = x->http->api;
	CURLcode r = api->easy_setopt(x->curl, CURLOPT_URL, q->url);

	if (!r)
		r = api->easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, q->plain ? "http,https" : "https");
	if (!r && q->ca)
		r = set_ca(x);
	if (!r && q->method)
		r = set_body(x);
	if (!r)
		r = api->easy_setopt(x->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	if (!r)
		r = api->easy_setopt(x->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	if (!r)
		r = api->easy_setopt(x->curl, CURLOPT_PROXY, "");
	api->easy_setopt(x->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	api->easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L);
	api->easy_setopt(x->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)q->answer_ms);
	api->easy_setopt(x->curl, CURLOPT_TIMEOUT_MS, (long)q->total_ms);
	api->easy_setopt(x->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	api->easy_setopt(x->curl, CURLOPT_TCP_KEEPIDLE, 30L);
	api->easy_setopt(x->curl, CURLOPT_TCP_KEEPINTVL, 10L);
	api->easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
	api->easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->problem);
	api->easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, take_body);
	api->easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
	return r;
}

static int exchange_begin(struct exchange *x)
{
	const struct curl_api *api = x->http->api;
	int r = add_headers(x);

	if (r)
		return r;
	x->curl = api->easy_init();
	if (!x->curl || set_up(x) || api->multi_add_handle(x->http->multi, x->curl))
		return fail(x->err, -ENOMEM, "%s cannot be asked for", x->request->url);
	return 0;
}

/* ---- the answer ---- */

static CURLcode perform(struct exchange *x)
{
	const struct curl_api *api = x->http->api;
	uint64_t deadline = boot_ns() + x->request->answer_ms * 1000000ull, now;
	int running, left, wait;
	CURLMsg *msg;

	while (!x->http->stopped) {
		if (api->multi_perform(x->http->multi, &running))
			return CURLE_FAILED_INIT;
		msg = api->multi_info_read(x->http->multi, &left);
		if (msg && msg->msg == CURLMSG_DONE)
			return msg->data.result;
		now = boot_ns();
		if (!status_of(x) && now >= deadline)
			return CURLE_OPERATION_TIMEDOUT;
		wait = status_of(x) ? IDLE_MS : (int)((deadline - now) / 1000000) + 1;
		if (api->multi_poll(x->http->multi, NULL, 0, wait, NULL))
			return CURLE_FAILED_INIT;
	}
	return CURLE_ABORTED_BY_CALLBACK;
}

static int transport_failed(const struct exchange *x, CURLcode code)
{
	if (x->http->stopped)
		return fail(x->err, -ECANCELED, "stopped");
	if (x->taken)
		return x->taken;
	return fail(x->err, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO, "%s: %s", who(x),
		    x->problem[0] ? x->problem : x->http->api->easy_strerror(code));
}

/* What the server says is a Status object, or what something before it wrote. */
static int refused(const struct exchange *x, long status)
{
	_cleanup_(json_free) cJSON *json = cJSON_ParseWithLength(x->words, x->len);
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(json, "message");
	int code = status == 410                    ? -ESTALE
		   : status == 401 || status == 403 ? -EACCES
		   : status == 429 || status >= 500 ? -EAGAIN
						    : -EBADMSG;

	return fail(x->err, code, "%s answers %ld: %.256s", who(x), status,
		    cJSON_IsString(message) ? message->valuestring : x->words);
}

int kube_http_ask(struct kube_http *http, const struct kube_request *request, struct kube_answer *answer,
		  struct err *err)
{
	_cleanup_(exchange_end) struct exchange x = { .http = http, .request = request, .err = err };
	curl_off_t after = 0;
	CURLcode code;
	long status;
	int r = exchange_begin(&x);

	*answer = (struct kube_answer){};
	if (r)
		return r;
	code = perform(&x);
	if (code)
		return transport_failed(&x, code);
	status = status_of(&x);
	answer->status = (unsigned int)status;
	if (is_success(&x, status))
		return 0;
	if (!http->api->easy_getinfo(x.curl, CURLINFO_RETRY_AFTER, &after) && after > 0)
		answer->retry_after_s = after < 3600 ? (unsigned int)after : 3600;
	return refused(&x, status);
}

/* ---- the handle ---- */

int kube_http_open(struct kube_http **http, struct err *err)
{
	struct kube_http *h = calloc(1, sizeof(*h));

	if (!h)
		return fail(err, -ENOMEM, "out of memory");
	h->api = curl_load(err);
	if (!h->api) {
		free(h);
		return -ENOENT;
	}
	h->multi = h->api->multi_init();
	if (!h->multi) {
		free(h);
		return fail(err, -ENOMEM, "out of memory");
	}
	*http = h;
	return 0;
}

void kube_http_close(struct kube_http *http)
{
	if (!http)
		return;
	http->api->multi_cleanup(http->multi);
	free(http);
}

void kube_http_stop(struct kube_http *http)
{
	http->stopped = true;
	http->api->multi_wakeup(http->multi);
}

int kube_http_wait(struct kube_http *http, unsigned int ms)
{
	uint64_t deadline = boot_ns() + ms * 1000000ull, now;

	while (!http->stopped && (now = boot_ns()) < deadline)
		http->api->multi_poll(http->multi, NULL, 0, (int)((deadline - now) / 1000000) + 1, NULL);
	return http->stopped ? -ECANCELED : 0;
}
