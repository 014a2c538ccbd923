// SPDX-License-Identifier: Apache-2.0
#include "cni/result.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"
#include "lib/util.h"

static void dns_free(struct cni_dns *dns)
{
	cJSON_Delete(dns->json);
}

void cni_result_free(struct cni_result *r)
{
	for (size_t i = 0; i < r->interface_count; i++) {
		free(r->interfaces[i].socket_path);
		free(r->interfaces[i].sandbox);
	}
	free(r->interfaces);
	free(r->ips);
	free(r->routes);
	dns_free(&r->dns);
	*r = (struct cni_result){};
}

/* The list with room for one more at its end, zeroed; NULL where it cannot grow, and the list stays. */
static void *grow(void *items, size_t count, size_t max, size_t size)
{
	char *bigger = count < max ? reallocarray(items, count + 1, size) : NULL;

	if (bigger)
		memset(bigger + count * size, 0, size);
	return bigger;
}

struct cni_interface *cni_result_add_interface(struct cni_result *r)
{
	struct cni_interface *grown = grow(r->interfaces, r->interface_count, CNI_MAX_INTERFACES, sizeof(*grown));

	if (!grown)
		return NULL;
	r->interfaces = grown;
	return &grown[r->interface_count++];
}

struct cni_ip *cni_result_add_ip(struct cni_result *r)
{
	struct cni_ip *grown = grow(r->ips, r->ip_count, CNI_MAX_IPS, sizeof(*grown));

	if (!grown)
		return NULL;
	r->ips = grown;
	grown[r->ip_count].interface = -1;
	return &grown[r->ip_count++];
}

struct cni_route *cni_result_add_route(struct cni_result *r)
{
	struct cni_route *grown = grow(r->routes, r->route_count, CNI_MAX_ROUTES, sizeof(*grown));

	if (!grown)
		return NULL;
	r->routes = grown;
	return &grown[r->route_count++];
}

static int append_interface(struct cni_result *to, const struct cni_interface *from)
{
	struct cni_interface *copy = cni_result_add_interface(to);

	if (!copy)
		return -ENOMEM;
	*copy = *from;
	copy->socket_path = from->socket_path ? strdup(from->socket_path) : NULL;
	copy->sandbox = from->sandbox ? strdup(from->sandbox) : NULL;
	return (from->socket_path && !copy->socket_path) || (from->sandbox && !copy->sandbox) ? -ENOMEM : 0;
}

static int append_ip(struct cni_result *to, const struct cni_ip *from, int first_interface)
{
	struct cni_ip *copy = cni_result_add_ip(to);

	if (!copy)
		return -ENOMEM;
	*copy = *from;
	copy->interface += copy->interface < 0 ? 0 : first_interface;
	return 0;
}

static int append_route(struct cni_result *to, const struct cni_route *from)
{
	struct cni_route *copy = cni_result_add_route(to);

	if (copy)
		*copy = *from;
	return copy ? 0 : -ENOMEM;
}

int cni_result_append(struct cni_result *to, const struct cni_result *from)
{
	int first_interface = (int)to->interface_count, r = 0;
	cJSON *dns;

	for (size_t i = 0; !r && i < from->interface_count; i++)
		r = append_interface(to, &from->interfaces[i]);
	for (size_t i = 0; !r && i < from->ip_count; i++)
		r = append_ip(to, &from->ips[i], first_interface);
	for (size_t i = 0; !r && i < from->route_count; i++)
		r = append_route(to, &from->routes[i]);
	if (r || !from->dns.json)
		return r;
	dns = cJSON_Duplicate(from->dns.json, true);
	if (!dns)
		return -ENOMEM;
	dns_free(&to->dns);
	to->dns.json = dns;
	return 0;
}

bool cni_ip_is_of(const struct cni_result *r, const struct cni_ip *ip, const char *ifname)
{
	const struct cni_interface *i = ip->interface < 0 ? NULL : &r->interfaces[ip->interface];

	return !i || (i->sandbox && *i->sandbox && !strcmp(i->name, ifname));
}

/* ---- addresses ---- */

int cni_addr_parse(const char *text, bool prefix, struct cni_addr *addr)
{
	const char *slash = strchr(text, '/');
	struct cni_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	unsigned int bits = a.family == AF_INET ? 32 : 128;
	char host[INET6_ADDRSTRLEN];
	uint64_t len = bits;

	if ((slash != NULL) != prefix)
		return -EINVAL;
	if (try_snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : (int)sizeof(host), text) ||
	    inet_pton(a.family, host, a.bytes) != 1)
		return -EINVAL;
	/* Digits alone: parse_u64() is for people and may take more. */
	if (slash && (!slash[1] || strspn(slash + 1, "0123456789") != strlen(slash + 1) || strlen(slash + 1) > 3 ||
		      parse_u64(slash + 1, 10, 0, bits, &len)))
		return -EINVAL;
	a.prefix = (uint8_t)len;
	*addr = a;
	return 0;
}

