// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "loader/loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/log.h"
#include "lib/util.h"
#include "loader/features.h"
#include "loader/internal.h"
#include "loader/pins.h"
#include "loader/probe.h"
#include "loader/programs.h"
#include "warden.h"

static const char *const map_names[MAP_COUNT] = {
	[MAP_CDEVS] = "cdevs",
	[MAP_CLAIMS] = "claims",
	[MAP_OWNERS] = "owners",
	[MAP_DEVICES] = "devices",
	[MAP_SETTINGS] = "settings",
	[MAP_MAJORS] = "majors",
	[MAP_COUNTERS] = "counters",
	[MAP_EVENTS] = "events",
	[MAP_MERGES] = "merges",
	[MAP_OWN] = "own",
	[MAP_CM_CLASSES] = "cm_classes",
	[MAP_PODS] = "pods",
	[MAP_POD_CGROUPS] = "pod_cgroups",
	[MAP_POD_NETNS] = "pod_netns",
	[MAP_POD_LEAVES] = "pod_leaves",
};

static const char *const mechanism_names[] = {
	[GUARD_AUTO] = "auto",         [GUARD_LSM] = "lsm",
	[GUARD_FMOD_RET] = "fmod_ret", [GUARD_DEVICE_CGROUP] = "device-cgroup",
	[GUARD_KILL] = "kill",
};

/* ---- features ---- */

const struct feature *loader_features(const struct loader *l, size_t *count)
{
	*count = l->features.count;
	return l->features.items;
}

static void object_unavailable(struct loader *l, enum object_id id, const char *reason)
{
	for (size_t i = 0; i < program_count; i++)
		if (programs[i].object == id && program_wanted(&programs[i], l->mechanism))
			features_set(&l->features, programs[i].feature, FEATURE_UNAVAILABLE, "", "%s", reason);
}

/* ---- objects: load, attach, pin ---- */

static int libbpf_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;

	/* One level down: what a failure means is said by the caller; the verifier's log is for --debug. */
	if (level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL; /* what it is then is not said */
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (line[0])
			pr_debug("%s", line);
	return 0;
}

/* How a program is attached: its section name up to the slash. */
static void program_kind(const struct bpf_program *prog, char *to, size_t size)
{
	const char *section = bpf_program__section_name(prog);

	snprintf(to, size, "%.*s", (int)strcspn(section, "/."), section);
}

int read_vmlinux(struct loader *l, struct err *err)
{
	if (!l->vmlinux)
		l->vmlinux = btf__load_vmlinux_btf();
	return l->vmlinux ? 0 : fail(err, -errno, "the kernel's BTF cannot be read: %s", strerror(errno));
}

/* The pages of the objects' bytes, which are of this program's own file: read again where a module comes late. */
static void forget_bytes(enum file_id id)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size;
	uintptr_t at = (uintptr_t)files[id].bytes(&size), end = (at + size) & ~(page - 1);

	at = (at + page - 1) & ~(page - 1);
	if (at < end)
		madvise((void *)at, end - at, MADV_DONTNEED);
}

/* With what libbpf has freed of the same: glibc would keep these megabytes for a daemon that never needs them again. */
void close_vmlinux(struct loader *l)
{
	btf__free(l->vmlinux);
	l->vmlinux = NULL;
	malloc_trim(0);
	for (enum file_id id = 0; id < FILE_IDS; id++)
		forget_bytes(id);
}

static bool hook_exists(struct loader *l, enum object_id id, const struct bpf_program *prog)
{
	struct err err;

	if (!read_vmlinux(l, &err))
		return program_hook_exists(id, prog, l->vmlinux);
	pr_warn("%s", err.text);
	return false;
}

int file_open(enum file_id id, struct bpf_object **file, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = files[id].name);
	const void *bytes;
	size_t size;

	bytes = files[id].bytes(&size);
	*file = bpf_object__open_mem(bytes, size, &opts);
	return *file ? 0 : fail(err, -errno, "BPF file %s does not open: %s", files[id].name, strerror(errno));
}

