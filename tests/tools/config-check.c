// SPDX-License-Identifier: Apache-2.0
/*
 * What wardend says of configurations, or with the argument "cni" of networks that are to be attached: one a line on standard input;
 * of each a line, "ok" or what is wrong with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/netconf.h"
#include "config/config.h"
#include "ipam/spiderpool.h"

static void check_config(const char *text, size_t len)
{
	static struct config config; /* large */
	struct err err;

	config_defaults(&config);
	puts(config_parse(text, len, "config", &config, &err) ? err.text : "ok");
}

static void check_network(const char *text, size_t len)
{
	static const struct cni_env env = {
		.command = CNI_ADD, .container_id = "c", .netns = "/n", .ifname = "net1", .path = "/p"
	};
	struct spiderpool_config spiderpool;
	struct cni_error e = {};
	struct netconf conf;
	int r = netconf_read(text, len, &env, &conf, &e);

	if (!r && !strcmp(conf.ipam_type, "spiderpool"))
		r = spiderpool_config(&conf, &spiderpool, &e);
	puts(r ? e.msg : "ok");
	netconf_free(&conf);
}

int main(int argc, char **argv)
{
	void (*check)(const char *text, size_t len) = check_config;
	char *line = NULL;
	size_t size = 0;

	if (argc == 2 && !strcmp(argv[1], "cni"))
		check = check_network;
	for (ssize_t len; (len = getline(&line, &size, stdin)) >= 0;)
		check(line, (size_t)len);
	free(line);
	return fflush(stdout) || ferror(stdin) ? EXIT_FAILURE : EXIT_SUCCESS;
}
