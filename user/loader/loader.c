// SPDX-License-Identifier: Apache-2.0
#include "loader/loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.skel.h"
#include "lib/log.h"
#include "lib/util.h"
#include "loader/pins.h"
#include "loader/probe.h"
#include "netns.skel.h"
#include "verbs.skel.h"

enum object_id { OBJECT_GUARD, OBJECT_NETNS, OBJECT_VERBS, OBJECT_IDS };

/* An object file and what it needs of the kernel. */
static const struct {
	const char *name;
	const void *(*bytes)(size_t *size);
	const char *modules[3]; /* whose BTF it needs; the list ends with NULL */
} objects[OBJECT_IDS] = {
	[OBJECT_GUARD] = { "guard", guard_bpf__elf_bytes, { NULL } },
	[OBJECT_NETNS] = { "netns", netns_bpf__elf_bytes, { "ib_core", "ib_uverbs", NULL } },
	[OBJECT_VERBS] = { "verbs", verbs_bpf__elf_bytes, { "ib_core", "ib_uverbs", NULL } },
};

static const char *const map_names[MAP_COUNT] = {
	[MAP_CDEVS] = "cdevs",   [MAP_CLAIMS] = "claims",     [MAP_DEVICES] = "devices", [MAP_SETTINGS] = "settings",
	[MAP_MAJORS] = "majors", [MAP_COUNTERS] = "counters", [MAP_EVENTS] = "events",
};

/*
 * Each program, the feature it carries, and for the guard the mechanism that it belongs to. A feature of
 * two programs is active when both are.
 */
static const struct program {
	enum object_id object;
	const char *name;
	const char *feature;
	enum guard_mechanism mechanism; /* GUARD_AUTO: of all */
	bool optional; /* a kernel without the hook calls another one of the table instead */
} programs[] = {
	{ OBJECT_GUARD, "cdev_added", "exclusive.identity", GUARD_AUTO, false },
	{ OBJECT_GUARD, "cdev_deleted", "exclusive.identity", GUARD_AUTO, false },
	{ OBJECT_GUARD, "open_lsm", "exclusive.open", GUARD_LSM, false },
	{ OBJECT_GUARD, "open_fmod_ret", "exclusive.open", GUARD_FMOD_RET, false },
	{ OBJECT_GUARD, "ioctl_lsm", "exclusive.ioctl", GUARD_LSM, false },
	{ OBJECT_GUARD, "ioctl_fmod_ret", "exclusive.ioctl", GUARD_FMOD_RET, false },
	{ OBJECT_GUARD, "compat_lsm", "exclusive.ioctl-compat", GUARD_LSM, true },
	{ OBJECT_GUARD, "compat_fmod_ret", "exclusive.ioctl-compat", GUARD_FMOD_RET, true },
	{ OBJECT_GUARD, "receive_lsm", "exclusive.fd-pass", GUARD_LSM, false },
	{ OBJECT_GUARD, "receive_fmod_ret", "exclusive.fd-pass", GUARD_FMOD_RET, false },
	{ OBJECT_GUARD, "mmap_lsm", "exclusive.mmap", GUARD_LSM, false },
	{ OBJECT_GUARD, "mmap_fmod_ret", "exclusive.mmap", GUARD_FMOD_RET, false },
	{ OBJECT_GUARD, "netlink_lsm", "exclusive.netlink", GUARD_LSM, false },
	{ OBJECT_GUARD, "netlink_fmod_ret", "exclusive.netlink", GUARD_FMOD_RET, false },
	{ OBJECT_NETNS, "device_enabled", "devices.register", GUARD_AUTO, false },
	{ OBJECT_NETNS, "uverbs_added", "devices.register", GUARD_AUTO, false },
	{ OBJECT_NETNS, "device_gone", "devices.register", GUARD_AUTO, false },
	{ OBJECT_NETNS, "device_renamed", "devices.rename", GUARD_AUTO, false },
	{ OBJECT_NETNS, "netns_ended", "devices.netns-end", GUARD_AUTO, false },
	{ OBJECT_VERBS, "object_added", "inventory.objects", GUARD_AUTO, false },
	{ OBJECT_VERBS, "object_deleted", "inventory.objects", GUARD_AUTO, false },
	{ OBJECT_VERBS, "object_committed", "inventory.objects", GUARD_AUTO, true },
	{ OBJECT_VERBS, "write_audited", "exclusive.write-abi", GUARD_AUTO, false },
	{ OBJECT_VERBS, "modify_qp_audited", "marking.audit", GUARD_AUTO, false },
};

