/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_LOADER_INTERNAL_H
#define WARDEN_LOADER_INTERNAL_H

#include <limits.h>

#include "loader/features.h"
#include "loader/held.h"
#include "loader/loader.h"
#include "loader/programs.h"

struct loader {
	char folder[PATH_MAX];
	char maps[32]; /* the part of the folder with the maps of this layout */
	bool maps_new; /* that part was made by this start */
	struct btf *vmlinux;
	bool has_tcx; /* the kernel */
	int lock, watch;
	struct held held;
	bool fresh; /* the folder was made by this start, which is not done yet */
	enum guard_mechanism mechanism;
	struct bpf_object *files[OBJECT_IDS + 1]; /* loaded: each has one object at least, or is that of the packets */
	size_t file_count;
	struct bpf_object *object[OBJECT_IDS]; /* the one of them that has its programs; NULL: not loaded */
	bool attached[OBJECT_IDS], pruned[OBJECT_IDS];
	struct loader_packets packets;
	struct features features;
};

/* Parsed once for a start: it costs more than all the rest of it. */
int read_vmlinux(struct loader *loader, struct err *err);
void close_vmlinux(struct loader *loader);

int file_open(enum file_id id, struct bpf_object **file, struct err *err);
/* On the maps of the folder. The file is the loader's from then on, or closed. */
int file_load(struct loader *loader, enum file_id id, struct bpf_object *file, struct err *err);

/* Holds the link that an earlier start has pinned. */
int hold_pinned(struct loader *loader, const char *name, struct err *err);

#endif
