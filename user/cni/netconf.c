// SPDX-License-Identifier: Apache-2.0
#include "cni/netconf.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/json.h"
#include "lib/util.h"

#define PLUGINS (NETCONF_WARDEN | NETCONF_SRIOV)

static const struct {
	const char *type;
	enum netconf_role role;
} roles[] = { { "rdma-warden", NETCONF_WARDEN }, { "sriov", NETCONF_SRIOV }, { "rdma", NETCONF_RDMA } };

/* What is read, with what only helps to decide in the end. */
struct draft {
	struct netconf conf;
	char mac[18], mac_upper[18], args_mac[18], runtime_mac[18];
	char device_id[64], pci_bus_id[64], runtime_device_id[64];
	struct key_number vlan_qos;
	bool has_proto, has_rdma;
	const cJSON *prev, *dns, *valid, *legacy;
};

void netconf_free(struct netconf *conf)
{
	enum cni_version version = conf->version;

	free(conf->sysctls);
	free(conf->attachments);
	free(conf->text);
	cni_result_free(&conf->prev);
	cJSON_Delete(conf->dns.json);
	cJSON_Delete(conf->json);
	*conf = (struct netconf){ .version = version };
}

static int bad(struct cni_error *e, const char *name, const char *must)
{
	return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be %s", name, must);
}

/* ---- readers of single keys ---- */

/* A text, or NULL: "" is a key left out, as it is for sriov-cni. */
static const char *text_of(const cJSON *value)
{
	return cJSON_IsString(value) ? value->valuestring : NULL;
}

static int read_switch(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	static const char *const choices[] = { [NETCONF_KEEP] = "", [NETCONF_OFF] = "off", [NETCONF_ON] = "on" };
	const char *text = text_of(value);

	(void)key;
	for (size_t i = 0; text && i < ARRAY_SIZE(choices); i++)
		if (!strcmp(text, choices[i])) {
			*(enum netconf_switch *)to = (enum netconf_switch)i;
			return 0;
		}
	return bad(e, name, "\"on\" or \"off\"");
}

static int read_link(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	static const char *const choices[] = { [NETCONF_LINK_KEEP] = "",
					       [NETCONF_LINK_AUTO] = "auto",
					       [NETCONF_LINK_ENABLE] = "enable",
					       [NETCONF_LINK_DISABLE] = "disable" };
	const char *text = text_of(value);

	(void)key;
	for (size_t i = 0; text && i < ARRAY_SIZE(choices); i++)
		if (!strcmp(text, choices[i])) {
			*(enum netconf_link *)to = (enum netconf_link)i;
			return 0;
		}
	return bad(e, name, "\"auto\", \"enable\" or \"disable\"");
}

static int read_log_level(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	static const char *const choices[] = { [NETCONF_LOG_PANIC] = "panic",
					       [NETCONF_LOG_ERROR] = "error",
					       [NETCONF_LOG_WARNING] = "warning",
					       [NETCONF_LOG_INFO] = "info",
					       [NETCONF_LOG_DEBUG] = "debug" };
	const char *text = text_of(value);

	(void)key;
	if (text && !*text)
		return 0;
	for (size_t i = 0; text && i < ARRAY_SIZE(choices); i++)
		if (!strcmp(text, choices[i])) {
			*(enum netconf_log *)to = (enum netconf_log)i;
			return 0;
		}
	return bad(e, name, "\"panic\", \"error\", \"warning\", \"info\" or \"debug\"");
}

static int read_proto(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	struct draft *d = to;
	const char *text = text_of(value);
	bool ad = text && !strcasecmp(text, "802.1ad");

	(void)key;
	if (!text || (!ad && strcasecmp(text, "802.1q")))
		return bad(e, name, "\"802.1q\" or \"802.1ad\"");
	d->has_proto = true;
	d->conf.vlan_8021ad = ad;
	return 0;
}

static int read_mac(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	const char *text = text_of(value);

	(void)key;
	if (text && !*text)
		return 0;
	return !text || cni_mac(text, to) ? bad(e, name, "a unicast MAC address like \"02:00:00:00:00:01\"") : 0;
}

