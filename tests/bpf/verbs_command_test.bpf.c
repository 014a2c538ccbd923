// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The parser of the guard as a syscall program: it reads the memory of the process that runs it. */
#include "verbs_command.bpf.h"
#include "verbs_command_test.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("syscall")
int verbs_command(struct verbs_command_question *q)
{
	struct verbs_command cmd = {};

	if (q->sleepable)
		q->parsed = parse_command(q->arg, &cmd, true);
	else
		q->parsed = parse_command(q->arg, &cmd, false);
	q->wrong_class = command_wrong_class(&cmd, q->allowed);
	q->wrong_sl = command_wrong_sl(&cmd, q->allowed & 0xff);
	q->is_ah = cmd.is_ah;
	if (cmd.is_ah)
		q->ah = cmd.ah;
	else
		q->qp = cmd.qp;
	return 0;
}