/* All files share the maps of the folder, as far as the maps are to be pinned at all. */
static int place_maps(const struct loader *l, const struct bpf_object *file)
{
	char path[PATH_MAX];
	struct bpf_map *map;

	bpf_object__for_each_map(map, file)
	{
		int r;

		if (bpf_map__is_internal(map) || !bpf_map__pin_path(map))
			continue;
		r = try_snprintf(path, sizeof(path), "%s/%s/%s", l->folder, l->maps, bpf_map__name(map));
		if (!r)
			r = bpf_map__set_pin_path(map, path);
		if (r)
			return r;
	}
	return 0;
}

/* Whether the program belongs to one of the objects (bits 1 << enum object_id), and there is use for it on this kernel. */
static bool is_to_load(struct loader *l, const struct bpf_program *prog, unsigned int ids)
{
	for (enum object_id id = 0; id < OBJECT_IDS; id++) {
		const struct program *p = ids >> id & 1 ? program_find(id, bpf_program__name(prog)) : NULL;

		if (p)
			return program_wanted(p, l->mechanism) && (!p->optional || hook_exists(l, id, prog));
	}
	return false;
}

int file_load(struct loader *l, enum file_id id, struct bpf_object *file, struct err *err)
{
	int r = place_maps(l, file);

	if (!r)
		r = bpf_object__load(file);
	if (r) {
		bpf_object__close(file);
		return fail(err, r,
			    "BPF file %s does not load: %s (the verifier's log is shown with --debug; bpffs %s)",
			    files[id].name, strerror(-r), l->folder);
	}
	l->files[l->file_count++] = file;
	return 0;
}

/* Loads objects of one file together. */
static int objects_load(struct loader *l, enum file_id file_id, unsigned int ids, struct err *err)
{
	struct bpf_program *prog;
	struct bpf_object *file;
	int r = file_open(file_id, &file, err);

	if (r)
		return r;
	bpf_object__for_each_program (prog, file)
		bpf_program__set_autoload(prog, is_to_load(l, prog, ids));
	r = file_load(l, file_id, file, err);
	if (r)
		return r;
	for (enum object_id id = 0; id < OBJECT_IDS; id++)
		if (ids >> id & 1)
			l->object[id] = file;
	return 0;
}

static int pin_name(enum object_id id, const struct program *p, char *to, size_t size)
{
	return try_snprintf(to, size, "%s_%s", objects[id].name, p->name);
}

int hold_pinned(struct loader *l, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/links/%s", l->folder, name);

	if (!r)
		r = held_add(&l->held, "links", name, bpf_obj_get(path));
	return r ? fail(err, r, "link %s: %s", name, strerror(-r)) : 0;
}

static struct bpf_link *link_create(const struct bpf_program *prog)
{
	_cleanup_close_ int root = -1;

	if (bpf_program__type(prog) != BPF_PROG_TYPE_CGROUP_DEVICE)
		return bpf_program__attach(prog);
	root = open(CGROUP_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? NULL : bpf_program__attach_cgroup(prog, root);
}

/* Attaches and pins, unless the same program is there from an earlier start. */
static int program_pin(struct loader *l, const struct program *p, const struct bpf_program *prog, const char *pin,
		       struct err *err)
{
	struct bpf_link *link;
	int r;

	if (pins_same_program(l->folder, pin, prog))
		return 0;
	link = link_create(prog);
	if (!link)
		return fail(err, -errno, "program %s does not attach: %s", p->name, strerror(errno));
	r = pins_link(l->folder, pin, bpf_link__fd(link), err);
	bpf_link__destroy(link); /* closes the descriptor; the pin holds the link */
	return r;
}

static int program_attach(struct loader *l, enum object_id id, const struct program *p, struct err *err)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(l->object[id], p->name);
	char pin[64], kind[32];
	int r;

