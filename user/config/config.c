// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "config/kubernetes.h"
#include "config/policy.h"
#include "config/reader.h"
#include "lib/cgroup.h"
#include "lib/json.h"
#include "lib/listen.h"
#include "lib/rules.h"
#include "lib/util.h"

#define CONFIG_MAX_BYTES (1 << 20)

static const char *const mode_names[] = { [MODE_AUDIT] = "audit", [MODE_ENFORCE] = "enforce" };
static const char *const reaction_names[] = {
	[REACTION_OBSERVE] = "observe", [REACTION_DENY] = "deny", [REACTION_KILL] = "kill"
};

const char *config_mode_name(enum warden_mode mode)
{
	return mode_names[mode];
}

const char *config_reaction_name(enum warden_reaction reaction)
{
	return reaction_names[reaction];
}

/* The rules whose violation a hook can refuse; that of the others can only be told. */
static const enum warden_rule refusable[] = {
	RULE_EXCLUSIVE_OPEN,    RULE_EXCLUSIVE_INHERITED_FD, RULE_EXCLUSIVE_UMAD,
	RULE_EXCLUSIVE_FD_PASS, RULE_EXCLUSIVE_MMAP,         RULE_EXCLUSIVE_NETLINK,
	RULE_EXCLUSIVE_MODE,    RULE_WARDEN_TAMPER,          RULE_SPOOF_SOURCE,
};

void config_defaults(struct config *c)
{
	*c = (struct config){
		.mode = MODE_AUDIT,
		.run_dir = "/run/rdma-warden",
		.state_dir = "/var/lib/rdma-warden",
		.bpffs = "/sys/fs/bpf/rdma-warden",
		.modprobe_dir = "/etc/modprobe.d",
		.operator_dir = "/etc/sriov-operator/pci",
		.metrics = "127.0.0.1:9779",
		.effects_interval = 10,
		.ipam_timeout = 100, /* what Spiderpool's own plugin allows its agent */
		.pod_cgroups = { "kubepods.slice", "kubepods" }, /* the kubelet's, by cgroup driver */
		.discover = DISCOVER_ALL,
	};
	kubernetes_defaults(&c->kubernetes);
	for (size_t i = 0; i < ARRAY_SIZE(refusable); i++)
		c->reactions[refusable[i]] = REACTION_DENY;
}

enum warden_reaction config_reaction(const struct config *c, enum warden_rule rule)
{
	return c->mode == MODE_ENFORCE ? c->reactions[rule] : REACTION_OBSERVE;
}

static const struct config_profile *profile_match(const struct config_profile *others, const char *name)
{
	for (size_t i = 0; i < CONFIG_QOS_OTHERS && others[i].pattern[0]; i++)
		if (!fnmatch(others[i].pattern, name, 0))
			return &others[i];
	return NULL;
}

const struct qos_profile *config_profile(const struct config *c, const char *owner, const char *resource)
{
	const struct config_profile *other = profile_match(c->owners, owner);

	if (!other && resource[0])
		other = profile_match(c->resources, resource);
	return other ? &other->profile : &c->profile;
}

static uint8_t priorities_of(const struct config_profile *profiles)
{
	uint8_t set = 0;

	for (size_t i = 0; i < CONFIG_QOS_OTHERS && profiles[i].pattern[0]; i++)
		set |= (uint8_t)(1u << profiles[i].profile.priority);
	return set;
}

uint8_t config_priorities(const struct config *c)
{
	uint8_t set = priorities_of(c->owners) | priorities_of(c->resources);

	return c->profile.name[0] ? set | (uint8_t)(1u << c->profile.priority) : set;
}

bool config_packets(const struct config *c)
{
	if (c->packets == CONFIG_PACKETS_BY_PROFILE)
		return c->profile.name[0] || c->owners[0].pattern[0] || c->resources[0].pattern[0];
	return c->packets == CONFIG_PACKETS_ON;
}

enum warden_vf_action config_packet_action(const struct config *c)
{
	if (c->mode != MODE_ENFORCE)
		return VF_OBSERVE;
	if (c->on_packet != VF_IGNORE)
		return c->on_packet;
	return c->reactions[RULE_MARKING_DSCP] == REACTION_OBSERVE ? VF_OBSERVE : VF_DROP;
}

enum warden_vf_action config_source_action(const struct config *c)
{
	return config_reaction(c, RULE_SPOOF_SOURCE) == REACTION_OBSERVE ? VF_OBSERVE : VF_DROP;
}

/* ---- qos ---- */