static int read_rdma(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	struct draft *d = to;
	const char *text = text_of(value);

	(void)key;
	if (!cJSON_IsBool(value) && (!text || strcmp(text, "auto")))
		return bad(e, name, "true, false or \"auto\"");
	d->has_rdma = true;
	d->conf.rdma = text ? NETCONF_RDMA_AUTO : cJSON_IsTrue(value) ? NETCONF_RDMA_YES : NETCONF_RDMA_NO;
	return 0;
}

static int read_mtu(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	struct key_number n = {};
	int r = key_number(&n, key, name, value, e);

	if (!r)
		*(uint32_t *)to = n.value;
	return r;
}

static int read_profile(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	int r = key_text(to, key, name, value, e);

	return !r && !cni_is_name(to, key->max - 1) ? bad(e, name, "the name of a marking profile") : r;
}

/* "prefix/name", or the name alone, as Kubernetes has them. */
static int read_resource(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	const char *text, *slash;
	int r = key_text(to, key, name, value, e);
	char prefix[254];

	if (r)
		return r;
	text = to;
	slash = strchr(text, '/');
	if (!*text)
		return 0;
	if (slash && (try_snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - text), text) ||
		      !cni_is_name(prefix, sizeof(prefix) - 1)))
		return bad(e, name, "the name of a resource, like \"vendor.com/name\"");
	return cni_is_name(slash ? slash + 1 : text, 63)
		       ? 0
		       : bad(e, name, "the name of a resource, like \"vendor.com/name\"");
}

static int read_any(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	(void)key, (void)name, (void)e;
	*(const cJSON **)to = value;
	return 0;
}

/* ---- sysctls ---- */

/* net., then elements of letters, digits, _ - : / (which stands for a dot in an interface's name), none of them empty. */
static bool is_sysctl(const char *name)
{
	if (strncmp(name, "net.", 4))
		return false;
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("_-:./", *p))
			return false;
		/* No element is made of separators alone, so that none becomes "." or ".." in the path. */
		if (strchr("./", *p) && (!isalnum((unsigned char)p[1]) || p == name))
			return false;
	}
	return true;
}

static bool is_sysctl_value(const char *value)
{
	for (const char *p = value; *p; p++)
		if ((*p < ' ' && *p != '\t') || *p > '~')
			return false;
	return *value;
}

static int read_sysctls(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	struct draft *d = to;
	struct netconf_sysctl *s;
	const cJSON *one;

	(void)key;
	if (!cJSON_IsObject(value) || cJSON_GetArraySize(value) > NETCONF_SYSCTLS)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be an object of at most %d sysctls", name,
				NETCONF_SYSCTLS);
	d->conf.sysctls = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(*s));
	if (!d->conf.sysctls)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	cJSON_ArrayForEach (one, value) {
		s = &d->conf.sysctls[d->conf.sysctl_count];
		if (!is_sysctl(one->string) || try_snprintf(s->name, sizeof(s->name), "%s", one->string))
			return cni_fail(e, CNI_INVALID_NETCONF, "\"%s.%.64s\" is not a sysctl of the network (net.…)",
					name, one->string);
		if (!cJSON_IsString(one) || !is_sysctl_value(one->valuestring) ||
		    try_snprintf(s->value, sizeof(s->value), "%s", one->valuestring))
			return cni_fail(e, CNI_INVALID_NETCONF, "\"%s.%s\" must be a text of one line", name, s->name);
		d->conf.sysctl_count++;
	}
	return 0;
}

int netconf_sysctl_path(const struct netconf_sysctl *sysctl, const char *ifname, char *to, size_t size)
{
	const char *p = sysctl->name;
	size_t n, used;

	if (try_snprintf(to, size, "/proc/sys"))
		return -ENAMETOOLONG;
	while (*p) {
		n = strcspn(p, ".");
		used = strlen(to);
		if (try_snprintf(to + used, size - used, "/%.*s", n == 6 && !memcmp(p, "IFNAME", 6) ? 64 : (int)n,
				 n == 6 && !memcmp(p, "IFNAME", 6) ? ifname : p))
			return -ENAMETOOLONG;
		for (char *c = to + used + 1; *c; c++)
			if (*c == '/')
				*c = '.';
		p += n + (p[n] == '.');
	}
	return 0;
}

/* ---- what the runtime and Multus add ---- */

static const struct key args_cni_keys[] = {
	{ "mac", read_mac, offsetof(struct draft, args_mac), 0, 0, 0 },
	{ "debug", key_bool, offsetof(struct draft, conf.debug), 0, 0, 0 },
};

