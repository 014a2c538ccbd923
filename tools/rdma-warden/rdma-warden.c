// SPDX-License-Identifier: Apache-2.0
/*
 * The CNI plugin: hands the call to wardend, which does all of it, and prints what wardend answers. Installed under the
 * names of sriov-cni and rdma-cni (sriov, rdma) too, it takes their place: which one it is, is the configuration's "type".
 * With arguments it is its own installer. It is linked statically, and so runs on any host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni/env.h"
#include "cni/netconf.h"
#include "control/connect.h"
#include "lib/json_text.h"
#include "lib/util.h"
#include "lib/version.h"
#include "rdma-warden/install.h"

#define SOCKET_VARIABLE "RDMA_WARDEN_SOCKET" /* where another one than that is to be asked */

static int print_error(enum cni_version version, const struct cni_error *e)
{
	_cleanup_free_ char *text = cni_error_print(version, e);

	puts(text ? text : "{\"cniVersion\":\"1.0.0\",\"code\":100,\"msg\":\"out of memory\"}");
	return EXIT_FAILURE;
}

/* All of stdin: 0, or -errno after the error is filled in. */
static int read_config(char **text, struct cni_error *e)
{
	_cleanup_free_ char *bytes = malloc(NETCONF_MAX_BYTES + 2);
	size_t len;

	if (!bytes)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	len = fread(bytes, 1, NETCONF_MAX_BYTES + 1, stdin);
	if (ferror(stdin))
		return cni_fail(e, CNI_IO, "the configuration cannot be read from stdin");
	if (len > NETCONF_MAX_BYTES)
		return cni_fail(e, CNI_DECODE, "the configuration is larger than %d bytes", NETCONF_MAX_BYTES);
	if (memchr(bytes, '\0', len))
		return cni_fail(e, CNI_DECODE, "the configuration holds a NUL");
	if (!json_is_utf8(bytes, len))
		return cni_fail(e, CNI_DECODE, "the configuration is not UTF-8");
	bytes[len] = '\0';
	*text = take_ptr(bytes);
	return 0;
}

/* The version to answer in: the configuration's, if there is one. */
static enum cni_version version_of(const char *config)
{
	const char *value = json_find(config, "cniVersion");
	_cleanup_free_ char *name = value ? json_string(value) : NULL;
	enum cni_version version;

	return name && !cni_version_find(name, &version) ? version : CNI_1_1_0;
}

static void add(FILE *to, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(to, ",\"%s\":", name);
	json_quote(to, value);
}

/* A line, to be freed; NULL without memory. */
static char *to_request(const struct cni_variables *v, const char *config)
{
	char *line = NULL;
	size_t len;
	FILE *to = open_memstream(&line, &len);

	if (!to)
		return NULL;
	fputs("{\"request\":\"cni\"", to);
	add(to, "command", v->command);
	add(to, "container_id", v->container_id);
	add(to, "netns", v->netns);
	add(to, "ifname", v->ifname);
	add(to, "args", v->args);
	add(to, "path", v->path);
	fputs(",\"config\":", to);
	json_quote(to, config);
	fputs("}\n", to);
	return json_stream_end(to, &line);
}

static bool is_true(const char *object, const char *name)
{
	const char *value = json_find(object, name);

	return value && !strncmp(value, "true", 4);
}

/* What wardend answers, to stdout: the plugin's exit status, or -errno where it has not answered the call. */
static int read_answer(FILE *in, struct err *err)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int status = fail(err, -EPIPE, "the daemon closed the connection before the end of its answer");

	while (getline(&line, &room, in) > 0) {
		const char *output = json_find(line, "output"), *error = json_find(line, "error");
		_cleanup_free_ char *text = output ? json_string(output) : error ? json_string(error) : NULL;

		if (output && text && status < 0) {
			if (*text)
				puts(text);
			status = is_true(line, "success") ? EXIT_SUCCESS : EXIT_FAILURE;
		}
		if (json_find(line, "ok"))
			return status < 0 ? fail(err, -EPROTO, "%s", text ? text : "refused without a reason") : status;
	}
	return status;
}

static int exchange(const char *request, struct err *err)
{
	const char *path = getenv(SOCKET_VARIABLE);
	_cleanup_close_ int fd = client_connect(path && *path ? path : CONTROL_SOCKET, 0, err);
	_cleanup_fclose_ FILE *in = NULL;
	int r;

	if (fd < 0)
		return fd;
	r = client_send(fd, request, strlen(request));
	if (r)
		return fail(err, r, "the request cannot be sent: %s", strerror(-r));
	in = fdopen(fd, "r");
	if (!in)
		return fail(err, -errno, "%s", strerror(errno));
	(void)take_fd(&fd);
	return read_answer(in, err);
}

/* A wardend that starts, or is replaced, is there again soon. */
static int ask(const struct cni_variables *v, const char *config)
{
	_cleanup_free_ char *request = to_request(v, config);
	struct cni_error e = {};
	struct err err;
	int status = request ? exchange(request, &err) : fail(&err, -ENOMEM, "out of memory");

	if (status >= 0)
		return status;
	cni_fail(&e, strcmp(v->command, "STATUS") ? CNI_TRY_AGAIN : CNI_NOT_AVAILABLE, "wardend: %s", err.text);
	return print_error(version_of(config), &e);
}

/* The version of the question stands in the answer, also one that is not supported: that is what is asked for. */
static int print_versions(const char *config)
{
	const char *value = json_find(config, "cniVersion");
	_cleanup_free_ char *asked = value ? json_string(value) : NULL;
	_cleanup_free_ char *text = cni_version_print(asked ? asked : cni_version_name(CNI_1_1_0));

	return text && puts(text) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int plugin(void)
{
	struct cni_variables variables;
	_cleanup_free_ char *config = NULL;
	struct cni_error e = {};

	cni_variables_get(&variables);
	if (!variables.command || !*variables.command) {
		fputs("rdma-warden: a CNI plugin, called by a container runtime (CNI_COMMAND is not set); it needs "
		      "wardend\n",
		      stderr);
		return EXIT_FAILURE;
	}
	if (read_config(&config, &e))
		return print_error(CNI_1_1_0, &e);
	if (!strcmp(variables.command, "VERSION"))
		return print_versions(config);
	return ask(&variables, config);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return plugin();
	if (version_asked("rdma-warden", argc, argv))
		return EXIT_SUCCESS;
	return install_command(argc, argv);
}
