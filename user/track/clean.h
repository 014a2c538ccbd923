/* SPDX-License-Identifier: Apache-2.0 */
/* Proof that a device has nothing left of the owner it had. */
#ifndef WARDEN_CLEAN_H
#define WARDEN_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/netns.h"
#include "warden.h"

/*
 * Whether the device can go to another owner: no object of a process on it; it and its netdev in the host's netns; and,
 * for a VF, what the PF and the netdev of a VF have that nobody has set up: no VLAN, no rate, spoof check on, not
 * trusted, link state auto, the PF's MTU, no promiscuous mode, and the MAC that the PF has for it. False: `unclean`
 * says what is not so, separated by "; ". What a driver does not tell is not held against the device.
 */
bool device_is_clean(const struct warden_device *device, const struct netns_id *host, char *unclean, size_t size);

/* The part of it that holds whatever others have set up: nobody uses the device, and it and its netdev are the host's. */
bool device_is_idle(const struct warden_device *device, const struct netns_id *host, bool with_netdev, char *why,
		    size_t size);

#endif