/* Arguments of the user, by convention for whichever plugin knows them: others are not for us. */
static int read_args(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	const cJSON *cni, *one;
	int r;

	(void)key;
	if (!cJSON_IsObject(value))
		return bad(e, name, "an object");
	cni = cJSON_GetObjectItemCaseSensitive(value, "cni");
	if (!cni || cJSON_IsNull(cni))
		return 0;
	if (!cJSON_IsObject(cni))
		return bad(e, "args.cni", "an object");
	for (size_t i = 0; i < ARRAY_SIZE(args_cni_keys); i++) {
		one = cJSON_GetObjectItemCaseSensitive(cni, args_cni_keys[i].name);
		if (!one || cJSON_IsNull(one))
			continue;
		r = args_cni_keys[i].read((char *)to + args_cni_keys[i].offset, &args_cni_keys[i],
					  i ? "args.cni.debug" : "args.cni.mac", one, e);
		if (r)
			return r;
	}
	return 0;
}

static int read_ips(struct draft *d, const cJSON *list, struct cni_error *e)
{
	const cJSON *one;
	const char *text;

	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > NETCONF_IPS)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"runtimeConfig.ips\" must be a list of at most %d addresses",
				NETCONF_IPS);
	cJSON_ArrayForEach (one, list) {
		text = text_of(one);
		if (!text || cni_addr_parse(text, strchr(text, '/') != NULL, &d->conf.ips[d->conf.ip_count]))
			return bad(e, "runtimeConfig.ips", "addresses, with their prefix or without");
		d->conf.ip_count++;
	}
	return 0;
}

/* The runtime puts there what the plugins of the whole list can do: what is not named here is for others. */
static int read_runtime(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	static const struct key device = { .name = "deviceID", .max = sizeof(((struct draft *)0)->runtime_device_id) };
	struct draft *d = to;
	const cJSON *mac, *ips, *id;
	int r = 0;

	(void)key;
	if (!cJSON_IsObject(value))
		return bad(e, name, "an object");
	mac = cJSON_GetObjectItemCaseSensitive(value, "mac");
	ips = cJSON_GetObjectItemCaseSensitive(value, "ips");
	id = cJSON_GetObjectItemCaseSensitive(value, "deviceID");
	if (mac && !cJSON_IsNull(mac))
		r = read_mac(d->runtime_mac, key, "runtimeConfig.mac", mac, e);
	if (!r && ips && !cJSON_IsNull(ips))
		r = read_ips(d, ips, e);
	if (!r && id && !cJSON_IsNull(id))
		r = key_text(d->runtime_device_id, &device, "runtimeConfig.deviceID", id, e);
	return r;
}

static int read_ipam(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	const cJSON *type = cJSON_GetObjectItemCaseSensitive(value, "type");
	struct draft *d = to;
	const char *text;

	(void)key;
	if (!cJSON_IsObject(value))
		return bad(e, name, "an object");
	if (type && !cJSON_IsString(type) && !cJSON_IsNull(type))
		return bad(e, "ipam.type", "a text");
	text = text_of(type);
	if (!text || !*text)
		return value->child && value->child != type
			       ? cni_fail(e, CNI_INVALID_NETCONF, "\"ipam\" lacks the key \"type\"")
			       : 0;
	/* It becomes the name of a file in CNI_PATH. */
	if (!cni_is_name(text, sizeof(d->conf.ipam_type) - 1))
		return bad(e, "ipam.type", "the name of a plugin");
	memcpy(d->conf.ipam_type, text, strlen(text) + 1);
	d->conf.ipam = value;
	return 0;
}

/* ---- the table ---- */

#define FIELD(field) offsetof(struct draft, field)
#define TEXT(field) FIELD(field), 0, sizeof(((struct draft *)0)->field)

