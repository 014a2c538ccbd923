// SPDX-License-Identifier: Apache-2.0
#include "config/kubernetes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kube/checkpoint.h"
#include "kube/podresources.h"
#include "lib/names.h"
#include "lib/util.h"

#define DEVINFO_DIR "/var/run/k8s.cni.cncf.io/devinfo"

void kubernetes_defaults(struct config_kubernetes *k)
{
	*k = (struct config_kubernetes){
		.api = CONFIG_API_AUTO,
		.podresources = PODRESOURCES_SOCKET,
		.checkpoint = CHECKPOINT_PATH,
		.devinfo = DEVINFO_DIR,
	};
}

static int read_api(struct reader *r, const char *name, const cJSON *value)
{
	struct config_kubernetes *k = &r->config->kubernetes;
	const char *text = cJSON_IsString(value) ? value->valuestring : "";

	k->api = !strcmp(text, "auto") ? CONFIG_API_AUTO : !strcmp(text, "off") ? CONFIG_API_OFF : CONFIG_API_AT;
	if (k->api != CONFIG_API_AT)
		return 0;
	if (strncmp(text, "https://", 8) || !text[8] || strpbrk(text, " @?#\"") ||
	    try_snprintf(k->server, sizeof(k->server), "%s", text))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be \"auto\", \"off\" or \"https://HOST:PORT\"", r->file,
			    name);
	return 0;
}

/* A path, or "": this source is not asked. */
static int read_source(struct reader *r, const char *name, const cJSON *value, char *to)
{
	if (!cJSON_IsString(value) || value->valuestring[0])
		return read_path(r, name, value, to);
	to[0] = '\0';
	return 0;
}

static int read_token(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->kubernetes.token);
}

static int read_ca(struct reader *r, const char *name, const cJSON *value)
{
	return read_path(r, name, value, r->config->kubernetes.ca);
}

static int read_node(struct reader *r, const char *name, const cJSON *value)
{
	const char *node = cJSON_IsString(value) ? value->valuestring : "";

	if (!name_valid(node, strlen(node), NAME_SUBDOMAIN_MAX))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be the name of a node", r->file, name);
	snprintf(r->config->kubernetes.node, sizeof(r->config->kubernetes.node), "%s", node);
	return 0;
}

static int read_podresources(struct reader *r, const char *name, const cJSON *value)
{
	return read_source(r, name, value, r->config->kubernetes.podresources);
}

static int read_checkpoint(struct reader *r, const char *name, const cJSON *value)
{
	return read_source(r, name, value, r->config->kubernetes.checkpoint);
}

static int read_devinfo(struct reader *r, const char *name, const cJSON *value)
{
	return read_source(r, name, value, r->config->kubernetes.devinfo);
}

static const struct key kubernetes_keys[] = {
	{ "api", read_api },
	{ "token", read_token },
	{ "ca", read_ca },
	{ "node", read_node },
	{ "podresources", read_podresources },
	{ "checkpoint", read_checkpoint },
	{ "devinfo", read_devinfo },
};

int read_kubernetes(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsObject(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object", r->file, name);
	return read_object(r, name, value, kubernetes_keys, ARRAY_SIZE(kubernetes_keys));
}

void config_node_name(const struct config *config, char *to, size_t size)
{
	const char *env = getenv("NODE_NAME");

	if (config->kubernetes.node[0] || env)
		snprintf(to, size, "%s", config->kubernetes.node[0] ? config->kubernetes.node : env);
	else if (gethostname(to, size))
		to[0] = '\0';
}
