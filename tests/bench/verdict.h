/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The context of the programs that time the verdict. */
#ifndef WARDEN_VERDICT_H
#define WARDEN_VERDICT_H

#include <linux/types.h>

#define VERDICT_CALLS 1000

struct verdict_run {
	__u64 arg; /* of an ioctl, in the memory of the process that runs the program */
	__u64 ns; /* of all calls */
	__u64 wrong; /* verdicts other than "may" */
};

#endif
