/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The claims on disk, for a wardend whose maps have another layout, or whose pins were all taken away. Written whole
 * at each change (a new file, fsync, rename): it is always one state or the other. Netns cookies and cgroup ids
 * begin anew with each boot, so what another boot wrote is void.
 */
#ifndef WARDEN_JOURNAL_H
#define WARDEN_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "warden.h"

/* A claim, and its device by what outlives an ib_device: the PCI function and the node GUID. */
struct known_claim {
	uint32_t index; /* WARDEN_NO_INDEX: the device has gone and may come back */
	__u64 node_guid;
	char parent[WARDEN_PARENT_LEN];
	struct warden_claim claim;
};

/* 0 or -errno; the file before stays on an error. */
int journal_write(const char *dir, const struct known_claim *claims, size_t count, struct err *err);

/*
 * Up to `max` claims: how many, or -errno (-EINVAL: the file is damaged, and nothing of it is taken). 0 when there is
 * no file, or one of another boot.
 */
long journal_read(const char *dir, struct known_claim *claims, size_t max, struct err *err);

/* Ends the claims: 0, also when there is no file, or -errno. */
int journal_remove(const char *dir, struct err *err);

#endif
