/* SPDX-License-Identifier: Apache-2.0 */
/* wardend's command line. */
#ifndef WARDEN_ARGUMENTS_H
#define WARDEN_ARGUMENTS_H

#include <stdbool.h>

#include "loader/loader.h"

struct arguments {
	const char *config; /* or NULL */
	enum guard_mechanism guard;
	bool check, unload, stay, drain, debug;
};

/* 0, or the exit status plus one, when all has been said: help was asked for, or an argument is wrong. */
int arguments_parse(int argc, char **argv, struct arguments *args);

#endif