void cni_addr_print(const struct cni_addr *addr, bool prefix, char to[CNI_ADDR_LEN])
{
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(addr->family, addr->bytes, host, sizeof(host));
	snprintf(to, CNI_ADDR_LEN, prefix ? "%s/%u" : "%s", host, addr->prefix);
}

void cni_addr_mapped(const struct cni_addr *addr, uint8_t to[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(to, addr->family == AF_INET ? mapped : addr->bytes, sizeof(mapped));
	memcpy(to + 12, addr->family == AF_INET ? addr->bytes : addr->bytes + 12, 4);
}

void cni_addr_mask(struct cni_addr *addr)
{
	for (unsigned int i = 0; i < sizeof(addr->bytes); i++) {
		unsigned int kept = addr->prefix > i * 8 ? addr->prefix - i * 8 : 0;

		if (kept < 8)
			addr->bytes[i] &= (uint8_t)(0xff00 >> kept);
	}
}

/* ---- reading ---- */

static int bad(struct cni_error *e, const char *what, const char *must)
{
	return cni_fail(e, CNI_DECODE, "the result's \"%s\" must be %s", what, must);
}

/* A member that is there and not null. */
static const cJSON *member(const cJSON *object, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNull(value) ? NULL : value;
}

static int read_addr(const cJSON *object, const char *name, bool prefix, struct cni_addr *to, struct cni_error *e)
{
	const cJSON *value = member(object, name);

	if (!value)
		return 0;
	/* Go prints an address that is not there as "". */
	if (!prefix && cJSON_IsString(value) && !value->valuestring[0])
		return 0;
	if (!cJSON_IsString(value) || cni_addr_parse(value->valuestring, prefix, to))
		return bad(e, name, prefix ? "an address with its prefix" : "an address");
	return 0;
}

static int read_number(const cJSON *object, const char *name, struct key_number *to, struct cni_error *e)
{
	const cJSON *value = member(object, name);
	double v = value ? cJSON_GetNumberValue(value) : 0;

	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) || !(v >= 0 && v <= UINT32_MAX) || v != (double)(uint32_t)v)
		return bad(e, name, "a whole number");
	to->set = true;
	to->value = (uint32_t)v;
	return 0;
}

static int read_text(const cJSON *object, const char *name, char *to, size_t size, struct cni_error *e)
{
	const cJSON *value = member(object, name);

	if (!value)
		return 0;
	if (!cJSON_IsString(value))
		return bad(e, name, "a text");
	return try_snprintf(to, size, "%s", value->valuestring) ? bad(e, name, "shorter") : 0;
}

static int read_long_text(const cJSON *object, const char *name, char **to, struct cni_error *e)
{
	const cJSON *value = member(object, name);

	if (!value)
		return 0;
	if (!cJSON_IsString(value))
		return bad(e, name, "a text");
	*to = strdup(value->valuestring);
	return *to ? 0 : cni_fail(e, CNI_INTERNAL, "out of memory");
}

static int read_interface(const cJSON *json, struct cni_result *result, struct cni_error *e)
{
	struct cni_interface *i = cni_result_add_interface(result);
	struct key_number mtu = {};
	int r;

	if (!i)
		return cni_fail(e, CNI_DECODE, "the result has more than %d interfaces", CNI_MAX_INTERFACES);
	r = read_text(json, "name", i->name, sizeof(i->name), e);
	if (!r)
		r = read_text(json, "mac", i->mac, sizeof(i->mac), e);
	if (!r)
		r = read_long_text(json, "sandbox", &i->sandbox, e);
	if (!r)
		r = read_long_text(json, "socketPath", &i->socket_path, e);
	if (!r)
		r = read_text(json, "pciID", i->pci_id, sizeof(i->pci_id), e);
	if (!r)
		r = read_number(json, "mtu", &mtu, e);
	i->mtu = mtu.value;
	return !r && !i->name[0] ? bad(e, "interfaces", "named") : r;
}

/* The versions before 1.0.0 say which family it is; some plugins leave it out. */
static int check_family(const cJSON *json, int family, struct cni_error *e)
{
	const cJSON *version = member(json, "version");
	const char *right = family == AF_INET ? "4" : "6";

	if (version && (!cJSON_IsString(version) || strcmp(version->valuestring, right)))
		return bad(e, "version", "that of the address beside it");
	return 0;
}

