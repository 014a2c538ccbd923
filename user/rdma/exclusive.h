/* SPDX-License-Identifier: Apache-2.0 */
/* The netns mode of the RDMA subsystem, now and at the next boot, and how it is made exclusive. Never reboots anything. */
#ifndef WARDEN_EXCLUSIVE_H
#define WARDEN_EXCLUSIVE_H

#include <stdbool.h>

#include "lib/err.h"
#include "rdma/boot.h"

enum exclusive_now { EXCLUSIVE_UNKNOWN /* ib_core is not loaded, or does not say */, EXCLUSIVE_NO, EXCLUSIVE_YES };

struct exclusive {
	bool wanted; /* set_exclusive */
	const char *modprobe_dir;
	enum exclusive_now now;
	struct rdma_boot boot;
	char problem[sizeof(((struct err *)0)->text)]; /* what stands against what is wanted, now */
	char boot_problem[sizeof(((struct err *)0)->text)]; /* … and at the next boot */
};

/* Reads what the next boot will have, and, where wanted, makes it exclusive. 0, or -errno and `boot_problem` is set. */
int exclusive_next_boot(struct exclusive *x, struct err *err);

/* Reads the mode of now and, where wanted, switches. 0, or -errno: -EBUSY names the netns that the kernel minds. */
int exclusive_settle(struct exclusive *x, struct err *err);

/* "at the next boot: exclusive, by FILE", and what is the matter. */
void exclusive_text(const struct exclusive *x, char *to, size_t size);

#endif
