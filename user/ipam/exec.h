/* SPDX-License-Identifier: Apache-2.0 */
/* IPAM by the CNI specification's delegation: a plugin is run, in a process group of its own. See ipam.h. */
#ifndef WARDEN_IPAM_EXEC_H
#define WARDEN_IPAM_EXEC_H

#include "ipam/ipam.h"

int exec_add(const struct ipam_call *call, struct cni_result *result, struct cni_error *e);
int exec_del(const struct ipam_call *call, struct cni_error *e);
int exec_check(const struct ipam_call *call, struct cni_error *e);
int exec_gc(const struct ipam_call *call, const struct netconf_attachment *valid, size_t count, struct cni_error *e);
int exec_status(const struct ipam_call *call, struct cni_error *e);

#endif