	if (!bpf_program__autoload(prog)) {
		if (!features_known(&l->features, p->feature))
			features_set(&l->features, p->feature, FEATURE_ACTIVE, "", "%s",
				     "another hook of this kernel sees it");
		return 0;
	}
	if (pin_name(id, p, pin, sizeof(pin)))
		return fail(err, -ENAMETOOLONG, "program %s: the name is too long", p->name);
	r = program_pin(l, p, prog, pin, err);
	if (!r)
		r = hold_pinned(l, pin, err);
	if (r)
		return r;
	program_kind(prog, kind, sizeof(kind));
	features_set(&l->features, p->feature, p->limit ? FEATURE_FALLBACK : FEATURE_ACTIVE, kind, "%s",
		     p->limit ? p->limit : "");
	return 0;
}

struct prune {
	struct loader *loader;
	enum object_id id;
};

static bool pin_wanted(const char *name, void *ctx)
{
	const struct prune *prune = ctx;
	const struct program *p = program_find(prune->id, name + strlen(objects[prune->id].name) + 1);

	return p && program_wanted(p, prune->loader->mechanism);
}

static int object_attach(struct loader *l, enum object_id id, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < program_count; i++)
		if (programs[i].object == id && program_wanted(&programs[i], l->mechanism))
			r = program_attach(l, id, &programs[i], err);
	l->attached[id] = !r;
	return r;
}

/*
 * The programs that others replace under another name, as those of another mechanism. They go when all that replaces them
 * is in force: of two tracing programs that judge one call, one is not enough (judge_last).
 */
static void prune_replaced(struct loader *l)
{
	for (enum object_id id = 0; id < OBJECT_IDS; id++) {
		struct prune prune = { .loader = l, .id = id };
		char prefix[32];

		if (!l->attached[id] || l->pruned[id])
			continue;
		snprintf(prefix, sizeof(prefix), "%s_", objects[id].name);
		pins_prune_links(l->folder, prefix, pin_wanted, &prune);
		l->pruned[id] = true;
	}
}

/* ---- the guard ---- */

const char *loader_mechanism_name(enum guard_mechanism mechanism)
{
	return mechanism_names[mechanism];
}

/* The first of the chain that works; what the ones before it lack is the reason. */
static int choose_mechanism(struct loader *l, enum guard_mechanism forced, struct err *err)
{
	char why[200] = "", all[200] = "";

	for (enum guard_mechanism m = GUARD_LSM; m <= GUARD_KILL; m++) {
		size_t len = strlen(all);

		if (forced != GUARD_AUTO && forced != m)
			continue;
		if (probe_mechanism(m, l->vmlinux, why, sizeof(why))) {
			l->mechanism = m;
			features_set(&l->features, "guard.mechanism",
				     m == GUARD_LSM ? FEATURE_ACTIVE : FEATURE_FALLBACK, mechanism_names[m], "%s%s",
				     all, forced != GUARD_AUTO && m != GUARD_LSM ? "asked for" : "");
			return 0;
		}
		snprintf(all + len, sizeof(all) - len, "%s%s", len ? "; " : "", why);
	}
	return fail(err, -EOPNOTSUPP, "no way to enforce on this kernel: %s", all);
}

/* FNV-1a: equal for equal layouts is all that is asked of it. */
static uint32_t hash_add(uint32_t hash, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 16777619u;
	return hash;
}

/*
 * The part of the folder that holds maps of this wardend's layout. One of another version has another part, so both
 * versions' programs can be in force at once, each on its own maps, while the new one takes over.
 */
static int name_maps(struct loader *l, struct err *err)
{
	uint32_t hash = hash_add(2166136261u, &(uint32_t){ WARDEN_LAYOUT }, sizeof(uint32_t));
	struct bpf_object *file;
	struct bpf_map *map;
	int r = file_open(FILE_GUARD, &file, err);

	if (r)
		return r;
	bpf_object__for_each_map(map, file)
	{
		const uint32_t shape[] = { bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
					   bpf_map__max_entries(map) };

		if (bpf_map__is_internal(map))
			continue;
		hash = hash_add(hash, bpf_map__name(map), strlen(bpf_map__name(map)));
		hash = hash_add(hash, shape, sizeof(shape));
	}
	bpf_object__close(file);
	snprintf(l->maps, sizeof(l->maps), PINS_MAPS_PREFIX "%08x", hash);
	return 0;
}

