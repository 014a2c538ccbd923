// SPDX-License-Identifier: Apache-2.0
/*
 * The CNI plugin: hands the call to wardend, which does all of it, and prints what wardend answers. Installed under the
 * names of sriov-cni and rdma-cni (sriov, rdma) too, it takes their place: which one it is, is the configuration's "type".
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni/env.h"
#include "cni/netconf.h"
#include "control/client.h"
#include "lib/json.h"
#include "lib/util.h"

#define SOCKET_VARIABLE "RDMA_WARDEN_SOCKET" /* where another one than that is to be asked */

static int print_error(enum cni_version version, const struct cni_error *e)
{
	_cleanup_free_ char *text = cni_error_print(version, e);

	puts(text ? text : "{\"cniVersion\":\"1.0.0\",\"code\":100,\"msg\":\"out of memory\"}");
	return EXIT_FAILURE;
}

/* All of stdin: 0, or -errno after the error is filled in. */
static int read_config(char **text, size_t *len, struct cni_error *e)
{
	_cleanup_free_ char *bytes = malloc(NETCONF_MAX_BYTES + 2);

	if (!bytes)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	*len = fread(bytes, 1, NETCONF_MAX_BYTES + 1, stdin);
	if (ferror(stdin))
		return cni_fail(e, CNI_IO, "the configuration cannot be read from stdin");
	if (*len > NETCONF_MAX_BYTES)
		return cni_fail(e, CNI_DECODE, "the configuration is larger than %d bytes", NETCONF_MAX_BYTES);
	if (memchr(bytes, '\0', *len))
		return cni_fail(e, CNI_DECODE, "the configuration holds a NUL");
	if (!json_is_utf8(bytes, *len))
		return cni_fail(e, CNI_DECODE, "the configuration is not UTF-8");
	bytes[*len] = '\0';
	*text = take_ptr(bytes);
	return 0;
}

/* The version to answer in: the configuration's, if there is one. */
static enum cni_version version_of(const char *text, size_t len)
{
	_cleanup_(json_free) cJSON *json = cJSON_ParseWithLength(text, len);
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "cniVersion");
	enum cni_version version;

	return cJSON_IsString(name) && !cni_version_find(name->valuestring, &version) ? version : CNI_1_1_0;
}

static void add(cJSON *request, const char *name, const char *value)
{
	if (value && *value)
		cJSON_AddStringToObject(request, name, value);
}

static cJSON *to_request(const struct cni_variables *v, const char *config)
{
	cJSON *request = cJSON_CreateObject();

	cJSON_AddStringToObject(request, "request", "cni");
	add(request, "command", v->command);
	add(request, "container_id", v->container_id);
	add(request, "netns", v->netns);
	add(request, "ifname", v->ifname);
	add(request, "args", v->args);
	add(request, "path", v->path);
	cJSON_AddStringToObject(request, "config", config);
	return request;
}

struct answer {
	bool given, failed;
};

static void print_answer(const cJSON *item, void *ctx)
{
	const cJSON *output = cJSON_GetObjectItemCaseSensitive(item, "output");
	struct answer *a = ctx;

	if (a->given || !cJSON_IsString(output))
		return;
	a->given = true;
	a->failed = !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "success"));
	if (output->valuestring[0])
		puts(output->valuestring);
}

/* A wardend that starts, or is replaced, is there again soon. */
static int ask(const struct cni_variables *v, const char *config, size_t len)
{
	const char *socket = getenv(SOCKET_VARIABLE);
	bool status = v->command && !strcmp(v->command, "STATUS");
	struct answer answer = {};
	struct cni_error e = {};
	struct err err;

	if (client_request(socket && *socket ? socket : CONTROL_SOCKET, to_request(v, config), print_answer, &answer,
			   &err) &&
	    !answer.given) {
		cni_fail(&e, status ? CNI_NOT_AVAILABLE : CNI_TRY_AGAIN, "wardend: %s", err.text);
		return print_error(version_of(config, len), &e);
	}
	return answer.given && !answer.failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The version of the question stands in the answer, also one that is not supported: that is what is asked for. */
static int print_versions(const char *config, size_t len)
{
	_cleanup_(json_free) cJSON *json = cJSON_ParseWithLength(config, len);
	const cJSON *asked = cJSON_GetObjectItemCaseSensitive(json, "cniVersion");
	_cleanup_free_ char *text =
		cni_version_print(cJSON_IsString(asked) ? asked->valuestring : cni_version_name(CNI_1_1_0));

	return text && puts(text) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(void)
{
	struct cni_variables variables;
	_cleanup_free_ char *config = NULL;
	struct cni_error e = {};
	size_t len = 0;

	cni_variables_get(&variables);
	if (!variables.command || !*variables.command) {
		fputs("rdma-warden: a CNI plugin, called by a container runtime (CNI_COMMAND is not set); it needs "
		      "wardend\n",
		      stderr);
		return EXIT_FAILURE;
	}
	if (read_config(&config, &len, &e))
		return print_error(CNI_1_1_0, &e);
	if (!strcmp(variables.command, "VERSION"))
		return print_versions(config, len);
	return ask(&variables, config, len);
}