static int read_dscp(struct reader *r, const char *name, const cJSON *value)
{
	const cJSON *one;
	unsigned int d;
	int e;

	r->profile->dscp = 0;
	if (!cJSON_IsArray(value)) {
		e = read_number(r, name, value, 63, &d);
		r->profile->dscp = e ? 0 : 1ull << d;
		return e;
	}
	cJSON_ArrayForEach (one, value) {
		e = read_number(r, name, one, 63, &d);
		if (e)
			return e;
		r->profile->dscp |= 1ull << d;
	}
	return 0;
}

static int read_priority(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 7, &r->profile->priority);
}

static int read_cnp_dscp(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 63, &r->profile->cnp_dscp);
}

static int read_cnp_priority(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 7, &r->profile->cnp_priority);
}

/* A list of priorities, as the set of those with PFC. */
static int read_pfc(struct reader *r, const char *name, const cJSON *value)
{
	const cJSON *one;
	unsigned int p;
	int e;

	if (!cJSON_IsArray(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be a list of priorities", r->file, name);
	r->profile->pfc = 0;
	cJSON_ArrayForEach (one, value) {
		e = read_number(r, name, one, QOS_PRIORITIES - 1, &p);
		if (e)
			return e;
		r->profile->pfc |= (uint8_t)(1u << p);
	}
	return 0;
}

static int read_trust(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const choices[] = { [QOS_TRUST_DSCP] = "dscp", [QOS_TRUST_PCP] = "pcp" };
	int choice = read_choice(r, name, value, choices, ARRAY_SIZE(choices));

	if (choice < 0)
		return choice;
	r->profile->trust = (enum qos_trust)choice;
	return 0;
}

/* An object: DSCP, and its priority where that is not DSCP / 8 (or what the base says). */
static int read_map(struct reader *r, const char *name, const cJSON *value)
{
	uint64_t dscp, seen = 0;
	unsigned int priority;
	const cJSON *one;
	char key[160];
	int e;

	if (!cJSON_IsObject(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object", r->file, name);
	cJSON_ArrayForEach (one, value) {
		snprintf(key, sizeof(key), "%s.%.64s", name, one->string);
		if (parse_u64(one->string, 10, 0, QOS_DSCPS - 1, &dscp))
			return fail(r->err, -EINVAL, "%s: \"%s\" names no DSCP (0 to 63)", r->file, key);
		if (seen >> dscp & 1)
			return fail(r->err, -EINVAL, "%s: the key \"%s\" stands twice", r->file, key);
		seen |= 1ull << dscp;
		e = read_number(r, key, one, QOS_PRIORITIES - 1, &priority);
		if (e)
			return e;
		r->profile->map[dscp] = (uint8_t)priority;
	}
	return 0;
}

static int read_ecn(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be true or false", r->file, name);
	r->profile->ecn = cJSON_IsTrue(value);
	return 0;
}

static int read_mtu(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 65535, &r->profile->mtu);
}

static int read_roce_mode(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const choices[] = { [QOS_ROCE_V1] = "v1", [QOS_ROCE_V2] = "v2" };
	int choice = read_choice(r, name, value, choices, ARRAY_SIZE(choices));

	if (choice < 0)
		return choice;
	r->profile->roce_mode = (enum qos_roce_mode)choice;
	return 0;
}

/* Taken before all others by profile_base(). */
static int skip_base(struct reader *r, const char *name, const cJSON *value)
{
	(void)r, (void)name, (void)value;
	return 0;
}

static const struct key profile_keys[] = {
	{ "base", skip_base },
	{ "dscp", read_dscp },
	{ "priority", read_priority },
	{ "cnp_dscp", read_cnp_dscp },
	{ "cnp_priority", read_cnp_priority },
	{ "pfc", read_pfc },
	{ "trust", read_trust },
	{ "map", read_map },
	{ "ecn", read_ecn },
	{ "mtu", read_mtu },
	{ "roce_mode", read_roce_mode },
};

/* Fills in what the object leaves out; without a base it must have the four that nobody can guess. */
static int profile_base(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const needed[] = { "dscp", "priority", "cnp_dscp", "cnp_priority" };
	const cJSON *base = cJSON_GetObjectItemCaseSensitive(value, "base");
	struct qos_profile *p = r->profile;

	*p = (struct qos_profile){};
	qos_profile_defaults(p);
	for (size_t i = 0; !base && i < ARRAY_SIZE(needed); i++)
		if (!cJSON_GetObjectItemCaseSensitive(value, needed[i]))
			return fail(r->err, -EINVAL, "%s: \"%s\" lacks the key \"%s\"", r->file, name, needed[i]);
	if (base && (!cJSON_IsString(base) || qos_profile_named(base->valuestring, p)))
		return fail(r->err, -EINVAL, "%s: \"%s.base\" must be \"spiderpool\" or \"nvidia\"", r->file, name);
	snprintf(p->name, sizeof(p->name), "custom");
	return 0;
}

static int read_custom_profile(struct reader *r, const char *name, const cJSON *value)
{
	struct qos_profile *p = r->profile;
	struct err why;
	int e = profile_base(r, name, value);

	if (!e)
		e = read_object(r, name, value, profile_keys, ARRAY_SIZE(profile_keys));
	if (e)
		return e;
	if (!cJSON_HasObjectItem(value, "pfc"))
		p->pfc = (uint8_t)(1u << p->priority);
	if (qos_profile_check(p, &why))
		return fail(r->err, -EINVAL, "%s: \"%s\": %s", r->file, name, why.text);
	return 0;
}

static int read_any_profile(struct reader *r, const char *name, const cJSON *value)
{
	if (cJSON_IsObject(value))
		return read_custom_profile(r, name, value);
	if (cJSON_IsString(value) && !qos_profile_named(value->valuestring, r->profile))
		return 0;
	return fail(r->err, -EINVAL,
		    "%s: \"%s\" must be \"spiderpool\", \"nvidia\" or an object with dscp, priority, cnp_dscp, "
		    "cnp_priority",
		    r->file, name);
}

static int read_profile(struct reader *r, const char *name, const cJSON *value)
{
	r->profile = &r->config->profile;
	return read_any_profile(r, name, value);
}

/* An object: a pattern of names, and the profile for them, in the order in which they are asked. */
static int read_others(struct reader *r, const char *name, const cJSON *value, struct config_profile *others)
{
	const cJSON *one;
	char key[400];
	size_t n = 0;
	int e;

	if (!cJSON_IsObject(value) || cJSON_GetArraySize(value) > CONFIG_QOS_OTHERS)
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object of at most %d profiles", r->file, name,
			    CONFIG_QOS_OTHERS);
	memset(others, 0, CONFIG_QOS_OTHERS * sizeof(*others));
	cJSON_ArrayForEach (one, value) {
		if (!one->string[0] || try_snprintf(others[n].pattern, sizeof(others[n].pattern), "%s", one->string))
			return fail(r->err, -EINVAL, "%s: \"%s\": a name that is empty or too long", r->file, name);
		for (size_t i = 0; i < n; i++)
			if (!strcmp(others[i].pattern, one->string))
				return fail(r->err, -EINVAL, "%s: the key \"%s.%s\" stands twice", r->file, name,
					    one->string);
		snprintf(key, sizeof(key), "%s.%s", name, one->string);
		r->profile = &others[n++].profile;
		e = read_any_profile(r, key, one);
		if (e)
			return e;
	}
	return 0;
}

static int read_owners(struct reader *r, const char *name, const cJSON *value)
{
	return read_others(r, name, value, r->config->owners);
}

static int read_resources(struct reader *r, const char *name, const cJSON *value)
{
	return read_others(r, name, value, r->config->resources);
}

static bool is_netdev_name(const cJSON *value)
{
	const char *name = cJSON_IsString(value) ? value->valuestring : "";

	return *name && strlen(name) < IF_NAMESIZE && !strpbrk(name, "/: \t\n") && name[0] != '.';
}

static int read_netdevs(struct reader *r, const char *name, const cJSON *value)
{
	const cJSON *one;
	size_t n = 0;

	memset(r->config->qos_netdevs, 0, sizeof(r->config->qos_netdevs));
	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) > CONFIG_QOS_NETDEVS)
		return fail(r->err, -EINVAL, "%s: \"%s\" must be a list of at most %d netdevs", r->file, name,
			    CONFIG_QOS_NETDEVS);
	cJSON_ArrayForEach (one, value) {
		if (!is_netdev_name(one))
			return fail(r->err, -EINVAL, "%s: \"%s\" must hold names of netdevs", r->file, name);
		snprintf(r->config->qos_netdevs[n++], IF_NAMESIZE, "%s", one->valuestring);
	}
	return 0;
}

