/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The context of the test program: a question and its answer. */
#ifndef WARDEN_MODIFY_QP_TEST_H
#define WARDEN_MODIFY_QP_TEST_H

#include <linux/types.h>
#include <rdma/ib_user_verbs.h>

struct modify_qp_question {
	__u64 arg; /* of the ioctl */
	__u64 allowed; /* DSCPs */
	__u32 sleepable;
	__s32 parsed; /* enum parsed */
	__s32 wrong_class; /* of what was parsed */
	__u32 pad;
	struct ib_uverbs_modify_qp cmd; /* what was parsed */
};

#endif
