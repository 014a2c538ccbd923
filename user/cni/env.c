// SPDX-License-Identifier: Apache-2.0
#include "cni/env.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cni/keys.h"
#include "lib/json.h"
#include "lib/util.h"

enum { NEEDS_ID = 1, NEEDS_NETNS = 2, NEEDS_IFNAME = 4, NEEDS_PATH = 8 };

/* As the specification has it; without CNI_PATH there is no IPAM plugin to be found (ipam/exec.c). */
static const struct {
	const char *name;
	unsigned int needs;
} commands[CNI_COMMANDS] = {
	[CNI_ADD] = { "ADD", NEEDS_ID | NEEDS_NETNS | NEEDS_IFNAME },
	[CNI_DEL] = { "DEL", NEEDS_ID | NEEDS_IFNAME },
	[CNI_CHECK] = { "CHECK", NEEDS_ID | NEEDS_NETNS | NEEDS_IFNAME },
	[CNI_GC] = { "GC", NEEDS_PATH },
	[CNI_STATUS] = { "STATUS", 0 },
	[CNI_VERSION] = { "VERSION", 0 },
};

const char *cni_command_name(enum cni_command command)
{
	return commands[command].name;
}

static int read_command(const char *text, enum cni_command *command, struct cni_error *e)
{
	for (size_t i = 0; text && i < CNI_COMMANDS; i++)
		if (!strcmp(text, commands[i].name)) {
			*command = (enum cni_command)i;
			return 0;
		}
	if (!text || !*text)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_COMMAND is not set");
	return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_COMMAND is \"%.32s\", which is no command", text);
}

/* All that are missing in one message. */
static int check_needs(const struct cni_variables *v, enum cni_command command, struct cni_error *e)
{
	const struct {
		const char *name, *value;
		unsigned int need;
	} needs[] = {
		{ "CNI_CONTAINERID", v->container_id, NEEDS_ID },
		{ "CNI_NETNS", v->netns, NEEDS_NETNS },
		{ "CNI_IFNAME", v->ifname, NEEDS_IFNAME },
		{ "CNI_PATH", v->path, NEEDS_PATH },
	};
	char missing[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		size_t len = strlen(missing);

		if ((commands[command].needs & needs[i].need) && (!needs[i].value || !*needs[i].value))
			snprintf(missing + len, sizeof(missing) - len, "%s%s", len ? ", " : "", needs[i].name);
	}
	if (missing[0])
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "%s needs what is not set: %s", commands[command].name,
				missing);
	return 0;
}

static int copy(const char *name, const char *value, char *to, size_t size, struct cni_error *e)
{
	if (value && (!json_is_utf8(value, strlen(value)) || try_snprintf(to, size, "%s", value)))
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "%s is longer than %zu bytes, or not UTF-8", name,
				size - 1);
	return 0;
}

/* A relative folder would be one below wherever the daemon stands. */
static int check_path(const char *path, struct cni_error *e)
{
	for (const char *p = path; p; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL)
		if (*p && *p != ':' && *p != '/')
			return cni_fail(e, CNI_INVALID_ENVIRONMENT,
					"CNI_PATH must hold absolute folders, not \"%.128s\"", p);
	return 0;
}

/* ---- CNI_ARGS ---- */

struct arg {
	const char *name;
	size_t offset, size; /* size 0: not for us, an IPAM plugin's */
};

#define ARG(name, field)                                                                      \
	{                                                                                     \
		name, offsetof(struct cni_args, field), sizeof(((struct cni_args *)0)->field) \
	}

static const struct arg known_args[] = {
	ARG("K8S_POD_NAMESPACE", pod_namespace),
	ARG("K8S_POD_NAME", pod_name),
	ARG("K8S_POD_UID", pod_uid),
	ARG("K8S_POD_INFRA_CONTAINER_ID", sandbox_id),
	ARG("MAC", mac),
	{ "IP", 0, 0 },
	{ "GATEWAY", 0, 0 },
	{ "IgnoreUnknown", 0, 0 },
};

static const struct arg *find_arg(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_args); i++)
		if (!strcmp(known_args[i].name, name))
			return &known_args[i];
	return NULL;
}