static int read_on_violation(struct reader *r, const char *name, const cJSON *value)
{
	int choice = read_choice(r, name, value, reaction_names, ARRAY_SIZE(reaction_names));

	if (choice < 0)
		return choice;
	r->config->reactions[RULE_MARKING_DSCP] = (enum warden_reaction)choice;
	r->config->reactions[RULE_MARKING_PRIORITY] = (enum warden_reaction)choice;
	r->config->reactions[RULE_MARKING_UNVERIFIED] = (enum warden_reaction)choice;
	return 0;
}

static int read_on_packet(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const choices[] = { "observe", "remark", "drop" };
	int choice = read_choice(r, name, value, choices, ARRAY_SIZE(choices));

	if (choice < 0)
		return choice;
	r->config->on_packet = VF_OBSERVE + (enum warden_vf_action)choice;
	return 0;
}

static int read_effects_interval(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 3600, &r->config->effects_interval);
}

static const struct key qos_keys[] = {
	{ "profile", read_profile },
	{ "owners", read_owners },
	{ "resources", read_resources },
	{ "on_violation", read_on_violation },
	{ "on_packet", read_on_packet },
	{ "netdevs", read_netdevs },
	{ "effects_interval", read_effects_interval },
};

static int read_qos(struct reader *r, const char *name, const cJSON *value)
{
	int e;

	if (!cJSON_IsObject(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object", r->file, name);
	e = read_object(r, name, value, qos_keys, ARRAY_SIZE(qos_keys));
	if (!e && !r->config->profile.name[0] && !r->config->owners[0].pattern[0] &&
	    !r->config->resources[0].pattern[0])
		return fail(r->err, -EINVAL, "%s: \"qos\" lacks the key \"profile\"", r->file);
	return e;
}

/* ---- the rest ---- */

static int read_packets(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be true or false", r->file, name);
	r->config->packets = cJSON_IsTrue(value) ? CONFIG_PACKETS_ON : CONFIG_PACKETS_OFF;
	return 0;
}

static int read_mode(struct reader *r, const char *name, const cJSON *value)
{
	int choice = read_choice(r, name, value, mode_names, ARRAY_SIZE(mode_names));

	if (choice < 0)
		return choice;
	r->config->mode = (enum warden_mode)choice;
	return 0;
}

static int read_run_dir(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->run_dir);
}

static int read_state_dir(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->state_dir);
}