#define MAX_FEATURES 32

#define MAX_HELD (ARRAY_SIZE(programs) + MAP_COUNT)

/* A pin, and what it holds: were the pin taken away, the object would live on here. */
struct held {
	int fd;
	const char *part; /* of the folder */
	char name[64];
};

struct loader {
	char folder[PATH_MAX];
	int lock, watch;
	struct held held[MAX_HELD];
	size_t held_count;
	bool fresh; /* the folder was made by this start, which is not done yet */
	enum guard_mechanism mechanism;
	struct bpf_object *object[OBJECT_IDS];
	bool attached[OBJECT_IDS];
	struct feature features[MAX_FEATURES];
	size_t feature_count;
};

/* ---- features ---- */

/* The feature of that name, made if new; a feature never gets better than its worst program. */
static void feature_set(struct loader *l, const char *name, enum feature_state state, const char *by, const char *fmt,
			...) __attribute__((format(printf, 5, 6)));

static bool feature_known(const struct loader *l, const char *name)
{
	for (size_t i = 0; i < l->feature_count; i++)
		if (!strcmp(l->features[i].name, name))
			return true;
	return false;
}

static struct feature *feature_find(struct loader *l, const char *name)
{
	for (size_t i = 0; i < l->feature_count; i++)
		if (!strcmp(l->features[i].name, name))
			return &l->features[i];
	if (l->feature_count == MAX_FEATURES)
		abort(); /* the tables of this file are larger than the array: not a matter of input */
	l->features[l->feature_count] = (struct feature){ .name = name };
	return &l->features[l->feature_count++];
}

static void feature_set(struct loader *l, const char *name, enum feature_state state, const char *by, const char *fmt,
			...)
{
	struct feature *f = feature_find(l, name);
	va_list args;

	f->state = state;
	snprintf(f->by, sizeof(f->by), "%s", by);
	va_start(args, fmt);
	vsnprintf(f->reason, sizeof(f->reason), fmt, args);
	va_end(args);
}

const struct feature *loader_features(const struct loader *l, size_t *count)
{
	*count = l->feature_count;
	return l->features;
}

static void object_unavailable(struct loader *l, enum object_id id, const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (programs[i].object == id && (id != OBJECT_GUARD || programs[i].mechanism == GUARD_AUTO ||
						 programs[i].mechanism == l->mechanism))
			feature_set(l, programs[i].feature, FEATURE_UNAVAILABLE, "", "%s", reason);
}

/* ---- one object: open, load, attach, pin ---- */

static int libbpf_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[900];

	/* One level down: what a failure means is said by the caller; the verifier's log is for -v. */
	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	pr_debug("%s", line);
	return 0;
}

static bool program_wanted(const struct loader *l, const struct program *p)
{
	return p->mechanism == GUARD_AUTO || p->mechanism == l->mechanism;
}

static const struct program *program_find(enum object_id id, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (programs[i].object == id && !strcmp(programs[i].name, name))
			return &programs[i];
	return NULL;
}

/* How a program is attached: its section name up to the slash. */
static void program_kind(const struct bpf_program *prog, char *to, size_t size)
{
	const char *section = bpf_program__section_name(prog);

	snprintf(to, size, "%.*s", (int)strcspn(section, "/."), section);
}

static void btf_close(struct btf **btf)
{
	btf__free(*btf);
}

