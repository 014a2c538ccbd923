/* SPDX-License-Identifier: Apache-2.0 */
/* Which mechanism refuses on this kernel, found by being refused. */
#ifndef WARDEN_PROBE_H
#define WARDEN_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether programs of that kind, "lsm" or "fmod_ret", refuse an open. If not, `reason` says why. */
bool probe_refuses(const char *kind, char *reason, size_t size);

#endif