static int read_bpffs(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->bpffs);
}

static int read_metrics(struct reader *r, const char *name, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);
	struct sockaddr_storage address;
	socklen_t len;

	if (!text || (text[0] && listen_parse(text, &address, &len)) ||
	    try_snprintf(r->config->metrics, sizeof(r->config->metrics), "%s", text))
		return fail(r->err, -EINVAL,
			    "%s: \"%s\" must be \"ADDRESS:PORT\", an IPv6 address in brackets, or \"\" for none",
			    r->file, name);
	return 0;
}

static int read_set_exclusive(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be true or false", r->file, name);
	r->config->set_exclusive = cJSON_IsTrue(value);
	return 0;
}

static int read_modprobe_dir(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->modprobe_dir);
}

static int read_node_policy(struct reader *r, const char *name, const cJSON *value)
{
	return config_policies(r->file, name, value, r->config->policies, &r->config->policy_count, r->err);
}

static int read_node_policy_apply(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be true or false", r->file, name);
	r->config->policy_apply = cJSON_IsTrue(value);
	return 0;
}

static int read_operator_dir(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->operator_dir);
}

static int read_umad(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const choices[] = { "nobody", "host" };
	int choice = read_choice(r, name, value, choices, ARRAY_SIZE(choices));

	if (choice < 0)
		return choice;
	r->config->umad_for_host = choice == 1;
	return 0;
}

static int read_cgroups(struct reader *r, const char *name, const cJSON *value, char (*to)[CONFIG_CGROUP_LEN], int max)
{
	const cJSON *one;
	size_t n = 0;

	memset(to, 0, (size_t)max * sizeof(*to));
	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) > max)
		return fail(r->err, -EINVAL, "%s: \"%s\" must be a list of at most %d paths", r->file, name, max);
	cJSON_ArrayForEach (one, value) {
		if (!cJSON_IsString(one) || !one->valuestring[0] || one->valuestring[0] == '/' ||
		    strstr(one->valuestring, "..") || try_snprintf(to[n++], CONFIG_CGROUP_LEN, "%s", one->valuestring))
			return fail(r->err, -EINVAL,
				    "%s: \"%s\" must hold paths below " CGROUP_ROOT ", like \"kubepods.slice\"",
				    r->file, name);
	}
	return 0;
}

static int read_pod_cgroups(struct reader *r, const char *name, const cJSON *value)
{
	return read_cgroups(r, name, value, r->config->pod_cgroups, WARDEN_POD_CGROUPS);
}

static int read_ipam_timeout(struct reader *r, const char *name, const cJSON *value)
{
	int e = read_number(r, name, value, 3600, &r->config->ipam_timeout);

	return !e && !r->config->ipam_timeout ? fail(r->err, -ERANGE, "%s: \"%s\" must not be 0", r->file, name) : e;
}

