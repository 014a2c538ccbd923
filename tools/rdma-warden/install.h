/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts this program into a host's folder of CNI plugins, and takes it away again. Whenever it is interrupted, each name there
 * has what it had, or what it is to have, and never a part of it.
 */
#ifndef WARDEN_INSTALL_H
#define WARDEN_INSTALL_H

#include <stdbool.h>

#include "lib/err.h"

#define INSTALL_NAMES_MAX 16

struct install {
	const char *folder;
	const char *names[INSTALL_NAMES_MAX + 1]; /* NULL behind the last */
	bool downgrade; /* a newer copy may be replaced */
};

/*
 * Under each name. A file of somebody else's is kept as NAME.before-rdma-warden, where it takes the place of one that was
 * kept before. Nothing is changed where one of the names is refused: 0 or -errno.
 */
int install_copies(const struct install *install, struct err *err);

/* Removes copies, and puts back what was kept for them: under each name or, where none is given, all in the folder. */
int install_remove(const struct install *install, struct err *err);

/* The command line: the exit status. */
int install_command(int argc, char **argv);

#endif