static const struct key keys[] = {
	{ "cniVersion", key_skip, 0, 0, 0, 0 }, /* these three are read before all others */
	{ "name", key_skip, 0, 0, 0, 0 },
	{ "type", key_skip, 0, 0, 0, 0 },
	{ "ipam", read_ipam, 0, 0, 0, 0 },
	{ "dns", read_any, FIELD(dns), 0, 0, 0 },
	{ "prevResult", read_any, FIELD(prev), 0, 0, 0 },
	{ "capabilities", key_skip, 0, 0, 0, 0 },
	{ "runtimeConfig", read_runtime, 0, 0, 0, 0 },
	{ "args", read_args, 0, 0, 0, 0 },
	{ "cni.dev/valid-attachments", read_any, FIELD(valid), 0, 0, 0 },
	{ "cni.dev/attachments", read_any, FIELD(legacy), 0, 0, 0 },
	{ "deviceID", key_text, TEXT(device_id), 0 },
	{ "pciBusID", key_text, TEXT(pci_bus_id), 0 },
	{ "resourceName", read_resource, TEXT(conf.resource_name), 0 },
	{ "profile", read_profile, TEXT(conf.profile), 0 },
	{ "logFile", key_path, TEXT(conf.log_file), 0 },
	{ "logLevel", read_log_level, FIELD(conf.log_level), 0, 0, 0 },

	{ "vlan", key_number, FIELD(conf.vlan), 0, 4094, PLUGINS },
	{ "vlanQoS", key_number, FIELD(vlan_qos), 0, 7, PLUGINS },
	{ "vlanProto", read_proto, 0, 0, 0, PLUGINS },
	{ "mac", read_mac, FIELD(mac), 0, 0, PLUGINS },
	{ "MAC", read_mac, FIELD(mac_upper), 0, 0, PLUGINS }, /* sriov-cni reads that, too */
	{ "spoofchk", read_switch, FIELD(conf.spoofchk), 0, 0, PLUGINS },
	{ "trust", read_switch, FIELD(conf.trust), 0, 0, PLUGINS },
	{ "link_state", read_link, FIELD(conf.link_state), 0, 0, PLUGINS },
	{ "min_tx_rate", key_number, FIELD(conf.min_tx_rate), 0, UINT32_MAX, PLUGINS },
	{ "max_tx_rate", key_number, FIELD(conf.max_tx_rate), 0, UINT32_MAX, PLUGINS },
	{ "mtu", read_mtu, FIELD(conf.mtu), 68, 65535, PLUGINS },
	{ "rdma", read_rdma, 0, 0, 0, PLUGINS },
	{ "softroce", key_bool, FIELD(conf.softroce), 0, 0, PLUGINS },
	{ "sysctls", read_sysctls, 0, 0, 0, PLUGINS },
};

/* ---- what the keys say together ---- */

static int check_vlan(struct draft *d, struct cni_error *e)
{
	const struct netconf *c = &d->conf;

	if (d->vlan_qos.set && !c->vlan.set)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"vlanQoS\" needs \"vlan\"");
	if (d->has_proto && !c->vlan.set)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"vlanProto\" needs \"vlan\"");
	if (d->vlan_qos.value && !c->vlan.value)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"vlanQoS\" must be 0 with \"vlan\" 0");
	if (c->vlan_8021ad && !c->vlan.value)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"vlanProto\" must be \"802.1q\" with \"vlan\" 0");
	d->conf.vlan_qos = d->vlan_qos.value;
	return 0;
}

static int check_rates(const struct netconf *c, struct cni_error *e)
{
	/* A maximum of 0 is none. */
	if (c->max_tx_rate.value && c->min_tx_rate.value > c->max_tx_rate.value)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"min_tx_rate\" is above \"max_tx_rate\"");
	return 0;
}

static int choose_rdma(struct draft *d, struct cni_error *e)
{
	struct netconf *c = &d->conf;

	if (c->softroce && d->has_rdma && c->rdma == NETCONF_RDMA_NO)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"softroce\" contradicts \"rdma\": false");
	if (c->role == NETCONF_RDMA || c->softroce)
		c->rdma = NETCONF_RDMA_YES;
	else if (!d->has_rdma && c->role == NETCONF_SRIOV)
		c->rdma = NETCONF_RDMA_NO;
	return 0;
}

static int choose_mac(struct draft *d, const struct cni_env *env, struct cni_error *e)
{
	const char *by_rank[] = { d->runtime_mac, env->args.mac, d->args_mac, d->mac, d->mac_upper };

	if (d->mac[0] && d->mac_upper[0] && strcmp(d->mac, d->mac_upper))
		return cni_fail(e, CNI_INVALID_NETCONF, "\"mac\" and \"MAC\" contradict each other");
	for (size_t i = 0; i < ARRAY_SIZE(by_rank) && !d->conf.mac[0]; i++)
		memcpy(d->conf.mac, by_rank[i], sizeof(d->conf.mac));
	return 0;
}