static int read_host_cgroups(struct reader *r, const char *name, const cJSON *value)
{
	return read_cgroups(r, name, value, r->config->host_cgroups, CONFIG_HOST_CGROUPS);
}

static bool is_refusable(int rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusable); i++)
		if ((int)refusable[i] == rule)
			return true;
	return false;
}

/* An object: the name of a rule, and its reaction. */
static int read_reactions(struct reader *r, const char *name, const cJSON *value)
{
	const cJSON *one;
	char key[160];
	int rule, choice;

	if (!cJSON_IsObject(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object", r->file, name);
	cJSON_ArrayForEach (one, value) {
		snprintf(key, sizeof(key), "%s.%.64s", name, one->string);
		rule = rule_find(one->string);
		if (rule < 0)
			return fail(r->err, -EINVAL, "%s: \"%s\" is no rule", r->file, key);
		if (!is_refusable(rule))
			return fail(r->err, -EINVAL, "%s: \"%s\" is not for this key to say%s", r->file, key,
				    strncmp(one->string, "marking.", 8) ? ": a violation of that can only be told"
									: ": see qos.on_violation");
		/* Nobody is the sender of a packet, to be killed. */
		choice = read_choice(r, key, one, reaction_names,
				     ARRAY_SIZE(reaction_names) - (rule == RULE_SPOOF_SOURCE));
		if (choice < 0)
			return choice;
		r->config->reactions[rule] = (enum warden_reaction)choice;
	}
	return 0;
}

static int read_discover(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const choices[] = {
		[DISCOVER_OFF] = "off", [DISCOVER_KUBELET] = "kubelet", [DISCOVER_ALL] = "all"
	};
	int choice = read_choice(r, name, value, choices, ARRAY_SIZE(choices));

	if (choice < 0)
		return choice;
	r->config->discover = (enum config_discover)choice;
	return 0;
}

static const struct key keys[] = {
	{ "mode", read_mode },
	{ "run_dir", read_run_dir },
	{ "state_dir", read_state_dir },
	{ "bpffs", read_bpffs },
	{ "metrics", read_metrics },
	{ "set_exclusive", read_set_exclusive },
	{ "modprobe_dir", read_modprobe_dir },
	{ "node_policy", read_node_policy },
	{ "node_policy_apply", read_node_policy_apply },
	{ "operator_dir", read_operator_dir },
	{ "umad", read_umad },
	{ "qos", read_qos },
	{ "packets", read_packets },
	{ "pod_cgroups", read_pod_cgroups },
	{ "host_cgroups", read_host_cgroups },
	{ "ipam_timeout", read_ipam_timeout },
	{ "reactions", read_reactions },
	{ "discover", read_discover },
	{ "kubernetes", read_kubernetes },
};

static int line_of(const char *text, const char *at)
{
	int line = 1;

	for (const char *p = text; at && p < at; p++)
		line += *p == '\n';
	return line;
}

int config_parse(const char *text, size_t len, const char *name, struct config *config, struct err *err)
{
	struct config draft = *config;
	struct reader r = { .file = name, .config = &draft, .err = err };
	_cleanup_(json_free) cJSON *json = NULL;
	const char *end = NULL, *nul = json_find_nul(text, len);
	int e;

	if (nul)
		return fail(err, -EINVAL, "%s: holds a NUL, line %d", name, line_of(text, nul));
	json = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	if (!json)
		return fail(err, -EINVAL, "%s: not JSON, line %d", name, line_of(text, end));
	for (; end < text + len; end++)
		if (!strchr(" \t\r\n", *end))
			return fail(err, -EINVAL, "%s: something follows the JSON object", name);
	if (!cJSON_IsObject(json))
		return fail(err, -EINVAL, "%s: must be one JSON object", name);
	e = read_object(&r, "", json, keys, ARRAY_SIZE(keys));
	if (!e)
		*config = draft;
	return e;
}

int config_read(const char *path, struct config *config, struct err *err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (!file)
		return fail(err, -errno, "config %s: %s", path, strerror(errno));
	text = malloc(CONFIG_MAX_BYTES + 1);
	if (!text)
		return fail(err, -ENOMEM, "config %s: out of memory", path);
	len = fread(text, 1, CONFIG_MAX_BYTES + 1, file);
	if (ferror(file))
		return fail(err, -EIO, "config %s: it cannot be read", path);
	if (len > CONFIG_MAX_BYTES)
		return fail(err, -EFBIG, "config %s: larger than %d bytes", path, CONFIG_MAX_BYTES);
	return config_parse(text, len, path, config, err);
}
