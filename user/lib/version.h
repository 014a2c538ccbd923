/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_VERSION_H
#define WARDEN_VERSION_H

#include <stdbool.h>

/* As the Makefile has it (VERSION). Not a macro, so that another version needs one object to be compiled anew. */
extern const char warden_version[];

/* Is --version all that a program is asked for? Then it is answered: "PROGRAM 0.1.0". */
bool version_asked(const char *program, int argc, char **argv);

#endif
