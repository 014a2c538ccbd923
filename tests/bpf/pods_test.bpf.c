// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs of pods.bpf.c as they are, and one that makes an event of whoever runs it. */
#include "pods.bpf.c"

SEC("syscall")
int make_event(void *ctx)
{
	struct warden_event *e = event_begin(EVENT_CHANGE, RULE_DEVICE_ADD);

	if (e)
		event_submit(e);
	return 0;
}
