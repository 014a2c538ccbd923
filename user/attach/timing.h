/* SPDX-License-Identifier: Apache-2.0 */
/* How long calls and their steps take, failed ones among them. A step that had nothing to do counts, too. */
#ifndef WARDEN_ATTACH_TIMING_H
#define WARDEN_ATTACH_TIMING_H

#include <stdint.h>

struct attach;

enum timing {
	TIMING_ADD, /* the whole call, with what it waited for others */
	TIMING_ADD_FIND,
	TIMING_ADD_VF,
	TIMING_ADD_NETDEV,
	TIMING_ADD_RDMA,
	TIMING_ADD_CLAIM,
	TIMING_ADD_UP,
	TIMING_ADD_IPAM,
	TIMING_ADD_ADDRESSES,
	TIMING_ADD_GIDS,
	TIMING_ADD_ANSWER,
	TIMING_ADD_COMMIT,
	TIMING_ADD_ANNOUNCE,
	TIMING_DEL, /* likewise; the steps are also those of GC, and of an ADD that is undone */
	TIMING_DEL_RELEASE,
	TIMING_DEL_RDMA,
	TIMING_DEL_NETDEV,
	TIMING_DEL_VF,
	TIMING_DEL_FINISH,
	TIMING_DEL_PROOF,
	TIMING_DEL_IPAM,
	TIMING_CHECK,
	TIMING_GC,
	TIMING_STATUS,
	TIMING_COUNT
};

/* Notes what took from then (boot_ns()) until now, which is returned: the next step begins. */
uint64_t timing_note(struct attach *attach, enum timing what, uint64_t then_ns);

#endif
