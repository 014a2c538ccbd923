// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID 1
#define WRONG 3

static void usage(FILE *to)
{
	fputs("usage: wardend [--config FILE] [--guard KIND] [--check | --drain | --unload [--stay]] [--debug] | "
	      "--version\n"
	      "  --config FILE  configuration (JSON); without it the defaults hold: mode audit\n"
	      "  --guard KIND   mechanism of the guard: lsm, fmod_ret, device-cgroup, kill; auto takes the first that "
	      "works\n"
	      "  --check        load everything, print the capabilities, leave nothing behind\n"
	      "  --drain        attach nothing more for the CNI plugin, and end when nothing has been for 90 s\n"
	      "  --unload       remove the pinned programs and maps: the rule ends, the claims too\n"
	      "  --stay         after that, wait for SIGTERM: for a DaemonSet, which would start it again\n"
	      "  --debug        more log, the verifier's included\n",
	      to);
}

static int parse_guard(const char *text, enum guard_mechanism *guard)
{
	for (enum guard_mechanism m = GUARD_AUTO; m <= GUARD_KILL; m++) {
		if (strcmp(loader_mechanism_name(m), text))
			continue;
		*guard = m;
		return 0;
	}
	return -EINVAL;
}

int arguments_parse(int argc, char **argv, struct arguments *args)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "guard", required_argument, NULL, 'g' },
		{ "check", no_argument, NULL, 'k' },
		{ "unload", no_argument, NULL, 'u' },
		{ "drain", no_argument, NULL, 'n' },
		{ "stay", no_argument, NULL, 's' },
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'c')
			args->config = optarg;
		else if (c == 'k')
			args->check = true;
		else if (c == 'u')
			args->unload = true;
		else if (c == 'n')
			args->drain = true;
		else if (c == 's')
			args->stay = true;
		else if (c == 'd')
			args->debug = true;
		else if (c == 'h')
			return usage(stdout), SAID;
		else if (c != 'g' || parse_guard(optarg, &args->guard))
			return usage(stderr), WRONG;
	}
	if (optind == argc && args->check + args->drain + args->unload <= 1 && (args->unload || !args->stay))
		return 0;
	usage(stderr);
	return WRONG;
}