/* Whether one of the object's modules has a function of that name. */
static bool module_function_exists(enum object_id id, const char *name)
{
	_cleanup_(btf_close) struct btf *vmlinux = objects[id].modules[0] ? btf__load_vmlinux_btf() : NULL;

	for (const char *const *m = objects[id].modules; vmlinux && *m; m++) {
		_cleanup_(btf_close) struct btf *module = btf__load_module_btf(*m, vmlinux);

		if (module && btf__find_by_name_kind(module, name, BTF_KIND_FUNC) > 0)
			return true;
	}
	return false;
}

static bool hook_exists(enum object_id id, const struct bpf_program *prog)
{
	const char *hook = strchr(bpf_program__section_name(prog), '/') + 1;

	return libbpf_find_vmlinux_btf_id(hook, bpf_program__expected_attach_type(prog)) > 0 ||
	       module_function_exists(id, hook);
}

static int object_load(struct loader *l, enum object_id id, struct err *err)
{
	char root[PATH_MAX];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = objects[id].name, .pin_root_path = root);
	struct bpf_program *prog;
	const void *bytes;
	size_t size;
	int r;

	if (l->object[id])
		return 0;
	r = try_snprintf(root, sizeof(root), "%s/maps", l->folder);
	if (r)
		return fail(err, r, "bpffs %s: the path is too long", l->folder);
	bytes = objects[id].bytes(&size);
	l->object[id] = bpf_object__open_mem(bytes, size, &opts);
	if (!l->object[id])
		return fail(err, -errno, "BPF object %s does not open: %s", objects[id].name, strerror(errno));
	bpf_object__for_each_program (prog, l->object[id]) {
		const struct program *p = program_find(id, bpf_program__name(prog));

		if (p && (!program_wanted(l, p) || (p->optional && !hook_exists(id, prog))))
			bpf_program__set_autoload(prog, false);
	}
	r = bpf_object__load(l->object[id]);
	if (!r)
		return 0;
	bpf_object__close(l->object[id]);
	l->object[id] = NULL;
	if (r == -EINVAL)
		return fail(err, r,
			    "BPF object %s does not load: %s (the verifier's log is shown with --debug; maps pinned in "
			    "%s by "
			    "another version would be one cause: wardend --unload ends it)",
			    objects[id].name, strerror(-r), root);
	return fail(err, r, "BPF object %s does not load: %s", objects[id].name, strerror(-r));
}

static int pin_name(enum object_id id, const struct program *p, char *to, size_t size)
{
	return try_snprintf(to, size, "%s_%s", objects[id].name, p->name);
}

static int hold(struct loader *l, const char *part, const char *name, int fd)
{
	struct held *h = &l->held[l->held_count];

	if (fd < 0)
		return -errno;
	*h = (struct held){ .fd = fd, .part = part };
	snprintf(h->name, sizeof(h->name), "%s", name);
	l->held_count++;
	return 0;
}

/* The link that an earlier start has pinned. */
static int hold_pinned(struct loader *l, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/links/%s", l->folder, name);

	if (!r)
		r = hold(l, "links", name, bpf_obj_get(path));
	return r ? fail(err, r, "link %s: %s", name, strerror(-r)) : 0;
}

static int program_attach(struct loader *l, enum object_id id, const struct program *p, struct err *err)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(l->object[id], p->name);
	struct bpf_link *link;
	char pin[64], kind[32];
	int r;

	if (!bpf_program__autoload(prog)) {
		if (!feature_known(l, p->feature))
			feature_set(l, p->feature, FEATURE_ACTIVE, "", "%s", "another hook of this kernel sees it");
		return 0;
	}
	program_kind(prog, kind, sizeof(kind));
	if (pin_name(id, p, pin, sizeof(pin)))
		return fail(err, -ENAMETOOLONG, "program %s: the name is too long", p->name);
	if (!pins_same_program(l->folder, pin, prog)) {
		link = bpf_program__attach(prog);
		if (!link)
			return fail(err, -errno, "program %s does not attach: %s", p->name, strerror(errno));
		r = pins_link(l->folder, pin, link, err);
		bpf_link__destroy(link); /* closes the descriptor; the pin holds the link */
		if (r)
			return r;
	}
	r = hold_pinned(l, pin, err);
	if (r)
		return r;
	feature_set(l, p->feature, FEATURE_ACTIVE, kind, "%s", "");
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

	return p && program_wanted(prune->loader, p);
}

