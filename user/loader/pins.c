// SPDX-License-Identifier: Apache-2.0
#include "loader/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/util.h"

#define MAX_MAPS 16 /* of one program */

/* 1: made, 0: it was there. */
static int make_folder(const char *folder, const char *name, struct err *err)
{
	char path[PATH_MAX];

	if (try_snprintf(path, sizeof(path), "%s%s%s", folder, *name ? "/" : "", name))
		return fail(err, -ENAMETOOLONG, "bpffs %s: the path is too long", folder);
	if (!mkdir(path, 0700))
		return 1;
	return errno == EEXIST ? 0 : fail(err, -errno, "bpffs %s: %s", path, strerror(errno));
}

static int check_bpffs(const char *folder, bool made, struct err *err)
{
	struct statfs fs;

	if (statfs(folder, &fs))
		return fail(err, -errno, "bpffs %s: %s", folder, strerror(errno));
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (made)
		rmdir(folder); /* on a file system that holds no pins */
	return fail(err, -ENOTSUP, "bpffs %s: not on a BPF file system; mount one: mount -t bpf bpf /sys/fs/bpf",
		    folder);
}

int pins_make_folders(const char *folder, const char *maps, struct err *err)
{
	int r = make_folder(folder, "", err);

	if (r >= 0)
		r = check_bpffs(folder, r == 1, err);
	if (r >= 0)
		r = make_folder(folder, maps, err);
	if (r >= 0)
		r = make_folder(folder, "links", err);
	return r < 0 ? r : 0;
}

int pins_open(const char *folder, const char *maps, struct err *err)
{
	int r = pins_make_folders(folder, maps, err);

	return r ? r : pins_lock(folder, err);
}

int pins_lock(const char *folder, struct err *err)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, -errno, "bpffs %s: %s", folder, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB))
		return fail(err, errno == EWOULDBLOCK ? -EBUSY : -errno, "bpffs %s: %s", folder,
			    errno == EWOULDBLOCK ? "another wardend has it" : strerror(errno));
	return take_fd(&fd);
}

struct identity {
	uint8_t tag[BPF_TAG_SIZE];
	uint32_t maps[MAX_MAPS];
	uint32_t map_count;
};

/* Each load of an object has constants of its own; the maps that count are the shared ones. */
static bool is_constants(uint32_t map_id)
{
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(map_id);
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && strstr(info.name, ".rodata");
}

static int identify(int prog_fd, struct identity *id)
{
	uint32_t maps[MAX_MAPS];
	struct bpf_prog_info info = { .nr_map_ids = MAX_MAPS, .map_ids = (uint64_t)(uintptr_t)maps };
	uint32_t len = sizeof(info);

	*id = (struct identity){};
	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return -errno;
	if (info.nr_map_ids > MAX_MAPS)
		return -E2BIG;
	memcpy(id->tag, info.tag, sizeof(id->tag));
	for (uint32_t i = 0; i < info.nr_map_ids; i++)
		if (!is_constants(maps[i]))
			id->maps[id->map_count++] = maps[i];
	return 0;
}

static int program_of_link(const char *path)
{
	_cleanup_close_ int link = bpf_obj_get(path);
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);

	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &len))
		return -errno;
	return bpf_prog_get_fd_by_id(info.prog_id);
}

bool pins_same_program(const char *folder, const char *name, const struct bpf_program *prog)
{
	_cleanup_close_ int pinned = -1;
	struct identity old, new;
	char path[PATH_MAX];

	if (try_snprintf(path, sizeof(path), "%s/links/%s", folder, name))
		return false;
	pinned = program_of_link(path);
	if (pinned < 0 || identify(pinned, &old) || identify(bpf_program__fd(prog), &new))
		return false;
	return !memcmp(&old, &new, sizeof(old));
}

int pins_link(const char *folder, const char *name, int link_fd, struct err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	if (try_snprintf(path, sizeof(path), "%s/links/%s", folder, name) ||
	    try_snprintf(fresh, sizeof(fresh), "%s/links/new_%s", folder, name))
		return fail(err, -ENAMETOOLONG, "bpffs %s: the path is too long", folder);
	unlink(fresh); /* left by a start that was killed between the two steps below */
	if (bpf_obj_pin(link_fd, fresh))
		return fail(err, -errno, "cannot pin %s: %s", fresh, strerror(errno));
	if (rename(fresh, path))
		return fail(err, -errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int pins_restore(const char *folder, const char *part, const char *name, int fd)
{
	char path[PATH_MAX];

	if (try_snprintf(path, sizeof(path), "%s/%s/%s", folder, part, name))
		return -ENAMETOOLONG;
	if (!access(path, F_OK))
		return 0;
	return bpf_obj_pin(fd, path) ? -errno : 1;
}

int pins_watch(const char *folder, const char *maps, int inotify_fd)
{
	const char *const parts[] = { "", "links", maps };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (try_snprintf(path, sizeof(path), "%s/%s", folder, parts[i]))
			return -ENAMETOOLONG;
		if (inotify_add_watch(inotify_fd, path, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF) < 0)
			return -errno;
	}
	return 0;
}

/* Calls `visit` with each name in FOLDER/NAME that begins with PREFIX; a folder that is not there is empty. 0 or -errno. */
static int walk(const char *folder, const char *name, const char *prefix,
		int (*visit)(int dir, const char *entry, void *ctx), void *ctx)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/%s", folder, name);

	if (r)
		return r;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix)))
			r = visit(dirfd(dir), entry->d_name, ctx);
	return r;
}

