/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of vf.bpf.c on a netdev: by tcx links, which are pinned, or by clsact filters, which stay by themselves.
 * Beside other people's programs on the same hooks.
 */
#ifndef WARDEN_HOOK_H
#define WARDEN_HOOK_H

#include <stdint.h>

#include "lib/err.h"
#include "loader/loader.h"
#include "warden.h"

#define HOOK_PIN_PREFIX "vf_"

/*
 * Sees to it that both programs are on the netdev: 0 when they were, 1 when one was attached now, or -errno. Those of an
 * earlier wardend are replaced in one step each.
 */
int hook_set(struct loader *loader, const struct loader_packets *packets, int netns_fd, const struct warden_vf_key *vf,
	     struct err *err);

/* Takes them away; `netns_fd` is -1 when the netns is gone, and the netdev elsewhere. */
void hook_clear(struct loader *loader, const struct loader_packets *packets, int netns_fd,
		const struct warden_vf_key *vf);

/* Takes the clsact filters of any wardend from every netdev of every netns. */
void hook_clear_filters(void);

/* The name of the pin of that VF's link. */
void hook_pin_name(const struct warden_vf_key *vf, enum warden_direction direction, char to[static 64]);

#endif
