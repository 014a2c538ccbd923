/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as the BPF programs have it. */
#ifndef WARDEN_SETTINGS_H
#define WARDEN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct config;

struct settings_source {
	const struct config *config;
	bool kernel_copy_audited; /* as struct warden_settings has them */
	uint32_t judged_twice;
};

/*
 * Writes them, with what this process and the node are now, into the map `settings`: 0 or -errno. A cgroup that does not exist yet has
 * no processes; who makes it known calls this again.
 */
int settings_write(const struct settings_source *source, int map, struct err *err);

#endif