static int read_arg(struct cni_args *args, const struct arg *arg, const char *value, struct cni_error *e)
{
	char *to = (char *)args + arg->offset;

	if (!arg->size || !*value)
		return 0;
	if (*to)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_ARGS: %s stands twice", arg->name);
	if (to == args->mac)
		return cni_mac(value, args->mac) ? cni_fail(e, CNI_INVALID_ENVIRONMENT,
							    "CNI_ARGS: MAC=%.32s is no unicast MAC address", value)
						 : 0;
	if (!cni_is_name(value, arg->size - 1))
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_ARGS: %s=%.64s is not of letters, digits, _ . -",
				arg->name, value);
	memcpy(to, value, strlen(value) + 1);
	return 0;
}

/* A value as Go's ParseBool takes it: 1 or 0, else -EINVAL. */
static int parse_bool(const char *text)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcmp(text, yes[i]))
			return 1;
		if (!strcmp(text, no[i]))
			return 0;
	}
	return -EINVAL;
}

struct args_reader {
	struct cni_args *args;
	bool ignore_unknown;
	char unknown[64]; /* the first one */
	struct cni_error *e;
};

static int read_pair(struct args_reader *r, char *pair)
{
	char *value = strchr(pair, '=');
	const struct arg *arg;
	int yes;

	if (!value)
		return cni_fail(r->e, CNI_INVALID_ENVIRONMENT, "CNI_ARGS: \"%.64s\" is not NAME=VALUE", pair);
	*value++ = '\0';
	arg = find_arg(pair);
	if (!arg && !r->unknown[0])
		snprintf(r->unknown, sizeof(r->unknown), "%s", *pair ? pair : "(an empty name)");
	if (!arg)
		return 0;
	if (strcmp(arg->name, "IgnoreUnknown"))
		return read_arg(r->args, arg, value, r->e);
	yes = parse_bool(value);
	if (yes < 0)
		return cni_fail(r->e, CNI_INVALID_ENVIRONMENT,
				"CNI_ARGS: IgnoreUnknown=%.32s is neither true nor false", value);
	r->ignore_unknown = yes;
	return 0;
}

int cni_args_read(const char *text, struct cni_args *args, struct cni_error *e)
{
	struct args_reader r = { .args = args, .e = e };
	_cleanup_free_ char *text_copy = strdup(text);
	char *rest = text_copy, *pair;
	int error;

	if (!text_copy)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	while ((pair = strsep(&rest, ";"))) {
		error = *pair ? read_pair(&r, pair) : 0;
		if (error)
			return error;
	}
	if (r.unknown[0] && !r.ignore_unknown)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT,
				"CNI_ARGS: unknown \"%s\", and IgnoreUnknown=1 does not stand beside it", r.unknown);
	return 0;
}

/* ---- all ---- */

static int copy_all(const struct cni_variables *v, struct cni_env *env, struct cni_error *e)
{
	int r = copy("CNI_CONTAINERID", v->container_id, env->container_id, sizeof(env->container_id), e);

	if (!r)
		r = copy("CNI_NETNS", v->netns, env->netns, sizeof(env->netns), e);
	if (!r)
		r = copy("CNI_IFNAME", v->ifname, env->ifname, sizeof(env->ifname), e);
	if (!r)
		r = copy("CNI_PATH", v->path, env->path, sizeof(env->path), e);
	if (!r)
		r = copy("CNI_ARGS", v->args, env->raw_args, sizeof(env->raw_args), e);
	return r;
}

int cni_env_read(const struct cni_variables *v, struct cni_env *env, struct cni_error *e)
{
	int r;

	*env = (struct cni_env){};
	r = read_command(v->command, &env->command, e);
	if (!r)
		r = check_needs(v, env->command, e);
	if (!r)
		r = copy_all(v, env, e);
	if (r)
		return r;
	if (env->container_id[0] && !cni_is_name(env->container_id, CNI_ID_LEN - 1))
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_CONTAINERID is not of letters, digits, _ . -");
	if (env->ifname[0] && !cni_is_ifname(env->ifname))
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_IFNAME is no name of an interface");
	if (env->netns[0] && env->netns[0] != '/')
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_NETNS must be an absolute path");
	r = check_path(env->path, e);
	return r ? r : cni_args_read(env->raw_args, &env->args, e);
}
