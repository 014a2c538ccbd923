/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over a hash map of u32 keys while programs change it. */
#ifndef WARDEN_MAP_H
#define WARDEN_MAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * The keys of the map in ascending order, to be freed by the caller: how many, or -errno. A key may be gone
 * by the time it is looked up. Walking key by key would start over, or miss entries, when a key vanishes
 * between two steps.
 */
long map_keys(int fd, uint32_t max_entries, size_t value_size, uint32_t **keys);

#endif
