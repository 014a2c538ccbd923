/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The netns mode in which ib_core starts at the next boot: its module option netns_mode, as modprobe finds it in the files of
 * modprobe.d (in the order of their names, the last one counts) and on the kernel's command line (which counts most).
 */
#ifndef WARDEN_RDMA_BOOT_H
#define WARDEN_RDMA_BOOT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define RDMA_BOOT_FILE "rdma-warden.conf"

enum rdma_boot_mode { RDMA_BOOT_UNSET /* the kernel's default: shared */, RDMA_BOOT_SHARED, RDMA_BOOT_EXCLUSIVE };

struct rdma_boot {
	enum rdma_boot_mode mode;
	char by[PATH_MAX]; /* what decides it: a file, or "the kernel command line"; "": nothing does */
	char against[PATH_MAX]; /* the first that says shared, or "" */
};

/* What one file of modprobe.d says. */
enum rdma_boot_mode rdma_boot_parse(const char *text, size_t len);

/*
 * `dir` is modprobe.d in /etc, or a copy of it; where its path ends in "/etc/modprobe.d", modprobe's other folders
 * (/run, /usr/lib, …) are read beside it. `cmdline` is the file of the command line. 0 or -errno.
 */
int rdma_boot_read(const char *dir, const char *cmdline, struct rdma_boot *boot, struct err *err);

/*
 * Makes it exclusive, by a file of the warden's own: only where nothing says so already, and nothing says the contrary,
 * which is an error (-EEXIST) that names who does. 1 when the file was written, 0 when it need not be, or -errno; `boot`
 * is what holds then.
 */
int rdma_boot_install(const char *dir, const char *cmdline, struct rdma_boot *boot, struct err *err);

#endif
