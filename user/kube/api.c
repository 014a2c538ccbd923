// SPDX-License-Identifier: Apache-2.0
#include "kube/api.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "kube/http.h"
#include "lib/bytes.h"
#include "lib/json.h"
#include "lib/util.h"
#include "lib/work.h"

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define ANSWER_MS 30000
#define WATCH_S 300 /* as client-go has it */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000
#define PAGE_MAX 25 /* pods of some 20 KiB: what is parsed at once stays a small part of wardend's memory */
#define PAGES_MAX 4096 /* pages may be empty, but do not go on for ever */

struct kube_api {
	struct kube_config config;
	struct work *work;
	struct kube_http *http;
	/* the loop's */
	void (*changed)(void *ctx);
	void *ctx;
	struct kube_pods pods;
	struct kube_health health;
	/* the thread's */
	char version[64]; /* resourceVersion of what the table shows; "": it is to be listed */
	char next[2048]; /* the list's `continue` */
	unsigned int page; /* pods in a page */
	unsigned int failures; /* without anything of use in between */
	unsigned int retry_after_s;
	struct kube_pods listed; /* pages that have come */
	struct bytes text; /* a page, or the begin of a line */
	struct err err;
};

/* ---- texts ---- */

static int text_add(struct bytes *text, const char *piece, size_t len, struct err *err)
{
	int r = bytes_add(text, piece, len, KUBE_TEXT_MAX);

	if (r == -EMSGSIZE)
		return fail(err, r, "the API server: more than %d bytes in one piece", KUBE_TEXT_MAX);
	return r ? fail(err, r, "out of memory") : 0;
}

/*
 * Not strictly (lib/json.h): the server is the one that was asked for, and what a pod's maker may write into an annotation,
 * a NUL for one, must not hide the other pods. kube_pod_read() looks at each text that it takes.
 */
static cJSON *parse(const struct bytes *text, struct err *err)
{
	const char *end = NULL;
	cJSON *json = text->len ? cJSON_ParseWithLengthOpts(text->data, text->len, &end, 0) : NULL;

	while (json && end < text->data + text->len && strchr(" \t\r\n", *end))
		end++;
	if (cJSON_IsObject(json) && end == text->data + text->len)
		return json;
	cJSON_Delete(json);
	fail(err, -EBADMSG, "the API server: what it answers is no JSON object");
	return NULL;
}

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

static int read_version(struct kube_api *api, const cJSON *object)
{
	const char *version = text_of(cJSON_GetObjectItemCaseSensitive(object, "metadata"), "resourceVersion");

	if (!*version || try_snprintf(api->version, sizeof(api->version), "%s", version))
		return fail(&api->err, -EBADMSG, "the API server: an object without its version");
	return 0;
}

/* ---- what is done in the loop's thread ---- */

struct change {
	struct kube_api *api;
	struct kube_pods *all; /* the whole table, or NULL */
	struct kube_pod *put; /* or NULL */
	const char *gone; /* a UID, or NULL */
	int failed; /* 0 or -errno, whose sentence is in api->err */
};

static int make_change(void *ctx)
{
	struct change *c = ctx;
	struct kube_api *api = c->api;
	struct kube_health *health = &api->health;
	int r = 0;

	if (c->all) {
		kube_pods_replace(&api->pods, c->all);
		health->listed = true;
	}
	if (c->put)
		r = kube_pods_put(&api->pods, take_ptr(c->put), &api->err);
	if (c->gone)
		kube_pods_remove(&api->pods, c->gone);
	if (c->failed) {
		health->error_ns = boot_ns();
		health->error = api->err;
		health->failures++;
		health->all_failures++;
	} else if (!r) {
		health->success_ns = boot_ns();
		health->failures = 0;
	}
	api->changed(api->ctx);
	return r;
}

static int change(struct change *c)
{
	int r = work_in_loop(c->api->work, make_change, c);

	kube_pod_free(c->put); /* the loop has ended */
	return r;
}

