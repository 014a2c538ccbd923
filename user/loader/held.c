// SPDX-License-Identifier: Apache-2.0
#include "loader/held.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "lib/util.h"
#include "loader/pins.h"
#include "warden.h"

int held_add(struct held *held, const char *part, const char *name, int fd)
{
	struct held_pin *grown;

	if (fd < 0)
		return -errno;
	grown = reallocarray(held->pins, held->count + 1, sizeof(*grown));
	if (!grown) {
		util_close(&fd);
		return -ENOMEM;
	}
	held->pins = grown;
	grown[held->count] = (struct held_pin){ .fd = fd, .part = part };
	snprintf(grown[held->count].name, sizeof(grown->name), "%s", name);
	held->count++;
	return 0;
}

struct held_pin *held_find(const struct held *held, const char *name)
{
	for (size_t i = 0; i < held->count; i++)
		if (!strcmp(held->pins[i].name, name))
			return &held->pins[i];
	return NULL;
}

void held_remove(struct held *held, const char *name)
{
	struct held_pin *pin = held_find(held, name);

	if (!pin)
		return;
	util_close(&pin->fd);
	*pin = held->pins[--held->count];
}

void held_free(struct held *held)
{
	for (size_t i = 0; i < held->count; i++)
		util_close(&held->pins[i].fd);
	free(held->pins);
	held->pins = NULL;
	held->count = 0;
}

int held_restore(struct held *held, struct err *err)
{
	int restored = 0;

	for (size_t i = 0; i < held->count; i++) {
		const struct held_pin *pin = &held->pins[i];
		int r = pins_restore(held->folder, pin->part, pin->name, pin->fd);

		if (r < 0)
			return fail(err, r, "pin %s/%s/%s: %s", held->folder, pin->part, pin->name, strerror(-r));
		restored += r;
	}
	return restored;
}

/* ---- what is the warden's own ---- */

int link_info(int fd, struct bpf_link_info *info)
{
	uint32_t len = sizeof(*info);

	*info = (struct bpf_link_info){};
	return bpf_obj_get_info_by_fd(fd, info, &len);
}

static void own_add(const struct held *held, int own_fd, uint32_t kind, uint32_t id)
{
	const struct warden_own key = { .kind = kind, .id = id };

	if (bpf_map_update_elem(own_fd, &key, &held->round, BPF_ANY))
		pr_warn("the warden's own: %s", strerror(errno));
}

void held_own_link(struct held *held, int own_fd, int fd)
{
	struct bpf_link_info info;

	if (link_info(fd, &info))
		return;
	own_add(held, own_fd, OWN_LINK, info.id);
	own_add(held, own_fd, OWN_PROGRAM, info.prog_id);
}

static void own_add_folder(const struct held *held, int own_fd, const char *part)
{
	char path[PATH_MAX];
	struct stat st;

	if (!try_snprintf(path, sizeof(path), "%s/%s", held->folder, part) && !stat(path, &st))
		own_add(held, own_fd, OWN_FOLDER, (uint32_t)st.st_ino);
}

/* What was the warden's before this round and is no more: after the round, so that nothing is unprotected meanwhile. */
static void own_prune(const struct held *held, int own_fd)
{
	struct warden_own key, next;
	bool more = !bpf_map_get_next_key(own_fd, NULL, &key);

	while (more) {
		uint64_t round = 0;

		more = !bpf_map_get_next_key(own_fd, &key, &next);
		if (!bpf_map_lookup_elem(own_fd, &key, &round) && round != held->round)
			bpf_map_delete_elem(own_fd, &key);
		key = next;
	}
}

void held_fill_own(struct held *held, int own_fd)
{
	held->round = boot_ns(); /* differs from that of every other start since boot */
	for (size_t i = 0; i < held->count; i++) {
		struct bpf_map_info info = {};
		uint32_t len = sizeof(info);

		if (!strcmp(held->pins[i].part, "links"))
			held_own_link(held, own_fd, held->pins[i].fd);
		else if (!bpf_obj_get_info_by_fd(held->pins[i].fd, &info, &len))
			own_add(held, own_fd, OWN_MAP, info.id);
	}
	own_add_folder(held, own_fd, "");
	own_add_folder(held, own_fd, "links");
	own_add_folder(held, own_fd, held->maps);
	own_prune(held, own_fd);
}