/* "0000:3b:00.2", with a domain of 4 to 8 digits; lower case as in sysfs. */
static bool is_pci(char *id)
{
	static const char *const hex = "0123456789abcdef";
	size_t domain;

	for (char *p = id; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	domain = strspn(id, hex);
	id += domain;
	return domain >= 4 && domain <= 8 && strlen(id) == 8 && id[0] == ':' && strspn(id + 1, hex) == 2 &&
	       id[3] == ':' && strspn(id + 4, hex) == 2 && id[6] == '.' && id[7] >= '0' && id[7] <= '7';
}

static int choose_device(struct draft *d, const struct cni_env *env, struct cni_error *e)
{
	const char *const from[] = { d->device_id, d->runtime_device_id, d->pci_bus_id };
	struct netconf *c = &d->conf;
	char lower[sizeof(c->device_id)];

	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		if (c->device_id[0] && from[i][0] && strcasecmp(c->device_id, from[i]))
			return cni_fail(e, CNI_INVALID_NETCONF, "two devices are named: %s and %s", c->device_id,
					from[i]);
		if (!c->device_id[0])
			memcpy(c->device_id, from[i], sizeof(c->device_id));
	}
	/* "rdma" finds the device by what the plugin before it has made. */
	if (!c->device_id[0])
		return env->command == CNI_ADD && c->role != NETCONF_RDMA
			       ? cni_fail(e, CNI_INVALID_NETCONF, "VF pci addr is required: \"deviceID\" is missing")
			       : 0;
	memcpy(lower, c->device_id, sizeof(lower));
	c->device_is_pci = is_pci(lower);
	if (c->device_is_pci)
		memcpy(c->device_id, lower, sizeof(lower));
	if (c->device_is_pci || (c->role != NETCONF_SRIOV && cni_is_name(c->device_id, sizeof(c->device_id) - 1)))
		return 0;
	return bad(e, "deviceID", c->role == NETCONF_SRIOV ? "a PCI address" : "a PCI address or an auxiliary device");
}

static int read_prev(struct draft *d, const struct cni_env *env, struct cni_error *e)
{
	bool needed = env->command == CNI_CHECK || (env->command == CNI_ADD && d->conf.role == NETCONF_RDMA);

	if (!d->prev)
		return needed ? cni_fail(e, CNI_INVALID_NETCONF,
					 d->conf.role == NETCONF_RDMA ? "\"prevResult\" is missing: \"rdma\" is to be "
									"called behind another plugin"
								      : "\"prevResult\" is missing")
			      : 0;
	d->conf.prev_json = d->prev;
	/* DEL must do what it can, whatever other plugins said. */
	if (!cni_result_read(d->prev, d->conf.version, &d->conf.prev, e) || env->command == CNI_DEL)
		return 0;
	cni_details(e, "in \"prevResult\"");
	return -EBADMSG;
}

static int read_attachment(const cJSON *one, struct netconf_attachment *to, struct cni_error *e)
{
	const char *id = text_of(cJSON_GetObjectItemCaseSensitive(one, "containerID"));
	const char *ifname = text_of(cJSON_GetObjectItemCaseSensitive(one, "ifname"));

	if (!id || !ifname || !cni_is_name(id, CNI_ID_LEN - 1) || !cni_is_ifname(ifname))
		return bad(e, "cni.dev/valid-attachments", "a list of objects with containerID and ifname");
	memcpy(to->container_id, id, strlen(id) + 1);
	memcpy(to->ifname, ifname, strlen(ifname) + 1);
	return 0;
}

static int read_attachments(struct draft *d, const struct cni_env *env, struct cni_error *e)
{
	const cJSON *list = d->valid ? d->valid : d->legacy, *one;
	struct netconf *c = &d->conf;
	int r;

	/* Without the key nothing would be valid, and GC would end what runs. */
	if (!list)
		return env->command == CNI_GC
			       ? cni_fail(e, CNI_INVALID_NETCONF, "GC needs the key \"cni.dev/valid-attachments\"")
			       : 0;
	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > NETCONF_ATTACHMENTS)
		return bad(e, "cni.dev/valid-attachments", "a list of objects with containerID and ifname");
	c->attachments = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*c->attachments));
	if (!c->attachments)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	c->has_attachments = true;
	cJSON_ArrayForEach (one, list) {
		r = read_attachment(one, &c->attachments[c->attachment_count], e);
		if (r)
			return r;
		c->attachment_count++;
	}
	return 0;
}

