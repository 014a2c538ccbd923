// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The parser of the guard as a syscall program: it reads the memory of the process that runs it. */
#include "modify_qp.bpf.h"
#include "modify_qp_test.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("syscall")
int modify_qp(struct modify_qp_question *q)
{
	struct ib_uverbs_modify_qp cmd = {};

	if (q->sleepable)
		q->parsed = parse_modify_qp(q->arg, &cmd, true);
	else
		q->parsed = parse_modify_qp(q->arg, &cmd, false);
	q->wrong_class = modify_qp_wrong_class(&cmd, q->allowed);
	q->cmd = cmd;
	return 0;
}
