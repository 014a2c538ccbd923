/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_CGROUP_H
#define WARDEN_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Where the cgroup v2 hierarchy of the node is mounted. */
#define CGROUP_ROOT "/sys/fs/cgroup"

/* The path, below the root, of the cgroup v2 with that id: 0 or -errno (-ESTALE: it is gone). */
int cgroup_path(uint64_t id, char *to, size_t size);

#endif
