/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The context of the test program: a question and its answer. */
#ifndef WARDEN_VERBS_COMMAND_TEST_H
#define WARDEN_VERBS_COMMAND_TEST_H

#include <linux/types.h>
#include <rdma/ib_user_verbs.h>

struct verbs_command_question {
	__u64 arg; /* of the ioctl */
	__u64 allowed; /* DSCPs */
	__u32 sleepable;
	__s32 parsed; /* enum parsed */
	__s32 wrong_class; /* of what was parsed */
	__s32 wrong_sl; /* of what was parsed, by the lower 8 bits of `allowed` */
	__u32 is_ah;
	struct ib_uverbs_modify_qp qp; /* what was parsed: this, */
	struct ib_uverbs_create_ah ah; /* or this */
};

#endif
