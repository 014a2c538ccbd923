/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RDMA cgroup controller (rdma.max), for nodes where nothing can refuse what comes after the open of a device: a
 * cgroup beside the owner's gets no context and no object on his device, whatever descriptor a process of it has.
 */
#ifndef WARDEN_LIMITS_H
#define WARDEN_LIMITS_H

/*
 * Closes the RDMA device of that name to every cgroup v2 that is not on the way from the root to the owner's (a path
 * below the root) or below it. To be called again when there may be new ones. How many were closed now, or -errno
 * (-EOPNOTSUPP: the node has no rdma controller in cgroup v2).
 */
int limits_set(const char *device, const char *owner_cgroup);

/* Opens it to all again. */
void limits_lift(const char *device);

#endif
