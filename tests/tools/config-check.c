// SPDX-License-Identifier: Apache-2.0
/* What wardend says of configurations: one a line on standard input; of each a line, "ok" or what is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int main(void)
{
	static struct config config; /* large */
	char *line = NULL;
	size_t size = 0;
	struct err err;

	for (ssize_t len; (len = getline(&line, &size, stdin)) >= 0;) {
		config_defaults(&config);
		puts(config_parse(line, (size_t)len, "config", &config, &err) ? err.text : "ok");
	}
	free(line);
	return fflush(stdout) || ferror(stdin) ? EXIT_FAILURE : EXIT_SUCCESS;
}
