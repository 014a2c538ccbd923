// SPDX-License-Identifier: Apache-2.0
/* The installer's command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rdma-warden/install.h"

#define DEFAULT_NAME "rdma-warden"

static int usage(FILE *to)
{
	fputs("usage: rdma-warden\n"
	      "         the CNI plugin: called by a container runtime, with CNI_COMMAND in its environment\n"
	      "       rdma-warden install --to FOLDER [--as NAME]… [--downgrade]\n"
	      "         copies itself there under each NAME (" DEFAULT_NAME "; as sriov and rdma it takes the place\n"
	      "         of those). A file of others is kept as NAME.before-rdma-warden, a newer copy of its own is\n"
	      "         replaced with --downgrade only\n"
	      "       rdma-warden uninstall --from FOLDER [--as NAME]…\n"
	      "         removes its copies, all without --as, and puts back what it has kept\n"
	      "       rdma-warden --version\n",
	      to);
	return to == stdout ? EXIT_SUCCESS : 2;
}

int install_command(int argc, char **argv)
{
	static const struct option install_options[] = {
		{ "to", required_argument, NULL, 'f' },
		{ "as", required_argument, NULL, 'a' },
		{ "downgrade", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct option remove_options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "as", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	bool remove = !strcmp(argv[1], "uninstall");
	struct install install = {};
	size_t count = 0;
	struct err err;
	int c;

	if (!strcmp(argv[1], "--help"))
		return usage(stdout);
	if (!remove && strcmp(argv[1], "install"))
		return usage(stderr);
	optind = 2;
	while ((c = getopt_long(argc, argv, "", remove ? remove_options : install_options, NULL)) != -1) {
		if (c == 'f')
			install.folder = optarg;
		else if (c == 'd')
			install.downgrade = true;
		else if (c == 'a' && count < INSTALL_NAMES_MAX)
			install.names[count++] = optarg;
		else
			return usage(stderr);
	}
	if (!install.folder || optind < argc)
		return usage(stderr);
	if (!remove && !count)
		install.names[0] = DEFAULT_NAME;
	if (!(remove ? install_remove(&install, &err) : install_copies(&install, &err)))
		return EXIT_SUCCESS;
	fprintf(stderr, "rdma-warden: %s\n", err.text);
	return EXIT_FAILURE;
}
