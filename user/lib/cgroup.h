/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_CGROUP_H
#define WARDEN_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* Where the cgroup v2 hierarchy of the node is mounted. */
#define CGROUP_ROOT "/sys/fs/cgroup"

struct cgroup_ref {
	uint64_t id; /* as bpf_get_current_cgroup_id() gives it */
	uint32_t level; /* depth below the root of the hierarchy, at least 1 */
};

/*
 * The cgroup v2 at a path, absolute or below the root. -ENOENT: it is gone; -EINVAL: no cgroup, or the root;
 * -EOPNOTSUPP: the node has no cgroup v2 hierarchy at CGROUP_ROOT.
 */
int cgroup_resolve(const char *path, struct cgroup_ref *cgroup, struct err *err);

/*
 * From now on /proc shows this thread, and those it makes, all cgroups' paths from the root on. In a container's cgroup namespace they
 * begin with "/..", and there it needs CAP_SYS_ADMIN. 0 or -errno.
 */
int cgroup_enter_host(struct err *err);

/* The caller's own cgroup v2, as a path below the root ("" is the root itself): 0 or -errno. */
int cgroup_self(char *to, size_t size);

/* The path, below the root, of the cgroup v2 with that id: 0 or -errno (-ESTALE: it is gone). */
int cgroup_path(uint64_t id, char *to, size_t size);

/* There is a cgroup v2 hierarchy, and no cgroup with that id in it. */
bool cgroup_is_gone(uint64_t id);

/* The cgroup v2 with that id, with its level: 0, or -errno as both above. */
int cgroup_by_id(uint64_t id, struct cgroup_ref *cgroup);

#endif
