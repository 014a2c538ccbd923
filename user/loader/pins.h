/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of pins in the BPF file system. */
#ifndef WARDEN_PINS_H
#define WARDEN_PINS_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "lib/err.h"

#define PINS_MAPS_PREFIX "maps-" /* a part of the folder for each layout of the maps */

/* Creates FOLDER, FOLDER/MAPS and FOLDER/links on a BPF file system, as far as they are not there. 0 or -errno. */
int pins_make_folders(const char *folder, const char *maps, struct err *err);

/* The same, and locks it: the lock's descriptor. */
int pins_open(const char *folder, const char *maps, struct err *err);

/* The lock of an existing folder: its descriptor, -EBUSY, or -ENOENT when there is no folder. */
int pins_lock(const char *folder, struct err *err);

/* Whether the link pinned as NAME runs the same program, on the same maps, as `prog`. */
bool pins_same_program(const char *folder, const char *name, const struct bpf_program *prog);

/* Pins the link as NAME; a link pinned there before is replaced in one step. */
int pins_link(const char *folder, const char *name, int link_fd, struct err *err);

/*
 * Pins the object again as FOLDER/PART/NAME if it is not there: 1, 0 when it is, or -errno. The folders must
 * exist (pins_open).
 */
int pins_restore(const char *folder, const char *part, const char *name, int fd);

/* Watches the folder's parts with an inotify descriptor, again after they were made anew. 0 or -errno. */
int pins_watch(const char *folder, const char *maps, int inotify_fd);

/* Unpins the links whose name begins with PREFIX and which `keep` does not want. */
void pins_prune_links(const char *folder, const char *prefix, bool (*keep)(const char *name, void *ctx), void *ctx);

/* Removes the maps of other layouts than that in FOLDER/MAPS: how many layouts. */
int pins_prune_maps(const char *folder, const char *maps);

/*
 * Removes all, and returns when the kernel has let go of the programs and maps: it detaches and frees them after
 * the last pin has gone, in its own time. 0 also when there is nothing; -ETIMEDOUT when it takes above 60 s.
 */
int pins_remove(const char *folder, struct err *err);

#endif