static int object_attach(struct loader *l, enum object_id id, struct err *err)
{
	struct prune prune = { .loader = l, .id = id };
	char prefix[32];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		const struct program *p = &programs[i];

		if (p->object != id || !program_wanted(l, p))
			continue;
		r = program_attach(l, id, p, err);
		if (r)
			return r;
	}
	/* Only now, with the new programs in force, those that they replace under another name. */
	snprintf(prefix, sizeof(prefix), "%s_", objects[id].name);
	pins_prune_links(l->folder, prefix, pin_wanted, &prune);
	l->attached[id] = true;
	return 0;
}

/* ---- the guard ---- */

static int choose_mechanism(struct loader *l, enum guard_mechanism forced, struct err *err)
{
	char lsm[200] = "not tried: fmod_ret was asked for", fmod_ret[200] = "not tried: LSM programs were asked for";

	if (forced != GUARD_FMOD_RET && probe_refuses("lsm", lsm, sizeof(lsm))) {
		l->mechanism = GUARD_LSM;
		feature_set(l, "guard.mechanism", FEATURE_ACTIVE, "lsm", "%s", "");
		return 0;
	}
	if (forced != GUARD_LSM && probe_refuses("fmod_ret", fmod_ret, sizeof(fmod_ret))) {
		l->mechanism = GUARD_FMOD_RET;
		feature_set(l, "guard.mechanism", FEATURE_FALLBACK, "fmod_ret", "%s", lsm);
		return 0;
	}
	return fail(err, -EOPNOTSUPP, "no way to refuse on this kernel: %s; %s", lsm, fmod_ret);
}

int loader_open(struct loader **loader, const struct loader_options *options, struct err *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return fail(err, -ENOMEM, "out of memory");
	l->lock = l->watch = -1;
	libbpf_set_print(libbpf_log);
	r = try_snprintf(l->folder, sizeof(l->folder), "%s", options->bpffs);
	if (!r)
		r = choose_mechanism(l, options->guard, err);
	if (!r)
		l->fresh = access(l->folder, F_OK) != 0;
	if (!r)
		r = l->lock = pins_open(l->folder, err);
	if (r >= 0)
		r = object_load(l, OBJECT_GUARD, err);
	if (r < 0) {
		loader_close(l);
		return r;
	}
	*loader = l;
	return 0;
}

void loader_note_netns_mode(struct loader *l, bool exclusive)
{
	if (exclusive)
		feature_set(l, "kernel.rdma-netns", FEATURE_ACTIVE, "exclusive", "%s", "");
	else
		feature_set(l, "kernel.rdma-netns", FEATURE_FALLBACK, "shared", "%s",
			    "the kernel lets every netns open every device; the guard alone tells them apart");
}

