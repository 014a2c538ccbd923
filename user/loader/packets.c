// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"
#include "loader/internal.h"
#include "loader/pins.h"
#include "warden.h"

bool loader_has_tcx(const struct loader *l)
{
	return l->has_tcx;
}

static int size_maps(struct bpf_object *file, uint32_t vfs)
{
	static const char *const by_direction[] = { "vf_stats", "vf_told" };
	int r = bpf_map__set_max_entries(bpf_object__find_map_by_name(file, "vfs"), vfs);

	for (size_t i = 0; !r && i < ARRAY_SIZE(by_direction); i++)
		r = bpf_map__set_max_entries(bpf_object__find_map_by_name(file, by_direction[i]),
					     vfs * DIRECTION_COUNT);
	return r;
}

static int program_descriptor(const struct bpf_object *file, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(file, name));
}

static int load_packets(struct loader *l, uint32_t vfs, struct err *err)
{
	struct bpf_object *file;
	int r = file_open(FILE_VF, &file, err);

	if (r)
		return r;
	r = size_maps(file, vfs);
	if (r) {
		bpf_object__close(file);
		return fail(err, r, "maps for %u VFs: %s", vfs, strerror(-r));
	}
	r = file_load(l, FILE_VF, file, err);
	close_vmlinux(l);
	if (r)
		return r;
	l->packets = (struct loader_packets){ .vfs = vfs,
					      .tcx = l->has_tcx,
					      .program = { program_descriptor(file, "vf_ingress"),
							   program_descriptor(file, "vf_egress") },
					      .map_slots = bpf_object__find_map_fd_by_name(file, "vf_slots"),
					      .map_places = bpf_object__find_map_fd_by_name(file, "vf_places"),
					      .map_vfs = bpf_object__find_map_fd_by_name(file, "vfs"),
					      .map_stats = bpf_object__find_map_fd_by_name(file, "vf_stats"),
					      .map_told = bpf_object__find_map_fd_by_name(file, "vf_told") };
	return 0;
}

const struct loader_packets *loader_load_packets(struct loader *l, uint32_t vfs, const char *why_not)
{
	struct err err;

	if (!vfs) {
		features_set(&l->features, "packets", FEATURE_UNAVAILABLE, "", "%s", why_not);
		return NULL;
	}
	if (load_packets(l, vfs, &err)) {
		features_set(&l->features, "packets", FEATURE_UNAVAILABLE, "", "%s", err.text);
		return NULL;
	}
	if (l->packets.tcx)
		features_set(&l->features, "packets", FEATURE_ACTIVE, "tcx", "%s",
			     "soft RoCE alone: that of the hardware passes no program");
	else
		features_set(&l->features, "packets", FEATURE_FALLBACK, "clsact", "%s",
			     "a pod with CAP_NET_ADMIN can take it away, and it is attached again; and soft RoCE "
			     "alone: that of "
			     "the hardware passes no program");
	return &l->packets;
}

int loader_pin_link(struct loader *l, const char *name, int link_fd, struct err *err)
{
	int fd = fcntl(link_fd, F_DUPFD_CLOEXEC, 3), r = fd < 0 ? -errno : pins_link(l->folder, name, fd, err);

	if (r) {
		util_close(&fd);
		return r;
	}
	held_remove(&l->held, name);
	r = held_add(&l->held, "links", name, fd);
	if (r)
		return fail(err, r, "link %s: %s", name, strerror(-r));
	held_own_link(&l->held, loader_map(l, MAP_OWN), link_fd);
	return 0;
}

int loader_pinned_link(struct loader *l, const char *name)
{
	struct held_pin *pin = held_find(&l->held, name);
	struct err err;

	if (!pin && !hold_pinned(l, name, &err))
		pin = held_find(&l->held, name);
	return pin ? pin->fd : -ENOENT;
}

void loader_unpin_link(struct loader *l, const char *name)
{
	char path[PATH_MAX];

	held_remove(&l->held, name); /* first, or the pin would be put back */
	if (!try_snprintf(path, sizeof(path), "%s/links/%s", l->folder, name))
		unlink(path);
}

void loader_prune_links(struct loader *l, const char *prefix, bool (*keep)(const char *name, void *ctx), void *ctx)
{
	pins_prune_links(l->folder, prefix, keep, ctx);
}