struct prune {
	bool (*keep)(const char *name, void *ctx);
	void *ctx;
};

static int prune_link(int dir, const char *entry, void *ctx)
{
	const struct prune *p = ctx;

	if (!p->keep(entry, p->ctx))
		unlinkat(dir, entry, 0);
	return 0;
}

void pins_prune_links(const char *folder, const char *prefix, bool (*keep)(const char *name, void *ctx), void *ctx)
{
	struct prune prune = { .keep = keep, .ctx = ctx };

	walk(folder, "links", prefix, prune_link, &prune);
}

static int unpin(int dir, const char *entry, void *ctx)
{
	(void)ctx;
	return unlinkat(dir, entry, 0) ? -errno : 0;
}

static int empty_folder(const char *folder, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int r = walk(folder, name, "", unpin, NULL);

	if (!r)
		r = try_snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!r && rmdir(path) && errno != ENOENT)
		r = -errno;
	return r ? fail(err, r, "cannot remove %s/%s: %s", folder, name, strerror(-r)) : 0;
}

struct maps_removal {
	const char *folder;
	const char *keep; /* "": none */
	struct err *err;
	int removed;
};

static int remove_maps(int dir, const char *entry, void *ctx)
{
	struct maps_removal *m = ctx;

	(void)dir;
	if (!strcmp(entry, m->keep))
		return 0;
	m->removed++;
	return empty_folder(m->folder, entry, m->err);
}

int pins_prune_maps(const char *folder, const char *maps)
{
	struct err err;
	struct maps_removal m = { .folder = folder, .keep = maps, .err = &err };

	if (walk(folder, "", PINS_MAPS_PREFIX, remove_maps, &m))
		pr_warn("%s", err.text);
	return m.removed;
}

/* The programs and maps whose end is waited for, by id. */
struct leaving {
	uint32_t ids[128];
	size_t count;
};

static void leaving_add(struct leaving *l, uint32_t id)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->ids[i] == id)
			return;
	if (l->count < ARRAY_SIZE(l->ids))
		l->ids[l->count++] = id;
}

struct leavers {
	const char *folder;
	struct leaving programs, maps;
};

static int note_program(int dir, const char *entry, void *ctx)
{
	uint32_t ids[MAX_MAPS];
	struct bpf_prog_info info = { .nr_map_ids = MAX_MAPS, .map_ids = (uint64_t)(uintptr_t)ids };
	struct leavers *l = ctx;
	_cleanup_close_ int fd = -1;
	uint32_t len = sizeof(info);
	char path[PATH_MAX];

	(void)dir;
	if (try_snprintf(path, sizeof(path), "%s/links/%s", l->folder, entry))
		return 0;
	fd = program_of_link(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	leaving_add(&l->programs, info.id);
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAX_MAPS; i++)
		leaving_add(&l->maps, ids[i]);
	return 0;
}

static bool all_gone(const struct leaving *l, int (*open_by_id)(uint32_t id))
{
	for (size_t i = 0; i < l->count; i++) {
		_cleanup_close_ int fd = open_by_id(l->ids[i]);

		if (fd >= 0)
			return false;
	}
	return true;
}

static int wait_gone(const struct leaving *programs, const struct leaving *maps, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	uint64_t deadline = boot_ns() + 60 * 1000000000ull;

	while (!all_gone(programs, bpf_prog_get_fd_by_id) || !all_gone(maps, bpf_map_get_fd_by_id)) {
		if (boot_ns() > deadline)
			return fail(
				err, -ETIMEDOUT,
				"the pins are gone, but the kernel still holds programs: somebody else has them open");
		nanosleep(&pause, NULL);
	}
	return 0;
}

int pins_remove(const char *folder, struct err *err)
{
	struct maps_removal all_maps = { .folder = folder, .keep = "", .err = err };
	struct leavers leavers = { .folder = folder };
	struct statfs fs;
	int r;

	if (statfs(folder, &fs))
		return errno == ENOENT ? 0 : fail(err, -errno, "bpffs %s: %s", folder, strerror(errno));
	if (fs.f_type != BPF_FS_MAGIC)
		return fail(err, -ENOTSUP, "bpffs %s: not on a BPF file system", folder);
	walk(folder, "links", "", note_program, &leavers);
	r = empty_folder(folder, "links", err); /* first the programs, then what they use */
	if (!r)
		r = walk(folder, "", PINS_MAPS_PREFIX, remove_maps, &all_maps);
	if (r)
		return r;
	if (rmdir(folder))
		return fail(err, -errno, "cannot remove %s: %s", folder, strerror(errno));
	return wait_gone(&leavers.programs, &leavers.maps, err);
}