/* What the rule knows and this version does not judge: said, so that nobody takes silence for safety. */
static void note_limits(struct loader *l)
{
	static const struct {
		const char *feature, *reason;
	} limits[] = {
		{ "marking.write-abi",
		  "not in this version; a command by write(2) is audited after it was carried out" },
		{ "packets", "not in this version" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		feature_set(l, limits[i].feature, FEATURE_UNAVAILABLE, "", "%s", limits[i].reason);
}

int loader_attach_guard(struct loader *l, struct err *err)
{
	int r = object_attach(l, OBJECT_GUARD, err);

	if (r)
		return r;
	note_limits(l);
	feature_set(l, "marking.verdict", FEATURE_ACTIVE, l->mechanism == GUARD_LSM ? "lsm" : "fmod_ret", "%s",
		    l->mechanism == GUARD_LSM ? "MODIFY_QP through the ioctl"
					      : "MODIFY_QP through the ioctl; a command on a page that is not "
						"present is refused unread");
	return r;
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

int loader_attach_rdma(struct loader *l)
{
	char reason[200];
	struct err err;
	int fresh = 0;

	for (enum object_id id = OBJECT_NETNS; id < OBJECT_IDS; id++) {
		if (l->attached[id])
			continue;
		if (!modules_ready(id, reason, sizeof(reason))) {
			object_unavailable(l, id, reason);
			continue;
		}
		if (object_load(l, id, &err) || object_attach(l, id, &err)) {
			object_unavailable(l, id, err.text);
			pr_warn("%s", err.text);
			continue;
		}
		fresh = 1;
	}
	return fresh;
}

bool loader_rdma_attached(const struct loader *l)
{
	return l->attached[OBJECT_NETNS] && l->attached[OBJECT_VERBS];
}

bool loader_audits_kernel_copy(const struct loader *l)
{
	return l->attached[OBJECT_VERBS];
}

/* ---- the rest ---- */

static int hold_maps(struct loader *l, struct err *err)
{
	for (size_t i = 0; i < MAP_COUNT; i++) {
		int r = hold(l, "maps", map_names[i], fcntl(loader_map(l, (enum loader_map)i), F_DUPFD_CLOEXEC, 3));

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
	r = l->watch < 0 ? -errno : pins_watch(l->folder, l->watch);
	return r ? fail(err, r, "bpffs %s: it cannot be watched: %s", l->folder, strerror(-r)) : l->watch;
}

/* The folder itself was removed: the lock was on the old one. */
static int lock_again(struct loader *l, struct err *err)
{
	struct stat locked, now;
	int lock;

	if (!fstat(l->lock, &locked) && !stat(l->folder, &now) && locked.st_ino == now.st_ino)
		return 0;
	lock = pins_open(l->folder, err);
	if (lock < 0)
		return lock;
	util_close(&l->lock);
	l->lock = lock;
	return 0;
}

int loader_repair(struct loader *l, struct err *err)
{
	int restored = 0, r = lock_again(l, err);

	if (!r)
		r = pins_make_folders(l->folder, err);
	if (r)
		return r;
	for (size_t i = 0; i < l->held_count; i++) {
		r = pins_restore(l->folder, l->held[i].part, l->held[i].name, l->held[i].fd);
		if (r < 0)
			return fail(err, r, "pin %s/%s/%s: %s", l->folder, l->held[i].part, l->held[i].name,
				    strerror(-r));
		restored += r;
	}
	r = pins_watch(l->folder, l->watch);
	return r ? fail(err, r, "bpffs %s: it cannot be watched: %s", l->folder, strerror(-r)) : restored;
}

void loader_keep(struct loader *l)
{
	l->fresh = false;
}

void loader_close(struct loader *l)
{
	struct err err;

	if (!l)
		return;
	for (enum object_id id = 0; id < OBJECT_IDS; id++)
		bpf_object__close(l->object[id]);
	for (size_t i = 0; i < l->held_count; i++)
		util_close(&l->held[i].fd);
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

size_t loader_programs(const struct loader *l, struct program_info *infos, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(programs) && n < max; i++) {
		const struct program *p = &programs[i];
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);
		struct bpf_program *prog;

		if (!l->attached[p->object] || !program_wanted(l, p))
			continue;
		prog = bpf_object__find_program_by_name(l->object[p->object], p->name);
		if (!bpf_program__autoload(prog))
			continue;
		bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len);
		snprintf(infos[n].name, sizeof(infos[n].name), "%s.%s", objects[p->object].name, p->name);
		infos[n].state = "pinned";
		infos[n++].id = info.id;
	}
	return n;
}

int loader_unload(const char *bpffs, struct err *err)
{
	_cleanup_close_ int lock = pins_lock(bpffs, err);

	if (lock < 0)
		return lock == -ENOENT ? 0 : lock;
	return pins_remove(bpffs, err);
}
