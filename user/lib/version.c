// SPDX-License-Identifier: Apache-2.0
#include "lib/version.h"

#include <stdio.h>
#include <string.h>

const char warden_version[] = WARDEN_VERSION;

bool version_asked(const char *program, int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "--version"))
		return false;
	printf("%s %s\n", program, warden_version);
	return true;
}
