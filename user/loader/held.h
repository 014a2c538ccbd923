/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this wardend holds of the folder of pins: were a pin taken away, its object would live on here, and be pinned
 * again. And the map `own`, by which the programs know what is the warden's.
 */
#ifndef WARDEN_HELD_H
#define WARDEN_HELD_H

#include <bpf/bpf.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct held_pin {
	int fd;
	const char *part; /* of the folder: "links", or that of the maps; not copied */
	char name[64];
};

struct held {
	const char *folder;
	const char *maps; /* the part of it with the maps of this layout */
	struct held_pin *pins;
	size_t count;
	uint64_t round; /* of own_fill() */
};

/* Takes over the descriptor, also on an error. `fd` may be the negative answer of open: then -errno. */
int held_add(struct held *held, const char *part, const char *name, int fd);
/* NULL: there is none. */
struct held_pin *held_find(const struct held *held, const char *name);
void held_remove(struct held *held, const char *name);
void held_free(struct held *held);

/* Pins again what is missing in the folder: how many, or -errno. */
int held_restore(struct held *held, struct err *err);

/* Enters all that is held, and the folders, into the map `own`, and takes out what is the warden's no more. */
void held_fill_own(struct held *held, int own_fd);

/* The same for one link that came since. */
void held_own_link(struct held *held, int own_fd, int link_fd);

int link_info(int fd, struct bpf_link_info *info);

#endif
