/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that grow: an array, how many it has room for, and how many there are, which are the caller's. */
#ifndef WARDEN_LIST_H
#define WARDEN_LIST_H

#include <stddef.h>

/*
 * The place behind the last one of `count`, in `*list` (a pointer to elements of `size` bytes), which is made longer where it has no
 * room. Its bytes are anything. NULL: no memory, and the list is as before.
 */
void *list_place(void *list, size_t *room, size_t count, size_t size);

#endif
