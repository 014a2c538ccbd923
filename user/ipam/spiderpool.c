// SPDX-License-Identifier: Apache-2.0
#include "ipam/spiderpool.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/bytes.h"
#include "lib/curl.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/util.h"

#define HEALTH_MS 30000 /* what its plugin allows the agent for that, */
#define BUDGET_MS 100000 /* and for the rest */
#define REPLY_MAX (1 << 20)

/* ---- configuration ---- */

struct draft {
	struct spiderpool_config config;
	bool direct;
	char text[PATH_MAX]; /* what is only checked */
	struct key_number number;
};

#define FIELD(field) offsetof(struct draft, field)
#define IGNORED_NUMBER key_number, FIELD(number), 0, UINT32_MAX, 0
#define IGNORED_TEXT key_text, FIELD(text), 0, PATH_MAX, 0

static const struct key ipam_keys[] = {
	{ "type", IGNORED_TEXT },
	{ "direct", key_bool, FIELD(direct), 0, 0, 0 },
	{ "ipam_unix_socket_path", key_path, FIELD(config.socket), 0, sizeof(((struct draft *)0)->config.socket), 0 },
	{ "default_ipv4_ippool", key_texts, FIELD(config.ipv4_pools), 0, 0, 0 },
	{ "default_ipv6_ippool", key_texts, FIELD(config.ipv6_pools), 0, 0, 0 },
	{ "clean_gateway", key_bool, FIELD(config.clean_gateway), 0, 0, 0 },
	{ "match_master_subnet", key_bool, FIELD(config.match_master_subnet), 0, 0, 0 },
	{ "log_level", IGNORED_TEXT },
	{ "log_file_path", IGNORED_TEXT },
	{ "log_file_max_size", IGNORED_NUMBER },
	{ "log_file_max_age", IGNORED_NUMBER },
	{ "log_file_max_count", IGNORED_NUMBER },
};

int spiderpool_config(const struct netconf *conf, struct spiderpool_config *config, struct cni_error *e)
{
	_cleanup_free_ struct draft *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	d->direct = true;
	r = keys_read(conf->ipam, "ipam.", ipam_keys, ARRAY_SIZE(ipam_keys), 0, d, e);
	if (r)
		return r;
	if (!d->config.socket[0])
		snprintf(d->config.socket, sizeof(d->config.socket), "%s", SPIDERPOOL_SOCKET);
	d->config.exec = !d->direct;
	*config = d->config;
	return 0;
}

/* ---- HTTP ---- */

struct reply {
	long status;
	struct bytes body;
	bool too_long;
};

static void reply_free(struct reply *reply)
{
	bytes_free(&reply->body);
}

static size_t take_body(char *bytes, size_t one, size_t len, void *ctx)
{
	struct reply *reply = ctx;
	int r = bytes_add(&reply->body, bytes, len, REPLY_MAX);

	(void)one;
	reply->too_long = r == -EMSGSIZE;
	return r ? 0 : len;
}

/* One request. */
struct request {
	const struct curl_api *api;
	CURL *curl;
	struct curl_slist *headers;
};

static void request_end(struct request *r)
{
	if (r->headers)
		r->api->slist_free_all(r->headers);
	if (r->curl)
		r->api->easy_cleanup(r->curl);
}