/* ---- requests ---- */

static int ask(struct kube_api *api, const char *query, unsigned int total_ms,
	       int (*take)(void *, const char *, size_t, struct err *))
{
	char url[8192];
	struct kube_request request = {
		.url = url,
		.ca = api->config.ca,
		.token = api->config.token,
		.answer_ms = api->config.answer_ms,
		.total_ms = total_ms,
		.take = take,
		.ctx = api,
	};

	if (try_snprintf(url, sizeof(url), "%s/api/v1/pods?fieldSelector=spec.nodeName%%3D%s%s", api->config.server,
			 api->config.node, query))
		return fail(&api->err, -EBADMSG, "the API server: a request would be too long");
	api->text.len = 0;
	return kube_http_get(api->http, &request, &api->retry_after_s, &api->err);
}

/* Adds &NAME=VALUE, percent-encoded, as far as it fits: ask() has room for more than a `continue` and a version. */
static void add_query(char *query, size_t size, const char *name, const char *value)
{
	size_t len = strlen(query);

	len += (size_t)snprintf(query + len, size - len, "&%s=", name);
	for (; *value && len + 4 < size; value++) {
		bool plain = strchr("-._~", *value) || (*value >= '0' && *value <= '9') ||
			     (*value >= 'A' && *value <= 'Z') || (*value >= 'a' && *value <= 'z');

		len += (size_t)snprintf(query + len, size - len, plain ? "%c" : "%%%02X", (unsigned char)*value);
	}
}

/* ---- the list ---- */

static int take_page(void *ctx, const char *bytes, size_t len, struct err *err)
{
	struct kube_api *api = ctx;

	return text_add(&api->text, bytes, len, err);
}

static int read_page(struct kube_api *api)
{
	_cleanup_(json_free) cJSON *json = parse(&api->text, &api->err);
	const cJSON *one, *items = cJSON_GetObjectItemCaseSensitive(json, "items");
	const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(json, "metadata");
	struct kube_pod *pod;
	int r;

	if (!json)
		return -EBADMSG;
	if (strcmp(text_of(json, "kind"), "PodList") || (items && !cJSON_IsArray(items) && !cJSON_IsNull(items)) ||
	    try_snprintf(api->next, sizeof(api->next), "%s", text_of(metadata, "continue")))
		return fail(&api->err, -EBADMSG, "the API server: what it answers is no list of pods");
	cJSON_ArrayForEach (one, items) {
		pod = kube_pod_read(one, &api->err);
		if (!pod)
			return -EBADMSG;
		r = kube_pods_put(&api->listed, pod, &api->err);
		if (r)
			return r;
	}
	return read_version(api, json);
}

static int get_page(struct kube_api *api)
{
	char query[3 * sizeof(api->next) + 64] = "";
	int r;

	snprintf(query, sizeof(query), "&limit=%u", api->page);
	if (api->next[0])
		add_query(query, sizeof(query), "continue", api->next);
	r = ask(api, query, api->config.answer_ms, take_page);
	if (r == -EMSGSIZE && api->page > 1)
		api->page /= 2;
	return r ? r : read_page(api);
}

static int list(struct kube_api *api)
{
	struct change whole = { .api = api, .all = &api->listed };
	unsigned int pages = 0;
	int r;

	kube_pods_free(&api->listed);
	api->next[0] = '\0';
	do
		r = get_page(api);
	while (!r && api->next[0] && ++pages < PAGES_MAX);
	if (!r && api->next[0])
		r = fail(&api->err, -E2BIG, "the API server: a list of more than %d pages", PAGES_MAX);
	bytes_free(&api->text); /* an event is shorter by far */
	if (r)
		api->version[0] = '\0'; /* that of a page before */
	return r ? r : change(&whole);
}

/* ---- the watch ---- */