static int read_ip(const cJSON *json, struct cni_result *result, struct cni_error *e)
{
	struct cni_ip *ip = cni_result_add_ip(result);
	struct key_number interface = {};
	int r;

	if (!ip)
		return cni_fail(e, CNI_DECODE, "the result has more than %d addresses", CNI_MAX_IPS);
	r = read_addr(json, "address", true, &ip->address, e);
	if (!r && !ip->address.family)
		r = bad(e, "address", "there");
	if (!r)
		r = check_family(json, ip->address.family, e);
	if (!r)
		r = read_addr(json, "gateway", false, &ip->gateway, e);
	if (!r && ip->gateway.family && ip->gateway.family != ip->address.family)
		r = bad(e, "gateway", "of the address's family");
	if (!r)
		r = read_number(json, "interface", &interface, e);
	if (r || !interface.set)
		return r;
	if (interface.value >= result->interface_count)
		return bad(e, "interface", "the position of one of its interfaces");
	ip->interface = (int)interface.value;
	return 0;
}

static const struct {
	const char *name;
	size_t offset;
} route_numbers[] = {
	{ "mtu", offsetof(struct cni_route, mtu) },           { "advmss", offsetof(struct cni_route, advmss) },
	{ "priority", offsetof(struct cni_route, priority) }, { "table", offsetof(struct cni_route, table) },
	{ "scope", offsetof(struct cni_route, scope) },
};

static int read_route(const cJSON *json, struct cni_result *result, struct cni_error *e)
{
	struct cni_route *route = cni_result_add_route(result);
	int r;

	if (!route)
		return cni_fail(e, CNI_DECODE, "the result has more than %d routes", CNI_MAX_ROUTES);
	r = read_addr(json, "dst", true, &route->dst, e);
	if (!r && !route->dst.family)
		r = bad(e, "dst", "there");
	if (!r)
		r = read_addr(json, "gw", false, &route->gw, e);
	if (!r && route->gw.family && route->gw.family != route->dst.family)
		r = bad(e, "gw", "of the destination's family");
	for (size_t i = 0; !r && i < ARRAY_SIZE(route_numbers); i++)
		r = read_number(json, route_numbers[i].name,
				(struct key_number *)((char *)route + route_numbers[i].offset), e);
	cni_addr_mask(&route->dst);
	return r;
}

static int read_list(const cJSON *json, const char *name, struct cni_result *result,
		     int (*read)(const cJSON *json, struct cni_result *result, struct cni_error *e),
		     struct cni_error *e)
{
	const cJSON *list = member(json, name), *one;
	int r;

	if (list && !cJSON_IsArray(list))
		return bad(e, name, "a list");
	cJSON_ArrayForEach (one, list) {
		if (!cJSON_IsObject(one))
			return bad(e, name, "a list of objects");
		r = read(one, result, e);
		if (r)
			return r;
	}
	return 0;
}

/* A list of texts, or with `list` false one text; copied where it says something. */
static int copy_dns(const cJSON *json, const char *name, bool list, cJSON *to, struct cni_error *e)
{
	const cJSON *value = member(json, name), *one;

	if (!value)
		return 0;
	if (list ? !cJSON_IsArray(value) : !cJSON_IsString(value))
		return bad(e, name, list ? "a list" : "a text");
	for (one = list ? value->child : NULL; one; one = one->next)
		if (!cJSON_IsString(one))
			return bad(e, name, "a list of texts");
	if (list ? !value->child : !value->valuestring[0])
		return 0;
	return cJSON_AddItemToObject(to, name, cJSON_Duplicate(value, true))
		       ? 0
		       : cni_fail(e, CNI_INTERNAL, "out of memory");
}

int cni_dns_read(const cJSON *json, struct cni_dns *dns, struct cni_error *e)
{
	_cleanup_(json_free) cJSON *copy = cJSON_CreateObject();
	int r;

	dns->json = NULL;
	if (!json || cJSON_IsNull(json))
		return 0;
	if (!cJSON_IsObject(json))
		return bad(e, "dns", "an object");
	r = copy_dns(json, "nameservers", true, copy, e);
	if (!r)
		r = copy_dns(json, "domain", false, copy, e);
	if (!r)
		r = copy_dns(json, "search", true, copy, e);
	if (!r)
		r = copy_dns(json, "options", true, copy, e);
	if (!r && copy->child)
		dns->json = take_ptr(copy);
	return r;
}

static int read_version(const cJSON *json, enum cni_version *version, struct cni_error *e)
{
	const cJSON *value = member(json, "cniVersion");

	if (!value)
		return 0;
	if (!cJSON_IsString(value))
		return bad(e, "cniVersion", "a text");
	if (cni_version_find(value->valuestring, version))
		return cni_fail(e, CNI_INCOMPATIBLE_VERSION, "the result's version \"%.32s\" is not supported",
				value->valuestring);
	return 0;
}