/* ---- the three that come first ---- */

static int read_version(const cJSON *json, struct netconf *c, struct cni_error *e)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, "cniVersion");
	const char *text = text_of(value);

	if (value && !text && !cJSON_IsNull(value))
		return bad(e, "cniVersion", "a text");
	if (!text || !*text)
		text = "0.1.0"; /* what a configuration without it means */
	if (!cni_version_find(text, &c->version))
		return 0;
	c->version = CNI_1_1_0;
	cni_fail(e, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
	cni_details(e, "config is \"%.32s\", plugin supports 0.3.1, 0.4.0, 1.0.0, 1.1.0", text);
	return -EPROTONOSUPPORT;
}

static int check_command(enum cni_command command, enum cni_version version, struct cni_error *e)
{
	enum cni_version since = command == CNI_CHECK                         ? CNI_0_4_0
				 : command == CNI_GC || command == CNI_STATUS ? CNI_1_1_0
									      : CNI_0_3_1;

	if (version >= since)
		return 0;
	return cni_fail(e, CNI_INCOMPATIBLE_VERSION, "%s came with version %s, and the configuration has %s",
			cni_command_name(command), cni_version_name(since), cni_version_name(version));
}

static int read_names(const cJSON *json, struct netconf *c, struct cni_error *e)
{
	const char *name = text_of(cJSON_GetObjectItemCaseSensitive(json, "name"));
	const char *type = text_of(cJSON_GetObjectItemCaseSensitive(json, "type"));

	if (!name || !cni_is_name(name, CNI_ID_LEN - 1))
		return bad(e, "name", "a network's name, of letters, digits, _ . -");
	memcpy(c->name, name, strlen(name) + 1);
	for (size_t i = 0; type && i < ARRAY_SIZE(roles); i++)
		if (!strcmp(roles[i].type, type)) {
			c->role = roles[i].role;
			memcpy(c->type, type, strlen(type) + 1);
			return 0;
		}
	return bad(e, "type", "\"rdma-warden\", \"sriov\" or \"rdma\"");
}

static int read_json(struct draft *d, const struct cni_env *env, struct cni_error *e)
{
	struct netconf *c = &d->conf;
	int r = read_version(c->json, c, e);

	if (!r)
		r = check_command(env->command, c->version, e);
	if (!r)
		r = read_names(c->json, c, e);
	if (!r)
		r = keys_read(c->json, "", keys, ARRAY_SIZE(keys), c->role, d, e);
	if (!r)
		r = check_vlan(d, e);
	if (!r)
		r = check_rates(c, e);
	if (!r)
		r = choose_rdma(d, e);
	if (!r)
		r = choose_mac(d, env, e);
	if (!r)
		r = choose_device(d, env, e);
	if (!r)
		r = cni_dns_read(d->dns, &c->dns, e);
	if (!r)
		r = read_prev(d, env, e);
	return r ? r : read_attachments(d, env, e);
}

int netconf_read(const char *text, size_t len, const struct cni_env *env, struct netconf *conf, struct cni_error *e)
{
	_cleanup_free_ struct draft *d = calloc(1, sizeof(*d));
	struct err why = {};
	int r;

	*conf = (struct netconf){ .version = CNI_1_1_0 };
	if (!d)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	if (len > NETCONF_MAX_BYTES)
		return cni_fail(e, CNI_DECODE, "the configuration is larger than %d bytes", NETCONF_MAX_BYTES);
	d->conf.log_level = NETCONF_LOG_INFO;
	d->conf.version = CNI_1_1_0;
	d->conf.json = json_parse_strict(text, len, &why);
	if (!d->conf.json)
		return cni_fail(e, CNI_DECODE, "the configuration: %s", why.text);
	d->conf.text = strndup(text, len);
	d->conf.len = len;
	r = d->conf.text ? read_json(d, env, e) : cni_fail(e, CNI_INTERNAL, "out of memory");
	if (r)
		netconf_free(&d->conf);
	*conf = d->conf;
	return r;
}
