/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark by which the installer knows a copy of this plugin, of any version and under any name: an ELF note that holds the
 * version.
 */
#ifndef WARDEN_NOTE_H
#define WARDEN_NOTE_H

#include "rdma-warden/semver.h"

#define NOTE_NAME "rdma-warden"
#define NOTE_TYPE 1 /* the version, with its NUL */

/*
 * The version of the copy that this descriptor of a regular file reads: 0, -ENOENT for a file that is none, whatever is in
 * it, or -errno where it cannot be read.
 */
int note_read(int fd, char version[SEMVER_MAX]);

#endif