static int watch_error(struct kube_api *api, const cJSON *status)
{
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(status, "code");
	bool gone = cJSON_IsNumber(code) && code->valuedouble == 410;

	return fail(&api->err, gone ? -ESTALE : -EBADMSG, "the API server ends the watch: %.256s",
		    text_of(status, "message"));
}

static int pod_event(struct kube_api *api, const char *type, const cJSON *object)
{
	struct kube_pod *pod = kube_pod_read(object, &api->err);
	bool gone = !strcmp(type, "DELETED");
	struct change c = { .api = api, .put = gone ? NULL : pod, .gone = gone && pod ? pod->uid : NULL };
	int r = pod ? change(&c) : -EBADMSG;

	if (gone)
		kube_pod_free(pod);
	return r;
}

/* The version moves when the event is in the table, so that none is lost. */
static int read_event(struct kube_api *api)
{
	_cleanup_(json_free) cJSON *json = parse(&api->text, &api->err);
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(json, "object");
	struct change alive = { .api = api };
	const char *type = text_of(json, "type");
	int r;

	if (!json)
		return -EBADMSG;
	if (!strcmp(type, "ERROR"))
		return watch_error(api, object);
	if (!strcmp(type, "BOOKMARK"))
		r = change(&alive);
	else if (!strcmp(type, "ADDED") || !strcmp(type, "MODIFIED") || !strcmp(type, "DELETED"))
		r = pod_event(api, type, object);
	else
		r = fail(&api->err, -EBADMSG, "the API server: an event of unknown type \"%.32s\"", type);
	if (!r)
		r = read_version(api, object);
	if (!r)
		api->failures = 0;
	return r;
}

static int take_lines(void *ctx, const char *bytes, size_t len, struct err *err)
{
	struct kube_api *api = ctx;
	const char *newline;
	size_t n;
	int r = 0;

	for (; len && !r; bytes += n, len -= n) {
		newline = memchr(bytes, '\n', len);
		n = newline ? (size_t)(newline - bytes) + 1 : len;
		r = text_add(&api->text, bytes, n, err);
		if (r || !newline)
			continue;
		r = read_event(api);
		api->text.len = 0;
	}
	return r;
}

static unsigned int random_below(unsigned int limit)
{
	unsigned int random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (unsigned int)boot_ns();
	return limit ? random % limit : 0;
}

/*
 * Their ends are spread, so that a restart of the server is not followed by all nodes at once for ever. One that told nothing
 * and ended in the first tenth of its time has failed: it would else be asked for over and over.
 */
static int watch(struct kube_api *api)
{
	unsigned int seconds = api->config.watch_s + random_below(api->config.watch_s);
	char before[sizeof(api->version)], query[512] = "";
	uint64_t begin = boot_ns();
	struct change alive = { .api = api };
	int r;

	snprintf(query, sizeof(query), "&watch=true&allowWatchBookmarks=true&timeoutSeconds=%u", seconds);
	add_query(query, sizeof(query), "resourceVersion", api->version);
	strcpy(before, api->version);
	r = ask(api, query, seconds * 1000 + api->config.answer_ms, take_lines);
	if (r)
		return r;
	if (api->text.len)
		return fail(&api->err, -EIO, "the API server: the watch ends within an event");
	if (!strcmp(before, api->version) && boot_ns() - begin < seconds * 100000000ull)
		return fail(&api->err, -EIO, "the API server: the watch ends before its time, and told nothing");
	api->failures = 0;
	return change(&alive);
}

/* ---- again and again ---- */

/* After these the watch goes on from where it was; after all others, what the table shows is listed anew. */
static bool version_holds(int r)
{
	return r == -EIO || r == -ETIMEDOUT || r == -EAGAIN || r == -EACCES;
}