/* With a unix socket libcurl uses no proxy, whatever the environment says. */
static CURLcode set_up(const struct request *q, const char *socket, unsigned int ms, struct reply *reply)
{
	CURLcode r = q->api->easy_setopt(q->curl, CURLOPT_UNIX_SOCKET_PATH, socket);

	q->api->easy_setopt(q->curl, CURLOPT_PROTOCOLS_STR, "http");
	q->api->easy_setopt(q->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	q->api->easy_setopt(q->curl, CURLOPT_NOSIGNAL, 1L);
	q->api->easy_setopt(q->curl, CURLOPT_FORBID_REUSE, 1L);
	q->api->easy_setopt(q->curl, CURLOPT_TIMEOUT_MS, (long)ms);
	q->api->easy_setopt(q->curl, CURLOPT_HTTPHEADER, q->headers);
	q->api->easy_setopt(q->curl, CURLOPT_WRITEFUNCTION, take_body);
	q->api->easy_setopt(q->curl, CURLOPT_WRITEDATA, reply);
	return r;
}

/* The headers are those of the agent's own client. */
static int request_begin(struct request *r, struct cni_error *e)
{
	static const char *const lines[] = { "Host;", "Accept: application/json", "Content-Type: application/json",
					     "Connection: close", "Expect:" };
	struct curl_slist *longer;
	struct err err;

	r->api = curl_load(&err);
	if (!r->api)
		return cni_fail(e, CNI_INTERNAL, "Spiderpool's agent cannot be asked: %s", err.text);
	r->curl = r->api->easy_init();
	for (size_t i = 0; r->curl && i < ARRAY_SIZE(lines); i++) {
		longer = r->api->slist_append(r->headers, lines[i]);
		if (!longer)
			return cni_fail(e, CNI_INTERNAL, "out of memory");
		r->headers = longer;
	}
	return r->curl ? 0 : cni_fail(e, CNI_INTERNAL, "out of memory");
}

static int request_failed(const struct request *q, CURLcode code, const struct reply *reply, const char *what,
			  struct cni_error *e)
{
	int r;

	if (reply->too_long)
		return cni_fail(e, CNI_IPAM, "Spiderpool's agent answered more than %d bytes to %s", REPLY_MAX, what);
	if (code == CURLE_OUT_OF_MEMORY || code == CURLE_WRITE_ERROR)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	r = cni_fail(e, CNI_TRY_AGAIN, "unhealthy spiderpool-agent backend: %s: %s", what, q->api->easy_strerror(code));
	return code == CURLE_COULDNT_CONNECT ? -ECONNREFUSED : r;
}

/* One exchange: 0 when there is an answer, whatever its status; -ECONNREFUSED when the request was never sent. */
static int exchange(const struct spiderpool_config *config, const char *method, const char *path, const char *body,
		    unsigned int ms, struct reply *reply, struct cni_error *e)
{
	_cleanup_(request_end) struct request q = {};
	char url[128], what[64];
	CURLcode code;
	int r;

	*reply = (struct reply){};
	snprintf(url, sizeof(url), "http://localhost/v1%s", path);
	snprintf(what, sizeof(what), "%s %s", method, path);
	r = request_begin(&q, e);
	if (r)
		return r;
	if (!ms) {
		cni_fail(e, CNI_TRY_AGAIN, "no time is left for Spiderpool's agent");
		return -ECONNREFUSED;
	}
	code = set_up(&q, config->socket, ms, reply);
	if (!code)
		code = q.api->easy_setopt(q.curl, CURLOPT_URL, url);
	if (!code)
		code = q.api->easy_setopt(q.curl, CURLOPT_CUSTOMREQUEST, method);
	if (!code && body)
		code = q.api->easy_setopt(q.curl, CURLOPT_COPYPOSTFIELDS, body);
	if (!code)
		code = q.api->easy_perform(q.curl);
	if (!code)
		code = q.api->easy_getinfo(q.curl, CURLINFO_RESPONSE_CODE, &reply->status);
	return code ? request_failed(&q, code, reply, what, e) : 0;
}

/* The agent's words as they are: a bare JSON string, the framework's {code, message}, or whatever it wrote. */
static int refused(const char *what, const struct reply *reply, struct cni_error *e)
{
	_cleanup_(json_free) cJSON *json = reply->body.data ? cJSON_Parse(reply->body.data) : NULL;
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(json, "message");
	const char *text = cJSON_IsString(json)      ? json->valuestring
			   : cJSON_IsString(message) ? message->valuestring
			   : reply->body.data        ? reply->body.data
						     : "";

	return cni_fail(e, CNI_IPAM, "spiderpool IP allocation error: [%s][%ld] %s", what, reply->status, text);
}

/* ---- requests ---- */

static int check_pod(const struct cni_env *env, struct cni_error *e)
{
	const struct cni_args *a = &env->args;

	if (a->pod_namespace[0] && a->pod_name[0] && a->pod_uid[0])
		return 0;
	return cni_fail(e, CNI_INVALID_ENVIRONMENT,
			"Spiderpool needs K8S_POD_NAMESPACE, K8S_POD_NAME and K8S_POD_UID in CNI_ARGS");
}

static bool add_list(cJSON *to, const char *name, const cJSON *list)
{
	cJSON *copy = list ? cJSON_Duplicate(list, true) : cJSON_CreateNull();

	return cJSON_AddItemToObject(to, name, copy);
}

/* What both calls say, to be freed. `config` is given for ADD. */
static char *make_body(const struct cni_env *env, const struct spiderpool_config *config)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(json, "containerID", env->container_id) ||
	    !cJSON_AddStringToObject(json, "ifName", env->ifname) ||
	    !cJSON_AddStringToObject(json, "netNamespace", env->netns) ||
	    !cJSON_AddStringToObject(json, "podNamespace", env->args.pod_namespace) ||
	    !cJSON_AddStringToObject(json, "podName", env->args.pod_name) ||
	    !cJSON_AddStringToObject(json, "podUID", env->args.pod_uid))
		return NULL;
	if (config && (!add_list(json, "defaultIPv4IPPool", config->ipv4_pools) ||
		       !add_list(json, "defaultIPv6IPPool", config->ipv6_pools)))
		return NULL;
	if (config && config->clean_gateway && !cJSON_AddTrueToObject(json, "cleanGateway"))
		return NULL;
	if (config && config->match_master_subnet && !cJSON_AddTrueToObject(json, "matchMasterSubnet"))
		return NULL;
	return cJSON_PrintUnformatted(json);
}