int cni_result_read(const cJSON *json, enum cni_version assumed, struct cni_result *result, struct cni_error *e)
{
	_cleanup_(cni_result_free) struct cni_result draft = {};
	int r;

	*result = draft;
	if (!cJSON_IsObject(json))
		return cni_fail(e, CNI_DECODE, "the result must be an object");
	r = read_version(json, &assumed, e);
	if (!r)
		r = read_list(json, "interfaces", &draft, read_interface, e);
	if (!r)
		r = read_list(json, "ips", &draft, read_ip, e);
	if (!r)
		r = read_list(json, "routes", &draft, read_route, e);
	if (!r)
		r = cni_dns_read(member(json, "dns"), &draft.dns, e);
	if (r)
		return r;
	*result = draft;
	draft = (struct cni_result){};
	return 0;
}

/* ---- printing: a member that cannot be added for want of memory makes the whole fail ---- */

struct printer {
	enum cni_version version;
	bool failed;
};

static cJSON *add(struct printer *p, cJSON *to, const char *name, cJSON *value)
{
	bool done = value && (name ? cJSON_AddItemToObject(to, name, value) : cJSON_AddItemToArray(to, value));

	if (done)
		return value;
	p->failed = true;
	cJSON_Delete(value);
	return NULL;
}

static void add_text(struct printer *p, cJSON *to, const char *name, const char *value)
{
	if (value && *value)
		add(p, to, name, cJSON_CreateString(value));
}

static void add_addr(struct printer *p, cJSON *to, const char *name, const struct cni_addr *addr, bool prefix)
{
	char text[CNI_ADDR_LEN];

	if (!addr->family)
		return;
	cni_addr_print(addr, prefix, text);
	add_text(p, to, name, text);
}

static void add_interface(struct printer *p, cJSON *list, const struct cni_interface *i)
{
	cJSON *json = add(p, list, NULL, cJSON_CreateObject());

	add_text(p, json, "name", i->name);
	add_text(p, json, "mac", i->mac);
	if (p->version >= CNI_1_1_0 && i->mtu)
		add(p, json, "mtu", cJSON_CreateNumber(i->mtu));
	add_text(p, json, "sandbox", i->sandbox);
	if (p->version >= CNI_1_1_0) {
		add_text(p, json, "socketPath", i->socket_path);
		add_text(p, json, "pciID", i->pci_id);
	}
}

static void add_ip(struct printer *p, cJSON *list, const struct cni_ip *ip)
{
	cJSON *json = add(p, list, NULL, cJSON_CreateObject());

	if (p->version < CNI_1_0_0)
		add_text(p, json, "version", ip->address.family == AF_INET ? "4" : "6");
	if (ip->interface >= 0)
		add(p, json, "interface", cJSON_CreateNumber(ip->interface));
	add_addr(p, json, "address", &ip->address, true);
	add_addr(p, json, "gateway", &ip->gateway, false);
}

static void add_route(struct printer *p, cJSON *list, const struct cni_route *route)
{
	cJSON *json = add(p, list, NULL, cJSON_CreateObject());

	add_addr(p, json, "dst", &route->dst, true);
	add_addr(p, json, "gw", &route->gw, false);
	for (size_t i = 0; p->version >= CNI_1_1_0 && i < ARRAY_SIZE(route_numbers); i++) {
		const struct key_number *n = (const void *)((const char *)route + route_numbers[i].offset);

		if (n->set)
			add(p, json, route_numbers[i].name, cJSON_CreateNumber(n->value));
	}
}

char *cni_result_print(const struct cni_result *result, enum cni_version version)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	struct printer p = { .version = version };
	cJSON *list;

	add_text(&p, json, "cniVersion", cni_version_name(version));
	list = result->interface_count ? add(&p, json, "interfaces", cJSON_CreateArray()) : NULL;
	for (size_t i = 0; i < result->interface_count; i++)
		add_interface(&p, list, &result->interfaces[i]);
	list = result->ip_count ? add(&p, json, "ips", cJSON_CreateArray()) : NULL;
	for (size_t i = 0; i < result->ip_count; i++)
		add_ip(&p, list, &result->ips[i]);
	list = result->route_count ? add(&p, json, "routes", cJSON_CreateArray()) : NULL;
	for (size_t i = 0; i < result->route_count; i++)
		add_route(&p, list, &result->routes[i]);
	add(&p, json, "dns", result->dns.json ? cJSON_Duplicate(result->dns.json, true) : cJSON_CreateObject());
	return p.failed ? NULL : cJSON_PrintUnformatted(json);
}