static int open_folder(struct loader *l, struct err *err)
{
	char path[PATH_MAX];

	l->fresh = access(l->folder, F_OK) != 0;
	if (try_snprintf(path, sizeof(path), "%s/%s", l->folder, l->maps))
		return fail(err, -ENAMETOOLONG, "bpffs %s: the path is too long", l->folder);
	l->maps_new = access(path, F_OK) != 0;
	l->lock = pins_open(l->folder, l->maps, err);
	return l->lock < 0 ? l->lock : 0;
}

/* Those of the guard's file that its mechanism has use for. */
static unsigned int guard_objects(const struct loader *l)
{
	unsigned int ids = 0;

	for (enum object_id id = OBJECT_GUARD; id < OBJECT_NETNS; id++)
		if (object_wanted(id, l->mechanism))
			ids |= 1u << id;
	return ids;
}

int loader_open(struct loader **loader, const struct loader_options *options, struct err *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return fail(err, -ENOMEM, "out of memory");
	l->lock = l->watch = -1;
	l->held = (struct held){ .folder = l->folder, .maps = l->maps };
	libbpf_set_print(libbpf_log);
	r = try_snprintf(l->folder, sizeof(l->folder), "%s", options->bpffs);
	if (!r)
		r = name_maps(l, err);
	if (!r)
		r = open_folder(l, err);
	if (!r)
		r = read_vmlinux(l, err);
	if (!r) {
		l->has_tcx = btf__find_by_name_kind(l->vmlinux, "tcx_link_attach", BTF_KIND_FUNC) > 0;
		r = choose_mechanism(l, options->guard, err);
	}
	if (!r)
		r = objects_load(l, FILE_GUARD, guard_objects(l), err);
	if (r) {
		loader_close(l);
		return r;
	}
	*loader = l;
	return 0;
}

bool loader_maps_are_new(const struct loader *l)
{
	return l->maps_new;
}

bool loader_is_first(const struct loader *l)
{
	return l->fresh;
}

void loader_note_netns_mode(struct loader *l, bool exclusive, const char *next_boot)
{
	if (exclusive)
		features_set(&l->features, "kernel.rdma-netns", FEATURE_ACTIVE, "exclusive", "%s", next_boot);
	else
		features_set(&l->features, "kernel.rdma-netns", FEATURE_FALLBACK, "shared",
			     "the guard alone tells the netns apart; %s", next_boot);
}

