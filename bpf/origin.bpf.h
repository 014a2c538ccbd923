/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who chose a traffic class: the application, or rdma_cm on its behalf. */
#ifndef WARDEN_ORIGIN_BPF_H
#define WARDEN_ORIGIN_BPF_H

#include "common.bpf.h"

/* MARKING_ARG of a class that the caller asks for. An application that chooses what rdma_cm gave it anyway is told as rdma_cm. */
static __always_inline __u64 marking_arg(__u8 traffic_class)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	const struct warden_cm_class *given = bpf_map_lookup_elem(&cm_classes, &tgid);

	if (!given || given->traffic_class != traffic_class)
		return MARKING_ARG(traffic_class, ORIGIN_APPLICATION);
	return MARKING_ARG(traffic_class, given->origin);
}

#endif
