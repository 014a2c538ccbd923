/* SPDX-License-Identifier: Apache-2.0 */
/* Versions as semver.org has them: 1.2.3, 1.2.3-rc.1; what follows a + makes no difference. */
#ifndef WARDEN_SEMVER_H
#define WARDEN_SEMVER_H

#include <stdbool.h>

#define SEMVER_MAX 64 /* with its NUL */

bool semver_valid(const char *text);

/* Of two valid ones: below, equal to or above 0 as `a` is older, the same or newer. */
int semver_compare(const char *a, const char *b);

#endif