/* What the rule knows and this version does not judge: said, so that nobody takes silence for safety. */
static void note_limits(struct loader *l)
{
	static const struct {
		const char *feature, *reason;
	} limits[] = {
		{ "marking.write-abi",
		  "not in this version; a command by write(2) is audited after it was carried out" },
		{ "exclusive.rdma-max",
		  "not in this version, on purpose: on 6.1 and 6.12 a limit in rdma.max panics the "
		  "kernel when its cgroup is removed and then the device" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		features_set(&l->features, limits[i].feature, FEATURE_UNAVAILABLE, "", "%s", limits[i].reason);
	if (access(CGROUP_ROOT "/cgroup.controllers", F_OK))
		features_set(&l->features, "owner.cgroup", FEATURE_UNAVAILABLE, "", "%s",
			     "no cgroup v2 at " CGROUP_ROOT
			     ": the netns alone decides who an owner is, and pods that share "
			     "the host's netns are not told from the host");
	else
		features_set(&l->features, "owner.cgroup", FEATURE_ACTIVE, "cgroup2", "%s", "");
}

enum guard_mechanism loader_mechanism(const struct loader *l)
{
	return l->mechanism;
}

static bool is_detached(int fd)
{
	struct bpf_link_info info;

	return !link_info(fd, &info) && info.type == BPF_LINK_TYPE_CGROUP && !info.cgroup.cgroup_id;
}

static int attach_again(struct loader *l, struct held_pin *h, struct err *err)
{
	const char *name = h->name + strlen(objects[OBJECT_DEVCG].name) + 1; /* as pin_name() made it */
	struct bpf_program *prog = bpf_object__find_program_by_name(l->object[OBJECT_DEVCG], name);
	struct bpf_link *link = prog ? link_create(prog) : NULL;
	int r;

	if (!link)
		return fail(err, -errno, "program %s does not attach: %s", name, strerror(errno));
	r = pins_link(l->folder, h->name, bpf_link__fd(link), err);
	if (!r && dup3(bpf_link__fd(link), h->fd, O_CLOEXEC) < 0)
		r = fail(err, -errno, "link %s: %s", h->name, strerror(errno));
	bpf_link__destroy(link);
	return r;
}

int loader_reattach(struct loader *l, struct err *err)
{
	int n = 0, r = 0;

	for (size_t i = 0; !r && i < l->held.count; i++) {
		struct held_pin *pin = &l->held.pins[i];

		if (strcmp(pin->part, "links") || !is_detached(pin->fd))
			continue;
		r = attach_again(l, pin, err);
		n++;
	}
	return r ? r : n;
}

/* A tracing program may be skipped (guard.bpf.c), and has a second one behind it; an LSM program needs none. */
static void note_every_call(struct loader *l)
{
	static const char *const features[] = { "every-call.verbs", "every-call.netlink", "every-call.rdma-cm",
						"every-call.umad" };

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		features_set(&l->features, features[i], FEATURE_ACTIVE, mechanism_names[GUARD_LSM], "%s", "");
}

static void note_verdict(struct loader *l)
{
	static const char *const reasons[] = {
		[GUARD_LSM] = "MODIFY_QP and CREATE_AH through the ioctl",
		[GUARD_FMOD_RET] =
			"MODIFY_QP and CREATE_AH through the ioctl; a command on a page that is not present is refused "
			"unread",
		[GUARD_DEVICE_CGROUP] =
			"nothing can refuse an ioctl here; marking.audit tells, and kills where asked to",
		[GUARD_KILL] = "nothing can refuse an ioctl here; marking.audit tells, and kills where asked to",
	};
	bool refuses = l->mechanism <= GUARD_FMOD_RET;

	features_set(&l->features, "marking.verdict", refuses ? FEATURE_ACTIVE : FEATURE_UNAVAILABLE,
		     refuses ? mechanism_names[l->mechanism] : "", "%s", reasons[l->mechanism]);
	if (l->mechanism == GUARD_LSM)
		note_every_call(l);
	if (!object_wanted(OBJECT_SELF, l->mechanism))
		features_set(&l->features, "warden.self", FEATURE_UNAVAILABLE, "", "%s",
			     "nothing can refuse here; pins taken away are put back, programs detached are not");
}

int loader_attach_guard(struct loader *l, struct err *err)
{
	int r = 0;

	for (enum object_id id = OBJECT_GUARD; !r && id < OBJECT_NETNS; id++)
		r = object_attach(l, id, err);
	if (r)
		return r;
	note_limits(l);
	note_verdict(l);
	return 0;
}

/* ---- what needs the RDMA modules ---- */

static bool modules_ready(enum object_id id, char *reason, size_t size)
{
	char path[128];

	for (const char *const *m = objects[id].modules; *m; m++) {
		snprintf(path, sizeof(path), "/sys/module/%s", *m);
		if (access(path, F_OK)) {
			snprintf(reason, size, "module %s is not loaded", *m);
			return false;
		}
		snprintf(path, sizeof(path), "/sys/kernel/btf/%s", *m);
		if (access(path, F_OK)) {
			snprintf(reason, size, "the kernel has no BTF for module %s", *m);
			return false;
		}
	}
	return true;
}

/* Of those that are not loaded yet, the objects whose modules are there. */
static unsigned int ready_objects(struct loader *l)
{
	unsigned int ids = 0;
	char reason[200];

	for (enum object_id id = OBJECT_NETNS; id < OBJECT_IDS; id++) {
		if (l->object[id])
			continue;
		if (modules_ready(id, reason, sizeof(reason)))
			ids |= 1u << id;
		else
			object_unavailable(l, id, reason);
	}
	return ids;
}

/* All at once, as it is much quicker; each for itself where one of them is refused. */
static void load_ready_objects(struct loader *l)
{
	unsigned int ids = ready_objects(l);
	struct err err;

	if (!ids || !objects_load(l, FILE_RDMA, ids, &err))
		return;
	for (enum object_id id = OBJECT_NETNS; id < OBJECT_IDS; id++) {
		if (!(ids >> id & 1) || !objects_load(l, FILE_RDMA, 1u << id, &err))
			continue;
		object_unavailable(l, id, err.text);
		pr_warn("%s", err.text);
	}
}

int loader_attach_rdma(struct loader *l)
{
	struct err err;
	int fresh = 0;

	load_ready_objects(l);
	for (enum object_id id = OBJECT_NETNS; id < OBJECT_IDS; id++) {
		if (l->attached[id] || !l->object[id])
			continue;
		if (object_attach(l, id, &err)) {
			object_unavailable(l, id, err.text);
			pr_warn("%s", err.text);
			continue;
		}
		fresh = 1;
	}
	prune_replaced(l);
	close_vmlinux(l);
	return fresh;
}

bool loader_rdma_attached(const struct loader *l)
{
	for (enum object_id id = OBJECT_NETNS; id < OBJECT_IDS; id++)
		if (!l->attached[id])
			return false;
	return true;
}

bool loader_waits_for(const struct loader *l, const char *module)
{
	for (enum object_id id = OBJECT_NETNS; id < OBJECT_IDS; id++)
		for (const char *const *m = objects[id].modules; !l->attached[id] && *m; m++)
			if (!strcmp(*m, module))
				return true;
	return false;
}

bool loader_audits_kernel_copy(const struct loader *l)
{
	return l->attached[OBJECT_VERBS];
}

uint32_t loader_judged_twice(const struct loader *l)
{
	const uint32_t verbs = 1u | 1u << CDEV_UVERBS, cm = 1u << CDEV_RDMA_CM,
		       umad = 1u << CDEV_UMAD | 1u << CDEV_ISSM;

	if (l->mechanism == GUARD_LSM)
		return 0;
	return (l->attached[OBJECT_VERBS] ? verbs : 0) | (l->attached[OBJECT_CM] ? cm : 0) |
	       (l->attached[OBJECT_UMAD] ? umad : 0);
}

/* ---- the rest ---- */

static int hold_maps(struct loader *l, struct err *err)
{
	for (size_t i = 0; i < MAP_COUNT; i++) {
		int r = held_add(&l->held, l->maps, map_names[i],
				 fcntl(loader_map(l, (enum loader_map)i), F_DUPFD_CLOEXEC, 3));

		if (r)
			return fail(err, r, "map %s: %s", map_names[i], strerror(-r));
	}
	return 0;
}

int loader_watch(struct loader *l, struct err *err)
{
	int r = hold_maps(l, err);

	if (r)
		return r;
	l->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = l->watch < 0 ? -errno : pins_watch(l->folder, l->maps, l->watch);
	return r ? fail(err, r, "bpffs %s: it cannot be watched: %s", l->folder, strerror(-r)) : l->watch;
}

/* The folder itself was removed: the lock was on the old one. */
static int lock_again(struct loader *l, struct err *err)
{
	struct stat locked, now;
	int lock;

	if (!fstat(l->lock, &locked) && !stat(l->folder, &now) && locked.st_ino == now.st_ino)
		return 0;
	lock = pins_open(l->folder, l->maps, err);
	if (lock < 0)
		return lock;
	util_close(&l->lock);
	l->lock = lock;
	return 0;
}

int loader_repair(struct loader *l, struct err *err)
{
	int restored, r = lock_again(l, err);

	if (!r)
		r = pins_make_folders(l->folder, l->maps, err);
	if (r)
		return r;
	restored = held_restore(&l->held, err);
	if (restored < 0)
		return restored;
	held_fill_own(&l->held, loader_map(l, MAP_OWN)); /* a folder made anew has another number */
	r = pins_watch(l->folder, l->maps, l->watch);
	return r ? fail(err, r, "bpffs %s: it cannot be watched: %s", l->folder, strerror(-r)) : restored;
}

bool loader_keep(struct loader *l)
{
	int older;

	l->fresh = false;
	older = pins_prune_maps(l->folder, l->maps); /* now that no program uses them any more */
	held_fill_own(&l->held, loader_map(l, MAP_OWN));
	return older > 0;
}

void loader_close(struct loader *l)
{
	struct err err;

	if (!l)
		return;
	for (size_t i = 0; i < l->file_count; i++)
		bpf_object__close(l->files[i]);
	close_vmlinux(l);
	held_free(&l->held);
	if (l->fresh && l->lock >= 0 && pins_remove(l->folder, &err))
		pr_warn("%s", err.text);
	util_close(&l->watch);
	util_close(&l->lock);
	free(l);
}

int loader_map(const struct loader *l, enum loader_map map)
{
	return bpf_object__find_map_fd_by_name(l->object[OBJECT_GUARD], map_names[map]);
}

/* The program that the held link of that name runs: an earlier start's own, where it is the same one. */
static int linked_program(const struct loader *l, const char *pin, struct bpf_prog_info *info)
{
	const struct held_pin *held = held_find(&l->held, pin);
	struct bpf_link_info link = {};
	uint32_t len = sizeof(*info);
	_cleanup_close_ int fd = -1;

	*info = (struct bpf_prog_info){};
	if (held && link_info(held->fd, &link))
		return -errno;
	fd = link.id ? bpf_prog_get_fd_by_id(link.prog_id) : -1;
	return fd < 0 || bpf_obj_get_info_by_fd(fd, info, &len) ? -ENOENT : 0;
}

size_t loader_programs(const struct loader *l, struct program_info *infos, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < program_count && n < max; i++) {
		const struct program *p = &programs[i];
		struct bpf_prog_info info;
		char pin[64];

		if (!l->attached[p->object] || !program_wanted(p, l->mechanism) ||
		    pin_name(p->object, p, pin, sizeof(pin)) || linked_program(l, pin, &info))
			continue;
		snprintf(infos[n].name, sizeof(infos[n].name), "%s.%s", objects[p->object].name, p->name);
		infos[n].state = "pinned";
		infos[n].id = info.id;
		infos[n++].skipped = info.recursion_misses;
	}
	return n;
}

uint64_t loader_skipped(const struct loader *l, const char *object)
{
	uint64_t skipped = 0;

	for (size_t i = 0; i < program_count; i++) {
		const struct program *p = &programs[i];
		struct bpf_prog_info info;
		char pin[64];

		if (!strcmp(objects[p->object].name, object) && l->attached[p->object] &&
		    !pin_name(p->object, p, pin, sizeof(pin)) && !linked_program(l, pin, &info))
			skipped += info.recursion_misses;
	}
	return skipped;
}

size_t loader_missing(struct loader *l, void (*visit)(const char *name, void *ctx), void *ctx)
{
	size_t missing = 0;

	for (size_t i = 0; i < program_count; i++) {
		const struct program *p = &programs[i];
		struct bpf_prog_info info;
		char pin[64], name[48];

		if (!l->attached[p->object] || !program_wanted(p, l->mechanism) ||
		    pin_name(p->object, p, pin, sizeof(pin)) || !held_find(&l->held, pin) ||
		    !linked_program(l, pin, &info))
			continue;
		snprintf(name, sizeof(name), "%s.%s", objects[p->object].name, p->name);
		visit(name, ctx);
		missing++;
	}
	return missing;
}

int loader_unload(const char *bpffs, void (*first)(void), struct err *err)
{
	_cleanup_close_ int lock = pins_lock(bpffs, err);

	if (lock < 0)
		return lock == -ENOENT ? 0 : lock;
	first();
	return pins_remove(bpffs, err);
}