/* 410 is how a server forgets, and no failure of it: it is asked at once, but not over and over. */
static unsigned int delay_ms(struct kube_api *api, int r)
{
	const struct kube_config *c = &api->config;
	unsigned int longest = c->retry_max_ms - c->retry_max_ms / 3, ms = c->retry_min_ms;

	if (r == -ESTALE && !api->failures++)
		return 0;
	if (r != -ESTALE)
		api->failures++;
	for (unsigned int i = 1; i < api->failures && ms < longest; i++)
		ms *= 2;
	if (ms > longest && longest > c->retry_min_ms)
		ms = longest;
	ms += random_below(ms / 2 + 1);
	if (ms / 1000 < api->retry_after_s)
		ms = api->retry_after_s * 1000;
	return ms < c->retry_max_ms ? ms : c->retry_max_ms;
}

static void run(void *ctx)
{
	struct kube_api *api = ctx;
	struct change failed = { .api = api };
	int r;

	do {
		r = api->version[0] ? 0 : list(api);
		if (!r)
			r = watch(api);
		if (r == -ECANCELED)
			return;
		failed.failed = r;
		if (r && change(&failed))
			return;
		if (r && !version_holds(r))
			api->version[0] = '\0';
	} while (!kube_http_wait(api->http, r ? delay_ms(api, r) : 0));
}

static void ended(void *ctx)
{
	(void)ctx;
}

int kube_api_open(struct kube_api **to, const struct kube_config *config, struct loop *loop, void (*changed)(void *ctx),
		  void *ctx, struct err *err)
{
	struct kube_api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return fail(err, -ENOMEM, "out of memory");
	*api = (struct kube_api){ .config = *config, .page = PAGE_MAX, .changed = changed, .ctx = ctx };
	r = kube_http_open(&api->http, err);
	if (!r)
		r = work_open(&api->work, loop, 1, err);
	if (!r && work_start(api->work, run, ended, api))
		r = fail(err, -ENOMEM, "out of memory");
	if (r) {
		kube_api_close(api);
		return r;
	}
	*to = api;
	return 0;
}

void kube_api_close(struct kube_api *api)
{
	if (!api)
		return;
	if (api->http)
		kube_http_stop(api->http);
	work_close(api->work);
	kube_http_close(api->http);
	kube_pods_free(&api->pods);
	kube_pods_free(&api->listed);
	bytes_free(&api->text);
	free(api);
}

const struct kube_pods *kube_api_pods(const struct kube_api *api)
{
	return &api->pods;
}

const struct kube_health *kube_api_health(const struct kube_api *api)
{
	return &api->health;
}

/* ---- configuration ---- */

/* Of a DNS name or of an address; what is not goes into no URL. */
static bool is_host(const char *text, const char *more)
{
	for (const char *p = text; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') &&
		    !strchr(more, *p))
			return false;
	return *text;
}

void kube_config_defaults(struct kube_config *config)
{
	*config = (struct kube_config){
		.token = ACCOUNT "/token",
		.ca = ACCOUNT "/ca.crt",
		.answer_ms = ANSWER_MS,
		.watch_s = WATCH_S,
		.retry_min_ms = RETRY_MIN_MS,
		.retry_max_ms = RETRY_MAX_MS,
	};
}

int kube_config_in_cluster(struct kube_config *config, const char *node, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	bool bare_v6 = host && strchr(host, ':');
	uint64_t number;

	kube_config_defaults(config);
	if (!host || !port)
		return fail(err, -ENOENT,
			    "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod");
	if (!is_host(host, "-.:") || parse_u64(port, 10, 1, 65535, &number) ||
	    try_snprintf(config->server, sizeof(config->server), bare_v6 ? "https://[%s]:%u" : "https://%s:%u", host,
			 (unsigned int)number))
		return fail(err, -EINVAL, "KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is none");
	if (!is_host(node, "-.") || try_snprintf(config->node, sizeof(config->node), "%s", node))
		return fail(err, -EINVAL, "\"%.64s\" is no node's name", node);
	return 0;
}