static int release(const struct ipam_call *call, const struct spiderpool_config *config, uint64_t deadline_ns,
		   struct reply *reply, struct cni_error *e)
{
	_cleanup_free_ char *body = make_body(call->env, NULL);

	if (!body)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	return exchange(config, "DELETE", "/ipam/ip", body, ipam_left_ms(deadline_ns, BUDGET_MS), reply, e);
}

/* ---- the answer to ADD ---- */

static int garbled(struct cni_error *e, const char *what)
{
	return cni_fail(e, CNI_DECODE, "Spiderpool's agent gave an answer that cannot be used: %s", what);
}

/* A text that is there, else NULL. */
static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(value) ? value->valuestring : NULL;
}

static int read_hints(const cJSON *one, struct ipam_hints *hints, struct cni_error *e)
{
	const cJSON *vlan = cJSON_GetObjectItemCaseSensitive(one, "vlan");
	const char *mac = text_of(one, "mac");

	if (vlan && !cJSON_IsNull(vlan)) {
		if (!cJSON_IsNumber(vlan) || !(vlan->valuedouble >= 0 && vlan->valuedouble <= 4094) ||
		    vlan->valuedouble != (double)vlan->valueint)
			return garbled(e, "\"vlan\"");
		hints->vlan = (struct key_number){ .set = true, .value = (uint32_t)vlan->valueint };
	}
	if (mac && *mac && cni_mac(mac, hints->mac))
		return garbled(e, "\"mac\"");
	hints->detect_gateway |= cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "enableGatewayDetection"));
	hints->detect_conflicts |= cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(one, "enableIPConflictDetection"));
	return 0;
}

static int read_ip(const cJSON *one, struct cni_result *result, struct ipam_hints *hints, struct cni_error *e)
{
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(one, "version");
	const char *address = text_of(one, "address"), *gateway = text_of(one, "gateway");
	struct cni_ip *ip = cni_result_add_ip(result);

	if (!ip)
		return garbled(e, "too many addresses");
	if (!address || cni_addr_parse(address, true, &ip->address))
		return garbled(e, "\"address\" is no address with its prefix");
	if (!cJSON_IsNumber(version) || version->valuedouble != (ip->address.family == AF_INET ? 4 : 6))
		return garbled(e, "\"version\" is not the address's");
	if (gateway && *gateway &&
	    (cni_addr_parse(gateway, false, &ip->gateway) || ip->gateway.family != ip->address.family))
		return garbled(e, "\"gateway\" is no address of the same family");
	return read_hints(one, hints, e);
}

static int read_route(const cJSON *one, struct cni_result *result, struct cni_error *e)
{
	const char *dst = text_of(one, "dst"), *gw = text_of(one, "gw");
	struct cni_route *route = cni_result_add_route(result);

	if (!route)
		return garbled(e, "too many routes");
	if (!dst || cni_addr_parse(dst, true, &route->dst))
		return garbled(e, "a route's \"dst\" is no network");
	if (gw && *gw && (cni_addr_parse(gw, false, &route->gw) || route->gw.family != route->dst.family))
		return garbled(e, "a route's \"gw\" is no address of the same family");
	cni_addr_mask(&route->dst);
	return 0;
}

/* A list of objects that may be null, or NULL for anything else. */
static int get_list(const cJSON *json, const char *name, const cJSON **list, struct cni_error *e)
{
	const cJSON *one;

	*list = cJSON_GetObjectItemCaseSensitive(json, name);
	if (*list && !cJSON_IsArray(*list) && !cJSON_IsNull(*list))
		return garbled(e, name);
	cJSON_ArrayForEach (one, *list)
		if (!cJSON_IsObject(one))
			return garbled(e, name);
	return 0;
}

