/* SPDX-License-Identifier: Apache-2.0 */
/* Which mechanism really refuses on the running kernel. */
#ifndef WARDEN_PROBE_H
#define WARDEN_PROBE_H

#include <bpf/btf.h>
#include <stdbool.h>
#include <stddef.h>

#include "loader/loader.h"

/*
 * Attaches a program that refuses every open to this process alone, opens /dev/null, and takes it away again. That a
 * program loads and attaches proves nothing: LSM programs do both where bpf is not in the kernel's lsm= list, and
 * are never called. GUARD_KILL is tried by attaching alone. False: `reason` says why not.
 */
bool probe_mechanism(enum guard_mechanism mechanism, const struct btf *vmlinux, char *reason, size_t size);

#endif