/* The first ADD of a pod is answered with the addresses of all its interfaces: only those of ours are taken. */
static int read_lists(const cJSON *json, const char *ifname, struct cni_result *result, struct ipam_hints *hints,
		      struct cni_error *e)
{
	const cJSON *ips, *routes, *one;
	const char *nic;
	int r = get_list(json, "ips", &ips, e);

	if (!r)
		r = get_list(json, "routes", &routes, e);
	if (r)
		return r;
	cJSON_ArrayForEach (one, ips) {
		nic = text_of(one, "nic");
		r = nic && !strcmp(nic, ifname) ? read_ip(one, result, hints, e) : 0;
		if (r)
			return r;
	}
	cJSON_ArrayForEach (one, routes) {
		nic = text_of(one, "ifName");
		r = nic && !strcmp(nic, ifname) ? read_route(one, result, e) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int read_reply(const struct reply *reply, const char *ifname, struct cni_result *result,
		      struct ipam_hints *hints, struct cni_error *e)
{
	_cleanup_(cni_result_free) struct cni_result draft = {};
	struct err why = {};
	_cleanup_(json_free)
		cJSON *json = json_parse_strict(reply->body.data ? reply->body.data : "", reply->body.len, &why);
	int r;

	if (!json)
		return garbled(e, why.text);
	r = read_lists(json, ifname, &draft, hints, e);
	if (!r)
		r = cni_dns_read(cJSON_GetObjectItemCaseSensitive(json, "dns"), &draft.dns, e);
	if (r)
		return r;
	if (!draft.ip_count)
		return cni_fail(e, CNI_IPAM, "Spiderpool's agent gave no address for %s", ifname);
	*result = draft;
	draft = (struct cni_result){};
	return 0;
}

/* ---- calls ---- */

static int healthy(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_error *e)
{
	_cleanup_(reply_free) struct reply reply = {};
	int r = exchange(config, "GET", "/ipam/healthy", NULL, ipam_left_ms(call->deadline_ns, HEALTH_MS), &reply, e);

	if (!r && reply.status != 200)
		return cni_fail(e, CNI_TRY_AGAIN,
				"unhealthy spiderpool-agent backend: [GET /ipam/healthy][%ld] %.1024s", reply.status,
				reply.body.data ? reply.body.data : "");
	return r;
}

/* Nobody knows whether the agent has given addresses: it is told that nobody has them. */
static void give_back(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_error *e)
{
	_cleanup_(reply_free) struct reply reply = {};
	struct cni_error undo = {};

	if (release(call, config, boot_ns() + IPAM_UNDO_MS * 1000000ull, &reply, &undo))
		cni_details(e, "the release failed, too: %s", undo.msg);
	else if (reply.status != 200)
		cni_details(e, "the release failed, too: status %ld", reply.status);
}

int spiderpool_add(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_result *result,
		   struct ipam_hints *hints, struct cni_error *e)
{
	_cleanup_(reply_free) struct reply reply = {};
	_cleanup_free_ char *body = NULL;
	int r = check_pod(call->env, e);

	if (!r)
		r = healthy(call, config, e);
	if (r)
		return r;
	body = make_body(call->env, config);
	if (!body)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	r = exchange(config, "POST", "/ipam/ip", body, ipam_left_ms(call->deadline_ns, BUDGET_MS), &reply, e);
	if (r == -ECONNREFUSED)
		return r;
	if (!r && reply.status != 200)
		return refused("POST /ipam/ip", &reply, e);
	if (!r)
		r = read_reply(&reply, call->env->ifname, result, hints, e);
	if (r) {
		*hints = (struct ipam_hints){};
		give_back(call, config, e);
	}
	return r;
}

/* As its own plugin: an agent that answers and refuses does not hold up the end of a pod, its controller collects. */
int spiderpool_del(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_error *e)
{
	_cleanup_(reply_free) struct reply reply = {};
	struct cni_error why = {};
	int r = check_pod(call->env, e);

	if (!r)
		r = healthy(call, config, e);
	if (!r)
		r = release(call, config, call->deadline_ns, &reply, e);
	if (r || reply.status == 200)
		return r;
	refused("DELETE /ipam/ip", &reply, &why);
	pr_warn("ipam: %s/%s %s: %.512s", call->env->args.pod_namespace, call->env->args.pod_name, call->env->ifname,
		why.msg);
	return 0;
}

int spiderpool_status(const struct ipam_call *call, const struct spiderpool_config *config, struct cni_error *e)
{
	int r = healthy(call, config, e);

	if (r && e)
		e->code = CNI_NOT_AVAILABLE;
	return r;
}
